#include "cli/bench_print.h"

#include <string.h>

static double median(const bench_result *r)
{
    const int n = r->runs;
    return n % 2 ? r->seconds[n / 2] : 0.5 * (r->seconds[n / 2 - 1] + r->seconds[n / 2]);
}

static const char *precision_of(const gwf_engine *engine)
{
    return engine->backend->precision(engine->context);
}

/* Multiply-adds a second that the machine has for the engine's precision; 0: not known. */
static double peak_of(const bench_result *r)
{
    const char *precision = precision_of(r->engine);
    if (strncmp(precision, "bf16", 4) == 0) return r->here.bf16;
    if (strncmp(precision, "int8", 4) == 0) return r->here.int8;
    return r->here.fp32;
}

/* One map's share of a layer's runs. */
static double seconds_of(const bench_result *r, const gwf_step_time *t)
{
    return t->seconds / (double)t->runs / r->engine->batch;
}

/* Of milliseconds, so that a GPU's are told apart. */
static int digits(double seconds)
{
    return seconds < 0.01 ? 4 : 1;
}

/* --- the table ------------------------------------------------------------------------------ */

static void print_machine(const machine *m)
{
    if (!m->threads) return;
    printf("this machine, %d thread%s: %s %.0f GFLOP/s", m->threads, m->threads == 1 ? "" : "s",
           m->instructions, 2e-9 * m->fp32);
    if (m->bf16 > 0) printf(", bf16 %.0f", 2e-9 * m->bf16);
    if (m->int8 > 0) printf(", int8 %.0f", 2e-9 * m->int8);
    printf("; memory %.1f GB/s (triad)\n", 1e-9 * m->memory);
}

static void print_share(double rate, double peak)
{
    if (peak > 0)
        printf(" %6.1f %%", 100 * rate / peak);
    else
        printf(" %8s", "");
}

/* A convolution by its arithmetic, everything else by its memory. */
static void print_layer(const bench_result *r, const gwf_step_time *t)
{
    const double seconds = seconds_of(r, t);
    char shape[48];
    snprintf(shape, sizeof shape, "%d x %d x %d", t->channels, t->rows, t->cols);
    printf("%-22s %-16s %9.3f", t->name, shape, 1e3 * seconds);
    if (t->macs > 0 && t->executed > 0) {
        printf(" %9.1f %9.1f %8s", 1e-6 * t->macs, 2e-9 * t->executed / seconds, "");
        print_share(t->executed / seconds, peak_of(r));
    } else if (t->macs > 0) {
        printf(" %9.1f %9s %8s %8s", 1e-6 * t->macs, "", "", "");
    } else {
        printf(" %9s %9s %8.1f", "", "", 1e-9 * t->bytes / seconds);
        print_share(t->bytes / seconds, r->here.memory);
    }
    printf("  %s\n", t->algorithm);
}

static void print_layers(const bench_result *r)
{
    int count = 0;
    const gwf_step_time *times = gwf_plan_times(r->engine->plan, &count);
    printf("%-22s %-16s %9s %9s %9s %8s %8s  %s\n", "layer", "result", "ms", "MMAC", "GFLOP/s",
           "GB/s", "of peak", "algorithm");
    for (int i = 0; i < count; i++) print_layer(r, &times[i]);
}

/* How long this tile waited for its neighbours. */
static void print_borders(const gwf_plan *plan)
{
    int count = 0;
    double waited = 0, total = 0;
    const gwf_step_time *times = gwf_plan_times(plan, &count);
    for (int i = 0; i < count; i++) {
        waited += times[i].waited / (double)times[i].runs;
        total += times[i].seconds / (double)times[i].runs;
    }
    if (waited > 0)
        printf("waiting for borders of other tiles: %.2f ms (%.1f %%)\n", 1e3 * waited,
               100 * waited / total);
}

