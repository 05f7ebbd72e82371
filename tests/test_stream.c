/* The ring of slots: reading, computing and writing at the same time, and what is left when one of
 * them fails. */
#include "cli/stream.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feature_file.h"
#include "model/checkpoint.h"
#include "test.h"

enum { NLAT = 4, NLON = 8, MAP = NLAT * NLON, INPUTS = 369, OUTPUTS = 120, LEVELS = OUTPUTS / 2 };
enum { FILES = 3, PATH = 1024, STUCK = 120 /* seconds until a run counts as hanging */ };

/* --- one run -------------------------------------------------------------------------------- */

static char model_path[PATH];

static void make_model(void)
{
    const gwf_model_choice choice = {"uvtheta", "stratosphere_update", "era5-released", "zero",
                                     "rho_uw"};
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    gwf_error err = {0};
    snprintf(model_path, sizeof model_path, "%s", test_scratch("model.nc"));
    CHECK_OK(gwf_checkpoint_read(test_data("golden/ann_1x1.pt"), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_model_build(&set, &choice, "test", NULL, &model, &err), err);
    model.nlat = NLAT; /* a small grid keeps the test fast */
    model.nlon = NLON;
    for (size_t i = 0; i < NLAT; i++) model.lat[i] = feature_lat(NLAT, i);
    for (size_t i = 0; i < NLON; i++) model.lon[i] = feature_lon(NLON, i);
    CHECK_OK(gwf_model_write(&model, model_path, "test", true, &err), err);
    gwf_model_free(&model);
}

typedef struct job {
    char inputs[FILES][PATH], output[PATH], part[PATH + 8];
    gwf_engine *engine;
    source input;
    gwf_comm *alone;
    sink out;
    size_t *pending;
    size_t first, steps;
    bool normalised;
    stream_times times;
    atomic_size_t progress, wrong_progress;
    size_t stop_after; /* with `stoppable`: so many steps are computed */
    bool stoppable;
    volatile sig_atomic_t stop;
    size_t limit_after; /* not 0: when so many steps are computed, files have this limit */
    rlim_t limit;
} job;

/* A feature of this step has this value; 0: none. */
typedef struct fault {
    float value;
    size_t step;
} fault;

static const char *batch = "1"; /* maps that the engine computes at once */

/* Inputs of the given lengths; the output for steps first.. of them is created. */
static void open_job(job *j, const size_t lengths[FILES], size_t first, bool normalised, fault bad)
{
    const char *list[FILES];
    int count = 0;
    size_t total = 0;
    gwf_error err = {0};
    gwf_options *options = gwf_options_create();
    *j = (job){.first = first, .normalised = normalised, .stop = 0};
    for (; count < FILES && lengths[count]; count++) {
        char name[32];
        feature_file f = {.steps = lengths[count],
                          .first = total,
                          .idim = INPUTS,
                          .nlat = NLAT,
                          .nlon = NLON,
                          .recipe = "era5-released"};
        if (bad.value != 0 && bad.step >= total && bad.step < total + f.steps) {
            f.bad = bad.value;
            f.bad_at[0] = bad.step - total;
            f.bad_at[1] = 7;
        }
        snprintf(name, sizeof name, "in%d.nc", count);
        snprintf(j->inputs[count], PATH, "%s", test_scratch(name));
        feature_file_make(j->inputs[count], &f);
        list[count] = j->inputs[count];
        total += f.steps;
    }
    j->steps = total - first;
    CU_ASSERT_EQUAL(gwf_options_set(options, "backend", "ref"), GWF_OK);
    CU_ASSERT_EQUAL(gwf_options_set(options, "batch", batch), GWF_OK);
    CU_ASSERT_EQUAL_FATAL(gwf_create(model_path, options, &j->engine), GWF_OK);
    gwf_options_free(&options);
    CHECK_OK(gwf_comm_alone(&j->alone, &err), err);
    CHECK_OK(source_open(&j->input, &(reanalysis_choice){.inputs = {list, count}, .threads = 1},
                         &j->engine->model, NULL, &err),
             err);
}

static void create_output(job *j)
{
    const gwf_model *model = &j->engine->model;
    int number[LEVELS];
    double a[LEVELS], b[LEVELS];
    gwf_windset *time_of = NULL;
    gwf_error err = {0};
    snprintf(j->output, sizeof j->output, "%s", test_scratch("out.nc"));
    snprintf(j->part, sizeof j->part, "%s.part", j->output);
    for (int k = 0; k < LEVELS; k++) {
        number[k] = model->levels[k].number;
        a[k] = model->levels[k].a;
        b[k] = model->levels[k].b;
    }
    CHECK_OK(series_file_of(&j->input.windset, 0, &time_of, &err), err);
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
                                    .prediction_channels = j->normalised ? OUTPUTS : 0,
                                    .overwrite = true,
                                    .comm = j->alone};
    unsigned char done[64];
    bool complete = false;
    CU_ASSERT_TRUE_FATAL(j->steps <= sizeof done);
    const sink_opening how = {j->output, false, done, &complete};
    CHECK_OK(sink_open_flux(&j->out, &how, &layout, &err), err);
    CU_ASSERT_FALSE(complete);
    j->pending = malloc(j->steps * sizeof *j->pending);
    for (size_t i = 0; i < j->steps; i++) j->pending[i] = i;
}

