/* The plugin of a host model: its answers are those of the network on the whole globe, however the
 * host's columns lie on ranks. */
#include "allocations.h"
#include "fields/remap.h"
#include "plugin_case.h"

/* --- the truth: the whole grid on one rank, through the same fields' offline path ------------- */

static float *whole_field(const char *name, int step)
{
    const int levels = host_levels_of(name);
    float *values = malloc((size_t)levels * HOST_CELLS * sizeof *values);
    for (int k = 0; k < levels; k++)
        for (int c = 0; c < HOST_CELLS; c++)
            values[k * HOST_CELLS + c] = (float)host_field(name, c, k, step);
    return values;
}

/* (244, cells), as `gwflux predict` computes them from these fields. */
static float *predicted(const char *model_path, bool levels, int step)
{
    gwf_engine *engine = NULL;
    gwf_prepare *prepare = NULL;
    gwf_error err = {0};
    double a[HOST_LEVELS], b[HOST_LEVELS];
    gwf_options *options = gwf_options_create();
    gwf_options_set(options, "backend", "ref");
    gwf_options_set(options, "threads", "1");
    CU_ASSERT_EQUAL(gwf_create(model_path, options, &engine), GWF_OK);
    gwf_options_free(&options);
    CHECK_OK(gwf_prepare_create(&engine->model, NULL, HOST_LEVELS, 1, &prepare, &err), err);
    float *u = whole_field("u", step), *v = whole_field("v", step), *t = whole_field("t", step);
    float *p = whole_field("p", step), *ps = malloc(HOST_CELLS * sizeof *ps);
    float *features = malloc((size_t)engine->model.in.count * HOST_CELLS * sizeof *features);
    float *flux = malloc((size_t)engine->model.out.count * HOST_CELLS * sizeof *flux);
    for (int k = 0; k < HOST_LEVELS; k++) {
        a[k] = host_a(k);
        b[k] = host_b(k);
    }
    for (int c = 0; c < HOST_CELLS; c++) ps[c] = (float)host_field("p_half", c, HOST_LEVELS, step);
    const gwf_state state = {.u = u,
                             .v = v,
                             .temperature = t,
                             .a = levels ? a : NULL,
                             .b = levels ? b : NULL,
                             .pressure = p,
                             .surface_pressure = ps};
    CHECK_OK(gwf_prepare_run(prepare, &state, features, &err), err);
    CU_ASSERT_EQUAL(gwf_predict(engine, features, flux), GWF_OK);
    gwf_prepare_free(&prepare);
    gwf_free(&engine);
    free(u);
    free(v);
    free(t);
    free(p);
    free(ps);
    free(features);
    return flux;
}

/* Differences between the fluxes above this rank's columns and the truth. */
static int count_wrong(const host *h, const float *truth)
{
    const int levels = h->plugin->engine->model.n_levels;
    int wrong = 0;
    for (int part = 0; part < 2; part++)
        for (int k = 0; k < levels; k++)
            for (int i = 0; i < h->n; i++) {
                const float x = h->plugin->back.flux[part][k * h->n + i];
                const float y = truth[(part * levels + k) * HOST_CELLS + h->cells[i]];
                wrong += !(x == y);
            }
    return wrong;
}

static void test_equals_predict(void)
{
    for (int levels = 0; levels < 2; levels++)
        for (int how = 0; how < LAYOUTS; how++) {
            host *h = host_create((layout)how, NULL);
            h->levels = levels;
            host_register(h);
            float *truth = predicted(h->plugin->engine->model_path, levels, 3);
            host_put_all(h, 3);
            CHECK_OK(gwf_run(h->plugin, 0, 1800), h->plugin->error);
            CU_ASSERT_EQUAL(count_wrong(h, truth), 0);
            free(truth);
            host_free(h);
        }
}

/* --- ways to hand fields over ----------------------------------------------------------------- */

static bool same(const double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(x[i] == y[i])) return false;
    return true;
}

static void check_same(host *a, host *b, const char *name, const char *unit)
{
    double *x = host_result(a, name, unit), *y = host_result(b, name, unit);
    CU_ASSERT_TRUE(same(x, y, (size_t)host_levels_of(name) * HOST_CELLS));
    free(x);
    free(y);
}

static void check_all_same(host *a, host *b)
{
    check_same(a, b, "du", "m s-2");
    check_same(a, b, "dv", "m s-2");
    check_same(a, b, "uw", "Pa");
    check_same(a, b, "vw", "Pa");
    check_same(a, b, "flag", "1");
}

static host *ready(layout how, const char *const *options)
{
    host *h = host_create(how, options);
    host_register(h);
    return h;
}

static host *run_once(layout how, const char *const *options)
{
    host *h = ready(how, options);
    host_put_all(h, 1);
    CHECK_OK(gwf_run(h->plugin, 0, 1800), h->plugin->error);
    return h;
}

/* However columns lie, however many ranks compute. */
static void test_any_layout(void)
{
    const char *const one[] = {"ranks=1", NULL};
    host *truth = run_once(FIRST_ONLY, one);
    for (int how = 0; how < LAYOUTS; how++) {
        host *h = run_once((layout)how, NULL);
        check_all_same(truth, h);
        host_free(h);
    }
    host_free(truth);
}

