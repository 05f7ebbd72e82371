/* WINDSET-style feature files: features(time, idim, lat, lon), normalised; those of gwflux prepare
 * may have ps(time, lat, lon) in Pa too. Read only (prepared_file.h writes). */
#ifndef GWF_IO_WINDSET_H
#define GWF_IO_WINDSET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "io/planes.h"

typedef struct gwf_windset gwf_windset;

typedef struct gwf_windset_header {
    size_t steps, idim, odim; /* odim 0: the file holds features only */
    size_t nlat, nlon;
    bool coordinates; /* lat and lon below were in the file */
    double *lat;      /* degrees north, nlat values, south to north (owned by the reader) */
    double *lon;      /* degrees east, nlon values */
    char text[2048];  /* file name, long_name and the like, global attributes: free text */
    char advice[256]; /* one line: why reading will be slow and the cure; "" when it will not */
    char time[192];   /* how time counts, to be compared: "integer, units '...', calendar '...'" */
    char recipe[64];  /* global attribute gwflux_recipe, "" when absent */
    bool surface_pressure; /* there is ps(time, lat, lon), in Pa */
} gwf_windset_header;

/* Whether this is a feature file at all, by its variables: *features. A file that cannot be opened
 * is an error, as for open; a GRIB file has no features. */
gwf_status gwf_windset_recognise(const char *path, bool *features, gwf_error *err);

/* Open one file and check its shape. The variable is `features`, or the only 4-D variable named
 * `__xarray_dataarray_variable__`; lat stored as lat/90 and lon as lon/360 become degrees.
 * Errors name file, variable and what was expected: NOT_FOUND, FORMAT. */
gwf_status gwf_windset_open(const char *path, gwf_windset **file, gwf_error *err);
void gwf_windset_close(gwf_windset **file);

/* How many threads may decode compressed features: 1 until this is called, 0 for as many as there
 * are cores. To be called before the first read. */
void gwf_windset_set_threads(gwf_windset *file, int threads);
/* How the features are read, in words for a summary line; borrowed, valid until close. */
const char *gwf_windset_how(const gwf_windset *file);

/* Borrowed, valid until close. */
const gwf_windset_header *gwf_windset_header_of(const gwf_windset *file);
const char *gwf_windset_path(const gwf_windset *file);

/* Channels index[0..count) of one step into values (count, nlat, nlon), in that order. Unpacked
 * (scale_factor, add_offset); missing values come back as NaN. Runs of neighbouring channels are
 * read in one piece. */
gwf_status gwf_windset_read(gwf_windset *file, size_t step, const int *index, int count,
                            float *values, gwf_error *err);

/* The same values, to be read plane by plane by other threads than this one, where they lie in the
 * file as they are; false: gwf_windset_read() is the way. count: at most what `planes` has room
 * for. */
bool gwf_windset_find(const gwf_windset *file, size_t step, const int *index, int count,
                      gwf_planes *planes);

/* Surface pressure of one step, (nlat, nlon) in Pa. ARGUMENT: the file has none, or no such step;
 * DATA: a value that is missing or no surface pressure, with its place. */
gwf_status gwf_windset_pressure(gwf_windset *file, size_t step, float *ps, gwf_error *err);

/* The time coordinate of one step, as a double; the step number (from 0) when the file has none. */
gwf_status gwf_windset_time(gwf_windset *file, size_t step, double *time, gwf_error *err);

#endif
