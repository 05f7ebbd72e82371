/* GRIB files of the reader of reanalysis: every message is looked at once, and decoded when its
 * level is asked for. */
#ifdef GWF_HAVE_ECCODES
#include "io/atmosphere_grib.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/size.h"

enum { DATA_HEAD = 64 }; /* bytes of the section with the values that say how they are packed */
static const double decoded_limit = 1e9; /* values of a message */

static const char *const time_units = "hours since 1900-01-01 00:00:00";

/* --- what a message says -------------------------------------------------------------------- */

typedef struct message_keys {
    char name[32], units[GWF_ATM_UNITS], level_type[32], grid[40];
    long parameter, level;
    int64_t seconds;
    int fit; /* for the quantity that is looked at */
} message_keys;

static void text_of(codes_handle *message, const char *key, char *text, size_t size)
{
    size_t n = size;
    text[0] = '\0';
    if (codes_get_string(message, key, text, &n) != CODES_SUCCESS) text[0] = '\0';
    text[size - 1] = '\0';
    gwf_plain_text(text);
}

static long number_of(codes_handle *message, const char *key)
{
    long value = -1;
    return codes_get_long(message, key, &value) == CODES_SUCCESS ? value : -1;
}

/* The time that the values are for: that of the analysis plus the step of the forecast. */
static bool time_of(codes_handle *message, int64_t *seconds)
{
    const long date = number_of(message, "validityDate"), time = number_of(message, "validityTime");
    const gwf_date d = {date / 10000, (int)(date / 100 % 100), (int)(date % 100)};
    int64_t day;
    if (date < 0 || time < 0 || time > 2359 || time % 100 > 59 ||
        !gwf_calendar_day(GWF_CALENDAR_STANDARD, d, &day))
        return false;
    *seconds = day * 86400 + time / 100 * 3600 + time % 100 * 60;
    return true;
}

static bool is_isobaric(const char *level_type)
{
    return strcmp(level_type, "isobaricInhPa") == 0 || strcmp(level_type, "isobaricInPa") == 0;
}

/* --- one quantity of the file --------------------------------------------------------------- */

typedef struct gathered {
    int fit;
    message_keys keys; /* of the first message */
    gwf_atm_message *messages;
    size_t count, room;
    gwf_grib_axes axes;
    gwf_atm_grid cells; /* in place of axes */
    double *pv;         /* a then b of the half levels, NULL without */
    size_t n_pv;
} gathered;

typedef struct scanner {
    gwf_atmosphere *atmosphere;
    size_t index;
    gwf_grib_file file;
    gathered of[GWF_QUANTITIES];
    unsigned char *message;
    size_t room;
    char noted[64];
} scanner;

static void forget(gathered *g)
{
    free(g->messages);
    gwf_grib_axes_free(&g->axes);
    gwf_atm_grid_free(&g->cells);
    free(g->pv);
    *g = (gathered){0};
}

static gwf_status append(const scanner *s, gathered *g, const gwf_atm_message *m, gwf_error *err)
{
    if (g->count == g->room) {
        const size_t room = g->room ? 2 * g->room : 256;
        size_t bytes;
        gwf_atm_message *more =
            gwf_size_mul(room, sizeof *more, &bytes) ? realloc(g->messages, bytes) : NULL;
        if (!more)
            return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory for %zu messages", s->file.path,
                            room);
        g->messages = more;
        g->room = room;
    }
    g->messages[g->count++] = *m;
    return GWF_OK;
}

static gwf_status take_coefficients(codes_handle *message, const char *where, gathered *g,
                                    gwf_error *err)
{
    if (strcmp(g->keys.level_type, "hybrid") != 0) return GWF_OK;
    if (codes_get_size(message, "pv", &g->n_pv) != CODES_SUCCESS || g->n_pv == 0) {
        g->n_pv = 0;
        return GWF_OK; /* the numbers may do */
    }
    if (g->n_pv % 2 || g->n_pv < 4 || g->n_pv > 2 * (GWF_ATM_LEVELS + 1))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %zu vertical coefficients, expected a and b",
                        where, g->n_pv);
    g->pv = calloc(g->n_pv, sizeof *g->pv);
    if (!g->pv) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", where);
    if (codes_get_double_array(message, "pv", g->pv, &g->n_pv) == CODES_SUCCESS) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: its vertical coefficients cannot be read", where);
}

