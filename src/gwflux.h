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
 * must not do so meanwhile. Calls of an engine are local (no communication). Inside a climate
 * model that runs on many ranks use a plugin: second half of this header.
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
 *              relative errors up to 2e-4, bf16: up to 1e-2; int8: with a model file of gwflux
 *              quantise, which says what it does to the drag; not every backend has every one)
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

/* Set what a YAML file says, lines "name: value" with the names above and those of a plugin
 * (configs/plugin.yaml). What it does not name stays as it is. GWF_ERR_NOT_FOUND, GWF_ERR_IO;
 * GWF_ERR_ARGUMENT with file, line and option; some options may have been set then. */
GWF_API gwf_status gwf_options_read(gwf_options *options, const char *path);

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
 * anything is computed; with backend cuda they are checked as they are read, so that after
 * GWF_ERR_DATA other maps' fluxes may be there already. There one batch is computed while the next
 * one's features and the last one's fluxes travel, if their memory is page-locked
 * (cudaHostRegister()). */
GWF_API gwf_status gwf_predict_batch(gwf_engine *engine, int n, const float *features, float *flux);

/* gwf_predict_batch() for a host that works on the GPU of the engine (backend cuda): features and
 * flux are in its memory, each may also be on the host, and nothing is copied. stream: a
 * cudaStream_t (NULL: the default stream) of which all work so far is waited for, as that makes the
 * features. Returns when the fluxes are there. From Fortran: type(c_ptr), of c_devloc() or c_loc().
 * GWF_ERR_UNSUPPORTED: the backend computes in the host's memory. */
GWF_API gwf_status gwf_predict_device(gwf_engine *engine, int n, const float *features, float *flux,
                                      void *stream);

/* gwf_predict(), but the network's own normalised output. */
GWF_API gwf_status gwf_predict_normalised(gwf_engine *engine, const float *features,
                                          float *prediction);

/* ---------------------------------------------------------------------------------------------
 * Inside a climate model
 *
 * A plugin takes the columns of a host model, on however many ranks and in whatever order they lie
 * there, to the network's grid, predicts the fluxes of the whole globe at once and brings back
 * tendencies. Once:
 *
 *     gwf_plugin_create(MPI_Comm_c2f(comm), "model.nc", options, &plugin);
 *     gwf_plugin_columns(plugin, &columns, NULL);         as often as the rank has blocks of them
 *     gwf_plugin_levels(plugin, levels, NULL, NULL);
 *     gwf_plugin_ready(plugin);
 *
 * and in every step, with the arrays as they stand in the host:
 *
 *     gwf_put(plugin, "u", "m s-1", NULL, &u);            v, t, p, p_half, ... likewise
 *     gwf_run(plugin, time, step);
 *     gwf_add(plugin, "du", "m s-2", NULL, &du);
 *
 * Calls are local or collective over the communicator, as each says. A collective call ends with
 * the same status on every rank, and with the message of the rank where something went wrong. Of an
 * engine (above) a plugin has its own; several plugins live side by side. One plugin must not be
 * used by two threads at the same time. The plugin is freed before MPI_Finalize(); MPI needs no
 * thread level, except that gwf_start() can compute beside the host on several ranks only with
 * MPI_THREAD_MULTIPLE (see there).
 *
 * Fields that are put; short name or CF standard name; at the middle of levels unless it says
 * otherwise. Any unit of the same dimension is converted:
 *   u       eastward_wind                            m s-1
 *   v       northward_wind                           m s-1
 *   t       air_temperature                          K
 *   theta   air_potential_temperature                K        instead of t (reference 1000 hPa)
 *   omega   lagrangian_tendency_of_air_pressure      Pa s-1
 *   w       upward_air_velocity                      m s-1    instead of omega (hydrostatic)
 *   p       air_pressure                             Pa
 *   p_half  air_pressure_at_interface                Pa       (levels + 1); may be 0 at the top
 *   zs      surface_geopotential                     m2 s-2   (1 level); kept until put again
 *   mask    mask                                     1        (1 level); tendencies and fluxes are
 *                                                             multiplied by it; kept, at first 1
 * Which of them a step needs depends on the network: u and v always, t or theta and omega or w and
 * zs where the network reads them; p_half always; p not where gwf_plugin_levels() had
 * coefficients. Levels run from the top down or from the bottom up; which is found from p_half.
 *
 * Results; at the middle of levels unless it says otherwise:
 *   du      tendency_of_eastward_wind                m s-2
 *   dv      tendency_of_northward_wind               m s-2
 *   dt      tendency_of_air_temperature              K s-1    option heating on
 *   uw      upward_eastward_momentum_flux            Pa       (levels + 1), at interfaces
 *   vw      upward_northward_momentum_flux           Pa       (levels + 1), at interfaces
 *   flag    flag                                     1        (1 level) where the tendencies are
 *                                                             from: a gwf_flag
 */
