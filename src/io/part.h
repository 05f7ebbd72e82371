/* A file that has its name only when it is complete: it is written as PATH.part, then renamed. */
#ifndef GWF_IO_PART_H
#define GWF_IO_PART_H

#include <stdbool.h>

#include "core/error.h"

typedef struct gwf_part {
    char *path, *part; /* owned */
    bool overwrite;
} gwf_part;

/* May PATH be written? EXISTS: PATH is there, or a PATH.part that an earlier run left (both only
 * without overwrite); IO: PATH is a folder or device; NOT_FOUND: an address. Writes nothing. */
gwf_status gwf_part_open(const char *path, bool overwrite, gwf_part *p, gwf_error *err);

/* Make PATH.part, empty and our own; the system's own word where that fails. */
gwf_status gwf_part_create(const gwf_part *p, gwf_error *err);

/* PATH.part, closed by now, goes to the disk and becomes PATH. On failure it stays. */
gwf_status gwf_part_finish(const gwf_part *p, gwf_error *err);

/* Take PATH.part away. */
void gwf_part_remove(const gwf_part *p);

/* {0} is fine. */
void gwf_part_free(gwf_part *p);

/* Writing `path` would take away `other`: one file under both names, or under path's .part. */
bool gwf_part_replaces(const char *path, const char *other);

#endif
