/* Grids that are read as cells in the file's own order: unstructured, curvilinear, reduced. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/size.h"
#include "io/atmosphere_internal.h"
#include "io/nc_internal.h"

static const double to_radians = 3.14159265358979323846 / 180;
static const double same_degrees = 1e-4; /* more than what float32 loses at 360 */

/* --- centres, of any file ------------------------------------------------------------------- */

gwf_status gwf_atm_cells_alloc(gwf_atm_grid *grid, const char *where, gwf_error *err)
{
    size_t bytes;
    const bool fits = gwf_size_mul(grid->nlon, sizeof *grid->cell_lat, &bytes);
    grid->cell_lat = fits ? malloc(bytes) : NULL;
    grid->cell_lon = fits ? malloc(bytes) : NULL;
    if (grid->cell_lat && grid->cell_lon) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory for %zu cells", where, grid->nlon);
}

gwf_status gwf_atm_cells_from_axes(const gwf_atm_axes *axes, size_t lat_stride, size_t lon_stride,
                                   const char *where, gwf_atm_grid *grid, gwf_error *err)
{
    GWF_TRY(gwf_atm_cells_alloc(grid, where, err));
    for (size_t c = 0; c < grid->nlon; c++) {
        grid->cell_lat[c] = axes->lat[c / lat_stride % axes->nlat];
        grid->cell_lon[c] = axes->lon[c / lon_stride % axes->nlon];
    }
    return GWF_OK;
}

gwf_status gwf_atm_cells_compare(const gwf_atm_grid *a, const char *where_a, const gwf_atm_grid *b,
                                 const char *where_b, gwf_error *err)
{
    if (!a->cell_lat || !b->cell_lat) return GWF_OK;
    for (size_t c = 0; c < a->nlon; c++) {
        const double north = a->cell_lat[c] - b->cell_lat[c];
        const double east = remainder(a->cell_lon[c] - b->cell_lon[c], 360) *
                            cos(a->cell_lat[c] * to_radians); /* meridians meet at the poles */
        if (!(fabs(north) <= same_degrees && fabs(east) <= same_degrees))
            return gwf_fail(err, GWF_ERR_MISMATCH,
                            "%s: cell %zu is at latitude %g, longitude %g, but at %g, %g in %s",
                            where_b, c, b->cell_lat[c], b->cell_lon[c], a->cell_lat[c],
                            a->cell_lon[c], where_a);
    }
    return GWF_OK;
}

/* --- coordinates of a NetCDF variable ------------------------------------------------------- */

size_t gwf_atm_cells_of(const gwf_nc_variable *v, int time, int level)
{
    size_t cells = 1;
    for (int i = 0; i < v->rank; i++)
        if (i != time && i != level && !gwf_size_mul(cells, v->shape[i], &cells)) return 0;
    return cells;
}

/* Whether c's dimensions are those of v's cells, in order; those of length 1 do not matter. */
static bool lies_over(const gwf_nc_variable *c, const gwf_nc_variable *v, const gwf_atm_layout *l)
{
    for (int i = 0, k = 0;; i++, k++) {
        while (i < v->rank && (i == l->time || i == l->level || v->shape[i] == 1)) i++;
        while (k < c->rank && c->shape[k] == 1) k++;
        if (i == v->rank || k == c->rank) return i == v->rank && k == c->rank;
        if (strcmp(v->dims[i], c->dims[k]) != 0 || v->shape[i] != c->shape[k]) return false;
    }
}

/* Degrees of the unit of an angle, 0 when it is none. */
static double degrees_of(const gwf_nc *file, const gwf_nc_variable *c)
{
    char units[64];
    gwf_nc_text(file, c, "units", units, sizeof units);
    if (strncasecmp(units, "deg", 3) == 0) return 1;
    return strncasecmp(units, "rad", 3) == 0 ? 1 / to_radians : 0;
}

static bool is_angle_over(const gwf_nc *file, const char *name, const gwf_nc_variable *v,
                          const gwf_atm_layout *layout, gwf_nc_variable *c)
{
    return gwf_nc_variable_find(file, name, c) && lies_over(c, v, layout) &&
           gwf_nc_is_number(gwf_nc_type_of(file, c)) && degrees_of(file, c) > 0;
}

/* Latitude and longitude over the cells: those that `coordinates` names, or under usual names. */
static bool find_centres(const gwf_nc *file, const gwf_nc_variable *v, const gwf_atm_layout *layout,
                         gwf_nc_variable pair[2])
{
    static const char *const usual[][2] = {{"lat", "lon"},         {"latitude", "longitude"},
                                           {"clat", "clon"},       {"latCell", "lonCell"},
                                           {"nav_lat", "nav_lon"}, {"XLAT", "XLONG"}};
    char names[1024], name[GWF_NC_NAME];
    bool have[2] = {false, false};
    gwf_nc_variable c;
    gwf_nc_text(file, v, "coordinates", names, sizeof names);
    for (const char *at = names; gwf_atm_next_name(&at, name, sizeof name);) {
        if (!is_angle_over(file, name, v, layout, &c)) continue;
        const gwf_atm_direction d = gwf_atm_nc_direction(file, &c);
        if (d == GWF_ATM_NEITHER || have[d]) continue;
        pair[d] = c;
        have[d] = true;
    }
    if (have[GWF_ATM_LAT] && have[GWF_ATM_LON]) return true;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (is_angle_over(file, usual[i][0], v, layout, &pair[GWF_ATM_LAT]) &&
            is_angle_over(file, usual[i][1], v, layout, &pair[GWF_ATM_LON]))
            return true;
    return false;
}

