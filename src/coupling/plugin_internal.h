/* What the files of the plugin share. Private to coupling/. */
#ifndef GWF_COUPLING_PLUGIN_INTERNAL_H
#define GWF_COUPLING_PLUGIN_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/log.h"
#include "core/option.h"
#include "coupling/array.h"
#include "coupling/columns.h"
#include "coupling/engine.h"
#include "coupling/worker.h"
#include "fields/drag.h"
#include "fields/prepare.h"
#include "parallel/comm.h"
#include "parallel/route.h"

/* --- what a host puts ----------------------------------------------------------------------- */

/* Name, CF standard name, unit, slot, values per column beyond (at a level: 0, interfaces: 1) or
 * (surface) -1. */
#define PLUGIN_FIELDS(X)                                                                           \
    X(PUT_U, "u", "eastward_wind", "m s-1", SLOT_U, AT_MIDDLE)                                     \
    X(PUT_V, "v", "northward_wind", "m s-1", SLOT_V, AT_MIDDLE)                                    \
    X(PUT_T, "t", "air_temperature", "K", SLOT_TEMPERATURE, AT_MIDDLE)                             \
    X(PUT_THETA, "theta", "air_potential_temperature", "K", SLOT_TEMPERATURE, AT_MIDDLE)           \
    X(PUT_OMEGA, "omega", "lagrangian_tendency_of_air_pressure", "Pa s-1", SLOT_VERTICAL,          \
      AT_MIDDLE)                                                                                   \
    X(PUT_W, "w", "upward_air_velocity", "m s-1", SLOT_VERTICAL, AT_MIDDLE)                        \
    X(PUT_P, "p", "air_pressure", "Pa", SLOT_P, AT_MIDDLE)                                         \
    X(PUT_P_HALF, "p_half", "air_pressure_at_interface", "Pa", SLOT_PS, AT_INTERFACE)              \
    X(PUT_ZS, "zs", "surface_geopotential", "m2 s-2", SLOT_ZS, AT_SURFACE)                         \
    X(PUT_MASK, "mask", "mask", "1", SLOT_NONE, AT_SURFACE)

typedef enum plugin_field {
#define PLUGIN_FIELD_ENUM(code, name, cf, unit, slot, place) code,
    PLUGIN_FIELDS(PLUGIN_FIELD_ENUM)
#undef PLUGIN_FIELD_ENUM
        PLUGIN_FIELD_COUNT
} plugin_field;

/* What travels to the network's grid, in this order; t and theta are never both there, nor omega
 * and w. Of the interfaces only the surface pressure travels. */
typedef enum plugin_slot {
    SLOT_U,
    SLOT_V,
    SLOT_TEMPERATURE,
    SLOT_VERTICAL,
    SLOT_P,
    SLOT_PS,
    SLOT_ZS,
    SLOTS,
    SLOT_NONE = SLOTS
} plugin_slot;

typedef enum plugin_place { AT_MIDDLE, AT_INTERFACE, AT_SURFACE } plugin_place;

/* A unit that was used last, so that it is looked up once. */
typedef struct plugin_unit {
    char text[64];
    gwf_linear linear;
} plugin_unit;

/* A value that cannot be used: the first that was put on this rank. */
typedef struct plugin_fault {
    bool found;
    gwf_error error;
} plugin_fault;

/* --- results -------------------------------------------------------------------------------- */

typedef enum result_name {
    GET_DU,
    GET_DV,
    GET_DT,
    GET_UW,
    GET_VW,
    GET_FLAG,
    RESULT_COUNT
} result_name;

/* Levels from top to bottom, columns fastest, double. */
typedef struct plugin_results {
    double *du, *dv;         /* (levels, columns), m s-2 */
    double *dt;              /* (levels, columns), K s-1; NULL without heating */
    double *half_u, *half_v; /* (levels + 1, columns), Pa */
    unsigned char *flag;     /* (columns), gwf_flag */
} plugin_results;

/* What becomes of a step: the words of the policies, and the usual. */
typedef enum plugin_fate { FATE_COMPUTE, FATE_ERROR, FATE_HOLD, FATE_ZERO, FATE_HOST } plugin_fate;

/* --- this rank's part of the network -------------------------------------------------------- */

/* On ranks that compute; all zero on others. */
typedef struct plugin_tile {
    gwf_comm *comm; /* of the ranks that compute; owned, as is the rest */
    gwf_tiling tiling;
    gwf_tile part;
    int cells;
    gwf_prepare *prepare;
    float *slot[SLOTS];        /* (host levels or 1, cells): room for state on the network's grid */
    const float *state[SLOTS]; /* of this step: there, or where it arrived */
    float *features;           /* (inputs, cells) */
    float *prediction;         /* (outputs, cells), normalised */
    bool theta, w;             /* of this step: what the slots hold */
    gwf_status status;         /* of the last computation */
    gwf_error error;
    double outside; /* values of the last step beyond the trained range */
    double prepare_seconds, network_seconds, flux_seconds; /* of the last step */
    double *outside_sum;                                   /* (inputs): since ready */
} plugin_tile;

/* --- the way back --------------------------------------------------------------------------- */

/* Of the last step, beside what it put into fresh. */
typedef struct plugin_back {
    bool done;            /* it was gone */
    const float *flux[2]; /* (model levels, columns): uw, vw; as they arrived, or in plugin->flux */
    bool finite;          /* all of these */
    gwf_drag_counters counted;
    gwf_status status;
    gwf_error error;
    double seconds;
} plugin_back;

/* --- all of it ------------------------------------------------------------------------------ */

typedef enum plugin_stage { STAGE_REGISTER, STAGE_READY, STAGE_STARTED } plugin_stage;

