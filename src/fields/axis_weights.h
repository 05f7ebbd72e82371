/* Weights along the axes of rectilinear grids, and what a grid's poles are. */
#ifndef GWF_FIELDS_AXIS_WEIGHTS_H
#define GWF_FIELDS_AXIS_WEIGHTS_H

#include <stdbool.h>

#include "fields/links.h"

/* Sparse rows: destination i has the sources index[start[i]] .. index[start[i + 1] - 1]. */
typedef struct gwf_sparse {
    int n;
    size_t *start;
    int *index;
    double *weight; /* above zero; of a row they sum to 1 */
} gwf_sparse;

/* n empty rows, room for so many links. MEMORY. The caller frees, on failure too. */
gwf_status gwf_sparse_create(int n, size_t links, gwf_sparse *rows, gwf_error *err);
void gwf_sparse_free(gwf_sparse *rows);
/* One more link of the last row that was begun: rows->start[row + 1] says where links end. */
void gwf_sparse_add(gwf_sparse *rows, int row, int index, double weight);

/* Along an axis: sources of latitude weights below zero or beyond the last row stand for a pole. */
enum { GWF_SOUTH_POLE = -1, GWF_NORTH_POLE = -2 };

/* Weights along latitude and along longitude, of two checked grids. DATA names a place that the
 * source does not cover; MEMORY. The caller frees, on failure too. */
gwf_status gwf_sparse_latitude(gwf_remap_kind kind, const gwf_grid *source,
                               const gwf_grid *destination, gwf_sparse *rows, gwf_error *err);
gwf_status gwf_sparse_longitude(gwf_remap_kind kind, const gwf_grid *source,
                                const gwf_grid *destination, gwf_sparse *rows, gwf_error *err);

/* The poles of a rectilinear source grid. */
typedef struct gwf_poles {
    int row[2];            /* nearest the south, the north pole */
    int next[2];           /* the row next to it */
    bool at_pole[2];       /* the row is at the pole itself */
    int inner[2];          /* first and last of the rows that are not */
    double *share;         /* (nlon) of the round that a longitude stands for; they sum to 1 */
    double *cosine, *sine; /* (nlon) of the longitude */
} gwf_poles;

/* MEMORY. The caller frees, on failure too. */
gwf_status gwf_poles_create(const gwf_grid *grid, gwf_poles *poles, gwf_error *err);
void gwf_poles_free(gwf_poles *poles);

#endif
