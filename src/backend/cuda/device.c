#include "backend/cuda/device.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAST_CUDNN = 90000 };

/* ---- failures ---- */

/* Once maps are computed a failure leaves the device in a state that nobody knows: it is kept. */
static gwf_status fail(gwf_cuda_device *device, gwf_status status, const char *call,
                       const char *reason, gwf_error *err)
{
    char text[400];
    snprintf(text, sizeof text, "%.*s: %s", (int)strcspn(call, "("), call, reason);
    if (device->serving && !device->broken[0])
        snprintf(device->broken, sizeof device->broken, "%s", text);
    return gwf_fail(err, status, "backend cuda: %s", text);
}

gwf_status gwf_cuda_failed(gwf_cuda_device *device, cudaError_t status, const char *call,
                           gwf_error *err)
{
    char reason[300];
    snprintf(reason, sizeof reason, "%s (%s)", cudaGetErrorString(status),
             cudaGetErrorName(status));
    cudaGetLastError(); /* what can be forgotten is: the host's own calls are not to meet it */
    return fail(device, GWF_ERR_BACKEND, call, reason, err);
}

gwf_status gwf_cudnn_failed(gwf_cuda_device *device, cudnnStatus_t status, const char *call,
                            gwf_error *err)
{
    char reason[300], more[256] = "";
    cudnnGetLastErrorString(more, sizeof more);
    snprintf(reason, sizeof reason, "%s%s%.200s", cudnnGetErrorString(status), *more ? ": " : "",
             more);
    return fail(device, GWF_ERR_BACKEND, call, reason, err);
}

gwf_status gwf_cuda_use(gwf_cuda_device *device, int *before, gwf_error *err)
{
    *before = -1;
    if (device->broken[0])
        return gwf_fail(err, GWF_ERR_BACKEND,
                        "backend cuda: the device has failed before, nothing more can be computed "
                        "on it: %s",
                        device->broken);
    CUDA_TRY(device, cudaGetDevice(before));
    if (*before != device->number) CUDA_TRY(device, cudaSetDevice(device->number));
    return GWF_OK;
}

void gwf_cuda_leave(int before)
{
    int now = before;
    if (before >= 0 && cudaGetDevice(&now) == cudaSuccess && now != before) cudaSetDevice(before);
}

/* ---- which one ---- */

static gwf_status check_driver(gwf_error *err)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (driver) {
        dlclose(driver);
        return GWF_OK;
    }
    return gwf_fail(err, GWF_ERR_BACKEND, "backend cuda: no NVIDIA driver on this machine (%s)",
                    dlerror());
}

