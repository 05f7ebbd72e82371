/* Planes read past NetCDF-C: the values that were written, whatever the layout; where they do not
 * lie in the file as they are, nothing is found. */
#include "test.h"

#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/slab.h"

enum { ROWS = 5, PLANES = 7, NLAT = 6, NLON = 10, PLANE = NLAT * NLON };

typedef struct file_case {
    const char *name;
    int format;      /* of nc_create */
    nc_type type;    /* 0: NC_FLOAT */
    size_t chunk[4]; /* 0: contiguous */
    int deflate, endian;
    bool holes; /* the last row is not written, and nothing is filled */
    bool found; /* what is expected */
} file_case;

static const file_case cases[] = {
    {.name = "contiguous", NC_NETCDF4, .found = true},
    {.name = "one row a chunk", NC_NETCDF4, .chunk = {1, PLANES, NLAT, NLON}, .found = true},
    {.name = "many rows", NC_NETCDF4, .chunk = {2, 3, NLAT, NLON}, .found = true},
    {.name = "one plane", NC_NETCDF4, .chunk = {1, 1, NLAT, NLON}, .found = true},
    {.name = "parts of a plane", NC_NETCDF4, .chunk = {1, 2, 3, NLON}},
    {.name = "parts of a row", NC_NETCDF4, .chunk = {1, 2, NLAT, 5}},
    {.name = "compressed", NC_NETCDF4, .chunk = {1, PLANES, NLAT, NLON}, .deflate = 1},
    {.name = "big-endian", NC_NETCDF4, .endian = NC_ENDIAN_BIG},
    {.name = "double", NC_NETCDF4, .type = NC_DOUBLE},
    {.name = "classic", NC_64BIT_OFFSET},
};

static float value_at(size_t row, size_t plane, size_t point)
{
    return (float)(1000 * row + 100 * plane) + (float)point / 8;
}

static void put_row(int file, int variable, size_t row)
{
    const size_t start[4] = {row}, count[4] = {1, PLANES, NLAT, NLON};
    float values[PLANES * PLANE];
    for (size_t p = 0; p < PLANES; p++)
        for (size_t i = 0; i < PLANE; i++) values[p * PLANE + i] = value_at(row, p, i);
    CU_ASSERT_EQUAL(nc_put_vara_float(file, variable, start, count, values), NC_NOERR);
}

static void make_file(const char *path, const file_case *c)
{
    static const char *const names[4] = {"time", "idim", "lat", "lon"};
    static const size_t lengths[4] = {ROWS, PLANES, NLAT, NLON};
    int file = -1, variable = -1, dims[4];
    CU_ASSERT_EQUAL_FATAL(nc_create(path, c->format | NC_CLOBBER, &file), NC_NOERR);
    for (int i = 0; i < 4; i++) nc_def_dim(file, names[i], lengths[i], &dims[i]);
    nc_def_var(file, "features", c->type ? c->type : NC_FLOAT, 4, dims, &variable);
    if (c->format == NC_NETCDF4) {
        nc_def_var_chunking(file, variable, c->chunk[0] ? NC_CHUNKED : NC_CONTIGUOUS,
                            c->chunk[0] ? c->chunk : NULL);
        if (c->deflate) nc_def_var_deflate(file, variable, 0, 1, c->deflate);
        if (c->endian) nc_def_var_endian(file, variable, c->endian);
    }
    nc_enddef(file);
    for (size_t row = 0; row < (size_t)(ROWS - c->holes); row++) put_row(file, variable, row);
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
}

/* An open file with its slab and room for planes. */
typedef struct opened {
    gwf_nc file;
    gwf_nc_variable v;
    gwf_slab *slab;
    gwf_planes *planes;
} opened;

static void open_file(opened *o, const char *path)
{
    gwf_error err = {0};
    CHECK_OK(gwf_nc_open(path, &o->file, &err), err);
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(&o->file, "features", &o->v));
    CHECK_OK(gwf_slab_open(&o->file, &o->v, 1, &o->slab, &err), err);
    o->planes = gwf_planes_create(PLANES);
}

static void close_file(opened *o)
{
    gwf_slab_close(&o->slab);
    gwf_nc_close(&o->file, NULL);
}

