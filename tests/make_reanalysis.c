/* Writes a small file of reanalysis, in one of many shapes, for tests of the command:
 *
 *   make_reanalysis OUT.nc [--OPTION VALUE]...
 *
 * The fields follow from step, pressure, latitude and longitude alone, so that files of any shape
 * hold the same atmosphere. They are linear in ln p: interpolation in the vertical is exact.
 * Options, with their defaults (none: --flag takes no value):
 *
 *   --fields u,v,t,sp   of u v t theta omega w sp lnsp z
 *   --grid 33x64        latitudes from pole to pole, longitudes from 0; or "model": 64 x 128
 * Gaussian
 *   --levels pressure   12 from 1 to 1050 hPa; "short": 100 hPa and more; "beside", "formula",
 *                       "numbers": every fifth of ECMWF's 137, by hyam and hybm, formula_terms, or
 *                       the numbers of the levels alone
 *   --steps 2, --first-step 0
 *   --time "H UNITS"    hours between steps and units: "6 hours since 2005-01-23"
 *   --calendar standard
 *   --order tzyx        dimensions of a field, the slowest first
 *   --names short       "cf": odd names with standard_name; "odd": nothing but odd names, x_u
 *   --grain N           values are rounded to a multiple of 1/N; 0: not
 *   --packed            short integers with scale_factor 1/N; wants --grain
 *   --south-first, --west-first, --bottom-up   order of latitudes, longitudes (-180..), levels
 *   --celsius           t in degC, levels in Pa, sp in hPa
 *   --below-ground      missing values where a pressure level lies below the ground
 *   --missing FIELD     nothing but missing values
 *   --storm S           u is 500 m/s at one level of step S
 *   --flat              zonal wind, pressure and temperature the same everywhere on a level
 *   --deflate L         compression, with shuffle
 *   --big               137 hybrid levels, noise that does not compress, all steps as the first:
 * for benchmarks with --grid 721x1440 */
#include <math.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/l137.h"
#include "model/model.h"

enum { MOST_LEVELS = 137, NAME = 64 };
static const double gravity = 9.80665, gas = 287.05, kappa = 0.286, missing = -32767;

typedef struct options {
    const char *path, *fields, *grid, *levels, *calendar, *order, *names, *missing;
    char units[NAME];
    double hours;
    size_t steps, first_step, nlat, nlon, nlev;
    double grain;
    int deflate, storm;
    bool packed, south_first, west_first, bottom_up, celsius, below_ground, flat, big;
    double *lat, *lon, a[MOST_LEVELS], b[MOST_LEVELS]; /* in the order of the file */
    int number[MOST_LEVELS];
    bool hybrid;
    int dims[4]; /* of the letters t z y x */
} options;

static void check(int rc, const char *what)
{
    if (rc == NC_NOERR) return;
    fprintf(stderr, "make_reanalysis: %s: %s\n", what, nc_strerror(rc));
    exit(1);
}

static void refuse(const char *argument)
{
    fprintf(stderr, "make_reanalysis: what is %s?\n", argument);
    exit(2);
}

/* --- options -------------------------------------------------------------------------------- */

static bool set_flag(options *o, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--packed", &o->packed},
                 {"--south-first", &o->south_first},
                 {"--west-first", &o->west_first},
                 {"--bottom-up", &o->bottom_up},
                 {"--celsius", &o->celsius},
                 {"--below-ground", &o->below_ground},
                 {"--flat", &o->flat},
                 {"--big", &o->big}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(name, flags[i].name) == 0) return *flags[i].flag = true;
    return false;
}

static void set_option(options *o, const char *name, const char *value)
{
    const struct {
        const char *name, **text;
    } texts[] = {{"--fields", &o->fields},  {"--grid", &o->grid},         {"--levels", &o->levels},
                 {"--order", &o->order},    {"--calendar", &o->calendar}, {"--names", &o->names},
                 {"--missing", &o->missing}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].text = value;
            return;
        }
    if (strcmp(name, "--steps") == 0)
        o->steps = strtoul(value, NULL, 10);
    else if (strcmp(name, "--first-step") == 0)
        o->first_step = strtoul(value, NULL, 10);
    else if (strcmp(name, "--grain") == 0)
        o->grain = strtod(value, NULL);
    else if (strcmp(name, "--deflate") == 0)
        o->deflate = atoi(value);
    else if (strcmp(name, "--storm") == 0)
        o->storm = atoi(value);
    else if (strcmp(name, "--time") != 0 || sscanf(value, "%lf %63[^\n]", &o->hours, o->units) != 2)
        refuse(name);
}

