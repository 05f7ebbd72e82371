#include "io/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/nc_internal.h"

static gwf_status check_target(const gwf_part *p, gwf_error *err)
{
    struct stat info;
    if (stat(p->path, &info) == 0 && !S_ISREG(info.st_mode))
        return gwf_fail(err, GWF_ERR_IO, "%s: is a %s, cannot be written", p->path,
                        S_ISDIR(info.st_mode) ? "directory" : "device or pipe");
    if (p->overwrite) return GWF_OK;
    if (lstat(p->path, &info) == 0)
        return gwf_fail(err, GWF_ERR_EXISTS, "%s: exists; remove it or overwrite it (--overwrite)",
                        p->path);
    if (lstat(p->part, &info) == 0)
        return gwf_fail(err, GWF_ERR_EXISTS,
                        "%s: holds what an earlier run has finished; move or remove it, or "
                        "overwrite it (--overwrite)",
                        p->part);
    return GWF_OK;
}

gwf_status gwf_part_open(const char *path, bool overwrite, gwf_part *p, gwf_error *err)
{
    *p = (gwf_part){.overwrite = overwrite};
    if (!*path) return gwf_fail(err, GWF_ERR_ARGUMENT, "the name of the output is empty");
    GWF_TRY(gwf_nc_check_local(path, err));
    p->path = strdup(path);
    if (asprintf(&p->part, "%s.part", path) < 0) p->part = NULL;
    if (asprintf(&p->draft, "%s.part.new", path) < 0) p->draft = NULL;
    const gwf_status status = p->path && p->part && p->draft
                                  ? check_target(p, err)
                                  : gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    if (status != GWF_OK) gwf_part_free(p);
    return status;
}

static gwf_status create_empty(const gwf_part *p, const char *name, gwf_error *err)
{
    const int descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return gwf_fail(err, errno == EEXIST ? GWF_ERR_EXISTS : GWF_ERR_IO,
                        "%s: cannot be created (%s)", p->part, strerror(errno));
    close(descriptor);
    return GWF_OK;
}

gwf_status gwf_part_create(const gwf_part *p, gwf_error *err)
{
    if (p->overwrite) unlink(p->part);
    return create_empty(p, p->part, err);
}

/* HDF5 locks what it writes in the same way. A file system without locks locks nothing out. */
static bool is_locked(int descriptor)
{
    return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

gwf_status gwf_part_descriptor(const gwf_part *p, int *descriptor, gwf_error *err)
{
    struct stat info;
    *descriptor = open(p->part, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*descriptor < 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: cannot be opened for writing (%s)", p->part,
                        strerror(errno));
    if (fstat(*descriptor, &info) == 0 && S_ISREG(info.st_mode)) return GWF_OK;
    close(*descriptor);
    *descriptor = -1;
    return gwf_fail(err, GWF_ERR_IO, "%s: is not a regular file, cannot be written", p->part);
}

gwf_status gwf_part_lock(const gwf_part *p, int descriptor, bool keep, gwf_error *err)
{
    if (is_locked(descriptor))
        return gwf_fail(err, GWF_ERR_IO, "%s: another process is writing it", p->part);
    if (!keep) flock(descriptor, LOCK_UN);
    return GWF_OK;
}

/* --- the draft ------------------------------------------------------------------------------ */

gwf_status gwf_part_create_draft(const gwf_part *p, gwf_error *err)
{
    const int old = open(p->draft, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const bool busy = old >= 0 && is_locked(old);
    if (old >= 0) close(old);
    if (busy) return gwf_fail(err, GWF_ERR_EXISTS, "%s: another process is making it", p->part);
    unlink(p->draft);
    return create_empty(p, p->draft, err);
}

void gwf_part_remove_draft(const gwf_part *p)
{
    unlink(p->draft);
}

/* Not every file system can rename without replacing; there, what was looked at before counts. */
static int rename_to_new(const char *from, const char *to)
{
    const int rc = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    return rc != 0 && (errno == EINVAL || errno == ENOSYS) ? rename(from, to) : rc;
}

/* To the disk itself. */
static int sync_path(const char *path, int flags)
{
    const int descriptor = open(path, flags | O_CLOEXEC);
    if (descriptor < 0) return -1;
    const int rc = fsync(descriptor), e = errno;
    close(descriptor);
    errno = e;
    return rc;
}

/* Not allowed in every folder and not known to every file system: what is there is whole anyway. */
static void sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        *slash = '\0';
        sync_path(path, O_RDONLY | O_DIRECTORY);
        *slash = '/';
    } else {
        sync_path(slash ? "/" : ".", O_RDONLY | O_DIRECTORY);
    }
}

static bool is_full(int e)
{
    return e == ENOSPC || e == EDQUOT || e == EFBIG;
}

static gwf_status failed(const gwf_part *p, const char *what, gwf_error *err)
{
    const int e = errno;
    return gwf_fail(err, is_full(e) ? GWF_ERR_DISK : GWF_ERR_IO,
                    "%s: %s (%s); what is finished is in %s", p->path, what, strerror(e), p->part);
}

gwf_status gwf_part_finish(const gwf_part *p, gwf_error *err)
{
    struct stat info;
    if (sync_path(p->part, O_RDWR) != 0) return failed(p, "writing failed", err);
    if (!p->overwrite && lstat(p->path, &info) == 0)
        return gwf_fail(err, GWF_ERR_EXISTS, "%s: has appeared meanwhile; the result is in %s",
                        p->path, p->part);
    if (rename(p->part, p->path) != 0) return failed(p, "cannot be named", err);
    sync_folder_of(p->path);
    return GWF_OK;
}

gwf_status gwf_part_publish_draft(const gwf_part *p, gwf_error *err)
{
    int rc = sync_path(p->draft, O_RDWR);
    if (rc == 0) rc = p->overwrite ? rename(p->draft, p->part) : rename_to_new(p->draft, p->part);
    if (rc == 0) {
        sync_folder_of(p->part);
        return GWF_OK;
    }
    const int e = errno;
    unlink(p->draft);
    if (e == EEXIST) return gwf_fail(err, GWF_ERR_EXISTS, "%s: has appeared meanwhile", p->part);
    return gwf_fail(err, is_full(e) ? GWF_ERR_DISK : GWF_ERR_IO, "%s: cannot be created (%s)",
                    p->part, strerror(e));
}

void gwf_part_remove(const gwf_part *p)
{
    unlink(p->part);
}

void gwf_part_free(gwf_part *p)
{
    free(p->path);
    free(p->part);
    free(p->draft);
    *p = (gwf_part){0};
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool gwf_part_replaces(const char *path, const char *other)
{
    static const char *const endings[] = {"", ".part", ".part.new"};
    bool same = false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings && !same; i++) {
        char *name = NULL;
        if (asprintf(&name, "%s%s", path, endings[i]) < 0) return true; /* no memory: better not */
        same = same_file(name, other);
        free(name);
    }
    return same;
}
