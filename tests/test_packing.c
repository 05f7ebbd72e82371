/* What stored numbers mean. Truth: the sentences of the NetCDF User's Guide ("Attribute
 * Conventions") and of CF-1.10, worked out by hand. */
#include "io/packing.h"

#include <math.h>
#include <netcdf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

enum { N = 6 };

typedef struct attribute {
    const char *name;
    nc_type type;
    int n;
    double values[4];
    const char *text;
} attribute;

/* A variable of `type` with these attributes; NULL name ends them. */
static gwf_status packing_of(nc_type type, const attribute *attributes, gwf_packing *p,
                             gwf_error *err)
{
    int file = -1, id = -1;
    gwf_nc nc;
    gwf_nc_variable v;
    const char *path = test_scratch("packing.nc");
    CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file), NC_NOERR);
    CU_ASSERT_EQUAL_FATAL(nc_def_var(file, "v", type, 0, NULL, &id), NC_NOERR);
    for (const attribute *a = attributes; a->name; a++) {
        const int rc = a->text
                           ? nc_put_att_text(file, id, a->name, strlen(a->text), a->text)
                           : nc_put_att_double(file, id, a->name, a->type, (size_t)a->n, a->values);
        CU_ASSERT_EQUAL(rc, NC_NOERR);
    }
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    CHECK_OK(gwf_nc_open(path, &nc, err), *err);
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(&nc, "v", &v));
    const gwf_status status = gwf_packing_read(&nc, &v, p, err);
    gwf_nc_close(&nc, NULL);
    return status;
}

static void check(nc_type type, const attribute *attributes, const void *stored,
                  const float expected[N])
{
    gwf_packing p;
    gwf_error err = {0};
    float values[N];
    CHECK_OK(packing_of(type, attributes, &p, &err), err);
    gwf_packing_unpack(&p, stored, N, values);
    for (int i = 0; i < N; i++) {
        const bool same = values[i] == expected[i] || (isnan(values[i]) && isnan(expected[i]));
        if (!same) fprintf(stderr, "\n  value %d is %g, not %g\n", i, values[i], expected[i]);
        CU_ASSERT_TRUE(same);
    }
}

static const short shorts[N] = {-32768, -32767, -1, 0, 100, 32767};

static void plain(void)
{
    const signed char bytes[N] = {-128, -127, -1, 0, 1, 127};
    check(NC_BYTE, (attribute[]){{0}}, bytes, (float[]){-128, -127, -1, 0, 1, 127});
    check(NC_SHORT, (attribute[]){{0}}, shorts, (float[]){-32768, -32767, -1, 0, 100, 32767});
    const double doubles[N] = {1e300, -1e300, 0.1, -0.0, INFINITY, NAN};
    check(NC_DOUBLE, (attribute[]){{0}}, doubles,
          (float[]){INFINITY, -INFINITY, 0.1f, 0, INFINITY, NAN});
    const int64_t longs[N] = {-1, 0, 1, INT64_C(1) << 40, INT64_MIN, INT64_C(1) << 62};
    check(NC_INT64, (attribute[]){{0}}, longs, (float[]){-1, 0, 1, 0x1p40f, -0x1p63f, 0x1p62f});
    const uint64_t counts[N] = {0, 1, 2, 3, UINT64_C(1) << 63, UINT64_C(3) << 62};
    check(NC_UINT64, (attribute[]){{0}}, counts, (float[]){0, 1, 2, 3, 0x1p63f, 0x3p62f});
}

/* unpacked = scale_factor * packed + add_offset */
static void scaled(void)
{
    const attribute a[] = {{"scale_factor", NC_FLOAT, 1, {0.5}, NULL},
                           {"add_offset", NC_DOUBLE, 1, {10}, NULL},
                           {"_FillValue", NC_SHORT, 1, {-32768}, NULL},
                           {0}};
    check(NC_SHORT, a, shorts, (float[]){NAN, -16373.5f, 9.5f, 10, 60, 16393.5f});
    /* 16777217 * 1e-6: a float would have lost the last digit before it was scaled */
    const int ints[N] = {16777217, 0, 0, 0, 0, 0};
    check(NC_INT,
          (attribute[]){{"scale_factor", NC_DOUBLE, 1, {16}, NULL},
                        {"add_offset", NC_DOUBLE, 1, {-268435456}, NULL},
                        {0}},
          ints, (float[]){16, -268435456, -268435456, -268435456, -268435456, -268435456});
}

