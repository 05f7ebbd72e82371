#!/usr/bin/env bash
# A long run over two ranks takes no more memory and open files as it goes on. Arguments as for
# test_ranks.sh. 1,000 steps; GWF_LONG_TESTS=1: 10,000.
set -u
gwflux=$1 source=$2 programs=$3 backend=$4 launcher=("${@:5}")
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
# shellcheck source=tests/cli/ranks.sh
. "$source/tests/cli/ranks.sh"
each=100 most=1500 # kB
[ "${GWF_LONG_TESTS:-0}" = 1 ] && each=1000 most=12000
if ldd "$gwflux" | grep -q libasan; then most=1000000; fi # it keeps what was freed for a while

"$gwflux" import "$source/tests/golden/ann_1x1.pt" -o model.nc --features uvtheta \
    --vertical stratosphere_update > /dev/null 2>&1
"$programs/make_windset" in0.nc --steps $each --idim 369 --nlat 4 --nlon 8 --no-output
inputs=(-i in0.nc)
for n in 1 2 3 4 5 6 7 8 9; do
    ln in0.nc in$n.nc # another name, by which a run that reads it can be seen to
    inputs+=(-i "in$n.nc")
done

# watched WRITERS RANKS OPTIONS...: early and late of every rank that writes differ by little, and by
# fewer open files than one for each of the eight inputs between: steps that are read ahead hold theirs
# open. Little: HDF5 keeps the index of the output's chunks, up to 1.1 kB a step, until its
# cache is full (at 16,000 steps; 48,000 take no more).
watched() {
    local writers=$1
    shift
    works "$*: runs" ranks "$1" "$programs/watch_memory" in "$gwflux" predict -m model.nc \
        "${inputs[@]}" -o out.nc --overwrite --threads 1 "${@:2}"
    sed -n "s/^files/$*: $((10 * each)) steps, files/p" out
    holds "$*: $writers were watched" test "$(grep -c '^files [1-9]' out)" -eq "$writers"
    while read -r early open_early late open_late; do
        holds "$*: $early kB, later $late kB" test $((late - early)) -le $most
        holds "$*: $open_early open files, later $open_late" test "$open_late" -le $((open_early + 4))
    done < <(sed -n 's/.*early \([0-9]*\) kB \([0-9]*\), late \([0-9]*\) kB \([0-9]*\)$/\1 \2 \3 \4/p' out)
}
writers=1
if ldd "$gwflux" | grep -q netcdf_mpi; then writers=2; fi
watched $writers 2 --backend "$backend"
watched 1 2 --backend ref --writer root
finish
