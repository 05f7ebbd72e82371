/* Many chunks: fetching what is wanted in the calling thread, and ahead of it; opening and closing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/chunk_internal.h"
#include "io/nc_internal.h"

/* --- fetching ------------------------------------------------------------------------------- */

/* "PATH: variable V: the chunk at (24, 0, 0, 0) WHAT" */
static gwf_status chunk_failed(const gwf_chunk_reader *r, size_t number, gwf_status status,
                               const char *what, gwf_error *err)
{
    size_t origin[GWF_NC_RANK], used = 0;
    char at[224] = "";
    gwf_chunk_origin(r, number, origin);
    for (int i = 0; i < r->layout.rank; i++)
        used += (size_t)snprintf(at + used, sizeof at - used, "%s%zu", i ? ", " : "", origin[i]);
    return gwf_fail(err, status, "%s: variable %s: the chunk at (%s) %s", r->file->path, r->v->name,
                    at, what);
}

/* HDF5 failed, with a reason of the system or without. */
static gwf_status not_there(const gwf_chunk_reader *r, size_t number, gwf_error *err)
{
    if (errno == 0)
        return chunk_failed(r, number, GWF_ERR_FORMAT,
                            "cannot be read from the file: damaged, or cut short", err);
    char what[128];
    snprintf(what, sizeof what, "cannot be read from the file (%s)", strerror(errno));
    return chunk_failed(r, number, GWF_ERR_IO, what, err);
}

/* Bytes of the raw chunk, 0: never written. */
static gwf_status measure(const gwf_chunk_reader *r, size_t number, size_t *size, gwf_error *err)
{
    size_t origin[GWF_NC_RANK];
    gwf_chunk_origin(r, number, origin);
    if (!gwf_chunk_source_size(&r->source, &r->layout, origin, size))
        return not_there(r, number, err);
    if (*size <= gwf_chunk_raw_limit(&r->layout)) return GWF_OK;
    return chunk_failed(r, number, GWF_ERR_FORMAT, "is damaged: more bytes than it can have", err);
}

/* Room for the chunk; a raw one's grows to the largest that was seen, and a bit. */
static gwf_status make_room(const gwf_chunk_reader *r, slot *s, raw_chunk *raw, size_t size,
                            gwf_error *err)
{
    if (!s->bytes) s->bytes = malloc(gwf_chunk_room(&r->layout));
    if (raw->room < size) {
        free(raw->bytes);
        raw->room = size + size / 8;
        raw->bytes = malloc(raw->room);
        if (!raw->bytes) raw->room = 0;
    }
    raw->size = size;
    if (s->bytes && raw->bytes) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: variable %s: no memory for chunks of %.1f MB",
                    r->file->path, r->v->name, (double)r->layout.bytes / 1e6);
}

static gwf_status fetch(const gwf_chunk_reader *r, size_t number, size_t size, slot *s,
                        raw_chunk *raw, gwf_error *err)
{
    size_t origin[GWF_NC_RANK];
    GWF_TRY(make_room(r, s, raw, size, err));
    gwf_chunk_origin(r, number, origin);
    if (gwf_chunk_source_fetch(&r->source, &r->layout, origin, raw->bytes, &raw->mask))
        return GWF_OK;
    return not_there(r, number, err);
}

/* Into the taken slot, which waits to be worked on then, or is given back. */
static gwf_status fetch_into(gwf_chunk_reader *r, size_t number, size_t size, slot *s,
                             raw_chunk *raw, bool wanted, gwf_error *err)
{
    const gwf_status status = fetch(r, number, size, s, raw, err);
    pthread_mutex_lock(&r->mutex);
    if (status == GWF_OK)
        gwf_crew_add(r, s, raw, number);
    else
        gwf_crew_give_back(r, s, raw);
    if (status == GWF_OK && wanted) gwf_crew_want(r, s);
    pthread_mutex_unlock(&r->mutex);
    return status;
}

/* One chunk of the request is to be laid out. */
static gwf_status want(gwf_chunk_reader *r, size_t number, gwf_error *err)
{
    size_t size = 0;
    raw_chunk *raw;
    pthread_mutex_lock(&r->mutex);
    slot *s = gwf_crew_find(r, number);
    if (s) gwf_crew_want(r, s);
    pthread_mutex_unlock(&r->mutex);
    if (s) return GWF_OK;
    GWF_TRY(measure(r, number, &size, err));
    if (size == 0) {
        gwf_chunk_lay_out(r, &r->request, NULL, number);
        return GWF_OK;
    }
    pthread_mutex_lock(&r->mutex);
    while (!(s = gwf_crew_take_slot(r))) gwf_crew_help(r, true);
    while (!(raw = gwf_crew_take_raw(r))) gwf_crew_help(r, true);
    pthread_mutex_unlock(&r->mutex);
    return fetch_into(r, number, size, s, raw, true, err);
}

/* --- looking ahead -------------------------------------------------------------------------- */

/* Reads go forward when they reach the next row of chunks, until they go elsewhere. */
static void note_direction(gwf_chunk_reader *r, size_t row)
{
    if (row == r->last_row + 1)
        r->forward = true;
    else if (row != r->last_row)
        r->forward = false;
    r->last_row = row;
}

/* Fetch a chunk that will be wanted soon, if there is room; false: not now. Its errors come when it
 * is wanted. row: where the request begins. */
