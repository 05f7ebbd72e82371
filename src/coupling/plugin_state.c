/* Results and, in a file, what a restart needs.
 *
 * The file (NetCDF-4): du, dv, dt (level, column), uw, vw (interface, column), flag (column), of
 * the last finished step, levels from top to bottom, columns by their number in the whole grid; the
 * same again as pending_* of a step that was started; global attributes with the times. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/plugin_internal.h"
#include "io/nc.h"
#include "io/part.h"

/* --- results in memory ---------------------------------------------------------------------- */

gwf_status plugin_results_create(const gwf_plugin *plugin, plugin_results *results, gwf_error *err)
{
    const size_t n = (size_t)plugin->columns.n + 1, levels = (size_t)plugin->levels;
    const bool heating = strcmp(plugin_options_of(plugin)->heating, "on") == 0;
    *results = (plugin_results){
        .du = calloc(levels * n, sizeof(double)),
        .dv = calloc(levels * n, sizeof(double)),
        .dt = heating ? calloc(levels * n, sizeof(double)) : NULL,
        .half_u = calloc((levels + 1) * n, sizeof(double)),
        .half_v = calloc((levels + 1) * n, sizeof(double)),
        .flag = malloc(n),
    };
    if (results->flag) memset(results->flag, GWF_FLAG_ZERO, n);
    if (results->du && results->dv && results->half_u && results->half_v && results->flag &&
        (results->dt || !heating))
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the results of %d columns",
                    plugin->columns.n);
}

void plugin_results_free(plugin_results *results)
{
    free(results->du);
    free(results->dv);
    free(results->dt);
    free(results->half_u);
    free(results->half_v);
    free(results->flag);
}

/* --- the whole grid on rank 0 --------------------------------------------------------------- */

typedef struct census {
    const gwf_plugin *plugin;
    bool root;
    size_t total;  /* columns of the whole grid */
    size_t here;   /* registered by all ranks together */
    int *id;       /* rank 0: of each, in the order of the ranks */
    double *row;   /* rank 0: (here), of one level */
    double *whole; /* rank 0: (levels + 1, total) */
    double *flag;  /* (columns of this rank) */
} census;

static void census_free(census *c)
{
    free(c->id);
    free(c->row);
    free(c->whole);
    free(c->flag);
}

/* Collective. */
static gwf_status census_take(gwf_plugin *plugin, census *c)
{
    gwf_error *err = &plugin->error;
    const int n = plugin->columns.n;
    double here = n;
    *c = (census){.plugin = plugin,
                  .root = gwf_comm_rank(plugin->comm) == 0,
                  .total = (size_t)plugin->transfer.total};
    GWF_TRY(gwf_comm_sum(plugin->comm, &here, 1, err));
    c->here = (size_t)here;
    c->flag = malloc(((size_t)n + 1) * sizeof *c->flag);
    if (c->root) {
        c->id = malloc((c->here + 1) * sizeof *c->id);
        c->row = malloc((c->here + 1) * sizeof *c->row);
        c->whole = calloc((size_t)(plugin->levels + 1) * c->total + 1, sizeof *c->whole);
    }
    const bool fine = c->flag && (!c->root || (c->id && c->row && c->whole));
    const gwf_status status =
        fine ? GWF_OK
             : gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu columns of %d levels", c->total,
                        plugin->levels);
    GWF_TRY(gwf_agree(plugin->comm, status, err));
    return gwf_comm_gather(plugin->comm, plugin->transfer.ids, (size_t)n * sizeof *c->id, c->id,
                           err);
}

/* values (rows, columns of a rank) of all ranks to whole (rows, total), or back. Collective. */
static gwf_status gather(const census *c, const double *values, int rows, gwf_error *err)
{
    const size_t n = (size_t)c->plugin->columns.n;
    for (size_t k = 0; k < (size_t)rows; k++) {
        GWF_TRY(gwf_comm_gather(c->plugin->comm, values + k * n, n * sizeof *values, c->row, err));
        for (size_t i = 0; c->root && i < c->here; i++)
            c->whole[k * c->total + (size_t)c->id[i]] = c->row[i];
    }
    return GWF_OK;
}

static gwf_status scatter(const census *c, double *values, int rows, gwf_error *err)
{
    const size_t n = (size_t)c->plugin->columns.n;
    for (size_t k = 0; k < (size_t)rows; k++) {
        for (size_t i = 0; c->root && i < c->here; i++)
            c->row[i] = c->whole[k * c->total + (size_t)c->id[i]];
        GWF_TRY(gwf_comm_scatter(c->plugin->comm, c->row, values + k * n, n * sizeof *values, err));
    }
    return GWF_OK;
}

