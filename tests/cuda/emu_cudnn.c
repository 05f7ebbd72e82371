/* cuDNN's backend calls for graphs of convolution, bias and activation, carried out in plain loops.
 *
 * Descriptors keep what is set, and say no to what cuDNN says no to: wrong types, missing
 * attributes, values that contradict each other. Engines are made up so that choosing among them
 * has a right answer (enum below). */
#include <cudnn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu.h"
#include "emu_conv.h"

enum { ATTRIBUTES = 12, TILES = 4, SPLITS = 8 };

enum {
    EXACT,  /* sums in float32, no knobs; its ReLU makes 0 of NaN */
    TILED,  /* tensor cores: factors of float32 maps are cut to 11 bits; with tiles and splits, not
             * for a bias of the maps' type; fastest with tile 2 and split 4 */
    NARROW, /* the same for a bias of the maps' type, no knobs; fastest for filters of one weight */
    SPOKEN, /* fast, but its notes say that results differ from run to run */
    WRONG,  /* fast, but wrong */
    FAILING, /* fast, but a plan of it fails when it runs */
    NO_PLAN, /* a plan cannot be made */
    SILENT,  /* differs from run to run and does not say so */
    ENGINES
};

struct cudnnContext {
    cudaStream_t stream;
};

typedef struct attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t count;
    void *values;
} attribute;

typedef struct descriptor {
    cudnnBackendDescriptorType_t type;
    attribute attributes[ATTRIBUTES];
    int n;
    bool final;
    emu_conv conv; /* of graphs, engines, configurations and plans */
    int64_t engine, tile, split;
} descriptor;

static __thread char message[256];

static cudnnStatus_t refuse(cudnnStatus_t status, const char *why)
{
    snprintf(message, sizeof message, "emulation: %s", why);
    return status;
}

/* ---- handles ---- */

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS" : "CUDNN_STATUS_EMULATED";
}

void cudnnGetLastErrorString(char *text, size_t size)
{
    snprintf(text, size, "%s", message);
    message[0] = '\0';
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    if (emu_fails("cudnnCreate")) return refuse(CUDNN_STATUS_NOT_INITIALIZED, "not today");
    *handle = calloc(1, sizeof **handle);
    return *handle ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_ALLOC_FAILED;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    free(handle);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

/* ---- descriptors ---- */

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *result)
{
    descriptor *d = calloc(1, sizeof *d);
    if (!d) return CUDNN_STATUS_ALLOC_FAILED;
    d->type = type;
    *result = d;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t given)
{
    descriptor *d = given;
    for (int i = 0; i < d->n; i++) free(d->attributes[i].values);
    free(d);
    return CUDNN_STATUS_SUCCESS;
}

static size_t size_of(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
        return 8;
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return sizeof(void *);
    case CUDNN_TYPE_BOOLEAN:
        return sizeof(bool);
    case CUDNN_TYPE_CHAR:
        return 1;
    default: /* enumerations and float */
        return 4;
    }
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t given,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void *values)
{
    descriptor *d = given;
    const size_t bytes = (size_t)count * size_of(type);
    if (d->final) return refuse(CUDNN_STATUS_NOT_INITIALIZED, "set after it was finalized");
    if (count < 1 || !values || d->n == ATTRIBUTES)
        return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute without values, or too many");
    void *copy = malloc(bytes);
    if (!copy) return CUDNN_STATUS_ALLOC_FAILED;
    memcpy(copy, values, bytes);
    d->attributes[d->n++] = (attribute){name, type, count, copy};
    return CUDNN_STATUS_SUCCESS;
}

/* The values of an attribute that must have this type and count (0: any); NULL when it does not. */
static const void *get(const descriptor *d, cudnnBackendAttributeName_t name,
                       cudnnBackendAttributeType_t type, int64_t count)
{
    for (int i = 0; i < d->n; i++) {
        const attribute *a = &d->attributes[i];
        if (a->name == name)
            return a->type == type && (!count || a->count == count) ? a->values : NULL;
    }
    return NULL;
}