typedef struct gwf_plugin gwf_plugin;

/* What the flag of a column says. */
typedef enum gwf_flag {
    GWF_FLAG_COMPUTED = 0, /* of the network, at this step                                  */
    GWF_FLAG_HELD = 1,     /* of the network, at an earlier step: between two computed ones,
                            * or because of a policy "hold"                                  */
    GWF_FLAG_ZERO = 2,     /* zero: nothing was computed yet, piggyback, or policy "zero"    */
    GWF_FLAG_HOST = 3,     /* zero, and the host is to use its own scheme: policy "host"     */
} gwf_flag;

/* Collective over the communicator, which is duplicated. communicator: a Fortran handle
 * (MPI_Comm_c2f(comm)); ignored by a build without MPI, and before MPI_Init(): then this process
 * is alone. Reads the model file; the options (NULL: defaults) are read, not kept. On failure too
 * *plugin is set (unless out of memory) so that gwf_plugin_message() can be asked; free it in both
 * cases.
 * Options, beside an engine's (`gwflux help plugin` prints them with defaults and bounds):
 *   ranks         ranks that compute the network; 0: as many as the grid has tiles for
 *   tiles         how they cut the map: auto, or ROWSxCOLS
 *   interval      seconds from one computed step to the next, the results held; 0: every step
 *   remap         from the host's grid: auto, conservative, bilinear
 *   remap-back    to it: auto, conservative, bilinear
 *   weights       file (ESMF, SCRIP) with the weights from the host's grid to the network's ...
 *   weights-back  ... and from the network's to the host's: for any other grid than latitudes
 *                 times longitudes
 *   top           above the network's uppermost level: deposit (the flux is given to the layers
 *                 there) or taper (it leaves through the top, its divergence fading out below)
 *   highest       Pa; no tendency above this pressure (0: none but what top says)
 *   lowest        Pa; no tendency below this pressure (0: down to the ground)
 *   boundary-layer  no tendency below this fraction of the surface pressure (1: to the ground)
 *   cap           m s-2; a larger tendency is cut, the excess passed downward; 0: none
 *   bad-input     values that are not finite are put: error, hold, zero, host
 *   bad-output    a predicted flux is not finite: error, hold, zero, host
 *   outside       more than outside-share of the network's input is beyond what it was trained on
 *                 (|x~| > 4): count (and go on), error, hold, zero, host
 *   outside-share percent, of all values of a step
 *   heating       on, off: also dt, which conserves energy
 *   piggyback     on, off: compute and report, but return zero tendencies (fluxes as predicted)
 *   report        every so many steps a line of statistics goes to the log; 0: none
 * GWF_ERR_ARGUMENT, GWF_ERR_MEMORY, GWF_ERR_MISMATCH (tiles that do not fit), all of gwf_create().
 */
GWF_API gwf_status gwf_plugin_create(int communicator, const char *model_path,
                                     const gwf_options *options, gwf_plugin **plugin);

/* Collective. NULL and a plugin that is NULL already are fine. */
GWF_API void gwf_plugin_free(gwf_plugin **plugin);

