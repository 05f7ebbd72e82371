#include "io/weights_share.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 18 }; /* links that travel at once */

/* Links on their way from rank 0. */
typedef struct piece {
    int source[PIECE], destination[PIECE];
    double weight[PIECE];
} piece;

/* --- cells ---------------------------------------------------------------------------------- */

static gwf_status make_centres(gwf_weights *w, gwf_error *err)
{
    w->source_lat = calloc(w->n_source, sizeof(double));
    w->source_lon = calloc(w->n_source, sizeof(double));
    w->destination_lat = calloc(w->n_destination, sizeof(double));
    w->destination_lon = calloc(w->n_destination, sizeof(double));
    if (w->source_lat && w->source_lon && w->destination_lat && w->destination_lon) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu and %zu cells", w->n_source,
                    w->n_destination);
}

/* Sizes and centres, from rank 0 to all. */
static gwf_status share_cells(const gwf_comm *comm, gwf_weights *w, gwf_error *err)
{
    size_t sizes[3] = {w->n_source, w->n_destination, w->n_links};
    GWF_TRY(gwf_comm_broadcast(comm, sizes, sizeof sizes, 0, err));
    gwf_status status = GWF_OK;
    if (gwf_comm_rank(comm) > 0) {
        *w = (gwf_weights){.n_source = sizes[0], .n_destination = sizes[1], .n_links = sizes[2]};
        status = make_centres(w, err);
    }
    GWF_TRY(gwf_agree(comm, status, err));
    double *const centres[] = {w->source_lat, w->source_lon, w->destination_lat,
                               w->destination_lon};
    for (int i = 0; i < 4; i++)
        GWF_TRY(gwf_comm_broadcast(comm, centres[i], sizes[i / 2] * sizeof(double), 0, err));
    return GWF_OK;
}

/* --- links ---------------------------------------------------------------------------------- */

/* Links that a rank keeps, in lists that grow. */
typedef struct keeper {
    const bool *wanted; /* (n_destination) */
    gwf_weights *w;
    size_t n, room;
} keeper;

static gwf_status make_room(keeper *k, size_t more, gwf_error *err)
{
    if (k->n + more <= k->room) return GWF_OK;
    const size_t room = 2 * (k->n + more);
    int *source = realloc(k->w->source, room * sizeof *source);
    int *destination = realloc(k->w->destination, room * sizeof *destination);
    double *weight = realloc(k->w->weight, room * sizeof *weight);
    if (source) k->w->source = source;
    if (destination) k->w->destination = destination;
    if (weight) k->w->weight = weight;
    if (!source || !destination || !weight)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu remapping weights", room);
    k->room = room;
    return GWF_OK;
}

static gwf_status keep(keeper *k, const piece *p, size_t count, gwf_error *err)
{
    size_t more = 0;
    for (size_t i = 0; i < count; i++) more += k->wanted[p->destination[i]];
    GWF_TRY(make_room(k, more, err));
    for (size_t i = 0; i < count; i++) {
        if (!k->wanted[p->destination[i]]) continue;
        k->w->source[k->n] = p->source[i];
        k->w->destination[k->n] = p->destination[i];
        k->w->weight[k->n++] = p->weight[i];
    }
    return GWF_OK;
}

static void fill(const gwf_weights *w, size_t first, size_t count, piece *p)
{
    memcpy(p->source, w->source + first, count * sizeof *p->source);
    memcpy(p->destination, w->destination + first, count * sizeof *p->destination);
    memcpy(p->weight, w->weight + first, count * sizeof *p->weight);
}

/* Rank 0 has all links and keeps them. A rank that has no room goes on receiving. */
static gwf_status share_links(const gwf_comm *comm, keeper *k, piece *p, gwf_error *err)
{
    const bool root = gwf_comm_rank(comm) == 0;
    const size_t all = k->w->n_links;
    gwf_status status = root ? GWF_OK : make_room(k, 1, err);
    for (size_t first = 0; first < all; first += PIECE) {
        const size_t count = all - first < PIECE ? all - first : PIECE;
        if (root) fill(k->w, first, count, p);
        GWF_TRY(gwf_comm_broadcast(comm, p, sizeof *p, 0, err));
        if (!root && status == GWF_OK) status = keep(k, p, count, err);
    }
    if (!root) k->w->n_links = k->n;
    return gwf_agree(comm, status, err);
}

static gwf_status share(const gwf_comm *comm, gwf_weights_wanted wanted, gwf_weights *w,
                        gwf_error *err)
{
    GWF_TRY(share_cells(comm, w, err));
    bool *marks = calloc(w->n_destination, sizeof *marks);
    piece *p = calloc(1, sizeof *p);
    keeper k = {.wanted = marks, .w = w};
    gwf_status status = GWF_OK;
    if (!marks || !p) status = gwf_fail(err, GWF_ERR_MEMORY, "out of memory for remapping weights");
    GWF_TRY_DONE(gwf_agree(comm, status, err));
    for (int i = 0; i < wanted.n; i++)
        if (wanted.destination[i] >= 0 && (size_t)wanted.destination[i] < w->n_destination)
            marks[wanted.destination[i]] = true;
    GWF_TRY_DONE(share_links(comm, &k, p, err));
done:
    free(marks);
    free(p);
    return status;
}

gwf_status gwf_weights_share(const gwf_comm *comm, const char *path, gwf_weights_wanted wanted,
                             gwf_weights *weights, gwf_error *err)
{
    *weights = (gwf_weights){0};
    gwf_status status = GWF_OK;
    if (gwf_comm_rank(comm) == 0) status = gwf_weights_read(path, weights, err);
    status = gwf_agree(comm, status, err);
    if (status == GWF_OK && gwf_comm_size(comm) > 1) status = share(comm, wanted, weights, err);
    if (status != GWF_OK) gwf_weights_free(weights);
    return status;
}
