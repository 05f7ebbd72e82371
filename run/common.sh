# Shared by the scripts of this folder and .ci/run, which source it. Stops at the first failure.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s: error: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# log FILE COMMAND...: quiet unless it fails, then the last lines of what it printed.
log() {
    local file=$1
    shift
    "$@" >"$file" 2>&1 && return
    tail -n 40 "$file" >&2
    die "failed: $* (all of its output: $file)"
}

# build FOLDER TARGETS [CMAKE OPTION...]: TARGETS is one word, names separated by blanks.
build() {
    local folder=$1 targets generator=()
    read -ra targets <<<"$2"
    shift 2
    say "Building in $folder"
    mkdir -p "$folder"
    [ -f "$folder/CMakeCache.txt" ] || generator=(-G Ninja)
    log "$folder/configure.log" cmake -S . -B "$folder" "${generator[@]}" "$@"
    log "$folder/build.log" cmake --build "$folder" --target "${targets[@]}"
    echo "done: $PWD/$folder"
}

# run_tests FOLDER [CTEST OPTION...]: every test of a build (or those that the options select), then
# one line of what ran. Fails when a test fails, when there is none, and when a check failed that its
# program did not report.
run_tests() {
    local folder=$1 code=0 output=$1/Testing/Temporary/LastTest.log
    shift
    say "Testing in $folder"
    rm -f "$output"
    (cd "$folder" && ctest --output-on-failure --no-tests=error -j2 "$@") || code=$?
    [ -f "$output" ] || die "ctest ran no test in $folder"
    # CUnit closes with "asserts TOTAL RAN PASSED FAILED n/a".
    awk -v folder="$folder" '
        /^[0-9]+\/[0-9]+ Test: / { tests++ }
        /^Test (Passed|Pass Reason)/ { passed++ }
        /^ *asserts +[0-9]+ +[0-9]+/ { checks += $3; failed += $5 }
        /^skipped: / { skipped++ }
        END {
            printf "\n%s: %d of %d tests passed; %d CUnit checks, %d failed; %d parts skipped\n",
                folder, passed, tests, checks, failed, skipped
            exit failed > 0
        }' "$output" || code=1
    return "$code"
}
