#include "engine/arena.h"

#include "core/size.h"

enum { LINE = 256 }; /* bytes: as GPUs have it, lines of a CPU's caches fit */

static bool alive_together(const gwf_extent *a, const gwf_extent *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static bool overlap(const gwf_extent *a, const gwf_extent *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* Move e up past every placed extent that it collides with, until it collides with none. */
static void settle(gwf_extent *e, const gwf_extent *extents, int count)
{
    e->offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const gwf_extent *other = &extents[i];
            if (!extents[i].placed || !alive_together(e, other) || !overlap(e, other)) continue;
            e->offset = gwf_size_round_up(other->offset + other->bytes, LINE);
            moved = true;
        }
    }
}

static int largest_left(const gwf_extent *extents, int count)
{
    int best = -1;
    for (int i = 0; i < count; i++)
        if (!extents[i].placed && extents[i].bytes &&
            (best < 0 || extents[i].bytes > extents[best].bytes))
            best = i;
    return best;
}

size_t gwf_arena_lay_out(gwf_extent *extents, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) extents[i].placed = false;
    for (int i; (i = largest_left(extents, count)) >= 0;) {
        settle(&extents[i], extents, count);
        extents[i].placed = true;
        const size_t end = gwf_size_round_up(extents[i].offset + extents[i].bytes, LINE);
        if (end > size) size = end;
    }
    return size;
}
