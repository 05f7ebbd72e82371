/* Going on with a PATH.part that an earlier run has left. */
#include "io/flux_file.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feature_file.h"
#include "flux_case.h"
#include "test.h"

enum { STEPS = 6 };

static bool there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static const char *part_of(const char *path)
{
    static char part[1100];
    snprintf(part, sizeof part, "%s.part", path);
    return part;
}

/* The steps whose digit is in `list` are written, in that order. */
static void write_list(gwf_flux_file *file, const gwf_flux_layout *l, const char *list)
{
    gwf_error err = {0};
    for (const char *s = list; *s; s++)
        CHECK_OK(case_write(file, (size_t)(*s - '0'), l->prediction_channels > 0, &err), err);
}

static void begin(const char *path, const gwf_flux_layout *l, const char *list)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    CHECK_OK(gwf_flux_file_create(path, l, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    write_list(file, l, list);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), strlen(list));
}

/* resume() that succeeds and finds exactly the steps of `list` finished. */
static gwf_flux_file *resumed(const char *path, const gwf_flux_layout *l, const char *list)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    unsigned char done[CASE_STEPS];
    bool complete = true;
    memset(done, 7, sizeof done);
    CHECK_OK(gwf_flux_file_resume(path, l, done, &complete, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_FALSE(complete);
    for (size_t s = 0; s < l->steps; s++)
        CU_ASSERT_EQUAL(done[s], s < 10 && strchr(list, '0' + (int)s) != NULL);
    CU_ASSERT_EQUAL(done[l->steps], 7);
    return file;
}

static void check_resume_fails(const char *path, const gwf_flux_layout *l, gwf_status status,
                               const char *words)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    unsigned char done[CASE_STEPS];
    bool complete = true;
    CHECK_FAILS(gwf_flux_file_resume(path, l, done, &complete, &file, &err), status, err, words);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_FALSE(complete);
}

static void finish(gwf_flux_file *file, const char *path, const gwf_flux_layout *l)
{
    gwf_error err = {0};
    CHECK_OK(gwf_flux_file_finish(&file, &err), err);
    CU_ASSERT_FALSE(there(part_of(path)));
    CU_ASSERT_EQUAL(case_finished(path, l->prediction_channels > 0, NULL), (long)l->steps);
}

/* --- going on -------------------------------------------------------------------------------- */

static void test_nothing_there(void)
{
    const char *path = test_scratch("fresh.nc");
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    gwf_flux_file *file = resumed(path, &l, "");
    write_list(file, &l, "543210");
    finish(file, path, &l);
}

static void test_in_pieces(void)
{
    gwf_error err = {0};
    const char *path = test_scratch("pieces.nc");
    gwf_flux_layout l = case_layout(STEPS, NULL);
    l.prediction_channels = CASE_CHANNELS;
    begin(path, &l, "31");
    gwf_flux_file *file = resumed(path, &l, "31");
    CHECK_FAILS(case_write(file, 3, true, &err), GWF_ERR_ARGUMENT, err, "step 3 of 6 cannot");
    CHECK_FAILS(case_write(file, 6, true, &err), GWF_ERR_ARGUMENT, err, "step 6 of 6 cannot");
    write_list(file, &l, "5");
    CHECK_FAILS(case_write(file, 5, true, &err), GWF_ERR_ARGUMENT, err, "step 5 of 6 cannot");
    CHECK_FAILS(gwf_flux_file_finish(&file, &err), GWF_ERR_INTERNAL, err, "3 of 6 steps");
    file = resumed(path, &l, "531");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 3); /* nothing new, nothing lost */
    l.times = NULL;
    file = resumed(path, &l, "531");
    write_list(file, &l, "024");
    finish(file, path, &l);
}

static void test_all_finished(void)
{
    const char *path = test_scratch("all.nc");
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    begin(path, &l, "012345");
    finish(resumed(path, &l, "012345"), path, &l);
}

/* More steps than one chunk of time holds. */
static void test_many_steps(void)
{
    gwf_error err = {0};
    unsigned char done[CASE_STEPS];
    bool complete;
    const char *path = test_scratch("many.nc");
    const gwf_flux_layout l = case_layout(1100, NULL);
    gwf_flux_file *file = NULL;
    static const size_t written[] = {1099, 511, 512, 0, 1024};
    struct stat before, after;
    CHECK_OK(gwf_flux_file_create(path, &l, &file, &err), err);
    CU_ASSERT_EQUAL(stat(part_of(path), &before), 0);
    for (int i = 0; i < 5; i++) CHECK_OK(case_write(file, written[i], false, &err), err);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 5);
    CU_ASSERT_EQUAL(stat(part_of(path), &after), 0);
    CU_ASSERT_EQUAL(before.st_size, after.st_size); /* every step had its place before */
    CU_ASSERT_EQUAL(case_finished(part_of(path), false, NULL), 5);
    CHECK_OK(gwf_flux_file_resume(path, &l, done, &complete, &file, &err), err);
    for (int i = 0; i < 5; i++) CU_ASSERT_EQUAL(done[written[i]], 1);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 5);
}

