/* The small kernels of the cuda backend on the host: the threads of each grid one after the other.
 */
#include <cstdlib>
#include <cstring>
#include <new>

#include "backend/cuda/kernels_body.h"
#include "emu.h"

namespace
{

/* A call that is made later; it begins with its size. */
template <class F> struct later {
    size_t size;
    F call;
};

template <class F> void run_later(void *arguments)
{
    ((later<F> *)arguments)->call();
}

template <class F> cudaError_t enqueue(const char *name, cudaStream_t stream, F call)
{
    const int error = emu_fails(name);
    if (error) return (cudaError_t)error;
    void *memory = malloc(sizeof(later<F>));
    new (memory) later<F>{sizeof(later<F>), call};
    return emu_enqueue(stream, run_later<F>, memory, 2e-6);
}

template <class F> void for_each_vector(int rows, int cols, int channels, int maps, F body)
{
    for (int n = 0; n < maps; n++)
        for (int y = 0; y < rows; y++)
            for (int i = 0; i < cols * (channels / GWF_CUDA_BLOCK); i++) body(i, y, n);
}

template <class F> void for_each_vector(const gwf_cuda_map &map, F body)
{
    for_each_vector(map.rows, map.cols, map.channels, map.batch, body);
}

/* Each tile with all its threads. */
template <class F> void for_each_tile(const gwf_cuda_map &map, F body)
{
    for (int n = 0; n < map.batch; n++)
        for (size_t p = 0; p < gwf::points(map); p += gwf::TILE_PIXELS)
            for (int c = 0; c < map.channels; c += gwf::TILE_CHANNELS)
                body(gwf::tile_place{p, c, n});
}

template <class T> void load(const gwf_cuda_map &to, const float *values, int channels, int *seen)
{
    for_each_tile(to, [&](const gwf::tile_place &at) {
        gwf::tile tile;
        memset(&tile, 0xff, sizeof tile);
        for (int t = 0; t < gwf::TILE_THREADS; t++)
            gwf::load_first(to, values, channels, at, tile, t, seen);
        for (int t = 0; t < gwf::TILE_THREADS; t++) gwf::load_second<T>(to, at, tile, t, seen);
    });
}

template <class T> void store(const gwf_cuda_map &from, const gwf::tile_target &to)
{
    for_each_tile(from, [&](const gwf::tile_place &at) {
        gwf::tile tile;
        memset(&tile, 0xff, sizeof tile);
        for (int t = 0; t < gwf::TILE_THREADS; t++) gwf::store_first<T>(from, at, tile, t);
        for (int t = 0; t < gwf::TILE_THREADS; t++) gwf::store_second(from, to, at, tile, t);
    });
}

/* The lanes' shares are added as a warp adds them. */
template <class T> void psi_pixel(const gwf_cuda_psi &psi, int n, int y, int x)
{
    float sums[gwf::LANES], added[gwf::LANES];
    for (int lane = 0; lane < gwf::LANES; lane++)
        sums[lane] = gwf::psi_share<T>(psi, n, y, x, lane);
    for (int other = gwf::LANES / 2; other; other /= 2) {
        for (int lane = 0; lane < gwf::LANES; lane++) added[lane] = sums[lane] + sums[lane ^ other];
        memcpy(sums, added, sizeof sums);
    }
    for (int lane = 0; lane < gwf::LANES; lane++) gwf::psi_use<T>(psi, n, y, x, lane, sums[lane]);
}

template <class T> void psi_run(const gwf_cuda_psi &psi)
{
    for (int n = 0; n < psi.gate.batch; n++)
        for (int y = 0; y < psi.gate.rows; y++)
            for (int x = 0; x < psi.gate.cols; x++) psi_pixel<T>(psi, n, y, x);
}

} // namespace

/* body, with T the type of the values. */
#define LATER(type, ...)                                                                           \
    do {                                                                                           \
        if ((type) == GWF_CUDA_BF16)                                                               \
            return enqueue(__func__, stream, [=]() {                                               \
                using T = __nv_bfloat16;                                                           \
                __VA_ARGS__;                                                                       \
            });                                                                                    \
        if ((type) == GWF_CUDA_FP16)                                                               \
            return enqueue(__func__, stream, [=]() {                                               \
                using T = __half;                                                                  \
                __VA_ARGS__;                                                                       \
            });                                                                                    \
        return enqueue(__func__, stream, [=]() {                                                   \
            using T = float;                                                                       \
            __VA_ARGS__;                                                                           \
        });                                                                                        \
    } while (0)

cudaError_t gwf_cuda_load(gwf_cuda_map to, const float *values, int channels, int *seen,
                          cudaStream_t stream)
{
    LATER(to.type, load<T>(to, values, channels, seen));
}

cudaError_t gwf_cuda_store(gwf_cuda_map from, float *values, int channels, const gwf_scale *scales,
                           int *seen, cudaStream_t stream)
{
    LATER(from.type, store<T>(from, gwf::tile_target{values, channels, scales, seen}));
}

cudaError_t gwf_cuda_pool(gwf_cuda_map in, gwf_cuda_map out, cudaStream_t stream)
{
    LATER(in.type,
          for_each_vector(out, [&](int i, int y, int n) { gwf::pool<T>(in, out, i, y, n); }));
}

cudaError_t gwf_cuda_upsample(gwf_cuda_map in, gwf_cuda_map out, int skip_y, int skip_x,
                              cudaStream_t stream)
{
    LATER(in.type, for_each_vector(out, [&](int i, int y, int n) {
              gwf::upsample<T>(in, out, skip_y, skip_x, i, y, n);
          }));
}

cudaError_t gwf_cuda_gate(gwf_cuda_map by, gwf_cuda_map out, int one, cudaStream_t stream)
{
    LATER(out.type,
          for_each_vector(out, [&](int i, int y, int n) { gwf::gate<T>(by, out, one, i, y, n); }));
}

cudaError_t gwf_cuda_halo(gwf_cuda_map in, gwf_cuda_map out, int halo_y, int halo_x, int zero,
                          cudaStream_t stream)
{
    LATER(in.type, for_each_vector(out, [&](int i, int y, int n) {
              gwf::halo<T>(in, out, halo_y, halo_x, zero, i, y, n);
          }));
}

cudaError_t gwf_cuda_psi_run(gwf_cuda_psi psi, cudaStream_t stream)
{
    LATER(psi.in.type, psi_run<T>(psi));
}

cudaError_t gwf_cuda_check(gwf_cuda_map map, int *seen, cudaStream_t stream)
{
    LATER(map.type,
          for_each_vector(map, [&](int i, int y, int n) { gwf::check<T>(map, seen, i, y, n); }));
}

cudaError_t gwf_cuda_pack(gwf_cuda_map from, gwf_cuda_rect rect, void *packed, cudaStream_t stream)
{
    LATER(from.type,
          for_each_vector(rect.rows, rect.cols, from.channels, 1, [&](int i, int y, int) {
              gwf::move<T>(from, rect, (gwf::vector8<T> *)packed, true, i, y);
          }));
}

cudaError_t gwf_cuda_unpack(gwf_cuda_map to, gwf_cuda_rect rect, const void *packed,
                            cudaStream_t stream)
{
    LATER(to.type, for_each_vector(rect.rows, rect.cols, to.channels, 1, [&](int i, int y, int) {
              gwf::move<T>(to, rect, (gwf::vector8<T> *)packed, false, i, y);
          }));
}
