#include "io/slab.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/size.h"
#include "io/nc_internal.h"
#include "io/planes_internal.h"
#include "io/slab_internal.h"

enum { SCRATCH_VALUES = 1 << 20, MOST_THREADS = 64 };

struct gwf_slab {
    gwf_nc file; /* borrowed: not closed here */
    gwf_nc_variable v;
    gwf_packing packing;
    gwf_chunk_reader *chunks; /* NULL: through NetCDF-C */
    gwf_plane_source *plain;  /* NULL: its planes do not lie in the file as they are */
    void *scratch;            /* stored values that are not floats, made at the first read */
    char how[96], advice[256];
};

/* --- chunk by chunk, where that was built --------------------------------------------------- */

#ifdef GWF_HAVE_DIRECT_CHUNKS
static gwf_status open_chunks(gwf_slab *slab, bool filtered, gwf_error *err)
{
    return filtered
               ? gwf_chunk_reader_open(&slab->file, &slab->v, &slab->packing, &slab->chunks, err)
               : gwf_plane_source_open(&slab->file, &slab->v, &slab->packing, &slab->plain, err);
}

static void close_chunks(gwf_slab *slab)
{
    gwf_chunk_reader_close(&slab->chunks);
    gwf_plane_source_close(&slab->plain);
}

static void describe(gwf_slab *slab, int threads)
{
    char filters[48];
    snprintf(slab->how, sizeof slab->how, "NetCDF-C");
    if (!slab->chunks) return;
    gwf_chunk_reader_set_threads(slab->chunks, threads);
    gwf_chunk_reader_filters(slab->chunks, filters, sizeof filters);
    snprintf(slab->how, sizeof slab->how, "chunks decoded by %d thread%s (%s)", threads,
             threads == 1 ? "" : "s", filters);
}

static gwf_status read_chunks(gwf_slab *slab, const size_t *start, const size_t *count,
                              float *values, gwf_error *err)
{
    return gwf_chunk_reader_read(slab->chunks, start, count, values, err);
}

bool gwf_slab_find_planes(const gwf_slab *slab, size_t row, const int *index, int count,
                          gwf_planes *planes)
{
    return slab->plain && gwf_plane_source_find(slab->plain, row, index, count, planes);
}
#else
static gwf_status open_chunks(gwf_slab *slab, bool filtered, gwf_error *err)
{
    (void)slab, (void)filtered, (void)err;
    return GWF_OK;
}

static void close_chunks(gwf_slab *slab)
{
    (void)slab;
}

static void describe(gwf_slab *slab, int threads)
{
    (void)threads;
    snprintf(slab->how, sizeof slab->how, "NetCDF-C");
}

static gwf_status read_chunks(gwf_slab *slab, const size_t *start, const size_t *count,
                              float *values, gwf_error *err)
{
    (void)start, (void)count, (void)values;
    return gwf_fail(err, GWF_ERR_IO, "%s: no chunk reader was built", slab->file.path);
}

bool gwf_slab_find_planes(const gwf_slab *slab, size_t row, const int *index, int count,
                          gwf_planes *planes)
{
    (void)slab, (void)row, (void)index, (void)count, (void)planes;
    return false;
}
#endif

/* --- opening and closing -------------------------------------------------------------------- */

static gwf_status inspect(gwf_slab *slab, gwf_error *err)
{
    gwf_chunking chunking;
    GWF_TRY(gwf_packing_read(&slab->file, &slab->v, &slab->packing, err));
    GWF_TRY(gwf_chunking_read(&slab->file, &slab->v, &chunking, err));
    gwf_chunking_advice(&slab->v, &chunking, slab->advice, sizeof slab->advice);
    GWF_TRY(open_chunks(slab, chunking.filtered, err));
    if (slab->chunks) return GWF_OK;
    return gwf_chunking_tune(&slab->file, &slab->v, &chunking, err);
}

gwf_status gwf_slab_open(const gwf_nc *file, const gwf_nc_variable *v, int threads, gwf_slab **slab,
                         gwf_error *err)
{
    *slab = calloc(1, sizeof **slab);
    if (!*slab) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    **slab = (gwf_slab){.file = *file, .v = *v};
    const gwf_status status = inspect(*slab, err);
    if (status == GWF_OK)
        gwf_slab_set_threads(*slab, threads);
    else
        gwf_slab_close(slab);
    return status;
}

void gwf_slab_close(gwf_slab **slab)
{
    if (!*slab) return;
    close_chunks(*slab);
    free((*slab)->scratch);
    free(*slab);
    *slab = NULL;
}

static int cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void gwf_slab_set_threads(gwf_slab *slab, int threads)
{
    const int wanted = threads > 0 ? threads : cores();
    describe(slab, wanted < MOST_THREADS ? wanted : MOST_THREADS);
}

const char *gwf_slab_how(const gwf_slab *slab)
{
    return slab->how;
}

const char *gwf_slab_advice(const gwf_slab *slab)
{
    return slab->advice;
}

/* --- through NetCDF-C ----------------------------------------------------------------------- */