/* The first message says what the others must be like. */
static gwf_status begin(const scanner *s, codes_handle *message, const char *where,
                        const message_keys *keys, gathered *g, gwf_error *err)
{
    const size_t cells = s->atmosphere->cells;
    forget(g);
    g->fit = keys->fit;
    g->keys = *keys;
    text_of(message, "units", g->keys.units, sizeof g->keys.units);
    GWF_TRY(cells ? gwf_grib_cells_of(message, where, cells, &g->cells, err)
                  : gwf_grib_axes_of(message, where, &g->axes, err));
    return take_coefficients(message, where, g, err);
}

static gwf_status check_like_first(const char *where, const message_keys *keys, const gathered *g,
                                   gwf_quantity quantity, gwf_error *err)
{
    if (keys->parameter != g->keys.parameter)
        return gwf_fail(
            err, GWF_ERR_FORMAT, "%s: %s and %s may both be the %s: choose one with %s=NAME", where,
            keys->name, g->keys.name, gwf_quantity_text(quantity), gwf_quantity_word(quantity));
    if (strcmp(keys->level_type, g->keys.level_type) != 0)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %s on levels %s, before it on %s", where,
                        keys->name, keys->level_type, g->keys.level_type);
    if (strcmp(keys->grid, g->keys.grid) != 0)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %s on another grid than before it", where,
                        keys->name);
    return GWF_OK;
}

static gwf_status take_message(scanner *s, codes_handle *message, const gwf_grib_span *span,
                               const message_keys *keys, gwf_quantity quantity, gwf_error *err)
{
    char where[GWF_ERROR_TEXT / 2];
    gathered *g = &s->of[quantity];
    gwf_grib_where(s->file.path, span->offset, where, sizeof where);
    if (keys->fit < g->fit) return GWF_OK;
    if (keys->fit > g->fit)
        GWF_TRY(begin(s, message, where, keys, g, err));
    else
        GWF_TRY(check_like_first(where, keys, g, quantity, err));
    gwf_atm_message m = {.offset = span->offset, .length = span->length, .seconds = keys->seconds};
    if (keys->level > 0 && keys->level < INT32_MAX) m.level = (uint32_t)keys->level;
    return append(s, g, &m, err);
}

/* --- looking at a message ------------------------------------------------------------------- */

static int fit_of(const scanner *s, gwf_quantity quantity, const gwf_atm_label *label)
{
    const char *mapped = gwf_atm_mapped(s->atmosphere->config, quantity);
    if (!mapped) return gwf_atm_fit(quantity, label);
    const bool fits = gwf_quantity_has_levels(quantity) ? label->upper : label->surface;
    return fits && strcmp(mapped, label->name) == 0;
}

static void note(scanner *s, const message_keys *keys)
{
    char text[64];
    snprintf(text, sizeof text, "%.20s(%.20s)", keys->name, keys->level_type);
    if (strcmp(text, s->noted) == 0 || strstr(s->atmosphere->found, text)) return;
    snprintf(s->noted, sizeof s->noted, "%s", text);
    gwf_atm_note_found(s->atmosphere, "%s in %s", text, s->file.path);
}

static gwf_status sort_in(scanner *s, codes_handle *message, const gwf_grib_span *span,
                          gwf_error *err)
{
    message_keys keys = {.parameter = number_of(message, "paramId"),
                         .level = number_of(message, "level")};
    text_of(message, "shortName", keys.name, sizeof keys.name);
    text_of(message, "typeOfLevel", keys.level_type, sizeof keys.level_type);
    note(s, &keys);
    const bool hybrid = strcmp(keys.level_type, "hybrid") == 0;
    const gwf_atm_label label = {.name = keys.name,
                                 .standard_name = "",
                                 .units = "",
                                 .code = (int)keys.parameter,
                                 .upper = hybrid || is_isobaric(keys.level_type),
                                 .surface = strcmp(keys.level_type, "surface") == 0 ||
                                            (hybrid && keys.level == 1)};
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        if (!(s->atmosphere->wanted & GWF_QUANTITY_BIT(q))) continue;
        keys.fit = fit_of(s, (gwf_quantity)q, &label);
        if (keys.fit == 0) continue;
        text_of(message, "md5GridSection", keys.grid, sizeof keys.grid);
        if (!time_of(message, &keys.seconds))
            return gwf_fail(err, GWF_ERR_FORMAT, "%s: message at byte %llu: its time is no date",
                            s->file.path, (unsigned long long)span->offset);
        GWF_TRY(take_message(s, message, span, &keys, (gwf_quantity)q, err));
    }
    return GWF_OK;
}

