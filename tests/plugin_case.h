/* A small network on a grid of 32 x 64, a host on the same grid with 20 levels, and ways in which
 * its columns can lie on ranks. Fields are functions of place and step. */
#ifndef GWF_TESTS_PLUGIN_CASE_H
#define GWF_TESTS_PLUGIN_CASE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/plugin_internal.h"
#include "model/checkpoint.h"
#include "io/nc.h"
#include "io/windset.h"
#include "test_mpi.h"

enum { HOST_NLAT = 32, HOST_NLON = 64, HOST_CELLS = HOST_NLAT * HOST_NLON, HOST_LEVELS = 20 };

static inline double host_lat(int cell)
{
    static double lat[HOST_NLAT];
    if (lat[0] == 0) gwf_gaussian_latitudes(HOST_NLAT, lat);
    return lat[cell / HOST_NLON];
}

static inline double host_lon(int cell)
{
    return 360.0 / HOST_NLON * (cell % HOST_NLON);
}

/* Hybrid levels from 0 Pa: interface k of 20. */
static inline double host_a_half(int k)
{
    const double s = (double)k / HOST_LEVELS;
    return 80000 * s * s * (1 - s) * (1 - s);
}

static inline double host_b_half(int k)
{
    const double s = (double)k / HOST_LEVELS;
    return s * s * s;
}

static inline double host_a(int k)
{
    return (host_a_half(k) + host_a_half(k + 1)) / 2;
}

static inline double host_b(int k)
{
    return (host_b_half(k) + host_b_half(k + 1)) / 2;
}

static inline double host_ps(int cell, int step)
{
    return 98000 + 3000 * sin(host_lat(cell) * 0.03 + step) * cos(host_lon(cell) * 0.0349);
}

/* Field at the middle of level k from the top (p_half: interface k). */
static inline double host_field(const char *name, int cell, int k, int step)
{
    const double lat = host_lat(cell) * 0.01745, lon = host_lon(cell) * 0.01745, z = 20.0 - k;
    if (strcmp(name, "u") == 0) return 25 * cos(lat) * sin(lon + 0.2 * z + 0.1 * step) + z;
    if (strcmp(name, "v") == 0) return 8 * sin(2 * lat) * cos(3 * lon - 0.3 * z + 0.2 * step);
    if (strcmp(name, "t") == 0) return 290 - 3.5 * z + 12 * cos(2 * lat) + sin(lon + step);
    if (strcmp(name, "omega") == 0) return 0.3 * sin(5 * lon + z) * cos(4 * lat + step);
    if (strcmp(name, "zs") == 0) return 9000 * fmax(0, sin(2 * lon) * cos(lat));
    if (strcmp(name, "p_half") == 0) return host_a_half(k) + host_b_half(k) * host_ps(cell, step);
    if (strcmp(name, "p") == 0) return host_a(k) + host_b(k) * host_ps(cell, step);
    if (strcmp(name, "mask") == 0) return 0.5 + 0.5 * sin(lon + step);
    return NAN;
}

/* --- the network ---------------------------------------------------------------------------- */

/* U-Net of the golden checkpoint. Collective: rank 0 writes. */
static inline void host_model(const char *path)
{
    const gwf_model_choice choice = {"uvtheta", "global", "era5-released", "zero", "rho_uw"};
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    gwf_error err = {0};
    CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_model_build(&set, &choice, "test", NULL, &model, &err), err);
    free(model.lat);
    free(model.lon);
    model.nlat = HOST_NLAT;
    model.nlon = HOST_NLON;
    model.lat = malloc(HOST_NLAT * sizeof *model.lat);
    model.lon = malloc(HOST_NLON * sizeof *model.lon);
    for (int i = 0; i < HOST_NLAT; i++) model.lat[i] = host_lat(i * HOST_NLON);
    for (int i = 0; i < HOST_NLON; i++) model.lon[i] = host_lon(i);
    CHECK_OK(gwf_model_write(&model, path, "test", true, &err), err);
    gwf_model_free(&model);
}

/* --- columns on ranks ----------------------------------------------------------------------- */

typedef enum layout { BANDS, BLOCKS, SCATTERED, FIRST_ONLY, LAST_ONLY, LAYOUTS } layout;

/* The rank that has a cell. */
static inline int host_owner(layout how, int cell, int ranks)
{
    switch (how) {
    case BANDS:
        return cell / HOST_NLON * ranks / HOST_NLAT;
    case BLOCKS: {
        const int half = (ranks + 1) / 2;
        const int owner =
            cell / HOST_NLON * half / HOST_NLAT + half * (cell % HOST_NLON * 2 / HOST_NLON);
        return owner % ranks;
    }
    case SCATTERED:
        return (cell * 37 + cell / 5) % ranks;
    case FIRST_ONLY:
        return 0;
    default:
        return ranks - 1;
    }
}

/* The cells of a rank, in an order of the host's own; how many. */
static inline int host_cells(layout how, int *cells)
{
    int n = 0;
    for (int i = 0; i < HOST_CELLS; i++) {
        const int cell = how == SCATTERED ? (i * 1021 + 7) % HOST_CELLS : i;
        if (host_owner(how, cell, test_ranks()) == test_rank()) cells[n++] = cell;
    }
    return n;
}

typedef struct host {
    gwf_plugin *plugin;
    layout how;
    int n, pad; /* columns here; values from one level to the next in its arrays */
    int cells[HOST_CELLS];
    bool up;       /* levels from the bottom */
    gwf_real kind; /* of its arrays */
    bool levels;   /* level coefficients are registered: p is not put */
    void *array;
} host;