static void test_levels_from_below(void)
{
    host *truth = run_once(BANDS, NULL), *h = host_create(BANDS, NULL);
    h->up = true;
    host_register(h);
    host_put_all(h, 1);
    CHECK_OK(gwf_run(h->plugin, 0, 1800), h->plugin->error);
    check_all_same(truth, h);
    host_free(h);
    host_free(truth);
}

/* Single precision and other units: the same within their rounding. */
static void test_units(void)
{
    host *truth = run_once(BANDS, NULL), *h = ready(BANDS, NULL);
    host_put_all(h, 1);
    for (int i = 0; i < h->n; i++)
        for (int k = 0; k <= HOST_LEVELS; k++) {
            const size_t at = (size_t)k * (size_t)h->pad + (size_t)i;
            host_set(h, at, host_field("p_half", h->cells[i], k, 1) / 100);
        }
    const gwf_array interfaces = host_array(h, HOST_LEVELS + 1);
    CHECK_OK(gwf_put(h->plugin, "air_pressure_at_interface", "hPa", NULL, &interfaces),
             h->plugin->error);
    host_fill(h, "t", 1);
    for (size_t i = 0; i < (size_t)h->pad * HOST_LEVELS; i++)
        host_set(h, i, host_value(h, i) - 273.15);
    const gwf_array array = host_array(h, HOST_LEVELS);
    CHECK_OK(gwf_put(h->plugin, "t", "degC", NULL, &array), h->plugin->error);
    CHECK_OK(gwf_run(h->plugin, 0, 1800), h->plugin->error);
    double *x = host_result(truth, "du", "m s-2"), *y = host_result(h, "du", "m s-1 day-1");
    double wrong = 0, largest = 0;
    for (int i = 0; i < HOST_LEVELS * HOST_CELLS; i++) {
        wrong = fmax(wrong, fabs(x[i] - y[i] / 86400));
        largest = fmax(largest, fabs(x[i]));
    }
    CHECK_AT_MOST(wrong, 2e-4 * largest);
    CU_ASSERT_TRUE(largest > 0);
    free(x);
    free(y);
    host_free(h);
    host_free(truth);
}

/* A field of i x j columns, by windows, in arrays (j, i) and (level, i, j). */
static void test_windows(void)
{
    host *truth = run_once(BANDS, NULL), *h = host_create(BANDS, NULL);
    double lat[HOST_CELLS], lon[HOST_CELLS];
    int block = -1;
    const int rows = h->n / HOST_NLON;
    for (int i = 0; i < h->n; i++) {
        lat[i] = host_lat(h->cells[i]) * 3.14159265358979323846 / 180;
        lon[i] = host_lon(h->cells[i]) * 3.14159265358979323846 / 180;
    }
    const gwf_columns columns = {HOST_NLON, rows, lat, lon, "radians", NULL};
    CHECK_OK(gwf_plugin_columns(h->plugin, &columns, &block), h->plugin->error);
    CU_ASSERT_EQUAL(block, 0);
    CHECK_OK(gwf_plugin_levels(h->plugin, HOST_LEVELS, NULL, NULL), h->plugin->error);
    CHECK_OK(gwf_plugin_ready(h->plugin), h->plugin->error);
    host_put_all(h, 1);
    /* u again, in windows of 16 x 2, level fastest, from an array of its own */
    enum { WI = 16, WJ = 2 };
    float window[WI * WJ * HOST_LEVELS];
    for (int j = 0; j < rows; j += WJ)
        for (int i = 0; i < HOST_NLON; i += WI) {
            const int nj = rows - j < WJ ? rows - j : WJ;
            for (int y = 0; y < nj; y++)
                for (int x = 0; x < WI; x++)
                    for (int k = 0; k < HOST_LEVELS; k++)
                        window[(x * WJ + y) * HOST_LEVELS + k] =
                            (float)host_field("u", h->cells[(j + y) * HOST_NLON + i + x], k, 1);
            const gwf_array array = {window,           GWF_REAL32,  HOST_LEVELS,
                                     WJ * HOST_LEVELS, HOST_LEVELS, 1};
            const gwf_window where = {0, i, j, WI, nj};
            CHECK_OK(gwf_put(h->plugin, "u", "m s-1", &where, &array), h->plugin->error);
        }
    CHECK_OK(gwf_run(h->plugin, 0, 1800), h->plugin->error);
    check_all_same(truth, h);
    host_free(h);
    host_free(truth);
}

static void test_add(void)
{
    host *h = run_once(SCATTERED, NULL);
    const gwf_array array = host_array(h, HOST_LEVELS);
    CHECK_OK(gwf_get(h->plugin, "du", "m s-2", NULL, &array), h->plugin->error);
    double before[HOST_CELLS];
    for (int i = 0; i < h->n; i++) before[i] = host_value(h, (size_t)(2 * h->pad + i));
    CHECK_OK(gwf_add(h->plugin, "tendency_of_eastward_wind", "m s-2", NULL, &array),
             h->plugin->error);
    int wrong = 0;
    for (int i = 0; i < h->n; i++)
        wrong += !(host_value(h, (size_t)(2 * h->pad + i)) == 2 * before[i]);
    CU_ASSERT_EQUAL(wrong, 0);
    host_free(h);
}

