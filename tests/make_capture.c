/* make_capture DIR BACKEND: a host model's step for tests/cli/test_capture.sh:
 *   DIR/model.nc     the network
 *   DIR/captured.nc  what the plugin captured
 *   DIR/fields.nc    the host's fields as reanalysis files have them, hybrid levels
 *   DIR/truth.nc     the fluxes above the host's columns, uw and vw (time, lev, lat, lon) */
#include "plugin_case.h"

static gwf_error err;
static gwf_nc file;
static float *whole; /* (levels, cells) */

static void check(gwf_status status)
{
    if (status == GWF_OK) return;
    fprintf(stderr, "make_capture: %s\n", err.text);
    exit(1);
}

static void define(const char *name, gwf_nc_type type, const char *dims, const char *standard_name,
                   const char *units)
{
    check(gwf_nc_define_variable(&file, name, type, dims, 0, &err));
    check(gwf_nc_put_text(&file, name, "standard_name", standard_name, &err));
    check(gwf_nc_put_text(&file, name, "units", units, &err));
}

static void define_grid(int levels)
{
    check(gwf_nc_define_dimension(&file, "time", 1, &err));
    check(gwf_nc_define_dimension(&file, "lev", (size_t)levels, &err));
    check(gwf_nc_define_dimension(&file, "lat", HOST_NLAT, &err));
    check(gwf_nc_define_dimension(&file, "lon", HOST_NLON, &err));
}

static void write_axes(void)
{
    double lat[HOST_NLAT], lon[HOST_NLON], a[HOST_LEVELS], b[HOST_LEVELS], lev[HOST_LEVELS];
    const double time = 0;
    for (int i = 0; i < HOST_NLAT; i++) lat[i] = host_lat(i * HOST_NLON);
    for (int i = 0; i < HOST_NLON; i++) lon[i] = host_lon(i);
    for (int k = 0; k < HOST_LEVELS; k++) {
        a[k] = host_a(k);
        b[k] = host_b(k);
        lev[k] = k + 1;
    }
    check(gwf_nc_put_double(&file, "time", &time, &err));
    check(gwf_nc_put_double(&file, "lat", lat, &err));
    check(gwf_nc_put_double(&file, "lon", lon, &err));
    check(gwf_nc_put_double(&file, "lev", lev, &err));
    check(gwf_nc_put_double(&file, "hyam", a, &err));
    check(gwf_nc_put_double(&file, "hybm", b, &err));
}

/* name in the file, field of the host, its first level. */
static void write_field(const char *name, const char *field, int first, int levels)
{
    for (int k = 0; k < levels; k++)
        for (int c = 0; c < HOST_CELLS; c++)
            whole[k * HOST_CELLS + c] = (float)host_field(field, c, first + k, 2);
    check(gwf_nc_put_float(&file, name, whole, &err));
}

static void write_fields(const char *path)
{
    check(gwf_nc_create(path, &file, &err));
    define_grid(HOST_LEVELS);
    define("time", GWF_NC_DOUBLE, "time", "time", "hours since 2001-01-01");
    define("lat", GWF_NC_DOUBLE, "lat", "latitude", "degrees_north");
    define("lon", GWF_NC_DOUBLE, "lon", "longitude", "degrees_east");
    define("lev", GWF_NC_DOUBLE, "lev", "atmosphere_hybrid_sigma_pressure_coordinate", "1");
    check(gwf_nc_put_text(&file, "lev", "formula_terms", "ap: hyam b: hybm ps: ps", &err));
    check(gwf_nc_put_text(&file, "lev", "positive", "down", &err));
    check(gwf_nc_define_variable(&file, "hyam", GWF_NC_DOUBLE, "lev", 0, &err));
    check(gwf_nc_put_text(&file, "hyam", "units", "Pa", &err));
    check(gwf_nc_define_variable(&file, "hybm", GWF_NC_DOUBLE, "lev", 0, &err));
    check(gwf_nc_put_text(&file, "hybm", "units", "1", &err));
    define("u", GWF_NC_FLOAT, "time lev lat lon", "eastward_wind", "m s-1");
    define("v", GWF_NC_FLOAT, "time lev lat lon", "northward_wind", "m s-1");
    define("t", GWF_NC_FLOAT, "time lev lat lon", "air_temperature", "K");
    define("ps", GWF_NC_FLOAT, "time lat lon", "surface_air_pressure", "Pa");
    write_axes();
    write_field("u", "u", 0, HOST_LEVELS);
    write_field("v", "v", 0, HOST_LEVELS);
    write_field("t", "t", 0, HOST_LEVELS);
    write_field("ps", "p_half", HOST_LEVELS, 1);
    check(gwf_nc_close(&file, &err));
}

static void write_truth(const char *path, const host *h)
{
    const int levels = h->plugin->engine->model.n_levels;
    check(gwf_nc_create(path, &file, &err));
    define_grid(levels);
    check(gwf_nc_define_variable(&file, "uw", GWF_NC_FLOAT, "time lev lat lon", 0, &err));
    check(gwf_nc_define_variable(&file, "vw", GWF_NC_FLOAT, "time lev lat lon", 0, &err));
    check(gwf_nc_put_float(&file, "uw", h->plugin->back.flux[0], &err));
    check(gwf_nc_put_float(&file, "vw", h->plugin->back.flux[1], &err));
    check(gwf_nc_close(&file, &err));
}

/* The one case: CUnit counts what plugin_case.h checks. */
static char folder[512], backend[64];

static void run(void)
{
    char path[600];
    const char *const options[] = {backend, NULL};
    host *h = host_create(BANDS, options);
    h->levels = true;
    whole = calloc(HOST_LEVELS * HOST_CELLS, sizeof *whole);
    host_register(h);
    snprintf(path, sizeof path, "%s/captured.nc", folder);
    CHECK_OK(gwf_plugin_capture(h->plugin, path), h->plugin->error);
    host_put_all(h, 2);
    CHECK_OK(gwf_run(h->plugin, 0, 1800), h->plugin->error);
    snprintf(path, sizeof path, "%s/fields.nc", folder);
    write_fields(path);
    snprintf(path, sizeof path, "%s/truth.nc", folder);
    write_truth(path, h);
    snprintf(path, sizeof path, "%s/model.nc", folder);
    host_model(path);
    free(whole);
    host_free(h);
}

int main(int argc, char **argv)
{
    static const test_case cases[] = {{"a step, captured", run}};
    if (argc != 3) return 2;
    snprintf(folder, sizeof folder, "%s", argv[1]);
    snprintf(backend, sizeof backend, "backend=%s", argv[2]);
    return test_run_ranks("capture", cases, 1);
}
