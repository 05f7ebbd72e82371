#!/usr/bin/env bash
# Builds against another oneDNN than the system's and runs the tests that it matters to:
# run/test-onednn.sh PREFIX, where PREFIX/include/dnnl.h is; in a folder build-onednn-VERSION.
# shellcheck source-path=SCRIPTDIR source=common.sh
here=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ $# -eq 1 ] || die "expected one prefix of a oneDNN"
prefix=$(cd "$here" && cd "$1" && pwd) || die "$1 is no folder"
header=$prefix/include/oneapi/dnnl/dnnl_version.h
[ -f "$header" ] || die "$header is not there"
version=$(awk '/define DNNL_VERSION_(MAJOR|MINOR|PATCH) / { printf "%s%s", dot, $3; dot = "." }' "$header")
folder=build-onednn-$version

build "$folder" all -DCMAKE_BUILD_TYPE=Release -DDNNL_ROOT="$prefix"
backend='^(backend|onednn|int8)(_[A-Z0-9_]+)?$'
engines='^(tune|plan|engine|quantise|quantised|calibration|device_cpu|cli_(predict|quantise|memory))$'
run_tests "$folder" -R "$backend|$engines" || die "tests failed with oneDNN $version"
