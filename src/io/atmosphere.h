/* Reanalysis and model output as physical fields on the grid they came on, piece by piece.
 *
 * One or many files (NetCDF; GRIB where ecCodes was built in) are looked through once, variables
 * are recognised, and grids, levels and times are checked to agree. Then
 *
 *     gwf_atmosphere_read(atmosphere, GWF_U, step, first_level, n_levels, values, err)
 *
 * hands out any levels of any step as (n_levels, nlat, nlon): levels from top to bottom, rows from
 * south to north, longitudes increasing, whatever the order in the file. Values keep the unit of
 * the file (its text stands in the header; converting is the caller's), packing is undone and
 * missing values are NaN. Memory goes with the piece, not with the files; at most one file per
 * quantity is open.
 *
 * Grids. Without more, a file lies on latitudes times longitudes. Everything else (cells of
 * unstructured grids, curvilinear grids with two-dimensional latitudes and longitudes, reduced
 * grids written as one dimension) is read as cells in the file's own order when the caller says how
 * many: those of the remapping weights that are to take them further. Weight files count cells as
 * they lie in the file, so rectilinear files, too, then keep the order they have: rows are not
 * turned, longitudes not rolled, a repeated meridian stays. Dimensions that are neither time nor
 * levels nor of length 1 are those of the cells. Coordinates need not be there; where they are
 * (variables named in `coordinates` or lat, lon and the like over the cells, or axes), the header
 * has them for comparison with the weights. GRIB: regular, reduced and unstructured grids in the
 * order of the message.
 *
 * Recognised, in this order: what the caller maps by name, CF standard names, short names as ECMWF,
 * CDS, cdo (var131) and common models write them. Hybrid levels come from formula_terms, from
 * hyam/hybm (or hyai/hybi, pk/bk) beside the variable, from GRIB's pv, or from the numbers of
 * ECMWF's 137 levels.
 *
 * NetCDF-C is not thread-safe: one thread at a time in all of io/. All calls are local. */
#ifndef GWF_IO_ATMOSPHERE_H
#define GWF_IO_ATMOSPHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/calendar.h"
#include "core/error.h"
#include "core/log.h"

/* What can be asked for: enum, word (also in the mapping), CF name, whether it has levels. */
#define GWF_QUANTITY_LIST(X)                                                                       \
    X(GWF_U, "u", "eastward wind", true)                                                           \
    X(GWF_V, "v", "northward wind", true)                                                          \
    X(GWF_T, "t", "air temperature", true)                                                         \
    X(GWF_THETA, "theta", "potential temperature", true)                                           \
    X(GWF_OMEGA, "omega", "vertical velocity in pressure coordinates", true)                       \
    X(GWF_W, "w", "upward air velocity", true)                                                     \
    X(GWF_SP, "sp", "surface pressure", false)                                                     \
    X(GWF_LNSP, "lnsp", "logarithm of surface pressure", false)                                    \
    X(GWF_ZS, "zs", "surface geopotential or altitude", false)

typedef enum gwf_quantity {
#define GWF_QUANTITY_ENUM(code, word, text, levels) code,
    GWF_QUANTITY_LIST(GWF_QUANTITY_ENUM)
#undef GWF_QUANTITY_ENUM
        GWF_QUANTITIES
} gwf_quantity;

#define GWF_QUANTITY_BIT(quantity) (1u << (quantity))

/* "u" and "eastward wind"; never NULL. */
const char *gwf_quantity_word(gwf_quantity quantity);
const char *gwf_quantity_text(gwf_quantity quantity);
bool gwf_quantity_has_levels(gwf_quantity quantity);

typedef enum gwf_level_kind {
    GWF_LEVELS_NONE,     /* nothing with levels was found             */
    GWF_LEVELS_PRESSURE, /* p = a, the same everywhere                */
    GWF_LEVELS_HYBRID,   /* p = a + b * surface pressure (sigma too)  */
} gwf_level_kind;

