/* Engines on an emulated GPU: lanes and memories, values that are not finite, failures of the
 * device, choosing and remembering plans, which device. What is checked is everything around the
 * kernels; tests/cuda/emu.h says how the GPU is made to misbehave. */
#include "test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cache.h"
#include "coupling/engine.h"
#include "golden_model.h"

enum { NLAT = 16, NLON = 32, MAPS = 7 };

static const char *model_path(void)
{
    static const gwf_model_choice choice = {"uvtheta", "global", "era5-released", "zero", "rho_uw"};
    static char path[1024];
    if (path[0]) return path;
    snprintf(path, sizeof path, "%s", test_scratch("model.nc"));
    golden_model("golden/unet.pt", &choice, path);
    return path;
}

static void note_line(void *user, const char *line)
{
    char *lines = user;
    const size_t used = strlen(lines);
    snprintf(lines + used, 4096 - used, "%s\n", line);
}

static bool many; /* the engine is for many maps: how many at once is its own choice */

/* settings: "NAME=VALUE NAME=VALUE"; nothing is measured unless they say so. lines (4096) may be
 * NULL: what the log gets. */
static gwf_status open_with(const char *settings, char *lines, gwf_engine **engine)
{
    char copy[1024], *rest = copy;
    const gwf_log log = {lines ? note_line : NULL, lines};
    const gwf_domain grid = {.nlat = NLAT, .nlon = NLON, .many = many};
    gwf_options *options = gwf_options_create();
    gwf_options_set(options, "backend", "cuda");
    gwf_options_set(options, "tune", "off");
    snprintf(copy, sizeof copy, "%s", settings);
    for (char *name; (name = strtok_r(rest, " ", &rest));) {
        char *value = strchr(name, '=');
        *value++ = '\0';
        CU_ASSERT_EQUAL(gwf_options_set(options, name, value), GWF_OK);
    }
    *engine = calloc(1, sizeof **engine);
    gwf_status status = gwf_engine_load(*engine, model_path(), NULL);
    if (status == GWF_OK) status = gwf_engine_plan(*engine, options, &grid, &log);
    gwf_options_free(&options);
    return status;
}

static gwf_engine *open_engine(const char *settings)
{
    gwf_engine *engine = NULL;
    const gwf_status status = open_with(settings, NULL, &engine);
    if (status != GWF_OK) fprintf(stderr, "\n  %s\n", gwf_message(engine));
    CU_ASSERT_EQUAL_FATAL(status, GWF_OK);
    return engine;
}

static size_t inputs_of(const gwf_engine *engine)
{
    return gwf_engine_map_size(engine, &engine->model.in);
}

static size_t outputs_of(const gwf_engine *engine)
{
    return gwf_engine_map_size(engine, &engine->model.out);
}

static float *some_values(size_t n)
{
    unsigned seed = 1;
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / 4194304.0f - 2;
    }
    return values;
}

static void check_same(const float *a, const float *b, size_t n)
{
    CU_ASSERT_EQUAL(memcmp(a, b, n * sizeof *a), 0);
}

static void check_ok(gwf_engine *engine, gwf_status status)
{
    if (status != GWF_OK) fprintf(stderr, "\n  %s\n", gwf_message(engine));
    CU_ASSERT_EQUAL(status, GWF_OK);
}

static void check_says(gwf_engine *engine, gwf_status status, gwf_status expected,
                       const char *words)
{
    if (status != expected || !strstr(gwf_message(engine), words))
        fprintf(stderr, "\n  %s: \"%s\", expected %s \"%s\"\n", gwf_status_name(status),
                gwf_message(engine), gwf_status_name(expected), words);
    CU_ASSERT_EQUAL(status, expected);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), words));
}

/* ---- maps through lanes ---- */

/* All maps one by one, each step on its own, made fluxes on the host. */
static float *expected_fluxes(gwf_engine *engine, const float *features)
{
    const size_t in = inputs_of(engine), out = outputs_of(engine);
    float *fluxes = malloc(MAPS * out * sizeof *fluxes);
    gwf_plan_run_apart(engine->plan, true);
    for (size_t i = 0; i < MAPS; i++) {
        const float *const from[] = {features + i * in};
        float *const to[] = {fluxes + i * out};
        check_ok(engine, gwf_engine_run(engine, 1, from, to, &engine->error));
        gwf_engine_fluxes(engine, to[0], to[0]);
    }
    gwf_plan_run_apart(engine->plan, false);
    return fluxes;
}

