#include "backend/onednn_conv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/onednn_api.h"
#include "core/size.h"

enum { LINE = 64, PAGE = 2 << 20 };

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

static void destroy_primitive(dnnl_primitive_t primitive)
{
    if (primitive) dnnl_primitive_destroy(primitive);
}

void gwf_conv_free(gwf_conv *conv)
{
    destroy_primitive(conv->primitive);
    destroy_primitive(conv->gather);
    destroy_primitive(conv->scatter);
    destroy_memory(conv->src);
    destroy_memory(conv->weights);
    destroy_memory(conv->bias);
    destroy_memory(conv->dst);
    destroy_memory(conv->factors.memory);
    destroy_memory(conv->scratch);
    destroy_memory(conv->gathered);
    destroy_memory(conv->scattered);
    free(conv->packed);
    *conv = (gwf_conv){0};
}

/* --- what a convolution is to the library ---------------------------------------------------- */

typedef enum order { AS_THE_MAPS, CHANNELS_LAST, BLOCKS } order;

/* What each way asks for: the algorithm, the layout inside, and in the name of the implementation a
 * word that tells it from others (NULL: the library's first choice). */
static const struct {
    dnnl_alg_kind_t algorithm;
    order inside;
    const char *word;
} ways[GWF_CONV_WAYS] = {
    [GWF_CONV_DIRECT] = {dnnl_convolution_direct, AS_THE_MAPS, NULL},
    [GWF_CONV_CHANNELS_LAST] = {dnnl_convolution_direct, CHANNELS_LAST, "brg"},
    [GWF_CONV_WINOGRAD_2X3] = {dnnl_convolution_winograd, BLOCKS, "wino_2x3"},
    [GWF_CONV_WINOGRAD_4X3] = {dnnl_convolution_winograd, BLOCKS, "wino_4x3"},
};

static dnnl_data_type_t type_of(gwf_value value)
{
    static const dnnl_data_type_t types[] = {[GWF_VALUE_F32] = dnnl_f32,
                                             [GWF_VALUE_BF16] = dnnl_bf16,
                                             [GWF_VALUE_U8] = dnnl_u8,
                                             [GWF_VALUE_S8] = dnnl_s8};
    return types[value];
}

static dnnl_data_type_t type_of_weights(const gwf_conv_shape *shape)
{
    return shape->factor ? dnnl_s8 : type_of(shape->reads);
}

/* A dense batch of maps of channels, rows, cols. */
static gwf_dnnl_tensor maps_of(int batch, const int size[3], gwf_value value, dnnl_format_tag_t tag)
{
    return (gwf_dnnl_tensor){4, {batch, size[0], size[1], size[2]}, type_of(value), tag};
}

static gwf_dnnl_tensor weights_of(const gwf_conv_shape *shape, dnnl_data_type_t type,
                                  dnnl_format_tag_t tag)
{
    return (gwf_dnnl_tensor){
        4, {shape->out[0], shape->in[0], shape->kernel, shape->kernel}, type, tag};
}

static dnnl_format_tag_t layout_of(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, order wanted)
{
    const bool last = wanted == CHANNELS_LAST || (wanted == AS_THE_MAPS && shape->channels_last);
    if (last) return dnnl_nhwc;
    return dnnl->block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
}

static dnnl_status_t append_activation(dnnl_primitive_attr_t attr, gwf_activation activation)
{
    if (activation == GWF_IDENTITY) return dnnl_success;
    dnnl_post_ops_t ops;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status != dnnl_success) return status;
    if (activation == GWF_SIGMOID)
        status = gwf_dnnl_append_eltwise(ops, dnnl_eltwise_logistic, 0);
    else
        status = gwf_dnnl_append_eltwise(ops, dnnl_eltwise_relu,
                                         activation == GWF_LEAKY_RELU ? 0.01f : 0);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

