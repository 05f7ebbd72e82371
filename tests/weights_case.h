/* Weight files for the tests, as ESMF and SCRIP write them. */
#ifndef GWF_TESTS_WEIGHTS_CASE_H
#define GWF_TESTS_WEIGHTS_CASE_H

#include "io/nc.h"
#include "test.h"

/* Of 4 source cells and 2 destination cells; what a test may spoil. */
typedef struct weights_case {
    int source[5], destination[5]; /* from 1 */
    double weight[15];             /* 5, or 5 x 3 in SCRIP files */
    double source_lat[4], source_lon[4], destination_lat[2], destination_lon[2];
    int each;          /* weights a link (SCRIP) */
    const char *units; /* of the centres */
    const char *leave_out;
} weights_case;

static inline weights_case weights_good(void)
{
    return (weights_case){.source = {4, 1, 2, 3, 2},
                          .destination = {2, 1, 1, 2, 2},
                          .weight = {0.5, 0.25, 0.75, 0.375, 0.125},
                          .source_lat = {-45, -45, 45, 45},
                          .source_lon = {90, 270, 90, 270},
                          .destination_lat = {0, 80},
                          .destination_lon = {0, 180},
                          .each = 1,
                          .units = "degrees",
                          .leave_out = ""};
}

static inline void weights_variable(gwf_nc *file, const weights_case *w, const char *name,
                                    gwf_nc_type type, const char *dims, const void *values)
{
    gwf_error err = {0};
    if (strcmp(name, w->leave_out) == 0) return;
    CHECK_OK(gwf_nc_define_variable(file, name, type, dims, 0, &err), err);
    if (strstr(name, "lat") || strstr(name, "lon") || strstr(name, "yc") || strstr(name, "xc"))
        CHECK_OK(gwf_nc_put_text(file, name, "units", w->units, &err), err);
    if (type == GWF_NC_INT)
        CHECK_OK(gwf_nc_put_int(file, name, values, &err), err);
    else
        CHECK_OK(gwf_nc_put_double(file, name, values, &err), err);
}

static inline void weights_dimension(gwf_nc *file, const weights_case *w, const char *name,
                                     size_t length)
{
    gwf_error err = {0};
    if (strcmp(name, w->leave_out) == 0) name = "other";
    CHECK_OK(gwf_nc_define_dimension(file, name, length, &err), err);
}

static inline void weights_write(const char *path, const weights_case *w, bool scrip)
{
    gwf_error err = {0};
    gwf_nc f;
    CHECK_OK(gwf_nc_create(path, &f, &err), err);
    weights_dimension(&f, w, scrip ? "src_grid_size" : "n_a", 4);
    weights_dimension(&f, w, scrip ? "dst_grid_size" : "n_b", 2);
    weights_dimension(&f, w, scrip ? "num_links" : "n_s", 5);
    if (scrip) weights_dimension(&f, w, "num_wgts", (size_t)w->each);
    const char *links = scrip ? "num_links" : "n_s", *from = scrip ? "src_grid_size" : "n_a",
               *to = scrip ? "dst_grid_size" : "n_b";
    if (strcmp(w->leave_out, links) == 0) links = "other";
    if (strcmp(w->leave_out, from) == 0) from = "other";
    if (strcmp(w->leave_out, to) == 0) to = "other";
    weights_variable(&f, w, scrip ? "src_address" : "col", GWF_NC_INT, links, w->source);
    weights_variable(&f, w, scrip ? "dst_address" : "row", GWF_NC_INT, links, w->destination);
    weights_variable(&f, w, scrip ? "remap_matrix" : "S", GWF_NC_DOUBLE,
                     scrip ? "num_links num_wgts" : links, w->weight);
    weights_variable(&f, w, scrip ? "src_grid_center_lat" : "yc_a", GWF_NC_DOUBLE, from,
                     w->source_lat);
    weights_variable(&f, w, scrip ? "src_grid_center_lon" : "xc_a", GWF_NC_DOUBLE, from,
                     w->source_lon);
    weights_variable(&f, w, scrip ? "dst_grid_center_lat" : "yc_b", GWF_NC_DOUBLE, to,
                     w->destination_lat);
    weights_variable(&f, w, scrip ? "dst_grid_center_lon" : "xc_b", GWF_NC_DOUBLE, to,
                     w->destination_lon);
    CHECK_OK(gwf_nc_close(&f, &err), err);
}

#endif
