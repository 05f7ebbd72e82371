#!/usr/bin/python3
"""Times a full-width published network on one 64 x 128 map with PyTorch, where it is installed
ONNX Runtime, and gwflux, in turns within one run, so that all see the same machine.
tests/bench/compare.sh is the way to call it; see README.md.

    compare_torch.py --gwflux PROGRAM --folder FOLDER [--network unet|ann_1x1|ann_3x3|ann_5x5]
                     [--threads N] [--rounds R] [--steps K] [--sample FILE] [--json FILE]
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time
import warnings

sys.dont_write_bytecode = True  # leaves no __pycache__ in the source tree
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))

NETWORKS = ("unet", "ann_1x1", "ann_3x3", "ann_5x5")
UNET_INPUTS, ANN_INPUTS, OUTPUTS, NLAT, NLON = 488, 491, 244, 64, 128
WIDTHS, HIDDEN = (64, 128, 256, 512, 1024), 4 * 491
PRECISIONS = ("fp32", "fp32-fast", "bf16", "int8")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gwflux", required=True, help="the gwflux program")
    parser.add_argument("--folder", required=True, help="where checkpoint and model may lie")
    parser.add_argument("--network", choices=NETWORKS, default="unet")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="maps per round and contestant")
    parser.add_argument("--sample", help="features to calibrate int8 on; without it no int8")
    parser.add_argument("--json", help="write the result here too")
    return parser.parse_args()


ARGS = arguments()
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(ARGS.threads)  # PyTorch's BLAS looks when it is loaded

import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from networks import ANN, UNet, randomise, save_training  # noqa: E402

try:
    import onnxruntime
except ImportError:
    onnxruntime = None


# --- what is compared ------------------------------------------------------------------------

def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def milliseconds(call, steps):
    """Every step's time; the two steps before are not counted."""
    times = []
    with torch.inference_mode():
        for _ in range(steps + 2):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
    return times[2:]


