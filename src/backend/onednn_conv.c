#include "backend/onednn_conv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/size.h"

enum { LINE = 64, PAGE = 2 << 20 };

gwf_status gwf_dnnl_check_precision(gwf_precision precision, dnnl_cpu_isa_t isa, gwf_error *err)
{
    if (precision == GWF_BF16 && !gwf_dnnl_has_isa(isa, dnnl_cpu_isa_avx512_core_bf16))
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cpu: precision bf16 needs AVX-512 BF16 or AMX, this processor has "
                        "%s: it has precision fp32 and fp32-fast",
                        gwf_dnnl_isa_name(isa));
    if (precision > GWF_FP32_FAST && precision != GWF_BF16)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cpu has precision fp32, fp32-fast and bf16, not %s",
                        gwf_precision_word(precision));
    return GWF_OK;
}

const char *gwf_dnnl_precision(gwf_precision precision)
{
    if (precision == GWF_PRECISION_AUTO) return gwf_precision_word(GWF_FP32);
    return precision == GWF_FP32_FAST ? "fp32-fast (Winograd admitted)"
                                      : gwf_precision_word(precision);
}

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

const char *gwf_dnnl_isa_name(dnnl_cpu_isa_t isa)
{
    switch (isa) {
    case dnnl_cpu_isa_sse41:
        return "SSE4.1";
    case dnnl_cpu_isa_avx:
        return "AVX";
    case dnnl_cpu_isa_avx2:
        return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
        return "AVX2-VNNI";
    case dnnl_cpu_isa_avx512_core:
        return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "AVX-512 VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "AVX-512 BF16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "AVX-512 AMX";
    default:
        return "unknown instruction set";
    }
}

bool gwf_dnnl_has_isa(dnnl_cpu_isa_t all, dnnl_cpu_isa_t wanted)
{
    return (all & wanted) == wanted; /* sets of bits: one that is newer holds the older ones' */
}

void gwf_dnnl_describe(int threads, char *text, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, size, "oneDNN %d.%d.%d, %s, %d thread%s", version->major, version->minor,
             version->patch, gwf_dnnl_isa_name(dnnl_get_effective_cpu_isa()), threads,
             threads == 1 ? "" : "s");
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

/* Channels, rows, cols as oneDNN sees them: a dense batch of maps. */
static dnnl_status_t describe_maps(int batch, const int size[3], gwf_value value,
                                   dnnl_format_tag_t layout, dnnl_memory_desc_t *desc)
{
    const dnnl_dims_t dims = {batch, size[0], size[1], size[2]};
    return dnnl_memory_desc_init_by_tag(desc, 4, dims, type_of(value), layout);
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
        status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_logistic, 0, 0);
    else
        status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu,
                                              activation == GWF_LEAKY_RELU ? 0.01f : 0, 0);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

static dnnl_status_t make_attributes(const gwf_conv_shape *shape, dnnl_primitive_attr_t *attr)
{
    dnnl_status_t rc = dnnl_primitive_attr_create(attr);
    if (rc == dnnl_success)
        rc = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (rc == dnnl_success && shape->factor) /* one for each output channel */
        rc = dnnl_primitive_attr_set_output_scales(*attr, shape->out[0], 1 << 1, shape->factor);
    if (rc == dnnl_success) rc = append_activation(*attr, shape->activation);
    return rc;
}

/* Of the library's implementations the first that has the word in its name. */
static dnnl_status_t pick(dnnl_primitive_desc_iterator_t all, const char *word,
                          dnnl_primitive_desc_t *result)
{
    do {
        const char *name = "";
        dnnl_primitive_desc_t desc = dnnl_primitive_desc_iterator_fetch(all);
        if (!desc) break;
        dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
        if (!word || strstr(name, word)) {
            *result = desc;
            return dnnl_success;
        }
        dnnl_primitive_desc_destroy(desc);
    } while (dnnl_primitive_desc_iterator_next(all) == dnnl_success);
    return dnnl_unimplemented;
}

/* unimplemented (no error text): the library has no such algorithm for this shape. */
static dnnl_status_t describe_conv(const gwf_dnnl *dnnl, const gwf_conv_shape *shape,
                                   gwf_conv_way way, dnnl_primitive_desc_t *result)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_iterator_t all = NULL;
    dnnl_memory_desc_t src, weights, bias, dst;
    dnnl_convolution_desc_t desc;
    const dnnl_format_tag_t inside = layout_of(dnnl, shape, ways[way].inside);
    const gwf_value writes = shape->reads == GWF_VALUE_F32 ? GWF_VALUE_F32 : shape->writes;
    const dnnl_dims_t filter = {shape->out[0], shape->in[0], shape->kernel, shape->kernel};
    const dnnl_dims_t n_bias = {shape->out[0]}, strides = {1, 1};
    const dnnl_dims_t before = {shape->pad_before[0], shape->pad_before[1]};
    const dnnl_dims_t after = {shape->pad_after[0], shape->pad_after[1]};
    dnnl_status_t rc = describe_maps(shape->batch, shape->in, shape->reads, inside, &src);
    if (rc == dnnl_success) rc = describe_maps(shape->batch, shape->out, writes, inside, &dst);
    if (rc == dnnl_success)
        rc = dnnl_memory_desc_init_by_tag(&weights, 4, filter, type_of_weights(shape),
                                          dnnl_format_tag_any);
    if (rc == dnnl_success) rc = dnnl_memory_desc_init_by_tag(&bias, 1, n_bias, dnnl_f32, dnnl_x);
    if (rc == dnnl_success)
        rc =
            dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference, ways[way].algorithm,
                                               &src, &weights, &bias, &dst, strides, before, after);
    if (rc == dnnl_success) rc = make_attributes(shape, &attr);
    if (rc == dnnl_success)
        rc = dnnl_primitive_desc_iterator_create(&all, &desc, attr, dnnl->engine, NULL);
    if (rc == dnnl_success) rc = pick(all, ways[way].word, result);
    if (all) dnnl_primitive_desc_iterator_destroy(all);
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

