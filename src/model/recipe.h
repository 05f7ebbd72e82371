/* Normalisation recipes: x~ = (x - mu) / d, or its signed cube root for w, uw and vw.
 *
 * Constants: the published data card and code of WINDSET and its relatives; three incompatible
 * sets are in use, so every model file names its own. */
#ifndef GWF_MODEL_RECIPE_H
#define GWF_MODEL_RECIPE_H

#include <stddef.h>

typedef enum gwf_transform { GWF_LINEAR = 0, GWF_CUBE_ROOT = 1 } gwf_transform;

typedef struct gwf_scaling {
    const char *variable; /* "u", "v", "theta", "w", "uw", "vw", "lat", "lon", "zs" */
    const char *units;    /* of x; "Pa" for the fluxes */
    gwf_transform transform;
    double mu, d;
} gwf_scaling;

typedef struct gwf_recipe {
    const char *name; /* "era5-released", "wxcbench", "cam-l93" */
    const gwf_scaling *scalings;
    int count;
} gwf_recipe;

/* NULL when there is none of that name. */
const gwf_recipe *gwf_recipe_find(const char *name);

/* All names, separated by ", ". */
const char *gwf_recipe_names(void);

/* NULL when the recipe has no such variable (wxcbench has no w). */
const gwf_scaling *gwf_recipe_scaling(const gwf_recipe *recipe, const char *variable);

/* The recipe whose constants (mu of u or v) stand as numbers in a free text (a data file's
 * long_name): NULL when none does, or when two do and the text decides nothing. */
const gwf_recipe *gwf_recipe_in_text(const char *text);

/* The recipe's constants as a free text of at most `size` characters, as published files have it in
 * their features' long_name: "... u in m s-1: (x - 6.395471175756457) / 66.52651242055385; ...".
 * gwf_recipe_in_text() finds the recipe in it. */
void gwf_recipe_words(const gwf_recipe *recipe, char *text, size_t size);

/* x = x~ d + mu, x~ cubed first for GWF_CUBE_ROOT; in double, elementwise on n values. In place
 * (x == normalised) is allowed. */
void gwf_denormalise(gwf_transform transform, double mu, double d, const float *normalised,
                     float *x, long n);

/* The inverse. A negative argument keeps its sign under the cube root. */
void gwf_normalise(gwf_transform transform, double mu, double d, const float *x, float *normalised,
                   long n);

#endif
