#!/usr/bin/env bash
# The module on the library itself: options, an engine, and what becomes of a failure that nobody asks
# for. Arguments: test_fortran_library, command gwflux, source folder.
set -euo pipefail
program=$1 gwflux=$2 source=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$gwflux" import "$source/tests/golden/unet.pt" -o model.nc --features uvtheta >/dev/null 2>&1
"$program" "$source/configs/plugin.yaml"

if "$program" fail >out 2>err; then
    echo "not so: a failure without status ends the program"
    exit 1
fi
grep -q "gwflux: error: none.nc" err || { cat err; exit 1; }
