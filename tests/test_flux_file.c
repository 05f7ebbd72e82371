#include "io/flux_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netcdf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/nc.h"
#include "io/room.h"
#include "test.h"

enum { NLEV = 3, NLAT = 16, NLON = 32, MAP = NLAT * NLON, FIELD = NLEV * MAP, CHANNELS = 2 * NLEV };

static double lat[NLAT], lon[NLON];
static const int level_number[NLEV] = {16, 60, 137};
static const double a[NLEV] = {145.0, 6000.0, 0.0}, b[NLEV] = {0.0, 0.1, 0.9976};

static gwf_flux_layout layout(size_t steps)
{
    for (int i = 0; i < NLAT; i++) lat[i] = -84.375 + 11.25 * i;
    for (int i = 0; i < NLON; i++) lon[i] = 11.25 * i;
    return (gwf_flux_layout){.steps = steps,
                             .nlev = NLEV,
                             .nlat = NLAT,
                             .nlon = NLON,
                             .lat = lat,
                             .lon = lon,
                             .level_number = level_number,
                             .a = a,
                             .b = b,
                             .flux_kind = "rho_uw"};
}

/* Value i of a step's uw, vw (sign -1) or prediction (factor 10). */
static float value(size_t step, size_t i, float factor)
{
    return factor * ((float)step + (float)i / 4096);
}

static gwf_status write_step(gwf_flux_file *file, size_t step, bool with_prediction, gwf_error *err)
{
    static float uw[FIELD], vw[FIELD], prediction[2 * FIELD];
    for (size_t i = 0; i < FIELD; i++) uw[i] = value(step, i, 1), vw[i] = value(step, i, -1);
    for (size_t i = 0; i < 2 * FIELD; i++) prediction[i] = value(step, i, 10);
    const gwf_flux_step s = {.time = 100.0 + (double)step,
                             .uw = uw,
                             .vw = vw,
                             .prediction = with_prediction ? prediction : NULL};
    return gwf_flux_file_write(file, step, &s, err);
}

static gwf_flux_file *created(const char *path, const gwf_flux_layout *l)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    CHECK_OK(gwf_flux_file_create(path, l, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

static void write_whole(const char *path, const gwf_flux_layout *l)
{
    gwf_error err = {0};
    gwf_flux_file *file = created(path, l);
    for (size_t s = 0; s < l->steps; s++)
        CHECK_OK(write_step(file, s, l->prediction_channels > 0, &err), err);
    CHECK_OK(gwf_flux_file_finish(&file, &err), err);
    CU_ASSERT_PTR_NULL(file);
}

static void check_create_fails(const char *path, const gwf_flux_layout *l, gwf_status status,
                               const char *words)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    CHECK_FAILS(gwf_flux_file_create(path, l, &file, &err), status, err, words);
    CU_ASSERT_PTR_NULL(file);
}

static const char *part_of(const char *path)
{
    static char part[1100];
    snprintf(part, sizeof part, "%s.part", path);
    return part;
}

static bool there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* The first `steps` steps of a file, read by plain NetCDF calls. */
static void check_steps(const char *path, size_t steps)
{
    static float uw[FIELD], vw[FIELD];
    int id, uw_id, vw_id, time_id;
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &id), NC_NOERR);
    nc_inq_varid(id, "uw", &uw_id);
    nc_inq_varid(id, "vw", &vw_id);
    nc_inq_varid(id, "time", &time_id);
    for (size_t s = 0; s < steps; s++) {
        const size_t start[4] = {s, 0, 0, 0}, count[4] = {1, NLEV, NLAT, NLON};
        double time = 0;
        size_t wrong = 0;
        CU_ASSERT_EQUAL(nc_get_vara_float(id, uw_id, start, count, uw), NC_NOERR);
        CU_ASSERT_EQUAL(nc_get_vara_float(id, vw_id, start, count, vw), NC_NOERR);
        CU_ASSERT_EQUAL(nc_get_var1_double(id, time_id, &s, &time), NC_NOERR);
        for (size_t i = 0; i < FIELD; i++)
            wrong += !(uw[i] == value(s, i, 1) && vw[i] == value(s, i, -1));
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_EQUAL(time, 100.0 + (double)s);
    }
    nc_close(id);
}

