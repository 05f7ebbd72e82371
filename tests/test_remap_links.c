/* Remapping by weights from elsewhere. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/remap.h"
#include "grid_case.h"
#include "io/nc.h"

enum { LINKS = 5 };

/* Two destination rows of two, four sources anywhere; arrays of the caller's stack. */
typedef struct link_case {
    int source[LINKS], destination[LINKS];
    double weight[LINKS], lat[4], lon[4], to_lat[4], to_lon[4];
} link_case;

static const double lats[2] = {-30, 60}, lons[2] = {0, 180};
static const gwf_grid to = {2, 2, lats, lons, NULL, NULL, false};

static link_case good(void)
{
    return (link_case){.source = {3, 0, 1, 2, 1},
                       .destination = {3, 0, 1, 2, 1},
                       .weight = {1, 1, 0.25, 1, 0.75},
                       .lat = {-30, -20, 60, 50},
                       .lon = {0, 181, -1, 179},
                       .to_lat = {-30, -30, 60, 60},
                       .to_lon = {360, -180, 0, 180}};
}

static gwf_weights weights_of(link_case *c)
{
    return (gwf_weights){4,         4,      LINKS,  c->source, c->destination,
                         c->weight, c->lat, c->lon, c->to_lat, c->to_lon};
}

static void applies(void)
{
    gwf_error err = {0};
    link_case c = good();
    c.source[4] = 2;
    const gwf_weights w = weights_of(&c);
    gwf_remap *remap = NULL;
    CHECK_OK(gwf_remap_create_weights(&w, NULL, &to, 2, &remap, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(remap);
    const float x[12] = {1, 2, 3, 4, 10, 20, 30, 40, NAN, 200, 300, 400};
    float y[12];
    gwf_remap_apply(remap, x, y, 3);
    const float truth[12] = {1, 2.75f, 3, 4, 10, 27.5f, 30, 40, NAN, 275, 300, 400};
    for (int i = 0; i < 12; i++) CU_ASSERT_TRUE(i == 8 ? isnan(y[i]) : y[i] == truth[i]);
    gwf_remap_free(&remap);
}

static void refuse(link_case *c, const gwf_grid *from, gwf_status status, const char *words)
{
    gwf_error err = {0};
    const gwf_weights w = weights_of(c);
    gwf_remap *remap = NULL;
    CHECK_FAILS(gwf_remap_create_weights(&w, from, &to, 1, &remap, &err), status, err, words);
    CU_ASSERT_PTR_NULL(remap);
}

static void refusals(void)
{
    link_case c = good();
    c.weight[2] = 0.2;
    refuse(&c, NULL, GWF_ERR_DATA, "destination cell 1 (latitude -30, longitude -180) sum to 0.95");
    c = good();
    c.destination[0] = 2;
    refuse(&c, NULL, GWF_ERR_DATA, "destination cell 2");
    c = good();
    c.to_lat[3] = 59;
    refuse(&c, NULL, GWF_ERR_MISMATCH,
           "destination grid: cell 3 is at latitude 60, longitude 180, in the weights at 59, 180");
    c = good();
    refuse(&c, &to, GWF_ERR_MISMATCH, "source grid: cell 1");
    const double more[3] = {0, 120, 240};
    const gwf_grid from = {2, 3, lats, more, NULL, NULL, false};
    refuse(&c, &from, GWF_ERR_MISMATCH, "source grid: 2 x 3 = 6 cells, the weights have 4");
}

/* Cells of any kind, in the order of the file. */
static void source_centres(void)
{
    gwf_error err = {0};
    link_case c = good();
    const gwf_weights w = weights_of(&c);
    double lat[4] = {-30.009, -20, 60, 50}, lon[4] = {360, 181, 359, -181};
    CHECK_OK(gwf_remap_check_source(&w, lat, lon, &err), err);
    lat[3] = 50.011;
    CHECK_FAILS(gwf_remap_check_source(&w, lat, lon, &err), GWF_ERR_MISMATCH, err,
                "source cell 3 is at latitude 50.011, longitude -181, in the weights at 50, 179");
    lat[3] = 50;
    lon[1] = 1;
    CHECK_FAILS(gwf_remap_check_source(&w, lat, lon, &err), GWF_ERR_MISMATCH, err, "source cell 1");
    lon[1] = NAN;
    CHECK_FAILS(gwf_remap_check_source(&w, lat, lon, &err), GWF_ERR_MISMATCH, err, "source cell 1");
}

/* v turned about the unit vector k by an angle (Rodrigues). */
static void turn_about(const double k[3], double angle, double v[3])
{
    const double dot = k[0] * v[0] + k[1] * v[1] + k[2] * v[2], c = cos(angle), s = sin(angle);
    const double cross[3] = {k[1] * v[2] - k[2] * v[1], k[2] * v[0] - k[0] * v[2],
                             k[0] * v[1] - k[1] * v[0]};
    for (int i = 0; i < 3; i++) v[i] = v[i] * c + cross[i] * s + k[i] * dot * (1 - c);
}

/* Up, east and north at a place. */
static void frame(double lat, double lon, double f[3][3])
{
    const double p = lat * case_pi / 180, l = lon * case_pi / 180;
    const double up[3] = {cos(p) * cos(l), cos(p) * sin(l), sin(p)}, east[3] = {-sin(l), cos(l), 0};
    const double north[3] = {-sin(p) * cos(l), -sin(p) * sin(l), cos(p)};
    memcpy(f[0], up, sizeof up);
    memcpy(f[1], east, sizeof east);
    memcpy(f[2], north, sizeof north);
}

/* A wind carried along the great circle from a to b, as vectors in space. */
static void carry(const double a[2], const double b[2], const double wind[2], double carried[2])
{
    double f[3][3], g[3][3], v[3], k[3];
    frame(a[0], a[1], f);
    frame(b[0], b[1], g);
    for (int i = 0; i < 3; i++) v[i] = wind[0] * f[1][i] + wind[1] * f[2][i];
    for (int i = 0; i < 3; i++)
        k[i] = f[0][(i + 1) % 3] * g[0][(i + 2) % 3] - f[0][(i + 2) % 3] * g[0][(i + 1) % 3];
    const double s = sqrt(k[0] * k[0] + k[1] * k[1] + k[2] * k[2]);
    const double c = f[0][0] * g[0][0] + f[0][1] * g[0][1] + f[0][2] * g[0][2];
    for (int i = 0; i < 3; i++) k[i] /= s;
    turn_about(k, atan2(s, c), v);
    for (int i = 0; i < 2; i++)
        carried[i] = v[0] * g[i + 1][0] + v[1] * g[i + 1][1] + v[2] * g[i + 1][2];
}

/* Near the poles wind goes along great circles; far from them by components. */
static void wind_along_great_circles(void)
{
    gwf_error err = {0};
    link_case c = good();
    const double from_lat[4] = {-31, -20, 85, 88}, from_lon[4] = {1, 100, 50, -100};
    memcpy(c.lat, from_lat, sizeof from_lat);
    memcpy(c.lon, from_lon, sizeof from_lon);
    const gwf_weights w = weights_of(&c);
    gwf_remap *remap = NULL;
    CHECK_OK(gwf_remap_create_weights(&w, NULL, &to, 1, &remap, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(remap);
    const float u[4] = {1, 2, 3, -1}, v[4] = {0.5f, -1, 2, 4};
    float u_out[4], v_out[4];
    gwf_remap_apply_wind(remap, u, v, u_out, v_out, 1);
    CU_ASSERT_EQUAL(u_out[0], 1);
    CU_ASSERT_EQUAL(v_out[0], 0.5f);
    for (int i = 1; i < 4; i++) {
        double truth[2];
        carry((double[]){c.lat[i], c.lon[i]}, (double[]){c.to_lat[i], c.to_lon[i]},
              (double[]){u[i], v[i]}, truth);
        CHECK_AT_MOST(hypot(u_out[i] - truth[0], v_out[i] - truth[1]), 1e-6);
    }
    gwf_remap_free(&remap);
}

/* A destination at the pole that takes the mean of a row, as ESMF's bilinear weights do. */
static void mean_at_the_pole(void)
{
    enum { N = 36 };
    gwf_error err = {0};
    const double pole_lat[2] = {80, 90}, pole_lon[2] = {40, 220};
    const gwf_grid pole = {2, 2, pole_lat, pole_lon, NULL, NULL, false};
    int source[4 * N], destination[4 * N];
    double weight[4 * N], lat[N], lon[N];
    double to_lat[4] = {80, 80, 90, 90}, to_lon[4] = {40, 220, 40, 220};
    float u[N], v[N], u_out[4], v_out[4], mean[4];
    const double axis[3] = {0.8, -0.6, 0}; /* straight over the pole */
    for (int k = 0; k < 4 * N; k++) {
        source[k] = k % N;
        destination[k] = k / N;
        weight[k] = 1.0 / N;
    }
    for (int k = 0; k < N; k++) {
        double a, b;
        lat[k] = 89;
        lon[k] = 10 * k;
        case_rotation(axis, lat[k], lon[k], &a, &b);
        u[k] = (float)a;
        v[k] = (float)b;
    }
    const gwf_weights w = {N, 4, 4 * N, source, destination, weight, lat, lon, to_lat, to_lon};
    gwf_remap *remap = NULL;
    CHECK_OK(gwf_remap_create_weights(&w, NULL, &pole, 1, &remap, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(remap);
    gwf_remap_apply_wind(remap, u, v, u_out, v_out, 1);
    gwf_remap_apply(remap, u, mean, 1);
    for (int i = 2; i < 4; i++) {
        double a, b;
        case_rotation(axis, 90, to_lon[i], &a, &b);
        CHECK_AT_MOST(hypot(u_out[i] - a, v_out[i] - b), 2e-4);
        CHECK_AT_MOST(fabsf(mean[i]), 1e-6);
    }
    gwf_remap_free(&remap);
}

/* --- against CDO (golden/make_remap.sh): a random field from 12 x 7 to 16 x 8 Gaussian cells -- */

/* Its conservative weights end at great circles, not at parallels: they are only applied here. */

static void read_golden(const char *name, size_t n, float *values)
{
    gwf_error err = {0};
    gwf_nc file;
    gwf_nc_variable v;
    CHECK_OK(gwf_nc_open(test_data(name), &file, &err), err);
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(&file, "x", &v));
    CHECK_OK(gwf_nc_get_float(&file, &v, n, values, &err), err);
    CHECK_OK(gwf_nc_close(&file, &err), err);
}

static void check_golden(gwf_remap *remap, const char *name)
{
    float x[84], y[128], truth[128];
    CU_ASSERT_PTR_NOT_NULL_FATAL(remap);
    read_golden("golden/remap_random.nc", 84, x);
    read_golden(name, 128, truth);
    gwf_remap_apply(remap, x, y, 1);
    for (int i = 0; i < 128; i++) CHECK_AT_MOST(fabs((double)y[i] - (double)truth[i]), 1e-6);
    gwf_remap_free(&remap);
}

static void as_cdo(void)
{
    gwf_error err = {0};
    gwf_weights w;
    gwf_remap *remap = NULL;
    gwf_grid from = case_regular(7, 90, -30, 12, -180, 30), gauss = case_gaussian(8, 16);
    for (int i = 0; i < 4; i++) { /* north to south, as CDO has it */
        const double lat = gauss.lat[i];
        ((double *)gauss.lat)[i] = gauss.lat[7 - i];
        ((double *)gauss.lat)[7 - i] = lat;
    }
    CHECK_OK(gwf_weights_read(test_data("golden/remap_weights.nc"), &w, &err), err);
    CHECK_OK(gwf_remap_create_weights(&w, &from, &gauss, 2, &remap, &err), err);
    check_golden(remap, "golden/remap_conservative.nc");
    CHECK_FAILS(gwf_remap_create_weights(&w, &gauss, &gauss, 1, &remap, &err), GWF_ERR_MISMATCH,
                err, "source grid: 8 x 16 = 128 cells, the weights have 84");
    gwf_weights_free(&w);
    CHECK_OK(gwf_remap_create(GWF_REMAP_BILINEAR, &from, &gauss, 1, &remap, &err), err);
    check_golden(remap, "golden/remap_bilinear.nc");
    case_free(&from);
    case_free(&gauss);
}

int main(void)
{
    static const test_case tests[] = {
        {"sums of links", applies},
        {"what is refused", refusals},
        {"centres of source cells", source_centres},
        {"wind along great circles", wind_along_great_circles},
        {"mean at the pole", mean_at_the_pole},
        {"as CDO does it", as_cdo},
    };
    return test_run("remap_links", tests, sizeof tests / sizeof *tests);
}
