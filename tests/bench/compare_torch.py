#!/usr/bin/python3
"""Times the full-width published U-Net (488 -> 244, widths 64..1024) on one 64 x 128 map with
PyTorch (eager and frozen TorchScript) and with gwflux, in turns within one run, so that all
see the same machine. tests/bench/compare.sh is the way to call it; see README.md.

    compare_torch.py --gwflux PROGRAM --folder FOLDER [--threads N] [--rounds R] [--steps K]
                     [--json FILE]
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time

import torch

sys.dont_write_bytecode = True  # leaves no __pycache__ in the source tree
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
from networks import UNet, randomise, save_training

INPUTS, OUTPUTS, WIDTHS, NLAT, NLON = 488, 244, (64, 128, 256, 512, 1024), 64, 128


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gwflux", required=True, help="the gwflux program")
    parser.add_argument("--folder", required=True, help="where checkpoint and model may lie")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="maps per round and contestant")
    parser.add_argument("--json", help="write the result here too")
    return parser.parse_args()


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def import_checkpoint(args, network):
    checkpoint, model = (os.path.join(args.folder, f"unet_full.{end}") for end in ("pt", "nc"))
    if os.path.exists(model):
        os.remove(model)
    save_training(checkpoint, network)
    run(args.gwflux, "import", checkpoint, "-o", model, "--features", "uvthetaw")
    os.remove(checkpoint)
    return model


def milliseconds(network, x, steps):
    """Every step's time; the two steps before are not counted."""
    times = []
    with torch.inference_mode():
        for _ in range(steps + 2):
            start = time.perf_counter()
            network(x)
            times.append(1e3 * (time.perf_counter() - start))
    return times[2:]


def frozen(network, x):
    """The fastest frozen TorchScript: with and without optimize_for_inference."""
    with torch.no_grad():
        plain = torch.jit.freeze(torch.jit.trace(network, x, check_trace=False))
        candidates = {"freeze": plain}
        try:
            candidates["freeze + optimize_for_inference"] = torch.jit.optimize_for_inference(
                torch.jit.trace(network, x, check_trace=False))
        except RuntimeError as error:
            print(f"optimize_for_inference: {str(error).splitlines()[0]}", file=sys.stderr)
    speed = {name: median(milliseconds(script, x, 5)) for name, script in candidates.items()}
    best = min(speed, key=speed.get)
    return best, candidates[best]


def bench(args, model, precision):
    output = run(args.gwflux, "bench", "-m", model, "--threads", str(args.threads),
                 "--steps", str(args.steps), "--precision", precision)
    found = re.findall(r"([0-9.]+) ms per step", output)
    if not found:
        sys.exit(f"{args.gwflux} bench: no \"... ms per step\" in:\n{output}")
    return [float(found[-1])]


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def processor():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if "model name" in line)
    except (OSError, StopIteration):
        return platform.machine()


def print_table(result):
    rows = result["median_ms"]
    print(f"\n{result['processor']}, {result['threads']} threads, PyTorch {result['torch']}, "
          f"medians of {result['rounds']} rounds of {result['steps']} maps")
    print(f"{'':42s} {'ms a map':>9s} {'times fp32':>11s} {'times fp32-fast':>16s}")
    for name, value in rows.items():
        print(f"{name:42s} {value:9.1f} {value / rows['gwflux fp32']:11.2f} "
              f"{value / rows['gwflux fp32-fast']:16.2f}")


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    network = randomise(UNet(INPUTS, OUTPUTS, WIDTHS), 1)
    model = import_checkpoint(args, network)
    x = torch.randn(1, INPUTS, NLAT, NLON, generator=torch.Generator().manual_seed(2))
    best, script = frozen(network, x)

    contestants = {
        "PyTorch eager": lambda: milliseconds(network, x, args.steps),
        f"PyTorch {best}": lambda: milliseconds(script, x, args.steps),
        "gwflux fp32": lambda: bench(args, model, "fp32"),
        "gwflux fp32-fast": lambda: bench(args, model, "fp32-fast"),
    }
    rounds = {name: [] for name in contestants}
    for i in range(args.rounds):
        for name, contestant in contestants.items():
            rounds[name].append(median(contestant()))
        print(f"round {i + 1}: " + ", ".join(f"{n} {r[-1]:.1f} ms" for n, r in rounds.items()),
              flush=True)
    result = {
        "processor": processor(), "threads": args.threads, "torch": torch.__version__,
        "rounds": args.rounds, "steps": args.steps, "frozen": best, "round_ms": rounds,
        "median_ms": {name: median(values) for name, values in rounds.items()},
    }
    print_table(result)
    print(json.dumps(result))
    if args.json:
        with open(args.json, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
