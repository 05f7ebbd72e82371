/* The exchange of a map's border with the neighbouring tiles, begun early and finished late.
 *
 * One object a map that needs a border, made once. The caller packs what leaves in a direction into
 * send(d), calls begin, does what work it can, calls end, and unpacks recv(d). A neighbour that is
 * this rank itself (a periodic map of one tile in longitude) is a copy. Plain messages with a tag a
 * direction: neighbourhood collectives of Open MPI 4.1 swap the sides of a ring of two. */
#ifndef GWF_PARALLEL_HALO_H
#define GWF_PARALLEL_HALO_H

#include "parallel/tiles.h"

typedef struct gwf_halo gwf_halo;

/* Bytes that leave and arrive in each direction; 0: nothing. A neighbour's send is our receive: the
 * sizes must agree. Local. */
typedef struct gwf_halo_sizes {
    size_t send[GWF_DIRECTIONS], recv[GWF_DIRECTIONS];
} gwf_halo_sizes;

gwf_status gwf_halo_create(const gwf_tiles *tiles, const gwf_halo_sizes *sizes, gwf_halo **halo,
                           gwf_error *err);
void gwf_halo_free(gwf_halo **halo);

/* NULL where nothing leaves or arrives. Valid until free. */
void *gwf_halo_send(const gwf_halo *halo, int direction);
const void *gwf_halo_recv(const gwf_halo *halo, int direction);

/* Collective over the neighbours. Allocates nothing. */
gwf_status gwf_halo_begin(gwf_halo *halo, gwf_error *err);
gwf_status gwf_halo_end(gwf_halo *halo, gwf_error *err);

#endif
