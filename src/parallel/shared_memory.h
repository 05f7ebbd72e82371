/* Memory that the ranks of a node have together: filled by any of them, then only read.
 *
 * POSIX shared memory without a name: it is there as long as a rank has it mapped, and goes with
 * the last one, however that one ends. All of it is taken from the system before it is used. */
#ifndef GWF_PARALLEL_SHARED_MEMORY_H
#define GWF_PARALLEL_SHARED_MEMORY_H

#include <stddef.h>

#include "parallel/comm.h"

typedef struct gwf_shared_memory {
    char *memory; /* at another address on each rank; on the border of a large page */
    size_t bytes;
} gwf_shared_memory;

/* Zeroed memory, of the same size on all ranks of `node`, which share a node. Collective and
 * agreed. MEMORY where the system has no such memory, or no room in it; *shared is empty then. */
gwf_status gwf_shared_memory_create(const gwf_comm *node, size_t bytes, gwf_shared_memory *shared,
                                    gwf_error *err);
/* Writing has ended, on every rank: from here on all of it may only be read, and is in large pages
 * where the system has them. Collective and agreed. */
gwf_status gwf_shared_memory_seal(const gwf_comm *node, gwf_shared_memory *shared, gwf_error *err);
/* Local; {0} is fine. */
void gwf_shared_memory_free(gwf_shared_memory *shared);

#endif
