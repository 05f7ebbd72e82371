/* The border of a tile's map: what the halo operation leaves zero comes from the neighbouring
 * tiles. */
#ifndef GWF_ENGINE_BORDER_H
#define GWF_ENGINE_BORDER_H

#include "backend/backend.h"
#include "parallel/halo.h"

typedef struct gwf_border gwf_border;

/* For a halo operation on tiles; backend and context are borrowed. Local. */
gwf_status gwf_border_create(const gwf_backend *backend, gwf_context *context, const gwf_op *op,
                             const gwf_tiles *tiles, gwf_border **border, gwf_error *err);
void gwf_border_free(gwf_border **border);

/* The edges of op.in begin to travel; the operation itself may run meanwhile. Collective over the
 * neighbours, whatever the status before: neither call may be left out. */
gwf_status gwf_border_begin(gwf_border *border, gwf_error *err);
/* The neighbours' edges stand in the border of op.out. */
gwf_status gwf_border_end(gwf_border *border, gwf_error *err);

#endif
