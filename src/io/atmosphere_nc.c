/* NetCDF files of the reader of reanalysis: looking through one, and reading pieces of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/size.h"
#include "io/atmosphere_internal.h"
#include "io/nc_internal.h"
#include "io/slab.h"

/* --- opening -------------------------------------------------------------------------------- */

static gwf_status hold(gwf_atm_file *file, gwf_error *err)
{
    if (file->users > 0) {
        file->users++;
        return GWF_OK;
    }
    if (gwf_nc_is_being_written(file->path)) /* by this process: it could be opened */
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: is being written by another program", file->path);
    GWF_TRY(gwf_nc_open(file->path, &file->nc, err));
    file->users = 1;
    return GWF_OK;
}

static void release(gwf_atm_file *file)
{
    if (--file->users == 0) gwf_nc_close(&file->nc, NULL);
}

/* --- which variable is which ---------------------------------------------------------------- */

typedef struct candidate {
    int fit;
    gwf_nc_variable v;
    char rival[GWF_ATM_NAME]; /* another variable that fits as well */
} candidate;

typedef struct finding {
    candidate best[GWF_QUANTITIES];
    gwf_nc_variable v; /* the one that is looked at */
    gwf_atm_layout layout;
    char standard_name[128], units[GWF_ATM_UNITS];
    bool along_grid; /* wind that need not be eastward, northward */
    int code;
} finding;

/* ECMWF's id of the parameter in table 128, where cfgrib, CDS or cdo wrote it. */
static int code_of(const gwf_nc *file, const gwf_nc_variable *v)
{
    double id = 0, table = 128;
    if (!gwf_nc_number(file, v, "GRIB_paramId", &id)) {
        if (!gwf_nc_number(file, v, "code", &id)) return 0;
        gwf_nc_number(file, v, "table", &table);
    }
    return table == 128 && id > 0 && id < 1e6 ? (int)id : 0;
}

static void note_found(gwf_atmosphere *atmosphere, const gwf_nc *file, const gwf_nc_variable *v)
{
    char text[256];
    int used = snprintf(text, sizeof text, "%.64s(", v->name);
    for (int i = 0; i < v->rank && used < 200; i++)
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "%s%.32s", i ? ", " : "", v->dims[i]);
    gwf_atm_note_found(atmosphere, "%s) in %s", text, file->path);
}

/* A variable that would be a quantity if its dimensions were others. */
static void note_why_not(gwf_atmosphere *atmosphere, const gwf_nc *file, const finding *f,
                         gwf_quantity quantity)
{
    char *text = atmosphere->why_not[quantity];
    if (text[0]) return;
    snprintf(text, sizeof atmosphere->why_not[quantity], "%.100s: variable %.40s: %s", file->path,
             f->v.name,
             f->layout.problem[0] ? f->layout.problem
             : f->along_grid      ? "its standard_name says wind along the axes of the "
                                    "grid; name it (u=NAME) if it is eastward, northward"
             : gwf_quantity_has_levels(quantity) ? "has no levels"
                                                 : "has levels, or one pressure level");
}

static void take_candidate(gwf_quantity quantity, int fit, finding *f)
{
    candidate *best = &f->best[quantity];
    if (fit > best->fit) {
        best->fit = fit;
        best->v = f->v;
        best->rival[0] = '\0';
    } else if (fit == best->fit) {
        snprintf(best->rival, sizeof best->rival, "%s", f->v.name);
    }
}

/* On grids of any kind wind may be along the grid's own axes; a name the user gives is believed. */
static bool is_along_grid(const char *standard_name)
{
    static const char *const names[] = {"x_wind", "y_wind", "grid_eastward_wind",
                                        "grid_northward_wind"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(standard_name, names[i]) == 0) return true;
    return false;
}