/* Stands for a full disk: no file may grow beyond `bytes`. Returns the limit that was there. */
static struct rlimit limit_files(rlim_t bytes)
{
    struct rlimit before = {0}, now;
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &before), 0);
    now = (struct rlimit){bytes, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &now), 0);
    return before;
}

/* Called by the computing thread: done counts up by one, or by a batch. */
static void count_progress(void *user, size_t done)
{
    job *j = user;
    const size_t new = done - j->progress, most = (size_t)j->engine->batch;
    if (done <= j->steps && (new < 1 || new > most)) j->wrong_progress++;
    j->progress = done;
    if (j->stoppable && done == j->stop_after) j->stop = 1;
    if (j->limit_after && done == j->limit_after) limit_files(j->limit);
}

/* As the command does it: the fluxes and the prediction. */
static gwf_status put(void *user, const stream_step *at, gwf_error *err)
{
    const job *j = user;
    const sink_step step = {
        at->step, at->time, {at->flux, at->flux + LEVELS * MAP, at->prediction}};
    return sink_put((sink *)&j->out, &step, err);
}

static gwf_status run(job *j, gwf_error *err)
{
    gwf_queue *queue = NULL;
    CHECK_OK(gwf_queue_create(j->alone, j->steps, &queue, err), *err);
    const stream s = {.engine = j->engine,
                      .input = &j->input,
                      .output = &j->out,
                      .queue = queue,
                      .pending = j->pending,
                      .steps = j->steps,
                      .first = j->first,
                      .model = &j->engine->model,
                      .keeps_prediction = j->normalised,
                      .threads = 2,
                      .put = put,
                      .stop = j->stoppable ? &j->stop : NULL,
                      .progress = count_progress,
                      .user = j};
    *err = (gwf_error){0};
    alarm(STUCK);
    const gwf_status status = stream_run(&s, &j->times, err);
    alarm(0);
    gwf_queue_free(&queue);
    CU_ASSERT_EQUAL(j->wrong_progress, 0);
    CU_ASSERT_TRUE(j->progress >= j->times.steps);
    return status;
}

static void close_job(job *j)
{
    size_t kept;
    sink_abandon(&j->out, &kept);
    free(j->pending);
    gwf_comm_free(&j->alone);
    source_close(&j->input);
    gwf_free(&j->engine);
    unlink(j->output);
    unlink(j->part);
}

/* --- what was written ----------------------------------------------------------------------- */

/* Steps that have a time. */
static size_t finished_steps(int file)
{
    int dim = 0, id = 0;
    size_t n = 0, finished = 0;
    double fill = 0, time = 0;
    CU_ASSERT_EQUAL(nc_inq_dimid(file, "time", &dim), NC_NOERR);
    CU_ASSERT_EQUAL(nc_inq_dimlen(file, dim, &n), NC_NOERR);
    CU_ASSERT_EQUAL(nc_inq_varid(file, "time", &id), NC_NOERR);
    CU_ASSERT_EQUAL(nc_inq_var_fill(file, id, NULL, &fill), NC_NOERR);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(nc_get_var1_double(file, id, &i, &time), NC_NOERR);
        finished += time != fill;
    }
    return finished;
}

