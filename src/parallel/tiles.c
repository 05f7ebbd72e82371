#include "parallel/tiles.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/comm_internal.h"
#include "parallel/tags.h"

/* --- cutting -------------------------------------------------------------------------------- */

/* Part i of n of `length` points in whole units: first point and how many. */
static void cut(int length, int n, int i, int *first, int *count)
{
    const int units = length / GWF_TILE_UNIT, share = units / n, more = units % n;
    *first = GWF_TILE_UNIT * (share * i + (i < more ? i : more));
    *count = GWF_TILE_UNIT * (share + (i < more ? 1 : 0));
}

gwf_tile gwf_tile_of(gwf_tiling tiling, int nlat, int nlon, int rank)
{
    gwf_tile tile;
    cut(nlat, tiling.rows, rank / tiling.cols, &tile.row, &tile.rows);
    cut(nlon, tiling.cols, rank % tiling.cols, &tile.col, &tile.cols);
    return tile;
}

static bool fits(gwf_tiling t, int nlat, int nlon)
{
    return t.rows * t.cols == 1 ||
           (nlat % GWF_TILE_UNIT == 0 && nlon % GWF_TILE_UNIT == 0 &&
            t.rows <= nlat / GWF_TILE_UNIT && t.cols <= nlon / GWF_TILE_UNIT);
}

/* What makes one tiling better than another, of the largest tile, which is the first: fewer points,
 * then longer rows (up to WIDE: convolutions work along them), then a shorter border. */
typedef struct merit {
    long points, width, border;
} merit;

static merit merit_of(gwf_tiling t, int nlat, int nlon)
{
    enum { WIDE = 256 };
    const gwf_tile first = gwf_tile_of(t, nlat, nlon, 0);
    return (merit){
        .points = (long)first.rows * first.cols,
        .width = first.cols < WIDE ? first.cols : WIDE,
        .border = (t.rows > 1 ? 2L * first.cols : 0) + (t.cols > 1 ? 2L * first.rows : 0),
    };
}

static bool is_better(const merit *a, const merit *b)
{
    if (a->points != b->points) return a->points < b->points;
    if (a->width != b->width) return a->width > b->width;
    return a->border < b->border;
}

static gwf_status find_best(int ranks, int nlat, int nlon, gwf_tiling *best, gwf_error *err)
{
    merit most = {0};
    *best = (gwf_tiling){0, 0};
    for (int rows = 1; rows <= ranks; rows++) {
        const gwf_tiling t = {rows, ranks / rows};
        if (ranks % rows || !fits(t, nlat, nlon)) continue;
        const merit m = merit_of(t, nlat, nlon);
        if (best->rows && !is_better(&m, &most)) continue;
        *best = t;
        most = m;
    }
    if (best->rows) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "a grid of %d latitudes and %d longitudes cannot be cut into %d tiles with "
                    "sides of multiples of %d",
                    nlat, nlon, ranks, GWF_TILE_UNIT);
}

gwf_status gwf_tiling_find(const char *text, int ranks, int nlat, int nlon, gwf_tiling *tiling,
                           gwf_error *err)
{
    int used = 0;
    gwf_tiling t = {0, 0};
    if (strcmp(text, "auto") == 0 && ranks > 0) return find_best(ranks, nlat, nlon, tiling, err);
    if (sscanf(text, "%4dx%4d%n", &t.rows, &t.cols, &used) != 2 || text[used] || t.rows < 1 ||
        t.cols < 1)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option tiles: expected auto or ROWSxCOLUMNS, found %s", text);
    if (ranks > 0 && t.rows * t.cols != ranks)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "option tiles: %s makes %d tiles, for %d ranks",
                        text, t.rows * t.cols, ranks);
    if (!fits(t, nlat, nlon))
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "option tiles: a grid of %d latitudes and %d longitudes cannot be cut into "
                        "%s tiles with sides of multiples of %d",
                        nlat, nlon, text, GWF_TILE_UNIT);
    *tiling = t;
    return GWF_OK;
}

