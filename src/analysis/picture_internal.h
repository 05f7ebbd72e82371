/* Between the two halves of picture.h: what is drawn, and how Magics draws it. */
#ifndef GWF_ANALYSIS_PICTURE_INTERNAL_H
#define GWF_ANALYSIS_PICTURE_INTERNAL_H

#include "analysis/picture.h"

/* A field closed for drawing: longitudes from beyond 180 W to beyond 180 E, both poles. All owned
 * by gwf_picture_draw(). */
typedef struct gwf_picture_field {
    size_t nlat, nlon;
    double *lat, *lon;
    double *values; /* (nlat, nlon), within -limit..limit */
    double limit;
} gwf_picture_field;

/* Draw p's texts and the field into stem.format ("png", "pdf", "svg"). Returns when Magics thinks
 * it is done; whether there is a picture is for the caller to see. Prints; may exit. */
void gwf_picture_magics(const gwf_picture *p, const gwf_picture_field *field, const char *stem,
                        const char *format);

#endif
