/* One GRIB message: where it begins and ends, and its grid. */
#ifdef GWF_HAVE_ECCODES
#include "io/atmosphere_grib.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say_nothing(const codes_context *context, int level, const char *message)
{
    (void)context, (void)level, (void)message;
}

void gwf_grib_quiet(void)
{
    codes_context_set_logging_proc(codes_context_get_default(), say_nothing);
}

void gwf_grib_where(const char *path, uint64_t offset, char *text, size_t size)
{
    snprintf(text, size, "%s: message at byte %llu", path, (unsigned long long)offset);
}

/* --- bytes ---------------------------------------------------------------------------------- */

static gwf_status damaged(const gwf_grib_file *file, uint64_t offset, const char *what,
                          gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: message at byte %llu: %s", file->path,
                    (unsigned long long)offset, what);
}

gwf_status gwf_grib_bytes(const gwf_grib_file *file, uint64_t offset, size_t n, void *bytes,
                          gwf_error *err)
{
    char *to = bytes;
    if (offset > file->size || n > file->size - offset)
        return damaged(file, offset, "cut short", err);
    while (n > 0) {
        const ssize_t got = pread(file->descriptor, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return gwf_fail(err, GWF_ERR_IO, "%s: reading failed (%s)", file->path,
                            strerror(errno));
        if (got == 0) return damaged(file, offset, "cut short", err);
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return GWF_OK;
}

static uint64_t big_endian(const unsigned char *bytes, int n)
{
    uint64_t value = 0;
    for (int i = 0; i < n; i++) value = value << 8 | bytes[i];
    return value;
}

/* --- sections ------------------------------------------------------------------------------- */

/* The length of GRIB 1 has three bytes. ECMWF's way for more: the top bit is set, the rest counts
 * 120 bytes, and the length of section 4 says how many of the last 120 are not used. */
static gwf_status measure_1(const gwf_grib_file *file, const unsigned char *head,
                            gwf_grib_span *span, gwf_error *err)
{
    enum { LARGE = 0x800000, HAS_GRID = 0x80, HAS_BITMAP = 0x40 };
    unsigned char section[8];
    uint64_t at = span->offset + 8;
    span->length = big_endian(head + 4, 3);
    GWF_TRY(gwf_grib_bytes(file, at, sizeof section, section, err));
    const unsigned flags = section[7];
    at += big_endian(section, 3);
    for (unsigned flag = HAS_GRID; flag >= HAS_BITMAP; flag /= 2) {
        if (!(flags & flag)) continue;
        GWF_TRY(gwf_grib_bytes(file, at, 3, section, err));
        at += big_endian(section, 3);
    }
    span->head = at - span->offset;
    if (!(span->length & LARGE)) return GWF_OK;
    GWF_TRY(gwf_grib_bytes(file, at, 3, section, err));
    const uint64_t unused = big_endian(section, 3);
    if (unused < 120) span->length = (span->length & ~(uint64_t)LARGE) * 120 - unused + 4;
    return GWF_OK;
}

/* Section 7 of a message of GRIB 2 with one field is the last; ecCodes would pass over others. */
static gwf_status check_single(const gwf_grib_file *file, gwf_grib_span *span, gwf_error *err)
{
    enum { HEAD = 16, SECTION_HEAD = 5, DATA = 7, END = 4 };
    unsigned char section[SECTION_HEAD];
    const uint64_t end = span->offset + span->length - END;
    for (uint64_t at = span->offset + HEAD; at < end;) {
        GWF_TRY(gwf_grib_bytes(file, at, sizeof section, section, err));
        const uint64_t length = big_endian(section, 4);
        if (length < SECTION_HEAD || length > end - at)
            return damaged(file, span->offset, "its sections do not fit into it", err);
        if (section[4] == DATA) span->head = at - span->offset;
        at += length;
        if (section[4] == DATA && at < end)
            return damaged(file, span->offset,
                           "several fields in one message: write them one by one with grib_copy",
                           err);
    }
    return GWF_OK;
}

static gwf_status measure(const gwf_grib_file *file, gwf_grib_span *span, gwf_error *err)
{
    enum { SHORTEST = 20 };
    unsigned char head[16], end[4];
    GWF_TRY(gwf_grib_bytes(file, span->offset, sizeof head, head, err));
    if (memcmp(head, "GRIB", 4) != 0) return damaged(file, span->offset, "is not GRIB", err);
    if (head[7] != 1 && head[7] != 2)
        return damaged(file, span->offset, "is not of GRIB edition 1 or 2", err);
    if (head[7] == 2)
        span->length = big_endian(head + 8, 8);
    else
        GWF_TRY(measure_1(file, head, span, err));
    if (span->length < SHORTEST || span->length > file->size - span->offset)
        return damaged(file, span->offset, "cut short", err);
    GWF_TRY(gwf_grib_bytes(file, span->offset + span->length - 4, 4, end, err));
    if (memcmp(end, "7777", 4) != 0) return damaged(file, span->offset, "has no end", err);
    return head[7] == 2 ? check_single(file, span, err) : GWF_OK;
}

gwf_status gwf_grib_next(const gwf_grib_file *file, uint64_t offset, gwf_grib_span *span,
                         bool *found, gwf_error *err)
{
    unsigned char byte = 0;
    *found = false;
    for (; offset < file->size; offset++) {
        GWF_TRY(gwf_grib_bytes(file, offset, 1, &byte, err));
        if (byte == 0) continue;
        *found = true;
        *span = (gwf_grib_span){.offset = offset};
        return measure(file, span, err);
    }
    return GWF_OK;
}

/* --- grid ----------------------------------------------------------------------------------- */

static long number(codes_handle *message, const char *key, long otherwise)
{
    long value = otherwise;
    return codes_get_long(message, key, &value) == CODES_SUCCESS ? value : otherwise;
}

static double real(codes_handle *message, const char *key)
{
    double value = NAN;
    return codes_get_double(message, key, &value) == CODES_SUCCESS ? value : NAN;
}

/* GRIB 1 writes thousandths of a degree: a grid that goes around but for that goes around. */
static void fill_longitudes(codes_handle *message, gwf_grib_axes *axes)
{
    const double first = real(message, "longitudeOfFirstGridPointInDegrees");
    const double last = real(message, "longitudeOfLastGridPointInDegrees");
    const double way = number(message, "iScansNegatively", 0) ? -1 : 1;
    const double span = way * (last - first), n = (double)axes->nlon;
    const double degrees = span < 0 || (span == 0 && n > 1) ? span + 360 : span;
    double step = n > 1 ? degrees / (n - 1) : 0;
    if (fabs(degrees + step - 360) < 2e-3) step = 360 / n;
    for (size_t j = 0; j < axes->nlon; j++) axes->lon[j] = first + way * step * (double)j;
}

static void fill_latitudes(codes_handle *message, gwf_grib_axes *axes)
{
    const double first = real(message, "latitudeOfFirstGridPointInDegrees");
    const double last = real(message, "latitudeOfLastGridPointInDegrees");
    const double n = (double)axes->nlat;
    for (size_t i = 0; i < axes->nlat; i++)
        axes->lat[i] = n > 1 ? first + (last - first) * (double)i / (n - 1) : first;
}

/* All 2N Gaussian latitudes, or those from the first on, in the direction of scanning. */
static gwf_status fill_gaussian(codes_handle *message, const char *where, gwf_grib_axes *axes,
                                gwf_error *err)
{
    const long n = number(message, "N", 0);
    const double first = real(message, "latitudeOfFirstGridPointInDegrees");
    if (n < 1 || n > GWF_ATM_AXIS / 2 || axes->nlat > 2 * (size_t)n)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %zu latitudes of a Gaussian grid N%ld", where,
                        axes->nlat, n);
    const size_t count = 2 * (size_t)n;
    double *all = malloc(count * sizeof *all);
    if (!all || codes_get_gaussian_latitudes(n, all) != CODES_SUCCESS) {
        free(all);
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: no Gaussian latitudes", where);
    }
    const bool south_first = number(message, "jScansPositively", 0);
    size_t start = 0; /* of the file's first one among those from north to south */
    for (size_t i = 1; i < count; i++)
        if (fabs(all[i] - first) < fabs(all[start] - first)) start = i;
    const bool fits = south_first ? start + 1 >= axes->nlat : axes->nlat <= count - start;
    for (size_t i = 0; fits && i < axes->nlat; i++)
        axes->lat[i] = south_first ? all[start - i] : all[start + i];
    free(all);
    if (fits) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: %zu latitudes from %g do not fit into N%ld", where,
                    axes->nlat, first, n);
}

