/* Where the C interface of oneDNN changed between its versions 2 and 3: one manner for both. CMake
 * takes onednn_api_2.c or onednn_api_3.c, as the library is; all that stands in neither of them is
 * the same in both versions. */
#ifndef GWF_BACKEND_ONEDNN_API_H
#define GWF_BACKEND_ONEDNN_API_H

#include <dnnl.h>

/* How a tensor lies in memory, borrowed from the object that was asked for it. */
#if DNNL_VERSION_MAJOR < 3
typedef const dnnl_memory_desc_t *gwf_dnnl_layout;
#else
typedef const_dnnl_memory_desc_t gwf_dnnl_layout;
#endif

typedef struct gwf_dnnl_tensor {
    int rank;
    dnnl_dims_t size;
    dnnl_data_type_t type;
    dnnl_format_tag_t tag; /* dnnl_format_tag_any, in a description: as the library likes it */
} gwf_dnnl_tensor;

/* A convolution in steps of 1. */
typedef struct gwf_dnnl_conv {
    dnnl_alg_kind_t algorithm;
    const char *word; /* stands in the implementation's name; NULL: whichever comes first */
    gwf_dnnl_tensor src, weights, bias, dst;
    dnnl_dims_t pad_before, pad_after;
} gwf_dnnl_conv;

/* unimplemented: there is no such one. Owned by the caller. */
dnnl_status_t gwf_dnnl_describe_conv(dnnl_engine_t engine, const gwf_dnnl_conv *conv,
                                     const_dnnl_primitive_attr_t attr,
                                     dnnl_primitive_desc_t *result);

/* handle: as of dnnl_memory_create(). */
dnnl_status_t gwf_dnnl_make_memory(dnnl_engine_t engine, const gwf_dnnl_tensor *tensor,
                                   void *handle, dnnl_memory_t *memory);

dnnl_status_t gwf_dnnl_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t algorithm, float alpha);

/* Result k of a convolution of integers is (sum + bias[k]) * factor[k]: first as an attribute, then
 * with the bias that the primitive is given, which may be changed. If args->memory is not NULL
 * after that (owned by the caller), the primitive must have these args when it runs. */
dnnl_status_t gwf_dnnl_ask_factors(dnnl_primitive_attr_t attr, int channels, const float *factor);
dnnl_status_t gwf_dnnl_give_factors(dnnl_engine_t engine, int channels, const float *factor,
                                    float *bias, dnnl_exec_arg_t *arg);

#endif