/* --- what is in the file -------------------------------------------------------------------- */

enum { VARIABLES = 6, NAME = 32 };

static const struct {
    const char *name, *dims, *units;
} variables[VARIABLES] = {
    {"du", "level column", "m s-2"},  {"dv", "level column", "m s-2"},
    {"dt", "level column", "K s-1"},  {"uw", "interface column", "Pa"},
    {"vw", "interface column", "Pa"}, {"flag", "column", "1"},
};

static void list_values(const plugin_results *r, const census *c, double *values[VARIABLES],
                        int rows[VARIABLES])
{
    const int levels = c->plugin->levels;
    double *const all[VARIABLES] = {r->du, r->dv, r->dt, r->half_u, r->half_v, c->flag};
    const int counts[VARIABLES] = {levels, levels, levels, levels + 1, levels + 1, 1};
    memcpy(values, all, sizeof all);
    memcpy(rows, counts, sizeof counts);
}

static const char *full_name(const char *prefix, int v, char name[static NAME])
{
    snprintf(name, NAME, "%s%s", prefix, variables[v].name);
    return name;
}

/* Numbers of a plugin beside its fields; the same on all ranks. */
enum { LAST, ANY, ANY_DUE, PENDING, FATE, DUE, STEP, HEATING, NUMBERS };
static const char *const number_names[NUMBERS] = {"last", "any", "any_due", "pending",
                                                  "fate", "due", "step",    "heating"};

static void list_numbers(const gwf_plugin *plugin, double numbers[NUMBERS])
{
    const double all[NUMBERS] = {plugin->last,    plugin->any,           plugin->any_due,
                                 plugin->pending, plugin->fate,          plugin->due,
                                 plugin->step,    plugin->now.dt != NULL};
    memcpy(numbers, all, sizeof all);
}

/* --- saving --------------------------------------------------------------------------------- */

static gwf_status define_set(gwf_nc *file, const gwf_plugin *plugin, const char *prefix,
                             gwf_error *err)
{
    char name[NAME];
    for (int v = 0; v < VARIABLES; v++) {
        if (!plugin->now.dt && strcmp(variables[v].name, "dt") == 0) continue;
        GWF_TRY(gwf_nc_define_variable(file, full_name(prefix, v, name), GWF_NC_DOUBLE,
                                       variables[v].dims, 0, err));
        GWF_TRY(gwf_nc_put_text(file, name, "units", variables[v].units, err));
    }
    return GWF_OK;
}

static gwf_status define(gwf_nc *file, const census *c, bool pending, gwf_error *err)
{
    double numbers[NUMBERS];
    const gwf_plugin *plugin = c->plugin;
    list_numbers(plugin, numbers);
    GWF_TRY(gwf_nc_define_dimension(file, "column", c->total, err));
    GWF_TRY(gwf_nc_define_dimension(file, "level", (size_t)plugin->levels, err));
    GWF_TRY(gwf_nc_define_dimension(file, "interface", (size_t)plugin->levels + 1, err));
    GWF_TRY(define_set(file, plugin, "", err));
    if (pending) GWF_TRY(define_set(file, plugin, "pending_", err));
    GWF_TRY(gwf_nc_put_text(file, "", "title", "state of gwflux in a host model", err));
    GWF_TRY(gwf_nc_put_text(file, "", "gwflux_version", gwf_version(), err));
    GWF_TRY(gwf_nc_put_text(file, "", "model", plugin->engine->model.checksum, err));
    for (int i = 0; i < NUMBERS; i++)
        GWF_TRY(gwf_nc_put_number(file, "", number_names[i], numbers[i], err));
    return GWF_OK;
}

/* Collective: a rank 0 whose file failed still gathers; file is NULL elsewhere. */
static gwf_status save_set(gwf_nc *file, const census *c, const plugin_results *results,
                           const char *prefix, gwf_error *err)
{
    char name[NAME];
    double *values[VARIABLES];
    int rows[VARIABLES];
    for (int i = 0; i < c->plugin->columns.n; i++) c->flag[i] = results->flag[i];
    list_values(results, c, values, rows);
    for (int v = 0; v < VARIABLES; v++) {
        gwf_status status = GWF_OK;
        if (!values[v]) continue;
        GWF_TRY(gather(c, values[v], rows[v], err));
        if (file) status = gwf_nc_put_double(file, full_name(prefix, v, name), c->whole, err);
        GWF_TRY(gwf_agree(c->plugin->comm, status, err));
    }
    return GWF_OK;
}