static void check_text(int file, const char *variable, const char *name, const char *expected)
{
    char text[256] = "";
    size_t length = 0;
    int id = NC_GLOBAL;
    if (variable[0]) CU_ASSERT_EQUAL(nc_inq_varid(file, variable, &id), NC_NOERR);
    if (nc_inq_attlen(file, id, name, &length) == NC_NOERR && length < sizeof text)
        nc_get_att_text(file, id, name, text);
    if (strcmp(text, expected) != 0)
        fprintf(stderr, "\n  %s:%s = \"%s\", expected \"%s\"\n", variable, name, text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

/* --- what a finished file says --------------------------------------------------------------- */

static void check_storage(int file)
{
    const char *const fields[3] = {"uw", "vw", "prediction"};
    for (int i = 0; i < 3; i++) {
        int id, storage = -1, deflate = -1, unlimited;
        size_t chunk[4] = {0};
        const size_t channels = i < 2 ? NLEV : CHANNELS;
        CU_ASSERT_EQUAL(nc_inq_varid(file, fields[i], &id), NC_NOERR);
        nc_inq_var_chunking(file, id, &storage, chunk);
        nc_inq_var_deflate(file, id, NULL, &deflate, NULL);
        CU_ASSERT_EQUAL(storage, NC_CHUNKED);
        CU_ASSERT_EQUAL(deflate, 0);
        CU_ASSERT_TRUE(chunk[0] == 1 && chunk[1] == channels && chunk[2] == NLAT);
        nc_inq_unlimdim(file, &unlimited);
        CU_ASSERT_EQUAL(unlimited, 0);
    }
}

static void check_coordinates(int file)
{
    double lev[NLEV], values[NLON];
    int id;
    nc_inq_varid(file, "lev", &id);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, lev), NC_NOERR);
    CHECK_AT_MOST(fabs(lev[0] - 1.45), 1e-12);
    CHECK_AT_MOST(fabs(lev[1] - (60.0 + 101.325)), 1e-12);
    nc_inq_varid(file, "lon", &id);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, values), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(values, lon, sizeof lon), 0);
    nc_inq_varid(file, "lat", &id);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, values), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(values, lat, sizeof lat), 0);
    nc_inq_varid(file, "hyam", &id);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, values), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(values, a, sizeof a), 0);
    nc_inq_varid(file, "level_number", &id);
    int numbers[NLEV];
    CU_ASSERT_EQUAL(nc_get_var_int(file, id, numbers), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(numbers, level_number, sizeof numbers), 0);
}

static void contents(void)
{
    const gwf_attribute globals[] = {{"title", "ours"}, {"model_checksum", "abc"}};
    gwf_flux_layout l = layout(2);
    l.globals = globals;
    l.n_globals = 2;
    l.prediction_channels = CHANNELS;
    const char *path = test_scratch("whole.nc");
    write_whole(path, &l);
    CU_ASSERT_FALSE(there(part_of(path)));
    check_steps(path, 2);
    int file, id;
    static float prediction[2][2 * FIELD];
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    check_storage(file);
    check_coordinates(file);
    check_text(file, "", "Conventions", "CF-1.10");
    check_text(file, "", "title", "ours");
    check_text(file, "", "model_checksum", "abc");
    check_text(file, "uw", "units", "Pa");
    check_text(file, "vw", "long_name", "upward flux of northward momentum due to gravity waves");
    check_text(file, "lat", "standard_name", "latitude");
    check_text(file, "lon", "units", "degrees_east");
    check_text(file, "lev", "units", "hPa");
    check_text(file, "lev", "positive", "down");
    check_text(file, "time", "axis", "T");
    check_text(file, "time", "long_name", "step of the input, from 0");
    nc_type type = NC_NAT;
    nc_inq_varid(file, "time", &id);
    nc_inq_vartype(file, id, &type);
    CU_ASSERT_EQUAL(type, NC_INT);
    nc_inq_varid(file, "prediction", &id);
    CU_ASSERT_EQUAL(nc_get_var_float(file, id, &prediction[0][0]), NC_NOERR);
    CU_ASSERT_EQUAL(prediction[1][2 * FIELD - 1], value(1, 2 * FIELD - 1, 10));
    nc_close(file);
}