/* A plugin on one rank's own communicator beside the one of all. */
static void test_two_plugins(void)
{
    char path[512];
    host *h = run_once(BANDS, NULL);
    gwf_plugin *alone = NULL;
    snprintf(path, sizeof path, "%s", h->plugin->engine->model_path);
    CU_ASSERT_EQUAL(gwf_plugin_create(test_communicator_alone(), path, NULL, &alone), GWF_OK);
    CU_ASSERT_STRING_EQUAL(gwf_plugin_message(alone), "");
    host_put_all(h, 2);
    CHECK_OK(gwf_run(h->plugin, 0, 1800), h->plugin->error);
    gwf_plugin_free(&alone);
    gwf_plugin_free(&alone);
    gwf_plugin_free(NULL);
    host_free(h);
}

/* --- physics ---------------------------------------------------------------------------------- */

/* What leaves a column's levels is what goes through its ends; heat is the kinetic energy lost. */
static void test_budgets(void)
{
    const char *const options[] = {"heating=on", "cap=0", NULL};
    const double step = 1800;
    host *h = ready(BANDS, options);
    host_put_all(h, 1);
    CHECK_OK(gwf_run(h->plugin, 0, step), h->plugin->error);
    double *du = host_result(h, "du", "m s-2"), *dv = host_result(h, "dv", "m s-2");
    double *dt = host_result(h, "dt", "K s-1"), *uw = host_result(h, "uw", "Pa");
    double momentum = 0, energy = 0, lost = 0;
    for (int c = 0; c < HOST_CELLS; c++) {
        double sum = 0, size = 0;
        for (int k = 0; k < HOST_LEVELS; k++) {
            const int at = k * HOST_CELLS + c;
            const double mass =
                (host_field("p_half", c, k + 1, 1) - host_field("p_half", c, k, 1)) / 9.80665;
            const double u = host_field("u", c, k, 1), v = host_field("v", c, k, 1);
            const double u1 = u + step * du[at], v1 = v + step * dv[at];
            sum += mass * du[at];
            size += fabs(mass * du[at]);
            const double kinetic = (u1 * u1 + v1 * v1 - u * u - v * v) / 2;
            energy = fmax(energy, fabs(1004.64 * step * dt[at] + kinetic));
            lost = fmax(lost, fabs(kinetic));
        }
        const double ends = uw[HOST_LEVELS * HOST_CELLS + c] - uw[c];
        momentum = fmax(momentum, fabs(sum - ends) / (size + fabs(ends)));
    }
    CHECK_AT_MOST(momentum, 1e-12);
    CHECK_AT_MOST(energy, 1e-10 * lost);
    CU_ASSERT_TRUE(lost > 0);
    free(du);
    free(dv);
    free(dt);
    free(uw);
    host_free(h);
}

/* --- a host on another grid ------------------------------------------------------------------- */

enum { OTHER_NLAT = 45, OTHER_NLON = 90, OTHER = OTHER_NLAT * OTHER_NLON };

static double other_field(const char *name, double lat, double lon, int k)
{
    const double x = lon * 0.01745, y = lat * 0.01745;
    if (strcmp(name, "u") == 0) return 20 * cos(y) * (1 + 0.1 * k) + 5 * sin(x) * cos(y);
    if (strcmp(name, "v") == 0) return 6 * sin(2 * y) * cos(2 * x) * cos(y);
    if (strcmp(name, "t") == 0) return 230 + 3 * k + 10 * cos(y);
    if (strcmp(name, "p_half") == 0) return 1000 * host_b_half(k) * 100 + 10 * k;
    return 1000 * host_b(k) * 100 + 10 * k + 5;
}

static float *other_values(const char *name, const double *lat, const double *lon, int levels)
{
    float *values = malloc((size_t)levels * OTHER * sizeof *values);
    for (int k = 0; k < levels; k++)
        for (int c = 0; c < OTHER; c++)
            values[k * OTHER + c] =
                (float)other_field(name, lat[c / OTHER_NLON], lon[c % OTHER_NLON], k);
    return values;
}

