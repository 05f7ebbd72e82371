#include "backend/blocked.h"

#include <string.h>

enum { MAX_BLOCK = 16 };

float *gwf_blocked_at(const gwf_blocked *b, const gwf_view *view, int slot)
{
    const size_t plane = (size_t)view->rows * (size_t)view->cols;
    const size_t channels = (size_t)slot * (size_t)view->map_channels + (size_t)view->first;
    return b->arena + view->offset / sizeof(float) + plane * channels;
}

static size_t pixels(const gwf_view *view)
{
    return (size_t)view->rows * (size_t)view->cols;
}

static int blocks(const gwf_blocked *b, const gwf_view *view)
{
    return view->channels / b->block;
}

/* Block k of a view, counted through all maps of the batch. */
static float *block_at(const gwf_blocked *b, const gwf_view *view, int k)
{
    const int n = blocks(b, view);
    return gwf_blocked_at(b, view, k / n) + pixels(view) * (size_t)(k % n * b->block);
}

/* (channels, pixels) <-> one block of pixels x block: a transpose in squares that stay in cache. */
static void load_block(int block, float *to, const float *from, int channels, size_t n)
{
    for (size_t p = 0; p < n; p += MAX_BLOCK) {
        const size_t width = n - p < MAX_BLOCK ? n - p : MAX_BLOCK;
        for (int c = 0; c < channels; c++)
            for (size_t i = 0; i < width; i++)
                to[(p + i) * (size_t)block + (size_t)c] = from[(size_t)c * n + p + i];
        for (int c = channels; c < block; c++)
            for (size_t i = 0; i < width; i++) to[(p + i) * (size_t)block + (size_t)c] = 0;
    }
}

static void store_block(int block, float *to, const float *from, int channels, size_t n)
{
    for (size_t p = 0; p < n; p += MAX_BLOCK) {
        const size_t width = n - p < MAX_BLOCK ? n - p : MAX_BLOCK;
        for (int c = 0; c < channels; c++)
            for (size_t i = 0; i < width; i++)
                to[(size_t)c * n + p + i] = from[(p + i) * (size_t)block + (size_t)c];
    }
}

/* Channels of block number k that the caller's array has. */
static int filled(const gwf_blocked *b, int k, int channels)
{
    const int left = channels - k * b->block;
    return left < 0 ? 0 : left < b->block ? left : b->block;
}

void gwf_blocked_load(const gwf_blocked *b, const gwf_view *to, int slot, const float *values,
                      int channels)
{
    const size_t n = pixels(to), size = n * (size_t)b->block;
    float *first = gwf_blocked_at(b, to, slot);
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int k = 0; k < blocks(b, to); k++)
        load_block(b->block, first + size * (size_t)k, values + size * (size_t)k,
                   filled(b, k, channels), n);
}

void gwf_blocked_store(const gwf_blocked *b, const gwf_view *from, int slot, float *values,
                       int channels)
{
    const size_t n = pixels(from), size = n * (size_t)b->block;
    const float *first = gwf_blocked_at(b, from, slot);
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int k = 0; k < (channels + b->block - 1) / b->block; k++)
        store_block(b->block, values + size * (size_t)k, first + size * (size_t)k,
                    filled(b, k, channels), n);
}

/* The larger one; NaN wins, as in PyTorch. */
static inline float larger(float x, float y)
{
    return x > y || x != x ? x : y;
}

static void pool_row(int block, float *out, const float *upper, const float *lower, int cols)
{
    for (int x = 0; x < cols; x++, upper += 2 * block, lower += 2 * block, out += block)
        for (int c = 0; c < block; c++)
            out[c] = larger(larger(upper[c], upper[block + c]), larger(lower[c], lower[block + c]));
}

void gwf_blocked_pool(const gwf_blocked *b, const gwf_op *op)
{
    const size_t in_row = (size_t)op->in.cols * (size_t)b->block;
    const size_t out_row = (size_t)op->out.cols * (size_t)b->block;
    const int rows = op->out.rows;
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * blocks(b, &op->out) * rows; r++) {
        const size_t y = (size_t)(r % rows);
        const float *upper = block_at(b, &op->in, r / rows) + 2 * in_row * y;
        float *out = block_at(b, &op->out, r / rows) + out_row * y;
        pool_row(b->block, out, upper, upper + in_row, op->out.cols);
    }
}

