/* From a host's columns to the network's grid and back: ids, links, routes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/columns.h"
#include "fields/remap.h"
#include "io/weights_share.h"

typedef enum host_kind { ON_NETWORK_GRID, ON_ITS_GRID, BY_WEIGHTS } host_kind;

/* What is needed while a transfer is made. */
typedef struct making {
    const gwf_comm *comm;
    const gwf_transfer_plan *plan;
    gwf_transfer *t;
    host_kind kind;
    const gwf_grid *grid; /* the columns'; NULL: by weights */
    gwf_weights in, back; /* owned, as is the next */
    int *cells;           /* of the tile, of the network's grid */
    int n_cells;
} making;

/* --- what kind of host ---------------------------------------------------------------------- */

static gwf_status find_kind(making *m, gwf_error *err)
{
    const gwf_transfer_plan *p = m->plan;
    const bool in = p->weights[0], back = p->weights_back[0];
    m->kind = in || back ? BY_WEIGHTS : p->host ? ON_ITS_GRID : ON_NETWORK_GRID;
    m->grid = m->kind == BY_WEIGHTS ? NULL : p->host ? p->host : p->network;
    if (in != back)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "weights %s the network's grid without weights %s it: both are needed",
                        in ? "to" : "from", in ? "from" : "to");
    if (in && p->host)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "weight files and a grid of latitudes and longitudes: one of them tells "
                        "where the host's columns are");
    if (in && p->columns->n && !p->columns->id)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "columns without ids: weight files count by ids");
    return p->host ? gwf_grid_check(p->host, "the host's grid", err) : GWF_OK;
}

static gwf_status list_cells(making *m, gwf_error *err)
{
    const gwf_tile t = m->plan->tile;
    m->n_cells = t.rows * t.cols;
    m->cells = calloc((size_t)m->n_cells + 1, sizeof *m->cells);
    if (!m->cells) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d cells", m->n_cells);
    for (int i = 0; i < m->n_cells; i++)
        m->cells[i] = (t.row + i / t.cols) * m->plan->network->nlon + t.col + i % t.cols;
    return GWF_OK;
}

/* --- weight files --------------------------------------------------------------------------- */

static gwf_status with_path(const char *path, gwf_status status, gwf_error *err)
{
    if (status != GWF_OK) gwf_error_prefix(err, "%s", path);
    return status;
}

static gwf_status check_weights(const making *m, gwf_error *err)
{
    const gwf_transfer_plan *p = m->plan;
    const gwf_weights *in = &m->in, *back = &m->back;
    GWF_TRY(with_path(p->weights,
                      gwf_remap_check_grid("the network's grid", p->network, in->n_destination,
                                           in->destination_lat, in->destination_lon, err),
                      err));
    GWF_TRY(with_path(p->weights_back,
                      gwf_remap_check_grid("the network's grid", p->network, back->n_source,
                                           back->source_lat, back->source_lon, err),
                      err));
    if (in->n_source == back->n_destination) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH, "%s is from %zu cells, %s to %zu", p->weights,
                    in->n_source, p->weights_back, back->n_destination);
}

static gwf_status read_weights(making *m, gwf_error *err)
{
    const gwf_transfer_plan *p = m->plan;
    if (m->kind != BY_WEIGHTS) return GWF_OK;
    GWF_TRY(gwf_weights_share(m->comm, p->weights, (gwf_weights_wanted){m->n_cells, m->cells},
                              &m->in, err));
    GWF_TRY(gwf_weights_share(m->comm, p->weights_back,
                              (gwf_weights_wanted){p->columns->n, p->columns->id}, &m->back, err));
    return gwf_agree(m->comm, check_weights(m, err), err);
}

/* --- which columns -------------------------------------------------------------------------- */

/* "block 2, column (3, 0) at latitude 10, longitude 20" */
static const char *name_of(const gwf_column_list *list, int column, char *text, size_t size)
{
    int b = 0;
    while (b + 1 < list->n_blocks && list->blocks[b + 1].first <= column) b++;
    const int at = column - list->blocks[b].first, ni = list->blocks[b].ni;
    snprintf(text, size, "block %d, column (%d, %d) at latitude %g, longitude %g", b, at % ni,
             at / ni, list->lat[column], list->lon[column]);
    return text;
}

/* The value of an axis that is nearest to x, walking there from `at`; round: degrees of longitude.
 */
static int nearest(const double *axis, int n, double x, bool round, int at)
{
    for (;;) {
        const int up = at + 1 < n ? at + 1 : round ? 0 : at;
        const int down = at > 0 ? at - 1 : round ? n - 1 : at;
        const double here = fabs(round ? remainder(axis[at] - x, 360) : axis[at] - x);
        const double next = fabs(round ? remainder(axis[up] - x, 360) : axis[up] - x);
        const double last = fabs(round ? remainder(axis[down] - x, 360) : axis[down] - x);
        if (!(next < here) && !(last < here)) return at;
        at = next < last ? up : down;
    }
}

