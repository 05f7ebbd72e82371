#!/usr/bin/env bash
# gwflux predict and info, as a user calls them: what works and every error. Arguments as for
# test_import.sh; a fourth is the backend that auto takes.
set -u
gwflux=$1 source=$2 programs=$3 backend=$4
golden=$source/tests/golden
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
predict() { "$gwflux" predict "$@"; }
windset() { "$programs/make_windset" "$@"; }
compare() { "$programs/compare_fluxes" "$@"; }

"$gwflux" import "$golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$gwflux" import "$golden/ann_1x1.pt" -o ann.nc --features uvtheta \
    --vertical stratosphere_update > /dev/null 2>&1
windset in.nc --steps 4 --idim 369
windset more.nc --steps 2 --idim 491 --seed 2

works "one file" predict -m unet.nc -i in.nc -o out.nc
says "summary" "out.nc: 4 steps in" out
says "auto says what it took" "backend $backend: " err
holds "no part is left" test ! -e out.nc.part
works "ncdump" ncdump -h out.nc
says "fluxes" "float uw(time, lev, lat, lon)" out
says "in Pa" 'uw:units = "Pa"' out
says "CF" ':Conventions = "CF-1.10"' out
says "provenance" ":gwflux_model_sha256 = \"$(sha256sum unet.nc | cut -c1-64)\"" out
says "the command" "gwflux predict -m unet.nc -i in.nc -o out.nc" out
says "degrees" 'lat:units = "degrees_north"' out
says "precision" ':gwflux_precision = "fp32' out

works "ref" predict -m unet.nc -i in.nc -o ref.nc --backend ref --steps 1:3
works "$backend agrees with ref" compare out.nc 1 ref.nc 0 2 1e-5
works "fp32-fast" predict -m unet.nc -i in.nc -o fast.nc --precision fp32-fast --steps :1
works "is close" compare fast.nc 0 out.nc 0 1 2e-3
works "and says what it is" "$gwflux" info fast.nc
works "two inputs of two families" predict -m unet.nc -i in.nc -i more.nc -o both.nc --normalised
works "the first file's steps are the same" compare out.nc 0 both.nc 0 4 0
works "and prediction is there" ncdump -h both.nc
says "as the reference writes it" "float prediction(time, odim, lat, lon)" out
holds "HDF5 does not talk" test "$(grep -c HDF5 err)" -eq 0
works "steps across files" predict -m unet.nc -i in.nc -i more.nc -o across.nc --steps 3:5
works "are the same steps" compare across.nc 0 both.nc 3 2 0
works "steps to the end" predict -m unet.nc -i in.nc -o end.nc --steps 2:
works "are the same steps" compare end.nc 0 out.nc 2 2 0
works "time units" predict -m unet.nc -i in.nc -o hours.nc --steps :1 \
    --time-units "hours since 2004-12-31 23:00"
works "go to the file" ncdump -h hours.nc
says "as units" 'time:units = "hours since 2004-12-31 23:00"' out
says "with what CF asks" 'time:standard_name = "time"' out
works "ANN" predict -m ann.nc -i in.nc -o ann_out.nc
works "one thread" predict -m unet.nc -i in.nc -o one.nc --threads 1 --steps :1
windset small.nc --steps 1 --idim 369 --nlat 32 --nlon 64
works "another grid" predict -m unet.nc -i small.nc -o small_out.nc
says "is told" "the network was trained on 64 x 128" err
windset packed.nc --steps 4 --idim 369 --deflate 4 --chunk-steps 3
works "compressed, chunks of several steps" predict -m unet.nc -i packed.nc -o packed_out.nc
works "give the same" compare packed_out.nc 0 out.nc 0 4 0
windset bare.nc --steps 4 --idim 369 --no-output
works "features only" predict -m unet.nc -i bare.nc -o bare_out.nc
works "give the same" compare bare_out.nc 0 out.nc 0 4 0

