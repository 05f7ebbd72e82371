#include "cli/series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/engine.h"
#include "fields/prepare.h"
#include "fields/threads.h"

static const double same_degrees = 0.05; /* stored as float32 of lat/90: far closer than a cell */

static gwf_status check_recipe(const gwf_windset_header *h, const char *path,
                               const gwf_model *model, const gwf_log *log, gwf_error *err)
{
    const gwf_recipe *found = gwf_recipe_in_text(h->text);
    const char *name = h->recipe[0] ? h->recipe : found ? found->name : NULL;
    if (!name) {
        gwf_log_line(log, "%s: does not say how it was normalised, taken as %s", path,
                     model->recipe);
        return GWF_OK;
    }
    if (strcmp(name, model->recipe) == 0) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "%s: features are normalised by recipe %s, the model expects %s", path, name,
                    model->recipe);
}

static gwf_status select_channels(const gwf_windset_header *h, series_file *file,
                                  const gwf_model *model, gwf_error *err)
{
    const gwf_family *family = gwf_family_find((int)h->idim, (int)h->odim, h->text);
    if (!family)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: features has %zu channels (output %zu), expected one of %s",
                        file->path, h->idim, h->odim, gwf_family_names());
    file->index = malloc((size_t)model->in.count * sizeof *file->index);
    if (!file->index) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the channel list");
    const gwf_status status = gwf_family_select(family, &model->in, file->index, err);
    if (status != GWF_OK) gwf_error_prefix(err, "%s: features", file->path);
    return status;
}

static bool same_axis(const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= same_degrees)) return false;
    return true;
}

static gwf_status keep_axis(const double *from, size_t n, double **axis, gwf_error *err)
{
    *axis = malloc(n * sizeof **axis);
    if (!*axis) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for an axis of %zu", n);
    memcpy(*axis, from, n * sizeof **axis);
    return GWF_OK;
}

/* The grid of the first file becomes the series'; it should be the training's. */
static gwf_status take_grid(series *s, const gwf_windset_header *h, const char *path,
                            const gwf_log *log, gwf_error *err)
{
    const gwf_model *model = s->model;
    const bool trained = (int)h->nlat == model->nlat && (int)h->nlon == model->nlon;
    const size_t divisor = (size_t)model->network.divisor;
    s->nlat = h->nlat;
    s->nlon = h->nlon;
    if (h->nlat % divisor || h->nlon % divisor)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: grid of %zu latitudes and %zu longitudes, the network needs multiples "
                        "of %zu",
                        path, h->nlat, h->nlon, divisor);
    if (!trained && !h->coordinates)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: no lat and lon, and its grid of %zu x %zu is not the model's %d x %d",
                        path, h->nlat, h->nlon, model->nlat, model->nlon);
    if (!trained)
        gwf_log_line(log, "%s: grid of %zu x %zu, the network was trained on %d x %d", path,
                     h->nlat, h->nlon, model->nlat, model->nlon);
    else if (h->coordinates &&
             !(same_axis(h->lat, model->lat, h->nlat) && same_axis(h->lon, model->lon, h->nlon)))
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: lat %g..%g, lon %g..%g are not the model's grid (lat %g..%g, lon "
                        "%g..%g)",
                        path, h->lat[0], h->lat[h->nlat - 1], h->lon[0], h->lon[h->nlon - 1],
                        model->lat[0], model->lat[model->nlat - 1], model->lon[0],
                        model->lon[model->nlon - 1]);
    GWF_TRY(keep_axis(h->coordinates ? h->lat : model->lat, h->nlat, &s->lat, err));
    return keep_axis(h->coordinates ? h->lon : model->lon, h->nlon, &s->lon, err);
}

static gwf_status same_grid(const series *s, const gwf_windset_header *h, const char *path,
                            gwf_error *err)
{
    const bool same = h->nlat == s->nlat && h->nlon == s->nlon &&
                      (!h->coordinates ||
                       (same_axis(h->lat, s->lat, s->nlat) && same_axis(h->lon, s->lon, s->nlon)));
    if (same) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH, "%s: its grid (%zu x %zu) is not that of %s (%zu x %zu)",
                    path, h->nlat, h->nlon, s->files[0].path, s->nlat, s->nlon);
}

