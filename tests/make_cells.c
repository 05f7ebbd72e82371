/* The fields of a file of reanalysis (make_reanalysis, 128 longitudes, north to south) in other
 * forms, and remapping weights for them, for tests of the command:
 *
 *   make_cells IN.nc OUT.nc FORM
 *
 *   weights       ESMF weights from the grid of IN to the model's, 64 x 128: linear between two
 *                 rows; away from the poles 1/4, 1/2, 1/4 of three neighbours in a row
 *   remapped      the fields on the model's grid by these weights, summed here
 *   cells         one dimension, (time, level, cell), cells in another order, lat and lon beside
 *   columns       the same as (time, cell, level), places in radians
 *   bare          as cells, without lat and lon
 *   shifted       as cells, the places of another order
 *   curved        two dimensions, (time, level, y, x), cells in that order, places over (y, x)
 *   cell_weights  as weights, cells in that order */
#include <math.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

enum { NLAT = 64, NLON = 128, MODEL = NLAT * NLON, MOST_LINKS = 6 * MODEL, CURVED_X = 64 };

typedef struct grid {
    size_t nlat, nlon, n;
    double *lat, *lon; /* axes */
} grid;

typedef struct links {
    int n, from[MOST_LINKS], to[MOST_LINKS];
    double weight[MOST_LINKS];
} links;

typedef struct output {
    int file;
    const char *form;
    const grid *from, *to;
    links *by;     /* remapped */
    int across[2]; /* dimensions of the cells */
    int n_across;
    size_t n; /* cells */
} output;

static void check(int rc, const char *what)
{
    if (rc == NC_NOERR) return;
    fprintf(stderr, "make_cells: %s: %s\n", what, nc_strerror(rc));
    exit(1);
}

static bool is(const output *o, const char *form)
{
    return strcmp(o->form, form) == 0;
}

/* The cell of IN that a cell in the other order is: prime to the number of cells. */
static size_t other(size_t cell, size_t n)
{
    return (cell * 2477 + 11) % n;
}

static double *read_axis(int file, const char *name, size_t *n)
{
    int dim, id;
    check(nc_inq_dimid(file, name, &dim), name);
    check(nc_inq_dimlen(file, dim, n), name);
    double *values = malloc(*n * sizeof *values);
    check(nc_inq_varid(file, name, &id), name);
    check(nc_get_var_double(file, id, values), name);
    return values;
}

static grid model_grid(void)
{
    grid g = {.nlat = NLAT, .nlon = NLON, .n = MODEL};
    g.lat = malloc(NLAT * sizeof *g.lat);
    g.lon = malloc(NLON * sizeof *g.lon);
    gwf_gaussian_latitudes(NLAT, g.lat);
    for (int j = 0; j < NLON; j++) g.lon[j] = 360.0 * j / NLON;
    return g;
}

/* --- weights -------------------------------------------------------------------------------- */

static void add_row(links *l, size_t row, int j, int to, double weight)
{
    const bool spread = fabs(weight) > 0 && to >= MODEL / 6 && to < MODEL * 5 / 6;
    for (int k = spread ? -1 : 0; k <= (spread ? 1 : 0); k++) {
        l->from[l->n] = (int)row * NLON + (j + k + NLON) % NLON;
        l->to[l->n] = to;
        l->weight[l->n++] = spread ? weight * (k ? 0.25 : 0.5) : weight;
    }
}

static links *make_links(const grid *from, const grid *to)
{
    links *l = calloc(1, sizeof *l);
    for (int i = 0; i < NLAT; i++) {
        size_t row = 0;
        while (row + 2 < from->nlat && from->lat[row + 1] > to->lat[i]) row++;
        const double w = (to->lat[i] - from->lat[row + 1]) / (from->lat[row] - from->lat[row + 1]);
        for (int j = 0; j < NLON; j++) {
            add_row(l, row, j, i * NLON + j, w);
            add_row(l, row + 1, j, i * NLON + j, 1 - w);
        }
    }
    return l;
}

static void put(int file, const char *name, nc_type type, int dim, const char *units,
                const void *values)
{
    int id;
    check(nc_def_var(file, name, type, 1, &dim, &id), name);
    if (units) check(nc_put_att_text(file, id, "units", strlen(units), units), name);
    check(type == NC_INT ? nc_put_var_int(file, id, values) : nc_put_var_double(file, id, values),
          name);
}

