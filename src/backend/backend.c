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

static gwf_status open_first(const gwf_backend_config *config, const gwf_backend **backend,
                             gwf_context **context, gwf_error *err)
{
    for (int i = 0; built[i]; i++) {
        const gwf_status status = built[i]->open(config, context, err);
        *backend = built[i];
        if (status == GWF_OK || !built[i + 1]) return status;
        gwf_log_line(config->log, "%s; taking the next one", err ? err->text : "");
        if (err) *err = (gwf_error){0};
    }
    return GWF_ERR_INTERNAL; /* ref is always built */
}

gwf_status gwf_backend_open(const char *name, const gwf_backend_config *config,
                            const gwf_backend **backend, gwf_context **context, gwf_error *err)
{
    if (strcmp(name, "auto") == 0) return open_first(config, backend, context, err);
    for (int i = 0; built[i]; i++) {
        if (strcmp(name, built[i]->name) != 0) continue;
        *backend = built[i];
        return built[i]->open(config, context, err);
    }
#ifndef GWF_HAVE_ONEDNN
    if (strcmp(name, "cpu") == 0)
        return gwf_fail(err, GWF_ERR_BACKEND, "backend cpu: this gwflux was built without oneDNN");
#endif
    return gwf_fail(err, GWF_ERR_ARGUMENT, "backend %s: expected auto, cpu or ref", name);
}