/* Multiply-adds of a map that are executed; false: not known of every layer. */
static bool sum_executed(const gwf_plan *plan, double *executed)
{
    int count = 0;
    bool known = true;
    const gwf_step_time *times = gwf_plan_times(plan, &count);
    *executed = 0;
    for (int i = 0; i < count; i++) {
        *executed += times[i].executed;
        known = known && (times[i].executed > 0 || !(times[i].macs > 0));
    }
    return known;
}

static void print_speed(const bench_result *r)
{
    const double seconds = median(r), peak = peak_of(r);
    double executed = 0;
    const int batch = r->engine->batch, maps = r->runs * batch;
    printf("%d map%s", maps, maps == 1 ? "" : "s");
    if (batch > 1) printf(", %d at once", batch);
    if (r->resident) printf(", in the device's memory");
    const int n = digits(seconds);
    printf(": fastest %.*f, median %.*f, slowest %.*f ms", n, 1e3 * r->seconds[0], n, 1e3 * seconds,
           n, 1e3 * r->seconds[r->runs - 1]);
    if (!r->engine->share.tiles.comm && sum_executed(r->engine->plan, &executed)) {
        printf("; %.0f GFLOP/s", 2e-9 * executed / seconds);
        if (peak > 0) printf(", %.1f %% of the peak", 100 * executed / seconds / peak);
    }
    printf("\n");
}

/* The three overlap. */
static void print_stream(const bench_result *r)
{
    const stream_times *t = &r->spent;
    const double all = t->total / (double)t->steps, each = 100 / t->total;
    if (!r->input) return;
    printf("from %s to a file: %zu step%s, %.1f ms each, %.2f times the network's; reading %.1f "
           "ms (%.0f %%), computing %.1f (%.0f %%), writing %.1f (%.0f %%)\n",
           r->input, t->steps, t->steps == 1 ? "" : "s", 1e3 * all, all / median(r),
           1e3 * t->reading / (double)t->steps, each * t->reading,
           1e3 * t->computing / (double)t->steps, each * t->computing,
           1e3 * t->writing / (double)t->steps, each * t->writing);
}

static void print_memory(const bench_result *r)
{
    const gwf_plan *plan = r->engine->plan;
    const gwf_shared_weights *w = &r->engine->weights;
    const memory_use *use = &r->nodes;
    printf("arena %.1f MB (%.1f MB if no maps shared memory)",
           1e-6 * (double)gwf_plan_arena_bytes(plan), 1e-6 * (double)gwf_plan_unshared_bytes(plan));
    if (w->bytes) printf(", packed weights %.1f MB", 1e-6 * (double)w->bytes);
    if (w->ranks > 1) printf(" (%.1f MB shared on the node)", 1e-6 * (double)w->shared);
    printf(", peak memory of the process %.1f MB\n", 1e-6 * r->memory);
    if (use->ranks == 1 && use->nodes == 1) return;
    printf("%d node%s of up to %d rank%s: at most %.1f MB each now, %.1f MB if all its ranks had "
           "their peak at once\n",
           use->nodes, use->nodes == 1 ? "" : "s", use->ranks, use->ranks == 1 ? "" : "s",
           1e-6 * use->now, 1e-6 * use->peaks);
}

void bench_print(const bench_result *r)
{
    const gwf_plan *plan = r->engine->plan;
    print_layers(r);
    printf("%s\n", gwf_describe(r->engine));
    print_machine(&r->here);
    print_memory(r);
    print_borders(plan);
    print_stream(r);
    print_speed(r);
    printf("%.*f ms per step\n", digits(median(r)), 1e3 * median(r));
}

/* --- JSON ----------------------------------------------------------------------------------- */

/* "name": "text", whatever the text has. */
static void put_text(FILE *json, const char *name, const char *text)
{
    fprintf(json, "\"%s\": \"", name);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(json, "\\%c", *text);
        else
            fprintf(json, (unsigned char)*text < 0x20 ? "\\u%04x" : "%c", (unsigned char)*text);
    }
    fprintf(json, "\"");
}

