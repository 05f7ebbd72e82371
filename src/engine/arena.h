/* Where maps stand in the arena: two maps share memory when no layer needs both. */
#ifndef GWF_ENGINE_ARENA_H
#define GWF_ENGINE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct gwf_extent {
    size_t bytes;    /* wanted; 0: the map is not used */
    int first, last; /* steps that need it, inclusive */
    size_t offset;   /* answer, a multiple of 256 */
    bool placed;     /* its own note */
} gwf_extent;

/* Give every extent the lowest offset that no other extent alive at the same time covers, larger
 * ones first. Returns the size of the whole arena. */
size_t gwf_arena_lay_out(gwf_extent *extents, int count);

#endif