/* This rank's share: every ranks-th column, so that each row is on all of them. */
static gwf_plugin *other_host(const double *lat, const double *lon, int *n, int *cells)
{
    const char *names[] = {"u", "v", "t", "p", "p_half"};
    const char *units[] = {"m s-1", "m s-1", "K", "Pa", "Pa"};
    double own_lat[OTHER], own_lon[OTHER], *values = malloc(OTHER * 21 * sizeof *values);
    char path[512];
    gwf_plugin *p = NULL;
    gwf_options *o = gwf_options_create();
    gwf_options_set(o, "backend", "ref");
    gwf_options_set(o, "threads", "1");
    snprintf(path, sizeof path, "%s", test_scratch("model.nc"));
    host_model(path);
    *n = 0;
    for (int c = test_rank(); c < OTHER; c += test_ranks()) {
        own_lat[*n] = lat[c / OTHER_NLON];
        own_lon[*n] = lon[c % OTHER_NLON];
        cells[(*n)++] = c;
    }
    const gwf_columns columns = {*n, 1, own_lat, own_lon, "degrees", NULL};
    CU_ASSERT_EQUAL(gwf_plugin_create(test_communicator(), path, o, &p), GWF_OK);
    CHECK_OK(gwf_plugin_columns(p, &columns, NULL), p->error);
    CHECK_OK(gwf_plugin_grid(p, OTHER_NLAT, lat, OTHER_NLON, lon), p->error);
    CHECK_OK(gwf_plugin_levels(p, HOST_LEVELS, NULL, NULL), p->error);
    CHECK_OK(gwf_plugin_ready(p), p->error);
    for (int f = 0; f < 5; f++) {
        const int levels = HOST_LEVELS + (f == 4);
        for (int k = 0; k < levels; k++)
            for (int i = 0; i < *n; i++)
                values[i * levels + k] = other_field(names[f], own_lat[i], own_lon[i], k);
        const gwf_array array = {values, GWF_REAL64, levels, levels, 1, 1};
        CHECK_OK(gwf_put(p, names[f], units[f], NULL, &array), p->error);
    }
    gwf_options_free(&o);
    free(values);
    return p;
}

/* The same fields remapped as a whole, predicted, and the fluxes remapped back. */
static float *other_truth(const gwf_model *model, const char *path, const double *lat,
                          const double *lon)
{
    const gwf_grid other = {OTHER_NLAT, OTHER_NLON, lat, lon, NULL, NULL, false};
    const gwf_grid network = {HOST_NLAT, HOST_NLON, model->lat, model->lon, NULL, NULL, true};
    const int levels = model->n_levels;
    gwf_remap *in = NULL, *back = NULL;
    gwf_engine *engine = NULL;
    gwf_prepare *prepare = NULL;
    gwf_error err = {0};
    gwf_options *o = gwf_options_create();
    gwf_options_set(o, "backend", "ref");
    float *raw[4], *on[4], ps_raw[OTHER], ps[HOST_CELLS];
    const char *const names[] = {"u", "v", "t", "p"};
    CHECK_OK(gwf_remap_create(GWF_REMAP_CONSERVATIVE, &other, &network, 1, &in, &err), err);
    CHECK_OK(gwf_remap_create(GWF_REMAP_BILINEAR, &network, &other, 1, &back, &err), err);
    for (int f = 0; f < 4; f++) {
        raw[f] = other_values(names[f], lat, lon, HOST_LEVELS);
        on[f] = malloc(HOST_LEVELS * HOST_CELLS * sizeof(float));
        if (f > 1) gwf_remap_apply(in, raw[f], on[f], HOST_LEVELS);
    }
    gwf_remap_apply_wind(in, raw[0], raw[1], on[0], on[1], HOST_LEVELS);
    for (int c = 0; c < OTHER; c++)
        ps_raw[c] = (float)other_field("p_half", lat[c / OTHER_NLON], 0, HOST_LEVELS);
    gwf_remap_apply(in, ps_raw, ps, 1);
    CU_ASSERT_EQUAL(gwf_create(path, o, &engine), GWF_OK);
    CHECK_OK(gwf_prepare_create(model, NULL, HOST_LEVELS, 1, &prepare, &err), err);
    const gwf_state state = {
        .u = on[0], .v = on[1], .temperature = on[2], .pressure = on[3], .surface_pressure = ps};
    float *features = malloc((size_t)model->in.count * HOST_CELLS * sizeof *features);
    float *flux = malloc((size_t)model->out.count * HOST_CELLS * sizeof *flux);
    float *truth = malloc((size_t)model->out.count * OTHER * sizeof *truth);
    CHECK_OK(gwf_prepare_run(prepare, &state, features, &err), err);
    CU_ASSERT_EQUAL(gwf_predict(engine, features, flux), GWF_OK);
    gwf_remap_apply_wind(back, flux, flux + levels * HOST_CELLS, truth, truth + levels * OTHER,
                         levels);
    for (int f = 0; f < 4; f++) {
        free(raw[f]);
        free(on[f]);
    }
    free(features);
    free(flux);
    gwf_prepare_free(&prepare);
    gwf_free(&engine);
    gwf_remap_free(&in);
    gwf_remap_free(&back);
    gwf_options_free(&o);
    return truth;
}

static void test_other_grid(void)
{
    double lat[OTHER_NLAT], lon[OTHER_NLON], wrong = 0, largest = 0;
    static int cells[OTHER];
    int n;
    for (int i = 0; i < OTHER_NLAT; i++) lat[i] = 88 - 4.0 * i; /* from the north */
    for (int i = 0; i < OTHER_NLON; i++) lon[i] = 4.0 * i + 1;
    gwf_plugin *p = other_host(lat, lon, &n, cells);
    CHECK_OK(gwf_run(p, 0, 1), p->error);
    const gwf_model *model = &p->engine->model;
    float *truth = other_truth(model, p->engine->model_path, lat, lon);
    for (int part = 0; part < 2; part++)
        for (int k = 0; k < model->n_levels; k++)
            for (int i = 0; i < n; i++) {
                const double x = p->flux[part][k * n + i];
                const double y = truth[(part * model->n_levels + k) * OTHER + cells[i]];
                wrong = fmax(wrong, fabs(x - y));
                largest = fmax(largest, fabs(y));
            }
    CHECK_AT_MOST(wrong, 1e-5 * largest);
    CU_ASSERT_TRUE(largest > 0);
    free(truth);
    gwf_plugin_free(&p);
}

