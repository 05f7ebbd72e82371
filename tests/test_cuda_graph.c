/* The convolutions of the networks as graphs of the real cuDNN, for a GPU that need not be there:
 * an H200 by the profile of its properties. Engines are named; those that are not compiled at run
 * time give plans, which survive being written down. */
#include "test.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/graph.h"

static const char profile_text[] =
    "{\"cudaDeviceId\":0,\"deviceName\":\"NVIDIA H200\",\"deviceVer\":900,\"driverVer\":13000,"
    "\"isTccDriver\":0,\"l2CacheSize\":62914560,\"maxCtasPerSM\":32,\"maxRegistersPerSM\":65536,"
    "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":232448,"
    "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"memClockRateKHz\":3201000,"
    "\"multiProcessorCount\":132,\"pciDeviceId\":0,\"regsPerBlock\":65536,"
    "\"reservedSharedMemoryPerBlock\":1024,\"smClockRateKHz\":1980000,\"supportCoopLaunch\":1,"
    "\"totalGlobalMem\":150754820096,\"warpSize\":32,\"maxBlockSize\":[1024,1024,64],"
    "\"maxGridSize\":[2147483647,65535,65535]}";

static gwf_cuda_device nowhere; /* takes failures */
static gwf_cuda_target target;

static bool make_profile(void)
{
    cudnnBackendDescriptor_t d = NULL;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d)) return false;
    if (cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                 sizeof profile_text - 1, profile_text) ||
        cudnnBackendFinalize(d)) {
        gwf_cuda_destroy(d);
        return false;
    }
    target.profile = d;
    return true;
}

/* Channels of NHWC maps whose pixels are `pitch` values apart. */
static gwf_cuda_tensor maps(int64_t n, int64_t channels, int64_t rows, int64_t cols, int64_t pitch)
{
    return (gwf_cuda_tensor){{n, channels, rows, cols},
                             {rows * cols * pitch, 1, cols * pitch, pitch}};
}

/* A 3x3 convolution with a border of zeros and ReLU. */
static gwf_cuda_conv conv3x3(gwf_cuda_type type, gwf_cuda_tensor in, gwf_cuda_tensor out)
{
    return (gwf_cuda_conv){.type = type,
                           .in = in,
                           .out = out,
                           .kernel = 3,
                           .before = {1, 1},
                           .after = {1, 1},
                           .activation = GWF_RELU};
}

enum { MOST = 16 };

/* Engines that are compiled at run time want a driver, be it one that does nothing. */
static bool without_driver(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY);
    if (driver) dlclose(driver);
    if (!driver) test_skip("no libcuda.so.1, not even a stub: engines compiled at run time");
    return !driver;
}

/* Engines that the heuristics suggest for a convolution; each has a number. */
static int count_engines(const gwf_cuda_conv *conv, cudnnBackendHeurMode_t mode)
{
    gwf_error err = {0};
    gwf_cuda_graph graph = {0};
    cudnnBackendDescriptor_t configs[MOST];
    char text[GWF_CUDA_CONV_TEXT];
    int found = 0;
    gwf_cuda_conv_text(conv, text);
    CHECK_OK(gwf_cuda_graph_make(&nowhere, target, conv, &graph, &err), err);
    CHECK_OK(gwf_cuda_graph_suggest(&graph, mode, configs, MOST, &found, &err), err);
    if (found == 0) fprintf(stderr, "\n  no engine: %s\n", text);
    for (int i = 0; i < found; i++) {
        CU_ASSERT_TRUE(gwf_cuda_config_knobs(configs[i]).engine >= 0);
        gwf_cuda_destroy(configs[i]);
    }
    gwf_cuda_graph_free(&graph);
    return found;
}

/* Every convolution of the full-width U-Net, alone and 32 at a time: channels in and out, level,
 * what the result is a part of, kernel, activation. */
