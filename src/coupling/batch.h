/* How many maps are best computed at once: measured, and remembered (backend/tune.h). */
#ifndef GWF_COUPLING_BATCH_H
#define GWF_COUPLING_BATCH_H

#include "engine/plan.h"

/* Of those that site->backend names, for whole maps; the backend's first one where nothing is
 * measured. The network still has its tensors. config: as site->context was opened, its batch
 * apart. */
int gwf_best_batch(const gwf_network *network, const gwf_site *site,
                   const gwf_backend_config *config);

#endif
