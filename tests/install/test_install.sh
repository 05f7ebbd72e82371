#!/usr/bin/env bash
# Install gwflux into a scratch folder and use it from there: through CMake's package (shared and
# static) and through pkg-config. Arguments: build folder, source folder, C compiler, extra flags, and
# where the Fortran module is built its compiler.
set -euo pipefail
build=$1 source=$2 cc=$3 flags=${4:-} fc=${5:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/usr" > "$scratch/install.log"
libdir=$(dirname "$(find "$scratch/usr" -name libgwflux.so)")
export LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$scratch/usr/bin/gwflux" import "$source/tests/golden/unet.pt" -o "$scratch/model.nc" --features uvtheta

cmake -S "$source/tests/install" -B "$scratch/outside" -DCMAKE_PREFIX_PATH="$scratch/usr" \
      -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" ${fc:+-DCMAKE_Fortran_COMPILER="$fc"} \
      -DCMAKE_Fortran_FLAGS="$flags" > "$scratch/cmake.log"
cmake --build "$scratch/outside" >> "$scratch/cmake.log"

export PKG_CONFIG_PATH=$libdir/pkgconfig
# The prefix was chosen at install time; pkg-config is told where the files are now.
read -ra use < <(pkg-config --define-variable=prefix="$scratch/usr" --cflags --libs gwflux)
# shellcheck disable=SC2086
"$cc" $flags "$source/tests/install/example.c" "${use[@]}" -o "$scratch/outside/pkgconfig_user"

users=(shared_user static_user pkgconfig_user)

# Fortran: as installed, and compiled from the sources that are installed, for another compiler.
if [ -n "$fc" ]; then
    read -ra use < <(pkg-config --define-variable=prefix="$scratch/usr" --cflags --libs gwflux-fortran)
    # shellcheck disable=SC2086
    "$fc" $flags "$source/tests/install/example.f90" "${use[@]}" -o "$scratch/outside/fortran_pkgconfig_user"
    cp -r "$scratch/usr/share/gwflux/fortran" "$scratch/own"
    read -ra use < <(pkg-config --define-variable=prefix="$scratch/usr" --cflags --libs gwflux)
    # shellcheck disable=SC2086
    (cd "$scratch/own" && "$fc" $flags gwflux_{c,text,options,engine}.f90 gwflux_plugin.F90 gwflux.f90 \
        "$source/tests/install/example.f90" "${use[@]}" -o "$scratch/outside/fortran_source_user")
    users+=(fortran_user fortran_static_user fortran_pkgconfig_user fortran_source_user)
fi

for user in "${users[@]}"; do
    "$scratch/outside/$user" "$scratch/model.nc" | grep "mean uw of the top level" > "$scratch/$user.out"
    if "$scratch/outside/$user" "$scratch/none.nc" 2> "$scratch/$user.err"; then exit 1; fi
    grep -q "none.nc" "$scratch/$user.err"
done
cmp "$scratch/shared_user.out" "$scratch/static_user.out"
cmp "$scratch/shared_user.out" "$scratch/pkgconfig_user.out"
for user in "${users[@]:3}"; do
    cmp "$scratch/fortran_user.out" "$scratch/$user.out"
done
echo "installed, found by CMake and pkg-config, used shared and static"
