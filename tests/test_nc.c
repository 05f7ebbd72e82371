#include "io/nc.h"

#include <netcdf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/nc_internal.h"
#include "test.h"

static const float weights[6] = {1, -2, 3, 4, 5.5f, 6};

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void make_model(const char *path)
{
    gwf_error err = {0};
    gwf_nc f;
    const double a[3] = {0.25, 1e300, -1};
    const int n[3] = {16, 17, 137};
    CHECK_OK(gwf_nc_create(path, &f, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "x", 2, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&f, "y", 3, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "weight", GWF_NC_FLOAT, "x y", 4, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "a", GWF_NC_DOUBLE, "y", 0, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "n", GWF_NC_INT, " y ", 0, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "name", GWF_NC_CHAR, "y", 0, &err), err);
    CHECK_OK(gwf_nc_define_variable(&f, "scalar", GWF_NC_DOUBLE, "", 9, &err), err);
    CHECK_OK(gwf_nc_put_text(&f, "", "title", "a model", &err), err);
    CHECK_OK(gwf_nc_put_text(&f, "a", "units", "", &err), err);
    CHECK_OK(gwf_nc_put_number(&f, "a", "factor", 0.1, &err), err);
    CHECK_OK(gwf_nc_put_float(&f, "weight", weights, &err), err);
    CHECK_OK(gwf_nc_put_double(&f, "a", a, &err), err);
    CHECK_OK(gwf_nc_put_int(&f, "n", n, &err), err);
    CHECK_OK(gwf_nc_put_char(&f, "name", "uvw", &err), err);
    CHECK_OK(gwf_nc_put_double(&f, "scalar", a, &err), err);
    CHECK_OK(gwf_nc_put_text(&f, "weight", "late", "after the data", &err), err);
    CHECK_OK(gwf_nc_close(&f, &err), err);
    CU_ASSERT_EQUAL(f.id, -1);
}

static void check_values(const gwf_nc *f)
{
    gwf_error err = {0};
    gwf_nc_variable v;
    float w[6];
    double a[3];
    int n[3];
    char name[3];
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(f, "weight", &v));
    CU_ASSERT_EQUAL(v.rank, 2);
    CU_ASSERT_EQUAL(v.shape[1], 3);
    CU_ASSERT_STRING_EQUAL(v.dims[0], "x");
    CHECK_OK(gwf_nc_get_float(f, &v, 6, w, &err), err);
    CU_ASSERT_EQUAL(memcmp(w, weights, sizeof w), 0);
    CHECK_FAILS(gwf_nc_get_float(f, &v, 5, w, &err), GWF_ERR_FORMAT, err,
                "variable weight: 6 values, expected 5");
    CHECK_FAILS(gwf_nc_get_char(f, &v, 6, name, &err), GWF_ERR_FORMAT, err, "characters");
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(f, "a", &v));
    CHECK_OK(gwf_nc_get_double(f, &v, 3, a, &err), err);
    CU_ASSERT_EQUAL(a[1], 1e300);
    CHECK_FAILS(gwf_nc_get_float(f, &v, 3, w, &err), GWF_ERR_FORMAT, err, "variable a: a value");
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(f, "n", &v));
    CHECK_OK(gwf_nc_get_int(f, &v, 3, n, &err), err);
    CU_ASSERT_EQUAL(n[2], 137);
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(f, "name", &v));
    CHECK_OK(gwf_nc_get_char(f, &v, 3, name, &err), err);
    CU_ASSERT_EQUAL(memcmp(name, "uvw", 3), 0);
    CHECK_FAILS(gwf_nc_get_int(f, &v, 3, n, &err), GWF_ERR_FORMAT, err, "numbers");
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(f, "scalar", &v));
    CU_ASSERT_EQUAL(v.rank, 0);
    CHECK_OK(gwf_nc_get_double(f, &v, 1, a, &err), err);
    CU_ASSERT_EQUAL(a[0], 0.25);
}

