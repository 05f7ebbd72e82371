/* Every manner of every convolution on the cpu backend: what the tuner may choose computes the
 * same. Truth is the reference backend, which test_backend.c compares with the definition. */
#include "backend/onednn_step.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { THREADS = 2, BATCH = 2 };

/* Channels are multiples of every block. */
typedef struct shape {
    const char *name;
    gwf_op_kind kind;
    int in, out, rows, cols, kernel, pad_y, pad_x;
} shape;

static const shape shapes[] = {
    {"3x3", GWF_OP_CONV, 64, 64, 16, 32, 3, 1, 1},
    {"3x3, few pixels", GWF_OP_CONV, 128, 64, 4, 8, 3, 1, 1},
    {"3x3, few channels in", GWF_OP_CONV, 16, 64, 8, 16, 3, 1, 1},
    {"3x3, few channels out", GWF_OP_CONV, 64, 16, 8, 16, 3, 1, 1},
    {"3x3, periodic", GWF_OP_CONV, 64, 64, 8, 18, 3, 1, 0},
    {"1x1", GWF_OP_CONV, 64, 128, 8, 16, 1, 0, 0},
    {"1x1, few pixels", GWF_OP_CONV, 128, 256, 2, 2, 1, 0, 0},
    {"upconv", GWF_OP_UPCONV, 64, 48, 8, 16, 3, 1, 1},
    {"upconv, few pixels", GWF_OP_UPCONV, 128, 64, 2, 4, 3, 1, 1},
    {"upconv, periodic", GWF_OP_UPCONV, 64, 48, 8, 18, 3, 1, 0},
    {"upconv, border all around", GWF_OP_UPCONV, 64, 48, 6, 10, 3, 0, 0},
};

static gwf_op op_of(const shape *s, bool part)
{
    const bool up = s->kind == GWF_OP_UPCONV;
    const int rows = up ? 2 * s->rows - 4 * (1 - s->pad_y) : s->rows + 2 * s->pad_y - s->kernel + 1;
    const int cols = up ? 2 * s->cols - 4 * (1 - s->pad_x) : s->cols + 2 * s->pad_x - s->kernel + 1;
    const int first = part ? 16 : 0; /* behind which the result stands in its map */
    return (gwf_op){
        .kind = s->kind,
        .in = {0, s->in, 0, s->in, s->rows, s->cols},
        .out = {1 << 20, first + s->out, first, s->out, rows, cols},
        .kernel = s->kernel,
        .pad_y = s->pad_y,
        .pad_x = s->pad_x,
        .activation = GWF_RELU,
    };
}

enum { ARENA = 1 << 22 };

static size_t values_of(const gwf_view *view)
{
    return (size_t)view->channels * (size_t)view->rows * (size_t)view->cols;
}

static float *some_values(size_t n, double scale, unsigned seed)
{
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(scale * ((double)(seed >> 8) / 8388608.0 - 1));
    }
    return values;
}

/* Values and results of one operation; x and y of all maps. */
typedef struct material {
    gwf_op op;
    float *weights, *bias, *x, *truth, *y;
} material;

static void run_maps(const gwf_backend *backend, gwf_context *context, gwf_step *step,
                     const material *m, float *y)
{
    gwf_error err = {0};
    for (int i = 0; i < BATCH; i++)
        CHECK_OK(backend->load(context, &m->op.in, i, m->x + values_of(&m->op.in) * (size_t)i,
                               m->op.in.channels, &err),
                 err);
    CHECK_OK(backend->run(context, step, &err), err);
    for (int i = 0; i < BATCH; i++)
        CHECK_OK(backend->store(context, &m->op.out, i, y + values_of(&m->op.out) * (size_t)i,
                                m->op.out.channels, &err),
                 err);
}