struct gwf_plugin {
    gwf_error error;
    gwf_log log;
    gwf_options *options;  /* a copy */
    gwf_comm *comm, *node; /* all ranks; those of this node */
    gwf_engine *engine;    /* its plan only on ranks that compute */
    plugin_stage stage;

    /* Registered. */
    gwf_column_list columns; /* of this rank */
    gwf_grid host;           /* axes, nlat 0: none; owned */
    int levels;
    double *a, *b; /* NULL: p is put; in the host's order */

    /* Planned by ready. */
    gwf_transfer transfer;
    int row[SLOTS + 1]; /* of the way in: first row of each slot; none: the same as the next */
    plugin_tile tile;
    gwf_worker *worker; /* NULL: gwf_start() computes itself */
    bool all_compute;   /* every rank does, so that none waits for another's host: tendencies are
                         * found in the same thread as the network */
    gwf_drag *drag;

    /* This step's input. */
    plugin_unit unit[PLUGIN_FIELD_COUNT];
    uint32_t *stamp[PLUGIN_FIELD_COUNT]; /* (columns): the round in which it was put */
    uint32_t round;                      /* counts computed steps, from 1 */
    bool bottom_up, order_known;         /* the host's levels */
    bool reads_temperature;              /* the network does (w needs it too) */
    double *p_half[2];  /* (levels + 1, columns), top to bottom: being put, in use */
    double *wind[2][2]; /* heating: u and v (levels, columns) in the host's order, likewise */
    float *mask[2];     /* (columns), likewise */
    bool masked[2];
    unsigned char *bad_level; /* (levels + 1): notes of one put */
    plugin_fault bad_input, bad_pressure;

    /* Results. */
    plugin_results now, fresh;
    plugin_back back;
    float *flux[2]; /* (model levels, columns): room for uw, vw */
    bool any;       /* something was computed, */
    bool any_due;   /* or was to be */
    bool silent;    /* piggyback: tendencies are zero to the host */
    plugin_unit result_unit[RESULT_COUNT];
    plugin_fate fate;
    bool due;                /* of the started step */
    double step;             /* s, of the started step */
    double last;             /* time of the last computed step */
    bool pending;            /* fresh was finished for a restart file, and waits for gwf_finish() */
    gwf_counters counters;   /* this rank's; steps, computed and policies of steps alike on all */
    long column_policies[3]; /* this rank's columns: held, zeroed, left to the host */
    char *report;            /* owned text */
    char capture[1024];      /* path for the next computed step, "": none */
};

static inline const gwf_plugin_options *plugin_options_of(const gwf_plugin *plugin)
{
    return &plugin->options->plugin;
}

/* --- plugin_windows.c ----------------------------------------------------------------------- */

bool plugin_is_named(const char *asked, const char *name, const char *cf);
int plugin_levels_at(const gwf_plugin *plugin, plugin_place place);

/* Columns of one line of a window: from first (of the rank), n; line j of the array. */
typedef struct plugin_line {
    int first, n, j;
} plugin_line;

/* Lines that follow one another in the block and in the array become one. */
void plugin_join_lines(const gwf_plugin *plugin, const gwf_array *array, gwf_window *window);
plugin_line plugin_line_of(const gwf_plugin *plugin, const gwf_window *window, int j);

/* A window within its block (asked NULL: all of block 0), after ready; an array that fits it; the
 * conversion between a unit of ours and the host's (out: from ours to theirs). ARGUMENT, MISMATCH;
 * name is for messages. */
gwf_status plugin_find_window(gwf_plugin *plugin, const char *name, const gwf_window *asked,
                              gwf_window *window);
gwf_status plugin_check_array(gwf_plugin *plugin, const char *name, plugin_place place,
                              const gwf_window *window, const gwf_array *array);
gwf_status plugin_check_unit(gwf_plugin *plugin, const char *name, plugin_unit *cache,
                             const char *ours, const char *theirs, bool out);

/* --- plugin_put.c --------------------------------------------------------------------------- */

/* Memory for fields of the registered columns. */
gwf_status plugin_fields_create(gwf_plugin *plugin);
void plugin_fields_free(gwf_plugin *plugin);

/* Everything that the step needs was put and pressures can be used; the first that is not is named.
 * theta, w: whether these were put rather than t and omega. */
gwf_status plugin_fields_check(gwf_plugin *plugin, bool *theta, bool *w);

/* The fields were taken: the next ones begin. */
void plugin_fields_next(gwf_plugin *plugin);

/* --- plugin_compute.c ----------------------------------------------------------------------- */

/* The fields that arrived onto the cells of this rank's tile. beside: the host may put the next
 * ones while these are used. */
void plugin_take_state(gwf_plugin *plugin, bool beside);

/* On ranks that compute: features, network, fluxes on their way and, where all ranks compute, back.
 * How it went is in the tile and in back. */
void plugin_compute(void *plugin);

/* Fluxes to the host's columns, tendencies into fresh. Collective. */
void plugin_bring_back(gwf_plugin *plugin);

/* --- plugin_step.c -------------------------------------------------------------------------- */

/* Wait for the started step and put its results into fresh. Collective. */
gwf_status plugin_complete(gwf_plugin *plugin);

/* --- plugin_state.c, plugin_report.c, plugin_capture.c -------------------------------------- */

gwf_status plugin_results_create(const gwf_plugin *plugin, plugin_results *results, gwf_error *err);
void plugin_results_free(plugin_results *results);

/* Collective: a line for the log, when it is time for one. */
gwf_status plugin_report_step(gwf_plugin *plugin);

/* Collective: the step's features and state into the file that was asked for, if any. */
gwf_status plugin_capture_write(gwf_plugin *plugin);

#endif
