#include "backend/blocked.h"

#include <stdint.h>
#include <string.h>

#include "backend/value.h"

/* Inner loops are compiled for several instruction sets; the one that fits is taken when the
 * program starts. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define GWF_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GWF_WIDE
#endif

typedef float f32;
typedef uint16_t bf16;

typedef struct loops {
    void (*load)(void *block, const float *from, size_t channels, size_t n);
    void (*store)(const void *block, float *to, size_t channels, size_t n);
    void (*copy)(void *block, const void *from, size_t n);
    void (*pool)(void *row, const void *upper, const void *lower, size_t cols);
    void (*scale)(void *block, const void *gates, size_t n);
    void (*multiply)(void *block, const void *gates, size_t n);
} loops;

/* A square of 16 x 16 in vectors, which the compiler makes of what the processor has. */
enum { SIDE = 16 };
typedef float lanes __attribute__((vector_size(SIDE * sizeof(float))));
typedef int32_t picks __attribute__((vector_size(SIDE * sizeof(float))));

#if defined(__clang__)
#define PICK(a, b, from)                                                                           \
    __builtin_shufflevector(a, b, from(0), from(1), from(2), from(3), from(4), from(5), from(6),   \
                            from(7), from(8), from(9), from(10), from(11), from(12), from(13),     \
                            from(14), from(15))
#else
#define PICK(a, b, from)                                                                           \
    __builtin_shuffle(a, b,                                                                        \
                      (picks){from(0), from(1), from(2), from(3), from(4), from(5), from(6),       \
                              from(7), from(8), from(9), from(10), from(11), from(12), from(13),   \
                              from(14), from(15)})
#endif

/* Exchanges the quarters off the diagonal of every square of 2 half x 2 half. */
#define EXCHANGE(rows, half)                                                                       \
    for (int i = 0; i < SIDE; i++) {                                                               \
        if (i & (half)) continue;                                                                  \
        const lanes upper = (rows)[i], lower = (rows)[i + (half)];                                 \
        (rows)[i] = PICK(upper, lower, UPPER_##half);                                              \
        (rows)[i + (half)] = PICK(upper, lower, LOWER_##half);                                     \
    }
/* Lane j of what is made: lanes 0 to 15 are the upper row's, 16 to 31 the lower one's. */
#define UPPER(j, half) ((j) & (half) ? SIDE + (j) - (half) : (j))
#define LOWER(j, half) ((j) & (half) ? SIDE + (j) : (j) + (half))
#define UPPER_8(j)     UPPER(j, 8)
#define LOWER_8(j)     LOWER(j, 8)
#define UPPER_4(j)     UPPER(j, 4)
#define LOWER_4(j)     LOWER(j, 4)
#define UPPER_2(j)     UPPER(j, 2)
#define LOWER_2(j)     LOWER(j, 2)
#define UPPER_1(j)     UPPER(j, 1)
#define LOWER_1(j)     LOWER(j, 1)

/* Transposes it. */
static inline __attribute__((always_inline)) void transpose(lanes rows[SIDE])
{
    EXCHANGE(rows, 8)
    EXCHANGE(rows, 4)
    EXCHANGE(rows, 2)
    EXCHANGE(rows, 1)
}

static inline float float_of_f32(f32 value)
{
    return value;
}

static inline f32 of_float_f32(float value)
{
    return value;
}

static inline float float_of_bf16(bf16 half)
{
    return gwf_float_of_bf16(half);
}

static inline bf16 of_float_bf16(float value)
{
    return gwf_bf16_of_float(value);
}

#define IN    f32
#define OUT   f32
#define BLOCK 8
#include "backend/blocked_values.h"

#define IN    f32
#define OUT   f32
#define BLOCK 16
#include "backend/blocked_values.h"

/* Processors that multiply bf16 have blocks of 16. */
#define IN    f32
#define OUT   bf16
#define BLOCK 16
#include "backend/blocked_values.h"

#define IN    bf16
#define OUT   f32
#define BLOCK 16
#include "backend/blocked_values.h"

#define IN    bf16
#define OUT   bf16
#define BLOCK 16
#include "backend/blocked_values.h"

static const loops *loops_of(const gwf_blocked *b, const gwf_view *in, const gwf_view *out)
{
    static const loops *const wide[2][2] = {
        [GWF_VALUE_F32] = {&loops_f32_f32_16, &loops_f32_bf16_16},
        [GWF_VALUE_BF16] = {&loops_bf16_f32_16, &loops_bf16_bf16_16},
    };
    return b->block == 8 ? &loops_f32_f32_8
                         : wide[gwf_blocked_value(b, in->map_channels)]
                               [gwf_blocked_value(b, out->map_channels)];
}

/* --- where things are ------------------------------------------------------------------------ */

gwf_value gwf_blocked_value(const gwf_blocked *b, int map_channels)
{
    return map_channels > GWF_FEW ? b->value : GWF_VALUE_F32;
}

static size_t pixels(const gwf_view *view)
{
    return (size_t)view->rows * (size_t)view->cols;
}

/* Bytes of a pixel of one block. */
static size_t pixel_bytes(const gwf_blocked *b, const gwf_view *view)
{
    return (size_t)b->block * gwf_value_size(gwf_blocked_value(b, view->map_channels));
}

void *gwf_blocked_at(const gwf_blocked *b, const gwf_view *view, int slot)
{
    const size_t channels = (size_t)slot * (size_t)view->map_channels + (size_t)view->first;
    return b->arena + view->offset +
           pixels(view) * channels / (size_t)b->block * pixel_bytes(b, view);
}

static int blocks(const gwf_blocked *b, const gwf_view *view)
{
    return view->channels / b->block;
}

/* Row y of block k of a view, blocks counted through all maps of the batch. */
static char *row_at(const gwf_blocked *b, const gwf_view *view, int k, int y)
{
    const int n = blocks(b, view);
    const size_t row = (size_t)(k % n) * (size_t)view->rows + (size_t)y;
    char *first = gwf_blocked_at(b, view, k / n);
    return first + row * (size_t)view->cols * pixel_bytes(b, view);
}

/* --- to and from the host -------------------------------------------------------------------- */

/* Channels of block number k that the caller's array has. */
static size_t filled(const gwf_blocked *b, int k, int channels)
{
    const int left = channels - k * b->block;
    return left < 0 ? 0 : (size_t)(left < b->block ? left : b->block);
}

void gwf_blocked_load(const gwf_blocked *b, const gwf_view *to, int slot, const float *values,
                      int channels)
{
    const size_t n = pixels(to), size = n * (size_t)b->block;
    const size_t bytes = n * pixel_bytes(b, to);
    char *first = gwf_blocked_at(b, to, slot);
    const loops *l = loops_of(b, to, to);
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int k = 0; k < blocks(b, to); k++)
        l->load(first + bytes * (size_t)k, values + size * (size_t)k, filled(b, k, channels), n);
}

void gwf_blocked_store(const gwf_blocked *b, const gwf_view *from, int slot, float *values,
                       int channels)
{
    const size_t n = pixels(from), size = n * (size_t)b->block;
    const size_t bytes = n * pixel_bytes(b, from);
    const char *first = gwf_blocked_at(b, from, slot);
    const loops *l = loops_of(b, from, from);
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int k = 0; k < (channels + b->block - 1) / b->block; k++)
        l->store(first + bytes * (size_t)k, values + size * (size_t)k, filled(b, k, channels), n);
}

