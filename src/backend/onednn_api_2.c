/* oneDNN 2: descriptions are structures, of operations too; factors are part of a primitive. */
#include "backend/onednn_api.h"

#include "backend/onednn_library.h"

static dnnl_status_t describe(const gwf_dnnl_tensor *tensor, dnnl_memory_desc_t *desc)
{
    return dnnl_memory_desc_init_by_tag(desc, tensor->rank, tensor->size, tensor->type,
                                        tensor->tag);
}

static dnnl_status_t describe_operation(const gwf_dnnl_conv *conv, dnnl_convolution_desc_t *desc)
{
    const dnnl_dims_t steps = {1, 1};
    dnnl_memory_desc_t src, weights, bias, dst;
    dnnl_status_t rc = describe(&conv->src, &src);
    if (rc == dnnl_success) rc = describe(&conv->weights, &weights);
    if (rc == dnnl_success) rc = describe(&conv->bias, &bias);
    if (rc == dnnl_success) rc = describe(&conv->dst, &dst);
    if (rc == dnnl_success)
        rc = dnnl_convolution_forward_desc_init(desc, dnnl_forward_inference, conv->algorithm, &src,
                                                &weights, &bias, &dst, steps, conv->pad_before,
                                                conv->pad_after);
    return rc;
}

/* The first with the word in its name. */
static dnnl_status_t pick(dnnl_primitive_desc_iterator_t all, const char *word,
                          dnnl_primitive_desc_t *result)
{
    do {
        dnnl_primitive_desc_t desc = dnnl_primitive_desc_iterator_fetch(all);
        if (!desc) break;
        if (gwf_dnnl_is_named(desc, word)) {
            *result = desc;
            return dnnl_success;
        }
        dnnl_primitive_desc_destroy(desc);
    } while (dnnl_primitive_desc_iterator_next(all) == dnnl_success);
    return dnnl_unimplemented;
}

dnnl_status_t gwf_dnnl_describe_conv(dnnl_engine_t engine, const gwf_dnnl_conv *conv,
                                     const_dnnl_primitive_attr_t attr,
                                     dnnl_primitive_desc_t *result)
{
    dnnl_convolution_desc_t operation;
    dnnl_primitive_desc_iterator_t all = NULL;
    dnnl_status_t rc = describe_operation(conv, &operation);
    if (rc == dnnl_success)
        rc = dnnl_primitive_desc_iterator_create(&all, &operation, attr, engine, NULL);
    if (rc == dnnl_success) rc = pick(all, conv->word, result);
    if (all) dnnl_primitive_desc_iterator_destroy(all);
    return rc;
}

dnnl_status_t gwf_dnnl_make_memory(dnnl_engine_t engine, const gwf_dnnl_tensor *tensor,
                                   void *handle, dnnl_memory_t *memory)
{
    dnnl_memory_desc_t desc;
    const dnnl_status_t rc = describe(tensor, &desc);
    return rc == dnnl_success ? dnnl_memory_create(memory, &desc, engine, handle) : rc;
}

dnnl_status_t gwf_dnnl_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t algorithm, float alpha)
{
    return dnnl_post_ops_append_eltwise(ops, 1, algorithm, alpha, 0);
}

dnnl_status_t gwf_dnnl_ask_factors(dnnl_primitive_attr_t attr, int channels, const float *factor)
{
    return dnnl_primitive_attr_set_output_scales(attr, channels, 1 << 1, factor);
}

dnnl_status_t gwf_dnnl_give_factors(dnnl_engine_t engine, int channels, const float *factor,
                                    float *bias, dnnl_exec_arg_t *arg)
{
    (void)engine, (void)channels, (void)factor, (void)bias;
    *arg = (dnnl_exec_arg_t){0};
    return dnnl_success;
}