/* The output has one time axis, so all must count alike. Files are taken in the order given; a time
 * that goes back is worth a word. */
static gwf_status check_time(series *s, gwf_windset *windset, const series_file *file,
                             const gwf_log *log, gwf_error *err)
{
    double first = 0;
    const gwf_windset_header *h = gwf_windset_header_of(windset);
    if (file == s->files) snprintf(s->time, sizeof s->time, "%s", h->time);
    if (strcmp(s->time, h->time) != 0)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: time is %s, that of %s %s", file->path,
                        h->time[0] ? h->time : "missing", s->files[0].path,
                        s->time[0] ? s->time : "missing");
    GWF_TRY(gwf_windset_time(windset, 0, &first, err));
    if (file > s->files && first <= s->last_time)
        gwf_log_line(log, "%s: begins at time %g, %s ends at %g", file->path, first, file[-1].path,
                     s->last_time);
    return gwf_windset_time(windset, h->steps - 1, &s->last_time, err);
}

static gwf_status add_file(series *s, const gwf_log *log, series_file *file, gwf_error *err)
{
    gwf_windset *windset = NULL;
    gwf_status status = GWF_OK;
    GWF_TRY(gwf_windset_open(file->path, &windset, err));
    const gwf_windset_header *h = gwf_windset_header_of(windset);
    GWF_TRY_DONE(select_channels(h, file, s->model, err));
    GWF_TRY_DONE(check_recipe(h, file->path, s->model, log, err));
    GWF_TRY_DONE(file == s->files ? take_grid(s, h, file->path, log, err)
                                  : same_grid(s, h, file->path, err));
    GWF_TRY_DONE(check_time(s, windset, file, log, err));
    s->pressure = (file == s->files || s->pressure) && h->surface_pressure;
    if (h->advice[0]) gwf_log_line(log, "%s", h->advice);
    file->idim = h->idim;
    file->first = s->steps;
    s->steps += h->steps;
done:
    gwf_windset_close(&windset);
    return status;
}

gwf_status series_create(const char *const *paths, int count, const gwf_model *model,
                         const gwf_log *log, series *s, gwf_error *err)
{
    *s = (series){.model = model, .open_number = -1};
    s->files = calloc((size_t)count, sizeof *s->files);
    if (!s->files) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the list of inputs");
    s->n_files = count;
    for (int i = 0; i < count; i++) {
        s->files[i].path = paths[i];
        GWF_TRY(add_file(s, log, &s->files[i], err));
    }
    return GWF_OK;
}

void series_free(series *s)
{
    gwf_windset_close(&s->open);
    for (int i = 0; i < s->n_files; i++) free(s->files[i].index);
    free(s->files);
    free(s->lat);
    free(s->lon);
    *s = (series){.open_number = -1};
}

static int number_of(const series *s, size_t step)
{
    int number = s->n_files - 1;
    while (number > 0 && s->files[number].first > step) number--;
    return number;
}

/* Somebody may have written another file in its place since it was looked at. */
static gwf_status check_again(const series *s, int number, const gwf_windset *windset,
                              gwf_error *err)
{
    const gwf_windset_header *h = gwf_windset_header_of(windset);
    const series_file *file = &s->files[number];
    const size_t end = number + 1 < s->n_files ? file[1].first : s->steps;
    GWF_TRY(same_grid(s, h, file->path, err));
    if (h->idim == file->idim && h->steps == end - file->first) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "%s: has changed since it was checked (%zu steps of %zu channels, were %zu of "
                    "%zu)",
                    file->path, h->steps, h->idim, end - file->first, file->idim);
}

gwf_status series_file_of(series *s, size_t step, gwf_windset **file, gwf_error *err)
{
    const int number = number_of(s, step);
    if (s->open_number != number) {
        gwf_windset_close(&s->open);
        s->open_number = -1;
        GWF_TRY(gwf_windset_open(s->files[number].path, &s->open, err));
        const gwf_status status = check_again(s, number, s->open, err);
        if (status != GWF_OK) {
            gwf_windset_close(&s->open);
            return status;
        }
        gwf_windset_set_threads(s->open, s->threads);
        s->open_number = number;
    }
    *file = s->open;
    return GWF_OK;
}