static gwf_status save_sets(gwf_nc *file, const census *c, bool pending, gwf_error *err)
{
    GWF_TRY(save_set(file, c, &c->plugin->now, "", err));
    return pending ? save_set(file, c, &c->plugin->fresh, "pending_", err) : GWF_OK;
}

static gwf_status open_state(const char *path, gwf_part *part, gwf_nc *file, const census *c,
                             bool pending, gwf_error *err)
{
    GWF_TRY(gwf_part_open(path, true, part, err));
    GWF_TRY(gwf_part_create(part, err));
    GWF_TRY(gwf_nc_create(part->part, file, err));
    return define(file, c, pending, err);
}

static gwf_status close_state(gwf_part *part, gwf_nc *file, gwf_status status, gwf_error *err)
{
    if (file->id >= 0) {
        const gwf_status closed = gwf_nc_close(file, status == GWF_OK ? err : NULL);
        if (status == GWF_OK) status = closed;
    }
    if (status == GWF_OK) status = gwf_part_finish(part, err);
    if (status != GWF_OK && part->part) gwf_part_remove(part);
    gwf_part_free(part);
    return status;
}

static gwf_status save(gwf_plugin *plugin, const census *c, const char *path)
{
    gwf_error *err = &plugin->error;
    gwf_part part = {0};
    gwf_nc file = {.id = -1};
    const bool pending = plugin->pending && plugin->fate == FATE_COMPUTE;
    gwf_status status = c->root ? open_state(path, &part, &file, c, pending, err) : GWF_OK;
    status = gwf_agree(plugin->comm, status, err);
    if (status == GWF_OK) status = save_sets(c->root ? &file : NULL, c, pending, err);
    if (c->root) status = close_state(&part, &file, status, err);
    return gwf_agree(plugin->comm, status, err);
}

static gwf_status check_call(gwf_plugin *plugin, const char *call, const char *path)
{
    if (plugin->stage == STAGE_REGISTER)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "%s: gwf_plugin_ready() has not been called", call);
    if (!path) return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: no path given", call);
    return GWF_OK;
}

gwf_status gwf_plugin_save(gwf_plugin *plugin, const char *path)
{
    census c;
    if (!plugin || !plugin->comm) return GWF_ERR_ARGUMENT;
    GWF_TRY(gwf_agree(plugin->comm, check_call(plugin, "gwf_plugin_save()", path), &plugin->error));
    if (plugin->stage == STAGE_STARTED) {
        GWF_TRY(plugin_complete(plugin));
        plugin->pending = true;
    }
    gwf_status status = census_take(plugin, &c);
    if (status == GWF_OK) status = save(plugin, &c, path);
    census_free(&c);
    return status;
}

/* --- loading -------------------------------------------------------------------------------- */

static gwf_status check_size(const gwf_nc *file, const char *path, const char *name, size_t wanted,
                             gwf_error *err)
{
    size_t found = 0;
    if (gwf_nc_dimension_find(file, name, &found) && found == wanted) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %zu of dimension %s, this run has %zu", path, found,
                    name, wanted);
}

/* Rank 0: the file belongs to this run; its numbers. */
static gwf_status look_at_state(const gwf_nc *file, const census *c, const char *path,
                                double numbers[NUMBERS], gwf_error *err)
{
    char checksum[80] = "";
    const gwf_plugin *plugin = c->plugin;
    for (int i = 0; i < NUMBERS; i++)
        if (!gwf_nc_number(file, NULL, number_names[i], &numbers[i]))
            return gwf_fail(err, GWF_ERR_FORMAT,
                            "%s: not the state of a plugin: no global attribute %s", path,
                            number_names[i]);
    if (!(numbers[FATE] >= FATE_COMPUTE && numbers[FATE] <= FATE_HOST) || !(numbers[STEP] >= 0))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: attributes fate %g, step %g cannot be", path,
                        numbers[FATE], numbers[STEP]);
    GWF_TRY(check_size(file, path, "column", c->total, err));
    GWF_TRY(check_size(file, path, "level", (size_t)plugin->levels, err));
    gwf_nc_text(file, NULL, "model", checksum, sizeof checksum);
    if (strcmp(checksum, plugin->engine->model.checksum) != 0)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: of a run with another model file (SHA-256 %.12s..., this one's is "
                        "%.12s...)",
                        path, checksum, plugin->engine->model.checksum);
    if ((numbers[HEATING] != 0) == (plugin->now.dt != NULL)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH, "%s: of a run with option heating %s", path,
                    numbers[HEATING] != 0 ? "on" : "off");
}

