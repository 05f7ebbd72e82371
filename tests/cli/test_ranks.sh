#!/usr/bin/env bash
# gwflux predict over ranks: the same values however many there are, and one line about whatever
# goes wrong. Arguments: as for test_predict.sh, then the launcher and its flag for the number of
# ranks, and further words of its.
set -u
gwflux=$1 source=$2 programs=$3 backend=$4 launcher=("${@:5}")
golden=$source/tests/golden
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
# shellcheck source=tests/cli/ranks.sh
. "$source/tests/cli/ranks.sh"
predict() { "$gwflux" predict -m unet.nc "$@"; }
predict_on() { # predict_on RANKS OPTIONS...: ends within a minute
    local n=$1
    shift
    ranks "$n" timeout 60 "$gwflux" predict -m unet.nc "$@"
}
windset() { "$programs/make_windset" "$@"; }

"$gwflux" import "$golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$gwflux" import "$golden/unet.pt" -o periodic.nc --features uvtheta --padding periodic_lon \
    > /dev/null 2>&1
"$gwflux" import "$golden/ann_1x1.pt" -o ann.nc --features uvtheta \
    --vertical stratosphere_update > /dev/null 2>&1
windset in.nc --steps 5 --idim 369 --nlat 32 --nlon 64 --no-output
windset more.nc --steps 4 --idim 491 --nlat 32 --nlon 64 --seed 2 --no-output
windset full.nc --steps 1 --idim 369 --no-output
windset fine.nc --steps 1 --idim 369 --nlat 192 --nlon 288 --no-output

# --- the same values ---------------------------------------------------------------------------
two=(-i in.nc -i more.nc --backend ref)
works "one process" predict "${two[@]}" -o one.nc
for n in 1 2 3 4 8; do
    works "$n ranks" predict_on $n "${two[@]}" -o ranks.nc --overwrite
    says "and say how many steps" "ranks.nc: 9 steps in" out
    [ $n -eq 1 ] || says "and ranks" " on $n ranks, " out
    works "give the same" same ranks.nc one.nc
done
works "one process of four" predict "${two[@]}" -o part.nc --steps 3:8 --normalised
for writer in all root; do
    if [ $writer = all ] && ! ldd "$gwflux" | grep -q netcdf_mpi; then continue; fi
    works "writer $writer" predict_on 3 "${two[@]}" -o ranks.nc --overwrite --writer $writer
    works "gives the same" same ranks.nc one.nc
    works "steps, prediction" predict_on 3 "${two[@]}" -o ranks.nc --overwrite --steps 3:8 \
        --normalised --writer $writer
    works "give the same" same ranks.nc part.nc
done
while read -r n tiles; do
    # shellcheck disable=SC2086 # options
    works "$n ranks, $tiles" predict_on "$n" "${two[@]}" -o ranks.nc --overwrite $tiles --steps :4
    works "give the same" "$programs/compare_fluxes" ranks.nc 0 one.nc 0 4 0
done << 'END'
2 --tiles 2x1
4 --tiles auto
8 --tiles 2x4
6 --ranks-per-map 3
8 --ranks-per-map 4 --tiles 2x2 --writer root
END
# Integers add up to the same in whatever order: the same bits on any backend.
works "a model for 8 bits" "$gwflux" quantise -m periodic.nc -i in.nc -o int8.nc --maps 1 \
    --backend ref --drag-error 50
for b in ref $backend; do
    eight=(timeout 60 "$gwflux" predict -m int8.nc -i in.nc --precision int8 --backend "$b" --steps :1)
    "${eight[@]}" -o eight.nc --overwrite > out 2> err || { grep "AVX-512 VNNI" err && continue; }
    works "8 bits in tiles on $b" ranks 4 "${eight[@]}" -o tiles8.nc --overwrite --tiles 2x2
    works "give the same" "$programs/compare_fluxes" tiles8.nc 0 eight.nc 0 1 0
done
works "tiles are told" predict_on 4 "${two[@]}" -o ranks.nc --overwrite --tiles 2x1 --steps :4
says "in the summary" "on 2 x 2 ranks" out
works "the whole map" predict -i full.nc -o whole.nc --backend ref
works "3 x 5 tiles" predict_on 15 -i full.nc -o tiled.nc --backend ref --tiles 3x5
works "give the same" same tiled.nc whole.nc
around=("$gwflux" predict -m periodic.nc -i in.nc --steps :2 --backend ref)
works "periodic" "${around[@]}" -o around.nc
"$programs/compare_fluxes" around.nc 0 one.nc 0 2 1e-3 > out
verdict "is something else" $((! $?))
for n in 1 2 3; do
    works "periodic, $n tiles around" ranks $n "${around[@]}" -o tiled.nc --overwrite --tiles 1x$n
    works "give the same" same tiled.nc around.nc
done
works "a fine grid" predict -i fine.nc -o whole.nc --overwrite --backend ref
works "in 2 x 3 tiles" predict_on 6 -i fine.nc -o tiled.nc --overwrite --backend ref --tiles 2x3
works "gives the same" same tiled.nc whole.nc
works "$backend" predict -i in.nc -o one_fast.nc --backend "$backend"
for tiles in "" "--tiles 2x2" "--tiles 1x4"; do
    # shellcheck disable=SC2086 # options
    works "$backend on 4 ranks $tiles" predict_on 4 -i in.nc -o ranks.nc --overwrite \
        --backend "$backend" $tiles
    works "within rounding" "$programs/compare_fluxes" ranks.nc 0 one_fast.nc 0 5 1e-6
