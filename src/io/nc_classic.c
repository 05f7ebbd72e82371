/* How long a file of NetCDF's classic formats must be. */
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "io/nc_internal.h"

/* Bytes of a variable's values; 0 when they cannot be told. */
static uint64_t bytes_of(const gwf_nc *file, int id)
{
    nc_type type;
    size_t width = 0, length = 0;
    int rank = 0, dims[NC_MAX_VAR_DIMS];
    if (nc_inq_var(file->id, id, NULL, &type, &rank, dims, NULL) != NC_NOERR) return 0;
    if (nc_inq_type(file->id, type, NULL, &width) != NC_NOERR) return 0;
    uint64_t bytes = width;
    for (int i = 0; i < rank; i++)
        if (nc_inq_dimlen(file->id, dims[i], &length) != NC_NOERR ||
            __builtin_mul_overflow(bytes, (uint64_t)length, &bytes))
            return 0;
    return bytes;
}

static uint64_t padded(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

/* Attributes of a variable, or the global ones, in the classic format. */
static uint64_t attribute_bytes(const gwf_nc *file, int id)
{
    char name[NC_MAX_NAME + 1];
    uint64_t bytes = 8;
    for (int i = 0; nc_inq_attname(file->id, id, i, name) == NC_NOERR; i++) {
        nc_type type;
        size_t length = 0, width = 0;
        if (nc_inq_att(file->id, id, name, &type, &length) == NC_NOERR &&
            nc_inq_type(file->id, type, NULL, &width) == NC_NOERR)
            bytes += 12 + padded(strlen(name)) + padded(length * width);
    }
    return bytes;
}

/* What comes before the values in CDF-1 (the later formats have more): NetCDF's file format
 * specification, "The Classic Format". */
static uint64_t header_bytes(const gwf_nc *file)
{
    char name[NC_MAX_NAME + 1];
    uint64_t bytes = 24 + attribute_bytes(file, NC_GLOBAL);
    int dims = 0, variables = 0, rank = 0;
    nc_inq(file->id, &dims, &variables, NULL, NULL);
    for (int i = 0; i < dims; i++)
        if (nc_inq_dimname(file->id, i, name) == NC_NOERR) bytes += 8 + padded(strlen(name));
    for (int i = 0; i < variables; i++)
        if (nc_inq_var(file->id, i, name, NULL, &rank, NULL, NULL) == NC_NOERR)
            bytes += 20 + padded(strlen(name)) + 4 * (uint64_t)rank + attribute_bytes(file, i);
    return bytes;
}

gwf_status gwf_nc_check_length(const gwf_nc *file, gwf_error *err)
{
    struct stat info;
    uint64_t needed = 0;
    int format = 0, variables = 0;
    if (nc_inq_format(file->id, &format) != NC_NOERR || format == NC_FORMAT_NETCDF4 ||
        format == NC_FORMAT_NETCDF4_CLASSIC || stat(file->path, &info) != 0 ||
        nc_inq_nvars(file->id, &variables) != NC_NOERR)
        return GWF_OK;
    for (int i = 0; i < variables; i++)
        if (__builtin_add_overflow(needed, bytes_of(file, i), &needed)) return GWF_OK;
    if (__builtin_add_overflow(needed, header_bytes(file), &needed)) return GWF_OK;
    if ((uint64_t)info.st_size >= needed) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: was cut short: %lld bytes, its variables need %llu",
                    file->path, (long long)info.st_size, (unsigned long long)needed);
}