static void put_places(int file, const grid *g, const char *names[2], int dim, bool mixed)
{
    double *values = malloc(g->n * sizeof *values);
    for (int d = 0; d < 2; d++) {
        for (size_t c = 0; c < g->n; c++) {
            const size_t at = mixed ? other(c, g->n) : c;
            values[c] = d == 0 ? g->lat[at / g->nlon] : g->lon[at % g->nlon];
        }
        put(file, names[d], NC_DOUBLE, dim, "degrees", values);
    }
    free(values);
}

static void write_weights(output *o, bool mixed)
{
    links *l = make_links(o->from, o->to);
    int n_a, n_b, n_s;
    int *place = malloc(o->from->n * sizeof *place); /* of a cell of IN, from 1 */
    for (size_t c = 0; c < o->from->n; c++) place[mixed ? other(c, o->from->n) : c] = (int)c + 1;
    for (int k = 0; k < l->n; k++) {
        l->from[k] = place[l->from[k]];
        l->to[k]++;
    }
    check(nc_def_dim(o->file, "n_a", o->from->n, &n_a), "n_a");
    check(nc_def_dim(o->file, "n_b", o->to->n, &n_b), "n_b");
    check(nc_def_dim(o->file, "n_s", (size_t)l->n, &n_s), "n_s");
    put_places(o->file, o->from, (const char *[2]){"yc_a", "xc_a"}, n_a, mixed);
    put_places(o->file, o->to, (const char *[2]){"yc_b", "xc_b"}, n_b, false);
    put(o->file, "col", NC_INT, n_s, NULL, l->from);
    put(o->file, "row", NC_INT, n_s, NULL, l->to);
    put(o->file, "S", NC_DOUBLE, n_s, NULL, l->weight);
    free(place);
    free(l);
}

/* --- fields --------------------------------------------------------------------------------- */

static void define_places(output *o)
{
    const bool radians = is(o, "columns");
    double *values = malloc(o->n * sizeof *values);
    for (int d = 0; d < 2; d++) {
        const char *name = d == 0 ? "lat" : "lon", *units = radians  ? "radian"
                                                            : d == 0 ? "degrees_north"
                                                                     : "degrees_east";
        int id;
        for (size_t c = 0; c < o->n; c++) {
            const size_t at = is(o, "shifted") ? c : other(c, o->n);
            values[c] = d == 0 ? o->from->lat[at / NLON] : o->from->lon[at % NLON];
            if (radians) values[c] *= acos(-1) / 180;
        }
        check(nc_def_var(o->file, name, NC_DOUBLE, o->n_across, o->across, &id), name);
        check(nc_put_att_text(o->file, id, "units", strlen(units), units), name);
        check(nc_put_var_double(o->file, id, values), name);
    }
    free(values);
}

static void define_grid(output *o)
{
    int *dim = o->across;
    o->n = is(o, "remapped") ? MODEL : o->from->n;
    o->n_across = is(o, "remapped") || is(o, "curved") ? 2 : 1;
    if (is(o, "remapped")) {
        check(nc_def_dim(o->file, "latitude", NLAT, &dim[0]), "latitude");
        check(nc_def_dim(o->file, "longitude", NLON, &dim[1]), "longitude");
        put(o->file, "latitude", NC_DOUBLE, dim[0], "degrees_north", o->to->lat);
        put(o->file, "longitude", NC_DOUBLE, dim[1], "degrees_east", o->to->lon);
        o->by = make_links(o->from, o->to);
    } else if (is(o, "curved")) {
        check(nc_def_dim(o->file, "y", o->n / CURVED_X, &dim[0]), "y");
        check(nc_def_dim(o->file, "x", CURVED_X, &dim[1]), "x");
    } else {
        check(nc_def_dim(o->file, "cell", o->n, &dim[0]), "cell");
    }
    if (!is(o, "remapped") && !is(o, "bare")) define_places(o);
}

