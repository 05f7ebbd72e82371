#include "io/flux_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "io/nc_internal.h"
#include "io/room.h"

static const double commit_seconds = 1.0;

bool gwf_flux_is_root(const gwf_flux_file *file)
{
    return !file->comm || gwf_comm_rank(file->comm) == 0;
}

gwf_status gwf_flux_agree(const gwf_comm *comm, gwf_status mine, gwf_error *err)
{
    return comm ? gwf_agree(comm, mine, err) : mine;
}

bool gwf_flux_file_writes(const gwf_flux_file *file)
{
    return file->shared || gwf_flux_is_root(file);
}

/* Collective when the file is shared. */
gwf_status gwf_flux_close(gwf_flux_file *file, gwf_error *err)
{
    const gwf_status status = gwf_nc_close(&file->nc, err);
    if (file->descriptor >= 0) close(file->descriptor);
    file->descriptor = -1;
    return status;
}

void gwf_flux_destroy(gwf_flux_file **file)
{
    if (!*file) return;
    gwf_flux_close(*file, NULL);
    gwf_part_free(&(*file)->target);
    free((*file)->taken);
    free(*file);
    *file = NULL;
}

/* --- writing -------------------------------------------------------------------------------- */

/* Asked before anything of the step is written: then a full disk is no failure of HDF5's. The file
 * has its size already, but of holes. */
static gwf_status check_step(const gwf_flux_file *file, size_t step, double time,
                             const float *prediction, gwf_error *err)
{
    const char *wrong = NULL;
    if (!gwf_flux_file_writes(file))
        wrong = "is written by rank 0 only";
    else if (file->broken || step >= file->planned || file->taken[step])
        wrong = "cannot be written (again)";
    else if (file->channels > 0 && !prediction)
        wrong = "has no prediction";
    else if (time == file->variables.fill)
        wrong = "has the time that stands for none";
    if (wrong)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: step %zu of %zu %s", file->target.path, step,
                        file->planned, wrong);
    struct stat info;
    if (stat(file->target.part, &info) != 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: is gone (%s)", file->target.part, strerror(errno));
    return gwf_room_check(file->target.path, (uint64_t)file->step_bytes + GWF_FLUX_HEADER_BYTES,
                          (uint64_t)info.st_size, err);
}

/* MPI does not say why a write failed: a full disk still is one. */
static gwf_status write_failed(const gwf_flux_file *file, const char *name, int rc, gwf_error *err)
{
    const gwf_status status = gwf_nc_fail(&file->nc, name, "writing failed", rc, GWF_ERR_IO, err);
    if (status != GWF_ERR_IO) return status;
    const uint64_t more = (uint64_t)file->step_bytes + GWF_FLUX_HEADER_BYTES;
    return gwf_room_check(file->target.path, more, more, err) == GWF_OK ? status : GWF_ERR_DISK;
}

static gwf_status put_field(gwf_flux_file *file, const char *name, int id, size_t step,
                            size_t channels, const float *values, gwf_error *err)
{
    const size_t start[4] = {step, 0, 0, 0}, count[4] = {1, channels, file->nlat, file->nlon};
    const int rc = GWF_NC(nc_put_vara_float(file->nc.id, id, start, count, values));
    return rc == NC_NOERR ? GWF_OK : write_failed(file, name, rc, err);
}

static gwf_status put_step(gwf_flux_file *file, size_t step, const float *uw, const float *vw,
                           const float *prediction, gwf_error *err)
{
    const gwf_flux_variables *ids = &file->variables;
    GWF_TRY(put_field(file, "uw", ids->uw, step, file->nlev, uw, err));
    GWF_TRY(put_field(file, "vw", ids->vw, step, file->nlev, vw, err));
    if (file->channels == 0) return GWF_OK;
    return put_field(file, "prediction", ids->prediction, step, file->channels, prediction, err);
}

/* To the disk itself, so that what follows never gets there before. In a shared file nothing waits
 * in HDF5, whose own flush would be collective. */
static gwf_status flush(const gwf_flux_file *file, gwf_error *err)
{
    const int rc = file->shared ? NC_NOERR : GWF_NC(nc_sync(file->nc.id));
    if (rc != NC_NOERR) return write_failed(file, NULL, rc, err);
    if (GWF_NC(fdatasync(file->descriptor)) == 0) return GWF_OK;
    return write_failed(file, NULL, errno, err);
}

static gwf_status put_times(gwf_flux_file *file, gwf_error *err)
{
    for (size_t i = 0; i < file->n_pending; i++) {
        const gwf_flux_pending *p = &file->pending[i];
        const int rc =
            GWF_NC(nc_put_var1_double(file->nc.id, file->variables.time, &p->step, &p->time));
        if (rc != NC_NOERR) return write_failed(file, "time", rc, err);
    }
    return GWF_OK;
}

/* After a failure nobody knows what is on the disk: these steps stay unfinished. */
gwf_status gwf_flux_file_commit(gwf_flux_file *file, gwf_error *err)
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

gwf_status gwf_flux_file_write(gwf_flux_file *file, size_t step, double time, const float *uw,
                               const float *vw, const float *prediction, gwf_error *err)
{
    GWF_TRY(check_step(file, step, time, prediction, err));
    const gwf_status status = put_step(file, step, uw, vw, prediction, err);
    if (status != GWF_OK) {
        file->broken = true;
        return status;
    }
    /* Begun now, so that the commit finds little left to wait for; no more than a wish. */
    sync_file_range(file->descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
    file->taken[step] = 1;
    file->pending[file->n_pending++] = (gwf_flux_pending){step, time};
    const bool due =
        file->n_pending == GWF_FLUX_PENDING || gwf_now() - file->committed >= commit_seconds;
    return due ? gwf_flux_file_commit(file, err) : GWF_OK;
}

/* --- ending --------------------------------------------------------------------------------- */

/* Collective: commit, close. *total: finished steps of all ranks. */
static gwf_status end(gwf_flux_file *file, size_t *total, gwf_error *err)
{
    gwf_status status = gwf_flux_file_commit(file, err);
    const gwf_status closed = gwf_flux_close(file, status == GWF_OK ? err : NULL);
    if (status == GWF_OK) status = closed;
    double sum = (double)file->done;
    if (file->comm) gwf_comm_sum(file->comm, &sum, 1, NULL);
    *total = (size_t)sum;
    return gwf_flux_agree(file->comm, status, err);
}

static gwf_status finish(gwf_flux_file *file, gwf_error *err)
{
    size_t total = 0;
    GWF_TRY(end(file, &total, err));
    if (total != file->planned)
        return gwf_fail(err, GWF_ERR_INTERNAL, "%s: %zu of %zu steps are written; they are in %s",
                        file->target.path, total, file->planned, file->target.part);
    return gwf_flux_agree(
        file->comm, gwf_flux_is_root(file) ? gwf_part_finish(&file->target, err) : GWF_OK, err);
}

gwf_status gwf_flux_file_finish(gwf_flux_file **file, gwf_error *err)
{
    const gwf_status status = finish(*file, err);
    gwf_flux_destroy(file);
    return status;
}

size_t gwf_flux_file_abandon(gwf_flux_file **file)
{
    if (!*file) return 0;
    size_t kept = 0;
    end(*file, &kept, NULL);
    if (kept == 0 && gwf_flux_is_root(*file)) gwf_part_remove(&(*file)->target);
    gwf_flux_destroy(file);
    return kept;
}
