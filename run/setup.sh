#!/usr/bin/env bash
# Installs the Debian 12 packages that building and the demonstration need, with the argument `tests`
# also those of the tests (Slurm among them): only what is missing, as root or with sudo.
# GWFLUX_SETUP=no skips it, where they came by another way.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages=(
    # building
    build-essential cmake ninja-build pkg-config
    # the library: NetCDF files, PyTorch's zip container, SHA-256, oneDNN's convolutions
    libnetcdf-dev libzip-dev libssl-dev libdnnl-dev
    # compressed chunks decoded in threads
    libhdf5-dev libdeflate-dev
    # units of physical fields
    libudunits2-dev
    # YAML files of options
    libcyaml-dev
    # ranks, and their NetCDF
    libopenmpi-dev openmpi-bin libnetcdf-mpi-dev
    # the Fortran module and the host models of the examples
    gfortran
    # GRIB files of reanalysis
    libeccodes-dev
    # gwflux plot: ECMWF's Magics and a font for its texts
    libmagics++-dev libmagplus3v5 fonts-dejavu-core
)
test_packages=(
    # CUnit; ncdump and ncgen; pictures are read back
    libcunit1-dev netcdf-bin libpng-dev
    # outputs are opened with them, fields checked by NumPy, GRIB made
    cdo nco python3-numpy python3-netcdf4 python3-xarray
    # run/slurm/: a Slurm of their own on this host
    slurm-wlm slurmctld slurmd slurm-client munge
    # checks: libFuzzer, the format of the sources, the scripts
    clang libclang-rt-14-dev clang-format shellcheck
)

case ${1:-} in
'') ;;
tests) packages+=("${test_packages[@]}") ;;
*) die "$1: expected nothing or tests" ;;
esac

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            echo "$package"
    done
}

check_system() {
    local ID='' VERSION_ID='' PRETTY_NAME='an unknown system'
    # shellcheck source=/dev/null
    if [ -r /etc/os-release ]; then . /etc/os-release; fi
    [ "$ID" = debian ] || die "this is $PRETTY_NAME, the packages are known for Debian 12 only;" \
        "install what corresponds to them (${packages[*]}), then set GWFLUX_SETUP=no"
    [ "$VERSION_ID" = 12 ] || echo "note: this is $PRETTY_NAME; gwflux is tested on Debian 12"
}

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@"
}

# The lists of packages are fetched only when they are absent or stale.
install_packages() {
    apt install -y --no-install-recommends "$@" || {
        apt update && apt install -y --no-install-recommends "$@"
    }
}

if [ "${GWFLUX_SETUP:-yes}" = no ]; then exit 0; fi
check_system
mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "neither root nor sudo to install: ${missing[*]}"
    as_root=(sudo)
fi
say "Installing ${missing[*]} (some minutes)"
output=$(mktemp)
log "$output" install_packages "${missing[@]}"
rm -f "$output"
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] || die "still not installed: ${missing[*]}"