static void put_machine(const machine *m, FILE *json)
{
    if (!m->threads) return;
    fprintf(json, " \"machine\": {\"threads\": %d, ", m->threads);
    put_text(json, "instructions", m->instructions);
    fprintf(json,
            ", \"fp32_flops\": %.6g, \"bf16_flops\": %.6g, \"int8_flops\": %.6g, "
            "\"memory_bytes_per_s\": %.6g},\n",
            2 * m->fp32, 2 * m->bf16, 2 * m->int8, m->memory);
}

static void put_layers(const bench_result *r, FILE *json)
{
    int count = 0;
    const gwf_step_time *times = gwf_plan_times(r->engine->plan, &count);
    fprintf(json, " \"layers\": [");
    for (int i = 0; i < count; i++) {
        const gwf_step_time *t = &times[i];
        fprintf(json, "%s\n  {", i ? "," : "");
        put_text(json, "name", t->name);
        fprintf(json,
                ", \"channels\": %d, \"rows\": %d, \"cols\": %d, \"s\": %.6g, \"macs\": %.6g, "
                "\"executed_macs\": %.6g, \"bytes\": %.6g, ",
                t->channels, t->rows, t->cols, seconds_of(r, t), t->macs, t->executed, t->bytes);
        put_text(json, "algorithm", t->algorithm);
        fprintf(json, "}");
    }
    fprintf(json, "],\n");
}

static void put_stream(const bench_result *r, FILE *json)
{
    const stream_times *t = &r->spent;
    if (!r->input) return;
    fprintf(json, " \"end_to_end\": {");
    put_text(json, "input", r->input);
    fprintf(json,
            ", \"steps\": %zu, \"total_s\": %.6g, \"reading_s\": %.6g, \"computing_s\": %.6g, "
            "\"writing_s\": %.6g, \"times_network\": %.6g},\n",
            t->steps, t->total, t->reading, t->computing, t->writing,
            t->total / (double)t->steps / median(r));
}

static void put_memory(const bench_result *r, FILE *json)
{
    const gwf_plan *plan = r->engine->plan;
    const gwf_shared_weights *w = &r->engine->weights;
    const memory_use *use = &r->nodes;
    fprintf(json, " \"arena_bytes\": %zu, \"unshared_bytes\": %zu, \"weights_bytes\": %zu,\n",
            gwf_plan_arena_bytes(plan), gwf_plan_unshared_bytes(plan), w->bytes);
    fprintf(json,
            " \"shared_weights_bytes\": %zu, \"peak_memory_bytes\": %.0f, \"nodes\": %d,\n"
            " \"node_ranks\": %d, \"node_memory_bytes\": %.0f, \"node_peaks_bytes\": %.0f,\n",
            w->shared, r->memory, use->nodes, use->ranks, use->now, use->peaks);
}

void bench_json(const bench_result *r, FILE *json)
{
    const gwf_engine *engine = r->engine;
    const gwf_plan *plan = engine->plan;
    double executed = 0;
    const bool known = sum_executed(plan, &executed);
    fprintf(json, "{");
    put_text(json, "description", gwf_describe(engine));
    fprintf(json, ",\n ");
    put_text(json, "precision", precision_of(engine));
    fprintf(json, ", \"memory\": \"%s\", \"batch\": %d, \"nlat\": %d, \"nlon\": %d,\n",
            r->resident ? "device" : "host", engine->batch, engine->nlat, engine->nlon);
    put_machine(&r->here, json);
    put_layers(r, json);
    put_stream(r, json);
    put_memory(r, json);
    fprintf(json, " \"macs\": %.6g, \"executed_macs\": %.6g,\n \"map_s\": [",
            gwf_network_macs(&engine->model.network, engine->nlat, engine->nlon),
            known ? executed : 0);
    for (int i = 0; i < r->runs; i++) fprintf(json, "%s%.6g", i ? ", " : "", r->seconds[i]);
    fprintf(json, "],\n \"median_map_s\": %.6g}\n", median(r));
}
