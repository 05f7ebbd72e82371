/* gwflux import: a published PyTorch checkpoint becomes a model file. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "core/checksum.h"
#include "io/part.h"
#include "model/checkpoint.h"
#include "model/model.h"

typedef struct arguments {
    const char *checkpoint, *output;
    gwf_model_choice choice;
    int overwrite;
} arguments;

static const char *const feature_words[] = {"uvtheta", "uvthetaw", "uvw", NULL};
static const char *const vertical_words[] = {"global", "stratosphere_update", "stratosphere_only",
                                             NULL};
static const char *const recipe_words[] = {"era5-released", "wxcbench", "cam-l93", NULL};
static const char *const padding_words[] = {"zero", "periodic_lon", NULL};
static const char *const flux_words[] = {"rho_uw", "u_omega", NULL};

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    {"CHECKPOINT", 0, GWF_OPTION_TEXT, AT(checkpoint), NULL, 0, 0, NULL,
     "file of torch.save: a training checkpoint or a bare state dict"},
    {"output", 'o', GWF_OPTION_TEXT, AT(output), NULL, 0, 0, NULL, "model file to write"},
    {"features", 0, GWF_OPTION_CHOICE, AT(choice.features), NULL, 0, 0, feature_words,
     "fields the network was trained on"},
    {"vertical", 0, GWF_OPTION_CHOICE, AT(choice.vertical), "global", 0, 0, vertical_words,
     "levels it was trained on"},
    {"recipe", 0, GWF_OPTION_CHOICE, AT(choice.recipe), "era5-released", 0, 0, recipe_words,
     "normalisation of its training data"},
    {"padding", 0, GWF_OPTION_CHOICE, AT(choice.padding), "zero", 0, 0, padding_words,
     "what the U-Net's convolutions see beyond the map"},
    {"flux-kind", 0, GWF_OPTION_CHOICE, AT(choice.flux_kind), "rho_uw", 0, 0, flux_words,
     "what the outputs are: rho u'w' in Pa or u'omega' in Pa m s-2"},
    {"overwrite", 0, GWF_OPTION_FLAG, AT(overwrite), "", 0, 0, NULL, "replace an existing output"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

/* "unet_epoch3.pt, SHA-256 ab12..., training checkpoint of epoch 3, float32" */
static gwf_status describe_source(const char *path, const gwf_checkpoint_info *info, char *text,
                                  size_t size, gwf_error *err)
{
    char sum[65], copy[4096], epoch[48] = "";
    GWF_TRY(gwf_checksum_file(path, sum, err));
    snprintf(copy, sizeof copy, "%s", path);
    if (info->epoch >= 0) snprintf(epoch, sizeof epoch, " of epoch %lld", info->epoch);
    snprintf(text, size, "%.200s, SHA-256 %s, %s%s, %s", basename(copy), sum,
             strcmp(info->layout, "training") == 0 ? "training checkpoint" : "state dict", epoch,
             info->storage);
    return GWF_OK;
}

static gwf_status import_checkpoint(const arguments *a, const char *history, gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_tensor_set set = {0};
    gwf_model model = {0};
    gwf_checkpoint_info info = {0};
    char source[512];
    if (gwf_part_replaces(a->output, a->checkpoint))
        GWF_TRY_DONE(gwf_fail(err, GWF_ERR_ARGUMENT,
                              "%s: is the checkpoint, it cannot be the output too", a->output));
    GWF_TRY_DONE(gwf_checkpoint_read(a->checkpoint, &set, &info, &stderr_log, err));
    GWF_TRY_DONE(describe_source(a->checkpoint, &info, source, sizeof source, err));
    status = gwf_model_build(&set, &a->choice, source, &stderr_log, &model, err);
    if (status != GWF_OK) {
        gwf_error_prefix(err, "%s", a->checkpoint);
        goto done;
    }
    GWF_TRY_DONE(gwf_model_write(&model, a->output, history, a->overwrite, err));
    printf("%s: %s, widths %s, %d -> %d channels, %zu weights, recipe %s, padding %s, fluxes %s\n",
           a->output, model.network.architecture, model.network.widths, model.network.inputs,
           model.network.outputs, gwf_tensor_set_values(&model.set), model.recipe,
           gwf_padding_name(model.padding), gwf_flux_kind_name(model.flux_kind));
done:
    gwf_tensor_set_free(&set);
    gwf_model_free(&model);
    return status;
}

static int run(int argc, char **argv)
{
    arguments a = {0};
    gwf_error err = {0};
    char history[2048];
    gwf_status status = args_parse(&command_import, argc, argv, &a, NULL, &err);
    args_history(argc, argv, history, sizeof history);
    if (status == GWF_OK) status = import_checkpoint(&a, history, &err);
    return report(status, &err);
}

const command command_import = {
    .name = "import",
    .summary = "make a model file from a PyTorch checkpoint",
    .run = run,
    .table = table,
};
