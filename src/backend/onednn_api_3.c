/* oneDNN 3: descriptions are objects; factors belong to the weights, are applied before the bias is
 * added, and come when a primitive runs. */
#include "backend/onednn_api.h"

#include <string.h>

#include "backend/onednn_library.h"

static dnnl_status_t describe(const gwf_dnnl_tensor *tensor, dnnl_memory_desc_t *desc)
{
    return dnnl_memory_desc_create_with_tag(desc, tensor->rank, tensor->size, tensor->type,
                                            tensor->tag);
}

static void forget(dnnl_memory_desc_t desc)
{
    if (desc) dnnl_memory_desc_destroy(desc);
}

/* The library's first choice. */
static dnnl_status_t describe_first(dnnl_engine_t engine, const gwf_dnnl_conv *conv,
                                    const_dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *result)
{
    const dnnl_dims_t steps = {1, 1}, holes = {0, 0};
    dnnl_memory_desc_t src = NULL, weights = NULL, bias = NULL, dst = NULL;
    dnnl_status_t rc = describe(&conv->src, &src);
    if (rc == dnnl_success) rc = describe(&conv->weights, &weights);
    if (rc == dnnl_success) rc = describe(&conv->bias, &bias);
    if (rc == dnnl_success) rc = describe(&conv->dst, &dst);
    if (rc == dnnl_success)
        rc = dnnl_convolution_forward_primitive_desc_create(
            result, engine, dnnl_forward_inference, conv->algorithm, src, weights, bias, dst, steps,
            holes, conv->pad_before, conv->pad_after, attr);
    forget(src);
    forget(weights);
    forget(bias);
    forget(dst);
    return rc;
}

dnnl_status_t gwf_dnnl_describe_conv(dnnl_engine_t engine, const gwf_dnnl_conv *conv,
                                     const_dnnl_primitive_attr_t attr,
                                     dnnl_primitive_desc_t *result)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t rc = describe_first(engine, conv, attr, &desc);
    while (rc == dnnl_success && !gwf_dnnl_is_named(desc, conv->word))
        rc = dnnl_primitive_desc_next_impl(desc);
    if (rc == dnnl_success) {
        *result = desc;
        return dnnl_success;
    }
    if (desc) dnnl_primitive_desc_destroy(desc);
    return rc == dnnl_last_impl_reached ? dnnl_unimplemented : rc;
}

dnnl_status_t gwf_dnnl_make_memory(dnnl_engine_t engine, const gwf_dnnl_tensor *tensor,
                                   void *handle, dnnl_memory_t *memory)
{
    dnnl_memory_desc_t desc = NULL;
    dnnl_status_t rc = describe(tensor, &desc);
    if (rc == dnnl_success) rc = dnnl_memory_create(memory, desc, engine, handle);
    forget(desc);
    return rc;
}

dnnl_status_t gwf_dnnl_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t algorithm, float alpha)
{
    return dnnl_post_ops_append_eltwise(ops, algorithm, alpha, 0);
}

dnnl_status_t gwf_dnnl_ask_factors(dnnl_primitive_attr_t attr, int channels, const float *factor)
{
    (void)channels, (void)factor;
    return dnnl_primitive_attr_set_scales_mask(attr, DNNL_ARG_WEIGHTS, 1 << 0);
}

dnnl_status_t gwf_dnnl_give_factors(dnnl_engine_t engine, int channels, const float *factor,
                                    float *bias, dnnl_exec_arg_t *arg)
{
    const gwf_dnnl_tensor tensor = {1, {channels}, dnnl_f32, dnnl_x};
    void *values = NULL;
    *arg = (dnnl_exec_arg_t){.arg = DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS};
    dnnl_status_t rc = gwf_dnnl_make_memory(engine, &tensor, DNNL_MEMORY_ALLOCATE, &arg->memory);
    if (rc == dnnl_success) rc = dnnl_memory_get_data_handle(arg->memory, &values);
    if (rc != dnnl_success) return rc;
    memcpy(values, factor, (size_t)channels * sizeof *factor);
    for (int k = 0; k < channels; k++) bias[k] *= factor[k];
    return dnnl_success;
}