static dnnl_status_t make_attributes(const gwf_conv_shape *shape, dnnl_primitive_attr_t *attr)
{
    dnnl_status_t rc = dnnl_primitive_attr_create(attr);
    if (rc == dnnl_success)
        rc = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (rc == dnnl_success && shape->factor)
        rc = gwf_dnnl_ask_factors(*attr, shape->out[0], shape->factor);
    if (rc == dnnl_success) rc = append_activation(*attr, shape->activation);
    return rc;
}

static gwf_dnnl_conv operation_of(const gwf_dnnl *dnnl, const gwf_conv_shape *shape,
                                  gwf_conv_way way)
{
    const dnnl_format_tag_t inside = layout_of(dnnl, shape, ways[way].inside);
    const gwf_value writes = shape->reads == GWF_VALUE_F32 ? GWF_VALUE_F32 : shape->writes;
    return (gwf_dnnl_conv){
        .algorithm = ways[way].algorithm,
        .word = ways[way].word,
        .src = maps_of(shape->batch, shape->in, shape->reads, inside),
        .weights = weights_of(shape, type_of_weights(shape), dnnl_format_tag_any),
        .bias = {1, {shape->out[0]}, dnnl_f32, dnnl_x},
        .dst = maps_of(shape->batch, shape->out, writes, inside),
        .pad_before = {shape->pad_before[0], shape->pad_before[1]},
        .pad_after = {shape->pad_after[0], shape->pad_after[1]},
    };
}

/* unimplemented (no error text): the library has no such algorithm for this shape. */
static dnnl_status_t describe_conv(const gwf_dnnl *dnnl, const gwf_conv_shape *shape,
                                   gwf_conv_way way, dnnl_primitive_desc_t *result)
{
    const gwf_dnnl_conv conv = operation_of(dnnl, shape, way);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t rc = make_attributes(shape, &attr);
    if (rc == dnnl_success) rc = gwf_dnnl_describe_conv(dnnl->engine, &conv, attr, result);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return rc;
}

bool gwf_conv_possible(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv_way way)
{
    dnnl_primitive_desc_t desc = NULL;
    if (describe_conv(dnnl, shape, way, &desc) != dnnl_success) return false;
    dnnl_primitive_desc_destroy(desc);
    return true;
}

/* --- making one ------------------------------------------------------------------------------ */

static gwf_dnnl_layout layout_in(const_dnnl_memory_t memory)
{
    gwf_dnnl_layout layout = NULL;
    dnnl_memory_get_memory_desc(memory, &layout);
    return layout;
}

static gwf_status make_reorder(const gwf_dnnl *dnnl, dnnl_memory_t from, dnnl_memory_t to,
                               dnnl_primitive_t *reorder, gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_desc_t desc = NULL;
    DNNL_TRY_DONE(dnnl_reorder_primitive_desc_create(&desc, layout_in(from), dnnl->engine,
                                                     layout_in(to), dnnl->engine, NULL));
    DNNL_TRY_DONE(dnnl_primitive_create(reorder, desc));
done:
    if (desc) dnnl_primitive_desc_destroy(desc);
    return status;
}

static dnnl_status_t run_reorder(const gwf_dnnl *dnnl, dnnl_primitive_t reorder, dnnl_memory_t from,
                                 dnnl_memory_t to)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return dnnl_primitive_execute(reorder, dnnl->stream, 2, args);
}

/* Weights from (out, in, kernel, kernel) to the layout the primitive asks for, once. */
static gwf_status pack_weights(const gwf_dnnl *dnnl, const gwf_conv_shape *shape,
                               dnnl_memory_t packed, gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_memory_t plain = NULL;
    dnnl_primitive_t reorder = NULL;
    const gwf_dnnl_tensor from =
        weights_of(shape, shape->int8_weights ? dnnl_s8 : dnnl_f32, dnnl_oihw);
    void *const weights =
        shape->int8_weights ? (void *)shape->int8_weights : (void *)shape->weights;

    DNNL_TRY_DONE(gwf_dnnl_make_memory(dnnl->engine, &from, weights, &plain));
    GWF_TRY_DONE(make_reorder(dnnl, plain, packed, &reorder, err));
    DNNL_TRY_DONE(run_reorder(dnnl, reorder, plain, packed));
    DNNL_TRY_DONE(dnnl_stream_wait(dnnl->stream));
done:
    destroy_primitive(reorder);
    destroy_memory(plain);
    return status;
}