static void flux_kinds(void)
{
    int file;
    gwf_flux_layout l = layout(1);
    const char *path = test_scratch("omega.nc");
    l.flux_kind = "u_omega";
    write_whole(path, &l);
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    check_text(file, "uw", "units", "Pa m s-2");
    nc_close(file);
    l.flux_kind = "unknown";
    check_create_fails(test_scratch("kind.nc"), &l, GWF_ERR_ARGUMENT, "flux kind unknown");
    CU_ASSERT_FALSE(there(test_scratch("kind.nc.part")));
}

static void ncdump_reads_it(void)
{
    char command[2300];
    const char *path = test_scratch("dump.nc");
    const gwf_flux_layout l = layout(1);
    write_whole(path, &l);
    if (system("command -v ncdump >/dev/null") != 0) {
        test_skip("ncdump: not installed");
        return;
    }
    snprintf(command, sizeof command,
             "ncdump -h '%s' | grep -q 'float uw(time, lev, lat, lon)' && ncdump '%s' >/dev/null",
             path, path);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* --- time ------------------------------------------------------------------------------------ */

static const char *make_input(const char *name, nc_type type)
{
    const char *path = test_scratch(name);
    const char *strings[1] = {"a string"};
    int file, dims[4], time, features;
    const double fill = -1;
    CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file), NC_NOERR);
    nc_def_dim(file, "time", 3, &dims[0]);
    nc_def_dim(file, "idim", 1, &dims[1]);
    nc_def_dim(file, "lat", 2, &dims[2]);
    nc_def_dim(file, "lon", 2, &dims[3]);
    nc_def_var(file, "features", NC_FLOAT, 4, dims, &features);
    nc_def_var(file, "time", type, 1, dims, &time);
    nc_put_att_text(file, time, "units", 30, "hours since 2005-01-01 00:00:0");
    nc_put_att_text(file, time, "calendar", 8, "standard");
    nc_put_att_text(file, time, "bounds", 9, "time_bnds");
    nc_put_att_string(file, time, "note", 1, strings);
    nc_put_att_double(file, time, "valid_max", NC_DOUBLE, 1, &fill);
    if (type == NC_INT64) nc_put_att_double(file, time, "_FillValue", type, 1, &fill);
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    return path;
}

