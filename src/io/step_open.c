#include "io/step_internal.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/size.h"
#include "io/nc_internal.h"
#include "io/room.h"

enum { INDEX_BYTES = 256 }; /* of HDF5's index for a chunk, generously */

/* --- a new PATH.part ------------------------------------------------------------------------ */

/* Local. resume: a PATH or PATH.part that is there is looked at later. */
static gwf_status make(const char *path, const gwf_step_layout *l, bool resume,
                       gwf_step_file **made, gwf_error *err)
{
    gwf_step_file *file = calloc(1, sizeof *file);
    *made = file;
    if (!file) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    file->nc.id = -1;
    file->descriptor = -1;
    GWF_TRY(gwf_step_layout_check(path, l, &file->variables, &file->step_bytes, &file->steady_bytes,
                                  err));
    file->comm = l->comm && gwf_comm_size(l->comm) > 1 ? l->comm : NULL;
    file->shared = file->comm && l->writer != GWF_WRITE_ROOT && gwf_nc_has_parallel();
    file->planned = l->steps;
    file->committed = -INFINITY;
    /* Rank 0 looks for the others, which then may see what it has made. */
    GWF_TRY(
        gwf_part_open(path, l->overwrite || resume || !gwf_step_is_root(file), &file->target, err));
    file->target.overwrite = l->overwrite;
    return GWF_OK;
}

/* Room for all steps; the blocks of an old PATH.part are given back first. */
static gwf_status check_room(const gwf_step_file *file, gwf_error *err)
{
    struct stat old;
    uint64_t total;
    const uint64_t index = INDEX_BYTES * ((uint64_t)file->variables.n_fields + 1);
    if (__builtin_mul_overflow((uint64_t)file->step_bytes + index, (uint64_t)file->planned,
                               &total) ||
        total > INT64_MAX)
        total = INT64_MAX;
    total += (uint64_t)file->steady_bytes + GWF_STEP_HEADER_BYTES;
    const uint64_t back = lstat(file->target.part, &old) == 0 && S_ISREG(old.st_mode)
                              ? (uint64_t)old.st_blocks * 512
                              : 0;
    return gwf_room_check(file->target.path, total > back ? total - back : 0, total, err);
}

/* The whole structure: from here on only values are written. */
static gwf_status write_draft(gwf_step_file *file, const gwf_step_layout *layout, gwf_error *err)
{
    GWF_TRY(gwf_nc_create(file->target.draft, &file->nc, err));
    gwf_status status = gwf_step_header_write(&file->nc, layout, &file->variables, err);
    if (status == GWF_OK)
        status = gwf_step_space_make(&file->nc, file->planned, &file->variables, err);
    const gwf_status closed = gwf_nc_close(&file->nc, status == GWF_OK ? err : NULL);
    return status == GWF_OK ? closed : status;
}

static gwf_status make_part(gwf_step_file *file, const gwf_step_layout *layout, gwf_error *err)
{
    GWF_TRY(check_room(file, err));
    GWF_TRY(gwf_part_create_draft(&file->target, err));
    const gwf_status status = write_draft(file, layout, err);
    if (status == GWF_OK) return gwf_part_publish_draft(&file->target, err);
    gwf_part_remove_draft(&file->target);
    return status;
}

/* --- opening it for the steps --------------------------------------------------------------- */

static gwf_status tune(gwf_step_file *file, const gwf_step_layout *l, gwf_error *err)
{
    gwf_step_variables *v = &file->variables;
    GWF_TRY(gwf_step_variables_find(&file->nc, l, v, err));
    int rc = gwf_nc_write_through(&file->nc, v->time);
    for (int i = 0; i < v->n_fields && rc == NC_NOERR; i++)
        rc = gwf_nc_write_through(&file->nc, v->fields[i].id);
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(&file->nc, NULL, "cannot be prepared for writing", rc, GWF_ERR_IO, err);
}

/* Local. HDF5 locks the file itself unless it is shared. */
static gwf_status open_descriptor(gwf_step_file *file, gwf_error *err)
{
    if (!gwf_step_file_writes(file)) return GWF_OK;
    file->taken = calloc(file->planned ? file->planned : 1, 1);
    if (!file->taken)
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory for %zu steps", file->target.path,
                        file->planned);
    GWF_TRY(gwf_part_descriptor(&file->target, &file->descriptor, err));
    return gwf_step_is_root(file)
               ? gwf_part_lock(&file->target, file->descriptor, file->shared, err)
               : GWF_OK;
}

/* Collective. */
static gwf_status open_part(gwf_step_file *file, const gwf_step_layout *l, gwf_error *err)
{
    GWF_TRY(gwf_step_agree(file->comm, open_descriptor(file, err), err));
    gwf_status status = GWF_OK;
    if (gwf_step_file_writes(file))
        status =
            gwf_nc_open_write(file->target.part, file->shared ? file->comm : NULL, &file->nc, err);
    if (status == GWF_OK && gwf_step_file_writes(file)) status = tune(file, l, err);
    return gwf_step_agree(file->comm, status, err);
}

