# What the command-line tests share; sourced. Counts checks and says which failed.
# shellcheck shell=bash
passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
# What one run measured the next ones keep to: answers that are compared come from the same algorithms.
export GWFLUX_CACHE=$scratch/tuned

verdict() { # verdict WHAT STATUS
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$1"
        sed 's/^/    /' out err 2> /dev/null
    fi
}

# works WHAT COMMAND...: exit code 0.
works() {
    local what=$1
    shift
    "$@" > out 2> err
    verdict "$what" $?
}

# fails WHAT CODE WORDS COMMAND...: this exit code, one line of error that contains the words.
fails() {
    local what=$1 code=$2 words=$3 got=0
    shift 3
    "$@" > out 2> err || got=$?
    [ "$got" -eq "$code" ] && grep "error:" err | grep -qF -- "$words" &&
        [ "$(grep -c "error:" err)" -eq 1 ]
    verdict "$what (exit $got): $words" $?
}

# holds WHAT COMMAND...: a condition about what the last command left behind.
holds() {
    local what=$1
    shift
    "$@" > /dev/null 2>&1
    verdict "$what" $?
}

# says WHAT WORDS FILE
says() {
    grep -qF -- "$2" "$3"
    verdict "$1: $2" $?
}

finish() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
}
