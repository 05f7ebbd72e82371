/* A backend in a shared object of its own, loaded when it is asked for: what the object exports, so
 * that programs start where the libraries it needs are not installed. */
#ifndef GWF_BACKEND_PLUGIN_H
#define GWF_BACKEND_PLUGIN_H

#include "backend/backend.h"

/* The version and a checksum of the headers that both sides are compiled with (src/CMakeLists.txt
 * defines it): objects of other builds are refused before anything in them is used. */
#ifndef GWF_PLUGIN_STAMP
#define GWF_PLUGIN_STAMP GWF_VERSION
#endif

/* The one symbol: a gwf_plugin. */
#define GWF_PLUGIN_SYMBOL "gwf_plugin_table"

typedef struct gwf_plugin {
    const char *stamp; /* GWF_PLUGIN_STAMP; first, whatever else changes */
    const gwf_backend *backend;
    /* Names of the devices that this process may use, the same in every process that sees the same
     * ones. BACKEND with the reason when there are none. */
    gwf_status (*devices)(char *names, size_t size, gwf_error *err);
} gwf_plugin;

#endif