static void check_time_copied(nc_type type)
{
    gwf_error err = {0};
    gwf_windset *input = NULL;
    gwf_flux_layout l = layout(2);
    const char *path = test_scratch("time.nc");
    CHECK_OK(gwf_windset_open(make_input("input.nc", type), &input, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(input);
    l.time_of = input;
    l.overwrite = true;
    write_whole(path, &l);
    gwf_windset_close(&input);
    check_steps(path, 2);
    int file, id;
    nc_type found = NC_NAT, note = NC_NAT;
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    nc_inq_varid(file, "time", &id);
    nc_inq_vartype(file, id, &found);
    CU_ASSERT_EQUAL(found, type);
    check_text(file, "time", "units", "hours since 2005-01-01 00:00:0");
    check_text(file, "time", "calendar", "standard");
    check_text(file, "time", "standard_name", "time");
    CU_ASSERT_EQUAL(nc_inq_att(file, id, "note", &note, NULL), NC_NOERR);
    CU_ASSERT_EQUAL(note, NC_STRING);
    CU_ASSERT_EQUAL(nc_inq_att(file, id, "valid_max", NULL, NULL), NC_NOERR);
    CU_ASSERT_EQUAL(nc_inq_att(file, id, "bounds", NULL, NULL), NC_ENOTATT);
    CU_ASSERT_EQUAL(nc_inq_att(file, id, "_FillValue", NULL, NULL), NC_ENOTATT);
    nc_close(file);
}

static void time_copied(void)
{
    check_time_copied(NC_INT);
    check_time_copied(NC_DOUBLE);
    check_time_copied(NC_INT64);
    check_time_copied(NC_SHORT);
}

/* --- what may be overwritten ----------------------------------------------------------------- */

static void overwrite_rules(void)
{
    gwf_flux_layout l = layout(1);
    const char *path = test_scratch("twice.nc");
    write_whole(path, &l);
    check_create_fails(path, &l, GWF_ERR_EXISTS, "twice.nc: exists");
    CU_ASSERT_FALSE(there(part_of(path)));
    check_steps(path, 1);
    l.overwrite = true;
    l.steps = 2;
    gwf_error err = {0};
    gwf_flux_file *file = created(path, &l);
    check_steps(path, 1); /* the old one stays until the new one is complete */
    CHECK_OK(write_step(file, 0, false, &err), err);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
    check_steps(path, 1);
    write_whole(path, &l);
    check_steps(path, 2);
}

static void earlier_part(void)
{
    gwf_error err = {0};
    gwf_flux_layout l = layout(2);
    const char *path = test_scratch("earlier.nc");
    gwf_flux_file *file = created(path, &l);
    CHECK_OK(write_step(file, 0, false, &err), err);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
    CU_ASSERT_FALSE(there(path));
    check_create_fails(path, &l, GWF_ERR_EXISTS,
                       "earlier.nc.part: holds what an earlier run has finished");
    check_steps(part_of(path), 1);
    l.overwrite = true;
    write_whole(path, &l);
    check_steps(path, 2);
    CU_ASSERT_FALSE(there(part_of(path)));
}

/* A link of the .part's name must not lead the output elsewhere. */
static void linked_part(void)
{
    gwf_flux_layout l = layout(1);
    struct stat info;
    const char *path = test_scratch("linked.nc"), *other = test_scratch("precious");
    FILE *f = fopen(other, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("precious", f);
    fclose(f);
    CU_ASSERT_EQUAL(symlink(other, part_of(path)), 0);
    check_create_fails(path, &l, GWF_ERR_EXISTS, "linked.nc.part");
    l.overwrite = true;
    write_whole(path, &l);
    CU_ASSERT_EQUAL(stat(other, &info), 0);
    CU_ASSERT_EQUAL(info.st_size, 8);
}

static void unwritable(void)
{
    gwf_flux_layout l = layout(1);
    check_create_fails("/nowhere/at/all.nc", &l, GWF_ERR_IO,
                       "/nowhere/at/all.nc.part: cannot be created (No such file");
    check_create_fails("/proc/x.nc", &l, GWF_ERR_IO, "/proc/x.nc.part: cannot be created");
    check_create_fails("https://example.org/x.nc", &l, GWF_ERR_NOT_FOUND, "is an address");
    l.overwrite = true;
    check_create_fails("/tmp", &l, GWF_ERR_IO, "is a directory");
    check_create_fails("/dev/null", &l, GWF_ERR_IO, "device");
    l.lat = NULL;
    check_create_fails(test_scratch("layout.nc"), &l, GWF_ERR_ARGUMENT, "layout");
    l = layout(1);
    const char *folder = test_scratch("closed");
    CU_ASSERT_EQUAL(mkdir(folder, 0500), 0);
    if (access(folder, W_OK) == 0)
        test_skip("a folder without permission to write: this user may write everywhere");
    else
        check_create_fails(test_scratch("closed/x.nc"), &l, GWF_ERR_IO, "Permission denied");
}

static void appeared_meanwhile(void)
{
    gwf_error err = {0};
    const gwf_flux_layout l = layout(1);
    const char *path = test_scratch("race.nc");
    gwf_flux_file *file = created(path, &l);
    CHECK_OK(write_step(file, 0, false, &err), err);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    CHECK_FAILS(gwf_flux_file_finish(&file, &err), GWF_ERR_EXISTS, err, "the result is in");
    CU_ASSERT_PTR_NULL(file);
    check_steps(part_of(path), 1);
}

/* --- steps ------------------------------------------------------------------------------------ */

static void steps_counted(void)
{
    gwf_error err = {0};
    gwf_flux_layout l = layout(2);
    const char *path = test_scratch("counted.nc");
    gwf_flux_file *file = created(path, &l);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 0);
    CU_ASSERT_FALSE(there(part_of(path)));
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 0);
    file = created(path, &l);
    CHECK_OK(write_step(file, 0, false, &err), err);
    check_steps(part_of(path), 1); /* flushed: another process sees it */
    CHECK_FAILS(gwf_flux_file_finish(&file, &err), GWF_ERR_INTERNAL, err, "1 of 2 steps");
    CU_ASSERT_FALSE(there(path));
    l.overwrite = true;
    l.prediction_channels = CHANNELS;
    file = created(path, &l);
    CHECK_FAILS(write_step(file, 0, false, &err), GWF_ERR_ARGUMENT, err, "no prediction");
    CHECK_OK(write_step(file, 0, true, &err), err);
    CHECK_OK(write_step(file, 1, true, &err), err);
    CHECK_FAILS(write_step(file, 2, true, &err), GWF_ERR_ARGUMENT, err,
                "step 2 of 2 cannot be written");
    CHECK_OK(gwf_flux_file_finish(&file, &err), err);
}

/* In place of the system's: the disk fails at one of the calls. */
static int sync_calls, sync_fails_at, sync_error;

int fdatasync(int descriptor)
{
    (void)descriptor;
    if (++sync_calls != sync_fails_at) return 0;
    errno = sync_error;
    return -1;
}

static gwf_status write_and_commit(gwf_flux_file *file, size_t step, gwf_error *err)
{
    GWF_TRY(write_step(file, step, false, err));
    return gwf_flux_file_commit(file, err);
}

/* A time is written after its data are on the disk, and counts when it is there too. */
static void failing_disk(void)
{
    gwf_error err = {0};
    gwf_flux_layout l = layout(3);
    const char *path = test_scratch("failing.nc");
    l.overwrite = true;
    for (int call = 1; call <= 2; call++) {
        gwf_flux_file *file = created(path, &l);
        sync_calls = 0;
        CHECK_OK(write_and_commit(file, 1, &err), err);
        CU_ASSERT_EQUAL(sync_calls, 2);
        sync_fails_at = sync_calls + call;
        sync_error = call == 1 ? EIO : ENOSPC;
        CHECK_FAILS(write_and_commit(file, 0, &err), call == 1 ? GWF_ERR_IO : GWF_ERR_DISK, err,
                    call == 1 ? "writing failed (Input/output error)"
                              : "(No space left on device)");
        CHECK_FAILS(write_and_commit(file, 2, &err), GWF_ERR_ARGUMENT, err, "cannot be written");
        CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
        sync_fails_at = 0;
        int id, time_id;
        double time = 0;
        const size_t first = 0;
        CU_ASSERT_EQUAL_FATAL(nc_open(part_of(path), NC_NOWRITE, &id), NC_NOERR);
        nc_inq_varid(id, "time", &time_id);
        CU_ASSERT_EQUAL(nc_get_var1_double(id, time_id, &first, &time), NC_NOERR);
        CU_ASSERT_EQUAL(time, call == 1 ? NC_FILL_INT : 100.0);
        nc_close(id);
    }
}

/* What waits for its second is finished by finish() and abandon(). */
static void many_small_steps(void)
{
    gwf_error err = {0};
    const gwf_flux_layout l = layout(600);
    gwf_flux_file *file = created(test_scratch("small.nc"), &l);
    sync_calls = 0;
    for (size_t s = 0; s < 600; s++) CHECK_OK(write_step(file, (7 * s) % 600, false, &err), err);
    CU_ASSERT_TRUE(sync_calls < 600);
    CHECK_OK(gwf_flux_file_finish(&file, &err), err);
    check_steps(test_scratch("small.nc"), 600);
}

/* A run that is killed keeps what it has written. */
static void killed(void)
{
    const gwf_flux_layout l = layout(3);
    const char *path = test_scratch("killed.nc");
    const pid_t id = fork();
    if (id == 0) {
        gwf_error err = {0};
        gwf_flux_file *file = NULL;
        if (gwf_flux_file_create(path, &l, &file, &err) != GWF_OK) _exit(1);
        for (size_t s = 0; s < 2; s++)
            if (write_step(file, s, false, &err) != GWF_OK) _exit(2);
        if (gwf_flux_file_commit(file, &err) != GWF_OK) _exit(3);
        raise(SIGKILL);
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(id, &status, 0), id);
    CU_ASSERT_TRUE(WIFSIGNALED(status));
    CU_ASSERT_FALSE(there(path));
    check_steps(part_of(path), 2);
}

/* --- room --------------------------------------------------------------------------------------
 */

static void too_large(void)
{
    gwf_flux_layout l = layout((size_t)1 << 42);
    const char *path = test_scratch("large.nc");
    check_create_fails(path, &l, GWF_ERR_DISK, "large.nc: needs ");
    CU_ASSERT_FALSE(there(part_of(path)));
    l.steps = SIZE_MAX;
    check_create_fails(path, &l, GWF_ERR_DISK, "are free on its disk");
}

static void room(void)
{
    gwf_error err = {0};
    const char *path = test_scratch("room");
    CHECK_OK(gwf_room_check(path, 1000, 1000, &err), err);
    CHECK_FAILS(gwf_room_check(path, (uint64_t)3e18, 1000, &err), GWF_ERR_DISK, err,
                "room: needs 3.0 EB more, ");
    CHECK_OK(gwf_room_check("/nowhere/x", (uint64_t)3e18, 1000, &err), err);
}

/* Runs in a child, since a limit cannot be taken back. Room for 3 steps more is taken away. */
static int lower_limit(const char *path)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    struct stat info;
    const gwf_flux_layout l = layout(1000);
    if (gwf_flux_file_create(path, &l, &file, &err) != GWF_OK) return 100;
    for (size_t s = 0; s < 3; s++)
        if (write_step(file, s, false, &err) != GWF_OK) return 101;
    if (stat(part_of(path), &info) != 0) return 102;
    const rlim_t most = (rlim_t)info.st_size - 1;
    const struct rlimit limit = {most, most};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 103;
    if (write_step(file, 3, false, &err) != GWF_ERR_DISK) return 104;
    if (!strstr(err.text, "the file size limit")) return 105;
    return (int)gwf_flux_file_abandon(&file);
}

