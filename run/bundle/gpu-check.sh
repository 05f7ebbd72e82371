#!/bin/sh
# gpu-check.sh [-o FILE.json]: what gwflux does on this machine's GPU. Runs the tests of the cuda backend,
# then the benchmark, beside PyTorch where python3 has it, and writes one JSON file (gpu-check.json).
# Less than six minutes: PyTorch has what the rest leaves of them. Exit code 0: all passed; 1:
# something failed; 3: no GPU, and what runs without one passed. Temporary files of 1 GB go to $TMPDIR.
set -u
self=$(readlink -f "$0" 2>/dev/null) || self=$0
here=$(cd "$(dirname "$self")" && pwd)
result="gpu-check.json"
if [ $# -eq 2 ] && [ "$1" = -o ]; then
    result=$2
elif [ $# -ne 0 ]; then
    echo "usage: gpu-check.sh [-o FILE.json]" >&2
    exit 2
fi
whole=345 begun=$(date +%s) # seconds
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
mkdir "$scratch/checks" "$scratch/bench" "$scratch/damaged"
python_libraries=${LD_LIBRARY_PATH:-} # this machine's, without the bundle's
# shellcheck source=run/bundle/env.sh
. "$here/env.sh"
export GWF_TEST_DATA="$here/tests" GWFLUX_CACHE="$scratch/cache" TMPDIR="$scratch"

# ---- checks: each leaves $scratch/checks/NUMBER.out and a JSON object in NUMBER.json ----

number=100

# quoted: standard input as a JSON string.
quoted() {
    tr -d '\000-\010\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/	/ /g' |
        awk 'BEGIN { printf "\"" } { printf "%s%s", (NR > 1 ? "\\n" : ""), $0 } END { printf "\"" }'
}

left() {
    echo $((whole - $(date +%s) + begun))
}

# limited SECONDS COMMAND...: ended when it takes longer, or longer than is left, where the system can do
# that. Skipped where nothing is left.
limited() {
    limit=$(left)
    [ "$limit" -gt 0 ] || return 77
    [ "$1" -gt "$limit" ] || limit=$1
    shift
    if command -v timeout >/dev/null; then
        timeout "$limit" "$@"
    else
        "$@"
    fi
}

# run NUMBER NAME COMMAND...: 77 is skipped.
run() {
    out=$scratch/checks/$1.out name=$2 code=0 start=$(date +%s)
    shift 2
    ("$@") >"$out" 2>&1 || code=$?
    seconds=$(($(date +%s) - start))
    case $code in
    0) verdict=passed ;;
    77) verdict=skipped ;;
    *) verdict=failed ;;
    esac
    printf '%-8s %4d s  %s\n' "$verdict" "$seconds" "$name" >&2
    [ $verdict != failed ] || tail -n 30 "$out" | sed 's/^/    /' >&2
    {
        printf '{"name": "%s", "result": "%s", "seconds": %d' "$name" $verdict $seconds
        [ $verdict = passed ] || printf ', "exit_code": %d, "output": %s' $code "$(tail -n 100 "$out" | quoted)"
        printf '}'
    } >"${out%.out}.json"
}

# check NAME COMMAND...; beside NAME COMMAND...: the same while the script goes on.
check() {
    number=$((number + 1))
    run $number "$@"
}

beside() {
    number=$((number + 1))
    run $number "$@" &
}

# refused WORDS COMMAND...: it ends with exit code 1 and says these words.
refused() {
    words=$1 code=0
    shift
    said=$("$@" 2>&1) || code=$?
    printf '%s\nexit code %d; expected 1 and "%s"\n' "$said" $code "$words"
    [ $code -eq 1 ] && says "$words" "$said"
}

# says WORDS TEXT
says() {
    case $2 in
    *"$1"*) ;;
    *) return 1 ;;
    esac
}

