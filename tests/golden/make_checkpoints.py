#!/usr/bin/env python3
"""Makes the small checkpoints of tests/test_checkpoint.c and the values they must give, and the
pickles of tests/test_pickle.c.

    python3 make_checkpoints.py [FIXTURES]     (needs PyTorch and NumPy; Debian's python3-torch will do)

Writes checkpoint_*.pt, checkpoints.txt and pickle_protocol*.pkl beside itself. The text says per
file, for the C test:

    checkpoint FILE EPOCH LAYOUT STORAGE[,STORAGE...] TENSORS
    tensor NAME RANK SIZE ...
    the values as float32, row-major, each as the hexadecimal number of its 32 bits

checkpoint_recent.pt is checkpoint_training.pt loaded and saved again by PyTorch 2.15 with NumPy 2.

With the folder of the shared fixtures as argument it also writes checkpoint_fixtures.txt, one line
per weight tensor of each checkpoint there:

    FILE NAME RANK SIZE ... CHECKSUM

where the checksum is the sum over i of (i + 1) * bits[i] modulo 2^64, in hexadecimal.
"""
import collections
import datetime
import glob
import os
import pickle
import struct
import sys
import zipfile

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
golden = []


def path(name):
    return os.path.join(HERE, f"checkpoint_{name}.pt")


def note(name, state, storage, epoch=-1, layout="state_dict"):
    tensors = {k.removeprefix("module."): v.detach() for k, v in state.items()
               if torch.is_tensor(v) and v.is_floating_point()}
    golden.append(f"checkpoint checkpoint_{name}.pt {epoch} {layout} {storage} {len(tensors)}")
    for key, value in tensors.items():
        golden.append(" ".join(["tensor", key, str(value.dim()), *map(str, value.shape)]))
        bits = value.to(torch.float32).contiguous().numpy().reshape(-1).view(np.uint32)
        golden.append(" ".join(f"{b:08x}" for b in bits))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))
        self.output = nn.Linear(4, 3)

    def forward(self, x):
        return self.output(self.conv(x).mean((2, 3)).repeat(1, 2))


def awkward(dtype):
    """Zeros of both signs, the smallest and largest numbers, and ones that need rounding."""
    info = torch.finfo(dtype)
    largest = min(info.max, 3e38)
    numbers = [0.0, -0.0, info.tiny, info.tiny / 4, -info.tiny / 2, largest, -largest, 1 / 3, 1e-3,
               -2.0, 1.0 + info.eps]
    return torch.tensor(numbers, dtype=dtype)


def make_types():
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64),
                        ("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        state = Small().to(dtype).state_dict()
        state["awkward"] = awkward(dtype)
        state["scalar"] = torch.tensor(-1.5, dtype=dtype)
        torch.save(state, path(name))
        note(name, state, name)


def make_views():
    base = torch.arange(120, dtype=torch.float32) * 0.25
    state = collections.OrderedDict(
        first=base[:24].view(2, 3, 4), transposed=base[24:36].view(3, 4).t(),
        every_third=base[5:95:3], overlapping=base.as_strided((4, 6), (2, 1), 30),
        repeated=base[7:8].expand(3, 5), nothing=base[60:60].view(0, 4),
        last=base[-1], permuted=base.view(2, 3, 4, 5).permute(3, 1, 0, 2),
        channels_last=torch.rand(2, 3, 2, 2).to(memory_format=torch.channels_last),
        half=torch.rand(3).to(torch.float16), counter=torch.tensor(4))
    torch.save(state, path("views"))
    note("views", state, "float32,float16")


def make_training():
    model = nn.DataParallel(Small())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = nn.MSELoss()
    for _ in range(2):
        optimizer.zero_grad()
        loss(model.module(torch.rand(2, 3, 5, 5)), torch.rand(2, 3)).backward()
        optimizer.step()
    torch.save({"epoch": 7, "model_state_dict": model.state_dict(),
                "optimizer_state_dict": optimizer.state_dict(), "loss": loss,
                "loss_train": np.linspace(1, 0.5, 8), "loss_test": np.linspace(1, 0.6, 8),
                "seed": 1 << 80, "kinds": {1, 2}, "device": torch.device("cpu"),
                "scheduler": "CyclicLR"}, path("training"))
    note("training", model.state_dict(), "float32", 7, "training")


def make_protocols():
    """Protocols 4 and 5, parameters instead of tensors, the other name of the state dict."""
    for protocol in (4, 5):
        parameters = dict(Small().named_parameters())
        torch.save({"epoch": 70000, "state_dict": parameters, "seen": frozenset({1}),
                    "long": "x" * 300, "bytes": b"12", "rate": 0.5},
                   path(f"protocol{protocol}"), pickle_protocol=protocol)
        note(f"protocol{protocol}", parameters, "float32", 70000, "training")


def make_refused():
    torch.save(Small().state_dict(), path("old_container"), _use_new_zipfile_serialization=False)
    torch.jit.script(nn.Linear(2, 1)).save(path("torchscript"))


def make_recent():
    """Today's container: only a torch of today can write it, an older one keeps the file as it is."""
    old = {} if torch.__version__ < "2" else {"weights_only": False}
    if old:
        torch.save(torch.load(path("training"), **old), path("recent"))
    state = torch.load(path("training"), **old)["model_state_dict"]
    note("recent", state, "float32", 7, "training")


def make_pickles():
    """One value of every kind, in every protocol that torch.save can be asked for."""
    itself = []
    itself.append(itself)
    shared = ["x"]
    value = {"ints": [0, 255, 256, 65536, -1, -2**31, 2**31, 2**62, -2**63, 2**80],
             "float": 0.1, "bytes": b"ab\0", "long": "\u00e9" * 150, "tuples": ((), (1,), (1, 2),
             (1, 2, 3), (1, 2, 3, 4)), "none": None, "true": True, "false": False, "set": {7},
             "frozen": frozenset({8}), "itself": itself, "shared": [shared, shared], "one": [5],
             "ordered": collections.OrderedDict(a=1, b=2), "object": datetime.date(2005, 1, 23),
             "filled": collections.defaultdict(list, a=1), "array": bytearray(b"xyz"), 3: "three"}
    for protocol in (2, 3, 4, 5):
        with open(os.path.join(HERE, f"pickle_protocol{protocol}.pkl"), "wb") as out:
            pickle.dump(value, out, protocol=protocol)


def describe_fixtures(folder):
    with open(os.path.join(HERE, "checkpoint_fixtures.txt"), "w", encoding="ascii") as out:
        for file in sorted(glob.glob(os.path.join(folder, "*.pt"))):
            state = torch.load(file, map_location="cpu")["model_state_dict"]
            for name, value in state.items():
                if not value.is_floating_point():
                    continue
                bits = value.to(torch.float32).contiguous().numpy().reshape(-1).view(np.uint32)
                weights = np.arange(1, bits.size + 1, dtype=np.uint64)
                total = int((weights * bits.astype(np.uint64)).sum(dtype=np.uint64))
                print(os.path.basename(file), name, value.dim(), *value.shape, f"{total:x}",
                      file=out)


if __name__ == "__main__":
    torch.manual_seed(20050123)
    make_types()
    make_views()
    make_training()
    make_protocols()
    make_recent()
    make_refused()
    make_pickles()
    if len(sys.argv) > 1:
        describe_fixtures(sys.argv[1])
    with open(os.path.join(HERE, "checkpoints.txt"), "w", encoding="ascii") as text:
        text.write("\n".join(golden) + "\n")
