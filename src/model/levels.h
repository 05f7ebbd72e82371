/* The vertical: 122 of ECMWF's 137 hybrid levels (numbers 16 to 137, top to bottom).
 * p_k = a_k + b_k p_s at the middle of level k. Source: ECMWF's table of L137 definitions. */
#ifndef GWF_MODEL_LEVELS_H
#define GWF_MODEL_LEVELS_H

#include "core/l137.h"

enum {
    GWF_LEVELS = 122,             /* levels of the data set                        */
    GWF_FIRST_LEVEL = 16,         /* number of the first one in the 137            */
    GWF_STRATOSPHERE_LEVELS = 60, /* the first 60: 1.45 hPa to 207 hPa             */
};

/* index 0 (top) .. GWF_LEVELS - 1 (lowest); NULL outside. */
const gwf_level *gwf_level_at(int index);

/* a + b * surface_pressure, both in Pa. */
double gwf_level_pressure(const gwf_level *level, double surface_pressure);

#endif
