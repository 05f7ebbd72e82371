/* SHA-256 (FIPS 180-4), as 64 lower-case hex digits: which checkpoint a model came from, which
 * model a flux file came from. */
#ifndef GWF_CORE_CHECKSUM_H
#define GWF_CORE_CHECKSUM_H

#include <stddef.h>

#include "core/error.h"

enum { GWF_CHECKSUM_TEXT = 65 }; /* digits and the closing '\0' */

/* bytes may be NULL when size is 0. On failure hex is "". MEMORY, INTERNAL. */
gwf_status gwf_checksum_bytes(const void *bytes, size_t size, char hex[static GWF_CHECKSUM_TEXT],
                              gwf_error *err);

/* Of a whole regular file, read piece by piece. On failure hex is "". NOT_FOUND, IO. */
gwf_status gwf_checksum_file(const char *path, char hex[static GWF_CHECKSUM_TEXT], gwf_error *err);

#endif
