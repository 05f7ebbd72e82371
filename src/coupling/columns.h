/* A host's columns: which they are in its whole grid, and how fields get from them to the network's
 * grid and fluxes back.
 *
 * Three kinds of hosts: on the network's own grid (exact copies), on another grid of latitudes
 * times longitudes (built-in remapping), on any grid with weight files both ways. On the first two,
 * latitude and longitude tell which column one is. */
#ifndef GWF_COUPLING_COLUMNS_H
#define GWF_COUPLING_COLUMNS_H

#include "core/error.h"
#include "fields/grid.h"
#include "fields/links.h"
#include "parallel/route.h"
#include "parallel/tiles.h"

/* One array of the host: columns first .. first + ni * nj - 1 of its rank's list, i fastest. */
typedef struct gwf_block {
    int first, ni, nj;
} gwf_block;

/* The columns of this rank, in the order in which blocks were added. {0} is an empty list. */
typedef struct gwf_column_list {
    int n, n_blocks;
    double *lat, *lon; /* (n) degrees; owned, as all below */
    int *id;           /* (n) from 0; NULL: not given */
    gwf_block *blocks; /* (n_blocks) */
} gwf_column_list;

/* Append a block. Local; on failure the list is as before. ARGUMENT: units, sizes, a latitude,
 * longitude or id that cannot be (named with its place in the block), ids in some blocks and not in
 * others; MEMORY. */
gwf_status gwf_column_list_add(gwf_column_list *list, const gwf_columns *block, gwf_error *err);
void gwf_column_list_free(gwf_column_list *list);

/* What a transfer is planned from; all borrowed by gwf_transfer_create(). The same on all ranks but
 * for columns and tile. */
typedef struct gwf_transfer_plan {
    const gwf_column_list *columns;
    const gwf_grid *host;               /* axes that the host gave; NULL: none */
    const gwf_grid *network;            /* the whole grid of the network */
    gwf_tile tile;                      /* of it, on this rank; rows 0: it computes nothing */
    const char *remap, *remap_back;     /* auto, conservative, bilinear */
    const char *weights, *weights_back; /* paths; "": none */
    int rows_in, rows_back;             /* float32 values of a column in, of a cell back */
    int threads;                        /* for the links; 0: as many as OpenMP gives */
} gwf_transfer_plan;

/* Out places of `in` and destinations of `to_columns` are in the order of the column list; out
 * places of `back` and destinations of `to_cells` are the cells of the tile, longitudes fastest.
 * The links are bound to the routes. */
typedef struct gwf_transfer {
    gwf_route *in;         /* host's columns -> ranks with tiles  */
    gwf_links *to_cells;   /* what arrived   -> cells of the tile */
    gwf_route *back;       /* cells          -> the host's ranks  */
    gwf_links *to_columns; /* what arrived  -> columns           */
    int total;             /* columns of the host's whole grid */
    int *ids;              /* which of them this rank's are, from 0; owned */
    char description[256]; /* in words, for the log: "columns on the network's grid", ... */
} gwf_transfer;

/* Collective. ARGUMENT: one weight file without the other, or with axes, or without ids; DATA: a
 * column that is registered twice or missing (with its ranks), that is not on the grid (beyond 0.01
 * degrees), whose id is another column's, grids that do not cover each other; MISMATCH: a weight
 * file of another grid (both sides are named); all of gwf_weights_read(); MEMORY. On failure
 * *transfer is empty. */
gwf_status gwf_transfer_create(const gwf_comm *comm, const gwf_transfer_plan *plan,
                               gwf_transfer *transfer, gwf_error *err);
/* {0} is fine. */
void gwf_transfer_free(gwf_transfer *transfer);

#endif
