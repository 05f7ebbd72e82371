#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAINING_LAT = 64, TRAINING_LON = 128 }; /* the T42 Gaussian grid of WINDSET */

static const char *const padding_names[] = {"zero", "periodic_lon"};
static const char *const flux_kind_names[] = {"rho_uw", "u_omega"};

const char *gwf_padding_name(gwf_padding padding)
{
    return padding_names[padding];
}

const char *gwf_flux_kind_name(gwf_flux_kind kind)
{
    return flux_kind_names[kind];
}

static gwf_status choose(const char *what, const char *word, const char *const names[2],
                         int *choice, gwf_error *err)
{
    for (*choice = 0; *choice < 2; ++*choice)
        if (strcmp(word, names[*choice]) == 0) return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s %s: expected %s or %s", what, word, names[0],
                    names[1]);
}

static gwf_status keep_word(char *to, size_t size, const char *what, const char *word,
                            gwf_error *err)
{
    if (strlen(word) >= size)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s %.40s...: an unknown word", what, word);
    memcpy(to, word, strlen(word) + 1);
    return GWF_OK;
}

static gwf_status keep_choice(const gwf_model_choice *choice, gwf_model *model, gwf_error *err)
{
    int padding = 0, kind = 0;
    GWF_TRY(choose("padding", choice->padding, padding_names, &padding, err));
    GWF_TRY(choose("flux kind", choice->flux_kind, flux_kind_names, &kind, err));
    model->padding = (gwf_padding)padding;
    model->flux_kind = (gwf_flux_kind)kind;
    GWF_TRY(keep_word(model->features, sizeof model->features, "features", choice->features, err));
    GWF_TRY(keep_word(model->vertical, sizeof model->vertical, "vertical", choice->vertical, err));
    return keep_word(model->recipe, sizeof model->recipe, "recipe", choice->recipe, err);
}

/* The channel tables that go with the choice, and that the network has as many channels. */
static gwf_status build_channels(gwf_model *model, gwf_error *err)
{
    const gwf_network *network = &model->network;
    const gwf_recipe *recipe = gwf_recipe_find(model->recipe);
    const int coordinates = strncmp(network->architecture, "ann", 3) == 0;
    if (!recipe)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "recipe %s: expected one of %s", model->recipe,
                        gwf_recipe_names());
    GWF_TRY(
        gwf_channels_in(model->features, model->vertical, coordinates, recipe, &model->in, err));
    GWF_TRY(gwf_channels_out(model->vertical, recipe, &model->out, err));
    if (model->in.count != network->inputs)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "the network has %d input channels, features %s (vertical %s) have %d",
                        network->inputs, model->features, model->vertical, model->in.count);
    if (model->out.count != network->outputs)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "the network has %d output channels, vertical %s has %d", network->outputs,
                        model->vertical, model->out.count);
    return GWF_OK;
}

static gwf_status build_grid(gwf_model *model, gwf_error *err)
{
    model->nlat = TRAINING_LAT;
    model->nlon = TRAINING_LON;
    model->lat = malloc(TRAINING_LAT * sizeof *model->lat);
    model->lon = malloc(TRAINING_LON * sizeof *model->lon);
    if (!model->lat || !model->lon) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the grid");
    gwf_gaussian_latitudes(TRAINING_LAT, model->lat);
    for (int i = 0; i < TRAINING_LON; i++) model->lon[i] = 360.0 * i / TRAINING_LON;
    model->n_levels = model->out.count / 2;
    for (int k = 0; k < model->n_levels; k++) model->levels[k] = *gwf_level_at(k);
    return GWF_OK;
}

gwf_status gwf_model_build(gwf_tensor_set *set, const gwf_model_choice *choice, const char *source,
                           const gwf_log *log, gwf_model *model, gwf_error *err)
{
    gwf_status status = GWF_OK;
    *model = (gwf_model){.set = *set};
    *set = (gwf_tensor_set){0};
    snprintf(model->source, sizeof model->source, "%s", source);
    GWF_TRY_DONE(keep_choice(choice, model, err));
    GWF_TRY_DONE(gwf_network_build(&model->set, (gwf_edges){.padding = model->padding}, log,
                                   &model->network, err));
    GWF_TRY_DONE(build_channels(model, err));
    GWF_TRY_DONE(build_grid(model, err));
done:
    if (status != GWF_OK) gwf_model_free(model);
    return status;
}

void gwf_model_free(gwf_model *model)
{
    gwf_quantised_free(&model->int8);
    gwf_network_free(&model->network);
    gwf_tensor_set_free(&model->set);
    gwf_channel_table_free(&model->in);
    gwf_channel_table_free(&model->out);
    free(model->lat);
    free(model->lon);
    *model = (gwf_model){0};
}
