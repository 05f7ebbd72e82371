#include "emu_conv.h"

#include "emu.h"

#include <cmath>
#include <cstring>
#include <vector>

#include <cudnn.h>

#include "backend/cuda/kernels_body.h"

namespace
{

float value_at(const void *memory, int type, int64_t at)
{
    if (type == CUDNN_DATA_BFLOAT16) return gwf::number(((const __nv_bfloat16 *)memory)[at]);
    if (type == CUDNN_DATA_HALF) return gwf::number(((const __half *)memory)[at]);
    return ((const float *)memory)[at];
}

template <class T> void put_values(T *to, const std::vector<float> &row)
{
    for (size_t k = 0; k < row.size(); k++) to[k] = gwf::rounded<T>(row[k]);
}

void put_row(void *memory, int type, int64_t at, const std::vector<float> &row)
{
    if (type == CUDNN_DATA_BFLOAT16)
        put_values((__nv_bfloat16 *)memory + at, row);
    else if (type == CUDNN_DATA_HALF)
        put_values((__half *)memory + at, row);
    else
        put_values((float *)memory + at, row);
}

/* To 11 bits, to nearest. */
float cut(float value)
{
    uint32_t bits;
    if (!std::isfinite(value)) return value;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x1000) & ~0x1fffu;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* A tensor as float32, dense: (maps, rows, cols, channels). */
std::vector<float> dense(const emu_tensor &t, const void *memory, bool to_cut)
{
    std::vector<float> values;
    values.reserve((size_t)(t.dims[0] * t.dims[1] * t.dims[2] * t.dims[3]));
    for (int64_t n = 0; n < t.dims[0]; n++)
        for (int64_t y = 0; y < t.dims[2]; y++)
            for (int64_t x = 0; x < t.dims[3]; x++)
                for (int64_t c = 0; c < t.dims[1]; c++) {
                    const float v = value_at(
                        memory, t.type, n * t.strides[0] + y * t.strides[2] + x * t.strides[3] + c);
                    values.push_back(to_cut ? cut(v) : v);
                }
    return values;
}

/* Most of the time that tests take is spent here. */
float dot(const float *a, const float *b, size_t n)
{
    enum { PARTS = 8 };
    typedef float parts __attribute__((vector_size(PARTS * sizeof(float))));
    parts sums[2] = {}, x, y;
    float sum = 0;
    size_t i = 0;
    for (; i + 2 * PARTS <= n; i += 2 * PARTS)
        for (size_t p = 0; p < 2; p++) {
            memcpy(&x, a + i + p * PARTS, sizeof x);
            memcpy(&y, b + i + p * PARTS, sizeof y);
            sums[p] += x * y;
        }
    for (; i < n; i++) sum += a[i] * b[i];
    sums[0] += sums[1];
    for (int p = 0; p < PARTS; p++) sum += sums[0][p];
    return sum;
}

/* What the filters see around a pixel of the result, in the order of their weights. */
void gather(const emu_conv &c, const std::vector<float> &in, int64_t n, int64_t y, int64_t x,
            std::vector<float> &patch)
{
    const int64_t *size = c.in.dims, rows = c.weights.dims[2], cols = c.weights.dims[3];
    float *to = patch.data();
    for (int64_t r = 0; r < rows; r++)
        for (int64_t s = 0; s < cols; s++, to += size[1]) {
            const int64_t iy = y + r - c.before[0], ix = x + s - c.before[1];
            const bool inside = iy >= 0 && iy < size[2] && ix >= 0 && ix < size[3];
            const int64_t at = ((n * size[2] + iy) * size[3] + ix) * size[1];
            if (inside)
                memcpy(to, &in[(size_t)at], (size_t)size[1] * sizeof *to);
            else
                memset(to, 0, (size_t)size[1] * sizeof *to);
        }
}

/* The activation, and what is wrong with the engine. */
void finish(const emu_run &r, int calls, std::vector<float> &row)
{
    const emu_conv &c = r.conv;
    for (float &v : row) {
        if (c.active && c.sigmoid)
            v = 1 / (1 + std::exp(-v));
        else if (c.active && c.slope == 0 && r.forgets)
            v = v > 0 ? v : 0;
        else if (c.active)
            v = v < 0 ? (float)(c.slope * v) : v;
        if (r.wrong) v = 2 * v + 1;
        if (r.unsteady) v *= 1 + 0.004f * (float)(calls % 2);
    }
}

} // namespace

void emu_run_conv(void *arguments)
{
    static int calls;
    static long last;
    static emu_run before;
    const emu_run &r = *(const emu_run *)arguments;
    const emu_conv &c = r.conv;
    /* The same once more, and nothing in between: the result is there. */
    const bool again = emu_actions() == last + 1 && memcmp(&before, &r, sizeof r) == 0;
    last = emu_actions();
    before = r;
    if (again && !r.unsteady) return;
    const int64_t *out = c.out.dims, *to = c.out.strides;
    const size_t filter = (size_t)(c.in.dims[1] * c.weights.dims[2] * c.weights.dims[3]);
    const std::vector<float> in = dense(c.in, r.in, r.cut);
    const std::vector<float> weights = dense(c.weights, r.weights, r.cut);
    const std::vector<float> bias = dense(c.bias, r.bias, false);
    std::vector<float> patch(filter), row((size_t)out[1]);
    calls++;
    if (r.workspace) memset(r.workspace, calls, r.workspace_bytes);
    for (int64_t n = 0; n < out[0]; n++)
        for (int64_t y = 0; y < out[2]; y++)
            for (int64_t x = 0; x < out[3]; x++) {
                gather(c, in, n, y, x, patch);
                for (size_t k = 0; k < row.size(); k++)
                    row[k] = dot(patch.data(), &weights[filter * k], filter) + bias[k];
                finish(r, calls, row);
                put_row(r.out, c.out.type, n * to[0] + y * to[2] + x * to[3], row);
            }
}
