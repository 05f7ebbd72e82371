#!/usr/bin/env bash
# A folder that runs on an x86-64 Linux without a package manager or a network, wherever it is put:
# the command, its backends, a model and a sample, and every library they need but libc and the GPU's
# driver.
#
#     run/bundle.sh [--without-cuda | --cuda-from-target] [--build FOLDER] DIR
#
# --without-cuda      for CPUs only
# --cuda-from-target  the cuda backend, but not cuDNN and what it opens (1 GB), which the machine that runs
#                     it has below /usr/local/cuda or as Python packages
# --build FOLDER      takes what is built in this folder instead of building in build
# shellcheck source-path=SCRIPTDIR source=common.sh
caller=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# ---- arguments ----

absolute() {
    case $1 in
    /*) echo "$1" ;;
    *) echo "$caller/$1" ;;
    esac
}

cuda=bundled made='' target=''
while [ $# -gt 0 ]; do
    case $1 in
    --without-cuda) cuda=none ;;
    --cuda-from-target) cuda=target ;;
    --build)
        made=$(absolute "${2:?FOLDER is missing}")
        shift
        ;;
    -*) die "$1: expected --without-cuda, --cuda-from-target, --build FOLDER or DIR" ;;
    *)
        [ -z "$target" ] || die "$1: one DIR only"
        target=$(absolute "$1")
        ;;
    esac
    shift
done
[ -n "$target" ] || die "DIR is missing"
if [ -e "$target" ] && [ -n "$(ls -A "$target")" ]; then die "$target is there and not empty"; fi

# What gpu-check.sh runs; test_cuda_loader looks for files of the build.
tests=(test_backend test_plan test_engine test_device compare_fluxes make_wide_model)
if [ -z "$made" ]; then
    made=$PWD/build
    if [ "$cuda" = none ]; then
        build build gwflux_bundled -DCMAKE_BUILD_TYPE=Release
    else
        build build "gwflux_bundled gwflux_cuda ${tests[*]}" -DCMAKE_BUILD_TYPE=Release -DGWF_CUDA=ON
    fi
fi
program=$made/bundled/gwflux
[ -x "$program" ] || die "$program is not there"

# ---- pieces ----

# put FOLDER FILE...: copies, links followed.
put() {
    local folder=$target/$1
    shift
    mkdir -p "$folder"
    cp -L "$@" "$folder"
}

# needs FILE...: lines "NAME PATH" of the libraries that they need, directly or not, but libc's.
needs() {
    local linked
    linked=$(ldd "$@") || die "one of these is no program or library that ldd knows: $*"
    awk '
        $2 == "=>" && $1 !~ /^lib(c|m|mvec|pthread|dl|rt|resolv|util|anl)\.so/ {
            print $1, $3 == "not" ? "missing" : $3
        }' <<<"$linked"
}

# library NAME: where the command has this library from; nothing where it does not need it.
library() {
    awk -v name="$1.so" 'index($1, name) == 1 { print $2 }' "$scratch/program"
}

# written_in FILE PATTERN: a path that was compiled into it.
written_in() {
    local path
    path=$(grep -aoE "$2" "$1" | head -n 1)
    [ -e "$path" ] || die "$1 names no $2 that is there"
    echo "$path"
}

put_units() {
    put share/udunits "$(dirname "$(written_in "$(library libudunits2)" '/[a-z0-9/._-]+/udunits2\.xml')")"/*.xml
}

# Of ecCodes' definitions those of GRIB.
put_definitions() {
    local eccodes from
    eccodes=$(library libeccodes)
    [ -n "$eccodes" ] || return 0
    from=${ECCODES_DEFINITION_PATH:-$(written_in "$eccodes" '/[a-z0-9/._-]+/eccodes/definitions')}
    mkdir -p "$target/share/eccodes/definitions"
    cp -rL "$from"/*.def "$from"/*.table "$from"/{common,grib1,grib2,mars} "$target/share/eccodes/definitions"
}

# Open MPI, its plugins for one node and for TCP: those of fabrics need the fabric's own drivers.
put_mpi() {
    local pal pmix plugin
    pal=$(library libopen-pal)
    if [ -z "$pal" ]; then
        [ -z "$(library libmpi)" ] || die "$made: of the MPIs only Open MPI can be moved"
        return 0
    fi
    mpi_path() { ompi_info --parsable --path "$1" | sed 's/^path:[a-z]*://'; }
    put bin "$(mpi_path bindir)/orted"
    cp -L "$(mpi_path bindir)/orterun" "$target/bin/mpirun"
    put share/openmpi "$(mpi_path pkgdatadir)"/help-*.txt
    put etc/openmpi "$(mpi_path sysconfdir)/openmpi-mca-params.conf"
    for plugin in "$(mpi_path pkglibdir)"/mca_*.so; do
        case ${plugin##*/} in
        *_ofi.so | *_openib.so | *_ucx.so | *_usnic.so | *_psm.so | *_psm2.so) ;;
        mca_atomic_* | mca_memheap_* | mca_scoll_* | mca_spml_* | mca_sshmem_*) ;; # OpenSHMEM's
        *) put lib/openmpi "$plugin" ;;
        esac
    done
    pmix=$(needs "$(mpi_path pkglibdir)/mca_pmix_ext3x.so" | awk '/^libpmix/ { print $2 }')
    pmix=$(dirname "$(readlink -f "$pmix")")
    put lib/pmix "$pmix"/pmix/*.so
    put share/pmix "$pmix"/../share/pmix/*.txt
}

# The cuda backend; of cuDNN all but its recurrent and attention networks, of CUDA what cuDNN opens
# when it runs: the compiler and cuBLASLt.
put_cuda() {
    local backend=$made/libgwflux_cuda.so cudnn part
    [ "$cuda" != none ] || return 0
    [ -e "$backend" ] || die "$backend is not there (--without-cuda does without)"
    put lib "$backend"
    put bin "${tests[@]/#/$made/tests/}"
    put tests/golden tests/golden/{unet,ann}*.{pt,nc} tests/golden/networks.py
    put tests/bench tests/bench/compare_torch*.py
    put . run/bundle/gpu-check.sh
    cudnn=$(needs "$backend" | awk '/^libcudnn\.so/ { print $2 }')
    [ -e "$cudnn" ] || die "$backend needs cuDNN, which is not there"
    if [ "$cuda" = target ]; then
        echo "${cudnn##*/}" >"$target/cudnn-of-the-machine"
        return 0
    fi
    for part in "${cudnn%/*}"/libcudnn_*.so."${cudnn##*.so.}"; do
        [[ $part = *_adv.* ]] || put lib "$part"
    done
    grep -aohE 'lib(nvrtc|cublasLt)\.so\.[0-9]+' "${cudnn%/*}"/libcudnn_engines_precompiled.so* |
        sort -u >"$scratch/opened"
    while read -r part; do
        put lib "$(beside "$cudnn" "$part")"
    done <"$scratch/opened"
    put lib "$(beside "$cudnn" 'libnvrtc-builtins.so.[0-9]*')"
}

