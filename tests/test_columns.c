/* What is refused of a host's columns: each is named with its place, its id or its ranks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_case.h"
#include "test_mpi.h"

static void refuse_block(gwf_column_list *list, gwf_columns block, const char *words)
{
    gwf_error err = {0};
    const int n = list->n, n_blocks = list->n_blocks;
    CHECK_FAILS(gwf_column_list_add(list, &block, &err), GWF_ERR_ARGUMENT, err, words);
    CU_ASSERT_TRUE(list->n == n && list->n_blocks == n_blocks);
}

static void test_blocks(void)
{
    gwf_error err = {0};
    gwf_column_list list = {0};
    double lat[4] = {-90, 10, 20, 90}, lon[4] = {0, -720, 359, 720}, radians[4] = {1.6, 0, 0, 0};
    int id[4] = {1, 4, 3, 2}, none[4] = {1, 2, 0, 3};
    const gwf_columns good = {2, 2, lat, lon, "degrees", id};
    gwf_columns bad = good;
    CHECK_OK(gwf_column_list_add(&list, &good, &err), err);
    CHECK_OK(gwf_column_list_add(&list, &(gwf_columns){.ni = 3, .nj = 0}, &err), err);
    CU_ASSERT_TRUE(list.n == 4 && list.id[1] == 3 && list.lat[3] == 90 && list.lon[1] == -720);
    CU_ASSERT_TRUE(list.n_blocks == 2 && list.blocks[1].first == 4 && list.blocks[1].ni == 3);
    bad.units = "degree";
    refuse_block(&list, bad, "latitudes and longitudes in \"degree\", expected degrees or radians");
    bad = good;
    bad.id = NULL;
    refuse_block(&list, bad, "some blocks of columns have ids and others have none");
    bad.id = none;
    refuse_block(&list, bad, "column (0, 1) of the block: id 0, expected 1 or more");
    bad = good;
    bad.ni = -1;
    refuse_block(&list, bad, "a block of -1 x 2 columns");
    bad.ni = bad.nj = 1 << 16;
    refuse_block(&list, bad, "a block of 65536 x 65536 columns");
    bad = good;
    bad.lat = NULL;
    refuse_block(&list, bad, "columns without latitudes or longitudes");
    bad.lat = radians;
    bad.units = "radians";
    refuse_block(&list, bad, "column (0, 0) of the block: latitude 91.67");
    bad = good;
    lat[2] = NAN;
    refuse_block(&list, bad,
                 "column (0, 1) of the block: latitude nan degrees, expected -90 to 90");
    lat[2] = 0;
    lon[3] = 721;
    refuse_block(&list, bad, "column (1, 1) of the block: longitude 721 degrees");
    gwf_column_list_free(&list);
    CU_ASSERT_TRUE(list.n == 0 && !list.blocks);
}

/* A host in latitude bands, spoilt by the caller. */
static gwf_transfer_plan plan_of(const host *h, const gwf_column_list *list)
{
    return (gwf_transfer_plan){.columns = list,
                               .host = h->grid.nlat ? &h->grid : NULL,
                               .network = &h->network,
                               .tile = tile_of(HALVES, test_rank(), test_ranks()),
                               .remap = "auto",
                               .remap_back = "auto",
                               .weights = h->weights,
                               .weights_back = h->weights_back,
                               .rows_in = 2,
                               .rows_back = 2};
}

static void refuse(const gwf_transfer_plan *p, gwf_status status, const char *words)
{
    gwf_error err = {0};
    gwf_transfer t;
    CHECK_FAILS(gwf_transfer_create(test_comm(), p, &t, &err), status, err, words);
    CU_ASSERT_TRUE(!t.in && !t.back && !t.to_cells && !t.to_columns && !t.ids);
}

static gwf_column_list banded(const host *h)
{
    ids mine = ids_of(BANDS, h->columns.n, test_rank());
    gwf_column_list list = register_columns(h, mine);
    free(mine.id);
    return list;
}

