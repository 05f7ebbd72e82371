/* What stored numbers mean: packed values and missing ones, by the NetCDF User's Guide and CF-1.10
 * sections 2.5.1 and 8.1. */
#ifndef GWF_IO_PACKING_H
#define GWF_IO_PACKING_H

#include "io/nc.h"

enum { GWF_PACKING_MISSING = 8 };

/* Values equal to a missing one and values outside [low, high] stand for nothing. Both are compared
 * as stored; `bounds_unpacked`: the bounds after unpacking (their attribute is real, the variable
 * integer). Then value * scale + offset. */
typedef struct gwf_packing {
    int type;    /* nc_type of the values as they are meant: unsigned where _Unsigned says so */
    size_t size; /* bytes of one stored value */
    double scale, offset;
    double missing[GWF_PACKING_MISSING];
    int n_missing;
    double low, high;
    bool bounded, bounds_unpacked;
} gwf_packing;

/* From the attributes of a variable. Without _FillValue, NetCDF's default fill value is looked for
 * among floating values only: packed integers may mean theirs. Attributes of a wrong type or length
 * are passed over. FORMAT: does not hold numbers; scale_factor or add_offset not finite. */
gwf_status gwf_packing_read(const gwf_nc *file, const gwf_nc_variable *v, gwf_packing *packing,
                            gwf_error *err);

/* n stored values in this machine's byte order to float32. stored == values is allowed for floats
 * (type NC_FLOAT), else they must not overlap. */
void gwf_packing_unpack(const gwf_packing *packing, const void *stored, size_t n, float *values);

#endif
