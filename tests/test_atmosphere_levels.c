/* Levels as files describe them: pressures in any unit; hybrid coefficients in every place where
 * CF, cdo, CAM, FMS and ECMWF put them; top down and bottom up. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atmosphere_check.h"

/* Four levels, sigma below and pressure above, and the nominal pressures they belong to. */
static const double ap[NZ] = {1000, 9000, 20000, 5000}, hyb[NZ] = {0, 0.01, 0.3, 0.8};
static const double nominal[NZ] = {1000, 10000, 50000, 85000};

typedef struct level_text {
    const char *standard_name, *terms, *positive, *long_name;
} level_text;

/* u on the levels of `z`, and whatever `more` adds to the file. */
static const char *make(const air_axis *z, const level_text *t, void (*more)(int file))
{
    air_file f = era5();
    f.z = *z;
    const char *path = test_scratch("levels.nc");
    const int file = air_create(path, &f);
    int id;
    air_add(file, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    if (z->values && t) {
        air_must(nc_inq_varid(file, z->name, &id));
        air_text(file, id, "standard_name", t->standard_name);
        air_text(file, id, "formula_terms", t->terms);
        air_text(file, id, "positive", t->positive);
        air_text(file, id, "long_name", t->long_name);
    }
    if (more) more(file);
    air_must(nc_close(file));
    return path;
}

static void check(const char *path, gwf_level_kind kind, const double *a, const double *b)
{
    gwf_atmosphere *atmosphere = open_one(path);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(atmosphere);
    CU_ASSERT_EQUAL_FATAL(h->nlev, NZ);
    CU_ASSERT_EQUAL(h->level_kind, kind);
    for (int k = 0; k < NZ; k++) {
        CHECK_AT_MOST(fabs(h->a[k] - a[k]), 1e-9 * 1e5);
        CHECK_AT_MOST(fabs(h->b[k] - (b ? b[k] : 0)), 1e-12);
    }
    CHECK_AT_MOST(worst(atmosphere, GWF_U, 0), 2e-4);
    gwf_atmosphere_close(&atmosphere);
}

static void test_pressures(void)
{
    static const double pa_up[NZ] = {85000, 50000, 10000, 1000};
    static const struct {
        const char *name, *units;
        const double *values, *meant;
    } axes[] = {
        {"plev", "Pa", pascals, pascals},
        {"plev", "Pa", pa_up, pa_up},
        {"level", "millibars", hpa, pascals},
        {"level", "millibar", hpa, pascals},
        {"level", "mb", hpa, pascals},
        {"lev", "hPa", hpa_up, pascals_up},
        {"pressure_level", "hPa", hpa_up, pascals_up},
        {"pressure_level", "", hpa_up, pascals_up},
        {"isobaricInhPa", "", hpa, pascals},
        {"isobaricInPa", "", pascals, pascals},
        {"whatever", "hectopascals", hpa, pascals},
    };
    for (size_t i = 0; i < COUNT(axes); i++) {
        const air_axis z = {axes[i].name,  axes[i].units, NZ,  axes[i].values,
                            axes[i].meant, NC_FLOAT,      NULL};
        check(make(&z, NULL, NULL), GWF_LEVELS_PRESSURE, pascals, NULL);
    }
}

/* --- CF ------------------------------------------------------------------------------------- */

static const level_text hybrid = {"atmosphere_hybrid_sigma_pressure_coordinate",
                                  "ap: ap b: b ps: sp", "down", NULL};

static void put_ap(int file)
{
    air_vector(file, "ap", "lev", NZ, ap, "Pa");
    air_vector(file, "b", "lev", NZ, hyb, "1");
}

static void put_ap_in_hpa(int file)
{
    double scaled[NZ];
    for (int k = 0; k < NZ; k++) scaled[k] = ap[k] / 100;
    air_vector(file, "ap", "lev", NZ, scaled, "hPa");
    air_vector(file, "b", "lev", NZ, hyb, "1");
}

static void put_number(int file, const char *name, double value, const char *units)
{
    int id;
    air_must(nc_def_var(file, name, NC_DOUBLE, 0, NULL, &id));
    air_text(file, id, "units", units);
    air_must(nc_put_var_double(file, id, &value));
}

/* CAM: fractions of P0, which stands alone. */
static void put_fractions(int file)
{
    double fraction[NZ];
    for (int k = 0; k < NZ; k++) fraction[k] = ap[k] / 1e5;
    air_vector(file, "hyam", "lev", NZ, fraction, NULL);
    air_vector(file, "hybm", "lev", NZ, hyb, NULL);
    put_number(file, "P0", 1000, "hPa");
}

static void test_formula_terms(void)
{
    static const double lev[NZ] = {1, 2, 3, 4};
    const air_axis by_number = {"lev", "1", NZ, lev, nominal, NC_INT, NULL};
    check(make(&by_number, &hybrid, put_ap), GWF_LEVELS_HYBRID, ap, hyb);
    check(make(&by_number, &hybrid, put_ap_in_hpa), GWF_LEVELS_HYBRID, ap, hyb);
    level_text cam = hybrid;
    cam.terms = "a: hyam b: hybm p0: P0 ps: PS";
    const air_axis rough = {"lev", "hPa", NZ, hpa, nominal, 0, NULL};
    check(make(&rough, &cam, put_fractions), GWF_LEVELS_HYBRID, ap, hyb);
    cam.terms = NULL; /* without the formula: the vectors are on the very dimension */
    check(make(&rough, &cam, put_fractions), GWF_LEVELS_HYBRID, ap, hyb);
    check(make(&rough, NULL, put_fractions), GWF_LEVELS_HYBRID, ap, hyb);
    check(make(&(air_axis){"lev", "", NZ, NULL, nominal, 0, NULL}, NULL, put_fractions),
          GWF_LEVELS_HYBRID, ap, hyb);
}

static void put_top(int file)
{
    put_number(file, "ptop", 10, "hPa");
}

static void test_sigma(void)
{
    static const double sigma[NZ] = {0.05, 0.3, 0.6, 0.95};
    double meant[NZ], a[NZ];
    for (int k = 0; k < NZ; k++) a[k] = 1000 * (1 - sigma[k]);
    for (int k = 0; k < NZ; k++) meant[k] = 1000 + sigma[k] * (1e5 - 1000);
    const level_text text = {"atmosphere_sigma_coordinate", "sigma: sigma ps: ps ptop: ptop", NULL,
                             NULL};
    check(make(&(air_axis){"sigma", "1", NZ, sigma, meant, 0, NULL}, &text, put_top),
          GWF_LEVELS_HYBRID, a, sigma);
}

/* --- coefficients beside -------------------------------------------------------------------- */

/* cdo writes all coefficients, also when it has selected levels; their numbers tell which. */
static void put_more_than_levels(int file)
{
    double a[10], b[10];
    const int at[NZ] = {2, 4, 5, 9};
    for (int k = 0; k < 10; k++) a[k] = b[k] = 1e5; /* must not be used */
    for (int k = 0; k < NZ; k++) a[at[k] - 1] = ap[k];
    for (int k = 0; k < NZ; k++) b[at[k] - 1] = hyb[k];
    air_vector(file, "hyam", "nhym", 10, a, "Pa");
    air_vector(file, "hybm", "nhym", 10, b, "1");
}

/* Half levels whose middles are the levels. */
static void put_halves(int file, const char *dim, const char *a_name, const char *b_name)
{
    double a[NZ + 1] = {500}, b[NZ + 1] = {0};
    for (int k = 0; k < NZ; k++) a[k + 1] = 2 * ap[k] - a[k];
    for (int k = 0; k < NZ; k++) b[k + 1] = 2 * hyb[k] - b[k];
    air_vector(file, a_name, dim, NZ + 1, a, "Pa");
    air_vector(file, b_name, dim, NZ + 1, b, "1");
}

static void put_hyai(int file)
{
    put_halves(file, "nhyi", "hyai", "hybi");
}

static void put_pk(int file)
{
    put_halves(file, "phalf", "pk", "bk");
}

static void put_unrelated(int file)
{
    const double a[3] = {1, 2, 3};
    air_vector(file, "hyam", "nhym", 3, a, "Pa");
    air_vector(file, "hybm", "nhym", 3, a, "1");
}

/* cdo invertlev: numbers and coefficients are both turned round. */
static void put_turned(int file)
{
    double a[10], b[10];
    const int at[NZ] = {2, 4, 5, 9};
    for (int k = 0; k < 10; k++) a[k] = 0;
    for (int k = 0; k < 10; k++) b[k] = 1 - 0.09 * k;
    for (int k = 0; k < NZ; k++) a[10 - at[k]] = ap[k];
    for (int k = 0; k < NZ; k++) b[10 - at[k]] = hyb[k];
    air_vector(file, "hyam", "nhym", 10, a, "Pa");
    air_vector(file, "hybm", "nhym", 10, b, "1");
}

static void put_as_many(int file)
{
    air_vector(file, "hyam", "nhym", NZ, ap, "Pa");
    air_vector(file, "hybm", "nhym", NZ, hyb, "1");
}

static void test_beside(void)
{
    static const double numbers[NZ] = {2, 4, 5, 9}, counted[NZ] = {1, 2, 3, 4};
    static const double up[NZ] = {9, 5, 4, 2}, nominal_up[NZ] = {85000, 50000, 10000, 1000};
    const air_axis z = {"lev", "level", NZ, numbers, nominal, 0, NULL};
    check(make(&z, NULL, put_more_than_levels), GWF_LEVELS_HYBRID, ap, hyb);
    const air_axis z_up = {"lev", "level", NZ, up, nominal_up, 0, NULL};
    check(make(&z_up, NULL, put_more_than_levels), GWF_LEVELS_HYBRID, ap, hyb);
    check(make(&z_up, NULL, put_turned), GWF_LEVELS_HYBRID, ap, hyb);
    const air_axis c = {"lev", "level", NZ, counted, nominal, 0, NULL};
    check(make(&c, NULL, put_hyai), GWF_LEVELS_HYBRID, ap, hyb);
    /* FMS: pfull is a rough pressure */
    const air_axis fms = {"pfull", "hPa", NZ, hpa, nominal, 0, NULL};
    check(make(&fms, NULL, put_pk), GWF_LEVELS_HYBRID, ap, hyb);
    /* a file may have coefficients of other levels: pressures stay pressures */
    const air_axis p = {"plev", "Pa", NZ, pascals, pascals, 0, NULL};
    check(make(&p, NULL, put_unrelated), GWF_LEVELS_PRESSURE, pascals, NULL);
    check(make(&p, NULL, put_as_many), GWF_LEVELS_PRESSURE, pascals, NULL);
}

/* Numbers of ECMWF's 137 levels: a and b of level 60 and 96 from ECMWF's table of L137. */
static void test_l137(void)
{
    static const double numbers[NZ] = {20, 60, 96, 137}, up[NZ] = {137, 96, 60, 20};
    static const double a[NZ] = {293, 9816, 18256, 0};
    static const double b[NZ] = {0, 2.6893615722e-04, 3.2080078125e-01, 0.9990234375};
    double meant[NZ], meant_up[NZ];
    for (int k = 0; k < NZ; k++) meant[k] = a[k] + 1e5 * b[k];
    for (int k = 0; k < NZ; k++) meant_up[k] = meant[NZ - 1 - k];
    const air_axis z = {"level", "1", NZ, numbers, meant, NC_INT, NULL};
    check(make(&z, NULL, NULL), GWF_LEVELS_HYBRID, a, b);
    const air_axis z_up = {"hybrid", "", NZ, up, meant_up, NC_INT, NULL};
    check(make(&z_up, NULL, NULL), GWF_LEVELS_HYBRID, a, b);
}

/* --- refusals ------------------------------------------------------------------------------- */

static void refused(const char *path, gwf_status status, const char *words)
{
    gwf_atmosphere *a = NULL;
    gwf_error err = {0};
    const gwf_atmosphere_config config = {.paths = &path, .n_paths = 1};
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), status, err, words);
    CU_ASSERT_PTR_NULL(a);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "levels.nc"));
    gwf_atmosphere_close(&a);
}