/* From and to memory of the host, page-locked or not. */
static void check_host(gwf_engine *engine, bool pinned, const float *features,
                       const float *expected)
{
    const size_t in = MAPS * inputs_of(engine), out = MAPS * outputs_of(engine);
    const gwf_device *device = engine->backend->device;
    float *from = malloc(in * sizeof *from), *to = calloc(out, sizeof *to);
    memcpy(from, features, in * sizeof *from);
    if (pinned) {
        CU_ASSERT_TRUE(device->pin(engine->context, from, in * sizeof *from));
        CU_ASSERT_TRUE(device->pin(engine->context, to, out * sizeof *to));
    }
    for (int run = 0; run < 3; run++) {
        memset(to, 0, out * sizeof *to);
        check_ok(engine, gwf_predict_batch(engine, MAPS, from, to));
        check_same(to, expected, out);
    }
    if (pinned) {
        device->unpin(engine->context, from);
        device->unpin(engine->context, to);
    }
    free(from);
    free(to);
}

static void check_device(gwf_engine *engine, const float *features, const float *expected)
{
    const size_t in = MAPS * inputs_of(engine), out = MAPS * outputs_of(engine);
    const gwf_device *device = engine->backend->device;
    gwf_error err = {0};
    void *from = NULL, *to = NULL;
    float *host = calloc(out, sizeof *host);
    CHECK_OK(device->allocate(engine->context, in * sizeof(float), &from, &err), err);
    CHECK_OK(device->allocate(engine->context, out * sizeof(float), &to, &err), err);
    CHECK_OK(device->copy(engine->context, from, features, in * sizeof(float), &err), err);
    check_ok(engine, gwf_predict_device(engine, MAPS, from, to, NULL));
    CHECK_OK(device->copy(engine->context, host, to, out * sizeof(float), &err), err);
    check_same(host, expected, out);
    memset(host, 0, out * sizeof *host);
    check_ok(engine, gwf_predict_device(engine, MAPS, from, host, NULL)); /* each by itself */
    check_same(host, expected, out);
    CU_ASSERT_TRUE(device->seconds(engine->context, NULL) > 0);
    device->discard(engine->context, from);
    device->discard(engine->context, to);
    free(host);
}

static void test_lanes(void)
{
    static const char *const settings[] = {"batch=1", "batch=2 precision=fp16",
                                           "batch=7 precision=fp32"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        gwf_engine *engine = open_engine(settings[i]);
        float *features = some_values(MAPS * inputs_of(engine));
        float *expected = expected_fluxes(engine, features);
        check_host(engine, false, features, expected);
        check_host(engine, true, features, expected);
        check_device(engine, features, expected);
        free(features);
        free(expected);
        gwf_free(&engine);
    }
}

/* A function of the emulated GPU that is there for tests; its address. */
static void *find_function(const char *name)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/libgwflux_cuda.so", getenv("GWFLUX_BACKEND_DIR"));
    void *plugin = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plugin);
    void *found = dlsym(plugin, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    dlclose(plugin);
    return found;
}

/* Features that a stream of the host's has not yet put into memory when they are handed over. */
static void check_follows(gwf_engine *engine, float *memory, const float *features,
                          const float *expected)
{
    const size_t in = MAPS * inputs_of(engine), out = MAPS * outputs_of(engine);
    float *flux = calloc(out, sizeof *flux);
    void *(*late_copy)(void *to, const void *from, size_t bytes);
    *(void **)&late_copy = find_function("emu_late_copy");
    void *stream = late_copy(memory, features, in * sizeof *features);
    check_ok(engine, gwf_predict_device(engine, MAPS, memory, flux, stream));
    check_same(flux, expected, out);
    free(flux);
}

