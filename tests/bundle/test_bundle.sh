#!/usr/bin/env bash
# run/bundle.sh: the bundle is moved and run with an empty environment in a root folder that holds
# libc, a shell and the bundle; where no such root can be made, in this one. Arguments: the build's
# folder, the source folder.
set -u
build=$1 source=$2 programs=$1/tests
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
# shellcheck source=tests/bundle/root.sh
. "$source/tests/bundle/root.sh"
outside() { "$build/gwflux" "$@" > /dev/null 2>&1; }
compare() { "$programs/compare_fluxes" "$@"; }
kind=--cuda-from-target
[ -e "$build/libgwflux_cuda.so" ] || kind=--without-cuda
bundle() { "$source/run/bundle.sh" "$kind" --build "$build" "$@"; }

mkdir full && touch full/file
fails "a folder in use" 1 "is there and not empty" bundle full
fails "no folder" 1 "DIR is missing" bundle
fails "two folders" 1 "one DIR only" bundle a b
fails "a word unknown" 1 "expected --without-cuda" bundle --with-cuda a
fails "no build" 1 "none/bundled/gwflux is not there" bundle --build none a

works "bundle.sh" bundle bundle
size=$(sed -n 's/^done: .*, \([0-9]*\) MB, .*/\1/p' out)
holds "nothing of it knows where it was built" test -z "$(grep -rlF "$build" bundle)"
outside import "$source/data/demo_unet.pt" -o model.nc --features uvtheta
outside predict -m model.nc -i "$source/data/demo_windset.nc" -o truth.nc
"$programs/make_reanalysis" fields.nc --celsius --grid 33x64
outside predict -m model.nc -i fields.nc -o fields_truth.nc

root_make
mkdir "$root/opt/a place"
mv bundle "$root/opt/a place/gwflux"
at="$seen/opt/a place/gwflux"
cp fields.nc "$root/tmp"
gwflux() { inside "$at/gwflux" "$@"; }

works "the backends" gwflux info --backends
grep -v libgwflux_cuda out > backends
"$build/bundled/gwflux" info --backends | grep -v libgwflux_cuda > out
holds "are those of the build" cmp out backends
works "import" gwflux import "$at/data/demo_unet.pt" -o "$seen/tmp/model.nc" --features uvtheta
holds "the model is the same" "$programs/same_data" "$root/tmp/model.nc" model.nc
works "predict" gwflux predict -m "$at/data/demo_model.nc" -i "$at/data/demo_windset.nc" -o "$seen/tmp/fluxes.nc"
works "the fluxes" compare "$root/tmp/fluxes.nc" 0 truth.nc 0 2 1e-5
works "fields with units" gwflux predict -m "$seen/tmp/model.nc" -i "$seen/tmp/fields.nc" -o "$seen/tmp/fields_out.nc"
works "the fluxes" compare "$root/tmp/fields_out.nc" 0 fields_truth.nc 0 2 1e-5
fails "a file that is not there" 1 "none.nc" gwflux predict -m "$seen/tmp/none.nc" -i "$seen/tmp/fields.nc" -o "$seen/tmp/x.nc"
fails "no pictures" 2 "plot" gwflux plot "$seen/tmp/fluxes.nc"
if command -v cdo > /dev/null && cdo -s -f grb -b 24 copy -selname,u,v,t fields.nc fields.grib 2> /dev/null; then
    cp fields.grib "$root/tmp"
    works "GRIB" gwflux info "$seen/tmp/fields.grib"
    cp out grib
    "$build/gwflux" info fields.grib | sed "s,fields.grib,$seen/tmp/fields.grib," > out
    holds "as outside" cmp out grib
else
    echo "skipped: GRIB: no cdo"
fi

if [ -x "$root/opt/a place/gwflux/mpirun" ]; then
    model=("$at/gwflux" predict -m "$at/data/demo_model.nc" -i "$at/data/demo_windset.nc")
    works "two ranks" inside "$at/mpirun" --oversubscribe -n 2 "${model[@]}" -o "$seen/tmp/ranks.nc"
    says "two ranks" "on 2 ranks" out
    works "their fluxes" compare "$root/tmp/ranks.nc" 0 truth.nc 0 2 1e-5
    works "two tiles" inside "$at/mpirun" --oversubscribe -n 2 "${model[@]}" -o "$seen/tmp/tiles.nc" --tiles 2x1
    works "their fluxes" compare "$root/tmp/tiles.nc" 0 truth.nc 0 2 1e-5
fi

# From here in this root, from a folder without a blank in its name.
mv "$root/opt/a place/gwflux" moved
ln -s "$PWD/moved/gwflux" link
works "through a link" ./link --version
works "through PATH" env -i PATH="$PWD/moved:$PATH" gwflux --version
works "from its folder" env -i sh -c 'cd moved && sh gwflux --version'
says "the version" "gwflux $("$build/gwflux" --version | cut -d ' ' -f 2)" out
if [ -x moved/mpirun ]; then
    # A second node: this one under another name, with an empty environment, as ssh gives it.
    cat > other_node << 'END'
#!/bin/sh
shift
exec env -i PATH=/usr/bin:/bin OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 sh -c "$*"
END
    chmod +x other_node
    export OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo
    works "ranks on another node" env "${settings[@]}" moved/mpirun --mca plm_rsh_agent "$PWD/other_node" -H other:2 -n 2 \
        "$PWD/moved/gwflux" predict -m model.nc -i "$source/data/demo_windset.nc" -o nodes.nc
    works "their fluxes" compare nodes.nc 0 truth.nc 0 2 1e-5
fi

# The cuda backend on a machine without cuDNN: said, and the rest of the check passes.
if [ "$kind" = --cuda-from-target ]; then
    holds "fits through a narrow door" test "$(tar -c moved | gzip -1 | wc -c)" -le $((64 << 20))
    mkdir check
    works "gpu-check.sh without a GPU" env -i PATH=/usr/bin:/bin sh -c 'cd check && ../moved/gpu-check.sh; test $? -eq 3'
    says "no GPU" "gpu-check: no GPU on this machine" err
    works "the result" python3 -m json.tool check/gpu-check.json
    says "the result" '"failed": 0' out
    says "the result" '"network": "unet-64-1024"' out
else
    echo "skipped: gpu-check.sh: built without CUDA"
fi
printf '%s MB\n' "$size"
finish
