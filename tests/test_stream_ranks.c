/* The stream over ranks: every step once, and what is left when a rank fails, is stopped, or finds
 * that its results cannot be written. */
#include "cli/stream.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "feature_file.h"
#include "model/checkpoint.h"
#include "test_mpi.h"

enum { NLAT = 4, NLON = 8, MAP = NLAT * NLON, INPUTS = 369, OUTPUTS = 120, LEVELS = OUTPUTS / 2 };
enum { MOST = 64, STUCK = 100 /* seconds until a run counts as hanging */ };

/* --- files, made by rank 0 ------------------------------------------------------------------- */

static void make_model(void)
{
    const gwf_model_choice choice = {"uvtheta", "stratosphere_update", "era5-released", "zero",
                                     "rho_uw"};
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    gwf_error err = {0};
    CHECK_OK(gwf_checkpoint_read(test_data("golden/ann_1x1.pt"), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_model_build(&set, &choice, "test", NULL, &model, &err), err);
    model.nlat = NLAT; /* a small grid keeps the test fast */
    model.nlon = NLON;
    for (size_t i = 0; i < NLAT; i++) model.lat[i] = feature_lat(NLAT, i);
    for (size_t i = 0; i < NLON; i++) model.lon[i] = feature_lon(NLON, i);
    CHECK_OK(gwf_model_write(&model, test_scratch_of_all("model.nc"), "test", true, &err), err);
    gwf_model_free(&model);
}

/* bad: the step with a value that is not finite; negative: none. */
static void make_input(size_t steps, int bad)
{
    feature_file f = {
        .steps = steps, .idim = INPUTS, .nlat = NLAT, .nlon = NLON, .recipe = "era5-released"};
    if (bad >= 0) {
        f.bad = NAN;
        f.bad_at[0] = (size_t)bad;
        f.bad_at[1] = 7;
    }
    feature_file_make(test_scratch_of_all("in.nc"), &f);
}

/* --- one run --------------------------------------------------------------------------------- */

static volatile sig_atomic_t stop;

typedef struct job {
    char input_path[1024];
    const char *inputs[1];
    gwf_engine *engine;
    source input;
    sink out;
    size_t steps, pending[MOST];
    stream_times times;
    void (*hook)(struct job *j, size_t computed); /* after each step that this rank computes */
    size_t computed;
} job;

static gwf_status create_output(job *j, gwf_flux_writer writer, gwf_error *err)
{
    const gwf_model *model = &j->engine->model;
    int number[LEVELS];
    double a[LEVELS], b[LEVELS];
    gwf_windset *time_of = NULL;
    unsigned char done[MOST];
    bool complete = false;
    const sink_opening how = {test_scratch_of_all("out.nc"), false, done, &complete};
    for (int k = 0; k < LEVELS; k++) {
        number[k] = model->levels[k].number;
        a[k] = model->levels[k].a;
        b[k] = model->levels[k].b;
    }
    GWF_TRY(series_file_of(&j->input.windset, 0, &time_of, err));
    const gwf_flux_layout layout = {.steps = j->steps,
                                    .nlev = LEVELS,
                                    .nlat = NLAT,
                                    .nlon = NLON,
                                    .lat = j->input.lat,
                                    .lon = j->input.lon,
                                    .level_number = number,
                                    .a = a,
                                    .b = b,
                                    .flux_kind = "rho_uw",
                                    .time_of = time_of,
                                    .overwrite = true,
                                    .comm = test_comm(),
                                    .writer = writer};
    return sink_open_flux(&j->out, &how, &layout, err);
}

/* Collective. */
static void open_job(job *j, size_t steps, int bad, gwf_flux_writer writer)
{
    gwf_error err = {0};
    gwf_options *options = gwf_options_create();
    *j = (job){.steps = steps};
    if (test_rank() == 0) make_model();
    if (test_rank() == 0) make_input(steps, bad);
    test_barrier();
    gwf_options_set(options, "backend", "ref");
    CU_ASSERT_EQUAL(gwf_create(test_scratch_of_all("model.nc"), options, &j->engine), GWF_OK);
    gwf_options_free(&options);
    snprintf(j->input_path, sizeof j->input_path, "%s", test_scratch_of_all("in.nc"));
    j->inputs[0] = j->input_path;
    const reanalysis_choice choice = {.inputs = {j->inputs, 1}, .threads = 1};
    CHECK_OK(source_open(&j->input, &choice, &j->engine->model, NULL, &err), err);
    CHECK_OK(create_output(j, writer, &err), err);
    for (size_t i = 0; i < steps; i++) j->pending[i] = i;
}

static void count(void *user, size_t done)
{
    job *j = user;
    (void)done;
    j->computed++;
    if (j->hook) j->hook(j, j->computed);
}

static gwf_status put(void *user, const stream_step *at, gwf_error *err)
{
    job *j = user;
    const sink_step step = {at->step, at->time, {at->flux, at->flux + LEVELS * MAP}};
    return sink_put(&j->out, &step, err);
}

/* Collective; the status is this rank's. */
static gwf_status run(job *j, gwf_error *err)
{
    gwf_queue *queue = NULL;
    CHECK_OK(gwf_queue_create(test_comm(), j->steps, &queue, err), *err);
    const stream s = {.engine = j->engine,
                      .input = &j->input,
                      .output = &j->out,
                      .queue = queue,
                      .model = &j->engine->model,
                      .threads = 1,
                      .pending = j->pending,
                      .steps = j->steps,
                      .put = put,
                      .stop = &stop,
                      .progress = count,
                      .user = j};
    *err = (gwf_error){0};
    alarm(STUCK);
    const gwf_status status = stream_run(&s, &j->times, err);
    alarm(0);
    test_barrier();
    gwf_queue_free(&queue);
    return status;
}

/* Collective. */
static void close_job(job *j)
{
    size_t kept = 0;
    sink_abandon(&j->out, &kept);
    source_close(&j->input);
    gwf_free(&j->engine);
    test_barrier();
    if (test_rank() == 0) unlink(test_scratch_of_all("out.nc"));
    if (test_rank() == 0) unlink(test_scratch_of_all("out.nc.part"));
}

static size_t sum_of(size_t mine)
{
    double sum = (double)mine;
    CU_ASSERT_EQUAL(gwf_comm_sum(test_comm(), &sum, 1, NULL), GWF_OK);
    return (size_t)sum;
}

/* --- what was written ------------------------------------------------------------------------ */

static size_t wrong_values(int file, const char *name, size_t step, const float *expected)
{
    const size_t start[4] = {step}, size[4] = {1, LEVELS, NLAT, NLON};
    float found[LEVELS * MAP];
    int id = 0;
    if (nc_inq_varid(file, name, &id) != NC_NOERR ||
        nc_get_vara_float(file, id, start, size, found) != NC_NOERR)
        return LEVELS * MAP;
    return memcmp(found, expected, sizeof found) != 0;
}

/* A step that has a time holds what the engine makes of that step of the input. */
static size_t wrong_step(const job *j, int file, size_t step)
{
    static float features[INPUTS * MAP], flux[OUTPUTS * MAP];
    for (size_t c = 0; c < INPUTS; c++)
        for (size_t i = 0; i < MAP; i++) features[c * MAP + i] = feature_at(step, c, i);
    if (gwf_predict(j->engine, features, flux) != GWF_OK) return 1;
    return wrong_values(file, "uw", step, flux) +
           wrong_values(file, "vw", step, flux + LEVELS * MAP);
}

/* Rank 0: so many steps are finished, and right. */
static void check_file(const job *j, const char *path, size_t steps)
{
    int file = 0, id = 0;
    double fill = 0, time = 0;
    size_t finished = 0, wrong = 0;
    if (test_rank() > 0) return;
    CU_ASSERT_EQUAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    CU_ASSERT_EQUAL(nc_inq_varid(file, "time", &id), NC_NOERR);
    CU_ASSERT_EQUAL(nc_inq_var_fill(file, id, NULL, &fill), NC_NOERR);
    for (size_t s = 0; s < j->steps; s++) {
        CU_ASSERT_EQUAL(nc_get_var1_double(file, id, &s, &time), NC_NOERR);
        if (time == fill) continue;
        finished++;
        wrong += !(time == feature_time(s));
        wrong += wrong_step(j, file, s);
    }
    nc_close(file);
    CU_ASSERT_EQUAL(finished, steps);
    CU_ASSERT_EQUAL(wrong, 0);
}

/* After a failure: as many steps as all ranks have handed over are in PATH.part. */
static void check_kept(job *j)
{
    size_t kept = 0;
    const size_t steps = sum_of(j->times.steps);
    sink_abandon(&j->out, &kept);
    CU_ASSERT_EQUAL(kept, steps);
    test_barrier();
    if (kept) check_file(j, test_scratch_of_all("out.nc.part"), kept);
}

/* --- runs ------------------------------------------------------------------------------------ */

static void succeed(size_t steps, gwf_flux_writer writer)
{
    job j;
    gwf_error err = {0};
    open_job(&j, steps, -1, writer);
    CHECK_OK(run(&j, &err), err);
    CU_ASSERT_EQUAL(sum_of(j.times.steps), steps);
    CU_ASSERT_EQUAL(j.computed, j.times.steps);
    CHECK_OK(sink_finish(&j.out, &err), err);
    test_barrier();
    check_file(&j, test_scratch_of_all("out.nc"), steps);
    close_job(&j);
}

static void test_steps(void)
{
    static const size_t steps[] = {1, 2, 3, 13, 40};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        succeed(steps[i], GWF_WRITE_AUTO);
        succeed(steps[i], GWF_WRITE_ROOT);
    }
}