static void match(gwf_atmosphere *atmosphere, const gwf_nc *file, finding *f)
{
    const gwf_atm_layout *l = &f->layout;
    gwf_atm_label any = {f->v.name, f->standard_name, f->units, f->code, true, true}, now = any;
    now.upper = !l->problem[0] && l->level >= 0;
    now.surface = !l->problem[0] && (l->level < 0 || (f->v.shape[l->level] == 1 && !l->pressure));
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        if (!(atmosphere->wanted & GWF_QUANTITY_BIT(q))) continue;
        const char *mapped = gwf_atm_mapped(atmosphere->config, (gwf_quantity)q);
        const bool meant = mapped && strcmp(mapped, f->v.name) == 0;
        const bool fits = gwf_quantity_has_levels((gwf_quantity)q) ? now.upper : now.surface;
        const int fit = mapped          ? (meant && fits)
                        : f->along_grid ? 0
                                        : gwf_atm_fit((gwf_quantity)q, &now);
        if (fit > 0)
            take_candidate((gwf_quantity)q, fit, f);
        else if (mapped ? meant : gwf_atm_fit((gwf_quantity)q, &any) > 0)
            note_why_not(atmosphere, file, f, (gwf_quantity)q);
    }
}

/* A field of cells may have one dimension; a variable of its name is a coordinate. */
static bool may_be_field(const gwf_atmosphere *atmosphere, const gwf_nc_variable *v)
{
    return v->rank >= 2 || (v->rank == 1 && atmosphere->cells && strcmp(v->name, v->dims[0]) != 0);
}

static gwf_status look_at_all(gwf_atmosphere *atmosphere, const gwf_nc *file, finding *f,
                              gwf_error *err)
{
    int count = 0;
    GWF_TRY(gwf_nc_variable_count(file, &count, err));
    for (int i = 0; i < count; i++) {
        if (gwf_nc_variable_at(file, i, &f->v, NULL) != GWF_OK ||
            !may_be_field(atmosphere, &f->v) || !gwf_nc_is_number(gwf_nc_type_of(file, &f->v)))
            continue;
        gwf_atm_nc_layout(file, &f->v, atmosphere->cells > 0, &f->layout);
        gwf_nc_text(file, &f->v, "standard_name", f->standard_name, sizeof f->standard_name);
        gwf_nc_text(file, &f->v, "units", f->units, sizeof f->units);
        f->along_grid = atmosphere->cells && is_along_grid(f->standard_name);
        f->code = code_of(file, &f->v);
        note_found(atmosphere, file, &f->v);
        match(atmosphere, file, f);
    }
    return GWF_OK;
}

/* --- a piece of what was found -------------------------------------------------------------- */

static gwf_status check_choice(const gwf_nc *file, gwf_quantity quantity, const candidate *c,
                               gwf_error *err)
{
    if (!c->rival[0]) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT,
                    "%s: variables %.64s and %.64s may both be the %s: choose one with %s=NAME",
                    file->path, c->v.name, c->rival, gwf_quantity_text(quantity),
                    gwf_quantity_word(quantity));
}

/* Orography does not change, whatever time it is given. */
static gwf_status take_times(gwf_atmosphere *atmosphere, const gwf_nc *file,
                             const gwf_nc_variable *v, const gwf_atm_layout *layout,
                             gwf_atm_piece *piece, gwf_error *err)
{
    gwf_atm_times times;
    piece->steps = 1;
    if (piece->quantity == GWF_ZS) return GWF_OK;
    GWF_TRY(gwf_atm_nc_times(file, v, layout, &times, err));
    piece->timed = times.seconds;
    piece->steps = times.n;
    piece->seconds = times.seconds;
    piece->calendar = times.scale.calendar;
    if (piece->timed) gwf_atm_take_time_units(atmosphere, times.units, &times.scale);
    return GWF_OK;
}