/* The message without its values, which are most of it: zeros stand for them. */
static gwf_status read_head(scanner *s, const gwf_grib_span *span, gwf_error *err)
{
    const size_t length = (size_t)span->length;
    if (length > s->room) {
        free(s->message);
        s->message = calloc(length, 1);
        s->room = s->message ? length : 0;
    }
    if (!s->message)
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory for a message of %zu bytes",
                        s->file.path, length);
    size_t head = (size_t)span->head + DATA_HEAD;
    if (head > length) head = length;
    memcpy(s->message + length - 4, "7777", 4);
    return gwf_grib_bytes(&s->file, span->offset, head, s->message, err);
}

static gwf_status look_at(scanner *s, const gwf_grib_span *span, gwf_error *err)
{
    GWF_TRY(read_head(s, span, err));
    codes_handle *message = codes_handle_new_from_message(NULL, s->message, (size_t)span->length);
    if (!message)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: message at byte %llu: ecCodes cannot read it",
                        s->file.path, (unsigned long long)span->offset);
    const gwf_status status = sort_in(s, message, span, err);
    codes_handle_delete(message);
    return status;
}

static gwf_status look_at_all(scanner *s, gwf_error *err)
{
    gwf_grib_span span = {0};
    bool found = true;
    while (found) {
        GWF_TRY(gwf_grib_next(&s->file, span.offset + span.length, &span, &found, err));
        if (found) GWF_TRY(look_at(s, &span, err));
    }
    return GWF_OK;
}

/* --- from messages to a piece --------------------------------------------------------------- */

static int by_time_and_level(const void *a, const void *b)
{
    const gwf_atm_message *p = a, *q = b;
    if (p->seconds != q->seconds) return p->seconds < q->seconds ? -1 : 1;
    return (p->level > q->level) - (p->level < q->level);
}

static gwf_status check_levels_of(const gathered *g, size_t nlev, const char *where, gwf_error *err)
{
    char time[GWF_DATE_TEXT];
    for (size_t i = 0; i < g->count; i++) {
        const gwf_atm_message *m = &g->messages[i];
        gwf_time_text(GWF_CALENDAR_STANDARD, m->seconds, time);
        if (i > 0 && by_time_and_level(m - 1, m) == 0)
            return gwf_fail(err, GWF_ERR_MISMATCH, "%s: level %u of %s is there twice", where,
                            m->level, time);
        if (m->level != g->messages[i % nlev].level ||
            m->seconds != g->messages[i - i % nlev].seconds)
            return gwf_fail(err, GWF_ERR_MISMATCH,
                            "%s: its levels at %s are not those of its first time: level %u where "
                            "%u was expected",
                            where, time, m->level, g->messages[i % nlev].level);
    }
    if (g->count % nlev == 0) return GWF_OK;
    gwf_time_text(GWF_CALENDAR_STANDARD, g->messages[g->count - 1].seconds, time);
    return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %zu levels at %s, %zu at its first time", where,
                    g->count % nlev, time, nlev);
}

static gwf_status hybrid_level(const gathered *g, uint32_t number, const char *where, double *a,
                               double *b, gwf_error *err)
{
    const size_t half = g->n_pv / 2;
    if (number < 1 || number >= half)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: hybrid level %u, but the coefficients (pv) are those of %zu levels",
                        where, number, half ? half - 1 : 0);
    *a = (g->pv[number - 1] + g->pv[number]) / 2;
    *b = (g->pv[half + number - 1] + g->pv[half + number]) / 2;
    return GWF_OK;
}

static gwf_status make_levels(const gathered *g, size_t nlev, const char *where,
                              gwf_atm_levels *levels, gwf_error *err)
{
    const bool hybrid = strcmp(g->keys.level_type, "hybrid") == 0;
    const double unit = strcmp(g->keys.level_type, "isobaricInhPa") == 0 ? 100 : 1;
    GWF_TRY(gwf_atm_levels_alloc(levels, nlev, where, err));
    levels->kind = hybrid ? GWF_LEVELS_HYBRID : GWF_LEVELS_PRESSURE;
    for (size_t k = 0; k < nlev; k++) {
        const uint32_t number = g->messages[k].level;
        if (hybrid)
            GWF_TRY(hybrid_level(g, number, where, &levels->a[k], &levels->b[k], err));
        else
            levels->a[k] = number * unit;
    }
    return gwf_atm_levels_order(levels, where, err);
}

/* Levels counted from below: turn those of every step round. */
static void turn(gathered *g, size_t nlev)
{
    for (size_t i = 0; i < g->count; i += nlev)
        for (size_t k = 0; k < nlev / 2; k++) {
            gwf_atm_message *a = &g->messages[i + k], *b = &g->messages[i + nlev - 1 - k];
            const gwf_atm_message other = *a;
            *a = *b;
            *b = other;
        }
}

