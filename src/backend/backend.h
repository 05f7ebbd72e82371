/* What a backend is: one table of functions over feature maps in one block of memory.
 *
 * The plan (engine/plan.c) lays out every map in an arena, hands each operation to prepare() once
 * and then calls run() on the prepared steps, in order, for every map of the globe. A backend
 * owns the arena, its memory layout and its vendor objects; it knows no network, file or host.
 * Meaning of each operation: ref.c. All backends pass the same op cases (tests/test_backend.c).
 *
 * A backend computes a batch of maps at once, as many as it was opened for: every map of the arena
 * is there as often, and views, offsets and operations speak of one of them.
 *
 * All calls are local. After a failed run() the context stays valid but its arena does not. */
#ifndef GWF_BACKEND_BACKEND_H
#define GWF_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/int8.h"
#include "core/error.h"
#include "core/log.h"
#include "core/option.h"

/* Channels [first, first + channels) of a map of map_channels x rows x cols; the batch's maps start
 * at byte `offset` of the arena. All channel counts are multiples of the backend's channel block;
 * channels beyond those that the network has are zero before and after every operation that feeds a
 * conv. */
typedef struct gwf_view {
    size_t offset;
    int map_channels, first, channels;
    int rows, cols;
    const gwf_int8 *int8; /* of the map, borrowed as long as a step has it; NULL: its values are
                           * kept as the backend's precision says */
    bool precise; /* only gates and store() read the map: a backend whose precision has shorter
                   * values may keep it in float32 */
} gwf_view;

/* Part of each channel of a view. */
typedef struct gwf_rect {
    int row, rows, col, cols;
} gwf_rect;

typedef enum gwf_activation {
    GWF_IDENTITY,
    GWF_RELU,
    GWF_LEAKY_RELU, /* slope 0.01 below zero */
    GWF_SIGMOID,
} gwf_activation;

/* Convolutions of a map in 8 bits multiply in 8 bits (backend/int8.h). Halo and gate leave a map as
 * it is kept; all others may write another kind than they read, but none takes a gate in 8 bits. */
typedef enum gwf_op_kind {
    GWF_OP_CONV, /* out = activation(weights * in + bias); zeros around in, pad_y and pad_x wide */
    GWF_OP_UPCONV, /* the same, of in with each value in a 2x2; 3x3, see below */
    GWF_OP_POOL, /* out = largest of each 2x2                                                    */
    GWF_OP_GATE, /* out = out * in, in place; with gate_channels 1: in's first channel for all   */
    GWF_OP_HALO, /* out = in with a border: columns wrap around (halo_zero: are zero as well), rows
                  * beyond the edge are zero */
} gwf_op_kind;

/* Upconv in full: with b = 1 - pad the width of the border that in itself has (0 or 1, each
 * direction its own), large(y, x) = in(floor(y / 2) + b, floor(x / 2) + b) for y from -1 to 2
 * (in.rows - 2 b), x likewise, 0 where in has no such row or column; out(y, x) = activation(bias +
 * sum over ky, kx of weights(ky, kx) large(y + ky - 1, x + kx - 1)). */
typedef struct gwf_op {
    gwf_op_kind kind;
    gwf_view in, out;
    int kernel, pad_y, pad_x; /* conv: kernel 1 or 3; pads 0 or 1 */
    gwf_activation activation;
    const float
        *weights;       /* conv: (out.channels, in.channels, kernel, kernel), borrowed by prepare */
    const float *bias;  /* conv: (out.channels) */
    const float *mean;  /* conv of a map in 8 bits: (in.channels), of in's values over a sample;
                         * NULL:  not known; borrowed by prepare */
    int gate_channels;  /* gate: 1, or as many as out */
    int halo_y, halo_x; /* halo: width of the border on each side */
    int halo_zero;      /* halo: 1 for a tile, whose border comes from its neighbours afterwards */
    const char *name;   /* for messages and profiles, borrowed by prepare; NULL: none */
} gwf_op;

typedef struct gwf_context gwf_context; /* an open backend */
typedef struct gwf_step gwf_step;       /* a prepared operation */
typedef struct gwf_backend gwf_backend;

/* Every precision: code, word of the option, and what errors are allowed, as relative L2 of the
 * whole network's normalised prediction against double (0: depends on the model). */
#define GWF_PRECISION_LIST(X)                                                                      \
    X(GWF_PRECISION_AUTO, "auto", 0)    /* the backend's own choice */                             \
    X(GWF_FP32, "fp32", 1e-5)           /* rounding only */                                        \
    X(GWF_FP32_FAST, "fp32-fast", 2e-4) /* Winograd's algorithm too */                             \
    X(GWF_TF32, "tf32", 2e-3)           /* factors of 11 bits */                                   \
    X(GWF_BF16, "bf16", 1e-2)           /* maps and weights of 8 bits, sums in fp32 */             \
    X(GWF_FP16, "fp16", 2e-3)           /* maps and weights of 11 bits, sums in fp32 */            \
    X(GWF_INT8, "int8", 0)              /* maps and weights of 8 bits with scales */