/* --- nothing is allocated in a step ------------------------------------------------------------
 */

static void test_no_allocations(void)
{
    const char *const backends[] = {"backend=ref", "backend=auto"};
    for (int i = 0; i < 2; i++) {
        const char *const options[] = {backends[i], "heating=on", NULL};
        host *h = ready(SCATTERED, options);
        long before = 0;
        for (int step = 0; step < 4; step++) {
            if (step == 2) before = test_allocations();
            const gwf_array array = host_array(h, HOST_LEVELS);
            host_put_all(h, step);
            gwf_run(h->plugin, 2 * step, 1);
            gwf_get(h->plugin, "du", "m s-2", NULL, &array);
            host_put_all(h, step);
            gwf_start(h->plugin, 2 * step + 1, 1);
            gwf_finish(h->plugin);
        }
        CU_ASSERT_EQUAL(test_allocations(), before);
        host_free(h);
    }
}

/* --- when ------------------------------------------------------------------------------------- */

static void test_interval(void)
{
    const char *const hourly[] = {"interval=3600", NULL};
    host *h = run_once(BANDS, hourly), *truth = run_once(BANDS, NULL);
    CU_ASSERT_EQUAL(gwf_due(h->plugin, 1800), 0);
    CU_ASSERT_EQUAL(gwf_due(h->plugin, 3600), 1);
    check_all_same(truth, h);
    CHECK_OK(gwf_run(h->plugin, 1800, 1800), h->plugin->error);
    check_same(truth, h, "du", "m s-2");
    double *flag = host_result(h, "flag", "1");
    CU_ASSERT_EQUAL(flag[5], GWF_FLAG_HELD);
    free(flag);
    host_put_all(h, 2);
    host_put_all(truth, 2);
    CHECK_OK(gwf_run(h->plugin, 3600, 1800), h->plugin->error);
    CHECK_OK(gwf_run(truth->plugin, 3600, 1800), truth->plugin->error);
    check_all_same(truth, h);
    gwf_counters c;
    CHECK_OK(gwf_plugin_counters(h->plugin, &c), h->plugin->error);
    CU_ASSERT_TRUE(c.steps == 3 && c.computed == 2);
    host_free(h);
    host_free(truth);
}

static void put_masked(host *h, int step)
{
    host_put_all(h, step);
    host_put(h, "mask", "1", step);
}

/* Fields and mask of the next step are put while the network runs. */
static void test_lagged(void)
{
    host *h = ready(SCATTERED, NULL), *truth = ready(SCATTERED, NULL);
    for (int step = 0; step < 4; step++) {
        CHECK_OK(gwf_finish(h->plugin), h->plugin->error);
        if (step > 0) check_all_same(truth, h);
        put_masked(h, step);
        CHECK_OK(gwf_start(h->plugin, step, 1), h->plugin->error);
        put_masked(h, step + 1);
        put_masked(truth, step);
        CHECK_OK(gwf_run(truth->plugin, step, 1), truth->plugin->error);
    }
    CHECK_OK(gwf_finish(h->plugin), h->plugin->error);
    check_all_same(truth, h);
    CHECK_FAILS(gwf_put(h->plugin, "mass", "kg", NULL, NULL), GWF_ERR_ARGUMENT, h->plugin->error,
                "there is no field mass: expected u, v, t");
    host_free(h);
    host_free(truth);
}

/* --- restarts --------------------------------------------------------------------------------- */

static void steps(host *h, int from, int to, bool lagged)
{
    for (int step = from; step < to; step++) {
        if (lagged) CHECK_OK(gwf_finish(h->plugin), h->plugin->error);
        host_put_all(h, step);
        CHECK_OK(lagged ? gwf_start(h->plugin, step, 1) : gwf_run(h->plugin, step, 1),
                 h->plugin->error);
    }
}

/* Interrupted after an odd step, between two computed ones, and gone on with by another layout. */
static void test_restart(void)
{
    const char *const options[] = {"interval=2", "heating=on", NULL};
    for (int lagged = 0; lagged < 2; lagged++) {
        char path[512];
        snprintf(path, sizeof path, "%s", test_scratch_of_all("state.nc"));
        host *truth = ready(BANDS, options), *h = ready(BANDS, options);
        host *again = ready(SCATTERED, options);
        steps(truth, 0, 6, lagged);
        steps(h, 0, 3, lagged);
        CHECK_OK(gwf_plugin_save(h->plugin, path), h->plugin->error);
        CHECK_OK(gwf_plugin_load(again->plugin, path), again->plugin->error);
        check_all_same(h, again);
        steps(again, 3, 6, lagged);
        steps(h, 3, 6, lagged);
        for (int i = 0; i < 2; i++) {
            check_all_same(truth, again);
            check_all_same(truth, h);
            check_same(truth, again, "dt", "K s-1");
            if (i == 0 && lagged) {
                CHECK_OK(gwf_finish(truth->plugin), truth->plugin->error);
                CHECK_OK(gwf_finish(h->plugin), h->plugin->error);
                CHECK_OK(gwf_finish(again->plugin), again->plugin->error);
            }
        }
        host_free(again);
        host_free(h);
        host_free(truth);
    }
}