/* The device's memory, the host's, and the host's when it is page-locked. */
static void test_follows(void)
{
    gwf_error err = {0};
    void *there = NULL;
    gwf_engine *engine = open_engine("batch=2");
    const gwf_device *device = engine->backend->device;
    const size_t in = MAPS * inputs_of(engine), out = MAPS * outputs_of(engine);
    float *features = some_values(in), *expected = calloc(out, sizeof *expected);
    check_ok(engine, gwf_predict_batch(engine, MAPS, features, expected));
    CHECK_OK(device->allocate(engine->context, in * sizeof *features, &there, &err), err);
    check_follows(engine, there, features, expected);
    device->discard(engine->context, there);
    setenv("GWF_EMU_EAGER", "1", 1);
    for (int pinned = 0; pinned < 2; pinned++) {
        float *here = calloc(in, sizeof *here);
        if (pinned) CU_ASSERT_TRUE(device->pin(engine->context, here, in * sizeof *here));
        check_follows(engine, here, features, expected);
        if (pinned) device->unpin(engine->context, here);
        free(here);
    }
    unsetenv("GWF_EMU_EAGER");
    free(features);
    free(expected);
    gwf_free(&engine);
}

static void test_no_device_memory_elsewhere(void)
{
    gwf_engine *engine = open_engine("backend=ref");
    float *features = some_values(inputs_of(engine)), *flux = some_values(outputs_of(engine));
    check_says(engine, gwf_predict_device(engine, 1, features, flux, NULL), GWF_ERR_UNSUPPORTED,
               "backend ref takes no memory of a device");
    free(features);
    free(flux);
    gwf_free(&engine);
}

/* ---- values ---- */

static void test_not_finite(void)
{
    gwf_engine *engine = open_engine("batch=2");
    const size_t in = inputs_of(engine), out = outputs_of(engine), plane = NLAT * NLON;
    float *features = some_values(3 * in), *flux = calloc(3 * out, sizeof *flux);
    features[2 * in + 245 * plane + 3 * NLON + 5] = NAN;
    check_says(engine, gwf_predict_batch(engine, 3, features, flux), GWF_ERR_DATA,
               "map 3 of 3: feature ");
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "channel 245"));
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "row 3, column 5 is nan"));
    CU_ASSERT_EQUAL(flux[2 * out], 0);
    check_ok(engine, gwf_predict_batch(engine, 2, features, flux)); /* the others are fine */
    for (size_t i = 0; i < in; i++) features[i] = 1e38f;
    check_says(engine, gwf_predict(engine, features, flux), GWF_ERR_DATA, "flux ");
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "expected a finite value"));
    free(features);
    free(flux);
    gwf_free(&engine);
}

/* The first layer's sums are infinite, the second's NaN. Where an engine's ReLU makes 0 of that, it
 * is seen in time; in tiles, step by step, too. */
static void check_lost_nan(const char *settings, bool apart)
{
    gwf_engine *engine = open_engine(settings);
    const size_t in = inputs_of(engine), out = outputs_of(engine);
    float *features = some_values(in), *flux = calloc(out, sizeof *flux);
    float *before = calloc(out, sizeof *before);
    gwf_plan_run_apart(engine->plan, apart);
    const float *const from[] = {features};
    float *const to[] = {flux};
    check_ok(engine, gwf_predict(engine, features, before));
    for (size_t i = 0; i < in; i++) features[i] *= 0x1p126f;
    if (apart)
        check_says(engine, gwf_engine_run(engine, 1, from, to, &engine->error), GWF_ERR_DATA,
                   "a result of conv1.conv.");
    else
        check_says(engine, gwf_predict(engine, features, flux), GWF_ERR_DATA, "finite");
    for (size_t i = 0; i < in; i++) features[i] *= 0x1p-126f;
    check_ok(engine, gwf_predict(engine, features, flux));
    check_same(flux, before, out);
    free(features);
    free(flux);
    free(before);
    gwf_free(&engine);
}

static void test_lost_nan(void)
{
    check_lost_nan("precision=bf16", false); /* its engine keeps NaN */
    check_lost_nan("precision=fp32", false); /* its engine does not */
    check_lost_nan("precision=fp32", true);
    setenv("GWF_EMU_FORGETS_NAN", "1", 1);
    check_lost_nan("precision=bf16", false);
    check_lost_nan("precision=bf16", true);
    check_lost_nan("precision=tf32 batch=2", false);
    unsetenv("GWF_EMU_FORGETS_NAN");
}

