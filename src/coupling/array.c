#include "coupling/array.h"

static ptrdiff_t place_of(const gwf_array *a, gwf_segment at)
{
    return at.i * a->stride_i + at.j * a->stride_j + at.k * a->stride_level;
}

/* One loop for each way in which it can be fast: unit stride or not, converted or not. */
#define CONVERT(type, x)                                                                           \
    for (int c = 0; c < n && plain && step == 1; c++) to[c] = (type)(x)[c];                        \
    for (int c = 0; c < n && plain && step != 1; c++) to[c] = (type)(x)[c * step];                 \
    for (int c = 0; c < n && !plain; c++)                                                          \
    to[c] = (type)(unit.scale * (double)(x)[c * step] + unit.offset)

#define TO_VALUES(name, type)                                                                      \
    void name(const gwf_array *array, gwf_segment at, gwf_linear unit, type *restrict to)          \
    {                                                                                              \
        const bool plain = unit.scale == 1 && unit.offset == 0;                                    \
        const ptrdiff_t step = array->stride_i, first = place_of(array, at);                       \
        const int n = at.n;                                                                        \
        if (array->kind == GWF_REAL32) {                                                           \
            const float *restrict x = (const float *)array->data + first;                          \
            CONVERT(type, x);                                                                      \
        } else {                                                                                   \
            const double *restrict x = (const double *)array->data + first;                        \
            CONVERT(type, x);                                                                      \
        }                                                                                          \
    }

TO_VALUES(gwf_array_to_floats, float)
TO_VALUES(gwf_array_to_doubles, double)

#define GIVE(type, y)                                                                              \
    for (int c = 0; c < n && add && step == 1; c++)                                                \
        (y)[c] = (type)((y)[c] + (unit.scale * from[c] + unit.offset));                            \
    for (int c = 0; c < n && !add && step == 1; c++)                                               \
        (y)[c] = (type)(unit.scale * from[c] + unit.offset);                                       \
    for (int c = 0; c < n && step != 1; c++)                                                       \
    (y)[c * step] = (type)((add ? (y)[c * step] : 0) + (unit.scale * from[c] + unit.offset))

static void give(const gwf_array *array, gwf_segment at, gwf_linear unit,
                 const double *restrict from, bool add)
{
    const ptrdiff_t step = array->stride_i, first = place_of(array, at);
    const int n = at.n;
    if (array->kind == GWF_REAL32) {
        float *restrict y = (float *)array->data + first;
        GIVE(float, y);
    } else {
        double *restrict y = (double *)array->data + first;
        GIVE(double, y);
    }
}

void gwf_array_give(const gwf_array *array, gwf_segment at, gwf_linear unit, const double *from,
                    bool add)
{
    enum { PIECE = 64 };
    static const double zeros[PIECE];
    if (from) {
        give(array, at, unit, from, add);
        return;
    }
    for (int left = at.n; left > 0; left -= PIECE, at.i += PIECE) {
        at.n = left < PIECE ? left : PIECE;
        give(array, at, unit, zeros, add);
    }
}
