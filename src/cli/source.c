#include "cli/source.h"

#include <stdlib.h>
#include <string.h>

#include "coupling/engine.h"

static bool is_windset(const source *s)
{
    return s->windset.n_files > 0;
}

static gwf_status open_windset(source *s, const reanalysis_choice *choice, const gwf_log *log,
                               gwf_error *err)
{
    const char *odd = choice->orography         ? "orography"
                      : choice->weights         ? "weights"
                      : choice->variables.count ? "variable"
                                                : NULL;
    if (odd)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option %s: %s holds normalised features already; the option is for "
                        "reanalysis files",
                        odd, choice->inputs.items[0]);
    GWF_TRY(
        series_create(choice->inputs.items, choice->inputs.count, s->model, log, &s->windset, err));
    s->windset.threads = choice->threads;
    s->steps = s->windset.steps;
    s->nlat = s->windset.nlat;
    s->nlon = s->windset.nlon;
    s->lat = s->windset.lat;
    s->lon = s->windset.lon;
    return GWF_OK;
}

static gwf_status open_atmosphere(source *s, const reanalysis_choice *choice, const gwf_log *log,
                                  gwf_error *err)
{
    GWF_TRY(reanalysis_open(choice, s->model, log, &s->atmosphere, err));
    s->steps = reanalysis_header(s->atmosphere)->steps;
    s->nlat = (size_t)s->model->nlat;
    s->nlon = (size_t)s->model->nlon;
    s->lat = s->model->lat;
    s->lon = s->model->lon;
    return GWF_OK;
}

gwf_status source_open(source *s, const reanalysis_choice *choice, const gwf_model *model,
                       const gwf_log *log, gwf_error *err)
{
    bool features = true;
    *s = (source){.windset = {.open_number = -1}, .model = model};
    GWF_TRY(gwf_windset_recognise(choice->inputs.items[0], &features, err));
    return features ? open_windset(s, choice, log, err) : open_atmosphere(s, choice, log, err);
}

void source_close(source *s)
{
    if (is_windset(s)) series_free(&s->windset);
    reanalysis_close(&s->atmosphere);
}

bool source_has_pressure(const source *s)
{
    return !is_windset(s) || s->windset.pressure;
}

const char *source_how(const source *s)
{
    if (!is_windset(s)) return "decoding, remapping, interpolating";
    return s->windset.open ? gwf_windset_how(s->windset.open) : "NetCDF-C";
}

gwf_status source_times(source *s, size_t first, size_t count, double *times, gwf_error *err)
{
    if (is_windset(s)) return series_times(&s->windset, first, count, times, err);
    const gwf_atmosphere_header *h = reanalysis_header(s->atmosphere);
    for (size_t i = 0; i < count; i++) times[i] = h->time[first + i];
    return GWF_OK;
}

gwf_status source_step_create(const source *s, source_step *step, gwf_error *err)
{
    const size_t plane = s->nlat * s->nlon, inputs = (size_t)s->model->in.count;
    const bool pressure = source_has_pressure(s);
    *step = (source_step){.in = {.features = malloc(plane * inputs * sizeof(float)),
                                 .planes = gwf_planes_create((int)inputs)},
                          .pressure = pressure ? malloc(plane * sizeof(float)) : NULL,
                          .outside = malloc(inputs * sizeof *step->outside)};
    if (step->in.features && step->in.planes && step->outside && (step->pressure || !pressure))
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the features of a step");
}

void source_step_free(source_step *step)
{
    free(step->in.features);
    gwf_planes_free(&step->in.planes);
    free(step->pressure);
    free(step->outside);
    *step = (source_step){0};
}

gwf_status source_begin(source *s, size_t number, source_step *to, gwf_error *err)
{
    to->step = number;
    if (is_windset(s)) {
        GWF_TRY(series_begin(&s->windset, number, &to->in, err));
        return to->pressure ? series_pressure(&s->windset, number, to->pressure, err) : GWF_OK;
    }
    to->in.time = reanalysis_header(s->atmosphere)->time[number];
    GWF_TRY(reanalysis_read(s->atmosphere, number, to->in.features, to->pressure, err));
    memcpy(to->outside, reanalysis_outside(s->atmosphere),
           (size_t)s->model->in.count * sizeof *to->outside);
    return GWF_OK;
}

gwf_status source_end(const source *s, source_step *to, int threads, gwf_error *err)
{
    if (!is_windset(s)) return GWF_OK;
    return series_end(&s->windset, to->step, &to->in, threads, to->outside, err);
}

gwf_status source_check(const source *s, size_t step, const char *what,
                        const gwf_channel_table *table, const float *values, double time,
                        gwf_error *err)
{
    if (is_windset(s)) return series_check(&s->windset, step, what, table, values, time, err);
    const size_t plane = s->nlat * s->nlon;
    size_t where = 0;
    if (!gwf_find_non_finite(values, plane * (size_t)table->count, &where)) return GWF_OK;
    const gwf_channel *channel = &table->channels[where / plane];
    return gwf_fail(err, GWF_ERR_DATA,
                    "%s: %s: %s at time %g, level %d, lat %.2f, lon %.2f is %g, expected a finite "
                    "value",
                    reanalysis_path(s->atmosphere, step), what, channel->variable, time,
                    channel->level, s->lat[where % plane / s->nlon], s->lon[where % s->nlon],
                    (double)values[where]);
}
