/* How many maps are best computed at once: measured, and remembered (backend/tune.h). */
#ifndef GWF_COUPLING_BATCH_H
#define GWF_COUPLING_BATCH_H

#include "coupling/engine.h"

/* Of those that engine->backend names, for whole maps of the engine's grid; the backend's first one
 * where nothing is measured. Needs the model's weights. config: as the backend was opened, its
 * batch apart. */
int gwf_best_batch(const gwf_engine *engine, const gwf_backend_config *config);

#endif
