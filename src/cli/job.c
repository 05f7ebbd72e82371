#include "cli/job.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "core/clock.h"
#include "coupling/devices.h"
#include "io/part.h"
#include "parallel/cores.h"

const char *const job_writers[] = {"auto", "all", "root", NULL};

bool job_lists(job_arguments *a, int argc)
{
    a->inputs.items = calloc((size_t)argc, sizeof *a->inputs.items);
    a->variables.items = calloc((size_t)argc, sizeof *a->variables.items);
    return a->inputs.items && a->variables.items;
}

void job_arguments_free(job_arguments *a)
{
    free(a->inputs.items);
    free(a->variables.items);
    gwf_config_free(&a->file);
}

/* --- what is asked for ---------------------------------------------------------------------- */

static bool parse_number(const char *text, const char *end, size_t *number)
{
    char *stop = NULL;
    if (*text < '0' || *text > '9') return false;
    *number = strtoull(text, &stop, 10);
    return stop == end;
}

/* "A:B" of a series of `total` steps. */
static gwf_status parse_steps(const char *text, size_t total, size_t *first, size_t *count,
                              gwf_error *err)
{
    size_t a = 0, b = total;
    const char *colon = text ? strchr(text, ':') : NULL;
    bool fine = !text;
    if (colon)
        fine = (colon == text || parse_number(text, colon, &a)) &&
               (!colon[1] || parse_number(colon + 1, colon + strlen(colon), &b));
    if (!fine) return gwf_fail(err, GWF_ERR_ARGUMENT, "option steps: expected A:B, found %s", text);
    if (a >= b || b > total)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option steps: %s is no part of the %zu steps of the input",
                        text ? text : ":", total);
    *first = a;
    *count = b - a;
    return GWF_OK;
}

/* Ranks a map and how it is cut. A number of ranks without tiles means auto. */
static gwf_status choose_tiling(const job_arguments *a, int ranks, gwf_domain *domain, int *per_map,
                                gwf_error *err)
{
    const char *text = a->tiles ? a->tiles : "auto";
    gwf_tiling *tiling = &domain->tiling;
    *per_map = a->ranks_per_map ? a->ranks_per_map : a->tiles ? ranks : 1;
    if (strcmp(text, "auto") != 0 && !a->ranks_per_map) {
        GWF_TRY(gwf_tiling_find(text, 0, domain->nlat, domain->nlon, tiling, err));
        *per_map = tiling->rows * tiling->cols;
    }
    return gwf_tiling_find(text, *per_map, domain->nlat, domain->nlon, tiling, err);
}

/* With --overwrite the output could replace what it is made from. */
static bool replaces_input(const job_arguments *a)
{
    const char *const others[] = {a->model, a->orography, a->weights};
    bool same = false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        same |= others[i] && gwf_part_replaces(a->output, others[i]);
    for (int i = 0; i < a->inputs.count; i++)
        same |= gwf_part_replaces(a->output, a->inputs.items[i]);
    return same;
}

/* Before any work: may the output be written at all? */
static gwf_status check_output(const job_arguments *a, gwf_error *err)
{
    gwf_part target = {0};
    if (replaces_input(a))
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: is an input, it cannot be the output too",
                        a->output);
    if (a->resume && a->overwrite)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "options resume and overwrite: one goes on with what is there, the other "
                        "throws it away");
    if (a->resume) return GWF_OK;
    const gwf_status status = gwf_part_open(a->output, a->overwrite, &target, err);
    gwf_part_free(&target);
    return status;
}

/* --- signals -------------------------------------------------------------------------------- */

static volatile sig_atomic_t stop_requested;

/* A second signal ends the program at once. */
static void request_stop(int number)
{
    stop_requested = 1;
    signal(number, SIG_DFL);
}

/* A signal that is ignored (a job in the background) stays so. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (signal(numbers[i], request_stop) == SIG_IGN) signal(numbers[i], SIG_IGN);
}

/* --- the input ------------------------------------------------------------------------------ */

/* Collective over the node. */
static gwf_status load_model(job *j, gwf_error *err)
{
    gwf_status status = gwf_engine_load_node(j->engine, j->w.node, j->a->model, &j->w.log);
    if (status == GWF_OK)
        status = gwf_engine_spread_weights(j->engine, j->w.node, j->kind->computes);
    if (status != GWF_OK) *err = j->engine->error;
    j->reads = j->engine->model;
    return status;
}

static bool reads_zs(const gwf_model *model)
{
    for (int i = 0; i < model->in.count; i++)
        if (strcmp(model->in.channels[i].variable, "zs") == 0) return true;
    return false;
}