static void test_bad_states(void)
{
    const char *const heated[] = {"heating=on", NULL};
    char path[512];
    snprintf(path, sizeof path, "%s", test_scratch_of_all("bad_state.nc"));
    host *h = run_once(BANDS, NULL), *other = ready(BANDS, heated);
    CHECK_FAILS(gwf_plugin_load(h->plugin, "/nowhere/state.nc"), GWF_ERR_NOT_FOUND,
                h->plugin->error, "/nowhere/state.nc");
    CHECK_FAILS(gwf_plugin_save(h->plugin, "/nowhere/state.nc"), GWF_ERR_IO, h->plugin->error,
                "/nowhere/state.nc");
    CHECK_FAILS(gwf_plugin_load(h->plugin, test_data("golden/unet_zero.nc")), GWF_ERR_FORMAT,
                h->plugin->error, "not the state of a plugin");
    CHECK_OK(gwf_plugin_save(h->plugin, path), h->plugin->error);
    CHECK_FAILS(gwf_plugin_load(other->plugin, path), GWF_ERR_MISMATCH, other->plugin->error,
                "option heating off");
    host_free(other);
    host_free(h);
}

/* --- what a host may do wrong ------------------------------------------------------------------
 */

static void test_order_of_calls(void)
{
    host *h = host_create(BANDS, NULL);
    gwf_plugin *p = h->plugin;
    const gwf_array array = host_array(h, HOST_LEVELS);
    gwf_counters counters;
    CHECK_FAILS(gwf_put(p, "u", "m s-1", NULL, &array), GWF_ERR_ARGUMENT, p->error,
                "gwf_plugin_ready() has not been called");
    CHECK_FAILS(gwf_plugin_counters(p, &counters), GWF_ERR_ARGUMENT, p->error,
                "no counters: gwf_plugin_ready() has not been called");
    CHECK_FAILS(gwf_run(p, 0, 1), GWF_ERR_ARGUMENT, p->error, "gwf_plugin_ready() has not");
    CHECK_FAILS(gwf_finish(p), GWF_ERR_ARGUMENT, p->error, "gwf_plugin_ready() has not");
    CHECK_FAILS(gwf_plugin_ready(p), GWF_ERR_ARGUMENT, p->error, "gwf_plugin_levels() comes");
    CHECK_FAILS(gwf_plugin_levels(p, 1, NULL, NULL), GWF_ERR_ARGUMENT, p->error, "1 levels");
    host_register(h);
    CHECK_FAILS(gwf_plugin_ready(p), GWF_ERR_ARGUMENT, p->error, "comes before");
    CHECK_FAILS(gwf_plugin_levels(p, 20, NULL, NULL), GWF_ERR_ARGUMENT, p->error, "comes before");
    host_put_all(h, 0);
    CHECK_OK(gwf_start(p, 0, 1), p->error);
    CHECK_FAILS(gwf_start(p, 1, 1), GWF_ERR_ARGUMENT, p->error, "was started and not finished");
    CHECK_FAILS(gwf_run(p, 1, 1), GWF_ERR_ARGUMENT, p->error, "was started and not finished");
    CHECK_OK(gwf_finish(p), p->error);
    CU_ASSERT_EQUAL(gwf_run(NULL, 0, 0), GWF_ERR_ARGUMENT);
    CU_ASSERT_EQUAL(gwf_plugin_create(test_communicator(), NULL, NULL, NULL), GWF_ERR_ARGUMENT);
    host_free(h);
}

static void test_bad_arrays(void)
{
    host *h = ready(BANDS, NULL);
    gwf_plugin *p = h->plugin;
    gwf_array array = host_array(h, HOST_LEVELS);
    const gwf_window outside = {0, 1, 0, h->n, 1}, no_block = {4, 0, 0, 1, 1};
    CHECK_FAILS(gwf_put(p, "u", "K", NULL, &array), GWF_ERR_MISMATCH, p->error, "u: units \"K\"");
    CHECK_FAILS(gwf_put(p, "u", NULL, NULL, &array), GWF_ERR_ARGUMENT, p->error, "no unit");
    CHECK_FAILS(gwf_put(p, "u", "m s-1", &outside, &array), GWF_ERR_ARGUMENT, p->error,
                "not within block 0");
    CHECK_FAILS(gwf_put(p, "u", "m s-1", &no_block, &array), GWF_ERR_ARGUMENT, p->error, "block 4");
    CHECK_FAILS(gwf_get(p, "dt", "K s-1", NULL, &array), GWF_ERR_ARGUMENT, p->error,
                "option heating is off");
    array.levels = 3;
    CHECK_FAILS(gwf_put(p, "u", "m s-1", NULL, &array), GWF_ERR_ARGUMENT, p->error,
                "u: 3 levels, expected 20");
    array.kind = (gwf_real)2;
    CHECK_FAILS(gwf_put(p, "u", "m s-1", NULL, &array), GWF_ERR_ARGUMENT, p->error, "of 2 bytes");
    host_free(h);
}

