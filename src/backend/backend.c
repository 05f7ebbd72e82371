#include "backend/backend.h"

#include <string.h>

static const gwf_backend *const built[] = {
#ifdef GWF_HAVE_ONEDNN
    &gwf_backend_cpu,
#endif
    &gwf_backend_ref,
    NULL,
};

const gwf_backend *const *gwf_backends(void)
{
    return built;
}

static const struct {
    const char *word;
    double error;
} precisions[] = {
#define GWF_PRECISION_ROW(code, word, error) {word, error},
    GWF_PRECISION_LIST(GWF_PRECISION_ROW)
#undef GWF_PRECISION_ROW
};

enum { PRECISIONS = sizeof precisions / sizeof *precisions };

const char *gwf_precision_word(gwf_precision precision)
{
    return precisions[precision].word;
}

double gwf_precision_error(gwf_precision precision)
{
    return precisions[precision].error;
}

static gwf_precision precision_of(const char *word)
{
    for (int i = 0; i < PRECISIONS; i++)
        if (strcmp(precisions[i].word, word) == 0) return (gwf_precision)i;
    return GWF_PRECISION_AUTO; /* the option has no other words */
}

gwf_backend_config gwf_backend_configure(const struct gwf_options *options, const gwf_log *log)
{
    gwf_backend_config config = {.batch = 1, .tune = true, .cache = "", .log = log};
    if (!options) return config;
    config.threads = options->threads;
    config.precision = precision_of(options->precision);
    config.tune = strcmp(options->tune, "on") == 0;
    config.cache = options->cache ? options->cache : "";
    return config;
}

/* What opens for a precision. */
static const gwf_backend *opener(const gwf_backend *backend, gwf_precision precision)
{
#ifdef GWF_HAVE_ONEDNN
    if (backend == &gwf_backend_cpu && precision == GWF_INT8) return &gwf_backend_cpu_int8;
#endif
    (void)precision;
    return backend;
}

/* What the first one lacks that could start says more than that the last one lacks it too. */
static gwf_status open_first(const gwf_backend_config *config, const gwf_backend **backend,
                             gwf_context **context, gwf_error *err)
{
    gwf_error first = {0};
    for (int i = 0; built[i]; i++) {
        gwf_error why = {0};
        *backend = opener(built[i], config->precision);
        if ((*backend)->open(config, context, &why) == GWF_OK) return GWF_OK;
        if (built[i + 1]) gwf_log_line(config->log, "%s; taking the next one", why.text);
        if (first.status != GWF_ERR_UNSUPPORTED) first = why;
    }
    if (err) *err = first;
    return first.status;
}

gwf_status gwf_backend_open(const char *name, const gwf_backend_config *config,
                            const gwf_backend **backend, gwf_context **context, gwf_error *err)
{
    if (strcmp(name, "auto") == 0) return open_first(config, backend, context, err);
    for (int i = 0; built[i]; i++) {
        if (strcmp(name, built[i]->name) != 0) continue;
        *backend = opener(built[i], config->precision);
        return (*backend)->open(config, context, err);
    }
#ifndef GWF_HAVE_ONEDNN
    if (strcmp(name, "cpu") == 0)
        return gwf_fail(err, GWF_ERR_BACKEND, "backend cpu: this gwflux was built without oneDNN");
#endif
    return gwf_fail(err, GWF_ERR_ARGUMENT, "backend %s: expected auto, cpu or ref", name);
}