static gwf_status find_on_grid(const making *m, gwf_error *err)
{
    const gwf_grid *grid = m->grid;
    const gwf_column_list *list = m->plan->columns;
    const char *what = m->kind == ON_ITS_GRID ? "the host's grid" : "the network's grid";
    char name[128];
    int row = 0, col = 0;
    for (int k = 0; k < list->n; k++) {
        row = nearest(grid->lat, grid->nlat, list->lat[k], false, row);
        col = nearest(grid->lon, grid->nlon, list->lon[k], true, col);
        if (!gwf_same_place(list->lat[k], list->lon[k], grid->lat[row], grid->lon[col]))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s is not on %s, whose nearest point is at latitude %g, longitude %g",
                            name_of(list, k, name, sizeof name), what, grid->lat[row],
                            grid->lon[col]);
        m->t->ids[k] = row * grid->nlon + col;
        if (list->id && list->id[k] != m->t->ids[k])
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s has the id %lld, but is number %d of %s (longitudes fastest)",
                            name_of(list, k, name, sizeof name), list->id[k] + 1LL,
                            m->t->ids[k] + 1, what);
    }
    return GWF_OK;
}

static gwf_status find_in_weights(const making *m, gwf_error *err)
{
    const gwf_column_list *list = m->plan->columns;
    const gwf_weights *in = &m->in, *back = &m->back;
    char name[128];
    for (int k = 0; k < list->n; k++) {
        const size_t id = (size_t)list->id[k];
        const double lat = list->lat[k], lon = list->lon[k];
        m->t->ids[k] = list->id[k];
        if (id >= in->n_source)
            return gwf_fail(err, GWF_ERR_MISMATCH, "%s has the id %zu, %s is from %zu cells",
                            name_of(list, k, name, sizeof name), id + 1, m->plan->weights,
                            in->n_source);
        if (!gwf_same_place(lat, lon, in->source_lat[id], in->source_lon[id]))
            return gwf_fail(err, GWF_ERR_MISMATCH, "%s has the id %zu, which %s has at %g, %g",
                            name_of(list, k, name, sizeof name), id + 1, m->plan->weights,
                            in->source_lat[id], in->source_lon[id]);
        if (!gwf_same_place(lat, lon, back->destination_lat[id], back->destination_lon[id]))
            return gwf_fail(err, GWF_ERR_MISMATCH, "%s has the id %zu, which %s has at %g, %g",
                            name_of(list, k, name, sizeof name), id + 1, m->plan->weights_back,
                            back->destination_lat[id], back->destination_lon[id]);
    }
    return GWF_OK;
}

static gwf_status find_ids(making *m, gwf_error *err)
{
    const int n = m->plan->columns->n;
    m->t->ids = calloc((size_t)n + 1, sizeof *m->t->ids);
    if (!m->t->ids) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d columns", n);
    m->t->total = m->grid ? m->grid->nlat * m->grid->nlon : (int)m->in.n_source;
    return m->grid ? find_on_grid(m, err) : find_in_weights(m, err);
}

/* --- links ---------------------------------------------------------------------------------- */

/* auto: conservative where the source is at least as fine. */
static gwf_remap_kind kind_of(const char *word, const gwf_grid *source, const gwf_grid *destination)
{
    const bool fine = source->nlat >= destination->nlat && source->nlon >= destination->nlon;
    if (strcmp(word, "auto") == 0) return fine ? GWF_REMAP_CONSERVATIVE : GWF_REMAP_BILINEAR;
    return strcmp(word, "bilinear") == 0 ? GWF_REMAP_BILINEAR : GWF_REMAP_CONSERVATIVE;
}

static gwf_status link_cells(const making *m, gwf_error *err)
{
    const gwf_transfer_plan *p = m->plan;
    const gwf_cells cells = {m->n_cells, m->cells};
    gwf_links **links = &m->t->to_cells;
    if (m->kind == ON_NETWORK_GRID) return gwf_links_copies(cells, links, err);
    if (m->kind == BY_WEIGHTS)
        return with_path(p->weights, gwf_links_weights(&m->in, cells, links, err), err);
    return gwf_links_grids(kind_of(p->remap, p->host, p->network), p->host, p->network, cells,
                           links, err);
}

