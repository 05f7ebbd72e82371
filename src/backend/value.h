/* What maps of the CPU backend hold: kinds of values and how they become another. */
#ifndef GWF_BACKEND_VALUE_H
#define GWF_BACKEND_VALUE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum gwf_value {
    GWF_VALUE_F32,
    GWF_VALUE_BF16, /* the upper half of a float, rounded to nearest even */
    GWF_VALUE_U8,   /* integers of maps in 8 bits (backend/int8.h) */
    GWF_VALUE_S8,
} gwf_value;

/* Bytes of a value. */
static inline size_t gwf_value_size(gwf_value value)
{
    return value == GWF_VALUE_F32 ? sizeof(float) : value == GWF_VALUE_BF16 ? 2 : 1;
}

static inline float gwf_float_of_bf16(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To nearest even; NaN stays NaN. */
static inline uint16_t gwf_bf16_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(value != value ? bits >> 16 | 0x40 : rounded);
}

/* The larger one; NaN wins, as in PyTorch: also where it is y, which is what is left when nothing
 * compares. Two choices, not one of two conditions: compilers make vectors of those. */
static inline float gwf_larger(float x, float y)
{
    const float larger = x > y ? x : y;
    return x != x ? x : larger;
}

#endif
