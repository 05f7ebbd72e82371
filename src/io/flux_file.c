#include "io/flux_file.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/size.h"
#include "io/flux_internal.h"
#include "io/nc_internal.h"
#include "io/room.h"

/* What HDF5 needs beside the values: header and chunk index, generously. */
enum { HEADER_BYTES = 256 * 1024, INDEX_BYTES = 1024 };

struct gwf_flux_file {
    gwf_nc nc; /* PATH.part */
    char *path, *part;
    size_t nlev, nlat, nlon, channels;
    size_t done, planned; /* steps */
    size_t step_bytes;
    gwf_flux_variables variables;
    bool overwrite;
    bool broken; /* a write failed half way: nothing can follow */
};

static void destroy(gwf_flux_file **file)
{
    if (!*file) return;
    gwf_nc_close(&(*file)->nc, NULL);
    free((*file)->path);
    free((*file)->part);
    free(*file);
    *file = NULL;
}

/* --- creating ------------------------------------------------------------------------------- */

static gwf_status check_layout(const char *path, const gwf_flux_layout *l, gwf_error *err)
{
    const bool complete = l->lat && l->lon && l->level_number && l->a && l->b;
    if (complete && l->nlev > 0 && l->nlat > 0 && l->nlon > 0 && l->prediction_channels >= 0)
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: its layout is not complete", path);
}

static gwf_status make(const char *path, const gwf_flux_layout *l, gwf_flux_file **made,
                       gwf_error *err)
{
    gwf_flux_file *file = calloc(1, sizeof *file);
    *made = file;
    if (!file) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    file->nc.id = -1;
    file->path = strdup(path);
    if (asprintf(&file->part, "%s.part", path) < 0) file->part = NULL;
    if (!file->path || !file->part) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    file->nlev = l->nlev;
    file->nlat = l->nlat;
    file->nlon = l->nlon;
    file->channels = (size_t)l->prediction_channels;
    file->planned = l->steps;
    file->overwrite = l->overwrite;
    const size_t shape[4] = {2 * l->nlev + file->channels, l->nlat, l->nlon, sizeof(float)};
    if (!gwf_size_product(shape, 4, &file->step_bytes) || file->step_bytes > SIZE_MAX / 2)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: a step is too large", path);
    return GWF_OK;
}

static gwf_status check_target(const gwf_flux_file *file, gwf_error *err)
{
    struct stat info;
    if (stat(file->path, &info) == 0 && !S_ISREG(info.st_mode))
        return gwf_fail(err, GWF_ERR_IO, "%s: is a %s, cannot be written", file->path,
                        S_ISDIR(info.st_mode) ? "directory" : "device or pipe");
    if (file->overwrite) return GWF_OK;
    if (lstat(file->path, &info) == 0)
        return gwf_fail(err, GWF_ERR_EXISTS,
                        "%s: exists; remove it, or ask for it to be overwritten", file->path);
    if (lstat(file->part, &info) == 0)
        return gwf_fail(err, GWF_ERR_EXISTS,
                        "%s: holds the finished steps of an earlier run; move or remove it, or ask "
                        "for it to be overwritten",
                        file->part);
    return GWF_OK;
}

/* Room for all steps; the blocks of an old PATH.part are given back first. */
static gwf_status check_room(const gwf_flux_file *file, gwf_error *err)
{
    struct stat old;
    uint64_t total;
    if (__builtin_mul_overflow((uint64_t)file->step_bytes + INDEX_BYTES, (uint64_t)file->planned,
                               &total) ||
        total > INT64_MAX)
        total = INT64_MAX;
    total += HEADER_BYTES;
    const uint64_t back =
        lstat(file->part, &old) == 0 && S_ISREG(old.st_mode) ? (uint64_t)old.st_blocks * 512 : 0;
    return gwf_room_check(file->path, total > back ? total - back : 0, total, err);
}

/* Our own new file, and the system's own word for why there cannot be one. */
static gwf_status reserve(const gwf_flux_file *file, gwf_error *err)
{
    if (file->overwrite) unlink(file->part);
    const int descriptor = open(file->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return gwf_fail(err, errno == EEXIST ? GWF_ERR_EXISTS : GWF_ERR_IO,
                        "%s: cannot be created (%s)", file->part, strerror(errno));
    close(descriptor);
    return GWF_OK;
}

static gwf_status begin(gwf_flux_file *file, const gwf_flux_layout *layout, gwf_error *err)
{
    GWF_TRY(reserve(file, err));
    gwf_status status = gwf_nc_create(file->part, &file->nc, err);
    if (status == GWF_OK) status = gwf_flux_header_write(&file->nc, layout, &file->variables, err);
    if (status == GWF_OK) return GWF_OK;
    gwf_nc_close(&file->nc, NULL);
    unlink(file->part);
    return status;
}

gwf_status gwf_flux_file_create(const char *path, const gwf_flux_layout *layout,
                                gwf_flux_file **file, gwf_error *err)
{
    gwf_status status;
    *file = NULL;
    GWF_TRY(gwf_nc_check_local(path, err));
    GWF_TRY(check_layout(path, layout, err));
    GWF_TRY_DONE(make(path, layout, file, err));
    GWF_TRY_DONE(check_target(*file, err));
    GWF_TRY_DONE(check_room(*file, err));
    GWF_TRY_DONE(begin(*file, layout, err));
done:
    if (status != GWF_OK) destroy(file);
    return status;
}

/* --- writing -------------------------------------------------------------------------------- */

/* Asked before anything of the step is written: then a full disk leaves the file whole. */
static gwf_status check_step(const gwf_flux_file *file, const float *prediction, gwf_error *err)
{
    if (file->broken || file->done >= file->planned)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: no step can follow step %zu of %zu", file->path,
                        file->done, file->planned);
    if (file->channels > 0 && !prediction)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: step %zu has no prediction", file->path,
                        file->done);
    struct stat info;
    if (stat(file->part, &info) != 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: is gone (%s)", file->part, strerror(errno));
    const uint64_t more = (uint64_t)file->step_bytes + HEADER_BYTES;
    return gwf_room_check(file->path, more, (uint64_t)info.st_size + more, err);
}

