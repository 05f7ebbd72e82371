/* ECMWF's 137 hybrid levels, which ERA5's model levels are: the pressure in the middle of level k
 * is a_k + b_k times the surface pressure. Level 1 is the top. Source: ECMWF's table of L137
 * definitions, means of the half levels on both sides. */
#ifndef GWF_CORE_L137_H
#define GWF_CORE_L137_H

enum { GWF_L137 = 137 };

typedef struct gwf_level {
    int number; /* 1 (top) .. 137 */
    double a;   /* Pa */
    double b;   /* 1 */
} gwf_level;

/* NULL outside 1..137. */
const gwf_level *gwf_l137_level(int number);

#endif
