/* Pieces (hyperslabs) of a numeric NetCDF variable as float32: the one place where values leave a
 * file for computing.
 *
 * Variables of NetCDF-4 files that are compressed (deflate, shuffle, fletcher32) are read as raw
 * chunks in the calling thread and decoded in several threads; all others go through NetCDF-C.
 * Decoded chunks are kept for later reads: all that cover one index of the first dimension if they
 * take no more than 256 MiB. With several threads, reads that go forward along the first dimension
 * and want fewer chunks than there are threads have the next chunks decoded meanwhile (128 MiB).
 * Besides, there is one raw chunk per thread and another. A read allocates nothing once it has met
 * the largest raw chunk.
 *
 * The rule of nc.h stands: one thread at a time in io/, though not always the same. */
#ifndef GWF_IO_SLAB_H
#define GWF_IO_SLAB_H

#include "core/error.h"
#include "io/nc.h"
#include "io/planes.h"

typedef struct gwf_slab gwf_slab;

/* A numeric variable to be read in pieces. threads: how many may decode (>= 1; 0: as many as there
 * are cores for this process). The file must stay open. FORMAT when the variable does not hold
 * numbers, its packing is not finite, or its chunks cannot be decoded in bounded memory. */
gwf_status gwf_slab_open(const gwf_nc *file, const gwf_nc_variable *v, int threads, gwf_slab **slab,
                         gwf_error *err);
void gwf_slab_close(gwf_slab **slab);

/* start, count: v->rank values in the file's dimension order; values: product of count float32,
 * unpacked (scale_factor, add_offset, _Unsigned), what is missing (_FillValue, missing_value,
 * outside valid_min, valid_max or valid_range, see packing.h) is NaN, and so are chunks that were
 * never written (through NetCDF-C: what the library fills in, NaN where the variable or the kind of
 * its values declares it missing). ARGUMENT outside the
 * variable, FORMAT for damaged chunks (named), IO, also when the file has become shorter since it
 * was opened. */
gwf_status gwf_slab_read(gwf_slab *slab, const size_t *start, const size_t *count, float *values,
                         gwf_error *err);

/* Planes index[0..count) of one row of a variable (row, plane, lat, lon), to be read by others than
 * this thread. False: they do not lie in the file as they are, and gwf_slab_read() is the way.
 * count is at most what `planes` has room for. */
bool gwf_slab_find_planes(const gwf_slab *slab, size_t row, const int *index, int count,
                          gwf_planes *planes);

/* As at opening; what was kept of earlier reads is let go. */
void gwf_slab_set_threads(gwf_slab *slab, int threads);

/* How it reads, in words for a summary line: "chunks decoded by 2 threads (deflate, shuffle)" or
 * "NetCDF-C". Borrowed, valid until close. */
const char *gwf_slab_how(const gwf_slab *slab);
/* "", or one line: why reading will be slow and the cure. Borrowed likewise. */
const char *gwf_slab_advice(const gwf_slab *slab);

#endif
