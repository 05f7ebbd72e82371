#include "backend/onednn_conv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/clock.h"
#include "core/size.h"

enum { LINE = 64, PAGE = 2 << 20, TRIALS = 3 };

const char *gwf_dnnl_reason(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not implemented for this shape";
    case dnnl_runtime_error:
        return "runtime error";
    default:
        return "failed";
    }
}

void *gwf_aligned(size_t bytes)
{
    void *memory = NULL;
    const size_t rounded = gwf_size_round_up(bytes ? bytes : 1, LINE);
    if (posix_memalign(&memory, rounded < PAGE ? LINE : PAGE, rounded)) return NULL;
#ifdef MADV_HUGEPAGE
    if (rounded >= PAGE) madvise(memory, rounded, MADV_HUGEPAGE); /* a wish, not more */
#endif
    return memset(memory, 0, rounded);
}

static void destroy_memory(dnnl_memory_t memory)
{
    if (memory) dnnl_memory_destroy(memory);
}

void gwf_conv_free(gwf_conv *conv)
{
    if (conv->primitive) dnnl_primitive_destroy(conv->primitive);
    destroy_memory(conv->src);
    destroy_memory(conv->weights);
    destroy_memory(conv->bias);
    destroy_memory(conv->dst);
    destroy_memory(conv->scratch);
    free(conv->packed);
    *conv = (gwf_conv){0};
}

/* Channels, rows, cols as oneDNN sees them: a dense batch of blocked maps. */
static dnnl_status_t describe_maps(const gwf_dnnl *dnnl, int batch, const int size[3],
                                   dnnl_memory_desc_t *desc)
{
    const dnnl_dims_t dims = {batch, size[0], size[1], size[2]};
    return dnnl_memory_desc_init_by_tag(desc, 4, dims, dnnl_f32,
                                        dnnl->block == 16 ? dnnl_nChw16c : dnnl_nChw8c);
}

static dnnl_status_t append_activation(dnnl_primitive_attr_t attr, gwf_activation activation)
{
    if (activation == GWF_IDENTITY) return dnnl_success;
    dnnl_post_ops_t ops;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status != dnnl_success) return status;
    if (activation == GWF_SIGMOID)
        status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_logistic, 0, 0);
    else
        status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu,
                                              activation == GWF_LEAKY_RELU ? 0.01f : 0, 0);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/* unimplemented (no error text): the library has no such algorithm for this shape. */
static dnnl_status_t describe_conv(const gwf_dnnl *dnnl, const gwf_conv_shape *shape,
                                   dnnl_alg_kind_t algorithm, dnnl_primitive_desc_t *result)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_memory_desc_t src, weights, bias, dst;
    dnnl_convolution_desc_t desc;
    const dnnl_dims_t filter = {shape->out[0], shape->in[0], shape->kernel, shape->kernel};
    const dnnl_dims_t n_bias = {shape->out[0]}, strides = {1, 1};
    const dnnl_dims_t before = {shape->pad_before[0], shape->pad_before[1]};
    const dnnl_dims_t after = {shape->pad_after[0], shape->pad_after[1]};
    dnnl_status_t rc = describe_maps(dnnl, shape->batch, shape->in, &src);
    if (rc == dnnl_success) rc = describe_maps(dnnl, shape->batch, shape->out, &dst);
    if (rc == dnnl_success)
        rc = dnnl_memory_desc_init_by_tag(&weights, 4, filter, dnnl_f32, dnnl_format_tag_any);
    if (rc == dnnl_success) rc = dnnl_memory_desc_init_by_tag(&bias, 1, n_bias, dnnl_f32, dnnl_x);
    if (rc == dnnl_success)
        rc = dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, algorithm, &src,
                                                &weights, &bias, &dst, strides, before, after);
    if (rc == dnnl_success) rc = dnnl_primitive_attr_create(&attr);
    if (rc == dnnl_success)
        rc = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (rc == dnnl_success) rc = append_activation(attr, shape->activation);
    if (rc == dnnl_success)
        rc = dnnl_primitive_desc_create(result, &desc, attr, dnnl->engine, NULL);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return rc;
}