/* A finalized descriptor of this type that an attribute names. */
static const descriptor *get_part(const descriptor *d, cudnnBackendAttributeName_t name,
                                  cudnnBackendDescriptorType_t type)
{
    descriptor *const *part = get(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1);
    return part && *part && (*part)->type == type && (*part)->final ? *part : NULL;
}

static int64_t number(const descriptor *d, cudnnBackendAttributeName_t name, int64_t otherwise)
{
    const int64_t *value = get(d, name, CUDNN_TYPE_INT64, 1);
    return value ? *value : otherwise;
}

/* ---- graphs ---- */

typedef struct tensor {
    int64_t id;
    cudnnDataType_t type;
    int64_t dims[4], strides[4];
    bool nowhere;
} tensor;

static bool read_tensor(const descriptor *d, tensor *t)
{
    if (!d) return false;
    const int64_t *dims = get(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4);
    const int64_t *strides = get(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4);
    const cudnnDataType_t *type = get(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1);
    const bool *nowhere = get(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1);
    if (!dims || !strides || !type || number(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0) != 16)
        return false;
    t->id = number(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, -1);
    t->type = *type;
    memcpy(t->dims, dims, sizeof t->dims);
    memcpy(t->strides, strides, sizeof t->strides);
    t->nowhere = nowhere && *nowhere;
    for (int i = 0; i < 4; i++)
        if (t->dims[i] < 1 || t->strides[i] < 1) return false;
    return t->id > 0 && t->strides[1] == 1;
}

static bool tensor_at(const descriptor *d, cudnnBackendAttributeName_t name, tensor *t)
{
    return read_tensor(get_part(d, name, CUDNN_BACKEND_TENSOR_DESCRIPTOR), t);
}

static emu_tensor place(const tensor *t)
{
    emu_tensor e = {.id = t->id, .type = (int)t->type};
    memcpy(e.dims, t->dims, sizeof e.dims);
    memcpy(e.strides, t->strides, sizeof e.strides);
    return e;
}

static bool read_shape(const descriptor *d, emu_conv *conv)
{
    const descriptor *c = get_part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                   CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    if (!c) return false;
    const int64_t *before = get(c, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2);
    const int64_t *after = get(c, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2);
    const int64_t *stride = get(c, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2);
    const int64_t *dilation = get(c, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2);
    const cudnnConvolutionMode_t *mode =
        get(c, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1);
    if (!before || !after || !stride || !dilation || !mode || *mode != CUDNN_CROSS_CORRELATION ||
        stride[0] != 1 || stride[1] != 1 || dilation[0] != 1 || dilation[1] != 1)
        return false;
    memcpy(conv->before, before, sizeof conv->before);
    memcpy(conv->after, after, sizeof conv->after);
    return true;
}

/* Sizes that belong together. */
static bool fits(const emu_conv *c, const tensor *sum)
{
    const int64_t *in = c->in.dims, *w = c->weights.dims, *out = sum->dims;
    bool good = in[0] == out[0] && in[1] == w[1] && w[0] == out[1];
    for (int i = 0; i < 2; i++)
        good = good && out[2 + i] == in[2 + i] + c->before[i] + c->after[i] - w[2 + i] + 1;
    return good && c->in.type == c->weights.type;
}

static bool read_conv(const descriptor *d, emu_conv *conv, tensor *sum)
{
    tensor in, weights;
    const float *alpha =
        get(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1);
    const float *beta = get(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1);
    if (!tensor_at(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, &in) ||
        !tensor_at(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, &weights) ||
        !tensor_at(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, sum) || !read_shape(d, conv) ||
        !alpha || *alpha != 1 || !beta || *beta != 0 || !sum->nowhere)
        return false;
    conv->in = place(&in);
    conv->weights = place(&weights);
    return fits(conv, sum);
}

