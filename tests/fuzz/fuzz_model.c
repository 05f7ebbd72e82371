/* Fuzz the model-file reader: a small model file, of an ANN or a U-Net, is written with whatever
 * faults the fuzzer's bytes ask for (things missing, of other types and sizes, with other values)
 * and read back. NetCDF-C's own parsing of hostile bytes is not the subject. The reader must
 * return, with a message when it refuses, and a model it accepts must run. */
#include <math.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "engine/plan.h"
#include "model/model.h"

enum { INPUTS = 2, OUTPUTS = 2, HIDDEN = 2, LEVELS = 1, DEPTH = 5 };
enum { ROWS = 16, COLS = 16, POINTS = ROWS * COLS, MAX_VARIABLES = 256, MAX_CONVOLUTIONS = 32 };

/* The fuzzer's bytes, zeros when used up: zeros ask for a valid file. */
typedef struct source {
    const uint8_t *bytes;
    size_t left;
} source;

static unsigned next(source *s)
{
    if (!s->left) return 0;
    s->left--;
    return *s->bytes++;
}

static const double odd_numbers[] = {0,      1,   -1,       0.5,          1e300,
                                     -1e300, NAN, INFINITY, 2147483648.0, 1e-300};

static double odd_number(source *s, double usual)
{
    const unsigned byte = next(s);
    if (byte < 200) return usual;
    return odd_numbers[byte % (sizeof odd_numbers / sizeof *odd_numbers)];
}

/* --- variables ------------------------------------------------------------------------------ */

static double one(size_t i, int id)
{
    (void)i;
    (void)id;
    return 1;
}

static double level(size_t i, int id)
{
    (void)i;
    (void)id;
    return 16;
}

static double degrees(size_t i, int id)
{
    (void)id;
    return 11.25 * (double)i - 84.375;
}

/* Between -1/4 and 3/4, other ones in every tensor. */
static double weight(size_t i, int id)
{
    return (double)((i * 37 + (size_t)id * 11) % 17) / 16 - 0.25;
}

/* What the fuzzer may do to a variable. */
enum fault { MISSING = 1, MISNAMED = 2, RANK = 4, LENGTH = 8, TYPE = 16, VALUES = 32 };

typedef struct variable {
    int id;
    nc_type type;
    size_t size;
    double (*usual)(size_t i, int id);
    const char *text; /* usual one of a CHAR variable; NULL: words "u" */
    const int *list;  /* usual values, if they are no function; NULL: they are */
    bool spoilt;      /* some values are to be odd */
} variable;

/* The network's convolutions in its order, and what they read: for precision int8. */
typedef struct convolutions {
    char names[MAX_CONVOLUTIONS][GWF_LAYER_NAME];
    int channels[MAX_CONVOLUTIONS], is_signed[MAX_CONVOLUTIONS];
    int count;
} convolutions;

/* All variables are defined first, then all values are written: the formats ask for two modes, and
 * each change between them writes the header again. */
typedef struct output {
    int file;
    variable variables[MAX_VARIABLES];
    int count;
    source *bytes;
    convolutions convs;
} output;

static int dimension(int file, size_t length)
{
    char name[32];
    int dim = 0;
    snprintf(name, sizeof name, "d%zu", length);
    if (nc_inq_dimid(file, name, &dim) != NC_NOERR) nc_def_dim(file, name, length, &dim);
    return dim;
}

static size_t odd_length(source *s, size_t usual)
{
    static const size_t lengths[] = {1, 2, 3, 4, 5, 122, 123, 4097};
    const unsigned byte = next(s);
    return byte < 128 ? usual : lengths[byte % 8];
}

static nc_type odd_type(source *s)
{
    static const nc_type types[] = {NC_CHAR, NC_INT,   NC_FLOAT, NC_DOUBLE,
                                    NC_BYTE, NC_INT64, NC_UINT,  NC_STRING};
    return types[next(s) % 8];
}

/* Define one; a byte below 236 leaves it as it should be. */
static void define(output *o, const char *usual_name, nc_type type, int rank, const size_t *shape,
                   double (*usual)(size_t i, int id))
{
    source *s = o->bytes;
    int dims[6] = {0}, id = 0;
    size_t n = 1;
    char name[64];
    const unsigned faults = next(s) < 236 ? 0 : next(s);
    snprintf(name, sizeof name, "%s", usual_name);
    if (faults & MISSING || o->count == MAX_VARIABLES) return;
    if (faults & MISNAMED) {
        const size_t place = next(s) % strlen(name);
        name[place] = (char)next(s);
    }
    if (faults & RANK) rank = (int)(next(s) % 6);
    if (faults & TYPE) type = odd_type(s);
    for (int i = 0; i < rank; i++) {
        const size_t right = i < 4 ? shape[i] : 1;
        const size_t length = faults & LENGTH ? odd_length(s, right) : right;
        dims[i] = dimension(o->file, length);
        n *= length;
    }
    if (n > 1 << 16 || nc_def_var(o->file, name, type, rank, dims, &id) != NC_NOERR) return;
    o->variables[o->count++] =
        (variable){.id = id, .type = type, .size = n, .usual = usual, .spoilt = faults & VALUES};
}