static void put_wrong_p0(int file)
{
    double fraction[NZ] = {0.1, 0.2, 0.3, 0.4};
    air_vector(file, "hyam", "lev", NZ, fraction, NULL);
    air_vector(file, "hybm", "lev", NZ, hyb, NULL);
}

static void test_refusals(void)
{
    static const double counted[NZ] = {1, 2, 3, 4}, zigzag[NZ] = {10, 500, 100, 850};
    static const double twice[NZ] = {10, 100, 100, 850}, negative[NZ] = {-10, 100, 500, 850};
    static const double nothing[NZ] = {10, NAN, 500, 850}, heights[NZ] = {10, 100, 500, 1000};
    static const double huge[NZ] = {10, 100, 500, 8500}, mixed[NZ] = {10.5, 20, 30, 40};
    air_axis z = {"lev", "", NZ, counted, nominal, 0, NULL};
    refused(make(&z, NULL, NULL), GWF_ERR_FORMAT, "nor numbers of ECMWF's 137 levels");
    refused(make(&z, &hybrid, NULL), GWF_ERR_FORMAT, "variable ap of the formula is not there");
    level_text odd = hybrid;
    odd.terms = "orog: oro";
    refused(make(&z, &odd, put_ap), GWF_ERR_FORMAT, "expected a (or ap) and b");
    odd = (level_text){"atmosphere_sigma_coordinate", "sigma: lev ps: ps ptop: ptop", NULL, NULL};
    refused(make(&z, &odd, NULL), GWF_ERR_FORMAT, "need ptop");
    refused(make(&z, NULL, put_wrong_p0), GWF_ERR_FORMAT, "there is no reference pressure p0");
    refused(make(&z, NULL, put_unrelated), GWF_ERR_FORMAT, "ECMWF's 137");
    z.values = mixed;
    refused(make(&z, NULL, NULL), GWF_ERR_FORMAT, "ECMWF's 137");
    z.values = NULL;
    refused(make(&z, NULL, NULL), GWF_ERR_FORMAT, "ECMWF's 137");
    z = (air_axis){"level", "hPa", NZ, zigzag, nominal, 0, NULL};
    refused(make(&z, NULL, NULL), GWF_ERR_DATA, "levels must go one way, level 2 is at 10000 Pa");
    z.values = twice;
    refused(make(&z, NULL, NULL), GWF_ERR_DATA, "levels must go one way");
    z.values = negative;
    refused(make(&z, NULL, NULL), GWF_ERR_DATA, "level 0 is at -1000 Pa");
    z.values = huge;
    refused(make(&z, NULL, NULL), GWF_ERR_DATA, "level 3 is at 850000 Pa");
    z.values = nothing;
    refused(make(&z, NULL, NULL), GWF_ERR_DATA, "variable level: value 1 is missing or not finite");
    z = (air_axis){"level", "m", NZ, heights, nominal, 0, NULL};
    refused(make(&z, NULL, NULL), GWF_ERR_FORMAT, "neither in a unit of pressure (units 'm')");
}

int main(void)
{
    static const test_case tests[] = {
        {"pressures in any unit", test_pressures},
        {"CF's formula_terms", test_formula_terms},
        {"sigma", test_sigma},
        {"coefficients beside", test_beside},
        {"numbers of ECMWF's levels", test_l137},
        {"what is refused", test_refusals},
    };
    return test_run("atmosphere_levels", tests, sizeof tests / sizeof *tests);
}
