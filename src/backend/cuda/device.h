/* The GPU: which one, its streams and handles, its memory, and what its failures become. */
#ifndef GWF_BACKEND_CUDA_DEVICE_H
#define GWF_BACKEND_CUDA_DEVICE_H

#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <stdbool.h>
#include <string.h>

#include "backend/backend.h"

enum {
    GWF_CUDA_BRANCHES = 4,      /* convolutions that may run side by side */
    GWF_CUDA_LEAST_COMPUTE = 8, /* compute capability, major */
    GWF_CUDA_ALIGNMENT = 256    /* bytes: where cudaMalloc's memory and every workspace begin */
};

typedef struct gwf_cuda_device {
    int number, major, minor, processors;
    int runtime, driver; /* versions, as 13000 */
    char name[64], id[40];
    size_t l2_bytes;
    cudaStream_t streams[GWF_CUDA_BRANCHES]; /* the first computes maps, all where work forks */
    cudnnHandle_t handles[GWF_CUDA_BRANCHES];
    cudaEvent_t fork, join[GWF_CUDA_BRANCHES];
    bool serving;     /* maps are being computed: a failure is final */
    char broken[512]; /* the failure that was; "" as long as there was none */
} gwf_cuda_device;

/* BACKEND with what is missing: driver, device, a device of this rank's own, or one that is recent
 * enough. On failure too the device can be closed; {0} is fine. */
gwf_status gwf_cuda_device_open(const gwf_place *place, gwf_cuda_device *device, gwf_error *err);
void gwf_cuda_device_close(gwf_cuda_device *device);

/* Identities of all devices that this process sees, in order, separated by blanks. */
gwf_status gwf_cuda_device_names(char *names, size_t size, gwf_error *err);

/* Around all work of a call: the device is the calling thread's in between, the one that was before
 * is afterwards. A device that has failed is BACKEND with the words of then. */
gwf_status gwf_cuda_use(gwf_cuda_device *device, int *before, gwf_error *err);
void gwf_cuda_leave(int before);

/* Memory of the device: at least a byte, not initialised. MEMORY with the need and what is free;
 * `what` for the message. */
gwf_status gwf_cuda_allocate(gwf_cuda_device *device, size_t bytes, const char *what, void **memory,
                             gwf_error *err);
void gwf_cuda_free(void *memory); /* NULL is fine */
/* MEMORY as well when so much for maps is not free. */
gwf_status gwf_cuda_check_room(gwf_cuda_device *device, size_t bytes, gwf_error *err);

/* The streams of all branches wait for the first; the first waits for all. */
gwf_status gwf_cuda_fork(gwf_cuda_device *device, gwf_error *err);
gwf_status gwf_cuda_join(gwf_cuda_device *device, gwf_error *err);

/* What a failed call becomes; `call` is its text, of which the name is told. */
gwf_status gwf_cuda_failed(gwf_cuda_device *device, cudaError_t status, const char *call,
                           gwf_error *err);
gwf_status gwf_cudnn_failed(gwf_cuda_device *device, cudnnStatus_t status, const char *call,
                            gwf_error *err);

/* Leave the function when a call fails. */
#define CUDA_TRY(device, call)                                                                     \
    do {                                                                                           \
        const cudaError_t cuda_try_status_ = (call);                                               \
        if (cuda_try_status_ != cudaSuccess)                                                       \
            return gwf_cuda_failed(device, cuda_try_status_, #call, err);                          \
    } while (0)
#define CUDNN_TRY(device, call)                                                                    \
    do {                                                                                           \
        const cudnnStatus_t cudnn_try_status_ = (call);                                            \
        if (cudnn_try_status_ != CUDNN_STATUS_SUCCESS)                                             \
            return gwf_cudnn_failed(device, cudnn_try_status_, #call, err);                        \
    } while (0)

/* The whole of a function: what `call` gives on the device. */
#define CUDA_ON_DEVICE(device, call)                                                               \
    do {                                                                                           \
        int on_device_before_ = -1;                                                                \
        gwf_status on_device_status_ = gwf_cuda_use(device, &on_device_before_, err);              \
        if (on_device_status_ == GWF_OK) on_device_status_ = (call);                               \
        gwf_cuda_leave(on_device_before_);                                                         \
        return on_device_status_;                                                                  \
    } while (0)

/* Go to the label `done` with `status` set. */
#define CUDA_TRY_DONE(device, call)                                                                \
    do {                                                                                           \
        const cudaError_t cuda_try_status_ = (call);                                               \
        if (cuda_try_status_ != cudaSuccess) {                                                     \
            status = gwf_cuda_failed(device, cuda_try_status_, #call, err);                        \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

#endif
