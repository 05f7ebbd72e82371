/* NetCDF with errors that name file and variable. Thin: the netCDF ids stay visible inside io/;
 * other rooms use only what this header offers. NetCDF-C is not thread-safe: one thread at a time
 * in all of io/. */
#ifndef GWF_IO_NC_H
#define GWF_IO_NC_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

enum { GWF_NC_NAME = 257, GWF_NC_RANK = 8 };

typedef enum gwf_nc_type { GWF_NC_FLOAT, GWF_NC_DOUBLE, GWF_NC_INT, GWF_NC_CHAR } gwf_nc_type;

typedef struct gwf_nc {
    int id;     /* netCDF id, -1 when closed */
    char *path; /* owned, for messages */
    /* The file as it was before it was opened for reading: is it still the same, as long? */
    unsigned long long device, inode;
    long long bytes;
} gwf_nc;

typedef struct gwf_nc_variable {
    int id;
    char name[GWF_NC_NAME];
    int rank;
    size_t shape[GWF_NC_RANK];
    char dims[GWF_NC_RANK][GWF_NC_NAME];
} gwf_nc_variable;

/* A local file that is there and readable; URLs are refused. NOT_FOUND, FORMAT. */
gwf_status gwf_nc_open(const char *path, gwf_nc *file, gwf_error *err);
/* NetCDF-4, an existing file is overwritten, no fill. */
gwf_status gwf_nc_create(const char *path, gwf_nc *file, gwf_error *err);
/* Ends define mode where needed and closes. Errors of the last flush come from here. */
gwf_status gwf_nc_close(gwf_nc *file, gwf_error *err);

/* Reading. A variable or attribute that is not there is FORMAT (named), unless `found` is asked. */
gwf_status gwf_nc_variable_count(const gwf_nc *file, int *count, gwf_error *err);
gwf_status gwf_nc_variable_at(const gwf_nc *file, int id, gwf_nc_variable *v, gwf_error *err);
bool gwf_nc_variable_find(const gwf_nc *file, const char *name, gwf_nc_variable *v);
bool gwf_nc_dimension_find(const gwf_nc *file, const char *name, size_t *length);
/* Whole variables; count is what the caller allocated and must equal the product of the shape.
 * Numbers are converted by NetCDF-C; a value out of range is an error. */
gwf_status gwf_nc_get_float(const gwf_nc *file, const gwf_nc_variable *v, size_t count,
                            float *values, gwf_error *err);
gwf_status gwf_nc_get_double(const gwf_nc *file, const gwf_nc_variable *v, size_t count,
                             double *values, gwf_error *err);
gwf_status gwf_nc_get_int(const gwf_nc *file, const gwf_nc_variable *v, size_t count, int *values,
                          gwf_error *err);
gwf_status gwf_nc_get_char(const gwf_nc *file, const gwf_nc_variable *v, size_t count, char *values,
                           gwf_error *err);
/* Attributes of a variable (NULL: global). Text is cut to size and always ends in '\0', control
 * characters become '?'; char and string attributes both. */
bool gwf_nc_text(const gwf_nc *file, const gwf_nc_variable *v, const char *name, char *text,
                 size_t size);
bool gwf_nc_number(const gwf_nc *file, const gwf_nc_variable *v, const char *name, double *value);

/* Writing. define_* in any order, then gwf_nc_put_*; dimensions by name. length 0: unlimited. */
gwf_status gwf_nc_define_dimension(gwf_nc *file, const char *name, size_t length, gwf_error *err);
/* dims: names separated by blanks, "" for a scalar. deflate 0..9 (shuffle with it). */
gwf_status gwf_nc_define_variable(gwf_nc *file, const char *name, gwf_nc_type type,
                                  const char *dims, int deflate, gwf_error *err);
/* variable "" : global. */
gwf_status gwf_nc_put_text(gwf_nc *file, const char *variable, const char *name, const char *text,
                           gwf_error *err);
gwf_status gwf_nc_put_number(gwf_nc *file, const char *variable, const char *name, double value,
                             gwf_error *err);
gwf_status gwf_nc_put_float(gwf_nc *file, const char *variable, const float *values,
                            gwf_error *err);
gwf_status gwf_nc_put_double(gwf_nc *file, const char *variable, const double *values,
                             gwf_error *err);
gwf_status gwf_nc_put_int(gwf_nc *file, const char *variable, const int *values, gwf_error *err);
gwf_status gwf_nc_put_char(gwf_nc *file, const char *variable, const char *values, gwf_error *err);

/* What the command does once at its start: HDF5 must not flush open files from an exit handler
 * (it crashes there after a full disk). Not called by the library. */
void gwf_nc_program_start(void);

#endif
