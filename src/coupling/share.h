/* One map shared by several ranks: made and freed with the engine. */
#ifndef GWF_COUPLING_SHARE_H
#define GWF_COUPLING_SHARE_H

#include "coupling/engine.h"

/* Tiles of grid->tiling over grid->comm, memory for this rank's, and the model's network built anew
 * for maps that are cut. Local. */
gwf_status gwf_share_create(gwf_model *model, const gwf_grid *grid, gwf_share *share,
                            gwf_error *err);
/* {0} is fine. */
void gwf_share_free(gwf_share *share);

#endif
