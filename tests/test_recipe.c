#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/recipe.h"

static const gwf_recipe *era5(void)
{
    return gwf_recipe_find("era5-released");
}

static void names(void)
{
    CU_ASSERT_STRING_EQUAL(gwf_recipe_names(), "era5-released, wxcbench, cam-l93");
    CU_ASSERT_STRING_EQUAL(gwf_recipe_find("cam-l93")->name, "cam-l93");
    CU_ASSERT_PTR_NULL(gwf_recipe_find("era5"));
    CU_ASSERT_PTR_NULL(gwf_recipe_find(""));
}

static void check_constants(const char *recipe, const char *variable, gwf_transform transform,
                            double mu, double d)
{
    const gwf_scaling *s = gwf_recipe_scaling(gwf_recipe_find(recipe), variable);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(s->transform, transform);
    CHECK_AT_MOST(fabs(s->mu - mu), 1e-15 * fabs(mu));
    CHECK_AT_MOST(fabs(s->d - d), 1e-15 * fabs(d));
}

static void constants(void)
{
    check_constants("era5-released", "u", GWF_LINEAR, 6.395471175756457, 66.526512420553854);
    check_constants("era5-released", "v", GWF_LINEAR, 0.020313991225046, 29.52429444832125);
    check_constants("era5-released", "w", GWF_CUBE_ROOT, 0.0016040905945274022,
                    0.017021397434040318);
    check_constants("era5-released", "uw", GWF_CUBE_ROOT, -0.0005112474139891424,
                    0.0050768547492663395);
    check_constants("era5-released", "vw", GWF_CUBE_ROOT, -0.0002982954242187403,
                    0.003792741148955207);
    check_constants("wxcbench", "u", GWF_LINEAR, 6.396170418818774, 15.419851393222734);
    check_constants("wxcbench", "v", GWF_LINEAR, 0.020325419770554964, 5.358575903391334);
    check_constants("wxcbench", "uw", GWF_CUBE_ROOT, -0.0005111427058698139, 0.01210256860332131);
    check_constants("wxcbench", "vw", GWF_CUBE_ROOT, -0.00029947280540184554, 0.009992852935673705);
    check_constants("cam-l93", "u", GWF_LINEAR, 6.717847278462159, 62.281155549600618);
    check_constants("cam-l93", "v", GWF_LINEAR, -0.002744777264668839, 29.632167350214792);
    check_constants("cam-l93", "w", GWF_CUBE_ROOT, 0.0013401482063147452, 0.11202126259282257);
    check_constants("cam-l93", "uw", GWF_CUBE_ROOT, -0.0004691528666736032, 0.032814051953840274);
    check_constants("cam-l93", "vw", GWF_CUBE_ROOT, -0.0002586195082961397, 0.03024781201672967);
}

static void shared_scalings_and_units(void)
{
    const char *const recipes[] = {"era5-released", "wxcbench", "cam-l93"};
    const struct {
        const char *variable, *units;
        double d; /* 0: differs between recipes */
    } rows[] = {{"lat", "degrees_north", 90},
                {"lon", "degrees_east", 360},
                {"zs", "m2 s-2", 50000},
                {"theta", "K", 1000},
                {"u", "m s-1", 0},
                {"v", "m s-1", 0},
                {"uw", "Pa", 0},
                {"vw", "Pa", 0}};
    for (size_t r = 0; r < sizeof recipes / sizeof *recipes; r++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const gwf_scaling *s =
                gwf_recipe_scaling(gwf_recipe_find(recipes[r]), rows[i].variable);
            CU_ASSERT_PTR_NOT_NULL_FATAL(s);
            CU_ASSERT_STRING_EQUAL(s->units, rows[i].units);
            if (rows[i].d == 0) continue;
            CU_ASSERT_EQUAL(s->transform, GWF_LINEAR);
            CU_ASSERT_EQUAL(s->mu, 0);
            CU_ASSERT_EQUAL(s->d, rows[i].d);
        }
    CU_ASSERT_STRING_EQUAL(gwf_recipe_scaling(era5(), "w")->units, "Pa s-1");
    CU_ASSERT_PTR_NULL(gwf_recipe_scaling(gwf_recipe_find("wxcbench"), "w"));
    CU_ASSERT_PTR_NULL(gwf_recipe_scaling(era5(), "T"));
}

