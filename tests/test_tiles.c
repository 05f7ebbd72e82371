/* Tiles: the arithmetic of cutting, and that a map computed in tiles is the map computed whole. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/share.h"
#include "model/checkpoint.h"
#include "test_mpi.h"

/* ---- cutting (local) ---- */

static void check_cover(gwf_tiling t, int nlat, int nlon)
{
    int *covered = calloc((size_t)(nlat * nlon), sizeof *covered), wrong = 0;
    for (int r = 0; r < t.rows * t.cols; r++) {
        const gwf_tile tile = gwf_tile_of(t, nlat, nlon, r);
        wrong += tile.rows % 16 || tile.cols % 16 || tile.rows < 16 || tile.cols < 16;
        for (int y = tile.row; y < tile.row + tile.rows; y++)
            for (int x = tile.col; x < tile.col + tile.cols; x++) covered[y * nlon + x]++;
    }
    for (int i = 0; i < nlat * nlon; i++) wrong += covered[i] != 1;
    CU_ASSERT_EQUAL(wrong, 0);
    free(covered);
}

static void test_cutting(void)
{
    gwf_tiling t = {0, 0};
    gwf_error err = {0};
    const struct {
        const char *text;
        int ranks, nlat, nlon, rows, cols;
    } good[] = {
        {"auto", 1, 64, 128, 1, 1},       {"auto", 2, 64, 128, 2, 1},
        {"auto", 4, 64, 128, 4, 1},       {"auto", 8, 64, 128, 4, 2},
        {"auto", 32, 64, 128, 4, 8},      {"auto", 7, 64, 128, 1, 7},
        {"auto", 6, 192, 288, 6, 1},      {"auto", 1, 33, 65, 1, 1},
        {"auto", 16, 2048, 2048, 4, 4}, /* rows of 512 are long enough */
        {"3x5", 15, 64, 128, 3, 5},       {"4x1", 0, 64, 128, 4, 1},
        {"12x18", 216, 192, 288, 12, 18},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_OK(gwf_tiling_find(good[i].text, good[i].ranks, good[i].nlat, good[i].nlon, &t, &err),
                 err);
        CU_ASSERT_TRUE(t.rows == good[i].rows && t.cols == good[i].cols);
        if (t.rows * t.cols > 1) check_cover(t, good[i].nlat, good[i].nlon);
    }
    CHECK_FAILS(gwf_tiling_find("auto", 33, 64, 128, &t, &err), GWF_ERR_MISMATCH, err, "33 tiles");
    CHECK_FAILS(gwf_tiling_find("5x1", 5, 64, 128, &t, &err), GWF_ERR_MISMATCH, err, "5x1");
    CHECK_FAILS(gwf_tiling_find("2x2", 3, 64, 128, &t, &err), GWF_ERR_ARGUMENT, err, "for 3 ranks");
    CHECK_FAILS(gwf_tiling_find("2x1", 2, 72, 128, &t, &err), GWF_ERR_MISMATCH, err, "multiples");
    const char *const bad[] = {"",      "2",   "2x",   "x2",  "2x2x",
                               "-1x-1", "0x4", "2 x2", "axb", "99999x1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_FAILS(gwf_tiling_find(bad[i], 0, 64, 128, &t, &err), GWF_ERR_ARGUMENT, err,
                    "ROWSxCOLUMNS");
}

/* ---- whole and in tiles ---- */

typedef struct tile_case {
    const char *checkpoint;
    gwf_padding padding;
    int nlat, nlon;
    int least_ranks, most_ranks; /* others leave it out: all ranks may share a core or two */
} tile_case;

static const tile_case tile_cases[] = {
    {"golden/unet.pt", GWF_PADDING_ZERO, 64, 128, 2, 32},
    {"golden/unet.pt", GWF_PADDING_PERIODIC_LON, 64, 128, 2, 32},
    {"golden/unet_3d.pt", GWF_PADDING_PERIODIC_LON, 32, 64, 2, 8},
    {"golden/unet.pt", GWF_PADDING_ZERO, 192, 288, 6, 6},
    {"golden/ann_1x1.pt", GWF_PADDING_ZERO, 32, 48, 1, 6},
    {"golden/ann_3x3.pt", GWF_PADDING_ZERO, 32, 48, 2, 6},
    {"golden/ann_5x5.pt", GWF_PADDING_ZERO, 48, 32, 2, 6},
};

