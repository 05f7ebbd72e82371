/* What the files of the reader of reanalysis share. One file's job each:
 *   atmosphere.c         the public calls: opening, header, reading
 *   atmosphere_names.c   which quantity a variable is
 *   atmosphere_grid.c    latitudes and longitudes in any order -> the order handed out
 *   atmosphere_levels.c  levels of a NetCDF variable
 *   atmosphere_axes.c    dimensions, times and grid of a NetCDF variable
 *   atmosphere_cells.c   grids that are read as cells in the file's order
 *   atmosphere_nc.c      looks through a NetCDF file and reads pieces of it
 *   atmosphere_grib*.c   the same for GRIB
 *   atmosphere_join.c    pieces in many files -> one axis of time per quantity, checked */
#ifndef GWF_IO_ATMOSPHERE_INTERNAL_H
#define GWF_IO_ATMOSPHERE_INTERNAL_H

#include <sys/stat.h>

#include "io/atmosphere.h"
#include "io/nc.h"

enum {
    GWF_ATM_NAME = 128,
    GWF_ATM_UNITS = 64,
    GWF_ATM_AXIS = 1 << 16,   /* longest latitude, longitude */
    GWF_ATM_LEVELS = 1 << 12, /* most levels                 */
    GWF_ATM_STEPS = 1 << 28,  /* most steps in one file      */
};

/* --- grid ----------------------------------------------------------------------------------- */

/* How a file's rows and columns become those handed out. */
typedef struct gwf_atm_order {
    size_t file_nlat, file_nlon; /* file_nlon is nlon + 1 with a repeated meridian at the end */
    size_t nlon;
    bool north_first;
    bool westward;
    size_t lon_start; /* the file's column of lon[0] */
} gwf_atm_order;

typedef struct gwf_atm_grid {
    size_t nlat, nlon;
    double *lat, *lon, *lat_bounds, *lon_bounds; /* owned; bounds may be NULL */
    /* Cells: nlat 1, no axes; centres (nlon), owned, both NULL where the file has none. */
    bool unstructured;
    double *cell_lat, *cell_lon;
} gwf_atm_grid;

/* From a file's axes (degrees, not NULL; bounds (n, 2) or NULL). `where` stands in front of
 * messages ("PATH: variable V"). Bounds that do not enclose their points are left out; *bounds_bad
 * says so. On failure too the grid is to be freed. DATA, MEMORY. */
typedef struct gwf_atm_axes {
    size_t nlat, nlon;
    const double *lat, *lon, *lat_bounds, *lon_bounds;
} gwf_atm_axes;
gwf_status gwf_atm_grid_make(const gwf_atm_axes *axes, const char *where, gwf_atm_grid *grid,
                             gwf_atm_order *order, bool *bounds_bad, gwf_error *err);
void gwf_atm_grid_free(gwf_atm_grid *grid);
/* MISMATCH. */
gwf_status gwf_atm_grid_compare(const gwf_atm_grid *a, const char *where_a, const gwf_atm_grid *b,
                                const char *where_b, gwf_error *err);

/* The file's column of handed-out column j, and the row of row i. */
size_t gwf_atm_column(const gwf_atm_order *order, size_t j);
size_t gwf_atm_row(const gwf_atm_order *order, size_t i);

/* One level: `from` with the steps between rows and columns, `to` (nlat, nlon) handed out. */
void gwf_atm_arrange(const gwf_atm_order *order, const float *from, size_t row_stride,
                     size_t column_stride, float *to);

/* --- cells ---------------------------------------------------------------------------------- */

/* Room for the centres of grid->nlon cells. MEMORY. */
gwf_status gwf_atm_cells_alloc(gwf_atm_grid *grid, const char *where, gwf_error *err);
/* Centres from two axes: cell c has lat[c / lat_stride % nlat] and lon[c / lon_stride % nlon]. */
gwf_status gwf_atm_cells_from_axes(const gwf_atm_axes *axes, size_t lat_stride, size_t lon_stride,
                                   const char *where, gwf_atm_grid *grid, gwf_error *err);
