/* Whether a file may grow, asked before writing: HDF5 does not survive a full disk well. */
#ifndef GWF_IO_ROOM_H
#define GWF_IO_ROOM_H

#include <stdint.h>

#include "core/error.h"

/* `more` bytes are to be written to `path` (its folder must exist), which then has `total` bytes.
 * Asks the file system for free space and the process for its file size limit; DISK names what is
 * needed and what there is. A file system that does not tell passes. */
gwf_status gwf_room_check(const char *path, uint64_t more, uint64_t total, gwf_error *err);

#endif