static void test_missing_fields(void)
{
    host *h = ready(BANDS, NULL);
    gwf_plugin *p = h->plugin;
    host_put(h, "u", "m s-1", 0);
    host_put(h, "v", "m s-1", 0);
    host_put(h, "p", "Pa", 0);
    host_put(h, "p_half", "Pa", 0);
    CHECK_FAILS(gwf_run(p, 0, 1), GWF_ERR_ARGUMENT, p->error, "the network needs t or theta");
    host_put(h, "t", "K", 0);
    CHECK_OK(gwf_run(p, 0, 1), p->error);
    CHECK_FAILS(gwf_run(p, 1, 1), GWF_ERR_ARGUMENT, p->error, "the network needs u, which was not");
    host_free(h);
}

/* One value of one column, on the last rank only: all ranks are told which. */
static void spoil(host *h, const char *name, const char *unit, int k, double value)
{
    host_fill(h, name, 0);
    if (test_rank() == test_ranks() - 1)
        host_set(h, (size_t)k * (size_t)h->pad + (size_t)(h->n - 1), value);
    const gwf_array array = host_array(h, host_levels_of(name));
    CHECK_OK(gwf_put(h->plugin, name, unit, NULL, &array), h->plugin->error);
}

static void test_bad_values(void)
{
    host *h = ready(BANDS, NULL);
    gwf_plugin *p = h->plugin;
    host_put_all(h, 0);
    spoil(h, "t", "K", 7, NAN);
    CHECK_FAILS(gwf_run(p, 0, 1), GWF_ERR_DATA, p->error,
                "t at latitude 85.7606, longitude 354.375");
    CU_ASSERT_PTR_NOT_NULL(strstr(p->error.text, "level 8 is nan"));
    host_put(h, "t", "K", 0);
    spoil(h, "p_half", "Pa", 9, 10);
    CHECK_FAILS(gwf_run(p, 0, 1), GWF_ERR_DATA, p->error, "p_half at latitude 85.7606");
    CU_ASSERT_PTR_NOT_NULL(strstr(p->error.text, "10 Pa at interface 10 from the top"));
    host_put(h, "p_half", "Pa", 0);
    CHECK_OK(gwf_run(p, 0, 1), p->error);
    host_free(h);
}

static double flag_of(host *h)
{
    double *flag = host_result(h, "flag", "1"), found = flag[HOST_CELLS - 1];
    free(flag);
    return found;
}

/* A step with NaN in its input: held, zero, or left to the host. */
static void test_policies(void)
{
    const struct {
        const char *option;
        gwf_flag flag;
    } cases[] = {{"bad-input=hold", GWF_FLAG_HELD},
                 {"bad-input=zero", GWF_FLAG_ZERO},
                 {"bad-input=host", GWF_FLAG_HOST}};
    for (int i = 0; i < 3; i++) {
        const char *const options[] = {cases[i].option, NULL};
        host *h = ready(BANDS, options), *truth = ready(BANDS, NULL);
        host_put_all(h, 0);
        host_put_all(truth, 0);
        CHECK_OK(gwf_run(h->plugin, 0, 1), h->plugin->error);
        CHECK_OK(gwf_run(truth->plugin, 0, 1), truth->plugin->error);
        host_put_all(h, 1);
        spoil(h, "v", "m s-1", 2, INFINITY);
        CHECK_OK(gwf_run(h->plugin, 1, 1), h->plugin->error);
        CU_ASSERT_EQUAL(flag_of(h), cases[i].flag);
        double *du = host_result(h, "du", "m s-2");
        if (i == 0) check_same(truth, h, "du", "m s-2");
        if (i > 0) CU_ASSERT_EQUAL(du[3], 0);
        free(du);
        gwf_counters c;
        CHECK_OK(gwf_plugin_counters(h->plugin, &c), h->plugin->error);
        CU_ASSERT_TRUE(c.bad_input == 1 && c.computed == 1 && c.steps == 2);
        CU_ASSERT_TRUE((i == 0 ? c.held : i == 1 ? c.zeroed : c.host) == 1);
        host_put_all(h, 0);
        CHECK_OK(gwf_run(h->plugin, 2, 1), h->plugin->error);
        check_all_same(truth, h);
        host_free(h);
        host_free(truth);
    }
}

static void test_outside(void)
{
    const char *const options[] = {"outside=zero", "outside-share=1e-9", NULL};
    const char *const strict[] = {"outside=error", "outside-share=1e-9", NULL};
    host *h = ready(BANDS, options), *refusing = ready(BANDS, strict);
    host_put_all(h, 0);
    host_put_all(refusing, 0);
    spoil(h, "u", "m s-1", 4, 1000);
    spoil(refusing, "u", "m s-1", 4, 1000);
    CHECK_OK(gwf_run(h->plugin, 0, 1), h->plugin->error);
    CU_ASSERT_EQUAL(flag_of(h), GWF_FLAG_ZERO);
    CHECK_FAILS(gwf_run(refusing->plugin, 0, 1), GWF_ERR_DATA, refusing->plugin->error,
                "beyond the range of its training");
    const char *text = NULL;
    CHECK_OK(gwf_plugin_report(h->plugin, &text), h->plugin->error);
    CU_ASSERT_EQUAL(text != NULL, test_rank() == 0);
    if (text) CU_ASSERT_PTR_NOT_NULL(strstr(text, "u beyond the trained range, percent by level:"));
    host_free(h);
    host_free(refusing);
}