static gwf_status make_reorder(const gwf_dnnl *dnnl, const dnnl_memory_desc_t *from,
                               const dnnl_memory_desc_t *to, dnnl_primitive_t *reorder,
                               gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_desc_t desc = NULL;
    DNNL_TRY_DONE(
        dnnl_reorder_primitive_desc_create(&desc, from, dnnl->engine, to, dnnl->engine, NULL));
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
    dnnl_memory_desc_t from;
    const dnnl_memory_desc_t *to = NULL;
    const dnnl_dims_t filter = {shape->out[0], shape->in[0], shape->kernel, shape->kernel};
    const dnnl_data_type_t type = shape->int8_weights ? dnnl_s8 : dnnl_f32;
    void *const weights =
        shape->int8_weights ? (void *)shape->int8_weights : (void *)shape->weights;

    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&from, 4, filter, type, dnnl_oihw));
    DNNL_TRY_DONE(dnnl_memory_get_memory_desc(packed, &to));
    DNNL_TRY_DONE(dnnl_memory_create(&plain, &from, dnnl->engine, weights));
    GWF_TRY_DONE(make_reorder(dnnl, &from, to, &reorder, err));
    DNNL_TRY_DONE(run_reorder(dnnl, reorder, plain, packed));
    DNNL_TRY_DONE(dnnl_stream_wait(dnnl->stream));
done:
    destroy_primitive(reorder);
    destroy_memory(plain);
    return status;
}

static size_t bytes_of(dnnl_memory_t memory)
{
    const dnnl_memory_desc_t *desc = NULL;
    if (dnnl_memory_get_memory_desc(memory, &desc) != dnnl_success) return 0;
    return dnnl_memory_desc_get_size(desc);
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
    GWF_TRY_DONE(copy_bias(shape, conv->bias, err));
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

/* A reorder between a map and the memory inside, which then lies in the scratch (at *at); none
 * where they are the same. */
static gwf_status add_reorder(const gwf_dnnl *dnnl, const dnnl_memory_desc_t *map, bool gathers,
                              gwf_conv *conv, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const dnnl_memory_desc_t *inner = NULL;
    const dnnl_memory_t inside = gathers ? conv->src : conv->dst;
    DNNL_TRY_DONE(dnnl_memory_get_memory_desc(inside, &inner));
    if (dnnl_memory_desc_equal(inner, map)) return GWF_OK;
    DNNL_TRY_DONE(dnnl_memory_create(gathers ? &conv->gathered : &conv->scattered, map,
                                     dnnl->engine, DNNL_MEMORY_NONE));
    *(gathers ? &conv->src_at : &conv->dst_at) = take_scratch(conv, inside);
    return gathers ? make_reorder(dnnl, map, inner, &conv->gather, err)
                   : make_reorder(dnnl, inner, map, &conv->scatter, err);
done:
    return status;
}

static gwf_status add_reorders(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv *conv,
                               gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_memory_desc_t src, dst;
    DNNL_TRY_DONE(describe_maps(shape->batch, shape->in, shape->reads,
                                layout_of(dnnl, shape, AS_THE_MAPS), &src));
    DNNL_TRY_DONE(describe_maps(shape->batch, shape->out, shape->writes,
                                layout_of(dnnl, shape, AS_THE_MAPS), &dst));
    GWF_TRY_DONE(add_reorder(dnnl, &src, true, conv, err));
    GWF_TRY_DONE(add_reorder(dnnl, &dst, false, conv, err));
done:
    return status;
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
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, conv->src},
                                    {DNNL_ARG_WEIGHTS, conv->weights},
                                    {DNNL_ARG_BIAS, conv->bias},
                                    {DNNL_ARG_DST, conv->dst},
                                    {DNNL_ARG_SCRATCHPAD, conv->scratch}};
    DNNL_TRY_DONE(place(dnnl, conv, (void *)src, dst));
    if (conv->gather) DNNL_TRY_DONE(run_reorder(dnnl, conv->gather, conv->gathered, conv->src));
    DNNL_TRY_DONE(dnnl_primitive_execute(conv->primitive, dnnl->stream, 5, args));
    if (conv->scatter) DNNL_TRY_DONE(run_reorder(dnnl, conv->scatter, conv->dst, conv->scattered));
    DNNL_TRY_DONE(dnnl_stream_wait(dnnl->stream));
done:
    return status;
}
