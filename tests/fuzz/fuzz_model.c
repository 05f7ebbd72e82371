/* Fuzz the model-file reader: a small model file is written with whatever faults the
 * fuzzer's bytes ask for (things missing, of other types and sizes, with other values) and read
 * back. NetCDF-C's own parsing of hostile bytes is not the subject. The reader must return, with a
 * message when it refuses, and a model it accepts must run. */
#include <math.h>
#include <netcdf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "engine/plan.h"
#include "model/model.h"

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

static size_t odd_length(source *s, size_t usual)
{
    static const size_t lengths[] = {1, 2, 3, 5, 122, 123, 4097};
    const unsigned byte = next(s);
    return byte < 200 ? usual : lengths[byte % 7];
}

static nc_type odd_type(source *s, nc_type usual)
{
    static const nc_type types[] = {NC_CHAR, NC_INT,   NC_FLOAT, NC_DOUBLE,
                                    NC_BYTE, NC_INT64, NC_UINT,  NC_STRING};
    const unsigned byte = next(s);
    return byte < 220 ? usual : types[byte % 8];
}

static int dimension(int file, size_t length)
{
    char name[32];
    int dim = 0;
    snprintf(name, sizeof name, "d%zu", length);
    if (nc_inq_dimid(file, name, &dim) != NC_NOERR) nc_def_dim(file, name, length, &dim);
    return dim;
}

static void put_values(int file, int variable, nc_type type, size_t n, const double *usual,
                       source *s)
{
    if (type == NC_STRING || n > 1 << 16) return;
    if (type == NC_CHAR) {
        char *text = calloc(n + 1, 1);
        for (size_t i = 0; i < n; i++) {
            const unsigned byte = next(s);
            text[i] = byte < 200 ? (i % GWF_VARIABLE_NAME ? 0 : 'u') : (char)byte;
        }
        nc_put_var_text(file, variable, text);
        free(text);
        return;
    }
    double *values = malloc((n ? n : 1) * sizeof *values);
    for (size_t i = 0; i < n; i++) values[i] = odd_number(s, usual ? usual[i % 2] : 0.25);
    nc_put_var_double(file, variable, values);
    free(values);
}

/* A variable, perhaps missing, of another type, rank or length. */
static void variable(int file, const char *name, nc_type type, int rank, const size_t *shape,
                     const double *usual, source *s)
{
    int dims[6] = {0}, id = 0;
    size_t n = 1;
    if (next(s) > 240) return;
    if (next(s) > 240) rank = (int)(next(s) % 6);
    type = odd_type(s, type);
    for (int i = 0; i < rank; i++) {
        const size_t length = odd_length(s, i < 4 ? shape[i] : 1);
        dims[i] = dimension(file, length);
        n *= length;
    }
    if (n > 1 << 22) return;
    if (nc_def_var(file, name, type, rank, dims, &id) != NC_NOERR) return;
    nc_enddef(file); /* the classic formats ask for the two modes */
    put_values(file, id, type, n, usual, s);
    nc_redef(file);
}

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

enum { INPUTS = 2, OUTPUTS = 2, HIDDEN = 2, LEVELS = 1 };

static void write_globals(int file, source *s)
{
    const double version = odd_number(s, 1);
    if (next(s) < 250)
        nc_put_att_double(file, NC_GLOBAL, "gwflux_model_version", NC_DOUBLE, 1, &version);
    word(file, "padding", "zero", s);
    word(file, "flux_kind", "rho_uw", s);
    word(file, "feature_set", "uvtheta", s);
    word(file, "vertical", "global", s);
    word(file, "recipe", "era5-released", s);
    word(file, "source", "a checkpoint", s);
}

