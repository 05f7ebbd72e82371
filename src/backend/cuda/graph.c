#include "backend/cuda/graph.h"

#include <inttypes.h>
#include <stdio.h>

/* Numbers of the tensors, as plans know them. */
enum { IN = 1, WEIGHTS, BIAS, OUT, SUM, BIASED };
enum { ALIGNMENT = 16 };

void gwf_cuda_destroy(cudnnBackendDescriptor_t descriptor)
{
    if (descriptor) cudnnBackendDestroyDescriptor(descriptor);
}

static const char *type_word(gwf_cuda_type type)
{
    return type == GWF_CUDA_BF16 ? "bf16" : type == GWF_CUDA_FP16 ? "fp16" : "fp32";
}

static int tensor_text(const gwf_cuda_tensor *t, char *text, size_t size)
{
    return snprintf(text, size,
                    "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 "/%" PRId64 ",%" PRId64
                    ",%" PRId64,
                    t->dims[0], t->dims[1], t->dims[2], t->dims[3], t->strides[0], t->strides[2],
                    t->strides[3]);
}

void gwf_cuda_conv_text(const gwf_cuda_conv *conv, char text[static GWF_CUDA_CONV_TEXT])
{
    char in[112], out[112];
    tensor_text(&conv->in, in, sizeof in);
    tensor_text(&conv->out, out, sizeof out);
    snprintf(text, GWF_CUDA_CONV_TEXT, "conv %s%s %s to %s, kernel %d, pads %d %d %d %d, act %d",
             type_word(conv->type), conv->exact ? " exact" : "", in, out, conv->kernel,
             conv->before[0], conv->after[0], conv->before[1], conv->after[1],
             (int)conv->activation);
}

/* ---- a graph, part by part ---- */

/* The first failure stays in status and err; every call after it does nothing. */
typedef struct builder {
    gwf_cuda_graph *graph;
    gwf_status status;
    gwf_error *err;
} builder;

static void note(builder *b, cudnnStatus_t status, const char *call)
{
    if (status != CUDNN_STATUS_SUCCESS && b->status == GWF_OK)
        b->status = gwf_cudnn_failed(b->graph->device, status, call, b->err);
}

static cudnnBackendDescriptor_t begin(builder *b, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t descriptor = NULL;
    if (b->status != GWF_OK) return NULL;
    if (b->graph->n_parts == GWF_CUDA_GRAPH_PARTS) {
        b->status = gwf_fail(b->err, GWF_ERR_INTERNAL, "backend cuda: a graph of too many parts");
        return NULL;
    }
    note(b, cudnnBackendCreateDescriptor(type, &descriptor), "cudnnBackendCreateDescriptor");
    if (descriptor) b->graph->parts[b->graph->n_parts++] = descriptor;
    return descriptor;
}

static void set(builder *b, cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (b->status == GWF_OK)
        note(b, cudnnBackendSetAttribute(descriptor, name, type, count, values),
             "cudnnBackendSetAttribute");
}

