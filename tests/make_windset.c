/* Writes a synthetic WINDSET-style file, step by step, for tests of the command and its memory:
 *
 *   make_windset OUT.nc [--steps N] [--idim N] [--odim N] [--nlat N] [--nlon N] [--deflate L]
 *                       [--chunk-steps K] [--no-output] [--seed S]
 *                       [--nan-at step,channel,lat,lon | --infinity-at step,channel,lat,lon]
 *
 * Smooth fields of order 1 that follow from the seed alone; no weather in them. */
#include <math.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

typedef struct options {
    const char *path;
    size_t steps, idim, odim, nlat, nlon, chunk_steps;
    int deflate;
    unsigned seed;
    bool has_odd; /* a value that is not finite */
    float odd;
    size_t odd_at[4];
} options;

typedef struct output {
    int file, features, output, time;
} output;

static void check(int rc, const char *what)
{
    if (rc == NC_NOERR) return;
    fprintf(stderr, "make_windset: %s: %s\n", what, nc_strerror(rc));
    exit(1);
}

/* --- options -------------------------------------------------------------------------------- */

static void refuse(const char *argument)
{
    fprintf(stderr, "make_windset: what is %s?\n", argument);
    exit(2);
}

static size_t number(const char *text)
{
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end) refuse(text);
    return (size_t)value;
}

static void set_option(options *o, const char *name, const char *value)
{
    unsigned long long at[4];
    if (strcmp(name, "--steps") == 0)
        o->steps = number(value);
    else if (strcmp(name, "--idim") == 0)
        o->idim = number(value);
    else if (strcmp(name, "--odim") == 0)
        o->odim = number(value);
    else if (strcmp(name, "--nlat") == 0)
        o->nlat = number(value);
    else if (strcmp(name, "--nlon") == 0)
        o->nlon = number(value);
    else if (strcmp(name, "--deflate") == 0)
        o->deflate = (int)number(value);
    else if (strcmp(name, "--chunk-steps") == 0)
        o->chunk_steps = number(value);
    else if (strcmp(name, "--seed") == 0)
        o->seed = (unsigned)number(value);
    else if ((strcmp(name, "--nan-at") == 0 || strcmp(name, "--infinity-at") == 0) &&
             sscanf(value, "%llu,%llu,%llu,%llu", &at[0], &at[1], &at[2], &at[3]) == 4) {
        o->has_odd = true;
        o->odd = name[2] == 'n' ? NAN : INFINITY;
        for (int i = 0; i < 4; i++) o->odd_at[i] = (size_t)at[i];
    } else
        refuse(name);
}

static options parse(int argc, char **argv)
{
    options o = {.steps = 2, .idim = 491, .odim = 244, .nlat = 64, .nlon = 128, .chunk_steps = 1};
    bool features_only = false;
    if (argc < 2) refuse("the name of the output");
    o.path = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--no-output") == 0)
            features_only = true;
        else if (i + 1 < argc)
            set_option(&o, argv[i], argv[i + 1]), i++;
        else
            refuse(argv[i]);
    }
    if (features_only) o.odim = 0;
    if (!o.idim || !o.nlat || !o.nlon || !o.chunk_steps) refuse("a size of 0");
    return o;
}

/* --- fields --------------------------------------------------------------------------------- */

/* A value in [-1, 1) that depends on its arguments alone. */
static double noise(unsigned seed, size_t channel, unsigned which)
{
    unsigned long long x = seed * 0x9E3779B97F4A7C15ull + channel * 0xBF58476D1CE4E5B9ull + which;
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9ull;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBull;
    x ^= x >> 31;
    return (double)(x >> 11) / (double)(1ull << 52) - 1.0;
}

/* A wave that travels eastward, weaker towards the poles, on a constant. */
static void fill_map(const options *o, size_t step, size_t channel, float *map)
{
    const double turn = 2 * acos(-1.0), mean = 0.3 * noise(o->seed, channel, 0);
    const double size = 0.4 + 0.3 * noise(o->seed, channel, 1);
    const double phase = turn * noise(o->seed, channel, 2) + 0.1 * (double)step;
    const double waves = (double)(1 + channel % 6);
    for (size_t j = 0; j < o->nlat; j++) {
        const double y = ((double)j + 0.5) / (double)o->nlat;
        const double shape = size * sin(turn / 2 * y) * (1 + 0.3 * cos(turn * 2 * y));
        for (size_t i = 0; i < o->nlon; i++) {
            const double x = turn * waves * (double)i / (double)o->nlon;
            map[j * o->nlon + i] = (float)(mean + shape * sin(x - phase));
        }
    }
}

