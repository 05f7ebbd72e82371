"""Checks of what gwflux has written, by NumPy and from the files alone.

check_fields.py tendency FLUXES        utend, vtend from uw, vw, ps, hyam, hybm
check_fields.py levels FLUXES LEVELS   fields on pressure levels from those on model levels
check_fields.py axes FLUXES INPUT      latitudes and longitudes are the input's
check_fields.py outside FLUXES FEATURES
check_fields.py features A B LIMIT     largest difference of a channel
"""

import sys

import netCDF4
import numpy as np

GRAVITY = 9.80665


def load(path, *names):
    """Values as they are stored, in double."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return [np.array(file[name][:], dtype=float) for name in names]


def check(what, error, limit):
    print(f"{what}: {error:.3g}, at most {limit:g}")
    if not error <= limit:
        sys.exit(1)


def pressures(path):
    ps, a, b = load(path, "ps", "hyam", "hybm")
    return ps, a[None, :, None, None] + b[None, :, None, None] * ps[:, None]


def tendency(path):
    """Interfaces midway in p, the lowest at the ground; no flux through the top, at the bottom as
    the line through the two lowest levels has it."""
    ps, p = pressures(path)
    half = np.empty((p.shape[0], p.shape[1] + 1) + p.shape[2:])
    half[:, 1:-1] = (p[:, 1:] + p[:, :-1]) / 2
    half[:, 0] = np.maximum(0, 2 * p[:, 0] - half[:, 1])
    half[:, -1] = ps
    for flux, tend in (("uw", "utend"), ("vw", "vtend")):
        f, written = load(path, flux, tend)
        through = np.empty_like(half)
        through[:, 0] = 0
        through[:, 1:-1] = (f[:, 1:] + f[:, :-1]) / 2
        slope = (f[:, -1] - f[:, -2]) / (p[:, -1] - p[:, -2])
        through[:, -1] = f[:, -1] + slope * (ps - p[:, -1])
        thickness = np.diff(half, axis=1)
        expected = GRAVITY * np.diff(through, axis=1) / thickness
        check(tend, np.abs(written - expected).max() / np.abs(expected).max(), 1e-5)
        column = (written * thickness / GRAVITY).sum(axis=1)
        error = np.abs(column - through[:, -1]).max() / np.abs(f).max()
        check(f"{tend}: its sum over the column less the flux at the bottom", error, 1e-5)


def levels(model, path):
    ps, p = pressures(model)
    (plev,) = load(path, "plev")
    fill = netCDF4.default_fillvals["f4"]
    for name in ("uw", "vw", "utend", "vtend"):
        (f,), (written,) = load(model, name), load(path, name)
        missing = written > 1e36
        outside = (plev[None, :, None, None] > ps[:, None]) | (
            plev[None, :, None, None] < p[:, :1]
        )
        check(f"{name}: missing where it should not be or the reverse", (missing != outside).sum(), 0)
        check(f"{name}: another fill value", np.abs(written[missing] - np.float32(fill)).max(), 0)
        expected = np.empty_like(written)
        for t, j, i in np.ndindex(*ps.shape):
            expected[t, :, j, i] = np.interp(np.log(plev), np.log(p[t, :, j, i]), f[t, :, j, i])
        error = np.abs(written - expected)[~missing].max() / np.abs(f).max()
        check(name, error, 1e-6)
        if not missing.any() or missing.all():
            sys.exit("nothing is missing, or all is: the check is none")


def axes(path, source):
    lat, lon = load(path, "lat", "lon")
    lat_in, lon_in = load(source, "latitude", "longitude")
    check("lat", np.abs(lat - np.sort(lat_in)).max(), 0)
    check("lon", np.abs(lon - np.sort(lon_in % 360)).max(), 0)
    for name in ("uw", "ps"):
        (field,) = load(path, name)
        if field.shape[-2:] != (lat.size, lon.size) or not np.isfinite(field).all():
            sys.exit(f"{name} is {field.shape}")


def outside(path, features):
    """The channels of the features are lat, lon, zs and then those of the network."""
    (share,), (x,) = load(path, "outside_training_range"), load(features, "features")
    expected = (np.abs(x[:, 3:]) > 4).mean(axis=(2, 3))
    check("outside_training_range", np.abs(share - expected).max(), 1e-7)
    if not 0.01 < expected.max() <= 1 or expected[0].max() > 0:
        sys.exit("the storm is not there: the check is none")


def features(a, b, limit):
    (x,), (y,) = load(a, "features"), load(b, "features")
    worst = np.abs(x - y).max(axis=(0, 2, 3))
    check(f"channel {worst.argmax()}", worst.max(), float(limit))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