static inline gwf_array host_array(const host *h, int levels)
{
    return (gwf_array){h->array, h->kind, levels, 1, HOST_NLON, h->pad};
}

static inline void host_set(const host *h, size_t at, double value)
{
    if (h->kind == GWF_REAL32)
        ((float *)h->array)[at] = (float)value;
    else
        ((double *)h->array)[at] = value;
}

static inline double host_value(const host *h, size_t at)
{
    return h->kind == GWF_REAL32 ? (double)((float *)h->array)[at] : ((double *)h->array)[at];
}

static inline int host_levels_of(const char *name)
{
    if (strcmp(name, "zs") == 0 || strcmp(name, "mask") == 0 || strcmp(name, "flag") == 0) return 1;
    return HOST_LEVELS +
           (strcmp(name, "p_half") == 0 || strcmp(name, "uw") == 0 || strcmp(name, "vw") == 0);
}

static inline void host_register(host *h)
{
    double lat[HOST_CELLS], lon[HOST_CELLS], a[HOST_LEVELS], b[HOST_LEVELS];
    for (int i = 0; i < h->n; i++) {
        lat[i] = host_lat(h->cells[i]);
        lon[i] = host_lon(h->cells[i]);
    }
    const gwf_columns columns = {h->n, 1, lat, lon, "degrees", NULL};
    for (int k = 0; k < HOST_LEVELS; k++) {
        const int from = h->up ? HOST_LEVELS - 1 - k : k;
        a[k] = host_a(from);
        b[k] = host_b(from);
    }
    CHECK_OK(gwf_plugin_columns(h->plugin, &columns, NULL), h->plugin->error);
    CHECK_OK(gwf_plugin_levels(h->plugin, HOST_LEVELS, h->levels ? a : NULL, h->levels ? b : NULL),
             h->plugin->error);
    CHECK_OK(gwf_plugin_ready(h->plugin), h->plugin->error);
}

/* options: "name=value" texts, ended by NULL; backend ref with one thread unless they say. */
static inline host *host_create(layout how, const char *const *options)
{
    char name[64], path[512];
    host *h = calloc(1, sizeof *h);
    gwf_options *o = gwf_options_create();
    gwf_options_set(o, "backend", "ref");
    gwf_options_set(o, "threads", "1");
    gwf_options_set(o, "cache", "off");
    for (; options && *options; options++) {
        const char *value = strchr(*options, '=');
        snprintf(name, sizeof name, "%.*s", (int)(value - *options), *options);
        CHECK_OK(gwf_options_set(o, name, value + 1), o->error);
    }
    snprintf(path, sizeof path, "%s", test_scratch("model.nc"));
    host_model(path);
    h->how = how;
    h->n = host_cells(how, h->cells);
    h->pad = h->n + 3;
    h->kind = GWF_REAL64;
    h->array = calloc((size_t)h->pad * (HOST_LEVELS + 2), sizeof(double));
    CU_ASSERT_EQUAL(gwf_plugin_create(test_communicator(), path, o, &h->plugin), GWF_OK);
    gwf_options_free(&o);
    return h;
}

static inline void host_free(host *h)
{
    gwf_plugin_free(&h->plugin);
    CU_ASSERT_PTR_NULL(h->plugin);
    free(h->array);
    free(h);
}

static inline void host_fill(host *h, const char *name, int step)
{
    const int levels = host_levels_of(name);
    for (int k = 0; k < levels; k++)
        for (int i = 0; i < h->n; i++)
            host_set(h, (size_t)(h->up ? levels - 1 - k : k) * (size_t)h->pad + (size_t)i,
                     host_field(name, h->cells[i], k, step));
}

static inline void host_put(host *h, const char *name, const char *unit, int step)
{
    const gwf_array array = host_array(h, host_levels_of(name));
    host_fill(h, name, step);
    CHECK_OK(gwf_put(h->plugin, name, unit, NULL, &array), h->plugin->error);
}

static inline void host_put_all(host *h, int step)
{
    host_put(h, "u", "m s-1", step);
    host_put(h, "v", "m s-1", step);
    host_put(h, "t", "K", step);
    if (!h->levels) host_put(h, "p", "Pa", step);
    host_put(h, "p_half", "Pa", step);
}

/* A result on all of the grid, levels from the top; the same on all ranks. NaN where missing. */
static inline double *host_result(host *h, const char *name, const char *unit)
{
    const int levels = host_levels_of(name);
    const size_t all = (size_t)levels * HOST_CELLS;
    double *whole = calloc(2 * all, sizeof *whole);
    const gwf_array array = host_array(h, levels);
    CHECK_OK(gwf_get(h->plugin, name, unit, NULL, &array), h->plugin->error);
    for (int k = 0; k < levels; k++)
        for (int i = 0; i < h->n; i++) {
            const size_t at = (size_t)k * HOST_CELLS + (size_t)h->cells[i];
            const int theirs = h->up ? levels - 1 - k : k;
            whole[at] = host_value(h, (size_t)theirs * (size_t)h->pad + (size_t)i);
            whole[all + at] = 1;
        }
    gwf_error err = {0};
    for (size_t at = 0; at < 2 * all; at += 4096)
        CHECK_OK(gwf_comm_sum(test_comm(), whole + at,
                              (int)(2 * all - at < 4096 ? 2 * all - at : 4096), &err),
                 err);
    for (size_t i = 0; i < all; i++)
        if (whole[all + i] != 1) whole[i] = NAN;
    return whole;
}

#endif
