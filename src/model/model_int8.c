/* The part of a model file that is about precision int8; its layout stands in model.h. */
#include "model/model_file.h"

#include <stdlib.h>
#include <string.h>

/* Columns of the file, as long as there are convolutions or input channels of all of them. */
typedef struct columns {
    size_t layers, channels;
    char *name; /* (layers, GWF_LAYER_NAME) */
    int *multiplies, *is_signed, *count;
    double *error;
    double *scale, *mean;
} columns;

static void free_columns(columns *c)
{
    free(c->name);
    free(c->multiplies);
    free(c->is_signed);
    free(c->count);
    free(c->error);
    free(c->scale);
    free(c->mean);
}

/* For a list of convolutions. */
static gwf_status make_columns(const gwf_quantised *q, columns *c, gwf_error *err)
{
    *c = (columns){.layers = (size_t)q->n_layers};
    for (int i = 0; i < q->n_layers; i++) c->channels += (size_t)q->layers[i].channels;
    c->name = calloc(c->layers, GWF_LAYER_NAME);
    c->multiplies = calloc(c->layers, sizeof(int));
    c->is_signed = calloc(c->layers, sizeof(int));
    c->count = calloc(c->layers, sizeof(int));
    c->error = calloc(c->layers, sizeof(double));
    c->scale = calloc(c->channels, sizeof(double));
    c->mean = calloc(c->channels, sizeof(double));
    if (c->name && c->multiplies && c->is_signed && c->count && c->error && c->scale && c->mean)
        return GWF_OK;
    free_columns(c);
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the scales of 8 bits");
}

/* ---- writing ---- */

static void fill_columns(const gwf_quantised *q, columns *c)
{
    size_t next = 0;
    for (int i = 0; i < q->n_layers; i++) {
        const gwf_quantised_layer *layer = &q->layers[i];
        memcpy(c->name + (size_t)i * GWF_LAYER_NAME, layer->name, GWF_LAYER_NAME);
        c->multiplies[i] = layer->int8;
        c->is_signed[i] = layer->is_signed;
        c->count[i] = layer->channels;
        c->error[i] = layer->drag_error;
        for (int k = 0; k < layer->channels; k++, next++) {
            c->scale[next] = layer->scale[k];
            c->mean[next] = layer->mean[k];
        }
    }
}

static gwf_status define_globals(gwf_nc *file, const gwf_quantised *q, gwf_error *err)
{
    GWF_TRY(gwf_nc_put_text(file, "", "int8_sample", q->sample, err));
    GWF_TRY(gwf_nc_put_text(file, "", "int8_range", q->range, err));
    GWF_TRY(gwf_nc_put_number(file, "", "int8_maps", q->maps, err));
    GWF_TRY(gwf_nc_put_number(file, "", "int8_drag_error", q->drag_error, err));
    GWF_TRY(gwf_nc_put_number(file, "", "int8_prediction_error", q->prediction_error, err));
    return gwf_nc_put_number(file, "", "int8_limit", q->limit, err);
}

gwf_status gwf_model_define_int8(gwf_nc *file, const gwf_quantised *q, gwf_error *err)
{
    static const struct {
        const char *name, *dims, *long_name;
        gwf_nc_type type;
    } variables[] = {
        {"int8_name", "int8_layer int8_text", "convolution", GWF_NC_CHAR},
        {"int8_multiplies", "int8_layer", "1: multiplies in 8 bits, 0: in higher precision",
         GWF_NC_INT},
        {"int8_signed", "int8_layer", "1: its input is -127 to 127, 0: 0 to 255, times the scale",
         GWF_NC_INT},
        {"int8_channels", "int8_layer", "number of its input channels", GWF_NC_INT},
        {"int8_layer_error", "int8_layer",
         "relative error of the drag with only the convolutions of this one's input in 8 bits",
         GWF_NC_DOUBLE},
        {"int8_scale", "int8_channel", "value of integer 1, convolution by convolution",
         GWF_NC_FLOAT},
        {"int8_mean", "int8_channel", "mean over the sample, convolution by convolution",
         GWF_NC_FLOAT},
    };
    size_t channels = 0;
    if (!q->layers) return GWF_OK;
    for (int i = 0; i < q->n_layers; i++) channels += (size_t)q->layers[i].channels;
    GWF_TRY(gwf_nc_define_dimension(file, "int8_layer", (size_t)q->n_layers, err));
    GWF_TRY(gwf_nc_define_dimension(file, "int8_channel", channels, err));
    GWF_TRY(gwf_nc_define_dimension(file, "int8_text", GWF_LAYER_NAME, err));
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *name = variables[i].name;
        GWF_TRY(gwf_nc_define_variable(file, name, variables[i].type, variables[i].dims, 0, err));
        GWF_TRY(gwf_nc_put_text(file, name, "long_name", variables[i].long_name, err));
    }
    return define_globals(file, q, err);
}

