/* What one thread of each small kernel does, in C++ that nvcc and a host compiler take: kernels.cu
 * makes kernels of it, tests run it in loops. Nothing here knows grids, blocks or barriers. */
#ifndef GWF_BACKEND_CUDA_KERNELS_BODY_H
#define GWF_BACKEND_CUDA_KERNELS_BODY_H

#include <cfloat>
#include <cmath>
#include <cstddef>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "backend/cuda/kernels.h"

#ifdef __CUDACC__
#define GWF_BODY __device__ __forceinline__
#else
#define GWF_BODY inline
#endif

namespace gwf
{

/* ---- values ---- */

GWF_BODY float number(float x)
{
    return x;
}
GWF_BODY float number(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}
GWF_BODY float number(__half x)
{
    return __half2float(x);
}

template <class T> GWF_BODY T rounded(float x);
template <> GWF_BODY float rounded<float>(float x)
{
    return x;
}
template <> GWF_BODY __nv_bfloat16 rounded<__nv_bfloat16>(float x)
{
    return __float2bfloat16(x);
}
template <> GWF_BODY __half rounded<__half>(float x)
{
    return __float2half(x);
}

GWF_BODY bool finite(float x)
{
    return fabsf(x) <= FLT_MAX; /* false for NaN */
}

GWF_BODY float activated(gwf_activation activation, float x)
{
    switch (activation) {
    case GWF_RELU:
        return x < 0 ? 0 : x;
    case GWF_LEAKY_RELU:
        return x < 0 ? 0.01f * x : x;
    case GWF_SIGMOID:
        return 1 / (1 + expf(-x));
    default:
        return x;
    }
}

/* Eight channels of a pixel, read and written at once. */
template <class T> struct alignas(16) vector8 {
    T at[GWF_CUDA_BLOCK];
};

/* The vector of channels 8 c .. 8 c + 7 of a pixel. */
template <class T> GWF_BODY vector8<T> *pixel(const gwf_cuda_map &map, int n, int y, int x, int c)
{
    const size_t row = (size_t)n * (size_t)map.rows + (size_t)y;
    const size_t at = (row * (size_t)map.cols + (size_t)x) * (size_t)map.pitch;
    return (vector8<T> *)((T *)map.at + at + (size_t)(GWF_CUDA_BLOCK * c));
}

/* ---- one vector of the result: i-th of row y of map n, channels fastest ---- */

GWF_BODY int vectors(const gwf_cuda_map &map)
{
    return map.channels / GWF_CUDA_BLOCK;
}

template <class T>
GWF_BODY void pool(const gwf_cuda_map &in, const gwf_cuda_map &out, int i, int y, int n)
{
    const int c = i % vectors(out), x = i / vectors(out);
    vector8<T> largest = *pixel<T>(in, n, 2 * y, 2 * x, c);
    for (int k = 1; k < 4; k++) {
        const vector8<T> other = *pixel<T>(in, n, 2 * y + k / 2, 2 * x + k % 2, c);
        for (int j = 0; j < GWF_CUDA_BLOCK; j++) {
            const float a = number(largest.at[j]), b = number(other.at[j]);
            if (b > a || b != b) largest.at[j] = other.at[j];
        }
    }
    *pixel<T>(out, n, y, x, c) = largest;
}

template <class T>
GWF_BODY void upsample(const gwf_cuda_map &in, const gwf_cuda_map &out, int skip_y, int skip_x,
                       int i, int y, int n)
{
    const int c = i % vectors(out), x = i / vectors(out);
    *pixel<T>(out, n, y, x, c) = *pixel<T>(in, n, (y + skip_y) / 2, (x + skip_x) / 2, c);
}

template <class T>
GWF_BODY void gate(const gwf_cuda_map &by, const gwf_cuda_map &out, int one, int i, int y, int n)
{
    const int c = i % vectors(out), x = i / vectors(out);
    const vector8<T> factors = *pixel<T>(by, n, y, x, one ? 0 : c);
    vector8<T> *values = pixel<T>(out, n, y, x, c), scaled = *values;
    for (int j = 0; j < GWF_CUDA_BLOCK; j++)
        scaled.at[j] = rounded<T>(number(scaled.at[j]) * number(factors.at[one ? 0 : j]));
    *values = scaled;
}

template <class T>
GWF_BODY void halo(const gwf_cuda_map &in, const gwf_cuda_map &out, int halo_y, int halo_x,
                   int zero, int i, int y, int n)
{
    const int c = i % vectors(out), x = i / vectors(out);
    const int from_y = y - halo_y, from_x = x - halo_x;
    const bool beyond = from_x < 0 || from_x >= in.cols;
    vector8<T> value;
    for (int j = 0; j < GWF_CUDA_BLOCK; j++) value.at[j] = rounded<T>(0);
    if (from_y >= 0 && from_y < in.rows && !(zero && beyond))
        value = *pixel<T>(in, n, from_y, (from_x + in.cols) % in.cols, c);
    *pixel<T>(out, n, y, x, c) = value;
}

template <class T> GWF_BODY void check(const gwf_cuda_map &map, int *seen, int i, int y, int n)
{
    const int c = i % vectors(map), x = i / vectors(map);
    const vector8<T> values = *pixel<T>(map, n, y, x, c);
    bool good = true;
    for (int j = 0; j < GWF_CUDA_BLOCK; j++) good = good && finite(number(values.at[j]));
    if (!good) *seen = 1;
}

/* i and y count within the rectangle. */
template <class T>
GWF_BODY void move(const gwf_cuda_map &map, const gwf_cuda_rect &rect, vector8<T> *packed,
                   bool pack, int i, int y)
{
    const int c = i % vectors(map), x = i / vectors(map);
    vector8<T> *here = pixel<T>(map, 0, rect.row + y, rect.col + x, c);
    vector8<T> *there =
        packed + ((size_t)y * (size_t)rect.cols + (size_t)x) * (size_t)vectors(map) + (size_t)c;
    if (pack)
        *there = *here;
    else
        *here = *there;
}

/* ---- between (channels, pixels) float32 and (pixels, channels): by way of a tile ---- */

enum { TILE_PIXELS = 32, TILE_CHANNELS = 64, TILE_THREADS = 256 };

/* The pitch is odd: threads that read along the other direction meet few of the same banks. */
struct tile {
    float at[TILE_PIXELS][TILE_CHANNELS + 1];
};

/* Pixel p and channel c of a tile are pixel first_pixel + p, channel first_channel + c of a map. */
struct tile_place {
    size_t first_pixel;
    int first_channel, map;
};

GWF_BODY size_t points(const gwf_cuda_map &map)
{
    return (size_t)map.rows * (size_t)map.cols;
}

/* Where a channel of a map begins in (batch, channels, rows, cols). */
GWF_BODY size_t plane(const gwf_cuda_map &map, int channels, const tile_place &at, int channel)
{
    return ((size_t)at.map * (size_t)channels + (size_t)channel) * points(map);
}

/* The vector that thread t of a tile has in the map: of pixel p, channels 8 v on in the tile. NULL:
 * beyond the map. */
template <class T>
GWF_BODY vector8<T> *vector_of(const gwf_cuda_map &map, const tile_place &at, int p, int v)
{
    const int channel = at.first_channel + GWF_CUDA_BLOCK * v;
    const size_t point = at.first_pixel + (size_t)p;
    if (channel >= map.channels || point >= points(map)) return nullptr;
    const size_t pixel = (size_t)at.map * points(map) + point;
    return (vector8<T> *)((T *)map.at + pixel * (size_t)map.pitch + (size_t)channel);
}

enum { TILE_VECTORS = TILE_CHANNELS / GWF_CUDA_BLOCK };

/* Thread t of TILE_THREADS: from values into the tile, zeros beyond the channels. */
GWF_BODY void load_first(const gwf_cuda_map &to, const float *values, int channels,
                         const tile_place &at, tile &tile, int t, int *seen)
{
    const int p = t % TILE_PIXELS;
    const size_t point = at.first_pixel + (size_t)p;
    for (int c = t / TILE_PIXELS; c < TILE_CHANNELS; c += TILE_THREADS / TILE_PIXELS) {
        const int channel = at.first_channel + c;
        float value = 0;
        if (channel < channels && point < points(to)) {
            value = values[plane(to, channels, at, channel) + point];
            if (seen && !finite(value)) seen[GWF_CUDA_SEEN_INPUT] = 1;
        }
        tile.at[p][c] = value;
    }
}

/* Then, when all threads are through: from the tile to the map, a vector a thread. */
template <class T>
GWF_BODY void load_second(const gwf_cuda_map &to, const tile_place &at, const tile &tile, int t,
                          int *seen)
{
    const int v = t % TILE_VECTORS, p = t / TILE_VECTORS;
    vector8<T> *place = vector_of<T>(to, at, p, v), values;
    if (!place) return;
    for (int j = 0; j < GWF_CUDA_BLOCK; j++) {
        const float value = tile.at[p][GWF_CUDA_BLOCK * v + j];
        values.at[j] = rounded<T>(value);
        if (seen && finite(value) && !finite(number(values.at[j]))) seen[GWF_CUDA_SEEN_RANGE] = 1;
    }
    *place = values;
}

template <class T>
GWF_BODY void store_first(const gwf_cuda_map &from, const tile_place &at, tile &tile, int t)
{
    const int v = t % TILE_VECTORS, p = t / TILE_VECTORS;
    const vector8<T> *place = vector_of<T>(from, at, p, v);
    if (!place) return;
    const vector8<T> values = *place;
    for (int j = 0; j < GWF_CUDA_BLOCK; j++)
        tile.at[p][GWF_CUDA_BLOCK * v + j] = number(values.at[j]);
}

GWF_BODY float physical(const gwf_scale &scale, float x)
{
    const double value = x;
    return (float)((scale.cubed ? value * value * value : value) * scale.d + scale.mu);
}

/* Arguments of store. */
struct tile_target {
    float *values;
    int channels;
    const gwf_scale *scales;
    int *seen;
};

GWF_BODY void store_second(const gwf_cuda_map &from, const tile_target &to, const tile_place &at,
                           const tile &tile, int t)
{
    const int p = t % TILE_PIXELS;
    const size_t point = at.first_pixel + (size_t)p;
    for (int c = t / TILE_PIXELS; c < TILE_CHANNELS; c += TILE_THREADS / TILE_PIXELS) {
        const int channel = at.first_channel + c;
        if (channel >= to.channels || point >= points(from)) continue;
        const float x = tile.at[p][c], value = to.scales ? physical(to.scales[channel], x) : x;
        if (to.seen && !finite(value)) to.seen[GWF_CUDA_SEEN_OUTPUT] = 1;
        to.values[plane(from, to.channels, at, channel) + point] = value;
    }
}

/* ---- a convolution to one channel: 32 lanes a pixel ---- */

enum { LANES = 32 };

/* A lane's share of the weighted sum around pixel (y, x) of the result. */
template <class T> GWF_BODY float psi_share(const gwf_cuda_psi &psi, int n, int y, int x, int lane)
{
    const int depth = vectors(psi.in), items = psi.kernel * psi.kernel * depth;
    float sum = 0;
    for (int item = lane; item < items; item += LANES) {
        const int tap = item / depth, c = item % depth;
        const int row = y + tap / psi.kernel - psi.pad_y, col = x + tap % psi.kernel - psi.pad_x;
        if (row < 0 || row >= psi.in.rows || col < 0 || col >= psi.in.cols) continue;
        const vector8<T> values = *pixel<T>(psi.in, n, row, col, c);
        const vector8<T> weights = ((const vector8<T> *)psi.weights)[item];
        for (int j = 0; j < GWF_CUDA_BLOCK; j++)
            sum = fmaf(number(values.at[j]), number(weights.at[j]), sum);
    }
    return sum;
}

/* What a lane does with the whole sum. */
template <class T>
GWF_BODY void psi_use(const gwf_cuda_psi &psi, int n, int y, int x, int lane, float sum)
{
    const T value = rounded<T>(activated(psi.activation, sum + psi.bias));
    if (psi.scaled.at) {
        for (int c = lane; c < vectors(psi.scaled); c += LANES) {
            vector8<T> *at = pixel<T>(psi.scaled, n, y, x, c), scaled = *at;
            for (int j = 0; j < GWF_CUDA_BLOCK; j++)
                scaled.at[j] = rounded<T>(number(scaled.at[j]) * number(value));
            *at = scaled;
        }
        return;
    }
    const T other = rounded<T>(activated(psi.activation, 0));
    for (int c = lane; c < vectors(psi.gate); c += LANES) {
        vector8<T> result;
        for (int j = 0; j < GWF_CUDA_BLOCK; j++) result.at[j] = c + j == 0 ? value : other;
        *pixel<T>(psi.gate, n, y, x, c) = result;
    }
}

} // namespace gwf

#endif
