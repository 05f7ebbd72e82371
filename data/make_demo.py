#!/usr/bin/python3
"""Makes the bundled demonstration data, both synthetic and without scientific value:

    demo_windset.nc   two states of an analytic atmosphere, in the layout of a WINDSET file
    demo_unet.pt      a small Attention U-Net in the published checkpoint format, trained here for
                      some minutes to reproduce an analytic toy flux on random such atmospheres

Debian 12's python3-torch and python3-netcdf4 do; one thread, fixed seeds:
    make_demo.py [--folder FOLDER] [--steps N]
"""
import argparse
import os
import sys
import time

import netCDF4
import numpy as np
import torch

sys.dont_write_bytecode = True  # leaves no __pycache__ in the source tree
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "golden"))
from networks import UNet, save_training

NLAT, NLON, LEVELS = 64, 128, 122
EARTH, GRAVITY, SCALE_HEIGHT = 6.371e6, 9.80665, 7000.0
LOW, JET = 98, 58  # channels near 850 and 197 hPa
WIDTHS = (16, 16, 24, 32, 32)
TITLE = "Synthetic demonstration data, without scientific value; made by data/make_demo.py"

# The recipe era5-released: mu, d.
SCALING = {
    "u": (6.395471175756457, 3 * 22.175504140184618),
    "v": (0.020313991225046, 3 * 9.84143148277375),
    "uw": (-0.0005112474139891424, 0.0050768547492663395),
    "vw": (-0.0002982954242187403, 0.003792741148955207),
}

# Bumps roughly where mountains are: latitude, longitude, half widths in degrees, height in m.
BUMPS = (
    (-75, 90, 20, 120, 2600), (32, 88, 7, 14, 4600), (43, 245, 10, 8, 2100), (73, 318, 9, 12, 2500),
    (-18, 291, 13, 4, 3200), (-45, 288, 10, 3, 1500), (8, 38, 7, 5, 1900), (-28, 27, 6, 6, 1300),
    (34, 52, 5, 12, 1500), (62, 12, 6, 5, 900), (46, 10, 3, 6, 1300), (50, 100, 6, 12, 1500),
    (65, 140, 6, 14, 900), (-44, 170, 3, 3, 900), (32, 355, 4, 6, 1100), (-5, 141, 4, 5, 1500),
    (62, 215, 5, 12, 1100),
)


def levels():
    """a, b of the 122 levels, from the library's own table."""
    with open(os.path.join(HERE, "..", "src", "model", "levels.c")) as source:
        rows = [line.strip(" {},\n").split(",") for line in source if line.startswith("    {")]
    a, b = np.array([[float(v) for v in row[1:3]] for row in rows]).T
    assert a.shape == (LEVELS,)
    return a.reshape(-1, 1, 1), b.reshape(-1, 1, 1)


def grid():
    """Gaussian latitudes from south to north, longitudes from 0 east, in degrees."""
    sines = np.polynomial.legendre.leggauss(NLAT)[0]
    return np.degrees(np.arcsin(sines)), np.arange(NLON) * 360 / NLON


def bell(x, centre, width):
    return np.exp(-((x - centre) / width) ** 2)


def step(x, centre, width):
    return 1 / (1 + np.exp(-(x - centre) / width))


def orography(lat, lon):
    """Height of the surface in m, (lat, lon)."""
    height = np.zeros((NLAT, NLON))
    for y, x, dy, dx, top in BUMPS:
        away = (lon - x + 180) % 360 - 180
        height += top * bell(lat, y, dy)[:, None] * bell(away, 0, dx)[None, :]
    return height


