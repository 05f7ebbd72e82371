/* What the files of remap share. */
#ifndef GWF_FIELDS_REMAP_INTERNAL_H
#define GWF_FIELDS_REMAP_INTERNAL_H

#include <stdbool.h>

#include "fields/remap.h"

/* Sparse rows: destination i has the sources index[start[i]] .. index[start[i + 1] - 1]. */
typedef struct gwf_sparse {
    int n;
    size_t *start;
    int *index;
    double *weight; /* above zero; of a row they sum to 1 */
} gwf_sparse;

/* Along an axis: sources of latitude weights below zero or beyond the last row stand for a pole. */
enum { GWF_SOUTH_POLE = -1, GWF_NORTH_POLE = -2 };

/* Weights along latitude and along longitude, of two checked grids. DATA names a place that the
 * source does not cover; MEMORY. The caller frees, on failure too. */
gwf_status gwf_sparse_latitude(gwf_remap_kind kind, const gwf_grid *source,
                               const gwf_grid *destination, gwf_sparse *rows, gwf_error *err);
gwf_status gwf_sparse_longitude(gwf_remap_kind kind, const gwf_grid *source,
                                const gwf_grid *destination, gwf_sparse *rows, gwf_error *err);
gwf_status gwf_sparse_create(int n, size_t links, gwf_sparse *rows, gwf_error *err);
void gwf_sparse_free(gwf_sparse *rows);

/* The poles of a rectilinear source grid. */
typedef struct gwf_poles {
    int row[2];            /* nearest the south, the north pole */
    int next[2];           /* the row next to it */
    bool at_pole[2];       /* the row is at the pole itself */
    int inner[2];          /* first and last of the rows that are not */
    double *share;         /* (nlon) of the round that a longitude stands for; they sum to 1 */
    double *cosine, *sine; /* (nlon) of the longitude */
} gwf_poles;

struct gwf_remap {
    size_t n_source, n_destination;
    int threads;
    bool separable;
    /* separable */
    int source_nlon, nlat, nlon; /* nlat, nlon of the destination */
    gwf_sparse lat, lon;
    gwf_poles poles;
    double *rows; /* (threads, 2, source_nlon): a destination row before the longitudes */
    /* weight files */
    gwf_sparse links;
    double *turn_cos, *turn_sin; /* of each link's weight, by the angle between the two norths */
};

/* remap_links.c */
void gwf_remap_links_apply(const gwf_remap *remap, const float *source, float *destination,
                           int levels);
void gwf_remap_links_apply_wind(const gwf_remap *remap, const float *const source[2],
                                float *const destination[2], int levels);

#endif