static bool fetch_ahead(gwf_chunk_reader *r, size_t number, size_t row)
{
    size_t size = 0;
    pthread_mutex_lock(&r->mutex);
    const bool here = gwf_crew_find(r, number) != NULL;
    pthread_mutex_unlock(&r->mutex);
    if (here) return true;
    if (measure(r, number, &size, NULL) != GWF_OK) return false;
    if (size == 0) return true;
    pthread_mutex_lock(&r->mutex);
    slot *s = r->free_raw ? gwf_crew_take_slot_behind(r, row) : NULL;
    raw_chunk *raw = s ? gwf_crew_take_raw(r) : NULL;
    pthread_mutex_unlock(&r->mutex);
    return s && fetch_into(r, number, size, s, raw, false, NULL) == GWF_OK;
}

/* Rows of chunks beyond the request's that keep all threads busy. */
static size_t rows_ahead(const gwf_chunk_reader *r, const size_t *low, const size_t *high)
{
    size_t chunks = 1;
    const size_t threads = (size_t)r->n_workers + 1;
    for (int i = 0; i < r->layout.rank; i++) chunks *= high[i] - low[i];
    if (!r->forward || chunks >= threads) return 0;
    const size_t rows = (threads + chunks - 1) / chunks, most = r->n_slots / chunks;
    return most < 2 ? 0 : rows < most ? rows : most - 1;
}

/* Where the reads go forward along the first dimension and each wants fewer chunks than there are
 * threads, the next ones are decoded meanwhile. */
static void look_ahead(gwf_chunk_reader *r, const size_t *low, const size_t *high)
{
    size_t next_low[GWF_NC_RANK], next_high[GWF_NC_RANK], at[GWF_NC_RANK];
    const size_t rows = rows_ahead(r, low, high);
    memcpy(next_low, low, sizeof next_low);
    memcpy(next_high, high, sizeof next_high);
    next_low[0] = high[0];
    next_high[0] = r->grid[0] - high[0] < rows ? r->grid[0] : high[0] + rows;
    memcpy(at, next_low, sizeof at);
    if (next_low[0] == next_high[0]) return;
    do
        if (!fetch_ahead(r, gwf_chunk_number(r, at), low[0])) return;
    while (gwf_chunk_next(r->layout.rank, next_low, next_high, at));
}

/* --- opening and closing -------------------------------------------------------------------- */

gwf_status gwf_chunk_reader_open(const gwf_nc *file, const gwf_nc_variable *v,
                                 const gwf_packing *packing, gwf_chunk_reader **reader,
                                 gwf_error *err)
{
    *reader = calloc(1, sizeof **reader);
    if (!*reader) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    gwf_chunk_reader *r = *reader;
    *r = (gwf_chunk_reader){.file = file, .v = v, .packing = packing, .threads = 1};
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->done, NULL);
    if (!gwf_chunk_source_open(file, v, &r->source, &r->layout)) {
        gwf_chunk_reader_close(reader);
        return GWF_OK;
    }
    for (int i = 0; i < v->rank; i++)
        r->grid[i] = v->shape[i] > 0 ? (v->shape[i] - 1) / r->layout.chunk[i] + 1 : 0;
    r->inflater = gwf_inflater_create();
    if (r->inflater) return GWF_OK;
    gwf_chunk_reader_close(reader);
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
}

void gwf_chunk_reader_close(gwf_chunk_reader **reader)
{
    gwf_chunk_reader *r = *reader;
    if (!r) return;
    gwf_crew_stop(r);
    gwf_crew_free_slots(r);
    gwf_inflater_free(r->inflater);
    gwf_chunk_source_close(&r->source);
    pthread_cond_destroy(&r->done);
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->mutex);
    free(r);
    *reader = NULL;
}

void gwf_chunk_reader_set_threads(gwf_chunk_reader *reader, int threads)
{
    if (threads == reader->threads) return;
    gwf_crew_stop(reader);
    gwf_crew_free_slots(reader);
    reader->threads = threads;
}

void gwf_chunk_reader_filters(const gwf_chunk_reader *reader, char *text, size_t size)
{
    static const char *const names[] = {
        [GWF_FILTER_SHUFFLE] = "shuffle",
        [GWF_FILTER_DEFLATE] = "deflate",
        [GWF_FILTER_FLETCHER32] = "fletcher32",
    };
    size_t used = 0;
    if (size > 0) text[0] = '\0';
    for (int i = reader->layout.n_filters - 1; i >= 0 && used < size; i--)
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                 names[reader->layout.filters[i]]);
}

/* --- reading -------------------------------------------------------------------------------- */

/* Everything that is wanted is in place, or failed. */
static gwf_status finish(gwf_chunk_reader *r, gwf_status status, gwf_error *err)
{
    char what[128];
    pthread_mutex_lock(&r->mutex);
    while (r->pending > 0) gwf_crew_help(r, false);
    pthread_mutex_unlock(&r->mutex);
    if (status != GWF_OK || !r->damage) return status;
    snprintf(what, sizeof what, "is damaged: %s", r->damage);
    return chunk_failed(r, r->damaged, GWF_ERR_FORMAT, what, err);
}

gwf_status gwf_chunk_reader_read(gwf_chunk_reader *reader, const size_t *start, const size_t *count,
                                 float *values, gwf_error *err)
{
    gwf_chunk_reader *r = reader;
    size_t low[GWF_NC_RANK], high[GWF_NC_RANK], at[GWF_NC_RANK];
    gwf_status status = GWF_OK;
    if (!r->slots) GWF_TRY(gwf_crew_make_slots(r, err));
    gwf_crew_start(r);
    gwf_nc_keep_quiet();
    r->request = (request){start, count, values};
    r->damage = NULL;
    gwf_chunk_range(r, &r->request, low, high);
    memcpy(at, low, sizeof at);
    note_direction(r, low[0]);
    do status = want(r, gwf_chunk_number(r, at), err);
    while (status == GWF_OK && gwf_chunk_next(r->layout.rank, low, high, at));
    if (status == GWF_OK) look_ahead(r, low, high);
    return finish(r, status, err);
}