static void test_unet(void)
{
    static const struct {
        int in, out, level, pitch, kernel;
        gwf_activation activation;
    } layers[] = {
        {488, 64, 0, 64, 3, GWF_RELU},      {64, 64, 0, 128, 3, GWF_RELU},
        {64, 128, 1, 128, 3, GWF_RELU},     {128, 128, 1, 256, 3, GWF_RELU},
        {128, 256, 2, 256, 3, GWF_RELU},    {256, 256, 2, 512, 3, GWF_RELU},
        {256, 512, 3, 512, 3, GWF_RELU},    {512, 512, 3, 1024, 3, GWF_RELU},
        {512, 1024, 4, 1024, 3, GWF_RELU},  {1024, 1024, 4, 1024, 3, GWF_RELU},
        {1024, 256, 3, 256, 3, GWF_RELU},   {1024, 512, 3, 512, 3, GWF_RELU},
        {128, 32, 0, 32, 3, GWF_RELU},      {64, 248, 0, 248, 1, GWF_IDENTITY},
        {256, 256, 3, 256, 3, GWF_SIGMOID}, {376, 56, 0, 56, 1, GWF_LEAKY_RELU},
    };
    const bool bare = without_driver();
    for (int n = 1; n <= 32; n += 31)
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
            const int rows = 64 >> layers[i].level, cols = 128 >> layers[i].level;
            gwf_cuda_conv conv =
                conv3x3(GWF_CUDA_BF16, maps(n, layers[i].in, rows, cols, layers[i].in),
                        maps(n, layers[i].out, rows, cols, layers[i].pitch));
            conv.kernel = layers[i].kernel;
            conv.activation = layers[i].activation;
            for (int side = 0; side < 2 && conv.kernel == 1; side++)
                conv.before[side] = conv.after[side] = 0;
            conv.narrow_bias = true;
            CU_ASSERT_TRUE(count_engines(&conv, CUDNN_HEUR_MODE_A) > 0);
            conv.narrow_bias = false;
            if (!bare) CU_ASSERT_TRUE(count_engines(&conv, CUDNN_HEUR_MODE_A) > 0);
        }
}

/* Every second pixel of half of a larger map, from a map with a zero on one side, or a part of a
 * map with a border. */
static void test_phases(void)
{
    if (without_driver()) return;
    for (int phase = 0; phase < 4; phase++) {
        gwf_cuda_tensor out = maps(1, 512, 4, 8, 2048);
        out.strides[2] *= 2;
        gwf_cuda_conv conv = {.type = GWF_CUDA_BF16,
                              .in = maps(1, 1024, 4, 8, 1024),
                              .out = out,
                              .kernel = 2,
                              .before = {phase < 2, phase % 2 == 0},
                              .after = {phase >= 2, phase % 2 == 1},
                              .activation = GWF_RELU};
        CU_ASSERT_TRUE(count_engines(&conv, CUDNN_HEUR_MODE_A) > 0);
        conv.in = maps(1, 1024, 5, 9, 1024);
        conv.in.strides[2] = 1024 * 10;
        conv.before[0] = conv.before[1] = conv.after[0] = conv.after[1] = 0;
        CU_ASSERT_TRUE(count_engines(&conv, CUDNN_HEUR_MODE_A) > 0);
    }
}

static void test_precisions(void)
{
    const gwf_cuda_tensor in = maps(1, 64, 64, 128, 128), out = maps(1, 64, 64, 128, 64);
    gwf_cuda_conv conv = conv3x3(GWF_CUDA_FP16, in, out);
    if (!without_driver()) CU_ASSERT_TRUE(count_engines(&conv, CUDNN_HEUR_MODE_A) > 0);
    conv.type = GWF_CUDA_FP32;
    const int all = count_engines(&conv, CUDNN_HEUR_MODE_A);
    conv.exact = true; /* some of them round factors */
    const int exact = count_engines(&conv, CUDNN_HEUR_MODE_A);
    CU_ASSERT_TRUE(exact > 0 && exact < all);
}

/* A plan, its text, and a plan of that text. */
static void check_plan(const gwf_cuda_conv *conv)
{
    gwf_error err = {0};
    gwf_cuda_graph graph = {0};
    cudnnBackendDescriptor_t configs[MOST], plan = NULL, again = NULL;
    size_t workspace = 1, workspace_again = 2, size = 0;
    char how[64];
    int found = 0;
    CHECK_OK(gwf_cuda_graph_make(&nowhere, target, conv, &graph, &err), err);
    CHECK_OK(gwf_cuda_graph_suggest(&graph, CUDNN_HEUR_MODE_A, configs, MOST, &found, &err), err);
    CU_ASSERT_TRUE_FATAL(found > 0);
    CHECK_OK(gwf_cuda_plan_make(&nowhere, target, configs[0], &plan, &workspace, &err), err);
    char *json = plan ? gwf_cuda_plan_json(plan, &size) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(json);
    CHECK_OK(gwf_cuda_plan_read(&nowhere, target, json, size, &again, &workspace_again, &err), err);
    CU_ASSERT_EQUAL(workspace, workspace_again);
    gwf_cuda_knobs_text(gwf_cuda_config_knobs(configs[0]), how, sizeof how);
    CU_ASSERT_EQUAL(strncmp(how, "engine ", 7), 0);
    gwf_cuda_destroy(again);
    CU_ASSERT_NOT_EQUAL(
        gwf_cuda_plan_read(&nowhere, target, json, size / 2, &again, &workspace, &err), GWF_OK);
    CU_ASSERT_PTR_NULL(again);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "backend cuda: cudnnBackendFinalize: "));
    free(json);
    gwf_cuda_destroy(plan);
    for (int i = 0; i < found; i++) gwf_cuda_destroy(configs[i]);
    gwf_cuda_graph_free(&graph);
}

