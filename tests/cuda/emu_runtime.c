/* The emulated GPU itself: devices, memory, copies, errors. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu.h"

/* ---- what the environment says ---- */

double emu_number(const char *name, double otherwise)
{
    const char *value = getenv(name);
    return value && *value ? strtod(value, NULL) : otherwise;
}

static int sticky, last;

/* Calls are counted anew when the wish changes. Under a mutex. */
static int wanted_error(const char *call)
{
    static char wish[96];
    static int calls;
    char name[64] = "";
    int when = 0, code = 0;
    const char *value = getenv("GWF_EMU_FAIL");
    if (!value) value = "";
    if (strcmp(value, wish) != 0) {
        snprintf(wish, sizeof wish, "%s", value);
        calls = 0;
        sticky = 0;
    }
    if (sticky) return sticky;
    if (sscanf(wish, "%63[^:]:%d:%d", name, &when, &code) != 3 || strcmp(name, call) != 0 ||
        ++calls != when)
        return 0;
    if (code == cudaErrorIllegalAddress || code == cudaErrorLaunchFailure) sticky = code;
    return code;
}

int emu_fails(const char *call)
{
    static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&counting);
    const int error = wanted_error(call);
    if (error) last = error;
    pthread_mutex_unlock(&counting);
    return error;
}

#define EMU(call)                                                                                  \
    do {                                                                                           \
        const int emu_error_ = emu_fails(#call);                                                   \
        if (emu_error_) return (cudaError_t)emu_error_;                                            \
    } while (0)

/* ---- devices ---- */

static __thread int current;

/* Numbers of the devices that are seen. */
static int visible(int numbers[16])
{
    const int all = (int)emu_number("GWF_EMU_DEVICES", 1);
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    int n = 0;
    if (!list) {
        for (; n < all && n < 16; n++) numbers[n] = n;
        return n;
    }
    for (char *end = NULL; *list && n < 16; list = *end ? end + 1 : end) {
        const int number = (int)strtol(list, &end, 10);
        if (end == list || number < 0 || number >= all) break;
        numbers[n++] = number;
    }
    return n;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    int numbers[16];
    EMU(cudaGetDeviceCount);
    if (emu_number("GWF_EMU_DRIVER", 13000) < 12000) return cudaErrorInsufficientDriver;
    const int n = visible(numbers);
    if (n == 0) return cudaErrorNoDevice;
    *count = n;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    EMU(cudaGetDevice);
    *device = current;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    int numbers[16];
    EMU(cudaSetDevice);
    if (device < 0 || device >= visible(numbers)) return cudaErrorInvalidDevice;
    current = device;
    return cudaSuccess;
}

static size_t memory_of_device(void)
{
    return (size_t)emu_number("GWF_EMU_MEMORY", 4e9);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    int numbers[16];
    const double compute = emu_number("GWF_EMU_COMPUTE", 9.0);
    EMU(cudaGetDeviceProperties);
    if (device < 0 || device >= visible(numbers)) return cudaErrorInvalidDevice;
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "emulated GPU");
    p->uuid.bytes[0] = (char)(numbers[device] + 1);
    p->major = (int)compute;
    p->minor = (int)(10 * compute + 0.5) % 10;
    p->multiProcessorCount = 4;
    p->l2CacheSize = 1 << 12;
    p->totalGlobalMem = memory_of_device();
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = (int)emu_number("GWF_EMU_DRIVER", 13000);
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaErrorMemoryAllocation ? "out of memory"
           : error == cudaErrorNoDevice       ? "no CUDA-capable device is detected"
           : error == cudaErrorIllegalAddress ? "an illegal memory access was encountered"
                                              : "an emulated error";
}

const char *cudaGetErrorName(cudaError_t error)
{
    static __thread char name[32];
    snprintf(name, sizeof name, "error %d", (int)error);
    return name;
}

cudaError_t cudaGetLastError(void)
{
    const int error = last;
    last = sticky;
    return (cudaError_t)error;
}

/* ---- memory ---- */

typedef enum block_kind { DEVICE, PINNED, REGISTERED } block_kind;

typedef struct block {
    struct block *next;
    char *at;
    size_t bytes;
    block_kind kind;
    int device;
} block;

static block *blocks;
static size_t used;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const block *find_block(const void *memory)
{
    const char *at = memory;
    for (const block *b = blocks; b; b = b->next)
        if (at >= b->at && at < b->at + b->bytes) return b;
    return NULL;
}

int emu_is_device(const void *memory, size_t bytes)
{
    pthread_mutex_lock(&mutex);
    const block *b = find_block(memory);
    const bool inside = b && b->kind == DEVICE && (const char *)memory + bytes <= b->at + b->bytes;
    pthread_mutex_unlock(&mutex);
    return inside;
}

static void add_block(void *at, size_t bytes, block_kind kind)
{
    block *b = malloc(sizeof *b);
    if (!b) abort();
    pthread_mutex_lock(&mutex);
    *b = (block){blocks, at, bytes, kind, current};
    blocks = b;
    if (kind == DEVICE) used += bytes;
    pthread_mutex_unlock(&mutex);
}