static gwf_status make_times(const gathered *g, size_t nlev, const char *where,
                             gwf_atm_piece *piece, gwf_error *err)
{
    piece->steps = g->count / nlev;
    if (piece->quantity == GWF_ZS) {
        piece->steps = 1;
        return GWF_OK;
    }
    piece->timed = true;
    piece->calendar = GWF_CALENDAR_STANDARD;
    piece->seconds = calloc(piece->steps, sizeof *piece->seconds);
    if (!piece->seconds) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", where);
    for (size_t i = 0; i < piece->steps; i++) piece->seconds[i] = g->messages[i * nlev].seconds;
    return GWF_OK;
}

/* One row, in the order of the message. */
static void take_cells(gathered *g, gwf_atm_piece *piece, gwf_atm_grid *grid)
{
    *grid = g->cells;
    g->cells = (gwf_atm_grid){0};
    piece->order = (gwf_atm_order){.file_nlat = 1, .file_nlon = piece->cells, .nlon = piece->cells};
}

static gwf_status make_piece(scanner *s, gwf_quantity quantity, const char *where,
                             gwf_atm_piece *piece, gwf_atm_grid *grid, gwf_atm_levels *levels,
                             gwf_error *err)
{
    gathered *g = &s->of[quantity];
    const bool upper = gwf_quantity_has_levels(quantity);
    bool bad = false;
    size_t nlev = 1;
    qsort(g->messages, g->count, sizeof *g->messages, by_time_and_level);
    while (upper && nlev < g->count && g->messages[nlev].seconds == g->messages[0].seconds) nlev++;
    GWF_TRY(check_levels_of(g, nlev, where, err));
    GWF_TRY(make_times(g, nlev, where, piece, err));
    const gwf_atm_axes axes = {
        .nlat = g->axes.nlat, .nlon = g->axes.nlon, .lat = g->axes.lat, .lon = g->axes.lon};
    if (piece->cells)
        take_cells(g, piece, grid);
    else
        GWF_TRY(gwf_atm_grid_make(&axes, where, grid, &piece->order, &bad, err));
    piece->columns_first = g->axes.columns_first;
    piece->nlev = nlev;
    if (!upper) return GWF_OK;
    GWF_TRY(make_levels(g, nlev, where, levels, err));
    if (levels->bottom_up) turn(g, nlev);
    return GWF_OK;
}

static gwf_status add_piece(scanner *s, gwf_quantity quantity, gwf_error *err)
{
    gathered *g = &s->of[quantity];
    char where[GWF_ERROR_TEXT / 2];
    gwf_atm_piece piece = {.quantity = quantity, .file = s->index, .cells = s->atmosphere->cells};
    gwf_atm_grid grid = {0};
    gwf_atm_levels levels = {0};
    snprintf(piece.name, sizeof piece.name, "%s", g->keys.name);
    snprintf(piece.units, sizeof piece.units, "%s", g->keys.units);
    gwf_atm_where(s->atmosphere, &piece, where, sizeof where);
    gwf_status status = make_piece(s, quantity, where, &piece, &grid, &levels, err);
    if (status == GWF_OK) {
        piece.messages = g->messages;
        g->messages = NULL;
        status = gwf_atm_add(s->atmosphere, &piece, &grid,
                             gwf_quantity_has_levels(quantity) ? &levels : NULL, err);
    }
    gwf_atm_grid_free(&grid);
    gwf_atm_levels_free(&levels);
    free(piece.seconds);
    free(piece.messages);
    return status;
}

static gwf_status add_pieces(scanner *s, gwf_error *err)
{
    gwf_time_units scale;
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        if (s->of[q].count == 0) continue;
        GWF_TRY(gwf_time_units_parse(time_units, GWF_CALENDAR_STANDARD, &scale, err));
        if (q != GWF_ZS) gwf_atm_take_time_units(s->atmosphere, time_units, &scale);
        GWF_TRY(add_piece(s, (gwf_quantity)q, err));
    }
    return GWF_OK;
}

static gwf_status open_file(const gwf_atm_file *file, int *descriptor, gwf_error *err)
{
    *descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (*descriptor >= 0) return GWF_OK;
    return gwf_fail(err, GWF_ERR_NOT_FOUND, "%s: cannot be opened (%s)", file->path,
                    strerror(errno));
}