static void test_plans(void)
{
    gwf_cuda_conv conv =
        conv3x3(GWF_CUDA_BF16, maps(1, 64, 64, 128, 64), maps(1, 64, 64, 128, 128));
    conv.narrow_bias = true;
    check_plan(&conv);
    conv.type = GWF_CUDA_FP32;
    conv.narrow_bias = false;
    check_plan(&conv);
    conv.exact = true;
    check_plan(&conv);
}

/* The engine that is best for bf16 on Hopper takes tiles and splits; other numbers it refuses. */
static void test_knobs(void)
{
    gwf_error err = {0};
    gwf_cuda_graph graph = {0};
    cudnnBackendDescriptor_t configs[MOST];
    int found = 0, tiled = 0;
    if (without_driver()) return;
    const gwf_cuda_conv conv =
        conv3x3(GWF_CUDA_BF16, maps(1, 1024, 4, 8, 1024), maps(1, 1024, 4, 8, 1024));
    CHECK_OK(gwf_cuda_graph_make(&nowhere, target, &conv, &graph, &err), err);
    CHECK_OK(gwf_cuda_graph_suggest(&graph, CUDNN_HEUR_MODE_A, configs, MOST, &found, &err), err);
    for (int i = 0; i < found; i++) {
        const gwf_cuda_knobs knobs = gwf_cuda_config_knobs(configs[i]);
        int64_t tiles = 0, splits = 0;
        gwf_cuda_graph_range(&graph, knobs.engine, &tiles, &splits);
        CU_ASSERT_EQUAL(knobs.tile >= 0, tiles > 0);
        CU_ASSERT_TRUE(knobs.tile < tiles || knobs.tile < 0);
        gwf_cuda_destroy(configs[i]);
        if (tiles <= 0) continue;
        tiled++;
        CU_ASSERT_TRUE(splits >= 16);
        cudnnBackendDescriptor_t own = gwf_cuda_graph_config(&graph, knobs);
        CU_ASSERT_PTR_NOT_NULL(own);
        if (own) CU_ASSERT_EQUAL(gwf_cuda_config_knobs(own).tile, knobs.tile);
        gwf_cuda_destroy(own);
        CU_ASSERT_PTR_NULL(gwf_cuda_graph_config(&graph, (gwf_cuda_knobs){knobs.engine, tiles, 1}));
    }
    CU_ASSERT_TRUE(tiled > 0);
    gwf_cuda_graph_free(&graph);
}

/* What cuDNN refuses is told, and nothing is left behind. */
static void test_refused(void)
{
    gwf_error err = {0};
    gwf_cuda_graph graph = {0};
    const gwf_cuda_conv conv =
        conv3x3(GWF_CUDA_BF16, maps(1, 64, 64, 128, 64), maps(1, 64, 32, 128, 64));
    CU_ASSERT_EQUAL(gwf_cuda_graph_make(&nowhere, target, &conv, &graph, &err), GWF_ERR_BACKEND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "backend cuda: cudnnBackend"));
    CU_ASSERT_EQUAL(graph.n_parts, 0);
}

int main(void)
{
    static const test_case tests[] = {
        {"engines for every convolution of the U-Net", test_unet},
        {"phases of an upconv", test_phases},
        {"precisions", test_precisions},
        {"plans are written down and read", test_plans},
        {"tiles and splits", test_knobs},
        {"graphs that cannot be", test_refused},
    };
    if (!make_profile()) {
        test_skip("cuDNN %zu takes no profile of a device that is not there", cudnnGetVersion());
        return 77;
    }
    const int failed = test_run("cuda_graph", tests, sizeof tests / sizeof *tests);
    gwf_cuda_destroy(target.profile);
    return failed;
}
