/* Pieces in many files become one axis of time, the same for all quantities. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "io/atmosphere_internal.h"

void gwf_atm_where(const gwf_atmosphere *atmosphere, const gwf_atm_piece *piece, char *text,
                   size_t size)
{
    snprintf(text, size, "%s: variable %.64s", atmosphere->files[piece->file].path, piece->name);
}

void gwf_atm_note_found(gwf_atmosphere *atmosphere, const char *format, ...)
{
    char *text = atmosphere->found;
    const size_t used = strlen(text), size = sizeof atmosphere->found;
    if (used + 80 > size) return;
    va_list args;
    va_start(args, format);
    const int n = snprintf(text + used, size - used, "%s", used ? ", " : "");
    vsnprintf(text + used + n, size - used - (size_t)n, format, args);
    va_end(args);
}

void gwf_atm_take_time_units(gwf_atmosphere *atmosphere, const char *units,
                             const gwf_time_units *scale)
{
    gwf_atmosphere_header *h = &atmosphere->header;
    if (atmosphere->have_scale) return;
    atmosphere->have_scale = true;
    h->time_scale = *scale;
    snprintf(h->time_units, sizeof h->time_units, "%s", units);
    snprintf(h->time_calendar, sizeof h->time_calendar, "%s", gwf_calendar_name(scale->calendar));
}

/* --- taking pieces -------------------------------------------------------------------------- */

static gwf_status take_grid(gwf_atmosphere *atmosphere, const char *where, gwf_atm_grid *grid,
                            gwf_error *err)
{
    gwf_atm_grid *first = &atmosphere->grid;
    if (first->nlat) {
        GWF_TRY(gwf_atm_grid_compare(first, atmosphere->grid_where, grid, where, err));
        if (!grid->cell_lat || first->cell_lat) return GWF_OK;
        gwf_atm_grid_free(first); /* the same cells, now with their centres */
    }
    *first = *grid;
    *grid = (gwf_atm_grid){0};
    snprintf(atmosphere->grid_where, sizeof atmosphere->grid_where, "%s", where);
    return GWF_OK;
}

static gwf_status take_levels(gwf_atmosphere *atmosphere, const char *where, gwf_atm_levels *levels,
                              gwf_error *err)
{
    if (atmosphere->levels.a)
        return gwf_atm_levels_compare(&atmosphere->levels, atmosphere->levels_where, levels, where,
                                      err);
    atmosphere->levels = *levels;
    *levels = (gwf_atm_levels){0};
    snprintf(atmosphere->levels_where, sizeof atmosphere->levels_where, "%s", where);
    return GWF_OK;
}

static gwf_status grow(gwf_atmosphere *atmosphere, gwf_error *err)
{
    if (atmosphere->n_pieces < atmosphere->room) return GWF_OK;
    const size_t room = atmosphere->room ? 2 * atmosphere->room : 16;
    size_t bytes;
    gwf_atm_piece *more =
        gwf_size_mul(room, sizeof *more, &bytes) ? realloc(atmosphere->pieces, bytes) : NULL;
    if (!more) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu variables", room);
    atmosphere->pieces = more;
    atmosphere->room = room;
    return GWF_OK;
}

gwf_status gwf_atm_add(gwf_atmosphere *atmosphere, gwf_atm_piece *piece, gwf_atm_grid *g,
                       gwf_atm_levels *l, gwf_error *err)
{
    char where[GWF_ERROR_TEXT / 4];
    gwf_atm_where(atmosphere, piece, where, sizeof where);
    GWF_TRY(take_grid(atmosphere, where, g, err));
    if (l) GWF_TRY(take_levels(atmosphere, where, l, err));
    GWF_TRY(grow(atmosphere, err));
    atmosphere->pieces[atmosphere->n_pieces++] = *piece;
    piece->seconds = NULL;
    piece->messages = NULL;
    return GWF_OK;
}