static void check_row(const gwf_planes *planes, size_t row, const int *index, int count)
{
    gwf_error err = {0};
    float values[PLANE];
    int wrong = 0;
    for (int k = 0; k < count; k++) {
        CHECK_OK(gwf_planes_read(planes, k, values, &err), err);
        for (size_t i = 0; i < PLANE; i++) wrong += values[i] != value_at(row, (size_t)index[k], i);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void check_case(const file_case *c)
{
    static const int index[4] = {2, 3, 6, 0}, all[PLANES] = {0, 1, 2, 3, 4, 5, 6};
    opened o;
    const char *path = test_scratch("planes.nc");
    make_file(path, c);
    open_file(&o, path);
    for (size_t row = 0; row < ROWS; row++) {
        const bool found = gwf_slab_find_planes(o.slab, row, index, 4, o.planes);
        if (found != c->found) fprintf(stderr, "\n  %s: found %d\n", c->name, found);
        CU_ASSERT_EQUAL(found, c->found);
        CU_ASSERT_EQUAL(gwf_planes_found(o.planes), found);
        if (found) check_row(o.planes, row, index, 4);
        if (gwf_slab_find_planes(o.slab, row, all, PLANES, o.planes))
            check_row(o.planes, row, all, PLANES);
    }
    CU_ASSERT_FALSE(gwf_slab_find_planes(o.slab, ROWS, index, 4, o.planes));
    CU_ASSERT_FALSE(gwf_planes_found(o.planes));
    close_file(&o);
    gwf_planes_free(&o.planes);
}

static void test_layouts(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(&cases[i]);
}

/* A chunk that was never written is nowhere; its neighbours are where they are. */
static void test_holes(void)
{
    const file_case c = {.format = NC_NETCDF4, .chunk = {1, PLANES, NLAT, NLON}, .holes = true};
    const int index = 1;
    opened o;
    const char *path = test_scratch("holes.nc");
    make_file(path, &c);
    open_file(&o, path);
    CU_ASSERT_TRUE(gwf_slab_find_planes(o.slab, ROWS - 2, &index, 1, o.planes));
    CU_ASSERT_FALSE(gwf_slab_find_planes(o.slab, ROWS - 1, &index, 1, o.planes));
    close_file(&o);
    gwf_planes_free(&o.planes);
}

/* What stands for nothing is NaN, what is packed is unpacked. */
static void test_packing(void)
{
    const float missing = value_at(1, 2, 3), scale = 2;
    const int index = 2;
    int file = -1, variable = -1;
    float values[PLANE];
    gwf_error err = {0};
    opened o;
    const char *path = test_scratch("packed.nc");
    make_file(path, &cases[0]);
    CU_ASSERT_EQUAL(nc_open(path, NC_WRITE, &file), NC_NOERR);
    nc_inq_varid(file, "features", &variable);
    nc_redef(file);
    CU_ASSERT_EQUAL(nc_put_att_float(file, variable, "missing_value", NC_FLOAT, 1, &missing), 0);
    CU_ASSERT_EQUAL(nc_put_att_float(file, variable, "scale_factor", NC_FLOAT, 1, &scale), 0);
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    open_file(&o, path);
    CU_ASSERT_TRUE(gwf_slab_find_planes(o.slab, 1, &index, 1, o.planes));
    CHECK_OK(gwf_planes_read(o.planes, 0, values, &err), err);
    CU_ASSERT_TRUE(isnan(values[3]));
    CU_ASSERT_EQUAL(values[4], 2 * value_at(1, 2, 4));
    close_file(&o);
    gwf_planes_free(&o.planes);
}

/* What was found stays, whatever becomes of the variable and of the file's name. */
static void test_gone(void)
{
    static const int index[2] = {5, 1};
    opened o;
    const char *path = test_scratch("gone.nc");
    make_file(path, &cases[1]);
    open_file(&o, path);
    CU_ASSERT_TRUE(gwf_slab_find_planes(o.slab, 3, index, 2, o.planes));
    close_file(&o);
    CU_ASSERT_EQUAL(unlink(path), 0);
    check_row(o.planes, 3, index, 2);
    gwf_planes_forget(o.planes);
    CU_ASSERT_FALSE(gwf_planes_found(o.planes));
    gwf_planes_free(&o.planes);
    CU_ASSERT_PTR_NULL(o.planes);
}

/* Replaced before anything was found: the new file is another one. */
static void test_replaced(void)
{
    const int index = 1;
    gwf_error err = {0};
    opened o = {0};
    const char *path = test_scratch("replaced.nc");
    make_file(path, &cases[1]);
    CHECK_OK(gwf_nc_open(path, &o.file, &err), err);
    CU_ASSERT_TRUE(gwf_nc_variable_find(&o.file, "features", &o.v));
    CU_ASSERT_EQUAL(unlink(path), 0);
    make_file(path, &cases[2]);
    CHECK_OK(gwf_slab_open(&o.file, &o.v, 1, &o.slab, &err), err);
    o.planes = gwf_planes_create(PLANES);
    CU_ASSERT_FALSE(gwf_slab_find_planes(o.slab, 3, &index, 1, o.planes));
    close_file(&o);
    gwf_planes_free(&o.planes);
}

static void test_cut(void)
{
    const int index = PLANES - 1;
    float values[PLANE];
    gwf_error err = {0};
    opened o;
    const char *path = test_scratch("cut.nc");
    make_file(path, &cases[1]);
    open_file(&o, path);
    CU_ASSERT_TRUE(gwf_slab_find_planes(o.slab, ROWS - 1, &index, 1, o.planes));
    CU_ASSERT_EQUAL(truncate(path, 512), 0);
    CHECK_FAILS(gwf_planes_read(o.planes, 0, values, &err), GWF_ERR_IO, err,
                "cut.nc: has become shorter while it was read (512 of ");
    close_file(&o);
    gwf_planes_free(&o.planes);
}

int main(void)
{
    static const test_case tests[] = {
        {"layouts", test_layouts},
        {"chunks never written", test_holes},
        {"missing and packed values", test_packing},
        {"closed and removed meanwhile", test_gone},
        {"replaced before", test_replaced},
        {"cut short", test_cut},
    };
    return test_run("planes", tests, sizeof tests / sizeof *tests);
}