static void check_variable(int file, const char *name, size_t step, size_t channels,
                           const float *expected)
{
    const size_t start[4] = {step}, count[4] = {1, channels, NLAT, NLON};
    float *found = malloc(channels * MAP * sizeof *found);
    int id = 0;
    CU_ASSERT_EQUAL(nc_inq_varid(file, name, &id), NC_NOERR);
    CU_ASSERT_EQUAL(nc_get_vara_float(file, id, start, count, found), NC_NOERR);
    if (memcmp(found, expected, channels * MAP * sizeof *found) != 0)
        fprintf(stderr, "\n  %s of step %zu is not what the engine predicts\n", name, step);
    CU_ASSERT_EQUAL(memcmp(found, expected, channels * MAP * sizeof *found), 0);
    free(found);
}

/* Step `step` of the file holds what the engine makes of step `from` of the input. */
static void check_step(const job *j, int file, size_t step, size_t from)
{
    float *features = malloc(INPUTS * MAP * sizeof *features);
    float *prediction = malloc(OUTPUTS * MAP * sizeof *prediction);
    float *flux = malloc(OUTPUTS * MAP * sizeof *flux);
    int id = 0;
    double time = 0;
    for (size_t c = 0; c < INPUTS; c++)
        for (size_t i = 0; i < MAP; i++) features[c * MAP + i] = feature_at(from, c, i);
    CU_ASSERT_EQUAL(gwf_predict_normalised(j->engine, features, prediction), GWF_OK);
    CU_ASSERT_EQUAL(gwf_predict(j->engine, features, flux), GWF_OK);
    check_variable(file, "uw", step, LEVELS, flux);
    check_variable(file, "vw", step, LEVELS, flux + LEVELS * MAP);
    if (j->normalised) check_variable(file, "prediction", step, OUTPUTS, prediction);
    CU_ASSERT_EQUAL(nc_inq_varid(file, "time", &id), NC_NOERR);
    CU_ASSERT_EQUAL(nc_get_var1_double(file, id, &step, &time), NC_NOERR);
    CU_ASSERT_EQUAL(time, feature_time(from));
    free(features);
    free(prediction);
    free(flux);
}

static void check_file(const job *j, const char *path, size_t steps)
{
    int file = 0;
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    CU_ASSERT_EQUAL(finished_steps(file), steps);
    for (size_t i = 0; i < steps; i++) check_step(j, file, i, j->first + i);
    nc_close(file);
}

/* After a failure: so many steps are in PATH.part and right, nothing bears the final name. */
static void check_kept(job *j, size_t steps)
{
    CU_ASSERT_EQUAL(j->times.steps, steps);
    size_t kept = 0;
    sink_abandon(&j->out, &kept);
    CU_ASSERT_EQUAL(kept, steps);
    CU_ASSERT_NOT_EQUAL(access(j->output, F_OK), 0);
    if (steps)
        check_file(j, j->part, steps);
    else
        CU_ASSERT_NOT_EQUAL(access(j->part, F_OK), 0);
}

/* --- runs that succeed ---------------------------------------------------------------------- */

static const fault none = {0};

static void succeed(const size_t lengths[FILES], size_t first, bool normalised)
{
    job j;
    gwf_error err;
    open_job(&j, lengths, first, normalised, none);
    create_output(&j);
    CHECK_OK(run(&j, &err), err);
    CU_ASSERT_EQUAL(j.times.steps, j.steps);
    CU_ASSERT_EQUAL(j.progress, j.steps);
    CHECK_OK(sink_finish(&j.out, &err), err);
    CU_ASSERT_NOT_EQUAL(access(j.part, F_OK), 0);
    check_file(&j, j.output, j.steps);
    close_job(&j);
}

static const size_t some_steps[] = {1, 2, 3, 4, 12}; /* around the number of slots, and more */
enum { SOME = sizeof some_steps / sizeof *some_steps };

static void test_steps(void)
{
    for (int i = 0; i < SOME; i++)
        for (int normalised = 0; normalised < 2; normalised++)
            succeed((const size_t[FILES]){some_steps[i]}, 0, normalised);
}

