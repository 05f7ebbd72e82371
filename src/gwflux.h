/* gwflux: global gravity-wave momentum fluxes from nonlocal neural networks.
 *
 * The one installed header. An engine is created from a model file (made by `gwflux import`),
 * predicts any number of maps, and is freed:
 *
 *     gwf_engine *engine = NULL;
 *     if (gwf_create("model.nc", NULL, &engine) != GWF_OK) puts(gwf_message(engine));
 *     gwf_predict(engine, features, flux);
 *     gwf_free(&engine);
 *
 * Every call returns a gwf_status; the text that goes with a failure is kept in the handle and
 * read with gwf_message(). The library never exits, aborts or prints. Engines are independent of
 * one another; one engine must not be used by two threads at the same time. gwf_create() reads
 * NetCDF, which is not thread-safe: engines take turns there, but a host that calls NetCDF itself
 * must not do so meanwhile. All calls are local (no communication).
 */
#ifndef GWFLUX_H
#define GWFLUX_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GWF_API __attribute__((visibility("default")))
#else
#define GWF_API
#endif

/* Every status there is: code, number, text. */
#define GWF_STATUS_LIST(X)                                                                         \
    X(GWF_OK, 0, "success")                                                                        \
    X(GWF_ERR_ARGUMENT, 1, "invalid argument or option")                                           \
    X(GWF_ERR_MEMORY, 2, "out of memory")                                                          \
    X(GWF_ERR_NOT_FOUND, 3, "file not found or not readable")                                      \
    X(GWF_ERR_IO, 4, "reading or writing failed")                                                  \
    X(GWF_ERR_DISK, 5, "no space left for the output")                                             \
    X(GWF_ERR_EXISTS, 6, "output exists")                                                          \
    X(GWF_ERR_FORMAT, 7, "not a file of the expected format")                                      \
    X(GWF_ERR_MODEL, 8, "the network is not one gwflux knows, or is damaged")                      \
    X(GWF_ERR_MISMATCH, 9, "model and data do not belong together")                                \
    X(GWF_ERR_DATA, 10, "values that cannot be used")                                              \
    X(GWF_ERR_BACKEND, 11, "the backend cannot start or failed")                                   \
    X(GWF_ERR_UNSUPPORTED, 12, "not supported")                                                    \
    X(GWF_ERR_INTERNAL, 13, "internal error")                                                      \
    X(GWF_ERR_STOPPED, 14, "stopped on request")

typedef enum gwf_status {
#define GWF_STATUS_ENUM(code, number, text) code = number,
    GWF_STATUS_LIST(GWF_STATUS_ENUM)
#undef GWF_STATUS_ENUM
} gwf_status;

/* Name ("GWF_ERR_IO") and text of a status; never NULL, "unknown status" beyond the list. */
GWF_API const char *gwf_status_name(gwf_status status);
GWF_API const char *gwf_status_text(gwf_status status);

/* "0.1.0"; the version of the library that is linked, not of the header. */
GWF_API const char *gwf_version(void);

/* How an engine is to run; NULL wherever options are taken means the defaults. */
typedef struct gwf_options gwf_options;

/* New options, all at their defaults. Owned by the caller; NULL when out of memory. */
GWF_API gwf_options *gwf_options_create(void);
GWF_API void gwf_options_free(gwf_options **options);

/* Set one option from text. Names, defaults and bounds (`gwflux help predict` prints them too):
 *   backend    auto | cuda | cpu | ref   (default auto: the fastest that starts here)
 *   precision  auto | fp32 | fp32-fast | tf32 | bf16 | fp16 | int8   (default auto: fp32 on CPUs,
 *              bf16 on GPUs; fp32: rounding errors only, fp32-fast: Winograd's algorithm too,
 *              relative errors up to 2e-4, bf16: up to 1e-2; not every backend has every one)
 *   threads    0..1024   (default 0: as many as OMP_NUM_THREADS or the cores allow)
 *   batch      0..64     (default 0: one; maps that gwf_predict_batch() computes at once; each
 *              call takes as long as a whole batch)
 *   tune       on | off  (default on: algorithms are chosen by measuring in gwf_create(); off: by
 *              a fixed rule)
 *   cache      a folder that remembers what was measured; off: none (default: $GWFLUX_CACHE, else
 *              $XDG_CACHE_HOME/gwflux, else $HOME/.cache/gwflux)
 *   device     -1..1023  (default -1: the first GPU that the process sees)
 *   ranks-per-device   1..64   (for the command, whose ranks take a GPU each)
 * GWF_ERR_ARGUMENT for an unknown name or a value out of bounds; gwf_options_message() says more.
 */
GWF_API gwf_status gwf_options_set(gwf_options *options, const char *name, const char *value);
GWF_API const char *gwf_options_message(const gwf_options *options);

typedef struct gwf_engine gwf_engine;

/* Load a model file and make everything ready: weights folded and packed, memory reserved.
 * On failure too *engine is set (unless out of memory) so that gwf_message() can be asked; free it
 * in both cases. The options are read, not kept. */
GWF_API gwf_status gwf_create(const char *model_path, const gwf_options *options,
                              gwf_engine **engine);

/* Free an engine and set the pointer to NULL; a NULL engine is fine. */
GWF_API void gwf_free(gwf_engine **engine);

/* Text of the last failure of this engine, "" when there was none. Borrowed; valid until the next
 * call on the engine. */
GWF_API const char *gwf_message(const gwf_engine *engine);

/* Sizes of the maps of an engine. */
typedef struct gwf_shape {
    int inputs;  /* channels in                          */
    int outputs; /* channels out: uw levels, vw levels   */
    int levels;  /* outputs / 2                          */
    int lat;     /* rows, south to north                 */
    int lon;     /* columns, eastward from 0             */
} gwf_shape;

GWF_API gwf_status gwf_get_shape(const gwf_engine *engine, gwf_shape *shape);

/* In words: network, backend, precision, threads. Borrowed. */
GWF_API const char *gwf_describe(const gwf_engine *engine);

/* One map. features: (inputs, lat, lon), normalised by the model's recipe, in the order of the
 * model's channel table. flux: (outputs, lat, lon), uw levels then vw levels from top to bottom,
 * upward flux of eastward and northward momentum in the unit of the model's flux_kind (Pa for
 * rho_uw). Both borrowed, owned by the caller. GWF_ERR_DATA when a feature
 * is not finite (the message names channel, row and column; flux is untouched), or when a flux is
 * not, which absurd features can bring about (flux then holds what was computed). */
GWF_API gwf_status gwf_predict(gwf_engine *engine, const float *features, float *flux);

/* n maps, one behind the other in features and flux; as gwf_predict() for each. Where the engine's
 * batch is more than 1 this is faster than as many single calls. All features are checked before
 * anything is computed. */
GWF_API gwf_status gwf_predict_batch(gwf_engine *engine, int n, const float *features, float *flux);

/* gwf_predict(), but the network's own normalised output. */
GWF_API gwf_status gwf_predict_normalised(gwf_engine *engine, const float *features,
                                          float *prediction);

#ifdef __cplusplus
}
#endif
#endif