static void round_trip(void)
{
    gwf_error err = {0};
    gwf_nc f;
    int count = 0;
    size_t length = 0;
    gwf_nc_variable v;
    const char *path = test_scratch("model.nc");
    make_model(path);
    CHECK_OK(gwf_nc_open(path, &f, &err), err);
    CHECK_OK(gwf_nc_variable_count(&f, &count, &err), err);
    CU_ASSERT_EQUAL(count, 5);
    check_values(&f);
    CU_ASSERT_TRUE(gwf_nc_dimension_find(&f, "y", &length));
    CU_ASSERT_EQUAL(length, 3);
    CU_ASSERT_FALSE(gwf_nc_dimension_find(&f, "z", &length));
    CU_ASSERT_FALSE(gwf_nc_variable_find(&f, "none", &v));
    CHECK_FAILS(gwf_nc_variable_at(&f, 99, &v, &err), GWF_ERR_FORMAT, err, "model.nc");
    CHECK_OK(gwf_nc_close(&f, &err), err);
}

static void attributes(void)
{
    gwf_error err = {0};
    gwf_nc f;
    gwf_nc_variable v;
    char text[8];
    double number = 0;
    const char *path = test_scratch("attributes.nc");
    make_model(path);
    CHECK_OK(gwf_nc_open(path, &f, &err), err);
    CU_ASSERT_TRUE(gwf_nc_text(&f, NULL, "title", text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "a model");
    CU_ASSERT_TRUE(gwf_nc_text(&f, NULL, "title", text, 4));
    CU_ASSERT_STRING_EQUAL(text, "a m");
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(&f, "a", &v));
    CU_ASSERT_TRUE(gwf_nc_text(&f, &v, "units", text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "");
    CU_ASSERT_TRUE(gwf_nc_number(&f, &v, "factor", &number));
    CU_ASSERT_EQUAL(number, 0.1);
    CU_ASSERT_FALSE(gwf_nc_number(&f, &v, "units", &number));
    CU_ASSERT_FALSE(gwf_nc_text(&f, &v, "factor", text, sizeof text));
    CU_ASSERT_FALSE(gwf_nc_text(&f, &v, "none", text, sizeof text));
    CHECK_OK(gwf_nc_close(&f, &err), err);
}

/* Attributes as other programs write them: strings, lists, enormous. */
static void foreign_attributes(void)
{
    enum { HUGE_TEXT = 2 << 20 };
    gwf_error err = {0};
    gwf_nc f;
    int id;
    char text[16], *huge = malloc(HUGE_TEXT);
    const char *strings[2] = {"first", "second"};
    const double two[2] = {1, 2};
    double number;
    const char *path = test_scratch("foreign.nc");
    CU_ASSERT_PTR_NOT_NULL_FATAL(huge);
    memset(huge, 'x', HUGE_TEXT);
    CU_ASSERT_EQUAL(nc_create(path, NC_CLOBBER, &id), NC_NOERR);
    nc_put_att_text(id, NC_GLOBAL, "huge", HUGE_TEXT, huge);
    nc_close(id);
    CHECK_OK(gwf_nc_open(path, &f, &err), err);
    CU_ASSERT_FALSE(gwf_nc_text(&f, NULL, "huge", text, sizeof text));
    gwf_nc_close(&f, &err);
    CU_ASSERT_EQUAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &id), NC_NOERR);
    nc_put_att_string(id, NC_GLOBAL, "strings", 2, strings);
    nc_put_att_double(id, NC_GLOBAL, "two", NC_DOUBLE, 2, two);
    nc_close(id);
    CHECK_OK(gwf_nc_open(path, &f, &err), err);
    CU_ASSERT_TRUE(gwf_nc_text(&f, NULL, "strings", text, sizeof text));
    CU_ASSERT_STRING_EQUAL(text, "first");
    CU_ASSERT_FALSE(gwf_nc_number(&f, NULL, "two", &number));
    CHECK_OK(gwf_nc_close(&f, &err), err);
    free(huge);
}