static void put_text(const output *o, const variable *v)
{
    char *text = calloc(v->size + 1, 1);
    for (size_t i = 0; i < v->size && !v->text; i += GWF_VARIABLE_NAME) text[i] = 'u';
    for (size_t i = 0; i < v->size && v->text; i++)
        text[i] = v->text[i % (GWF_LAYER_NAME * MAX_CONVOLUTIONS)];
    for (unsigned n = v->spoilt ? next(o->bytes) % 32 : 0; n > 0; n--) {
        const size_t place = next(o->bytes) % v->size;
        text[place] = (char)next(o->bytes);
    }
    nc_put_var_text(o->file, v->id, text);
    free(text);
}

static void put_numbers(const output *o, const variable *v)
{
    double *values = malloc(v->size * sizeof *values);
    for (size_t i = 0; i < v->size; i++)
        values[i] = v->list ? v->list[i % MAX_CONVOLUTIONS] : v->usual(i, v->id);
    for (unsigned n = v->spoilt ? 1 + next(o->bytes) % 4 : 0; n > 0; n--) {
        const size_t place = next(o->bytes) % v->size;
        values[place] = odd_number(o->bytes, -1e-3);
    }
    nc_put_var_double(o->file, v->id, values);
    free(values);
}

static void put_all(const output *o)
{
    for (int i = 0; i < o->count; i++) {
        const variable *v = &o->variables[i];
        if (v->size == 0) continue;
        if (v->type == NC_CHAR)
            put_text(o, v);
        else if (v->type != NC_STRING)
            put_numbers(o, v);
    }
}

/* --- what a model file holds ---------------------------------------------------------------- */

static void word(int file, const char *name, const char *usual, source *s)
{
    char text[300];
    const unsigned byte = next(s);
    if (byte > 250) return;
    snprintf(text, sizeof text, "%s", usual);
    if (byte > 230) {
        memset(text, 'x', byte);
        text[byte] = '\0';
    }
    if (byte > 220 && byte <= 230) text[0] = (char)next(s);
    nc_put_att_text(file, NC_GLOBAL, name, strlen(text), text);
}

static void write_globals(int file, source *s)
{
    const double version = odd_number(s, 1);
    if (next(s) < 250)
        nc_put_att_double(file, NC_GLOBAL, "gwflux_model_version", NC_DOUBLE, 1, &version);
    word(file, "padding", next(s) % 2 ? "periodic_lon" : "zero", s);
    word(file, "flux_kind", "rho_uw", s);
    word(file, "feature_set", "uvtheta", s);
    word(file, "vertical", "global", s);
    word(file, "recipe", "era5-released", s);
    word(file, "source", "a checkpoint", s);
}

static void define_tables(output *o)
{
    static const char *const which[] = {"input", "output"};
    for (int t = 0; t < 2; t++) {
        const size_t n = t ? OUTPUTS : INPUTS, words[] = {n, GWF_VARIABLE_NAME, 1, 1};
        char name[64];
        snprintf(name, sizeof name, "%s_variable", which[t]);
        define(o, name, NC_CHAR, 2, words, weight);
        snprintf(name, sizeof name, "%s_units", which[t]);
        define(o, name, NC_CHAR, 2, words, weight);
        snprintf(name, sizeof name, "%s_level", which[t]);
        define(o, name, NC_INT, 1, words, level);
        snprintf(name, sizeof name, "%s_transform", which[t]);
        define(o, name, NC_INT, 1, words, one);
        snprintf(name, sizeof name, "%s_mu", which[t]);
        define(o, name, NC_DOUBLE, 1, words, weight);
        snprintf(name, sizeof name, "%s_d", which[t]);
        define(o, name, NC_DOUBLE, 1, words, one);
    }
    const size_t levels[] = {LEVELS, 1, 1, 1}, axis[] = {ROWS, 1, 1, 1};
    define(o, "level_number", NC_INT, 1, levels, level);
    define(o, "hyam", NC_DOUBLE, 1, levels, one);
    define(o, "hybm", NC_DOUBLE, 1, levels, weight);
    define(o, "lat", NC_DOUBLE, 1, axis, degrees);
    define(o, "lon", NC_DOUBLE, 1, axis, degrees);
}

