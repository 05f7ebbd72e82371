#!/usr/bin/python3
"""Makes the golden networks: small checkpoints in the published format with random weights, and
what they answer, computed by PyTorch in float64.

    unet.pt         Attention U-Net 366 -> 244, widths 4 8 12 16 24; a training checkpoint
      unet_zero.nc, unet_periodic.nc: the answer with either padding
    unet_3d.pt      the attn_3d variant, widths 4 8 8 16 16; a bare state dict, float16
    ann_1x1.pt      369 -> 120, hidden width 16 (uvtheta, stratosphere_update), float16
    ann_3x3.pt      183 -> 120 (uvtheta, stratosphere_only), float16, with unused bnorm1 entries
    ann_5x5.pt      183 -> 120, float16; its two convolutions are overlapping views of one storage

The input is a formula in double, rounded to float32, on 16 x 32 points (see field()).
A .nc file holds float32 variables NAME(NAME_c, NAME_y, NAME_x): every layer in unet_zero.nc, the
layers that tell in the others. The attribute `every` of prediction says that only channels 0,
every, 2 every, ... are kept.

The files change with the version of PyTorch (random numbers, container); they were made with
Debian 12's python3-torch 1.13:  make_networks.py [FOLDER]
"""
import os
import sys

import netCDF4
import numpy as np
import torch

sys.dont_write_bytecode = True  # leaves no __pycache__ in the source tree
from networks import ANN, UNet, predict_map, randomise, save_training, set_periodic

NLAT, NLON = 16, 32
EVERY = 8  # channels of prediction: the files stay small


def field(channels):
    """1.5 sin(0.7 c + 0.3 y (1 + c mod 5) + 0.45 x (1 + c mod 3))"""
    c, y, x = np.ogrid[:channels, :NLAT, :NLON]
    values = 1.5 * np.sin(0.7 * c + 0.3 * y * (1 + c % 5) + 0.45 * x * (1 + c % 3))
    return torch.from_numpy(values.astype(np.float32)).double()


def write_expected(path, taps, keep=None, **attributes):
    with netCDF4.Dataset(path, "w") as file:
        file.note = "float64 reference stored as float32; made by tests/golden/make_networks.py"
        file.input = "1.5 sin(0.7 c + 0.3 y (1 + c mod 5) + 0.45 x (1 + c mod 3)), as float32"
        file.setncatts(attributes)
        for name in keep or taps:
            values = taps[name]
            every = EVERY if name == "prediction" else 1
            values = values[::every].float().numpy()
            dims = [f"{name}_{axis}" for axis in "cyx"]
            for dim, size in zip(dims, values.shape):
                file.createDimension(dim, size)
            variable = file.createVariable(name, "f4", dims, zlib=True, complevel=9,
                                           chunksizes=values.shape)
            variable[:] = values
            if every > 1:
                variable.every = np.int32(every)


def report(path, network, truth, x, predict):
    """The error float32 alone makes says how well-conditioned the network is."""
    single = predict(network.float(), x.float()).double()
    error = ((single - truth).norm() / truth.norm()).item()
    size = sum(os.path.getsize(path + end) for end in (".pt", ".nc") if os.path.exists(path + end))
    print(f"{os.path.basename(path)}: rms {truth.pow(2).mean().sqrt().item():.3g}, "
          f"PyTorch float32 error {error:.2g}, {size / 1e3:.0f} kB")
    if not error < 3e-6:
        sys.exit(f"{path}: badly conditioned")


def half(network):
    """Weights that float16 holds exactly."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
    return network


def half_state(network):
    return {name: t.half() if t.is_floating_point() else t
            for name, t in network.state_dict().items()}


def unet(folder):
    network = randomise(UNet(366, 244, [4, 8, 12, 16, 24]), 1)
    save_training(f"{folder}/unet.pt", network, epoch=7)
    x = field(366)
    predictions = []
    for padding in ("zero", "periodic"):
        set_periodic(network, padding == "periodic")
        taps = {name: t[0] for name, t in network.double().layers(x[None]).items()}
        keep = None if padding == "zero" else ("conv1", "conv5", "attn5", "upconv3", "prediction")
        write_expected(f"{folder}/unet_{padding}.nc", taps, keep, checkpoint="unet.pt",
                       features="uvtheta", vertical="global",
                       padding="zero" if padding == "zero" else "periodic_lon")
        predictions.append(taps["prediction"])
        report(f"{folder}/unet_{padding}", network, predictions[-1], x, lambda n, v: n(v[None])[0])
    if torch.allclose(*predictions, rtol=1e-2):
        sys.exit("the padding makes no difference")


def unet_3d(folder):
    network = half(randomise(UNet(366, 244, [4, 8, 8, 16, 16], attn_3d=True), 2))
    torch.save(half_state(network), f"{folder}/unet_3d.pt")
    x = field(366)
    taps = {name: t[0] for name, t in network.double().layers(x[None]).items()}
    keep = ("conv5", "attn5", "attn4", "attn3", "attn2", "prediction")
    write_expected(f"{folder}/unet_3d.nc", taps, keep, checkpoint="unet_3d.pt", features="uvtheta",
                   vertical="global", padding="zero")
    report(f"{folder}/unet_3d", network, taps["prediction"], x, lambda n, v: n(v[None])[0])


def ann(folder, name, network, state, idim, vertical):
    save_training(f"{folder}/{name}.pt", network, epoch=2, state=state)
    x = field(idim)
    prediction = predict_map(network.double(), x)
    write_expected(f"{folder}/{name}.nc", {"prediction": prediction}, checkpoint=f"{name}.pt",
                   features="uvtheta", vertical=vertical)
    report(f"{folder}/{name}", network, prediction, x, predict_map)


def ann_1x1(folder):
    network = half(randomise(ANN(369, 120, 16, 1), 3))
    ann(folder, "ann_1x1", network, half_state(network), 369, "stratosphere_update")


def ann_3x3(folder):
    network = half(randomise(ANN(183, 120, 12, 3), 4))
    state = half_state(network)
    for entry in ("weight", "bias", "running_mean", "running_var"):
        state[f"bnorm1.{entry}"] = torch.full((183,), 3.0).half()  # would change the answer
    state["bnorm1.num_batches_tracked"] = torch.tensor(0)
    ann(folder, "ann_3x3", network, state, 183, "stratosphere_only")


def ann_5x5(folder):
    """conv2 is conv1 moved by one output channel, so that one storage serves both."""
    network = randomise(ANN(183, 120, 12, 5), 5)
    shape, step = network.conv1.weight.shape, network.conv1.weight[0].numel()
    both = torch.cat((network.conv1.weight.data, network.conv2.weight.data[-1:])).half().flatten()
    network.conv1.weight.data = both[:-step].reshape(shape).float()
    network.conv2.weight.data = both[step:].reshape(shape).float()
    state = half_state(half(network))
    state["conv1.weight"] = both[:-step].view(shape)
    state["conv2.weight"] = both[step:].view(shape)
    ann(folder, "ann_5x5", network, state, 183, "stratosphere_only")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    torch.set_num_threads(1)
    with torch.no_grad():
        for make in (unet, unet_3d, ann_1x1, ann_3x3, ann_5x5):
            make(folder)


if __name__ == "__main__":
    main()
