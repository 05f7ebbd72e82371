/* Interpolation along columns, a block of columns at a time: everything of a block stays in a
 * core's cache, and the loops over its columns become vector instructions. What a column gets does
 * not depend on the others of its block. */
#ifndef GWF_FIELDS_BRACKET_H
#define GWF_FIELDS_BRACKET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/elementary.h"
#include "core/error.h"

enum { GWF_BLOCK = 128 /* columns, at most */ };

/* Where targets lie among source levels. Rows have GWF_BLOCK places, of which the first `columns`
 * are in use. One thread's. */
typedef struct gwf_bracket {
    int source, target; /* levels */
    bool hold;          /* constant beyond the ends, else linear */
    int columns;        /* of the block at hand */
    double *from;       /* (source) rows: coordinate of the source levels, growing; filled in */
    double *to;         /* (target) rows: coordinate of the targets, any order; filled in */
    double *way;       /* (target) rows: 0 at the source level above, 1 at the next one; from 0 to 1
                        * where `hold`, else beyond the ends as far beyond these */
    int *above;        /* (target) rows: source level above, 0 to source - 2; in use where least
                        * and most differ */
    int *least, *most; /* (target): of the block's source levels above */
    int *weightless;   /* (target): columns where one of the two levels has no weight */
} gwf_bracket;

/* source of 2 levels at least. MEMORY: *bracket is free. */
gwf_status gwf_bracket_create(int source, int target, bool hold, gwf_bracket *bracket,
                              gwf_error *err);
/* {0} is fine. */
void gwf_bracket_free(gwf_bracket *bracket);

static inline double *gwf_row(double *rows, int k)
{
    return rows + (size_t)k * GWF_BLOCK;
}

/* Find all targets from `from` and `to` of the first `columns` columns. NaN in a column stays
 * there. */
void gwf_bracket_find(gwf_bracket *bracket, int columns);

/* A field in the columns of a block: level k of the source is at values + k * stride. */
typedef struct gwf_block_field {
    const float *values;
    ptrdiff_t stride;
} gwf_block_field;

/* Its two levels about a target, the field's or copies. A level without weight is replaced by the
 * other one, so that it does not count, NaN or not. */
typedef struct gwf_block_pair {
    const float *high, *low; /* rows */
    float copies[2][GWF_BLOCK];
} gwf_block_pair;

void gwf_bracket_pair(const gwf_bracket *bracket, int t, gwf_block_field field,
                      gwf_block_pair *pair);

static inline double gwf_between(float high, float low, double way)
{
    return high + ((double)low - high) * way;
}

/* The field at target t. */
void gwf_bracket_apply(const gwf_bracket *bracket, int t, gwf_block_field field, double *value);

#endif
