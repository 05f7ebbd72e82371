/* Reading back what predict wrote: one level of one flux of one step. */
#ifndef GWF_IO_FLUX_READER_H
#define GWF_IO_FLUX_READER_H

#include <stddef.h>

#include "core/error.h"

/* A map of a flux. All owned; release with gwf_flux_map_free(). */
typedef struct gwf_flux_map {
    char variable[64];
    char units[32];  /* Pa for rho_uw, Pa m s-2 for u_omega */
    char time[160];  /* in words: "step 0, 528 hours since 2005-01-01" */
    double pressure; /* hPa, of the level that was read (of a model level: nominal) */
    size_t step, steps;
    size_t nlat, nlon;
    double *lat;   /* degrees north, increasing */
    double *lon;   /* degrees east, increasing, less than one turn */
    float *values; /* (nlat, nlon), all finite */
} gwf_flux_map;

/* The variable is (time, lev, lat, lon) or, on pressures, (time, plev, lat, lon). The level whose
 * pressure is nearest to `pressure` (hPa, > 0) in log p; steps count from
 * 0. Errors name file and variable: NOT_FOUND; FORMAT (no such variable, not a flux file);
 * ARGUMENT (no such step or pressure); DATA (a value that is missing or not finite). */
gwf_status gwf_flux_map_read(const char *path, const char *variable, double pressure, size_t step,
                             gwf_flux_map *map, gwf_error *err);
void gwf_flux_map_free(gwf_flux_map *map);

#endif