/* --- joining -------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const gwf_atm_piece *p = *(gwf_atm_piece *const *)a, *q = *(gwf_atm_piece *const *)b;
    if (!p->timed || !q->timed) return (int)p->timed - (int)q->timed;
    return (p->seconds[0] > q->seconds[0]) - (p->seconds[0] < q->seconds[0]);
}

static gwf_status gather(gwf_atmosphere *atmosphere, gwf_quantity quantity, gwf_error *err)
{
    gwf_atm_quantity *q = &atmosphere->quantities[quantity];
    size_t count = 0;
    for (size_t i = 0; i < atmosphere->n_pieces; i++)
        count += atmosphere->pieces[i].quantity == quantity;
    if (count == 0) return GWF_OK;
    q->pieces = calloc(count, sizeof(gwf_atm_piece *));
    q->first = calloc(count, sizeof *q->first);
    if (!q->pieces || !q->first)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu files", count);
    for (size_t i = 0; i < atmosphere->n_pieces; i++)
        if (atmosphere->pieces[i].quantity == quantity)
            q->pieces[q->count++] = &atmosphere->pieces[i];
    if (quantity == GWF_ZS) q->count = 1; /* steady: the first file's serves for all */
    return GWF_OK;
}

static gwf_status check_order(const gwf_atmosphere *atmosphere, const gwf_atm_quantity *q,
                              gwf_error *err)
{
    char before[GWF_ERROR_TEXT / 4], where[GWF_ERROR_TEXT / 4], time[GWF_DATE_TEXT];
    for (size_t i = 1; i < q->count; i++) {
        const gwf_atm_piece *a = q->pieces[i - 1], *b = q->pieces[i];
        gwf_atm_where(atmosphere, a, before, sizeof before);
        gwf_atm_where(atmosphere, b, where, sizeof where);
        if (!a->timed || !b->timed)
            return gwf_fail(err, GWF_ERR_MISMATCH,
                            "%s: holds the same as %s, and one of them has no time", where, before);
        if (b->seconds[0] > a->seconds[a->steps - 1]) continue;
        gwf_time_text(b->calendar, b->seconds[0], time);
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: its first time %s is not later than the last one of %s", where, time,
                        before);
    }
    return GWF_OK;
}

static gwf_status check_calendars(const gwf_atmosphere *atmosphere, gwf_error *err)
{
    const gwf_atm_piece *first = NULL;
    for (size_t i = 0; i < atmosphere->n_pieces; i++) {
        const gwf_atm_piece *p = &atmosphere->pieces[i];
        if (!p->timed) continue;
        if (!first) first = p;
        if (gwf_calendars_agree(first->calendar, p->calendar)) continue;
        char a[GWF_ERROR_TEXT / 4], b[GWF_ERROR_TEXT / 4];
        gwf_atm_where(atmosphere, first, a, sizeof a);
        gwf_atm_where(atmosphere, p, b, sizeof b);
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: calendar %s, but %s has %s", b,
                        gwf_calendar_name(p->calendar), a, gwf_calendar_name(first->calendar));
    }
    return GWF_OK;
}

static gwf_status sort_pieces(gwf_atmosphere *atmosphere, gwf_error *err)
{
    for (int i = 0; i < GWF_QUANTITIES; i++) {
        gwf_atm_quantity *q = &atmosphere->quantities[i];
        GWF_TRY(gather(atmosphere, (gwf_quantity)i, err));
        if (q->count == 0) continue;
        qsort(q->pieces, q->count, sizeof(gwf_atm_piece *), by_time);
        GWF_TRY(check_order(atmosphere, q, err));
        for (size_t k = 1; k < q->count; k++)
            q->first[k] = q->first[k - 1] + q->pieces[k - 1]->steps;
    }
    return GWF_OK;
}

static size_t steps_of(const gwf_atm_quantity *q)
{
    return q->count ? q->first[q->count - 1] + q->pieces[q->count - 1]->steps : 0;
}

