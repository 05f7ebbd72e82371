#include "io/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/nc.h"

/* The two layouts: names of the same things. SCRIP has no dimension names in common use. */
typedef struct layout {
    const char *kind;
    const char *links, *cells[2];    /* dimensions */
    const char *address[2], *weight; /* source, destination; from 1 */
    const char *lat[2], *lon[2];     /* cell centres */
} layout;

static const layout layouts[] = {
    {"ESMF", "n_s", {"n_a", "n_b"}, {"col", "row"}, "S", {"yc_a", "yc_b"}, {"xc_a", "xc_b"}},
    {"SCRIP",
     "num_links",
     {"src_grid_size", "dst_grid_size"},
     {"src_address", "dst_address"},
     "remap_matrix",
     {"src_grid_center_lat", "dst_grid_center_lat"},
     {"src_grid_center_lon", "dst_grid_center_lon"}},
};

void gwf_weights_free(gwf_weights *weights)
{
    free(weights->source);
    free(weights->destination);
    free(weights->weight);
    free(weights->source_lat);
    free(weights->source_lon);
    free(weights->destination_lat);
    free(weights->destination_lon);
    *weights = (gwf_weights){0};
}

static gwf_status find_layout(const gwf_nc *file, const layout **found, gwf_error *err)
{
    gwf_nc_variable v;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (gwf_nc_variable_find(file, layouts[i].weight, &v)) {
            *found = &layouts[i];
            return GWF_OK;
        }
    return gwf_fail(err, GWF_ERR_FORMAT,
                    "%s: no remapping weights: expected variable S (ESMF) or remap_matrix (SCRIP)",
                    file->path);
}

static gwf_status find_size(const gwf_nc *file, const char *name, size_t *size, gwf_error *err)
{
    if (!gwf_nc_dimension_find(file, name, size))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: no dimension %s", file->path, name);
    if (*size >= 1 && *size <= GWF_WEIGHTS_MOST) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: dimension %s has length %zu, expected 1 to %d",
                    file->path, name, *size, GWF_WEIGHTS_MOST);
}

/* A variable of rank 1 (remap_matrix: 2) whose first dimension has this length. */
static gwf_status find_list(const gwf_nc *file, const char *name, size_t length, int rank,
                            gwf_nc_variable *v, gwf_error *err)
{
    if (!gwf_nc_variable_find(file, name, v))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: no variable %s", file->path, name);
    if (v->rank != rank || v->shape[0] != length)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: variable %s: %d dimensions, the first of length %zu, expected %d and "
                        "%zu",
                        file->path, name, v->rank, v->rank ? v->shape[0] : 1, rank, length);
    return GWF_OK;
}

/* Owned by the caller, who frees on failure too. */
static gwf_status make(const gwf_nc *file, size_t count, size_t size, void **values, gwf_error *err)
{
    *values = calloc(count, size);
    if (*values) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory for %zu values", file->path, count);
}

/* From 1 in the file, from 0 in memory. */
static gwf_status read_address(const gwf_nc *file, const char *name, size_t links, size_t cells,
                               int **address, gwf_error *err)
{
    gwf_nc_variable v;
    void *values = NULL;
    GWF_TRY(find_list(file, name, links, 1, &v, err));
    GWF_TRY(make(file, links, sizeof(int), &values, err));
    *address = values;
    GWF_TRY(gwf_nc_get_int(file, &v, links, *address, err));
    for (size_t k = 0; k < links; k++) {
        const int cell = (*address)[k];
        if (cell < 1 || (size_t)cell > cells)
            return gwf_fail(err, GWF_ERR_FORMAT,
                            "%s: variable %s: link %zu is to cell %d, expected 1 to %zu",
                            file->path, name, k, cell, cells);
        (*address)[k] = cell - 1;
    }
    return GWF_OK;
}

static gwf_status check_finite(const gwf_nc *file, const char *name, const double *values, size_t n,
                               gwf_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: value %zu is not finite",
                            file->path, name, i);
    return GWF_OK;
}

