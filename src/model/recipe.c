#include "model/recipe.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/elementary.h"

/* What all recipes share. */
#define COORDINATES                                                                                \
    {"lat", "degrees_north", GWF_LINEAR, 0, 90}, {"lon", "degrees_east", GWF_LINEAR, 0, 360},      \
    {                                                                                              \
        "zs", "m2 s-2", GWF_LINEAR, 0, 50000                                                       \
    }
#define POTENTIAL_TEMPERATURE                                                                      \
    {                                                                                              \
        "theta", "K", GWF_LINEAR, 0, 1000                                                          \
    }

static const gwf_scaling era5_released[] = {
    COORDINATES,
    {"u", "m s-1", GWF_LINEAR, 6.395471175756457, 3 * 22.175504140184618},
    {"v", "m s-1", GWF_LINEAR, 0.020313991225046, 3 * 9.84143148277375},
    POTENTIAL_TEMPERATURE,
    {"w", "Pa s-1", GWF_CUBE_ROOT, 0.0016040905945274022, 0.017021397434040318},
    {"uw", "Pa", GWF_CUBE_ROOT, -0.0005112474139891424, 0.0050768547492663395},
    {"vw", "Pa", GWF_CUBE_ROOT, -0.0002982954242187403, 0.003792741148955207},
};

static const gwf_scaling wxcbench[] = {
    COORDINATES,
    {"u", "m s-1", GWF_LINEAR, 6.396170418818774, 15.419851393222734},
    {"v", "m s-1", GWF_LINEAR, 0.020325419770554964, 5.358575903391334},
    POTENTIAL_TEMPERATURE,
    {"uw", "Pa", GWF_CUBE_ROOT, -0.0005111427058698139, 0.01210256860332131},
    {"vw", "Pa", GWF_CUBE_ROOT, -0.00029947280540184554, 0.009992852935673705},
};

static const gwf_scaling cam_l93[] = {
    COORDINATES,
    {"u", "m s-1", GWF_LINEAR, 6.717847278462159, 3 * 20.760385183200206},
    {"v", "m s-1", GWF_LINEAR, -0.002744777264668839, 3 * 9.877389116738264},
    POTENTIAL_TEMPERATURE,
    {"w", "Pa s-1", GWF_CUBE_ROOT, 0.0013401482063147452, 0.11202126259282257},
    {"uw", "Pa", GWF_CUBE_ROOT, -0.0004691528666736032, 0.032814051953840274},
    {"vw", "Pa", GWF_CUBE_ROOT, -0.0002586195082961397, 0.03024781201672967},
};

#define RECIPE_LIST(X)                                                                             \
    X("era5-released", era5_released)                                                              \
    X("wxcbench", wxcbench)                                                                        \
    X("cam-l93", cam_l93)

#define RECIPE_ROW(name, scalings) {name, scalings, (int)(sizeof scalings / sizeof *scalings)},
static const gwf_recipe recipes[] = {RECIPE_LIST(RECIPE_ROW)};
enum { RECIPES = sizeof recipes / sizeof *recipes };

const gwf_recipe *gwf_recipe_find(const char *name)
{
    for (int i = 0; i < RECIPES; i++)
        if (strcmp(recipes[i].name, name) == 0) return &recipes[i];
    return NULL;
}

const char *gwf_recipe_names(void)
{
#define RECIPE_NAME(name, scalings) ", " name
    return &RECIPE_LIST(RECIPE_NAME)[2];
}

const gwf_scaling *gwf_recipe_scaling(const gwf_recipe *recipe, const char *variable)
{
    for (int i = 0; i < recipe->count; i++)
        if (strcmp(recipe->scalings[i].variable, variable) == 0) return &recipe->scalings[i];
    return NULL;
}

/* The next number of a text, without its sign; NULL at the end, else where to go on. Decimal
 * points only, whatever the locale of the host program. */
static const char *next_number(const char *text, double *number)
{
    while (*text && !isdigit((unsigned char)*text) &&
           !(*text == '.' && isdigit((unsigned char)text[1])))
        text++;
    if (!*text) return NULL;
    double value = 0, scale = 1;
    for (; isdigit((unsigned char)*text); text++) value = 10 * value + (*text - '0');
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text); text++) {
            value = 10 * value + (*text - '0');
            scale *= 10;
        }
    value /= scale;
    if ((*text == 'e' || *text == 'E') && strchr("+-0123456789", text[1]) && text[1]) {
        char *end;
        value *= pow(10, (double)strtol(text + 1, &end, 10));
        text = end == text + 1 ? text + 1 : end;
    }
    *number = value;
    return text;
}

/* u's and v's means are the marks of a recipe: no two recipes share them. */
static bool is_mark_of(const gwf_recipe *recipe, double number)
{
    const char *const variables[] = {"u", "v"};
    for (int i = 0; i < 2; i++) {
        const double mu = fabs(gwf_recipe_scaling(recipe, variables[i])->mu);
        if (fabs(number - mu) <= 1e-9 * mu) return true;
    }
    return false;
}

const gwf_recipe *gwf_recipe_in_text(const char *text)
{
    const gwf_recipe *found = NULL;
    double number;
    while ((text = next_number(text, &number)))
        for (int i = 0; i < RECIPES; i++) {
            if (!is_mark_of(&recipes[i], number)) continue;
            if (found && found != &recipes[i]) return NULL;
            found = &recipes[i];
        }
    return found;
}

void gwf_recipe_words(const gwf_recipe *recipe, char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < recipe->count && used < size; i++) {
        const gwf_scaling *s = &recipe->scalings[i];
        const bool root = s->transform == GWF_CUBE_ROOT;
        const int n =
            snprintf(text + used, size - used, "%s%s in %s: %s(x %c %.17g) / %.17g%s",
                     i ? "; " : "normalised: ", s->variable, s->units, root ? "cbrt(" : "",
                     s->mu < 0 ? '+' : '-', fabs(s->mu), s->d, root ? ")" : "");
        if (n > 0) used += (size_t)n;
    }
}

void gwf_denormalise(gwf_transform transform, double mu, double d, const float *normalised,
                     float *x, long n)
{
    for (long i = 0; i < n; i++) {
        double value = normalised[i];
        if (transform == GWF_CUBE_ROOT) value = value * value * value;
        x[i] = (float)(value * d + mu);
    }
}

/* One loop for each transform. */
GWF_LANES static void scale(double mu, double factor, const float *x, float *normalised, long n)
{
    for (long i = 0; i < n; i++) normalised[i] = (float)((x[i] - mu) * factor);
}

GWF_LANES static void scale_root(double mu, double factor, const float *x, float *normalised,
                                 long n)
{
    for (long i = 0; i < n; i++) normalised[i] = (float)gwf_cube_root((x[i] - mu) * factor);
}

void gwf_normalise(gwf_transform transform, double mu, double d, const float *x, float *normalised,
                   long n)
{
    if (transform == GWF_CUBE_ROOT)
        scale_root(mu, 1 / d, x, normalised, n);
    else
        scale(mu, 1 / d, x, normalised, n);
}
