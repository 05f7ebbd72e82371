#include "fields/links.h"

#include <stdlib.h>
#include <string.h>

#include "fields/links_internal.h"
#include "fields/threads.h"

/* --- making --------------------------------------------------------------------------------- */

static int chunks_of(const gwf_links *l)
{
    return (l->n + GWF_LINKS_CHUNK - 1) / GWF_LINKS_CHUNK;
}

gwf_status gwf_links_create(int n, size_t room, gwf_links **links, gwf_error *err)
{
    gwf_links *l = calloc(1, sizeof *l);
    *links = l;
    if (!l) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for remapping");
    l->n = n;
    gwf_status status = gwf_sparse_create(n, room, &l->scalar, err);
    if (status == GWF_OK) status = gwf_sparse_create(n, room, &l->wind, err);
    l->across = calloc(room + 1, sizeof *l->across);
    l->turned = calloc((size_t)n + 1, sizeof *l->turned);
    l->start = calloc((size_t)chunks_of(l) + 1, sizeof *l->start);
    if (status == GWF_OK && (!l->across || !l->turned || !l->start))
        status = gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu remapping weights", room);
    if (status != GWF_OK) gwf_links_free(links);
    return status;
}

void gwf_links_free(gwf_links **links)
{
    gwf_links *l = *links;
    if (!l) return;
    gwf_sparse_free(&l->scalar);
    gwf_sparse_free(&l->wind);
    free(l->across);
    free(l->turned);
    free(l->wanted);
    free(l->start);
    free(l->source);
    free(l->places);
    free(l->gathered);
    free(l->from);
    free(l);
    *links = NULL;
}

void gwf_links_begin(gwf_links *links, int i)
{
    links->scalar.start[i + 1] = links->scalar.start[i];
    links->wind.start[i + 1] = links->wind.start[i];
}

void gwf_links_add_scalar(gwf_links *links, int i, int source, double weight)
{
    gwf_sparse_add(&links->scalar, i, source, weight);
}

void gwf_links_add_wind(gwf_links *links, int i, int source, double along, double across)
{
    gwf_sparse_add(&links->wind, i, source, along);
    links->across[links->wind.start[i + 1] - 1] = across;
    if (across != 0) links->turned[i] = true;
}

/* --- the sources of each chunk -------------------------------------------------------------- */

/* The links of a chunk's destinations. */
typedef struct span {
    size_t first, end;
} span;

static span links_of(const gwf_links *l, const gwf_sparse *rows, int chunk)
{
    const int first = chunk * GWF_LINKS_CHUNK, left = l->n - first;
    const int end = first + (left < GWF_LINKS_CHUNK ? left : GWF_LINKS_CHUNK);
    return (span){rows->start[first], rows->start[end]};
}

