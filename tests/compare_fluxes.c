/* Compare uw and vw of two output files:
 *
 *   compare_fluxes A.nc FIRST_A B.nc FIRST_B STEPS LIMIT
 *
 * Exit 0 when the relative L2 difference of every step is at most LIMIT (0: bit for bit). */
#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *read_step(const char *path, const char *name, size_t step, size_t *size)
{
    int file, variable, dims[4];
    size_t start[4] = {step}, count[4] = {1};
    if (nc_open(path, NC_NOWRITE, &file) != NC_NOERR) return NULL;
    if (nc_inq_varid(file, name, &variable) != NC_NOERR) return NULL;
    if (nc_inq_vardimid(file, variable, dims) != NC_NOERR) return NULL;
    *size = 1;
    for (int i = 1; i < 4; i++) {
        nc_inq_dimlen(file, dims[i], &count[i]);
        *size *= count[i];
    }
    float *values = malloc(*size * sizeof *values);
    const int rc = nc_get_vara_float(file, variable, start, count, values);
    nc_close(file);
    if (rc == NC_NOERR) return values;
    free(values);
    return NULL;
}

static double difference(const float *a, const float *b, size_t n)
{
    double sum = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(sum / norm);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"uw", "vw"};
    if (argc != 7) return 2;
    const size_t steps = strtoul(argv[5], NULL, 10);
    const double limit = strtod(argv[6], NULL);
    int bad = steps == 0;
    for (size_t i = 0; i < 2 * steps; i++) {
        size_t n = 0, m = 0;
        float *a = read_step(argv[1], names[i % 2], strtoul(argv[2], NULL, 10) + i / 2, &n);
        float *b = read_step(argv[3], names[i % 2], strtoul(argv[4], NULL, 10) + i / 2, &m);
        const double error = a && b && n == m ? difference(a, b, n) : NAN;
        printf("%s, step %zu: %g\n", names[i % 2], i / 2, error);
        bad |= !(error <= limit) || (limit == 0 && memcmp(a, b, n * sizeof *a) != 0);
        free(a);
        free(b);
    }
    return bad;
}
