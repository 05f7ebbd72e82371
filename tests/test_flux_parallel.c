/* One flux file from 1, 2, 3, 4 ranks: the same bytes however it is written. */
#include "io/flux_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "flux_case.h"
#include "io/nc_internal.h"
#include "test_mpi.h"

enum { STEPS = 13 };

static bool there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* Does this rank write the step? Out of order and unevenly; rank 0 all without parallel NetCDF. */
static bool mine(size_t step, size_t stride)
{
    if (!gwf_nc_has_parallel()) return test_rank() == 0;
    return (int)(step * stride % STEPS) % test_ranks() == test_rank();
}

static gwf_flux_file *created(const char *path, const gwf_flux_layout *l)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    CHECK_OK(gwf_flux_file_create(path, l, &file, &err), err);
    return file;
}

/* From the last step to the first. */
static void write_mine(gwf_flux_file *file, const gwf_flux_layout *l, size_t stride,
                       const unsigned char *done)
{
    gwf_error err = {0};
    for (size_t s = l->steps; file && s-- > 0;)
        if (mine(s, stride) && !(done && done[s]))
            CHECK_OK(case_write(file, s, l->prediction_channels > 0, &err), err);
}

static void finish(gwf_flux_file **file)
{
    gwf_error err = {0};
    if (*file) CHECK_OK(gwf_flux_file_finish(file, &err), err);
    CU_ASSERT_PTR_NULL(*file);
}

static void write_alone(const char *path, gwf_flux_layout l)
{
    gwf_error err = {0};
    l.comm = NULL;
    gwf_flux_file *file = created(path, &l);
    for (size_t s = 0; file && s < l.steps; s++)
        CHECK_OK(case_write(file, s, l.prediction_channels > 0, &err), err);
    finish(&file);
}

static bool same_bytes(const char *a, const char *b)
{
    char command[2300];
    snprintf(command, sizeof command, "cmp '%s' '%s' >&2", a, b);
    return system(command) == 0;
}

/* Rank 0: complete, right, and in every byte what one process writes (but that ranks, on opening
 * it, give the dimension odim a place in the file, which it needs not have). */
static void check_whole(const char *path, gwf_flux_layout l)
{
    test_barrier();
    if (test_rank() == 0) {
        const char *alone = test_scratch_of_all("alone.nc");
        char part[1100];
        snprintf(part, sizeof part, "%s.part", path);
        CU_ASSERT_FALSE(there(part));
        CU_ASSERT_EQUAL(case_finished(path, l.prediction_channels > 0, NULL), (long)l.steps);
        l.overwrite = true;
        write_alone(alone, l);
        if (l.prediction_channels == 0) CU_ASSERT_TRUE(same_bytes(path, alone));
    }
    test_barrier();
}

/* --- whole files ----------------------------------------------------------------------------- */

static void whole(const char *name, gwf_flux_writer writer, int channels)
{
    const char *path = test_scratch_of_all(name);
    gwf_flux_layout l = case_layout(STEPS, test_comm());
    l.writer = writer;
    l.prediction_channels = channels;
    gwf_flux_file *file = created(path, &l);
    write_mine(file, &l, 5, NULL);
    finish(&file);
    check_whole(path, l);
}

static void test_all_write(void)
{
    whole("auto.nc", GWF_WRITE_AUTO, 0);
    whole("prediction.nc", GWF_WRITE_AUTO, CASE_CHANNELS);
}

static void test_more_ranks_than_steps(void)
{
    const char *path = test_scratch_of_all("one.nc");
    const gwf_flux_layout l = case_layout(1, test_comm());
    gwf_flux_file *file = created(path, &l);
    write_mine(file, &l, 5, NULL);
    finish(&file);
    check_whole(path, l);
}

/* More than one chunk of time holds. */
static void test_many_steps(void)
{
    static const size_t written[] = {1099, 511, 512, 0, 1024, 700, 3};
    enum { WRITTEN = sizeof written / sizeof *written };
    gwf_error err = {0};
    const gwf_flux_layout l = case_layout(1100, test_comm());
    gwf_flux_file *file = created(test_scratch_of_all("many.nc"), &l);
    for (int i = 0; i < WRITTEN && file; i++)
        if (gwf_nc_has_parallel() ? i % test_ranks() == test_rank() : test_rank() == 0)
            CHECK_OK(case_write(file, written[i], false, &err), err);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), WRITTEN);
    test_barrier();
    if (test_rank() == 0)
        CU_ASSERT_EQUAL(case_finished(test_scratch_of_all("many.nc.part"), false, NULL), WRITTEN);
    test_barrier();
}