class Atmosphere:
    """A random analytic state: jets, vortex, planetary and synoptic waves, flow over bumps.
    hours moves the waves; winter is +1 (northern) or -1."""

    def __init__(self, seed, winter, hours=0.0):
        rng = np.random.default_rng(seed)
        self.lat, self.lon = grid()
        self.height = orography(self.lat, self.lon)
        a, b = levels()
        p = a + b * 101325 * np.exp(-self.height / 8000)
        self.z = SCALE_HEIGHT * np.log(1e5 / p) / 1000  # km
        self.u, self.v = self.mean_wind(rng, winter), np.zeros_like(p)
        self.t = self.mean_temperature()
        for wave in range(7):
            self.add_wave(rng, winter, wave < 2, hours)
        over_bumps = step(self.height, 1500, 400) * np.exp(-self.z / 6)
        friction = 1 - 0.6 * np.exp(-self.z / 1.5) - 0.3 * over_bumps
        self.u, self.v = self.u * friction, self.v * friction
        self.theta = self.t * (p / 1e5) ** -0.286

    def mean_wind(self, rng, winter):
        lat, z = self.lat.reshape(1, -1, 1), self.z
        u = -6 * bell(lat, 0, 15) * np.exp(-z / 6)
        for side in (-1, 1):
            strength = rng.uniform(32, 45) if side == winter else rng.uniform(20, 32)
            u = u + strength * bell(lat, side * rng.uniform(32, 48), 13) * bell(z, 11.5, 6)
            u = u + 9 * bell(lat, side * 50, 15) * np.exp(-z / 12)
        u = u + rng.uniform(35, 65) * bell(lat, winter * rng.uniform(58, 66), 17) * step(z, 25, 5)
        u = u - rng.uniform(15, 35) * bell(lat, -winter * 35, 28) * step(z, 25, 4)
        return u + rng.uniform(-22, 22) * bell(lat, 0, 13) * bell(z, rng.uniform(21, 29), 6)

    def mean_temperature(self):
        lat, z = np.radians(self.lat).reshape(1, -1, 1), self.z
        pole = np.sin(lat) ** 2
        troposphere = 301 - 42 * pole - 6.5 * z
        tropopause = 198 + 22 * pole
        warm = 60 * step(z, 33, 5)
        return tropopause + 4 * np.logaddexp(0, (troposphere - tropopause) / 4) + warm

    def add_wave(self, rng, winter, planetary, hours):
        """A geostrophic wave of streamfunction B(z) E(lat) cos(m lon + tilt z + phase)."""
        m = rng.integers(1, 3) if planetary else rng.integers(4, 9)
        centre = np.radians(winter * 60 if planetary else rng.choice((-1, 1)) * rng.uniform(35, 58))
        width = np.radians(18 if planetary else 12)
        lat, lon = np.radians(self.lat).reshape(1, -1, 1), np.radians(self.lon).reshape(1, 1, -1)
        vertical = 0.3 + step(self.z, 24, 5) if planetary else bell(self.z, 9, 7)
        speed = rng.uniform(4, 12) * vertical
        drift = 0 if planetary else -m * np.radians(rng.uniform(0.2, 0.5)) * hours
        phase = m * lon + (0.05 if planetary else 0.03) * self.z + rng.uniform(0, 2 * np.pi) + drift
        shape = bell(lat, centre, width)
        scale = np.cos(centre) / m
        self.v += -speed * shape * np.sin(phase) * np.cos(lat) / np.cos(centre)
        self.u += 2 * speed * scale * (lat - centre) / width ** 2 * shape * np.cos(phase)
        self.t += np.sign(centre) * 0.35 * speed * shape * np.sin(phase)

    def features(self):
        """The 369 normalised channels of the u_v_theta family, float32."""
        shape = (1, NLAT, NLON)
        coordinates = [np.broadcast_to(self.lat[:, None] / 90, shape),
                       np.broadcast_to(self.lon / 360, shape),
                       (GRAVITY * self.height / 50000).reshape(shape)]
        profiles = [(self.u - SCALING["u"][0]) / SCALING["u"][1],
                    (self.v - SCALING["v"][0]) / SCALING["v"][1], self.theta / 1000]
        return np.concatenate(coordinates + profiles).astype(np.float32)

    def wave_train(self, u, v, launch):
        """What is left at each level of waves that leave the height `launch` (km) along (u, v):
        they decay upward, and faster where the wind blows against (u, v)."""
        speed = np.hypot(u, v) + 1e-6
        along = (self.u * u + self.v * v) / speed
        rate = (1 / 18 + np.logaddexp(0, -along / 6) / 10) * step(self.z, launch, 0.7)
        thickness = np.zeros_like(self.z)
        thickness[:-1] = self.z[:-1] - self.z[1:]
        return np.exp(-np.cumsum((rate * thickness)[::-1], 0)[::-1]) * step(self.z, launch - 2, 0.7)

    def toy_flux(self):
        """Normalised uw, vw, (244, lat, lon): sources over bumps (against the low wind) and at
        the jets (against the jet). Invented; only its look is that of a momentum flux."""
        low, jet = (self.u[LOW], self.v[LOW]), (self.u[JET], self.v[JET])
        over_bumps = 2e-4 * self.height / 1000 * np.hypot(*low) * self.wave_train(*low, 0)
        fast = np.hypot(*jet)
        at_jets = 2.5e-4 * 5 * np.logaddexp(0, (fast - 22) / 5) / (fast + 1e-6) \
            * self.wave_train(*jet, 11.5)
        flux = []
        for name, component in (("uw", 0), ("vw", 1)):
            f = -over_bumps * low[component] - at_jets * jet[component]
            mu, d = SCALING[name]
            flux.append(np.cbrt((f - mu) / d))
        return np.concatenate(flux).astype(np.float32)