/* Text of the last failure, "" when there was none. Borrowed; valid until the next call. Local. */
GWF_API const char *gwf_plugin_message(const gwf_plugin *plugin);

/* Lines for the host's log: what was assumed, reports. Called on the rank that has something to
 * say, within a call of the plugin; reports on rank 0. write NULL: nobody listens. Local. */
GWF_API void gwf_plugin_log(gwf_plugin *plugin, void (*write)(void *user, const char *line),
                            void *user);

/* A set of columns that the host keeps in one array: a domain of ni x nj columns, a chunk, a list
 * (nj 1). All borrowed by the call. */
typedef struct gwf_columns {
    int ni, nj;        /* along the first (fastest) and the second dimension; 0 is fine */
    const double *lat; /* (nj, ni), north positive */
    const double *lon; /* (nj, ni), east positive  */
    const char *units; /* of both: "degrees" or "radians" */
    const int *id;     /* (nj, ni) number of each column in the whole grid, from 1, as weight files
                        * count; NULL where lat and lon tell which it is: on the network's own grid
                        * and on that of gwf_plugin_grid() */
} gwf_columns;

/* Register a block of this rank's columns; *block (may be NULL) is its number, counted from 0 in
 * the order of the calls. Before gwf_plugin_ready(); a rank without columns need not call it.
 * Local. GWF_ERR_ARGUMENT: out of order, or a value that cannot be (named). */
GWF_API gwf_status gwf_plugin_columns(gwf_plugin *plugin, const gwf_columns *columns, int *block);

/* The host's whole grid, where it is latitudes times longitudes (degrees; latitudes rising or
 * falling, longitudes eastward): fields are remapped from it and back. Ids, where given, count
 * longitudes fastest. Not to be called for the network's own grid, nor with weight files. Same on
 * all ranks, before gwf_plugin_ready(). Local. */
GWF_API gwf_status gwf_plugin_grid(gwf_plugin *plugin, int nlat, const double *lat, int nlon,
                                   const double *lon);

/* The host's levels. a (Pa) and b (levels): coefficients of the middle of the levels,
 * p = a + b * surface pressure, in the order of the fields; both NULL: p is put in every step. Same
 * on all ranks, before gwf_plugin_ready(). Local. */
GWF_API gwf_status gwf_plugin_levels(gwf_plugin *plugin, int levels, const double *a,
                                     const double *b);

/* Everything is registered: plan all exchanges, cut the map into tiles, make the engine ready.
 * Collective. GWF_ERR_DATA: a column that is registered twice or missing (its id, and the ranks),
 * or not on the grid; GWF_ERR_MISMATCH: a weight file of another grid. */
GWF_API gwf_status gwf_plugin_ready(gwf_plugin *plugin);

typedef enum gwf_real { GWF_REAL32 = 4, GWF_REAL64 = 8 } gwf_real;

/* An array of the host, as it lies in memory; borrowed by the call. Strides in values. */
typedef struct gwf_array {
    void *data; /* the value of the first column at the first level; only read by gwf_put() */
    gwf_real kind;
    int levels;         /* 1 for a surface field */
    ptrdiff_t stride_i; /* to the next column along the first dimension  */
    ptrdiff_t stride_j; /* ... along the second dimension (nj 1: any)    */
    ptrdiff_t stride_level;
} gwf_array;

/* Columns i .. i + ni - 1, j .. j + nj - 1 (from 0) of a block: what one array has. */
typedef struct gwf_window {
    int block, i, j, ni, nj;
} gwf_window;

/* Hand over a field of the columns of a window (NULL: all of block 0). Every column must have been
 * given every field before gwf_run() or gwf_start(), but for those that are kept. Between two
 * computed steps (gwf_due()) nothing need be put. Local. GWF_ERR_ARGUMENT: unknown field, a window
 * outside its block, a wrong number of levels; GWF_ERR_MISMATCH: a unit that does not convert. */
GWF_API gwf_status gwf_put(gwf_plugin *plugin, const char *field, const char *units,
                           const gwf_window *window, const gwf_array *array);

