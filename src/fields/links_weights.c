/* Links by the weights of a file. */
#include <math.h>
#include <stdlib.h>

#include "fields/links_internal.h"

static const double to_radians = 3.14159265358979323846 / 180;
static const double most_turn = 5 * 3.14159265358979323846 / 180; /* left to the components */

/* --- links of the file, by destination ------------------------------------------------------ */

/* Links in the order of the file: those of the cells' entry i are link[start[i]] .. */
typedef struct sorted {
    size_t *start; /* (cells + 1); owned, as the next */
    size_t *link;
} sorted;

static bool counts(const gwf_weights *w, const int *entry, size_t k)
{
    return w->weight[k] != 0 && entry[w->destination[k]] >= 0;
}

/* entry: of each destination of the file among the cells, -1: none. */
static gwf_status sort_links(const gwf_weights *w, const int *entry, int n, sorted *s,
                             gwf_error *err)
{
    size_t count = 0;
    s->start = calloc((size_t)n + 1, sizeof *s->start);
    for (size_t k = 0; k < w->n_links; k++) count += counts(w, entry, k);
    s->link = calloc(count + 1, sizeof *s->link);
    if (!s->start || !s->link)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu remapping weights", count);
    for (size_t k = 0; k < w->n_links; k++)
        if (counts(w, entry, k)) s->start[entry[w->destination[k]] + 1]++;
    for (int i = 0; i < n; i++) s->start[i + 1] += s->start[i];
    for (size_t k = 0; k < w->n_links; k++)
        if (counts(w, entry, k)) s->link[s->start[entry[w->destination[k]]]++] = k;
    for (int i = n; i > 0; i--) s->start[i] = s->start[i - 1];
    s->start[0] = 0;
    return GWF_OK;
}

static gwf_status sort_for(const gwf_weights *w, gwf_cells cells, sorted *s, gwf_error *err)
{
    int *entry = malloc(w->n_destination * sizeof *entry);
    if (!entry)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu cells", w->n_destination);
    for (size_t c = 0; c < w->n_destination; c++) entry[c] = -1;
    for (int i = 0; i < cells.n; i++) entry[cells.id[i]] = i;
    const gwf_status status = sort_links(w, entry, cells.n, s, err);
    free(entry);
    return status;
}

/* --- one destination ------------------------------------------------------------------------ */

static gwf_status check_sum(const gwf_weights *w, const size_t *link, size_t n, int cell,
                            gwf_error *err)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) sum += w->weight[link[k]];
    if (fabs(sum - 1) <= 0.01) return GWF_OK;
    return gwf_fail(err, GWF_ERR_DATA,
                    "weights: those of destination cell %d (latitude %g, longitude %g) sum to %g, "
                    "expected 1: masked, or not covered by the source",
                    cell, w->destination_lat[cell], w->destination_lon[cell], sum);
}

/* How much the course of a great circle turns from a source to a destination cell: Napier's
 * analogies for the triangle of the two and the pole. */
static double turn(const gwf_weights *w, size_t link)
{
    const int source = w->source[link], destination = w->destination[link];
    const double a = w->source_lat[source] * to_radians;
    const double b = w->destination_lat[destination] * to_radians;
    const double east =
        remainder(w->destination_lon[destination] - w->source_lon[source], 360) * to_radians;
    return 2 * atan2(sin(east / 2) * sin((a + b) / 2), cos(east / 2) * cos((a - b) / 2));
}

static void add_links(const gwf_weights *w, const size_t *link, size_t n, gwf_links *links, int i)
{
    double most = 0;
    for (size_t k = 0; k < n; k++) most = fmax(most, fabs(turn(w, link[k])));
    gwf_links_begin(links, i);
    for (size_t k = 0; k < n; k++) {
        const double weight = w->weight[link[k]], angle = most > most_turn ? turn(w, link[k]) : 0;
        gwf_links_add_scalar(links, i, w->source[link[k]], weight);
        gwf_links_add_wind(links, i, w->source[link[k]], weight * cos(angle), weight * sin(angle));
    }
}

static gwf_status add_all(const gwf_weights *w, gwf_cells cells, const sorted *s, gwf_links *links,
                          gwf_error *err)
{
    for (int i = 0; i < cells.n; i++) {
        const size_t *link = s->link + s->start[i], n = s->start[i + 1] - s->start[i];
        GWF_TRY(check_sum(w, link, n, cells.id[i], err));
        add_links(w, link, n, links, i);
    }
    return gwf_links_finish(links, (int)w->n_source, err);
}

gwf_status gwf_links_weights(const gwf_weights *weights, gwf_cells cells, gwf_links **links,
                             gwf_error *err)
{
    sorted s = {0};
    *links = NULL;
    gwf_status status = sort_for(weights, cells, &s, err);
    if (status == GWF_OK) status = gwf_links_create(cells.n, s.start[cells.n], links, err);
    if (status == GWF_OK) status = add_all(weights, cells, &s, *links, err);
    free(s.start);
    free(s.link);
    if (status != GWF_OK) gwf_links_free(links);
    return status;
}