/* Everything is borrowed by the call; all zero but the paths is a good start. */
typedef struct gwf_atmosphere_config {
    const char *const *paths;
    int n_paths;
    /* Names the caller knows better, "u=NAME": words of GWF_QUANTITY_LIST. A mapped quantity is
     * looked for under that name only. */
    const char *const *mapping;
    int n_mapping;
    /* GWF_QUANTITY_BIT()s to look for, 0: all. What is not looked for is neither checked nor read:
     * a variable with other times than the rest does no harm then. */
    unsigned quantities;
    /* 0: latitudes times longitudes. Else any grid of that many cells, in the file's order. */
    size_t cells;
    int threads;        /* for decompressing; 0: one */
    const gwf_log *log; /* what was assumed; may be NULL; must live as long as the atmosphere */
} gwf_atmosphere_config;

typedef struct gwf_atmosphere_field {
    bool found;
    bool steady;      /* without time (ZS only): the same at every step */
    size_t files;     /* how many its steps are spread over             */
    const char *path; /* of the first of them                           */
    char name[128];   /* in that file ("u", "var131", "shortName u" in GRIB) */
    char units[64];   /* as written, "" when there are none             */
} gwf_atmosphere_field;

typedef struct gwf_atmosphere_header {
    gwf_atmosphere_field fields[GWF_QUANTITIES];

    /* Time: increasing. time[i] counts as the first file that has time does; seconds[i] is the same
     * exactly (see core/calendar.h for what they count from). timed false: no time anywhere, one
     * step, time 0, time_units "". */
    bool timed;
    size_t steps;
    int64_t *seconds;
    double *time;
    char time_units[96];    /* "hours since 1900-01-01"             */
    char time_calendar[32]; /* a CF name: "standard", "360_day", .. */
    gwf_time_units time_scale;

    /* Levels, top to bottom: pressure a[k] + b[k] * surface pressure (a in Pa). nlev 0 for NONE. */
    gwf_level_kind level_kind;
    size_t nlev;
    double *a, *b;

    /* Grid: degrees. lat increases; lon increases, lon[0] in [0, 360), all within one turn. The
     * bounds, (n, 2), lower first, are NULL when the file has none. cells is nlat * nlon. */
    size_t nlat, nlon, cells;
    double *lat, *lon;
    double *lat_bounds, *lon_bounds;
    /* Opened with a number of cells: nlat 1, nlon = cells, lat, lon and bounds NULL; instead the
     * centres (cells) in degrees as the file has them, both NULL where it has none. */
    bool unstructured;
    double *cell_lat, *cell_lon;
} gwf_atmosphere_header;

typedef struct gwf_atmosphere gwf_atmosphere;

/* Look through all files. One line, with file and variable, for what is wrong:
 *   NOT_FOUND    a file that is not there, or an address
 *   FORMAT       damaged, cut short, being written by another program; axes that are not
 *                understood; two candidates for a quantity; nothing recognised
 *   MISMATCH     grids, levels, times or calendars that differ between variables or files; another
 *                number of cells than the caller's
 *   DATA         axes with values that are not finite or not monotone
 *   UNSUPPORTED  GRIB without ecCodes; spectral, rotated and, unless read as cells, reduced grids
 *                (says how to convert)
 *   ARGUMENT     the mapping */
gwf_status gwf_atmosphere_open(const gwf_atmosphere_config *config, gwf_atmosphere **atmosphere,
                               gwf_error *err);
void gwf_atmosphere_close(gwf_atmosphere **atmosphere);

/* Borrowed, valid until close. */
const gwf_atmosphere_header *gwf_atmosphere_header_of(const gwf_atmosphere *atmosphere);

/* OK when the quantity was found, else FORMAT with what was looked for and what there is. */
gwf_status gwf_atmosphere_require(const gwf_atmosphere *atmosphere, gwf_quantity quantity,
                                  gwf_error *err);

/* Levels first_level .. first_level + n_levels - 1 (0 is the top; surface fields: 0, 1) of one step
 * into values (n_levels, nlat, nlon), owned by the caller. Reading steps in order and many levels
 * at once is fastest. A file that is not what it was when it was looked through is refused (DATA);
 * IO, FORMAT, MEMORY, ARGUMENT. */
gwf_status gwf_atmosphere_read(gwf_atmosphere *atmosphere, gwf_quantity quantity, size_t step,
                               size_t first_level, size_t n_levels, float *values, gwf_error *err);

/* Whether a file begins as GRIB messages do. */
bool gwf_is_grib(const char *path);

/* The file that holds a step of a found quantity, for messages. Borrowed. */
const char *gwf_atmosphere_path(const gwf_atmosphere *atmosphere, gwf_quantity quantity,
                                size_t step);

#endif
