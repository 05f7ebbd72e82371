/* The golden networks as model files, on a grid of 16 x 32 that keeps tests fast, and their input.
 */
#ifndef GWF_TESTS_GOLDEN_MODEL_H
#define GWF_TESTS_GOLDEN_MODEL_H

#include <math.h>
#include <stdlib.h>

#include "model/checkpoint.h"
#include "model/model.h"
#include "test.h"

static inline void golden_model(const char *checkpoint, const gwf_model_choice *choice,
                                const char *path)
{
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    gwf_error err = {0};
    CHECK_OK(gwf_checkpoint_read(test_data(checkpoint), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_model_build(&set, choice, "test", NULL, &model, &err), err);
    model.nlat = 16;
    model.nlon = 32;
    gwf_gaussian_latitudes(16, model.lat);
    for (int i = 0; i < 32; i++) model.lon[i] = 11.25 * i;
    CHECK_OK(gwf_model_write(&model, path, "test", true, &err), err);
    gwf_model_free(&model);
}

/* x[c, y, x] of the golden files, as make_networks.py has it. The caller frees it. */
static inline float *golden_input(int channels, int nlat, int nlon)
{
    float *values = malloc((size_t)channels * (size_t)(nlat * nlon) * sizeof *values), *v = values;
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < nlat; y++)
            for (int x = 0; x < nlon; x++)
                *v++ = (float)(1.5 * sin(0.7 * c + 0.3 * y * (1 + c % 5) + 0.45 * x * (1 + c % 3)));
    return values;
}

#endif