static options parse(int argc, char **argv)
{
    options o = {.fields = "u,v,t,sp",
                 .grid = "33x64",
                 .levels = "pressure",
                 .calendar = "standard",
                 .order = "tzyx",
                 .names = "short",
                 .missing = "",
                 .units = "hours since 2005-01-23",
                 .hours = 6,
                 .steps = 2,
                 .storm = -1};
    if (argc < 2) refuse("the name of the output");
    o.path = argv[1];
    for (int i = 2; i < argc; i++) {
        if (set_flag(&o, argv[i])) continue;
        if (i + 1 >= argc) refuse(argv[i]);
        set_option(&o, argv[i], argv[i + 1]);
        i++;
    }
    if (o.packed && o.grain <= 0) refuse("--packed without --grain");
    if (strlen(o.order) != 4) refuse(o.order);
    return o;
}

/* --- axes ----------------------------------------------------------------------------------- */

static void make_grid(options *o)
{
    const bool model = strcmp(o->grid, "model") == 0;
    o->nlat = 64;
    o->nlon = 128;
    if (!model && sscanf(o->grid, "%zux%zu", &o->nlat, &o->nlon) != 2) refuse(o->grid);
    o->lat = malloc(o->nlat * sizeof *o->lat);
    o->lon = malloc(o->nlon * sizeof *o->lon);
    if (model) gwf_gaussian_latitudes((int)o->nlat, o->lat);
    for (size_t j = 0; !model && j < o->nlat; j++)
        o->lat[j] = -90 + 180 * (double)j / (double)(o->nlat - 1);
    for (size_t i = 0; i < o->nlon; i++)
        o->lon[i] = 360 * (double)i / (double)o->nlon - (o->west_first ? 180 : 0);
    for (size_t j = 0; !o->south_first && j < o->nlat / 2; j++) {
        const double other = o->lat[o->nlat - 1 - j];
        o->lat[o->nlat - 1 - j] = o->lat[j];
        o->lat[j] = other;
    }
}

static void make_levels(options *o)
{
    static const double all[] = {1, 3, 7, 20, 50, 100, 200, 300, 500, 700, 900, 1050};
    const size_t n = sizeof all / sizeof *all, first = strcmp(o->levels, "short") == 0 ? 5 : 0;
    o->hybrid = strcmp(o->levels, "pressure") != 0 && strcmp(o->levels, "short") != 0;
    o->nlev = !o->hybrid ? n - first : o->big ? 137 : 26;
    for (size_t k = 0; k < o->nlev; k++) {
        const size_t at = o->bottom_up ? o->nlev - 1 - k : k;
        o->number[at] = (int)(o->big ? k + 1 : 12 + 5 * k);
        const gwf_level *level = o->hybrid ? gwf_l137_level(o->number[at]) : NULL;
        o->a[at] = level ? level->a : 100 * all[first + k];
        o->b[at] = level ? level->b : 0;
    }
}

/* --- the atmosphere ------------------------------------------------------------------------- */

static double altitude(const options *o, double lat, double lon)
{
    return o->flat ? 0 : 2000 * pow(sin(lon) * cos(lat), 2);
}

static double surface_pressure(const options *o, double step, double lat, double lon)
{
    const double weather = o->flat ? 0 : 1500 * sin(lat) * cos(lat) * sin(2 * lon + 0.3 * step);
    return (101325 + weather) * exp(-altitude(o, lat, lon) / 8000);
}

/* Across the poles blows a wind that is a vector there. */
static double zonal_wind(const options *o, double step, double lat, double lon, double x)
{
    if (o->flat) return 10 - 3 * x;
    const double waves = 15 + 10 * sin(2 * lon + 0.1 * step) - 5 * x * (1 + 0.3 * cos(lon));
    return cos(lat) * waves - 7 * sin(lon) + 3 * cos(lon);
}

