/* The engines of a graph and the plans that are made of them: second half of graph.h. */
#include "backend/cuda/graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { RESULTS = 64, NOTES = CUDNN_NUMERICAL_NOTE_TYPE_COUNT };

/* ---- engines ---- */

/* A descriptor with all its attributes set, or NULL. */
static cudnnBackendDescriptor_t closed(cudnnBackendDescriptor_t descriptor, cudnnStatus_t status)
{
    if (status == CUDNN_STATUS_SUCCESS) status = cudnnBackendFinalize(descriptor);
    if (status == CUDNN_STATUS_SUCCESS) return descriptor;
    gwf_cuda_destroy(descriptor);
    return NULL;
}

static cudnnStatus_t set_one(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                             cudnnBackendAttributeType_t type, const void *value)
{
    return cudnnBackendSetAttribute(descriptor, name, type, 1, value);
}

/* The profile, where that is the target; a handle is known from the graph. */
static cudnnStatus_t aim(const gwf_cuda_target *target, cudnnBackendDescriptor_t descriptor,
                         cudnnBackendAttributeName_t name)
{
    if (!target->profile) return CUDNN_STATUS_SUCCESS;
    return set_one(descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &target->profile);
}

static cudnnBackendDescriptor_t engine_of(cudnnBackendDescriptor_t config)
{
    cudnnBackendDescriptor_t engine = NULL;
    int64_t n = 0;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine)) return NULL;
    if (cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 1, &n, &engine) == CUDNN_STATUS_SUCCESS)
        return engine;
    gwf_cuda_destroy(engine);
    return NULL;
}

/* Nothing that differs from run to run; where the graph is exact, rounding errors only. */
static bool admitted(const gwf_cuda_graph *graph, cudnnBackendDescriptor_t config)
{
    static const cudnnBackendNumericalNote_t inexact[] = {
        CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
        CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, CUDNN_NUMERICAL_NOTE_FFT,
        CUDNN_NUMERICAL_NOTE_WINOGRAD};
    cudnnBackendNumericalNote_t notes[NOTES];
    int64_t n = 0;
    bool good = true;
    cudnnBackendDescriptor_t engine = engine_of(config);
    if (!engine) return false;
    if (cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, NOTES, &n, notes))
        good = false;
    for (int64_t i = 0; i < n && i < NOTES; i++) {
        if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) good = false;
        for (size_t j = 0; j < sizeof inexact / sizeof *inexact; j++)
            if (graph->exact && notes[i] == inexact[j]) good = false;
    }
    gwf_cuda_destroy(engine);
    return good;
}

static cudnnBackendDescriptor_t heuristics(const gwf_cuda_graph *graph, cudnnBackendHeurMode_t mode)
{
    cudnnBackendDescriptor_t d = NULL;
    cudnnStatus_t rc = cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &d);
    if (rc) return NULL;
    rc = set_one(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                 &graph->operations);
    if (!rc) rc = set_one(d, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode);
    if (!rc) rc = aim(&graph->target, d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
    return closed(d, rc);
}

/* cuDNN fills descriptors that are there already. */
static int make_empty(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *descriptors,
                      int n)
{
    for (int i = 0; i < n; i++)
        if (cudnnBackendCreateDescriptor(type, &descriptors[i])) return i;
    return n;
}

gwf_status gwf_cuda_graph_suggest(const gwf_cuda_graph *graph, cudnnBackendHeurMode_t mode,
                                  cudnnBackendDescriptor_t *configs, int n, int *found,
                                  gwf_error *err)
{
    cudnnBackendDescriptor_t results[RESULTS];
    int64_t filled = 0;
    *found = 0;
    cudnnBackendDescriptor_t d = heuristics(graph, mode);
    if (!d) return GWF_OK; /* none for this graph */
    const int room = make_empty(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, results, RESULTS);
    const cudnnStatus_t rc = cudnnBackendGetAttribute(
        d, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, room, &filled, results);
    gwf_cuda_destroy(d);
    for (int i = 0; i < room; i++) {
        const bool good = !rc && i < filled && *found < n && admitted(graph, results[i]);
        if (good)
            configs[(*found)++] = results[i];
        else
            gwf_cuda_destroy(results[i]);
    }
    return rc ? gwf_cudnn_failed(graph->device, rc, "cudnnBackendGetAttribute", err) : GWF_OK;
}

