/* The vertical: interpolation linear in ln p, pressures of hybrid levels, and what depends on
 * pressure alone (potential temperature, omega). Arrays are (levels, columns), columns fastest;
 * pressures in Pa and double. */
#ifndef GWF_FIELDS_VERTICAL_H
#define GWF_FIELDS_VERTICAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "model/levels.h"

/* Gravity (m s-2) and the gas constant of dry air (J kg-1 K-1), for omega; the reference pressure
 * (Pa) and exponent of potential temperature as the training data have them. */
#define GWF_GRAVITY     9.80665
#define GWF_R_DRY       287.05
#define GWF_P_REFERENCE 100000.0
#define GWF_THETA_KAPPA 0.286

/* Surface pressures on Earth lie between these, Pa. */
#define GWF_SURFACE_LEAST 20000.0
#define GWF_SURFACE_MOST  120000.0

typedef struct gwf_vertical gwf_vertical;

/* Room for `source` and `target` levels of `columns` columns; threads as in remap.h. ARGUMENT,
 * MEMORY. */
gwf_status gwf_vertical_create(int source, int target, int columns, int threads,
                               gwf_vertical **vertical, gwf_error *err);
void gwf_vertical_free(gwf_vertical **vertical);

/* Find every target's place among the source levels; apply uses it for any number of variables.
 * source_p: (source) the same in every column, or (source, columns) when per_column; from the top
 * down or from the bottom up. target_p: (target, columns), any order. Nothing is allocated.
 * DATA names column and level: not above zero and finite, or the source is not monotone. */
gwf_status gwf_vertical_bracket(gwf_vertical *vertical, const double *source_p, bool per_column,
                                const double *target_p, gwf_error *err);

/* source (source, columns) -> target (target, columns), linear in ln p, constant beyond the ends.
 * A level whose weight is zero does not count, NaN or not. */
void gwf_vertical_apply(const gwf_vertical *vertical, const float *source, float *target);

/* The first of n columns whose pressure is not above zero and finite, or does not lie below (sign
 * 1) or above (-1) the one `before` (NULL: none); n where there is none. */
int gwf_pressure_fault(const double *p, const double *before, double sign, int n);
/* DATA with the place; before: NaN where there is none. */
gwf_status gwf_pressure_refuse(const char *where, double p, double before, gwf_error *err);

/* ln of n values by core/elementary.h. */
void gwf_ln_row(const double *x, double *log_x, int n);

/* p = a + b * surface pressure. */
void gwf_hybrid_pressure(const gwf_level *levels, int count, const double *surface_pressure,
                         int columns, double *p);

/* theta / T = (p / 1000 hPa)^-0.286, n values. log_p: ln of p in Pa. */
void gwf_theta_factor(const double *log_p, double *factor, int n);
/* T of theta, n values. */
void gwf_temperature(const float *theta, const double *log_p, float *temperature, size_t n);

/* omega = -rho g w with rho = p / (R T) of dry air: w in m s-1 upward, omega in Pa s-1. */
void gwf_omega(const float *w, const float *temperature, const double *p, float *omega, size_t n);

#endif
