#include "parallel/comm_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static gwf_status make(gwf_comm **comm, gwf_error *err)
{
    *comm = calloc(1, sizeof **comm);
    if (!*comm) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a communicator");
    (*comm)->size = 1;
    return GWF_OK;
}

int gwf_comm_rank(const gwf_comm *comm)
{
    return comm->rank;
}

int gwf_comm_size(const gwf_comm *comm)
{
    return comm->size;
}

static bool several_tasks(const char *variable)
{
    const char *text = getenv(variable);
    return text && strtol(text, NULL, 10) > 1;
}

int gwf_mpi_expected_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text) return (int)strtol(text, NULL, 10);
    }
    return 0;
}

#ifdef GWF_HAVE_MPI

/* What the launchers of Open MPI, PMIx and PMI tell their ranks. */
gwf_status gwf_mpi_launched(bool *launched, gwf_error *err)
{
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    *launched = false;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) *launched |= getenv(signs[i]) != NULL;
    if (*launched || !getenv("SLURM_STEP_ID") || !several_tasks("SLURM_STEP_NUM_TASKS"))
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                    "srun started %s tasks without telling them of each other: use srun --mpi=pmix",
                    getenv("SLURM_STEP_NUM_TASKS"));
}

gwf_status gwf_mpi_check(int rc, const char *what, gwf_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (rc == MPI_SUCCESS) return GWF_OK;
    MPI_Error_string(rc, text, &length);
    return gwf_fail(err, GWF_ERR_BACKEND, "MPI: %s failed (%s)", what, text);
}

gwf_status gwf_mpi_wait(MPI_Request *request, gwf_error *err)
{
    enum { SPINS = 200 };
    const struct timespec nap = {0, 50000}; /* s, ns */
    int done = 0;
    for (int i = 0; !done; i++) {
        if (i > SPINS) nanosleep(&nap, NULL);
        GWF_TRY(gwf_mpi_check(MPI_Test(request, &done, MPI_STATUS_IGNORE), "MPI_Test", err));
    }
    return GWF_OK;
}

gwf_status gwf_mpi_start(gwf_error *err)
{
    int granted = MPI_THREAD_SINGLE;
    GWF_TRY(
        gwf_mpi_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &granted), "MPI_Init", err));
    if (granted >= MPI_THREAD_MULTIPLE) return GWF_OK;
    return gwf_fail(err, GWF_ERR_BACKEND,
                    "this MPI library does not let several threads call it (MPI_THREAD_MULTIPLE)");
}

/* Whether there is an MPI to call. */
static bool mpi_runs(void)
{
    int started = 0, ended = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    return started && !ended;
}

void gwf_mpi_end(void)
{
    if (mpi_runs()) MPI_Finalize();
}

gwf_status gwf_comm_alone(gwf_comm **comm, gwf_error *err)
{
    GWF_TRY(make(comm, err));
    (*comm)->mpi = MPI_COMM_NULL;
    return GWF_OK;
}

/* Takes over `mpi`. */
static gwf_status adopt(MPI_Comm mpi, gwf_comm **comm, gwf_error *err)
{
    gwf_status status = make(comm, err);
    if (status != GWF_OK) {
        MPI_Comm_free(&mpi);
        return status;
    }
    (*comm)->mpi = mpi;
    MPI_Comm_set_errhandler(mpi, MPI_ERRORS_RETURN);
    status = gwf_mpi_check(MPI_Comm_rank(mpi, &(*comm)->rank), "MPI_Comm_rank", err);
    if (status == GWF_OK)
        status = gwf_mpi_check(MPI_Comm_size(mpi, &(*comm)->size), "MPI_Comm_size", err);
    if (status == GWF_OK)
        status =
            gwf_mpi_check(MPI_Comm_rank(MPI_COMM_WORLD, &(*comm)->named), "MPI_Comm_rank", err);
    if (status != GWF_OK) gwf_comm_free(comm);
    return status;
}