static void kind_of(codes_handle *message, char *kind, size_t size)
{
    size_t n = size;
    kind[0] = '\0';
    codes_get_string(message, "gridType", kind, &n);
    kind[size - 1] = '\0';
}

static gwf_status check_kind(codes_handle *message, const char *where, bool *gaussian,
                             gwf_error *err)
{
    char kind[64];
    kind_of(message, kind, sizeof kind);
    *gaussian = strcmp(kind, "regular_gg") == 0;
    if (*gaussian || strcmp(kind, "regular_ll") == 0) return GWF_OK;
    const char *way = "expected regular latitudes and longitudes (cdo remapbil makes them)";
    if (strcmp(kind, "sh") == 0)
        way = "spectral coefficients: convert them with cdo sp2gpl, or ask MARS for a GRID";
    if (strncmp(kind, "reduced", 7) == 0)
        way = "a reduced grid: convert it with cdo setgridtype,regular, ask MARS for a GRID, or "
              "give remapping weights";
    return gwf_fail(err, GWF_ERR_UNSUPPORTED, "%s: grid %s: %s", where, kind, way);
}

gwf_status gwf_grib_axes_of(codes_handle *message, const char *where, gwf_grib_axes *axes,
                            gwf_error *err)
{
    bool gaussian = false;
    *axes = (gwf_grib_axes){0};
    GWF_TRY(check_kind(message, where, &gaussian, err));
    const long ni = number(message, "Ni", 0), nj = number(message, "Nj", 0);
    if (ni < 1 || nj < 1 || ni > GWF_ATM_AXIS || nj > GWF_ATM_AXIS)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %ld longitudes and %ld latitudes", where, ni, nj);
    if (number(message, "alternativeRowScanning", 0))
        return gwf_fail(err, GWF_ERR_UNSUPPORTED, "%s: rows that are scanned to and fro", where);
    axes->nlat = (size_t)nj;
    axes->nlon = (size_t)ni;
    axes->columns_first = number(message, "jPointsAreConsecutive", 0);
    axes->lat = calloc(axes->nlat, sizeof(double));
    axes->lon = calloc(axes->nlon, sizeof(double));
    gwf_status status = GWF_OK;
    if (!axes->lat || !axes->lon)
        status = gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", where);
    if (status == GWF_OK) {
        fill_longitudes(message, axes);
        if (gaussian)
            status = fill_gaussian(message, where, axes, err);
        else
            fill_latitudes(message, axes);
    }
    if (status != GWF_OK) gwf_grib_axes_free(axes);
    return status;
}

