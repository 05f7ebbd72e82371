/* Planes of a variable (row, plane, lat, lon) whose values lie in the file as they do in memory:
 * found in the thread of all NetCDF work, then read past NetCDF-C, by many threads at once.
 *
 * What is found holds the file open by itself: it stays readable when the variable's file is closed
 * or replaced meanwhile. */
#ifndef GWF_IO_PLANES_H
#define GWF_IO_PLANES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct gwf_planes gwf_planes;

/* Room for the places of so many planes, none found yet; NULL: no memory. */
gwf_planes *gwf_planes_create(int count);
void gwf_planes_free(gwf_planes **planes);

/* Were they found, by gwf_slab_find_planes()? */
bool gwf_planes_found(const gwf_planes *planes);

/* Values of plane number i of those that were found, as gwf_slab_read() gives them. May be called
 * by many threads. IO: the file cannot be read, or has become shorter. */
gwf_status gwf_planes_read(const gwf_planes *planes, int i, float *values, gwf_error *err);

/* The file is let go; nothing is found any more. */
void gwf_planes_forget(gwf_planes *planes);

#endif