static void write_tables(int file, source *s)
{
    static const double level[] = {16, 17}, one[] = {1, 1}, mu[] = {0.5, -0.5};
    static const char *const which[] = {"input", "output"};
    for (int t = 0; t < 2; t++) {
        const size_t n = t ? OUTPUTS : INPUTS, words[] = {n, GWF_VARIABLE_NAME, 1, 1};
        char name[64];
        snprintf(name, sizeof name, "%s_variable", which[t]);
        variable(file, name, NC_CHAR, 2, words, NULL, s);
        snprintf(name, sizeof name, "%s_units", which[t]);
        variable(file, name, NC_CHAR, 2, words, NULL, s);
        snprintf(name, sizeof name, "%s_level", which[t]);
        variable(file, name, NC_INT, 1, words, level, s);
        snprintf(name, sizeof name, "%s_transform", which[t]);
        variable(file, name, NC_INT, 1, words, one, s);
        snprintf(name, sizeof name, "%s_mu", which[t]);
        variable(file, name, NC_DOUBLE, 1, words, mu, s);
        snprintf(name, sizeof name, "%s_d", which[t]);
        variable(file, name, NC_DOUBLE, 1, words, one, s);
    }
    const size_t levels[] = {LEVELS, 1, 1, 1}, axis[] = {4, 1, 1, 1};
    variable(file, "level_number", NC_INT, 1, levels, level, s);
    variable(file, "hyam", NC_DOUBLE, 1, levels, one, s);
    variable(file, "hybm", NC_DOUBLE, 1, levels, mu, s);
    variable(file, "lat", NC_DOUBLE, 1, axis, mu, s);
    variable(file, "lon", NC_DOUBLE, 1, axis, mu, s);
}

static void write_weights(int file, source *s)
{
    const unsigned convolutions = next(s) % 3;
    char name[64];
    for (unsigned i = 1; i <= convolutions; i++) {
        const size_t shape[] = {INPUTS, INPUTS, 3, 3};
        snprintf(name, sizeof name, "conv%u.weight", i);
        variable(file, name, NC_FLOAT, 4, shape, NULL, s);
        snprintf(name, sizeof name, "conv%u.bias", i);
        variable(file, name, NC_FLOAT, 1, shape, NULL, s);
    }
    for (int i = 1; i <= 7; i++) {
        const size_t out = i < 6 ? HIDDEN : i == 6 ? 2 * OUTPUTS : OUTPUTS;
        const size_t in = i == 1 ? INPUTS : i < 7 ? HIDDEN : 2 * OUTPUTS;
        const size_t shape[] = {out, in, 1, 1};
        char module[32];
        snprintf(module, sizeof module, i < 7 ? "layer%d" : "output", i);
        snprintf(name, sizeof name, "%s.weight", module);
        variable(file, name, NC_FLOAT, 2, shape, NULL, s);
        snprintf(name, sizeof name, "%s.bias", module);
        variable(file, name, NC_FLOAT, 1, shape, NULL, s);
    }
    if (next(s) > 200) {
        const size_t shape[] = {3, 1, 1, 1};
        variable(file, next(s) % 2 ? "bnorm1.weight" : "conv1.conv.0.weight", NC_FLOAT,
                 (int)(next(s) % 5), shape, NULL, s);
    }
}

/* A model that was accepted must make a plan and run, or say why not. */
static void run(const gwf_model *model)
{
    const gwf_backend_config config = {0};
    gwf_context *context = NULL;
    gwf_plan *plan = NULL;
    gwf_error err = {0};
    if (gwf_backend_ref.open(&config, &context, &err) != GWF_OK) return;
    if (gwf_plan_create(&model->network, &gwf_backend_ref, context, 4, 4, &plan, &err) == GWF_OK) {
        float *in = calloc((size_t)model->network.inputs * 16, sizeof *in);
        float *out = calloc((size_t)model->network.outputs * 16, sizeof *out);
        if (gwf_plan_run(plan, in, out, &err) != GWF_OK) abort();
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
    int file = 0;
    /* CDF-5 is far quicker to make; the reader sees no difference. */
    const int format = next(&s) < 250 ? NC_CDF5 : NC_NETCDF4;
    if (nc_create(file_name(), format | NC_CLOBBER, &file) != NC_NOERR) return 0;
    write_globals(file, &s);
    write_tables(file, &s);
    write_weights(file, &s);
    if (nc_close(file) != NC_NOERR) return 0;
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
