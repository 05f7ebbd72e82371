/* Fluxes whose every value follows from its place, for tests with many writers: made, and checked
 * by plain NetCDF calls. */
#ifndef GWF_TESTS_FLUX_CASE_H
#define GWF_TESTS_FLUX_CASE_H

#include <netcdf.h>
#include <stdlib.h>

#include "io/flux_file.h"

enum {
    CASE_LEV = 4,
    CASE_LAT = 48,
    CASE_LON = 96,
    CASE_FIELD = CASE_LEV * CASE_LAT * CASE_LON,
    CASE_CHANNELS = 2 * CASE_LEV,
    CASE_STEPS = 4096 /* at most */
};

static double case_lat[CASE_LAT], case_lon[CASE_LON], case_times[CASE_STEPS];
static const int case_number[CASE_LEV] = {16, 60, 100, 137};
static const double case_a[CASE_LEV] = {145.0, 6000.0, 3000.0, 0.0};
static const double case_b[CASE_LEV] = {0.0, 0.1, 0.5, 0.9976};
static const gwf_attribute case_globals[] = {
    {"history", "made by a test"}, {"gwflux_model_sha256", "0123abcd"},
    {"gwflux_recipe", "z-score"},  {"gwflux_flux_kind", "rho_uw"},
    {"gwflux_backend", "ref"},     {"gwflux_precision", "fp64"},
    {"gwflux_version", "0.1.0"},   {"gwflux_job", "inputs in.nc, steps 0 to 10"},
};
enum { CASE_GLOBALS = sizeof case_globals / sizeof *case_globals };

static inline double case_time(size_t step)
{
    return 100.0 + (double)step;
}

static inline float case_value(size_t step, size_t i, float factor)
{
    return factor * ((float)step + (float)i / 65536);
}

static inline gwf_flux_layout case_layout(size_t steps, const gwf_comm *comm)
{
    for (int i = 0; i < CASE_LAT; i++) case_lat[i] = -88.125 + 3.75 * i;
    for (int i = 0; i < CASE_LON; i++) case_lon[i] = 3.75 * i;
    for (size_t s = 0; s < steps; s++) case_times[s] = case_time(s);
    return (gwf_flux_layout){.steps = steps,
                             .nlev = CASE_LEV,
                             .nlat = CASE_LAT,
                             .nlon = CASE_LON,
                             .lat = case_lat,
                             .lon = case_lon,
                             .level_number = case_number,
                             .a = case_a,
                             .b = case_b,
                             .flux_kind = "rho_uw",
                             .times = case_times,
                             .globals = case_globals,
                             .n_globals = CASE_GLOBALS,
                             .comm = comm};
}

static inline gwf_status case_write(gwf_flux_file *file, size_t step, bool prediction,
                                    gwf_error *err)
{
    static float uw[CASE_FIELD], vw[CASE_FIELD], both[2 * CASE_FIELD];
    for (size_t i = 0; i < CASE_FIELD; i++) {
        uw[i] = case_value(step, i, 1);
        vw[i] = case_value(step, i, -1);
    }
    for (size_t i = 0; prediction && i < 2 * CASE_FIELD; i++) both[i] = case_value(step, i, 10);
    const gwf_flux_step s = {
        .time = case_time(step), .uw = uw, .vw = vw, .prediction = prediction ? both : NULL};
    return gwf_flux_file_write(file, step, &s, err);
}

/* Values of a step's variable that are wrong. */
static inline size_t case_wrong(int file, const char *name, size_t step, size_t channels,
                                float factor)
{
    const size_t start[4] = {step, 0, 0, 0}, count[4] = {1, channels, CASE_LAT, CASE_LON};
    const size_t n = channels * CASE_LAT * CASE_LON;
    static float found[2 * CASE_FIELD];
    size_t wrong = 0;
    int id;
    if (nc_inq_varid(file, name, &id) != NC_NOERR ||
        nc_get_vara_float(file, id, start, count, found) != NC_NOERR)
        return n;
    for (size_t i = 0; i < n; i++) wrong += !(found[i] == case_value(step, i, factor));
    return wrong;
}

/* The finished steps of a file, done[s] (may be NULL) set for them; -1 when one of them is wrong or
 * the file cannot be read. */
static inline long case_finished(const char *path, bool prediction, unsigned char *done)
{
    int file, id, dim;
    size_t steps = 0;
    long finished = 0;
    if (nc_open(path, NC_NOWRITE, &file) != NC_NOERR) return -1;
    if (nc_inq_varid(file, "time", &id) != NC_NOERR ||
        nc_inq_vardimid(file, id, &dim) != NC_NOERR || nc_inq_dimlen(file, dim, &steps) != NC_NOERR)
        finished = -1;
    for (size_t s = 0; s < steps && finished >= 0; s++) {
        double time = 0;
        if (nc_get_var1_double(file, id, &s, &time) != NC_NOERR) time = -1;
        if (done) done[s] = time != NC_FILL_INT;
        if (time == NC_FILL_INT) continue;
        size_t wrong = time != case_time(s);
        wrong += case_wrong(file, "uw", s, CASE_LEV, 1) + case_wrong(file, "vw", s, CASE_LEV, -1);
        if (prediction) wrong += case_wrong(file, "prediction", s, CASE_CHANNELS, 10);
        finished = wrong ? -1 : finished + 1;
    }
    nc_close(file);
    return finished;
}

#endif
