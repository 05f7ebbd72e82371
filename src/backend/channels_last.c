#include "backend/channels_last.h"

#include <string.h>

enum { RUN = 64 }; /* channels that are taken at a time */

gwf_value gwf_last_value(const gwf_last *l, const gwf_view *view)
{
    if (view->int8) return view->int8->is_signed ? GWF_VALUE_S8 : GWF_VALUE_U8;
    return l->bf16 && !view->precise ? GWF_VALUE_BF16 : GWF_VALUE_F32;
}

static size_t pixels(const gwf_view *view)
{
    return (size_t)view->rows * (size_t)view->cols;
}

/* Bytes from a pixel to the next. */
static size_t pitch(const gwf_last *l, const gwf_view *view)
{
    return (size_t)view->map_channels * gwf_value_size(gwf_last_value(l, view));
}

void *gwf_last_at(const gwf_last *l, const gwf_view *view, int slot)
{
    return l->arena + view->offset + pitch(l, view) * pixels(view) * (size_t)slot +
           gwf_value_size(gwf_last_value(l, view)) * (size_t)view->first;
}

/* ---- runs of channels ---- */

/* n values of a kind as float32; scale: of these channels, for integers. */
static void decode(gwf_value kind, const void *from, const float *scale, int n, float *to)
{
    const uint8_t *u8 = from;
    const int8_t *s8 = from;
    const uint16_t *bf16 = from;
    switch (kind) {
    case GWF_VALUE_F32:
        memcpy(to, from, (size_t)n * sizeof *to);
        break;
    case GWF_VALUE_BF16:
        for (int c = 0; c < n; c++) to[c] = gwf_float_of_bf16(bf16[c]);
        break;
    case GWF_VALUE_U8:
        for (int c = 0; c < n; c++) to[c] = (float)u8[c] * scale[c];
        break;
    case GWF_VALUE_S8:
        for (int c = 0; c < n; c++) to[c] = (float)s8[c] * scale[c];
        break;
    }
}

static void encode(gwf_value kind, const float *from, const float *scale, int n, void *to)
{
    uint8_t *u8 = to;
    int8_t *s8 = to;
    uint16_t *bf16 = to;
    switch (kind) {
    case GWF_VALUE_F32:
        memcpy(to, from, (size_t)n * sizeof *from);
        break;
    case GWF_VALUE_BF16:
        for (int c = 0; c < n; c++) bf16[c] = gwf_bf16_of_float(from[c]);
        break;
    case GWF_VALUE_U8:
        for (int c = 0; c < n; c++)
            u8[c] = (uint8_t)(int)gwf_int8_round(false, from[c], 1 / scale[c]);
        break;
    case GWF_VALUE_S8:
        for (int c = 0; c < n; c++)
            s8[c] = (int8_t)(int)gwf_int8_round(true, from[c], 1 / scale[c]);
        break;
    }
}

