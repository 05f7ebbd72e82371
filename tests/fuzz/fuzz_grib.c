/* Fuzz the search for messages in a GRIB file, which is ours; ecCodes' decoding is not the subject.
 * Messages must lie in the file, one behind the other. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/atmosphere_grib.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int descriptor = -1;
    if (descriptor < 0) descriptor = memfd_create("fuzz", 0);
    if (descriptor < 0 || ftruncate(descriptor, (off_t)size) != 0 ||
        pwrite(descriptor, data, size, 0) != (ssize_t)size)
        abort();
    const gwf_grib_file file = {"file", descriptor, size};
    gwf_grib_span span = {0};
    gwf_error err = {0};
    for (bool found = true; found;) {
        const uint64_t after = span.offset + span.length;
        const gwf_status status = gwf_grib_next(&file, after, &span, &found, &err);
        if (status != GWF_OK && !err.text[0]) abort(); /* a refusal must say why */
        if (status != GWF_OK || !found) break;
        if (span.offset < after || span.length < 20 || span.length > size - span.offset) abort();
    }
    return 0;
}
