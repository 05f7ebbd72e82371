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
    gwf_status status = GWF_ERR_BACKEND;
    for (int i = 0; built[i] && status != GWF_OK; i++) {
        status = built[i]->open(config, context, err);
        if (status == GWF_OK) *backend = built[i];
    }
    return status;
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