gwf_status gwf_comm_world(gwf_comm **comm, gwf_error *err)
{
    MPI_Comm mpi;
    *comm = NULL;
    GWF_TRY(gwf_mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &mpi), "MPI_Comm_dup", err));
    return adopt(mpi, comm, err);
}

gwf_status gwf_comm_of_host(int handle, gwf_comm **comm, gwf_error *err)
{
    MPI_Comm mpi;
    *comm = NULL;
    if (!mpi_runs()) return gwf_comm_alone(comm, err);
    const MPI_Comm host = MPI_Comm_f2c(handle);
    if (host == MPI_COMM_NULL)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "the communicator is MPI_COMM_NULL");
    GWF_TRY(gwf_mpi_check(MPI_Comm_dup(host, &mpi), "MPI_Comm_dup", err));
    return adopt(mpi, comm, err);
}

bool gwf_mpi_threads(void)
{
    int granted = MPI_THREAD_SINGLE;
    if (mpi_runs()) MPI_Query_thread(&granted);
    return !mpi_runs() || granted >= MPI_THREAD_MULTIPLE;
}

gwf_status gwf_comm_split(const gwf_comm *comm, int colour, int key, gwf_comm **part,
                          gwf_error *err)
{
    MPI_Comm mpi;
    *part = NULL;
    if (comm->mpi == MPI_COMM_NULL) return colour < 0 ? GWF_OK : gwf_comm_alone(part, err);
    GWF_TRY(gwf_mpi_check(MPI_Comm_split(comm->mpi, colour < 0 ? MPI_UNDEFINED : colour, key, &mpi),
                          "MPI_Comm_split", err));
    return mpi == MPI_COMM_NULL ? GWF_OK : adopt(mpi, part, err);
}

gwf_status gwf_comm_split_node(const gwf_comm *comm, gwf_comm **node, gwf_error *err)
{
    MPI_Comm mpi;
    *node = NULL;
    if (comm->mpi == MPI_COMM_NULL) return gwf_comm_alone(node, err);
    GWF_TRY(gwf_mpi_check(
        MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &mpi),
        "MPI_Comm_split_type", err));
    return adopt(mpi, node, err);
}

int gwf_comm_named(const gwf_comm *comm, int rank)
{
    MPI_Group own = MPI_GROUP_NULL, all = MPI_GROUP_NULL;
    int named = rank;
    if (comm->mpi == MPI_COMM_NULL) return rank;
    if (MPI_Comm_group(comm->mpi, &own) == MPI_SUCCESS &&
        MPI_Comm_group(MPI_COMM_WORLD, &all) == MPI_SUCCESS)
        MPI_Group_translate_ranks(own, 1, &rank, all, &named);
    if (own != MPI_GROUP_NULL) MPI_Group_free(&own);
    if (all != MPI_GROUP_NULL) MPI_Group_free(&all);
    return named == MPI_UNDEFINED ? rank : named;
}

void gwf_comm_free(gwf_comm **comm)
{
    if (!comm || !*comm) return;
    if ((*comm)->mpi != MPI_COMM_NULL) MPI_Comm_free(&(*comm)->mpi);
    free(*comm);
    *comm = NULL;
}

/* The text of the rank that failed goes to all; a rank with a text of its own loses it. */
static gwf_status spread_failure(const gwf_comm *comm, int failed, gwf_status mine, gwf_error *err)
{
    gwf_error told = {0};
    if (comm->rank == failed) {
        if (err) told = *err;
        told.status = mine;
        if (!told.text[0]) gwf_fail(&told, mine, "%s", gwf_status_text(mine));
        if (!told.agreed) gwf_error_prefix(&told, "rank %d", comm->named);
        told.agreed = 1;
    }
    GWF_TRY(gwf_comm_broadcast(comm, &told, sizeof told, failed, err));
    if (err) *err = told;
    return told.status;
}