gwf_status series_times(series *s, size_t first, size_t count, double *times, gwf_error *err)
{
    for (size_t i = 0; i < count; i++) {
        gwf_windset *file = NULL;
        GWF_TRY(series_file_of(s, first + i, &file, err));
        GWF_TRY(gwf_windset_time(file, first + i - s->files[s->open_number].first, &times[i], err));
    }
    return GWF_OK;
}

gwf_status series_pressure(series *s, size_t step, float *pressure, gwf_error *err)
{
    gwf_windset *file = NULL;
    GWF_TRY(series_file_of(s, step, &file, err));
    return gwf_windset_pressure(file, step - s->files[s->open_number].first, pressure, err);
}

gwf_status series_check(const series *s, size_t step, const char *what,
                        const gwf_channel_table *table, const float *values, double time,
                        gwf_error *err)
{
    const size_t plane = s->nlat * s->nlon;
    size_t where = 0;
    if (!gwf_find_non_finite(values, plane * (size_t)table->count, &where)) return GWF_OK;
    const gwf_channel *channel = &table->channels[where / plane];
    return gwf_fail(err, GWF_ERR_DATA,
                    "%s: %s: %s at time %g, level %d, lat %.2f, lon %.2f is %g, expected a finite "
                    "value",
                    s->files[number_of(s, step)].path, what, channel->variable, time,
                    channel->level, s->lat[where % plane / s->nlon], s->lon[where % s->nlon],
                    (double)values[where]);
}

gwf_status series_begin(series *s, size_t step, series_step *to, gwf_error *err)
{
    gwf_windset *file = NULL;
    GWF_TRY(series_file_of(s, step, &file, err));
    const series_file *of = &s->files[s->open_number];
    const size_t local = step - of->first;
    const int count = s->model->in.count;
    GWF_TRY(gwf_windset_time(file, local, &to->time, err));
    if (gwf_windset_find(file, local, of->index, count, to->planes)) return GWF_OK;
    return gwf_windset_read(file, local, of->index, count, to->features, err);
}

/* Values beyond the trained range; what is not finite is among them. */
static int count_outside(const float *x, size_t n)
{
    int count = 0;
    for (size_t i = 0; i < n; i++) count += !(fabsf(x[i]) <= (float)GWF_TRAINED_RANGE);
    return count;
}

/* One look at every value, a second one only where some are beyond the range. True: all is well. */
static bool take_channel(const series_step *to, int i, size_t plane, long *outside)
{
    float *x = to->features + plane * (size_t)i;
    size_t where;
    if (gwf_planes_found(to->planes) && gwf_planes_read(to->planes, i, x, NULL) != GWF_OK)
        return false;
    outside[i] = count_outside(x, plane);
    return outside[i] == 0 || !gwf_find_non_finite(x, plane, &where);
}

/* What was wrong: the first plane that cannot be read, or the first value. */
static gwf_status explain(const series *s, size_t step, const series_step *to, gwf_error *err)
{
    const size_t plane = s->nlat * s->nlon;
    for (int i = 0; gwf_planes_found(to->planes) && i < s->model->in.count; i++)
        GWF_TRY(gwf_planes_read(to->planes, i, to->features + plane * (size_t)i, err));
    return series_check(s, step, "features", &s->model->in, to->features, to->time, err);
}

gwf_status series_end(const series *s, size_t step, series_step *to, int threads, long *outside,
                      gwf_error *err)
{
    const size_t plane = s->nlat * s->nlon;
    int bad = 0;
    GWF_PARALLEL_SUM(threads, bad)
    for (int i = 0; i < s->model->in.count; i++) bad += !take_channel(to, i, plane, outside);
    const gwf_status status = bad ? explain(s, step, to, err) : GWF_OK;
    gwf_planes_forget(to->planes);
    return status;
}