static gwf_status read_variable(const gwf_nc *file, const char *path, const char *name, size_t n,
                                double *values, gwf_error *err)
{
    gwf_nc_variable v;
    if (!gwf_nc_variable_find(file, name, &v))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: no variable %s", path, name);
    return gwf_nc_get_double(file, &v, n, values, err);
}

static gwf_status load_set(const gwf_nc *file, const census *c, const char *path,
                           const char *prefix, plugin_results *results, gwf_error *err)
{
    char name[NAME];
    double *values[VARIABLES];
    int rows[VARIABLES];
    list_values(results, c, values, rows);
    for (int v = 0; v < VARIABLES; v++) {
        gwf_status status = GWF_OK;
        if (!values[v]) continue;
        if (file)
            status = read_variable(file, path, full_name(prefix, v, name),
                                   (size_t)rows[v] * c->total, c->whole, err);
        GWF_TRY(gwf_agree(c->plugin->comm, status, err));
        GWF_TRY(scatter(c, values[v], rows[v], err));
    }
    for (int i = 0; i < c->plugin->columns.n; i++)
        results->flag[i] =
            (unsigned char)(c->flag[i] >= 0 && c->flag[i] <= GWF_FLAG_HOST ? c->flag[i]
                                                                           : GWF_FLAG_ZERO);
    return GWF_OK;
}

static void take_numbers(gwf_plugin *plugin, const double numbers[NUMBERS])
{
    plugin->last = numbers[LAST];
    plugin->any = numbers[ANY] != 0;
    plugin->any_due = numbers[ANY_DUE] != 0;
    plugin->pending = numbers[PENDING] != 0;
    plugin->fate = (plugin_fate)numbers[FATE];
    plugin->due = numbers[DUE] != 0;
    plugin->step = numbers[STEP];
    plugin->stage = plugin->pending ? STAGE_STARTED : STAGE_READY;
    plugin->counters = (gwf_counters){0};
}

/* file: NULL but on rank 0. */
static gwf_status load_sets(gwf_plugin *plugin, const gwf_nc *file, const census *c,
                            const char *path)
{
    gwf_error *err = &plugin->error;
    double numbers[NUMBERS] = {0};
    const gwf_status status = file ? look_at_state(file, c, path, numbers, err) : GWF_OK;
    GWF_TRY(gwf_agree(plugin->comm, status, err));
    GWF_TRY(gwf_comm_broadcast(plugin->comm, numbers, sizeof numbers, 0, err));
    /* A file that turns out damaged must leave the present results as they are. */
    const bool pending = numbers[PENDING] != 0 && numbers[FATE] == FATE_COMPUTE;
    GWF_TRY(load_set(file, c, path, "", &plugin->fresh, err));
    const plugin_results now = plugin->now;
    plugin->now = plugin->fresh;
    plugin->fresh = now;
    if (pending) GWF_TRY(load_set(file, c, path, "pending_", &plugin->fresh, err));
    take_numbers(plugin, numbers);
    return GWF_OK;
}

gwf_status gwf_plugin_load(gwf_plugin *plugin, const char *path)
{
    census c;
    gwf_nc file = {.id = -1};
    if (!plugin || !plugin->comm) return GWF_ERR_ARGUMENT;
    gwf_error *err = &plugin->error;
    GWF_TRY(gwf_agree(plugin->comm, check_call(plugin, "gwf_plugin_load()", path), err));
    gwf_status status = GWF_OK;
    if (plugin->stage == STAGE_STARTED)
        status = gwf_fail(err, GWF_ERR_ARGUMENT,
                          "gwf_plugin_load(): the last step was started and not finished");
    GWF_TRY(gwf_agree(plugin->comm, status, err));
    status = census_take(plugin, &c);
    if (status == GWF_OK) {
        if (c.root) status = gwf_nc_open(path, &file, err);
        status = gwf_agree(plugin->comm, status, err);
    }
    if (status == GWF_OK) status = load_sets(plugin, c.root ? &file : NULL, &c, path);
    if (file.id >= 0) gwf_nc_close(&file, NULL);
    census_free(&c);
    return status;
}