# Nothing is measured but in the benchmark.
predict() {
    limited 120 "$here/bin/gwflux" predict -m "$here/data/demo_model.nc" -i "$here/data/demo_windset.nc" \
        --tune off "$@"
}

# ---- is there a GPU, and what happens without ----

loads_nothing() {
    GWFLUX_BACKEND_DIR=$scratch/none refused "libgwflux_cuda.so is not installed" \
        predict -o "$scratch/none.nc" --backend cuda
}

loads_damaged() {
    echo "not a library" >"$scratch/damaged/libgwflux_cuda.so"
    GWFLUX_BACKEND_DIR=$scratch/damaged refused "or it is damaged" predict -o "$scratch/none.nc" --backend cuda
}

falls_back() {
    said=$(CUDA_VISIBLE_DEVICES='' predict -o "$scratch/auto.nc" --backend auto 2>&1) || return 1
    echo "$said"
    says "taking the next one" "$said" && says "backend cpu" "$said"
}

no_device() {
    CUDA_VISIBLE_DEVICES='' refused "backend cuda: " predict -o "$scratch/none.nc" --backend cuda
}

# ---- the tests ----

# test_on_gpu PRECISION
test_on_gpu() {
    GWF_TEST_PRECISION=$1 GWF_TEST_BACKEND=cuda GWF_TEST_ROWS=64 limited 150 "$here/bin/test_device"
}

test_on_cpu() {
    GWF_TEST_PRECISION=fp32 GWF_TEST_BACKEND=cpu limited 300 "$here/bin/test_device"
}

agrees_with_cpu() {
    predict -o "$scratch/cpu.nc" --backend cpu || return 1
    predict -o "$scratch/gpu.nc" --backend cuda || return 1
    predict -o "$scratch/batch.nc" --backend cuda --batch 2 || return 1
    "$here/bin/compare_fluxes" "$scratch/cpu.nc" 0 "$scratch/gpu.nc" 0 2 3e-2 &&
        "$here/bin/compare_fluxes" "$scratch/cpu.nc" 0 "$scratch/batch.nc" 0 2 3e-2
}

# Two ranks that see the same one GPU.
ranks() {
    CUDA_VISIBLE_DEVICES=$first OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 limited 120 \
        "$here/bin/mpirun" --oversubscribe -n 2 "$here/bin/gwflux" predict -m "$here/data/demo_model.nc" \
        -i "$here/data/demo_windset.nc" --backend cuda --tune=off "$@" # "--tune off" is mpirun's too
}

ranks_refused() {
    said=$(ranks -o "$scratch/none.nc" 2>&1) && return 1
    echo "$said"
    says "ranks-per-device" "$said"
}

ranks_agree() {
    ranks -o "$scratch/ranks.nc" --ranks-per-device 2 &&
        "$here/bin/compare_fluxes" "$scratch/gpu.nc" 0 "$scratch/ranks.nc" 0 2 3e-2
}

# ---- the benchmark ----

# bench MEMORY BATCH RUNS
bench() {
    memory=$1 batch=$2 steps=$(($2 * $3)) file=$scratch/bench/$1-$2.json resident=''
    [ "$memory" = host ] || resident=--resident
    limited 120 "$here/bin/gwflux" bench -m "$scratch/wide.nc" --backend cuda --batch "$batch" \
        --steps "$steps" $resident --json "$file"
}

# One entry of what the benchmark keeps is damaged: it is made anew, with a message.
damaged_cache() {
    cp -r "$GWFLUX_CACHE" "$scratch/plans" || return 1
    file=$(find "$scratch/plans" -type f | sort | head -n 1)
    [ -s "$file" ] || return 1
    printf 'x' | dd of="$file" bs=1 seek=$(($(wc -c <"$file") - 1)) conv=notrunc 2>/dev/null
    said=$(limited 60 "$here/bin/gwflux" bench -m "$scratch/wide.nc" --backend cuda --steps 1 \
        --cache "$scratch/plans" 2>&1) || return 1
    echo "$said"
    says "damaged" "$said"
}

