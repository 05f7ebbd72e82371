#!/usr/bin/env bash
# What `gwflux prepare` costs on files like ERA5's on model levels: hourly, 0.25 degree, 137 levels,
# u, v, t and lnsp as packed shorts; one file uncompressed (classic format), one with deflate 1 and
# shuffle, chunks of one level. prepare.sh [--rounds R] [--threads N] [--steps K] [--folder DIR]
# Needs a build with its tests (build/, or BUILD), nccopy, and 1.8 GB a step while the files are made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build} rounds=5 threads=2 steps=2 folder=${TMPDIR:-/tmp}
while [ $# -gt 1 ]; do
    case $1 in
    --rounds) rounds=$2 ;;
    --threads) threads=$2 ;;
    --steps) steps=$2 ;;
    --folder) folder=$2 ;;
    *) echo "prepare.sh: what is $1?" >&2 && exit 2 ;;
    esac
    shift 2
done
gwflux=$build/gwflux
for program in "$gwflux" "$build/tests/make_reanalysis" "$build/tests/peak_memory"; do
    [ -x "$program" ] || { echo "prepare.sh: no program $program: build first" >&2 && exit 1; }
done
folder=$(mktemp -d "$folder/gwflux-prepare-XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
cd "$folder"

"$gwflux" import "$here/../golden/unet.pt" -o unet.nc --features uvtheta > import.txt 2>&1
"$build/tests/make_reanalysis" all.nc --big --grid 721x1440 --levels numbers --packed --grain 256 \
    --fields u,v,t,lnsp --steps "$steps" --time "1 hours since 2005-01-23"
nccopy -k cdf5 all.nc uncompressed.nc
nccopy -d 1 -s -c time/1,level/1,latitude/721,longitude/1440 all.nc deflated.nc
rm all.nc

# One run: wall seconds a step by gwflux, user and system seconds of the whole run, peak MB.
run() {
    local times
    cat "$1" > /dev/null # in the page cache, as far as there is room
    TIMEFORMAT='%U %S'
    times=$({ time "$build/tests/peak_memory" 100000 "$gwflux" prepare -m unet.nc -i "$1" -o out.nc \
        --threads "$threads" --overwrite > out 2> err; } 2>&1)
    awk -v times="$times" '
        / ms per step/ { for (i = 2; i <= NF; i++) if ($i == "ms" && $(i + 1) == "per") wall = $(i - 1) }
        /^peak/ { peak = $2 }
        END { print wall / 1000, times, peak }' out
}
for ((i = 0; i < rounds; i++)); do
    for file in uncompressed deflated; do
        run $file.nc >> $file.txt
    done
done
median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
printf '%d steps, %d threads, medians of %d rounds; load %s\n' "$steps" "$threads" "$rounds" \
    "$(cut -d' ' -f1 /proc/loadavg)"
for file in uncompressed deflated; do
    awk -v steps="$steps" '{ print $1, ($2 + $3) / steps, $4 }' $file.txt > columns.txt
    printf '%-12s %5.2f s a step, %5.2f CPU seconds a step, peak %d MB, file %d MB a step\n' $file \
        "$(cut -d' ' -f1 columns.txt | median)" "$(cut -d' ' -f2 columns.txt | median)" \
        "$(cut -d' ' -f3 columns.txt | median)" $(($(stat -c %s $file.nc) / 1000000 / steps))
done