works "info of a model" "$gwflux" info unet.nc
says "in words" "nonlocal: attention_unet of widths 4, 8, 12, 16, 24" out
says "table" "244-365   theta" out
works "info of features" "$gwflux" info in.nc
says "family" "u_v_theta" out
works "info of an output" "$gwflux" info out.nc
says "network" "attention_unet" out
works "backends" "$gwflux" info --backends
says "lists ref" "plain loops" out
works "bench" "$gwflux" bench -m unet.nc --steps 3 --lat 16 --lon 32
holds "ends with the summary line" grep -Eq '^[0-9]+\.[0-9]+ ms per step$' out
works "model of scaling" "$gwflux" bench -m unet.nc --steps 1 --threads 1 --model-scaling --json s.json
says "what is not measured" "not measured" out
says "which rows are left out" "for 721 x 1440" out
holds "512 ranks" grep -Eq '^ *512 +[0-9]+x[0-9]+ ' out
holds "no more tiles than fit" test "$(grep -Ec '^ +64 +[0-9]+x' out)" -eq 2
holds "six grids as JSON" test "$(grep -c '"on": "' s.json)" -eq 6
if command -v python3 > /dev/null; then holds "valid JSON" python3 -m json.tool s.json; fi
mkdir bench
works "bench from file to file" env TMPDIR=bench "$gwflux" bench -m unet.nc -i in.nc --steps 2 --json b.json
says "what it took" "from in.nc to a file: 4 steps, " out
says "and the network alone" "2 maps: fastest " out
says "beside the machine" "memory " out
holds "scratch is gone" rmdir bench
holds "both as JSON" grep -q '"end_to_end": {"input": "in.nc", "steps": 4, ' b.json
if command -v python3 > /dev/null; then holds "valid JSON" python3 -m json.tool b.json; fi
fails "bench: input and a grid" 2 "option lat: not with input" \
    "$gwflux" bench -m unet.nc -i in.nc --lat 32
fails "bench: no such input" 1 "none.nc" "$gwflux" bench -m unet.nc -i none.nc
fails "bench: no folder" 1 "none/gwflux-bench-" env TMPDIR=none "$gwflux" bench -m unet.nc -i in.nc
fails "JSON to nowhere" 1 "none/s.json" \
    "$gwflux" bench -m unet.nc --steps 1 --threads 1 --model-scaling --json none/s.json
works "help" "$gwflux" help predict
says "lists options of the engine" "--threads N" out

fails "missing model" 1 "none.nc" predict -m none.nc -i in.nc -o x.nc
fails "a data file as the model" 1 "gwflux_model_version" predict -m in.nc -i in.nc -o x.nc
fails "missing input" 1 "none.nc" predict -m unet.nc -i none.nc -o x.nc
fails "a model as the input" 1 "unet.nc" predict -m unet.nc -i unet.nc -o x.nc
printf 'hello' > text.nc
fails "not NetCDF" 1 "text.nc" predict -m unet.nc -i text.nc -o x.nc
head -c 100000 in.nc > cut.nc
fails "truncated input" 1 "cut.nc" predict -m unet.nc -i cut.nc -o x.nc
fails "an address" 1 "example.org" predict -m unet.nc -i https://example.org/a.nc -o x.nc
windset odd.nc --steps 1 --idim 100
fails "channel counts of no family" 1 "odd.nc: features has 100 channels" \
    predict -m unet.nc -i odd.nc -o x.nc
windset grid.nc --steps 1 --idim 369 --nlat 40 --nlon 80
fails "grid that does not divide" 1 "grid.nc: grid of 40 latitudes and 80 longitudes" \
    predict -m unet.nc -i grid.nc -o x.nc
windset strat.nc --steps 1 --idim 303 --odim 120
fails "levels that are not there" 1 "strat.nc" predict -m unet.nc -i strat.nc -o x.nc
ncatt() { "$programs/put_attribute" "$@"; }
windset other.nc --steps 1 --idim 369
ncatt other.nc features long_name "u: (u-6.396170418818774)/15.419851393222734"
fails "another recipe" 1 "normalised by recipe wxcbench, the model expects era5-released" \
    predict -m unet.nc -i other.nc -o x.nc
windset days.nc --steps 1 --idim 369
ncatt days.nc time units "days since 2015-02-01"
fails "times that count differently" 1 "days.nc: time is integer, units 'days since 2015-02-01'" \
    predict -m unet.nc -i in.nc -i days.nc -o x.nc
mv small.nc x.nc.part
fails "an input that the output would take away" 2 "is an input" \
    predict -m unet.nc -i x.nc.part -o x.nc --overwrite
