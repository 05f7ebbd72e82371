/* Fields of a host's columns to the network's grid and back: from any decomposition the same bits;
 * copies, remapped maps, weighted sums, constants and winds are what they should be. */
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "fields/remap.h"
#include "host_case.h"
#include "test_mpi.h"

/* Rows of a field: scalars (the last one a constant), u, v. */
enum { SCALARS = 20, WINDS = 3, ROWS = SCALARS + 2 * WINDS };

/* --- one way and back ----------------------------------------------------------------------- */

/* Fields on points: (ROWS, n). */
static float *make_fields(int n, unsigned long long seed)
{
    float *x = calloc((size_t)ROWS * (size_t)n + 1, sizeof *x);
    if (!x) abort();
    for (int i = 0; i < ROWS * n; i++) x[i] = (float)case_random(&seed);
    for (int i = 0; i < n; i++) x[(SCALARS - 1) * n + i] = 273.15f;
    return x;
}

static bool plan(const gwf_comm *comm, const host *h, const gwf_column_list *list, gwf_tile tile,
                 gwf_transfer *t)
{
    gwf_error err = {0};
    const gwf_transfer_plan p = {.columns = list,
                                 .host = h->grid.nlat ? &h->grid : NULL,
                                 .network = &h->network,
                                 .tile = tile,
                                 .remap = "auto",
                                 .remap_back = "auto",
                                 .weights = h->weights,
                                 .weights_back = h->weights_back,
                                 .rows_in = ROWS,
                                 .rows_back = ROWS,
                                 .threads = 1 + test_rank() % 2};
    CHECK_OK(gwf_transfer_create(comm, &p, t, &err), err);
    return t->in;
}

/* Fields of the whole grid (ROWS, total), of which this rank has `mine`, to n destinations. */
static void carry(gwf_route *route, gwf_links *links, const float *whole, int total, ids mine,
                  int n, float *to)
{
    gwf_error err = {0};
    float *values = gwf_route_values(route);
    const gwf_route_place *out = gwf_route_out(route);
    for (int i = 0; i < mine.n; i++)
        for (int k = 0; k < ROWS && out[i].first != GWF_NOWHERE; k++)
            values[out[i].first + (size_t)k * out[i].stride] = whole[k * total + mine.id[i]];
    const long before = test_allocations();
    CHECK_OK(gwf_route_begin(route, &err), err);
    CHECK_OK(gwf_route_end(route, &err), err);
    const gwf_rows u = {values, SCALARS, WINDS}, v = {values, SCALARS + WINDS, WINDS};
    float *const uv[2] = {to + SCALARS * n, to + (SCALARS + WINDS) * n};
    gwf_links_apply(links, (gwf_rows){values, 0, SCALARS}, to, (size_t)n);
    gwf_links_apply_wind(links, (gwf_rows[2]){u, v}, uv, (size_t)n);
    CU_ASSERT_EQUAL(test_allocations(), before);
}

static ids range_of(int n)
{
    ids all = {n, calloc((size_t)n, sizeof *all.id)};
    if (!all.id) abort();
    for (int i = 0; i < n; i++) all.id[i] = i;
    return all;
}

/* Both ways on one rank: what the others' answers are held against. */
typedef struct truth {
    float *columns, *cells;       /* given: (ROWS, columns), (ROWS, CELLS) */
    float *to_cells, *to_columns; /* what becomes of them */
    char description[256];
} truth;

static truth make_truth(const host *h)
{
    gwf_error err = {0};
    gwf_comm *alone = NULL;
    gwf_transfer t = {0};
    const int n = h->columns.n;
    truth x = {make_fields(n, 5), make_fields(CELLS, 6), make_fields(CELLS, 7), make_fields(n, 8),
               ""};
    ids columns = range_of(n), cells = range_of(CELLS);
    gwf_column_list list = register_columns(h, columns);
    CHECK_OK(gwf_comm_alone(&alone, &err), err);
    if (plan(alone, h, &list, (gwf_tile){0, NLAT, 0, NLON}, &t)) {
        carry(t.in, t.to_cells, x.columns, n, columns, CELLS, x.to_cells);
        carry(t.back, t.to_columns, x.cells, CELLS, cells, n, x.to_columns);
        CU_ASSERT_EQUAL(t.total, n);
        snprintf(x.description, sizeof x.description, "%s", t.description);
    }
    gwf_transfer_free(&t);
    gwf_column_list_free(&list);
    gwf_comm_free(&alone);
    free(columns.id);
    free(cells.id);
    return x;
}

static void free_truth(truth *x)
{
    free(x->columns);
    free(x->cells);
    free(x->to_cells);
    free(x->to_columns);
}

