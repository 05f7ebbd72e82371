/* Remapping weights from a file: ESMF's (n_a, n_b, n_s; row, col, S) or SCRIP's (src_address,
 * dst_address, remap_matrix). Read whole and checked. */
#ifndef GWF_IO_WEIGHTS_H
#define GWF_IO_WEIGHTS_H

#include <stddef.h>

#include "core/error.h"

enum { GWF_WEIGHTS_MOST = 1 << 26 }; /* links, and cells of a grid */

typedef struct gwf_weights {
    size_t n_source, n_destination, n_links;
    int *source, *destination; /* cell of each link, from 0 (owned, as all below) */
    double *weight;            /* finite */
    /* Cell centres in degrees, n_source and n_destination values. */
    double *source_lat, *source_lon, *destination_lat, *destination_lon;
} gwf_weights;

/* Of SCRIP files with three weights a link the first is taken (first-order conservative); four
 * (bicubic) are UNSUPPORTED. FORMAT names the variable and what is wrong: absent, sizes that
 * differ, an index beyond the grid, a weight that is not finite. On failure *weights is empty. */
gwf_status gwf_weights_read(const char *path, gwf_weights *weights, gwf_error *err);

/* {0} is fine. */
void gwf_weights_free(gwf_weights *weights);

#endif
