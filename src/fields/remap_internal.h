/* What the files of remap share. */
#ifndef GWF_FIELDS_REMAP_INTERNAL_H
#define GWF_FIELDS_REMAP_INTERNAL_H

#include "fields/axis_weights.h"
#include "fields/remap.h"

struct gwf_remap {
    size_t n_source, n_destination;
    int threads;
    gwf_links *links; /* weight files; NULL: latitudes and longitudes, one after the other: */
    int source_nlon, nlat, nlon; /* nlat, nlon of the destination */
    gwf_sparse lat, lon;
    gwf_poles poles;
    double *rows; /* (threads, 2, source_nlon): a destination row before the longitudes */
};

/* remap_links.c */
void gwf_remap_links_apply(const gwf_remap *remap, const float *source, float *destination,
                           int levels);
void gwf_remap_links_apply_wind(const gwf_remap *remap, const float *const source[2],
                                float *const destination[2], int levels);

#endif