/* How many weights each link has: SCRIP files have a second dimension. */
static gwf_status find_weights(const gwf_nc *file, const layout *at, size_t links,
                               gwf_nc_variable *v, size_t *each, gwf_error *err)
{
    const int rank = strcmp(at->kind, "SCRIP") == 0 ? 2 : 1;
    GWF_TRY(find_list(file, at->weight, links, rank, v, err));
    *each = rank == 2 ? v->shape[1] : 1;
    if (*each == 1 || *each == 3) return GWF_OK;
    return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                    "%s: variable %s: %zu weights a link, expected 1 or 3 (first and second order "
                    "conservative)",
                    file->path, at->weight, *each);
}

static gwf_status read_weights(const gwf_nc *file, const layout *at, gwf_weights *w, gwf_error *err)
{
    gwf_nc_variable v;
    size_t each = 1;
    void *values = NULL;
    GWF_TRY(find_weights(file, at, w->n_links, &v, &each, err));
    GWF_TRY(make(file, each * w->n_links, sizeof(double), &values, err));
    w->weight = values;
    GWF_TRY(gwf_nc_get_double(file, &v, each * w->n_links, w->weight, err));
    GWF_TRY(check_finite(file, at->weight, w->weight, each * w->n_links, err));
    for (size_t k = 0; k < w->n_links; k++) w->weight[k] = w->weight[each * k];
    return GWF_OK;
}

/* Degrees, whatever the file has. */
static gwf_status read_centres(const gwf_nc *file, const char *name, size_t cells, double **degrees,
                               gwf_error *err)
{
    gwf_nc_variable v;
    char units[32] = "";
    void *values = NULL;
    GWF_TRY(find_list(file, name, cells, 1, &v, err));
    GWF_TRY(make(file, cells, sizeof(double), &values, err));
    *degrees = values;
    GWF_TRY(gwf_nc_get_double(file, &v, cells, *degrees, err));
    GWF_TRY(check_finite(file, name, *degrees, cells, err));
    gwf_nc_text(file, &v, "units", units, sizeof units);
    const double factor = strncmp(units, "rad", 3) == 0 ? 180 / 3.14159265358979323846 : 1;
    if (factor == 1 && strncmp(units, "deg", 3) != 0)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: variable %s: units \"%s\", expected degrees or radians", file->path,
                        name, units);
    for (size_t i = 0; i < cells; i++) (*degrees)[i] *= factor;
    return GWF_OK;
}

static gwf_status read_all(const gwf_nc *file, gwf_weights *w, gwf_error *err)
{
    const layout *at = NULL;
    GWF_TRY(find_layout(file, &at, err));
    GWF_TRY(find_size(file, at->links, &w->n_links, err));
    GWF_TRY(find_size(file, at->cells[0], &w->n_source, err));
    GWF_TRY(find_size(file, at->cells[1], &w->n_destination, err));
    GWF_TRY(read_address(file, at->address[0], w->n_links, w->n_source, &w->source, err));
    GWF_TRY(read_address(file, at->address[1], w->n_links, w->n_destination, &w->destination, err));
    GWF_TRY(read_weights(file, at, w, err));
    GWF_TRY(read_centres(file, at->lat[0], w->n_source, &w->source_lat, err));
    GWF_TRY(read_centres(file, at->lon[0], w->n_source, &w->source_lon, err));
    GWF_TRY(read_centres(file, at->lat[1], w->n_destination, &w->destination_lat, err));
    return read_centres(file, at->lon[1], w->n_destination, &w->destination_lon, err);
}

gwf_status gwf_weights_read(const char *path, gwf_weights *weights, gwf_error *err)
{
    gwf_nc file;
    *weights = (gwf_weights){0};
    GWF_TRY(gwf_nc_open(path, &file, err));
    const gwf_status status = read_all(&file, weights, err);
    gwf_nc_close(&file, NULL);
    if (status != GWF_OK) gwf_weights_free(weights);
    return status;
}