/* n values in degrees, at most that far from 0; owned by the caller, on failure too. */
static gwf_status read_degrees(const gwf_nc *file, const gwf_nc_variable *c, size_t n, double most,
                               double **values, gwf_error *err)
{
    const double degrees = degrees_of(file, c);
    GWF_TRY(gwf_atm_nc_axis(file, c, n, values, err));
    for (size_t i = 0; i < n; i++) {
        (*values)[i] *= degrees;
        if (!(fabs((*values)[i]) <= most))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: variable %s: value %zu is %g degrees, expected -%g to %g",
                            file->path, c->name, i, (*values)[i], most, most);
    }
    return GWF_OK;
}

static const double most_lat = 90.0001, most_lon = 1e4;

static gwf_status read_axes(const gwf_nc *file, const gwf_nc_variable *v,
                            const gwf_atm_layout *layout, const gwf_nc_variable c[2],
                            gwf_atm_grid *grid, gwf_error *err)
{
    double *lat = NULL, *lon = NULL;
    size_t stride[2] = {1, 1};
    const int dims[2] = {layout->lat, layout->lon};
    for (int i = v->rank - 1; i >= 0; i--)
        for (int d = 0; d < 2; d++)
            if (i > dims[d] && i != layout->time && i != layout->level) stride[d] *= v->shape[i];
    gwf_status status = read_degrees(file, &c[0], v->shape[dims[0]], most_lat, &lat, err);
    if (status == GWF_OK)
        status = read_degrees(file, &c[1], v->shape[dims[1]], most_lon, &lon, err);
    if (status == GWF_OK) {
        const gwf_atm_axes axes = {
            .nlat = v->shape[dims[0]], .nlon = v->shape[dims[1]], .lat = lat, .lon = lon};
        status = gwf_atm_cells_from_axes(&axes, stride[0], stride[1], file->path, grid, err);
    }
    free(lat);
    free(lon);
    return status;
}

/* Along two dimensions. */
static bool find_axes(const gwf_nc *file, const gwf_nc_variable *v, const gwf_atm_layout *layout,
                      gwf_nc_variable pair[2])
{
    return layout->lat >= 0 && layout->lon >= 0 &&
           gwf_atm_nc_coordinate(file, v, layout->lat, &pair[GWF_ATM_LAT]) &&
           gwf_atm_nc_coordinate(file, v, layout->lon, &pair[GWF_ATM_LON]) &&
           degrees_of(file, &pair[GWF_ATM_LAT]) > 0 && degrees_of(file, &pair[GWF_ATM_LON]) > 0;
}

/* "nf x Ydim x Xdim" */
static void name_dims(const gwf_nc_variable *v, const gwf_atm_layout *layout, char *text,
                      size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < v->rank && used + 1 < size; i++)
        if (i != layout->time && i != layout->level && v->shape[i] > 1)
            used += (size_t)snprintf(text + used, size - used, "%s%.32s", used ? " x " : "",
                                     v->dims[i]);
}

gwf_status gwf_atm_nc_cells(const gwf_nc *file, const gwf_nc_variable *v,
                            const gwf_atm_layout *layout, size_t cells, gwf_atm_grid *grid,
                            gwf_error *err)
{
    gwf_nc_variable pair[2];
    const size_t n = gwf_atm_cells_of(v, layout->time, layout->level);
    *grid = (gwf_atm_grid){.nlat = 1, .nlon = cells, .unstructured = true};
    if (n != cells) {
        char dims[128];
        name_dims(v, layout, dims, sizeof dims);
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: variable %.64s: %zu cells (%s), expected %zu, those of the weights",
                        file->path, v->name, n, dims, cells);
    }
    if (find_centres(file, v, layout, pair)) {
        GWF_TRY(read_degrees(file, &pair[GWF_ATM_LAT], cells, most_lat, &grid->cell_lat, err));
        return read_degrees(file, &pair[GWF_ATM_LON], cells, most_lon, &grid->cell_lon, err);
    }
    return find_axes(file, v, layout, pair) ? read_axes(file, v, layout, pair, grid, err) : GWF_OK;
}

/* --- values --------------------------------------------------------------------------------- */

void gwf_atm_cells_arrange(const float *from, size_t outer, size_t levels, size_t inner,
                           bool bottom_up, float *to)
{
    for (size_t k = 0; k < levels; k++) {
        const float *level = from + (bottom_up ? levels - 1 - k : k) * inner;
        for (size_t i = 0; i < outer; i++, level += levels * inner)
            for (size_t j = 0; j < inner; j++) *to++ = level[j];
    }
}
