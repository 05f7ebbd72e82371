#!/usr/bin/env bash
# gwflux predict and prepare on reanalysis files, as a user calls them: the same atmosphere in files
# of many shapes, what predict can write, ranks, stopping and going on. Arguments as for
# test_predict.sh; a fifth is mpirun where ranks are to be tested.
set -u
gwflux=$1 source=$2 programs=$3 mpirun=${5:-}
shared=$source/../shared golden=$source/tests/golden python=${PYTHON:-/usr/bin/python3}
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
predict() { "$gwflux" predict -m unet.nc "$@"; }
prepare() { "$gwflux" prepare -m unet.nc "$@"; }
make() { "$programs/make_reanalysis" "$@"; }
compare() { "$programs/compare_fluxes" "$@"; }
by_numpy() { "$python" "$source/tests/cli/check_fields.py" "$@"; }
skip() { echo "skipped: $*"; }

same_features() { compare "$1" 0 "$2" 0 "$3" 0 features ps; }

"$gwflux" import "$golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
works "a network that reads omega" "$programs/make_model" "$golden/unet.pt" omega.nc

# --- shapes --------------------------------------------------------------------------------------
# Values are multiples of 1/256, which a short integer, a float and a double hold exactly: whatever
# the shape, the fields are the same to the last bit, and so is the answer.
make plain.nc --grain 256
works "a plain file" predict -i plain.nc -o plain_out.nc
says "summary" "plain_out.nc: 2 steps in" out
says "how much is outside the trained range" "|x~| > 4): u 0 %, v 0 %, theta 0 %" out
holds "no part is left" test ! -e plain_out.nc.part
works "ncdump" ncdump -h plain_out.nc
says "time as the input counts it" 'time:units = "hours since 2005-01-23"' out
shape() { # shape WHAT OPTION...
    local what=$1
    shift
    make shape.nc --grain 256 "$@"
    works "$what" predict -i shape.nc -o shape_out.nc --overwrite
    works "$what: the same to the last bit" compare shape_out.nc 0 plain_out.nc 0 2 0 uw vw ps
}
shape "packed" --packed
shape "south to north" --south-first
shape "longitudes -180 to 180" --west-first
shape "levels from the ground up" --bottom-up
shape "dimensions the other way round" --order xyzt
shape "dimensions mixed" --order zytx
shape "odd names, CF standard names" --names cf
shape "compressed" --deflate 1
shape "calendar noleap" --calendar noleap
shape "calendar 360_day, days" --calendar 360_day --time "6 days since 2000-02-30"
shape "calendar julian" --calendar julian --time "6 hours since 1582-10-10"
shape "hourly" --time "1 hours since 1900-01-01"
shape "all at once" --packed --deflate 4 --order yxtz --west-first --bottom-up --south-first

make odd.nc --grain 256 --names odd
works "names by --variable" predict -i odd.nc -o odd_out.nc --variable u=x_u --variable v=x_v \
    --variable t=x_t --variable sp=x_sp
works "names by --variable: the same" compare odd_out.nc 0 plain_out.nc 0 2 0
cat > odd.yaml << 'END'
model: unet.nc
input: [odd.nc]
output: yaml_out.nc
variable: [u=x_u, v=x_v, t=x_t, sp=x_sp]
END
works "names by YAML" "$gwflux" predict --config odd.yaml
works "names by YAML: the same" compare yaml_out.nc 0 plain_out.nc 0 2 0
works "prepare takes the same file" "$gwflux" prepare --config odd.yaml -o yaml_features.nc
says "and says what it did" "yaml_features.nc: 2 steps in" out

make u0.nc --grain 256 --fields u --steps 1 --time "6 hours since 2005-01-23"
make u1.nc --grain 256 --fields u --steps 1 --first-step 1
make vt.nc --grain 256 --fields v,t
# The same times, counted otherwise.
make sp.nc --grain 256 --fields sp --calendar proleptic_gregorian
works "variables and times in files of their own, any order" \
    predict -i sp.nc -i u1.nc -i vt.nc -i u0.nc -o split_out.nc
