#!/bin/sh
# gwflux against PyTorch on this machine: compare.sh [--threads N] [--rounds R] [--steps K]
# [--json FILE]. GWFLUX names another program than build/gwflux, PYTHON another interpreter.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
gwflux=${GWFLUX:-$here/../../build/gwflux}
python=${PYTHON:-/usr/bin/python3}

if [ ! -x "$gwflux" ]; then
    echo "compare.sh: no program $gwflux: build first, or set GWFLUX" >&2
    exit 1
fi
if ! "$python" -c "import torch" 2>/dev/null; then
    echo "compare.sh: $python has no PyTorch (Debian: python3-torch)" >&2
    exit 1
fi
folder=$(mktemp -d) # checkpoint and model, 300 MB
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
"$python" "$here/compare_torch.py" --gwflux "$gwflux" --folder "$folder" "$@"
