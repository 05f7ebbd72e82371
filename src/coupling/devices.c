#include "coupling/devices.h"

#include <string.h>

#include "backend/backend.h"

enum { NAMES = 4096 };

/* How many ranks of the node see the devices that this one sees, and how many of them come before.
 */
static gwf_status count_peers(const gwf_comm *node, const char mine[NAMES], gwf_options *options,
                              gwf_error *err)
{
    char theirs[NAMES];
    options->device_rank = options->device_ranks = 0;
    for (int r = 0; r < gwf_comm_size(node); r++) {
        memcpy(theirs, mine, NAMES);
        GWF_TRY(gwf_comm_broadcast(node, theirs, NAMES, r, err));
        if (!mine[0] || strcmp(theirs, mine) != 0) continue;
        options->device_ranks++;
        options->device_rank += r < gwf_comm_rank(node);
    }
    return GWF_OK;
}

gwf_status gwf_devices_share(const gwf_comm *node, gwf_options *options, gwf_error *err)
{
    char mine[NAMES] = "";
    const bool wanted =
        strcmp(options->backend, "cuda") == 0 || strcmp(options->backend, "auto") == 0;
    if (!wanted || gwf_comm_size(node) == 1) return GWF_OK;
    if (gwf_cuda_devices(mine, sizeof mine, NULL) != GWF_OK) memset(mine, 0, sizeof mine);
    return count_peers(node, mine, options, err);
}

/* Whether the backend starts on this rank, by trying. */
static gwf_status try_gpu(const gwf_options *options, gwf_error *err)
{
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    const gwf_backend_config config = gwf_backend_configure(options, NULL);
    GWF_TRY(gwf_backend_start(&gwf_backend_cuda, &config, &backend, &context, err));
    backend->close(context);
    return GWF_OK;
}

void gwf_devices_agree(const gwf_comm *comm, gwf_options *options, const gwf_log *log)
{
    gwf_error why = {0};
    options->no_gpu = false;
    if (strcmp(options->backend, "auto") != 0 || gwf_comm_size(comm) == 1) return;
    options->no_gpu = gwf_agree(comm, try_gpu(options, &why), &why) != GWF_OK;
    if (options->no_gpu) gwf_log_line(log, "%s; all ranks take the next backend", why.text);
}
