#!/usr/bin/env bash
# kill -9 of a rank or of the whole job at random moments, then --resume, as often as it takes: the
# file has the same data as that of an undisturbed run. Arguments as for test_ranks.sh.
# GWF_LONG_TESTS=1: 60 kills, not 4.
set -u
gwflux=$1 source=$2 programs=$3 launcher=("${@:5}")
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
# shellcheck source=tests/cli/ranks.sh
. "$source/tests/cli/ranks.sh"
wanted=4
[ "${GWF_LONG_TESTS:-0}" = 1 ] && wanted=60

"$gwflux" import "$source/tests/golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$programs/make_windset" in.nc --steps 8 --idim 369 --nlat 32 --nlon 64 --no-output
inputs=()
for _ in $(seq 12); do inputs+=(-i in.nc); done
run=("$gwflux" predict -m unet.nc "${inputs[@]}" -o x.nc --backend ref --resume)
steps=96
began=$(date +%s%N)
works "undisturbed" ranks 2 "${run[@]}"
whole=$((($(date +%s%N) - began) / 1000000)) # ms
mv x.nc whole.nc

# The processes below the launcher.
ranks_of() { pgrep -P "$1"; }

# A launcher may hang for ever when a rank dies while it starts: then it is killed too.
await() {
    local left
    for _ in $(seq 600); do
        [ -z "$(jobs -rp)" ] && break
        sleep 0.05
    done
    if [ -n "$(jobs -rp)" ]; then
        echo "the launcher hangs: killed too"
        left=$(ranks_of "$1")
        # shellcheck disable=SC2086 # several
        kill -KILL "$1" $left 2> /dev/null
    fi
    wait "$1" 2> /dev/null
}

# gone PIDS: until none of them is there.
gone() {
    local pid
    for pid in "$@"; do
        for _ in $(seq 1000); do
            grep -qs '^State:[[:space:]]*[^Z]' "/proc/$pid/status" || break
            sleep 0.02
        done
    done
}

variants=("2" "3 --writer root" "4 --tiles 2x1" "3")
killed=0 complete=0 resumed=0 runs=0 kinds=(0 0 0) last=0
while [ $killed -lt $wanted ] && [ $runs -lt $((6 * wanted)) ]; do
    read -r n options <<< "${variants[$((runs % ${#variants[@]}))]}"
    runs=$((runs + 1))
    # shellcheck disable=SC2086 # options
    "${launcher[0]}" "${launcher[1]}" "$n" "${launcher[@]:2}" "${run[@]}" $options > log 2>&1 &
    launched=$!
    sleep "$(printf '%d.%03d' $((RANDOM % whole / 1000)) $((RANDOM % whole % 1000)))"
    mapfile -t pids < <(ranks_of $launched)
    kind=$((runs % 3)) # one rank, the launcher, all
    case $kind in
    0) victims=("${pids[@]:$((RANDOM % (${#pids[@]} + 1))):1}") ;;
    1) victims=("$launched") ;;
    *) victims=("$launched" "${pids[@]}") ;;
    esac
    if [ ${#victims[@]} -gt 0 ] && [ -n "$(jobs -rp)" ] && kill -KILL "${victims[@]}" 2> /dev/null
    then
        killed=$((killed + 1))
        kinds[kind]=$((kinds[kind] + 1))
    fi
    await $launched
    gone "${pids[@]}"
    grep "error:" log | grep -v "mpirun\|mpiexec\|ORTE\|PMIX" > out # kills are no errors of ours
    [ -s out ] && verdict "run $runs" 1
    if [ -e x.nc ]; then
        works "run $runs is complete and the same" same x.nc whole.nc
        complete=$((complete + 1))
        rm -f x.nc
        last=0
    elif [ -e x.nc.part ]; then
        now=$(finished x.nc.part)
        [ "$now" -ge "$last" ] || verdict "run $runs: $last steps were finished, now $now are" 1
        [ "$now" -gt "$last" ] && resumed=$((resumed + 1))
        last=$now
    fi
done
holds "$killed kills" test $killed -ge $wanted
works "the last one is resumed" ranks 2 "${run[@]}"
works "complete and the same" same x.nc whole.nc
holds "nothing else is left" test ! -e x.nc.part -a ! -e x.nc.part.new
echo "$killed kills (${kinds[0]} of a rank, ${kinds[1]} of the launcher, ${kinds[2]} of all) in" \
    "$runs runs, $resumed of them after further steps, $((complete + 1)) files of $steps steps" \
    "complete and the same"
finish