/* One row of the result from a row of a left and one of a right phase. */
static void interleave_row(size_t block, float *to, const float *left, const float *right,
                           size_t pairs)
{
    for (size_t x = 0; x < pairs; x++)
        for (size_t c = 0; c < block; c++) {
            to[2 * x * block + c] = left[x * block + c];
            to[(2 * x + 1) * block + c] = right[x * block + c];
        }
}

void gwf_blocked_interleave(const gwf_blocked *b, const gwf_view *out, const float *phases,
                            int phase_rows, int phase_cols)
{
    const size_t block = (size_t)b->block, out_row = (size_t)out->cols * block;
    const size_t row = (size_t)phase_cols * block, plane = row * (size_t)phase_rows;
    const size_t phase = plane * (size_t)(b->batch * blocks(b, out));
    const int late_row = phase_rows > out->rows / 2, late_col = phase_cols > out->cols / 2;
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * blocks(b, out) * out->rows; r++) {
        const int k = r / out->rows, y = r % out->rows, lower = y % 2;
        const size_t at = plane * (size_t)k + row * (size_t)(y / 2 + (lower && late_row));
        const float *left = phases + phase * (size_t)(2 * lower) + at;
        interleave_row(block, block_at(b, out, k) + out_row * (size_t)y, left,
                       left + phase + (late_col ? block : 0), (size_t)out->cols / 2);
    }
}

void gwf_blocked_gate(const gwf_blocked *b, const gwf_op *op)
{
    const size_t n = pixels(&op->out), block = (size_t)b->block;
    const int per_map = blocks(b, &op->out);
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int k = 0; k < b->batch * per_map; k++) {
        float *out = block_at(b, &op->out, k);
        if (op->gate_channels == 1) {
            const float *gate = gwf_blocked_at(b, &op->in, k / per_map);
            for (size_t p = 0; p < n; p++)
                for (size_t c = 0; c < block; c++) out[p * block + c] *= gate[p * block];
        } else {
            const float *gate = block_at(b, &op->in, k);
            for (size_t i = 0; i < n * block; i++) out[i] *= gate[i];
        }
    }
}

/* A row with `halo` columns at each end: those of the other side, or zeros. */
static void widen_row(float *to, const float *from, size_t row, size_t halo, int zero)
{
    memcpy(to + halo, from, row * sizeof *to);
    if (zero) {
        memset(to, 0, halo * sizeof *to);
        memset(to + halo + row, 0, halo * sizeof *to);
    } else {
        memcpy(to, from + row - halo, halo * sizeof *to);
        memcpy(to + halo + row, from, halo * sizeof *to);
    }
}

void gwf_blocked_halo(const gwf_blocked *b, const gwf_op *op)
{
    const size_t block = (size_t)b->block;
    const size_t row = (size_t)op->in.cols * block, halo = (size_t)op->halo_x * block;
    const size_t wide = row + 2 * halo;
    const int rows = op->in.rows, high = rows + 2 * op->halo_y;
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * blocks(b, &op->out) * high; r++) {
        const int k = r / high, y = r % high - op->halo_y;
        float *to = block_at(b, &op->out, k) + wide * (size_t)(r % high);
        if (y < 0 || y >= rows)
            memset(to, 0, wide * sizeof *to);
        else
            widen_row(to, block_at(b, &op->in, k) + row * (size_t)y, row, halo, op->halo_zero);
    }
}

/* Row r of the rectangle, counted through all channel blocks, in its map. */
static float *rect_row(const gwf_blocked *b, const gwf_view *view, const gwf_rect *rect, int r)
{
    const size_t k = (size_t)(r / rect->rows), y = (size_t)(rect->row + r % rect->rows);
    const size_t rows = (size_t)view->rows, cols = (size_t)view->cols;
    return gwf_blocked_at(b, view, 0) +
           ((k * rows + y) * cols + (size_t)rect->col) * (size_t)b->block;
}

void gwf_blocked_pack(const gwf_blocked *b, const gwf_view *from, const gwf_rect *rect, float *to)
{
    const size_t row = (size_t)rect->cols * (size_t)b->block;
    for (int r = 0; r < blocks(b, from) * rect->rows; r++, to += row)
        memcpy(to, rect_row(b, from, rect, r), row * sizeof *to);
}

void gwf_blocked_unpack(const gwf_blocked *b, const gwf_view *to, const gwf_rect *rect,
                        const float *from)
{
    const size_t row = (size_t)rect->cols * (size_t)b->block;
    for (int r = 0; r < blocks(b, to) * rect->rows; r++, from += row)
        memcpy(rect_row(b, to, rect, r), from, row * sizeof *from);
}
