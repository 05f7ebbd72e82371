/* GRIB messages through ecCodes, one at a time. Only atmosphere_grib.c and this see ecCodes'
 * header. */
#ifndef GWF_IO_ATMOSPHERE_GRIB_H
#define GWF_IO_ATMOSPHERE_GRIB_H

#include <eccodes.h>

#include "io/atmosphere_internal.h"

typedef struct gwf_grib_file {
    const char *path;
    int descriptor;
    uint64_t size;
} gwf_grib_file;

/* Where a message lies. */
typedef struct gwf_grib_span {
    uint64_t offset, length;
    uint64_t head; /* bytes that come before its values */
} gwf_grib_span;

/* ecCodes writes to the terminal unless told otherwise. */
void gwf_grib_quiet(void);

/* The message at or behind `offset` (zeros between messages are passed over); found false at the
 * end. FORMAT: something else than a message, cut short, several fields in one message. */
gwf_status gwf_grib_next(const gwf_grib_file *file, uint64_t offset, gwf_grib_span *span,
                         bool *found, gwf_error *err);

/* n bytes of the file at an offset. FORMAT when they are not there. */
gwf_status gwf_grib_bytes(const gwf_grib_file *file, uint64_t offset, size_t n, void *bytes,
                          gwf_error *err);

/* "PATH: message at byte N" */
void gwf_grib_where(const char *path, uint64_t offset, char *text, size_t size);

/* Latitudes and longitudes as they are scanned; owned by the caller, NULL after a failure.
 * UNSUPPORTED for grids that are not regular, with the way to convert them. */
typedef struct gwf_grib_axes {
    size_t nlat, nlon;
    double *lat, *lon;
    bool columns_first; /* values of one meridian follow each other */
} gwf_grib_axes;
gwf_status gwf_grib_axes_of(codes_handle *message, const char *where, gwf_grib_axes *axes,
                            gwf_error *err);
void gwf_grib_axes_free(gwf_grib_axes *axes);
/* The same as cells in the order of the message; reduced and unstructured grids, too (without
 * centres those that are unstructured or end on the way around). MISMATCH when it has another
 * number of them. The caller frees, on failure too. */
gwf_status gwf_grib_cells_of(codes_handle *message, const char *where, size_t cells,
                             gwf_atm_grid *grid, gwf_error *err);

#endif