void gwf_grib_axes_free(gwf_grib_axes *axes)
{
    free(axes->lat);
    free(axes->lon);
    axes->lat = axes->lon = NULL;
}

/* --- cells ---------------------------------------------------------------------------------- */

static gwf_status other_cells(const char *where, size_t found, size_t expected, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %zu cells, expected %zu, those of the weights",
                    where, found, expected);
}

static gwf_status regular_cells(codes_handle *message, const char *where, gwf_atm_grid *grid,
                                gwf_error *err)
{
    gwf_grib_axes a;
    GWF_TRY(gwf_grib_axes_of(message, where, &a, err));
    const gwf_atm_axes axes = {.nlat = a.nlat, .nlon = a.nlon, .lat = a.lat, .lon = a.lon};
    const gwf_status status =
        a.nlat * a.nlon != grid->nlon
            ? other_cells(where, a.nlat * a.nlon, grid->nlon, err)
            : gwf_atm_cells_from_axes(&axes, a.columns_first ? 1 : a.nlon,
                                      a.columns_first ? a.nlat : 1, where, grid, err);
    gwf_grib_axes_free(&a);
    return status;
}

/* Points of each row; owned by the caller. NULL when they are not those of the message. */
static long *rows_of(codes_handle *message, size_t nlat, size_t points)
{
    size_t n = 0, sum = 0;
    if (codes_get_size(message, "pl", &n) != CODES_SUCCESS || n != nlat) return NULL;
    long *pl = malloc(n * sizeof *pl);
    bool fits = pl && codes_get_long_array(message, "pl", pl, &n) == CODES_SUCCESS && n == nlat;
    for (size_t i = 0; fits && i < nlat; i++) {
        fits = pl[i] >= 0 && (size_t)pl[i] <= points - sum;
        if (fits) sum += (size_t)pl[i];
    }
    if (fits && sum == points) return pl;
    free(pl);
    return NULL;
}