static cudnnBackendDescriptor_t make_engine(const gwf_cuda_graph *graph, int64_t number)
{
    cudnnBackendDescriptor_t d = NULL;
    cudnnStatus_t rc = cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &d);
    if (rc) return NULL;
    rc = set_one(d, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                 &graph->operations);
    if (!rc) rc = set_one(d, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, &number);
    if (!rc) rc = aim(&graph->target, d, CUDNN_ATTR_ENGINE_DEVICEPROP);
    return closed(d, rc);
}

static int64_t number_in(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name)
{
    int64_t value = 0, n = 0;
    if (cudnnBackendGetAttribute(d, name, CUDNN_TYPE_INT64, 1, &n, &value) || n != 1) return 0;
    return value;
}

/* The largest value of a knob in what an engine says of its knobs; -1: it has none of the kind. */
static int64_t largest(cudnnBackendDescriptor_t *infos, int n, cudnnBackendKnobType_t wanted)
{
    for (int i = 0; i < n; i++) {
        cudnnBackendKnobType_t type = CUDNN_KNOB_TYPE_COUNTS;
        int64_t count = 0;
        if (!cudnnBackendGetAttribute(infos[i], CUDNN_ATTR_KNOB_INFO_TYPE, CUDNN_TYPE_KNOB_TYPE, 1,
                                      &count, &type) &&
            type == wanted)
            return number_in(infos[i], CUDNN_ATTR_KNOB_INFO_MAXIMUM_VALUE);
    }
    return -1;
}

void gwf_cuda_graph_range(const gwf_cuda_graph *graph, int64_t engine, int64_t *tiles,
                          int64_t *splits)
{
    cudnnBackendDescriptor_t infos[CUDNN_KNOB_TYPE_COUNTS];
    int64_t n = 0;
    cudnnBackendDescriptor_t d = make_engine(graph, engine);
    const int room =
        make_empty(CUDNN_BACKEND_KNOB_INFO_DESCRIPTOR, infos, (int)CUDNN_KNOB_TYPE_COUNTS);
    if (!d || cudnnBackendGetAttribute(d, CUDNN_ATTR_ENGINE_KNOB_INFO,
                                       CUDNN_TYPE_BACKEND_DESCRIPTOR, room, &n, infos))
        n = 0;
    if (n > room) n = room;
    *tiles = largest(infos, (int)n, CUDNN_KNOB_TYPE_KERNEL_CFG) + 1;
    *splits = largest(infos, (int)n, CUDNN_KNOB_TYPE_SPLIT_K_SLC);
    for (int i = 0; i < room; i++) gwf_cuda_destroy(infos[i]);
    gwf_cuda_destroy(d);
}

static cudnnBackendDescriptor_t choice(cudnnBackendKnobType_t type, int64_t value)
{
    cudnnBackendDescriptor_t d = NULL;
    cudnnStatus_t rc = cudnnBackendCreateDescriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &d);
    if (rc) return NULL;
    rc = set_one(d, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, &type);
    if (!rc) rc = set_one(d, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, &value);
    return closed(d, rc);
}

cudnnBackendDescriptor_t gwf_cuda_graph_config(const gwf_cuda_graph *graph, gwf_cuda_knobs knobs)
{
    cudnnBackendDescriptor_t d = NULL, choices[2] = {0}, engine = make_engine(graph, knobs.engine);
    int n = 0;
    bool whole = engine != NULL;
    if (knobs.tile >= 0) choices[n++] = choice(CUDNN_KNOB_TYPE_KERNEL_CFG, knobs.tile);
    if (knobs.split > 1) choices[n++] = choice(CUDNN_KNOB_TYPE_SPLIT_K_SLC, knobs.split);
    for (int i = 0; i < n; i++) whole = whole && choices[i];
    if (whole && !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &d)) {
        cudnnStatus_t rc =
            set_one(d, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, &engine);
        if (!rc && n)
            rc = cudnnBackendSetAttribute(d, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, n, choices);
        d = closed(d, rc);
    }
    if (d && !admitted(graph, d)) {
        gwf_cuda_destroy(d);
        d = NULL;
    }
    for (int i = 0; i < n; i++) gwf_cuda_destroy(choices[i]);
    gwf_cuda_destroy(engine);
    return d;
}

