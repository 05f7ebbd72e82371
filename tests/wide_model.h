/* A model file of the full-width Attention U-Net (488 -> 244 channels) with random weights. */
#ifndef GWF_TESTS_WIDE_MODEL_H
#define GWF_TESTS_WIDE_MODEL_H

#include <stdlib.h>

#include "model/model.h"
#include "wide_unet.h"

/* Another grid than the training's 64 x 128. */
static inline gwf_status wide_grid(gwf_model *model, int nlat, int nlon, gwf_error *err)
{
    double *lat = realloc(model->lat, (size_t)nlat * sizeof *lat);
    if (lat) model->lat = lat;
    double *lon = realloc(model->lon, (size_t)nlon * sizeof *lon);
    if (lon) model->lon = lon;
    if (!lat || !lon) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a grid");
    gwf_gaussian_latitudes(nlat, lat);
    for (int i = 0; i < nlon; i++) lon[i] = 360.0 * i / nlon;
    model->nlat = nlat;
    model->nlon = nlon;
    return GWF_OK;
}

static inline gwf_status wide_model_write(const char *path, int nlat, int nlon, gwf_error *err)
{
    const gwf_model_choice choice = {"uvthetaw", "global", "era5-released", "zero", "rho_uw"};
    gwf_tensor_set set = {0};
    gwf_model model = {0};
    gwf_status status = wide_unet(&set, 488, err);
    if (status == GWF_OK) {
        wide_randomise(&set);
        status = gwf_model_build(&set, &choice, "random weights", NULL, &model, err);
    }
    if (status == GWF_OK) status = wide_grid(&model, nlat, nlon, err);
    if (status == GWF_OK) status = gwf_model_write(&model, path, "random weights", true, err);
    gwf_model_free(&model);
    gwf_tensor_set_free(&set);
    return status;
}

#endif
