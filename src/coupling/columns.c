#include "coupling/columns.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* --- one block ------------------------------------------------------------------------------ */

/* Degrees in one of what the block's are in; 0: neither degrees nor radians. */
static double factor_of(const char *units)
{
    if (!units) return 0;
    if (strcmp(units, "degrees") == 0) return 1;
    return strcmp(units, "radians") == 0 ? 180 / 3.14159265358979323846 : 0;
}

static gwf_status check_block(const gwf_column_list *list, const gwf_columns *block, gwf_error *err)
{
    if (block->ni < 0 || block->nj < 0 || (block->nj && block->ni > INT_MAX / block->nj) ||
        block->ni * block->nj > INT_MAX - list->n)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "a block of %d x %d columns, expected 0 or more, and all together to count "
                        "in an int",
                        block->ni, block->nj);
    if (block->ni * block->nj == 0) return GWF_OK;
    if (!block->lat || !block->lon)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "columns without latitudes or longitudes");
    if (factor_of(block->units) == 0)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "latitudes and longitudes in \"%s\", expected degrees or radians",
                        block->units ? block->units : "");
    if (list->n && !list->id != !block->id)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "some blocks of columns have ids and others have none");
    return GWF_OK;
}

static gwf_status check_column(const gwf_columns *block, int i, int j, gwf_error *err)
{
    const double slack = 1e-6, factor = factor_of(block->units); /* they may come as floats */
    const int at = j * block->ni + i;
    const double lat = factor * block->lat[at], lon = factor * block->lon[at];
    if (!(fabs(lat) <= 90 + slack))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "column (%d, %d) of the block: latitude %g degrees, expected -90 to 90", i,
                        j, lat);
    if (!(fabs(lon) <= 720 + slack))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "column (%d, %d) of the block: longitude %g degrees, expected -720 to 720",
                        i, j, lon);
    if (block->id && block->id[at] < 1)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "column (%d, %d) of the block: id %d, expected 1 or more", i, j,
                        block->id[at]);
    return GWF_OK;
}

/* --- the list ------------------------------------------------------------------------------- */

static gwf_status make_room(gwf_column_list *list, int more, bool ids, gwf_error *err)
{
    const size_t n = (size_t)list->n + (size_t)more;
    gwf_block *blocks = realloc(list->blocks, ((size_t)list->n_blocks + 1) * sizeof *blocks);
    double *lat = realloc(list->lat, (n + 1) * sizeof *lat);
    double *lon = realloc(list->lon, (n + 1) * sizeof *lon);
    int *id = ids ? realloc(list->id, (n + 1) * sizeof *id) : NULL;
    if (blocks) list->blocks = blocks;
    if (lat) list->lat = lat;
    if (lon) list->lon = lon;
    if (id) list->id = id;
    if (blocks && lat && lon && (id || !ids)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu columns", n);
}

gwf_status gwf_column_list_add(gwf_column_list *list, const gwf_columns *block, gwf_error *err)
{
    GWF_TRY(check_block(list, block, err));
    for (int j = 0; j < block->nj; j++)
        for (int i = 0; i < block->ni; i++) GWF_TRY(check_column(block, i, j, err));
    const int n = block->ni * block->nj;
    const double factor = factor_of(block->units);
    GWF_TRY(make_room(list, n, n && block->id, err));
    for (int k = 0; k < n; k++) {
        list->lat[list->n + k] = factor * block->lat[k];
        list->lon[list->n + k] = factor * block->lon[k];
        if (block->id) list->id[list->n + k] = block->id[k] - 1;
    }
    list->blocks[list->n_blocks++] = (gwf_block){list->n, block->ni, block->nj};
    list->n += n;
    return GWF_OK;
}

void gwf_column_list_free(gwf_column_list *list)
{
    free(list->lat);
    free(list->lon);
    free(list->id);
    free(list->blocks);
    *list = (gwf_column_list){0};
}
