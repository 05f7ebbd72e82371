#!/usr/bin/env bash
# gwflux predict over ranks that is stopped, or fails in the middle: what is finished stays, and
# --resume makes of it what an undisturbed run makes. Arguments as for test_ranks.sh.
set -u
gwflux=$1 source=$2 programs=$3 launcher=("${@:5}")
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
# shellcheck source=tests/cli/ranks.sh
. "$source/tests/cli/ranks.sh"
windset() { "$programs/make_windset" "$@" --idim 369 --nlat 32 --nlon 64 --no-output; }

"$gwflux" import "$source/tests/golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
windset in.nc --steps 8
# A long run is made of a short file.
inputs=()
for _ in $(seq 12); do inputs+=(-i in.nc); done
long=("$gwflux" predict -m unet.nc "${inputs[@]}" -o x.nc --backend ref)
works "undisturbed" ranks 2 "${long[@]}"
mv x.nc long.nc
steps=96

# --- signals -----------------------------------------------------------------------------------
# begin RANKS OPTIONS...: the long run in the background, until steps are written. launched is the
# launcher.
begin() {
    rm -f code.* pid.*
    "${launcher[0]}" "${launcher[1]}" "$1" "${launcher[@]:2}" ./coded "${long[@]}" "${@:2}" \
        > out 2> err &
    launched=$!
    await_size x.nc.part 12000
    verdict "the long run begins" $?
}
# The command itself, below rank N's wrapper.
process_of() { pgrep -P "$(cat "pid.$1")"; }
# ended WHAT: the ranks' own exit codes are 3 (the launcher kills the others when the first one
# exits, perhaps before a wrapper writes it down); some steps are kept, not all.
ended() {
    wait "$launched"
    verdict "$1: the launcher does not end well" $((! $?))
    holds "$1: exit code 3" test "$(sort -u code.*)" = 3
    says "$1: one line says so" "stopped on request" err
    holds "$1: one line" test "$(grep -c error: err)" -eq 1
    kept=$(finished x.nc.part)
    holds "$1: $kept of $steps finished steps are kept" \
        test "$kept" -gt 0 -a "$kept" -lt $steps -a ! -e x.nc
    says "$1: as many as it says" "($kept finished step" err
}
completed() { # completed WHAT RANKS OPTIONS...
    works "$1: resumed" ranks "$2" timeout -s KILL 100 "${long[@]}" --resume "${@:3}"
    says "$1: with the rest" "$kept of $steps steps are finished, going on with the others" err
    works "$1: completes the same data" "$programs/same_data" x.nc long.nc
    holds "$1: nothing else is left" test ! -e x.nc.part -a ! -e x.nc.part.new
    rm -f x.nc
}
begin 3
kill -USR1 "$(process_of 1)"
ended "SIGUSR1 to rank 1"
completed "SIGUSR1 to rank 1" 2
begin 2 --writer root
kill -TERM "$(process_of 0)"
ended "SIGTERM to rank 0"
begin_again=$kept
"$gwflux" predict -m unet.nc "${inputs[@]}" -o x.nc --backend ref --steps :9 --resume > out 2> err
verdict "other steps are refused" $((! $?))
says "both are named" 'x.nc.part: belongs to another job: its gwflux_job is "steps 0:96 of in.nc' err
says "both are named" 'here it is "steps 0:9 of in.nc' err
holds "nothing has happened to it" test "$(finished x.nc.part)" -eq "$begin_again"
completed "SIGTERM to rank 0" 1
begin 4 --tiles 2x1
kill -INT "$(process_of 3)"
ended "SIGINT to a rank that does not lead"
completed "SIGINT to a rank that does not lead" 3
begin 2
kill -USR1 "$launched"
ended "SIGUSR1 to the launcher"
rm x.nc.part
# The launcher gives its ranks a second or so before it kills them: what is kept then, if anything,
# is right.
begin 2
kill -TERM "$launched"
wait "$launched"
verdict "SIGTERM to the launcher: it does not end well" $((! $?))
works "SIGTERM to the launcher: resumed" ranks 2 timeout -s KILL 100 "${long[@]}" --resume
works "SIGTERM to the launcher: completes the same data" "$programs/same_data" x.nc long.nc
rm -f x.nc