/* A file of features has a channel for zs, also where the network does not read it. */
static gwf_status open_input(job *j, const gwf_log *log, gwf_error *err)
{
    const reanalysis_choice choice = {.inputs = j->a->inputs,
                                      .variables = j->a->variables,
                                      .orography = j->a->orography,
                                      .weights = j->a->weights,
                                      .any_zs = !reads_zs(&j->engine->model),
                                      .threads = j->threads};
    return source_open(&j->input, &choice, &j->reads, log, err);
}

/* What all ranks must know of the input; rank 0 looks first and tells. */
typedef struct outline {
    size_t nlat, nlon, total, first, steps;
    char model[sizeof((gwf_model *)0)->checksum];
} outline;

static gwf_status look_first(job *j, outline *o, gwf_error *err)
{
    GWF_TRY(open_input(j, &j->w.log, err));
    o->nlat = j->input.nlat;
    o->nlon = j->input.nlon;
    o->total = j->input.steps;
    memcpy(o->model, j->engine->model.checksum, sizeof o->model);
    return parse_steps(j->a->steps, j->input.steps, &o->first, &o->steps, err);
}

/* Another rank: the files that it sees under the same names are the same. */
static gwf_status look_too(job *j, const outline *o, gwf_error *err)
{
    const source *in = &j->input;
    const gwf_option_list *inputs = &j->a->inputs;
    if (strcmp(o->model, j->engine->model.checksum) != 0)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: is not the model that rank 0 has", j->a->model);
    if (!j->w.leaders) return GWF_OK;
    GWF_TRY(open_input(j, NULL, err));
    if (in->nlat == o->nlat && in->nlon == o->nlon && in->steps == o->total) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "%s%s: %zu x %zu x %zu (time, lat, lon), rank 0 has %zu x %zu x %zu there",
                    inputs->items[0], inputs->count > 1 ? " and further inputs" : "", in->steps,
                    in->nlat, in->nlon, o->total, o->nlat, o->nlon);
}

/* The input on the leaders, the engine on all. Collective. */
static gwf_status prepare_input(job *j, const gwf_options *options, gwf_error *err)
{
    int per_map = 1;
    outline o = {0};
    const bool first_rank = gwf_comm_rank(j->w.all) == 0;
    gwf_status status = first_rank ? look_first(j, &o, err) : GWF_OK;
    GWF_TRY(world_agree(&j->w, status, err));
    GWF_TRY(gwf_comm_broadcast(j->w.all, &o, sizeof o, 0, err));
    j->first = o.first;
    j->steps = o.steps;
    gwf_domain domain = {.nlat = (int)o.nlat, .nlon = (int)o.nlon};
    GWF_TRY(choose_tiling(j->a, gwf_comm_size(j->w.all), &domain, &per_map, err));
    GWF_TRY(world_group(&j->w, per_map, err));
    domain.comm = j->w.map;
    domain.node = j->w.node;
    domain.many = true;
    status = first_rank ? GWF_OK : look_too(j, &o, err);
    GWF_TRY(world_agree(&j->w, status, err));
    if (!j->kind->computes) return GWF_OK;
    status = gwf_engine_plan(j->engine, options, &domain, &j->w.log);
    if (status != GWF_OK) *err = j->engine->error;
    GWF_TRY(world_agree(&j->w, status, err));
    gwf_log_line(&j->w.log, "%s", gwf_describe(j->engine));
    return GWF_OK;
}

/* --- the output ----------------------------------------------------------------------------- */

gwf_step_writer job_writer(const job *j)
{
    if (strcmp(j->a->writer, "all") == 0) return GWF_WRITE_ALL;
    return strcmp(j->a->writer, "root") == 0 ? GWF_WRITE_ROOT : GWF_WRITE_AUTO;
}

gwf_status job_time(job *j, const gwf_windset **time_of, const char **units, const char **calendar,
                    gwf_error *err)
{
    gwf_windset *file = NULL;
    *units = j->a->time_units;
    *calendar = NULL;
    if (j->input.atmosphere) {
        const gwf_atmosphere_header *h = reanalysis_header(j->input.atmosphere);
        if (h->timed && j->a->time_units)
            gwf_log_line(&j->w.log, "option time-units: the input has %s, they are kept",
                         h->time_units);
        if (h->timed) {
            *units = h->time_units;
            *calendar = h->time_calendar;
        }
    } else {
        GWF_TRY(series_file_of(&j->input.windset, j->first, &file, err));
    }
    *time_of = file;
    return GWF_OK;
}