/* MISMATCH where both have centres and they differ. */
gwf_status gwf_atm_cells_compare(const gwf_atm_grid *a, const char *where_a, const gwf_atm_grid *b,
                                 const char *where_b, gwf_error *err);
/* From (outer, levels, inner) as it lies in the file to (levels, outer * inner). */
void gwf_atm_cells_arrange(const float *from, size_t outer, size_t levels, size_t inner,
                           bool bottom_up, float *to);

/* --- levels --------------------------------------------------------------------------------- */

typedef struct gwf_atm_levels {
    gwf_level_kind kind;
    size_t n;
    double *a, *b;  /* owned; top to bottom after gwf_atm_levels_order() */
    bool bottom_up; /* in the file */
} gwf_atm_levels;

/* For a variable with a level dimension of that name and length. FORMAT, DATA, MEMORY. */
gwf_status gwf_atm_levels_read(const gwf_nc *file, const gwf_nc_variable *v, int dim,
                               const gwf_log *log, gwf_atm_levels *levels, gwf_error *err);
/* Check a and b as they lie in the file and turn them top to bottom. DATA. */
gwf_status gwf_atm_levels_order(gwf_atm_levels *levels, const char *where, gwf_error *err);
gwf_status gwf_atm_levels_alloc(gwf_atm_levels *levels, size_t n, const char *where,
                                gwf_error *err);
void gwf_atm_levels_free(gwf_atm_levels *levels);
/* MISMATCH. */
gwf_status gwf_atm_levels_compare(const gwf_atm_levels *a, const char *where_a,
                                  const gwf_atm_levels *b, const char *where_b, gwf_error *err);
/* Pascals of a unit of pressure, 0 when it is none. */
double gwf_atm_pressure_unit(const char *units);

/* --- axes of a NetCDF file ---------------------------------------------------------------------
 */

/* The numeric one-dimensional variable that gives a dimension its values: the one of its name, or
 * one named in the attribute coordinates. */
bool gwf_atm_nc_coordinate(const gwf_nc *file, const gwf_nc_variable *v, int dim,
                           gwf_nc_variable *coordinate);
/* All n values of a variable as double, unpacked; *values is owned by the caller (NULL after a
 * failure). Missing values are NaN. FORMAT, DATA when a value is not finite. */
gwf_status gwf_atm_nc_axis(const gwf_nc *file, const gwf_nc_variable *v, size_t n, double **values,
                           gwf_error *err);

/* Words of a text, one after the other: *at moves on. */
bool gwf_atm_next_name(const char **at, char *name, size_t size);

/* What a variable's values are, by its attributes and its name: GWF_ATM_LAT, GWF_ATM_LON or
 * something else. */
typedef enum gwf_atm_direction { GWF_ATM_LAT, GWF_ATM_LON, GWF_ATM_NEITHER } gwf_atm_direction;
gwf_atm_direction gwf_atm_nc_direction(const gwf_nc *file, const gwf_nc_variable *v);

typedef struct gwf_atm_layout {
    int time, level, lat, lon; /* dimensions of the variable; -1 for none */
    int across;                /* of more than 1 and none of time and level, when read as cells */
    bool pressure;             /* the levels' unit is one of pressure */
    char problem[192];         /* why it cannot be read, "" when it can */
} gwf_atm_layout;

/* cells: all dimensions but time and level may be those of the grid. */
void gwf_atm_nc_layout(const gwf_nc *file, const gwf_nc_variable *v, bool cells,
                       gwf_atm_layout *layout);
/* The time axis of a variable: *seconds (owned by the caller) stays NULL when there is none.
 * `units` becomes its text. FORMAT, DATA. */