static int rising(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Ids that are not in the list yet (number: 0) behind its n; how many it has then. */
static size_t collect(const gwf_sparse *rows, span links, int *number, int *list, size_t n)
{
    for (size_t k = links.first; k < links.end; k++) {
        if (number[rows->index[k]]) continue;
        number[rows->index[k]] = 1;
        list[n++] = rows->index[k];
    }
    return n;
}

static void replace(gwf_sparse *rows, span links, const int *number)
{
    for (size_t k = links.first; k < links.end; k++) rows->index[k] = number[rows->index[k]];
}

/* number: (sources) 0, before and after. */
static void list_sources(gwf_links *l, int chunk, int *number)
{
    int *list = l->source + l->start[chunk];
    const span scalar = links_of(l, &l->scalar, chunk), wind = links_of(l, &l->wind, chunk);
    const size_t some = collect(&l->scalar, scalar, number, list, 0);
    const size_t n = collect(&l->wind, wind, number, list, some);
    qsort(list, n, sizeof *list, rising);
    for (size_t j = 0; j < n; j++) number[list[j]] = (int)j;
    replace(&l->scalar, scalar, number);
    replace(&l->wind, wind, number);
    for (size_t j = 0; j < n; j++) number[list[j]] = 0;
    l->start[chunk + 1] = l->start[chunk] + n;
}

/* The ids in the chunks' lists become places in `wanted`. */
static gwf_status list_wanted(gwf_links *l, int n_source, int *number, gwf_error *err)
{
    const size_t n = l->start[chunks_of(l)];
    int count = 0;
    for (size_t k = 0; k < n; k++) number[l->source[k]] = 1;
    for (int id = 0; id < n_source; id++) count += number[id];
    l->wanted = calloc((size_t)count + 1, sizeof *l->wanted);
    if (!l->wanted) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d sources", count);
    for (int id = 0; id < n_source; id++) {
        if (!number[id]) continue;
        number[id] = l->n_wanted;
        l->wanted[l->n_wanted++] = id;
    }
    for (size_t k = 0; k < n; k++) l->source[k] = number[l->source[k]];
    return GWF_OK;
}

static bool is_copy(const gwf_sparse *rows, int i)
{
    const size_t k = rows->start[i];
    return rows->start[i + 1] == k + 1 && rows->weight[k] == 1;
}

/* Of the same source for scalars and winds. */
static bool all_copies(const gwf_links *l)
{
    for (int i = 0; i < l->n; i++)
        if (!is_copy(&l->scalar, i) || !is_copy(&l->wind, i) || l->turned[i] ||
            l->scalar.index[i] != l->wind.index[i])
            return false;
    return true;
}

gwf_status gwf_links_finish(gwf_links *links, int n_source, gwf_error *err)
{
    const size_t most = links->scalar.start[links->n] + links->wind.start[links->n];
    int *number = calloc((size_t)n_source + 1, sizeof *number);
    links->source = calloc(most + 1, sizeof *links->source);
    gwf_status status = GWF_OK;
    if (!number || !links->source)
        status = gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu remapping weights", most);
    for (int c = 0; status == GWF_OK && c < chunks_of(links); c++) list_sources(links, c, number);
    if (status == GWF_OK) status = list_wanted(links, n_source, number, err);
    links->copies = all_copies(links);
    free(number);
    return status;
}

gwf_status gwf_links_copies(gwf_cells cells, gwf_links **links, gwf_error *err)
{
    int n_source = 0;
    GWF_TRY(gwf_links_create(cells.n, (size_t)cells.n, links, err));
    for (int i = 0; i < cells.n; i++) {
        gwf_links_begin(*links, i);
        gwf_links_add_scalar(*links, i, cells.id[i], 1);
        gwf_links_add_wind(*links, i, cells.id[i], 1, 0);
        if (cells.id[i] >= n_source) n_source = cells.id[i] + 1;
    }
    const gwf_status status = gwf_links_finish(*links, n_source, err);
    if (status != GWF_OK) gwf_links_free(links);
    return status;
}

const int *gwf_links_wanted(const gwf_links *links, int *n)
{
    *n = links->n_wanted;
    return links->wanted;
}

/* --- places --------------------------------------------------------------------------------- */

static void find_runs(gwf_route_place *places, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        const gwf_route_place *next = &places[i + 1];
        const bool joined =
            i + 1 < n && next->first == places[i].first + 1 && next->stride == places[i].stride;
        places[i].run = joined ? next->run + 1 : 1;
    }
}

/* Room for what threads gather. */
static gwf_status make_room(gwf_links *l, gwf_error *err)
{
    size_t most = 0;
    for (int c = 0; c < chunks_of(l); c++) {
        const size_t n = l->start[c + 1] - l->start[c];
        if (n > most) most = n;
    }
    l->gathered_each = most * GWF_LINKS_LANES;
    free(l->gathered);
    l->gathered = calloc(2 * (size_t)l->threads * l->gathered_each + 1, sizeof *l->gathered);
    if (l->gathered) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d threads", l->threads);
}

/* The place of each destination's only source. */
static gwf_status list_copies(gwf_links *l, gwf_error *err)
{
    free(l->from);
    l->from = calloc((size_t)l->n + 1, sizeof *l->from);
    if (!l->from) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d copies", l->n);
    for (int i = 0; i < l->n; i++)
        l->from[i] = l->places[l->start[i / GWF_LINKS_CHUNK] + (size_t)l->scalar.index[i]];
    find_runs(l->from, (size_t)l->n);
    return GWF_OK;
}

gwf_status gwf_links_bind(gwf_links *links, const gwf_route_place *places, int threads,
                          gwf_error *err)
{
    const size_t n = links->start[chunks_of(links)];
    links->threads = gwf_threads(threads);
    free(links->places);
    links->places = calloc(n + 1, sizeof *links->places);
    if (!links->places) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu sources", n);
    for (size_t k = 0; k < n; k++) links->places[k] = places[links->source[k]];
    for (int c = 0; c < chunks_of(links); c++)
        find_runs(links->places + links->start[c], links->start[c + 1] - links->start[c]);
    return links->copies ? list_copies(links, err) : make_room(links, err);
}

const float *gwf_links_view(const gwf_links *links, gwf_rows rows, size_t *stride)
{
    const gwf_route_place *from = links->from;
    if (!links->copies || links->n == 0 || from->run != links->n) return NULL;
    *stride = from->stride;
    return rows.values + from->first + (size_t)rows.first * from->stride;
}
