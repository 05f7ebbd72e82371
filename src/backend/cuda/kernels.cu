/* The small kernels and their launches: kernels.h says what they do, kernels_body.h how. */
#include "backend/cuda/kernels_body.h"

namespace
{

enum { THREADS = 256, WARPS = THREADS / gwf::LANES, MOST_ROWS = 65535 /* a grid has in y and z */ };

/* A thread for each of `wide` vectors of a row, a line of blocks a row, a layer of them a map. */
dim3 grid_of(long long wide, int rows, int batch)
{
    const unsigned blocks = (unsigned)((wide + THREADS - 1) / THREADS);
    return dim3(blocks, (unsigned)(rows < MOST_ROWS ? rows : MOST_ROWS), (unsigned)batch);
}

dim3 grid_of(const gwf_cuda_map &map)
{
    return grid_of((long long)map.cols * (map.channels / GWF_CUDA_BLOCK), map.rows, map.batch);
}

/* For the vectors of a map that this thread has: i, y and MAP say which. */
#define MAP ((int)blockIdx.z)
#define FOR_EACH_VECTOR(map_rows, map_cols, map_channels)                                          \
    const int i = (int)(blockIdx.x * THREADS + threadIdx.x);                                       \
    if (i >= (map_cols) * ((map_channels) / GWF_CUDA_BLOCK)) return;                               \
    for (int y = (int)blockIdx.y; y < (map_rows); y += (int)gridDim.y)

template <class T>
__global__ void __launch_bounds__(THREADS) pool_kernel(gwf_cuda_map in, gwf_cuda_map out)
{
    FOR_EACH_VECTOR(out.rows, out.cols, out.channels) gwf::pool<T>(in, out, i, y, MAP);
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    upsample_kernel(gwf_cuda_map in, gwf_cuda_map out, int skip_y, int skip_x)
{
    FOR_EACH_VECTOR(out.rows, out.cols, out.channels)
    gwf::upsample<T>(in, out, skip_y, skip_x, i, y, MAP);
}

template <class T>
__global__ void __launch_bounds__(THREADS) gate_kernel(gwf_cuda_map by, gwf_cuda_map out, int one)
{
    FOR_EACH_VECTOR(out.rows, out.cols, out.channels) gwf::gate<T>(by, out, one, i, y, MAP);
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    halo_kernel(gwf_cuda_map in, gwf_cuda_map out, int halo_y, int halo_x, int zero)
{
    FOR_EACH_VECTOR(out.rows, out.cols, out.channels)
    gwf::halo<T>(in, out, halo_y, halo_x, zero, i, y, MAP);
}

template <class T>
__global__ void __launch_bounds__(THREADS) check_kernel(gwf_cuda_map map, int *seen)
{
    FOR_EACH_VECTOR(map.rows, map.cols, map.channels) gwf::check<T>(map, seen, i, y, MAP);
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    move_kernel(gwf_cuda_map map, gwf_cuda_rect rect, void *packed, bool pack)
{
    FOR_EACH_VECTOR(rect.rows, rect.cols, map.channels)
    gwf::move<T>(map, rect, (gwf::vector8<T> *)packed, pack, i, y);
}

__device__ gwf::tile_place place_of_block()
{
    return {(size_t)blockIdx.x * gwf::TILE_PIXELS, (int)blockIdx.y * gwf::TILE_CHANNELS, MAP};
}

template <class T>
__global__ void __launch_bounds__(gwf::TILE_THREADS)
    load_kernel(gwf_cuda_map to, const float *values, int channels, int *seen)
{
    __shared__ gwf::tile tile;
    const gwf::tile_place at = place_of_block();
    gwf::load_first(to, values, channels, at, tile, (int)threadIdx.x, seen);
    __syncthreads();
    gwf::load_second<T>(to, at, tile, (int)threadIdx.x, seen);
}

template <class T>
__global__ void __launch_bounds__(gwf::TILE_THREADS)
    store_kernel(gwf_cuda_map from, float *values, int channels, const gwf_scale *scales, int *seen)
{
    __shared__ gwf::tile tile;
    const gwf::tile_place at = place_of_block();
    gwf::store_first<T>(from, at, tile, (int)threadIdx.x);
    __syncthreads();
    const gwf::tile_target target = {values, channels, scales, seen};
    gwf::store_second(from, target, at, tile, (int)threadIdx.x);
}

/* A warp for each pixel of a row. */
template <class T> __global__ void __launch_bounds__(THREADS) psi_kernel(gwf_cuda_psi psi)
{
    const int lane = (int)threadIdx.x % gwf::LANES, n = (int)blockIdx.z;
    const int x = (int)blockIdx.x * WARPS + (int)threadIdx.x / gwf::LANES;
    if (x >= psi.gate.cols) return;
    for (int y = (int)blockIdx.y; y < psi.gate.rows; y += (int)gridDim.y) {
        float sum = gwf::psi_share<T>(psi, n, y, x, lane);
        for (int other = gwf::LANES / 2; other; other /= 2) sum += __shfl_xor_sync(~0u, sum, other);
        gwf::psi_use<T>(psi, n, y, x, lane, sum);
    }
}

/* Blocks of pixels times blocks of channels times maps. */
dim3 tiles_of(const gwf_cuda_map &map)
{
    const size_t points = (size_t)map.rows * (size_t)map.cols;
    return dim3((unsigned)((points + gwf::TILE_PIXELS - 1) / gwf::TILE_PIXELS),
                (unsigned)((map.channels + gwf::TILE_CHANNELS - 1) / gwf::TILE_CHANNELS),
                (unsigned)map.batch);
}

} // namespace

/* Run kernel<T> for the type of the values. */
#define LAUNCH(type, kernel, grid, threads, ...)                                                   \
    do {                                                                                           \
        if ((type) == GWF_CUDA_BF16)                                                               \
            kernel<__nv_bfloat16><<<(grid), (threads), 0, stream>>>(__VA_ARGS__);                  \
        else if ((type) == GWF_CUDA_FP16)                                                          \
            kernel<__half><<<(grid), (threads), 0, stream>>>(__VA_ARGS__);                         \
        else                                                                                       \
            kernel<float><<<(grid), (threads), 0, stream>>>(__VA_ARGS__);                          \
        return cudaGetLastError();                                                                 \
    } while (0)

cudaError_t gwf_cuda_load(gwf_cuda_map to, const float *values, int channels, int *seen,
                          cudaStream_t stream)
{
    LAUNCH(to.type, load_kernel, tiles_of(to), gwf::TILE_THREADS, to, values, channels, seen);
}

cudaError_t gwf_cuda_store(gwf_cuda_map from, float *values, int channels, const gwf_scale *scales,
                           int *seen, cudaStream_t stream)
{
    LAUNCH(from.type, store_kernel, tiles_of(from), gwf::TILE_THREADS, from, values, channels,
           scales, seen);
}

cudaError_t gwf_cuda_pool(gwf_cuda_map in, gwf_cuda_map out, cudaStream_t stream)
{
    LAUNCH(in.type, pool_kernel, grid_of(out), THREADS, in, out);
}

cudaError_t gwf_cuda_upsample(gwf_cuda_map in, gwf_cuda_map out, int skip_y, int skip_x,
                              cudaStream_t stream)
{
    LAUNCH(in.type, upsample_kernel, grid_of(out), THREADS, in, out, skip_y, skip_x);
}

cudaError_t gwf_cuda_gate(gwf_cuda_map gate, gwf_cuda_map out, int one, cudaStream_t stream)
{
    LAUNCH(out.type, gate_kernel, grid_of(out), THREADS, gate, out, one);
}

cudaError_t gwf_cuda_halo(gwf_cuda_map in, gwf_cuda_map out, int halo_y, int halo_x, int zero,
                          cudaStream_t stream)
{
    LAUNCH(in.type, halo_kernel, grid_of(out), THREADS, in, out, halo_y, halo_x, zero);
}

cudaError_t gwf_cuda_psi_run(gwf_cuda_psi psi, cudaStream_t stream)
{
    const dim3 grid = grid_of((long long)psi.gate.cols * gwf::LANES, psi.gate.rows, psi.gate.batch);
    LAUNCH(psi.in.type, psi_kernel, grid, THREADS, psi);
}

cudaError_t gwf_cuda_check(gwf_cuda_map map, int *seen, cudaStream_t stream)
{
    LAUNCH(map.type, check_kernel, grid_of(map), THREADS, map, seen);
}

cudaError_t gwf_cuda_pack(gwf_cuda_map from, gwf_cuda_rect rect, void *packed, cudaStream_t stream)
{
    const dim3 grid =
        grid_of((long long)rect.cols * (from.channels / GWF_CUDA_BLOCK), rect.rows, 1);
    LAUNCH(from.type, move_kernel, grid, THREADS, from, rect, packed, true);
}

cudaError_t gwf_cuda_unpack(gwf_cuda_map to, gwf_cuda_rect rect, const void *packed,
                            cudaStream_t stream)
{
    const dim3 grid = grid_of((long long)rect.cols * (to.channels / GWF_CUDA_BLOCK), rect.rows, 1);
    LAUNCH(to.type, move_kernel, grid, THREADS, to, rect, (void *)packed, false);
}
