/* In the place of the library's, for test_arrays.f90: a plugin that looks at what it is handed.
 *
 * The value of a column i, j (from 0, in its block) at level k is CODE. gwf_put() counts those that
 * are not so, gwf_get() writes them, gwf_add() adds them. */
#include <stdlib.h>
#include <string.h>

#include "gwflux.h"

#define CODE(block, i, j, k) ((block)*10000000 + (i) + 100 * (j) + 10000 * (k))

enum { MOST_BLOCKS = 8 };

/* What a test looks at. */
int mock_blocks, mock_ni[MOST_BLOCKS], mock_nj[MOST_BLOCKS], mock_id[MOST_BLOCKS], mock_wrong,
    mock_seen, mock_levels, mock_communicator;
double mock_lat[MOST_BLOCKS], mock_lon[MOST_BLOCKS];
char mock_field[64], mock_units[64], mock_text[64];
extern gwf_window mock_window; /* a type with default values is defined on the Fortran side */

struct gwf_plugin {
    int nothing;
};

gwf_status gwf_plugin_create(int communicator, const char *path, const gwf_options *options,
                             gwf_plugin **plugin)
{
    mock_communicator = communicator;
    strncpy(mock_text, path, sizeof mock_text - 1);
    *plugin = calloc(1, sizeof **plugin);
    return options ? GWF_ERR_ARGUMENT : GWF_OK;
}

void gwf_plugin_free(gwf_plugin **plugin)
{
    free(*plugin);
    *plugin = NULL;
}

const char *gwf_plugin_message(const gwf_plugin *plugin)
{
    return plugin ? "the mock's message" : "no plugin";
}

/* The last column stands for all. */
gwf_status gwf_plugin_columns(gwf_plugin *plugin, const gwf_columns *columns, int *block)
{
    const int b = mock_blocks, n = columns->ni * columns->nj;
    if (!plugin || b == MOST_BLOCKS) return GWF_ERR_ARGUMENT;
    mock_ni[b] = columns->ni;
    mock_nj[b] = columns->nj;
    mock_lat[b] = n ? columns->lat[n - 1] : 0;
    mock_lon[b] = n ? columns->lon[n - 1] : 0;
    mock_id[b] = n && columns->id ? columns->id[n - 1] : -1;
    strncpy(mock_units, columns->units, sizeof mock_units - 1);
    *block = mock_blocks++;
    return GWF_OK;
}

/* The first and the last, added. */
gwf_status gwf_plugin_grid(gwf_plugin *plugin, int nlat, const double *lat, int nlon,
                           const double *lon)
{
    mock_lat[0] = lat[0] + 1000 * lat[nlat - 1];
    mock_lon[0] = lon[0] + 1000 * lon[nlon - 1];
    return plugin ? GWF_OK : GWF_ERR_ARGUMENT;
}

gwf_status gwf_plugin_levels(gwf_plugin *plugin, int levels, const double *a, const double *b)
{
    mock_levels = levels;
    mock_lat[0] = a ? a[levels - 1] : -1;
    mock_lon[0] = b ? b[levels - 1] : -1;
    return plugin ? GWF_OK : GWF_ERR_ARGUMENT;
}

static gwf_status each(const char *name, const char *units, const gwf_window *w,
                       const gwf_array *array,
                       void (*visit)(void *value, gwf_real kind, double code))
{
    strncpy(mock_field, name, sizeof mock_field - 1);
    strncpy(mock_units, units, sizeof mock_units - 1);
    mock_window = *w;
    mock_levels = array->levels;
    mock_seen = 0;
    mock_wrong = 0;
    for (int k = 0; k < array->levels; k++)
        for (int j = 0; j < w->nj; j++)
            for (int i = 0; i < w->ni; i++, mock_seen++) {
                const ptrdiff_t at =
                    i * array->stride_i + j * array->stride_j + k * array->stride_level;
                visit((char *)array->data + at * (ptrdiff_t)array->kind, array->kind,
                      CODE(w->block, w->i + i, w->j + j, k));
            }
    return GWF_OK;
}

static double value_of(const void *value, gwf_real kind)
{
    return kind == GWF_REAL32 ? (double)*(const float *)value : *(const double *)value;
}

static void set(void *value, gwf_real kind, double to)
{
    if (kind == GWF_REAL32)
        *(float *)value = (float)to;
    else
        *(double *)value = to;
}

static void compare(void *value, gwf_real kind, double code)
{
    mock_wrong += !(value_of(value, kind) == code);
}

static void add(void *value, gwf_real kind, double code)
{
    set(value, kind, value_of(value, kind) + code);
}

gwf_status gwf_put(gwf_plugin *plugin, const char *field, const char *units,
                   const gwf_window *window, const gwf_array *array)
{
    if (!plugin) return GWF_ERR_ARGUMENT;
    if (strcmp(field, "refused") == 0) return GWF_ERR_MISMATCH;
    return each(field, units, window, array, compare);
}

gwf_status gwf_get(gwf_plugin *plugin, const char *result, const char *units,
                   const gwf_window *window, const gwf_array *array)
{
    return plugin ? each(result, units, window, array, set) : GWF_ERR_ARGUMENT;
}

gwf_status gwf_add(gwf_plugin *plugin, const char *result, const char *units,
                   const gwf_window *window, const gwf_array *array)
{
    return plugin ? each(result, units, window, array, add) : GWF_ERR_ARGUMENT;
}

/* --- the rest: what was handed over comes back somehow -------------------------------------- */

void gwf_plugin_log(gwf_plugin *plugin, void (*write)(void *user, const char *line), void *user)
{
    if (plugin && write) write(user, "a line of the log");
}
gwf_status gwf_plugin_ready(gwf_plugin *plugin)
{
    return plugin ? GWF_OK : GWF_ERR_ARGUMENT;
}
int gwf_due(const gwf_plugin *plugin, double time)
{
    return plugin && time > 100;
}
gwf_status gwf_run(gwf_plugin *plugin, double time, double step)
{
    return plugin && time > step ? GWF_OK : GWF_ERR_ARGUMENT;
}
gwf_status gwf_start(gwf_plugin *plugin, double time, double step)
{
    return gwf_run(plugin, time, step);
}
gwf_status gwf_finish(gwf_plugin *plugin)
{
    return plugin ? GWF_OK : GWF_ERR_ARGUMENT;
}
static gwf_status keep(gwf_plugin *plugin, const char *path, const char *what)
{
    strcpy(mock_text, what);
    strncat(mock_text, path, sizeof mock_text - 10);
    return plugin ? GWF_OK : GWF_ERR_ARGUMENT;
}
gwf_status gwf_plugin_save(gwf_plugin *plugin, const char *path)
{
    return keep(plugin, path, "save ");
}
gwf_status gwf_plugin_load(gwf_plugin *plugin, const char *path)
{
    return keep(plugin, path, "load ");
}
gwf_status gwf_plugin_capture(gwf_plugin *plugin, const char *path)
{
    return keep(plugin, path, "capture ");
}
gwf_status gwf_plugin_counters(gwf_plugin *plugin, gwf_counters *counters)
{
    *counters = (gwf_counters){.steps = 7, .seconds = {0, 0, 0, 2.5}};
    return plugin ? GWF_OK : GWF_ERR_ARGUMENT;
}
gwf_status gwf_plugin_report(gwf_plugin *plugin, const char **text)
{
    *text = plugin ? "u 1\nv 2" : NULL;
    return plugin ? GWF_OK : GWF_ERR_ARGUMENT;
}