/* An engine around a bare network: its maps are computed, not normalised. */
static gwf_engine *make_engine(const tile_case *c, const char *backend, const gwf_comm *comm,
                               gwf_tiling tiling)
{
    gwf_error err = {0};
    gwf_checkpoint_info info;
    gwf_engine *engine = calloc(1, sizeof *engine);
    gwf_model *model = &engine->model;
    model->padding = c->padding;
    CHECK_OK(gwf_checkpoint_read(test_data(c->checkpoint), &model->set, &info, NULL, &err), err);
    CHECK_OK(
        gwf_network_build(&model->set, (gwf_edges){c->padding, 0, 0}, NULL, &model->network, &err),
        err);
    const gwf_domain grid = {.nlat = c->nlat, .nlon = c->nlon, .comm = comm, .tiling = tiling};
    gwf_options *options = gwf_options_create();
    gwf_options_set(options, "backend", backend);
    gwf_options_set(options, "threads", "1");
    CHECK_OK(gwf_engine_plan(engine, options, &grid, NULL), engine->error);
    gwf_options_free(&options);
    return engine;
}

static float *some_values(size_t n)
{
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)sin(0.37 * (double)i + 1e-3 * (double)(i % 77));
    return values;
}

/* The map by this rank alone. */
static float *predict_whole(const tile_case *c, const char *backend, float **features)
{
    gwf_error err = {0};
    gwf_engine *engine = make_engine(c, backend, NULL, (gwf_tiling){1, 1});
    const size_t plane = (size_t)(c->nlat * c->nlon);
    float *whole = malloc(plane * (size_t)engine->model.network.outputs * sizeof *whole);
    *features = some_values(plane * (size_t)engine->model.network.inputs);
    CHECK_OK(gwf_engine_run(engine, 1, (const float *const *)features, &whole, &err), err);
    gwf_free(&engine);
    return whole;
}

static void compare(const char *backend, const tile_case *c, gwf_tiling tiling, const float *whole,
                    const float *tiled, size_t n)
{
    size_t different = 0;
    const double error = test_relative_l2(tiled, whole, n);
    for (size_t i = 0; i < n; i++) different += !(whole[i] == tiled[i]);
    const bool fine = strcmp(backend, "ref") == 0 ? different == 0 : error <= 1e-6;
    if (!fine)
        fprintf(stderr, "\n  %s, %s %s, %d x %d in %d x %d tiles: relative error %g, %zu differ\n",
                backend, c->checkpoint, gwf_padding_name(c->padding), c->nlat, c->nlon, tiling.rows,
                tiling.cols, error, different);
    CU_ASSERT_TRUE(fine);
}

/* One tiling: rank 0 runs two maps (the second finds used buffers; one of a large grid), the others
 * serve. */
static void check_tiling(const tile_case *c, const char *backend, gwf_tiling tiling,
                         const float *features, const float *whole)
{
    gwf_error err = {0};
    gwf_engine *engine = make_engine(c, backend, test_comm(), tiling);
    if (whole) {
        const size_t n = (size_t)(c->nlat * c->nlon) * (size_t)engine->model.network.outputs;
        float *tiled = malloc(n * sizeof *tiled);
        for (int i = 0; i < (c->nlat > 64 ? 1 : 2); i++) {
            memset(tiled, 0xff, n * sizeof *tiled);
            CHECK_OK(gwf_engine_run(engine, 1, (const float *const *)&features, &tiled, &err), err);
            compare(backend, c, tiling, whole, tiled, n);
        }
        CHECK_OK(gwf_engine_dismiss(engine, &err), err);
        free(tiled);
    } else {
        CHECK_OK(gwf_engine_serve(engine, NULL, &err), err);
    }
    gwf_free(&engine);
}

static void check_case(const tile_case *c, const char *backend)
{
    const int ranks = test_ranks();
    gwf_error err = {0};
    float *features = NULL, *whole = NULL;
    if (ranks < c->least_ranks || ranks > c->most_ranks) return;
    if (test_rank() == 0) whole = predict_whole(c, backend, &features);
    for (int rows = 1; rows <= ranks; rows++) {
        gwf_tiling t;
        char text[32];
        if (c->nlat > 64 && rows != 2) continue; /* one cut of a large grid is enough */
        snprintf(text, sizeof text, "%dx%d", rows, ranks / rows);
        if (ranks % rows || gwf_tiling_find(text, ranks, c->nlat, c->nlon, &t, &err) != GWF_OK)
            continue;
        check_tiling(c, backend, t, features, whole);
    }
    free(features);
    free(whole);
}

static void test_bitwise(void)
{
    for (size_t i = 0; i < sizeof tile_cases / sizeof *tile_cases; i++)
        check_case(&tile_cases[i], "ref");
}

static void test_fastest(void)
{
    for (size_t i = 0; i < sizeof tile_cases / sizeof *tile_cases; i++)
        check_case(&tile_cases[i], "auto");
}

/* ---- moving maps ---- */

