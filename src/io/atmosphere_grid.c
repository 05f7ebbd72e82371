/* Latitudes and longitudes in any order, and the order handed out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/atmosphere_internal.h"

/* Degrees in which two files may differ on the same point: more than what float32 loses at 360. */
static const double same_degrees = 1e-4;

static double *alloc_axis(size_t n)
{
    return n > 0 && n <= 2 * (size_t)GWF_ATM_AXIS ? malloc(n * sizeof(double)) : NULL;
}

static gwf_status no_memory(const char *where, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", where);
}

static gwf_status check_finite(const double *x, size_t n, const char *what, const char *where,
                               gwf_error *err)
{
    if (n < 1 || n > GWF_ATM_AXIS)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %zu %ss, expected 1 to %d", where, n, what,
                        GWF_ATM_AXIS);
    for (size_t i = 0; i < n; i++)
        if (!(fabs(x[i]) <= 1e4))
            return gwf_fail(err, GWF_ERR_DATA, "%s: %s %zu is %g, expected degrees", where, what, i,
                            x[i]);
    return GWF_OK;
}

/* --- rows ----------------------------------------------------------------------------------- */

size_t gwf_atm_row(const gwf_atm_order *order, size_t i)
{
    return order->north_first ? order->file_nlat - 1 - i : i;
}

static double within_poles(double lat)
{
    return fmin(fmax(lat, -90), 90);
}

static gwf_status make_rows(const gwf_atm_axes *axes, const char *where, gwf_atm_grid *grid,
                            gwf_atm_order *order, gwf_error *err)
{
    const double *lat = axes->lat;
    const size_t n = axes->nlat;
    GWF_TRY(check_finite(lat, n, "latitude", where, err));
    order->file_nlat = n;
    order->north_first = n > 1 && lat[1] < lat[0];
    for (size_t i = 0; i < n; i++) {
        if (!(fabs(lat[i]) <= 90 + same_degrees))
            return gwf_fail(err, GWF_ERR_DATA, "%s: latitude %zu is %g, expected -90 to 90 degrees",
                            where, i, lat[i]);
        if (i > 0 && !(order->north_first ? lat[i] < lat[i - 1] : lat[i] > lat[i - 1]))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: latitudes must go one way, latitude %zu is %g after %g", where, i,
                            lat[i], lat[i - 1]);
    }
    grid->nlat = n;
    grid->lat = alloc_axis(n);
    if (!grid->lat) return no_memory(where, err);
    for (size_t i = 0; i < n; i++) grid->lat[i] = within_poles(lat[gwf_atm_row(order, i)]);
    return GWF_OK;
}

/* --- columns -------------------------------------------------------------------------------- */

size_t gwf_atm_column(const gwf_atm_order *order, size_t j)
{
    const size_t n = order->nlon;
    return order->westward ? (order->lon_start + n - j) % n : (order->lon_start + j) % n;
}

/* Into [0, 360), a float's worth below 360 being 0. */
static double around(double lon)
{
    const double turned = lon - 360 * floor(lon / 360);
    return turned > 360 - same_degrees / 10 ? 0 : turned;
}

/* Degrees from column j - 1 to column j, going the file's way round. */
static double gap_before(const double *lon, size_t n, size_t j, bool westward)
{
    const double d = around(lon[j]) - around(lon[(j + n - 1) % n]);
    return around(westward ? -d : d);
}

/* Going that way round by all gaps is one turn: the columns are in order, wherever they start. */
static bool is_one_turn(const double *lon, size_t n, bool westward)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
        const double gap = gap_before(lon, n, j, westward);
        if (n > 1 && !(gap > 0)) return false;
        sum += gap;
    }
    return n == 1 || fabs(sum - 360) < 1;
}

/* The file's column to begin with: the smallest longitude; in a region that lies across 0 degrees
 * the one after the gap. */
static size_t find_start(const double *lon, size_t n, bool westward)
{
    size_t smallest = 0, start = 0;
    for (size_t j = 1; j < n; j++)
        if (around(lon[j]) < around(lon[smallest])) smallest = j;
    /* going eastward, the gap west of column j is the one before it, or after it in a file that
     * goes westward */
    const size_t step = westward ? 1 : 0;
    double widest = gap_before(lon, n, (smallest + step) % n, westward) * 1.01 + same_degrees;
    start = smallest;
    for (size_t j = 0; j < n; j++) {
        const double gap = gap_before(lon, n, (j + step) % n, westward);
        if (gap > widest) {
            widest = gap;
            start = j;
        }
    }
    return start;
}

/* The first column that is beyond one turn in the direction in which the file begins. */
static gwf_status not_one_turn(const double *lon, size_t n, const char *where, gwf_error *err)
{
    const bool westward = gap_before(lon, n, 1, false) > 180;
    double turned = 0;
    size_t at = 0;
    do {
        at++;
        const double gap = gap_before(lon, n, at, westward);
        turned += gap > 0 ? gap : 360;
    } while (at + 1 < n && turned < 360);
    return gwf_fail(err, GWF_ERR_DATA,
                    "%s: longitudes must go one way and once around at most, longitude %zu is %g, "
                    "the one before it %g",
                    where, at, lon[at], lon[at - 1]);
}