static gwf_status make_piece(gwf_atmosphere *atmosphere, size_t index, gwf_quantity quantity,
                             const gwf_nc_variable *v, gwf_error *err)
{
    const gwf_nc *file = &atmosphere->files[index].nc;
    gwf_atm_layout l;
    gwf_atm_grid grid = {0};
    gwf_atm_levels levels = {0};
    gwf_atm_nc_layout(file, v, atmosphere->cells > 0, &l);
    gwf_atm_piece piece = {.quantity = quantity,
                           .file = index,
                           .rank = v->rank,
                           .cells = atmosphere->cells,
                           .nlev = 1,
                           .time_dim = l.time,
                           .level_dim = l.level,
                           .lat_dim = l.lat,
                           .lon_dim = l.lon};
    const bool upper = gwf_quantity_has_levels(quantity);
    snprintf(piece.name, sizeof piece.name, "%s", v->name);
    gwf_nc_text(file, v, "units", piece.units, sizeof piece.units);
    gwf_status status = take_times(atmosphere, file, v, &l, &piece, err);
    if (status == GWF_OK)
        status = piece.cells
                     ? gwf_atm_nc_cells(file, v, &l, piece.cells, &grid, err)
                     : gwf_atm_nc_grid(file, v, &l, atmosphere->grid.lat ? NULL : &atmosphere->log,
                                       &grid, &piece.order, err);
    if (status == GWF_OK && upper)
        status = gwf_atm_levels_read(file, v, l.level,
                                     atmosphere->levels.a ? NULL : &atmosphere->log, &levels, err);
    if (status == GWF_OK && upper) {
        piece.nlev = levels.n;
        piece.bottom_up = levels.bottom_up;
    }
    if (status == GWF_OK)
        status = gwf_atm_add(atmosphere, &piece, &grid, upper ? &levels : NULL, err);
    gwf_atm_grid_free(&grid);
    gwf_atm_levels_free(&levels);
    free(piece.seconds);
    return status;
}

static gwf_status scan_open(gwf_atmosphere *atmosphere, size_t index, finding *f, gwf_error *err)
{
    const gwf_nc *file = &atmosphere->files[index].nc;
    GWF_TRY(look_at_all(atmosphere, file, f, err));
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        if (f->best[q].fit == 0) continue;
        GWF_TRY(check_choice(file, (gwf_quantity)q, &f->best[q], err));
        GWF_TRY(make_piece(atmosphere, index, (gwf_quantity)q, &f->best[q].v, err));
    }
    return GWF_OK;
}

gwf_status gwf_atm_nc_scan(gwf_atmosphere *atmosphere, size_t index, gwf_error *err)
{
    finding *f = calloc(1, sizeof *f);
    if (!f)
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", atmosphere->files[index].path);
    gwf_status status = hold(&atmosphere->files[index], err);
    if (status == GWF_OK) {
        status = scan_open(atmosphere, index, f, err);
        release(&atmosphere->files[index]);
    }
    free(f);
    return status;
}

/* --- reading -------------------------------------------------------------------------------- */

/* What the file holds now is what it was looked through as; the stamp says so, this makes sure. */
static bool has_shape(const gwf_atm_piece *p, const gwf_nc_variable *v)
{
    if (v->rank != p->rank) return false;
    const bool across = p->cells ? gwf_atm_cells_of(v, p->time_dim, p->level_dim) == p->cells
                                 : v->shape[p->lat_dim] == p->order.file_nlat &&
                                       v->shape[p->lon_dim] == p->order.file_nlon;
    return across && (p->level_dim < 0 || p->nlev <= v->shape[p->level_dim]) &&
           (p->time_dim < 0 || p->steps <= v->shape[p->time_dim]);
}

gwf_status gwf_atm_nc_start(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, gwf_error *err)
{
    const gwf_atm_piece *p = cursor->piece;
    gwf_atm_file *file = &atmosphere->files[p->file];
    GWF_TRY(hold(file, err));
    gwf_status status = GWF_OK;
    if (!gwf_nc_variable_find(&file->nc, p->name, &cursor->v) || !has_shape(p, &cursor->v))
        status = gwf_fail(err, GWF_ERR_DATA, "%s: variable %s: changed since it was looked at",
                          file->path, p->name);
    if (status == GWF_OK)
        status = gwf_slab_open(&file->nc, &cursor->v, atmosphere->threads, &cursor->slab, err);
    if (status != GWF_OK) release(file);
    return status;
}

void gwf_atm_nc_stop(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor)
{
    gwf_slab_close(&cursor->slab);
    release(&atmosphere->files[cursor->piece->file]);
}

