#include "cli/world.h"

#include "cli/commands.h"
#include "coupling/devices.h"
#include "parallel/cores.h"

static gwf_status divide_node(world *w, gwf_options *options, gwf_error *err)
{
    GWF_TRY(gwf_comm_split_node(w->all, &w->node, err));
    GWF_TRY(gwf_cores_share(w->node, options->threads, &options->threads, &w->log, err));
    return gwf_devices_share(w->node, options, err);
}

static gwf_status begin(world *w, gwf_error *err)
{
    bool launched = false;
    GWF_TRY(gwf_mpi_launched(&launched, err));
    if (!launched) return gwf_comm_alone(&w->all, err);
    GWF_TRY(gwf_mpi_start(err));
    return gwf_comm_world(&w->all, err);
}

/* Where arguments are wrong too: a launcher ends all ranks when the first of them exits, perhaps
 * before the one that speaks has spoken. */
gwf_status world_begin(world *w, gwf_options *options, gwf_status asked, gwf_error *err)
{
    const gwf_status begun = begin(w, asked == GWF_OK ? err : NULL);
    if (begun != GWF_OK) return asked == GWF_OK ? begun : asked;
    GWF_TRY(world_agree(w, asked, err));
    if (world_speaks(w)) w->log = stderr_log;
    return world_agree(w, divide_node(w, options, err), err);
}

gwf_status world_group(world *w, int ranks_per_map, gwf_error *err)
{
    const int ranks = gwf_comm_size(w->all), rank = gwf_comm_rank(w->all);
    const int n = ranks_per_map ? ranks_per_map : ranks;
    if (ranks % n)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%d rank%s cannot be divided into groups of %d for a map each", ranks,
                        ranks == 1 ? "" : "s", n);
    GWF_TRY(gwf_comm_split(w->all, rank / n, rank, &w->map, err));
    return gwf_comm_split(w->all, rank % n ? -1 : 0, rank, &w->leaders, err);
}

gwf_status world_agree(const world *w, gwf_status mine, gwf_error *err)
{
    return gwf_agree(w->all, mine, err);
}

bool world_speaks(const world *w)
{
    return (w->all ? gwf_comm_rank(w->all) : gwf_mpi_expected_rank()) == 0;
}

int world_report(const world *w, gwf_status status, const gwf_error *err)
{
    return world_speaks(w) ? report(status, err) : exit_code(status);
}

void world_end(world *w)
{
    gwf_comm_free(&w->leaders);
    gwf_comm_free(&w->map);
    gwf_comm_free(&w->node);
    gwf_comm_free(&w->all);
    gwf_mpi_end();
}