typedef enum gwf_precision {
#define GWF_PRECISION_ENUM(code, word, error) code,
    GWF_PRECISION_LIST(GWF_PRECISION_ENUM)
#undef GWF_PRECISION_ENUM
} gwf_precision;

/* Word (static) and allowed error of a precision. */
const char *gwf_precision_word(gwf_precision precision);
double gwf_precision_error(gwf_precision precision);

enum { GWF_MAX_BATCH = 64 };

/* Where a block of weights is to be read from: where it is, or from a copy that outlives the step.
 */
typedef void *gwf_weights_at(void *user, void *weights, size_t bytes);

/* Which of the devices that a process sees is its own. */
typedef struct gwf_place {
    int device;           /* its number plus one; 0: by rank */
    int rank, ranks;      /* of the processes that see the same devices; ranks 0: this one alone */
    int ranks_per_device; /* that may share one; 0: as 1 */
    bool none;            /* for backend auto there is none */
} gwf_place;

typedef struct gwf_backend_config {
    int threads; /* 0: OMP_NUM_THREADS, else the cores this process may use */
    int batch;   /* maps computed at once, 1 to GWF_MAX_BATCH */
    gwf_precision precision;
    bool chain;                 /* the network is convolutions of whole maps and borders, no more:
                                 * a backend may lay it out otherwise */
    bool tune;                  /* algorithms are chosen by measuring; else by a fixed rule */
    const char *cache;          /* where choices are kept, as core/cache.h has it; NULL: nowhere */
    gwf_place place;            /* GPUs only */
    const gwf_log *log;         /* may be NULL */
    const gwf_backend *wrapped; /* guard only: the backend to watch */
} gwf_backend_config;           /* all that it points at is borrowed until reserve() */

/* As the options say (NULL: the defaults), for one map at a time. */
gwf_backend_config gwf_backend_configure(const struct gwf_options *options, const gwf_log *log);

/* What store() makes of a normalised value x: (cubed ? x^3 : x) * d + mu, in double. */
typedef struct gwf_scale {
    double mu, d;
    int cubed;
} gwf_scale;

/* What a device may have met in values on their way in or out: bits. */
enum { GWF_SEEN_INPUT = 1, GWF_SEEN_OUTPUT = 2 }; /* one that is not finite */

/* What a backend offers besides, whose maps are in the memory of a device of its own that computes
 * while the host does other things.
 *
 * Turns of load(), run_all() and store() are taken in lanes: after enter() these calls enqueue what
 * is to be done and return, until wait() for the lane. A turn's values, in and out, stay where they
 * are until then; they may be on the host or on the device. Lanes are taken one after the other and
 * computed in that order, while other lanes' values travel. In no lane (at first, and after
 * enter(-1)) every call waits, as on other backends, and run() is for single steps. */
typedef struct gwf_device {
    int lanes; /* that may be under way at once */
    /* MEMORY, with the need and what is free, when the device has not got that much: before
     * anything is prepared for it. */
    gwf_status (*check_room)(gwf_context *context, size_t bytes, gwf_error *err);
    /* Once, after reserve(): room for the values of one map in and out; the steps are made ready to
     * be repeated. */
    gwf_status (*stage)(gwf_context *context, size_t values_in, size_t values_out, gwf_error *err);
    /* For physical values: of each channel out, copied. */
    gwf_status (*scale)(gwf_context *context, const gwf_scale *scales, int n, gwf_error *err);
    /* physical: store() turns the lane's values into physical ones. */
    gwf_status (*enter)(gwf_context *context, int lane, bool physical, gwf_error *err);
    /* What the lane does waits for what is in a stream of the device's own kind so far. */
    gwf_status (*follow)(gwf_context *context, void *stream, gwf_error *err);
    /* All steps, in the order in which they were prepared. */
    gwf_status (*run_all)(gwf_context *context, gwf_error *err);
    /* Until all of the lane's turn is done. *seen: GWF_SEEN_... of its values (with INPUT results
     * may be left where they are); DATA when a result within the network is beyond the range of the
     * precision. After a failure nothing of any lane is under way. */
    gwf_status (*wait)(gwf_context *context, int lane, unsigned *seen, gwf_error *err);

    /* Host memory that transfers need not copy first, from pin() to unpin(): faster, and nobody
     * waits. false: it stays as it is, which does no harm. */
    bool (*pin)(gwf_context *context, void *memory, size_t bytes);
    void (*unpin)(gwf_context *context, void *memory);
    /* Memory of the device, and copies between any two memories. */
    gwf_status (*allocate)(gwf_context *context, size_t bytes, void **memory, gwf_error *err);
    void (*discard)(gwf_context *context, void *memory);
    gwf_status (*copy)(gwf_context *context, void *to, const void *from, size_t bytes,
                       gwf_error *err);
    /* On the device's own clock: a step's last run() outside all lanes; step NULL: the turn of the
     * lane that was last waited for, from its first values on the device to its last result there.
     */
    double (*seconds)(const gwf_context *context, const gwf_step *step);
} gwf_device;

