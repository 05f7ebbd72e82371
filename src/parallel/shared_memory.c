#include "parallel/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/clock.h"

#if defined(__linux__) && !defined(MADV_COLLAPSE)
#define MADV_COLLAPSE 25 /* Linux 6.1; the headers may be older than the system */
#endif

enum { LARGE_PAGE = 2 << 20, NAME = 64 };

static gwf_status unavailable(gwf_error *err, const char *what)
{
    return gwf_fail(err, GWF_ERR_MEMORY, "shared memory: %s (%s)", what, strerror(errno));
}

static gwf_status no_room(size_t bytes, const char *why, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_MEMORY, "shared memory: no room for %zu bytes (%s)", bytes, why);
}

/* What can be told before anything is taken. A file beyond the limit would end the process. */
static gwf_status check_room(int file, size_t bytes, gwf_error *err)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    struct statvfs system;
    getrlimit(RLIMIT_FSIZE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes)
        return no_room(bytes, "limit on the size of files", err);
    if (fstatvfs(file, &system) == 0 && bytes / system.f_frsize >= system.f_bavail)
        return no_room(bytes, "what is free of /dev/shm is less", err);
    return GWF_OK;
}

/* Every page now: one that is not there when it is touched would end the process. Piecewise,
 * because a signal takes back what a call has got so far. */
static gwf_status take(int file, size_t bytes, gwf_error *err)
{
    GWF_TRY(check_room(file, bytes, err));
    for (size_t at = 0; at < bytes; at += LARGE_PAGE) {
        const size_t piece = bytes - at < LARGE_PAGE ? bytes - at : LARGE_PAGE;
        do errno = posix_fallocate(file, (off_t)at, (off_t)piece);
        while (errno == EINTR);
        if (errno) return no_room(bytes, strerror(errno), err);
    }
    return GWF_OK;
}

/* The first rank makes it, under a name that nobody else has. */
static gwf_status open_file(const gwf_comm *node, const char *name, int *file, gwf_error *err)
{
    const bool first = gwf_comm_rank(node) == 0;
    *file = shm_open(name, first ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600);
    if (*file >= 0) return GWF_OK;
    return unavailable(err, first ? "it cannot be created" : "it cannot be opened");
}

/* The same file on all ranks. It has its name until all have opened it, and a size afterwards. */
static gwf_status open_all(const gwf_comm *node, size_t bytes, int *file, gwf_error *err)
{
    char name[NAME] = "";
    const bool first = gwf_comm_rank(node) == 0;
    snprintf(name, NAME, "/gwflux-%ld-%.0f", (long)getpid(), 1e9 * gwf_now());
    gwf_status status = gwf_comm_broadcast(node, name, sizeof name, 0, err);
    if (first && status == GWF_OK) status = open_file(node, name, file, err);
    status = gwf_agree(node, status, err);
    if (!first && status == GWF_OK) status = open_file(node, name, file, err);
    status = gwf_agree(node, status, err);
    if (first && *file >= 0) shm_unlink(name);
    if (first && status == GWF_OK) status = take(*file, bytes, err);
    return gwf_agree(node, status, err);
}

/* mmap() puts files anywhere: room to choose from is mapped first, what is left of it given back.
 */
static gwf_status map(int file, gwf_shared_memory *shared, gwf_error *err)
{
    const size_t bytes = shared->bytes, room = bytes + LARGE_PAGE;
    char *start = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return unavailable(err, "no room for its addresses");
    char *memory = start + (LARGE_PAGE - (uintptr_t)start % LARGE_PAGE) % LARGE_PAGE;
    const int access = PROT_READ | PROT_WRITE;
    if (mmap(memory, bytes, access, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
        munmap(start, room);
        return unavailable(err, "it cannot be mapped");
    }
    char *const end = memory + bytes;
    if (memory > start) munmap(start, (size_t)(memory - start));
    if (start + room > end) munmap(end, (size_t)(start + room - end));
    shared->memory = memory;
    return GWF_OK;
}

gwf_status gwf_shared_memory_create(const gwf_comm *node, size_t bytes, gwf_shared_memory *shared,
                                    gwf_error *err)
{
    int file = -1;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *shared = (gwf_shared_memory){.bytes = (bytes + page - 1) / page * page};
    gwf_status status = open_all(node, shared->bytes, &file, err);
    if (status == GWF_OK) status = gwf_agree(node, map(file, shared, err), err);
    if (file >= 0) close(file);
    if (status != GWF_OK) gwf_shared_memory_free(shared);
    return status;
}

/* A wish, not more. */
static void ask_for_large_pages(const gwf_shared_memory *shared)
{
#ifdef MADV_COLLAPSE
    madvise(shared->memory, shared->bytes, MADV_COLLAPSE);
#else
    (void)shared;
#endif
}

/* The first rank makes large pages of the small ones, the others map these. */
gwf_status gwf_shared_memory_seal(const gwf_comm *node, gwf_shared_memory *shared, gwf_error *err)
{
    const bool first = gwf_comm_rank(node) == 0;
    gwf_status status = gwf_agree(node, GWF_OK, err); /* all have written */
    if (first) ask_for_large_pages(shared);
    if (status == GWF_OK) status = gwf_agree(node, GWF_OK, err);
    if (!first) ask_for_large_pages(shared);
    if (mprotect(shared->memory, shared->bytes, PROT_READ) && status == GWF_OK)
        status = unavailable(err, "it cannot be made read-only");
    return gwf_agree(node, status, err);
}

void gwf_shared_memory_free(gwf_shared_memory *shared)
{
    if (shared->memory) munmap(shared->memory, shared->bytes);
    *shared = (gwf_shared_memory){0};
}