/* MODULE.weight (out, in, kernel, kernel), or (out, in) for kernel 0, and MODULE.bias. */
static void define_layer(output *o, const char *module, size_t out, size_t in, size_t kernel)
{
    const size_t shape[] = {out, in, kernel, kernel};
    char name[64];
    snprintf(name, sizeof name, "%s.weight", module);
    define(o, name, NC_FLOAT, kernel ? 4 : 2, shape, weight);
    snprintf(name, sizeof name, "%s.bias", module);
    define(o, name, NC_FLOAT, 1, shape, weight);
}

/* One more convolution that the network will have. */
static void note(output *o, const char *module, const char *name, size_t channels, bool is_signed)
{
    convolutions *c = &o->convs;
    if (c->count == MAX_CONVOLUTIONS) return;
    snprintf(c->names[c->count], GWF_LAYER_NAME, "%.16s%.15s", module, name);
    c->channels[c->count] = (int)channels;
    c->is_signed[c->count] = is_signed;
    c->count++;
}

/* A tensor that no network has, or has already. */
static void define_stray(output *o)
{
    static const char *const names[] = {"bnorm1.weight", "conv1.conv.0.weight", "layer1.weight",
                                        "conv1.conv.1.num_batches_tracked"};
    const size_t shape[] = {3, 1, 1, 1};
    if (next(o->bytes) < 200) return;
    const char *name = names[next(o->bytes) % 4];
    define(o, name, NC_FLOAT, (int)(next(o->bytes) % 5), shape, weight);
}

static void define_ann(output *o)
{
    const unsigned convs = next(o->bytes) % 3;
    char name[32];
    for (unsigned i = 1; i <= convs; i++) {
        snprintf(name, sizeof name, "conv%u", i);
        define_layer(o, name, INPUTS, INPUTS, 3);
        note(o, name, "", INPUTS, i == 1);
    }
    for (int i = 1; i <= 6; i++) {
        snprintf(name, sizeof name, "layer%d", i);
        define_layer(o, name, i < 6 ? HIDDEN : 2 * OUTPUTS, i == 1 ? INPUTS : HIDDEN, 0);
        note(o, name, "", i == 1 ? INPUTS : HIDDEN, i > 1 || convs == 0);
    }
    define_layer(o, "output", OUTPUTS, 2 * OUTPUTS, 0);
    note(o, "output", "", 2 * OUTPUTS, true);
}

/* A convolution MODULE.at and the BatchNorm MODULE.(at + 1) behind it. */
static void define_conv_norm(output *o, const char *module, int at, size_t out, size_t in)
{
    const size_t shape[] = {out, 1, 1, 1};
    char name[32];
    snprintf(name, sizeof name, "%.20s.%d", module, at);
    define_layer(o, name, out, in, 3);
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%.15s.%d.%s", module, at + 1, parts[i]);
        define(o, name, NC_FLOAT, 1, shape, i % 3 ? weight : one);
    }
}

static void define_block(output *o, const char *kind, int k, size_t out, size_t in)
{
    char module[32];
    snprintf(module, sizeof module, "%s%d.conv", kind, k);
    define_conv_norm(o, module, 0, out, in);
    define_conv_norm(o, module, 3, out, out);
    note(o, module, ".0", in, kind[0] == 'c' && k == 1);
    note(o, module, ".3", out, false);
}

static void define_gate(output *o, int k, size_t channels)
{
    const size_t inner = 1 + next(o->bytes) % 3, gates = next(o->bytes) % 2 ? channels : 1;
    char module[32];
    snprintf(module, sizeof module, "attn%d.Wg", k);
    define_conv_norm(o, module, 0, inner, channels);
    snprintf(module, sizeof module, "attn%d.Wx", k);
    define_conv_norm(o, module, 0, inner, channels);
    snprintf(module, sizeof module, "attn%d.Psi", k);
    define_conv_norm(o, module, 0, gates, inner);
    snprintf(module, sizeof module, "attn%d", k);
    note(o, module, ".Wg+Wx", 2 * channels, false);
    note(o, module, ".Psi.0", inner, false);
}

/* Widths of 1 to 3 and both kinds of gates. */
static void define_unet(output *o)
{
    size_t width[DEPTH + 1] = {INPUTS};
    for (int k = 1; k <= DEPTH; k++) width[k] = 1 + next(o->bytes) % 3;
    for (int k = 1; k <= DEPTH; k++) define_block(o, "conv", k, width[k], width[k - 1]);
    for (int k = DEPTH; k >= 2; k--) {
        const size_t channels = width[k - 1];
        char module[32];
        snprintf(module, sizeof module, "up%d.up", k);
        define_conv_norm(o, module, 1, channels, width[k]);
        note(o, module, ".1", width[k], false);
        define_gate(o, k, channels);
        define_block(o, "upconv", k, channels, 2 * channels);
    }
    define_layer(o, "conv1x1", OUTPUTS, width[1], 1);
    note(o, "conv1x1", "", width[1], false);
}

