/* What the files of links share. */
#ifndef GWF_FIELDS_LINKS_INTERNAL_H
#define GWF_FIELDS_LINKS_INTERNAL_H

#include "fields/axis_weights.h"

/* Destinations are summed in chunks, whose sources are first brought together; rows LANES at a
 * time.
 */
enum { GWF_LINKS_CHUNK = 256, GWF_LINKS_LANES = 16 };

struct gwf_links {
    int n; /* destinations */
    /* Of each destination. A source is an id while links are added, then a number in the list of
     * the destination's chunk. */
    gwf_sparse scalar;
    gwf_sparse wind; /* weights times the cosine of the angle by which a vector is turned ... */
    double *across;  /* ... and times its sine: north into east */
    bool *turned;    /* (n) any of its across is not 0 */
    bool copies;     /* each destination, scalar and wind, is one source */
    int n_wanted, *wanted;
    /* Chunk c has the sources start[c] .. start[c + 1] - 1 of these, rising within a chunk. */
    size_t *start;
    int *source;             /* places in `wanted` */
    gwf_route_place *places; /* where they are bound to; runs end with the chunk */
    int threads;
    float *gathered; /* (threads, 2, most sources of a chunk, LANES) */
    size_t gathered_each;
    /* Copies only: where each destination's source is. */
    gwf_route_place *from; /* (n) */
};

/* links.c: no links yet, room for so many of each kind. MEMORY; *links is NULL then. */
gwf_status gwf_links_create(int n, size_t room, gwf_links **links, gwf_error *err);

/* Destinations are begun in order; links, one at least, are added to the one begun last. */
void gwf_links_begin(gwf_links *links, int i);
void gwf_links_add_scalar(gwf_links *links, int i, int source, double weight);
void gwf_links_add_wind(gwf_links *links, int i, int source, double along, double across);

/* All were added; sources are below n_source. MEMORY. */
gwf_status gwf_links_finish(gwf_links *links, int n_source, gwf_error *err);

#endif