# beside LIBRARY PATTERN: what matches in the library's folder, in CUDA's, or in another Python package's.
beside() {
    local folder found
    for folder in "${1%/*}" /usr/local/cuda/lib64 "${1%/*}"/../../*/lib; do
        found=$(find -L "$folder" -maxdepth 1 -name "$2" | head -n 1)
        if [ -n "$found" ]; then
            echo "$found"
            return
        fi
    done
    die "$2 is neither beside $1 nor in /usr/local/cuda/lib64"
}

# What the programs and plugins in the bundle need, but what is left to the machine that runs it.
put_libraries() {
    local files name path
    mapfile -d '' files < <(find "$target/bin" "$target/lib" -type f -print0)
    needs "${files[@]}" | sort -u >"$scratch/needed"
    while read -r name path; do
        if [ "$cuda" = target ] && [[ $name = libcudnn* ]]; then continue; fi
        [ "$path" != missing ] || die "$name is not there"
        [ "$path" -ef "$target/lib/$name" ] || cp -L "$path" "$target/lib/$name"
    done <"$scratch/needed"
}

# The words of the law that go with each library of a Debian package.
put_licences() {
    local package
    command -v dpkg-query >/dev/null || return 0
    # A package may know /usr/lib as /lib.
    { cut -d ' ' -f 2 "$scratch/needed" | xargs -n 1 readlink -f | sed 's,^\(/usr\)*,*,' |
        xargs dpkg-query --search 2>/dev/null || true; } | sed 's/:.*//' | sort -u >"$scratch/packages"
    mkdir -p "$target/licences"
    while read -r package; do
        cp -L "/usr/share/doc/$package/copyright" "$target/licences/$package"
    done <"$scratch/packages"
}

# The newest version of libc that anything in the bundle asks for.
libc_version() {
    find "$target/bin" "$target/lib" -type f -print0 | xargs -0 objdump -T |
        grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1 | sed 's/GLIBC_//'
}

put_launchers() {
    local name
    put . run/bundle/env.sh
    for name in gwflux mpirun orted; do
        [ ! -e "$target/bin/$name" ] || cp run/bundle/launch.sh "$target/$name"
    done
}

write_readme() {
    sed "s/@version@/$("$program" --version | sed 's/^gwflux //')/; s/@libc@/$(libc_version)/" \
        run/bundle/README >"$target/README"
}

# ---- the bundle ----

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
say "Bundling $made in $target"
needs "$program" >"$scratch/program"
put bin "$program"
put data data/demo_unet.pt data/demo_windset.nc data/README.md LICENSE
put_mpi
put_units
put_definitions
put_cuda
put_libraries
put_launchers
"$target/gwflux" import data/demo_unet.pt -o "$target/data/demo_model.nc" --features uvtheta >/dev/null
put_licences
write_readme
echo "done: $target, $(du -sm "$target" | cut -f 1) MB, for x86-64 Linux with glibc $(libc_version) or newer"
