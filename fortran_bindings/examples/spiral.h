/* An unstructured grid for the examples: cells on a spiral from pole to pole. */
#ifndef GWF_EXAMPLES_SPIRAL_H
#define GWF_EXAMPLES_SPIRAL_H

#include <math.h>

enum { SPIRAL_CELLS = 6000 };

/* Place of a cell (from 0), degrees. */
static inline void spiral_place(int cell, double *lat, double *lon)
{
    const double turns = cell * 0.6180339887498949;
    *lat = asin(1 - (2.0 * cell + 1) / SPIRAL_CELLS) * 180 / acos(-1);
    *lon = 360 * (turns - floor(turns));
}

#endif