static void set_part(builder *b, cudnnBackendDescriptor_t descriptor,
                     cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part)
{
    set(b, descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

static void finish(builder *b, cudnnBackendDescriptor_t descriptor)
{
    if (b->status == GWF_OK) note(b, cudnnBackendFinalize(descriptor), "cudnnBackendFinalize");
}

static cudnnDataType_t data_type(gwf_cuda_type type)
{
    return type == GWF_CUDA_BF16   ? CUDNN_DATA_BFLOAT16
           : type == GWF_CUDA_FP16 ? CUDNN_DATA_HALF
                                   : CUDNN_DATA_FLOAT;
}

/* Sums and what is made of them before the result are of float32 and nowhere in memory. */
static cudnnBackendDescriptor_t tensor(builder *b, int64_t number, cudnnDataType_t type,
                                       const gwf_cuda_tensor *t)
{
    const int64_t alignment = ALIGNMENT;
    const bool nowhere = number == SUM || number == BIASED;
    cudnnBackendDescriptor_t d = begin(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, t->dims);
    set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, t->strides);
    set(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &number);
    set(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(b, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &nowhere);
    finish(b, d);
    return d;
}

/* Dense, channels fastest. */
static gwf_cuda_tensor dense(int64_t n, int64_t channels, int64_t rows, int64_t cols)
{
    return (gwf_cuda_tensor){{n, channels, rows, cols},
                             {rows * cols * channels, 1, cols * channels, channels}};
}

static cudnnBackendDescriptor_t shape_of_conv(builder *b, const gwf_cuda_conv *conv)
{
    const int64_t spatial = 2, one[] = {1, 1};
    const int64_t before[] = {conv->before[0], conv->before[1]};
    const int64_t after[] = {conv->after[0], conv->after[1]};
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    cudnnBackendDescriptor_t d = begin(b, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial);
    set(b, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    set(b, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(b, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, before);
    set(b, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, after);
    set(b, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, one);
    set(b, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one);
    finish(b, d);
    return d;
}

static cudnnBackendDescriptor_t convolution(builder *b, const gwf_cuda_conv *conv,
                                            cudnnBackendDescriptor_t sum)
{
    const float alpha = 1, beta = 0;
    const cudnnDataType_t type = data_type(conv->type);
    const gwf_cuda_tensor filter =
        dense(conv->out.dims[1], conv->in.dims[1], conv->kernel, conv->kernel);
    cudnnBackendDescriptor_t shape = shape_of_conv(b, conv);
    cudnnBackendDescriptor_t in = tensor(b, IN, type, &conv->in);
    cudnnBackendDescriptor_t weights = tensor(b, WEIGHTS, type, &filter);
    cudnnBackendDescriptor_t d = begin(b, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    set_part(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, shape);
    set_part(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, in);
    set_part(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, weights);
    set_part(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, sum);
    set(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &alpha);
    set(b, d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &beta);
    finish(b, d);
    return d;
}

/* y = mode(x), or mode(x, other) where there is another. */
static cudnnBackendDescriptor_t pointwise(builder *b, cudnnPointwiseMode_t mode, double slope,
                                          cudnnBackendDescriptor_t x,
                                          cudnnBackendDescriptor_t other,
                                          cudnnBackendDescriptor_t y)
{
    const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t how = begin(b, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(b, how, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(b, how, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision);
    if (slope > 0)
        set(b, how, CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, CUDNN_TYPE_DOUBLE, 1, &slope);
    finish(b, how);
    cudnnBackendDescriptor_t d = begin(b, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
    set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (other) set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    set_part(b, d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    finish(b, d);
    return d;
}

static void whole_graph(builder *b, const gwf_cuda_conv *conv)
{
    const cudnnDataType_t type = data_type(conv->type);
    const gwf_cuda_tensor *o = &conv->out;
    const gwf_cuda_tensor within = dense(o->dims[0], o->dims[1], o->dims[2], o->dims[3]);
    const gwf_cuda_tensor of_bias = dense(1, o->dims[1], 1, 1);
    const bool active = conv->activation != GWF_IDENTITY;
    cudnnBackendDescriptor_t operations[3];
    int n = 0;
    cudnnBackendDescriptor_t out = tensor(b, OUT, type, &conv->out);
    cudnnBackendDescriptor_t sum = tensor(b, SUM, CUDNN_DATA_FLOAT, &within);
    cudnnBackendDescriptor_t bias =
        tensor(b, BIAS, conv->narrow_bias ? type : CUDNN_DATA_FLOAT, &of_bias);
    cudnnBackendDescriptor_t biased = active ? tensor(b, BIASED, CUDNN_DATA_FLOAT, &within) : out;
    operations[n++] = convolution(b, conv, sum);
    operations[n++] = pointwise(b, CUDNN_POINTWISE_ADD, 0, sum, bias, biased);
    if (active)
        operations[n++] =
            pointwise(b,
                      conv->activation == GWF_SIGMOID ? CUDNN_POINTWISE_SIGMOID_FWD
                                                      : CUDNN_POINTWISE_RELU_FWD,
                      conv->activation == GWF_LEAKY_RELU ? 0.01 : 0, biased, NULL, out);
    cudnnBackendDescriptor_t d = begin(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, operations);
    if (b->graph->target.handle)
        set(b, d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &b->graph->target.handle);
    finish(b, d);
    b->graph->operations = d;
}

gwf_status gwf_cuda_graph_make(gwf_cuda_device *device, gwf_cuda_target target,
                               const gwf_cuda_conv *conv, gwf_cuda_graph *graph, gwf_error *err)
{
    *graph = (gwf_cuda_graph){.device = device, .target = target, .exact = conv->exact};
    builder b = {graph, GWF_OK, err};
    whole_graph(&b, conv);
    if (b.status != GWF_OK) gwf_cuda_graph_free(graph);
    return b.status;
}

void gwf_cuda_graph_free(gwf_cuda_graph *graph)
{
    while (graph->n_parts > 0) gwf_cuda_destroy(graph->parts[--graph->n_parts]);
    graph->operations = NULL;
}

gwf_status gwf_cuda_bind(gwf_cuda_device *device, gwf_cuda_operands at,
                         cudnnBackendDescriptor_t *pack, gwf_error *err)
{
    static const int64_t numbers[] = {IN, WEIGHTS, BIAS, OUT};
    void *const memory[] = {at.in, at.weights, at.bias, at.out};
    gwf_cuda_graph alone = {.device = device};
    builder b = {&alone, GWF_OK, err};
    cudnnBackendDescriptor_t d = begin(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(&b, d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 4, numbers);
    set(&b, d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 4, memory);
    set(&b, d, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &at.workspace);
    finish(&b, d);
    *pack = d;
    if (b.status != GWF_OK) {
        gwf_cuda_graph_free(&alone);
        *pack = NULL;
    }
    return b.status;
}
