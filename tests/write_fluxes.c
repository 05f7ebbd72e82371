/* Writes fluxes as many ranks, or goes on with what an earlier run has left; for tests that kill
 * it (tests/mpi/test_kill.sh).
 *
 *   write_fluxes PATH STEPS MICROSECONDS    every rank its steps, so long apart; exit 0: complete
 *   write_fluxes --check PATH               print the number of finished steps; exit 1: one of them
 *                                           is not what it should be
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flux_case.h"
#include "io/nc_internal.h"

enum { COMMIT_AFTER = 3 };

static gwf_status write_steps(gwf_flux_file *file, const gwf_flux_layout *l,
                              const unsigned char *done, useconds_t pause, gwf_error *err)
{
    const size_t rank = (size_t)gwf_comm_rank(l->comm), ranks = (size_t)gwf_comm_size(l->comm);
    const bool alone = gwf_flux_file_writes(file) && !gwf_nc_has_parallel();
    size_t n = 0;
    for (size_t s = alone ? 0 : rank; s < l->steps; s += alone ? 1 : ranks) {
        if (done[s] || !gwf_flux_file_writes(file)) continue;
        GWF_TRY(case_write(file, s, false, err));
        if (++n % COMMIT_AFTER == 0) GWF_TRY(gwf_flux_file_commit(file, err));
        usleep(pause);
    }
    return GWF_OK;
}

static gwf_status go_on(const char *path, size_t steps, useconds_t pause, const gwf_comm *comm,
                        gwf_error *err)
{
    static unsigned char done[CASE_STEPS];
    gwf_flux_file *file = NULL;
    bool complete = false;
    const gwf_flux_layout l = case_layout(steps, comm);
    gwf_status status = gwf_flux_file_resume(path, &l, done, &complete, &file, err);
    if (complete) return GWF_OK;
    GWF_TRY(status);
    status = write_steps(file, &l, done, pause, err);
    if (gwf_agree(comm, status, err) == GWF_OK) return gwf_flux_file_finish(&file, err);
    gwf_flux_file_abandon(&file);
    return GWF_ERR_IO;
}

static int check(const char *path)
{
    const long finished = case_finished(path, false, NULL);
    printf("%ld\n", finished);
    return finished < 0;
}

int main(int argc, char **argv)
{
    gwf_error err = {0};
    gwf_comm *comm = NULL;
    bool ranks = false;
    if (argc == 3 && strcmp(argv[1], "--check") == 0) return check(argv[2]);
    const size_t steps = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (steps == 0 || steps > CASE_STEPS) return 2;
    gwf_status status = gwf_mpi_launched(&ranks, &err);
    if (status == GWF_OK && ranks) status = gwf_mpi_start(&err);
    if (status == GWF_OK)
        status = ranks ? gwf_comm_world(&comm, &err) : gwf_comm_alone(&comm, &err);
    if (status == GWF_OK)
        status = go_on(argv[1], steps, (useconds_t)strtoul(argv[3], NULL, 10), comm, &err);
    if (status != GWF_OK) fprintf(stderr, "write_fluxes: %s\n", err.text);
    gwf_comm_free(&comm);
    if (ranks) gwf_mpi_end();
    return status == GWF_OK ? 0 : 1;
}