static gwf_status link_columns(const making *m, gwf_error *err)
{
    const gwf_transfer_plan *p = m->plan;
    const gwf_cells columns = {p->columns->n, m->t->ids};
    gwf_links **links = &m->t->to_columns;
    if (m->kind == ON_NETWORK_GRID) return gwf_links_copies(columns, links, err);
    if (m->kind == BY_WEIGHTS)
        return with_path(p->weights_back, gwf_links_weights(&m->back, columns, links, err), err);
    return gwf_links_grids(kind_of(p->remap_back, p->network, p->host), p->network, p->host,
                           columns, links, err);
}

/* --- routes --------------------------------------------------------------------------------- */

static void describe_column(const void *user, int id, char *text, size_t size)
{
    const making *m = user;
    const gwf_grid *grid = m->grid;
    const double lat = grid ? grid->lat[id / grid->nlon] : m->in.source_lat[id];
    const double lon = grid ? grid->lon[id % grid->nlon] : m->in.source_lon[id];
    snprintf(text, size, "column %d (latitude %g, longitude %g)", id + 1, lat, lon);
}

static void describe_cell(const void *user, int id, char *text, size_t size)
{
    (void)user;
    snprintf(text, size, "cell %d of the network's grid", id + 1);
}

/* The values that links want, from those who have them. */
static gwf_status connect(const making *m, gwf_route_ids *ids, int rows, gwf_links *links,
                          gwf_route **route, gwf_error *err)
{
    const int threads = m->plan->threads;
    ids->want = gwf_links_wanted(links, &ids->n_want);
    GWF_TRY(gwf_route_create(m->comm, ids, rows, route, err));
    return gwf_agree(m->comm, gwf_links_bind(links, gwf_route_in(*route), threads, err), err);
}

static gwf_status connect_in(making *m, gwf_error *err)
{
    gwf_route_ids ids = {.total = m->t->total,
                         .complete = true,
                         .n_have = m->plan->columns->n,
                         .have = m->t->ids,
                         .describe = describe_column,
                         .user = m};
    GWF_TRY(gwf_agree(m->comm, link_cells(m, err), err));
    return connect(m, &ids, m->plan->rows_in, m->t->to_cells, &m->t->in, err);
}

static gwf_status connect_back(making *m, gwf_error *err)
{
    gwf_route_ids ids = {.total = m->plan->network->nlat * m->plan->network->nlon,
                         .complete = true,
                         .n_have = m->n_cells,
                         .have = m->cells,
                         .describe = describe_cell};
    GWF_TRY(gwf_agree(m->comm, link_columns(m, err), err));
    return connect(m, &ids, m->plan->rows_back, m->t->to_columns, &m->t->back, err);
}

/* --- making --------------------------------------------------------------------------------- */

static const char *word_of(const char *word, const gwf_grid *source, const gwf_grid *destination)
{
    return kind_of(word, source, destination) == GWF_REMAP_BILINEAR ? "bilinear" : "conservative";
}

static void describe(const making *m)
{
    const gwf_transfer_plan *p = m->plan;
    char *text = m->t->description;
    const size_t size = sizeof m->t->description;
    if (m->kind == ON_NETWORK_GRID)
        snprintf(text, size, "columns on the network's own grid");
    else if (m->kind == BY_WEIGHTS)
        snprintf(text, size, "%d columns: weights %s to the network's grid, %s back", m->t->total,
                 p->weights, p->weights_back);
    else
        snprintf(text, size, "columns on %d x %d points: %s to the network's grid, %s back",
                 p->host->nlat, p->host->nlon, word_of(p->remap, p->host, p->network),
                 word_of(p->remap_back, p->network, p->host));
}

static gwf_status make(making *m, gwf_error *err)
{
    gwf_status status = find_kind(m, err);
    if (status == GWF_OK) status = list_cells(m, err);
    GWF_TRY(gwf_agree(m->comm, status, err));
    GWF_TRY(read_weights(m, err));
    GWF_TRY(gwf_agree(m->comm, find_ids(m, err), err));
    GWF_TRY(connect_in(m, err));
    GWF_TRY(connect_back(m, err));
    describe(m);
    return GWF_OK;
}

gwf_status gwf_transfer_create(const gwf_comm *comm, const gwf_transfer_plan *plan,
                               gwf_transfer *transfer, gwf_error *err)
{
    making m = {.comm = comm, .plan = plan, .t = transfer};
    *transfer = (gwf_transfer){0};
    const gwf_status status = make(&m, err);
    gwf_weights_free(&m.in);
    gwf_weights_free(&m.back);
    free(m.cells);
    if (status != GWF_OK) gwf_transfer_free(transfer);
    return status;
}

void gwf_transfer_free(gwf_transfer *transfer)
{
    gwf_route_free(&transfer->in);
    gwf_links_free(&transfer->to_cells);
    gwf_route_free(&transfer->back);
    gwf_links_free(&transfer->to_columns);
    free(transfer->ids);
    *transfer = (gwf_transfer){0};
}
