/* The small operations of the CPU backend in precision int8, on maps with channels last: a pixel's
 * channels side by side, pixels row by row, maps of the batch one behind the other. A part of a map
 * is some of each pixel's channels.
 *
 * Each map has its kind of values: integers where it is kept in 8 bits, else bfloat16 or float32.
 * Threads: an OpenMP team of `threads` for each call; nothing of the caller's settings changes. */
#ifndef GWF_BACKEND_CHANNELS_LAST_H
#define GWF_BACKEND_CHANNELS_LAST_H

#include "backend/backend.h"
#include "backend/value.h"

typedef struct gwf_last {
    char *arena;
    bool bf16; /* what a convolution in higher precision reads: bfloat16, else float32 */
    int batch, threads;
} gwf_last;

/* What a view's map holds. */
gwf_value gwf_last_value(const gwf_last *l, const gwf_view *view);

/* First value of a view of map `slot`. */
void *gwf_last_at(const gwf_last *l, const gwf_view *view, int slot);

/* float32 (channels, pixels) from and to the host. */
void gwf_last_load(const gwf_last *l, const gwf_view *to, int slot, const float *values,
                   int channels);
void gwf_last_store(const gwf_last *l, const gwf_view *from, int slot, float *values, int channels);

/* --- all maps of the batch ------------------------------------------------------------------ */

void gwf_last_pool(const gwf_last *l, const gwf_op *op);
void gwf_last_gate(const gwf_last *l, const gwf_op *op);
void gwf_last_halo(const gwf_last *l, const gwf_op *op);

/* A dense batch of maps rows x cols, with as many channels as a view: pixels from (row, col) on go
 * to (to_row, to_col) and every `stride`th row and column from there on of the view. Its values are
 * of the view's kind (with its scales, if it is in 8 bits), or float32. */
typedef struct gwf_last_part {
    const void *from;
    bool floats;
    int rows, cols, row, col;
    int stride, to_row, to_col;
} gwf_last_part;
void gwf_last_put(const gwf_last *l, const gwf_view *to, const gwf_last_part *part);

/* --- a rectangle of the first map ----------------------------------------------------------- */

/* To host memory and back, pixel by pixel. */
void gwf_last_pack(const gwf_last *l, const gwf_view *from, const gwf_rect *rect, void *to);
void gwf_last_unpack(const gwf_last *l, const gwf_view *to, const gwf_rect *rect, const void *from);

#endif