static void test_missing_and_twice(void)
{
    char words[160];
    gwf_error err = {0};
    const double lat[1] = {-5}, lon[1] = {25};
    const int last = test_ranks() - 1, home = (8 * 36 + 2) * test_ranks() / (18 * 36);
    host h = make_host(COARSE);
    gwf_column_list list = banded(&h);
    const gwf_transfer_plan p = plan_of(&h, &list);
    if (test_rank() == last)
        CHECK_OK(gwf_column_list_add(&list, &(gwf_columns){1, 1, lat, lon, "degrees", NULL}, &err),
                 err);
    snprintf(words, sizeof words, "column 291 (latitude -5, longitude 25) is registered %s rank %d",
             home == last ? "twice on" : "on", home);
    refuse(&p, GWF_ERR_DATA, words);
    gwf_column_list_free(&list);
    list = banded(&h);
    if (test_rank() == last) list.n--;
    refuse(&p, GWF_ERR_DATA, "column 648 (latitude 85, longitude 355) is on no rank");
    gwf_column_list_free(&list);
    free_host(&h);
}

/* Also where the network needs nothing of it. */
static void test_missing_unneeded(void)
{
    host h = {FINE, case_gaussian(NLAT, NLON), case_regular(73, 90, -2.5, 144, 0, 2.5), {0}, "",
              ""};
    h.columns = points_of_grid(&h.grid);
    gwf_column_list list = banded(&h);
    gwf_transfer_plan p = plan_of(&h, &list);
    p.remap = "bilinear";
    if (test_rank() == test_ranks() - 1) list.n--;
    refuse(&p, GWF_ERR_DATA, "column 10512 (latitude -90, longitude 357.5) is on no rank");
    gwf_column_list_free(&list);
    free_host(&h);
}

static void test_off_the_grid(void)
{
    host native = make_host(NATIVE), fine = make_host(FINE);
    gwf_column_list list = banded(&native);
    gwf_transfer_plan p = plan_of(&native, &list);
    const bool last = test_rank() == test_ranks() - 1;
    if (last) list.lat[list.n - 1] -= 0.02;
    if (last) list.lon[list.n - 1] = -5.625;
    refuse(&p, GWF_ERR_DATA,
           "at latitude 85.7406, longitude -5.625 is not on the network's grid, whose nearest "
           "point is at latitude 85.7606, longitude 354.375");
    list.n = 0;
    refuse(&p, GWF_ERR_DATA, "column 1 (latitude -85.7606, longitude 0) is on no rank");
    gwf_column_list_free(&list);
    list = banded(&fine);
    p = plan_of(&fine, &list);
    if (last) list.id[list.n - 1]--;
    refuse(&p, GWF_ERR_DATA,
           "has the id 2663, but is number 2664 of the host's grid (longitudes fastest)");
    gwf_column_list_free(&list);
    list = banded(&native);
    p.columns = &list;
    refuse(&p, GWF_ERR_DATA, "is not on the host's grid");
    gwf_column_list_free(&list);
    free_host(&native);
    free_host(&fine);
}

/* Half a globe. */
static void test_not_covered(void)
{
    host h = make_host(COARSE);
    gwf_column_list list = {0};
    const gwf_grid part = case_regular(9, 5, 10, 36, 5, 10);
    gwf_transfer_plan p = plan_of(&h, &list);
    p.host = &part;
    refuse(&p, GWF_ERR_DATA, "the source's latitudes 5 to 85 do not reach latitude -85.76");
    p.remap = "conservative";
    refuse(&p, GWF_ERR_DATA, "do not cover the cell at latitude -85.76");
    ((double *)part.lat)[4] = NAN;
    refuse(&p, GWF_ERR_DATA, "the host's grid: latitude 4 is nan");
    case_free(&(gwf_grid){.lat = part.lat, .lon = part.lon});
    free_host(&h);
}