static int different(const float *x, int n, const float *whole, int total, const int *id)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < ROWS; k++)
            count += memcmp(&x[k * n + i], &whole[k * total + id[i]], sizeof *x) != 0;
    return count;
}

static void go(const host *h, const truth *x, decomposition spread, cut how)
{
    const int total = h->columns.n;
    const gwf_tile tile = tile_of(how, test_rank(), test_ranks());
    ids mine = ids_of(spread, total, test_rank());
    ids cells = {tile.rows * tile.cols, calloc(CELLS, sizeof *cells.id)};
    for (int i = 0; i < cells.n; i++) cells.id[i] = cell_of(tile, i);
    gwf_column_list list = register_columns(h, mine);
    float *on_cells = make_fields(cells.n, 1), *on_columns = make_fields(mine.n, 2);
    gwf_transfer t = {0};
    if (plan(test_comm(), h, &list, tile, &t)) {
        carry(t.in, t.to_cells, x->columns, total, mine, cells.n, on_cells);
        carry(t.back, t.to_columns, x->cells, CELLS, cells, mine.n, on_columns);
        const int in = different(on_cells, cells.n, x->to_cells, CELLS, cells.id);
        const int back = different(on_columns, mine.n, x->to_columns, total, mine.id);
        if (in || back)
            fprintf(stderr, "\n  host %d, spread %d, cut %d: %d and %d differ\n", h->which, spread,
                    how, in, back);
        CU_ASSERT_TRUE(in == 0 && back == 0);
        CU_ASSERT_EQUAL(memcmp(t.ids, mine.id, (size_t)mine.n * sizeof *t.ids), 0);
    }
    gwf_transfer_free(&t);
    CU_ASSERT_TRUE(!t.in && !t.ids);
    gwf_column_list_free(&list);
    free(mine.id);
    free(cells.id);
    free(on_cells);
    free(on_columns);
}

static void test_decompositions(void)
{
    for (int which = 0; which < HOSTS; which++) {
        host h = make_host((host_case)which);
        truth x = make_truth(&h);
        for (int spread = 0; spread < PARTITIONS; spread++)
            for (int how = 0; how < CUTS; how++) go(&h, &x, (decomposition)spread, (cut)how);
        free_truth(&x);
        free_host(&h);
    }
}

/* --- what one rank makes of it is right ----------------------------------------------------- */

static void check_constants(const truth *x, int n)
{
    for (int i = 0; i < CELLS; i++)
        CU_ASSERT_EQUAL(x->to_cells[(SCALARS - 1) * CELLS + i], 273.15f);
    for (int i = 0; i < n; i++) CU_ASSERT_EQUAL(x->to_columns[(SCALARS - 1) * n + i], 273.15f);
}

static void test_native(void)
{
    host h = make_host(NATIVE);
    truth x = make_truth(&h);
    const size_t bytes = (size_t)ROWS * CELLS * sizeof(float);
    CU_ASSERT_EQUAL(memcmp(x.columns, x.to_cells, bytes), 0);
    CU_ASSERT_EQUAL(memcmp(x.cells, x.to_columns, bytes), 0);
    CU_ASSERT_STRING_EQUAL(x.description, "columns on the network's own grid");
    free_truth(&x);
    free_host(&h);
}

/* As whole maps are remapped; winds too, unless rows at the poles hold no vectors. */
static void check_remap(gwf_remap_kind kind, const gwf_grid *from, const gwf_grid *to,
                        const float *given, const float *got)
{
    gwf_error err = {0};
    gwf_remap *remap = NULL;
    const size_t n = (size_t)to->nlat * (size_t)to->nlon,
                 m = (size_t)from->nlat * (size_t)from->nlon;
    const size_t u = SCALARS, v = SCALARS + WINDS;
    float *y = calloc(ROWS * n, sizeof *y);
    CHECK_OK(gwf_remap_create(kind, from, to, 1, &remap, &err), err);
    if (remap) gwf_remap_apply(remap, given, y, SCALARS);
    CHECK_AT_MOST(test_relative_l2(got, y, SCALARS * n), 1e-7);
    if (remap)
        gwf_remap_apply_wind(remap, given + u * m, given + v * m, y + u * n, y + v * n, WINDS);
    if (fabs(from->lat[0]) < 90)
        CHECK_AT_MOST(test_relative_l2(got + u * n, y + u * n, 2 * WINDS * n), 1e-7);
    gwf_remap_free(&remap);
    free(y);
}

