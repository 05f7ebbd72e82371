/* What the tests of the reader share: axes, files as ERA5 writes them, and the check that what
 * comes out belongs to the coordinates of the header. */
#ifndef GWF_TESTS_ATMOSPHERE_CHECK_H
#define GWF_TESTS_ATMOSPHERE_CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "atmosphere_file.h"
#include "io/atmosphere.h"
#include "test.h"

#define COUNT(array) (sizeof array / sizeof *array)

enum { NT = 3, NZ = 4, NY = 5, NX = 6 };
static const double __attribute__((unused))
hours[NT] = {920952, 920958, 920964}; /* since 1900: 2005-01-23, 00, 06, 12 */
static const double __attribute__((unused)) unix_hours[NT] = {307344, 307350, 307356};
static const double __attribute__((unused)) pascals[NZ] = {1000, 10000, 50000, 85000};
static const double __attribute__((unused)) hpa[NZ] = {10, 100, 500, 850};
static const double __attribute__((unused)) hpa_up[NZ] = {850, 500, 100, 10};
static const double __attribute__((unused)) pascals_up[NZ] = {85000, 50000, 10000, 1000};
static const double __attribute__((unused)) south[NY] = {-80, -40, 0, 40, 80},
                                            north[NY] = {80, 40, 0, -40, -80};
static const double __attribute__((unused)) east[NX] = {0, 60, 120, 180, 240, 300};
static const double __attribute__((unused)) both[NX] = {-180, -120, -60, 0, 60, 120};

/* As ERA5 comes from the Climate Data Store. */
static inline air_file era5(void)
{
    return (air_file){
        .t = {"time", "hours since 1900-01-01 00:00:00.0", NT, hours, unix_hours, NC_INT, NULL},
        .z = {"level", "millibars", NZ, hpa, pascals, NC_INT, NULL},
        .y = {"latitude", "degrees_north", NY, north, NULL, NC_FLOAT, NULL},
        .x = {"longitude", "degrees_east", NX, east, NULL, NC_FLOAT, NULL},
        .calendar = "gregorian",
    };
}

static inline gwf_atmosphere *open_with(const char *const *paths, int n, const char *const *mapping,
                                        int n_mapping, gwf_error *err)
{
    gwf_atmosphere *a = NULL;
    const gwf_atmosphere_config config = {
        .paths = paths, .n_paths = n, .mapping = mapping, .n_mapping = n_mapping};
    CHECK_OK(gwf_atmosphere_open(&config, &a, err), *err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    return a;
}

static inline gwf_atmosphere *open_one(const char *path)
{
    gwf_error err = {0};
    return open_with(&path, 1, NULL, 0, &err);
}

/* Largest difference from what the coordinates of the header ask for, over all steps and levels. */
static inline double worst(gwf_atmosphere *a, gwf_quantity quantity, double shift)
{
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    const bool upper = gwf_quantity_has_levels(quantity);
    const size_t nlev = upper ? h->nlev : 1, map = h->nlat * h->nlon;
    float *values = malloc(nlev * map * sizeof *values);
    double most = 0;
    gwf_error err = {0};
    for (size_t step = 0; step < h->steps; step++) {
        for (size_t i = 0; i < nlev * map; i++) values[i] = NAN;
        CHECK_OK(gwf_atmosphere_read(a, quantity, step, 0, nlev, values, &err), err);
        for (size_t k = 0; k < nlev; k++)
            for (size_t i = 0; i < map; i++) {
                const double hour =
                    h->fields[quantity].steady ? 0 : (double)h->seconds[step] / 3600;
                const double p = upper ? h->a[k] + h->b[k] * 1e5 : 0;
                const double truth = air_value(hour, p, h->lat[i / h->nlon], h->lon[i % h->nlon]);
                const double d = fabs(values[k * map + i] - truth - shift);
                if (!(d <= most)) most = d;
            }
    }
    free(values);
    return most;
}

#endif