def fastest(candidates):
    """Name and call of the fastest of these; those that do not work are told."""
    speed = {}
    for name, make in candidates.items():
        try:
            call = make()
            speed[name] = (median(milliseconds(call, 3)), call)
        except RuntimeError as error:
            print(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
    if not speed:
        return None
    best = min(speed, key=lambda name: speed[name][0])
    return best, speed[best][1]


def traced(network, x):
    with torch.no_grad():
        return torch.jit.trace(network, x, check_trace=False)


def frozen(network, x):
    """The fastest frozen TorchScript: with and without optimize_for_inference."""
    def call(script):
        return lambda: script(x)
    with torch.no_grad():
        return fastest({
            "TorchScript, frozen": lambda: call(torch.jit.freeze(traced(network, x))),
            "TorchScript, frozen, optimized for inference":
                lambda: call(torch.jit.optimize_for_inference(traced(network, x))),
        })


def bf16(network, x):
    """The fastest way to bfloat16: autocast, or everything in it, eager or frozen."""
    def autocast():
        def call():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return network(x)
        return call

    def converted(freeze):
        small, y = make_network().bfloat16(), x.bfloat16()
        if freeze:
            with torch.no_grad():
                small = torch.jit.freeze(traced(small, y))
        return lambda: small(y)
    return fastest({
        "bf16, autocast": autocast,
        "bf16, converted": lambda: converted(False),
        "bf16, converted, frozen TorchScript": lambda: converted(True),
    })


def onnx(network, x):
    path = os.path.join(ARGS.folder, "network.onnx")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that it does not infer
        torch.onnx.export(network, x, path, opset_version=13, input_names=["x"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = ARGS.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    values = x.numpy()
    return lambda: session.run(None, {"x": values})


def neighbourhoods(x, stencil):
    """Of all columns of the map x (c, lat, lon), as (lat lon, c, stencil, stencil): longitude
    wraps, beyond the poles everything is zero. One at a time, as the published way has them."""
    half = stencil // 2
    if half:
        x = F.pad(x[None], (half, half, 0, 0), mode="circular")[0]
        x = F.pad(x, (0, 0, half, half))
    x = x.unfold(1, stencil, 1).unfold(2, stencil, 1)
    return x.permute(1, 2, 0, 3, 4).reshape(-1, x.shape[0], stencil, stencil).contiguous()


def of_map(ann, x):
    """The same network as convolutions of the whole map: what PyTorch could do."""
    half = ann.stencil // 2
    if half:
        x = F.pad(F.pad(x, (half, half, 0, 0), mode="circular"), (0, 0, half, half))
    for k in range(half):
        x = torch.relu(getattr(ann, f"conv{k + 1}")(x))
    for k in range(6):
        layer = getattr(ann, f"layer{k + 1}")
        x = F.leaky_relu(F.conv2d(x, layer.weight[:, :, None, None], layer.bias), 0.01)
    return F.conv2d(x, ann.output.weight[:, :, None, None], ann.output.bias)


def make_network():
    if ARGS.network == "unet":
        return randomise(UNet(UNET_INPUTS, OUTPUTS, WIDTHS), 1)
    return randomise(ANN(ANN_INPUTS, OUTPUTS, HIDDEN, int(ARGS.network[-1])), 1)


def torch_contestants(network):
    inputs = UNET_INPUTS if ARGS.network == "unet" else ANN_INPUTS
    x = torch.randn(1, inputs, NLAT, NLON, generator=torch.Generator().manual_seed(2))
    contestants, m = {}, x
    if ARGS.network != "unet":
        x = neighbourhoods(m[0], network.stencil)
    contestants["PyTorch eager"] = lambda: network(x)
    if ARGS.network != "unet":
        contestants["PyTorch eager, neighbourhoods made from the map"] = \
            lambda: network(neighbourhoods(m[0], network.stencil))
        contestants["PyTorch eager, as convolutions of the map"] = lambda: of_map(network, m)
    for way in (frozen, bf16):
        found = way(network, x)
        if found:
            contestants[f"PyTorch {found[0]}"] = found[1]
    if onnxruntime:
        contestants[f"ONNX Runtime {onnxruntime.__version__}"] = onnx(network, x)
    return contestants


# --- gwflux ----------------------------------------------------------------------------------

def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError((result.stderr or result.stdout).strip().splitlines()[-1])
    return result.stdout


def import_checkpoint(network):
    checkpoint, model = (os.path.join(ARGS.folder, f"full.{end}") for end in ("pt", "nc"))
    save_training(checkpoint, network)
    run(ARGS.gwflux, "import", checkpoint, "-o", model, "--features", "uvthetaw")
    os.remove(checkpoint)
    return model


def bench(model, precision, steps):
    output = os.path.join(ARGS.folder, "bench.json")
    run(ARGS.gwflux, "bench", "-m", model, "--backend", "cpu", "--precision", precision,
        "--threads", str(ARGS.threads), "--steps", str(steps), "--json", output)
    with open(output, encoding="utf-8") as file:
        return json.load(file)


def quantise(model):
    quantised = os.path.join(ARGS.folder, "full-int8.nc")
    run(ARGS.gwflux, "quantise", "-m", model, "-i", ARGS.sample, "-o", quantised)
    return quantised


def gwflux_models(model):
    """The model of each precision that works here, what is measured kept for later runs."""
    os.environ["GWFLUX_CACHE"] = os.path.join(ARGS.folder, "cache")
    models = {}
    for precision in PRECISIONS:
        if precision == "int8" and not ARGS.sample:
            continue
        try:
            its = quantise(model) if precision == "int8" else model
            bench(its, precision, 1)
            models[precision] = its
        except RuntimeError as error:
            print(f"gwflux {precision}: {error}", file=sys.stderr)
    return models


# --- the contest -----------------------------------------------------------------------------

def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.split(":", 1)[1].strip() for line in info if "model name" in line)
    except (OSError, StopIteration):
        return platform.machine()


def print_table(result):
    rows = result["median_ms"]
    ours = [name for name in rows if name.startswith("gwflux")]
    print(f"\n{result['network']}, {result['processor']}, {result['threads']} threads, PyTorch "
          f"{result['torch']}, medians of {result['rounds']} rounds of {result['steps']} maps")
    print(f"{'':58s} {'ms a map':>9s}" + "".join(f" {'times ' + n[7:]:>15s}" for n in ours))
    for name, value in rows.items():
        print(f"{name:58s} {value:9.1f}" + "".join(f" {value / rows[n]:15.2f}" for n in ours))


def contest(contestants, models):
    rounds = {name: [] for name in contestants}
    rounds.update({f"gwflux {precision}": [] for precision in models})
    for i in range(ARGS.rounds):
        for name, call in contestants.items():
            rounds[name].append(median(milliseconds(call, ARGS.steps)))
        for precision, model in models.items():
            rounds[f"gwflux {precision}"].append(
                1e3 * bench(model, precision, ARGS.steps)["median_map_s"])
        print(f"round {i + 1}: " + ", ".join(f"{n} {r[-1]:.1f} ms" for n, r in rounds.items()),
              flush=True)
    return rounds


def main():
    torch.set_num_threads(ARGS.threads)
    network = make_network()
    models = gwflux_models(import_checkpoint(network))
    rounds = contest(torch_contestants(network), models)
    machine = bench(models["fp32"], "fp32", 1)["machine"]
    result = {
        "network": ARGS.network, "processor": processor(), "machine": machine,
        "threads": ARGS.threads, "torch": torch.__version__, "rounds": ARGS.rounds,
        "steps": ARGS.steps, "round_ms": rounds,
        "median_ms": {name: median(values) for name, values in rounds.items()},
    }
    print_table(result)
    if ARGS.json:
        with open(ARGS.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