static void check_refused(const char *path, gwf_status status, const char *words)
{
    gwf_error err = {0};
    gwf_nc f;
    CHECK_FAILS(gwf_nc_open(path, &f, &err), status, err, words);
    CU_ASSERT_EQUAL(f.id, -1);
    CU_ASSERT_PTR_NULL(f.path);
}

static void refused_paths(void)
{
    const char *pipe_path = test_scratch("pipe"), *empty = test_scratch("empty.nc");
    const char *text = test_scratch("text.nc");
    CU_ASSERT_EQUAL(mkfifo(pipe_path, 0600), 0);
    write_bytes(empty, "", 0);
    write_bytes(text, "hello, this is no NetCDF", 24);
    check_refused("http://example.org/x.nc", GWF_ERR_NOT_FOUND, "is an address");
    check_refused("[dap4]https://example.org/x.nc", GWF_ERR_NOT_FOUND, "is an address");
    check_refused("ftp://example.org/x.nc", GWF_ERR_NOT_FOUND, "is an address");
    check_refused("s3://bucket/x.nc", GWF_ERR_NOT_FOUND, "is an address");
    check_refused("file:///tmp/x#mode=nczarr", GWF_ERR_NOT_FOUND, "is an address");
    check_refused("", GWF_ERR_NOT_FOUND, "empty");
    check_refused(test_scratch("none.nc"), GWF_ERR_NOT_FOUND, "none.nc: cannot be opened (No such");
    check_refused("/tmp", GWF_ERR_FORMAT, "directory");
    check_refused(pipe_path, GWF_ERR_FORMAT, "regular file");
    check_refused(empty, GWF_ERR_FORMAT, "is empty");
    check_refused(text, GWF_ERR_FORMAT, "text.nc: is not a NetCDF file");
}

static void unreadable_file(void)
{
    const char *path = test_scratch("secret.nc");
    make_model(path);
    chmod(path, 0);
    if (access(path, R_OK) == 0)
        test_skip("a file without permission to read: this user may read all files");
    else
        check_refused(path, GWF_ERR_NOT_FOUND, "Permission denied");
    chmod(path, 0600);
}

static void truncated_file(void)
{
    const char *path = test_scratch("cut.nc");
    struct stat info;
    make_model(path);
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    CU_ASSERT_EQUAL(truncate(path, info.st_size - 100), 0);
    check_refused(path, GWF_ERR_FORMAT, "cut.nc: cannot be read as NetCDF: damaged, or cut short");
    CU_ASSERT_EQUAL(truncate(path, 20), 0);
    check_refused(path, GWF_ERR_FORMAT, "cut.nc");
}

/* NetCDF-C itself reads zeros behind the end of a classic file. */
static void truncated_classic_file(void)
{
    static const int formats[] = {0, NC_64BIT_OFFSET, NC_CDF5};
    const char *path = test_scratch("classic.nc");
    const size_t start[] = {0, 0}, count[] = {3, 5000};
    static float values[15000];
    for (int i = 0; i < 3; i++) {
        struct stat info;
        gwf_nc f;
        gwf_error err = {0};
        int file, dims[2], variable;
        CU_ASSERT_EQUAL(nc_create(path, NC_CLOBBER | formats[i], &file), NC_NOERR);
        nc_def_dim(file, "time", NC_UNLIMITED, &dims[0]);
        nc_def_dim(file, "x", 5000, &dims[1]);
        nc_def_var(file, "v", NC_FLOAT, 2, dims, &variable);
        nc_put_att_text(file, variable, "units", 5, "m s-1");
        nc_put_att_text(file, NC_GLOBAL, "title", 3, "abc");
        nc_enddef(file);
        CU_ASSERT_EQUAL(nc_put_vara_float(file, variable, start, count, values), NC_NOERR);
        CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
        CHECK_OK(gwf_nc_open(path, &f, &err), err);
        gwf_nc_close(&f, NULL);
        CU_ASSERT_EQUAL(stat(path, &info), 0);
        if (i == 0) { /* the header is known to the byte */
            CU_ASSERT_EQUAL(truncate(path, info.st_size - 4), 0);
            check_refused(path, GWF_ERR_FORMAT, "classic.nc: was cut short");
        }
        CU_ASSERT_EQUAL(truncate(path, info.st_size / 2), 0);
        check_refused(path, GWF_ERR_FORMAT, "classic.nc: was cut short");
    }
}

