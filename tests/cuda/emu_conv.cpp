#include "emu_conv.h"

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

void put(void *memory, int type, int64_t at, float value)
{
    if (type == CUDNN_DATA_BFLOAT16)
        ((__nv_bfloat16 *)memory)[at] = gwf::rounded<__nv_bfloat16>(value);
    else if (type == CUDNN_DATA_HALF)
        ((__half *)memory)[at] = gwf::rounded<__half>(value);
    else
        ((float *)memory)[at] = value;
}

/* To 11 bits, to nearest. */
float cut(float value)
{
    uint32_t bits;
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

float dot(const float *a, const float *b, int64_t n)
{
    enum { PARTS = 8 };
    float sums[PARTS] = {0};
    int64_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int p = 0; p < PARTS; p++) sums[p] += a[i + p] * b[i + p];
    for (; i < n; i++) sums[0] += a[i] * b[i];
    float sum = 0;
    for (float part : sums) sum += part;
    return sum;
}

float activated(const emu_conv &c, float x)
{
    if (!c.active) return x;
    if (c.sigmoid) return 1 / (1 + std::exp(-x));
    return x < 0 ? (float)(c.slope * x) : x; /* NaN stays */
}

/* The weighted sum around a pixel, for output channel k. */
float sum_at(const emu_conv &c, const std::vector<float> &in, const std::vector<float> &weights,
             int64_t n, int64_t k, int64_t y, int64_t x)
{
    const int64_t *size = c.in.dims, rows = c.weights.dims[2], cols = c.weights.dims[3];
    float sum = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t s = 0; s < cols; s++) {
            const int64_t iy = y + r - c.before[0], ix = x + s - c.before[1];
            if (iy < 0 || iy >= size[2] || ix < 0 || ix >= size[3]) continue;
            sum += dot(&in[(size_t)(((n * size[2] + iy) * size[3] + ix) * size[1])],
                       &weights[(size_t)(((k * rows + r) * cols + s) * size[1])], size[1]);
        }
    return sum;
}

} // namespace

void emu_run_conv(void *arguments)
{
    static int calls;
    const emu_run &r = *(const emu_run *)arguments;
    const emu_conv &c = r.conv;
    const std::vector<float> in = dense(c.in, r.in, r.cut);
    const std::vector<float> weights = dense(c.weights, r.weights, r.cut);
    calls++;
    if (r.workspace) memset(r.workspace, calls, r.workspace_bytes);
    for (int64_t n = 0; n < c.out.dims[0]; n++)
        for (int64_t k = 0; k < c.out.dims[1]; k++)
            for (int64_t y = 0; y < c.out.dims[2]; y++)
                for (int64_t x = 0; x < c.out.dims[3]; x++) {
                    const float bias = value_at(r.bias, c.bias.type, k);
                    float value = activated(c, sum_at(c, in, weights, n, k, y, x) + bias);
                    if (r.wrong) value = 2 * value + 1;
                    if (r.unsteady) value *= 1 + 0.004f * (float)(calls % 2);
                    put(r.out, c.out.type,
                        n * c.out.strides[0] + y * c.out.strides[2] + x * c.out.strides[3] + k,
                        value);
                }
}