static void test_root_writes(void)
{
    gwf_error err = {0};
    const char *path = test_scratch_of_all("root.nc");
    gwf_flux_layout l = case_layout(STEPS, test_comm());
    l.writer = GWF_WRITE_ROOT;
    gwf_flux_file *file = created(path, &l);
    if (!file) return;
    CU_ASSERT_EQUAL(gwf_flux_file_writes(file), test_rank() == 0);
    for (size_t s = 0; s < l.steps && test_rank() == 0; s++)
        CHECK_OK(case_write(file, s, false, &err), err);
    if (test_rank() > 0)
        CHECK_FAILS(case_write(file, 0, false, &err), GWF_ERR_ARGUMENT, err, "by rank 0 only");
    finish(&file);
    check_whole(path, l);
}

static void test_writer_asked_for(void)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    gwf_flux_layout l = case_layout(STEPS, test_comm());
    l.writer = GWF_WRITE_ALL;
    const char *path = test_scratch_of_all("all.nc");
    if (gwf_nc_has_parallel() || test_ranks() == 1) {
        file = created(path, &l);
        CU_ASSERT_TRUE(file && gwf_flux_file_writes(file));
        CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 0);
    } else {
        CHECK_FAILS(gwf_flux_file_create(path, &l, &file, &err), GWF_ERR_UNSUPPORTED, err,
                    "without parallel NetCDF");
    }
}

/* --- going on -------------------------------------------------------------------------------- */

/* A third of the steps or so is written, by all ranks. */
static size_t begin(const char *path, const gwf_flux_layout *l)
{
    gwf_error err = {0};
    size_t expected = 0;
    gwf_flux_file *file = created(path, l);
    for (size_t s = 0; file && s < l->steps; s++) {
        if (s % 3 != 1) continue;
        expected++;
        if (l->writer == GWF_WRITE_ROOT ? test_rank() == 0 : mine(s, 5))
            CHECK_OK(case_write(file, s, false, &err), err);
    }
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), expected);
    return expected;
}

static void check_done(const unsigned char *done)
{
    size_t wrong = 0;
    for (size_t s = 0; s < STEPS; s++) wrong += done[s] != (s % 3 == 1);
    CU_ASSERT_EQUAL(wrong, 0);
}

static gwf_status resume(const char *path, const gwf_flux_layout *l, gwf_flux_file **file,
                         gwf_error *err)
{
    unsigned char done[STEPS];
    bool complete = true;
    memset(done, 7, sizeof done);
    const gwf_status status = gwf_flux_file_resume(path, l, done, &complete, file, err);
    CU_ASSERT_FALSE(complete);
    if (status == GWF_OK) check_done(done);
    return status;
}

static void test_resume(void)
{
    gwf_error err = {0};
    static const gwf_flux_writer writers[] = {GWF_WRITE_AUTO, GWF_WRITE_ROOT};
    for (int i = 0; i < 2; i++) {
        gwf_flux_file *file = NULL;
        gwf_flux_layout l = case_layout(STEPS, test_comm());
        l.writer = writers[i];
        const char *path = test_scratch_of_all(i ? "resume_root.nc" : "resume.nc");
        begin(path, &l);
        CHECK_OK(resume(path, &l, &file, &err), err);
        for (size_t s = 0; file && s < STEPS; s++)
            if (s % 3 != 1 && (l.writer == GWF_WRITE_ROOT ? test_rank() == 0 : mine(s, 7)))
                CHECK_OK(case_write(file, s, false, &err), err);
        finish(&file);
        check_whole(path, l);
    }
}

/* What ranks have begun one process may end, and the other way round. */
static void test_resume_alone(void)
{
    gwf_error err = {0};
    gwf_flux_layout l = case_layout(STEPS, test_comm());
    const char *path = test_scratch_of_all("both.nc");
    begin(path, &l);
    if (test_rank() == 0) {
        gwf_flux_file *file = NULL;
        gwf_flux_layout alone = l;
        alone.comm = NULL;
        CHECK_OK(resume(path, &alone, &file, &err), err);
        if (file) CHECK_OK(case_write(file, 0, false, &err), err);
        CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 5);
    }
    test_barrier();
    unsigned char done[STEPS];
    bool complete;
    gwf_flux_file *file = NULL;
    l.writer = GWF_WRITE_AUTO;
    CHECK_OK(gwf_flux_file_resume(path, &l, done, &complete, &file, &err), err);
    CU_ASSERT_EQUAL(done[0], 1);
    write_mine(file, &l, 7, done);
    finish(&file);
    check_whole(path, l);
    CHECK_FAILS(gwf_flux_file_resume(path, &l, done, &complete, &file, &err), GWF_ERR_EXISTS, err,
                "both.nc: is complete");
    CU_ASSERT_TRUE(complete);
    CU_ASSERT_EQUAL(done[STEPS - 1], 1);
}