/* --- one axis of time ----------------------------------------------------------------------- */

static gwf_status take_axis(gwf_atmosphere *atmosphere, const gwf_atm_quantity *q, gwf_error *err)
{
    gwf_atmosphere_header *h = &atmosphere->header;
    h->steps = q ? steps_of(q) : 1;
    h->timed = q && q->pieces[0]->timed;
    h->seconds = calloc(h->steps, sizeof *h->seconds);
    h->time = calloc(h->steps, sizeof *h->time);
    if (!h->seconds || !h->time)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu steps", h->steps);
    if (!h->timed) return GWF_OK;
    for (size_t i = 0; i < q->count; i++)
        memcpy(h->seconds + q->first[i], q->pieces[i]->seconds,
               q->pieces[i]->steps * sizeof *h->seconds);
    for (size_t i = 0; i < h->steps; i++)
        h->time[i] = gwf_time_value(&h->time_scale, h->seconds[i]);
    return GWF_OK;
}

/* The first step at which two quantities part; the shorter one's end if there is none. */
static size_t parts_at(const gwf_atmosphere_header *h, const gwf_atm_quantity *q)
{
    size_t step = 0;
    for (size_t i = 0; i < q->count; i++)
        for (size_t k = 0; k < q->pieces[i]->steps; k++, step++)
            if (step >= h->steps || q->pieces[i]->seconds[k] != h->seconds[step]) return step;
    return step;
}

static const gwf_atm_piece *piece_at(const gwf_atm_quantity *q, size_t step, size_t *in_piece)
{
    size_t i = q->count - 1;
    while (i > 0 && q->first[i] > step) i--;
    *in_piece = step - q->first[i];
    return q->pieces[i];
}

/* "has time T where X has time S" */
static gwf_status mismatch(const gwf_atmosphere *atmosphere, const gwf_atm_quantity *a,
                           const gwf_atm_quantity *b, gwf_error *err)
{
    const gwf_atmosphere_header *h = &atmosphere->header;
    const gwf_calendar calendar = h->time_scale.calendar;
    const size_t at = parts_at(h, b), na = h->steps, nb = steps_of(b);
    char first[GWF_ERROR_TEXT / 4], second[GWF_ERROR_TEXT / 4];
    char ta[GWF_DATE_TEXT] = "no more", tb[GWF_DATE_TEXT] = "no more";
    size_t k;
    gwf_atm_where(atmosphere, piece_at(a, at < na ? at : na - 1, &k), first, sizeof first);
    const gwf_atm_piece *p = piece_at(b, at < nb ? at : nb - 1, &k);
    gwf_atm_where(atmosphere, p, second, sizeof second);
    if (at < na) gwf_time_text(calendar, h->seconds[at], ta);
    if (at < nb) gwf_time_text(calendar, p->seconds[k], tb);
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "%s: %zu times, but %s has %zu; the first that differs, step %zu: %s, but %s",
                    second, nb, first, na, at, tb, ta);
}

static gwf_status compare_axis(const gwf_atmosphere *atmosphere, const gwf_atm_quantity *a,
                               const gwf_atm_quantity *b, gwf_error *err)
{
    const gwf_atmosphere_header *h = &atmosphere->header;
    if (b->pieces[0]->timed != h->timed) {
        char first[GWF_ERROR_TEXT / 4], second[GWF_ERROR_TEXT / 4];
        gwf_atm_where(atmosphere, h->timed ? b->pieces[0] : a->pieces[0], first, sizeof first);
        gwf_atm_where(atmosphere, h->timed ? a->pieces[0] : b->pieces[0], second, sizeof second);
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: has no time, but %s has", first, second);
    }
    if (!h->timed) return GWF_OK;
    if (steps_of(b) == h->steps && parts_at(h, b) == h->steps) return GWF_OK;
    return mismatch(atmosphere, a, b, err);
}

