# What tests of the command over ranks share; sourced after check.sh. Needs gwflux, programs and
# launcher: mpiexec, the flag for the number of ranks, further words.
# shellcheck shell=bash disable=SC2154
export OMPI_MCA_btl_vader_backing_directory=$scratch # killed ranks leave nothing in /dev/shm

# ranks N COMMAND...
ranks() {
    local n=$1
    shift
    "${launcher[0]}" "${launcher[1]}" "$n" "${launcher[@]:2}" "$@"
}

# same A.nc B.nc: every value.
same() { "$programs/same_data" "$1" "$2"; }

# Wrappers that a rank is started with. own: in a folder of its own, own.RANK. coded: leaves its
# process number in pid.RANK and its exit code in code.RANK.
cat > own << 'END'
#!/usr/bin/env bash
cd "own.${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}" && exec "$@"
END
cat > coded << 'END'
#!/usr/bin/env bash
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
trap : TERM INT USR1
echo $$ > "pid.$rank"
"$@"
code=$?
echo $code > "code.$rank"
exit $code
END
chmod +x own coded

# Until so many kB of a file are on the disk: steps are being written. Fails when it never comes.
await_size() {
    local n
    for n in $(seq 1500); do
        [ "$(stat -c %b "$1" 2> /dev/null || echo 0)" -gt $((2 * $2)) ] && return 0
        sleep 0.02
    done
    return 1
}

# The number of finished steps in a file: those with a time.
finished() {
    ncdump -v time "$1" 2> /dev/null | sed -n '/^data:/,$ { s/.*time = //; /[0-9_]/p }' |
        tr -cd '0-9,_\n' | tr ',' '\n' | grep -c '[0-9]'
}
