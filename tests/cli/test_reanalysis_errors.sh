#!/usr/bin/env bash
# What gwflux predict and prepare refuse of reanalysis files: one line that names file and variable,
# and nothing half-written. Arguments as for test_import.sh.
set -u
gwflux=$1 source=$2 programs=$3
golden=$source/tests/golden
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
make() { "$programs/make_reanalysis" "$@"; }
attribute() { "$programs/put_attribute" "$@"; }

# refused WHAT CODE WORDS OPTION...: by both commands, with nothing left behind.
refused() {
    local what=$1 code=$2 words=$3 command
    shift 3
    for command in predict prepare; do
        fails "$command: $what" "$code" "$words" "$gwflux" $command -m unet.nc -o x.nc "$@"
        holds "$command: $what: nothing is left" test ! -e x.nc -a ! -e x.nc.part
        rm -f x.nc x.nc.part
        holds "$command: $what: HDF5 does not talk" test "$(grep -c HDF5 err)" -eq 0
    done
}

"$gwflux" import "$golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$gwflux" import "$golden/ann_1x1.pt" -o ann.nc --features uvtheta \
    --vertical stratosphere_update > /dev/null 2>&1
"$programs/make_model" "$golden/unet.pt" omega.nc
make good.nc

# --- variables -----------------------------------------------------------------------------------
make no_v.nc --fields u,t,sp
refused "no v" 1 "no_v.nc: no northward wind (v); found u(time, pressure_level, latitude, longitude)" \
    -i no_v.nc
make no_t.nc --fields u,v,sp
refused "neither t nor theta" 1 "no air temperature (t)" -i no_t.nc
fails "no omega for a network that reads it" 1 "no vertical velocity in pressure coordinates (omega)" \
    "$gwflux" predict -m omega.nc -i good.nc -o x.nc
make no_ps.nc --fields u,v,t
refused "no surface pressure" 1 "neither sp nor lnsp is in the input" -i no_ps.nc
make hybrid_no_ps.nc --fields u,v,t --levels numbers
refused "hybrid levels without surface pressure" 1 "hybrid levels need the surface pressure" \
    -i hybrid_no_ps.nc
make z.nc --fields z --steps 1
refused "even with an orography" 1 "hybrid levels need the surface pressure" -i hybrid_no_ps.nc \
    --orography z.nc
refused "an orography alone" 1 "z.nc" -i z.nc
refused "an orography without one" 1 "good.nc" -i no_ps.nc --orography good.nc
make odd.nc --names odd
refused "names that nobody knows" 1 "odd.nc: no variable that is looked for; found x_u(" -i odd.nc
refused "a mapping to what is not there" 1 "good.nc: no eastward wind (u)" -i good.nc --variable u=wind
refused "a mapping of what there is not" 2 "option variable" -i good.nc --variable q=u
refused "no mapping at all" 2 "option variable" -i good.nc --variable u
refused "two mappings of one" 2 "option variable" -i good.nc --variable u=u --variable u=v
refused "a temperature as the wind" 1 "variable t is to be eastward wind: units \"K\"" -i good.nc \
    --variable u=t
make kelvin.nc
attribute kelvin.nc u units K
refused "wind in K" 1 "kelvin.nc: variable u is to be eastward wind: units \"K\"" -i kelvin.nc
make nonsense.nc
attribute nonsense.nc u units "smoots"
refused "wind in no unit" 1 "nonsense.nc: variable u is to be eastward wind: \"smoots\"" -i nonsense.nc
make unitless.nc
attribute unitless.nc u units ""
refused "wind without a unit" 1 "unitless.nc: variable u" -i unitless.nc
make other.nc
attribute other.nc v standard_name northward_sea_water_velocity
refused "a v that is not of the air" 1 "other.nc: no northward wind (v)" -i other.nc

# --- levels and grids ----------------------------------------------------------------------------
make short.nc --levels short
refused "levels that do not reach" 1 "levels from 100 to 1050 hPa do not reach far enough" -i short.nc
make u.nc --fields u
make v_short.nc --fields v,t,sp --levels short
refused "levels that differ" 1 "v_short.nc: variable v: 7 levels, but u.nc: variable u has 12" -i u.nc -i v_short.nc
make v_grid.nc --fields v,t,sp --grid 17x32
refused "grids that differ" 1 "v_grid.nc: variable v: " -i u.nc -i v_grid.nc

# --- times ---------------------------------------------------------------------------------------
make v_later.nc --fields v,t,sp --first-step 1
refused "times that differ" 1 "the first that differs" -i u.nc -i v_later.nc
make v_longer.nc --fields v,t,sp --steps 3
refused "more times" 1 "v_longer.nc: variable v: 3 times, but u.nc: variable u has 2" -i u.nc \
    -i v_longer.nc
