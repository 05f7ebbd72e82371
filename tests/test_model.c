/* The model file: what is written is read back, and what disagrees with itself is refused. */
#include "test.h"

#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/checkpoint.h"
#include "model/model.h"

static gwf_status build(const char *checkpoint, gwf_model_choice choice, gwf_model *model,
                        gwf_error *err)
{
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    GWF_TRY(gwf_checkpoint_read(test_data(checkpoint), &set, &info, NULL, err));
    const gwf_status status = gwf_model_build(&set, &choice, "a source", NULL, model, err);
    CU_ASSERT_PTR_NULL(set.items); /* taken over, also on failure */
    return status;
}

static const gwf_model_choice usual = {"uvtheta", "global", "era5-released", "zero", "rho_uw"};

static void check_same_channels(const gwf_channel_table *a, const gwf_channel_table *b)
{
    CU_ASSERT_EQUAL_FATAL(a->count, b->count);
    CU_ASSERT_EQUAL(memcmp(a->channels, b->channels, (size_t)a->count * sizeof *a->channels), 0);
}

static void check_same_weights(const gwf_tensor_set *a, const gwf_tensor_set *b)
{
    CU_ASSERT_EQUAL_FATAL(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const gwf_tensor *found = gwf_tensor_set_find(b, a->items[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        CU_ASSERT_EQUAL(found->size, a->items[i].size);
        CU_ASSERT_EQUAL(memcmp(found->data, a->items[i].data, found->size * sizeof(float)), 0);
    }
}

static void test_round_trip(void)
{
    const gwf_model_choice choice = {"uvtheta", "stratosphere_update", "era5-released",
                                     "periodic_lon", "u_omega"};
    gwf_model a = {0}, b = {0};
    gwf_error err = {0};
    const char *path = test_scratch("model.nc");
    CHECK_OK(build("golden/ann_1x1.pt", choice, &a, &err), err);
    CHECK_OK(gwf_model_write(&a, path, "made by a test", true, &err), err);
    CHECK_OK(gwf_model_read(path, NULL, &b, &err), err);
    check_same_channels(&a.in, &b.in);
    check_same_channels(&a.out, &b.out);
    check_same_weights(&a.set, &b.set);
    CU_ASSERT_STRING_EQUAL(b.features, "uvtheta");
    CU_ASSERT_STRING_EQUAL(b.vertical, "stratosphere_update");
    CU_ASSERT_STRING_EQUAL(b.source, "a source");
    CU_ASSERT_STRING_EQUAL(b.network.architecture, "ann_1x1");
    CU_ASSERT_EQUAL(b.padding, GWF_PADDING_PERIODIC_LON);
    CU_ASSERT_EQUAL(b.flux_kind, GWF_U_OMEGA);
    CU_ASSERT_EQUAL(b.n_levels, 60);
    CU_ASSERT_EQUAL(memcmp(a.levels, b.levels, 60 * sizeof *a.levels), 0);
    CU_ASSERT_EQUAL(memcmp(a.lat, b.lat, 64 * sizeof *a.lat), 0);
    CU_ASSERT_EQUAL(strlen(b.checksum), 64);
    gwf_model_free(&a);
    gwf_model_free(&b);
}

static void test_existing_files(void)
{
    gwf_model model = {0};
    gwf_error err = {0};
    const char *path = test_scratch("twice.nc"), *part = test_scratch("twice.nc.part");
    CHECK_OK(build("golden/unet.pt", usual, &model, &err), err);
    CHECK_OK(gwf_model_write(&model, path, "", false, &err), err);
    CHECK_FAILS(gwf_model_write(&model, path, "", false, &err), GWF_ERR_EXISTS, err, "twice.nc");
    CHECK_OK(gwf_model_write(&model, path, "", true, &err), err);
    CU_ASSERT_NOT_EQUAL(access(part, F_OK), 0);
    CU_ASSERT_NOT_EQUAL(gwf_model_write(&model, "/nowhere/m.nc", "", false, &err), GWF_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nowhere/m.nc"));
    gwf_model_free(&model);
}

static void test_choices_are_checked(void)
{
    gwf_model model = {0};
    gwf_error err = {0};
    gwf_model_choice c = usual;
    c.padding = "circular";
    CHECK_FAILS(build("golden/unet.pt", c, &model, &err), GWF_ERR_ARGUMENT, err,
                "padding circular: expected zero or periodic_lon");
    c = usual;
    c.flux_kind = "uw";
    CHECK_FAILS(build("golden/unet.pt", c, &model, &err), GWF_ERR_ARGUMENT, err, "flux kind uw");
    c = usual;
    c.recipe = "none";
    CHECK_FAILS(build("golden/unet.pt", c, &model, &err), GWF_ERR_ARGUMENT, err, "recipe none");
    c = usual;
    c.features = "a word that is far longer than any feature set";
    CHECK_FAILS(build("golden/unet.pt", c, &model, &err), GWF_ERR_ARGUMENT, err, "unknown word");
    c = usual;
    c.features = "uvthetaw";
    CHECK_FAILS(build("golden/unet.pt", c, &model, &err), GWF_ERR_MISMATCH, err,
                "366 input channels, features uvthetaw (vertical global) have 488");
}

/* ---- networks that are almost ours ---- */

static void rename_tensor(gwf_tensor_set *set, const char *from, const char *to)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, from) == 0) strcpy(set->items[i].name, to);
}