static double meridional_wind(const options *o, double step, double lat, double lon, double x)
{
    if (o->flat) return 0;
    const double waves = 8 * sin(3 * lon - 0.2 * step) - 2 * x * sin(lon);
    return cos(lat) * waves - sin(lat) * (7 * cos(lon) + 3 * sin(lon));
}

static double temperature(const options *o, double step, double lat, double lon, double x)
{
    if (o->flat) return 288 + 8 * x;
    return 288 - 30 * pow(sin(lat), 2) + 2 * cos(lat) * sin(lon + 0.2 * step) + 9 * x;
}

static double omega(double step, double lat, double lon, double x)
{
    return 0.2 * cos(lat) * sin(3 * lon - 0.2 * step) * (1 + 0.1 * x);
}

/* A field at step, radians and Pa. */
static double value_of(const options *o, const char *field, double step, double lat, double lon,
                       double p)
{
    const double x = log(p / 1e5);
    if (strcmp(field, "u") == 0) return zonal_wind(o, step, lat, lon, x);
    if (strcmp(field, "v") == 0) return meridional_wind(o, step, lat, lon, x);
    if (strcmp(field, "t") == 0) return temperature(o, step, lat, lon, x);
    if (strcmp(field, "theta") == 0) return temperature(o, step, lat, lon, x) * pow(1e5 / p, kappa);
    if (strcmp(field, "omega") == 0) return omega(step, lat, lon, x);
    if (strcmp(field, "w") == 0)
        return -omega(step, lat, lon, x) * gas * temperature(o, step, lat, lon, x) / (p * gravity);
    if (strcmp(field, "sp") == 0) return surface_pressure(o, step, lat, lon);
    if (strcmp(field, "lnsp") == 0) return log(surface_pressure(o, step, lat, lon));
    if (strcmp(field, "z") == 0) return gravity * altitude(o, lat, lon);
    refuse(field);
    return 0;
}

/* --- variables ------------------------------------------------------------------------------ */

typedef struct field {
    const char *name, *standard_name, *units, *celsius; /* the last: the unit with --celsius */
    bool levels;
    double offset;      /* add_offset, and what rounding counts from */
    double scale, zero; /* to the unit with --celsius */
} field;

static const field fields[] = {
    {"u", "eastward_wind", "m s**-1", "m s-1", true, 0, 1, 0},
    {"v", "northward_wind", "m s**-1", "m s-1", true, 0, 1, 0},
    {"t", "air_temperature", "K", "degC", true, 250, 1, -273.15},
    {"theta", "air_potential_temperature", "K", "K", true, 250, 1, 0},
    {"omega", "lagrangian_tendency_of_air_pressure", "Pa s**-1", "Pa s-1", true, 0, 1, 0},
    {"w", "upward_air_velocity", "m s-1", "m s-1", true, 0, 1, 0},
    {"sp", "surface_air_pressure", "Pa", "hPa", false, 90000, 0.01, 0},
    {"lnsp", "", "~", "1", false, 11, 1, 0},
    {"z", "surface_geopotential", "m**2 s**-2", "m2 s-2", false, 0, 1, 0},
};

static const field *find_field(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].name) == length && strncmp(fields[i].name, name, length) == 0)
            return &fields[i];
    refuse(name);
    return NULL;
}

/* Surface pressure and its logarithm have to fit a short as well. */
static double grain_of(const options *o, const field *f)
{
    return strcmp(f->name, "sp") == 0 ? 1 : strcmp(f->name, "lnsp") == 0 ? 16384 : o->grain;
}

/* In [-0.03, 0.03], from one place to the next at random: some bits of a packed value, as
 * reanalyses have them. */
static double noise(const size_t index[4])
{
    uint64_t x = ((index[1] * 8192 + index[2]) * 8192 + index[3]) * 0x9E3779B97F4A7C15U;
    x = (x ^ x >> 31) * 0xBF58476D1CE4E5B9U;
    return 0.03 * ((double)(x >> 32) / (double)(1U << 31) - 1);
}

