/* gwflux plot: a map of a predicted flux. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/picture.h"
#include "cli/commands.h"
#include "io/flux_reader.h"

typedef struct arguments {
    const char *file, *output, *variable, *level;
    int step;
} arguments;

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    {"FILE", 0, GWF_OPTION_TEXT, AT(file), NULL, 0, 0, NULL, "output of predict"},
    {"output", 'o', GWF_OPTION_TEXT, AT(output), NULL, 0, 0, NULL,
     "picture to write: .png, .pdf or .svg; replaced when it exists"},
    {"variable", 0, GWF_OPTION_TEXT, AT(variable), "uw", 0, 0, NULL, "uw or vw"},
    {"level", 0, GWF_OPTION_TEXT, AT(level), "10", 0, 0, NULL,
     "pressure in hPa; the nearest level is taken"},
    {"step", 0, GWF_OPTION_INT, AT(step), "0", 0, 1000000000, NULL, "counted from 0"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

static gwf_status parse_level(const char *text, double *pressure, gwf_error *err)
{
    char *end = NULL;
    *pressure = strtod(text, &end);
    if (end != text && !*end && *pressure > 0 && *pressure < 2000) return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT, "option level: expected a pressure in hPa, found %s",
                    text);
}

static const char *momentum(const char *variable)
{
    return strcmp(variable, "uw") == 0   ? "eastward momentum"
           : strcmp(variable, "vw") == 0 ? "northward momentum"
                                         : "momentum";
}

/* Fluxes are of the order of 1 mPa (or mPa m s-2). */
static gwf_status draw(const gwf_flux_map *map, const char *path, gwf_error *err)
{
    char title[160], caption[400], legend[64];
    const gwf_picture p = {.title = title,
                           .caption = caption,
                           .legend = legend,
                           .nlat = map->nlat,
                           .nlon = map->nlon,
                           .lat = map->lat,
                           .lon = map->lon,
                           .values = map->values};
    for (size_t i = 0; i < map->nlat * map->nlon; i++) map->values[i] *= 1000;
    const gwf_picture_numbers n = gwf_picture_measure(&p);
    snprintf(legend, sizeof legend, "m%s, positive: %s", map->units,
             strcmp(map->units, "Pa") == 0 ? "upward" : "downward"); /* omega is downward */
    snprintf(title, sizeof title, "Gravity-wave flux of %s, %s, at %.3g hPa",
             momentum(map->variable), map->variable, map->pressure);
    snprintf(caption, sizeof caption, "%s;   global mean %.3g m%s;   largest magnitude %.3g m%s",
             map->time, n.mean, map->units, n.largest, map->units);
    GWF_TRY(gwf_picture_draw(&p, path, err));
    printf("%s: %s at %.4g hPa, %s\n", path, map->variable, map->pressure, map->time);
    return GWF_OK;
}

static gwf_status plot(const arguments *a, gwf_error *err)
{
    double pressure = 0;
    gwf_flux_map map;
    GWF_TRY(parse_level(a->level, &pressure, err));
    GWF_TRY(gwf_flux_map_read(a->file, a->variable, pressure, (size_t)a->step, &map, err));
    const gwf_status status = draw(&map, a->output, err);
    gwf_flux_map_free(&map);
    return status;
}

static int run(int argc, char **argv)
{
    arguments a = {0};
    gwf_error err = {0};
    gwf_status status = args_parse(&command_plot, argc, argv, &a, NULL, &err);
    if (status == GWF_OK) status = plot(&a, &err);
    return report(status, &err);
}

const command command_plot = {
    .name = "plot",
    .summary = "draw a map of a predicted flux over coastlines",
    .run = run,
    .table = table,
};