/* The value of a knob in a configuration, -1: not among its choices. */
static int64_t chosen(cudnnBackendDescriptor_t config, cudnnBackendKnobType_t wanted)
{
    cudnnBackendDescriptor_t choices[CUDNN_KNOB_TYPE_COUNTS];
    int64_t n = 0, count = 0, value = -1;
    const int room =
        make_empty(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, choices, (int)CUDNN_KNOB_TYPE_COUNTS);
    if (cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, room, &n, choices))
        n = 0;
    for (int i = 0; i < n && i < room; i++) {
        cudnnBackendKnobType_t type = CUDNN_KNOB_TYPE_COUNTS;
        if (!cudnnBackendGetAttribute(choices[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE,
                                      CUDNN_TYPE_KNOB_TYPE, 1, &count, &type) &&
            type == wanted)
            value = number_in(choices[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE);
    }
    for (int i = 0; i < room; i++) gwf_cuda_destroy(choices[i]);
    return value;
}

gwf_cuda_knobs gwf_cuda_config_knobs(cudnnBackendDescriptor_t config)
{
    cudnnBackendDescriptor_t engine = engine_of(config);
    const gwf_cuda_knobs knobs = {
        .engine = engine ? number_in(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX) : -1,
        .tile = chosen(config, CUDNN_KNOB_TYPE_KERNEL_CFG),
        .split = chosen(config, CUDNN_KNOB_TYPE_SPLIT_K_SLC)};
    gwf_cuda_destroy(engine);
    return knobs;
}

void gwf_cuda_knobs_text(gwf_cuda_knobs knobs, char *text, size_t size)
{
    int n = snprintf(text, size, "engine %" PRId64, knobs.engine);
    if (knobs.tile >= 0 && n >= 0 && n < (int)size)
        n += snprintf(text + n, size - (size_t)n, ", tile %" PRId64, knobs.tile);
    if (knobs.split > 1 && n >= 0 && n < (int)size)
        snprintf(text + n, size - (size_t)n, ", split %" PRId64, knobs.split);
}

/* ---- plans ---- */

static cudnnStatus_t aim_plan(const gwf_cuda_target *target, cudnnBackendDescriptor_t plan)
{
    if (target->profile)
        return set_one(plan, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                       &target->profile);
    return set_one(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &target->handle);
}

/* What a plan is made from. */
typedef struct plan_source {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t count;
    const void *value;
} plan_source;

static gwf_status make_plan(gwf_cuda_device *device, const gwf_cuda_target *target,
                            plan_source from, cudnnBackendDescriptor_t *plan, size_t *workspace,
                            gwf_error *err)
{
    cudnnBackendDescriptor_t d = NULL;
    *plan = NULL;
    CUDNN_TRY(device, cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &d));
    cudnnStatus_t rc = aim_plan(target, d);
    if (!rc) rc = cudnnBackendSetAttribute(d, from.name, from.type, from.count, from.value);
    if (!rc) rc = cudnnBackendFinalize(d);
    if (rc) {
        gwf_cudnn_failed(device, rc, "cudnnBackendFinalize", err);
        gwf_cuda_destroy(d);
        return GWF_ERR_UNSUPPORTED;
    }
    *plan = d;
    *workspace = (size_t)number_in(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    return GWF_OK;
}

gwf_status gwf_cuda_plan_make(gwf_cuda_device *device, gwf_cuda_target target,
                              cudnnBackendDescriptor_t config, cudnnBackendDescriptor_t *plan,
                              size_t *workspace, gwf_error *err)
{
    const plan_source from = {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                              CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config};
    return make_plan(device, &target, from, plan, workspace, err);
}

gwf_status gwf_cuda_plan_read(gwf_cuda_device *device, gwf_cuda_target target, const char *json,
                              size_t size, cudnnBackendDescriptor_t *plan, size_t *workspace,
                              gwf_error *err)
{
    const plan_source from = {CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                              (int64_t)size, json};
    return make_plan(device, &target, from, plan, workspace, err);
}

char *gwf_cuda_plan_json(cudnnBackendDescriptor_t plan, size_t *size)
{
    int64_t n = 0;
    if (cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, 0, &n, NULL) ||
        n <= 0)
        return NULL;
    char *json = malloc((size_t)n);
    if (json && cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                         CUDNN_TYPE_CHAR, n, &n, json)) {
        free(json);
        json = NULL;
    }
    *size = (size_t)n;
    return json;
}