/* As it is stored; index: time, level, lat, lon. */
static double stored(const options *o, const field *f, const size_t index[4])
{
    const double degree = acos(-1.0) / 180, step = (double)(o->first_step + index[0]);
    const double lat = o->lat[index[2]] * degree;
    /* The same angle to the last bit on both kinds of longitudes. */
    const double turned = o->lon[index[3]] < 0 ? o->lon[index[3]] + 360 : o->lon[index[3]];
    const double lon = turned * degree, ps = surface_pressure(o, step, lat, lon);
    const double p = f->levels ? o->a[index[1]] + o->b[index[1]] * ps : ps;
    double value = value_of(o, f->name, step, lat, lon, p);
    if (o->storm == (int)index[0] && strcmp(f->name, "u") == 0 && index[1] == 3) value = 500;
    if (o->big && f->levels) value += noise(index);
    if (strcmp(o->missing, f->name) == 0 || (o->below_ground && f->levels && !o->hybrid && p > ps))
        return missing;
    if (o->grain > 0) {
        const double units = round((value - f->offset) * grain_of(o, f));
        if (o->packed) return units;
        value = units / grain_of(o, f) + f->offset;
    }
    return o->celsius ? value * f->scale + f->zero : value;
}

static void put_text(int file, int id, const char *name, const char *text)
{
    if (text[0]) check(nc_put_att_text(file, id, name, strlen(text), text), name);
}

static void put_packing(const options *o, int file, int id, const field *f)
{
    const double scale = 1 / grain_of(o, f);
    const short fill = (short)missing;
    if (o->packed) {
        check(nc_put_att_short(file, id, "_FillValue", NC_SHORT, 1, &fill), "_FillValue");
        check(nc_put_att_double(file, id, "scale_factor", NC_DOUBLE, 1, &scale), "scale_factor");
        check(nc_put_att_double(file, id, "add_offset", NC_DOUBLE, 1, &f->offset), "add_offset");
    } else {
        const float none = (float)missing;
        check(nc_put_att_float(file, id, "missing_value", NC_FLOAT, 1, &none), "missing_value");
    }
}

static int define(const options *o, int file, const field *f)
{
    char name[NAME];
    int dims[4], id, rank = 0;
    snprintf(name, sizeof name, "%s%s", strcmp(o->names, "short") == 0 ? "" : "x_", f->name);
    size_t chunk[4];
    const size_t lengths[4] = {1, 1, o->nlat, o->nlon};
    for (const char *c = o->order; *c; c++) {
        const int which = *c == 't' ? 0 : *c == 'z' ? 1 : *c == 'y' ? 2 : 3;
        if (which == 1 && !f->levels) continue;
        chunk[rank] = lengths[which];
        dims[rank++] = o->dims[which];
    }
    check(nc_def_var(file, name, o->packed ? NC_SHORT : NC_FLOAT, rank, dims, &id), name);
    if (o->deflate) check(nc_def_var_chunking(file, id, NC_CHUNKED, chunk), "chunks");
    if (o->deflate) check(nc_def_var_deflate(file, id, 1, 1, o->deflate), "deflate");
    put_text(file, id, "units", o->celsius ? f->celsius : f->units);
    if (strcmp(o->names, "cf") == 0) put_text(file, id, "standard_name", f->standard_name);
    put_packing(o, file, id, f);
    return id;
}

static void fill(const options *o, const field *f, size_t step, int rank, const int *which,
                 const size_t *count, size_t n, float *values)
{
    size_t index[4] = {step};
    for (size_t i = 0; i < n; i++) {
        size_t rest = i;
        for (int d = rank - 1; d >= 0; d--) {
            if (which[d] != 0) index[which[d]] = rest % count[d];
            rest /= count[d];
        }
        values[i] = (float)stored(o, f, index);
    }
}

/* All steps of a field, in the order of its dimensions. */
static void write_steps(const options *o, int file, int id, const field *f)
{
    size_t start[4] = {0}, count[4], n = 1;
    const size_t lengths[4] = {1, f->levels ? o->nlev : 1, o->nlat, o->nlon};
    int which[4], rank = 0, time = 0;
    for (const char *c = o->order; *c; c++) {
        const int dim = *c == 't' ? 0 : *c == 'z' ? 1 : *c == 'y' ? 2 : 3;
        if (dim == 1 && !f->levels) continue;
        if (dim == 0) time = rank;
        count[rank] = lengths[dim];
        n *= lengths[dim];
        which[rank++] = dim;
    }
    float *values = malloc(n * sizeof *values);
    for (size_t s = 0; s < o->steps; s++) {
        start[time] = s;
        if (s == 0 || !o->big) fill(o, f, s, rank, which, count, n, values);
        check(nc_put_vara_float(file, id, start, count, values), f->name);
    }
    free(values);
}

