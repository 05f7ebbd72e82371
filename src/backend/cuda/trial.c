#include "backend/cuda/trial.h"

#include <math.h>
#include <stdlib.h>

enum { REPEATS = 2 * GWF_CUDA_COPIES, ROUNDS = 3, PIECE = 1 << 15 };

/* ---- time ---- */

typedef struct stopwatch {
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaEvent_t start, end;
} stopwatch;

static gwf_status record(gwf_cuda_device *device, gwf_cuda_work *work, void *user, stopwatch *w,
                         gwf_error *err)
{
    gwf_status status = GWF_OK;
    CUDA_TRY(device, cudaStreamBeginCapture(device->streams[0], cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < REPEATS && status == GWF_OK; i++) status = work(user, i, err);
    const cudaError_t ended = cudaStreamEndCapture(device->streams[0], &w->graph);
    if (status == GWF_OK && ended != cudaSuccess)
        status = gwf_cuda_failed(device, ended, "cudaStreamEndCapture", err);
    GWF_TRY(status);
    CUDA_TRY(device, cudaGraphInstantiate(&w->exec, w->graph, 0));
    CUDA_TRY(device, cudaEventCreate(&w->start));
    CUDA_TRY(device, cudaEventCreate(&w->end));
    return GWF_OK;
}

static gwf_status replay(gwf_cuda_device *device, stopwatch *w, double *seconds, gwf_error *err)
{
    float ms = 0;
    CUDA_TRY(device, cudaEventRecord(w->start, device->streams[0]));
    CUDA_TRY(device, cudaGraphLaunch(w->exec, device->streams[0]));
    CUDA_TRY(device, cudaEventRecord(w->end, device->streams[0]));
    CUDA_TRY(device, cudaEventSynchronize(w->end));
    CUDA_TRY(device, cudaEventElapsedTime(&ms, w->start, w->end));
    *seconds = 1e-3 * (double)ms / REPEATS;
    return GWF_OK;
}

/* Once before anything is recorded: what is loaded at first use is loaded then. */
gwf_status gwf_cuda_time(gwf_cuda_device *device, gwf_cuda_work *work, void *user, double enough,
                         double *seconds, gwf_error *err)
{
    stopwatch w = {0};
    *seconds = HUGE_VAL;
    gwf_status status = work(user, 0, err);
    if (status == GWF_OK) status = record(device, work, user, &w, err);
    for (int i = 0; i <= ROUNDS && status == GWF_OK; i++) { /* the first one warms up */
        double taken = HUGE_VAL;
        status = replay(device, &w, &taken, err);
        const bool hopeless = i == 0 && taken > enough;
        if ((i > 0 || hopeless) && taken < *seconds) *seconds = taken;
        if (hopeless) break;
    }
    if (w.start) cudaEventDestroy(w.start);
    if (w.end) cudaEventDestroy(w.end);
    if (w.exec) cudaGraphExecDestroy(w.exec);
    if (w.graph) cudaGraphDestroy(w.graph);
    return status;
}

/* ---- maps and weights ---- */

/* Values from the first to the last of a tensor, in whole vectors. */
static size_t extent_of(const gwf_cuda_tensor *t)
{
    int64_t last = 0;
    for (int i = 0; i < 4; i++) last += (t->dims[i] - 1) * t->strides[i];
    return (size_t)(last / GWF_CUDA_BLOCK + 1) * GWF_CUDA_BLOCK;
}

static size_t size_of(gwf_cuda_type type)
{
    return type == GWF_CUDA_FP32 ? 4 : 2;
}

/* Any n values in a row as a map of one channel block: to convert them. */
static gwf_cuda_map flat(const gwf_cuda_trial *trial, void *at, size_t n)
{
    return (gwf_cuda_map){.at = at,
                          .type = trial->conv->type,
                          .batch = 1,
                          .rows = 1,
                          .cols = (int)(n / GWF_CUDA_BLOCK),
                          .channels = GWF_CUDA_BLOCK,
                          .pitch = GWF_CUDA_BLOCK};
}

/* Values of order 1, the same ones piece after piece. */
static gwf_status fill(gwf_cuda_trial *trial, gwf_error *err)
{
    unsigned state = 1;
    gwf_cuda_device *device = trial->device;
    for (size_t i = 0; i < PIECE; i++) {
        state = state * 1664525u + 1013904223u;
        trial->first[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
    CUDA_TRY(device, cudaMemcpyAsync(trial->wide, trial->first, PIECE * sizeof(float),
                                     cudaMemcpyHostToDevice, device->streams[0]));
    for (size_t at = 0; at < trial->values_in; at += PIECE) {
        const size_t left = trial->values_in - at;
        char *to = (char *)trial->in + at * size_of(trial->conv->type);
        CUDA_TRY(device, gwf_cuda_load(flat(trial, to, left < PIECE ? left : PIECE), trial->wide,
                                       GWF_CUDA_BLOCK, NULL, device->streams[0]));
    }
    CUDA_TRY(device, cudaStreamSynchronize(device->streams[0]));
    return GWF_OK;
}

/* As many copies of the weights as do not fit in the cache together. */
static gwf_status copy_weights(gwf_cuda_trial *trial, gwf_error *err)
{
    gwf_cuda_device *device = trial->device;
    const gwf_cuda_conv *c = trial->conv;
    const size_t taps = (size_t)(c->kernel * c->kernel);
    const size_t bytes = (size_t)c->in.dims[1] * (size_t)c->out.dims[1] * taps * size_of(c->type);
    for (size_t all = 0; trial->n_copies < GWF_CUDA_COPIES && all < 2 * device->l2_bytes + 1;
         all += bytes) {
        void **copy = &trial->copies[trial->n_copies];
        GWF_TRY(gwf_cuda_allocate(device, bytes, "measuring a convolution", copy, err));
        trial->n_copies++;
        CUDA_TRY(device, cudaMemcpyAsync(*copy, trial->weights->filter, bytes,
                                         cudaMemcpyDeviceToDevice, device->streams[0]));
    }
    return GWF_OK;
}

gwf_status gwf_cuda_trial_open(gwf_cuda_device *device, const gwf_cuda_conv *conv,
                               const gwf_cuda_weights *weights, gwf_cuda_trial *trial,
                               gwf_error *err)
{
    *trial = (gwf_cuda_trial){.device = device,
                              .conv = conv,
                              .weights = weights,
                              .values_in = extent_of(&conv->in),
                              .values_out = extent_of(&conv->out)};
    static const char what[] = "measuring a convolution";
    const size_t wide = (trial->values_out > PIECE ? trial->values_out : PIECE) * sizeof(float);
    const size_t size = size_of(conv->type);
    GWF_TRY(gwf_cuda_allocate(device, trial->values_in * size, what, &trial->in, err));
    GWF_TRY(gwf_cuda_allocate(device, trial->values_out * size, what, &trial->out, err));
    GWF_TRY(gwf_cuda_allocate(device, wide, what, (void **)&trial->wide, err));
    trial->first = malloc(wide);
    trial->other = malloc(wide);
    if (!trial->first || !trial->other)
        return gwf_fail(err, GWF_ERR_MEMORY, "backend cuda: no memory for %s", what);
    GWF_TRY(fill(trial, err));
    return copy_weights(trial, err);
}

static void unbind(gwf_cuda_trial *trial)
{
    for (int i = 0; i < GWF_CUDA_COPIES; i++) {
        gwf_cuda_destroy(trial->packs[i]);
        trial->packs[i] = NULL;
    }
}

void gwf_cuda_trial_close(gwf_cuda_trial *trial)
{
    unbind(trial);
    for (int i = 0; i < trial->n_copies; i++) gwf_cuda_free(trial->copies[i]);
    gwf_cuda_free(trial->in);
    gwf_cuda_free(trial->out);
    gwf_cuda_free(trial->wide);
    gwf_cuda_free(trial->workspace);
    free(trial->first);
    free(trial->other);
    *trial = (gwf_cuda_trial){0};
}

/* ---- a plan ---- */

static gwf_status bind(gwf_cuda_trial *trial, const gwf_cuda_choice *choice, gwf_error *err)
{
    gwf_cuda_device *device = trial->device;
    unbind(trial);
    if (choice->workspace > trial->workspace_bytes) {
        gwf_cuda_free(trial->workspace);
        trial->workspace_bytes = 0;
        GWF_TRY(gwf_cuda_allocate(device, choice->workspace, "measuring a convolution",
                                  &trial->workspace, err));
        trial->workspace_bytes = choice->workspace;
    }
    const gwf_cuda_weights *w = trial->weights;
    for (int i = 0; i < trial->n_copies; i++) {
        const gwf_cuda_operands at = {trial->in, trial->copies[i],
                                      choice->narrow_bias ? w->narrow_bias : w->bias, trial->out,
                                      trial->workspace};
        GWF_TRY(gwf_cuda_bind(device, at, &trial->packs[i], err));
    }
    trial->plan = choice->plan;
    return GWF_OK;
}

static gwf_status run(void *user, int repeat, gwf_error *err)
{
    gwf_cuda_trial *trial = user;
    CUDNN_TRY(trial->device, cudnnBackendExecute(trial->device->handles[0], trial->plan,
                                                 trial->packs[repeat % trial->n_copies]));
    return GWF_OK;
}

gwf_status gwf_cuda_trial_time(gwf_cuda_trial *trial, const gwf_cuda_choice *choice, double enough,
                               double *seconds, gwf_error *err)
{
    GWF_TRY(bind(trial, choice, err));
    return gwf_cuda_time(trial->device, run, trial, enough, seconds, err);
}

/* What a plan makes of the maps, to the host; what it leaves out is zero. */
static gwf_status result_of(gwf_cuda_trial *trial, const gwf_cuda_choice *choice, float *values,
                            gwf_error *err)
{
    gwf_cuda_device *device = trial->device;
    const size_t n = trial->values_out;
    GWF_TRY(bind(trial, choice, err));
    CUDA_TRY(device,
             cudaMemsetAsync(trial->out, 0, n * size_of(trial->conv->type), device->streams[0]));
    GWF_TRY(run(trial, 0, err));
    CUDA_TRY(device, gwf_cuda_store(flat(trial, trial->out, n), trial->wide, GWF_CUDA_BLOCK, NULL,
                                    NULL, device->streams[0]));
    CUDA_TRY(device, cudaMemcpyAsync(values, trial->wide, n * sizeof *values,
                                     cudaMemcpyDeviceToHost, device->streams[0]));
    CUDA_TRY(device, cudaStreamSynchronize(device->streams[0]));
    return GWF_OK;
}

gwf_status gwf_cuda_trial_keep(gwf_cuda_trial *trial, const gwf_cuda_choice *choice, gwf_error *err)
{
    return result_of(trial, choice, trial->first, err);
}

/* Twice the rounding of a result, and what sums in another order differ by. */
static double allowed(const gwf_cuda_conv *conv)
{
    if (conv->exact) return 1e-5;
    return conv->type == GWF_CUDA_BF16 ? 1e-2 : 2e-3;
}

static double difference(const float *a, const float *b, size_t n)
{
    double sum = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i];
        sum += d * d;
        norm += (double)b[i] * (double)b[i];
    }
    return sqrt(sum / (norm > 0 ? norm : 1));
}

gwf_status gwf_cuda_trial_check(gwf_cuda_trial *trial, const gwf_cuda_choice *choice, bool *right,
                                gwf_error *err)
{
    const size_t n = trial->values_out;
    float *again = malloc(n * sizeof *again);
    if (!again) return gwf_fail(err, GWF_ERR_MEMORY, "backend cuda: no memory to check a result");
    gwf_status status = result_of(trial, choice, trial->other, err);
    *right = status == GWF_OK && difference(trial->other, trial->first, n) <= allowed(trial->conv);
    for (int i = 0; i < ROUNDS && status == GWF_OK && *right; i++) {
        status = result_of(trial, choice, again, err);
        *right = memcmp(again, trial->other, n * sizeof *again) == 0;
    }
    free(again);
    return status;
}
