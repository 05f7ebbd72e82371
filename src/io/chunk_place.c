/* Where chunks are, and what a request wants of them. */
#include <math.h>

#include "io/chunk_internal.h"
#include "io/nc_internal.h"

enum { BLOCK = 1024 };

/* What a request wants of one chunk. */
typedef struct overlap {
    size_t from[GWF_NC_RANK], to[GWF_NC_RANK],
        length[GWF_NC_RANK]; /* in the chunk, in the request */
    bool whole;
} overlap;

/* --- places --------------------------------------------------------------------------------- */

size_t gwf_chunk_number(const gwf_chunk_reader *r, const size_t *at)
{
    size_t number = 0;
    for (int i = 0; i < r->layout.rank; i++) number = number * r->grid[i] + at[i];
    return number;
}

void gwf_chunk_origin(const gwf_chunk_reader *r, size_t number, size_t *origin)
{
    for (int i = r->layout.rank - 1; i >= 0; i--) {
        origin[i] = number % r->grid[i] * r->layout.chunk[i];
        number /= r->grid[i];
    }
}

static overlap overlap_of(const gwf_chunk_reader *r, const request *q, size_t number)
{
    const gwf_chunk_layout *l = &r->layout;
    size_t origin[GWF_NC_RANK];
    overlap o = {.whole = true};
    gwf_chunk_origin(r, number, origin);
    for (int i = 0; i < l->rank; i++) {
        const size_t end = q->start[i] + q->count[i];
        const size_t left = l->shape[i] - origin[i];
        const size_t chunk_end = origin[i] + (left < l->chunk[i] ? left : l->chunk[i]);
        const size_t first = q->start[i] > origin[i] ? q->start[i] : origin[i];
        const size_t last = end < chunk_end ? end : chunk_end;
        o.from[i] = first - origin[i];
        o.to[i] = first - q->start[i];
        o.length[i] = last - first;
        o.whole = o.whole && first == origin[i] && last == chunk_end;
    }
    return o;
}

bool gwf_chunk_is_whole(const gwf_chunk_reader *r, const request *q, size_t number)
{
    return overlap_of(r, q, number).whole;
}

void gwf_chunk_range(const gwf_chunk_reader *r, const request *q, size_t *low, size_t *high)
{
    for (int i = 0; i < r->layout.rank; i++) {
        low[i] = q->start[i] / r->layout.chunk[i];
        high[i] = (q->start[i] + q->count[i] - 1) / r->layout.chunk[i] + 1;
    }
}

bool gwf_chunk_next(int rank, const size_t *low, const size_t *high, size_t *at)
{
    for (int i = rank - 1; i >= 0; i--) {
        if (++at[i] < high[i]) return true;
        at[i] = low[i];
    }
    return false;
}

/* --- laying out ----------------------------------------------------------------------------- */

/* Values first .. first + n of the chunk in the slot; NULL: of a chunk that is missing. */
static void take_run(const gwf_chunk_reader *r, const slot *s, size_t first, size_t n,
                     float *values)
{
    double stored[BLOCK]; /* the widest type */
    const bool in_place = r->packing->type == NC_FLOAT;
    for (size_t i = 0; i < n && !s; i++) values[i] = NAN;
    for (size_t i = 0; i < n && s; i += BLOCK) {
        const size_t part = n - i < BLOCK ? n - i : BLOCK;
        void *to = in_place ? (void *)(values + i) : stored;
        gwf_chunk_values(&r->layout, s->bytes, s->shuffled, first + i, part, to);
        gwf_packing_unpack(r->packing, to, part, values + i);
    }
}

/* Dimensions that are whole in chunk and request are one run with the one before them. */
static int run_of(const gwf_chunk_reader *r, const request *q, const overlap *o, size_t *run)
{
    int d = r->layout.rank - 1;
    *run = o->length[d];
    while (d > 0 && o->length[d] == r->layout.chunk[d] && o->length[d] == q->count[d])
        *run *= o->length[--d];
    return d;
}

static size_t place_in(const size_t *shape, const size_t *at, const size_t *offset, int rank)
{
    size_t place = 0;
    for (int i = 0; i < rank; i++) place = place * shape[i] + offset[i] + at[i];
    return place;
}

void gwf_chunk_lay_out(const gwf_chunk_reader *r, const request *q, const slot *s, size_t number)
{
    const int rank = r->layout.rank;
    const overlap o = overlap_of(r, q, number);
    size_t at[GWF_NC_RANK] = {0}, run = 0;
    const int outer = run_of(r, q, &o, &run);
    for (int i = 0; i >= 0;) {
        take_run(r, s, place_in(r->layout.chunk, at, o.from, rank), run,
                 q->values + place_in(q->count, at, o.to, rank));
        for (i = outer - 1; i >= 0 && ++at[i] == o.length[i]; i--) at[i] = 0;
    }
}