typedef struct gwf_atm_times {
    size_t n;
    int64_t *seconds;
    gwf_time_units scale;
    char units[96];
} gwf_atm_times;
gwf_status gwf_atm_nc_times(const gwf_nc *file, const gwf_nc_variable *v,
                            const gwf_atm_layout *layout, gwf_atm_times *times, gwf_error *err);
/* Latitudes, longitudes and their bounds. */
gwf_status gwf_atm_nc_grid(const gwf_nc *file, const gwf_nc_variable *v,
                           const gwf_atm_layout *layout, const gwf_log *log, gwf_atm_grid *grid,
                           gwf_atm_order *order, gwf_error *err);

/* Product of all dimensions but time and level (-1 for none), 0 when it is too large. */
size_t gwf_atm_cells_of(const gwf_nc_variable *v, int time, int level);
/* The grid of a variable that is to have that many cells, with centres where they are there.
 * MISMATCH, DATA. */
gwf_status gwf_atm_nc_cells(const gwf_nc *file, const gwf_nc_variable *v,
                            const gwf_atm_layout *layout, size_t cells, gwf_atm_grid *grid,
                            gwf_error *err);

/* --- names ---------------------------------------------------------------------------------- */

/* What is known of a variable before its dimensions are looked at. Texts "" and code 0: absent. */
typedef struct gwf_atm_label {
    const char *name, *standard_name, *units;
    int code; /* ECMWF's parameter id, table 128 */
    /* Its dimensions may be those of a field with levels, of a surface field (both with one model
     * level, as lnsp has). */
    bool upper, surface;
} gwf_atm_label;

/* How well a variable fits a quantity, 0 not at all; of two the higher one is meant. */
int gwf_atm_fit(gwf_quantity quantity, const gwf_atm_label *label);
/* The name a quantity was mapped to, or NULL. */
const char *gwf_atm_mapped(const gwf_atmosphere_config *config, gwf_quantity quantity);
/* ARGUMENT. */
gwf_status gwf_atm_check_mapping(const gwf_atmosphere_config *config, gwf_error *err);

/* --- pieces --------------------------------------------------------------------------------- */

/* A file as it was when it was looked through. */
typedef struct gwf_atm_stamp {
    dev_t device;
    ino_t inode;
    mode_t mode;
    off_t size;
    struct timespec changed;
} gwf_atm_stamp;

/* NOT_FOUND. */
gwf_status gwf_atm_stamp_take(const char *path, gwf_atm_stamp *stamp, gwf_error *err);
/* DATA when the file is not what it was. */
gwf_status gwf_atm_stamp_check(const char *path, const gwf_atm_stamp *stamp, gwf_error *err);

typedef struct gwf_atm_file {
    char *path; /* owned */
    gwf_atm_stamp stamp;
    bool grib;
    gwf_nc nc; /* open while users > 0 */
    int users;
} gwf_atm_file;

/* A GRIB message of a quantity: one level of one step. */
typedef struct gwf_atm_message {
    int64_t seconds;
    uint64_t offset, length;
    uint32_t level;
} gwf_atm_message;

/* The steps of one quantity that one file holds. */
typedef struct gwf_atm_piece {
    gwf_quantity quantity;
    size_t file;
    char name[GWF_ATM_NAME], units[GWF_ATM_UNITS];
    bool timed;
    gwf_calendar calendar;
    size_t steps;
    int64_t *seconds; /* owned; increasing; NULL when not timed */
    gwf_atm_order order;
    size_t cells; /* 0: by rows and columns; else in the file's order (GRIB: order has one row) */
    size_t nlev;  /* 1 for surface fields */
    bool bottom_up;
    /* NetCDF: which dimensions are which, -1 for none; all others have length 1, or are those of
     * the cells. */
    int rank, time_dim, level_dim, lat_dim, lon_dim;
    /* GRIB: messages (steps, nlev), levels from top to bottom; owned. */
    gwf_atm_message *messages;
    bool columns_first; /* values of one meridian follow each other */
} gwf_atm_piece;

