/* From the network's normalised output to what is written: fluxes, on request tendencies, on the
 * model's levels or on pressure levels, on the model's grid or the input's. Planned once; a step
 * allocates nothing. */
#ifndef GWF_CLI_PRODUCT_H
#define GWF_CLI_PRODUCT_H

#include "cli/source.h"

typedef struct product_choice {
    const char *levels; /* "10,50,100hPa"; NULL: the model's */
    bool tendency;      /* utend, vtend */
    bool input_grid;    /* back on the grid of the reanalysis files */
    int threads;
} product_choice;

/* What product_make() has made: borrowed, valid until the next step. (nlev, nlat, nlon) of the
 * product; NULL what was not asked for or is not known. */
typedef struct product_fields {
    const float *uw, *vw, *utend, *vtend;
    const float *surface_pressure; /* (nlat, nlon), Pa */
    const float *outside; /* (inputs): share of a channel's values beyond the trained range */
} product_fields;

typedef struct product product;

/* ARGUMENT: levels that are none or lie beyond the model's, a grid the source does not have.
 * UNSUPPORTED: tendencies need every level of the global network. Source and model are borrowed. */
gwf_status product_create(const product_choice *choice, const source *from, const gwf_model *model,
                          product **p, gwf_error *err);
void product_free(product **p);

/* Shape of the product. Levels in Pa from the top down, NULL: the model's own. */
typedef struct product_shape {
    size_t nlev, nlat, nlon;
    const double *lat, *lon, *pressure_levels;
} product_shape;
product_shape product_shape_of(const product *p);

/* flux (2 nlev, nlat, nlon) of the model, all finite; surface_pressure NULL: 1013.25 hPa; outside
 * (inputs): how many values of the features were beyond the trained range. Values on pressure
 * levels below the ground or beyond the model's levels are GWF_MISSING. DATA: pressures that cannot
 * be used. */
#define GWF_MISSING 9.9692099683868690e+36f
gwf_status product_make(product *p, const float *flux, const float *surface_pressure,
                        const long *outside, product_fields *fields, gwf_error *err);

/* Shares of values beyond the trained range, summed over the steps made so far, per input channel;
 * and how many steps. Borrowed. */
const double *product_outside(const product *p, size_t *steps);

#endif