/* mode(x, b) of one operation; other: there is one. */
static bool read_pointwise(const descriptor *d, cudnnPointwiseMode_t *mode, double *slope,
                           tensor *x, tensor *other, bool *has_other, tensor *y)
{
    const descriptor *how = get_part(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
                                     CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    if (!how) return false;
    const cudnnPointwiseMode_t *m =
        get(how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1);
    const double *s = get(how, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, CUDNN_TYPE_DOUBLE, 1);
    if (!m || !get(how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1)) return false;
    *mode = *m;
    *slope = s ? *s : 0;
    *has_other = tensor_at(d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    return tensor_at(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x) &&
           tensor_at(d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
}

static bool same_dims(const tensor *a, const tensor *b)
{
    return memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

static bool read_bias(const descriptor *d, const tensor *sum, emu_conv *conv, tensor *biased)
{
    cudnnPointwiseMode_t mode;
    double slope = 0;
    tensor x, bias;
    bool has_bias = false;
    if (!read_pointwise(d, &mode, &slope, &x, &bias, &has_bias, biased) || !has_bias ||
        mode != CUDNN_POINTWISE_ADD || x.id != sum->id || bias.dims[1] != sum->dims[1] ||
        bias.dims[0] != 1 || bias.dims[2] != 1 || bias.dims[3] != 1 || !same_dims(sum, biased))
        return false;
    conv->bias = place(&bias);
    return true;
}

static bool read_activation(const descriptor *d, const tensor *biased, emu_conv *conv, tensor *out)
{
    cudnnPointwiseMode_t mode;
    tensor x, other;
    bool has_other = false;
    if (!read_pointwise(d, &mode, &conv->slope, &x, &other, &has_other, out) || has_other ||
        x.id != biased->id || !biased->nowhere || !same_dims(biased, out))
        return false;
    conv->sigmoid = mode == CUDNN_POINTWISE_SIGMOID_FWD;
    conv->active = true;
    return conv->sigmoid || mode == CUDNN_POINTWISE_RELU_FWD;
}

/* Tensor cores read rows of whole 16 bytes. */
static bool aligned(const emu_tensor *t)
{
    const int64_t size = t->type == CUDNN_DATA_FLOAT ? 4 : 2;
    for (int i = 0; i < 4; i++)
        if (i != 1 && t->strides[i] * size % 16) return false;
    return true;
}

static cudnnStatus_t finalize_graph(descriptor *d)
{
    tensor sum, out;
    descriptor *const *ops =
        get(d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0);
    const int64_t n = ops ? d->attributes[0].count : 0;
    if (n < 2 || n > 3 || !ops[0]->final || !ops[1]->final || !ops[n - 1]->final)
        return refuse(CUDNN_STATUS_BAD_PARAM, "operations of a graph");
    if (!get(d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1))
        return refuse(CUDNN_STATUS_BAD_PARAM, "a graph without a handle");
    if (!read_conv(ops[0], &d->conv, &sum) || !read_bias(ops[1], &sum, &d->conv, &out))
        return refuse(CUDNN_STATUS_BAD_PARAM, "convolution or bias");
    if (n == 3) {
        const tensor biased = out;
        if (!read_activation(ops[2], &biased, &d->conv, &out))
            return refuse(CUDNN_STATUS_BAD_PARAM, "activation");
    }
    d->conv.out = place(&out);
    if (out.nowhere || !aligned(&d->conv.in) || !aligned(&d->conv.out))
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "maps that are not aligned");
    return CUDNN_STATUS_SUCCESS;
}

/* ---- engines ---- */

static bool narrow(const emu_conv *c)
{
    return c->bias.type != CUDNN_DATA_FLOAT;
}

static bool has_engine(const emu_conv *c, int64_t engine)
{
    if (engine == TILED) return !narrow(c);
    if (engine == NARROW) return narrow(c);
    return engine >= 0 && engine < ENGINES;
}

static cudnnStatus_t finalize_engine(descriptor *d)
{
    const descriptor *graph =
        get_part(d, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    if (!graph) return refuse(CUDNN_STATUS_BAD_PARAM, "an engine without a graph");
    d->conv = graph->conv;
    d->engine = number(d, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, -1);
    if (has_engine(&d->conv, d->engine)) return CUDNN_STATUS_SUCCESS;
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "no such engine for this graph");
}

static cudnnStatus_t finalize_config(descriptor *d)
{
    const descriptor *engine =
        get_part(d, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    if (!engine) return refuse(CUDNN_STATUS_BAD_PARAM, "a configuration without an engine");
    d->conv = engine->conv;
    d->engine = engine->engine;
    d->tile = d->engine == TILED ? 0 : -1;
    d->split = -1;
    for (int i = 0; i < d->n; i++) {
        const attribute *a = &d->attributes[i];
        if (a->name != CUDNN_ATTR_ENGINECFG_KNOB_CHOICES) continue;
        descriptor *const *choices = a->values;
        for (int64_t k = 0; k < a->count; k++) {
            const cudnnBackendKnobType_t *type =
                get(choices[k], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1);
            const int64_t value = number(choices[k], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, -1);
            if (!type || !choices[k]->final) return refuse(CUDNN_STATUS_BAD_PARAM, "a knob");
            if (*type == CUDNN_KNOB_TYPE_KERNEL_CFG) d->tile = value;
            if (*type == CUDNN_KNOB_TYPE_SPLIT_K_SLC) d->split = value;
        }
    }
    const bool good = d->engine == TILED
                          ? d->tile >= 0 && d->tile < TILES && d->split != 0 && d->split <= SPLITS
                          : d->tile < 0 && d->split < 0;
    return good ? CUDNN_STATUS_SUCCESS : refuse(CUDNN_STATUS_NOT_SUPPORTED, "these knobs");
}

/* Not a multiple of anything; where it begins is one of WORKSPACE_ALIGNMENT. */
enum { WORKSPACE_ALIGNMENT = 256 };

static size_t workspace_of(const descriptor *d)
{
    return d->split > 1 ? 1024 * (size_t)d->split + 40 : 0;
}

/* ---- plans ---- */

static bool made_for_driver(int driver)
{
    return driver == (int)emu_number("GWF_EMU_DRIVER", 13000);
}

/* A plan's text: a line with the driver, engine and knobs, and the convolution as it is in memory.
 */
enum { HEAD = 96 };
typedef struct plan_text {
    char head[HEAD];
    emu_conv conv;
} plan_text;

static cudnnStatus_t read_plan(descriptor *d)
{
    int driver = 0, engine = 0, tile = 0, split = 0;
    plan_text text;
    const void *json =
        get(d, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, sizeof text);
    if (!json) return refuse(CUDNN_STATUS_BAD_PARAM, "not a plan's text");
    memcpy(&text, json, sizeof text);
    text.head[HEAD - 1] = '\0';
    if (sscanf(text.head, "{\"driver\":%d,\"engine\":%d,\"tile\":%d,\"split\":%d}", &driver,
               &engine, &tile, &split) != 4)
        return refuse(CUDNN_STATUS_BAD_PARAM, "not a plan's text");
    if (!made_for_driver(driver))
        return refuse(CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH, "a plan of another driver");
    d->conv = text.conv;
    d->engine = engine;
    d->tile = tile;
    d->split = split;
    return CUDNN_STATUS_SUCCESS;
}

static _Atomic long plans_made;

long emu_plans_made(void)
{
    return plans_made;
}

static cudnnStatus_t finalize_plan(descriptor *d)
{
    const descriptor *config =
        get_part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (!get(d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1))
        return refuse(CUDNN_STATUS_BAD_PARAM, "a plan without a handle");
    if (!config) return read_plan(d);
    d->conv = config->conv;
    d->engine = config->engine;
    d->tile = config->tile;
    d->split = config->split;
    if (d->engine == NO_PLAN) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "this engine has no plans");
    plans_made++;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_pack(const descriptor *d)
{
    const void *ids = get(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 4);
    const void *memory = get(d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 4);
    const void *workspace = get(d, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1);
    return ids && memory && workspace ? CUDNN_STATUS_SUCCESS
                                      : refuse(CUDNN_STATUS_BAD_PARAM, "a pack of memory");
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t given)
{
    descriptor *d = given;
    cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
    tensor t;
    if (emu_fails("cudnnBackendFinalize")) return refuse(CUDNN_STATUS_INTERNAL_ERROR, "not today");
    switch (d->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        status =
            read_tensor(d, &t) ? CUDNN_STATUS_SUCCESS : refuse(CUDNN_STATUS_BAD_PARAM, "a tensor");
        break;
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        status = finalize_graph(d);
        break;
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
        status = finalize_engine(d);
        break;
    case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR:
        status = finalize_config(d);
        break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        status = finalize_plan(d);
        break;
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
        status = finalize_pack(d);
        break;
    default: /* looked at where they are used */
        break;
    }
    d->final = status == CUDNN_STATUS_SUCCESS;
    return status;
}

/* ---- asking ---- */

static void give_engine(descriptor *to, const emu_conv *conv, int64_t engine)
{
    to->conv = *conv;
    to->engine = engine;
    to->tile = engine == TILED ? 0 : -1;
    to->split = -1;
    to->final = true;
}

/* The heuristics' list, as far as the graph has these engines. */
static int64_t suggest(const descriptor *heuristics, int64_t room, descriptor **results)
{
    static const int64_t by_mode[2][6] = {{SPOKEN, NO_PLAN, TILED, NARROW, WRONG, FAILING},
                                          {EXACT, SILENT, -1, -1, -1, -1}};
    const descriptor *graph = get_part(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
                                       CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    const cudnnBackendHeurMode_t *mode =
        get(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1);
    int64_t n = 0;
    if (!graph || !mode) return 0;
    const int64_t *list = by_mode[*mode == CUDNN_HEUR_MODE_FALLBACK];
    for (int i = 0; i < 6 && n < room; i++)
        if (has_engine(&graph->conv, list[i])) give_engine(results[n++], &graph->conv, list[i]);
    return n;
}

static int64_t give_notes(int64_t engine, cudnnBackendNumericalNote_t *notes)
{
    int64_t n = 0;
    if (engine != EXACT && engine != SILENT) notes[n++] = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    if (engine == SPOKEN) notes[n++] = CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    return n;
}

static int64_t give_knobs(const descriptor *engine, descriptor **infos)
{
    static const cudnnBackendKnobType_t types[] = {CUDNN_KNOB_TYPE_KERNEL_CFG,
                                                   CUDNN_KNOB_TYPE_SPLIT_K_SLC};
    if (engine->engine != TILED) return 0;
    for (int i = 0; i < 2; i++) {
        const int64_t largest = i == 0 ? TILES - 1 : SPLITS;
        cudnnBackendSetAttribute(infos[i], CUDNN_ATTR_KNOB_INFO_TYPE, CUDNN_TYPE_KNOB_TYPE, 1,
                                 &types[i]);
        cudnnBackendSetAttribute(infos[i], CUDNN_ATTR_KNOB_INFO_MAXIMUM_VALUE, CUDNN_TYPE_INT64, 1,
                                 &largest);
    }
    return 2;
}

static int64_t give_choices(const descriptor *config, descriptor **choices)
{
    const cudnnBackendKnobType_t types[] = {CUDNN_KNOB_TYPE_KERNEL_CFG,
                                            CUDNN_KNOB_TYPE_SPLIT_K_SLC};
    const int64_t values[] = {config->tile, config->split};
    int64_t n = 0;
    for (int i = 0; i < 2; i++) {
        if (values[i] < 0) continue;
        cudnnBackendSetAttribute(choices[n], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE,
                                 1, &types[i]);
        cudnnBackendSetAttribute(choices[n], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1,
                                 &values[i]);
        n++;
    }
    return n;
}

static int64_t give_text(const descriptor *plan, int64_t room, void *values)
{
    plan_text text = {.conv = plan->conv};
    snprintf(text.head, sizeof text.head, "{\"driver\":%d,\"engine\":%d,\"tile\":%d,\"split\":%d}",
             (int)emu_number("GWF_EMU_DRIVER", 13000), (int)plan->engine, (int)plan->tile,
             (int)plan->split);
    if (room >= (int64_t)sizeof text) memcpy(values, &text, sizeof text);
    return sizeof text;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const given,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room,
                                       int64_t *count, void *values)
{
    const descriptor *d = given;
    const attribute *own = NULL;
    for (int i = 0; i < d->n; i++)
        if (d->attributes[i].name == name) own = &d->attributes[i];
    int64_t value = 0;
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
        *count = suggest(d, room, values);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINECFG_ENGINE:
        give_engine(*(descriptor **)values, &d->conv, d->engine);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        *count = give_notes(d->engine, values);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_KNOB_INFO:
        *count = give_knobs(d, values);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
        *count = give_choices(d, values);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION:
        *count = give_text(d, room, values);
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
        value = d->engine;
        break;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        value = (int64_t)workspace_of(d);
        break;
    default:
        if (!own || own->type != type || room < own->count)
            return refuse(CUDNN_STATUS_BAD_PARAM, "asked for what is not there");
        memcpy(values, own->values, (size_t)own->count * size_of(type));
        *count = own->count;
        return CUDNN_STATUS_SUCCESS;
    }
    if (type != CUDNN_TYPE_INT64 || room < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "a number");
    memcpy(values, &value, sizeof value);
    *count = 1;
    return CUDNN_STATUS_SUCCESS;
}

/* ---- running ---- */

/* Seconds, so that there is something to choose. */
static double cost_of(const descriptor *plan)
{
    static const double engines[ENGINES] = {80e-6, 0, 50e-6, 10e-6, 10e-6, 10e-6, 0, 5e-6};
    static const double tiles[TILES] = {40e-6, 60e-6, 30e-6, 45e-6};
    if (plan->engine == NARROW && plan->conv.weights.dims[2] == 1) return 20e-6;
    if (plan->engine != TILED) return engines[plan->engine];
    const double parts = plan->split > 1 ? fabs(log2((double)plan->split / 4)) : 2;
    return tiles[plan->tile] + 4e-6 * parts;
}

/* The pack's memory of a tensor; NULL when it is not there, or not the GPU's. */
static void *memory_of(const descriptor *pack, const emu_tensor *t)
{
    const int64_t *ids = get(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 4);
    void *const *memory = get(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 4);
    int64_t last = 0;
    for (int i = 0; i < 4; i++) last += (t->dims[i] - 1) * t->strides[i];
    const size_t bytes = (size_t)(last + 1) * (t->type == CUDNN_DATA_FLOAT ? 4 : 2);
    for (int i = 0; i < 4; i++)
        if (ids[i] == t->id)
            return emu_is_device(memory[i], bytes) && (uintptr_t)memory[i] % 16 == 0 ? memory[i]
                                                                                     : NULL;
    return NULL;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_given,
                                  cudnnBackendDescriptor_t pack_given)
{
    const descriptor *plan = plan_given, *pack = pack_given;
    if (emu_fails("cudnnBackendExecute"))
        return refuse(CUDNN_STATUS_EXECUTION_FAILED, "the device has failed");
    if (!plan->final || !pack->final || plan->engine == FAILING)
        return refuse(CUDNN_STATUS_EXECUTION_FAILED, "this plan does not run");
    if (emu_number("GWF_EMU_NO_CAPTURE", 0) > 0 && emu_spoil_capture(handle->stream))
        return refuse(CUDNN_STATUS_EXECUTION_FAILED, "this plan cannot be recorded");
    void *const *workspace = get(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1);
    emu_run *run = calloc(1, sizeof *run);
    if (!run) return CUDNN_STATUS_ALLOC_FAILED;
    *run = (emu_run){.size = sizeof *run,
                     .conv = plan->conv,
                     .cut = plan->engine != EXACT && plan->conv.in.type == CUDNN_DATA_FLOAT,
                     .wrong = plan->engine == WRONG,
                     .unsteady = plan->engine == SPOKEN || plan->engine == SILENT,
                     .forgets = plan->engine == EXACT || emu_number("GWF_EMU_FORGETS_NAN", 0) > 0,
                     .in = memory_of(pack, &plan->conv.in),
                     .weights = memory_of(pack, &plan->conv.weights),
                     .bias = memory_of(pack, &plan->conv.bias),
                     .out = memory_of(pack, &plan->conv.out)};
    if (!run->in || !run->weights || !run->bias || !run->out ||
        (workspace_of(plan) && ((uintptr_t)*workspace % WORKSPACE_ALIGNMENT ||
                                !emu_is_device(*workspace, workspace_of(plan))))) {
        free(run);
        return refuse(CUDNN_STATUS_BAD_PARAM, "memory that is missing, too short or not aligned");
    }
    run->workspace = workspace_of(plan) ? *workspace : NULL;
    run->workspace_bytes = workspace_of(plan);
    emu_enqueue(handle->stream, emu_run_conv, run, cost_of(plan));
    return CUDNN_STATUS_SUCCESS;
}