gwf_status gwf_atm_grib_scan(gwf_atmosphere *atmosphere, size_t index, gwf_error *err)
{
    const gwf_atm_file *file = &atmosphere->files[index];
    scanner *s = calloc(1, sizeof *s);
    if (!s) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    s->atmosphere = atmosphere;
    s->index = index;
    s->file = (gwf_grib_file){file->path, -1, (uint64_t)file->stamp.size};
    gwf_grib_quiet();
    gwf_status status = open_file(file, &s->file.descriptor, err);
    if (status == GWF_OK) {
        status = look_at_all(s, err);
        close(s->file.descriptor);
    }
    if (status == GWF_OK) status = add_pieces(s, err);
    for (int q = 0; q < GWF_QUANTITIES; q++) forget(&s->of[q]);
    free(s->message);
    free(s);
    return status;
}

/* --- reading -------------------------------------------------------------------------------- */

gwf_status gwf_atm_grib_start(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, gwf_error *err)
{
    return open_file(&atmosphere->files[cursor->piece->file], &cursor->descriptor, err);
}

void gwf_atm_grib_stop(gwf_atm_cursor *cursor)
{
    close(cursor->descriptor);
    cursor->descriptor = -1;
}

static gwf_status room_for(void **room, size_t *have, size_t bytes, const char *where,
                           gwf_error *err)
{
    if (*have >= bytes) return GWF_OK;
    void *more = realloc(*room, bytes);
    if (!more) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", where);
    *room = more;
    *have = bytes;
    return GWF_OK;
}

/* All values of a message as float32, missing ones as NaN. */
static gwf_status decode(gwf_atmosphere *atmosphere, codes_handle *message, size_t expected,
                         const char *where, gwf_error *err)
{
    size_t n = 0;
    double missing = -1e35; /* no value of a field, and not near one in packed numbers */
    codes_set_double(message, "missingValue", missing);
    if (codes_get_size(message, "values", &n) != CODES_SUCCESS || n != expected ||
        !((double)n < decoded_limit))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %zu values, its grid has %zu", where, n,
                        expected);
    GWF_TRY(
        room_for(&atmosphere->decoded, &atmosphere->decoded_bytes, n * sizeof(double), where, err));
    double *values = atmosphere->decoded;
    if (codes_get_double_array(message, "values", values, &n) != CODES_SUCCESS || n != expected)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: its values cannot be decoded", where);
    GWF_TRY(gwf_atm_scratch(atmosphere, n, err));
    for (size_t i = 0; i < n; i++)
        atmosphere->scratch[i] = values[i] == missing ? NAN : (float)values[i];
    return GWF_OK;
}

static gwf_status read_message(gwf_atmosphere *atmosphere, const gwf_atm_cursor *cursor,
                               const gwf_atm_message *m, float *values, gwf_error *err)
{
    const gwf_atm_piece *p = cursor->piece;
    const gwf_atm_order *o = &p->order;
    const gwf_atm_file *stamped = &atmosphere->files[p->file];
    const gwf_grib_file file = {stamped->path, cursor->descriptor, (uint64_t)stamped->stamp.size};
    char where[GWF_ERROR_TEXT / 2];
    gwf_grib_where(file.path, m->offset, where, sizeof where);
    GWF_TRY(room_for(&atmosphere->bytes, &atmosphere->n_bytes, (size_t)m->length, where, err));
    GWF_TRY(gwf_grib_bytes(&file, m->offset, (size_t)m->length, atmosphere->bytes, err));
    codes_handle *message =
        codes_handle_new_from_message(NULL, atmosphere->bytes, (size_t)m->length);
    if (!message) return gwf_fail(err, GWF_ERR_FORMAT, "%s: ecCodes cannot read it", where);
    const gwf_status status = decode(atmosphere, message, o->file_nlat * o->file_nlon, where, err);
    codes_handle_delete(message);
    if (status != GWF_OK) return status;
    gwf_atm_arrange(o, atmosphere->scratch, p->columns_first ? 1 : o->file_nlon,
                    p->columns_first ? o->file_nlat : 1, values);
    return GWF_OK;
}

gwf_status gwf_atm_grib_read(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, size_t step,
                             size_t level, size_t levels, float *values, gwf_error *err)
{
    const gwf_atm_piece *p = cursor->piece;
    const size_t map = p->order.file_nlat * p->order.nlon;
    for (size_t k = 0; k < levels; k++)
        GWF_TRY(read_message(atmosphere, cursor, &p->messages[step * p->nlev + level + k],
                             values + k * map, err));
    return GWF_OK;
}
#else
typedef int gwf_no_eccodes_here;
#endif
