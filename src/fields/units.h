/* Units of physical fields, by udunits2. */
#ifndef GWF_FIELDS_UNITS_H
#define GWF_FIELDS_UNITS_H

#include "core/error.h"

/* x in `to` = x in `from` * scale + offset. Both texts as they stand in files: beside what udunits2
 * reads ("m s**-1", "millibars", "degC"), the spellings of other programs are understood: "mb" is
 * millibar, "C" and "deg C" degree Celsius, "gpm" metre, "(0 - 1)", "none" and "-" are
 * dimensionless. Safe to call from several threads; the first call reads udunits2's database.
 * MISMATCH, with both texts: one is not a unit, they measure different things, or the conversion
 * is not linear. UNSUPPORTED: udunits2's database cannot be read. */
gwf_status gwf_units_convert(const char *from, const char *to, double *scale, double *offset,
                             gwf_error *err);

#endif