gwf_status gwf_agree(const gwf_comm *comm, gwf_status mine, gwf_error *err)
{
    if (comm->size == 1) return mine;
    int failed = mine == GWF_OK ? comm->size : comm->rank;
    GWF_TRY(gwf_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MIN, comm->mpi),
                          "MPI_Allreduce", err));
    return failed == comm->size ? GWF_OK : spread_failure(comm, failed, mine, err);
}

gwf_status gwf_comm_broadcast(const gwf_comm *comm, void *data, size_t bytes, int root,
                              gwf_error *err)
{
    enum { PIECE = 1 << 30 }; /* counts of MPI 3 are ints */
    if (comm->size == 1) return GWF_OK;
    for (size_t at = 0; at < bytes; at += PIECE) {
        const size_t n = bytes - at < PIECE ? bytes - at : PIECE;
        GWF_TRY(gwf_mpi_check(MPI_Bcast((char *)data + at, (int)n, MPI_BYTE, root, comm->mpi),
                              "MPI_Bcast", err));
    }
    return GWF_OK;
}

gwf_status gwf_comm_order(const gwf_comm *comm, int *order, gwf_error *err)
{
    MPI_Request request;
    if (comm->size == 1) return GWF_OK;
    GWF_TRY(
        gwf_mpi_check(MPI_Ibcast(order, 1, MPI_INT, 0, comm->mpi, &request), "MPI_Ibcast", err));
    return gwf_mpi_wait(&request, err);
}

/* Where each rank's bytes begin and how many they are, two ints a rank; on rank 0 only. */
static gwf_status find_shares(const gwf_comm *comm, size_t bytes, int **shares, gwf_error *err)
{
    const size_t n = (size_t)comm->size;
    const int mine = bytes > INT_MAX ? -1 : (int)bytes;
    gwf_status status = GWF_OK;
    *shares = comm->rank == 0 ? malloc(2 * n * sizeof **shares) : NULL;
    if (comm->rank == 0 && !*shares)
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu ranks", n);
    GWF_TRY(gwf_agree(comm, status, err));
    GWF_TRY(gwf_mpi_check(MPI_Gather(&mine, 1, MPI_INT, *shares, 1, MPI_INT, 0, comm->mpi),
                          "MPI_Gather", err));
    long long at = 0;
    for (size_t r = 0; *shares && r < n; r++) {
        if ((*shares)[r] < 0 || at > INT_MAX) at = (long long)INT_MAX + 1;
        (*shares)[n + r] = at > INT_MAX ? 0 : (int)at;
        at += (*shares)[r];
    }
    if (at > INT_MAX)
        status = gwf_fail(err, GWF_ERR_UNSUPPORTED, "more than 2 GiB for one message");
    return gwf_agree(comm, status, err);
}

gwf_status gwf_comm_gather(const gwf_comm *comm, const void *mine, size_t bytes, void *all,
                           gwf_error *err)
{
    int *shares = NULL;
    if (comm->size == 1) {
        memcpy(all, mine, bytes);
        return GWF_OK;
    }
    gwf_status status = find_shares(comm, bytes, &shares, err);
    if (status == GWF_OK)
        status =
            gwf_mpi_check(MPI_Gatherv(mine, (int)bytes, MPI_BYTE, all, shares,
                                      shares ? shares + comm->size : NULL, MPI_BYTE, 0, comm->mpi),
                          "MPI_Gatherv", err);
    free(shares);
    return status;
}

gwf_status gwf_comm_scatter(const gwf_comm *comm, const void *all, void *mine, size_t bytes,
                            gwf_error *err)
{
    int *shares = NULL;
    if (comm->size == 1) {
        memcpy(mine, all, bytes);
        return GWF_OK;
    }
    gwf_status status = find_shares(comm, bytes, &shares, err);
    if (status == GWF_OK)
        status = gwf_mpi_check(MPI_Scatterv(all, shares, shares ? shares + comm->size : NULL,
                                            MPI_BYTE, mine, (int)bytes, MPI_BYTE, 0, comm->mpi),
                               "MPI_Scatterv", err);
    free(shares);
    return status;
}

