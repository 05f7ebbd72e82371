#include "io/nc_internal.h"

#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/size.h"

enum { ATTRIBUTE_LIMIT = 1 << 20 }; /* bytes of text, or strings, that an attribute may have */

/* HDF5, below NetCDF-C; absent where NetCDF-C was built without it. */
int H5dont_atexit(void) __attribute__((weak));
int H5Eset_auto2(int64_t stack, void *function, void *data) __attribute__((weak));

void gwf_nc_keep_quiet(void)
{
    const int64_t this_thread = 0;
    if (H5Eset_auto2) H5Eset_auto2(this_thread, NULL, NULL);
}

void gwf_nc_program_start(void)
{
    if (H5dont_atexit) H5dont_atexit(); /* absent where NetCDF-C was built without HDF5 */
}

/* --- failures ------------------------------------------------------------------------------- */

static gwf_status status_of(int rc, int system_error, gwf_status otherwise)
{
    const int e = rc > 0 ? rc : system_error;
    if (e == ENOSPC || e == EFBIG || e == EDQUOT) return GWF_ERR_DISK;
    if (rc == NC_ENOMEM || e == ENOMEM) return GWF_ERR_MEMORY;
    return otherwise;
}

gwf_status gwf_nc_fail(const gwf_nc *file, const char *variable, const char *what, int rc,
                       gwf_status otherwise, gwf_error *err)
{
    const int system_error = errno;
    const gwf_status status = status_of(rc, system_error, otherwise);
    const char *reason =
        status == GWF_ERR_DISK && rc < 0 ? strerror(system_error) : nc_strerror(rc);
    if (variable && variable[0])
        return gwf_fail(err, status, "%s: variable %s: %s (%s)", file->path, variable, what,
                        reason);
    return gwf_fail(err, status, "%s: %s (%s)", file->path, what, reason);
}

/* --- opening and closing -------------------------------------------------------------------- */

gwf_status gwf_nc_check_local(const char *path, gwf_error *err)
{
    if (!path || !path[0]) return gwf_fail(err, GWF_ERR_NOT_FOUND, "an empty file name");
    if (strstr(path, "://"))
        return gwf_fail(err, GWF_ERR_NOT_FOUND,
                        "%s: is an address; expected a file on this machine", path);
    return GWF_OK;
}

/* NetCDF-C's own words for these cases lead astray ("Unknown file format" for an empty file), and
 * it would wait for a pipe. */
static gwf_status check_readable(const char *path, struct stat *seen, gwf_error *err)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return gwf_fail(err, GWF_ERR_NOT_FOUND, "%s: cannot be opened (%s)", path, strerror(errno));
    struct stat info = {0};
    const int rc = fstat(descriptor, &info);
    close(descriptor);
    if (rc != 0) return gwf_fail(err, GWF_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: is a directory, expected a NetCDF file", path);
    if (!S_ISREG(info.st_mode))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: is not a regular file", path);
    if (info.st_size == 0)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: is empty, expected a NetCDF file", path);
    *seen = info;
    return GWF_OK;
}

static gwf_status take_path(gwf_nc *file, const char *path, gwf_error *err)
{
    *file = (gwf_nc){.id = -1, .path = strdup(path)};
    return file->path ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
}

/* Ends a failed open or create: the caller keeps nothing. */
static gwf_status give_up(gwf_nc *file, gwf_status status)
{
    free(file->path);
    *file = (gwf_nc){.id = -1, .path = NULL};
    return status;
}

bool gwf_nc_is_being_written(const char *path)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return false;
    const bool locked = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(descriptor);
    return locked;
}

static gwf_status open_failed(gwf_nc *file, int rc, gwf_error *err)
{
    const int system_error = errno;
    const char *what = rc == NC_ENOTNC ? "is not a NetCDF file"
                       : gwf_nc_is_being_written(file->path)
                           ? "is being written by another program"
                           : "cannot be read as NetCDF: damaged, or cut short";
    errno = system_error; /* of the opening */
    return give_up(file, gwf_nc_fail(file, NULL, what, rc, GWF_ERR_FORMAT, err));
}

gwf_status gwf_nc_open(const char *path, gwf_nc *file, gwf_error *err)
{
    *file = (gwf_nc){.id = -1, .path = NULL};
    GWF_TRY(gwf_nc_check_local(path, err));
    struct stat seen = {0};
    GWF_TRY(check_readable(path, &seen, err));
    GWF_TRY(take_path(file, path, err));
    file->device = seen.st_dev;
    file->inode = seen.st_ino;
    file->bytes = seen.st_size;
    gwf_nc_keep_quiet();
    const int rc = GWF_NC(nc_open(path, NC_NOWRITE, &file->id));
    if (rc != NC_NOERR) return open_failed(file, rc, err);
    const gwf_status status = gwf_nc_check_length(file, err);
    if (status != GWF_OK) gwf_nc_close(file, NULL);
    return status;
}