/* Steps between neighbours along a dimension of what was read. */
static size_t stride_of(const size_t *count, int rank, int dim)
{
    size_t stride = 1;
    for (int i = rank - 1; i > dim; i--) stride *= count[i];
    return stride;
}

/* The file's dimensions lie as (level, latitude, longitude) or (level, cells), all but the rows
 * (see flip) in the order handed out. */
static bool lies_as_handed_out(const gwf_atm_piece *p, const size_t *count, size_t levels)
{
    const gwf_atm_order *o = &p->order;
    if (p->cells)
        return levels == 1 ||
               (stride_of(count, p->rank, p->level_dim) == p->cells && !p->bottom_up);
    return (levels == 1 || (p->level_dim < p->lat_dim && !p->bottom_up)) &&
           p->lat_dim < p->lon_dim && !o->westward && o->lon_start == 0;
}

static void swap(float *a, float *b, size_t n)
{
    enum { BLOCK = 512 };
    float kept[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t bytes = (n - i < BLOCK ? n - i : BLOCK) * sizeof *kept;
        memcpy(kept, a + i, bytes);
        memcpy(a + i, b + i, bytes);
        memcpy(b + i, kept, bytes);
    }
}

/* Rows from north to south, which most reanalyses have, become those from south to north: in place,
 * as such files are large. */
static void flip(const gwf_atm_piece *p, size_t levels, float *values)
{
    const size_t rows = p->order.file_nlat, n = p->order.nlon;
    for (size_t k = 0; k < levels; k++, values += rows * n)
        for (size_t i = 0; i < rows / 2; i++) swap(values + i * n, values + (rows - 1 - i) * n, n);
}

static void arrange(const gwf_atm_piece *p, const size_t *count, size_t levels, const float *from,
                    float *to)
{
    if (p->cells) {
        const size_t inner = stride_of(count, p->rank, p->level_dim);
        gwf_atm_cells_arrange(from, p->cells / inner, levels, inner, p->bottom_up, to);
        return;
    }
    const size_t row = stride_of(count, p->rank, p->lat_dim);
    const size_t column = stride_of(count, p->rank, p->lon_dim);
    const size_t level = p->level_dim >= 0 ? stride_of(count, p->rank, p->level_dim) : 0;
    const size_t map = p->order.file_nlat * p->order.nlon;
    for (size_t k = 0; k < levels; k++) {
        const size_t at = p->bottom_up ? levels - 1 - k : k;
        gwf_atm_arrange(&p->order, from + at * level, row, column, to + k * map);
    }
}

gwf_status gwf_atm_nc_read(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, size_t step,
                           size_t level, size_t levels, float *values, gwf_error *err)
{
    const gwf_atm_piece *p = cursor->piece;
    size_t start[GWF_NC_RANK] = {0}, count[GWF_NC_RANK], n;
    for (int i = 0; i < p->rank; i++) count[i] = p->cells ? cursor->v.shape[i] : 1;
    if (p->time_dim >= 0) {
        start[p->time_dim] = step;
        count[p->time_dim] = 1;
    }
    if (p->level_dim >= 0) {
        start[p->level_dim] = p->bottom_up ? p->nlev - level - levels : level;
        count[p->level_dim] = levels;
    }
    if (!p->cells) {
        count[p->lat_dim] = p->order.file_nlat;
        count[p->lon_dim] = p->order.nlon; /* a repeated meridian stays in the file */
    }
    if (lies_as_handed_out(p, count, levels)) {
        GWF_TRY(gwf_slab_read(cursor->slab, start, count, values, err));
        if (!p->cells && p->order.north_first) flip(p, levels, values);
        return GWF_OK;
    }
    if (!gwf_size_product(count, p->rank, &n))
        return gwf_fail(err, GWF_ERR_MEMORY, "variable %s: too large", p->name);
    GWF_TRY(gwf_atm_scratch(atmosphere, n, err));
    GWF_TRY(gwf_slab_read(cursor->slab, start, count, atmosphere->scratch, err));
    arrange(p, count, levels, atmosphere->scratch, values);
    return GWF_OK;
}