static void hostile_headers(void)
{
    gwf_error err = {0};
    gwf_nc f;
    gwf_nc_variable v;
    int id, dims[9], var;
    const char *path = test_scratch("hostile.nc");
    CU_ASSERT_EQUAL(nc_create(path, NC_NETCDF4, &id), NC_NOERR);
    nc_def_dim(id, "huge", (size_t)1 << 40, &dims[0]);
    for (int i = 1; i < 9; i++) dims[i] = dims[0];
    const size_t one[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    CU_ASSERT_EQUAL(nc_def_var(id, "deep", NC_FLOAT, 9, dims, &var), NC_NOERR);
    nc_def_var_chunking(id, var, NC_CHUNKED, one);
    CU_ASSERT_EQUAL(nc_def_var(id, "wide", NC_FLOAT, 2, dims, &var), NC_NOERR);
    nc_def_var_chunking(id, var, NC_CHUNKED, one);
    CU_ASSERT_EQUAL(nc_def_var(id, "words", NC_STRING, 0, NULL, &var), NC_NOERR);
    CU_ASSERT_EQUAL(nc_close(id), NC_NOERR);
    CHECK_OK(gwf_nc_open(path, &f, &err), err);
    CHECK_FAILS(gwf_nc_variable_at(&f, 0, &v, &err), GWF_ERR_FORMAT, err,
                "variable deep: 9 dimensions, expected at most 8");
    CHECK_FAILS(gwf_nc_variable_at(&f, 1, &v, &err), GWF_ERR_FORMAT, err,
                "variable wide: its size is beyond");
    CU_ASSERT_FALSE(gwf_nc_variable_find(&f, "deep", &v));
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(&f, "words", &v));
    double x;
    CHECK_FAILS(gwf_nc_get_double(&f, &v, 1, &x, &err), GWF_ERR_FORMAT, err,
                "variable words: does not hold numbers");
    CHECK_OK(gwf_nc_close(&f, &err), err);
}

static void unwritable(void)
{
    gwf_error err = {0};
    gwf_nc f;
    CHECK_FAILS(gwf_nc_create("/nowhere/at/all.nc", &f, &err), GWF_ERR_IO, err,
                "/nowhere/at/all.nc: cannot be created");
    CHECK_FAILS(gwf_nc_create("http://example.org/x.nc", &f, &err), GWF_ERR_NOT_FOUND, err,
                "is an address");
    CHECK_FAILS(gwf_nc_create("/tmp", &f, &err), GWF_ERR_IO, err, "not a regular file");
    CHECK_OK(gwf_nc_create(test_scratch("names.nc"), &f, &err), err);
    CHECK_FAILS(gwf_nc_define_variable(&f, "v", GWF_NC_INT, "q", 0, &err), GWF_ERR_INTERNAL, err,
                "variable v: no dimension q");
    CHECK_FAILS(gwf_nc_put_text(&f, "v", "units", "m", &err), GWF_ERR_IO, err, "variable v");
    CHECK_OK(gwf_nc_close(&f, &err), err);
}