gwf_status gwf_nc_create(const char *path, gwf_nc *file, gwf_error *err)
{
    *file = (gwf_nc){.id = -1, .path = NULL};
    GWF_TRY(gwf_nc_check_local(path, err));
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return gwf_fail(err, GWF_ERR_IO, "%s: is not a regular file, cannot be written", path);
    GWF_TRY(take_path(file, path, err));
    gwf_nc_keep_quiet();
    int rc = GWF_NC(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file->id));
    if (rc == NC_NOERR) rc = nc_set_fill(file->id, NC_NOFILL, NULL);
    if (rc == NC_NOERR) return GWF_OK;
    const gwf_status status = gwf_nc_fail(file, NULL, "cannot be created", rc, GWF_ERR_IO, err);
    if (file->id >= 0) nc_abort(file->id);
    return give_up(file, status);
}

gwf_status gwf_nc_open_write(const char *path, const gwf_comm *comm, gwf_nc *file, gwf_error *err)
{
    GWF_TRY(take_path(file, path, err));
    gwf_nc_keep_quiet();
    const int rc = GWF_NC(comm ? gwf_nc_parallel_open(path, comm, &file->id)
                               : nc_open(path, NC_WRITE, &file->id));
    if (rc == NC_NOERR) return GWF_OK;
    file->id = -1;
    return give_up(file,
                   gwf_nc_fail(file, NULL, "cannot be opened for writing", rc, GWF_ERR_IO, err));
}

gwf_status gwf_nc_close(gwf_nc *file, gwf_error *err)
{
    gwf_status status = GWF_OK;
    if (file->id >= 0) {
        const int rc = GWF_NC(nc_close(file->id));
        if (rc != NC_NOERR) status = gwf_nc_fail(file, NULL, "closing failed", rc, GWF_ERR_IO, err);
    }
    return give_up(file, status);
}

/* --- variables and dimensions --------------------------------------------------------------- */

bool gwf_nc_is_number(nc_type type)
{
    return type >= NC_BYTE && type <= NC_UINT64 && type != NC_CHAR;
}

nc_type gwf_nc_type_of(const gwf_nc *file, const gwf_nc_variable *v)
{
    nc_type type = NC_NAT;
    return nc_inq_vartype(file->id, v->id, &type) == NC_NOERR ? type : NC_NAT;
}

double gwf_nc_raw_number(nc_type type, const void *value)
{
    switch (type) {
    case NC_BYTE:
        return *(const signed char *)value;
    case NC_UBYTE:
        return *(const unsigned char *)value;
    case NC_SHORT:
        return *(const short *)value;
    case NC_USHORT:
        return *(const unsigned short *)value;
    case NC_INT:
        return *(const int *)value;
    case NC_UINT:
        return *(const unsigned *)value;
    case NC_INT64:
        return (double)*(const long long *)value;
    case NC_UINT64:
        return (double)*(const unsigned long long *)value;
    case NC_FLOAT:
        return (double)*(const float *)value;
    case NC_DOUBLE:
        return *(const double *)value;
    default:
        return NAN;
    }
}

gwf_status gwf_nc_variable_count(const gwf_nc *file, int *count, gwf_error *err)
{
    *count = 0;
    const int rc = GWF_NC(nc_inq_nvars(file->id, count));
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(file, NULL, "its variables cannot be listed", rc, GWF_ERR_FORMAT, err);
}

static gwf_status unreadable(const gwf_nc *file, const char *name, int rc, gwf_error *err)
{
    return gwf_nc_fail(file, name, "its description cannot be read", rc, GWF_ERR_FORMAT, err);
}

gwf_status gwf_nc_variable_at(const gwf_nc *file, int id, gwf_nc_variable *v, gwf_error *err)
{
    *v = (gwf_nc_variable){.id = id};
    int dims[GWF_NC_RANK];
    int rc = GWF_NC(nc_inq_varname(file->id, id, v->name));
    if (rc == NC_NOERR) rc = nc_inq_varndims(file->id, id, &v->rank);
    if (rc != NC_NOERR) return unreadable(file, v->name, rc, err);
    if (v->rank < 0 || v->rank > GWF_NC_RANK) /* before the ids of the dimensions are asked for */
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: %d dimensions, expected at most %d",
                        file->path, v->name, v->rank, GWF_NC_RANK);
    rc = nc_inq_vardimid(file->id, id, dims);
    for (int i = 0; i < v->rank && rc == NC_NOERR; i++)
        rc = nc_inq_dim(file->id, dims[i], v->dims[i], &v->shape[i]);
    if (rc != NC_NOERR) return unreadable(file, v->name, rc, err);
    size_t values, bytes;
    if (!gwf_size_product(v->shape, v->rank, &values) ||
        !gwf_size_mul(values, sizeof(double), &bytes) || bytes > PTRDIFF_MAX)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: its size is beyond all bounds",
                        file->path, v->name);
    return GWF_OK;
}