/* What stands for no time cannot be one. */
static void test_time_like_fill(void)
{
    static float zero[CASE_FIELD];
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    CHECK_OK(gwf_flux_file_create(test_scratch("fill.nc"), &l, &file, &err), err);
    const gwf_flux_step none = {.time = NC_FILL_INT, .uw = zero, .vw = zero};
    CHECK_FAILS(gwf_flux_file_write(file, 0, &none, &err), GWF_ERR_ARGUMENT, err,
                "stands for none");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 0);
}

static gwf_windset *input(void)
{
    gwf_error err = {0};
    gwf_windset *like = NULL;
    const char *path = test_scratch("input.nc");
    const feature_file f = {.steps = 2, .idim = 3, .nlat = 4, .nlon = 8};
    feature_file_make(path, &f);
    CHECK_OK(gwf_windset_open(path, &like, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(like);
    return like;
}

/* Times of another type, fill value and units; values that are not whole, and one that is none. */
static void test_times_of_input(void)
{
    static float zero[CASE_FIELD];
    double times[STEPS] = {0.1, 0.25, NAN, 1e300, -1.5, 2};
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    gwf_windset *like = input();
    gwf_flux_layout l = case_layout(STEPS, NULL);
    const char *path = test_scratch("times.nc");
    l.time_of = like;
    l.times = times;
    CHECK_OK(gwf_flux_file_create(path, &l, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (size_t s = 0; s < 4; s++) {
        const gwf_flux_step step = {.time = times[s], .uw = zero, .vw = zero};
        CHECK_OK(gwf_flux_file_write(file, s, &step, &err), err);
    }
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 4);
    file = resumed(path, &l, "0123");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 4);
    times[1] = 0.26;
    check_resume_fails(path, &l, GWF_ERR_MISMATCH, "its time of step 1 is 0.25, here it is 0.26");
    times[1] = 0.25;
    l.time_units = "hours since 2004-12-31 23:00";
    check_resume_fails(path, &l, GWF_ERR_MISMATCH, "here it is \"hours since 2004-12-31 23:00\"");
    gwf_windset_close(&like);
}

/* --- another job ------------------------------------------------------------------------------ */

static void test_other_globals(void)
{
    const char *path = test_scratch("globals.nc");
    gwf_flux_layout l = case_layout(STEPS, NULL);
    gwf_attribute globals[CASE_GLOBALS];
    begin(path, &l, "2");
    l.globals = globals;
    for (int i = 1; i < CASE_GLOBALS; i++) {
        char words[200];
        memcpy(globals, case_globals, sizeof globals);
        globals[i].text = "other";
        snprintf(words, sizeof words,
                 "globals.nc.part: belongs to another job: its %s is \"%s\", here it is \"other\"",
                 globals[i].name, case_globals[i].text);
        check_resume_fails(path, &l, GWF_ERR_MISMATCH, words);
        globals[i].name = "unused";
        snprintf(words, sizeof words, "its %s is \"%s\", here it is \"\"", case_globals[i].name,
                 case_globals[i].text);
        check_resume_fails(path, &l, GWF_ERR_MISMATCH, words);
    }
    memcpy(globals, case_globals, sizeof globals);
    globals[0].text = "a later hour"; /* the history may differ */
    gwf_flux_file *file = resumed(path, &l, "2");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
}

/* Long texts are shown where they differ; one that only begins like ours is another. */
static void test_long_jobs(void)
{
    static char job[5000], other[5000];
    gwf_attribute globals[] = {{"gwflux_job", job}};
    gwf_flux_layout l = case_layout(STEPS, NULL);
    const char *path = test_scratch("long.nc");
    memset(job, 'a', 4500);
    memcpy(other, job, sizeof job);
    snprintf(job + 2000, 20, "%s", "HERE");
    job[2004] = 'a';
    l.globals = globals;
    l.n_globals = 1;
    begin(path, &l, "2");
    globals[0].text = other;
    check_resume_fails(path, &l, GWF_ERR_MISMATCH, "aHEREa");
    globals[0].text = "aaa";
    check_resume_fails(path, &l, GWF_ERR_MISMATCH, "here it is \"aaa\"");
    globals[0].text = job;
    gwf_flux_file *file = resumed(path, &l, "2");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
}

static void test_other_shape(void)
{
    const char *path = test_scratch("shape.nc");
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    gwf_flux_layout o = l;
    double axis[CASE_LON];
    int number[CASE_LEV];
    begin(path, &l, "2");
    o.steps = STEPS + 1;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its dimension time is 6, here it is 7");
    o = l, o.nlev = CASE_LEV - 1;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its dimension lev is 4, here it is 3");
    o = l, o.nlat = CASE_LAT - 1;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its dimension lat is 48, here it is 47");
    o = l, o.prediction_channels = CASE_CHANNELS;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its dimension odim is 0, here it is 8");
    memcpy(axis, case_lat, sizeof case_lat);
    o = l, o.lat = axis, axis[3] = -76.75;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its lat[3] is -76.875, here it is -76.75");
    memcpy(axis, case_lon, sizeof case_lon);
    o = l, o.lon = axis, axis[95] = 357;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its lon[95] is 356.25, here it is 357");
    memcpy(axis, case_a, sizeof case_a);
    o = l, o.a = axis, axis[0] = 146;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its hyam[0] is 145, here it is 146");
    memcpy(axis, case_b, sizeof case_b);
    o = l, o.b = axis, axis[2] = 0.25;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its hybm[2] is 0.5, here it is 0.25");
    memcpy(number, case_number, sizeof number);
    o = l, o.level_number = number, number[1] = 61;
    check_resume_fails(path, &o, GWF_ERR_MISMATCH, "its level_number[1] is 60, here it is 61");
    o = l, o.overwrite = true;
    check_resume_fails(path, &o, GWF_ERR_ARGUMENT, "exclude each other");
    CU_ASSERT_EQUAL(case_finished(part_of(path), false, NULL), 1);
}

/* --- PATH itself is there ----------------------------------------------------------------------
 */

static void test_complete(void)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    unsigned char done[STEPS] = {0};
    bool complete = false;
    const char *path = test_scratch("complete.nc");
    gwf_flux_layout l = case_layout(STEPS, NULL);
    file = resumed(path, &l, "");
    write_list(file, &l, "012345");
    finish(file, path, &l);
    CHECK_FAILS(gwf_flux_file_resume(path, &l, done, &complete, &file, &err), GWF_ERR_EXISTS, err,
                "complete.nc: is complete");
    CU_ASSERT_TRUE(complete);
    for (size_t s = 0; s < STEPS; s++) CU_ASSERT_EQUAL(done[s], 1);
    const gwf_attribute job = {"gwflux_job", "another"};
    l.globals = &job;
    l.n_globals = 1;
    check_resume_fails(path, &l, GWF_ERR_EXISTS, "complete.nc: exists, from another job");
    const char *text = test_scratch("text.nc");
    FILE *f = fopen(text, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("no NetCDF", f);
    fclose(f);
    check_resume_fails(text, &l, GWF_ERR_EXISTS, "text.nc: exists, from another job");
    check_resume_fails("/tmp", &l, GWF_ERR_IO, "is a directory");
    check_resume_fails("", &l, GWF_ERR_ARGUMENT, "is empty");
}

/* --- a PATH.part that is no use ----------------------------------------------------------------
 */

static void spoil(const char *path, off_t at, const char *bytes)
{
    const int file = open(path, O_WRONLY);
    CU_ASSERT_TRUE(file >= 0);
    CU_ASSERT_EQUAL(pwrite(file, bytes, strlen(bytes), at), (ssize_t)strlen(bytes));
    close(file);
}

static void test_damaged(void)
{
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    const char *path = test_scratch("damaged.nc");
    const char *cure = "; remove it or begin anew (--overwrite)";
    begin(path, &l, "2");
    CU_ASSERT_EQUAL(truncate(part_of(path), 100000), 0);
    check_resume_fails(path, &l, GWF_ERR_FORMAT, "damaged, or cut short");
    check_resume_fails(path, &l, GWF_ERR_FORMAT, cure);
    spoil(part_of(path), 0, "garbage!");
    check_resume_fails(path, &l, GWF_ERR_FORMAT, "is not a NetCDF file");
    check_resume_fails(path, &l, GWF_ERR_FORMAT, cure);
    CU_ASSERT_EQUAL(truncate(part_of(path), 0), 0);
    check_resume_fails(path, &l, GWF_ERR_FORMAT, "is empty");
    CU_ASSERT_TRUE(there(part_of(path)));
    CU_ASSERT_EQUAL(unlink(part_of(path)), 0);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", part_of(path)), 0);
    check_resume_fails(path, &l, GWF_ERR_IO, "damaged.nc.part: cannot be opened for writing");
    CU_ASSERT_EQUAL(unlink(part_of(path)), 0);
    CU_ASSERT_EQUAL(mkdir(part_of(path), 0700), 0);
    check_resume_fails(path, &l, GWF_ERR_IO, "damaged.nc.part: cannot be opened for writing");
    CU_ASSERT_EQUAL(rmdir(part_of(path)), 0);
    CU_ASSERT_EQUAL(mkfifo(part_of(path), 0600), 0);
    check_resume_fails(path, &l, GWF_ERR_IO, "damaged.nc.part: is not a regular file");
}

/* Files of NetCDF that are not ours. */
static void test_foreign(void)
{
    int file, dim, id;
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    gwf_flux_layout bare = l;
    const char *path = test_scratch("foreign.nc");
    bare.n_globals = 0;
    CU_ASSERT_EQUAL_FATAL(nc_create(part_of(path), NC_NETCDF4, &file), NC_NOERR);
    nc_close(file);
    check_resume_fails(path, &l, GWF_ERR_MISMATCH, "its gwflux_model_sha256 is \"\"");
    check_resume_fails(path, &bare, GWF_ERR_MISMATCH, "its dimension time is 0, here it is 6");
    CU_ASSERT_EQUAL_FATAL(nc_create(part_of(path), NC_NETCDF4, &file), NC_NOERR);
    nc_def_dim(file, "time", STEPS, &dim);
    nc_def_var(file, "uw", NC_FLOAT, 1, &dim, &id);
    nc_def_dim(file, "lev", CASE_LEV, &dim);
    nc_def_dim(file, "lat", CASE_LAT, &dim);
    nc_def_dim(file, "lon", CASE_LON, &dim);
    nc_close(file);
    check_resume_fails(path, &bare, GWF_ERR_FORMAT, "variable level_number is not there");
}

/* A killed run's unfinished beginning of a file is in nobody's way. */
static void test_old_draft(void)
{
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    const char *path = test_scratch("draft.nc"), *draft = test_scratch("draft.nc.part.new");
    FILE *f = fopen(draft, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("half a header", f);
    fclose(f);
    gwf_flux_file *file = resumed(path, &l, "");
    CU_ASSERT_FALSE(there(draft));
    write_list(file, &l, "012345");
    finish(file, path, &l);
}

/* --- two at once --------------------------------------------------------------------------------
 */

static void test_in_use(void)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    const char *path = test_scratch("busy.nc"), *draft = test_scratch("made.nc.part.new");
    CHECK_OK(gwf_flux_file_create(path, &l, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    write_list(file, &l, "0");
    check_resume_fails(path, &l, GWF_ERR_IO, "busy.nc.part: another process is writing it");
    write_list(file, &l, "12345");
    finish(file, path, &l);
    const int other = open(draft, O_CREAT | O_RDWR, 0600);
    CU_ASSERT_EQUAL(flock(other, LOCK_EX), 0);
    check_resume_fails(test_scratch("made.nc"), &l, GWF_ERR_EXISTS,
                       "made.nc.part: another process is making it");
    CU_ASSERT_TRUE(there(draft));
    close(other);
}

/* No room for what is missing: the limit is below the file's size. */
static void test_no_room(void)
{
    const gwf_flux_layout l = case_layout(STEPS, NULL);
    const char *path = test_scratch("room.nc");
    begin(path, &l, "2");
    const pid_t id = fork();
    if (id == 0) {
        gwf_error err = {0};
        gwf_flux_file *file = NULL;
        unsigned char done[STEPS];
        bool complete;
        const struct rlimit limit = {1 << 19, 1 << 19};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(100);
        _exit((int)gwf_flux_file_resume(path, &l, done, &complete, &file, &err));
    }
    int status = 0;
    CU_ASSERT_EQUAL(waitpid(id, &status, 0), id);
    CU_ASSERT_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : -1, GWF_ERR_DISK);
    gwf_flux_file *file = resumed(path, &l, "2");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
}

int main(void)
{
    static const test_case cases[] = {
        {"nothing is there", test_nothing_there},
        {"in pieces", test_in_pieces},
        {"all steps are finished", test_all_finished},
        {"many steps", test_many_steps},
        {"a time like the fill value", test_time_like_fill},
        {"times of the input", test_times_of_input},
        {"other global attributes", test_other_globals},
        {"long jobs", test_long_jobs},
        {"another shape", test_other_shape},
        {"complete already", test_complete},
        {"damaged", test_damaged},
        {"files of others", test_foreign},
        {"an old draft", test_old_draft},
        {"in use", test_in_use},
        {"no room", test_no_room},
    };
    return test_run("flux_resume", cases, sizeof cases / sizeof *cases);
}
