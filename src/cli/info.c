/* gwflux info: what a model or data file holds, and what can compute here. */
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "cli/commands.h"
#include "io/atmosphere.h"
#include "io/nc.h"
#include "io/windset.h"
#include "model/model.h"

typedef struct arguments {
    const char *file;
    int backends;
} arguments;

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    {"FILE", 0, GWF_OPTION_TEXT, AT(file), "", 0, 0, NULL,
     "model file, reanalysis or WINDSET-style file, or an output of predict"},
    {"backends", 0, GWF_OPTION_FLAG, AT(backends), "", 0, 0, NULL,
     "what is built and usable on this machine"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

static void show_backends(void)
{
    const gwf_backend_config config = {.batch = 1};
    bool chosen = false;
    for (const gwf_backend *const *b = gwf_backends(); *b; b++) {
        gwf_context *context = NULL;
        gwf_error err = {0};
        const gwf_backend *opened = NULL;
        const bool usable = gwf_backend_start(*b, &config, &opened, &context, &err) == GWF_OK;
        printf("%-5s %s\n      %s%s\n", (*b)->name, (*b)->summary,
               usable ? opened->describe(context) : err.text,
               usable && !chosen ? " (auto takes this one)" : "");
        chosen = chosen || usable;
        if (usable) opened->close(context);
    }
}

/* "theta x122 (levels 16..137)": runs of one variable. */
static void show_channels(const char *title, const gwf_channel_table *t)
{
    printf("%s\n  %-9s %-8s %-13s %-9s %-12s %-22s %s\n", title, "channels", "variable", "levels",
           "units", "transform", "mu", "d");
    for (int i = 0, end; i < t->count; i = end) {
        const gwf_channel *c = &t->channels[i];
        char range[24], levels[24] = "-";
        for (end = i + 1; end < t->count && strcmp(t->channels[end].variable, c->variable) == 0;)
            end++;
        snprintf(range, sizeof range, end - 1 > i ? "%d-%d" : "%d", i, end - 1);
        if (c->level)
            snprintf(levels, sizeof levels, "%d-%d", c->level, t->channels[end - 1].level);
        printf("  %-9s %-8s %-13s %-9s %-12s %-22.17g %.17g\n", range, c->variable, levels,
               c->units, c->transform == GWF_CUBE_ROOT ? "cube root" : "linear", c->mu, c->d);
    }
}

static void explain_network(const gwf_model *m)
{
    const gwf_network *n = &m->network;
    const bool unet = strncmp(n->architecture, "attention", 9) == 0;
    printf("%s: %s of widths %s; %zu weights; %.2f GMAC for a map of %d x %d\n",
           strcmp(n->architecture, "ann_1x1") == 0 ? "column" : "nonlocal", n->architecture,
           n->widths, gwf_tensor_set_values(&m->set), gwf_network_macs(n, m->nlat, m->nlon) * 1e-9,
           m->nlat, m->nlon);
    printf("It reads %d normalised fields (feature set %s, vertical %s, recipe %s) and gives the\n"
           "vertical fluxes of eastward and northward momentum on %d levels, %s.\n",
           n->inputs, m->features, m->vertical, m->recipe, m->n_levels,
           m->flux_kind == GWF_RHO_UW ? "rho u'w' and rho v'w' in Pa (positive: upward)"
                                      : "u'omega' and v'omega' in Pa m s-2");
    if (unet)
        printf("Convolutions see %s beyond the map; rows and columns must be multiples of %d.\n",
               m->padding == GWF_PADDING_ZERO ? "zeros" : "the other side in longitude, zeros",
               n->divisor);
    printf("Made from %s.\n", m->source);
}

static gwf_status show_model(const char *path, gwf_error *err)
{
    gwf_model m;
    GWF_TRY(gwf_model_read(path, &stderr_log, &m, err));
    printf("%s: a gwflux model\n", path);
    explain_network(&m);
    printf("Grid of the training: %d x %d, lat %.2f to %.2f, lon %.2f to %.2f\n", m.nlat, m.nlon,
           m.lat[0], m.lat[m.nlat - 1], m.lon[0], m.lon[m.nlon - 1]);
    printf("Levels: %d to %d, %.2f to %.1f hPa at 1013.25 hPa\nSHA-256 %s\n", m.levels[0].number,
           m.levels[m.n_levels - 1].number, gwf_level_pressure(&m.levels[0], 101325) / 100,
           gwf_level_pressure(&m.levels[m.n_levels - 1], 101325) / 100, m.checksum);
    show_channels("Input", &m.in);
    show_channels("Output", &m.out);
    gwf_model_free(&m);
    return GWF_OK;
}

static gwf_status show_windset(const char *path, gwf_error *err)
{
    gwf_windset *file = NULL;
    double from = 0, to = 0;
    GWF_TRY(gwf_windset_open(path, &file, err));
    const gwf_windset_header *h = gwf_windset_header_of(file);
    const gwf_family *family = gwf_family_find((int)h->idim, (int)h->odim, h->text);
    const gwf_recipe *recipe = gwf_recipe_in_text(h->text);
    printf("%s: normalised features for gwflux predict\n", path);
    printf("%zu step%s, %zu channels in, %zu out%s, %zu x %zu points\n", h->steps,
           h->steps == 1 ? "" : "s", h->idim, h->odim, h->odim ? "" : " (features only)", h->nlat,
           h->nlon);
    printf("family   %s\n", family ? family->name : "unknown");
    if (family)
        printf("channels lat, lon, zs, then %d levels each of %s\n", family->levels,
               family->variables);
    printf("recipe   %s\n", h->recipe[0] ? h->recipe : recipe ? recipe->name : "not stated");
    if (h->coordinates)
        printf("grid     lat %.2f to %.2f, lon %.2f to %.2f\n", h->lat[0], h->lat[h->nlat - 1],
               h->lon[0], h->lon[h->nlon - 1]);
    gwf_status status = gwf_windset_time(file, 0, &from, err);
    if (status == GWF_OK) status = gwf_windset_time(file, h->steps - 1, &to, err);
    if (status == GWF_OK) printf("time     %g to %g\n", from, to);
    gwf_windset_close(&file);
    return status;
}

static void print_fluxes(const gwf_nc *file)
{
    static const char *const attributes[] = {"title",          "source",           "gwflux_network",
                                             "gwflux_recipe",  "gwflux_flux_kind", "gwflux_backend",
                                             "gwflux_version", "history"};
    static const char *const dims[] = {"time", "lev", "plev", "lat", "lon"};
    char text[512];
    size_t length = 0;
    printf("%s: fluxes predicted by gwflux\n", file->path);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        if (gwf_nc_dimension_find(file, dims[i], &length)) printf("%-17s %zu\n", dims[i], length);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (gwf_nc_text(file, NULL, attributes[i], text, sizeof text))
            printf("%-17s %s\n", attributes[i], text);
}

static void show_levels(const gwf_atmosphere_header *h)
{
    const double ps = 101325;
    if (!h->nlev) return;
    const size_t last = h->nlev - 1;
    printf("levels   %zu %s, %.4g to %.4g hPa%s\n", h->nlev,
           h->level_kind == GWF_LEVELS_HYBRID ? "hybrid levels" : "pressure levels",
           (h->a[0] + h->b[0] * ps) / 100, (h->a[last] + h->b[last] * ps) / 100,
           h->level_kind == GWF_LEVELS_HYBRID ? " at 1013.25 hPa" : "");
}

static void show_times(const gwf_atmosphere_header *h)
{
    char from[GWF_DATE_TEXT], to[GWF_DATE_TEXT];
    if (!h->timed) return;
    gwf_time_text(h->time_scale.calendar, h->seconds[0], from);
    gwf_time_text(h->time_scale.calendar, h->seconds[h->steps - 1], to);
    printf("time     %zu step%s, %s to %s, calendar %s\n", h->steps, h->steps == 1 ? "" : "s", from,
           to, h->time_calendar);
}

static gwf_status show_atmosphere(const char *path, gwf_error *err)
{
    gwf_atmosphere *file = NULL;
    const gwf_atmosphere_config config = {.paths = &path, .n_paths = 1, .log = &stderr_log};
    GWF_TRY(gwf_atmosphere_open(&config, &file, err));
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(file);
    printf("%s: fields of the atmosphere, for gwflux predict and prepare\n", path);
    for (int q = 0; q < GWF_QUANTITIES; q++)
        if (h->fields[q].found)
            printf("%-8s %s: variable %s, units '%s'\n", gwf_quantity_word((gwf_quantity)q),
                   gwf_quantity_text((gwf_quantity)q), h->fields[q].name, h->fields[q].units);
    show_levels(h);
    printf("grid     %zu x %zu, lat %.2f to %.2f, lon %.2f to %.2f\n", h->nlat, h->nlon, h->lat[0],
           h->lat[h->nlat - 1], h->lon[0], h->lon[h->nlon - 1]);
    show_times(h);
    gwf_atmosphere_close(&file);
    return GWF_OK;
}

/* What kind of NetCDF file it is. */
static gwf_status look_at(const char *path, bool *model, bool *made_here, gwf_error *err)
{
    gwf_nc file = {.id = -1};
    double version = 0;
    char text[8];
    GWF_TRY(gwf_nc_open(path, &file, err));
    *model = gwf_nc_number(&file, NULL, "gwflux_model_version", &version);
    *made_here = gwf_nc_text(&file, NULL, "gwflux_version", text, sizeof text);
    gwf_nc_close(&file, NULL);
    return GWF_OK;
}

static gwf_status show_fluxes(const char *path, gwf_error *err)
{
    gwf_nc file = {.id = -1};
    GWF_TRY(gwf_nc_open(path, &file, err));
    print_fluxes(&file);
    gwf_nc_close(&file, NULL);
    return GWF_OK;
}

static gwf_status show_file(const char *path, gwf_error *err)
{
    bool model = false, made_here = false, features = false;
    if (gwf_is_grib(path)) return show_atmosphere(path, err);
    GWF_TRY(look_at(path, &model, &made_here, err));
    if (model) return show_model(path, err);
    GWF_TRY(gwf_windset_recognise(path, &features, err));
    if (features) return show_windset(path, err);
    return made_here ? show_fluxes(path, err) : show_atmosphere(path, err);
}

static int run(int argc, char **argv)
{
    arguments a = {0};
    gwf_error err = {0};
    gwf_status status = args_parse(&command_info, argc, argv, &a, NULL, &err);
    if (status == GWF_OK && !a.backends && !a.file)
        status =
            gwf_fail(&err, GWF_ERR_ARGUMENT, "FILE or --backends is missing (see gwflux help)");
    if (status == GWF_OK && a.backends) show_backends();
    if (status == GWF_OK && a.file) status = show_file(a.file, &err);
    return report(status, &err);
}

const command command_info = {
    .name = "info",
    .summary = "explain a model or data file; --backends: what can compute here",
    .run = run,
    .table = table,
};