static gwf_status make_columns(const gwf_atm_axes *axes, const char *where, gwf_atm_grid *grid,
                               gwf_atm_order *order, gwf_error *err)
{
    const double *lon = axes->lon;
    size_t n = axes->nlon;
    GWF_TRY(check_finite(lon, n, "longitude", where, err));
    order->file_nlon = n;
    if (n > 2 && fabs(fabs(lon[n - 1] - lon[0]) - 360) < same_degrees) n--; /* repeated meridian */
    order->nlon = grid->nlon = n;
    order->westward = n > 1 && !is_one_turn(lon, n, false);
    if (order->westward && !is_one_turn(lon, n, true)) return not_one_turn(lon, n, where, err);
    order->lon_start = find_start(lon, n, order->westward);
    grid->lon = alloc_axis(n);
    if (!grid->lon) return no_memory(where, err);
    for (size_t j = 0; j < n; j++) {
        grid->lon[j] = around(lon[gwf_atm_column(order, j)]);
        if (j > 0 && grid->lon[j] < grid->lon[0]) grid->lon[j] += 360;
    }
    return GWF_OK;
}

/* --- bounds --------------------------------------------------------------------------------- */

/* The lower one first, on the same turn as the point. */
static bool enclose(double point, const double *from, double turn, double *to)
{
    double a = from[0], b = from[1];
    if (!(fabs(a) <= 1e4 && fabs(b) <= 1e4)) return false;
    if (turn > 0) {
        a += turn * round((point - a) / turn);
        b += turn * round((point - b) / turn);
    }
    to[0] = fmin(a, b);
    to[1] = fmax(a, b);
    return to[1] > to[0] && to[0] <= point + same_degrees && to[1] >= point - same_degrees;
}

static void drop(double **bounds)
{
    free(*bounds);
    *bounds = NULL;
}

static gwf_status make_bounds(const gwf_atm_axes *axes, const char *where,
                              const gwf_atm_order *order, gwf_atm_grid *grid, bool *bad,
                              gwf_error *err)
{
    *bad = false;
    if (!axes->lat_bounds || !axes->lon_bounds) return GWF_OK;
    grid->lat_bounds = alloc_axis(2 * grid->nlat);
    grid->lon_bounds = alloc_axis(2 * grid->nlon);
    if (!grid->lat_bounds || !grid->lon_bounds) return no_memory(where, err);
    for (size_t i = 0; i < grid->nlat; i++) {
        double *to = grid->lat_bounds + 2 * i;
        *bad |= !enclose(grid->lat[i], axes->lat_bounds + 2 * gwf_atm_row(order, i), 0, to);
        to[0] = within_poles(to[0]);
        to[1] = within_poles(to[1]);
    }
    for (size_t j = 0; j < grid->nlon; j++)
        *bad |= !enclose(grid->lon[j], axes->lon_bounds + 2 * gwf_atm_column(order, j), 360,
                         grid->lon_bounds + 2 * j);
    if (*bad) {
        drop(&grid->lat_bounds);
        drop(&grid->lon_bounds);
    }
    return GWF_OK;
}

gwf_status gwf_atm_grid_make(const gwf_atm_axes *axes, const char *where, gwf_atm_grid *grid,
                             gwf_atm_order *order, bool *bounds_bad, gwf_error *err)
{
    *grid = (gwf_atm_grid){0};
    *order = (gwf_atm_order){0};
    GWF_TRY(make_rows(axes, where, grid, order, err));
    GWF_TRY(make_columns(axes, where, grid, order, err));
    return make_bounds(axes, where, order, grid, bounds_bad, err);
}

void gwf_atm_grid_free(gwf_atm_grid *grid)
{
    free(grid->lat);
    free(grid->lon);
    free(grid->lat_bounds);
    free(grid->lon_bounds);
    free(grid->cell_lat);
    free(grid->cell_lon);
    *grid = (gwf_atm_grid){0};
}

/* --- two grids ------------------------------------------------------------------------------ */

static gwf_status compare_axis(const double *a, size_t na, const char *where_a, const double *b,
                               size_t nb, const char *where_b, const char *what, gwf_error *err)
{
    if (na != nb)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %zu %ss, but %s has %zu", where_b, nb, what,
                        where_a, na);
    for (size_t i = 0; i < na; i++)
        if (!(fabs(a[i] - b[i]) <= same_degrees))
            return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %s %zu is %g, but %g in %s", where_b, what,
                            i, b[i], a[i], where_a);
    return GWF_OK;
}

gwf_status gwf_atm_grid_compare(const gwf_atm_grid *a, const char *where_a, const gwf_atm_grid *b,
                                const char *where_b, gwf_error *err)
{
    if (a->unstructured) return gwf_atm_cells_compare(a, where_a, b, where_b, err);
    GWF_TRY(compare_axis(a->lat, a->nlat, where_a, b->lat, b->nlat, where_b, "latitude", err));
    return compare_axis(a->lon, a->nlon, where_a, b->lon, b->nlon, where_b, "longitude", err);
}

/* --- values --------------------------------------------------------------------------------- */

void gwf_atm_arrange(const gwf_atm_order *order, const float *from, size_t row_stride,
                     size_t column_stride, float *to)
{
    const size_t n = order->nlon;
    const bool plain = column_stride == 1 && !order->westward;
    for (size_t i = 0; i < order->file_nlat; i++, to += n) {
        const float *row = from + gwf_atm_row(order, i) * row_stride;
        if (plain) {
            memcpy(to, row + order->lon_start, (n - order->lon_start) * sizeof *to);
            memcpy(to + n - order->lon_start, row, order->lon_start * sizeof *to);
        } else {
            for (size_t j = 0; j < n; j++) to[j] = row[gwf_atm_column(order, j) * column_stride];
        }
    }
}