/* --- failures -------------------------------------------------------------------------------- */

static void check_text(const gwf_error *err)
{
    CU_ASSERT_EQUAL(strncmp(err->text, "rank 0: ", 8) == 0, test_ranks() > 1);
}

static void test_all_fail(void)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    gwf_flux_layout l = case_layout(STEPS, test_comm());
    CHECK_FAILS(gwf_flux_file_create("/nowhere/at/all.nc", &l, &file, &err), GWF_ERR_IO, err,
                "/nowhere/at/all.nc.part: cannot be created");
    check_text(&err);
    CU_ASSERT_PTR_NULL(file);
    const char *path = test_scratch_of_all("fail.nc");
    l.writer = GWF_WRITE_ROOT;
    begin(path, &l);
    CHECK_FAILS(gwf_flux_file_create(path, &l, &file, &err), GWF_ERR_EXISTS, err,
                "fail.nc.part: holds what an earlier run");
    gwf_attribute globals[CASE_GLOBALS];
    memcpy(globals, case_globals, sizeof globals);
    globals[CASE_GLOBALS - 1].text = "inputs other.nc, steps 0 to 10";
    l.globals = globals;
    CHECK_FAILS(resume(path, &l, &file, &err), GWF_ERR_MISMATCH, err,
                "its gwflux_job is \"inputs in.nc, steps 0 to 10\", here it is \"inputs other.nc");
    check_text(&err);
    CU_ASSERT_PTR_NULL(file);
}

/* One rank's layout is wrong: none goes on. */
static void test_one_fails(void)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    gwf_flux_layout l = case_layout(STEPS, test_comm());
    const char *path = test_scratch_of_all("last.nc");
    if (test_rank() == test_ranks() - 1) l.lat = NULL;
    CHECK_FAILS(gwf_flux_file_create(path, &l, &file, &err), GWF_ERR_ARGUMENT, err,
                "layout is not complete");
    CU_ASSERT_PTR_NULL(file);
    test_barrier();
    CU_ASSERT_FALSE(there(test_scratch_of_all("last.nc.part")));
}

static void test_missing_step(void)
{
    gwf_error err = {0};
    const gwf_flux_layout l = case_layout(STEPS, test_comm());
    gwf_flux_file *file = created(test_scratch_of_all("missing.nc"), &l);
    for (size_t s = 1; file && s < STEPS; s++)
        if (mine(s, 5)) {
            CHECK_OK(case_write(file, s, false, &err), err);
            CHECK_FAILS(case_write(file, s, false, &err), GWF_ERR_ARGUMENT, err, "(again)");
        }
    if (!file) return;
    CHECK_FAILS(gwf_flux_file_finish(&file, &err), GWF_ERR_INTERNAL, err, "12 of 13 steps");
    test_barrier();
    CU_ASSERT_FALSE(there(test_scratch_of_all("missing.nc")));
    CU_ASSERT_TRUE(there(test_scratch_of_all("missing.nc.part")));
}

/* While ranks write it nobody else may. */
static void test_locked(void)
{
    gwf_error err = {0};
    gwf_flux_file *other = NULL;
    gwf_flux_layout l = case_layout(STEPS, test_comm());
    const char *path = test_scratch_of_all("locked.nc");
    gwf_flux_file *file = created(path, &l);
    l.comm = NULL;
    CHECK_FAILS(resume(path, &l, &other, &err), GWF_ERR_IO, err, "another process is writing it");
    test_barrier();
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 0);
    test_barrier();
    CU_ASSERT_FALSE(there(test_scratch_of_all("locked.nc.part")));
}

/* --- no room --------------------------------------------------------------------------------- */

/* In place of the system's: says once that there is room, as it would be if another filled the disk
 * right after the question. */
static bool say_room;

int statvfs(const char *restrict path, struct statvfs *restrict info)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY);
    const int rc = folder < 0 ? -1 : fstatvfs(folder, info);
    if (folder >= 0) close(folder);
    if (say_room) info->f_bavail = info->f_blocks = 1 << 30;
    say_room = false;
    return rc;
}

static bool small_disk(const char *folder)
{
    bool mounted = true;
    if (test_rank() == 0) {
        mkdir(folder, 0700);
        mounted = mount("tmpfs", folder, "tmpfs", 0, "size=4m") == 0;
    }
    return test_everywhere(mounted);
}

/* Room for 300 kB more: a step of 147 kB and what is asked for beside it, for one rank but not for
 * all, who have asked at the same time. */
