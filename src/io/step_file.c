#include "io/step_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "io/nc_internal.h"
#include "io/room.h"

static const double commit_seconds = 1.0;

bool gwf_step_is_root(const gwf_step_file *file)
{
    return !file->comm || gwf_comm_rank(file->comm) == 0;
}

gwf_status gwf_step_agree(const gwf_comm *comm, gwf_status mine, gwf_error *err)
{
    return comm ? gwf_agree(comm, mine, err) : mine;
}

bool gwf_step_file_writes(const gwf_step_file *file)
{
    return file->shared || gwf_step_is_root(file);
}

/* Collective when the file is shared. */
gwf_status gwf_step_close(gwf_step_file *file, gwf_error *err)
{
    const gwf_status status = gwf_nc_close(&file->nc, err);
    if (file->descriptor >= 0) close(file->descriptor);
    file->descriptor = -1;
    return status;
}

void gwf_step_destroy(gwf_step_file **file)
{
    if (!*file) return;
    gwf_step_close(*file, NULL);
    gwf_part_free(&(*file)->target);
    free((*file)->taken);
    free(*file);
    *file = NULL;
}

/* --- writing -------------------------------------------------------------------------------- */

static gwf_status refused(const gwf_step_file *file, size_t step, const char *why,
                          const char *field, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: step %zu of %zu %s%s", file->target.path, step,
                    file->planned, why, field);
}

static gwf_status check_step(const gwf_step_file *file, size_t step, double time,
                             const float *const *values, gwf_error *err)
{
    const gwf_step_variables *v = &file->variables;
    if (!gwf_step_file_writes(file))
        return refused(file, step, "is written by rank 0 only", "", err);
    if (file->broken || step >= file->planned || file->taken[step])
        return refused(file, step, "cannot be written (again)", "", err);
    for (int i = 0; i < v->n_fields; i++)
        if (!values[i]) return refused(file, step, "has no ", v->fields[i].name, err);
    if (time == v->fill) return refused(file, step, "has the time that stands for none", "", err);
    return GWF_OK;
}

/* Asked before anything of the step is written: then a full disk is no failure of HDF5's. The file
 * has its size already, but of holes. */
