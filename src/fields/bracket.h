/* Interpolation along columns, a block of columns at a time: everything of a block stays in a
 * core's cache, and the loops over its columns become vector instructions. What a column gets does
 * not depend on the others of its block. */
#ifndef GWF_FIELDS_BRACKET_H
#define GWF_FIELDS_BRACKET_H

#include <stddef.h>

#include "core/elementary.h"
#include "core/error.h"

enum { GWF_BLOCK = 128 /* columns, at most */ };

/* Where targets lie among source levels. Rows have GWF_BLOCK places, of which the first `columns`
 * are in use. One thread's. */
typedef struct gwf_bracket {
    int source, target, columns; /* levels, levels, of the block at hand */
    double *from;                /* (source): coordinate of the source levels, growing; filled in */
    double *to;                  /* (target): coordinate of the targets, any order; filled in */
    double *way;                 /* (target): 0 at the source level above, 1 at the next one; */
                                 /* beyond the ends as far beyond these */
    int *above;                  /* (target): source level above, 0 to source - 2 */
    int *least, *most;           /* one for each target: of the block's `above` */
} gwf_bracket;

/* source of 2 levels at least. MEMORY: *bracket is free. */
gwf_status gwf_bracket_create(int source, int target, gwf_bracket *bracket, gwf_error *err);
/* {0} is fine. */
void gwf_bracket_free(gwf_bracket *bracket);

/* Find `way` and `above` of all targets from `from` and `to` of the first `columns` columns. NaN in
 * a column stays there. */
void gwf_bracket_find(gwf_bracket *bracket, int columns);

/* From then on constant beyond the ends, instead of linear. */
void gwf_bracket_hold_ends(gwf_bracket *bracket);

/* A row of the block: rows of GWF_BLOCK. */
static inline double *gwf_row(double *rows, int k)
{
    return rows + (size_t)k * GWF_BLOCK;
}

/* A field in the columns of a block: level k of the source is at values + k * stride. */
typedef struct gwf_block_field {
    const float *values;
    ptrdiff_t stride;
} gwf_block_field;

/* The field at target t, linear between the source levels; a level whose weight is zero does not
 * count, NaN or not. */
void gwf_bracket_apply(const gwf_bracket *bracket, int t, gwf_block_field field, double *value);

#endif