static gwf_status count_devices(int *count, gwf_error *err)
{
    int runtime = 0, driver = 0;
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    GWF_TRY(check_driver(err));
    *count = 0; /* which a failing call leaves as it was */
    const cudaError_t status = cudaGetDeviceCount(count);
    if (status == cudaSuccess && *count > 0) return GWF_OK;
    cudaGetLastError();
    cudaRuntimeGetVersion(&runtime);
    cudaDriverGetVersion(&driver);
    if (status == cudaErrorInsufficientDriver)
        return gwf_fail(err, GWF_ERR_BACKEND,
                        "backend cuda: the NVIDIA driver is too old: it has CUDA %d.%d, %d.%d is "
                        "needed",
                        driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    return gwf_fail(
        err, GWF_ERR_BACKEND, "backend cuda: the NVIDIA driver finds no device%s%s%s (%s)",
        visible ? ", CUDA_VISIBLE_DEVICES is '" : "", visible ? visible : "", visible ? "'" : "",
        status == cudaSuccess ? "0 devices" : cudaGetErrorString(status));
}

/* By number, or one for each rank, or for so many of them as may share one. */
static gwf_status choose(const gwf_place *place, int count, int *number, gwf_error *err)
{
    const int sharing = place->ranks_per_device > 1 ? place->ranks_per_device : 1;
    *number = place->device ? place->device - 1 : place->rank / sharing;
    if (*number < count) return GWF_OK;
    if (place->device)
        return gwf_fail(err, GWF_ERR_BACKEND,
                        "backend cuda: there is no device %d, this process sees %d", *number,
                        count);
    return gwf_fail(err, GWF_ERR_BACKEND,
                    "backend cuda: %d ranks of this node see %d device%s, %d rank%s may share one: "
                    "option ranks-per-device lets more of them",
                    place->ranks, count, count == 1 ? "" : "s", sharing, sharing == 1 ? "" : "s");
}

static void write_id(const struct cudaDeviceProp *properties, char id[static 40])
{
    for (int i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", (unsigned)(unsigned char)properties->uuid.bytes[i]);
}

gwf_status gwf_cuda_device_names(char *names, size_t size, gwf_error *err)
{
    int count = 0;
    size_t used = 0;
    gwf_cuda_device none = {0};
    GWF_TRY(count_devices(&count, err));
    names[0] = '\0';
    for (int i = 0; i < count && used < size; i++) {
        struct cudaDeviceProp properties;
        char id[40];
        CUDA_TRY(&none, cudaGetDeviceProperties(&properties, i));
        write_id(&properties, id);
        used += (size_t)snprintf(names + used, size - used, i ? " %s" : "%s", id);
    }
    return GWF_OK;
}

static gwf_status read_properties(gwf_cuda_device *device, gwf_error *err)
{
    struct cudaDeviceProp properties;
    CUDA_TRY(device, cudaGetDeviceProperties(&properties, device->number));
    snprintf(device->name, sizeof device->name, "%.60s", properties.name);
    write_id(&properties, device->id);
    device->major = properties.major;
    device->minor = properties.minor;
    device->processors = properties.multiProcessorCount;
    device->l2_bytes = (size_t)properties.l2CacheSize;
    CUDA_TRY(device, cudaRuntimeGetVersion(&device->runtime));
    CUDA_TRY(device, cudaDriverGetVersion(&device->driver));
    if (device->major < GWF_CUDA_LEAST_COMPUTE)
        return gwf_fail(err, GWF_ERR_BACKEND,
                        "backend cuda: %s (device %d) is too old: compute capability %d.%d, at "
                        "least %d.0 is needed",
                        device->name, device->number, device->major, device->minor,
                        GWF_CUDA_LEAST_COMPUTE);
    if (cudnnGetVersion() < LEAST_CUDNN)
        return gwf_fail(err, GWF_ERR_BACKEND, "backend cuda: cuDNN %zu, at least %d is needed",
                        cudnnGetVersion(), LEAST_CUDNN);
    return GWF_OK;
}

/* ---- streams and handles ---- */

static gwf_status make_streams(gwf_cuda_device *device, gwf_error *err)
{
    CUDA_TRY(device, cudaEventCreateWithFlags(&device->fork, cudaEventDisableTiming));
    for (int i = 0; i < GWF_CUDA_BRANCHES; i++) {
        CUDA_TRY(device, cudaStreamCreateWithFlags(&device->streams[i], cudaStreamNonBlocking));
        CUDA_TRY(device, cudaEventCreateWithFlags(&device->join[i], cudaEventDisableTiming));
        CUDNN_TRY(device, cudnnCreate(&device->handles[i]));
        CUDNN_TRY(device, cudnnSetStream(device->handles[i], device->streams[i]));
    }
    return GWF_OK;
}

gwf_status gwf_cuda_device_open(const gwf_place *place, gwf_cuda_device *device, gwf_error *err)
{
    int count = 0, before = -1;
    *device = (gwf_cuda_device){0};
    GWF_TRY(count_devices(&count, err));
    GWF_TRY(choose(place, count, &device->number, err));
    GWF_TRY(read_properties(device, err));
    GWF_TRY(gwf_cuda_use(device, &before, err));
    const gwf_status status = make_streams(device, err);
    gwf_cuda_leave(before);
    return status;
}

void gwf_cuda_device_close(gwf_cuda_device *device)
{
    for (int i = 0; i < GWF_CUDA_BRANCHES; i++) {
        if (device->handles[i]) cudnnDestroy(device->handles[i]);
        if (device->join[i]) cudaEventDestroy(device->join[i]);
        if (device->streams[i]) cudaStreamDestroy(device->streams[i]);
    }
    if (device->fork) cudaEventDestroy(device->fork);
    *device = (gwf_cuda_device){0};
}

gwf_status gwf_cuda_fork(gwf_cuda_device *device, gwf_error *err)
{
    CUDA_TRY(device, cudaEventRecord(device->fork, device->streams[0]));
    for (int i = 1; i < GWF_CUDA_BRANCHES; i++)
        CUDA_TRY(device, cudaStreamWaitEvent(device->streams[i], device->fork, 0));
    return GWF_OK;
}

gwf_status gwf_cuda_join(gwf_cuda_device *device, gwf_error *err)
{
    for (int i = 1; i < GWF_CUDA_BRANCHES; i++) {
        CUDA_TRY(device, cudaEventRecord(device->join[i], device->streams[i]));
        CUDA_TRY(device, cudaStreamWaitEvent(device->streams[0], device->join[i], 0));
    }
    return GWF_OK;
}

/* ---- memory ---- */

static gwf_status no_memory(size_t bytes, const char *what, gwf_error *err)
{
    size_t available = 0, all = 0;
    cudaMemGetInfo(&available, &all);
    return gwf_fail(err, GWF_ERR_MEMORY,
                    "backend cuda: no device memory for %s: %.1f MB needed, %.1f of %.1f MB free",
                    what, 1e-6 * (double)bytes, 1e-6 * (double)available, 1e-6 * (double)all);
}

gwf_status gwf_cuda_check_room(gwf_cuda_device *device, size_t bytes, gwf_error *err)
{
    size_t available = 0, all = 0;
    CUDA_TRY(device, cudaMemGetInfo(&available, &all));
    return bytes <= available ? GWF_OK : no_memory(bytes, "maps", err);
}

gwf_status gwf_cuda_allocate(gwf_cuda_device *device, size_t bytes, const char *what, void **memory,
                             gwf_error *err)
{
    const cudaError_t status = cudaMalloc(memory, bytes ? bytes : 1);
    if (status == cudaSuccess) return GWF_OK;
    *memory = NULL;
    if (status != cudaErrorMemoryAllocation)
        return gwf_cuda_failed(device, status, "cudaMalloc", err);
    cudaGetLastError();
    return no_memory(bytes, what, err);
}

void gwf_cuda_free(void *memory)
{
    if (memory) cudaFree(memory);
}