static size_t bytes_of(dnnl_memory_t memory)
{
    return dnnl_memory_desc_get_size(layout_in(memory));
}

/* Memory for the packed weights. Every map reads all of them, at the deep levels little else: in
 * large pages that is up to a quarter faster. */
static gwf_status hold_weights(gwf_conv *conv, gwf_error *err)
{
    gwf_status status = GWF_OK;
    conv->packed = gwf_aligned(bytes_of(conv->weights));
    if (!conv->packed) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for weights");
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(conv->weights, conv->packed));
done:
    return status;
}

gwf_status gwf_conv_weights(gwf_conv *conv, gwf_weights_at *at, void *user, gwf_error *err)
{
    gwf_status status = GWF_OK;
    void *here = NULL;
    if (!conv->weights) return GWF_OK;
    DNNL_TRY_DONE(dnnl_memory_get_data_handle(conv->weights, &here));
    void *const there = at(user, here, bytes_of(conv->weights));
    if (there == here) return GWF_OK;
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(conv->weights, there));
    free(conv->packed);
    conv->packed = NULL;
done:
    return status;
}

static gwf_status copy_bias(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv *conv,
                            gwf_error *err)
{
    gwf_status status = GWF_OK;
    void *bias = NULL;
    DNNL_TRY_DONE(dnnl_memory_get_data_handle(conv->bias, &bias));
    memcpy(bias, shape->bias, (size_t)shape->out[0] * sizeof(float));
    if (shape->factor)
        DNNL_TRY_DONE(gwf_dnnl_give_factors(dnnl->engine, shape->out[0], shape->factor, bias,
                                            &conv->factors));
done:
    return status;
}

/* The primitive of a description, with its memories; weights and bias filled. */
static gwf_status build(const gwf_dnnl *dnnl, const gwf_conv_shape *shape,
                        dnnl_primitive_desc_t desc, gwf_conv *conv, gwf_error *err)
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
    conv->scratch_bytes = bytes_of(conv->scratch);
    GWF_TRY_DONE(hold_weights(conv, err));
    if (shape->weights || shape->int8_weights)
        GWF_TRY_DONE(pack_weights(dnnl, shape, conv->weights, err));
    GWF_TRY_DONE(copy_bias(dnnl, shape, conv, err));
    DNNL_TRY_DONE(dnnl_primitive_create(&conv->primitive, desc));
done:
    return status;
}

/* Room behind what is taken of the scratch so far; where it starts. */
static size_t take_scratch(gwf_conv *conv, dnnl_memory_t memory)
{
    const size_t at = gwf_size_round_up(conv->scratch_bytes, LINE);
    conv->scratch_bytes = at + bytes_of(memory);
    return at;
}

/* A reorder between a map and the memory inside, which then lies in the scratch; none where they
 * are the same. */
static gwf_status add_reorder(const gwf_dnnl *dnnl, const gwf_dnnl_tensor *tensor, bool gathers,
                              gwf_conv *conv, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const dnnl_memory_t inside = gathers ? conv->src : conv->dst;
    dnnl_memory_t *const map = gathers ? &conv->gathered : &conv->scattered;
    DNNL_TRY_DONE(gwf_dnnl_make_memory(dnnl->engine, tensor, DNNL_MEMORY_NONE, map));
    if (dnnl_memory_desc_equal(layout_in(inside), layout_in(*map))) {
        destroy_memory(*map);
        *map = NULL;
        return GWF_OK;
    }
    *(gathers ? &conv->src_at : &conv->dst_at) = take_scratch(conv, inside);
    return gathers ? make_reorder(dnnl, *map, inside, &conv->gather, err)
                   : make_reorder(dnnl, inside, *map, &conv->scatter, err);
done:
    return status;
}

