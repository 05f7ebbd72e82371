/* Sizes that come from files: every product and sum is checked, never wrapped. */
#ifndef GWF_CORE_SIZE_H
#define GWF_CORE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* *result = a * b (or a + b); false, *result untouched in meaning, when it does not fit. */
static inline bool gwf_size_mul(size_t a, size_t b, size_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

static inline bool gwf_size_add(size_t a, size_t b, size_t *result)
{
    return !__builtin_add_overflow(a, b, result);
}

/* Product of all entries of shape, 1 for rank 0. */
static inline bool gwf_size_product(const size_t *shape, int rank, size_t *result)
{
    size_t product = 1;
    for (int i = 0; i < rank; i++)
        if (!gwf_size_mul(product, shape[i], &product)) return false;
    *result = product;
    return true;
}

static inline size_t gwf_size_round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

#endif