/* What does not fit fp16 is named, in the features or within the network, and leaves no trace; maps
 * that are not there do not count. */
static void test_fp16_range(void)
{
    gwf_engine *engine = open_engine("batch=2 precision=fp16");
    const size_t in = inputs_of(engine), out = outputs_of(engine);
    float *features = some_values(in), *flux = calloc(out, sizeof *flux);
    float *before = calloc(out, sizeof *before);
    check_ok(engine, gwf_predict(engine, features, before));
    for (size_t i = 0; i < in; i++) features[i] *= 0x1p14f;
    check_says(engine, gwf_predict(engine, features, flux), GWF_ERR_DATA,
               "is beyond the range of fp16 (65504)");
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "a result of conv1.conv"));
    for (size_t i = 0; i < in; i++) features[i] *= 4;
    check_says(engine, gwf_predict(engine, features, flux), GWF_ERR_DATA,
               "a feature is beyond the range of fp16");
    for (size_t i = 0; i < in; i++) features[i] *= 0x1p-16f;
    check_ok(engine, gwf_predict(engine, features, flux));
    check_same(flux, before, out);
    free(features);
    free(flux);
    free(before);
    gwf_free(&engine);
}

/* ---- failures ---- */

/* trait: of the GPU when the engine is made, "": none. Some calls later the device fails. Whoever
 * asks is told, then and afterwards; the process lives on, and so does the next engine. */
static void check_failure(const char *trait, const char *call, int when, int code)
{
    enum { FEW = 4 }; /* more than there are lanes */
    char wish[96], words[64];
    if (*trait) setenv(trait, "1", 1);
    gwf_engine *engine = open_engine("batch=1 precision=fp16");
    if (*trait) unsetenv(trait);
    const size_t in = inputs_of(engine), out = outputs_of(engine);
    float *features = some_values(FEW * in), *flux = calloc(FEW * out, sizeof *flux);
    snprintf(wish, sizeof wish, "%s:%d:%d", call, when, code);
    snprintf(words, sizeof words, "backend cuda: %s", call);
    engine->backend->device->pin(engine->context, features, FEW * in * sizeof *features);
    setenv("GWF_EMU_FAIL", wish, 1);
    check_says(engine, gwf_predict_batch(engine, FEW, features, flux), GWF_ERR_BACKEND, words);
    unsetenv("GWF_EMU_FAIL");
    check_says(engine, gwf_predict(engine, features, flux), GWF_ERR_BACKEND,
               "the device has failed before, nothing more can be computed on it");
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), call));
    engine->backend->device->unpin(engine->context, features);
    free(features); /* which nothing touches any more */
    free(flux);
    gwf_free(&engine);
}

static void test_failing_device(void)
{
    enum { ILLEGAL = 700, UNKNOWN = 999 };
    static const char *const calls[] = {
        "cudaPointerGetAttributes", "cudaMemcpyAsync", "cudaEventRecord",
        "cudaStreamWaitEvent",      "gwf_cuda_load",   "cudaMemsetAsync",
        "cudaGraphLaunch",          "gwf_cuda_store",  "cudaEventSynchronize"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check_failure("", calls[i], 1, i % 2 ? ILLEGAL : UNKNOWN);
    check_failure("", "cudaGraphLaunch", 2, ILLEGAL);
    check_failure("GWF_EMU_NO_CAPTURE", "cudnnBackendExecute", 3, ILLEGAL);
    check_failure("GWF_EMU_NO_CAPTURE", "gwf_cuda_check", 3, UNKNOWN);
    gwf_engine *engine = open_engine("batch=1"); /* the process lives on */
    float *features = some_values(inputs_of(engine)), *flux = some_values(outputs_of(engine));
    check_ok(engine, gwf_predict(engine, features, flux));
    free(features);
    free(flux);
    gwf_free(&engine);
}

/* Where the steps cannot be recorded they are enqueued one by one: said, and the same fluxes. */
static void check_no_graph(const char *settings, const char *name, const char *value,
                           const char *words)
{
    setenv(name, value, 1);
    gwf_engine *engine = open_engine(settings);
    unsetenv(name);
    gwf_engine *other = open_engine("batch=2");
    const size_t out = MAPS * outputs_of(engine);
    float *features = some_values(MAPS * inputs_of(engine));
    float *a = calloc(out, sizeof *a), *b = calloc(out, sizeof *b);
    if (!strstr(gwf_describe(engine), words))
        fprintf(stderr, "\n  \"%s\", expected \"%s\"\n", gwf_describe(engine), words);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_describe(engine), words));
    CU_ASSERT_PTR_NULL(strstr(gwf_describe(other), "without a CUDA graph"));
    check_ok(engine, gwf_predict_batch(engine, MAPS, features, a));
    check_ok(other, gwf_predict_batch(other, MAPS, features, b));
    check_same(a, b, out);
    free(features);
    free(a);
    free(b);
    gwf_free(&engine);
    gwf_free(&other);
}

