#!/usr/bin/env bash
# gwflux quantise and precision int8, as a user calls them: what works and every error. Arguments as
# for test_predict.sh.
set -u
gwflux=$1 source=$2 programs=$3 backend=$4
golden=$source/tests/golden
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
quantise() { "$gwflux" quantise "$@"; }
predict() { "$gwflux" predict "$@" --tune off; }
windset() { "$programs/make_windset" "$@"; }
compare() { "$programs/compare_fluxes" "$@"; }

"$gwflux" import "$golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$gwflux" import "$golden/ann_1x1.pt" -o ann.nc --features uvtheta \
    --vertical stratosphere_update > /dev/null 2>&1
small() { windset "$1" --nlat 32 --nlon 64 --idim 369 "${@:2}"; }
small in.nc --steps 5

works "quantise" quantise -m unet.nc -i in.nc -o int8.nc --maps 2 --backend ref --drag-error 50
says "tells the range that is better" "all in 8 bits, range absolute maximum: drag error" err
says "tells each layer" "conv1.conv.0 alone: drag error" err
says "shows each layer" "attn5.Wg+Wx " out
says "sums up" "31 of 31 convolutions in 8 bits, range" out
says "over what" "on in.nc, 2 of 5 steps" out
holds "no part is left" test ! -e int8.nc.part
works "ncdump" ncdump -h int8.nc
says "what each layer does" "int int8_multiplies(int8_layer)" out
says "its scales" "float int8_scale(int8_channel)" out
says "its errors" "double int8_layer_error(int8_layer)" out
says "the sample" ':int8_sample = "in.nc, 2 of 5 steps"' out
says "how many maps" ":int8_maps = 2." out
says "the error" ":int8_drag_error = 0." out
says "still the weights" "float conv1.conv.0.weight(n4, n366, n3, n3)" out
says "the command" "gwflux quantise -m unet.nc -i in.nc" out
works "info" "$gwflux" info int8.nc
says "tells of it" "Precision int8: 31 of 31 convolutions in 8 bits, drag error" out

works "int8 on ref" predict -m int8.nc -i in.nc -o ref8.nc --backend ref --precision int8 --steps :1
works "says so" ncdump -h ref8.nc
says "in the output" ':gwflux_precision = "int8' out
works "fp32" predict -m int8.nc -i in.nc -o fp32.nc --backend ref --precision fp32 --steps :1
works "is near" compare ref8.nc 0 fp32.nc 0 1 0.5
works "auto stays fp32" predict -m int8.nc -i in.nc -o auto.nc --steps :1
works "which is the same" compare auto.nc 0 fp32.nc 0 1 1e-5
if [ "$backend" = cpu ]; then
    if predict -m int8.nc -i in.nc -o cpu8.nc --backend cpu --precision int8 --steps :1 > out 2> err; then
        works "cpu is near ref, whose other layers are fp32" compare cpu8.nc 0 ref8.nc 0 1 0.1
        works "bench" "$gwflux" bench -m int8.nc --precision int8 --steps 1 --lat 32 --lon 64
        says "tells what is in 8 bits" "int8, 4 phases" out
        works "tiles alone" "$gwflux" bench -m int8.nc --precision int8 --steps 1 --model-scaling
    else
        says "int8 is refused with what it needs" "precision int8 needs AVX-512 VNNI" err
    fi
    fails "a processor without" 1 "precision int8 needs AVX-512 VNNI, this processor has AVX2" \
        env ONEDNN_MAX_CPU_ISA=AVX2 "$gwflux" predict -m int8.nc -i in.nc -o no.nc --backend cpu \
        --precision int8
    fails "nor can it quantise" 1 "precision int8 needs AVX-512 VNNI" \
        env ONEDNN_MAX_CPU_ISA=AVX2 "$gwflux" quantise -m unet.nc -i in.nc -o no.nc --backend cpu
fi
works "a narrow limit" quantise -m unet.nc -i in.nc -o some.nc --maps 1 --backend ref --drag-error 1
says "leaves some in higher precision" "higher precision" out
says "and holds" "(at most 1 %)" out
works "an ANN" quantise -m ann.nc -i in.nc -o ann8.nc --maps 1 --drag-error 100 --backend ref
works "predicts" predict -m ann8.nc -i in.nc -o ann_out.nc --precision int8 --steps :1 --backend ref

fails "a model without scales" 1 "unet.nc: holds no scales for precision int8; gwflux quantise" \
    predict -m unet.nc -i in.nc -o no.nc --precision int8
fails "quantised already" 2 "int8.nc: holds scales for precision int8 already (from in.nc" \
    quantise -m int8.nc -i in.nc -o no.nc
fails "existing output" 1 "int8.nc: exists" quantise -m unet.nc -i in.nc -o int8.nc
works "overwrite" quantise -m unet.nc -i in.nc -o int8.nc --maps 1 --overwrite --backend ref \
    --drag-error 50
fails "the output is the model" 2 "unet.nc: is the model" \
    quantise -m unet.nc -i in.nc -o unet.nc --overwrite
windset family.nc --steps 1 --idim 303 --odim 120 --nlat 32 --nlon 64
fails "another family" 1 "family.nc: features" quantise -m unet.nc -i family.nc -o no.nc
windset odd.nc --steps 1 --idim 100 --nlat 32 --nlon 64
fails "no family" 1 "odd.nc: features has 100 channels" quantise -m unet.nc -i odd.nc -o no.nc
small recipe.nc --steps 1
"$programs/put_attribute" recipe.nc features long_name "u: (u-6.396170418818774)/15.419851393222734"
fails "another recipe" 1 "normalised by recipe wxcbench, the model expects era5-released" \
    quantise -m unet.nc -i recipe.nc -o no.nc
small empty.nc --steps 0
fails "no steps" 1 "empty.nc" quantise -m unet.nc -i empty.nc -o no.nc
small nan.nc --steps 3 --nan-at 1,100,3,5 # of which the second is looked at
fails "NaN" 1 "nan.nc: features" quantise -m unet.nc -i nan.nc -o no.nc
fails "an output of predict" 1 "fp32.nc" quantise -m unet.nc -i fp32.nc -o no.nc
fails "missing sample" 1 "none.nc" quantise -m unet.nc -i none.nc -o no.nc
fails "missing model" 1 "none.nc" quantise -m none.nc -i in.nc -o no.nc
fails "not a model" 1 "in.nc: " quantise -m in.nc -i in.nc -o no.nc
fails "no backend of that name" 2 "backend gpu: expected" \
    quantise -m unet.nc -i in.nc -o no.nc --backend gpu
for limit in 0 -1 101 nan five 5x ""; do
    fails "limit '$limit'" 2 "option drag-error: expected percent" \
        quantise -m unet.nc -i in.nc -o no.nc --drag-error "$limit"
done
fails "maps" 2 "option maps" quantise -m unet.nc -i in.nc -o no.nc --maps 0
fails "no input" 2 "option --input is missing" quantise -m unet.nc -o no.nc
fails "unwritable output" 1 "/nowhere/x.nc" quantise -m unet.nc -i in.nc -o /nowhere/x.nc --maps 1 \
    --backend ref
holds "no output is left" test ! -e no.nc
holds "no part of one is left" test ! -e no.nc.part
works "help" "$gwflux" help quantise
says "names its options" "--drag-error" out
finish
