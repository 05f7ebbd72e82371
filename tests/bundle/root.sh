# A root folder for programs, which holds libc, a shell and what the test puts there; sourced after
# check.sh. $root is where it lies, $seen what stands before its paths for the programs inside:
# nothing, or $root where the system does not let us change the root.
# shellcheck shell=bash disable=SC2154
root=$scratch/root seen=''
settings=(OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1)

copy() {
    mkdir -p "$root/$(dirname "$1")"
    cp -L "$1" "$root/$1"
}

# inside COMMAND...: with an empty environment and the root folder $root, the system's /proc, /sys and
# /dev in it.
inside() {
    if [ -n "$seen" ]; then
        env -i "${settings[@]}" "$@"
        return
    fi
    # shellcheck disable=SC2016 # the inner shell's
    "${own_mounts[@]}" sh -c '
        root=$1 && shift
        for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder" || exit 125; done
        exec env -i "$@"' sh "$root" "${settings[@]}" "$(command -v chroot)" "$root" "$@"
}

root_make() {
    local libc name file
    libc=$(ldd /bin/sh | awk '$1 ~ /^libc\.so/ { print $3 }')
    mkdir -p "$root"/{opt,tmp,proc,sys,dev}
    for file in /bin/sh $(ldd /bin/sh | grep -oE '/[^ ]+'); do copy "$file"; done
    for name in c m mvec pthread dl rt resolv util anl; do
        for file in "$(dirname "$libc")/lib$name".so.*; do [ ! -e "$file" ] || copy "$file"; done
    done
    own_mounts=(unshare --mount)
    inside /bin/sh -c true 2> err && return
    own_mounts=(unshare --mount --map-root-user)
    inside /bin/sh -c true 2> err && return
    echo "skipped: hiding the system's libraries: $(tail -n 1 err)"
    seen=$root
}