static void missing(void)
{
    const float floats[N] = {1, -9999.9f, NC_FILL_FLOAT, 1e20f, 7, NAN};
    check(NC_FLOAT, (attribute[]){{0}}, floats, (float[]){1, -9999.9f, NAN, 1e20f, 7, NAN});
    check(NC_FLOAT, (attribute[]){{"missing_value", NC_DOUBLE, 2, {-9999.9, 1e20}, NULL}, {0}},
          floats, (float[]){1, NAN, NAN, NAN, 7, NAN});
    check(NC_FLOAT, (attribute[]){{"_FillValue", NC_FLOAT, 1, {7}, NULL}, {0}}, floats,
          (float[]){1, -9999.9f, NC_FILL_FLOAT, 1e20f, NAN, NAN});
    const double doubles[N] = {1, -9999.9, NC_FILL_DOUBLE, 3, 4, 5};
    check(NC_DOUBLE, (attribute[]){{"missing_value", NC_DOUBLE, 1, {-9999.9}, NULL}, {0}}, doubles,
          (float[]){1, NAN, NAN, 3, 4, 5});
    /* text is no number */
    check(NC_SHORT, (attribute[]){{"missing_value", NC_CHAR, 1, {0}, "0"}, {0}}, shorts,
          (float[]){-32768, -32767, -1, 0, 100, 32767});
}

/* Bounds are of packed values, unless their type is that of the unpacked ones. */
static void valid(void)
{
    const attribute packed[] = {{"valid_range", NC_SHORT, 2, {-1, 100}, NULL},
                                {"scale_factor", NC_FLOAT, 1, {2}, NULL},
                                {0}};
    check(NC_SHORT, packed, shorts, (float[]){NAN, NAN, -2, 0, 200, NAN});
    const attribute unpacked[] = {
        {"valid_max", NC_FLOAT, 1, {150}, NULL}, {"scale_factor", NC_FLOAT, 1, {2}, NULL}, {0}};
    check(NC_SHORT, unpacked, shorts, (float[]){-65536, -65534, -2, 0, NAN, NAN});
    const attribute low[] = {{"valid_min", NC_SHORT, 1, {0}, NULL}, {0}};
    check(NC_SHORT, low, shorts, (float[]){NAN, NAN, NAN, 0, 100, 32767});
    const float floats[N] = {0.1f, 0.2f, 0.3f, -INFINITY, INFINITY, NAN};
    const attribute real[] = {{"valid_range", NC_DOUBLE, 2, {0.1, 0.3}, NULL}, {0}};
    check(NC_FLOAT, real, floats, (float[]){0.1f, 0.2f, 0.3f, NAN, NAN, NAN});
}

/* _Unsigned: values and attributes both. */
static void unsigned_values(void)
{
    const signed char bytes[N] = {0, 1, 127, -128, -2, -1};
    const attribute a[] = {{"_Unsigned", NC_CHAR, 0, {0}, "true"},
                           {"_FillValue", NC_BYTE, 1, {-1}, NULL},
                           {"valid_range", NC_BYTE, 2, {1, -2}, NULL},
                           {0}};
    check(NC_BYTE, a, bytes, (float[]){NAN, 1, 127, 128, 254, NAN});
    const attribute b[] = {
        {"_Unsigned", NC_CHAR, 0, {0}, "true"}, {"scale_factor", NC_DOUBLE, 1, {-1}, NULL}, {0}};
    check(NC_SHORT, b, shorts, (float[]){-32768, -32769, -65535, 0, -100, -32767});
    const attribute c[] = {{"_Unsigned", NC_CHAR, 0, {0}, "false"}, {0}};
    check(NC_SHORT, c, shorts, (float[]){-32768, -32767, -1, 0, 100, 32767});
}

static void refused(void)
{
    gwf_packing p;
    gwf_error err = {0};
    const attribute infinite[] = {{"scale_factor", NC_DOUBLE, 1, {INFINITY}, NULL}, {0}};
    CHECK_FAILS(packing_of(NC_SHORT, infinite, &p, &err), GWF_ERR_FORMAT, err,
                "packing.nc: variable v: scale_factor or add_offset not finite");
    CHECK_FAILS(packing_of(NC_CHAR, (attribute[]){{0}}, &p, &err), GWF_ERR_FORMAT, err,
                "does not hold numbers");
    CHECK_FAILS(packing_of(NC_STRING, (attribute[]){{0}}, &p, &err), GWF_ERR_FORMAT, err,
                "does not hold numbers");
}

int main(void)
{
    static const test_case cases[] = {
        {"plain", plain},
        {"scaled", scaled},
        {"missing", missing},
        {"valid range", valid},
        {"_Unsigned", unsigned_values},
        {"refused", refused},
    };
    return test_run("packing", cases, sizeof cases / sizeof *cases);
}
