/* The writing half of nc.h. */
#include "io/nc_internal.h"

#include <stdio.h>
#include <string.h>

static gwf_status written(const gwf_nc *file, const char *variable, const char *what, int rc,
                          gwf_error *err)
{
    return rc == NC_NOERR ? GWF_OK : gwf_nc_fail(file, variable, what, rc, GWF_ERR_IO, err);
}

gwf_status gwf_nc_define_dimension(gwf_nc *file, const char *name, size_t length, gwf_error *err)
{
    int id;
    const int rc = GWF_NC(nc_def_dim(file->id, name, length ? length : NC_UNLIMITED, &id));
    if (rc == NC_NOERR) return GWF_OK;
    gwf_status status = gwf_nc_fail(file, NULL, "cannot be defined", rc, GWF_ERR_IO, err);
    gwf_error_prefix(err, "dimension %s", name);
    return status;
}

/* Ids of the blank-separated names in dims; their number comes back in *rank. */
static gwf_status dimension_ids(const gwf_nc *file, const char *variable, const char *dims,
                                int ids[static GWF_NC_RANK], int *rank, gwf_error *err)
{
    *rank = 0;
    for (const char *p = dims + strspn(dims, " "); *p; p += strspn(p, " ")) {
        const size_t length = strcspn(p, " ");
        char name[GWF_NC_NAME];
        if (length >= sizeof name || *rank == GWF_NC_RANK)
            return gwf_fail(err, GWF_ERR_INTERNAL, "%s: variable %s: dimensions \"%s\"", file->path,
                            variable, dims);
        snprintf(name, sizeof name, "%.*s", (int)length, p);
        const int rc = GWF_NC(nc_inq_dimid(file->id, name, &ids[*rank]));
        if (rc != NC_NOERR)
            return gwf_fail(err, GWF_ERR_INTERNAL, "%s: variable %s: no dimension %s", file->path,
                            variable, name);
        *rank += 1;
        p += length;
    }
    return GWF_OK;
}

gwf_status gwf_nc_define_variable(gwf_nc *file, const char *name, gwf_nc_type type,
                                  const char *dims, int deflate, gwf_error *err)
{
    static const nc_type types[] = {[GWF_NC_FLOAT] = NC_FLOAT,
                                    [GWF_NC_DOUBLE] = NC_DOUBLE,
                                    [GWF_NC_INT] = NC_INT,
                                    [GWF_NC_CHAR] = NC_CHAR};
    int ids[GWF_NC_RANK] = {0}, rank, id;
    GWF_TRY(dimension_ids(file, name, dims, ids, &rank, err));
    int rc = GWF_NC(nc_def_var(file->id, name, types[type], rank, ids, &id));
    if (rc == NC_NOERR && deflate > 0 && rank > 0) /* a scalar cannot be compressed */
        rc = nc_def_var_deflate(file->id, id, 1, 1, deflate);
    return written(file, name, "cannot be defined", rc, err);
}

static gwf_status id_by_name(const gwf_nc *file, const char *variable, int *id, gwf_error *err)
{
    *id = NC_GLOBAL;
    if (!variable[0]) return GWF_OK;
    const int rc = GWF_NC(nc_inq_varid(file->id, variable, id));
    return written(file, variable, "is not defined", rc, err);
}

static gwf_status attribute_written(const gwf_nc *file, const char *variable, const char *name,
                                    int rc, gwf_error *err)
{
    char what[GWF_NC_NAME + 64];
    snprintf(what, sizeof what, "attribute %s cannot be written", name);
    return written(file, variable, what, rc, err);
}

gwf_status gwf_nc_put_text(gwf_nc *file, const char *variable, const char *name, const char *text,
                           gwf_error *err)
{
    int id;
    GWF_TRY(id_by_name(file, variable, &id, err));
    const int rc = GWF_NC(nc_put_att_text(file->id, id, name, strlen(text), text));
    return attribute_written(file, variable, name, rc, err);
}

gwf_status gwf_nc_put_number(gwf_nc *file, const char *variable, const char *name, double value,
                             gwf_error *err)
{
    int id;
    GWF_TRY(id_by_name(file, variable, &id, err));
    const int rc = GWF_NC(nc_put_att_double(file->id, id, name, NC_DOUBLE, 1, &value));
    return attribute_written(file, variable, name, rc, err);
}

/* The four writers, one per type in memory. NetCDF-C leaves define mode by itself. */
#define PUT(type, ctype, write)                                                                    \
    gwf_status gwf_nc_put_##type(gwf_nc *file, const char *variable, const ctype *values,          \
                                 gwf_error *err)                                                   \
    {                                                                                              \
        int id;                                                                                    \
        GWF_TRY(id_by_name(file, variable, &id, err));                                             \
        return written(file, variable, "writing failed", GWF_NC(write(file->id, id, values)),      \
                       err);                                                                       \
    }

PUT(float, float, nc_put_var_float)
PUT(double, double, nc_put_var_double)
PUT(int, int, nc_put_var_int)
PUT(char, char, nc_put_var_text)