static gwf_status check_room(const gwf_step_file *file, gwf_error *err)
{
    struct stat info;
    if (stat(file->target.part, &info) != 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: is gone (%s)", file->target.part, strerror(errno));
    return gwf_room_check(file->target.path, (uint64_t)file->step_bytes + GWF_STEP_HEADER_BYTES,
                          (uint64_t)info.st_size, err);
}

/* MPI does not say why a write failed: a full disk still is one. */
static gwf_status write_failed(const gwf_step_file *file, const char *name, int rc, gwf_error *err)
{
    const gwf_status status = gwf_nc_fail(&file->nc, name, "writing failed", rc, GWF_ERR_IO, err);
    if (status != GWF_ERR_IO) return status;
    const uint64_t more = (uint64_t)file->step_bytes + GWF_STEP_HEADER_BYTES;
    return gwf_room_check(file->target.path, more, more, err) == GWF_OK ? status : GWF_ERR_DISK;
}

static gwf_status put_step(gwf_step_file *file, size_t step, const float *const *values,
                           gwf_error *err)
{
    const size_t start[GWF_NC_RANK] = {step};
    for (int i = 0; i < file->variables.n_fields; i++) {
        const gwf_step_variable *v = &file->variables.fields[i];
        const int rc = GWF_NC(nc_put_vara_float(file->nc.id, v->id, start, v->shape, values[i]));
        if (rc != NC_NOERR) return write_failed(file, v->name, rc, err);
    }
    return GWF_OK;
}

/* To the disk itself, so that what follows never gets there before. In a shared file nothing waits
 * in HDF5, whose own flush would be collective. */
static gwf_status flush(const gwf_step_file *file, gwf_error *err)
{
    const int rc = file->shared ? NC_NOERR : GWF_NC(nc_sync(file->nc.id));
    if (rc != NC_NOERR) return write_failed(file, NULL, rc, err);
    if (GWF_NC(fdatasync(file->descriptor)) == 0) return GWF_OK;
    return write_failed(file, NULL, errno, err);
}

static gwf_status put_times(gwf_step_file *file, gwf_error *err)
{
    for (size_t i = 0; i < file->n_pending; i++) {
        const gwf_step_pending *p = &file->pending[i];
        const int rc =
            GWF_NC(nc_put_var1_double(file->nc.id, file->variables.time, &p->step, &p->time));
        if (rc != NC_NOERR) return write_failed(file, "time", rc, err);
    }
    return GWF_OK;
}

/* After a failure nobody knows what is on the disk: these steps stay unfinished. */
gwf_status gwf_step_file_commit(gwf_step_file *file, gwf_error *err)
{
    if (file->n_pending == 0) return GWF_OK;
    gwf_status status = flush(file, err);
    if (status == GWF_OK) status = put_times(file, err);
    if (status == GWF_OK) status = flush(file, err);
    if (status == GWF_OK)
        file->done += file->n_pending;
    else
        file->broken = true;
    file->n_pending = 0;
    file->committed = gwf_now();
    return status;
}

gwf_status gwf_step_file_write(gwf_step_file *file, size_t step, double time,
                               const float *const *values, gwf_error *err)
{
    GWF_TRY(check_step(file, step, time, values, err));
    GWF_TRY(check_room(file, err));
    const gwf_status status = put_step(file, step, values, err);
    if (status != GWF_OK) {
        file->broken = true;
        return status;
    }
    /* No more than a wish: what is on the disk leaves the page cache, where the next step's pages
     * then need not be found anew; the rest is begun, so that the commit finds little to wait for.
     */
    posix_fadvise(file->descriptor, 0, 0, POSIX_FADV_DONTNEED);
    file->taken[step] = 1;
    file->pending[file->n_pending++] = (gwf_step_pending){step, time};
    const bool due =
        file->n_pending == GWF_STEP_PENDING || gwf_now() - file->committed >= commit_seconds;
    return due ? gwf_step_file_commit(file, err) : GWF_OK;
}

/* --- ending --------------------------------------------------------------------------------- */

/* Collective: commit, close. *total: finished steps of all ranks. */
static gwf_status end(gwf_step_file *file, size_t *total, gwf_error *err)
{
    gwf_status status = gwf_step_file_commit(file, err);
    const gwf_status closed = gwf_step_close(file, status == GWF_OK ? err : NULL);
    if (status == GWF_OK) status = closed;
    double sum = (double)file->done;
    if (file->comm) gwf_comm_sum(file->comm, &sum, 1, NULL);
    *total = (size_t)sum;
    return gwf_step_agree(file->comm, status, err);
}

static gwf_status finish(gwf_step_file *file, gwf_error *err)
{
    size_t total = 0;
    GWF_TRY(end(file, &total, err));
    if (total != file->planned)
        return gwf_fail(err, GWF_ERR_INTERNAL, "%s: %zu of %zu steps are written; they are in %s",
                        file->target.path, total, file->planned, file->target.part);
    return gwf_step_agree(
        file->comm, gwf_step_is_root(file) ? gwf_part_finish(&file->target, err) : GWF_OK, err);
}

gwf_status gwf_step_file_finish(gwf_step_file **file, gwf_error *err)
{
    const gwf_status status = finish(*file, err);
    gwf_step_destroy(file);
    return status;
}

size_t gwf_step_file_abandon(gwf_step_file **file)
{
    if (!*file) return 0;
    size_t kept = 0;
    end(*file, &kept, NULL);
    if (kept == 0 && gwf_step_is_root(*file)) gwf_part_remove(&(*file)->target);
    gwf_step_destroy(file);
    return kept;
}