static gwf_status join_times(gwf_atmosphere *atmosphere, gwf_error *err)
{
    const gwf_atm_quantity *first = NULL;
    for (int i = 0; i < GWF_QUANTITIES && !first; i++)
        if (i != GWF_ZS && atmosphere->quantities[i].count) first = &atmosphere->quantities[i];
    GWF_TRY(take_axis(atmosphere, first, err));
    for (int i = 0; i < GWF_QUANTITIES; i++) {
        const gwf_atm_quantity *q = &atmosphere->quantities[i];
        if (i != GWF_ZS && q->count) GWF_TRY(compare_axis(atmosphere, first, q, err));
    }
    return GWF_OK;
}

/* --- the header ----------------------------------------------------------------------------- */

static gwf_status fill_field(gwf_atmosphere *atmosphere, gwf_quantity quantity, gwf_error *err)
{
    const gwf_atm_quantity *q = &atmosphere->quantities[quantity];
    gwf_atmosphere_field *field = &atmosphere->header.fields[quantity];
    if (q->count == 0) return GWF_OK;
    const gwf_atm_piece *p = q->pieces[0];
    *field = (gwf_atmosphere_field){.found = true,
                                    .steady = quantity == GWF_ZS,
                                    .files = q->count,
                                    .path = atmosphere->files[p->file].path};
    snprintf(field->name, sizeof field->name, "%s", p->name);
    snprintf(field->units, sizeof field->units, "%s", p->units);
    for (size_t i = 1; i < q->count; i++) {
        char a[GWF_ERROR_TEXT / 4], b[GWF_ERROR_TEXT / 4];
        if (strcmp(q->pieces[i]->units, p->units) == 0) continue;
        gwf_atm_where(atmosphere, p, a, sizeof a);
        gwf_atm_where(atmosphere, q->pieces[i], b, sizeof b);
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: units '%s', but '%s' in %s", b,
                        q->pieces[i]->units, p->units, a);
    }
    return GWF_OK;
}

static gwf_status nothing_found(const gwf_atmosphere *atmosphere, gwf_error *err)
{
    const char *why = "";
    for (int q = 0; q < GWF_QUANTITIES && !why[0]; q++) why = atmosphere->why_not[q];
    if (why[0]) return gwf_fail(err, GWF_ERR_FORMAT, "no variable that can be used; %s", why);
    return gwf_fail(err, GWF_ERR_FORMAT, "%s%s: no variable that is looked for; found %s",
                    atmosphere->files[0].path,
                    atmosphere->n_files > 1 ? " and the other files" : "",
                    atmosphere->found[0] ? atmosphere->found : "no variables");
}

gwf_status gwf_atm_join(gwf_atmosphere *atmosphere, gwf_error *err)
{
    gwf_atmosphere_header *h = &atmosphere->header;
    if (atmosphere->n_pieces == 0) return nothing_found(atmosphere, err);
    GWF_TRY(check_calendars(atmosphere, err));
    GWF_TRY(sort_pieces(atmosphere, err));
    GWF_TRY(join_times(atmosphere, err));
    for (int i = 0; i < GWF_QUANTITIES; i++) GWF_TRY(fill_field(atmosphere, (gwf_quantity)i, err));
    h->level_kind = atmosphere->levels.kind;
    h->nlev = atmosphere->levels.n;
    h->a = atmosphere->levels.a;
    h->b = atmosphere->levels.b;
    h->nlat = atmosphere->grid.nlat;
    h->nlon = atmosphere->grid.nlon;
    h->cells = h->nlat * h->nlon;
    h->lat = atmosphere->grid.lat;
    h->lon = atmosphere->grid.lon;
    h->lat_bounds = atmosphere->grid.lat_bounds;
    h->lon_bounds = atmosphere->grid.lon_bounds;
    h->unstructured = atmosphere->grid.unstructured;
    h->cell_lat = atmosphere->grid.cell_lat;
    h->cell_lon = atmosphere->grid.cell_lon;
    return GWF_OK;
}
