#include "io/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

/* "1.2 GB" */
static const char *bytes_text(uint64_t bytes, char text[static 32])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double amount = (double)bytes;
    int unit = 0;
    for (; amount >= 1000; unit++) amount /= 1000;
    snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
    return text;
}

static int folder_statvfs(const char *path, struct statvfs *info)
{
    char *folder = strdup(path);
    if (!folder) return -1;
    char *slash = strrchr(folder, '/');
    if (slash == folder)
        slash[1] = '\0';
    else if (slash)
        *slash = '\0';
    const int rc = statvfs(slash ? folder : ".", info);
    free(folder);
    return rc;
}

gwf_status gwf_room_check(const char *path, uint64_t more, uint64_t total, gwf_error *err)
{
    char need[32], have[32];
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        total > limit.rlim_cur)
        return gwf_fail(err, GWF_ERR_DISK, "%s: needs %s, the file size limit (ulimit -f) is %s",
                        path, bytes_text(total, need), bytes_text(limit.rlim_cur, have));
    struct statvfs info;
    if (folder_statvfs(path, &info) != 0 || info.f_blocks == 0) return GWF_OK;
    uint64_t free_bytes;
    if (__builtin_mul_overflow((uint64_t)info.f_bavail, (uint64_t)info.f_frsize, &free_bytes) ||
        more <= free_bytes)
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_DISK, "%s: needs %s more, %s are free on its disk", path,
                    bytes_text(more, need), bytes_text(free_bytes, have));
}