/* "(2, 0, 0, 0)" */
static const char *place(const gwf_slab *slab, const size_t *at, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < slab->v.rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? ", " : "", at[i]);
    if (used < size) snprintf(text + used, size - used, ")");
    return text;
}

static gwf_status get(gwf_slab *slab, const size_t *start, const size_t *count, void *stored,
                      gwf_error *err)
{
    const size_t scalar = 0, one = 1;
    gwf_nc_keep_quiet();
    const int rc = GWF_NC(nc_get_vara(slab->file.id, slab->v.id, slab->v.rank ? start : &scalar,
                                      slab->v.rank ? count : &one, stored));
    if (rc == NC_NOERR) return GWF_OK;
    const gwf_status status = rc == NC_EHDFERR && errno == 0 ? GWF_ERR_FORMAT : GWF_ERR_IO;
    char what[256], at[224];
    const int system_error = errno;
    snprintf(what, sizeof what, "reading at %s failed", place(slab, start, at, sizeof at));
    errno = system_error;
    return gwf_nc_fail(&slab->file, slab->v.name, what, rc, status, err);
}

/* The largest part of `count` whose values follow one another and fit the scratch: ones, then a
 * part of one dimension, then whole dimensions. */
static void choose_piece(int rank, const size_t *count, size_t *piece)
{
    size_t inner = 1;
    for (int i = rank - 1; i >= 0; i--) {
        const size_t room = SCRATCH_VALUES / inner;
        piece[i] = count[i] < room ? count[i] : room;
        inner *= piece[i];
    }
}

/* The next piece's place in start .. start + count; false behind the last. */
static bool next_place(int rank, const size_t *start, const size_t *count, const size_t *piece,
                       size_t *at)
{
    for (int i = rank - 1; i >= 0; i--) {
        at[i] += piece[i];
        if (at[i] < start[i] + count[i]) return true;
        at[i] = start[i];
    }
    return false;
}

static gwf_status read_converted(gwf_slab *slab, const size_t *start, const size_t *count,
                                 float *values, gwf_error *err)
{
    const int rank = slab->v.rank;
    size_t piece[GWF_NC_RANK], part[GWF_NC_RANK] = {0}, at[GWF_NC_RANK];
    if (!slab->scratch) slab->scratch = malloc(SCRATCH_VALUES * slab->packing.size);
    if (!slab->scratch) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", slab->file.path);
    choose_piece(rank, count, piece);
    for (int i = 0; i < rank; i++) at[i] = start[i];
    do {
        size_t n = 1;
        for (int i = 0; i < rank; i++) {
            const size_t left = start[i] + count[i] - at[i];
            part[i] = left < piece[i] ? left : piece[i];
            n *= part[i];
        }
        GWF_TRY(get(slab, at, part, slab->scratch, err));
        gwf_packing_unpack(&slab->packing, slab->scratch, n, values);
        values += n;
    } while (next_place(rank, start, count, piece, at));
    return GWF_OK;
}

static gwf_status read_plainly(gwf_slab *slab, const size_t *start, const size_t *count, size_t n,
                               float *values, gwf_error *err)
{
    if (slab->packing.type != NC_FLOAT) return read_converted(slab, start, count, values, err);
    GWF_TRY(get(slab, start, count, values, err));
    gwf_packing_unpack(&slab->packing, values, n, values);
    return GWF_OK;
}

/* --- reading -------------------------------------------------------------------------------- */

static gwf_status check_request(const gwf_slab *slab, const size_t *start, const size_t *count,
                                size_t *n, gwf_error *err)
{
    const gwf_nc_variable *v = &slab->v;
    for (int i = 0; i < v->rank; i++)
        if (count[i] > v->shape[i] || start[i] > v->shape[i] - count[i])
            return gwf_fail(err, GWF_ERR_ARGUMENT,
                            "%s: variable %s: %zu values from %zu along %s, which has %zu",
                            slab->file.path, v->name, count[i], start[i], v->dims[i], v->shape[i]);
    gwf_size_product(count, v->rank, n); /* not more than the shape's, which was checked */
    return GWF_OK;
}

/* HDF5 and NetCDF-C give zeros for what is behind the end of a file: one that is cut while it is
 * read (copied anew, a disk that is going) would pass unseen. One that is removed or replaced stays
 * readable. */
static gwf_status check_length(const gwf_nc *file, gwf_error *err)
{
    struct stat now;
    if (stat(file->path, &now) != 0 || now.st_dev != file->device || now.st_ino != file->inode ||
        now.st_size >= file->bytes)
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_IO,
                    "%s: has become shorter while it was read (%lld of %lld bytes)", file->path,
                    (long long)now.st_size, file->bytes);
}

gwf_status gwf_slab_read(gwf_slab *slab, const size_t *start, const size_t *count, float *values,
                         gwf_error *err)
{
    size_t n = 0;
    GWF_TRY(check_request(slab, start, count, &n, err));
    if (n == 0) return GWF_OK;
    GWF_TRY(slab->chunks ? read_chunks(slab, start, count, values, err)
                         : read_plainly(slab, start, count, n, values, err));
    return check_length(&slab->file, err);
}