int gwf_tile_neighbour(gwf_tiling tiling, int rank, int direction, bool periodic)
{
    const int row = rank / tiling.cols + direction / 3 - 1;
    int col = rank % tiling.cols + direction % 3 - 1;
    if (periodic) col = (col + tiling.cols) % tiling.cols;
    const bool inside = row >= 0 && row < tiling.rows && col >= 0 && col < tiling.cols;
    return inside ? row * tiling.cols + col : -1;
}

void gwf_tiles_place(const gwf_comm *comm, gwf_tiling tiling, int nlat, int nlon, bool periodic,
                     gwf_tiles *tiles)
{
    const int rank = gwf_comm_rank(comm);
    *tiles = (gwf_tiles){.comm = comm, .tiling = tiling, .nlat = nlat, .nlon = nlon};
    tiles->mine = gwf_tile_of(tiling, nlat, nlon, rank);
    for (int d = 0; d < GWF_DIRECTIONS; d++)
        tiles->neighbour[d] = gwf_tile_neighbour(tiling, rank, d, periodic);
}

/* --- whole maps to tiles and back ----------------------------------------------------------- */

struct gwf_mover {
    gwf_tiles tiles;
    int channels;
    float *packed; /* rank 0: the tiles of all ranks, one behind the other */
#ifdef GWF_HAVE_MPI
    MPI_Request *requests;
#endif
};

/* One tile out of a whole map, or (back) into it. */
static void copy_tile(const gwf_mover *m, const gwf_tile *t, float *whole, float *tile, bool back)
{
    const size_t nlat = (size_t)m->tiles.nlat, nlon = (size_t)m->tiles.nlon;
    const size_t row = (size_t)t->cols * sizeof *tile;
    for (size_t c = 0; c < (size_t)m->channels; c++)
        for (size_t y = 0; y < (size_t)t->rows; y++, tile += t->cols) {
            float *at = whole + (c * nlat + (size_t)t->row + y) * nlon + t->col;
            if (back)
                memcpy(at, tile, row);
            else
                memcpy(tile, at, row);
        }
}

void gwf_mover_free(gwf_mover **mover)
{
    if (!*mover) return;
#ifdef GWF_HAVE_MPI
    free((*mover)->requests);
#endif
    free((*mover)->packed);
    free(*mover);
    *mover = NULL;
}

gwf_status gwf_mover_create(const gwf_tiles *tiles, int channels, gwf_mover **mover, gwf_error *err)
{
    const size_t all = (size_t)channels * (size_t)tiles->nlat * (size_t)tiles->nlon;
    const gwf_tile largest = gwf_tile_of(tiles->tiling, tiles->nlat, tiles->nlon, 0);
    if ((size_t)channels * (size_t)largest.rows * (size_t)largest.cols > INT_MAX)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "tiles of %d x %d points and %d channels are too large: choose more tiles",
                        largest.rows, largest.cols, channels);
    gwf_mover *m = calloc(1, sizeof *m);
    bool fine = m != NULL;
    if (fine) {
        m->tiles = *tiles;
        m->channels = channels;
    }
    if (fine && gwf_comm_rank(tiles->comm) == 0) {
        m->packed = malloc(all * sizeof *m->packed);
#ifdef GWF_HAVE_MPI
        m->requests = calloc((size_t)gwf_comm_size(tiles->comm), sizeof *m->requests);
        fine = m->requests != NULL;
#endif
        fine = fine && m->packed;
    }
    *mover = m;
    if (fine) return GWF_OK;
    gwf_mover_free(mover);
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory to cut maps of %d channels into tiles",
                    channels);
}

#ifdef GWF_HAVE_MPI

/* Where the tile of a rank begins among the packed ones. */
static size_t packed_at(const gwf_mover *m, int rank)
{
    size_t at = 0;
    for (int r = 0; r < rank; r++) {
        const gwf_tile t = gwf_tile_of(m->tiles.tiling, m->tiles.nlat, m->tiles.nlon, r);
        at += (size_t)t.rows * (size_t)t.cols;
    }
    return at * (size_t)m->channels;
}

static size_t tile_values(const gwf_mover *m, const gwf_tile *t)
{
    return (size_t)m->channels * (size_t)t->rows * (size_t)t->cols;
}

static gwf_tile tile_at(const gwf_mover *m, int rank)
{
    return gwf_tile_of(m->tiles.tiling, m->tiles.nlat, m->tiles.nlon, rank);
}

