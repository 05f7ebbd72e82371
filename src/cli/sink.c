#include "cli/sink.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/parcel.h"

/* --- opening -------------------------------------------------------------------------------- */

/* Collective: who writes, and memory for what travels. */
static gwf_status prepare(sink *s, const gwf_comm *leaders, gwf_error *err)
{
    double travels;
    gwf_status status = GWF_OK;
    s->leaders = leaders;
    s->direct = s->flux ? gwf_flux_file_writes(s->flux) : gwf_step_file_writes(s->prepared);
    for (int i = 0; i < SINK_FIELDS; i++) s->values += s->sizes[i];
    travels = !s->direct;
    GWF_TRY(gwf_comm_max(leaders, &travels, 1, err));
    if (travels > 0 && s->values > INT_MAX)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "a step of %zu values cannot be sent to the rank that writes: choose fewer "
                        "levels, or --writer all",
                        s->values);
    if (travels > 0) {
        s->parcel = malloc(s->values * sizeof *s->parcel);
        if (!s->parcel) status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for a step on its way");
    }
    return gwf_agree(leaders, status, err);
}

gwf_status sink_open_flux(sink *s, const sink_opening *o, const gwf_flux_layout *layout,
                          gwf_error *err)
{
    const size_t plane = layout->nlat * layout->nlon;
    const size_t nlev = layout->n_pressure_levels ? layout->n_pressure_levels : layout->nlev;
    const size_t sizes[SINK_FIELDS] = {
        plane * nlev,
        plane * nlev,
        plane * (size_t)layout->prediction_channels,
        layout->tendencies ? plane * nlev : 0,
        layout->tendencies ? plane * nlev : 0,
        layout->surface_pressure ? plane : 0,
        layout->n_channels,
    };
    memcpy(s->sizes, sizes, sizeof sizes);
    GWF_TRY(o->resume ? gwf_flux_file_resume(o->path, layout, o->done, o->complete, &s->flux, err)
                      : gwf_flux_file_create(o->path, layout, &s->flux, err));
    return prepare(s, layout->comm, err);
}

gwf_status sink_open_prepared(sink *s, const sink_opening *o, const gwf_prepared_layout *layout,
                              gwf_error *err)
{
    const size_t plane = layout->nlat * layout->nlon;
    s->sizes[0] = plane * layout->idim;
    s->sizes[1] = layout->surface_pressure ? plane : 0;
    GWF_TRY(o->resume
                ? gwf_prepared_file_resume(o->path, layout, o->done, o->complete, &s->prepared, err)
                : gwf_prepared_file_create(o->path, layout, &s->prepared, err));
    return prepare(s, layout->comm, err);
}

/* --- steps ---------------------------------------------------------------------------------- */

static gwf_status write_step(sink *s, const sink_step *step, gwf_error *err)
{
    const float *const *f = step->fields;
    const gwf_flux_step flux = {.time = step->time,
                                .uw = f[0],
                                .vw = f[1],
                                .prediction = f[2],
                                .utend = f[3],
                                .vtend = f[4],
                                .surface_pressure = f[5],
                                .outside = f[6]};
    const gwf_status status =
        s->flux ? gwf_flux_file_write(s->flux, step->step, &flux, err)
                : gwf_prepared_file_write(s->prepared, step->step, step->time, f[0], f[1], err);
    s->failed |= status != GWF_OK;
    return status;
}

gwf_status sink_put(sink *s, const sink_step *step, gwf_error *err)
{
    const gwf_label label = {(int64_t)step->step, step->time};
    float *to = s->parcel;
    if (s->direct) return write_step(s, step, err);
    for (int i = 0; i < SINK_FIELDS; to += s->sizes[i], i++)
        if (s->sizes[i]) memcpy(to, step->fields[i], s->sizes[i] * sizeof *to);
    return gwf_parcel_send(s->leaders, &label, s->parcel, s->values, err);
}

/* What came in the parcel. */
static sink_step unpack(const sink *s, const gwf_label *label)
{
    sink_step step = {.step = (size_t)label->step, .time = label->time};
    const float *at = s->parcel;
    for (int i = 0; i < SINK_FIELDS; at += s->sizes[i], i++)
        step.fields[i] = s->sizes[i] ? at : NULL;
    return step;
}

gwf_status sink_serve(sink *s, gwf_error *err)
{
    gwf_label label;
    bool arrived = true;
    if (!s->parcel || gwf_comm_rank(s->leaders) != 0) return GWF_OK;
    for (;;) {
        GWF_TRY(gwf_parcel_receive(s->leaders, &label, s->parcel, s->values, &arrived, err));
        if (!arrived) return GWF_OK;
        if (s->failed) continue;
        const sink_step step = unpack(s, &label);
        GWF_TRY(write_step(s, &step, err));
    }
}

/* --- the end -------------------------------------------------------------------------------- */

gwf_status sink_finish(sink *s, gwf_error *err)
{
    free(s->parcel);
    s->parcel = NULL;
    return s->flux ? gwf_flux_file_finish(&s->flux, err) : gwf_step_file_finish(&s->prepared, err);
}

void sink_abandon(sink *s, size_t *kept)
{
    free(s->parcel);
    s->parcel = NULL;
    *kept = s->flux ? gwf_flux_file_abandon(&s->flux) : gwf_step_file_abandon(&s->prepared);
}
