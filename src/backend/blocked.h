/* The small operations of the CPU backend on maps of layout nChw16c or nChw8c: channels in blocks
 * of 16 (8), so that a pixel's block is one vector. A view is contiguous: parts of a map need no
 * copy. Threads: an OpenMP team of `threads` for each call; nothing of the caller's settings
 * changes. */
#ifndef GWF_BACKEND_BLOCKED_H
#define GWF_BACKEND_BLOCKED_H

#include "backend/backend.h"

/* What the values of a map are. */
typedef enum gwf_value {
    GWF_VALUE_F32,
    GWF_VALUE_BF16, /* the upper half of a float, rounded to nearest even */
} gwf_value;

typedef struct gwf_blocked {
    char *arena;
    gwf_value value; /* of maps of more than GWF_FEW channels; others are float32 */
    int batch;       /* whole maps one behind the other */
    int block;       /* 8 or 16 */
    int threads;
} gwf_blocked;

/* In a sum over few channels the roundings of 16 bits do not average out, and little is to be saved
 * there. */
enum { GWF_FEW = 32 };

/* What the values of a map of so many channels are, and bytes of a value. */
gwf_value gwf_blocked_value(const gwf_blocked *b, int map_channels);
size_t gwf_value_size(gwf_value value);
/* First value of a view of map `slot`. */
void *gwf_blocked_at(const gwf_blocked *b, const gwf_view *view, int slot);

/* float32 from and to the host. */
void gwf_blocked_load(const gwf_blocked *b, const gwf_view *to, int slot, const float *values,
                      int channels);
void gwf_blocked_store(const gwf_blocked *b, const gwf_view *from, int slot, float *values,
                       int channels);

/* --- all maps of the batch ------------------------------------------------------------------ */

void gwf_blocked_pool(const gwf_blocked *b, const gwf_op *op);
void gwf_blocked_gate(const gwf_blocked *b, const gwf_op *op);
void gwf_blocked_halo(const gwf_blocked *b, const gwf_op *op);

/* An upconv's parts. Small: its input; large: the input with each value in a 2x2 and, where the
 * input has a border of its own (pad 0), the inner half of that. */

/* The large map: a dense batch of values as the input's. */
void gwf_blocked_enlarge(const gwf_blocked *b, const gwf_op *op, void *large);
/* The result from its four phases (upper left, upper right, lower left, lower right), each a dense
 * batch of maps of phase_rows x phase_cols, values as the result's. Where these are one more than
 * half of out's rows (cols), the lower (right) phases start at their second row (column). */
void gwf_blocked_interleave(const gwf_blocked *b, const gwf_view *out, const void *phases,
                            int phase_rows, int phase_cols);

/* --- a rectangle of the first map ----------------------------------------------------------- */

/* To host memory and back, block by block, row by row. */
void gwf_blocked_pack(const gwf_blocked *b, const gwf_view *from, const gwf_rect *rect, void *to);
void gwf_blocked_unpack(const gwf_blocked *b, const gwf_view *to, const gwf_rect *rect,
                        const void *from);

#endif
