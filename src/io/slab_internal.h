/* What the files behind slab.h share: how a variable is chunked, and who reads its raw chunks.
 *
 *   slab.c          what slab.h promises; reading through NetCDF-C
 *   slab_cache.c    chunk sizes, NetCDF-C's chunk cache
 *   chunk_source.c  raw chunks from HDF5
 *   chunk_decode.c  one raw chunk to stored values
 *   chunk_reader.c  many chunks, threads, decoded chunks that are kept (chunk_internal.h) */
#ifndef GWF_IO_SLAB_INTERNAL_H
#define GWF_IO_SLAB_INTERNAL_H

#include <stdint.h>

#include "io/nc.h"
#include "io/packing.h"

#define GWF_MIB ((size_t)1 << 20)
/* Decoded chunks that are kept: all that cover one index of the first dimension (a row), when they
 * are not larger. */
#define GWF_SLAB_ROW_LIMIT (256 * GWF_MIB)

/* --- slab_cache.c --------------------------------------------------------------------------- */

typedef struct gwf_chunking {
    bool chunked, filtered; /* filtered: only whole chunks can be read */
    size_t shape[GWF_NC_RANK];
    size_t bytes; /* of one chunk, decoded; SIZE_MAX beyond all bounds */
    size_t row;   /* bytes of all chunks that cover one index of the first dimension */
    size_t slots; /* of the hash table in which HDF5 keeps a row apart */
} gwf_chunking;

/* FORMAT for compressed chunks that cannot be decoded in bounded memory. */
gwf_status gwf_chunking_read(const gwf_nc *file, const gwf_nc_variable *v, gwf_chunking *c,
                             gwf_error *err);

/* A chunk cache of NetCDF-C with which reading along the first dimension decodes every chunk once,
 * if a row is small enough. */
gwf_status gwf_chunking_tune(const gwf_nc *file, const gwf_nc_variable *v, const gwf_chunking *c,
                             gwf_error *err);

/* "", or one line: why reading will be slow and what cures it. */
void gwf_chunking_advice(const gwf_nc_variable *v, const gwf_chunking *c, char *advice,
                         size_t size);

/* --- chunk_source.c ------------------------------------------------------------------------- */

typedef enum gwf_filter {
    GWF_FILTER_SHUFFLE,
    GWF_FILTER_DEFLATE,
    GWF_FILTER_FLETCHER32
} gwf_filter;
enum { GWF_FILTERS = 3 };

/* A variable as HDF5 stores it; one that is not in chunks has one, of its shape. shuffle, when
 * there, is the first filter or follows fletcher32, which NetCDF-C puts first. */
typedef struct gwf_chunk_layout {
    int rank;
    size_t shape[GWF_NC_RANK], chunk[GWF_NC_RANK];
    size_t element, bytes; /* of one value, of one chunk */
    bool swapped;          /* not in this machine's byte order */
    bool contiguous;
    int n_filters;                   /* 0: the values are in the file as they are */
    gwf_filter filters[GWF_FILTERS]; /* in the order of writing; each at most once */
} gwf_chunk_layout;

typedef struct gwf_chunk_source {
    int64_t file, dataset; /* HDF5's ids, -1 when closed */
} gwf_chunk_source;

/* False, and closed, when the variable is nothing that chunk_decode.c can decode. */
bool gwf_chunk_source_open(const gwf_nc *file, const gwf_nc_variable *v, gwf_chunk_source *source,
                           gwf_chunk_layout *layout);
void gwf_chunk_source_close(gwf_chunk_source *source);

/* Where in the file the values of an unfiltered chunk are, the one whose first value is at `at`
 * (rank values). False: they are not there, or not as they are. */
bool gwf_chunk_source_address(const gwf_chunk_source *source, const gwf_chunk_layout *layout,
                              const size_t *at, uint64_t *address);

/* The chunk whose first value is at `at` (rank values): bytes in the file, 0 when it was never
 * written; its raw bytes, with the mask of filters that were not used (bit: place in `filters`).
 * False: HDF5 failed. */
bool gwf_chunk_source_size(const gwf_chunk_source *source, const gwf_chunk_layout *layout,
                           const size_t *at, size_t *bytes);
bool gwf_chunk_source_fetch(const gwf_chunk_source *source, const gwf_chunk_layout *layout,
                            const size_t *at, void *raw, uint32_t *mask);

/* --- chunk_decode.c ------------------------------------------------------------------------- */

typedef struct gwf_inflater gwf_inflater; /* one per thread */

gwf_inflater *gwf_inflater_create(void);
void gwf_inflater_free(gwf_inflater *inflater);

/* The most bytes that a raw chunk may sensibly have, and those that `bytes` below must have. */
size_t gwf_chunk_raw_limit(const gwf_chunk_layout *layout);
size_t gwf_chunk_room(const gwf_chunk_layout *layout);

/* Undo all filters but a shuffle that was the first: NULL, or in words what is wrong with the
 * chunk. *shuffled: shuffle is still to be undone. */
const char *gwf_chunk_undo(const gwf_chunk_layout *layout, gwf_inflater *inflater, uint32_t mask,
                           const uint8_t *raw, size_t raw_bytes, uint8_t *bytes, bool *shuffled);

/* Values first .. first + n of a chunk, in this machine's byte order. */
void gwf_chunk_values(const gwf_chunk_layout *layout, const uint8_t *bytes, bool shuffled,
                      size_t first, size_t n, void *stored);

/* --- chunk_reader.c ------------------------------------------------------------------------- */

typedef struct gwf_chunk_reader gwf_chunk_reader;

/* NULL in *reader, with GWF_OK, when the variable cannot be read chunk by chunk. file, v and
 * packing are borrowed until it is closed. */
gwf_status gwf_chunk_reader_open(const gwf_nc *file, const gwf_nc_variable *v,
                                 const gwf_packing *packing, gwf_chunk_reader **reader,
                                 gwf_error *err);
void gwf_chunk_reader_close(gwf_chunk_reader **reader);

/* Ends the threads there are; the next read makes them anew. */
void gwf_chunk_reader_set_threads(gwf_chunk_reader *reader, int threads);

/* What gwf_slab_read() does; at least one value, inside the variable. */
gwf_status gwf_chunk_reader_read(gwf_chunk_reader *reader, const size_t *start, const size_t *count,
                                 float *values, gwf_error *err);

/* "deflate, shuffle" */
void gwf_chunk_reader_filters(const gwf_chunk_reader *reader, char *text, size_t size);

#endif