done
works "ANN" "$gwflux" predict -m ann.nc -i in.nc -o one_ann.nc --backend ref
works "on 3 ranks" ranks 3 "$gwflux" predict -m ann.nc -i in.nc -o ranks.nc --overwrite --backend ref
works "gives the same" same ranks.nc one_ann.nc

# --- what is asked for cannot be ---------------------------------------------------------------
some=(-i in.nc -o x.nc)
fails "ranks that do not divide" 1 "3 ranks cannot be divided into groups of 2 for a map each" \
    predict_on 3 "${some[@]}" --ranks-per-map 2
fails "too few for the tiles" 1 "3 ranks cannot be divided into groups of 4" \
    predict_on 3 "${some[@]}" --tiles 2x2
fails "tiles without a launcher" 1 "1 rank cannot be divided into groups of 2" \
    predict "${some[@]}" --tiles 2x1
fails "tiles that do not fit" 1 \
    "a grid of 32 latitudes and 64 longitudes cannot be cut into 3x1 tiles" \
    predict_on 3 "${some[@]}" --tiles 3x1
fails "no tiling for so many" 1 \
    "a grid of 32 latitudes and 64 longitudes cannot be cut into 7 tiles" \
    predict_on 7 "${some[@]}" --tiles auto
fails "tiles of nonsense" 2 "option tiles: expected auto or ROWSxCOLUMNS, found 2by2" \
    predict_on 4 "${some[@]}" --tiles 2by2
fails "tiles and ranks that contradict" 2 "option tiles: 2x2 makes 4 tiles, for 2 ranks" \
    predict_on 4 "${some[@]}" --tiles 2x2 --ranks-per-map 2
for _ in 1 2 3; do # whichever rank comes first
    fails "unknown option" 2 "--colour: there is no such option" predict_on 4 "${some[@]}" --colour
done
fails "no input" 2 "option --input is missing" predict_on 4 -o x.nc
fails "missing model" 1 "none.nc" ranks 4 "$gwflux" predict -m none.nc "${some[@]}"
fails "missing input" 1 "none.nc: cannot be opened" predict_on 4 -i none.nc -o x.nc
fails "existing output" 1 "one.nc: exists" predict_on 4 -i in.nc -o one.nc
fails "unwritable output" 1 "/nowhere/x.nc" predict_on 4 -i in.nc -o /nowhere/x.nc
fails "bench: unknown option" 2 "--colour: there is no such option" \
    ranks 3 "$gwflux" bench -m unet.nc --colour
fails "bench: tiles that do not fit" 1 "cannot be cut into 3 tiles" \
    ranks 3 "$gwflux" bench -m unet.nc --lat 32 --lon 32

# --- memory ------------------------------------------------------------------------------------
works "bench on two ranks" ranks 2 "$gwflux" bench -m unet.nc --steps 1 --lat 32 --lon 32 --json b.json
holds "their weights are there once" grep -Eq 'packed weights ([0-9.]+) MB \(\1 MB shared' out
says "and what the node has" "1 node of up to 2 ranks: at most " out
holds "as JSON too" grep -q '"node_ranks": 2, "node_memory_bytes": [1-9]' b.json
fails "JSON to nowhere" 1 "none/b.json" \
    ranks 2 "$gwflux" bench -m unet.nc --steps 1 --lat 32 --lon 32 --json none/b.json

# --- a rank that sees something else -----------------------------------------------------------
for r in 0 1 2 3; do
    mkdir own.$r
    cp unet.nc own.$r
    ln -s ../in.nc own.$r/in.nc
    echo 'backend: ref' > own.$r/run.yaml
done
apart() { ranks 4 ./own timeout 60 "$gwflux" predict -m unet.nc -i in.nc --config run.yaml "$@"; }
works "each in its folder" apart -o "$PWD/apart.nc"
works "gives the same" "$programs/compare_fluxes" apart.nc 0 one.nc 0 5 0
rm own.2/in.nc
fails "input that one rank lacks" 1 "rank 2: in.nc: cannot be opened" apart -o "$PWD/x.nc"
holds "what the others have begun is gone" test ! -e x.nc.part
works "ranks that do not lead a map need none" apart --steps :1 -o "$PWD/x.nc" --tiles 2x2
rm x.nc own.3/unet.nc
fails "but a model" 1 "rank 3: unet.nc" apart -o "$PWD/x.nc" --tiles 2x2
cp periodic.nc own.3/unet.nc
fails "the same model" 1 "rank 3: unet.nc: is not the model that rank 0 has" \
    apart -o "$PWD/x.nc" --tiles 2x2
cp unet.nc own.3
ln -s ../full.nc own.2/in.nc
fails "input of another size" 1 \
    "rank 2: in.nc: 1 x 64 x 128 (time, lat, lon), rank 0 has 5 x 32 x 64 there" \
    apart -o "$PWD/x.nc"
ln -sf ../in.nc own.2/in.nc
rm own.3/run.yaml own.1/run.yaml
fails "options that ranks lack" 1 "rank 1: run.yaml: No such file" apart -o "$PWD/x.nc"
cp own.0/run.yaml own.1
cp own.0/run.yaml own.3
if ldd "$gwflux" | grep -q netcdf_mpi; then
    fails "an output in each rank's folder" 1 "rank 1: x.nc.part: cannot be opened" apart -o x.nc
    holds "nothing of it is left" test ! -e own.0/x.nc.part -a ! -e own.0/x.nc
fi
works "one rank writes it in its own" apart -o x.nc --writer root
works "which is rank 0's" "$programs/compare_fluxes" own.0/x.nc 0 one.nc 0 5 0
holds "nothing was left by the failures" test ! -e x.nc -a ! -e x.nc.part
finish
