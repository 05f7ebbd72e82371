#!/bin/bash
# How gwflux scales on this machine: one rank against two, each with one thread, on time steps and
# on tiles, in turns within one run:
#
#   scaling.sh -m MODEL [--rounds R] [--steps N] [--pin] [--json FILE]
#
# MODEL is a full-width model file for 64 x 128 maps (compare_torch.py shows how one is made). --pin
# gives each rank one core alone: without it the threads of one rank that read and write may use a
# second core. GWFLUX, MAKE_WINDSET and MPIRUN name other programs than those of build/ and mpirun.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
gwflux=${GWFLUX:-$build/gwflux} make_windset=${MAKE_WINDSET:-$build/tests/make_windset}
mpirun=${MPIRUN:-mpirun}
model='' rounds=5 steps=24 pin=no json=''

usage() {
    echo "scaling.sh: $1 (scaling.sh -m MODEL [--rounds R] [--steps N] [--pin] [--json FILE])" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --pin) pin=yes && shift && continue ;;
    -m | --rounds | --steps | --json) [ $# -ge 2 ] || usage "$1 needs a value" ;;
    *) usage "what is $1?" ;;
    esac
    case $1 in
    -m) model=$2 ;;
    --rounds) rounds=$2 ;;
    --steps) steps=$2 ;;
    --json) json=$2 ;;
    esac
    shift 2
done
[ -n "$model" ] || usage "-m MODEL is missing"
for program in "$gwflux" "$make_windset"; do
    [ -x "$program" ] || { echo "scaling.sh: no program $program: build first" >&2; exit 1; }
done
if [ "$(id -u)" -eq 0 ]; then # Open MPI asks
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
"$make_windset" "$folder/in.nc" --steps "$steps" --idim 491 --no-output
if [ $pin = yes ]; then
    one=(taskset -c 0) two=("$mpirun" --bind-to core -n 2)
else
    one=() two=("$mpirun" --bind-to none -n 2)
fi

# value WHAT PATTERN COMMAND...: the number before (or after) PATTERN in what the command prints.
value() {
    local what=$1 pattern=$2 found
    shift 2
    "$@" > "$folder/out" 2> "$folder/err" || {
        cat "$folder/out" "$folder/err" >&2
        exit 1
    }
    found=$(sed -nE "s/$pattern/\1/p" "$folder/out" | tail -n 1)
    [ -n "$found" ] || { echo "scaling.sh: $what printed no time" >&2; exit 1; }
    echo "$found" >> "$folder/$what"
}
predict() { # predict WHAT LAUNCHER... [-- OPTION...]
    local what=$1 launcher=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do launcher+=("$1") && shift; done
    [ $# -eq 0 ] || shift
    value "$what" '.*, ([0-9.]+) ms per step .*' "${launcher[@]}" "$gwflux" predict -m "$model" \
        -i "$folder/in.nc" -o "$folder/out.nc" --overwrite --threads 1 "$@"
}
bench() { # the fastest of its maps
    local what=$1 launcher=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do launcher+=("$1") && shift; done
    [ $# -eq 0 ] || shift
    value "$what" '.*steps?: fastest ([0-9.]+),.*' "${launcher[@]}" "$gwflux" bench -m "$model" \
        --steps "$steps" --threads 1 "$@"
}

names=(predict_one predict_two_ranks predict_two_tiles bench_one bench_two_columns bench_two_rows)
for ((i = 1; i <= rounds; i++)); do
    predict predict_one "${one[@]}"
    predict predict_two_ranks "${two[@]}"
    predict predict_two_tiles "${two[@]}" -- --tiles 2x1
    bench bench_one "${one[@]}"
    bench bench_two_columns "${two[@]}" -- --tiles 1x2
    bench bench_two_rows "${two[@]}" -- --tiles 2x1
    line="round $i:"
    for name in "${names[@]}"; do line+=" $name $(tail -n 1 "$folder/$name")"; done
    echo "$line ms"
done

middle() { sort -g "$folder/$1" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }
least() { sort -g "$folder/$1" | head -n 1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }

processor=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
echo
echo "$processor, $(nproc) cores, $rounds rounds of $steps maps of 64 x 128, one thread a rank, pinned: $pin"
printf '%-20s %10s %10s %20s %20s\n' '' 'median ms' 'least ms' 'speed-up, medians' 'speed-up, least'
result="{\"processor\": \"$processor\", \"cores\": $(nproc), \"rounds\": $rounds, \"steps\": $steps, \"pinned\": \"$pin\""
for name in "${names[@]}"; do
    base=${name%%_*}_one
    m=$(middle "$name") l=$(least "$name")
    by_middle=$(ratio "$(middle "$base")" "$m") by_least=$(ratio "$(least "$base")" "$l")
    printf '%-20s %10.1f %10.1f %20s %20s\n' "$name" "$m" "$l" "$by_middle" "$by_least"
    result+=", \"$name\": {\"round_ms\": [$(paste -sd, "$folder/$name")], \"median_ms\": $m,"
    result+=" \"least_ms\": $l, \"speedup_median\": $by_middle, \"speedup_least\": $by_least}"
done
result+="}"
echo "targets: predict_two_ranks 1.8, bench_two_rows 1.6"
if [ -n "$json" ]; then echo "$result" > "$json"; fi
