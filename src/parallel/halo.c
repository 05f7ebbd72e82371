#include "parallel/halo.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/comm_internal.h"
#include "parallel/tags.h"

struct gwf_halo {
    size_t bytes[GWF_DIRECTIONS]; /* of copies to this rank itself */
    char *send[GWF_DIRECTIONS], *recv[GWF_DIRECTIONS];
    char *block; /* what all of them point into; owned */
#ifdef GWF_HAVE_MPI
    MPI_Request requests[2 * GWF_DIRECTIONS]; /* persistent */
    int n_requests;
#endif
};

static int opposite(int direction)
{
    return GWF_DIRECTIONS - 1 - direction;
}

/* One block for all buffers, each on a cache line of its own. */
static gwf_status reserve(const gwf_tiles *tiles, const gwf_halo_sizes *sizes, gwf_halo *h,
                          gwf_error *err)
{
    enum { LINE = 64 };
    size_t total = 0, at[2 * GWF_DIRECTIONS];
    for (int i = 0; i < 2 * GWF_DIRECTIONS; i++) {
        const size_t bytes = i % 2 ? sizes->recv[i / 2] : sizes->send[i / 2];
        at[i] = total;
        if (bytes > INT_MAX)
            return gwf_fail(err, GWF_ERR_UNSUPPORTED, "a border of %zu bytes is too large", bytes);
        total += (bytes + LINE - 1) / LINE * LINE;
    }
    h->block = aligned_alloc(LINE, total + LINE);
    if (!h->block)
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for borders of %zu bytes", total);
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        if (tiles->neighbour[d] < 0) continue;
        if (sizes->send[d]) h->send[d] = h->block + at[2 * d];
        if (sizes->recv[d]) h->recv[d] = h->block + at[2 * d + 1];
    }
    return GWF_OK;
}

void *gwf_halo_send(const gwf_halo *halo, int direction)
{
    return halo->send[direction];
}

const void *gwf_halo_recv(const gwf_halo *halo, int direction)
{
    return halo->recv[direction];
}

/* What leaves here in direction d arrives here from the opposite one. */
static void copy_own(gwf_halo *h)
{
    for (int d = 0; d < GWF_DIRECTIONS; d++)
        if (h->bytes[d]) memcpy(h->recv[opposite(d)], h->send[d], h->bytes[d]);
}

#ifdef GWF_HAVE_MPI

static gwf_status prepare(const gwf_tiles *tiles, const gwf_halo_sizes *sizes, gwf_halo *h, int d,
                          gwf_error *err)
{
    const int rank = tiles->neighbour[d];
    const MPI_Comm mpi = tiles->comm->mpi;
    if (rank == gwf_comm_rank(tiles->comm)) {
        h->bytes[d] = sizes->send[d];
        return GWF_OK;
    }
    if (h->recv[d])
        GWF_TRY(gwf_mpi_check(MPI_Recv_init(h->recv[d], (int)sizes->recv[d], MPI_BYTE, rank,
                                            GWF_TAG_HALO + opposite(d), mpi,
                                            &h->requests[h->n_requests++]),
                              "MPI_Recv_init", err));
    if (h->send[d])
        GWF_TRY(gwf_mpi_check(MPI_Send_init(h->send[d], (int)sizes->send[d], MPI_BYTE, rank,
                                            GWF_TAG_HALO + d, mpi, &h->requests[h->n_requests++]),
                              "MPI_Send_init", err));
    return GWF_OK;
}

static void release(gwf_halo *h)
{
    for (int i = 0; i < h->n_requests; i++)
        if (h->requests[i] != MPI_REQUEST_NULL) MPI_Request_free(&h->requests[i]);
}

gwf_status gwf_halo_begin(gwf_halo *halo, gwf_error *err)
{
    copy_own(halo);
    if (halo->n_requests == 0) return GWF_OK; /* alone, perhaps without MPI */
    return gwf_mpi_check(MPI_Startall(halo->n_requests, halo->requests), "sending borders", err);
}

gwf_status gwf_halo_end(gwf_halo *halo, gwf_error *err)
{
    if (halo->n_requests == 0) return GWF_OK;
    return gwf_mpi_check(MPI_Waitall(halo->n_requests, halo->requests, MPI_STATUSES_IGNORE),
                         "receiving borders", err);
}

#else

static gwf_status prepare(const gwf_tiles *tiles, const gwf_halo_sizes *sizes, gwf_halo *h, int d,
                          gwf_error *err)
{
    (void)tiles;
    (void)err;
    h->bytes[d] = sizes->send[d];
    return GWF_OK;
}

static void release(gwf_halo *h)
{
    (void)h;
}

gwf_status gwf_halo_begin(gwf_halo *halo, gwf_error *err)
{
    (void)err;
    copy_own(halo);
    return GWF_OK;
}

gwf_status gwf_halo_end(gwf_halo *halo, gwf_error *err)
{
    (void)halo;
    (void)err;
    return GWF_OK;
}
#endif

gwf_status gwf_halo_create(const gwf_tiles *tiles, const gwf_halo_sizes *sizes, gwf_halo **halo,
                           gwf_error *err)
{
    gwf_halo *h = calloc(1, sizeof *h);
    *halo = h;
    if (!h) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the borders of tiles");
#ifdef GWF_HAVE_MPI
    for (int i = 0; i < 2 * GWF_DIRECTIONS; i++) h->requests[i] = MPI_REQUEST_NULL;
#endif
    gwf_status status = reserve(tiles, sizes, h, err);
    for (int d = 0; d < GWF_DIRECTIONS && status == GWF_OK; d++)
        if (tiles->neighbour[d] >= 0) status = prepare(tiles, sizes, h, d, err);
    if (status != GWF_OK) gwf_halo_free(halo);
    return status;
}

void gwf_halo_free(gwf_halo **halo)
{
    if (!*halo) return;
    release(*halo);
    free((*halo)->block);
    free(*halo);
    *halo = NULL;
}
