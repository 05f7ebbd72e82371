#!/usr/bin/env bash
# A host model's step, offline: gwflux predict on what the plugin captured, and on the host's fields
# as a reanalysis file, gives the fluxes that the plugin gave. Arguments: gwflux, source folder,
# folder of the test programs, what auto takes.
set -euo pipefail
gwflux=$1 programs=$3 auto=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compare() { # backend limit
    local input
    mkdir "$work/$1"
    "$programs/make_capture" "$work/$1" "$1" >"$work/$1/log"
    for input in captured fields; do
        "$gwflux" predict -m "$work/$1/model.nc" -i "$work/$1/$input.nc" -o "$work/$1/$input-flux.nc" \
            --backend "$1" --threads 1
        "$programs/compare_fluxes" "$work/$1/$input-flux.nc" 0 "$work/$1/truth.nc" 0 1 "$2"
    done
}

compare ref 0
if [ "$auto" = cpu ]; then compare cpu 1e-6; fi
echo "captured and reanalysed: the plugin's fluxes"