static material make_material(const shape *s, bool part)
{
    material m = {.op = op_of(s, part)};
    const size_t filter = (size_t)(s->in * s->kernel * s->kernel);
    const gwf_backend_config config = {.batch = BATCH};
    gwf_context *context = NULL;
    gwf_step *step = NULL;
    gwf_error err = {0};
    m.op.weights = m.weights = some_values(filter * (size_t)s->out, sqrt(3.0 / (double)filter), 1);
    m.op.bias = m.bias = some_values((size_t)s->out, 0.3, 2);
    m.x = some_values(BATCH * values_of(&m.op.in), 1, 3);
    m.truth = calloc(BATCH * values_of(&m.op.out), sizeof *m.truth);
    m.y = calloc(BATCH * values_of(&m.op.out), sizeof *m.y);
    CHECK_OK(gwf_backend_ref.open(&config, &context, &err), err);
    CHECK_OK(gwf_backend_ref.prepare(context, &m.op, &step, &err), err);
    CHECK_OK(gwf_backend_ref.reserve(context, ARENA, &err), err);
    run_maps(&gwf_backend_ref, context, step, &m, m.truth);
    gwf_backend_ref.release(context, step);
    gwf_backend_ref.close(context);
    return m;
}

static void free_material(material *m)
{
    free(m->weights);
    free(m->bias);
    free(m->x);
    free(m->truth);
    free(m->y);
}

/* As gwf_backend_cpu prepares a step, but in this manner. */
static void check_manner(const shape *s, const material *m, gwf_precision precision,
                         gwf_manner manner)
{
    static const double allowed[] = {[GWF_FP32] = 2e-6, [GWF_FP32_FAST] = 5e-5, [GWF_BF16] = 5e-3};
    const gwf_backend_config config = {.threads = THREADS, .batch = BATCH, .precision = precision};
    gwf_context *context = NULL;
    gwf_step step = {0};
    gwf_error err = {0};
    CHECK_OK(gwf_backend_cpu.open(&config, &context, &err), err);
    CHECK_OK(gwf_step_make(context, &m->op, manner, &step, &err), err);
    context->aside_bytes = step.aside_bytes;
    context->scratch_bytes = step.scratch_bytes;
    CHECK_OK(gwf_backend_cpu.reserve(context, ARENA, &err), err);
    run_maps(&gwf_backend_cpu, context, &step, m, m->y);
    const size_t n = BATCH * values_of(&m->op.out);
    const double error = test_relative_l2(m->y, m->truth, n);
    if (!(error <= allowed[precision]))
        fprintf(stderr, "\n  %s, %s, %s: relative error %g\n", s->name,
                gwf_precision_word(precision), gwf_manner_name(&m->op, manner), error);
    CU_ASSERT_TRUE(error <= allowed[precision]);
    gwf_step_clear(&step);
    gwf_backend_cpu.close(context);
}

/* All that the tuner would choose among; their number, 0 where the precision is not to be had. */
static int find_manners(const gwf_op *op, gwf_precision precision,
                        gwf_manner manners[GWF_MAX_MANNERS])
{
    const gwf_backend_config config = {.threads = THREADS, .batch = BATCH, .precision = precision};
    gwf_context *context = NULL;
    if (gwf_backend_cpu.open(&config, &context, NULL) != GWF_OK) return 0;
    const int n = gwf_step_manners(context, op, manners);
    gwf_backend_cpu.close(context);
    return n;
}

static void test_manners(void)
{
    static const gwf_precision precisions[] = {GWF_FP32, GWF_FP32_FAST, GWF_BF16};
    gwf_manner manners[GWF_MAX_MANNERS];
    int tried[3] = {0};
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i / 2];
        material m = make_material(s, i % 2);
        for (int p = 0; p < 3; p++) {
            const int n = find_manners(&m.op, precisions[p], manners);
            for (int k = 0; k < n; k++) check_manner(s, &m, precisions[p], manners[k]);
            tried[p] += n;
        }
        free_material(&m);
    }
    printf("(manners tried: fp32 %d, fp32-fast %d, bf16 %d) ", tried[0], tried[1], tried[2]);
    CU_ASSERT_TRUE(tried[0] >= 2 * (int)(sizeof shapes / sizeof *shapes));
}

/* "oneDNN 2.6.3," */
static const char *library(void)
{
    static char text[64];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d,", version->major, version->minor, version->patch);
    return text;
}

