#include "cli/machine.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "fields/threads.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { CHAINS = 12, TURNS = 2000000, ROUNDS = 10, TRIAD_VALUES = 8 << 20 };

/* A kernel does TURNS times CHAINS vectors of multiply-adds that do not wait for each other, and
 * gives a value that depends on all of them. */
typedef struct kernel {
    const char *name;
    double (*run)(const void *numbers);
    double macs; /* of one vector */
} kernel;

/* --- kernels -------------------------------------------------------------------------------- */

/* CHAINS sums, each from a value of its own, become `next` of themselves in every turn. */
#define KERNEL(function, attributes, type, next, join)                                             \
    attributes static double function(const void *numbers)                                         \
    {                                                                                              \
        type factor, sum[CHAINS];                                                                  \
        memcpy(&factor, numbers, sizeof factor);                                                   \
        for (int c = 0; c < CHAINS; c++)                                                           \
            memcpy(&sum[c], (const char *)numbers + c, sizeof sum[c]);                             \
        for (int t = 0; t < TURNS; t++)                                                            \
            _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) sum[c] = next;               \
        for (int c = 1; c < CHAINS; c++) sum[0] join sum[c];                                       \
        return (double)sum[0][0];                                                                  \
    }

typedef float floats_128 __attribute__((vector_size(16)));
KERNEL(fma_128, , floats_128, sum[c] *factor + factor, +=)

#if defined(__x86_64__)
KERNEL(fma_256, __attribute__((target("avx2,fma"))), __m256,
       _mm256_fmadd_ps(sum[c], factor, factor), +=)
KERNEL(fma_512, __attribute__((target("avx512f"))), __m512, _mm512_fmadd_ps(sum[c], factor, factor),
       +=)
KERNEL(dot_bf16, __attribute__((target("avx512f,avx512bf16"))), __m512,
       _mm512_dpbf16_ps(sum[c], (__m512bh)factor, (__m512bh)factor), +=)
KERNEL(dot_int8, __attribute__((target("avx512f,avx512vnni"))), __m512i,
       _mm512_dpbusd_epi32(sum[c], factor, factor), ^=) /* sums would overflow */

static const kernel avx512 = {"AVX-512", fma_512, 16}, avx2 = {"AVX2", fma_256, 8};
static const kernel bf16 = {"AVX-512 BF16", dot_bf16, 32}, int8 = {"AVX-512 VNNI", dot_int8, 64};
#endif
static const kernel portable = {"128-bit vectors", fma_128, 4};

typedef struct kernels {
    const kernel *fp32, *bf16, *int8; /* NULL: none */
} kernels;

static kernels choose(void)
{
    kernels k = {.fp32 = &portable};
#if defined(__x86_64__)
    unsigned a, b, c, d = 0;
    __cpuid_count(7, 0, a, b, c, d);
    const bool amx = d >> 24 & 1;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) k.fp32 = &avx2;
    if (__builtin_cpu_supports("avx512f")) k.fp32 = &avx512;
    if (__builtin_cpu_supports("avx512bf16") && !amx) k.bf16 = &bf16;
    if (__builtin_cpu_supports("avx512vnni") && !amx) k.int8 = &int8;
#endif
    return k;
}

/* --- threads -------------------------------------------------------------------------------- */

/* Multiply-adds a second of all threads at once, by their fastest round. */
static double rate_of(const kernel *k, int threads)
{
    char numbers[CHAINS + 64];
    double best = HUGE_VAL;
    for (size_t i = 0; i < sizeof numbers; i++) numbers[i] = (char)(i % 7 + 56); /* small floats */
    for (int r = 0; r < ROUNDS; r++) {
        double sum = 0; /* so that nothing can be left out */
        const double start = gwf_now();
        GWF_PARALLEL_SUM(threads, sum)
        for (int i = 0; i < threads; i++) sum += k->run(numbers);
        if (isfinite(sum)) best = fmin(best, gwf_now() - start);
    }
    return (double)threads * CHAINS * TURNS * k->macs / best;
}

/* a = b + s c on the arrays of one thread; c follows b follows a, n values each. */
static void triad(float *a, size_t n)
{
    const float *b = a + n, *c = b + n;
    for (size_t i = 0; i < n; i++) a[i] = b[i] + 0.5f * c[i];
}

gwf_status machine_triad(int threads, double *bandwidth, gwf_error *err)
{
    const size_t n = threads > 16 ? 16 * TRIAD_VALUES / (size_t)threads : TRIAD_VALUES;
    double best = HUGE_VAL;
    float *arrays = malloc(3 * n * (size_t)threads * sizeof *arrays);
    if (!arrays) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to measure its speed");
    GWF_PARALLEL(threads) /* the pages of a thread come to be near it */
    for (int t = 0; t < threads; t++)
        for (size_t i = 0; i < 3 * n; i++) arrays[3 * n * (size_t)t + i] = (float)(i % 3);
    for (int r = 0; r < ROUNDS; r++) {
        const double start = gwf_now();
        GWF_PARALLEL(threads)
        for (int t = 0; t < threads; t++) triad(arrays + 3 * n * (size_t)t, n);
        best = fmin(best, gwf_now() - start);
        arrays[n + (size_t)r] += arrays[n - 1]; /* so that no round can be left out */
    }
    *bandwidth = 3.0 * (double)n * threads * sizeof *arrays / best;
    free(arrays);
    return GWF_OK;
}

gwf_status machine_measure(int threads, machine *m, gwf_error *err)
{
    const kernels k = choose();
    *m = (machine){.threads = threads, .instructions = k.fp32->name};
    m->fp32 = rate_of(k.fp32, threads);
    if (k.bf16) m->bf16 = rate_of(k.bf16, threads);
    if (k.int8) m->int8 = rate_of(k.int8, threads);
    return machine_triad(threads, &m->memory, err);
}

double machine_peak_memory(void)
{
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    return 1024.0 * (double)used.ru_maxrss;
}
