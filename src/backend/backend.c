#include "backend/backend.h"

#include <string.h>

static const gwf_backend *const known[] = {
    &gwf_backend_cuda,
#ifdef GWF_HAVE_ONEDNN
    &gwf_backend_cpu,
#endif
    &gwf_backend_ref,
    NULL,
};

const gwf_backend *const *gwf_backends(void)
{
    return known;
}

static gwf_precision precision_of(const char *word)
{
    for (gwf_precision p = GWF_PRECISION_AUTO; p <= GWF_INT8; p++)
        if (strcmp(gwf_precision_word(p), word) == 0) return p;
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
    config.place = (gwf_place){.device = options->device + 1,
                               .rank = options->device_rank,
                               .ranks = options->device_ranks,
                               .ranks_per_device = options->ranks_per_device,
                               .none = options->no_gpu};
    return config;
}

/* What opens in its name. */
static const gwf_backend *opener(const gwf_backend *backend, const gwf_backend_config *config)
{
#ifdef GWF_HAVE_ONEDNN
    if (backend == &gwf_backend_cpu && (config->precision == GWF_INT8 || config->chain))
        return &gwf_backend_cpu_last;
#endif
    (void)config;
    return backend;
}

gwf_status gwf_backend_start(const gwf_backend *backend, const gwf_backend_config *config,
                             const gwf_backend **opened, gwf_context **context, gwf_error *err)
{
    *opened = opener(backend, config);
    *context = NULL;
    if (backend->find) GWF_TRY(backend->find(opened, err));
    return (*opened)->open(config, context, err);
}

/* What the first one lacks that could start says more than that the last one lacks it too. */
static gwf_status open_first(const gwf_backend_config *config, const gwf_backend **backend,
                             gwf_context **context, gwf_error *err)
{
    gwf_error first = {0};
    for (int i = 0; known[i]; i++) {
        gwf_error why = {0};
        if (known[i] == &gwf_backend_cuda && config->place.none) continue;
        if (gwf_backend_start(known[i], config, backend, context, &why) == GWF_OK) return GWF_OK;
        if (known[i + 1]) gwf_log_line(config->log, "%s; taking the next one", why.text);
        if (first.status != GWF_ERR_UNSUPPORTED) first = why;
    }
    if (err) *err = first;
    return first.status;
}

gwf_status gwf_backend_open(const char *name, const gwf_backend_config *config,
                            const gwf_backend **backend, gwf_context **context, gwf_error *err)
{
    if (strcmp(name, "auto") == 0) return open_first(config, backend, context, err);
    for (int i = 0; known[i]; i++)
        if (strcmp(name, known[i]->name) == 0)
            return gwf_backend_start(known[i], config, backend, context, err);
#ifndef GWF_HAVE_ONEDNN
    if (strcmp(name, "cpu") == 0)
        return gwf_fail(err, GWF_ERR_BACKEND, "backend cpu: this gwflux was built without oneDNN");
#endif
    return gwf_fail(err, GWF_ERR_ARGUMENT, "backend %s: expected auto, cuda, cpu or ref", name);
}
