#include "cli/sink.h"

#include <stdlib.h>
#include <string.h>

#include "parallel/parcel.h"

gwf_status sink_open(sink *o, const char *path, const gwf_flux_layout *layout, bool resume,
                     unsigned char *done, bool *complete, gwf_error *err)
{
    *complete = false;
    memset(done, 0, layout->steps);
    o->leaders = layout->comm;
    o->plane_values = layout->nlev * layout->nlat * layout->nlon;
    o->values =
        2 * o->plane_values + (size_t)layout->prediction_channels * layout->nlat * layout->nlon;
    if (resume)
        GWF_TRY(gwf_flux_file_resume(path, layout, done, complete, &o->file, err));
    else
        GWF_TRY(gwf_flux_file_create(path, layout, &o->file, err));
    o->direct = gwf_flux_file_writes(o->file);
    gwf_status status = GWF_OK;
    double travels = !o->direct;
    GWF_TRY(gwf_comm_max(o->leaders, &travels, 1, err));
    if (travels > 0) {
        o->parcel = malloc(o->values * sizeof *o->parcel);
        if (!o->parcel) status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for a step on its way");
    }
    return gwf_agree(o->leaders, status, err);
}

static gwf_status write_step(sink *o, size_t step, double time, const float *flux,
                             const float *prediction, gwf_error *err)
{
    const gwf_flux_step s = {
        .time = time, .uw = flux, .vw = flux + o->plane_values, .prediction = prediction};
    return gwf_flux_file_write(o->file, step, &s, err);
}

gwf_status sink_put(sink *o, size_t step, double time, const float *flux, const float *prediction,
                    gwf_error *err)
{
    const size_t n = 2 * o->plane_values;
    const gwf_label label = {(int64_t)step, time};
    if (o->direct) {
        const gwf_status status = write_step(o, step, time, flux, prediction, err);
        o->failed |= status != GWF_OK;
        return status;
    }
    memcpy(o->parcel, flux, n * sizeof *flux);
    if (prediction) memcpy(o->parcel + n, prediction, (o->values - n) * sizeof *prediction);
    return gwf_parcel_send(o->leaders, &label, o->parcel, o->values, err);
}

gwf_status sink_serve(sink *o, size_t *written, gwf_error *err)
{
    gwf_label label;
    bool arrived = true;
    if (!o->parcel || gwf_comm_rank(o->leaders) != 0) return GWF_OK;
    for (;;) {
        GWF_TRY(gwf_parcel_receive(o->leaders, &label, o->parcel, o->values, &arrived, err));
        if (!arrived) return GWF_OK;
        if (o->failed) continue;
        const size_t n = 2 * o->plane_values;
        const gwf_status status = write_step(o, (size_t)label.step, label.time, o->parcel,
                                             o->values > n ? o->parcel + n : NULL, err);
        o->failed = status != GWF_OK;
        GWF_TRY(status);
        ++*written;
    }
}

gwf_status sink_finish(sink *o, gwf_error *err)
{
    free(o->parcel);
    o->parcel = NULL;
    return gwf_flux_file_finish(&o->file, err);
}

void sink_abandon(sink *o, size_t *kept)
{
    free(o->parcel);
    o->parcel = NULL;
    *kept = gwf_flux_file_abandon(&o->file);
}
