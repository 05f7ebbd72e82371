/* Reading the model file; its layout stands in model.h. Nothing in it is trusted. */
#include "model/model_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checksum.h"
#include "core/size.h"

enum {
    MAX_CHANNELS = 4096,
    MAX_GRID = 1 << 16,
    MAX_WEIGHTS = 1 << 28, /* values in all tensors; the published U-Net has 38 million */
    MAX_TENSORS = 4096     /* the published U-Net has 206 */
};

/* Weights are the variables with a dot in their name; everything else has none. */
static bool is_weight(const char *name)
{
    return strchr(name, '.') != NULL;
}

gwf_status gwf_model_wrong(const gwf_nc *file, gwf_error *err, const char *what, const char *why)
{
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: %s: %s", file->path, what, why);
}

static gwf_status read_word(const gwf_nc *file, const char *name, char *word, size_t size,
                            gwf_error *err)
{
    if (!gwf_nc_text(file, NULL, name, word, size))
        return gwf_model_wrong(file, err, name,
                               "the global attribute of a gwflux model file is missing");
    return GWF_OK;
}

static gwf_status read_named(const gwf_nc *file, const char *name, const char *first,
                             const char *second, int *choice, gwf_error *err)
{
    char word[24];
    GWF_TRY(read_word(file, name, word, sizeof word, err));
    *choice = strcmp(word, second) == 0;
    if (!*choice && strcmp(word, first) != 0)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %s is %s, expected %s or %s", file->path, name,
                        word, first, second);
    return GWF_OK;
}

static gwf_status read_globals(const gwf_nc *file, gwf_model *model, gwf_error *err)
{
    double version = 0;
    int padding = 0, kind = 0;
    if (!gwf_nc_number(file, NULL, "gwflux_model_version", &version))
        return gwf_model_wrong(
            file, err, "gwflux_model_version",
            "the global attribute is missing: not a model file (gwflux import makes one)");
    if (version != GWF_MODEL_FILE_VERSION)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "%s: model file version %g, this gwflux reads version %d", file->path,
                        version, GWF_MODEL_FILE_VERSION);
    GWF_TRY(read_named(file, "padding", "zero", "periodic_lon", &padding, err));
    GWF_TRY(read_named(file, "flux_kind", "rho_uw", "u_omega", &kind, err));
    model->padding = (gwf_padding)padding;
    model->flux_kind = (gwf_flux_kind)kind;
    GWF_TRY(read_word(file, "feature_set", model->features, sizeof model->features, err));
    GWF_TRY(read_word(file, "vertical", model->vertical, sizeof model->vertical, err));
    GWF_TRY(read_word(file, "recipe", model->recipe, sizeof model->recipe, err));
    if (!gwf_recipe_find(model->recipe))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: recipe is %s, expected one of %s", file->path,
                        model->recipe, gwf_recipe_names());
    return read_word(file, "source", model->source, sizeof model->source, err);
}

gwf_status gwf_model_find(const gwf_nc *file, const char *name, size_t *count, size_t most,
                          gwf_nc_variable *v, gwf_error *err)
{
    if (!gwf_nc_variable_find(file, name, v))
        return gwf_model_wrong(file, err, name, "the variable of a gwflux model file is missing");
    if (v->rank < 1 || v->shape[0] < 1 || v->shape[0] > most || (*count && v->shape[0] != *count))
        return gwf_model_wrong(file, err, name, "the variable has the wrong length");
    *count = v->shape[0];
    return GWF_OK;
}

gwf_status gwf_model_doubles(const gwf_nc *file, const char *name, size_t count, double *values,
                             gwf_error *err)
{
    gwf_nc_variable v;
    GWF_TRY(gwf_model_find(file, name, &count, count, &v, err));
    GWF_TRY(gwf_nc_get_double(file, &v, count, values, err));
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return gwf_model_wrong(file, err, name, "a value is not finite");
    return GWF_OK;
}

gwf_status gwf_model_ints(const gwf_nc *file, const char *name, size_t count, int *values,
                          gwf_error *err)
{
    gwf_nc_variable v;
    GWF_TRY(gwf_model_find(file, name, &count, count, &v, err));
    return gwf_nc_get_int(file, &v, count, values, err);
}

gwf_status gwf_model_words(const gwf_nc *file, const char *name, size_t count, size_t length,
                           char *words, gwf_error *err)
{
    gwf_nc_variable v;
    GWF_TRY(gwf_model_find(file, name, &count, count, &v, err));
    if (v.rank != 2 || v.shape[1] != length)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %s: expected words of %zu characters", file->path,
                        name, length);
    GWF_TRY(gwf_nc_get_char(file, &v, count * length, words, err));
    for (size_t i = 0; i < count; i++)
        if (!memchr(words + i * length, 0, length))
            return gwf_model_wrong(file, err, name, "a word has no end");
        else
            gwf_plain_text(words + i * length);
    return GWF_OK;
}