static void test_no_graph(void)
{
    check_no_graph("batch=2 tune=on", "GWF_EMU_NO_CAPTURE", "1", "without a CUDA graph");
    check_no_graph("batch=2", "GWF_EMU_NO_CAPTURE", "1",
                   "without a CUDA graph (backend cuda: cudnnBackendExecute: ");
    check_no_graph("batch=2", "GWF_EMU_FAIL", "cudaStreamBeginCapture:1:900",
                   "without a CUDA graph (backend cuda: cudaStreamBeginCapture: ");
    check_no_graph("batch=2", "GWF_EMU_FAIL", "cudaStreamEndCapture:1:901",
                   "without a CUDA graph (backend cuda: cudaStreamEndCapture: ");
    check_no_graph("batch=2", "GWF_EMU_FAIL", "cudaGraphInstantiate:1:2",
                   "without a CUDA graph (backend cuda: cudaGraphInstantiate: ");
}

/* Whichever call fails while an engine is made: an error, no more. */
static void test_failing_start(void)
{
    static const char *const calls[] = {
        "cudaGetDeviceCount", "cudaGetDeviceProperties",   "cudaGetDevice",
        "cudnnCreate",        "cudaStreamCreateWithFlags", "cudaEventCreateWithFlags",
        "cudaMalloc",         "cudaMemcpyAsync",           "cudaMemsetAsync",
        "cudaHostAlloc",      "cudaStreamSynchronize",     "cudaHostGetDevicePointer",
        "gwf_cuda_load",      "cudnnBackendExecute",       "gwf_cuda_check"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int when = 1; when <= 5; when += 4) {
            char wish[96];
            gwf_engine *engine = NULL;
            snprintf(wish, sizeof wish, "%s:%d:999", calls[i], when);
            setenv("GWF_EMU_FAIL", wish, 1);
            const gwf_status status = open_with("batch=1", NULL, &engine);
            if (when == 1) {
                CU_ASSERT_EQUAL(status, GWF_ERR_BACKEND);
                CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "backend cuda: "));
            }
            unsetenv("GWF_EMU_FAIL");
            gwf_free(&engine);
        }
}

static void test_too_little_memory(void)
{
    gwf_engine *engine = NULL;
    setenv("GWF_EMU_MEMORY", "3e6", 1);
    check_says(engine, open_with("batch=64", NULL, &engine), GWF_ERR_MEMORY, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "backend cuda: no device memory for "));
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), " of 3.0 MB free"));
    unsetenv("GWF_EMU_MEMORY");
    gwf_free(&engine);
    engine = open_engine("batch=1"); /* nothing of it is left */
    gwf_free(&engine);
}

/* ---- plans ---- */

static void check_algorithm(const gwf_engine *engine, const char *layer, const char *expected)
{
    int count = 0;
    const char *found = "";
    const gwf_step_time *times = gwf_plan_times(engine->plan, &count);
    for (int i = 0; i < count; i++)
        if (strcmp(times[i].name, layer) == 0) found = times[i].algorithm;
    if (strcmp(found, expected) != 0)
        fprintf(stderr, "\n  %s: \"%s\", expected \"%s\"\n", layer, found, expected);
    CU_ASSERT_STRING_EQUAL(found, expected);
}

