#!/usr/bin/env bash
# Install gwflux into a scratch folder and use it from there: through CMake's package (shared and
# static) and through pkg-config. Arguments: build folder, source folder, C compiler, extra C flags.
set -euo pipefail
build=$1 source=$2 cc=$3 flags=${4:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/usr" > "$scratch/install.log"
libdir=$(dirname "$(find "$scratch/usr" -name libgwflux.so)")
export LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$scratch/usr/bin/gwflux" import "$source/tests/golden/unet.pt" -o "$scratch/model.nc" --features uvtheta

cmake -S "$source/tests/install" -B "$scratch/outside" -DCMAKE_PREFIX_PATH="$scratch/usr" \
      -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" > "$scratch/cmake.log"
cmake --build "$scratch/outside" >> "$scratch/cmake.log"

export PKG_CONFIG_PATH=$libdir/pkgconfig
# The prefix was chosen at install time; pkg-config is told where the files are now.
read -ra use < <(pkg-config --define-variable=prefix="$scratch/usr" --cflags --libs gwflux)
# shellcheck disable=SC2086
"$cc" $flags "$source/tests/install/example.c" "${use[@]}" -o "$scratch/outside/pkgconfig_user"

for user in shared_user static_user pkgconfig_user; do
    "$scratch/outside/$user" "$scratch/model.nc" | grep "mean uw of the top level" > "$scratch/$user.out"
    if "$scratch/outside/$user" "$scratch/none.nc" 2> "$scratch/$user.err"; then exit 1; fi
    grep -q "none.nc" "$scratch/$user.err"
done
cmp "$scratch/shared_user.out" "$scratch/static_user.out"
cmp "$scratch/shared_user.out" "$scratch/pkgconfig_user.out"
echo "installed, found by CMake and pkg-config, used shared and static"