mv x.nc.part small.nc
fails "grids that differ" 1 "its grid" predict -m unet.nc -i in.nc -i small.nc -o x.nc
fails "steps beyond the end" 2 "2:9 is no part of the 4 steps" \
    predict -m unet.nc -i in.nc -o x.nc --steps 2:9
fails "steps of nonsense" 2 "expected A:B, found 2-3" predict -m unet.nc -i in.nc -o x.nc --steps 2-3
fails "unknown backend" 2 "option backend: expected auto|" \
    predict -m unet.nc -i in.nc -o x.nc --backend gpu
fails "no input" 2 "option --input is missing" predict -m unet.nc -o x.nc
fails "unwritable output" 1 "/nowhere/x.nc" predict -m unet.nc -i in.nc -o /nowhere/x.nc
fails "existing output" 1 "out.nc" predict -m unet.nc -i in.nc -o out.nc
works "overwrite" predict -m unet.nc -i in.nc -o out.nc --overwrite --steps :1
fails "the output is an input" 2 "in.nc: is an input" \
    predict -m unet.nc -i in.nc -o ./in.nc --overwrite
holds "nothing was left by the failures" test ! -e x.nc -a ! -e x.nc.part

windset nan.nc --steps 4 --idim 369 --nan-at 2,130,5,7
fails "NaN in a feature: time, level and place" 1 \
    "nan.nc: features: v at time 3, level 21, lat -73.95, lon 19.69 is nan" predict -m unet.nc -i nan.nc -o nan_out.nc
says "finished steps are kept" "2 finished steps are kept in nan_out.nc.part" err
holds "under the other name" test ! -e nan_out.nc
works "they are right" compare nan_out.nc.part 0 both.nc 0 2 0
fails "and not overwritten unasked" 1 "nan_out.nc.part" predict -m unet.nc -i in.nc -o nan_out.nc
works "unless asked" predict -m unet.nc -i in.nc -o nan_out.nc --overwrite
windset infinity.nc --steps 2 --idim 491 --infinity-at 0,3,63,127
fails "infinity in a feature: time, level and place" 1 \
    "infinity.nc: features: u at time 1, level 16, lat 87.86, lon 357.19 is inf" \
    predict -m unet.nc -i infinity.nc -o infinity_out.nc
holds "no step was finished: nothing is left" test ! -e infinity_out.nc.part
windset unused.nc --steps 1 --idim 491 --infinity-at 0,480,0,0
works "a channel that is not taken may be infinite" predict -m unet.nc -i unused.nc -o unused_out.nc

works "bad checkpoints are made" "$programs/make_bad_checkpoints" . "$golden/unet.pt"
fails "import of a negative variance" 1 \
    "tensor conv1.conv.1.running_var[2] is -0.5, expected" \
    "$gwflux" import variance.pt -o variance.nc --features uvtheta
holds "no model is left" test ! -e variance.nc -a ! -e variance.nc.part

windset long.nc --steps 60 --idim 369 --no-output
"$gwflux" predict -m unet.nc -i long.nc -o stopped.nc > out 2> err &
run=$!
for _ in $(seq 100); do # until the first steps are there
    [ "$(stat -c %b stopped.nc.part 2> /dev/null || echo 0)" -gt 40000 ] && break # 20 MB of blocks
    sleep 0.05
done
kill -TERM "$run"
wait "$run"
holds "stopped by a signal: exit code 3" test $? -eq 3
says "how far" "stopped on request" err
says "what is kept" "kept in stopped.nc.part" err
works "and can be read" compare stopped.nc.part 0 stopped.nc.part 0 2 0

# No room: a file-size limit stands for a full disk.
limited() { (ulimit -f 20000; predict "$@"); }
fails "no room for the output" 1 "disk.nc: " limited -m unet.nc -i in.nc -i more.nc -o disk.nc
says "the need and what there is" "MB" err
holds "nothing is left" test ! -e disk.nc
windset corrupt.nc --steps 4 --idim 369 --deflate 4 --no-output
printf 'XXXXXXXXXXXXXXXX' | dd of=corrupt.nc bs=1 conv=notrunc \
    seek=$(($(stat -c %s corrupt.nc) / 2)) 2> /dev/null
fails "a damaged chunk" 1 "corrupt.nc: variable features" \
    predict -m unet.nc -i corrupt.nc -o corrupt_out.nc
holds "HDF5 does not talk" test "$(grep -c HDF5-DIAG err)" -eq 0
finish