static gwf_status build_renamed(const char *from, const char *to, gwf_error *err)
{
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    GWF_TRY(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, err));
    rename_tensor(&set, from, to);
    const gwf_status status = gwf_model_build(&set, &usual, "", NULL, &model, err);
    gwf_model_free(&model);
    return status;
}

static void test_tensors_are_named(void)
{
    gwf_error err = {0};
    CHECK_FAILS(build_renamed("attn3.Wx.1.running_var", "attn3.Wx.1.running", &err), GWF_ERR_MODEL,
                err, "tensor attn3.Wx.1.running_var is missing");
    CHECK_FAILS(build_renamed("conv2.conv.0.weight", "conv9.conv.0.weight", &err), GWF_ERR_MODEL,
                err, "conv2.conv.0.weight");
    CHECK_FAILS(build_renamed("up5.up.1.bias", "up5.up.1.bias2", &err), GWF_ERR_MODEL, err,
                "up5.up.1.bias is missing");
    CHECK_FAILS(build_renamed("attn2.Psi.0.weight", "attn2.psi.0.weight", &err), GWF_ERR_MODEL, err,
                "attn2.Psi.0.weight is missing");
    CHECK_FAILS(build_renamed("conv1.conv.0.weight", "first", &err), GWF_ERR_MODEL, err,
                "neither an Attention U-Net");
}

static gwf_status build_with(const char *name, int rank, size_t size, gwf_error *err)
{
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    const size_t shape[] = {size, size};
    GWF_TRY(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, err));
    GWF_TRY(gwf_tensor_set_add(&set, name, rank, shape, NULL, err));
    const gwf_status status = gwf_model_build(&set, &usual, "", NULL, &model, err);
    gwf_model_free(&model);
    return status;
}

static void test_bad_variance(void)
{
    static const float bad[] = {-0.5f, NAN};
    gwf_error err = {0};
    for (int i = 0; i < 2; i++) {
        gwf_tensor_set set = {0};
        gwf_checkpoint_info info;
        gwf_model model = {0};
        CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, &err), err);
        for (size_t k = 0; k < set.count; k++)
            if (strcmp(set.items[k].name, "up4.up.2.running_var") == 0)
                set.items[k].data[2] = bad[i];
        CHECK_FAILS(gwf_model_build(&set, &usual, "", NULL, &model, &err), GWF_ERR_MODEL, err,
                    "tensor up4.up.2.running_var[2] is");
    }
}

static void test_unknown_tensor(void)
{
    gwf_error err = {0};
    CHECK_FAILS(build_with("attn6.Wx.0.weight", 1, 3, &err), GWF_ERR_MODEL, err,
                "tensor attn6.Wx.0.weight has no place in a network of type attention_unet");
    CHECK_FAILS(build_with("bnorm1.weight", 1, 3, &err), GWF_ERR_MODEL, err, "bnorm1.weight");
}

