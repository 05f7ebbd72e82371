/* How long reading a step of a compressed WINDSET-style file takes, through gwf_slab and through
 * NetCDF-C: features(48, 491, 64, 128), deflate 1 and shuffle.
 *
 *   read_windset FOLDER [--chunk-steps K] [--chunk-channels C] [--rounds N] [--wait MS]
 *
 * The file (600 MB) is made in FOLDER and removed at the end. All ways read it once in every round
 * after one that is not counted. A round's figure is its mean time of a step, as some steps find
 * their chunks decoded already; printed are the median and the best of the rounds. The page cache
 * stays warm. */
#include <math.h>
#include <netcdf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "io/slab.h"

enum { STEPS = 48, CHANNELS = 491, NLAT = 64, NLON = 128, MOST_ROUNDS = 99 };
static const size_t step_values = (size_t)CHANNELS * NLAT * NLON;

static void check(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "read_windset: %s\n", what);
    exit(1);
}

static double noise(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / (double)(1ull << 53) - 0.5;
}

/* Smooth waves with 2 % noise: mantissas as hard to compress as those of normalised reanalyses. */
static void fill_step(size_t step, float *values)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        const double waves = (double)(1 + c % 5), phase = 0.13 * (double)c + 0.1 * (double)step;
        for (size_t j = 0; j < NLAT; j++) {
            const double y = M_PI * ((double)j + 0.5) / NLAT;
            const double a = sin((double)(1 + c % 3) * y + phase) * sin(y);
            for (size_t i = 0; i < NLON; i++)
                *values++ = (float)(a * cos(2 * M_PI * waves * (double)i / NLON + phase) + 0.3 * a +
                                    0.02 * noise());
        }
    }
}

static void make_file(const char *path, size_t chunk_steps, size_t chunk_channels)
{
    static const char *const names[4] = {"time", "idim", "lat", "lon"};
    const size_t lengths[4] = {NC_UNLIMITED, CHANNELS, NLAT, NLON};
    const size_t chunk[4] = {chunk_steps, chunk_channels, NLAT, NLON};
    int file = 0, id = 0, dims[4];
    float *values = malloc(step_values * sizeof *values);
    check(values && nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file) == NC_NOERR, path);
    for (int i = 0; i < 4; i++)
        check(nc_def_dim(file, names[i], lengths[i], &dims[i]) == NC_NOERR, names[i]);
    check(nc_def_var(file, "features", NC_FLOAT, 4, dims, &id) == NC_NOERR &&
              nc_def_var_chunking(file, id, NC_CHUNKED, chunk) == NC_NOERR &&
              nc_def_var_deflate(file, id, 1, 1, 1) == NC_NOERR &&
              nc_set_var_chunk_cache(file, id, 512 << 20, 1009, 0.75f) == NC_NOERR,
          "features");
    for (size_t step = 0; step < STEPS; step++) {
        const size_t start[4] = {step}, count[4] = {1, CHANNELS, NLAT, NLON};
        fill_step(step % 12, values);
        check(nc_put_vara_float(file, id, start, count, values) == NC_NOERR, "writing");
    }
    check(nc_close(file) == NC_NOERR, "closing");
    free(values);
}

/* --- the ways ------------------------------------------------------------------------------- */

typedef struct way {
    const char *name;
    int threads; /* of gwf_slab; 0: nc_get_vara_float, with the cache that it has or a larger one */
    size_t cache;
    double ms[MOST_ROUNDS];
    size_t n;
    double sum; /* to compare what was read */
} way;

/* While somebody computes; seen from here a pause. */
static void pause_for(double ms)
{
    const struct timespec time = {(time_t)(ms / 1e3), (long)(1e6 * fmod(ms, 1e3))};
    if (ms > 0) nanosleep(&time, NULL);
}

static void read_once(way *w, const char *path, float *values, double wait, int counted)
{
    gwf_nc file;
    gwf_nc_variable v;
    gwf_error err = {0};
    gwf_slab *slab = NULL;
    check(gwf_nc_open(path, &file, &err) == GWF_OK && gwf_nc_variable_find(&file, "features", &v),
          err.text);
    if (w->threads > 0)
        check(gwf_slab_open(&file, &v, w->threads, &slab, &err) == GWF_OK, err.text);
    else if (w->cache > 0)
        check(nc_set_var_chunk_cache(file.id, v.id, w->cache, 1009, 0.75f) == NC_NOERR, "cache");
    double ms = 0;
    w->sum = 0;
    for (size_t step = 0; step < STEPS; step++) {
        const size_t start[4] = {step}, count[4] = {1, CHANNELS, NLAT, NLON};
        const double begin = gwf_now();
        if (slab)
            check(gwf_slab_read(slab, start, count, values, &err) == GWF_OK, err.text);
        else
            check(nc_get_vara_float(file.id, v.id, start, count, values) == NC_NOERR, "reading");
        ms += 1e3 * (gwf_now() - begin) / STEPS;
        w->sum += values[step_values / 3 + step];
        pause_for(wait);
    }
    if (counted) w->ms[w->n++] = ms;
    if (slab && !counted) printf("%s: %s\n", w->name, gwf_slab_how(slab));
    gwf_slab_close(&slab);
    gwf_nc_close(&file, NULL);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_way(way *w)
{
    qsort(w->ms, w->n, sizeof *w->ms, ascending);
    const double median = w->ms[w->n / 2];
    printf("%-26s median %7.2f ms, best %7.2f ms a step, %6.0f MB/s\n", w->name, median, w->ms[0],
           1e-3 * (double)(step_values * sizeof(float)) / median);
}

int main(int argc, char **argv)
{
    static way ways[] = {{.name = "NetCDF-C"},
                         {.name = "NetCDF-C, cache of a row", .cache = 256 << 20},
                         {.name = "gwf_slab, 1 thread", .threads = 1},
                         {.name = "gwf_slab, 2 threads", .threads = 2}};
    enum { WAYS = sizeof ways / sizeof *ways };
    size_t chunk_steps = 1, chunk_channels = CHANNELS, rounds = 5;
    double wait = 0;
    char path[1024];
    check(argc >= 2, "name a folder");
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--chunk-steps") == 0) chunk_steps = strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--chunk-channels") == 0)
            chunk_channels = strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--rounds") == 0) rounds = strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--wait") == 0) wait = strtod(argv[i + 1], NULL);
    }
    check(chunk_steps && chunk_channels && rounds && rounds <= MOST_ROUNDS, "a number");
    snprintf(path, sizeof path, "%s/read_windset.nc", argv[1]);
    float *values = malloc(step_values * sizeof *values);
    check(values != NULL, "memory");
    make_file(path, chunk_steps, chunk_channels);
    for (size_t round = 0; round <= rounds; round++)
        for (int i = 0; i < WAYS; i++) read_once(&ways[i], path, values, wait, round > 0);
    for (int i = 0; i < WAYS; i++) {
        check(ways[i].sum == ways[0].sum, "the ways read different values");
        print_way(&ways[i]);
    }
    unlink(path);
    free(values);
    return 0;
}