gwf_status gwf_step_file_create(const char *path, const gwf_step_layout *layout,
                                gwf_step_file **file, gwf_error *err)
{
    *file = NULL;
    gwf_status status = make(path, layout, false, file, err);
    GWF_TRY_DONE(gwf_step_agree(layout->comm, status, err));
    status = gwf_step_is_root(*file) ? make_part(*file, layout, err) : GWF_OK;
    GWF_TRY_DONE(gwf_step_agree((*file)->comm, status, err));
    status = open_part(*file, layout, err);
    if (status != GWF_OK && gwf_step_is_root(*file)) gwf_part_remove(&(*file)->target);
done:
    if (status != GWF_OK) gwf_step_destroy(file);
    return status;
}

/* --- going on with an old one --------------------------------------------------------------- */

/* PATH is there. */
static gwf_status look_at_result(gwf_step_file *file, const gwf_step_layout *l, unsigned char *done,
                                 bool *complete, gwf_error *err)
{
    gwf_nc nc;
    const char *path = file->target.path;
    *complete = gwf_nc_open(path, &nc, NULL) == GWF_OK;
    if (*complete) {
        *complete = gwf_step_resume_same_job(&nc, l, &file->variables);
        gwf_nc_close(&nc, NULL);
    }
    if (!*complete) return gwf_fail(err, GWF_ERR_EXISTS, "%s: exists, from another job", path);
    memset(done, 1, l->steps);
    return gwf_fail(err, GWF_ERR_EXISTS, "%s: is complete", path);
}

static gwf_status unreadable(gwf_error *err, gwf_status status)
{
    if (status == GWF_ERR_FORMAT && err) {
        gwf_error text = *err;
        gwf_fail(err, status, "%.*s; remove it or begin anew (--overwrite)", GWF_ERROR_TEXT - 64,
                 text.text);
    }
    return status;
}

/* PATH.part is there; nobody may be writing it. */
static gwf_status look_at_part(gwf_step_file *file, const gwf_step_layout *l, unsigned char *done,
                               gwf_error *err)
{
    gwf_nc nc;
    int descriptor = -1;
    struct stat info = {0};
    GWF_TRY(gwf_part_descriptor(&file->target, &descriptor, err));
    gwf_status status = gwf_part_lock(&file->target, descriptor, false, err);
    fstat(descriptor, &info);
    close(descriptor);
    GWF_TRY(status);
    GWF_TRY(unreadable(err, gwf_nc_open(file->target.part, &nc, err)));
    status = unreadable(err, gwf_step_resume_check(&nc, l, &file->variables, done, err));
    gwf_nc_close(&nc, NULL);
    GWF_TRY(status);
    uint64_t more = 0;
    for (size_t s = 0; s < l->steps; s++) more += done[s] ? 0 : file->step_bytes;
    return gwf_room_check(file->target.path, more, (uint64_t)info.st_size, err);
}

/* Rank 0's part of resume(). */
static gwf_status look(gwf_step_file *file, const gwf_step_layout *l, unsigned char *done,
                       bool *complete, gwf_error *err)
{
    struct stat info;
    memset(done, 0, l->steps);
    if (lstat(file->target.path, &info) == 0) return look_at_result(file, l, done, complete, err);
    if (lstat(file->target.part, &info) == 0) return look_at_part(file, l, done, err);
    return make_part(file, l, err);
}

static void take_done(gwf_step_file *file, const unsigned char *done)
{
    if (!file->taken) return;
    memcpy(file->taken, done, file->planned);
    for (size_t s = 0; s < file->planned && gwf_step_is_root(file); s++) file->done += done[s];
}

gwf_status gwf_step_file_resume(const char *path, const gwf_step_layout *layout,
                                unsigned char *done, bool *complete, gwf_step_file **file,
                                gwf_error *err)
{
    *file = NULL;
    *complete = false;
    gwf_status status = GWF_OK;
    if (layout->overwrite)
        status =
            gwf_fail(err, GWF_ERR_ARGUMENT, "%s: resume and overwrite exclude each other", path);
    if (status == GWF_OK) status = make(path, layout, true, file, err);
    GWF_TRY_DONE(gwf_step_agree(layout->comm, status, err));
    const gwf_comm *comm = (*file)->comm;
    status = gwf_step_is_root(*file) ? look(*file, layout, done, complete, err) : GWF_OK;
    if (comm) {
        gwf_comm_broadcast(comm, complete, sizeof *complete, 0, NULL);
        gwf_comm_broadcast(comm, done, layout->steps, 0, NULL);
    }
    GWF_TRY_DONE(gwf_step_agree(comm, status, err));
    GWF_TRY_DONE(open_part(*file, layout, err));
    take_done(*file, done);
done:
    if (status != GWF_OK) gwf_step_destroy(file);
    return status;
}