/* ---- files that disagree with themselves ---- */

/* A written model file, opened to be damaged. */
static int damaged(const char **path)
{
    gwf_model model = {0};
    gwf_error err = {0};
    int file = -1;
    *path = test_scratch("damaged.nc");
    CHECK_OK(build("golden/unet.pt", usual, &model, &err), err);
    CHECK_OK(gwf_model_write(&model, *path, "", true, &err), err);
    gwf_model_free(&model);
    CU_ASSERT_EQUAL(nc_open(*path, NC_WRITE, &file), NC_NOERR);
    return file;
}

static void check_refused(int file, const char *path, gwf_status status, const char *words)
{
    gwf_model model = {0};
    gwf_error err = {0};
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    CHECK_FAILS(gwf_model_read(path, NULL, &model, &err), status, err, words);
    CU_ASSERT_PTR_NULL(model.set.items);
}

static void put_word(int file, const char *name, const char *word)
{
    nc_redef(file);
    CU_ASSERT_EQUAL(nc_put_att_text(file, NC_GLOBAL, name, strlen(word), word), NC_NOERR);
}

static void put_one(int file, const char *name, double value)
{
    const size_t index[4] = {0};
    int variable = -1;
    CU_ASSERT_EQUAL(nc_inq_varid(file, name, &variable), NC_NOERR);
    CU_ASSERT_EQUAL(nc_put_var1_double(file, variable, index, &value), NC_NOERR);
}

static void test_damaged_files(void)
{
    const char *path;
    int file = damaged(&path);
    put_word(file, "padding", "mirror");
    check_refused(file, path, GWF_ERR_FORMAT, "padding is mirror, expected zero or periodic_lon");
    file = damaged(&path);
    const double version = 2;
    nc_redef(file);
    nc_put_att_double(file, NC_GLOBAL, "gwflux_model_version", NC_INT, 1, &version);
    check_refused(file, path, GWF_ERR_UNSUPPORTED, "version 2, this gwflux reads version 1");
    file = damaged(&path);
    nc_redef(file);
    nc_del_att(file, NC_GLOBAL, "recipe");
    check_refused(file, path, GWF_ERR_FORMAT, "recipe");
    file = damaged(&path);
    put_word(file, "recipe", "mine");
    check_refused(file, path, GWF_ERR_FORMAT, "recipe is mine, expected one of era5-released");
    file = damaged(&path);
    put_one(file, "lat", 10);
    check_refused(file, path, GWF_ERR_FORMAT, "lat: expected degrees in rising order");
    file = damaged(&path);
    put_one(file, "level_number", 20);
    check_refused(file, path, GWF_ERR_MODEL,
                  "output channel 0 is at level 16, level_number says 20");
    file = damaged(&path);
    put_one(file, "conv3.conv.0.weight", NAN);
    check_refused(file, path, GWF_ERR_MODEL, "weight conv3.conv.0.weight[0] is not finite");
    file = damaged(&path);
    put_one(file, "input_d", 0);
    check_refused(file, path, GWF_ERR_FORMAT, "input channel 0");
    file = damaged(&path);
    put_one(file, "output_mu", INFINITY);
    check_refused(file, path, GWF_ERR_FORMAT, "output_mu");
    file = damaged(&path);
    put_one(file, "input_level", 500);
    check_refused(file, path, GWF_ERR_FORMAT, "level 500");
    file = damaged(&path);
    nc_redef(file);
    nc_rename_var(file, 0, "something");
    check_refused(file, path, GWF_ERR_FORMAT, "input_variable");
    file = damaged(&path);
    int weight = -1;
    nc_inq_varid(file, "conv5.conv.3.bias", &weight);
    nc_redef(file);
    nc_rename_var(file, weight, "conv5.conv.9.bias");
    check_refused(file, path, GWF_ERR_MODEL, "conv5.conv.3.bias is missing");
}