/* The prediction is that of an engine with plans of other kinds, up to rounding. */
static void check_close(gwf_engine *engine)
{
    gwf_engine *plain = open_engine("precision=fp32");
    const size_t out = outputs_of(engine);
    float *features = some_values(inputs_of(engine)), *a = calloc(out, sizeof *a);
    float *b = calloc(out, sizeof *b);
    check_ok(engine, gwf_predict_normalised(engine, features, a));
    check_ok(plain, gwf_predict_normalised(plain, features, b));
    CHECK_AT_MOST(test_relative_l2(a, b, out), 1e-2);
    free(features);
    free(a);
    free(b);
    gwf_free(&plain);
}

/* Where nobody asked for a batch one that fits is taken, and the log says so, before anything is
 * made for one that does not. */
static void test_batch_that_fits(void)
{
    char lines[4096] = "";
    gwf_engine *engine = NULL;
    many = true;
    setenv("GWF_EMU_MEMORY", "8e6", 1);
    check_ok(engine, open_with("tune=on", lines, &engine));
    unsetenv("GWF_EMU_MEMORY");
    many = false;
    const char *first = strstr(lines, "no device memory for maps: ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "; trying 16 maps at once"));
    CU_ASSERT_TRUE(engine->batch >= 1 && engine->batch < 32);
    const char *told = strstr(lines, "measuring what is fastest");
    CU_ASSERT_TRUE(told && told > first);
    check_close(engine);
    gwf_free(&engine);
}

static const char measuring[] = "measuring what is fastest on emulated GPU";

/* With these settings: whether something was measured, and the plans that there are then. */
static void check_choice(const char *settings, bool measured, char *lines)
{
    gwf_engine *engine = NULL;
    lines[0] = '\0';
    const gwf_status status = open_with(settings, lines, &engine);
    if (status != GWF_OK) fprintf(stderr, "\n  %s\n", gwf_message(engine));
    CU_ASSERT_EQUAL_FATAL(status, GWF_OK);
    const char *told = strstr(lines, measuring);
    CU_ASSERT_EQUAL(told != NULL, measured);
    if (told) CU_ASSERT_PTR_NULL(strstr(told + 1, measuring));
    check_algorithm(engine, "conv1.conv.3", "engine 1, tile 2, split 4");
    check_algorithm(engine, "attn5.Psi.0", "own kernel");
    check_algorithm(engine, "conv1x1", "engine 2"); /* with the bias in the maps' type */
    check_algorithm(engine, "up5.up.1", "large map, engine 1, tile 2, split 4");
    check_close(engine);
    gwf_free(&engine);
}

/* The key of a file of the cache: its second line. */
static void read_key(FILE *file, char key[1024])
{
    key[0] = '\0';
    for (int line = 0; line < 2; line++)
        if (!fgets(key, 1024, file)) return;
    key[strcspn(key, "\n")] = '\0';
}

/* Every file of the folder whose key has these words in it: text NULL: one of its last bytes is
 * another one; else this text under the same key. How many there are. */
static int spoil(const char *folder, const char *words, const char *text)
{
    int n = 0;
    struct dirent *entry;
    DIR *directory = opendir(folder);
    while ((entry = readdir(directory))) {
        char path[2048], key[1024];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "r+b");
        read_key(file, key);
        const bool wanted = strstr(key, words) != NULL;
        fseek(file, -2, SEEK_END);
        if (wanted && !text) fputc('~', file);
        fclose(file);
        if (wanted && text) gwf_cache_write(folder, key, text, strlen(text), NULL);
        n += wanted;
    }
    closedir(directory);
    return n;
}

static void test_choices(void)
{
    char lines[4096], settings[1200], folder[1024];
    snprintf(folder, sizeof folder, "%s", test_scratch("plans"));
    snprintf(settings, sizeof settings, "tune=on cache=%s", folder);
    check_choice(settings, true, lines);
    check_choice(settings, false, lines);
    CU_ASSERT_TRUE(spoil(folder, "", NULL) > 10);
    check_choice(settings, true, lines);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "a damaged file of the cache, not used"));
    check_choice(settings, false, lines);
    CU_ASSERT_TRUE(spoil(folder, ", conv ", "0 1 2 4\nnonsense") > 10);
    check_choice(settings, true, lines);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines, "a plan of the cache cannot be used, it is made anew"));
    setenv("GWF_EMU_DRIVER", "13010", 1); /* another driver has plans of its own */
    check_choice(settings, true, lines);
    unsetenv("GWF_EMU_DRIVER");
}

