#!/usr/bin/env bash
# Sets up, builds and runs every test; then the fuzz targets for half a minute each.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

run/setup.sh tests
build build all -DCMAKE_BUILD_TYPE=Release
run_tests build || die "tests failed"

build build-fuzz "fuzz_checkpoint fuzz_model fuzz_times fuzz_grib fuzz_config" -DCMAKE_BUILD_TYPE=Release -DGWF_FUZZ=ON \
    -DCMAKE_C_COMPILER=clang -DGWF_ONEDNN=OFF -DGWF_MAGICS=OFF
run_tests build-fuzz -R '^fuzz_' || die "fuzzing found something"