static void limit_lowered(void)
{
    const char *path = test_scratch("full.nc");
    const pid_t id = fork();
    if (id == 0) _exit(lower_limit(path));
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(id, &status, 0), id);
    CU_ASSERT_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 3);
    CU_ASSERT_FALSE(there(path));
    check_steps(part_of(path), 3);
}

/* A disk of 8 MB that something else fills meanwhile. */
static void disk_full(void)
{
    char command[2300];
    gwf_error err = {0};
    const gwf_flux_layout l = layout(400); /* 4.9 MB */
    const char *disk = test_scratch("disk");
    mkdir(disk, 0700);
    if (mount("tmpfs", disk, "tmpfs", 0, "size=8m") != 0) {
        test_skip("a full disk: this user may not mount one");
        return;
    }
    const char *path = test_scratch("disk/full.nc");
    gwf_flux_file *file = created(path, &l);
    for (size_t s = 0; s < 5; s++) CHECK_OK(write_step(file, s, false, &err), err);
    snprintf(command, sizeof command, "head -c 7m /dev/zero > '%s/other' 2> /dev/null", disk);
    CU_ASSERT_NOT_EQUAL(system(command), 0);
    CHECK_FAILS(write_step(file, 5, false, &err), GWF_ERR_DISK, err, "are free on its disk");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 5);
    check_steps(part_of(path), 5);
    check_create_fails(test_scratch("disk/more.nc"), &l, GWF_ERR_DISK, "are free on its disk");
    CU_ASSERT_EQUAL(umount(disk), 0);
}