/* ---- precision int8 ---- */

/* A list that fits, with numbers of its own everywhere. */
static void fill_int8(gwf_model *model)
{
    gwf_error err = {0};
    gwf_quantised *q = &model->int8;
    CHECK_OK(gwf_quantised_create(&model->network, q, &err), err);
    for (int i = 0; i < q->n_layers; i++) {
        gwf_quantised_layer *layer = &q->layers[i];
        layer->int8 = strncmp(layer->name, "conv2", 5) != 0;
        layer->drag_error = 0.001 * i;
        for (int c = 0; c < layer->channels; c++) {
            layer->scale[c] = 0.25f;
            layer->mean[c] = (float)(i - 3 * c);
        }
    }
    strcpy(q->sample, "some.nc, 3 of 9 steps");
    strcpy(q->range, "absolute maximum");
    q->maps = 3;
    q->drag_error = 0.02;
    q->prediction_error = 0.01;
    q->limit = 0.05;
}

static void check_same_int8(const gwf_quantised *a, const gwf_quantised *b)
{
    CU_ASSERT_EQUAL_FATAL(a->n_layers, b->n_layers);
    for (int i = 0; i < a->n_layers; i++) {
        const gwf_quantised_layer *x = &a->layers[i], *y = &b->layers[i];
        CU_ASSERT_STRING_EQUAL(x->name, y->name);
        CU_ASSERT_TRUE(x->channels == y->channels && x->int8 == y->int8 &&
                       x->is_signed == y->is_signed && x->drag_error == y->drag_error);
        const size_t bytes = (size_t)x->channels * sizeof(float);
        CU_ASSERT_TRUE(memcmp(x->scale, y->scale, bytes) == 0);
        CU_ASSERT_TRUE(memcmp(x->mean, y->mean, bytes) == 0);
    }
    CU_ASSERT_STRING_EQUAL(a->sample, b->sample);
    CU_ASSERT_STRING_EQUAL(a->range, b->range);
    CU_ASSERT_TRUE(a->maps == b->maps && a->drag_error == b->drag_error &&
                   a->prediction_error == b->prediction_error && a->limit == b->limit);
}

static void write_int8(const char *path)
{
    gwf_model a = {0}, b = {0};
    gwf_error err = {0};
    CHECK_OK(build("golden/unet.pt", usual, &a, &err), err);
    fill_int8(&a);
    CHECK_OK(gwf_model_write(&a, path, "", true, &err), err);
    CHECK_OK(gwf_model_read(path, NULL, &b, &err), err);
    check_same_int8(&a.int8, &b.int8);
    gwf_model_free(&a);
    gwf_model_free(&b);
}

static void test_int8_round_trip(void)
{
    gwf_model model = {0};
    gwf_error err = {0};
    const char *path = test_scratch("plain.nc");
    write_int8(test_scratch("int8.nc"));
    CHECK_OK(build("golden/unet.pt", usual, &model, &err), err);
    CHECK_OK(gwf_model_write(&model, path, "", true, &err), err);
    gwf_model_free(&model);
    CHECK_OK(gwf_model_read(path, NULL, &model, &err), err);
    CU_ASSERT_PTR_NULL(model.int8.layers);
    gwf_model_free(&model);
}

/* A file of precision int8, opened to be damaged. */
static int damaged_int8(const char **path)
{
    int file = -1;
    *path = test_scratch("damaged8.nc");
    write_int8(*path);
    CU_ASSERT_EQUAL(nc_open(*path, NC_WRITE, &file), NC_NOERR);
    return file;
}

static void refuse_one(const char *name, double value, gwf_status status, const char *words)
{
    const char *path;
    const int file = damaged_int8(&path);
    put_one(file, name, value);
    check_refused(file, path, status, words);
}