/* The columns of a channel table as they stand in the file. */
typedef struct raw_table {
    char *variable, *units;
    int *level, *transform;
    double *mu, *d;
} raw_table;

static gwf_status read_raw(const gwf_nc *file, const char *which, size_t n, raw_table *raw,
                           gwf_error *err)
{
    char name[64];
    const struct {
        const char *suffix;
        char *words;
        int *ints;
        double *doubles;
    } parts[] = {{"variable", raw->variable, NULL, NULL},
                 {"units", raw->units, NULL, NULL},
                 {"level", NULL, raw->level, NULL},
                 {"transform", NULL, raw->transform, NULL},
                 {"mu", NULL, NULL, raw->mu},
                 {"d", NULL, NULL, raw->d}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(name, sizeof name, "%s_%s", which, parts[i].suffix);
        if (parts[i].words)
            GWF_TRY(gwf_model_words(file, name, n, GWF_VARIABLE_NAME, parts[i].words, err));
        else if (parts[i].ints)
            GWF_TRY(gwf_model_ints(file, name, n, parts[i].ints, err));
        else
            GWF_TRY(gwf_model_doubles(file, name, n, parts[i].doubles, err));
    }
    return GWF_OK;
}

static gwf_status check_channel(const gwf_nc *file, const char *which, int i,
                                const gwf_channel *channel, gwf_error *err)
{
    const bool level = channel->level == 0 || (channel->level >= GWF_FIRST_LEVEL &&
                                               channel->level < GWF_FIRST_LEVEL + GWF_LEVELS);
    if (!channel->variable[0] || !level || (int)channel->transform < 0 ||
        (int)channel->transform > 1 || channel->d == 0)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: %s channel %d: variable '%s', level %d, transform %d, d %g make no "
                        "channel",
                        file->path, which, i, channel->variable, channel->level,
                        (int)channel->transform, channel->d);
    return GWF_OK;
}

static gwf_status read_channels(const gwf_nc *file, const char *which, gwf_channel_table *table,
                                gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_nc_variable v;
    char name[64];
    size_t n = 0;
    raw_table raw = {0};
    snprintf(name, sizeof name, "%s_level", which);
    GWF_TRY(gwf_model_find(file, name, &n, MAX_CHANNELS, &v, err));
    raw = (raw_table){calloc(n, GWF_VARIABLE_NAME), calloc(n, GWF_VARIABLE_NAME),
                      calloc(n, sizeof(int)),       calloc(n, sizeof(int)),
                      calloc(n, sizeof(double)),    calloc(n, sizeof(double))};
    table->channels = calloc(n, sizeof *table->channels);
    if (!raw.variable || !raw.units || !raw.level || !raw.transform || !raw.mu || !raw.d ||
        !table->channels) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu channels", n);
        goto done;
    }
    GWF_TRY_DONE(read_raw(file, which, n, &raw, err));
    table->count = (int)n;
    for (size_t i = 0; i < n; i++) {
        gwf_channel *channel = &table->channels[i];
        memcpy(channel->variable, raw.variable + i * GWF_VARIABLE_NAME, GWF_VARIABLE_NAME);
        memcpy(channel->units, raw.units + i * GWF_VARIABLE_NAME, GWF_VARIABLE_NAME);
        channel->level = raw.level[i];
        channel->transform = (gwf_transform)raw.transform[i];
        channel->mu = raw.mu[i];
        channel->d = raw.d[i];
        GWF_TRY_DONE(check_channel(file, which, (int)i, channel, err));
    }
done:
    free(raw.variable);
    free(raw.units);
    free(raw.level);
    free(raw.transform);
    free(raw.mu);
    free(raw.d);
    return status;
}

static gwf_status read_levels(const gwf_nc *file, gwf_model *model, gwf_error *err)
{
    size_t n = 0;
    gwf_nc_variable v;
    int number[GWF_LEVELS];
    double a[GWF_LEVELS], b[GWF_LEVELS];
    GWF_TRY(gwf_model_find(file, "level_number", &n, GWF_LEVELS, &v, err));
    GWF_TRY(gwf_model_ints(file, "level_number", n, number, err));
    GWF_TRY(gwf_model_doubles(file, "hyam", n, a, err));
    GWF_TRY(gwf_model_doubles(file, "hybm", n, b, err));
    model->n_levels = (int)n;
    for (size_t k = 0; k < n; k++) model->levels[k] = (gwf_level){number[k], a[k], b[k]};
    return GWF_OK;
}

static gwf_status read_axis(const gwf_nc *file, const char *name, double **values, int *count,
                            gwf_error *err)
{
    size_t n = 0;
    gwf_nc_variable v;
    GWF_TRY(gwf_model_find(file, name, &n, MAX_GRID, &v, err));
    *values = malloc(n * sizeof **values);
    if (!*values) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for axis %s", name);
    *count = (int)n;
    GWF_TRY(gwf_model_doubles(file, name, n, *values, err));
    for (size_t i = 0; i < n; i++)
        if (fabs((*values)[i]) > 360 || (i > 0 && (*values)[i] <= (*values)[i - 1]))
            return gwf_model_wrong(file, err, name, "expected degrees in rising order");
    return GWF_OK;
}

