/* Which of a node's GPUs is whose. */
#ifndef GWF_COUPLING_DEVICES_H
#define GWF_COUPLING_DEVICES_H

#include "core/log.h"
#include "core/option.h"
#include "parallel/comm.h"

/* Collective over the ranks of a node that compute, all with the same option backend: where that
 * may be a GPU, each is told its place among those that see the same ones (device_rank,
 * device_ranks; 0 of 0 where it sees none). */
gwf_status gwf_devices_share(const gwf_comm *node, gwf_options *options, gwf_error *err);

/* Collective over all ranks that compute, after that, where backend is auto: no rank takes a GPU
 * that another rank would be without (options->no_gpu), and the log has the reason. */
void gwf_devices_agree(const gwf_comm *comm, gwf_options *options, const gwf_log *log);

#endif