/* Weights from (out, in, kernel, kernel) to the layout the primitive asks for, once. */
static gwf_status pack_weights(gwf_dnnl *dnnl, const gwf_conv_shape *shape, dnnl_memory_t packed,
                               gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_memory_t plain = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_desc_t from;
    const dnnl_memory_desc_t *to = NULL;
    const dnnl_dims_t filter = {shape->out[0], shape->in[0], shape->kernel, shape->kernel};

    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&from, 4, filter, dnnl_f32, dnnl_oihw));
    DNNL_TRY_DONE(dnnl_memory_get_memory_desc(packed, &to));
    DNNL_TRY_DONE(dnnl_memory_create(&plain, &from, dnnl->engine, (void *)shape->weights));
    DNNL_TRY_DONE(
        dnnl_reorder_primitive_desc_create(&desc, &from, dnnl->engine, to, dnnl->engine, NULL));
    DNNL_TRY_DONE(dnnl_primitive_create(&reorder, desc));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, packed}};
    DNNL_TRY_DONE(dnnl_primitive_execute(reorder, dnnl->stream, 2, args));
    DNNL_TRY_DONE(dnnl_stream_wait(dnnl->stream));
done:
    if (reorder) dnnl_primitive_destroy(reorder);
    if (desc) dnnl_primitive_desc_destroy(desc);
    destroy_memory(plain);
    return status;
}

/* Memory for the packed weights. Every map reads all of them, at the deep levels little else: in
 * large pages that is up to a quarter faster. */
static gwf_status hold_weights(gwf_conv *conv, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const dnnl_memory_desc_t *desc = NULL;
    DNNL_TRY_DONE(dnnl_memory_get_memory_desc(conv->weights, &desc));
    conv->packed = gwf_aligned(dnnl_memory_desc_get_size(desc));
    if (!conv->packed) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for weights");
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(conv->weights, conv->packed));
done:
    return status;
}

static gwf_status copy_bias(const gwf_conv_shape *shape, dnnl_memory_t bias, gwf_error *err)
{
    gwf_status status = GWF_OK;
    void *values = NULL;
    DNNL_TRY_DONE(dnnl_memory_get_data_handle(bias, &values));
    memcpy(values, shape->bias, (size_t)shape->out[0] * sizeof(float));
done:
    return status;
}

/* The primitive of a description, with its memories; weights and bias filled. */
static gwf_status build(gwf_dnnl *dnnl, const gwf_conv_shape *shape, dnnl_primitive_desc_t desc,
                        gwf_conv *conv, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const struct {
        dnnl_query_t what;
        int index;
        void *handle;
        dnnl_memory_t *memory;
    } wanted[] = {
        {dnnl_query_src_md, 0, DNNL_MEMORY_NONE, &conv->src},
        {dnnl_query_weights_md, 0, DNNL_MEMORY_NONE, &conv->weights},
        {dnnl_query_weights_md, 1, DNNL_MEMORY_ALLOCATE, &conv->bias},
        {dnnl_query_dst_md, 0, DNNL_MEMORY_NONE, &conv->dst},
        {dnnl_query_scratchpad_md, 0, DNNL_MEMORY_NONE, &conv->scratch},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        DNNL_TRY_DONE(dnnl_memory_create(
            wanted[i].memory, dnnl_primitive_desc_query_md(desc, wanted[i].what, wanted[i].index),
            dnnl->engine, wanted[i].handle));
    GWF_TRY_DONE(hold_weights(conv, err));
    GWF_TRY_DONE(pack_weights(dnnl, shape, conv->weights, err));
    GWF_TRY_DONE(copy_bias(shape, conv->bias, err));
    DNNL_TRY_DONE(dnnl_primitive_create(&conv->primitive, desc));
done:
    if (status != GWF_OK) gwf_conv_free(conv);
    return status;
}

static size_t scratch_of(const gwf_conv *conv)
{
    const dnnl_memory_desc_t *desc = NULL;
    if (dnnl_memory_get_memory_desc(conv->scratch, &desc) != dnnl_success) return 0;
    return dnnl_memory_desc_get_size(desc);
}

gwf_status gwf_conv_run(gwf_dnnl *dnnl, gwf_conv *conv, const float *src, float *dst,
                        gwf_error *err)
{
    gwf_status status = GWF_OK;
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(conv->src, (void *)src));
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(conv->dst, dst));
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(conv->scratch, dnnl->scratch));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, conv->src},
                                    {DNNL_ARG_WEIGHTS, conv->weights},
                                    {DNNL_ARG_BIAS, conv->bias},
                                    {DNNL_ARG_DST, conv->dst},
                                    {DNNL_ARG_SCRATCHPAD, conv->scratch}};
    DNNL_TRY_DONE(dnnl_primitive_execute(conv->primitive, dnnl->stream, 5, args));
    DNNL_TRY_DONE(dnnl_stream_wait(dnnl->stream));