static void test_piggyback(void)
{
    const char *const options[] = {"piggyback=on", NULL};
    host *h = run_once(BANDS, options), *truth = run_once(BANDS, NULL);
    double *du = host_result(h, "du", "m s-2"), wrong = 0;
    for (int i = 0; i < HOST_LEVELS * HOST_CELLS; i++) wrong += !(du[i] == 0);
    CU_ASSERT_EQUAL(wrong, 0);
    check_same(truth, h, "uw", "Pa");
    CU_ASSERT_EQUAL(flag_of(h), GWF_FLAG_ZERO);
    free(du);
    host_free(h);
    host_free(truth);
}

/* --- capture ---------------------------------------------------------------------------------- */

static void keep_line(void *user, const char *line)
{
    snprintf(user, 512, "%s", line);
}

/* The file's features are those that the step was computed from; its fields those of the host. */
static void test_capture(void)
{
    char path[512], line[512] = "";
    snprintf(path, sizeof path, "%s", test_scratch_of_all("captured.nc"));
    const char *const reporting[] = {"report=1", NULL};
    host *h = ready(SCATTERED, reporting);
    gwf_plugin *p = h->plugin;
    gwf_plugin_log(p, keep_line, line);
    CHECK_OK(gwf_plugin_capture(p, path), p->error);
    host_put_all(h, 2);
    CHECK_OK(gwf_run(p, 7200, 1800), p->error);
    if (test_rank() == 0) CU_ASSERT_PTR_NOT_NULL(strstr(line, "trained range"));
    if (test_rank() == 0) {
        gwf_windset *file = NULL;
        gwf_nc nc;
        gwf_nc_variable v;
        gwf_error err = {0};
        int index[366];
        float *flux = predicted(p->engine->model_path, false, 2);
        float *features = malloc(366 * HOST_CELLS * sizeof *features);
        float *again = malloc(244 * HOST_CELLS * sizeof *again), *u = whole_field("u", 2);
        float *written = malloc(HOST_LEVELS * HOST_CELLS * sizeof *written);
        gwf_engine *engine = NULL;
        gwf_options *options = gwf_options_create();
        gwf_options_set(options, "backend", "ref");
        for (int i = 0; i < 366; i++) index[i] = 3 + i;
        CHECK_OK(gwf_windset_open(path, &file, &err), err);
        CU_ASSERT_EQUAL(gwf_windset_header_of(file)->idim, 369);
        CHECK_OK(gwf_windset_read(file, 0, index, 366, features, &err), err);
        gwf_windset_close(&file);
        CU_ASSERT_EQUAL(gwf_create(p->engine->model_path, options, &engine), GWF_OK);
        CU_ASSERT_EQUAL(gwf_predict(engine, features, again), GWF_OK);
        CU_ASSERT_EQUAL(memcmp(again, flux, 244 * HOST_CELLS * sizeof *flux), 0);
        CHECK_OK(gwf_nc_open(path, &nc, &err), err);
        CU_ASSERT_TRUE(gwf_nc_variable_find(&nc, "u", &v));
        CHECK_OK(gwf_nc_get_float(&nc, &v, HOST_LEVELS * HOST_CELLS, written, &err), err);
        CU_ASSERT_EQUAL(memcmp(written, u, HOST_LEVELS * HOST_CELLS * sizeof *u), 0);
        gwf_nc_close(&nc, NULL);
        gwf_options_free(&options);
        gwf_free(&engine);
        free(flux);
        free(features);
        free(again);
        free(written);
        free(u);
    }
    test_barrier();
    host_free(h);
}

int main(void)
{
    static const test_case cases[] = {
        {"equals predict, any layout", test_equals_predict},
        {"any layout, any number of ranks that compute", test_any_layout},
        {"levels from the bottom up", test_levels_from_below},
        {"units", test_units},
        {"windows", test_windows},
        {"get and add", test_add},
        {"two plugins", test_two_plugins},
        {"budgets", test_budgets},
        {"a host on another grid", test_other_grid},
        {"nothing is allocated in a step", test_no_allocations},
        {"interval", test_interval},
        {"lagged", test_lagged},
        {"restart", test_restart},
        {"states that do not fit", test_bad_states},
        {"order of calls", test_order_of_calls},
        {"arrays that do not fit", test_bad_arrays},
        {"missing fields", test_missing_fields},
        {"values that cannot be used", test_bad_values},
        {"policies", test_policies},
        {"beyond the trained range", test_outside},
        {"piggyback", test_piggyback},
        {"capture", test_capture},
    };
    return test_run_ranks("plugin", cases, sizeof cases / sizeof *cases);
}
