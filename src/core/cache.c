#include "core/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/checksum.h"
#include "core/error.h"

enum { MAX_PATH = 4096, MAX_HEAD = 4096, MAX_BLOB = 64 << 20 };

static const char magic[] = "gwflux cache 1";

static const char *set_variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The folder that is meant; false: none. */
static bool find_folder(const char *asked, char path[MAX_PATH])
{
    const char *home = NULL;
    int n = 0;
    if (!asked) return false;
    if (!*asked && (home = set_variable("GWFLUX_CACHE"))) asked = home;
    if (strcmp(asked, "off") == 0) return false;
    if (*asked)
        n = snprintf(path, MAX_PATH, "%s", asked);
    else if ((home = set_variable("XDG_CACHE_HOME")))
        n = snprintf(path, MAX_PATH, "%s/gwflux", home);
    else if ((home = set_variable("HOME")))
        n = snprintf(path, MAX_PATH, "%s/.cache/gwflux", home);
    return n > 0 && n < MAX_PATH / 2; /* leaves room for the file's name */
}

bool gwf_cache_is_on(const char *folder)
{
    char path[MAX_PATH];
    return find_folder(folder, path);
}

/* FOLDER/SHA256 of the key; false: there is no cache, or the key is none. */
static bool find_file(const char *asked, const char *key, char path[MAX_PATH])
{
    char name[GWF_CHECKSUM_TEXT];
    if (strchr(key, '\n') || strlen(key) > MAX_HEAD / 2 || !find_folder(asked, path)) return false;
    if (gwf_checksum_bytes(key, strlen(key), name, NULL) != GWF_OK) return false;
    const size_t used = strlen(path);
    snprintf(path + used, MAX_PATH - used, "/%s", name);
    return true;
}

/* All there is before the bytes; its length, 0 on failure. */
static size_t make_head(const char *key, const void *bytes, size_t size, char head[MAX_HEAD])
{
    char sum[GWF_CHECKSUM_TEXT];
    if (gwf_checksum_bytes(bytes, size, sum, NULL) != GWF_OK) return 0;
    return (size_t)snprintf(head, MAX_HEAD, "%s\n%s\n%zu %s\n", magic, key, size, sum);
}

/* --- reading -------------------------------------------------------------------------------- */

/* The whole file, of this size; NULL: cannot be had. */
static char *read_whole(const char *path, size_t size)
{
    FILE *file = fopen(path, "rbe");
    if (!file) return NULL;
    char *content = malloc(size + 1);
    const bool read = content && fread(content, 1, size, file) == size;
    fclose(file);
    if (read) return content;
    free(content);
    return NULL;
}

/* Where the bytes begin: behind the third line's end; 0: there are fewer. */
static size_t find_bytes(const char *content, size_t size)
{
    size_t at = 0;
    for (int line = 0; line < 3; line++) {
        const char *end = memchr(content + at, '\n', size - at);
        if (!end) return 0;
        at = (size_t)(end - content) + 1;
    }
    return at;
}

/* Whether this is what writing these bytes under this key gives. */
static bool fits(const char *content, size_t start, size_t size, const char *key)
{
    char head[MAX_HEAD];
    return start > 0 && make_head(key, content + start, size - start, head) == start &&
           memcmp(head, content, start) == 0;
}

bool gwf_cache_read(const char *folder, const char *key, const gwf_log *log, void **bytes,
                    size_t *size)
{
    char path[MAX_PATH];
    struct stat info;
    if (!find_file(folder, key, path) || stat(path, &info)) return false;
    const bool plain = S_ISREG(info.st_mode) && info.st_size <= MAX_BLOB; /* a pipe would wait */
    const size_t all = plain ? (size_t)info.st_size : 0;
    char *content = plain ? read_whole(path, all) : NULL;
    const size_t start = content ? find_bytes(content, all) : 0;
    if (!content || !fits(content, start, all, key)) {
        gwf_log_line(log, "%s: a damaged file of the cache, not used", path);
        free(content);
        return false;
    }
    *size = all - start;
    memmove(content, content + start, *size);
    *bytes = content;
    return true;
}

/* --- writing -------------------------------------------------------------------------------- */

/* The folders above a file, as far as they are not there; what fails, opening shows. */
static void make_folders(const char *path)
{
    char part[MAX_PATH];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        mkdir(part, 0777);
    }
}

static bool write_whole(int fd, const char *head, size_t n, const void *bytes, size_t size)
{
    FILE *file = fdopen(fd, "wb");
    if (!file) {
        close(fd);
        return false;
    }
    const bool written =
        fwrite(head, 1, n, file) == n && (size == 0 || fwrite(bytes, 1, size, file) == size);
    return !fclose(file) && written;
}

/* Written whole beside its place: *aside; false, with a message, when that fails. */
static bool write_aside(const char *path, const char *key, const void *bytes, size_t size,
                        char aside[MAX_PATH])
{
    char head[MAX_HEAD];
    const size_t n = make_head(key, bytes, size, head);
    if (n == 0 || size > MAX_BLOB - n) return false;
    make_folders(path);
    snprintf(aside, MAX_PATH, "%.*s.XXXXXX", MAX_PATH - 8, path);
    const int fd = mkstemp(aside);
    if (fd < 0) return false;
    if (write_whole(fd, head, n, bytes, size)) return true;
    remove(aside);
    return false;
}

static void complain(const char *path, const gwf_log *log)
{
    gwf_log_line(log, "%s: cannot be written (%s): what was measured is not remembered", path,
                 strerror(errno));
}

void gwf_cache_write(const char *folder, const char *key, const void *bytes, size_t size,
                     const gwf_log *log)
{
    char path[MAX_PATH], aside[MAX_PATH];
    if (!find_file(folder, key, path)) return;
    if (!write_aside(path, key, bytes, size, aside)) {
        complain(path, log);
    } else if (rename(aside, path) != 0) {
        complain(path, log);
        remove(aside);
    }
}

/* A link is made by one process only. */
bool gwf_cache_claim(const char *folder, const char *key, const void *bytes, size_t size,
                     const gwf_log *log)
{
    char path[MAX_PATH], aside[MAX_PATH];
    if (!find_file(folder, key, path)) return false;
    if (!write_aside(path, key, bytes, size, aside)) {
        complain(path, log);
        return false;
    }
    const bool first = link(aside, path) == 0;
    remove(aside);
    return first;
}