/* --- the file ------------------------------------------------------------------------------- */

static int define_axis(int file, const char *name, size_t n, nc_type type, int *dim,
                       const char *units)
{
    int id;
    check(nc_def_dim(file, name, n, dim), name);
    check(nc_def_var(file, name, type, 1, dim, &id), name);
    put_text(file, id, "units", units);
    return id;
}

static void define_levels(options *o, int file, int ids[3])
{
    const bool numbers = strcmp(o->levels, "numbers") == 0;
    const char *name = o->hybrid ? "level" : "pressure_level";
    ids[0] = define_axis(file, name, o->nlev, o->hybrid ? NC_INT : NC_DOUBLE, &o->dims[1],
                         o->hybrid    ? ""
                         : o->celsius ? "Pa"
                                      : "millibars");
    if (!o->hybrid || numbers) return;
    check(nc_def_var(file, "hyam", NC_DOUBLE, 1, &o->dims[1], &ids[1]), "hyam");
    check(nc_def_var(file, "hybm", NC_DOUBLE, 1, &o->dims[1], &ids[2]), "hybm");
    put_text(file, ids[1], "units", "Pa");
    if (strcmp(o->levels, "beside") == 0) return;
    put_text(file, ids[0], "standard_name", "atmosphere_hybrid_sigma_pressure_coordinate");
    put_text(file, ids[0], "formula_terms", "ap: hyam b: hybm ps: sp");
}

static void write_axes(const options *o, int file, int time, int lat, int lon, const int levels[3])
{
    double values[MOST_LEVELS];
    const double unit = strncmp(o->units, "days", 4) == 0 ? 24 : 1;
    for (size_t s = 0; s < o->steps; s++) {
        const double t = (double)(o->first_step + s) * o->hours / unit;
        check(nc_put_var1_double(file, time, &s, &t), "time");
    }
    check(nc_put_var_double(file, lat, o->lat), "latitude");
    check(nc_put_var_double(file, lon, o->lon), "longitude");
    for (size_t k = 0; k < o->nlev; k++) values[k] = o->celsius ? o->a[k] : o->a[k] / 100;
    check(o->hybrid ? nc_put_var_int(file, levels[0], o->number)
                    : nc_put_var_double(file, levels[0], values),
          "levels");
    if (levels[1] < 0) return;
    check(nc_put_var_double(file, levels[1], o->a), "hyam");
    check(nc_put_var_double(file, levels[2], o->b), "hybm");
}

int main(int argc, char **argv)
{
    options o = parse(argc, argv);
    int file, ids[sizeof fields / sizeof *fields], n = 0, levels[3] = {-1, -1, -1};
    const field *meant[sizeof fields / sizeof *fields];
    make_grid(&o);
    make_levels(&o);
    check(nc_create(o.path, NC_NETCDF4 | NC_CLOBBER, &file), o.path);
    const int time = define_axis(file, "time", NC_UNLIMITED, NC_DOUBLE, &o.dims[0], o.units);
    put_text(file, time, "calendar", o.calendar);
    define_levels(&o, file, levels);
    const int lat = define_axis(file, "latitude", o.nlat, NC_DOUBLE, &o.dims[2], "degrees_north");
    const int lon = define_axis(file, "longitude", o.nlon, NC_DOUBLE, &o.dims[3], "degrees_east");
    for (const char *at = o.fields; *at; n++) {
        const size_t length = strcspn(at, ",");
        meant[n] = find_field(at, length);
        ids[n] = define(&o, file, meant[n]);
        at += length + (at[length] == ',');
    }
    check(nc_enddef(file), "header");
    write_axes(&o, file, time, lat, lon, levels);
    for (int i = 0; i < n; i++) write_steps(&o, file, ids[i], meant[i]);
    check(nc_close(file), "closing");
    free(o.lat);
    free(o.lon);
    return 0;
}