bool gwf_nc_variable_find(const gwf_nc *file, const char *name, gwf_nc_variable *v)
{
    int id = -1;
    return nc_inq_varid(file->id, name, &id) == NC_NOERR &&
           gwf_nc_variable_at(file, id, v, NULL) == GWF_OK;
}

bool gwf_nc_dimension_find(const gwf_nc *file, const char *name, size_t *length)
{
    int id = -1;
    return nc_inq_dimid(file->id, name, &id) == NC_NOERR &&
           nc_inq_dimlen(file->id, id, length) == NC_NOERR;
}

/* --- values --------------------------------------------------------------------------------- */

static gwf_status check_values(const gwf_nc *file, const gwf_nc_variable *v, size_t count,
                               bool numbers, gwf_error *err)
{
    size_t size = 0;
    if (!gwf_size_product(v->shape, v->rank, &size) || size != count)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: %zu values, expected %zu",
                        file->path, v->name, size, count);
    const nc_type type = gwf_nc_type_of(file, v);
    if (numbers ? gwf_nc_is_number(type) : type == NC_CHAR) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: does not hold %s", file->path, v->name,
                    numbers ? "numbers" : "characters");
}

static gwf_status read_result(const gwf_nc *file, const gwf_nc_variable *v, int rc, gwf_error *err)
{
    if (rc == NC_NOERR) return GWF_OK;
    if (rc == NC_ERANGE)
        return gwf_nc_fail(file, v->name, "a value is too large", rc, GWF_ERR_FORMAT, err);
    return gwf_nc_fail(file, v->name, "reading failed", rc, GWF_ERR_IO, err);
}

/* The four readers, one per type in memory. */
#define GET(type, ctype, is_number, read)                                                          \
    gwf_status gwf_nc_get_##type(const gwf_nc *file, const gwf_nc_variable *v, size_t count,       \
                                 ctype *values, gwf_error *err)                                    \
    {                                                                                              \
        GWF_TRY(check_values(file, v, count, is_number, err));                                     \
        if (count == 0) return GWF_OK;                                                             \
        return read_result(file, v, GWF_NC(read(file->id, v->id, values)), err);                   \
    }

GET(float, float, true, nc_get_var_float)
GET(double, double, true, nc_get_var_double)
GET(int, int, true, nc_get_var_int)
GET(char, char, false, nc_get_var_text)

/* --- attributes ----------------------------------------------------------------------------- */

static int id_of(const gwf_nc_variable *v)
{
    return v ? v->id : NC_GLOBAL;
}

/* Character attributes carry their length and need not end in '\0'. */
static bool char_text(int file, int variable, const char *name, size_t length, char *text,
                      size_t size)
{
    char *whole = calloc(length + 1, 1);
    const bool good = whole && nc_get_att_text(file, variable, name, whole) == NC_NOERR;
    if (good) snprintf(text, size, "%s", whole);
    free(whole);
    return good;
}

/* Of several strings the first. */
static bool string_text(int file, int variable, const char *name, size_t length, char *text,
                        size_t size)
{
    char **strings = calloc(length, sizeof *strings);
    const bool good = strings && nc_get_att_string(file, variable, name, strings) == NC_NOERR;
    if (good) {
        snprintf(text, size, "%s", strings[0] ? strings[0] : "");
        nc_free_string(length, strings);
    }
    free(strings);
    return good;
}

bool gwf_nc_text(const gwf_nc *file, const gwf_nc_variable *v, const char *name, char *text,
                 size_t size)
{
    nc_type type;
    size_t length;
    if (size > 0) text[0] = '\0';
    if (size == 0 || nc_inq_att(file->id, id_of(v), name, &type, &length) != NC_NOERR) return false;
    if (length > ATTRIBUTE_LIMIT) return false;
    const bool found = type == NC_CHAR
                           ? char_text(file->id, id_of(v), name, length, text, size)
                           : type == NC_STRING && length > 0 &&
                                 string_text(file->id, id_of(v), name, length, text, size);
    gwf_plain_text(text);
    return found;
}

bool gwf_nc_number(const gwf_nc *file, const gwf_nc_variable *v, const char *name, double *value)
{
    nc_type type;
    size_t length;
    return nc_inq_att(file->id, id_of(v), name, &type, &length) == NC_NOERR && length == 1 &&
           gwf_nc_is_number(type) && nc_get_att_double(file->id, id_of(v), name, value) == NC_NOERR;
}
