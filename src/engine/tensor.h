/* Named weights as a checkpoint or a model file holds them: float32, row-major, owned here. */
#ifndef GWF_ENGINE_TENSOR_H
#define GWF_ENGINE_TENSOR_H

#include <stddef.h>

#include "core/error.h"

enum { GWF_TENSOR_RANK = 4, GWF_TENSOR_NAME = 128 };

typedef struct gwf_tensor {
    char name[GWF_TENSOR_NAME]; /* as in the published state dict: "conv1.conv.0.weight" */
    int rank;                   /* 0..4 */
    size_t shape[GWF_TENSOR_RANK];
    size_t size; /* product of shape */
    float *data; /* owned by the set */
} gwf_tensor;

/* A list in file order. Start from {0}; addresses of items move while tensors are added. */
typedef struct gwf_tensor_set {
    gwf_tensor *items;
    size_t count, capacity;
} gwf_tensor_set;

/* Append a tensor with zeroed data; *added (may be NULL) points at it until the next add.
 * Errors: a name that is there already or too long, a size that overflows, memory. */
gwf_status gwf_tensor_set_add(gwf_tensor_set *set, const char *name, int rank, const size_t *shape,
                              gwf_tensor **added, gwf_error *err);

/* NULL when there is none. */
const gwf_tensor *gwf_tensor_set_find(const gwf_tensor_set *set, const char *name);

/* Total number of values. */
size_t gwf_tensor_set_values(const gwf_tensor_set *set);

void gwf_tensor_set_free(gwf_tensor_set *set);

/* "(64, 366, 3, 3)" into text, which is returned. */
const char *gwf_shape_text(int rank, const size_t *shape, char text[static 96]);

#endif
