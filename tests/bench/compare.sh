#!/bin/sh
# gwflux against PyTorch and, where it is installed, ONNX Runtime on this machine, in turns:
#
#   compare.sh [--network unet|ann_1x1|ann_3x3|ann_5x5] [--threads N] [--rounds R] [--steps K]
#              [--json FILE]
#
# The result goes to FILE, without --json to results/cpu_NETWORK_Nthreads.json beside this script.
# GWFLUX names another program than build/gwflux, PYTHON another interpreter than Debian's.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
gwflux=${GWFLUX:-$here/../../build/gwflux}
python=${PYTHON:-/usr/bin/python3}
network=unet threads=$(nproc) json=''

previous=''
for argument in "$@"; do
    case $previous in
    --network) network=$argument ;;
    --threads) threads=$argument ;;
    --json) json=$argument ;;
    esac
    previous=$argument
done
if [ ! -x "$gwflux" ]; then
    echo "compare.sh: no program $gwflux: build first, or set GWFLUX" >&2
    exit 1
fi
if ! "$python" -c "import torch" 2>/dev/null; then
    echo "compare.sh: $python has no PyTorch (Debian: python3-torch)" >&2
    exit 1
fi
[ -n "$json" ] || set -- "$@" --json "$here/results/cpu_${network}_${threads}threads.json"
folder=$(mktemp -d) # checkpoint, models and what was tuned, 600 MB
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
make_windset=$(dirname "$gwflux")/tests/make_windset
if [ -x "$make_windset" ]; then
    "$make_windset" "$folder/sample.nc" --steps 16 --idim 491 --no-output
    set -- "$@" --sample "$folder/sample.nc"
fi
"$python" "$here/compare_torch.py" --gwflux "$gwflux" --folder "$folder" "$@"
