#include "io/flux_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/size.h"
#include "io/flux_internal.h"
#include "io/nc_internal.h"
#include "io/part.h"
#include "io/room.h"

/* What HDF5 needs beside the values: header and chunk index, generously. */
enum { HEADER_BYTES = 256 * 1024, INDEX_BYTES = 1024 };

struct gwf_flux_file {
    gwf_nc nc; /* PATH.part */
    gwf_part target;
    size_t nlev, nlat, nlon, channels;
    size_t done, planned; /* steps */
    size_t step_bytes;
    gwf_flux_variables variables;
    bool broken; /* a write failed half way: nothing can follow */
};

static void destroy(gwf_flux_file **file)
{
    if (!*file) return;
    gwf_nc_close(&(*file)->nc, NULL);
    gwf_part_free(&(*file)->target);
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
    GWF_TRY(gwf_part_open(path, l->overwrite, &file->target, err));
    file->nlev = l->nlev;
    file->nlat = l->nlat;
    file->nlon = l->nlon;
    file->channels = (size_t)l->prediction_channels;
    file->planned = l->steps;
    const size_t shape[4] = {2 * l->nlev + file->channels, l->nlat, l->nlon, sizeof(float)};
    if (!gwf_size_product(shape, 4, &file->step_bytes) || file->step_bytes > SIZE_MAX / 2)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: a step is too large", path);
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
    const uint64_t back = lstat(file->target.part, &old) == 0 && S_ISREG(old.st_mode)
                              ? (uint64_t)old.st_blocks * 512
                              : 0;
    return gwf_room_check(file->target.path, total > back ? total - back : 0, total, err);
}

static gwf_status begin(gwf_flux_file *file, const gwf_flux_layout *layout, gwf_error *err)
{
    GWF_TRY(gwf_part_create(&file->target, err));
    gwf_status status = gwf_nc_create(file->target.part, &file->nc, err);
    if (status == GWF_OK) status = gwf_flux_header_write(&file->nc, layout, &file->variables, err);
    if (status == GWF_OK) return GWF_OK;
    gwf_nc_close(&file->nc, NULL);
    gwf_part_remove(&file->target);
    return status;
}

gwf_status gwf_flux_file_create(const char *path, const gwf_flux_layout *layout,
                                gwf_flux_file **file, gwf_error *err)
{
    gwf_status status;
    *file = NULL;
    GWF_TRY(check_layout(path, layout, err));
    GWF_TRY_DONE(make(path, layout, file, err));
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
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: no step can follow step %zu of %zu",
                        file->target.path, file->done, file->planned);
    if (file->channels > 0 && !prediction)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: step %zu has no prediction", file->target.path,
                        file->done);
    struct stat info;
    if (stat(file->target.part, &info) != 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: is gone (%s)", file->target.part, strerror(errno));
    const uint64_t more = (uint64_t)file->step_bytes + HEADER_BYTES;
    return gwf_room_check(file->target.path, more, (uint64_t)info.st_size + more, err);
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

static gwf_status finish(gwf_flux_file *file, gwf_error *err)
{
    GWF_TRY(gwf_nc_close(&file->nc, err));
    if (file->broken || file->done != file->planned)
        return gwf_fail(err, GWF_ERR_INTERNAL, "%s: %zu of %zu steps are written; they are in %s",
                        file->target.path, file->done, file->planned, file->target.part);
    return gwf_part_finish(&file->target, err);
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
    if (kept == 0) gwf_part_remove(&(*file)->target);
    destroy(file);
    return kept;
}