/* One of the variables of precision int8, with its usual text or list. */
static void define_columns(output *o, const char *name, nc_type type, int rank, size_t n,
                           const void *usual)
{
    const size_t shape[] = {n, GWF_LAYER_NAME, 1, 1};
    const int before = o->count;
    define(o, name, type, rank, shape, one);
    if (o->count == before) return;
    if (type == NC_CHAR)
        o->variables[before].text = usual;
    else
        o->variables[before].list = usual;
}

/* What gwflux quantise adds: all convolutions in 8 bits. */
static void define_int8(output *o)
{
    static const char *const numbers[] = {"int8_maps", "int8_drag_error", "int8_prediction_error",
                                          "int8_limit"};
    const convolutions *c = &o->convs;
    const size_t n = (size_t)c->count;
    size_t channels = 0;
    if (next(o->bytes) % 2 == 0) return;
    for (int i = 0; i < c->count; i++) channels += (size_t)c->channels[i];
    for (int i = 0; i < 4; i++) {
        const double value = odd_number(o->bytes, 0.5);
        nc_put_att_double(o->file, NC_GLOBAL, numbers[i], NC_DOUBLE, 1, &value);
    }
    word(o->file, "int8_sample", "maps", o->bytes);
    word(o->file, "int8_range", "all", o->bytes);
    define_columns(o, "int8_name", NC_CHAR, 2, n, c->names);
    define_columns(o, "int8_signed", NC_INT, 1, n, c->is_signed);
    define_columns(o, "int8_channels", NC_INT, 1, n, c->channels);
    define_columns(o, "int8_multiplies", NC_INT, 1, n, NULL);
    define_columns(o, "int8_layer_error", NC_DOUBLE, 1, n, NULL);
    define_columns(o, "int8_scale", NC_FLOAT, 1, channels, NULL);
    define_columns(o, "int8_mean", NC_FLOAT, 1, channels, NULL);
}

/* One file, as the fuzzer's bytes ask; false when it cannot be made. CDF-5 is far quicker to make;
 * the reader sees no difference. */
static bool write_file(const char *path, source *s)
{
    output o = {.bytes = s};
    const int format = next(s) < 250 ? NC_CDF5 : NC_NETCDF4;
    const bool unet = next(s) % 2;
    if (nc_create(path, format | NC_CLOBBER, &o.file) != NC_NOERR) return false;
    nc_set_fill(o.file, NC_NOFILL, NULL);
    write_globals(o.file, s);
    define_tables(&o);
    if (unet)
        define_unet(&o);
    else
        define_ann(&o);
    define_stray(&o);
    define_int8(&o);
    nc_enddef(o.file);
    put_all(&o);
    return nc_close(o.file) == NC_NOERR;
}

/* --- running it ----------------------------------------------------------------------------- */

/* A model that was accepted must make a plan and run, or say why not. */
static void run(const gwf_model *model)
{
    const gwf_backend_config config = {.batch = 1};
    gwf_context *context = NULL;
    gwf_plan *plan = NULL;
    gwf_error err = {0};
    const gwf_quantised *int8 = model->int8.layers ? &model->int8 : NULL;
    if (gwf_backend_ref.open(&config, &context, &err) != GWF_OK) return;
    const gwf_site site = {&gwf_backend_ref, context, ROWS, COLS, NULL, int8};
    if (gwf_plan_create(&model->network, &site, &plan, &err) == GWF_OK) {
        const size_t inputs = POINTS * (size_t)model->network.inputs;
        float *in = malloc(inputs * sizeof *in);
        float *out = calloc(POINTS * (size_t)model->network.outputs, sizeof *out);
        for (size_t i = 0; i < inputs; i++) in[i] = (float)sin(0.37 * (double)i);
        if (gwf_plan_run(plan, 1, (const float *const *)&in, &out, &err) != GWF_OK) abort();
        free(in);
        free(out);
    }
    gwf_plan_free(&plan);
    gwf_backend_ref.close(context);
}

/* One file for all runs of this process. */
static const char *file_name(void)
{
    static char name[64];
    if (!name[0]) snprintf(name, sizeof name, "/tmp/fuzz_model.%ld.nc", (long)getpid());
    return name;
}

static void remove_file(void)
{
    remove(file_name());
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return atexit(remove_file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    source s = {data, size};
    if (!write_file(file_name(), &s)) return 0;
    gwf_model model = {0};
    gwf_error err = {0};
    const gwf_status status = gwf_model_read(file_name(), NULL, &model, &err);
    if (status == GWF_OK)
        run(&model);
    else if (!err.text[0])
        abort(); /* a refusal must say why */
    gwf_model_free(&model);
    return 0;
}
