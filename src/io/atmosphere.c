#include "io/atmosphere.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/size.h"
#include "io/atmosphere_internal.h"
#include "io/nc_internal.h"

/* --- files as they were --------------------------------------------------------------------- */

gwf_status gwf_atm_stamp_take(const char *path, gwf_atm_stamp *stamp, gwf_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return gwf_fail(err, GWF_ERR_NOT_FOUND, "%s: cannot be opened (%s)", path, strerror(errno));
    *stamp = (gwf_atm_stamp){info.st_dev, info.st_ino, info.st_mode, info.st_size, info.st_mtim};
    return GWF_OK;
}

gwf_status gwf_atm_stamp_check(const char *path, const gwf_atm_stamp *stamp, gwf_error *err)
{
    gwf_atm_stamp now = {0};
    GWF_TRY(gwf_atm_stamp_take(path, &now, err));
    if (now.device == stamp->device && now.inode == stamp->inode && now.size == stamp->size &&
        now.changed.tv_sec == stamp->changed.tv_sec &&
        now.changed.tv_nsec == stamp->changed.tv_nsec)
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_DATA,
                    "%s: changed since it was opened (is another program writing it?)", path);
}

/* GRIB messages begin with "GRIB"; everything else is left to NetCDF-C. */
bool gwf_is_grib(const char *path)
{
    char word[4] = "";
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return false;
    const bool grib = read(descriptor, word, sizeof word) == sizeof word &&
                      memcmp(word, "GRIB", sizeof word) == 0;
    close(descriptor);
    return grib;
}

/* --- opening and closing -------------------------------------------------------------------- */

static gwf_status scan(gwf_atmosphere *atmosphere, const char *path, size_t i, gwf_error *err)
{
    gwf_atm_file *file = &atmosphere->files[i];
    GWF_TRY(gwf_nc_check_local(path, err));
    file->path = strdup(path);
    if (!file->path) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    atmosphere->n_files = i + 1;
    GWF_TRY(gwf_atm_stamp_take(path, &file->stamp, err));
    file->grib = S_ISREG(file->stamp.mode) && gwf_is_grib(path);
    GWF_TRY(file->grib ? gwf_atm_grib_scan(atmosphere, i, err)
                       : gwf_atm_nc_scan(atmosphere, i, err));
    return gwf_atm_stamp_check(path, &file->stamp, err);
}

/* A file among the others that has nothing of what is looked for: often the wrong one. */
static void note_unused(const gwf_atmosphere *atmosphere, const char *path, size_t count)
{
    if (count == 1) gwf_log_line(&atmosphere->log, "%s: nothing in it is used", path);
    if (count > 1)
        gwf_log_line(&atmosphere->log, "%s and %zu more files: nothing in them is used", path,
                     count - 1);
}

static gwf_status scan_all(gwf_atmosphere *atmosphere, const gwf_atmosphere_config *config,
                           gwf_error *err)
{
    if (config->n_paths < 1) return gwf_fail(err, GWF_ERR_ARGUMENT, "no files were given");
    GWF_TRY(gwf_atm_check_mapping(config, err));
    atmosphere->files = calloc((size_t)config->n_paths, sizeof *atmosphere->files);
    if (!atmosphere->files)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d files", config->n_paths);
    const char *unused = "";
    size_t n_unused = 0;
    for (int i = 0; i < config->n_paths; i++) {
        const size_t before = atmosphere->n_pieces;
        GWF_TRY(scan(atmosphere, config->paths[i], (size_t)i, err));
        if (atmosphere->n_pieces == before && n_unused++ == 0) unused = config->paths[i];
    }
    if (atmosphere->n_pieces > 0) note_unused(atmosphere, unused, n_unused);
    return gwf_atm_join(atmosphere, err);
}

gwf_status gwf_atmosphere_open(const gwf_atmosphere_config *config, gwf_atmosphere **atmosphere,
                               gwf_error *err)
{
    gwf_atmosphere *a = *atmosphere = calloc(1, sizeof **atmosphere);
    if (!a) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory");
    a->config = config;
    a->threads = config->threads > 0 ? config->threads : 1;
    a->wanted = config->quantities ? config->quantities : GWF_QUANTITY_BIT(GWF_QUANTITIES) - 1;
    a->cells = config->cells;
    if (config->log) a->log = *config->log;
    for (int i = 0; i < GWF_QUANTITIES; i++) a->quantities[i].cursor.descriptor = -1;
    const gwf_status status = scan_all(a, config, err);
    a->config = NULL;
    if (status != GWF_OK) gwf_atmosphere_close(atmosphere);
    return status;
}

static void stop(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor)
{
    if (!cursor->piece) return;
    if (atmosphere->files[cursor->piece->file].grib)
        gwf_atm_grib_stop(cursor);
    else
        gwf_atm_nc_stop(atmosphere, cursor);
    cursor->piece = NULL;
}