/* Each row goes around by itself, eastward from 0. */
static bool goes_around(codes_handle *message, const long *pl, size_t nlat)
{
    long most = 1;
    for (size_t i = 0; i < nlat; i++)
        if (pl[i] > most) most = pl[i];
    const double first = real(message, "longitudeOfFirstGridPointInDegrees");
    const double last = real(message, "longitudeOfLastGridPointInDegrees");
    if (number(message, "iScansNegatively", 0) || number(message, "alternativeRowScanning", 0))
        return false;
    return first == 0 && fabs(last - (360 - 360 / (double)most)) < 2e-3;
}

/* Rows of a reduced grid around the globe, computed here: ecCodes would decode the values for it,
 * which are not read yet. Other reduced grids are left without centres. */
static gwf_status reduced_centres(codes_handle *message, const char *where, bool gaussian,
                                  gwf_atm_grid *grid, gwf_error *err)
{
    const long nj = number(message, "Nj", 0);
    if (nj < 1 || nj > GWF_ATM_AXIS)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %ld latitudes", where, nj);
    gwf_grib_axes axes = {.nlat = (size_t)nj};
    long *pl = rows_of(message, axes.nlat, grid->nlon);
    gwf_status status = GWF_OK;
    if (!pl || !goes_around(message, pl, axes.nlat)) goto done;
    axes.lat = calloc(axes.nlat, sizeof(double));
    if (!axes.lat) status = gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", where);
    if (status != GWF_OK) goto done;
    if (gaussian)
        GWF_TRY_DONE(fill_gaussian(message, where, &axes, err));
    else
        fill_latitudes(message, &axes);
    GWF_TRY_DONE(gwf_atm_cells_alloc(grid, where, err));
    for (size_t i = 0, c = 0; i < axes.nlat; i++)
        for (long j = 0; j < pl[i]; j++, c++) {
            grid->cell_lat[c] = axes.lat[i];
            grid->cell_lon[c] = 360 * (double)j / (double)pl[i];
        }
done:
    free(axes.lat);
    free(pl);
    return status;
}

gwf_status gwf_grib_cells_of(codes_handle *message, const char *where, size_t cells,
                             gwf_atm_grid *grid, gwf_error *err)
{
    char kind[64];
    kind_of(message, kind, sizeof kind);
    *grid = (gwf_atm_grid){.nlat = 1, .nlon = cells, .unstructured = true};
    const bool gaussian = strcmp(kind, "reduced_gg") == 0;
    const bool reduced = gaussian || strcmp(kind, "reduced_ll") == 0;
    if (!reduced && strcmp(kind, "unstructured_grid") != 0)
        return regular_cells(message, where, grid, err);
    const long points = number(message, "numberOfDataPoints", -1);
    if (points < 0 || (size_t)points != cells)
        return other_cells(where, points < 0 ? 0 : (size_t)points, cells, err);
    return reduced ? reduced_centres(message, where, gaussian, grid, err) : GWF_OK;
}
#else
typedef int gwf_no_eccodes;
#endif
