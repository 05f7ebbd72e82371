#!/usr/bin/env python3
"""Times the full-width published U-Net (compare_torch.py) on a GPU, one and 32 maps of 64 x 128 that
stay on the device, with PyTorch at its best there and with gwflux, in turns within one run.

    compare_torch_gpu.py --gwflux PROGRAM --folder FOLDER [--rounds R] [--steps K] [--batches N,N]
                         [--autotune] [--seconds S] [--json FILE]

PyTorch: bfloat16, channels_last, BatchNorm folded into the convolutions, cuDNN's benchmark on, input
on the device; as it is, as a CUDA graph, and compiled by torch.compile as a CUDA graph (--autotune:
the compiler times its own convolutions too, which takes minutes). gwflux: bf16, `bench --resident`.
Medians of device events. With --seconds no round begins, and nothing is compiled, when its share of
them is over; what there is then is the result. Exit code 77, "skipped": no PyTorch or no GPU.
"""
import argparse
import json
import os
import sys
import time

sys.dont_write_bytecode = True  # leaves no __pycache__ in the source tree
try:
    import torch
except ImportError:
    print(f"skipped: {sys.executable} has no PyTorch")
    sys.exit(77)
if not torch.cuda.is_available():
    print(f"skipped: PyTorch {torch.__version__} finds no GPU")
    sys.exit(77)

from compare_torch import (INPUTS, NLAT, NLON, OUTPUTS, WIDTHS, UNet, import_checkpoint, median,
                           randomise, run)
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


COMPILE_SECONDS = 25  # what torch.compile may take where time is short


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gwflux", required=True, help="the gwflux program")
    parser.add_argument("--folder", required=True, help="where checkpoint and model may lie")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="runs per round and contestant")
    parser.add_argument("--batches", default="1,32", help="maps at once")
    parser.add_argument("--autotune", action="store_true", help="torch.compile at its slowest")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for all of it")
    parser.add_argument("--json", help="write the result here too")
    return parser.parse_args()


def fold(network):
    """BatchNorm into the convolution before it, wherever they follow one another."""
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i in range(len(module) - 1):
            if isinstance(module[i], nn.Conv2d) and isinstance(module[i + 1], nn.BatchNorm2d):
                module[i] = fuse_conv_bn_eval(module[i], module[i + 1])
                module[i + 1] = nn.Identity()
    return network


def graphed(network, x):
    """The network as a CUDA graph, to be replayed."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # what is chosen or compiled at first is so before the capture
        for _ in range(3):
            network(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(x)
    return graph.replay


def compiled(network, x, autotune):
    """torch.compile in a CUDA graph; None where the compiler does not work here."""
    mode = "max-autotune-no-cudagraphs" if autotune else None
    try:
        return graphed(torch.compile(network, mode=mode, dynamic=False), x)
    except Exception as error:  # a compiler, its cache, its types: whatever it lacks
        print(f"torch.compile: {str(error).splitlines()[0]}", file=sys.stderr)
        return None


def milliseconds(work, steps):
    """Every run's time between device events; the five runs before are not counted."""
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(steps + 5)]
    for start, end in events:
        start.record()
        work()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in events[5:]]


def bench(args, model, batch):
    """Milliseconds a batch."""
    path = os.path.join(args.folder, "resident.json")
    run(args.gwflux, "bench", "-m", model, "--backend", "cuda", "--precision", "bf16",
        "--batch", str(batch), "--resident", "--steps", str(args.steps * batch), "--json", path)
    with open(path) as file:
        return 1e3 * batch * json.load(file)["median_map_s"]


def contestants(args, network, model, batch, until):
    x = torch.randn(batch, INPUTS, NLAT, NLON, generator=torch.Generator().manual_seed(2))
    x = x.cuda().bfloat16().contiguous(memory_format=torch.channels_last)
    replay, replay_compiled = graphed(network, x), None
    if time.monotonic() < until - COMPILE_SECONDS:
        replay_compiled = compiled(network, x, args.autotune)
    entries = {
        "PyTorch eager": lambda: median(milliseconds(lambda: network(x), args.steps)),
        "PyTorch CUDA graph": lambda: median(milliseconds(replay, args.steps)),
    }
    if replay_compiled:
        entries["PyTorch torch.compile, CUDA graph"] = (
            lambda: median(milliseconds(replay_compiled, args.steps)))
    entries["gwflux bf16"] = lambda: bench(args, model, batch)
    return entries


def compare(args, network, model, batch, until):
    """One round in any case."""
    entries = contestants(args, network, model, batch, until)
    rounds = {name: [] for name in entries}
    for i in range(args.rounds):
        if i and time.monotonic() > until:
            break
        for name, contestant in entries.items():
            rounds[name].append(contestant())
        print(f"{batch} at once, round {i + 1}: " +
              ", ".join(f"{n} {r[-1]:.3f} ms" for n, r in rounds.items()), flush=True)
    medians = {name: median(values) for name, values in rounds.items()}
    best = min((n for n in medians if n.startswith("PyTorch")), key=medians.get)
    return {"batch": batch, "round_ms": rounds, "median_ms": medians, "best_pytorch": best,
            "ratio": medians[best] / medians["gwflux bf16"]}


def print_table(result):
    print(f"\n{result['device']}, PyTorch {result['torch']}, cuDNN {result['cudnn']}, medians of "
          f"up to {result['rounds']} rounds of {result['steps']} runs, maps on the device")
    for table in result["batches"]:
        print(f"{table['batch']} at once: {'ms':>31s} {'times gwflux':>13s}")
        for name, value in table["median_ms"].items():
            print(f"{name:42s} {value:7.3f} {value / table['median_ms']['gwflux bf16']:13.2f}")


def save(args, result):
    if args.json:
        with open(args.json, "w") as file:
            json.dump(result, file, indent=1)


def main():
    args = arguments()
    start = time.monotonic()
    torch.backends.cudnn.benchmark = True
    network = randomise(UNet(INPUTS, OUTPUTS, WIDTHS), 1)
    model = import_checkpoint(args, network)
    network = fold(network).cuda().bfloat16().to(memory_format=torch.channels_last)
    sizes = [int(n) for n in args.batches.split(",")]
    result = {
        "device": torch.cuda.get_device_name(), "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(), "rounds": args.rounds, "steps": args.steps,
        "batches": [],
    }
    with torch.inference_mode():
        for i, size in enumerate(sizes):
            until = start + args.seconds * (i + 1) / len(sizes)
            result["batches"].append(compare(args, network, model, size, until))
            save(args, result)
    print_table(result)


if __name__ == "__main__":
    main()