# --- going on ----------------------------------------------------------------------------------
run() { # run RANKS OPTIONS...
    ranks "$1" timeout 60 "$gwflux" predict -m unet.nc -i in.nc -o y.nc --backend ref "${@:2}"
}
works "--resume with nothing there" run 2 --resume
cp y.nc whole.nc
works "--resume of a complete file" run 2 --resume
says "says so" "y.nc: is complete, nothing to do" err
works "and changes nothing" cmp y.nc whole.nc
fails "of another job's file" 1 "y.nc: exists, from another job" run 2 --resume --steps :2
mv y.nc y.nc.part
works "all finished but for the name" run 3 --resume
says "nothing is to be done" "8 of 8 steps are finished" err
works "it gets it, unchanged" cmp y.nc whole.nc
mv y.nc y.nc.part
fails "--resume --overwrite" 2 "options resume and overwrite" run 2 --resume --overwrite
fails "no --resume" 1 "y.nc.part: holds what an earlier run has finished" run 2
"$gwflux" import "$source/tests/golden/unet.pt" -o other.nc --features uvtheta \
    --padding periodic_lon > /dev/null 2>&1
cp in.nc again.nc
resumed() { ranks 2 timeout 60 "$gwflux" predict -o y.nc --resume "$@"; }
sum_of() { sha256sum "$1" | cut -c1-64; }
fails "another model" 1 \
    "its gwflux_model_sha256 is \"$(sum_of unet.nc)\", here it is \"$(sum_of other.nc)\"" \
    resumed -m other.nc -i in.nc --backend ref
fails "other input" 1 'its gwflux_job is "steps 0:8 of in.nc", here it is "steps 0:8 of again.nc"' \
    resumed -m unet.nc -i again.nc --backend ref
fails "prediction too" 1 'here it is "steps 0:8 of in.nc; with prediction"' \
    resumed -m unet.nc -i in.nc --backend ref --normalised
if [ "$4" != ref ]; then
    fails "another backend" 1 "its gwflux_backend is \"ref\", here it is \"$4\"" \
        resumed -m unet.nc -i in.nc --backend "$4"
fi
works "it is as it was" cmp y.nc.part whole.nc
rm y.nc.part

# --- failures in the middle --------------------------------------------------------------------
windset bad.nc --steps 8 --nan-at 5,130,5,7
run_bad() { ranks 3 timeout 60 "$gwflux" predict -m unet.nc -i bad.nc -o y.nc --backend ref "$@"; }
fails "NaN in one step" 1 ": bad.nc: features: v at time 6, level 21, lat" run_bad
kept=$(finished y.nc.part)
holds "$kept of 8 steps are kept" test "$kept" -ge 2 -a "$kept" -le 7
windset bad.nc --steps 8
works "with better data" run_bad --resume
works "complete" "$programs/same_data" y.nc whole.nc
rm y.nc

begin 2
truncate -s 1000000 in.nc
wait "$launched"
verdict "input that is cut in the middle: an error" $((! $?))
says "the file is named" ": in.nc: " err
holds "one line" test "$(grep -c error: err)" -eq 1
kept=$(finished x.nc.part)
windset in.nc --steps 8
completed "input that was cut" 2

# --- a full disk -------------------------------------------------------------------------------
mkdir disk
if mount -t tmpfs -o size=230m tmpfs disk 2> /dev/null; then
    trap 'umount disk; rm -rf "$scratch"' EXIT
    for writer in auto root; do
        long=("$gwflux" predict -m unet.nc "${inputs[@]}" -o disk/x.nc --backend ref)
        rm -f code.* pid.*
        ranks 3 timeout -s KILL 100 "${long[@]}" --writer $writer > out 2> err &
        launched=$!
        await_size disk/x.nc.part 12000
        verdict "the run begins on the disk" $?
        head -c 500M /dev/zero > disk/other 2> /dev/null
        wait "$launched"
        verdict "a full disk: an error" $((! $?))
        says "that names the file" ": disk/x.nc" err
        holds "and says what is missing" grep -qE "needs |No space left" err
        holds "in one line" test "$(grep -c error: err)" -eq 1
        kept=$(finished disk/x.nc.part)
        holds "$kept steps are kept" test "$kept" -gt 0 -a "$kept" -lt $steps
        says "as many as it says" "($kept finished step" err
        rm disk/other
        works "with room again" ranks 2 timeout -s KILL 100 "${long[@]}" --resume
        works "complete" "$programs/same_data" disk/x.nc long.nc
        rm disk/x.nc
    done
else
    echo "skipped: a full disk: this user may not mount one"
fi
limited() { (ulimit -f 10000; run 3); }
fails "a limit on file sizes" 1 "the file size limit (ulimit -f) is" limited
holds "nothing is left" test ! -e y.nc -a ! -e y.nc.part -a ! -e y.nc.part.new
finish
