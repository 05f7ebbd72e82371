#!/usr/bin/env bash
# gwflux --config, as a user calls it, and configs/*.yaml: they have every option and no other, with
# the defaults that the help states. Arguments as for test_import.sh.
set -u
gwflux=$1 source=$2 programs=$3
golden=$source/tests/golden
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
predict() { "$gwflux" predict "$@"; }
options_of() { "$gwflux" help "$1" | sed -n 's/^  \(-., \)\?--\([a-z-]*\) .*/\2/p' | grep -vx config; }
keys_of() { sed -n 's/^\([a-z-]*\):.*/\1/p' "$1"; }

"$gwflux" import "$golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$programs/make_windset" in.nc --steps 3 --idim 369
"$programs/make_windset" more.nc --steps 2 --idim 369 --seed 2

# --- the file that lists everything ------------------------------------------------------------
all=$source/configs/predict.yaml
options_of predict > options
keys_of "$all" > keys
holds "predict.yaml has the options of the help, in its order" diff options keys
holds "and they are some" test "$(wc -l < keys)" -ge 10
"$gwflux" help predict | sed -n 's/^  --\([a-z-]*\) .* \[\(.*\)\]$/\1: \2/p' > defaults
while read -r line; do
    holds "predict.yaml has the default $line" grep -qxF -- "$line" "$all"
done < defaults
holds "and there are some" test "$(wc -l < defaults)" -ge 3
works "predict.yaml parses" predict --config "$all" -m unet.nc -i in.nc -o listed.nc
works "plain" predict -m unet.nc -i in.nc -o plain.nc
works "and changes nothing" "$programs/compare_fluxes" listed.nc 0 plain.nc 0 3 0
for file in "$source"/configs/{predict,prepare,slurm}.yaml; do
    keys_of "$file" | sort > keys
    options_of predict | sort > options
    holds "${file##*/} has options only" test -z "$(comm -23 keys options)"
done

options_of prepare > options
keys_of "$source/configs/prepare.yaml" > keys
holds "prepare.yaml has the options of the help, in its order" diff options keys
"$programs/make_reanalysis" fields.nc
works "prepare.yaml parses" "$gwflux" prepare --config "$source/configs/prepare.yaml" -m unet.nc \
    -i fields.nc -o prepared.nc

# --- all from a file ---------------------------------------------------------------------------
cat > run.yaml << 'END'
model: unet.nc
input: [in.nc, more.nc]
output: out.nc
steps: "1:4"
backend: ref
END
works "all options from a file" predict --config run.yaml
says "the file's output" "out.nc: 3 steps in" out
says "the file's backend" "backend ref" err
works "provenance" ncdump -h out.nc
says "what was taken" "gwflux predict --config run.yaml (run.yaml: --model unet.nc --input in.nc" out
works "the command line goes first" predict --config=run.yaml -i in.nc -o first.nc --steps :2 \
    --backend auto
says "steps and output" "first.nc: 2 steps in" out
works "a pipe" predict --config <(sed 's/out.nc/piped.nc/' run.yaml)
works "bench" "$gwflux" bench --config <(printf 'model: unet.nc\nsteps: 2\nlat: 16\nlon: 32\nbatch: 1\n')
says "its steps" "2 maps: " out

# --- refused -----------------------------------------------------------------------------------
printf 'model: unet.nc\n\nthread: 2\n' > wrong.yaml
fails "unknown key" 2 "wrong.yaml: line 3: thread: there is no such option" \
    predict --config wrong.yaml -i in.nc -o x.nc
holds "one line of message" test "$(wc -l < err)" -eq 1
printf 'threads: 2000\n' > wrong.yaml
fails "out of bounds" 2 "wrong.yaml: option threads: expected a number from 0 to 1024, found 2000" \
    predict --config wrong.yaml -m unet.nc -i in.nc -o x.nc
printf 'input: in.nc\n' > wrong.yaml
fails "one value for a list" 2 "wrong.yaml: near line 1: option input: expected a list" \
    predict --config wrong.yaml -m unet.nc -o x.nc
holds "one line of message" test "$(wc -l < err)" -eq 1
fails "no YAML" 2 "in.nc: " predict --config in.nc
fails "no file" 1 "none.yaml: No such file" predict --config none.yaml
fails "two files" 2 "option config: given twice" predict --config run.yaml --config run.yaml
fails "no such option" 2 "--config" "$gwflux" import --config run.yaml x.pt -o x.nc
holds "nothing was left by the failures" test ! -e x.nc -a ! -e x.nc.part
finish