static void place_map(const output *o, const float *from, float *to, size_t stride)
{
    double *sum = calloc(o->n, sizeof *sum);
    for (int k = 0; o->by && k < o->by->n; k++)
        sum[o->by->to[k]] += o->by->weight[k] * (double)from[o->by->from[k]];
    for (size_t c = 0; c < o->n; c++) to[c * stride] = o->by ? (float)sum[c] : from[other(c, o->n)];
    free(sum);
}

/* A variable whose last two dimensions are latitude and longitude. */
static void convert(const output *o, int in, int id, const char *name)
{
    int dims[NC_MAX_VAR_DIMS], to_dims[8], rank, to;
    size_t length[8], maps = 1, levels = 1;
    char units[64] = "", dim[NC_MAX_NAME + 1];
    check(nc_inq_varndims(in, id, &rank), name);
    check(nc_inq_vardimid(in, id, dims), name);
    const int lead = rank - 2;
    for (int i = 0; i < lead; i++) {
        check(nc_inq_dim(in, dims[i], dim, &length[i]), name);
        check(nc_inq_dimid(o->file, dim, &to_dims[i]), dim);
        maps *= length[i];
    }
    for (int i = 0; i < o->n_across; i++) to_dims[lead + i] = o->across[i];
    const bool columns = is(o, "columns") && lead == 2;
    if (columns) {
        to_dims[2] = to_dims[1];
        to_dims[1] = o->across[0];
        levels = length[1];
    }
    check(nc_get_att_text(in, id, "units", units), name);
    check(nc_def_var(o->file, name, NC_FLOAT, lead + o->n_across, to_dims, &to), name);
    check(nc_put_att_text(o->file, to, "units", strlen(units), units), name);
    float *from = malloc(maps * o->from->n * sizeof *from), *values = malloc(maps * o->n * 4);
    check(nc_get_var_float(in, id, from), name);
    for (size_t m = 0; m < maps; m++)
        place_map(o, from + m * o->from->n,
                  values + (columns ? m / levels * levels * o->n + m % levels : m * o->n),
                  columns ? levels : 1);
    check(nc_put_var_float(o->file, to, values), name);
    free(from);
    free(values);
}

static void copy_axis(const output *o, int in, const char *name)
{
    int dim, id, to;
    size_t n;
    if (nc_inq_dimid(in, name, &dim) != NC_NOERR) return;
    double *values = read_axis(in, name, &n);
    check(nc_inq_varid(in, name, &id), name);
    check(nc_def_dim(o->file, name, n, &dim), name);
    check(nc_def_var(o->file, name, NC_DOUBLE, 1, &dim, &to), name);
    check(nc_copy_att(in, id, "units", o->file, to), name);
    check(nc_put_var_double(o->file, to, values), name);
    free(values);
}

static void write_fields(output *o, int in)
{
    int count;
    char name[NC_MAX_NAME + 1];
    copy_axis(o, in, "time");
    copy_axis(o, in, "pressure_level");
    define_grid(o);
    check(nc_inq_nvars(in, &count), "variables");
    for (int id = 0; id < count; id++) {
        int rank;
        check(nc_inq_varname(in, id, name), "a variable");
        check(nc_inq_varndims(in, id, &rank), name);
        if (rank > 2) convert(o, in, id, name);
    }
    free(o->by);
}

int main(int argc, char **argv)
{
    int in;
    if (argc != 4) {
        fprintf(stderr, "make_cells IN.nc OUT.nc FORM\n");
        return 2;
    }
    check(nc_open(argv[1], NC_NOWRITE, &in), argv[1]);
    grid from = {0}, to = model_grid();
    from.lat = read_axis(in, "latitude", &from.nlat);
    from.lon = read_axis(in, "longitude", &from.nlon);
    from.n = from.nlat * from.nlon;
    output o = {.form = argv[3], .from = &from, .to = &to};
    check(nc_create(argv[2], NC_NETCDF4 | NC_CLOBBER, &o.file), argv[2]);
    if (is(&o, "weights") || is(&o, "cell_weights"))
        write_weights(&o, is(&o, "cell_weights"));
    else
        write_fields(&o, in);
    check(nc_close(o.file), argv[2]);
    nc_close(in);
    free(from.lat);
    free(from.lon);
    free(to.lat);
    free(to.lon);
    return 0;
}