done:
    return status;
}

/* ---- choosing by measuring ---- */

static size_t map_values(int batch, const int size[3])
{
    return (size_t)batch * (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
}

/* The fastest of some runs on maps of zeros. */
static gwf_status time_conv(gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv *conv,
                            double *seconds, gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_dnnl own = *dnnl;
    float *src = gwf_aligned(map_values(shape->batch, shape->in) * sizeof *src);
    float *dst = gwf_aligned(map_values(shape->batch, shape->out) * sizeof *dst);
    own.scratch = gwf_aligned(scratch_of(conv));
    *seconds = HUGE_VAL;
    if (!src || !dst || !own.scratch) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory to time a convolution");
        goto done;
    }
    for (int i = -1; i < TRIALS; i++) { /* the first one warms up */
        const double start = gwf_now();
        GWF_TRY_DONE(gwf_conv_run(&own, conv, src, dst, err));
        const double taken = gwf_now() - start;
        if (i >= 0 && taken < *seconds) *seconds = taken;
    }
done:
    free(src);
    free(dst);
    free(own.scratch);
    return status;
}

/* Replace the direct convolution by Winograd's where that can be had and is faster. */
static void try_winograd(gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv *direct)
{
    gwf_conv other = {.winograd = true};
    dnnl_primitive_desc_t desc = NULL;
    double with = 0, without = 0;
    if (describe_conv(dnnl, shape, dnnl_convolution_winograd, &desc) != dnnl_success) return;
    if (build(dnnl, shape, desc, &other, NULL) == GWF_OK &&
        time_conv(dnnl, shape, direct, &without, NULL) == GWF_OK &&
        time_conv(dnnl, shape, &other, &with, NULL) == GWF_OK && with < without) {
        const gwf_conv slower = *direct;
        *direct = other;
        other = slower;
    }
    dnnl_primitive_desc_destroy(desc);
    gwf_conv_free(&other);
}

gwf_status gwf_conv_make(gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv *conv,
                         gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_desc_t desc = NULL;
    *conv = (gwf_conv){0};
    DNNL_TRY_DONE(describe_conv(dnnl, shape, dnnl_convolution_direct, &desc));
    GWF_TRY_DONE(build(dnnl, shape, desc, conv, err));
    if (dnnl->winograd && shape->kernel == 3) try_winograd(dnnl, shape, conv);
    const size_t scratch = scratch_of(conv);
    if (scratch > dnnl->scratch_bytes) dnnl->scratch_bytes = scratch;
done:
    if (desc) dnnl_primitive_desc_destroy(desc);
    if (status != GWF_OK) gwf_conv_free(conv);
    return status;
}