/* `values`: else they are 0. */
static gwf_status read_weight(const gwf_nc *file, const gwf_nc_variable *v, bool values,
                              gwf_tensor_set *set, gwf_error *err)
{
    size_t size = 0;
    gwf_tensor *tensor = NULL;
    if (set->count >= MAX_TENSORS || v->rank > GWF_TENSOR_RANK ||
        !gwf_size_product(v->shape, v->rank, &size) ||
        size > MAX_WEIGHTS - gwf_tensor_set_values(set))
        return gwf_model_wrong(file, err, v->name, "the weights are too large");
    GWF_TRY(gwf_tensor_set_add(set, v->name, v->rank, v->shape, &tensor, err));
    if (!values) return GWF_OK;
    GWF_TRY(gwf_nc_get_float(file, v, size, tensor->data, err));
    for (size_t i = 0; i < size; i++)
        if (!isfinite(tensor->data[i]))
            return gwf_fail(err, GWF_ERR_MODEL, "%s: weight %s[%zu] is not finite", file->path,
                            v->name, i);
    return GWF_OK;
}

static gwf_status read_weights(const gwf_nc *file, bool values, gwf_tensor_set *set, gwf_error *err)
{
    int count = 0;
    GWF_TRY(gwf_nc_variable_count(file, &count, err));
    for (int i = 0; i < count; i++) {
        gwf_nc_variable v;
        GWF_TRY(gwf_nc_variable_at(file, i, &v, err));
        if (is_weight(v.name)) GWF_TRY(read_weight(file, &v, values, set, err));
    }
    return GWF_OK;
}

static gwf_status check_sizes(const gwf_nc *file, const gwf_model *model, gwf_error *err)
{
    const gwf_network *n = &model->network;
    if (model->in.count != n->inputs || model->out.count != n->outputs ||
        model->out.count != 2 * model->n_levels)
        return gwf_fail(err, GWF_ERR_MODEL,
                        "%s: the network has %d channels in and %d out, the tables have %d and %d, "
                        "and there are %d levels",
                        file->path, n->inputs, n->outputs, model->in.count, model->out.count,
                        model->n_levels);
    return GWF_OK;
}

/* The outputs are the levels, for uw and again for vw. */
static gwf_status check_levels(const gwf_nc *file, const gwf_model *model, gwf_error *err)
{
    for (int i = 0; i < model->out.count; i++) {
        const int number = model->levels[i % model->n_levels].number;
        if (model->out.channels[i].level != number)
            return gwf_fail(err, GWF_ERR_MODEL,
                            "%s: output channel %d is at level %d, level_number says %d",
                            file->path, i, model->out.channels[i].level, number);
    }
    return GWF_OK;
}

static gwf_status read_all(const gwf_nc *file, bool values, const gwf_log *log, gwf_model *model,
                           gwf_error *err)
{
    GWF_TRY(read_globals(file, model, err));
    GWF_TRY(read_channels(file, "input", &model->in, err));
    GWF_TRY(read_channels(file, "output", &model->out, err));
    GWF_TRY(read_levels(file, model, err));
    GWF_TRY(read_axis(file, "lat", &model->lat, &model->nlat, err));
    GWF_TRY(read_axis(file, "lon", &model->lon, &model->nlon, err));
    GWF_TRY(read_weights(file, values, &model->set, err));
    const gwf_status status = gwf_network_build(&model->set, (gwf_edges){.padding = model->padding},
                                                log, &model->network, err);
    if (status != GWF_OK) {
        gwf_error_prefix(err, "%s", file->path);
        return status;
    }
    GWF_TRY(check_sizes(file, model, err));
    GWF_TRY(check_levels(file, model, err));
    return gwf_model_read_int8(file, model, err);
}

static gwf_status read_file(const char *path, bool values, const gwf_log *log, gwf_model *model,
                            gwf_error *err)
{
    gwf_nc file = {.id = -1};
    *model = (gwf_model){0};
    GWF_TRY(gwf_nc_open(path, &file, err));
    const gwf_status status = read_all(&file, values, log, model, err);
    gwf_nc_close(&file, NULL);
    if (status != GWF_OK) gwf_model_free(model);
    return status;
}

gwf_status gwf_model_read(const char *path, const gwf_log *log, gwf_model *model, gwf_error *err)
{
    GWF_TRY(read_file(path, true, log, model, err));
    const gwf_status status = gwf_checksum_file(path, model->checksum, err);
    if (status != GWF_OK) gwf_model_free(model);
    return status;
}

gwf_status gwf_model_read_shape(const char *path, const gwf_log *log, gwf_model *model,
                                gwf_error *err)
{
    return read_file(path, false, log, model, err);
}
