/* Writing the model file; its layout stands in model.h. */
#include "model/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/part.h"

/* One dimension per size: "n366"; defined when first needed. */
static gwf_status dimension_of_size(gwf_nc *file, size_t size, char name[static 32], gwf_error *err)
{
    size_t length = 0;
    snprintf(name, 32, "n%zu", size);
    if (gwf_nc_dimension_find(file, name, &length)) return GWF_OK;
    return gwf_nc_define_dimension(file, name, size, err);
}

static gwf_status define_weights(gwf_nc *file, const gwf_tensor_set *set, gwf_error *err)
{
    for (size_t i = 0; i < set->count; i++) {
        const gwf_tensor *tensor = &set->items[i];
        char dims[GWF_TENSOR_RANK * 32 + 1] = "";
        for (int d = 0; d < tensor->rank; d++) {
            char name[32];
            GWF_TRY(dimension_of_size(file, tensor->shape[d], name, err));
            if (d) strcat(dims, " ");
            strcat(dims, name);
        }
        GWF_TRY(gwf_nc_define_variable(file, tensor->name, GWF_NC_FLOAT, dims, 0, err));
    }
    return GWF_OK;
}

typedef struct column {
    const char *suffix;
    gwf_nc_type type;
    const char *long_name;
} column;

static const column columns[] = {
    {"variable", GWF_NC_CHAR, "variable of the channel"},
    {"level", GWF_NC_INT, "number of the level in ECMWF's 137, 0: none"},
    {"transform", GWF_NC_INT, "0: (x - mu) / d, 1: signed cube root of (x - mu) / d"},
    {"mu", GWF_NC_DOUBLE, "subtracted from x"},
    {"d", GWF_NC_DOUBLE, "divides x - mu"},
    {"units", GWF_NC_CHAR, "units of x"},
};

static gwf_status define_channels(gwf_nc *file, const char *which, int count, gwf_error *err)
{
    GWF_TRY(gwf_nc_define_dimension(file, which, (size_t)count, err));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char name[64], dims[64];
        snprintf(name, sizeof name, "%s_%s", which, columns[i].suffix);
        snprintf(dims, sizeof dims, columns[i].type == GWF_NC_CHAR ? "%s text" : "%s", which);
        GWF_TRY(gwf_nc_define_variable(file, name, columns[i].type, dims, 0, err));
        GWF_TRY(gwf_nc_put_text(file, name, "long_name", columns[i].long_name, err));
    }
    return GWF_OK;
}

static gwf_status define_coordinates(gwf_nc *file, const gwf_model *model, gwf_error *err)
{
    static const struct {
        const char *name, *dim, *long_name, *units;
        gwf_nc_type type;
    } coordinates[] = {
        {"lat", "lat", "latitude of the training grid", "degrees_north", GWF_NC_DOUBLE},
        {"lon", "lon", "longitude of the training grid", "degrees_east", GWF_NC_DOUBLE},
        {"level_number", "level", "number of the output level in ECMWF's 137", "1", GWF_NC_INT},
        {"hyam", "level", "hybrid A coefficient at the middle of the level", "Pa", GWF_NC_DOUBLE},
        {"hybm", "level", "hybrid B coefficient at the middle of the level", "1", GWF_NC_DOUBLE},
    };
    GWF_TRY(gwf_nc_define_dimension(file, "lat", (size_t)model->nlat, err));
    GWF_TRY(gwf_nc_define_dimension(file, "lon", (size_t)model->nlon, err));
    GWF_TRY(gwf_nc_define_dimension(file, "level", (size_t)model->n_levels, err));
    for (size_t i = 0; i < sizeof coordinates / sizeof *coordinates; i++) {
        const char *name = coordinates[i].name;
        GWF_TRY(
            gwf_nc_define_variable(file, name, coordinates[i].type, coordinates[i].dim, 0, err));
        GWF_TRY(gwf_nc_put_text(file, name, "long_name", coordinates[i].long_name, err));
        GWF_TRY(gwf_nc_put_text(file, name, "units", coordinates[i].units, err));
    }
    return GWF_OK;
}

static gwf_status write_globals(gwf_nc *file, const gwf_model *model, const char *history,
                                gwf_error *err)
{
    const struct {
        const char *name, *text;
    } globals[] = {
        {"title", "gwflux model: gravity-wave momentum fluxes from normalised fields"},
        {"architecture", model->network.architecture},
        {"widths", model->network.widths},
        {"feature_set", model->features},
        {"vertical", model->vertical},
        {"recipe", model->recipe},
        {"padding", gwf_padding_name(model->padding)},
        {"flux_kind", gwf_flux_kind_name(model->flux_kind)},
        {"source", model->source},
        {"history", history},
    };
    GWF_TRY(gwf_nc_put_number(file, "", "gwflux_model_version", GWF_MODEL_FILE_VERSION, err));
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        GWF_TRY(gwf_nc_put_text(file, "", globals[i].name, globals[i].text, err));
    return GWF_OK;
}

