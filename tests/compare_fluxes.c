/* Compare fields of two output files, uw and vw where no others are named:
 *
 *   compare_fluxes A.nc FIRST_A B.nc FIRST_B STEPS LIMIT [FIELD]...
 *
 * Exit 0 when the relative L2 difference of every step is at most LIMIT (0: bit for bit). */
#include <math.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *read_step(const char *path, const char *name, size_t step, size_t *size)
{
    int file, variable, dims[NC_MAX_VAR_DIMS], rank = 0;
    size_t start[8] = {step}, count[8] = {1};
    if (nc_open(path, NC_NOWRITE, &file) != NC_NOERR) return NULL;
    if (nc_inq_varid(file, name, &variable) != NC_NOERR) return NULL;
    if (nc_inq_vardimid(file, variable, dims) != NC_NOERR) return NULL;
    if (nc_inq_varndims(file, variable, &rank) != NC_NOERR || rank > 8) return NULL;
    *size = 1;
    for (int i = 1; i < rank; i++) {
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
    return sum == 0 ? 0 : sqrt(sum / norm);
}

int main(int argc, char **argv)
{
    static char *usual[] = {"uw", "vw"};
    if (argc < 7) return 2;
    char **names = argc > 7 ? argv + 7 : usual;
    const size_t n_names = argc > 7 ? (size_t)argc - 7 : 2;
    const size_t steps = strtoul(argv[5], NULL, 10);
    const double limit = strtod(argv[6], NULL);
    int bad = steps == 0;
    for (size_t i = 0; i < n_names * steps; i++) {
        size_t n = 0, m = 0;
        float *a =
            read_step(argv[1], names[i % n_names], strtoul(argv[2], NULL, 10) + i / n_names, &n);
        float *b =
            read_step(argv[3], names[i % n_names], strtoul(argv[4], NULL, 10) + i / n_names, &m);
        const double error = a && b && n == m ? difference(a, b, n) : NAN;
        const bool differ = !(error <= limit) || (limit == 0 && memcmp(a, b, n * sizeof *a) != 0);
        if (differ) printf("%s, step %zu: %g\n", names[i % n_names], i / n_names, error);
        bad |= differ;
        free(a);
        free(b);
    }
    return bad;
}