/* Plans side by side each have a workspace. */
static void test_phases(void)
{
    char folder[1024], settings[1200], lines[4096] = "";
    gwf_engine *engine = NULL;
    snprintf(folder, sizeof folder, "%s", test_scratch("phases"));
    snprintf(settings, sizeof settings, "tune=on cache=%s", folder);
    check_ok(engine, open_with(settings, lines, &engine));
    gwf_free(&engine);
    CU_ASSERT_EQUAL(spoil(folder, ", upconv, ", "phases"), 4);
    check_ok(engine, open_with(settings, lines, &engine));
    check_algorithm(engine, "up5.up.1", "4 phases, engine 1, tile 2, split 4");
    check_close(engine);
    gwf_free(&engine);
}

static long plans_made(void)
{
    long (*made)(void);
    *(void **)&made = find_function("emu_plans_made");
    return made();
}

/* What the log says of convolutions that there was no time for; 0: nothing. */
static int left_over(const char *lines)
{
    int seconds = 0, measured = 0, left = 0;
    const char *line = strstr(lines, " s were spent on measuring ");
    while (line && line > lines && line[-1] != ' ') line--;
    if (line)
        sscanf(line, "%d s were spent on measuring %d convolutions, for %d there", &seconds,
               &measured, &left);
    return left;
}

/* Where plans take long to be made some convolutions are left over; the next runs go on, until all
 * are measured. Time is counted in plans. */
static void test_time(void)
{
    enum { SECONDS = 45, A_PLAN = 2, AT_ONCE = 4, ALIKE = 12 /* phases */, RUNS = 9 };
    char folder[1024], settings[1200], lines[4096];
    int runs = 0;
    long made = 1;
    snprintf(folder, sizeof folder, "%s", test_scratch("time"));
    snprintf(settings, sizeof settings, "tune=on cache=%s", folder);
    setenv("GWF_EMU_BUILD", "2", 1);
    gwf_engine *engine = open_engine("batch=1"); /* the emulated GPU is loaded then */
    gwf_free(&engine);
    for (; made > 0 && runs < RUNS; runs++) {
        const long before = plans_made();
        lines[0] = '\0';
        check_ok(engine, open_with(settings, lines, &engine));
        made = plans_made() - before;
        CU_ASSERT_EQUAL(left_over(lines) > 0, runs == 0);
        CU_ASSERT_TRUE(made - left_over(lines) <= SECONDS / A_PLAN + AT_ONCE + ALIKE);
        CU_ASSERT_EQUAL(strstr(lines, measuring) != NULL, made > 0);
        if (runs == 0) check_close(engine);
        gwf_free(&engine);
    }
    CU_ASSERT_TRUE(runs > 2 && runs < RUNS);
    unsetenv("GWF_EMU_BUILD");
}

/* Plans that were not measured are kept as well. */
static void test_kept(void)
{
    char folder[1024], settings[1200];
    snprintf(folder, sizeof folder, "%s", test_scratch("kept"));
    snprintf(settings, sizeof settings, "tune=off cache=%s", folder);
    gwf_engine *engine = open_engine(settings);
    check_algorithm(engine, "conv1.conv.3", "engine 1, tile 0");
    gwf_free(&engine);
    const long before = plans_made();
    engine = open_engine(settings);
    check_algorithm(engine, "conv1.conv.3", "engine 1, tile 0");
    CU_ASSERT_EQUAL(plans_made(), before);
    check_close(engine);
    gwf_free(&engine);
}