typedef struct gwf_slab gwf_slab;

/* What reads a quantity now. */
typedef struct gwf_atm_cursor {
    const gwf_atm_piece *piece; /* NULL: nothing is open */
    gwf_slab *slab;             /* NetCDF */
    int descriptor;             /* GRIB; -1 closed */
    gwf_nc_variable v;
} gwf_atm_cursor;

typedef struct gwf_atm_quantity {
    gwf_atm_piece **pieces; /* in order of time; borrowed from the atmosphere's list */
    size_t *first;          /* step of the atmosphere that a piece begins with */
    size_t count;
    gwf_atm_cursor cursor;
} gwf_atm_quantity;

struct gwf_atmosphere {
    gwf_atmosphere_header header; /* its arrays are owned here */
    gwf_log log;
    int threads;
    unsigned wanted;                     /* bits */
    size_t cells;                        /* 0: latitudes times longitudes */
    const gwf_atmosphere_config *config; /* while opening only */
    gwf_atm_file *files;
    size_t n_files;
    gwf_atm_piece *pieces; /* of all quantities, in the order of the files */
    size_t n_pieces, room;
    gwf_atm_quantity quantities[GWF_QUANTITIES];
    /* The first ones found, and where; the others must agree. */
    gwf_atm_grid grid;
    gwf_atm_levels levels;
    char grid_where[GWF_ERROR_TEXT / 4], levels_where[GWF_ERROR_TEXT / 4];
    bool have_scale;
    /* What there is, for messages. */
    char found[400], why_not[GWF_QUANTITIES][256];
    float *scratch; /* a piece as it lies in the file */
    size_t scratch_values;
    void *bytes; /* a GRIB message */
    size_t n_bytes;
    void *decoded; /* doubles */
    size_t decoded_bytes;
};

/* Look through one file: adds pieces, checks grid and levels against those known. */
gwf_status gwf_atm_nc_scan(gwf_atmosphere *atmosphere, size_t file, gwf_error *err);
gwf_status gwf_atm_grib_scan(gwf_atmosphere *atmosphere, size_t file, gwf_error *err);

/* Where a piece is in messages: "PATH: variable V". */
void gwf_atm_where(const gwf_atmosphere *atmosphere, const gwf_atm_piece *piece, char *text,
                   size_t size);

/* Take what was found: the atmosphere's first, or the same as it; g and l are emptied or still the
 * caller's to free. l may be NULL. The piece is copied into the list, which then owns its arrays.
 */
gwf_status gwf_atm_add(gwf_atmosphere *atmosphere, gwf_atm_piece *piece, gwf_atm_grid *g,
                       gwf_atm_levels *l, gwf_error *err);
/* The units of the first time axis that is seen are those handed out. */
void gwf_atm_take_time_units(gwf_atmosphere *atmosphere, const char *units,
                             const gwf_time_units *scale);
/* A line for "found ..." in messages. */
void gwf_atm_note_found(gwf_atmosphere *atmosphere, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Join the pieces in time and fill the header. FORMAT, MISMATCH. */
gwf_status gwf_atm_join(gwf_atmosphere *atmosphere, gwf_error *err);

/* Read from the piece that the cursor is on. Steps count in the piece; levels as handed out. */
gwf_status gwf_atm_nc_start(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, gwf_error *err);
void gwf_atm_nc_stop(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor);
gwf_status gwf_atm_nc_read(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, size_t step,
                           size_t level, size_t levels, float *values, gwf_error *err);
gwf_status gwf_atm_grib_start(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, gwf_error *err);
void gwf_atm_grib_stop(gwf_atm_cursor *cursor);
gwf_status gwf_atm_grib_read(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, size_t step,
                             size_t level, size_t levels, float *values, gwf_error *err);

/* Room for n floats as they lie in a file. */
gwf_status gwf_atm_scratch(gwf_atmosphere *atmosphere, size_t n, gwf_error *err);

#endif