/* The one key in the cache: its second line. */
static void read_key(const char *folder, char *key, size_t size)
{
    char pattern[512];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    CU_ASSERT_EQUAL_FATAL(glob(pattern, 0, NULL, &files), 0);
    CU_ASSERT_EQUAL(files.gl_pathc, 1);
    FILE *file = fopen(files.gl_pathv[0], "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int line = 0; line < 2; line++) CU_ASSERT_PTR_NOT_NULL(fgets(key, (int)size, file));
    fclose(file);
    globfree(&files);
}

/* With tune on, prepare() takes one of them, and it is fit to run. What was measured holds for this
 * version of the library. */
static void test_tuned(void)
{
    material m = make_material(&shapes[1], false);
    const char *folder = test_scratch("cache");
    const gwf_backend_config config = {.threads = THREADS,
                                       .batch = BATCH,
                                       .precision = GWF_FP32_FAST,
                                       .tune = true,
                                       .cache = folder};
    gwf_context *context = NULL;
    gwf_step *step = NULL;
    gwf_error err = {0};
    gwf_manner manners[GWF_MAX_MANNERS];
    char key[1024] = "";
    CHECK_OK(gwf_backend_cpu.open(&config, &context, &err), err);
    CHECK_OK(gwf_backend_cpu.prepare(context, &m.op, &step, &err), err);
    CHECK_OK(gwf_backend_cpu.reserve(context, ARENA, &err), err);
    run_maps(&gwf_backend_cpu, context, step, &m, m.y);
    CHECK_AT_MOST(test_relative_l2(m.y, m.truth, BATCH * values_of(&m.op.out)), 5e-5);
    CU_ASSERT_TRUE(strlen(gwf_backend_cpu.algorithm(context, step)) > 0);
    if (find_manners(&m.op, GWF_FP32_FAST, manners) > 1) {
        read_key(folder, key, sizeof key);
        CU_ASSERT_PTR_NOT_NULL(strstr(key, library()));
    }
    gwf_backend_cpu.release(context, step);
    gwf_backend_cpu.close(context);
    free_material(&m);
}

/* A library that was not compiled for, or that counts threads in another way, is refused. */
static void test_versions(void)
{
    gwf_error err = {0};
    dnnl_version_t version = *dnnl_version();
    CHECK_OK(gwf_dnnl_check_version(&version, &err), err);
    version.major++;
    version.minor = 7;
    version.patch = 2;
    char words[64];
    snprintf(words, sizeof words, "finds here is oneDNN %d.7.2", version.major);
    CHECK_FAILS(gwf_dnnl_check_version(&version, &err), GWF_ERR_BACKEND, err, words);
    version = *dnnl_version();
    version.cpu_runtime = DNNL_RUNTIME_TBB;
    CHECK_FAILS(gwf_dnnl_check_version(&version, &err), GWF_ERR_BACKEND, err, "OpenMP");
}

/* Sets of bits: with more than is known here a processor has what is known. */
static void test_instruction_sets(void)
{
    const unsigned amx = dnnl_cpu_isa_avx512_core_amx, newer = 1u << 30;
    CU_ASSERT_STRING_EQUAL(gwf_dnnl_isa_name(dnnl_cpu_isa_avx512_core_bf16), "AVX-512 BF16");
    CU_ASSERT_STRING_EQUAL(gwf_dnnl_isa_name((dnnl_cpu_isa_t)(amx | newer)), "AVX-512 AMX");
    CU_ASSERT_TRUE(gwf_dnnl_has_isa((dnnl_cpu_isa_t)(amx | newer), dnnl_cpu_isa_avx512_core_bf16));
    CU_ASSERT_FALSE(gwf_dnnl_has_isa(dnnl_cpu_isa_avx2_vnni, dnnl_cpu_isa_avx512_core));
}

int main(void)
{
    static const test_case tests[] = {
        {"every manner of every convolution", test_manners},
        {"a measured choice", test_tuned},
        {"versions of the library", test_versions},
        {"instruction sets", test_instruction_sets},
    };
    return test_run("onednn", tests, sizeof tests / sizeof *tests);
}