/* Nothing measured, nothing kept: what the heuristics name first that can be had. */
static void test_no_choice(void)
{
    char folder[1024], settings[1200], lines[4096] = "";
    gwf_engine *engine = NULL;
    snprintf(folder, sizeof folder, "%s", test_scratch("no plans"));
    snprintf(settings, sizeof settings, "tune=off cache=off");
    check_ok(engine, open_with(settings, lines, &engine));
    CU_ASSERT_STRING_EQUAL(lines, "");
    check_algorithm(engine, "conv1.conv.3", "engine 1, tile 0");
    check_algorithm(engine, "up5.up.1", "4 phases, engine 1, tile 0");
    gwf_free(&engine);
    engine = open_engine("precision=fp32");
    check_algorithm(engine, "conv1.conv.3", "engine 0");
    gwf_free(&engine);
}

/* ---- which device ---- */

static void check_place(gwf_place place, const char *words)
{
    gwf_error err = {0};
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    const gwf_backend_config config = {.batch = 1, .place = place};
    const gwf_status status =
        gwf_backend_start(&gwf_backend_cuda, &config, &backend, &context, &err);
    const char *text = status == GWF_OK ? backend->describe(context) : err.text;
    if (!strstr(text, words)) fprintf(stderr, "\n  \"%s\", expected \"%s\"\n", text, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, words));
    if (status == GWF_OK) backend->close(context);
}

static void test_devices(void)
{
    char names[256], one[256];
    gwf_error err = {0};
    setenv("GWF_EMU_DEVICES", "2", 1);
    check_place((gwf_place){0}, "(device 0)");
    check_place((gwf_place){.rank = 1, .ranks = 2}, "(device 1)");
    check_place(
        (gwf_place){.rank = 2, .ranks = 3},
        "3 ranks of this node see 2 devices, 1 rank may share one: option ranks-per-device");
    check_place((gwf_place){.rank = 2, .ranks = 3, .ranks_per_device = 2}, "(device 1)");
    check_place((gwf_place){.device = 2, .rank = 5, .ranks = 6}, "(device 1)");
    check_place((gwf_place){.device = 6}, "there is no device 5, this process sees 2");
    CHECK_OK(gwf_cuda_devices(names, sizeof names, &err), err);
    setenv("CUDA_VISIBLE_DEVICES", "1", 1);
    check_place((gwf_place){.rank = 1, .ranks = 2}, "2 ranks of this node see 1 device, ");
    CHECK_OK(gwf_cuda_devices(one, sizeof one, &err), err);
    CU_ASSERT_STRING_EQUAL(strchr(names, ' ') + 1, one);
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    check_place((gwf_place){0}, "finds no device, CUDA_VISIBLE_DEVICES is '' (no CUDA-capable");
    unsetenv("CUDA_VISIBLE_DEVICES");
    setenv("GWF_EMU_DEVICES", "0", 1);
    check_place((gwf_place){0}, "the NVIDIA driver finds no device (no CUDA-capable device");
    unsetenv("GWF_EMU_DEVICES");
    setenv("GWF_EMU_COMPUTE", "7.5", 1);
    check_place((gwf_place){0}, "is too old: compute capability 7.5, at least 8.0 is needed");
    unsetenv("GWF_EMU_COMPUTE");
    setenv("GWF_EMU_DRIVER", "11080", 1);
    check_place((gwf_place){0}, "the NVIDIA driver is too old: it has CUDA 11.8, ");
    unsetenv("GWF_EMU_DRIVER");
}

int main(void)
{
    static const test_case tests[] = {
        {"maps through lanes, from and to any memory", test_lanes},
        {"after what a stream of the host's does", test_follows},
        {"no device, no memory of a device", test_no_device_memory_elsewhere},
        {"values that are not finite are named", test_not_finite},
        {"NaN that an engine loses", test_lost_nan},
        {"the range of fp16", test_fp16_range},
        {"a device that fails", test_failing_device},
        {"steps that cannot be recorded", test_no_graph},
        {"a device that fails to start", test_failing_start},
        {"too little memory", test_too_little_memory},
        {"a batch that fits", test_batch_that_fits},
        {"plans are measured, checked and remembered", test_choices},
        {"plans side by side", test_phases},
        {"measuring takes no more than its time", test_time},
        {"plans that were not measured are kept", test_kept},
        {"plans without measuring", test_no_choice},
        {"which device", test_devices},
    };
    return test_run("cuda_engine", tests, sizeof tests / sizeof *tests);
}
