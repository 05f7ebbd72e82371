#include "io/planes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/planes_internal.h"

enum { PIECE = 1 << 16 }; /* values that are looked at while they are in the nearest cache */

gwf_planes *gwf_planes_create(int count)
{
    gwf_planes *planes = calloc(1, sizeof *planes + (size_t)count * sizeof *planes->offset);
    if (!planes) return NULL;
    planes->room = count;
    planes->descriptor = -1;
    return planes;
}

void gwf_planes_free(gwf_planes **planes)
{
    if (!*planes) return;
    gwf_planes_forget(*planes);
    free(*planes);
    *planes = NULL;
}

bool gwf_planes_found(const gwf_planes *planes)
{
    return planes->descriptor >= 0;
}

void gwf_planes_forget(gwf_planes *planes)
{
    if (planes->descriptor >= 0) close(planes->descriptor);
    planes->descriptor = -1;
}

/* pread() until all bytes are there; false with errno, 0 at the end of the file. */
static bool fetch(int descriptor, uint64_t offset, size_t bytes, char *to)
{
    while (bytes > 0) {
        const ssize_t got = pread(descriptor, to, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = 0;
        if (got <= 0) return false;
        offset += (uint64_t)got;
        to += got;
        bytes -= (size_t)got;
    }
    return true;
}

static gwf_status failed(const gwf_planes *p, gwf_error *err)
{
    struct stat now = {0};
    const int system_error = errno;
    if (system_error != 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: variable %s: reading failed (%s)", p->path,
                        p->variable, strerror(system_error));
    fstat(p->descriptor, &now);
    return gwf_fail(err, GWF_ERR_IO,
                    "%s: has become shorter while it was read (%lld of %lld bytes)", p->path,
                    (long long)now.st_size, p->bytes);
}

gwf_status gwf_planes_read(const gwf_planes *planes, int i, float *values, gwf_error *err)
{
    const gwf_planes *p = planes;
    for (size_t done = 0, n; done < p->values; done += n) {
        n = p->values - done < PIECE ? p->values - done : PIECE;
        const uint64_t offset = p->offset[i] + done * sizeof *values;
        if (!fetch(p->descriptor, offset, n * sizeof *values, (char *)(values + done)))
            return failed(p, err);
        gwf_packing_unpack(&p->packing, values + done, n, values + done);
    }
    return GWF_OK;
}
