/* Pictures of fluxes: a map of the globe over coastlines, drawn with ECMWF's Magics. */
#ifndef GWF_ANALYSIS_PICTURE_H
#define GWF_ANALYSIS_PICTURE_H

#include <stddef.h>

#include "core/error.h"

enum { GWF_PICTURE_WIDTH = 1600, GWF_PICTURE_HEIGHT = 960 }; /* pixels of a PNG */

/* All borrowed. */
typedef struct gwf_picture {
    const char *title;   /* large, one line */
    const char *caption; /* small, below the title */
    const char *legend;  /* below the colours: what they mean */
    size_t nlat, nlon;   /* at least 2 x 2, at most 10000 x 10000 */
    const double *lat;   /* degrees north, increasing */
    const double *lon;   /* degrees east, increasing, less than one turn */
    const float *values; /* (nlat, nlon), finite; scaled to the legend's unit */
} gwf_picture;

/* Where the colours end: a number 1, 2 or 5 times a power of ten, not below the 99 % quantile of
 * |values|, so that a few extremes do not take the colour of all the rest. Beyond it the last
 * colour stays. 1 when all values are 0. Negative: no memory. */
double gwf_picture_limit(const float *values, size_t count);

/* What a reader wants to know beside the map. */
typedef struct gwf_picture_numbers {
    double mean;    /* weighted by the cosine of latitude */
    double largest; /* the value of largest magnitude, with its sign */
} gwf_picture_numbers;

gwf_picture_numbers gwf_picture_measure(const gwf_picture *p);

/* Draw into path, whose ending says what: .png, .pdf or .svg. An existing file is replaced; path
 * only ever names a complete picture. Magics works in a process of its own, since it prints, keeps
 * global state and may exit. ARGUMENT (another ending, a size), IO (path cannot be written),
 * INTERNAL (Magics failed, with its reason), MEMORY. */
gwf_status gwf_picture_draw(const gwf_picture *p, const char *path, gwf_error *err);

#endif
