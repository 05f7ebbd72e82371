#include "engine/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"

static gwf_status grow(gwf_tensor_set *set, gwf_error *err)
{
    if (set->count < set->capacity) return GWF_OK;
    const size_t capacity = set->capacity ? 2 * set->capacity : 64;
    gwf_tensor *items = realloc(set->items, capacity * sizeof *items);
    if (!items) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu tensors", capacity);
    set->items = items;
    set->capacity = capacity;
    return GWF_OK;
}

gwf_status gwf_tensor_set_add(gwf_tensor_set *set, const char *name, int rank, const size_t *shape,
                              gwf_tensor **added, gwf_error *err)
{
    size_t size = 0, bytes = 0;
    if (strlen(name) >= GWF_TENSOR_NAME)
        return gwf_fail(err, GWF_ERR_FORMAT, "tensor name of %zu characters, at most %d allowed",
                        strlen(name), GWF_TENSOR_NAME - 1);
    if (rank < 0 || rank > GWF_TENSOR_RANK)
        return gwf_fail(err, GWF_ERR_FORMAT, "tensor %s has %d dimensions, at most %d allowed",
                        name, rank, GWF_TENSOR_RANK);
    if (gwf_tensor_set_find(set, name))
        return gwf_fail(err, GWF_ERR_FORMAT, "tensor %s stands there twice", name);
    if (!gwf_size_product(shape, rank, &size) || !gwf_size_mul(size, sizeof(float), &bytes))
        return gwf_fail(err, GWF_ERR_FORMAT, "tensor %s is too large to count", name);
    GWF_TRY(grow(set, err));
    gwf_tensor *tensor = &set->items[set->count];
    *tensor = (gwf_tensor){.rank = rank, .size = size};
    memcpy(tensor->name, name, strlen(name) + 1);
    if (rank) memcpy(tensor->shape, shape, (size_t)rank * sizeof *shape);
    tensor->data = calloc(size ? size : 1, sizeof(float));
    if (!tensor->data)
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for tensor %s of %zu bytes", name, bytes);
    set->count++;
    if (added) *added = tensor;
    return GWF_OK;
}

const gwf_tensor *gwf_tensor_set_find(const gwf_tensor_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, name) == 0) return &set->items[i];
    return NULL;
}

size_t gwf_tensor_set_values(const gwf_tensor_set *set)
{
    size_t values = 0;
    for (size_t i = 0; i < set->count; i++) values += set->items[i].size;
    return values;
}

void gwf_tensor_set_free(gwf_tensor_set *set)
{
    for (size_t i = 0; i < set->count; i++) free(set->items[i].data);
    free(set->items);
    *set = (gwf_tensor_set){0};
}

const char *gwf_shape_text(int rank, const size_t *shape, char text[static 96])
{
    size_t used = (size_t)snprintf(text, 96, "(");
    for (int i = 0; i < rank && used < 96; i++)
        used += (size_t)snprintf(text + used, 96 - used, i ? ", %zu" : "%zu", shape[i]);
    if (used < 96) snprintf(text + used, 96 - used, ")");
    return text;
}
