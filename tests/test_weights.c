/* Weight files of both layouts: what is read, what is refused. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/weights.h"
#include "weights_case.h"

static void check_good(const char *path, const weights_case *truth)
{
    gwf_error err = {0};
    gwf_weights w;
    CHECK_OK(gwf_weights_read(path, &w, &err), err);
    CU_ASSERT_EQUAL(w.n_source, 4);
    CU_ASSERT_EQUAL(w.n_destination, 2);
    CU_ASSERT_EQUAL_FATAL(w.n_links, 5);
    for (int k = 0; k < 5; k++) {
        CU_ASSERT_EQUAL(w.source[k], truth->source[k] - 1);
        CU_ASSERT_EQUAL(w.destination[k], truth->destination[k] - 1);
        CU_ASSERT_EQUAL(w.weight[k], truth->weight[k * truth->each]);
    }
    const double factor = strcmp(truth->units, "radians") == 0 ? 180 / acos(-1) : 1;
    for (int i = 0; i < 4; i++) {
        CHECK_AT_MOST(fabs(w.source_lat[i] - factor * truth->source_lat[i]), 1e-12);
        CHECK_AT_MOST(fabs(w.source_lon[i] - factor * truth->source_lon[i]), 1e-12);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_AT_MOST(fabs(w.destination_lat[i] - factor * truth->destination_lat[i]), 1e-12);
        CHECK_AT_MOST(fabs(w.destination_lon[i] - factor * truth->destination_lon[i]), 1e-12);
    }
    gwf_weights_free(&w);
    gwf_weights_free(&w);
}

static void both_layouts(void)
{
    const char *path = test_scratch("weights.nc");
    weights_case w = weights_good();
    weights_write(path, &w, false);
    check_good(path, &w);
    weights_write(path, &w, true);
    check_good(path, &w);
    w.each = 3;
    for (int i = 0; i < 15; i++) w.weight[i] = i;
    w.units = "radians";
    w.source_lon[3] = 4.7;
    weights_write(path, &w, true);
    check_good(path, &w);
}

static void refuse(const weights_case *w, bool scrip, gwf_status status, const char *words)
{
    gwf_error err = {0};
    gwf_weights weights;
    const char *path = test_scratch("bad.nc");
    weights_write(path, w, scrip);
    CHECK_FAILS(gwf_weights_read(path, &weights, &err), status, err, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "bad.nc: "));
    CU_ASSERT_PTR_NULL(weights.weight);
    CU_ASSERT_PTR_NULL(weights.source);
}

static void what_is_absent(void)
{
    static const char *const esmf[] = {"row", "col", "S", "xc_a", "yc_b", "n_a", "n_b", "n_s"};
    static const char *const scrip[] = {
        "src_address",         "dst_address",   "remap_matrix",  "src_grid_center_lon",
        "dst_grid_center_lat", "src_grid_size", "dst_grid_size", "num_links"};
    for (int i = 0; i < 16; i++) {
        weights_case w = weights_good();
        w.leave_out = i < 8 ? esmf[i] : scrip[i - 8];
        if (strcmp(w.leave_out, "num_links") == 0) continue; /* remap_matrix needs it */
        refuse(&w, i >= 8, GWF_ERR_FORMAT, w.leave_out);
    }
    gwf_error err = {0};
    gwf_weights weights;
    CHECK_FAILS(gwf_weights_read("/nowhere.nc", &weights, &err), GWF_ERR_NOT_FOUND, err, "nowhere");
    FILE *f = fopen(test_scratch("text.nc"), "w");
    fputs("not NetCDF at all", f);
    fclose(f);
    CHECK_FAILS(gwf_weights_read(test_scratch("text.nc"), &weights, &err), GWF_ERR_FORMAT, err,
                "text.nc");
}

static void what_is_wrong(void)
{
    weights_case w = weights_good();
    w.source[2] = 5;
    refuse(&w, false, GWF_ERR_FORMAT, "variable col: link 2 is to cell 5, expected 1 to 4");
    w = weights_good();
    w.destination[4] = 0;
    refuse(&w, true, GWF_ERR_FORMAT, "variable dst_address: link 4 is to cell 0, expected 1 to 2");
    w.destination[4] = -2147483647 - 1;
    refuse(&w, false, GWF_ERR_FORMAT, "variable row: link 4");
    w = weights_good();
    w.weight[3] = NAN;
    refuse(&w, false, GWF_ERR_FORMAT, "variable S: value 3 is not finite");
    w = weights_good();
    w.destination_lat[1] = INFINITY;
    refuse(&w, true, GWF_ERR_FORMAT, "dst_grid_center_lat: value 1 is not finite");
    w = weights_good();
    w.units = "metres";
    refuse(&w, false, GWF_ERR_FORMAT, "units \"metres\"");
    w = weights_good();
    w.each = 2;
    refuse(&w, true, GWF_ERR_UNSUPPORTED, "2 weights a link");
}

/* Lengths that do not fit one another. */
static void wrong_lengths(void)
{
    gwf_error err = {0};
    gwf_weights weights;
    gwf_nc f;
    const char *path = test_scratch("lengths.nc");
    CHECK_OK(gwf_nc_create(path, &f, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "n_a", 4, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "n_b", (size_t)GWF_WEIGHTS_MOST + 1, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "n_s", 5, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "S", GWF_NC_DOUBLE, "n_a", 0, &err), err);
    CHECK_OK(gwf_nc_close(&f, &err), err);
    CHECK_FAILS(gwf_weights_read(path, &weights, &err), GWF_ERR_FORMAT, err, "dimension n_b has");
    CHECK_OK(gwf_nc_create(path, &f, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "n_a", 4, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "n_b", 2, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "n_s", 5, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "S", GWF_NC_DOUBLE, "n_s", 0, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "col", GWF_NC_INT, "n_a", 0, &err), err);
    CHECK_OK(gwf_nc_close(&f, &err), err);
    CHECK_FAILS(gwf_weights_read(path, &weights, &err), GWF_ERR_FORMAT, err,
                "variable col: 1 dimensions, the first of length 4, expected 1 and 5");
}

int main(void)
{
    static const test_case tests[] = {
        {"ESMF and SCRIP", both_layouts},
        {"what is absent", what_is_absent},
        {"what is wrong", what_is_wrong},
        {"lengths that do not fit", wrong_lengths},
    };
    return test_run("weights", tests, sizeof tests / sizeof *tests);
}
