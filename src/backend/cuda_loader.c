/* The cuda backend as the library knows it: a name, and how to find libgwflux_cuda.so. Nothing of
 * CUDA is needed to build or start this. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/plugin.h"

static const char library[] = "libgwflux_cuda.so";

/* Folders that are looked through, in order; text says so where the library is in none. */
typedef struct search {
    char found[PATH_MAX]; /* "" as long as it is not */
    char text[512];
} search;

static void look_in(search *s, const char *folder)
{
    char path[PATH_MAX];
    if (s->found[0]) return;
    const int n = snprintf(path, sizeof path, "%s/%s", folder, library);
    if (n > 0 && n < (int)sizeof path && access(path, F_OK) == 0) {
        memcpy(s->found, path, (size_t)n + 1);
        return;
    }
    const size_t used = strlen(s->text);
    if (!strstr(s->text, folder))
        snprintf(s->text + used, sizeof s->text - used, "%s%s", used ? ", " : "", folder);
}

/* The folder of a program or library, and the lib folder beside it. */
static void look_beside(search *s, const char *file)
{
    char path[PATH_MAX], folder[2 * PATH_MAX];
    if (!realpath(file, path)) return;
    *strrchr(path, '/') = '\0';
    look_in(s, path);
    char *last = strrchr(path, '/');
    if (last) *last = '\0';
    snprintf(folder, sizeof folder, "%s/%s", path, GWF_LIBDIR_NAME);
    look_in(s, folder);
}

/* $GWFLUX_BACKEND_DIR alone where it is set; else beside this code, beside the program, where it is
 * installed. */
static void find_library(search *s)
{
    Dl_info here;
    const char *folder = getenv("GWFLUX_BACKEND_DIR");
    if (folder && *folder) {
        look_in(s, folder);
        return;
    }
    if (dladdr(library, &here) && here.dli_fname && strchr(here.dli_fname, '/'))
        look_beside(s, here.dli_fname);
    look_beside(s, "/proc/self/exe");
    look_in(s, GWF_LIBDIR);
}

/* A library that cannot be used is closed again; one that can stays for as long as the process. */
static gwf_status load(const gwf_plugin **plugin, gwf_error *err)
{
    search s = {{0}, {0}};
    find_library(&s);
    if (!s.found[0])
        return gwf_fail(err, GWF_ERR_BACKEND, "backend cuda: %s is not installed (not in %s)",
                        library, s.text);
    void *handle = dlopen(s.found, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return gwf_fail(err, GWF_ERR_BACKEND,
                        "backend cuda: %s cannot be loaded, a library it needs is missing or it "
                        "is damaged: %s",
                        library, dlerror());
    const gwf_plugin *table = dlsym(handle, GWF_PLUGIN_SYMBOL);
    if (!table || strcmp(table->stamp, GWF_PLUGIN_STAMP) != 0) {
        gwf_fail(err, GWF_ERR_BACKEND, "backend cuda: %s belongs to %.80s%s, this is gwflux %s",
                 s.found, table ? "gwflux " : "another program", table ? table->stamp : "",
                 GWF_PLUGIN_STAMP);
        dlclose(handle);
        return GWF_ERR_BACKEND;
    }
    *plugin = table;
    return GWF_OK;
}

static gwf_status find(const gwf_backend **found, gwf_error *err)
{
    const gwf_plugin *plugin = NULL;
    GWF_TRY(load(&plugin, err));
    *found = plugin->backend;
    return GWF_OK;
}

gwf_status gwf_cuda_devices(char *names, size_t size, gwf_error *err)
{
    const gwf_plugin *plugin = NULL;
    GWF_TRY(load(&plugin, err));
    return plugin->devices(names, size, err);
}

const gwf_backend gwf_backend_cuda = {
    .name = "cuda",
    .summary = "cuDNN on NVIDIA GPUs, loaded when asked for",
    .find = find,
};