static void test_several_inputs(void)
{
    succeed((const size_t[FILES]){1, 1, 1}, 0, true);
    succeed((const size_t[FILES]){1, 4, 2}, 0, false);
    succeed((const size_t[FILES]){5, 2}, 4, false); /* not from the beginning */
}

static void test_times(void)
{
    job j;
    gwf_error err;
    open_job(&j, (const size_t[FILES]){4}, 0, false, none);
    create_output(&j);
    CHECK_OK(run(&j, &err), err);
    CU_ASSERT_TRUE(j.times.reading > 0 && j.times.computing > 0 && j.times.writing > 0);
    CHECK_AT_MOST(j.times.computing, j.times.total);
    CHECK_AT_MOST(j.times.writing, j.times.total);
    CHECK_AT_MOST(j.times.reading + j.times.computing + j.times.writing, 2 * j.times.total);
    close_job(&j);
}

/* --- steps that cannot be read -------------------------------------------------------------- */

static void fail_at(size_t steps, size_t bad, bool normalised)
{
    job j;
    gwf_error err;
    char words[64];
    open_job(&j, (const size_t[FILES]){steps}, 0, normalised, (fault){NAN, bad});
    create_output(&j);
    snprintf(words, sizeof words, "in0.nc: features: u at time %g,", feature_time(bad));
    CHECK_FAILS(run(&j, &err), GWF_ERR_DATA, err, words);
    check_kept(&j, bad);
    close_job(&j);
}

static void test_not_finite(void)
{
    for (int i = 0; i < SOME; i++) {
        const size_t n = some_steps[i];
        fail_at(n, 0, i % 2);
        fail_at(n, n / 2, i % 2);
        fail_at(n, n - 1, i % 2);
    }
}

/* Asked to end: what is computed is written. */
static void test_stopped(void)
{
    for (size_t after = 0; after < 7; after++) {
        job j;
        gwf_error err;
        open_job(&j, (const size_t[FILES]){3, 4}, 0, true, none);
        create_output(&j);
        j.stoppable = true;
        j.stop_after = after;
        j.stop = after == 0;
        CHECK_FAILS(run(&j, &err), GWF_ERR_STOPPED, err, "stopped on request");
        check_kept(&j, after);
        close_job(&j);
    }
}

/* Too late to end earlier: the run is complete. */
static void test_stopped_at_the_end(void)
{
    job j;
    gwf_error err;
    open_job(&j, (const size_t[FILES]){4}, 0, false, none);
    create_output(&j);
    j.stoppable = true;
    j.stop_after = 4;
    CHECK_OK(run(&j, &err), err);
    CU_ASSERT_EQUAL(j.times.steps, 4);
    close_job(&j);
}

/* Finite, and so absurd that the flux is not. The inputs are read ahead: the message must name the
 * one that the step came from, even when reading the next one fails. */
static void test_absurd_features(void)
{
    for (int gone = 0; gone < 2; gone++)
        for (size_t last = 0; last < 4; last++) {
            job j;
            gwf_error err;
            char words[64];
            open_job(&j, (const size_t[FILES]){last + 1, 3}, 0, false, (fault){1e30f, last});
            create_output(&j);
            if (gone) unlink(j.inputs[1]);
            snprintf(words, sizeof words, "in0.nc: flux: uw at time %g,", feature_time(last));
            CHECK_FAILS(run(&j, &err), GWF_ERR_DATA, err, words);
            check_kept(&j, last);
            close_job(&j);
        }
}

/* Step `bad` of the run is the first of an input that `spoil` spoils after it was looked at. The
 * input in front of it stays open until then. */
static void fail_input(size_t steps, size_t bad, void (*spoil)(const char *path))
{
    job j;
    gwf_error err;
    open_job(&j, (const size_t[FILES]){bad ? bad : 1, steps - bad}, bad == 0, false, none);
    create_output(&j);
    spoil(j.inputs[1]);
    const gwf_status status = run(&j, &err);
    CU_ASSERT_TRUE(status == GWF_ERR_NOT_FOUND || status == GWF_ERR_FORMAT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "in1.nc: "));
    check_kept(&j, bad);
    close_job(&j);
}