/* Runs in a child: the limit cannot be taken back. */
static int child_status(int (*child)(const char *path), const char *path)
{
    const pid_t id = fork();
    if (id == 0) _exit(child(path));
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(id, &status, 0), id);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int write_beyond_limit(const char *path)
{
    static float values[1 << 18];
    const struct rlimit limit = {64 * 1024, 64 * 1024};
    gwf_error err = {0};
    gwf_nc f;
    signal(SIGXFSZ, SIG_IGN);
    gwf_nc_program_start();
    if (gwf_nc_create(path, &f, &err) != GWF_OK) return 100;
    if (gwf_nc_define_dimension(&f, "x", 1 << 18, &err) != GWF_OK) return 101;
    if (gwf_nc_define_variable(&f, "v", GWF_NC_FLOAT, "x", 0, &err) != GWF_OK) return 102;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 103;
    gwf_status status = gwf_nc_put_float(&f, "v", values, &err);
    if (status == GWF_OK) status = gwf_nc_close(&f, &err);
    return (int)status;
}

static void full_disk_is_named(void)
{
    gwf_error err = {0};
    gwf_nc f = {.id = -1, .path = (char[]){"x.nc"}};
    CU_ASSERT_EQUAL(child_status(write_beyond_limit, test_scratch("big.nc")), GWF_ERR_DISK);
    errno = ENOSPC;
    CHECK_FAILS(gwf_nc_fail(&f, "v", "writing failed", NC_EHDFERR, GWF_ERR_IO, &err), GWF_ERR_DISK,
                err, "x.nc: variable v: writing failed (No space left");
    errno = 0;
    CHECK_FAILS(gwf_nc_fail(&f, NULL, "writing failed", NC_EHDFERR, GWF_ERR_IO, &err), GWF_ERR_IO,
                err, "x.nc: writing failed (NetCDF: HDF error)");
}

/* Leaves a file open that holds values HDF5 has not written yet. */
static int leave_open(const char *path, bool with_program_start)
{
    gwf_error err = {0};
    gwf_nc f;
    int id;
    const float values[6] = {0};
    const size_t start = 0, count = 6;
    if (with_program_start) gwf_nc_program_start();
    if (gwf_nc_create(path, &f, &err) != GWF_OK) return 100;
    if (gwf_nc_define_dimension(&f, "x", 0, &err) != GWF_OK) return 101;
    if (gwf_nc_define_variable(&f, "v", GWF_NC_FLOAT, "x", 0, &err) != GWF_OK) return 102;
    if (nc_enddef(f.id) != NC_NOERR || nc_inq_varid(f.id, "v", &id) != NC_NOERR) return 103;
    if (nc_put_vara_float(f.id, id, &start, &count, values) != NC_NOERR) return 104;
    exit(0); /* exit handlers run */
}

/* In a new process, in which HDF5 has not started yet: this program once more. */
static size_t values_after_exit(const char *mode)
{
    char self[1024], command[2200];
    const char *path = test_scratch(mode);
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CU_ASSERT_TRUE_FATAL(n > 0);
    self[n] = '\0';
    snprintf(command, sizeof command, "ASAN_OPTIONS=detect_leaks=0 '%s' %s '%s'", self, mode, path);
    CU_ASSERT_EQUAL(system(command), 0);
    gwf_error err = {0};
    gwf_nc f;
    size_t length = 0;
    if (gwf_nc_open(path, &f, &err) != GWF_OK) return 0;
    gwf_nc_dimension_find(&f, "x", &length);
    gwf_nc_close(&f, &err);
    return length;
}

static void no_exit_handler(void)
{
    CU_ASSERT_EQUAL(values_after_exit("with-handler"), 6);
    CU_ASSERT_EQUAL(values_after_exit("without-handler"), 0);
}

int main(int argc, char **argv)
{
    if (argc == 3) return leave_open(argv[2], strcmp(argv[1], "without-handler") == 0);
    const test_case cases[] = {
        {"exit handler", no_exit_handler},    {"round trip", round_trip},
        {"attributes", attributes},           {"foreign attributes", foreign_attributes},
        {"refused paths", refused_paths},     {"unreadable file", unreadable_file},
        {"truncated file", truncated_file},   {"truncated classic file", truncated_classic_file},
        {"hostile headers", hostile_headers}, {"unwritable", unwritable},
        {"full disk", full_disk_is_named},
    };
    return test_run("nc", cases, sizeof cases / sizeof *cases);
}
