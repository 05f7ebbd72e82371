/* A weight file for many ranks: one reads it, each keeps what it needs. */
#ifndef GWF_IO_WEIGHTS_SHARE_H
#define GWF_IO_WEIGHTS_SHARE_H

#include "io/weights.h"
#include "parallel/comm.h"

/* Cells of the file's destination, from 0; those beyond its grid have no links. */
typedef struct gwf_weights_wanted {
    int n;
    const int *destination;
} gwf_weights_wanted;

/* The weights of a file, of the links at least those to the wanted destinations, in the order of
 * the file; sizes but n_links, and cell centres, are those of the whole. Collective and agreed;
 * errors as gwf_weights_read(). On failure *weights is empty. */
gwf_status gwf_weights_share(const gwf_comm *comm, const char *path, gwf_weights_wanted wanted,
                             gwf_weights *weights, gwf_error *err);

#endif