/* One rank meets it, which one is open; all others end well. */
static void fail_at(int bad, gwf_flux_writer writer)
{
    job j;
    gwf_error err = {0};
    char words[64];
    snprintf(words, sizeof words, "in.nc: features: u at time %g,", feature_time((size_t)bad));
    open_job(&j, 20, bad, writer);
    const gwf_status status = run(&j, &err);
    CU_ASSERT_EQUAL(sum_of(status != GWF_OK), 1);
    CHECK_FAILS(gwf_agree(test_comm(), status, &err), GWF_ERR_DATA, err, words);
    check_kept(&j);
    close_job(&j);
}

static void test_not_finite(void)
{
    static const int bad[] = {0, 1, 7, 19};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fail_at(bad[i], i % 2 ? GWF_WRITE_AUTO : GWF_WRITE_ROOT);
}

/* --- stopped --------------------------------------------------------------------------------- */

static int stopper;

/* As the command's. */
static void take_signal(int number)
{
    (void)number;
    stop = 1;
}

static void stop_after_two(job *j, size_t computed)
{
    const struct timespec nap = {0, 2000000};
    (void)j;
    if (test_rank() == stopper && computed == 2)
        raise(SIGUSR1);
    else
        nanosleep(&nap, NULL);
}

/* One rank is asked to stop: no rank goes on for long, and what is computed is written. */
static void test_stop(void)
{
    for (stopper = 0; stopper < test_ranks(); stopper++) {
        job j;
        gwf_error err = {0};
        open_job(&j, MOST, -1, stopper % 2 ? GWF_WRITE_ROOT : GWF_WRITE_AUTO);
        j.hook = stop_after_two;
        stop = 0;
        signal(SIGUSR1, take_signal);
        const gwf_status status = run(&j, &err);
        CU_ASSERT_EQUAL(status, test_rank() == stopper ? GWF_ERR_STOPPED : GWF_OK);
        CU_ASSERT_TRUE(sum_of(j.times.steps) < MOST);
        if (test_rank() == stopper) CU_ASSERT_EQUAL(j.times.steps, 2);
        check_kept(&j);
        close_job(&j);
    }
    stop = 0;
}