static gwf_status put_column(gwf_nc *file, const char *which, const column *c,
                             const gwf_channel_table *table, gwf_error *err)
{
    const size_t n = (size_t)table->count;
    char name[64];
    snprintf(name, sizeof name, "%s_%s", which, c->suffix);
    double *numbers = calloc(n, sizeof *numbers);
    int *whole = calloc(n, sizeof *whole);
    char *text = calloc(n, GWF_VARIABLE_NAME);
    gwf_status status = GWF_OK;
    if (!numbers || !whole || !text) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for the channel table");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const gwf_channel *channel = &table->channels[i];
        numbers[i] = strcmp(c->suffix, "mu") == 0 ? channel->mu : channel->d;
        whole[i] = strcmp(c->suffix, "level") == 0 ? channel->level : (int)channel->transform;
        memcpy(text + i * GWF_VARIABLE_NAME,
               strcmp(c->suffix, "units") == 0 ? channel->units : channel->variable,
               GWF_VARIABLE_NAME);
    }
    status = c->type == GWF_NC_CHAR  ? gwf_nc_put_char(file, name, text, err)
             : c->type == GWF_NC_INT ? gwf_nc_put_int(file, name, whole, err)
                                     : gwf_nc_put_double(file, name, numbers, err);
done:
    free(numbers);
    free(whole);
    free(text);
    return status;
}

static gwf_status put_channels(gwf_nc *file, const char *which, const gwf_channel_table *table,
                               gwf_error *err)
{
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        GWF_TRY(put_column(file, which, &columns[i], table, err));
    return GWF_OK;
}

static gwf_status put_coordinates(gwf_nc *file, const gwf_model *model, gwf_error *err)
{
    int number[GWF_LEVELS];
    double a[GWF_LEVELS], b[GWF_LEVELS];
    for (int k = 0; k < model->n_levels; k++) {
        number[k] = model->levels[k].number;
        a[k] = model->levels[k].a;
        b[k] = model->levels[k].b;
    }
    GWF_TRY(gwf_nc_put_int(file, "level_number", number, err));
    GWF_TRY(gwf_nc_put_double(file, "hyam", a, err));
    GWF_TRY(gwf_nc_put_double(file, "hybm", b, err));
    GWF_TRY(gwf_nc_put_double(file, "lat", model->lat, err));
    return gwf_nc_put_double(file, "lon", model->lon, err);
}

static gwf_status write_all(gwf_nc *file, const gwf_model *model, const char *history,
                            gwf_error *err)
{
    GWF_TRY(gwf_nc_define_dimension(file, "text", GWF_VARIABLE_NAME, err));
    GWF_TRY(define_channels(file, "input", model->in.count, err));
    GWF_TRY(define_channels(file, "output", model->out.count, err));
    GWF_TRY(define_coordinates(file, model, err));
    GWF_TRY(define_weights(file, &model->set, err));
    GWF_TRY(gwf_model_define_int8(file, &model->int8, err));
    GWF_TRY(write_globals(file, model, history, err));
    GWF_TRY(put_channels(file, "input", &model->in, err));
    GWF_TRY(put_channels(file, "output", &model->out, err));
    GWF_TRY(put_coordinates(file, model, err));
    for (size_t i = 0; i < model->set.count; i++)
        GWF_TRY(gwf_nc_put_float(file, model->set.items[i].name, model->set.items[i].data, err));
    return gwf_model_put_int8(file, &model->int8, err);
}

gwf_status gwf_model_write(const gwf_model *model, const char *path, const char *history,
                           bool overwrite, gwf_error *err)
{
    gwf_part target = {0};
    gwf_nc file = {.id = -1};
    gwf_status status = GWF_OK;
    GWF_TRY(gwf_part_open(path, overwrite, &target, err));
    GWF_TRY_DONE(gwf_part_create(&target, err));
    status = gwf_nc_create(target.part, &file, err);
    if (status == GWF_OK) {
        status = write_all(&file, model, history, err);
        const gwf_status closed = gwf_nc_close(&file, status == GWF_OK ? err : NULL);
        if (status == GWF_OK) status = closed;
    }
    if (status == GWF_OK)
        status = gwf_part_finish(&target, err);
    else
        gwf_part_remove(&target);
done:
    gwf_part_free(&target);
    return status;
}