/* Whether a step at this time computes (1) or holds (0). Local, the same on all ranks. */
GWF_API int gwf_due(const gwf_plugin *plugin, double time);

/* One step: fields in, network, tendencies out. time: of the host, s; step: over which the host
 * will apply the tendencies, s (for heating). Collective. GWF_ERR_ARGUMENT: a field was not put
 * (named, with the first column that lacks it); GWF_ERR_DATA: a value that cannot be used, with
 * field, latitude, longitude and level. After a failure the results are those of the step before.
 */
GWF_API gwf_status gwf_run(gwf_plugin *plugin, double time, double step);

/* The same in two halves: gwf_start() takes the fields and returns, the network runs beside the
 * host's own work, gwf_finish(), a step later or when the results are wanted, waits for them.
 * Between the two, fields of the next step may be put and results of the step before be had. The
 * network runs in a thread of its own where it needs no messages (one rank computes it) or MPI
 * grants MPI_THREAD_MULTIPLE, else gwf_start() computes it itself and the log says so when the
 * plugin is ready. Where every rank computes, the tendencies are found in that thread too; else
 * gwf_finish() finds them.
 * gwf_finish() without a start gives the held results. Collective. */
GWF_API gwf_status gwf_start(gwf_plugin *plugin, double time, double step);
GWF_API gwf_status gwf_finish(gwf_plugin *plugin);

/* Results of the last finished step into an array of the host, or added to what it holds. Local.
 * Errors as gwf_put(). */
GWF_API gwf_status gwf_get(gwf_plugin *plugin, const char *result, const char *units,
                           const gwf_window *window, const gwf_array *array);
GWF_API gwf_status gwf_add(gwf_plugin *plugin, const char *result, const char *units,
                           const gwf_window *window, const gwf_array *array);

/* What a restart needs, into a NetCDF file (written by rank 0; complete or not there) and back, by
 * any number of ranks: with it a run that is interrupted gives the same bits as one that is not. A
 * step that was started is finished for it and is handed out by the gwf_finish() to come. After
 * gwf_plugin_ready(). Collective. */
GWF_API gwf_status gwf_plugin_save(gwf_plugin *plugin, const char *path);
GWF_API gwf_status gwf_plugin_load(gwf_plugin *plugin, const char *path);

/* The next computed step writes its input to this file, on the network's grid: `features` as
 * `gwflux predict` reads them, which gives the same fluxes offline, and beside them the host's
 * fields on the host's levels. An existing file is replaced. Collective. */
GWF_API gwf_status gwf_plugin_capture(gwf_plugin *plugin, const char *path);

/* Since gwf_plugin_ready() or a load. */
typedef struct gwf_counters {
    long steps;        /* calls of gwf_run() or gwf_finish()                                  */
    long computed;     /* of these, with the network                                          */
    long held;         /* of the computed, by a policy "hold", ...                            */
    long zeroed;       /* ... "zero" ...                                                      */
    long host;         /* ... "host": steps (bad-input, outside) or columns (bad-output)      */
    long bad_input;    /* computed steps with values that are not finite in the input         */
    long bad_output;   /* columns whose predicted fluxes were not finite                      */
    long outside;      /* values of the network's input beyond the trained range              */
    long capped;       /* layers of columns whose tendency was cut                            */
    double largest;    /* tendency before the cut, m s-2                                      */
    double seconds[4]; /* so far, of the slowest rank: to the network's grid, network, back,
                        * waited for in gwf_finish() */
} gwf_counters;

/* Counters of all ranks together, after gwf_plugin_ready(). Collective. */
GWF_API gwf_status gwf_plugin_counters(gwf_plugin *plugin, gwf_counters *counters);

/* The same and the values outside the trained range for each variable and level, as text, one line
 * for each variable; *text is borrowed until the next call, NULL but on rank 0. Collective. */
GWF_API gwf_status gwf_plugin_report(gwf_plugin *plugin, const char **text);

#ifdef __cplusplus
}
#endif
#endif
