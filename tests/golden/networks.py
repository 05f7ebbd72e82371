"""The published networks in PyTorch, written for this project's tests from their description:
Attention U-Net (any widths) and the ANNs with 1x1, 3x3 and 5x5 neighbourhoods. Inference only
needs what stands here; names of layers are those of the published state dicts.

Runs with Debian 12's python3-torch (1.13).
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Conv3x3(nn.Conv2d):
    """3x3 convolution that keeps the size: zeros beyond the poles, and beyond the date line zeros
    too (padding "zero") or the other side of the map ("periodic_lon")."""

    periodic = False

    def forward(self, x):
        if not self.periodic:
            return F.conv2d(x, self.weight, self.bias, padding=1)
        x = F.pad(x, (1, 1, 0, 0), mode="circular")
        return F.conv2d(x, self.weight, self.bias, padding=(1, 0))


class ConvBlock(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Sequential(
            Conv3x3(c_in, c_out, 3), nn.BatchNorm2d(c_out), nn.ReLU(),
            Conv3x3(c_out, c_out, 3), nn.BatchNorm2d(c_out), nn.ReLU())

    def forward(self, x):
        return self.conv(x)


class Up(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            Conv3x3(c_in, c_out, 3), nn.BatchNorm2d(c_out), nn.ReLU())

    def forward(self, x):
        return self.up(x)


class Gate(nn.Module):
    """Attention: x times a number in 0..1 that x and g decide. attn_3d: one number per channel."""

    def __init__(self, channels, attn_3d):
        super().__init__()
        inner = channels // 2

        def branch(c_in, c_out):
            return nn.Sequential(Conv3x3(c_in, c_out, 3), nn.BatchNorm2d(c_out))

        self.Wx = branch(channels, inner)
        self.Wg = branch(channels, inner)
        self.Psi = branch(inner, channels if attn_3d else 1)

    def forward(self, x, g):
        return torch.sigmoid(self.Psi(torch.relu(self.Wx(x) + self.Wg(g))))


class UNet(nn.Module):
    def __init__(self, c_in, c_out, widths, attn_3d=False):
        super().__init__()
        sizes = [c_in] + list(widths)
        for k in range(1, 6):
            self.add_module(f"conv{k}", ConvBlock(sizes[k - 1], sizes[k]))
        for k in range(5, 1, -1):
            self.add_module(f"up{k}", Up(sizes[k], sizes[k - 1]))
            self.add_module(f"attn{k}", Gate(sizes[k - 1], attn_3d))
            self.add_module(f"upconv{k}", ConvBlock(2 * sizes[k - 1], sizes[k - 1]))
        self.conv1x1 = nn.Conv2d(sizes[1], c_out, 1)

    def layers(self, x):
        """Every layer's output in order, the last one "prediction"."""
        taps = {}
        for k in range(1, 6):
            x = taps[f"conv{k}"] = getattr(self, f"conv{k}")(x if k == 1 else F.max_pool2d(x, 2))
        for k in range(5, 1, -1):
            skip = taps[f"conv{k - 1}"]
            g = taps[f"up{k}"] = getattr(self, f"up{k}")(x)
            a = taps[f"attn{k}"] = getattr(self, f"attn{k}")(skip, g)
            x = taps[f"upconv{k}"] = getattr(self, f"upconv{k}")(torch.cat((g, skip * a), 1))
        taps["prediction"] = self.conv1x1(x)
        return taps

    def forward(self, x):
        return self.layers(x)["prediction"]


def set_periodic(network, periodic):
    for module in network.modules():
        if isinstance(module, Conv3x3):
            module.periodic = periodic


class ANN(nn.Module):
    """One column at a time, from its stencil x stencil neighbourhood (columns, c, s, s)."""

    def __init__(self, idim, odim, hidden, stencil):
        super().__init__()
        self.stencil = stencil
        for k in range(stencil // 2):
            self.add_module(f"conv{k + 1}", nn.Conv2d(idim, idim, 3))
        sizes = [idim] + 5 * [hidden] + [2 * odim]
        for k in range(6):
            self.add_module(f"layer{k + 1}", nn.Linear(sizes[k], sizes[k + 1]))
        self.output = nn.Linear(2 * odim, odim)

    def forward(self, x):
        for k in range(self.stencil // 2):
            x = torch.relu(getattr(self, f"conv{k + 1}")(x))
        x = x.flatten(1)
        for k in range(6):
            x = F.leaky_relu(getattr(self, f"layer{k + 1}")(x), 0.01)
        return self.output(x)


def neighbourhoods(x, row, stencil):
    """Those of every column of a row of the map x (c, lat, lon), as (lon, c, stencil, stencil):
    longitude wraps; beyond the poles everything is zero."""
    half = stencil // 2
    channels, nlat, nlon = x.shape
    block = x.new_zeros(nlon, channels, stencil, stencil)
    for dy in range(-half, half + 1):
        if not 0 <= row + dy < nlat:
            continue
        for dx in range(-half, half + 1):
            columns = [(i + dx) % nlon for i in range(nlon)]
            block[:, :, dy + half, dx + half] = x[:, row + dy, columns].T
    return block


def predict_map(ann, x):
    """(c, lat, lon) -> (odim, lat, lon), column by column."""
    rows = [ann(neighbourhoods(x, row, ann.stencil)).T for row in range(x.shape[1])]
    return torch.stack(rows, 1)


def randomise(network, seed):
    """Weights that keep values near 1 from layer to layer, and batch norms with something to do."""
    rng = torch.Generator().manual_seed(seed)

    def normal(p, scale, mean=0.0):
        p.data.copy_(mean + scale * torch.randn(p.shape, generator=rng))

    def uniform(p, low, high):
        p.data.copy_(low + (high - low) * torch.rand(p.shape, generator=rng))

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            normal(module.weight, (2.0 / module.weight[0].numel()) ** 0.5)
            normal(module.bias, 0.2)
        elif isinstance(module, nn.BatchNorm2d):
            uniform(module.weight, 0.6, 1.4)
            normal(module.bias, 0.2)
            normal(module.running_mean, 0.3)
            uniform(module.running_var, 0.5, 2.0)
            module.num_batches_tracked.fill_(1234)
    return network.eval()


def save_training(path, network, state=None, epoch=1, **more):
    """A checkpoint as the published training script leaves it. The optimizer is real, but has
    seen only the head's bias, to stay small."""
    bias = list(network.parameters())[-1].detach().float().clone().requires_grad_()
    optimizer = torch.optim.Adam([bias], lr=1e-4)
    bias.grad = bias.detach() / 10
    optimizer.step()
    torch.save({
        "epoch": epoch,
        "model_state_dict": network.state_dict() if state is None else state,
        "optimizer_state_dict": optimizer.state_dict(),
        "loss": nn.MSELoss(),
        "loss_train": np.linspace(1.0, 0.5, epoch + 1),
        "loss_test": np.linspace(1.1, 0.6, epoch + 1),
        **more,
    }, path)
