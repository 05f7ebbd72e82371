#!/usr/bin/env bash
# kill -9 at random moments: what is finished stays and is right, and the next run goes on with it.
# Arguments: write_fluxes, ranks (0: alone, without a launcher), then the launcher's words.
# GWF_TEST_KILLS: how often (6).
set -euo pipefail
program=$1 ranks=$2
shift 2
kills=${GWF_TEST_KILLS:-6}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch OMPI_MCA_btl_vader_backing_directory=$scratch
out=$scratch/out.nc steps=600
launch=("$program" "$out" "$steps" 2000)
if [ "$ranks" -gt 0 ]; then launch=("$@" "${launch[@]}"); fi

# The process to kill: any rank, not the launcher.
victim() {
    if [ "$ranks" -eq 0 ]; then echo "$1"; return; fi
    pgrep -P "$1" -f "$program" | shuf -n 1
}

# Open MPI's launcher may hang for ever when a rank dies while it starts.
await() {
    local ranks_left rank
    for _ in $(seq 400); do
        if [ -z "$(jobs -rp)" ]; then break; fi
        sleep 0.05
    done
    if [ -n "$(jobs -rp)" ]; then
        echo "the launcher hangs: killed too"
        ranks_left=$(pgrep -P "$1" || true)
        kill -KILL "$1" || true
        for rank in $ranks_left; do kill -KILL "$rank" 2> /dev/null || true; done
        sleep 1
    fi
    wait "$1" 2> /dev/null || true
}

finished=0 killed=0 begun=0 runs=0
while [ $killed -lt "$kills" ]; do
    runs=$((runs + 1))
    if [ $runs -gt $((5 * kills)) ]; then echo "skipped: no rank to kill is found"; exit 77; fi
    "${launch[@]}" > "$scratch/log" 2>&1 &
    run=$!
    sleep "$(printf 0.%03d $((ranks > 0 ? 150 + RANDOM % 700 : RANDOM % 400)))"
    target=$(victim $run || true)
    if [ -n "$target" ] && kill -KILL "$target" 2> /dev/null; then killed=$((killed + 1)); fi
    await $run
    if [ -e "$out" ]; then # it was faster
        [ "$("$program" --check "$out")" -eq $steps ]
        rm "$out"
        finished=0
    elif [ -e "$out.part" ]; then
        now=$("$program" --check "$out.part") || { echo "a finished step is wrong: $now"; exit 1; }
        if [ "$now" -lt "$finished" ]; then echo "finished steps are lost: $finished, $now"; exit 1; fi
        if [ "$now" -gt "$finished" ]; then begun=$((begun + 1)); fi
        finished=$now
    fi
    if grep -v "signal 9\|^-\|^$\|noticed that\|mpirun" "$scratch/log" | grep "write_fluxes:"; then
        exit 1 # only kills may have stopped it
    fi
done
"${launch[@]}"
[ "$("$program" --check "$out")" -eq $steps ]
[ ! -e "$out.part" ] && [ ! -e "$out.part.new" ]
echo "$killed kills, $begun of them after further steps: complete, nothing lost"