/* --- operations ------------------------------------------------------------------------------ */

void gwf_blocked_pool(const gwf_blocked *b, const gwf_op *op)
{
    const int rows = op->out.rows;
    const loops *l = loops_of(b, &op->in, &op->out);
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * blocks(b, &op->out) * rows; r++) {
        const int k = r / rows, y = r % rows;
        l->pool(row_at(b, &op->out, k, y), row_at(b, &op->in, k, 2 * y),
                row_at(b, &op->in, k, 2 * y + 1), (size_t)op->out.cols);
    }
}

void gwf_blocked_gate(const gwf_blocked *b, const gwf_op *op)
{
    const int rows = op->out.rows, per_map = blocks(b, &op->out);
    const size_t cols = (size_t)op->out.cols;
    const loops *l = loops_of(b, &op->in, &op->out);
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * per_map * rows; r++) {
        const int k = r / rows, y = r % rows;
        char *out = row_at(b, &op->out, k, y);
        if (op->gate_channels == 1)
            l->scale(out, row_at(b, &op->in, k / per_map * blocks(b, &op->in), y), cols);
        else
            l->multiply(out, row_at(b, &op->in, k, y), cols);
    }
}

/* A row with `halo` columns at each end: those of the other side, or zeros. */
static void widen_row(const gwf_blocked *b, const gwf_op *op, char *to, const char *from)
{
    const size_t in = pixel_bytes(b, &op->in), out = pixel_bytes(b, &op->out);
    const size_t cols = (size_t)op->in.cols, halo = (size_t)op->halo_x;
    const loops *l = loops_of(b, &op->in, &op->out);
    char *end = to + out * (halo + cols);
    l->copy(to + out * halo, from, cols);
    if (op->halo_zero) {
        memset(to, 0, out * halo);
        memset(end, 0, out * halo);
    } else {
        l->copy(to, from + in * (cols - halo), halo);
        l->copy(end, from, halo);
    }
}