static gwf_status put_field(gwf_flux_file *file, const char *name, int id, size_t channels,
                            const float *values, gwf_error *err)
{
    const size_t start[4] = {file->done, 0, 0, 0}, count[4] = {1, channels, file->nlat, file->nlon};
    const int rc = GWF_NC(nc_put_vara_float(file->nc.id, id, start, count, values));
    return rc == NC_NOERR ? GWF_OK
                          : gwf_nc_fail(&file->nc, name, "writing failed", rc, GWF_ERR_IO, err);
}

static gwf_status put_time(gwf_flux_file *file, double time, gwf_error *err)
{
    const int rc =
        GWF_NC(nc_put_var1_double(file->nc.id, file->variables.time, &file->done, &time));
    return rc == NC_NOERR ? GWF_OK
                          : gwf_nc_fail(&file->nc, "time", "writing failed", rc, GWF_ERR_IO, err);
}

/* Without a sync after each step a run that is killed loses all of them. */
static gwf_status put_step(gwf_flux_file *file, double time, const float *uw, const float *vw,
                           const float *prediction, gwf_error *err)
{
    const gwf_flux_variables *ids = &file->variables;
    GWF_TRY(put_field(file, "uw", ids->uw, file->nlev, uw, err));
    GWF_TRY(put_field(file, "vw", ids->vw, file->nlev, vw, err));
    if (file->channels > 0)
        GWF_TRY(put_field(file, "prediction", ids->prediction, file->channels, prediction, err));
    GWF_TRY(put_time(file, time, err));
    const int rc = GWF_NC(nc_sync(file->nc.id));
    return rc == NC_NOERR ? GWF_OK
                          : gwf_nc_fail(&file->nc, NULL, "writing failed", rc, GWF_ERR_IO, err);
}

gwf_status gwf_flux_file_write(gwf_flux_file *file, double time, const float *uw, const float *vw,
                               const float *prediction, gwf_error *err)
{
    GWF_TRY(check_step(file, prediction, err));
    const gwf_status status = put_step(file, time, uw, vw, prediction, err);
    if (status == GWF_OK)
        file->done++;
    else
        file->broken = true;
    return status;
}

/* --- ending --------------------------------------------------------------------------------- */

/* To the disk itself; a folder on some file systems has no such call (EINVAL). */
static int sync_path(const char *path, int flags)
{
    const int descriptor = open(path, flags | O_CLOEXEC);
    if (descriptor < 0) return -1;
    const int rc = fsync(descriptor), e = errno;
    close(descriptor);
    errno = e;
    return rc != 0 && e != EINVAL ? -1 : 0;
}

static int sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash) return sync_path(".", O_RDONLY | O_DIRECTORY);
    if (slash == path) return sync_path("/", O_RDONLY | O_DIRECTORY);
    *slash = '\0';
    const int rc = sync_path(path, O_RDONLY | O_DIRECTORY);
    *slash = '/';
    return rc;
}

static gwf_status system_failed(const gwf_flux_file *file, const char *what, gwf_error *err)
{
    const int e = errno;
    const bool full = e == ENOSPC || e == EDQUOT || e == EFBIG;
    return gwf_fail(err, full ? GWF_ERR_DISK : GWF_ERR_IO,
                    "%s: %s (%s); the finished steps are in %s", file->path, what, strerror(e),
                    file->part);
}

static gwf_status finish(gwf_flux_file *file, gwf_error *err)
{
    struct stat info;
    GWF_TRY(gwf_nc_close(&file->nc, err));
    if (file->broken || file->done != file->planned)
        return gwf_fail(err, GWF_ERR_INTERNAL, "%s: %zu of %zu steps are written; they are in %s",
                        file->path, file->done, file->planned, file->part);
    if (sync_path(file->part, O_RDWR) != 0) return system_failed(file, "writing failed", err);
    if (!file->overwrite && lstat(file->path, &info) == 0)
        return gwf_fail(err, GWF_ERR_EXISTS, "%s: has appeared meanwhile; the result is in %s",
                        file->path, file->part);
    if (rename(file->part, file->path) != 0) return system_failed(file, "cannot be named", err);
    if (sync_folder_of(file->path) != 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: its folder cannot be flushed (%s)", file->path,
                        strerror(errno));
    return GWF_OK;
}

gwf_status gwf_flux_file_finish(gwf_flux_file **file, gwf_error *err)
{
    const gwf_status status = finish(*file, err);
    destroy(file);
    return status;
}

size_t gwf_flux_file_abandon(gwf_flux_file **file)
{
    if (!*file) return 0;
    const size_t kept = (*file)->done;
    gwf_nc_close(&(*file)->nc, NULL);
    if (kept == 0) unlink((*file)->part);
    destroy(file);
    return kept;
}