/* --- results of another rank that cannot be written ------------------------------------------ */

static void await(const char *name)
{
    const struct timespec nap = {0, 1000000};
    for (int i = 0; i < 20000 && access(name, F_OK) != 0; i++) nanosleep(&nap, NULL);
}

/* The last rank has more than one step in hand when the others go on to the end; then the file is
 * gone. The first result of a rank is on its way when this is called. */
static void lose_file(job *j, size_t computed)
{
    const struct timespec long_nap = {0, 500000000};
    const char *flag = test_scratch_of_all("begun");
    (void)j;
    if (computed > 1) return;
    if (test_rank() < test_ranks() - 1) {
        await(flag);
        return;
    }
    CU_ASSERT_EQUAL(symlink("/", flag), 0);
    nanosleep(&long_nap, NULL);
    CU_ASSERT_EQUAL(unlink(test_scratch_of_all("out.nc.part")), 0);
}

/* Rank 0 writes all, has had its own last step, and then fails. */
static void test_lost_file(void)
{
    job j;
    gwf_error err = {0};
    if (test_ranks() == 1) return;
    open_job(&j, 5 * (size_t)test_ranks(), -1, GWF_WRITE_ROOT);
    j.hook = lose_file;
    const gwf_status status = run(&j, &err);
    CU_ASSERT_EQUAL(status, test_rank() == 0 ? GWF_ERR_IO : GWF_OK);
    CHECK_FAILS(gwf_agree(test_comm(), status, &err), GWF_ERR_IO, err, "out.nc.part: is gone");
    close_job(&j);
    if (test_rank() == 0) unlink(test_scratch_of_all("begun"));
}

int main(void)
{
    static const test_case cases[] = {
        {"every step once", test_steps},
        {"a value that is not finite", test_not_finite},
        {"one rank is stopped", test_stop},
        {"another rank's results cannot be written", test_lost_file},
    };
    return test_run_ranks("stream_ranks", cases, sizeof cases / sizeof *cases);
}