/* What PATH.part must have been made from and for, to be gone on with. */
static gwf_status describe_job(job *j, gwf_error *err)
{
    size_t size = 0;
    const job_arguments *a = j->a;
    FILE *memory = open_memstream(&j->described, &size);
    if (!memory) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to describe the job");
    fprintf(memory, "steps %zu:%zu of", j->first, j->first + j->steps);
    for (int i = 0; i < a->inputs.count; i++)
        fprintf(memory, "%s %s", i ? "," : "", a->inputs.items[i]);
    for (int i = 0; i < a->variables.count; i++) fprintf(memory, "; %s", a->variables.items[i]);
    if (a->orography) fprintf(memory, "; orography %s", a->orography);
    if (a->weights) fprintf(memory, "; weights %s", a->weights);
    return fclose(memory) == 0 ? GWF_OK
                               : gwf_fail(err, GWF_ERR_MEMORY, "no memory to describe the job");
}

static gwf_status plan_steps(job *j, gwf_error *err)
{
    j->times = malloc(j->steps * sizeof *j->times);
    j->done = calloc(j->steps, sizeof *j->done);
    j->pending = malloc(j->steps * sizeof *j->pending);
    if (!j->times || !j->done || !j->pending)
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu steps", j->steps);
    GWF_TRY(describe_job(j, err));
    return source_times(&j->input, j->first, j->steps, j->times, err);
}

/* Collective over the leaders. */
static gwf_status prepare_output(job *j, gwf_error *err)
{
    GWF_TRY(gwf_agree(j->w.leaders, plan_steps(j, err), err));
    const sink_opening how = {j->a->output, j->a->resume, j->done, &j->complete};
    const gwf_status status = j->kind->open(j, &how, err);
    if (j->complete) return GWF_OK;
    GWF_TRY(status);
    for (size_t i = 0; i < j->steps; i++)
        if (!j->done[i]) j->pending[j->n_pending++] = i;
    if (j->n_pending < j->steps)
        gwf_log_line(&j->w.log, "%s: %zu of %zu steps are finished, going on with the others",
                     j->a->output, j->steps - j->n_pending, j->steps);
    return GWF_OK;
}

/* --- the steps ------------------------------------------------------------------------------ */

static void show_progress(void *user, size_t done)
{
    job *j = user;
    if (world_speaks(&j->w)) progress_show(&j->bar, j->steps - j->n_pending + done, j->steps);
}

static gwf_status put_step(void *user, const stream_step *step, gwf_error *err)
{
    job *j = user;
    if (step->time != j->times[step->step] && !isnan(step->time))
        return gwf_fail(err, GWF_ERR_DATA,
                        "%s%s: step %zu is of time %.17g now, was of %.17g: another program has "
                        "changed the input",
                        j->a->inputs.items[0], j->a->inputs.count > 1 ? " and further inputs" : "",
                        j->first + step->step, step->time, j->times[step->step]);
    return j->kind->put(j, step, err);
}

/* j->spent from this rank's times. */
static gwf_status sum_times(job *j, const stream_times *t, gwf_error *err)
{
    double sums[] = {(double)t->steps, t->reading, t->computing, t->writing}, total = t->total;
    GWF_TRY(gwf_comm_sum(j->w.leaders, sums, 4, err));
    GWF_TRY(gwf_comm_max(j->w.leaders, &total, 1, err));
    j->spent = (stream_times){(size_t)sums[0], total, sums[1], sums[2], sums[3]};
    return GWF_OK;
}

void job_print_summary(const job *j)
{
    const stream_times *t = &j->spent;
    const int leaders = gwf_comm_size(j->w.leaders), ranks = gwf_comm_size(j->w.all);
    char with[64] = "";
    if (!world_speaks(&j->w)) return;
    const double n = t->steps > 0 ? (double)t->steps : 1;
    const char *limit = t->computing > t->reading + t->writing ? "computing"
                        : t->reading > t->writing              ? "reading"
                                                               : "writing";
    if (ranks > leaders)
        snprintf(with, sizeof with, " on %d x %d ranks", leaders, ranks / leaders);
    else if (ranks > 1)
        snprintf(with, sizeof with, " on %d ranks", ranks);
    printf("%s: %zu step%s in %.1f s%s, %.1f ms per step (each: read %.1f, compute %.1f, write "
           "%.1f ms; limited by %s%s%s)\n",
           j->a->output, t->steps, t->steps == 1 ? "" : "s", t->total, with, 1e3 * t->total / n,
           1e3 * t->reading / n, 1e3 * t->computing / n, 1e3 * t->writing / n, limit,
           strcmp(limit, "reading") == 0 ? ": " : "",
           strcmp(limit, "reading") == 0 ? source_how(&j->input) : "");
}