void gwf_blocked_halo(const gwf_blocked *b, const gwf_op *op)
{
    const int rows = op->in.rows, high = rows + 2 * op->halo_y;
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * blocks(b, &op->out) * high; r++) {
        const int k = r / high, y = r % high - op->halo_y;
        char *to = row_at(b, &op->out, k, r % high);
        if (y < 0 || y >= rows)
            memset(to, 0, (size_t)op->out.cols * pixel_bytes(b, &op->out));
        else
            widen_row(b, op, to, row_at(b, &op->in, k, y));
    }
}

/* Constant sizes: a move or two instead of a call. */
static inline void copy_pixel(char *to, const char *from, size_t pixel)
{
    if (pixel == 64)
        memcpy(to, from, 64);
    else if (pixel == 32)
        memcpy(to, from, 32);
    else
        memcpy(to, from, pixel);
}

/* A row with each of its pixels twice, from the first or second half of the first one on. */
static void double_row(char *to, const char *from, size_t pixel, int skip, int cols)
{
    for (int x = 0; x < cols; x++, to += pixel)
        copy_pixel(to, from + pixel * (size_t)((x + skip) / 2), pixel);
}

void gwf_blocked_enlarge(const gwf_blocked *b, const gwf_op *op, void *large)
{
    const int skip_y = 1 - op->pad_y, skip_x = 1 - op->pad_x; /* outer half of the border */
    const int rows = 2 * (op->in.rows - skip_y), cols = 2 * (op->in.cols - skip_x);
    const size_t pixel = pixel_bytes(b, &op->in), row = (size_t)cols * pixel;
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * blocks(b, &op->in) * rows; r++)
        double_row((char *)large + row * (size_t)r,
                   row_at(b, &op->in, r / rows, (r % rows + skip_y) / 2), pixel, skip_x, cols);
}

/* One row of the result from a row of a left and one of a right phase. */
static void interleave_row(char *to, const char *left, const char *right, size_t pixel,
                           size_t pairs)
{
    for (size_t x = 0; x < pairs; x++, left += pixel, right += pixel, to += 2 * pixel) {
        copy_pixel(to, left, pixel);
        copy_pixel(to + pixel, right, pixel);
    }
}

void gwf_blocked_interleave(const gwf_blocked *b, const gwf_view *out, const void *phases,
                            int phase_rows, int phase_cols)
{
    const size_t pixel = pixel_bytes(b, out), row = (size_t)phase_cols * pixel;
    const size_t plane = row * (size_t)phase_rows;
    const size_t phase = plane * (size_t)(b->batch * blocks(b, out));
    const int late_row = phase_rows > out->rows / 2, late_col = phase_cols > out->cols / 2;
#pragma omp parallel for num_threads(b->threads) schedule(static)
    for (int r = 0; r < b->batch * blocks(b, out) * out->rows; r++) {
        const int k = r / out->rows, y = r % out->rows, lower = y % 2;
        const size_t at = plane * (size_t)k + row * (size_t)(y / 2 + (lower && late_row));
        const char *left = (const char *)phases + phase * (size_t)(2 * lower) + at;
        interleave_row(row_at(b, out, k, y), left, left + phase + (late_col ? pixel : 0), pixel,
                       (size_t)out->cols / 2);
    }
}

/* --- rectangles ------------------------------------------------------------------------------ */

/* Row r of the rectangle, counted through all channel blocks, in its map. */
static char *rect_row(const gwf_blocked *b, const gwf_view *view, const gwf_rect *rect, int r)
{
    return row_at(b, view, r / rect->rows, rect->row + r % rect->rows) +
           (size_t)rect->col * pixel_bytes(b, view);
}

void gwf_blocked_pack(const gwf_blocked *b, const gwf_view *from, const gwf_rect *rect, void *to)
{
    const size_t row = (size_t)rect->cols * pixel_bytes(b, from);
    for (int r = 0; r < blocks(b, from) * rect->rows; r++)
        memcpy((char *)to + row * (size_t)r, rect_row(b, from, rect, r), row);
}

void gwf_blocked_unpack(const gwf_blocked *b, const gwf_view *to, const gwf_rect *rect,
                        const void *from)
{
    const size_t row = (size_t)rect->cols * pixel_bytes(b, to);
    for (int r = 0; r < blocks(b, to) * rect->rows; r++)
        memcpy(rect_row(b, to, rect, r), (const char *)from + row * (size_t)r, row);
}
