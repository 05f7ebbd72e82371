# Shared by the tests of the example hosts. Arguments of each: folder of the examples' programs,
# command gwflux, folder of the tests' programs, source folder, launcher with the flag for the number
# of ranks last.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
examples=$1 gwflux=$2 programs=$3 source=$4
launcher=("${@:5}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export GWFLUX_CACHE=off
checks=0

# holds WORDS COMMAND...: the command must succeed.
holds() {
    local words=$1
    shift
    checks=$((checks + 1))
    if ! "$@" >check.out 2>&1; then
        echo "not so: $words ($*)"
        tail -n 20 check.out
        exit 1
    fi
}

# run RANKS PROGRAM ARGUMENT...: a host, whose output lands in host.out.
run() {
    local ranks=$1 program=$2
    shift 2
    timeout 250 "${launcher[@]}" "$ranks" "$examples/$program" "$@" >host.out 2>&1
}

# works RANKS PROGRAM ARGUMENT...
works() {
    checks=$((checks + 1))
    if ! run "$@"; then
        echo "not so: runs: $*"
        tail -n 20 host.out
        exit 1
    fi
}

# fails WORDS RANKS PROGRAM ARGUMENT...: ends with a failure and these words.
fails() {
    local words=$1
    shift
    checks=$((checks + 1))
    if run "$@"; then
        echo "not so: is refused: $*"
        exit 1
    fi
    holds "says $words" grep -qF -- "$words" host.out
}

done_with() {
    echo "$1: $checks passed, 0 failed"
}
