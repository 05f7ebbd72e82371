/* The small operations of the CPU backend on maps of layout nChw16c or nChw8c: channels in blocks
 * of 16 (8), so that a pixel's block is one vector. A view is contiguous: parts of a map need no
 * copy. Threads: an OpenMP team of `threads` for each call; nothing of the caller's settings
 * changes. */
#ifndef GWF_BACKEND_BLOCKED_H
#define GWF_BACKEND_BLOCKED_H

#include "backend/backend.h"

typedef struct gwf_blocked {
    float *arena;
    int batch; /* whole maps one behind the other */
    int block; /* 8 or 16 */
    int threads;
} gwf_blocked;

/* First value of a view of map `slot`. */
float *gwf_blocked_at(const gwf_blocked *b, const gwf_view *view, int slot);

void gwf_blocked_load(const gwf_blocked *b, const gwf_view *to, int slot, const float *values,
                      int channels);
void gwf_blocked_store(const gwf_blocked *b, const gwf_view *from, int slot, float *values,
                       int channels);
void gwf_blocked_pool(const gwf_blocked *b, const gwf_op *op);
/* The result of an upconv from its four phases (upper left, upper right, lower left, lower right),
 * each a dense batch of maps of phase_rows x phase_cols. Where these are one more than half of
 * out's rows (cols), the lower (right) phases start at their second row (column). */
void gwf_blocked_interleave(const gwf_blocked *b, const gwf_view *out, const float *phases,
                            int phase_rows, int phase_cols);
void gwf_blocked_gate(const gwf_blocked *b, const gwf_op *op);
void gwf_blocked_halo(const gwf_blocked *b, const gwf_op *op);

/* A rectangle of a view of the first map to host memory and back, block by block, row by row. */
void gwf_blocked_pack(const gwf_blocked *b, const gwf_view *from, const gwf_rect *rect, float *to);
void gwf_blocked_unpack(const gwf_blocked *b, const gwf_view *to, const gwf_rect *rect,
                        const float *from);

#endif
