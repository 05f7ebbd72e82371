/* Where the planes of a variable are in its file: HDF5 knows where its chunks are. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/nc_internal.h"
#include "io/planes_internal.h"
#include "io/slab_internal.h"

struct gwf_plane_source {
    const gwf_nc *file;
    const gwf_nc_variable *v;
    const gwf_packing *packing;
    gwf_chunk_source chunks;
    gwf_chunk_layout layout;
    int descriptor; /* of the same file */
};

/* The file that NetCDF-C has open, if it still has its name. */
static int open_same(const gwf_nc *file)
{
    struct stat info;
    const int descriptor = open(file->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    if (fstat(descriptor, &info) == 0 && info.st_dev == file->device &&
        info.st_ino == file->inode && info.st_size >= file->bytes)
        return descriptor;
    close(descriptor);
    return -1;
}

/* float32 of this machine, a plane in one piece. */
static bool lies_plain(const gwf_plane_source *s)
{
    const gwf_chunk_layout *l = &s->layout;
    return l->rank == 4 && l->n_filters == 0 && !l->swapped && s->packing->type == NC_FLOAT &&
           l->chunk[2] == l->shape[2] && l->chunk[3] == l->shape[3] &&
           strlen(s->file->path) < PATH_MAX;
}

gwf_status gwf_plane_source_open(const gwf_nc *file, const gwf_nc_variable *v,
                                 const gwf_packing *packing, gwf_plane_source **source,
                                 gwf_error *err)
{
    gwf_plane_source *s = *source = malloc(sizeof *s);
    if (!s) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    *s = (gwf_plane_source){file, v, packing, {-1, -1}, {0}, -1};
    if (gwf_chunk_source_open(file, v, &s->chunks, &s->layout) && lies_plain(s))
        s->descriptor = open_same(file);
    if (s->descriptor < 0) gwf_plane_source_close(source);
    return GWF_OK;
}

void gwf_plane_source_close(gwf_plane_source **source)
{
    gwf_plane_source *s = *source;
    if (!s) return;
    gwf_chunk_source_close(&s->chunks);
    if (s->descriptor >= 0) close(s->descriptor);
    free(s);
    *source = NULL;
}

/* Where plane number `plane` of a row is; *begins of the chunk `first` was looked up before. */
static bool find_plane(const gwf_plane_source *s, size_t row, size_t plane, size_t *first,
                       uint64_t *begins, uint64_t *offset)
{
    const size_t *chunk = s->layout.chunk;
    const size_t at[GWF_NC_RANK] = {row - row % chunk[0], plane - plane % chunk[1]};
    const uint64_t bytes = sizeof(float) * chunk[2] * chunk[3];
    if (*first != at[1] && !gwf_chunk_source_address(&s->chunks, &s->layout, at, begins))
        return false;
    *first = at[1];
    *offset = *begins + bytes * ((row - at[0]) * chunk[1] + plane - at[1]);
    return *offset >= *begins && *offset <= (uint64_t)s->file->bytes &&
           bytes <= (uint64_t)s->file->bytes - *offset;
}

/* Ask the system for what will be read, run by run. */
static void ask_for(const gwf_planes *p, int count)
{
    const uint64_t bytes = sizeof(float) * p->values;
    for (int i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && p->offset[i + n] == p->offset[i] + bytes * (uint64_t)n;) n++;
        posix_fadvise(p->descriptor, (off_t)p->offset[i], (off_t)(bytes * (uint64_t)n),
                      POSIX_FADV_WILLNEED);
    }
}

bool gwf_plane_source_find(const gwf_plane_source *source, size_t row, const int *index, int count,
                           gwf_planes *planes)
{
    const gwf_plane_source *s = source;
    size_t first = SIZE_MAX;
    uint64_t begins = 0;
    gwf_planes_forget(planes);
    if (row >= s->layout.shape[0] || count > planes->room) return false;
    for (int i = 0; i < count; i++)
        if (!find_plane(s, row, (size_t)index[i], &first, &begins, &planes->offset[i]))
            return false;
    planes->descriptor = fcntl(s->descriptor, F_DUPFD_CLOEXEC, 0);
    if (planes->descriptor < 0) return false;
    planes->values = s->layout.shape[2] * s->layout.shape[3];
    planes->packing = *s->packing;
    planes->bytes = s->file->bytes;
    snprintf(planes->path, sizeof planes->path, "%s", s->file->path);
    snprintf(planes->variable, sizeof planes->variable, "%s", s->v->name);
    ask_for(planes, count);
    return true;
}
