/* same_data A.nc B.nc: exit 0 when both have the same variables with the same values, byte for
 * byte. Attributes may differ: the commands did. */
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int rc, const char *path)
{
    if (rc == NC_NOERR) return;
    fprintf(stderr, "same_data: %s: %s\n", path, nc_strerror(rc));
    exit(2);
}

/* All values of a variable; *size in bytes. */
static char *values_of(int file, int id, const char *path, size_t *size)
{
    nc_type type;
    int rank, dims[NC_MAX_VAR_DIMS];
    check(nc_inq_var(file, id, NULL, &type, &rank, dims, NULL), path);
    check(nc_inq_type(file, type, NULL, size), path);
    for (int i = 0; i < rank; i++) {
        size_t length;
        check(nc_inq_dimlen(file, dims[i], &length), path);
        *size *= length;
    }
    char *values = malloc(*size + 1);
    if (!values) exit(2);
    check(nc_get_var(file, id, values), path);
    return values;
}

int main(int argc, char **argv)
{
    int a, b, n, m, different = 0;
    if (argc != 3) return 2;
    check(nc_open(argv[1], NC_NOWRITE, &a), argv[1]);
    check(nc_open(argv[2], NC_NOWRITE, &b), argv[2]);
    check(nc_inq_nvars(a, &n), argv[1]);
    check(nc_inq_nvars(b, &m), argv[2]);
    different = n != m || n == 0;
    if (different) printf("%d and %d variables\n", n, m);
    for (int id = 0; id < n; id++) {
        char name[NC_MAX_NAME + 1];
        int other;
        size_t size_a, size_b;
        check(nc_inq_varname(a, id, name), argv[1]);
        check(nc_inq_varid(b, name, &other), argv[2]);
        char *x = values_of(a, id, argv[1], &size_a), *y = values_of(b, other, argv[2], &size_b);
        const int same = size_a == size_b && memcmp(x, y, size_a) == 0;
        if (!same) printf("%s differs\n", name);
        different |= !same;
        free(x);
        free(y);
    }
    nc_close(a);
    nc_close(b);
    return different;
}