void gwf_atmosphere_close(gwf_atmosphere **atmosphere)
{
    gwf_atmosphere *a = *atmosphere;
    if (!a) return;
    for (int i = 0; i < GWF_QUANTITIES; i++) {
        stop(a, &a->quantities[i].cursor);
        free(a->quantities[i].pieces);
        free(a->quantities[i].first);
    }
    for (size_t i = 0; i < a->n_pieces; i++) {
        free(a->pieces[i].seconds);
        free(a->pieces[i].messages);
    }
    for (size_t i = 0; i < a->n_files; i++) free(a->files[i].path);
    gwf_atm_grid_free(&a->grid);
    gwf_atm_levels_free(&a->levels);
    free(a->header.seconds);
    free(a->header.time);
    free(a->pieces);
    free(a->files);
    free(a->scratch);
    free(a->bytes);
    free(a->decoded);
    free(a);
    *atmosphere = NULL;
}

/* --- what was found ------------------------------------------------------------------------- */

const gwf_atmosphere_header *gwf_atmosphere_header_of(const gwf_atmosphere *atmosphere)
{
    return &atmosphere->header;
}

gwf_status gwf_atmosphere_require(const gwf_atmosphere *atmosphere, gwf_quantity quantity,
                                  gwf_error *err)
{
    if (quantity < 0 || quantity >= GWF_QUANTITIES)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "there is no quantity %d", (int)quantity);
    if (atmosphere->header.fields[quantity].found) return GWF_OK;
    const char *const why = atmosphere->why_not[quantity];
    if (why[0])
        return gwf_fail(err, GWF_ERR_FORMAT, "no %s that can be read: %s",
                        gwf_quantity_text(quantity), why);
    return gwf_fail(err, GWF_ERR_FORMAT, "%s%s: no %s (%s); found %s", atmosphere->files[0].path,
                    atmosphere->n_files > 1 ? " and the other files" : "",
                    gwf_quantity_text(quantity), gwf_quantity_word(quantity), atmosphere->found);
}

/* --- reading -------------------------------------------------------------------------------- */

gwf_status gwf_atm_scratch(gwf_atmosphere *atmosphere, size_t n, gwf_error *err)
{
    size_t bytes;
    if (atmosphere->scratch_values >= n) return GWF_OK;
    float *more =
        gwf_size_mul(n, sizeof *more, &bytes) ? realloc(atmosphere->scratch, bytes) : NULL;
    if (!more) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu values", n);
    atmosphere->scratch = more;
    atmosphere->scratch_values = n;
    return GWF_OK;
}

/* The last piece that begins at the step or before it. */
static size_t piece_of(const gwf_atm_quantity *q, size_t step)
{
    size_t low = 0, high = q->count;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (q->first[middle] <= step)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static gwf_status check_request(const gwf_atmosphere *atmosphere, gwf_quantity quantity,
                                size_t step, size_t level, size_t levels, gwf_error *err)
{
    GWF_TRY(gwf_atmosphere_require(atmosphere, quantity, err));
    const gwf_atmosphere_header *h = &atmosphere->header;
    const size_t nlev = gwf_quantity_has_levels(quantity) ? h->nlev : 1;
    if (step >= h->steps)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: step %zu, there are %zu",
                        h->fields[quantity].path, step, h->steps);
    if (levels < 1 || levels > nlev || level > nlev - levels)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: %zu levels from level %zu, there are %zu",
                        h->fields[quantity].path, levels, level, nlev);
    return GWF_OK;
}

/* Put the cursor on the piece; only then is a file opened. */
static gwf_status move(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor,
                       const gwf_atm_piece *piece, gwf_error *err)
{
    const gwf_atm_file *file = &atmosphere->files[piece->file];
    if (cursor->piece != piece) stop(atmosphere, cursor);
    GWF_TRY(gwf_atm_stamp_check(file->path, &file->stamp, err));
    if (cursor->piece == piece) return GWF_OK;
    cursor->piece = piece;
    const gwf_status status = file->grib ? gwf_atm_grib_start(atmosphere, cursor, err)
                                         : gwf_atm_nc_start(atmosphere, cursor, err);
    if (status != GWF_OK) cursor->piece = NULL;
    return status;
}

gwf_status gwf_atmosphere_read(gwf_atmosphere *atmosphere, gwf_quantity quantity, size_t step,
                               size_t first_level, size_t n_levels, float *values, gwf_error *err)
{
    GWF_TRY(check_request(atmosphere, quantity, step, first_level, n_levels, err));
    gwf_atm_quantity *q = &atmosphere->quantities[quantity];
    const size_t at = piece_of(q, step), in_piece = quantity == GWF_ZS ? 0 : step - q->first[at];
    GWF_TRY(move(atmosphere, &q->cursor, q->pieces[at], err));
    return atmosphere->files[q->pieces[at]->file].grib
               ? gwf_atm_grib_read(atmosphere, &q->cursor, in_piece, first_level, n_levels, values,
                                   err)
               : gwf_atm_nc_read(atmosphere, &q->cursor, in_piece, first_level, n_levels, values,
                                 err);
}

const char *gwf_atmosphere_path(const gwf_atmosphere *atmosphere, gwf_quantity quantity,
                                size_t step)
{
    const gwf_atm_quantity *q = &atmosphere->quantities[quantity];
    return q->count ? atmosphere->files[q->pieces[piece_of(q, step)]->file].path : "";
}
