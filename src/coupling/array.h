/* Arrays of a host, as gwf_array describes them, to rows of our own and back. Local, on the calling
 * thread. */
#ifndef GWF_COUPLING_ARRAY_H
#define GWF_COUPLING_ARRAY_H

#include <stdbool.h>

#include "gwflux.h"

/* Columns i .. i + n - 1 of line j at level k, from 0. */
typedef struct gwf_segment {
    int i, j, k, n;
} gwf_segment;

/* y = scale x + offset; exactly x where scale is 1 and offset 0. */
typedef struct gwf_linear {
    double scale, offset;
} gwf_linear;

/* A segment to n values. */
void gwf_array_to_floats(const gwf_array *array, gwf_segment at, gwf_linear unit, float *to);
void gwf_array_to_doubles(const gwf_array *array, gwf_segment at, gwf_linear unit, double *to);

/* n values, or (from NULL) zeros, to a segment, or added to what it holds. */
void gwf_array_give(const gwf_array *array, gwf_segment at, gwf_linear unit, const double *from,
                    bool add);

#endif