static gwf_status put_columns(gwf_nc *file, const columns *c, gwf_error *err)
{
    GWF_TRY(gwf_nc_put_char(file, "int8_name", c->name, err));
    GWF_TRY(gwf_nc_put_int(file, "int8_multiplies", c->multiplies, err));
    GWF_TRY(gwf_nc_put_int(file, "int8_signed", c->is_signed, err));
    GWF_TRY(gwf_nc_put_int(file, "int8_channels", c->count, err));
    GWF_TRY(gwf_nc_put_double(file, "int8_layer_error", c->error, err));
    GWF_TRY(gwf_nc_put_double(file, "int8_scale", c->scale, err));
    return gwf_nc_put_double(file, "int8_mean", c->mean, err);
}

gwf_status gwf_model_put_int8(gwf_nc *file, const gwf_quantised *q, gwf_error *err)
{
    columns c;
    if (!q->layers) return GWF_OK;
    GWF_TRY(make_columns(q, &c, err));
    fill_columns(q, &c);
    const gwf_status status = put_columns(file, &c, err);
    free_columns(&c);
    return status;
}

/* ---- reading ---- */

static gwf_status read_columns(const gwf_nc *file, columns *c, gwf_error *err)
{
    GWF_TRY(gwf_model_words(file, "int8_name", c->layers, GWF_LAYER_NAME, c->name, err));
    GWF_TRY(gwf_model_ints(file, "int8_multiplies", c->layers, c->multiplies, err));
    GWF_TRY(gwf_model_ints(file, "int8_signed", c->layers, c->is_signed, err));
    GWF_TRY(gwf_model_ints(file, "int8_channels", c->layers, c->count, err));
    GWF_TRY(gwf_model_doubles(file, "int8_layer_error", c->layers, c->error, err));
    GWF_TRY(gwf_model_doubles(file, "int8_scale", c->channels, c->scale, err));
    return gwf_model_doubles(file, "int8_mean", c->channels, c->mean, err);
}

/* Columns are as long as the network's list: it has room for as many values. */
static gwf_status take_columns(const gwf_nc *file, const columns *c, gwf_quantised *q,
                               gwf_error *err)
{
    size_t next = 0;
    for (size_t i = 0; i < c->layers; i++) {
        gwf_quantised_layer *layer = &q->layers[i];
        const bool flags = (c->multiplies[i] | 1) == 1 && (c->is_signed[i] | 1) == 1;
        if (!flags || c->count[i] != layer->channels)
            return gwf_fail(err, GWF_ERR_MODEL,
                            "%s: int8 layer %zu: multiplies %d, signed %d, %d channels; expected 0 "
                            "or 1, 0 or 1, %d",
                            file->path, i, c->multiplies[i], c->is_signed[i], c->count[i],
                            layer->channels);
        memcpy(layer->name, c->name + i * GWF_LAYER_NAME, GWF_LAYER_NAME);
        layer->int8 = c->multiplies[i];
        layer->is_signed = c->is_signed[i];
        layer->drag_error = c->error[i];
        for (int k = 0; k < layer->channels; k++, next++) {
            layer->scale[k] = (float)c->scale[next];
            layer->mean[k] = (float)c->mean[next];
        }
    }
    return GWF_OK;
}

static gwf_status read_globals(const gwf_nc *file, gwf_quantised *q, gwf_error *err)
{
    double maps = 0;
    const struct {
        const char *name;
        double *value;
    } numbers[] = {{"int8_maps", &maps},
                   {"int8_drag_error", &q->drag_error},
                   {"int8_prediction_error", &q->prediction_error},
                   {"int8_limit", &q->limit}};
    if (!gwf_nc_text(file, NULL, "int8_sample", q->sample, sizeof q->sample) ||
        !gwf_nc_text(file, NULL, "int8_range", q->range, sizeof q->range))
        return gwf_model_wrong(file, err, "int8_sample, int8_range",
                               "a global attribute that goes with int8_name is missing");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!gwf_nc_number(file, NULL, numbers[i].name, numbers[i].value) ||
            !(*numbers[i].value >= 0 && *numbers[i].value <= 1e9))
            return gwf_model_wrong(file, err, numbers[i].name,
                                   "expected a global attribute from 0 to 1e9");
    q->maps = (int)maps;
    return GWF_OK;
}

static gwf_status fill_list(const gwf_nc *file, gwf_quantised *q, gwf_error *err)
{
    columns c;
    GWF_TRY(make_columns(q, &c, err));
    gwf_status status = read_columns(file, &c, err);
    if (status == GWF_OK) status = take_columns(file, &c, q, err);
    free_columns(&c);
    return status;
}

gwf_status gwf_model_read_int8(const gwf_nc *file, gwf_model *model, gwf_error *err)
{
    gwf_nc_variable v;
    gwf_quantised *q = &model->int8;
    if (!gwf_nc_variable_find(file, "int8_name", &v)) return GWF_OK;
    GWF_TRY(gwf_quantised_create(&model->network, q, err));
    GWF_TRY(fill_list(file, q, err));
    GWF_TRY(read_globals(file, q, err));
    const gwf_status status = gwf_quantised_check(&model->network, q, err);
    if (status != GWF_OK) gwf_error_prefix(err, "%s", file->path);
    return status;
}