static void fill_disk(const char *folder)
{
    char command[2300];
    snprintf(command, sizeof command,
             "head -c \"$(($(df --output=avail -B1 '%s' | tail -1) - 430000))\" /dev/zero >> "
             "'%s/other'",
             folder, folder);
    if (test_rank() == 0) CU_ASSERT_EQUAL(system(command), 0);
    test_barrier();
}

/* Every rank writes until it cannot; PATH.part keeps what is finished. */
static void write_until_full(const char *path, const gwf_flux_layout *l, const char *folder,
                             bool unseen)
{
    gwf_error err = {0};
    gwf_flux_file *file = created(path, l);
    size_t written = 0;
    gwf_status status = GWF_OK;
    const bool writes = file && gwf_flux_file_writes(file);
    const size_t rank = (size_t)test_rank(), ranks = (size_t)test_ranks();
    const size_t between = gwf_nc_has_parallel() ? ranks : 1;
    for (size_t s = rank; s < 2 * ranks && writes; s += between) {
        CHECK_OK(case_write(file, s, false, &err), err);
        written++;
    }
    test_barrier();
    fill_disk(folder);
    for (size_t s = 2 * ranks + rank; s < l->steps && writes && status == GWF_OK; s += between) {
        say_room = unseen;
        status = case_write(file, s, false, &err);
        if (status == GWF_OK) written++;
    }
    if (writes) {
        CU_ASSERT_EQUAL(status, GWF_ERR_DISK);
        if (status != GWF_ERR_DISK) fprintf(stderr, "\n  status %d: %s\n", status, err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "full.nc"));
        if (unseen)
            CHECK_FAILS(case_write(file, 23, false, &err), GWF_ERR_ARGUMENT, err, "cannot be");
    }
    say_room = false;
    double sum = (double)written;
    gwf_comm_sum(l->comm, &sum, 1, NULL);
    const size_t kept = gwf_flux_file_abandon(&file);
    CU_ASSERT_EQUAL(kept, (size_t)sum);
    test_barrier();
    if (test_rank() == 0)
        CU_ASSERT_EQUAL(case_finished(test_scratch_of_all("disk/full.nc.part"), false, NULL),
                        (long)kept);
}

static void test_disk_full(void)
{
    const char *folder = test_scratch_of_all("disk");
    gwf_flux_layout l = case_layout(24, test_comm()); /* 3.5 MB */
    for (int i = 0; i < 3; i++) {
        if (!small_disk(folder)) {
            if (test_rank() == 0) test_skip("a full disk: this user may not mount one");
            return;
        }
        write_until_full(test_scratch_of_all("disk/full.nc"), &l, folder, i > 0);
        test_barrier();
        if (test_rank() == 0) CU_ASSERT_EQUAL(umount(folder), 0);
    }
}

/* The last rank's files may not grow any more. */
static void test_limit(void)
{
    gwf_error err = {0};
    struct rlimit before, now;
    const gwf_flux_layout l = case_layout(2 * (size_t)test_ranks(), test_comm());
    gwf_flux_file *file = created(test_scratch_of_all("limit.nc"), &l);
    const size_t step = (size_t)test_rank();
    const bool writes = file && gwf_flux_file_writes(file);
    const bool last = test_rank() == (gwf_nc_has_parallel() ? test_ranks() - 1 : 0);
    if (writes) CHECK_OK(case_write(file, step, false, &err), err);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    now = (struct rlimit){1000, before.rlim_max};
    if (last) {
        signal(SIGXFSZ, SIG_IGN);
        CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &now), 0);
    }
    const size_t next = step + (size_t)test_ranks();
    if (writes && last)
        CHECK_FAILS(case_write(file, next, false, &err), GWF_ERR_DISK, err, "file size limit");
    else if (writes)
        CHECK_OK(case_write(file, next, false, &err), err);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    const size_t all = gwf_nc_has_parallel() ? 2 * (size_t)test_ranks() - 1 : 1;
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), all);
}

int main(void)
{
    static const test_case cases[] = {
        {"all write", test_all_write},
        {"more ranks than steps", test_more_ranks_than_steps},
        {"many steps", test_many_steps},
        {"rank 0 writes", test_root_writes},
        {"who writes is asked for", test_writer_asked_for},
        {"going on", test_resume},
        {"going on alone and together", test_resume_alone},
        {"all fail where rank 0 does", test_all_fail},
        {"all fail where the last does", test_one_fails},
        {"a missing step", test_missing_step},
        {"nobody else may write it", test_locked},
        {"a full disk", test_disk_full},
        {"a limit on one rank", test_limit},
    };
    return test_run_ranks("flux_parallel", cases, sizeof cases / sizeof *cases);
}