works "split: the same" compare split_out.nc 0 plain_out.nc 0 2 0
works "a part of the steps" predict -i sp.nc -i u1.nc -i vt.nc -i u0.nc -o part_out.nc --steps 1:
works "a part: the same" compare part_out.nc 0 plain_out.nc 1 1 0

# What is rounded differently on its way in. The float32 of T - 273.15, of ln(ps) or of theta, with
# the network behind it, differ by 1e-6.
near() { # near WHAT FILE INPUT...
    local what=$1 reference=$2
    shift 2
    works "$what" predict "$@" -o near_out.nc --overwrite
    works "$what: the same within 1e-5" compare near_out.nc 0 "$reference" 0 2 1e-5 uw vw ps
}
make celsius.nc --grain 256 --celsius
near "degrees Celsius, Pa, hPa" plain_out.nc -i celsius.nc
make exact.nc
works "without rounding" predict -i exact.nc -o exact_out.nc
make theta.nc --fields u,v,theta,sp --grid model
make model.nc --grid model
works "on the model's grid" predict -i model.nc -o model_out.nc
near "potential temperature" model_out.nc -i theta.nc
make lnsp.nc --fields u,v,t,lnsp --grid model
near "logarithm of surface pressure" model_out.nc -i lnsp.nc
# Fields are linear in ln p, so where nothing is remapped any levels give the same.
for kind in beside formula numbers; do
    make hybrid.nc --levels $kind --grid model
    near "hybrid levels, $kind" model_out.nc -i hybrid.nc
done
make hybrid_lnsp.nc --levels numbers --fields u,v,t,lnsp --bottom-up --grid model
near "hybrid levels by number, lnsp, from the ground up" model_out.nc -i hybrid_lnsp.nc
make below.nc --grid model --below-ground
works "levels below the ground" predict -i below.nc -o below_out.nc
says "are told" "no values on pressure levels below the ground" err

make omega_in.nc --fields u,v,t,omega,sp --grid model
make w_in.nc --fields u,v,t,w,sp --grid model
works "omega" "$gwflux" predict -m omega.nc -i omega_in.nc -o omega_out.nc
works "w in its place" "$gwflux" predict -m omega.nc -i w_in.nc -o w_out.nc
works "the same within 1e-5" compare w_out.nc 0 omega_out.nc 0 2 1e-5
make w_theta_in.nc --fields u,v,theta,w,sp --grid model
works "w with potential temperature" "$gwflux" predict -m omega.nc -i w_theta_in.nc -o w_theta_out.nc
works "the same within 1e-5" compare w_theta_out.nc 0 omega_out.nc 0 2 1e-5
works "prepare with omega" "$gwflux" prepare -m omega.nc -i omega_in.nc -o omega_features.nc
works "predict from that" "$gwflux" predict -m omega.nc -i omega_features.nc -o omega_again.nc
works "the same" compare omega_again.nc 0 omega_out.nc 0 2 0

# --- surface pressure from orography -------------------------------------------------------------
make dry.nc --fields u,v,t
make hills.nc --fields z --steps 1
works "surface pressure from an orography" predict -i dry.nc --orography hills.nc -o hills_out.nc
says "is told" "surface pressure is estimated from the orography" err
make with_z.nc --fields u,v,t,z
works "of the input itself" predict -i with_z.nc -o with_z_out.nc
works "the same" compare with_z_out.nc 0 hills_out.nc 0 2 0 uw vw ps