struct gwf_backend {
    const char *name;    /* as in the option: "cpu" */
    const char *summary; /* one line for `gwflux info --backends` */

    /* NULL, or: the table is elsewhere, all that is below is there. BACKEND with the reason when it
     * cannot be had. */
    gwf_status (*find)(const gwf_backend **found, gwf_error *err);
    const gwf_device *device; /* NULL: computes in the host's memory, every call waits */

    /* Batches worth measuring, ending with 0; the first one is taken where nothing is measured. */
    const int *batches;

    /* BACKEND with the reason when it cannot start here, UNSUPPORTED with the precisions that it
     * has when it lacks the one asked for. */
    gwf_status (*open)(const gwf_backend_config *config, gwf_context **context, gwf_error *err);
    void (*close)(gwf_context *context); /* NULL is fine; steps are released before */
    /* "oneDNN 2.6.3, avx512_core, 2 threads"; borrowed. */
    const char *(*describe)(const gwf_context *context);
    /* What its numbers are, for the output's metadata: "fp32"; static. */
    const char *(*precision)(const gwf_context *context);
    /* Channel counts of maps and of their parts are rounded up to this. */
    int (*channel_block)(const gwf_context *context);
    int (*batch)(const gwf_context *context);
    /* Of all maps of the batch. */
    size_t (*map_bytes)(const gwf_context *context, int channels, int rows, int cols);

    gwf_status (*prepare)(gwf_context *context, const gwf_op *op, gwf_step **step, gwf_error *err);
    void (*release)(gwf_context *context, gwf_step *step);
    /* How it is done, for `gwflux bench`: "Winograd"; "" when there is nothing to say; static. */
    const char *(*algorithm)(const gwf_context *context, const gwf_step *step);
    /* Once, after the last prepare: the arena (and scratch memory) of this size. */
    gwf_status (*reserve)(gwf_context *context, size_t bytes, gwf_error *err);

    /* values: (channels, rows, cols) float32 on the host, of map `slot` (0 to batch - 1). load()
     * fills the view's further channels with zeros; store() takes the view's first `channels`. */
    gwf_status (*load)(gwf_context *context, const gwf_view *to, int slot, const float *values,
                       int channels, gwf_error *err);
    /* All maps of the batch; those that were not loaded hold what is left of earlier ones. */
    gwf_status (*run)(gwf_context *context, gwf_step *step, gwf_error *err);
    gwf_status (*store)(gwf_context *context, const gwf_view *from, int slot, float *values,
                        int channels, gwf_error *err);
    /* With a batch of 1 only: a rectangle of a view to the host and back, in whatever order the
     * backend likes: it only travels to the same backend of another rank. map_bytes(channels, rect
     * rows, cols) bytes. */
    gwf_status (*pack)(gwf_context *context, const gwf_view *from, const gwf_rect *rect,
                       void *bytes, gwf_error *err);
    gwf_status (*unpack)(gwf_context *context, const gwf_view *to, const gwf_rect *rect,
                         const void *bytes, gwf_error *err);
    /* Multiply-adds of a prepared convolution that are executed, as a share of those by which it is
     * defined; 0: not known. NULL: always 1. */
    double (*executed)(const gwf_context *context, const gwf_step *step);
    /* Asks at() about every block of packed weights of a step, in the same order each time; the
     * step gives up a block that it is to read elsewhere. Once that is done, run() only reads the
     * blocks. NULL: weights are not in the host's memory. */
    gwf_status (*weights)(gwf_context *context, gwf_step *step, gwf_weights_at *at, void *user,
                          gwf_error *err);
};

extern const gwf_backend gwf_backend_ref;      /* plain loops, double sums: what the ops mean */
extern const gwf_backend gwf_backend_cpu;      /* oneDNN */
extern const gwf_backend gwf_backend_cpu_last; /* "cpu" too: what opens for int8 and for chains */
extern const gwf_backend gwf_backend_cuda;     /* cuDNN: finds libgwflux_cuda.so */
extern const gwf_backend gwf_backend_guard;    /* any other, watched: for tests */

/* Known backends, fastest first, ending with NULL (guard is not among them). */
const gwf_backend *const *gwf_backends(void);

/* Open a backend, which may have to be found first: *opened is the table to use. */
gwf_status gwf_backend_start(const gwf_backend *backend, const gwf_backend_config *config,
                             const gwf_backend **opened, gwf_context **context, gwf_error *err);

/* Names of the GPUs that this process may use, the same in every process that sees the same ones;
 * BACKEND with the reason when there are none. */
gwf_status gwf_cuda_devices(char *names, size_t size, gwf_error *err);

/* Open the backend of this name, or for "auto" the first that starts and has the precision.
 * ARGUMENT for an unknown name; BACKEND with the reason when it cannot start: a named backend is
 * never replaced. */
gwf_status gwf_backend_open(const char *name, const gwf_backend_config *config,
                            const gwf_backend **backend, gwf_context **context, gwf_error *err);

#endif