static void write_maps(const options *o, int file, int variable, size_t channels, size_t step,
                       unsigned shift, float *values)
{
    const size_t start[4] = {step, 0, 0, 0}, count[4] = {1, channels, o->nlat, o->nlon};
    const size_t map = o->nlat * o->nlon, *at = o->odd_at;
    options shifted = *o;
    shifted.seed += shift;
    for (size_t c = 0; c < channels; c++) fill_map(&shifted, step, c, values + c * map);
    if (shift == 0 && o->has_odd && at[0] == step && at[1] < channels && at[2] < o->nlat &&
        at[3] < o->nlon)
        values[at[1] * map + at[2] * o->nlon + at[3]] = o->odd;
    check(nc_put_vara_float(file, variable, start, count, values), "writing");
}

/* --- the file ------------------------------------------------------------------------------- */

static int define_field(const options *o, int file, const char *name, const int dims[4],
                        size_t channels)
{
    int id;
    const size_t chunk[4] = {o->chunk_steps, channels, o->nlat, o->nlon};
    check(nc_def_var(file, name, NC_FLOAT, 4, dims, &id), name);
    check(nc_def_var_chunking(file, id, NC_CHUNKED, chunk), "chunks");
    if (o->deflate > 0) check(nc_def_var_deflate(file, id, 1, 1, o->deflate), "deflate");
    check(nc_set_var_chunk_cache(file, id, chunk[0] * channels * o->nlat * o->nlon * 4, 5, 0.75f),
          "chunk cache");
    return id;
}

static void put_text(int file, int variable, const char *name, const char *text)
{
    check(nc_put_att_text(file, variable, name, strlen(text), text), name);
}

/* Stored as WINDSET stores them: fractions of 90 and 360. */
static void write_axes(const options *o, int file, int lat, int lon)
{
    double *degrees = malloc(o->nlat * sizeof *degrees);
    gwf_gaussian_latitudes((int)o->nlat, degrees);
    for (size_t j = 0; j < o->nlat; j++) {
        const double y = degrees[j] / 90;
        check(nc_put_var1_double(file, lat, &j, &y), "lat");
    }
    free(degrees);
    for (size_t i = 0; i < o->nlon; i++) {
        const double x = (double)i / (double)o->nlon;
        check(nc_put_var1_double(file, lon, &i, &x), "lon");
    }
}

static output create(const options *o)
{
    output f = {.output = -1};
    int time, idim, odim = -1, lat, lon, lat_id, lon_id;
    check(nc_create(o->path, NC_NETCDF4 | NC_CLOBBER, &f.file), o->path);
    check(nc_set_fill(f.file, NC_NOFILL, NULL), "no fill");
    check(nc_def_dim(f.file, "time", NC_UNLIMITED, &time), "time");
    check(nc_def_dim(f.file, "idim", o->idim, &idim), "idim");
    if (o->odim) check(nc_def_dim(f.file, "odim", o->odim, &odim), "odim");
    check(nc_def_dim(f.file, "lat", o->nlat, &lat), "lat");
    check(nc_def_dim(f.file, "lon", o->nlon, &lon), "lon");
    check(nc_def_var(f.file, "time", NC_INT, 1, &time, &f.time), "time");
    check(nc_def_var(f.file, "lat", NC_FLOAT, 1, &lat, &lat_id), "lat");
    check(nc_def_var(f.file, "lon", NC_FLOAT, 1, &lon, &lon_id), "lon");
    f.features = define_field(o, f.file, "features", (int[]){time, idim, lat, lon}, o->idim);
    if (o->odim)
        f.output = define_field(o, f.file, "output", (int[]){time, odim, lat, lon}, o->odim);
    put_text(f.file, f.time, "long_name", "hour of year");
    put_text(f.file, f.features, "long_name", "synthetic normalised features");
    put_text(f.file, NC_GLOBAL, "source", "synthetic waves, written by tests/make_windset.c");
    write_axes(o, f.file, lat_id, lon_id);
    return f;
}

int main(int argc, char **argv)
{
    const options o = parse(argc, argv);
    const output f = create(&o);
    const size_t channels = o.idim > o.odim ? o.idim : o.odim;
    float *values = malloc(channels * o.nlat * o.nlon * sizeof *values);
    if (!values) check(NC_ENOMEM, "memory");
    for (size_t step = 0; step < o.steps; step++) {
        const int hour = (int)step + 1;
        write_maps(&o, f.file, f.features, o.idim, step, 0, values);
        if (o.odim) write_maps(&o, f.file, f.output, o.odim, step, 1000, values);
        check(nc_put_var1_int(f.file, f.time, &step, &hour), "time");
    }
    free(values);
    check(nc_close(f.file), "closing");
    return 0;
}
