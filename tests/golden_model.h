/* Model files of the golden networks, on a grid of 16 x 32 that keeps tests fast. */
#ifndef GWF_TESTS_GOLDEN_MODEL_H
#define GWF_TESTS_GOLDEN_MODEL_H

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

#endif