/* What is finished stays beside the output, and the message of who failed says so. Collective. */
static void keep_finished(job *j, gwf_status status, gwf_error *err)
{
    size_t kept = 0;
    sink_abandon(&j->out, &kept);
    if (!kept || status == GWF_OK) return;
    const size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used,
             " (%zu finished step%s kept in %s.part; --resume does the other %zu)", kept,
             kept == 1 ? " is" : "s are", j->a->output, j->steps - kept);
}

static gwf_status stream_steps(job *j, stream_times *times, gwf_error *err)
{
    gwf_queue *queue = NULL;
    GWF_TRY(gwf_queue_create(j->w.leaders, j->n_pending, &queue, err));
    const stream s = {.engine = j->kind->computes ? j->engine : NULL,
                      .model = &j->reads,
                      .keeps_prediction = j->keeps_prediction,
                      .threads = j->threads,
                      .input = &j->input,
                      .output = &j->out,
                      .queue = queue,
                      .pending = j->pending,
                      .steps = j->n_pending,
                      .first = j->first,
                      .put = put_step,
                      .stop = &stop_requested,
                      .progress = show_progress,
                      .user = j};
    const gwf_status status = stream_run(&s, times, err);
    gwf_queue_free(&queue);
    return status;
}

/* The leaders' part. Collective over them. */
static gwf_status lead(job *j, gwf_error *err)
{
    stream_times times = {0};
    if (world_speaks(&j->w)) progress_start(&j->bar);
    j->bar.before = j->steps - j->n_pending;
    gwf_status status = stream_steps(j, &times, err);
    if (world_speaks(&j->w)) progress_end(&j->bar);
    if (j->kind->computes) gwf_engine_dismiss(j->engine, NULL);
    double failed = status != GWF_OK;
    gwf_comm_max(j->w.leaders, &failed, 1, NULL);
    if (failed > 0) {
        keep_finished(j, status, err);
        return status;
    }
    const double written = gwf_now();
    GWF_TRY(sink_finish(&j->out, err));
    times.writing += gwf_now() - written;
    times.total += gwf_now() - written;
    GWF_TRY(sum_times(j, &times, err));
    return j->kind->report(j, err);
}

/* --- all of it ------------------------------------------------------------------------------ */

static gwf_status begin(job *j, const gwf_options *options, gwf_error *err)
{
    j->threads = options->threads ? options->threads : gwf_cores_here();
    gwf_status status = gwf_comm_rank(j->w.all) == 0 ? check_output(j->a, err) : GWF_OK;
    GWF_TRY(world_agree(&j->w, status, err));
    status = load_model(j, err);
    if (status == GWF_OK && j->kind->check) status = j->kind->check(j, err);
    GWF_TRY(world_agree(&j->w, status, err));
    GWF_TRY(prepare_input(j, options, err));
    status = j->w.leaders ? prepare_output(j, err) : GWF_OK;
    return world_agree(&j->w, status, err);
}

static gwf_status run_job(job *j, const gwf_options *options, gwf_error *err)
{
    GWF_TRY(begin(j, options, err));
    double complete = j->complete;
    GWF_TRY(gwf_comm_max(j->w.all, &complete, 1, err));
    if (complete > 0) {
        gwf_log_line(&j->w.log, "%s: is complete, nothing to do", j->a->output);
        return GWF_OK;
    }
    const gwf_status status =
        j->w.leaders ? lead(j, err) : gwf_engine_serve(j->engine, &stop_requested, err);
    return world_agree(&j->w, status, err);
}

static void free_job(job *j)
{
    size_t kept;
    if (j->out.flux || j->out.prepared) sink_abandon(&j->out, &kept);
    if (j->kind->close) j->kind->close(j);
    source_close(&j->input);
    gwf_channel_table_free(&j->own_channels);
    gwf_free(&j->engine);
    free(j->times);
    free(j->done);
    free(j->pending);
    free(j->described);
    world_end(&j->w);
}

int job_run(const job_kind *kind, const job_start *start, void *own)
{
    gwf_error err = start->error;
    gwf_status asked = start->status;
    job j = {.kind = kind, .a = start->arguments, .history = start->history, .own = own};
    catch_signals();
    j.engine = calloc(1, sizeof *j.engine);
    if (!j.engine && asked == GWF_OK)
        asked = gwf_fail(&err, GWF_ERR_MEMORY, "no memory for an engine");
    gwf_status status = world_begin(&j.w, start->options, asked, &err);
    if (status == GWF_OK && kind->computes) gwf_devices_agree(j.w.all, start->options, &j.w.log);
    if (status == GWF_OK) status = run_job(&j, start->options, &err);
    const int code = world_report(&j.w, status, &err);
    free_job(&j);
    return code;
}