pytorch() {
    [ "$(left)" -gt 40 ] || return 77
    limited 300 env LD_LIBRARY_PATH="$python_libraries" PYTHONUNBUFFERED=1 python3 \
        "$here/tests/bench/compare_torch_gpu.py" --gwflux "$here/gwflux" --folder "$scratch" \
        --seconds $(($(left) - 10)) --json "$scratch/pytorch.json"
}

# ---- all of it ----

check "cuda without its library" loads_nothing
check "cuda with a damaged library" loads_damaged
check "cuda without a device" no_device
check "auto without a device" falls_back

gpu=null has_gpu=''
if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU || [ -e /dev/nvidia0 ]; then
    has_gpu=yes
    first=$(echo "${CUDA_VISIBLE_DEVICES:-0}" | cut -d , -f 1)
    gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,pci.bus_id --format=csv 2>&1 | quoted)
    check "a prediction on the GPU" agrees_with_cpu
    for test in test_backend test_plan test_engine; do
        beside "$test" limited 150 env GWF_TEST_BACKEND=cuda "$here/bin/$test"
    done
    for precision in fp32 tf32 bf16 fp16; do
        beside "test_device, $precision" test_on_gpu $precision
    done
    wait
    check "more ranks than GPUs" ranks_refused
    check "two ranks on a GPU" ranks_agree
    check "the full-width model" "$here/bin/make_wide_model" "$scratch/wide.nc"
    check "bench, 1 map, on the device" bench device 1 200
    check "bench, 1 map, from the host" bench host 1 200
    check "bench, 32 maps, on the device" bench device 32 50
    check "bench, 32 maps, from the host" bench host 32 50
    check "a damaged cache" damaged_cache
    check "beside PyTorch" pytorch
else
    check "tests on the CPU" test_on_cpu
fi

# ---- the result ----

# list FILE...: JSON objects, those that there are.
list() {
    separator=''
    printf '['
    for file; do
        [ -s "$file" ] || continue
        printf '%s\n  ' "$separator"
        cat "$file"
        separator=,
    done
    printf ']'
}

accuracy() {
    cat "$scratch"/checks/*.out | awk '
        BEGIN { printf "[" }
        $1 == "measured:" {
            printf "%s\n  {\"network\": \"%s\", \"precision\": \"%s\", \"error\": \"%s\", \"limit\": %s}",
                comma, $2, $3, $4, $5
            comma = ","
        }
        END { printf "]" }'
}

failures=$(cat "$scratch"/checks/*.json | grep -o '"result": "failed"' | wc -l)
{
    printf '{"gwflux": %s,\n' "$("$here/bin/gwflux" --version | quoted)"
    printf '"date": "%s",\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    printf '"failed": %d,\n"gpu": %s,\n' "$failures" "$gpu"
    printf '"processor": %s,\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1 | quoted)"
    printf '"kernel": %s,\n' "$(uname -sr | quoted)"
    printf '"backends": %s,\n' "$("$here/bin/gwflux" info --backends 2>&1 | quoted)"
    printf '"checks": %s,\n' "$(list "$scratch"/checks/*.json)"
    printf '"accuracy": %s,\n' "$(accuracy)"
    printf '"bench": %s,\n' "$(list "$scratch"/bench/*.json)"
    printf '"pytorch": %s}\n' "$(cat "$scratch/pytorch.json" 2>/dev/null || echo null)"
} >"$result" || exit 1
echo "results: $result" >&2
if [ "$failures" -gt 0 ]; then
    echo "gpu-check: $failures of the checks failed" >&2
    exit 1
fi
if [ -z "$has_gpu" ]; then
    echo "gpu-check: no GPU on this machine (nvidia-smi lists none); what runs without one passed" >&2
    exit 3
fi
echo "gpu-check: all passed" >&2