static void test_grids(void)
{
    const gwf_remap_kind area = GWF_REMAP_CONSERVATIVE, line = GWF_REMAP_BILINEAR;
    for (int which = FINE; which <= COARSE; which++) {
        host h = make_host((host_case)which);
        truth x = make_truth(&h);
        check_remap(which == FINE ? area : line, &h.grid, &h.network, x.columns, x.to_cells);
        check_remap(which == FINE ? line : area, &h.network, &h.grid, x.cells, x.to_columns);
        check_constants(&x, h.columns.n);
        CU_ASSERT_STRING_EQUAL(
            x.description,
            which == FINE
                ? "columns on 37 x 72 points: conservative to the network's grid, bilinear back"
                : "columns on 18 x 36 points: bilinear to the network's grid, conservative back");
        free_truth(&x);
        free_host(&h);
    }
}

static void check_sums(const points *from, const points *to, const float *given, const float *got)
{
    point_links *links = points_link(from, to);
    double most = 0;
    for (int k = 0; k < SCALARS; k++)
        for (int i = 0; i < to->n; i++) {
            double sum = 0;
            for (int m = 0; m < POINTS_NEAR; m++)
                sum += links[i].weight[m] * (double)given[k * from->n + links[i].source[m]];
            most = fmax(most, fabs(sum - (double)got[k * to->n + i]) / fmax(1, fabs(sum)));
        }
    CHECK_AT_MOST(most, 1e-6);
    free(links);
}

static void test_weights(void)
{
    host h = make_host(UNSTRUCTURED);
    truth x = make_truth(&h);
    points cells = points_of_grid(&h.network);
    check_sums(&h.columns, &cells, x.columns, x.to_cells);
    check_sums(&cells, &h.columns, x.cells, x.to_columns);
    check_constants(&x, h.columns.n);
    points_free(&cells);
    free_truth(&x);
    free_host(&h);
}

/* --- winds ---------------------------------------------------------------------------------- */

/* Rotation about three axes in the wind rows, over the poles among them. */
static float *rotations(const points *p)
{
    static const double axes[WINDS][3] = {{0, 0, 1}, {0.8, -0.6, 0}, {0.48, 0.36, 0.8}};
    float *x = make_fields(p->n, 3);
    for (int a = 0; a < WINDS; a++)
        for (int i = 0; i < p->n; i++) {
            double u, v;
            case_rotation(axes[a], p->lat[i], p->lon[i], &u, &v);
            x[(SCALARS + a) * p->n + i] = (float)u;
            x[(SCALARS + WINDS + a) * p->n + i] = (float)v;
        }
    return x;
}

/* Largest error of a wind of speed 1. */
static double wind_error(const points *p, const float *got)
{
    double most = 0;
    float *exact = rotations(p);
    for (int a = 0; a < WINDS; a++)
        for (int i = 0; i < p->n; i++) {
            const int u = (SCALARS + a) * p->n + i, v = (SCALARS + WINDS + a) * p->n + i;
            const double d =
                hypot((double)got[u] - (double)exact[u], (double)got[v] - (double)exact[v]);
            if (!(d <= most)) most = d;
        }
    free(exact);
    return most;
}

/* What is left is what interpolation over 5 degrees and means over 10 do. */
static void test_winds(void)
{
    static const double limit_in[HOSTS] = {0, 0.006, 0.008, 0.005},
                        limit_back[HOSTS] = {0, 0.003, 0.04, 0.006};
    for (int which = 0; which < HOSTS; which++) {
        host h = make_host((host_case)which);
        points cells = points_of_grid(&h.network);
        truth x = make_truth(&h);
        ids columns = range_of(h.columns.n), all = range_of(CELLS);
        gwf_comm *alone = NULL;
        gwf_transfer t = {0};
        gwf_column_list list = register_columns(&h, columns);
        gwf_comm_alone(&alone, NULL);
        float *from = rotations(&h.columns), *back = rotations(&cells);
        if (plan(alone, &h, &list, (gwf_tile){0, NLAT, 0, NLON}, &t)) {
            carry(t.in, t.to_cells, from, h.columns.n, columns, CELLS, x.to_cells);
            carry(t.back, t.to_columns, back, CELLS, all, h.columns.n, x.to_columns);
        }
        CHECK_AT_MOST(wind_error(&cells, x.to_cells), limit_in[which]);
        CHECK_AT_MOST(wind_error(&h.columns, x.to_columns), limit_back[which]);
        gwf_transfer_free(&t);
        gwf_column_list_free(&list);
        gwf_comm_free(&alone);
        free(columns.id);
        free(all.id);
        free(from);
        free(back);
        points_free(&cells);
        free_truth(&x);
        free_host(&h);
    }
}

int main(void)
{
    static const test_case cases[] = {
        {"weight files", write_weights}, {"the network's own grid", test_native},
        {"two grids", test_grids},       {"by weights", test_weights},
        {"winds", test_winds},           {"any decomposition", test_decompositions},
    };
    return test_run_ranks("transfer", cases, sizeof cases / sizeof *cases);
}