static void test_wrong_weights(void)
{
    host h = make_host(UNSTRUCTURED), native = make_host(NATIVE);
    gwf_column_list list = banded(&h), other = banded(&native);
    gwf_transfer_plan p = plan_of(&h, &list);
    const bool last = test_rank() == test_ranks() - 1;
    if (last) list.lat[list.n - 1] -= 0.02;
    refuse(&p, GWF_ERR_MISMATCH, "has the id 3000, which");
    refuse(&p, GWF_ERR_MISMATCH, "to_network.nc has at 88.52");
    if (last) list.lat[list.n - 1] += 0.02;
    if (last) list.id[list.n - 1] = 3000;
    refuse(&p, GWF_ERR_MISMATCH, "has the id 3001, ");
    if (last) list.id[list.n - 1] = 0;
    refuse(&p, GWF_ERR_MISMATCH, "has the id 1, which");
    p.weights = p.weights_back; /* the wrong way round */
    refuse(&p, GWF_ERR_MISMATCH,
           "from_network.nc: the network's grid: 32 x 64 = 2048 cells, the weights have 3000");
    p.weights = "";
    refuse(&p, GWF_ERR_ARGUMENT,
           "weights from the network's grid without weights to it: both are needed");
    p.weights = test_scratch_of_all("absent.nc");
    refuse(&p, GWF_ERR_NOT_FOUND, "absent.nc");
    p.weights = h.weights;
    p.host = &native.network;
    refuse(&p, GWF_ERR_ARGUMENT, "weight files and a grid of latitudes and longitudes");
    p.host = NULL;
    p.columns = &other;
    refuse(&p, GWF_ERR_ARGUMENT, "columns without ids: weight files count by ids");
    gwf_column_list_free(&list);
    gwf_column_list_free(&other);
    free_host(&h);
    free_host(&native);
}

/* Weight files whose cells are not all covered, or that are to other columns. */
static void test_incomplete_weights(void)
{
    host h = make_host(UNSTRUCTURED);
    points fewer = points_spiral(200), cells = points_of_grid(&h.network);
    gwf_column_list list = banded(&h);
    gwf_transfer_plan p = plan_of(&h, &list);
    p.weights_back = test_scratch_of_all("fewer.nc");
    if (test_rank() == 0) {
        point_links *links = points_link(&cells, &fewer);
        points_write(p.weights_back, &cells, &fewer, links);
        free(links);
        links = points_link(&cells, &h.columns);
        h.columns.lat[7] += 0.02;
        points_write(test_scratch_of_all("moved.nc"), &cells, &h.columns, links);
        h.columns.lat[7] -= 0.02;
        links[2999].weight[0] = links[2999].weight[1] = 0;
        points_write(test_scratch_of_all("holes.nc"), &cells, &h.columns, links);
        free(links);
    }
    test_barrier();
    refuse(&p, GWF_ERR_MISMATCH, "fewer.nc to 200");
    p.weights_back = test_scratch_of_all("moved.nc");
    refuse(&p, GWF_ERR_MISMATCH, "moved.nc has at -84.248");
    p.weights_back = test_scratch_of_all("holes.nc");
    refuse(&p, GWF_ERR_DATA, "holes.nc: weights: those of destination cell 2999");
    gwf_column_list_free(&list);
    points_free(&fewer);
    points_free(&cells);
    free_host(&h);
}

int main(void)
{
    static const test_case cases[] = {
        {"weight files", write_weights},
        {"blocks of columns", test_blocks},
        {"missing and twice", test_missing_and_twice},
        {"missing, not needed", test_missing_unneeded},
        {"off the grid", test_off_the_grid},
        {"not covered", test_not_covered},
        {"wrong weights", test_wrong_weights},
        {"incomplete weights", test_incomplete_weights},
    };
    return test_run_ranks("columns", cases, sizeof cases / sizeof *cases);
}