# --- GRIB ----------------------------------------------------------------------------------------
make grib.nc --grid 32x64 --fields u,v,t
make hills32.nc --grid 32x64 --fields z --steps 1
if command -v cdo > /dev/null && cdo -s -f grb2 -b 24 setparam,2.2.0 -selname,u grib.nc u.grb2 \
    2> /dev/null && "$gwflux" info u.grb2 > /dev/null 2>&1; then
    cdo -s -f grb2 -b 24 setparam,3.2.0 -selname,v grib.nc v.grb2 2> /dev/null
    cdo -s -f grb2 -b 24 setparam,0.0.0 -selname,t grib.nc t.grb2 2> /dev/null
    cat u.grb2 v.grb2 t.grb2 > all.grb2
    works "the same as NetCDF" predict -i grib.nc --orography hills32.nc -o nogrib_out.nc
    works "GRIB 2" predict -i all.grb2 --orography hills32.nc -o grib_out.nc
    # Packed with 24 bits of a range of 100: 1e-5 of the wind.
    works "the same within 1e-4" compare grib_out.nc 0 nogrib_out.nc 0 2 1e-4
    works "a file a variable" predict -i t.grb2 -i u.grb2 -i v.grb2 --orography hills32.nc \
        -o gribs_out.nc
    works "the same" compare gribs_out.nc 0 grib_out.nc 0 2 0
else
    skip "GRIB: no cdo, or gwflux was built without ecCodes"
fi

# --- prepare, then predict -----------------------------------------------------------------------
works "prepare" prepare -i plain.nc -o features.nc
says "summary" "features.nc: 2 steps in" out
works "info explains it" "$gwflux" info features.nc
says "family" "u_v_theta" out
works "and reanalysis" "$gwflux" info plain.nc
says "what is what" "u        eastward wind: variable u, units 'm s**-1'" out
says "levels" "levels   12 pressure levels, 1 to 1050 hPa" out
says "times" "2 steps, 2005-01-23 00:00" out
works "predict from reanalysis, ref" predict -i plain.nc -o direct.nc --backend ref
works "predict from features, ref" predict -i features.nc -o prepared.nc --backend ref
works "bit for bit the same" compare direct.nc 0 prepared.nc 0 2 0 uw vw ps
holds "nothing is assumed of its recipe" test "$(grep -c "does not say" err)" -eq 0
works "tendencies of prepared data" predict -i features.nc -o prepared_t.nc --tendency
works "and of reanalysis" predict -i plain.nc -o direct_t.nc --tendency
works "the same" compare prepared_t.nc 0 direct_t.nc 0 2 0 uw utend vtend

# --- what is written -----------------------------------------------------------------------------
works "pressure levels" predict -i plain.nc -o levels.nc --tendency --levels 2,10,50,500,950,1012hPa
works "in Pa, any order" predict -i plain.nc -o pascals.nc --tendency \
    --levels "1000, 200, 5000, 101200, 50000, 95000 Pa"
works "the same" compare pascals.nc 0 levels.nc 0 2 0 uw vw utend vtend
works "input's grid" predict -i plain.nc -o grid.nc --tendency --levels 10,100hPa --grid input
works "input's grid, model levels" predict -i plain.nc -o grid_model.nc --grid input
make storm.nc --storm 1
works "a storm" predict -i storm.nc -o storm_out.nc --normalised
says "is seen in the summary" "u 4.38 %, v 0 %" out
says "with its place" "; most u at level" out
works "features of the storm" prepare -i storm.nc -o storm_features.nc
if "$python" -c 'import numpy, netCDF4' 2> /dev/null; then
    works "tendencies by NumPy" by_numpy tendency direct_t.nc
    works "levels by NumPy" by_numpy levels direct_t.nc levels.nc
    works "axes of the input" by_numpy axes grid.nc plain.nc
    works "axes of the input, model levels" by_numpy axes grid_model.nc plain.nc
    works "share outside the trained range" by_numpy outside storm_out.nc storm_features.nc
else
    skip "checks by NumPy: python3-numpy and python3-netcdf4 are not there"
fi

