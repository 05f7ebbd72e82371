/* Tensors as torch describes them in a pickle: a view (offset, shape, strides, counted in elements)
 * of a storage, which is a typed row of numbers in an entry of its own. */
#ifndef GWF_MODEL_TORCH_TENSOR_H
#define GWF_MODEL_TORCH_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "engine/tensor.h"
#include "model/value.h"

/* Type of a storage: torch's name, the one in messages, bytes per element, and how to get float32
 * from n little-endian elements (NULL: integers, which networks only count with). */
typedef struct gwf_torch_type {
    const char *torch, *name;
    size_t width;
    void (*to_float)(const unsigned char *bytes, size_t n, float *x);
} gwf_torch_type;

typedef struct gwf_torch_tensor {
    const gwf_torch_type *type;
    gwf_text key;   /* of the storage: its entry is data/<key>; borrowed from the pickle */
    size_t storage; /* elements the storage is said to have */
    int rank;
    size_t offset, shape[GWF_TENSOR_RANK], stride[GWF_TENSOR_RANK];
    size_t size;     /* product of shape */
    bool contiguous; /* its elements are offset, offset + 1, ... */
} gwf_torch_tensor;

/* The call that rebuilds a tensor, below any wrapping as parameter: NULL when value is none. */
const gwf_value *gwf_torch_tensor_find(const gwf_value *value);

/* Read the arguments of that call. Every element lies in the storage: offset and strides are
 * checked against `storage`. Errors: FORMAT; texts do not name the tensor. */
gwf_status gwf_torch_tensor_parse(const gwf_value *call, gwf_torch_tensor *tensor, gwf_error *err);

/* x[i] = storage element of the i-th value in row-major order; x: tensor->size values,
 * storage: tensor->storage values. */
void gwf_torch_tensor_gather(const gwf_torch_tensor *tensor, const float *storage, float *x);

#endif
