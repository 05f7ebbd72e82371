#!/usr/bin/env bash
# A host model's step, offline: gwflux predict on what the plugin captured, and on the host's fields
# as a reanalysis file, gives the fluxes that the plugin gave. Arguments as for test_predict.sh.
set -u
gwflux=$1 source=$2 programs=$3 auto=$4
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"

offline() { # offline BACKEND LIMIT
    mkdir "$1"
    works "$1: a step of a host" "$programs/make_capture" "$1" "$1"
    for input in captured fields; do
        works "$1: predict from $input" "$gwflux" predict -m "$1/model.nc" -i "$1/$input.nc" \
            -o "$1/$input-flux.nc" --backend "$1" --threads 1
        works "$1: $input, the plugin's fluxes" \
            "$programs/compare_fluxes" "$1/$input-flux.nc" 0 "$1/truth.nc" 0 1 "$2"
    done
}

offline ref 0
if [ "$auto" = cpu ]; then offline cpu 1e-6; fi
works "info" "$gwflux" info ref/captured.nc
finish
