/* How the cores of a node are shared by its ranks. */
#ifndef GWF_PARALLEL_CORES_H
#define GWF_PARALLEL_CORES_H

#include "core/log.h"
#include "parallel/comm.h"

/* Local: how many threads may run at once: OMP_NUM_THREADS, else the cores of this process. */
int gwf_cores_here(void);

/* Collective over the ranks of a node. wanted: threads per rank, 0: not said. A rank that
 * the launcher has bound to cores of its own is left alone; where several may run on the same
 * cores, these are divided and this process keeps to its share, threads that it starts later too.
 * *threads becomes wanted or as many as the share has cores (OMP_NUM_THREADS counts as wanted).
 * More threads than cores: nobody is bound, and rank 0 of the node tells the log. */
gwf_status gwf_cores_share(const gwf_comm *node, int wanted, int *threads, const gwf_log *log,
                           gwf_error *err);

/* Collective over the ranks of a node, for a guest in another program: nobody is bound. *threads
 * becomes wanted, OMP_NUM_THREADS, or the cores of this rank divided by the ranks that may run on
 * the same ones; at least 1. */
gwf_status gwf_cores_guest(const gwf_comm *node, int wanted, int *threads, gwf_error *err);

#endif