static void test_damaged_int8(void)
{
    const char *path;
    refuse_one("int8_scale", 0, GWF_ERR_MODEL, "layer conv1.conv.0, channel 0: scale 0");
    refuse_one("int8_scale", -1, GWF_ERR_MODEL, "scale -1");
    refuse_one("int8_scale", NAN, GWF_ERR_FORMAT, "int8_scale: a value is not finite");
    refuse_one("int8_mean", NAN, GWF_ERR_FORMAT, "int8_mean");
    refuse_one("int8_multiplies", 2, GWF_ERR_MODEL, "int8 layer 0: multiplies 2");
    refuse_one("int8_signed", 0, GWF_ERR_MODEL, "layer conv1.conv.0 reads 366 unsigned");
    refuse_one("int8_channels", -1, GWF_ERR_MODEL, "-1 channels; expected 0 or 1, 0 or 1, 366");
    refuse_one("int8_layer_error", NAN, GWF_ERR_FORMAT, "int8_layer_error");
    int file = damaged_int8(&path), variable = -1;
    const size_t start[2] = {1, 0}, count[2] = {1, 6};
    nc_inq_varid(file, "int8_name", &variable);
    CU_ASSERT_EQUAL(nc_put_vara_text(file, variable, start, count, "conv7\0"), NC_NOERR);
    check_refused(file, path, GWF_ERR_MODEL, "layer conv7, expected conv1.conv.3 in its place");
    file = damaged_int8(&path);
    nc_redef(file);
    nc_inq_varid(file, "int8_layer_error", &variable);
    nc_rename_var(file, variable, "int8_errors");
    check_refused(file, path, GWF_ERR_FORMAT, "int8_layer_error: the variable");
    file = damaged_int8(&path);
    nc_redef(file);
    nc_del_att(file, NC_GLOBAL, "int8_sample");
    check_refused(file, path, GWF_ERR_FORMAT, "int8_sample");
    file = damaged_int8(&path);
    const double odd = -1;
    nc_redef(file);
    nc_put_att_double(file, NC_GLOBAL, "int8_drag_error", NC_DOUBLE, 1, &odd);
    check_refused(file, path, GWF_ERR_FORMAT, "int8_drag_error: expected");
}

static void test_not_a_model(void)
{
    gwf_model model = {0};
    gwf_error err = {0};
    CHECK_FAILS(gwf_model_read(test_data("golden/unet_zero.nc"), NULL, &model, &err),
                GWF_ERR_FORMAT, err, "not a model file");
    CHECK_FAILS(gwf_model_read(test_data("golden/unet.pt"), NULL, &model, &err), GWF_ERR_FORMAT,
                err, "unet.pt");
}

/* ---- the grid ---- */

static void test_gaussian_latitudes(void)
{
    double lat[64];
    gwf_gaussian_latitudes(64, lat);
    /* First and last two of the T42 grid, as tabulated for CCM and ECHAM. */
    CHECK_AT_MOST(fabs(lat[63] - 87.8637988), 1e-7);
    CHECK_AT_MOST(fabs(lat[62] - 85.0965270), 1e-7);
    CHECK_AT_MOST(fabs(lat[32] - 1.3953069), 1e-7);
    for (int i = 0; i < 32; i++) CHECK_AT_MOST(fabs(lat[i] + lat[63 - i]), 1e-12);
    gwf_gaussian_latitudes(2, lat); /* P_2 = (3 x^2 - 1) / 2 */
    CHECK_AT_MOST(fabs(lat[1] - asin(1 / sqrt(3.0)) * 180 / acos(-1.0)), 1e-12);
}

int main(void)
{
    static const test_case tests[] = {
        {"what is written is read back", test_round_trip},
        {"existing files are kept unless told", test_existing_files},
        {"choices are checked", test_choices_are_checked},
        {"missing tensors are named", test_tensors_are_named},
        {"unknown tensors are named", test_unknown_tensor},
        {"variances that are none are named", test_bad_variance},
        {"files that disagree with themselves are refused", test_damaged_files},
        {"scales of precision int8 are read back", test_int8_round_trip},
        {"scales that make no sense are refused", test_damaged_int8},
        {"other files are not models", test_not_a_model},
        {"Gaussian latitudes", test_gaussian_latitudes},
    };
    return test_run("model", tests, sizeof tests / sizeof *tests);
}