def demo_states():
    return [Atmosphere(20050123, +1, hours) for hours in (0.0, 12.0)]


def train(steps, states=40, batch=2):
    """A U-Net that has seen random states, never the bundled ones; rolled along longitude, since
    it is given no coordinates."""
    torch.manual_seed(1)
    rng = np.random.default_rng(2)
    pool = [Atmosphere(seed, rng.choice((-1, 1))) for seed in range(states)]
    pool = [(torch.from_numpy(s.features()[3:]), torch.from_numpy(s.toy_flux())) for s in pool]
    spread = torch.stack([y.var(dim=(1, 2)) for _, y in pool]).mean(0).reshape(-1, 1, 1)
    network = UNet(3 * LEVELS, 2 * LEVELS, WIDTHS)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    start = time.time()
    for i in range(steps):
        chosen, roll = rng.integers(states, size=batch), int(rng.integers(NLON))
        x, y = (torch.stack([pool[c][side] for c in chosen]).roll(roll, -1) for side in (0, 1))
        optimizer.zero_grad()
        loss = ((network(x) - y) ** 2 * (0.2 + y.abs()) / spread).mean()  # peaks and all levels
        loss.backward()
        optimizer.step()
        schedule.step()
        if i % 50 == 49:
            print(f"step {i + 1}: loss {loss.item():.4f}, {time.time() - start:.0f} s", flush=True)
    return network.eval()


def half_state(network):
    return {name: t.half() if t.is_floating_point() else t
            for name, t in network.state_dict().items()}


def rounded(values):
    """To multiples of 1/1024 (0.07 m/s, 0.03 m/s, 1 K): deflate does the rest."""
    return (np.round(values * 1024) / 1024).astype(np.float32)


def write_windset(path, states):
    lat, lon = grid()
    with netCDF4.Dataset(path, "w") as file:
        file.title = TITLE
        file.source = "analytic jets, waves and bumps on the 64 x 128 Gaussian grid"
        file.precision = "normalised u, v and theta are rounded to multiples of 1/1024"
        file.gwflux_recipe = "era5-released"
        sizes = {"time": len(states), "idim": 369, "lat": NLAT, "lon": NLON}
        for name, size in sizes.items():
            file.createDimension(name, size)
        for name, values in (("lat", lat / 90), ("lon", lon / 360)):
            file.createVariable(name, "f4", name)[:] = values
        hours = file.createVariable("time", "i4", "time")
        hours.long_name = "hour of year"
        hours[:] = 529 + 12 * np.arange(len(states))
        features = file.createVariable("features", "f4", tuple(sizes), zlib=True, complevel=9,
                                       chunksizes=(1, 123, NLAT, NLON))
        features.long_name = (
            "synthetic; lat/90, lon/360, zs=geopotential/50000, u: (u-6.395471175756457)/"
            "(3*22.175504140184618), v: (v-0.020313991225046)/(3*9.84143148277375), "
            "theta: theta/1000; 122 levels each, top to bottom")
        for i, state in enumerate(states):
            values = state.features()
            values[3:] = rounded(values[3:])
            features[i] = values


def report(network, states):
    """How well the float16 network repeats the toy flux of the states it never saw."""
    network.load_state_dict(half_state(network))
    for state in states:
        x = state.features()
        with torch.no_grad():
            prediction = network(torch.from_numpy(rounded(x[3:]))[None])[0].numpy()
        truth = state.toy_flux()
        for name, channel in (("10 hPa", 13), ("200 hPa", 58), ("850 hPa", 98)):
            mu, d = SCALING["uw"]
            p, t = (v[channel] ** 3 * d + mu for v in (prediction, truth))
            print(f"uw at {name}: toy {1e3 * t.min():.2f} to {1e3 * t.max():.2f} mPa, predicted "
                  f"{1e3 * p.min():.2f} to {1e3 * p.max():.2f} mPa, "
                  f"r {np.corrcoef(p.ravel(), t.ravel())[0, 1]:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", default=HERE)
    parser.add_argument("--steps", type=int, default=1200, help="of training")
    args = parser.parse_args()
    torch.set_num_threads(1)
    states = demo_states()
    write_windset(os.path.join(args.folder, "demo_windset.nc"), states)
    network = train(args.steps)
    report(network, states)
    save_training(os.path.join(args.folder, "demo_unet.pt"), network, half_state(network),
                  note=TITLE)


if __name__ == "__main__":
    main()