static gwf_status reduce(const gwf_comm *comm, double *values, int n, MPI_Op op, gwf_error *err)
{
    if (comm->size == 1) return GWF_OK;
    return gwf_mpi_check(MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_DOUBLE, op, comm->mpi),
                         "MPI_Allreduce", err);
}

gwf_status gwf_comm_max(const gwf_comm *comm, double *values, int n, gwf_error *err)
{
    return reduce(comm, values, n, MPI_MAX, err);
}

gwf_status gwf_comm_sum(const gwf_comm *comm, double *values, int n, gwf_error *err)
{
    return reduce(comm, values, n, MPI_SUM, err);
}

#else /* a build without MPI: one rank, always */

gwf_status gwf_mpi_launched(bool *launched, gwf_error *err)
{
    *launched = false;
    if (!several_tasks("OMPI_COMM_WORLD_SIZE") && !several_tasks("PMI_SIZE") &&
        !several_tasks("SLURM_STEP_NUM_TASKS"))
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                    "started as one of several ranks, but this gwflux was built without MPI");
}

gwf_status gwf_mpi_start(gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_UNSUPPORTED, "this gwflux was built without MPI");
}

void gwf_mpi_end(void)
{
}

gwf_status gwf_comm_alone(gwf_comm **comm, gwf_error *err)
{
    return make(comm, err);
}

gwf_status gwf_comm_world(gwf_comm **comm, gwf_error *err)
{
    return make(comm, err);
}

gwf_status gwf_comm_of_host(int handle, gwf_comm **comm, gwf_error *err)
{
    (void)handle;
    return make(comm, err);
}

bool gwf_mpi_threads(void)
{
    return true;
}

gwf_status gwf_comm_gather(const gwf_comm *comm, const void *mine, size_t bytes, void *all,
                           gwf_error *err)
{
    (void)comm;
    (void)err;
    memcpy(all, mine, bytes);
    return GWF_OK;
}

gwf_status gwf_comm_scatter(const gwf_comm *comm, const void *all, void *mine, size_t bytes,
                            gwf_error *err)
{
    (void)comm;
    (void)err;
    memcpy(mine, all, bytes);
    return GWF_OK;
}

gwf_status gwf_comm_split(const gwf_comm *comm, int colour, int key, gwf_comm **part,
                          gwf_error *err)
{
    (void)comm;
    (void)key;
    *part = NULL;
    return colour < 0 ? GWF_OK : make(part, err);
}

gwf_status gwf_comm_split_node(const gwf_comm *comm, gwf_comm **node, gwf_error *err)
{
    (void)comm;
    return make(node, err);
}

int gwf_comm_named(const gwf_comm *comm, int rank)
{
    (void)comm;
    return rank;
}

void gwf_comm_free(gwf_comm **comm)
{
    if (!comm) return;
    free(*comm);
    *comm = NULL;
}

gwf_status gwf_agree(const gwf_comm *comm, gwf_status mine, gwf_error *err)
{
    (void)comm;
    (void)err;
    return mine;
}

gwf_status gwf_comm_broadcast(const gwf_comm *comm, void *data, size_t bytes, int root,
                              gwf_error *err)
{
    (void)comm;
    (void)data;
    (void)bytes;
    (void)root;
    (void)err;
    return GWF_OK;
}

gwf_status gwf_comm_order(const gwf_comm *comm, int *order, gwf_error *err)
{
    (void)comm;
    (void)order;
    (void)err;
    return GWF_OK;
}

gwf_status gwf_comm_max(const gwf_comm *comm, double *values, int n, gwf_error *err)
{
    (void)comm;
    (void)values;
    (void)n;
    (void)err;
    return GWF_OK;
}

gwf_status gwf_comm_sum(const gwf_comm *comm, double *values, int n, gwf_error *err)
{
    return gwf_comm_max(comm, values, n, err);
}
#endif
