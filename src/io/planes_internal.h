/* What planes.c and chunk_planes.c share. */
#ifndef GWF_IO_PLANES_INTERNAL_H
#define GWF_IO_PLANES_INTERNAL_H

#include <limits.h>
#include <stdint.h>

#include "io/nc.h"
#include "io/packing.h"
#include "io/planes.h"

struct gwf_planes {
    int descriptor; /* owned; -1: nothing found */
    size_t values;  /* of a plane */
    gwf_packing packing;
    char path[PATH_MAX], variable[GWF_NC_NAME]; /* for messages, as is: */
    long long bytes;                            /* the file's when it was opened */
    int room;
    uint64_t offset[]; /* room: where each begins */
};

/* A variable whose planes lie in its file as they are. */
typedef struct gwf_plane_source gwf_plane_source;

/* NULL in *source, with GWF_OK, when they do not. file, v and packing are borrowed. */
gwf_status gwf_plane_source_open(const gwf_nc *file, const gwf_nc_variable *v,
                                 const gwf_packing *packing, gwf_plane_source **source,
                                 gwf_error *err);
void gwf_plane_source_close(gwf_plane_source **source);

/* Find count (at most planes->room) planes of a row; those that are not in the cache of the system
 * are asked for, so that they come while other things are done. False: one of them is not there. */
bool gwf_plane_source_find(const gwf_plane_source *source, size_t row, const int *index, int count,
                           gwf_planes *planes);

#endif