# --- ranks ---------------------------------------------------------------------------------------
make long.nc --grain 256 --steps 7 --time "1 hours since 2005-01-23"
works "seven steps" predict -i long.nc -o long_out.nc --tune off # whatever suits some threads best
works "their features" prepare -i long.nc -o long_features.nc
if [ -n "$mpirun" ] && command -v "$mpirun" > /dev/null; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
    export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader
    for ranks in 1 2 3; do
        for writer in root all; do
            on() { "$mpirun" -n "$ranks" "$gwflux" "$@" --threads 1 --writer "$writer" --overwrite; }
            works "predict, $ranks ranks, writer $writer" on predict -m unet.nc -i long.nc -o ranks.nc \
                --tune=off
            works "the same" compare ranks.nc 0 long_out.nc 0 7 0 uw vw ps outside_training_range
            works "prepare, $ranks ranks, writer $writer" on prepare -m unet.nc -i long.nc -o ranks.nc
            works "the same" same_features ranks.nc long_features.nc 7
        done
    done
    fails "an error on many ranks" 1 "plain.nc" "$mpirun" -n 3 "$gwflux" predict -m omega.nc \
        -i plain.nc -o x.nc
    holds "leaves nothing" test ! -e x.nc -a ! -e x.nc.part
else
    skip "ranks: no mpirun, or built without MPI, or with sanitizers"
fi

# --- stopped and gone on -------------------------------------------------------------------------
make longer.nc --steps 24 --time "1 hours since 2005-01-23"
stopped() { # stopped COMMAND BLOCKS OPTION...
    local what=$1 blocks=$2 run
    shift 2
    "$gwflux" "$what" -m unet.nc -i longer.nc -o "$what.nc" "$@" > out 2> err &
    run=$!
    for _ in $(seq 200); do # until the first steps are there
        [ "$(stat -c %b "$what.nc.part" 2> /dev/null || echo 0)" -gt "$blocks" ] && break
        sleep 0.02
    done
    kill -TERM "$run"
    wait "$run"
    holds "$what stopped by a signal: exit code 3" test $? -eq 3
    says "how to go on" "--resume does the other" err
    holds "no output" test ! -e "$what.nc"
    fails "another job" 1 "$what.nc.part" "$gwflux" "$what" -m unet.nc -i long.nc -o "$what.nc" --resume
    works "$what goes on" "$gwflux" "$what" -m unet.nc -i longer.nc -o "$what.nc" "$@" --resume
    says "from where it was" "steps are finished, going on with the others" err
    holds "the part is gone" test ! -e "$what.nc.part"
    works "$what in one go" "$gwflux" "$what" -m unet.nc -i longer.nc -o "${what}_whole.nc" "$@"
    works "nothing left to do" "$gwflux" "$what" -m unet.nc -i longer.nc -o "$what.nc" "$@" --resume
    says "is said" "nothing to do" err
}
stopped predict 40000 --tendency
works "the same as in one go" compare predict.nc 0 predict_whole.nc 0 24 0 uw vw utend vtend ps
stopped prepare 40000
works "the same as in one go" same_features prepare.nc prepare_whole.nc 24

# --- the published snapshot ----------------------------------------------------------------------
if [ -r "$shared/data/ecmwf_2005-01-23_u.nc" ]; then
    snapshot=()
    for field in u v t; do snapshot+=(-i "$shared/data/ecmwf_2005-01-23_$field.nc"); done
    snapshot+=(--orography "$shared/data/orography_t42.nc")
    works "the published network" "$gwflux" import "$shared/fixtures/unet_w8_uvtheta_epoch3.pt" \
        -o w8.nc --features uvtheta
    works "prepare the ECMWF snapshot" "$gwflux" prepare -m w8.nc "${snapshot[@]}" -o snapshot.nc
    works "predict from it" "$gwflux" predict -m w8.nc "${snapshot[@]}" -o snapshot_out.nc
    works "predict from the published features" "$gwflux" predict -m w8.nc \
        -i "$shared/data/windset_uvtheta_2005-01-23.nc" -o published_out.nc
    # Features agree within 2e-5 (absolute, of order 1): the fluxes have 1e-4 of their norm.
    works "agree" compare snapshot_out.nc 0 published_out.nc 0 1 1e-4
    if "$python" -c 'import numpy, netCDF4' 2> /dev/null; then
        works "every channel within 2e-5 of the published file" by_numpy features snapshot.nc \
            "$shared/data/windset_uvtheta_2005-01-23.nc" 2e-5
    fi
else
    skip "the ECMWF snapshot: no $shared/data"
fi
finish