/* Every tile gets its part of the map, and they make the map again. */
static void check_mover(gwf_tiling tiling)
{
    enum { CHANNELS = 3 };
    gwf_error err = {0};
    gwf_tiles t;
    gwf_mover *mover = NULL;
    const int nlat = 16 * tiling.rows + 16, nlon = 16 * tiling.cols + 32;
    const size_t plane = (size_t)(nlat * nlon);
    float *whole = malloc(CHANNELS * plane * sizeof *whole), *tile = malloc(CHANNELS * plane * 4);
    size_t wrong = 0, at = 0;
    gwf_tiles_place(test_comm(), tiling, nlat, nlon, true, &t);
    CHECK_OK(gwf_mover_create(&t, CHANNELS, &mover, &err), err);
    for (size_t i = 0; i < CHANNELS * plane; i++) whole[i] = (float)i;
    CHECK_OK(gwf_mover_scatter(mover, test_rank() ? NULL : whole, tile, &err), err);
    for (size_t c = 0; c < CHANNELS; c++)
        for (int y = 0; y < t.mine.rows; y++)
            for (int x = 0; x < t.mine.cols; x++, at++) {
                const int point = (t.mine.row + y) * nlon + t.mine.col + x;
                wrong += !(tile[at] == (float)(c * plane + (size_t)point));
                tile[at] += 1;
            }
    CHECK_OK(gwf_mover_gather(mover, tile, test_rank() ? NULL : whole, &err), err);
    for (size_t i = 0; i < CHANNELS * plane && test_rank() == 0; i++)
        wrong += !(whole[i] == (float)i + 1);
    CU_ASSERT_EQUAL(wrong, 0);
    gwf_mover_free(&mover);
    free(whole);
    free(tile);
}

static void test_mover(void)
{
    for (int rows = 1; rows <= test_ranks(); rows++)
        if (test_ranks() % rows == 0) check_mover((gwf_tiling){rows, test_ranks() / rows});
}

/* ---- a rank that fails ---- */

static gwf_status fail_run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    (void)context;
    (void)step;
    return gwf_fail(err, GWF_ERR_BACKEND, "broken on purpose");
}

/* A shared engine put together by hand, because its backend is broken on the last rank. */
static void make_broken_engine(gwf_engine *engine, gwf_backend *backend, gwf_tiling tiling)
{
    gwf_error err = {0};
    gwf_checkpoint_info info;
    const gwf_backend_config config = {.threads = 1, .batch = 1};
    const gwf_domain grid = {.nlat = 64, .nlon = 128, .comm = test_comm(), .tiling = tiling};
    gwf_share *share = &engine->share;
    *backend = gwf_backend_ref;
    if (test_rank() == test_ranks() - 1) backend->run = fail_run;
    engine->backend = backend;
    engine->nlat = grid.nlat;
    engine->nlon = grid.nlon;
    CHECK_OK(
        gwf_checkpoint_read(test_data("golden/unet.pt"), &engine->model.set, &info, NULL, &err),
        err);
    CHECK_OK(backend->open(&config, &engine->context, &err), err);
    CHECK_OK(gwf_share_create(&engine->model, &grid, share, &err), err);
    const gwf_site site = {
        backend, engine->context, share->tiles.mine.rows, share->tiles.mine.cols, &share->tiles,
        NULL};
    CHECK_OK(gwf_plan_create(&engine->model.network, &site, &engine->plan, &err), err);
}

/* All still exchange their borders, so that the map ends, and the failure becomes everyone's. */
static void test_failing_rank(void)
{
    gwf_error err = {0};
    gwf_tiling t;
    gwf_backend backend;
    char named[32];
    gwf_engine *engine = calloc(1, sizeof *engine);
    const int ranks = test_ranks();
    snprintf(named, sizeof named, "rank %d: broken on purpose", ranks - 1);
    if (ranks > 1 && ranks <= 8) {
        CHECK_OK(gwf_tiling_find("auto", ranks, 64, 128, &t, &err), err);
        make_broken_engine(engine, &backend, t);
        if (test_rank() == 0) {
            float *features = some_values(366 * 64 * 128);
            float *prediction = malloc(244 * 64 * 128 * sizeof *prediction);
            CHECK_FAILS(
                gwf_engine_run(engine, 1, (const float *const *)&features, &prediction, &err),
                GWF_ERR_BACKEND, err, named);
            CHECK_OK(gwf_engine_dismiss(engine, &err), err);
            free(features);
            free(prediction);
        } else {
            CHECK_FAILS(gwf_engine_serve(engine, NULL, &err), GWF_ERR_BACKEND, err, named);
        }
    }
    gwf_free(&engine);
}

int main(void)
{
    static const test_case tests[] = {
        {"cutting", test_cutting},
        {"maps to tiles and back", test_mover},
        {"ref in tiles is bitwise ref whole", test_bitwise},
        {"the fastest backend within 1e-6", test_fastest},
        {"a failure on one rank is everyone's", test_failing_rank},
    };
    return test_run_ranks("tiles", tests, sizeof tests / sizeof *tests);
}