static void vanish(const char *path)
{
    CU_ASSERT_EQUAL(unlink(path), 0);
}

static void cut_short(const char *path)
{
    struct stat info;
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    CU_ASSERT_EQUAL(truncate(path, info.st_size / 2), 0);
}

static void become_empty(const char *path)
{
    CU_ASSERT_EQUAL(truncate(path, 0), 0);
}

static void test_inputs_that_vanish(void)
{
    void (*const spoils[])(const char *) = {vanish, cut_short, become_empty};
    for (int i = 0; i < 3; i++) {
        fail_input(5, 0, spoils[i]);
        fail_input(5, 2, spoils[i]);
        fail_input(12, 6, spoils[i]);
        fail_input(5, 4, spoils[i]);
    }
}

/* --- steps that cannot be written ----------------------------------------------------------- */

/* No room any more when `after` steps are computed. Returns the steps that were written. */
static size_t fail_writing(size_t steps, size_t after, bool normalised, fault bad)
{
    job j;
    gwf_error err;
    struct stat info = {0};
    open_job(&j, (const size_t[FILES]){steps}, 0, normalised, bad);
    create_output(&j);
    CU_ASSERT_EQUAL(stat(j.part, &info), 0);
    j.limit_after = after;
    j.limit = (rlim_t)info.st_size - 1;
    const struct rlimit before = limit_files(after ? RLIM_INFINITY : j.limit);
    const gwf_status status = run(&j, &err);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (status != GWF_ERR_DISK) fprintf(stderr, "\n  status %d: %s\n", status, err.text);
    CU_ASSERT_EQUAL(status, GWF_ERR_DISK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "out.nc"));
    const size_t written = j.times.steps;
    CU_ASSERT_TRUE(written < steps);
    check_kept(&j, written);
    close_job(&j);
    return written;
}

static void test_no_room(void)
{
    for (int normalised = 0; normalised < 2; normalised++) {
        for (int i = 0; i < SOME; i++)
            CU_ASSERT_EQUAL(fail_writing(some_steps[i], 0, normalised, none), 0);
        const size_t middle = fail_writing(12, 6, normalised, none);
        CU_ASSERT_TRUE(middle > 1 && middle < 11);
    }
}

/* The earlier step's failure counts, whichever was found first. */
static void test_two_failures(void)
{
    CU_ASSERT_EQUAL(fail_writing(5, 0, false, (fault){NAN, 1}), 0);
    CU_ASSERT_EQUAL(fail_writing(5, 0, false, (fault){NAN, 2}), 0);
}

static void test_output_that_vanishes(void)
{
    for (int i = 0; i < SOME; i++) {
        job j;
        gwf_error err;
        open_job(&j, (const size_t[FILES]){some_steps[i]}, 0, false, none);
        create_output(&j);
        unlink(j.part);
        CHECK_FAILS(run(&j, &err), GWF_ERR_IO, err, "out.nc.part: is gone");
        CU_ASSERT_EQUAL(j.times.steps, 0);
        close_job(&j);
    }
}

/* All that is so one by one is so in batches, full ones and what is left. */
static void test_batches(void)
{
    batch = "3";
    test_steps();
    test_several_inputs();
    test_not_finite();
    test_absurd_features();
    test_two_failures();
    batch = "1";
}

int main(void)
{
    static const test_case tests[] = {
        {"a model is made", make_model},
        {"1, 2, 3, 4 and 12 steps", test_steps},
        {"several inputs", test_several_inputs},
        {"times add up", test_times},
        {"steps that are not finite", test_not_finite},
        {"a run that is stopped keeps its steps", test_stopped},
        {"a run that is stopped at its end is complete", test_stopped_at_the_end},
        {"features so absurd that a flux is not finite", test_absurd_features},
        {"inputs that vanish or are cut short", test_inputs_that_vanish},
        {"no room at the first or a middle step", test_no_room},
        {"two failures: the earlier step counts", test_two_failures},
        {"in batches of three", test_batches},
        {"an output that vanishes", test_output_that_vanishes},
    };
    return test_run("stream", tests, sizeof tests / sizeof *tests);
}