static int limited_from_start(const char *path)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    const gwf_flux_layout l = layout(100);
    const struct rlimit limit = {1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 100;
    const gwf_status status = gwf_flux_file_create(path, &l, &file, &err);
    return strstr(err.text, "the file size limit (ulimit -f) is 1.0 MB") ? (int)status : 101;
}

static void limit_seen_before(void)
{
    const char *path = test_scratch("limited.nc");
    const pid_t id = fork();
    if (id == 0) _exit(limited_from_start(path));
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(id, &status, 0), id);
    CU_ASSERT_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : -1, GWF_ERR_DISK);
    CU_ASSERT_FALSE(there(part_of(path)));
}

int main(void)
{
    const test_case cases[] = {
        {"contents", contents},
        {"flux kinds", flux_kinds},
        {"ncdump reads it", ncdump_reads_it},
        {"time copied", time_copied},
        {"overwrite rules", overwrite_rules},
        {"an earlier .part", earlier_part},
        {"a linked .part", linked_part},
        {"unwritable", unwritable},
        {"appeared meanwhile", appeared_meanwhile},
        {"steps counted", steps_counted},
        {"a disk that fails", failing_disk},
        {"many small steps", many_small_steps},
        {"killed", killed},
        {"too large", too_large},
        {"room", room},
        {"disk full", disk_full},
        {"limit lowered", limit_lowered},
        {"limit seen before", limit_seen_before},
    };
    return test_run("flux_file", cases, sizeof cases / sizeof *cases);
}