make v_360.nc --fields v,t,sp --calendar 360_day
refused "calendars mixed" 1 "v_360.nc: variable v: calendar 360_day, but u.nc: variable u has standard" \
    -i u.nc -i v_360.nc
refused "the same file twice" 1 "is not later than the last one of" -i good.nc -i good.nc
make steps.nc
refused "steps beyond the end" 2 "0:9 is no part of the 2 steps" -i steps.nc --steps 0:9

# --- values --------------------------------------------------------------------------------------
make missing.nc --missing v
refused "a field all missing" 1 "missing.nc: 2005-01-23 00:00:00: v at model level 16, latitude -87.86" \
    -i missing.nc
make missing_sp.nc --missing sp
refused "surface pressure all missing" 1 "surface pressure at latitude -87.86" -i missing_sp.nc
make hectopascal.nc
attribute hectopascal.nc sp units hPa
refused "a surface pressure that is none" 1 "surface pressure at latitude" -i hectopascal.nc

# --- files ---------------------------------------------------------------------------------------
refused "no file" 1 "none.nc" -i none.nc
refused "no second file" 1 "none.nc" -i good.nc -i none.nc
refused "an address" 1 "https://example.org/u.nc" -i https://example.org/u.nc
refused "an address behind a file" 1 "https://example.org/u.nc" -i good.nc -i https://example.org/u.nc
refused "an address as the orography" 1 "https://example.org/z.nc" -i no_ps.nc \
    --orography https://example.org/z.nc
head -c 20000 good.nc > cut.nc
refused "truncated" 1 "cut.nc" -i cut.nc
printf 'GRIB and then nothing of the kind' > cut.grb
refused "GRIB that is none" 1 "cut.grb" -i cut.grb
printf 'hello' > text.nc
refused "not NetCDF" 1 "text.nc" -i text.nc
refused "a folder" 1 "$scratch" -i "$scratch"
refused "a model" 1 "unet.nc" -i unet.nc
if command -v flock > /dev/null; then
    cp good.nc locked.nc
    exec 9< locked.nc
    flock -x 9
    refused "a file that is being written" 1 "locked.nc: is being written by another program" \
        -i locked.nc
    refused "the second one" 1 "locked.nc: is being written by another program" -i u.nc -i locked.nc
    exec 9<&-
fi
"$programs/make_windset" windset.nc --steps 1 --idim 369 --no-output
refused "features and fields" 1 "good.nc" -i windset.nc -i good.nc
works "fields and features" "$gwflux" predict -m unet.nc -i good.nc -i windset.nc -o y.nc
says "a file of no use is named" "windset.nc: nothing in it is used" err
refused "an option for fields with features" 2 "option variable: windset.nc holds normalised features" \
    -i windset.nc --variable u=u
refused "weights for another grid" 1 "2112 cells (latitude x longitude), expected 84, those of the weights" \
    -i good.nc \
    --weights "$golden/remap_weights.nc"
refused "weights that are none" 1 "good.nc" -i good.nc --weights good.nc
for command in predict prepare; do
    fails "$command: the output is the orography" 2 "z.nc: is an input" "$gwflux" $command -m unet.nc \
        -i no_ps.nc --orography z.nc -o z.nc --overwrite
done

# --- predict alone -------------------------------------------------------------------------------
bad() { fails "$1" "$2" "$3" "$gwflux" predict -m unet.nc -o x.nc "${@:4}"; }
bad "levels of nonsense" 2 "option levels: high: " -i good.nc --levels high
bad "levels without commas" 2 "a comma is missing" -i good.nc --levels "10 50hPa"
bad "levels in metres" 2 "not a unit of pressure" -i good.nc --levels 10,50m
bad "a level twice" 2 "a level twice" -i good.nc --levels 10,50,10hPa
bad "levels above the model's" 2 "out of the model's range" -i good.nc --levels 0.01hPa
bad "levels of nothing" 2 "option levels" -i good.nc --levels ""
bad "the input's grid with features" 2 "option grid: " -i windset.nc --grid input
bad "normalised on the input's grid" 2 "option normalised" -i good.nc --grid input --normalised
fails "tendencies of half an atmosphere" 1 "option tendency: the network has 60 of the 122 levels" \
    "$gwflux" predict -m ann.nc -i no_ps.nc --orography z.nc -o x.nc --tendency
for command in predict prepare; do
    fails "$command: a network that reads zs, without" 1 "give a file with it as --orography" \
        "$gwflux" $command -m ann.nc -i good.nc -o x.nc
done
holds "nothing is left" test ! -e x.nc -a ! -e x.nc.part
finish