static gwf_status add_reorders(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv *conv,
                               gwf_error *err)
{
    const dnnl_format_tag_t tag = layout_of(dnnl, shape, AS_THE_MAPS);
    const gwf_dnnl_tensor src = maps_of(shape->batch, shape->in, shape->reads, tag);
    const gwf_dnnl_tensor dst = maps_of(shape->batch, shape->out, shape->writes, tag);
    GWF_TRY(add_reorder(dnnl, &src, true, conv, err));
    return add_reorder(dnnl, &dst, false, conv, err);
}

gwf_status gwf_conv_make(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv_way way,
                         gwf_conv *conv, gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_desc_t desc = NULL;
    *conv = (gwf_conv){0};
    const dnnl_status_t rc = describe_conv(dnnl, shape, way, &desc);
    if (rc == dnnl_unimplemented)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cpu: oneDNN has no such %d x %d convolution for %d channels of "
                        "%d x %d",
                        shape->kernel, shape->kernel, shape->in[0], shape->in[1], shape->in[2]);
    DNNL_TRY_DONE(rc);
    GWF_TRY_DONE(build(dnnl, shape, desc, conv, err));
    GWF_TRY_DONE(add_reorders(dnnl, shape, conv, err));
done:
    if (desc) dnnl_primitive_desc_destroy(desc);
    if (status != GWF_OK) gwf_conv_free(conv);
    return status;
}

/* --- running it ------------------------------------------------------------------------------ */

/* Point the memories at the maps, or at the scratch where there are reorders. */
static dnnl_status_t place(const gwf_dnnl *dnnl, gwf_conv *conv, void *src, void *dst)
{
    const struct {
        dnnl_memory_t memory;
        void *at;
    } all[] = {
        {conv->src, conv->gather ? dnnl->scratch + conv->src_at : src},
        {conv->dst, conv->scatter ? dnnl->scratch + conv->dst_at : dst},
        {conv->scratch, dnnl->scratch},
        {conv->gathered, src},
        {conv->scattered, dst},
    };
    dnnl_status_t rc = dnnl_success;
    for (size_t i = 0; i < sizeof all / sizeof *all && rc == dnnl_success; i++)
        if (all[i].memory) rc = dnnl_memory_set_data_handle(all[i].memory, all[i].at);
    return rc;
}

double gwf_conv_executed(gwf_conv_way way)
{
    return way == GWF_CONV_WINOGRAD_2X3 ? 4.0 / 9 : way == GWF_CONV_WINOGRAD_4X3 ? 1.0 / 4 : 1;
}

gwf_status gwf_conv_run(const gwf_dnnl *dnnl, gwf_conv *conv, const void *src, void *dst,
                        gwf_error *err)
{
    gwf_status status = GWF_OK;
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, conv->src},
        {DNNL_ARG_WEIGHTS, conv->weights},
        {DNNL_ARG_BIAS, conv->bias},
        {DNNL_ARG_DST, conv->dst},
        {DNNL_ARG_SCRATCHPAD, conv->scratch},
        conv->factors,
    };
    DNNL_TRY_DONE(place(dnnl, conv, (void *)src, dst));
    if (conv->gather) DNNL_TRY_DONE(run_reorder(dnnl, conv->gather, conv->gathered, conv->src));
    DNNL_TRY_DONE(
        dnnl_primitive_execute(conv->primitive, dnnl->stream, conv->factors.memory ? 6 : 5, args));
    if (conv->scatter) DNNL_TRY_DONE(run_reorder(dnnl, conv->scatter, conv->dst, conv->scattered));
    DNNL_TRY_DONE(dnnl_stream_wait(dnnl->stream));
done:
    return status;
}