static void check_text(const char *text, const char *name)
{
    const gwf_recipe *found = gwf_recipe_in_text(text);
    if (!name) {
        CU_ASSERT_PTR_NULL(found);
        return;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    CU_ASSERT_STRING_EQUAL(found->name, name);
}

static void recipe_in_text(void)
{
    check_text("lat/90, u: (u-6.395471175756457)/(3*22.175504140184618), theta/1000",
               "era5-released");
    check_text("(u - 6.396170418818774)/15.419851393222734", "wxcbench");
    check_text("v scaled by (v-(-0.002744777264668839))/29.6", "cam-l93");
    check_text("v+2.744777264668839e-03", "cam-l93");
    check_text("mean .020325419770554964;", "wxcbench");
    check_text("u mu 6.39547117576", "era5-released"); /* printed with 12 digits */
    check_text("u mu 6.3954711", NULL);                /* a float's digits are not enough */
    check_text("16.395471175756457", NULL);
    check_text("6.395471175756457e", "era5-released");
    check_text("6.395471175756457e5", NULL);
    check_text("from 6.395471175756457 to 6.396170418818774", NULL); /* decides nothing */
    check_text("era5, 122 levels, 1e999999999999999999999 0x1p3", NULL);
    check_text("", NULL);
}

static void physical_values(void)
{
    const gwf_scaling *uw = gwf_recipe_scaling(era5(), "uw");
    const float normalised[] = {0, 1, -1, 2, -3};
    float flux[5];
    gwf_denormalise(uw->transform, uw->mu, uw->d, normalised, flux, 5);
    for (int i = 0; i < 5; i++) {
        const double expected =
            pow(normalised[i], 3) * 0.0050768547492663395 - 0.0005112474139891424;
        CHECK_AT_MOST(fabs(flux[i] - expected), 1e-7 * fabs(expected));
    }
    const gwf_scaling *u = gwf_recipe_scaling(era5(), "u");
    const float wind = 72.921983596310311f; /* mu + d */
    float x;
    gwf_normalise(u->transform, u->mu, u->d, &wind, &x, 1);
    CHECK_AT_MOST(fabsf(x - 1), 1e-6);
}

static void check_round_trip(const gwf_scaling *s)
{
    enum { N = 41 };
    float x[N], back[N];
    for (int i = 0; i < N; i++) x[i] = (float)(0.25 * (i - N / 2));
    gwf_denormalise(s->transform, s->mu, s->d, x, back, N);
    gwf_normalise(s->transform, s->mu, s->d, back, back, N); /* in place */
    for (int i = 0; i < N; i++) {
        /* The rounding of the physical value, seen through the slope of the cube root. */
        const double limit = s->transform == GWF_CUBE_ROOT && x[i] == 0 ? 1e-2 : 2e-6;
        CHECK_AT_MOST(fabsf(back[i] - x[i]), limit * fmax(1, fabsf(x[i])));
    }
}

static void round_trips(void)
{
    const char *const names_of[] = {"era5-released", "wxcbench", "cam-l93"};
    for (size_t r = 0; r < sizeof names_of / sizeof *names_of; r++) {
        const gwf_recipe *recipe = gwf_recipe_find(names_of[r]);
        for (int i = 0; i < recipe->count; i++) check_round_trip(&recipe->scalings[i]);
    }
}

static void negative_cube_root(void)
{
    const float x[] = {-8, 8, -27e-3f};
    float normalised[3];
    gwf_normalise(GWF_CUBE_ROOT, 0, 1, x, normalised, 3);
    CHECK_AT_MOST(fabsf(normalised[0] + 2), 1e-7);
    CHECK_AT_MOST(fabsf(normalised[1] - 2), 1e-7);
    CHECK_AT_MOST(fabsf(normalised[2] + 0.3f), 1e-7);
}

static void nan_stays_nan(void)
{
    const float x[] = {NAN, INFINITY, -INFINITY};
    for (int transform = GWF_LINEAR; transform <= GWF_CUBE_ROOT; transform++) {
        float y[3];
        gwf_denormalise((gwf_transform)transform, 1, 2, x, y, 3);
        CU_ASSERT_TRUE(isnan(y[0]) && y[1] == INFINITY && y[2] == -INFINITY);
        gwf_normalise((gwf_transform)transform, 1, 2, x, y, 3);
        CU_ASSERT_TRUE(isnan(y[0]) && y[1] == INFINITY && y[2] == -INFINITY);
    }
}

static void nothing_to_do(void)
{
    float x = 5;
    gwf_denormalise(GWF_LINEAR, 1, 2, &x, &x, 0);
    gwf_normalise(GWF_CUBE_ROOT, 1, 2, &x, &x, 0);
    CU_ASSERT_EQUAL(x, 5);
}

/* What is written is found again, and no other recipe; cut short it stays within its room. */
static void words_found_again(void)
{
    const char *const recipes[] = {"era5-released", "wxcbench", "cam-l93"};
    for (size_t r = 0; r < sizeof recipes / sizeof *recipes; r++) {
        char text[1024], few[20];
        const gwf_recipe *recipe = gwf_recipe_find(recipes[r]);
        gwf_recipe_words(recipe, text, sizeof text);
        CU_ASSERT_PTR_EQUAL(gwf_recipe_in_text(text), recipe);
        CU_ASSERT_TRUE(strlen(text) < 1000);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "theta in K: (x - 0) / 1000; "));
        memset(few, 'x', sizeof few);
        gwf_recipe_words(recipe, few, 19);
        CU_ASSERT_STRING_EQUAL(few, "normalised: lat in");
        CU_ASSERT_EQUAL(few[19], 'x');
    }
    char text[1024];
    gwf_recipe_words(era5(), text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "; u in m s-1: (x - 6.395471175756457"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "; vw in Pa: cbrt((x + 0.000298295424218"));
}

int main(void)
{
    const test_case cases[] = {
        {"names", names},
        {"constants of every recipe", constants},
        {"shared scalings and units", shared_scalings_and_units},
        {"recipe in free text", recipe_in_text},
        {"physical values", physical_values},
        {"round trips", round_trips},
        {"cube root keeps the sign", negative_cube_root},
        {"words found again", words_found_again},
        {"NaN stays NaN", nan_stays_nan},
        {"zero values", nothing_to_do},
    };
    return test_run("recipe", cases, sizeof cases / sizeof *cases);
}
