/* What the files of links share. */
#ifndef GWF_FIELDS_LINKS_INTERNAL_H
#define GWF_FIELDS_LINKS_INTERNAL_H

#include "fields/axis_weights.h"

struct gwf_links {
    int n; /* destinations */
    /* Of each destination; sources are ids while links are added, then places in `wanted`. */
    gwf_sparse scalar;
    gwf_sparse wind; /* weights times the cosine of the angle by which a vector is turned ... */
    double *across;  /* ... and times its sine: north into east */
    int n_wanted, *wanted;
    gwf_route_place *places;    /* (n_wanted) */
    int *scalar_run, *wind_run; /* (n) of a copy: how many that lie side by side; 0: a sum */
};

/* No links yet, room for so many of each kind. MEMORY; *links is NULL then. */
gwf_status gwf_links_create(int n, size_t room, gwf_links **links, gwf_error *err);

/* Destinations are begun in order; links are added to the one begun last. */
void gwf_links_begin(gwf_links *links, int i);
void gwf_links_add_scalar(gwf_links *links, int i, int source, double weight);
void gwf_links_add_wind(gwf_links *links, int i, int source, double along, double across);

/* All were added; sources are below n_source. MEMORY. */
gwf_status gwf_links_finish(gwf_links *links, int n_source, gwf_error *err);

#endif