/* Rank 0: the tile of rank r begins to travel. */
static int begin(gwf_mover *m, int r, const gwf_tile *t, bool sending)
{
    const MPI_Comm mpi = m->tiles.comm->mpi;
    const int n = (int)tile_values(m, t);
    float *at = m->packed + packed_at(m, r);
    MPI_Request *request = &m->requests[r];
    return sending ? MPI_Isend(at, n, MPI_FLOAT, r, GWF_TAG_TILE, mpi, request)
                   : MPI_Irecv(at, n, MPI_FLOAT, r, GWF_TAG_TILE, mpi, request);
}

/* Each tile leaves as soon as it is cut; the one that stays is cut while the last ones travel. */
static gwf_status scatter_root(gwf_mover *m, const float *whole, float *tile, gwf_error *err)
{
    const int size = gwf_comm_size(m->tiles.comm);
    int started = 1, rc = MPI_SUCCESS;
    for (int r = 1; r < size && rc == MPI_SUCCESS; r++) {
        const gwf_tile t = tile_at(m, r);
        copy_tile(m, &t, (float *)whole, m->packed + packed_at(m, r), false);
        rc = begin(m, r, &t, true);
        started += rc == MPI_SUCCESS;
    }
    copy_tile(m, &m->tiles.mine, (float *)whole, tile, false);
    if (size == 1) return GWF_OK; /* perhaps without MPI */
    const int waited = MPI_Waitall(started - 1, m->requests + 1, MPI_STATUSES_IGNORE);
    return gwf_mpi_check(rc == MPI_SUCCESS ? waited : rc, "sending tiles", err);
}

/* This rank's own tile first, the others in the order in which they arrive. */
static gwf_status gather_root(gwf_mover *m, const float *tile, float *whole, gwf_error *err)
{
    const int size = gwf_comm_size(m->tiles.comm);
    int started = 1, rc = MPI_SUCCESS;
    for (int r = 1; r < size && rc == MPI_SUCCESS; r++) {
        const gwf_tile t = tile_at(m, r);
        rc = begin(m, r, &t, false);
        started += rc == MPI_SUCCESS;
    }
    copy_tile(m, &m->tiles.mine, whole, (float *)tile, true);
    for (int i = 1; i < started; i++) {
        int which = 0;
        const int arrived = MPI_Waitany(started - 1, m->requests + 1, &which, MPI_STATUS_IGNORE);
        if (arrived != MPI_SUCCESS) return gwf_mpi_check(arrived, "receiving tiles", err);
        const gwf_tile t = tile_at(m, which + 1);
        copy_tile(m, &t, whole, m->packed + packed_at(m, which + 1), true);
    }
    return gwf_mpi_check(rc, "receiving tiles", err);
}

gwf_status gwf_mover_scatter(gwf_mover *m, const float *whole, float *tile, gwf_error *err)
{
    if (gwf_comm_rank(m->tiles.comm) == 0) return scatter_root(m, whole, tile, err);
    return gwf_mpi_check(MPI_Recv(tile, (int)tile_values(m, &m->tiles.mine), MPI_FLOAT, 0,
                                  GWF_TAG_TILE, m->tiles.comm->mpi, MPI_STATUS_IGNORE),
                         "receiving a tile", err);
}

gwf_status gwf_mover_gather(gwf_mover *m, const float *tile, float *whole, gwf_error *err)
{
    if (gwf_comm_rank(m->tiles.comm) == 0) return gather_root(m, tile, whole, err);
    return gwf_mpi_check(MPI_Send(tile, (int)tile_values(m, &m->tiles.mine), MPI_FLOAT, 0,
                                  GWF_TAG_TILE, m->tiles.comm->mpi),
                         "sending a tile", err);
}

#else

gwf_status gwf_mover_scatter(gwf_mover *m, const float *whole, float *tile, gwf_error *err)
{
    (void)err;
    copy_tile(m, &m->tiles.mine, (float *)whole, tile, false);
    return GWF_OK;
}

gwf_status gwf_mover_gather(gwf_mover *m, const float *tile, float *whole, gwf_error *err)
{
    (void)err;
    copy_tile(m, &m->tiles.mine, whole, (float *)tile, true);
    return GWF_OK;
}
#endif