/* false: there is no such block. */
static bool remove_block(const void *at, block_kind kind)
{
    bool found = false;
    pthread_mutex_lock(&mutex);
    for (block **b = &blocks; *b; b = &(*b)->next) {
        if ((*b)->at != at || (*b)->kind != kind) continue;
        block *gone = *b;
        *b = gone->next;
        if (kind == DEVICE) used -= gone->bytes;
        free(gone);
        found = true;
        break;
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

/* Fresh memory holds what nobody would take for values. */
cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    EMU(cudaMalloc);
    if (used + bytes > memory_of_device()) return (cudaError_t)(last = cudaErrorMemoryAllocation);
    const size_t whole = (bytes + 255) / 256 * 256;
    *memory = aligned_alloc(256, whole);
    if (!*memory) return cudaErrorMemoryAllocation;
    memset(*memory, 0xff, whole);
    add_block(*memory, bytes, DEVICE);
    return cudaSuccess;
}

/* Waits for everything, as on a GPU. */
cudaError_t cudaFree(void *memory)
{
    emu_finish();
    if (!remove_block(memory, DEVICE)) return cudaErrorInvalidValue;
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *all)
{
    *all = memory_of_device();
    *available = *all - used;
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned flags)
{
    EMU(cudaHostAlloc);
    (void)flags;
    *memory = calloc(1, bytes ? bytes : 1);
    if (!*memory) return cudaErrorMemoryAllocation;
    add_block(*memory, bytes, PINNED);
    return cudaSuccess;
}

cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned flags)
{
    EMU(cudaHostGetDevicePointer);
    (void)flags;
    *device = host;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory)
{
    if (!remove_block(memory, PINNED)) return cudaErrorInvalidValue;
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *memory, size_t bytes, unsigned flags)
{
    EMU(cudaHostRegister);
    (void)flags;
    add_block(memory, bytes, REGISTERED);
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void *memory)
{
    return remove_block(memory, REGISTERED) ? cudaSuccess : cudaErrorHostMemoryNotRegistered;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *a, const void *memory)
{
    EMU(cudaPointerGetAttributes);
    memset(a, 0, sizeof *a);
    pthread_mutex_lock(&mutex);
    const block *b = find_block(memory);
    a->type = !b                  ? cudaMemoryTypeUnregistered
              : b->kind == DEVICE ? cudaMemoryTypeDevice
                                  : cudaMemoryTypeHost;
    a->device = b ? b->device : 0;
    pthread_mutex_unlock(&mutex);
    return cudaSuccess;
}

/* ---- copies ---- */

typedef struct copy {
    size_t size; /* of this */
    void *to;
    const void *from; /* NULL: what is behind this */
    size_t bytes;
    int value; /* memset */
    bool set;
    char values[];
} copy;

static void do_copy(void *arguments)
{
    const copy *c = arguments;
    if (c->set)
        memset(c->to, c->value, c->bytes);
    else
        memcpy(c->to, c->from ? c->from : c->values, c->bytes);
}

static copy *make_copy(size_t behind)
{
    copy *c = calloc(1, sizeof *c + behind);
    if (!c) abort();
    c->size = sizeof *c + behind;
    return c;
}

/* From memory that is not page-locked the values are taken at once; to such memory the caller waits
 * for them. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    struct cudaPointerAttributes source, target;
    EMU(cudaMemcpyAsync);
    cudaPointerGetAttributes(&source, from);
    cudaPointerGetAttributes(&target, to);
    const bool to_device = target.type == cudaMemoryTypeDevice;
    const bool from_device = source.type == cudaMemoryTypeDevice;
    if ((kind == cudaMemcpyHostToDevice && (!to_device || from_device)) ||
        (kind == cudaMemcpyDeviceToHost && (to_device || !from_device)) ||
        (kind == cudaMemcpyDeviceToDevice && !(to_device && from_device)) ||
        (to_device && !emu_is_device(to, bytes)) || (from_device && !emu_is_device(from, bytes)))
        return (cudaError_t)(last = cudaErrorInvalidValue);
    const bool snapshot = source.type == cudaMemoryTypeUnregistered;
    copy *c = make_copy(snapshot ? bytes : 0);
    c->to = to;
    c->from = snapshot ? NULL : from;
    c->bytes = bytes;
    if (snapshot) memcpy(c->values, from, bytes);
    const cudaError_t status = emu_enqueue(stream, do_copy, c, 1e-6 + 1e-10 * (double)bytes);
    if (target.type == cudaMemoryTypeUnregistered) return cudaStreamSynchronize(stream);
    if (!to_device || emu_number("GWF_EMU_EAGER", 0) > 0) emu_hurry(stream);
    return status;
}

void *emu_late_copy(void *to, const void *from, size_t bytes)
{
    cudaStream_t stream = NULL;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) return NULL;
    copy *c = make_copy(0);
    c->to = to;
    c->from = from;
    c->bytes = bytes;
    emu_enqueue(stream, do_copy, c, 0);
    return stream;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    EMU(cudaMemsetAsync);
    if (!emu_is_device(memory, bytes)) return (cudaError_t)(last = cudaErrorInvalidValue);
    copy *c = make_copy(0);
    c->to = memory;
    c->bytes = bytes;
    c->value = value;
    c->set = true;
    return emu_enqueue(stream, do_copy, c, 1e-6);
}