/* Scales of a view's channels from c on; NULL where it has none. */
static const float *scales(const gwf_view *view, int c)
{
    return view->int8 ? view->int8->scale + view->first + c : NULL;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* ---- from and to the host ---- */

/* Channels go by words of four bytes, pixels by runs: a plane of the host's is read, and a pixel
 * written, line by line of the cache. Words have their first channel in their lowest byte, as
 * machines that this backend runs on have them in memory. */
enum { WORD = 4, LOAD_RUN = 512, STORE_RUN = 256 };

/* Values that a word holds. */
static int in_word(gwf_value kind)
{
    return WORD / (int)gwf_value_size(kind);
}

static void add_u8(const float *from, float scale, int n, int shift, uint32_t *words)
{
    const float inverse = 1 / scale;
    for (int p = 0; p < n; p++)
        words[p] |= (uint32_t)(int)gwf_int8_round(false, from[p], inverse) << shift;
}

static void add_s8(const float *from, float scale, int n, int shift, uint32_t *words)
{
    const float inverse = 1 / scale;
    for (int p = 0; p < n; p++)
        words[p] |= ((uint32_t)(int)gwf_int8_round(true, from[p], inverse) & 0xff) << shift;
}

static void add_bf16(const float *from, int n, int shift, uint32_t *words)
{
    for (int p = 0; p < n; p++) words[p] |= (uint32_t)gwf_bf16_of_float(from[p]) << shift;
}

/* n pixels of one channel, number i of its word. */
static void add_channel(gwf_value kind, const float *from, const float *scale, int n, int i,
                        uint32_t *words)
{
    switch (kind) {
    case GWF_VALUE_F32:
        memcpy(words, from, (size_t)n * sizeof *words);
        break;
    case GWF_VALUE_BF16:
        add_bf16(from, n, 16 * i, words);
        break;
    case GWF_VALUE_U8:
        add_u8(from, *scale, n, 8 * i, words);
        break;
    case GWF_VALUE_S8:
        add_s8(from, *scale, n, 8 * i, words);
        break;
    }
}

/* n pixels from `from` on, of planes of `plane` pixels, to `at`. */
static void load_run(const gwf_last *l, const gwf_view *to, const float *from, size_t plane,
                     int channels, int n, char *at)
{
    const gwf_value kind = gwf_last_value(l, to);
    const size_t step = pitch(l, to);
    uint32_t words[LOAD_RUN];
    for (int c = 0; c < to->channels; c += in_word(kind), at += WORD) {
        memset(words, 0, (size_t)n * sizeof *words);
        for (int i = 0; i < in_word(kind) && c + i < channels; i++)
            add_channel(kind, from + plane * (size_t)(c + i), scales(to, c + i), n, i, words);
        for (int p = 0; p < n; p++) memcpy(at + step * (size_t)p, &words[p], WORD);
    }
}

static int left_of(size_t all, size_t at, int most)
{
    return all - at < (size_t)most ? (int)(all - at) : most;
}

void gwf_last_load(const gwf_last *l, const gwf_view *to, int slot, const float *values,
                   int channels)
{
    const size_t step = pitch(l, to), n = pixels(to);
    char *first = gwf_last_at(l, to, slot);
#pragma omp parallel for num_threads(l->threads) schedule(static)
    for (size_t p = 0; p < n; p += LOAD_RUN)
        load_run(l, to, values + p, n, channels, left_of(n, p, LOAD_RUN), first + step * p);
}

/* n pixels of `channels` channels from `from` on to planes of `plane` pixels. */
static void store_run(const gwf_last *l, const gwf_view *view, const char *from, size_t plane,
                      int channels, int n, float *to)
{
    const gwf_value kind = gwf_last_value(l, view);
    const size_t size = gwf_value_size(kind), step = pitch(l, view);
    for (int c = 0; c < channels; c++, from += size, to += plane)
        for (int p = 0; p < n; p++) {
            const char *at = from + step * (size_t)p;
            if (kind == GWF_VALUE_F32)
                memcpy(&to[p], at, sizeof *to);
            else
                decode(kind, at, scales(view, c), 1, &to[p]);
        }
}

void gwf_last_store(const gwf_last *l, const gwf_view *from, int slot, float *values, int channels)
{
    const size_t step = pitch(l, from), n = pixels(from);
    const char *first = gwf_last_at(l, from, slot);
#pragma omp parallel for num_threads(l->threads) schedule(static)
    for (size_t p = 0; p < n; p += STORE_RUN)
        store_run(l, from, first + step * p, n, channels, left_of(n, p, STORE_RUN), values + p);
}

/* ---- pool ---- */

static void most_u8(const uint8_t *upper, const uint8_t *lower, size_t step, int n, uint8_t *to)
{
    for (int c = 0; c < n; c++) {
        const uint8_t a = upper[c] > upper[step + (size_t)c] ? upper[c] : upper[step + (size_t)c];
        const uint8_t b = lower[c] > lower[step + (size_t)c] ? lower[c] : lower[step + (size_t)c];
        to[c] = a > b ? a : b;
    }
}

/* One pixel of the result from the two it has above and the two below. */
static void most_any(const gwf_last *l, const gwf_op *op, const char *upper, const char *lower,
                     char *to)
{
    const gwf_value in = gwf_last_value(l, &op->in), out = gwf_last_value(l, &op->out);
    const size_t in_size = gwf_value_size(in), out_size = gwf_value_size(out),
                 step = pitch(l, &op->in);
    float most[RUN], other[RUN];
    for (int c = 0; c < op->out.channels; c += RUN) {
        const int n = smaller(RUN, op->out.channels - c);
        const size_t at = in_size * (size_t)c;
        const char *const four[] = {upper + at, upper + step + at, lower + at, lower + step + at};
        decode(in, four[0], scales(&op->in, c), n, most);
        for (int i = 1; i < 4; i++) {
            decode(in, four[i], scales(&op->in, c), n, other);
            for (int k = 0; k < n; k++) most[k] = gwf_larger(most[k], other[k]);
        }
        encode(out, most, scales(&op->out, c), n, to + out_size * (size_t)c);
    }
}

/* Do both hold integers of the same meaning? */
static bool same_integers(const gwf_op *op)
{
    return op->in.int8 && op->out.int8 && op->in.int8->is_signed == op->out.int8->is_signed &&
           memcmp(scales(&op->in, 0), scales(&op->out, 0),
                  (size_t)op->out.channels * sizeof(float)) == 0;
}

void gwf_last_pool(const gwf_last *l, const gwf_op *op)
{
    const size_t in_pitch = pitch(l, &op->in), in_row = in_pitch * (size_t)op->in.cols;
    const size_t out_pitch = pitch(l, &op->out), out_row = out_pitch * (size_t)op->out.cols;
    const bool whole = same_integers(op) && !op->in.int8->is_signed;
#pragma omp parallel for num_threads(l->threads) schedule(static)
    for (int r = 0; r < l->batch * op->out.rows; r++) {
        const int slot = r / op->out.rows, y = r % op->out.rows;
        const char *upper = (char *)gwf_last_at(l, &op->in, slot) + 2 * in_row * (size_t)y;
        char *to = (char *)gwf_last_at(l, &op->out, slot) + out_row * (size_t)y;
        for (int x = 0; x < op->out.cols; x++, upper += 2 * in_pitch, to += out_pitch)
            if (whole)
                most_u8((const uint8_t *)upper, (const uint8_t *)upper + in_row, in_pitch,
                        op->out.channels, (uint8_t *)to);
            else
                most_any(l, op, upper, upper + in_row, to);
    }
}

/* ---- gate ---- */

/* gates: n of them, or (one) the same for all. */
static void gate_u8(uint8_t *values, const float *gates, bool one, int n)
{
    for (int c = 0; c < n; c++)
        values[c] = (uint8_t)(int)gwf_int8_round(false, values[c], gates[one ? 0 : c]);
}

static void gate_s8(int8_t *values, const float *gates, bool one, int n)
{
    for (int c = 0; c < n; c++)
        values[c] = (int8_t)(int)gwf_int8_round(true, values[c], gates[one ? 0 : c]);
}

static void gate_floats(gwf_value kind, void *values, const float *gates, bool one, int n)
{
    float floats[RUN];
    decode(kind, values, NULL, n, floats);
    for (int c = 0; c < n; c++) floats[c] *= gates[one ? 0 : c];
    encode(kind, floats, NULL, n, values);
}

static void gate_pixel(const gwf_last *l, const gwf_op *op, const char *gates, char *to)
{
    const gwf_value in = gwf_last_value(l, &op->in), out = gwf_last_value(l, &op->out);
    const bool one = op->gate_channels == 1;
    float run[RUN];
    decode(in, gates, NULL, 1, run);
    for (int c = 0; c < op->out.channels; c += RUN) {
        const int n = smaller(RUN, op->out.channels - c);
        char *values = to + gwf_value_size(out) * (size_t)c;
        if (!one) decode(in, gates + gwf_value_size(in) * (size_t)c, NULL, n, run);
        if (out == GWF_VALUE_U8)
            gate_u8((uint8_t *)values, run, one, n);
        else if (out == GWF_VALUE_S8)
            gate_s8((int8_t *)values, run, one, n);
        else
            gate_floats(out, values, run, one, n);
    }
}

void gwf_last_gate(const gwf_last *l, const gwf_op *op)
{
    const size_t n = pixels(&op->out), in_pitch = pitch(l, &op->in), step = pitch(l, &op->out);
#pragma omp parallel for num_threads(l->threads) schedule(static)
    for (int r = 0; r < l->batch * op->out.rows; r++) {
        const int slot = r / op->out.rows, cols = op->out.cols;
        const size_t first = (size_t)(r % op->out.rows) * (size_t)cols;
        const char *gates = (char *)gwf_last_at(l, &op->in, slot) + in_pitch * first;
        char *to = (char *)gwf_last_at(l, &op->out, slot) + step * first;
        for (int x = 0; x < cols && (size_t)x < n; x++, gates += in_pitch, to += step)
            gate_pixel(l, op, gates, to);
    }
}

/* ---- border ---- */

/* `count` pixels of a view's channels. */
static void copy_pixels(size_t bytes, int count, const char *from, size_t from_pitch, char *to,
                        size_t to_pitch)
{
    if (bytes == from_pitch && bytes == to_pitch) {
        memcpy(to, from, bytes * (size_t)count);
        return;
    }
    for (int x = 0; x < count; x++, from += from_pitch, to += to_pitch) memcpy(to, from, bytes);
}

void gwf_last_halo(const gwf_last *l, const gwf_op *op)
{
    const size_t in_pitch = pitch(l, &op->in), step = pitch(l, &op->out);
    const size_t bytes = gwf_value_size(gwf_last_value(l, &op->out)) * (size_t)op->out.channels;
    const int cols = op->in.cols, rows = op->in.rows, wide = op->halo_x;
#pragma omp parallel for num_threads(l->threads) schedule(static)
    for (int r = 0; r < l->batch * op->out.rows; r++) {
        const int slot = r / op->out.rows, y = r % op->out.rows, row = y - op->halo_y;
        char *to = (char *)gwf_last_at(l, &op->out, slot) + step * (size_t)op->out.cols * (size_t)y;
        const char *from = (char *)gwf_last_at(l, &op->in, slot) +
                           in_pitch * (size_t)cols * (size_t)(row < 0 ? 0 : row);
        for (int x = -wide; x < cols + wide; x++) {
            const bool inside = x >= 0 && x < cols, zero = op->halo_zero && !inside;
            char *at = to + step * (size_t)(x + wide);
            if (row < 0 || row >= rows || zero)
                memset(at, 0, bytes);
            else
                memcpy(at, from + in_pitch * (size_t)((x + cols) % cols), bytes);
        }
    }
}

/* ---- results that were computed elsewhere ---- */

static void put_row(const gwf_view *to, gwf_value kind, const gwf_last_part *part, const char *from,
                    char *at, size_t at_pitch, int count)
{
    const size_t size = gwf_value_size(part->floats ? GWF_VALUE_F32 : kind);
    const size_t bytes = size * (size_t)to->channels;
    if (!part->floats || kind == GWF_VALUE_F32) {
        copy_pixels(bytes, count, from, bytes, at, at_pitch);
        return;
    }
    for (int x = 0; x < count; x++, from += bytes, at += at_pitch)
        encode(kind, (const float *)from, scales(to, 0), to->channels, at);
}

void gwf_last_put(const gwf_last *l, const gwf_view *to, const gwf_last_part *part)
{
    const gwf_value kind = gwf_last_value(l, to);
    const size_t size = gwf_value_size(part->floats ? GWF_VALUE_F32 : kind);
    const size_t step = pitch(l, to), bytes = size * (size_t)to->channels;
    const int rows = (to->rows - part->to_row + part->stride - 1) / part->stride;
    const int cols = (to->cols - part->to_col + part->stride - 1) / part->stride;
#pragma omp parallel for num_threads(l->threads) schedule(static)
    for (int r = 0; r < l->batch * rows; r++) {
        const int slot = r / rows, y = r % rows;
        const size_t row = (size_t)slot * (size_t)part->rows + (size_t)(part->row + y);
        const char *from =
            (const char *)part->from + bytes * (row * (size_t)part->cols + (size_t)part->col);
        char *at = (char *)gwf_last_at(l, to, slot) +
                   step * ((size_t)(part->to_row + y * part->stride) * (size_t)to->cols +
                           (size_t)part->to_col);
        put_row(to, kind, part, from, at, step * (size_t)part->stride, cols);
    }
}

/* ---- rectangles ---- */

void gwf_last_pack(const gwf_last *l, const gwf_view *from, const gwf_rect *rect, void *to)
{
    const size_t step = pitch(l, from);
    const size_t bytes = gwf_value_size(gwf_last_value(l, from)) * (size_t)from->channels;
    char *at = to;
    for (int y = 0; y < rect->rows; y++, at += bytes * (size_t)rect->cols) {
        const size_t first = (size_t)(rect->row + y) * (size_t)from->cols + (size_t)rect->col;
        copy_pixels(bytes, rect->cols, (char *)gwf_last_at(l, from, 0) + step * first, step, at,
                    bytes);
    }
}

void gwf_last_unpack(const gwf_last *l, const gwf_view *to, const gwf_rect *rect, const void *from)
{
    const size_t step = pitch(l, to);
    const size_t bytes = gwf_value_size(gwf_last_value(l, to)) * (size_t)to->channels;
    const char *at = from;
    for (int y = 0; y < rect->rows; y++, at += bytes * (size_t)rect->cols) {
        const size_t first = (size_t)(rect->row + y) * (size_t)to->cols + (size_t)rect->col;
        copy_pixels(bytes, rect->cols, at, bytes, (char *)gwf_last_at(l, to, 0) + step * first,
                    step);
    }
}
