/* A file that has its name only when it is complete: it is written as PATH.part, then renamed.
 *
 * A PATH.part that a later run may go on with is made as PATH.part.new first, so that it too is
 * only ever there with its whole structure. */
#ifndef GWF_IO_PART_H
#define GWF_IO_PART_H

#include <stdbool.h>

#include "core/error.h"

typedef struct gwf_part {
    char *path, *part, *draft; /* owned; draft: PATH.part.new */
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

/* Make PATH.part.new, empty and our own, in place of one that a killed run left; then, closed again
 * and on the disk, make it PATH.part, which must not be there without overwrite (EXISTS). After a
 * failure there is no PATH.part.new. */
gwf_status gwf_part_create_draft(const gwf_part *p, gwf_error *err);
gwf_status gwf_part_publish_draft(const gwf_part *p, gwf_error *err);
void gwf_part_remove_draft(const gwf_part *p);

/* PATH.part for reading and writing, as a descriptor of its own beside the one that NetCDF-C has:
 * to bring what was written to the disk. IO. */
gwf_status gwf_part_descriptor(const gwf_part *p, int *descriptor, gwf_error *err);

/* IO when another process is writing PATH.part. keep: others find it so from now on, until the
 * descriptor is closed. */
gwf_status gwf_part_lock(const gwf_part *p, int descriptor, bool keep, gwf_error *err);

/* {0} is fine. */
void gwf_part_free(gwf_part *p);

/* Writing `path` would take away `other`: one file under both names, or under path's .part. */
bool gwf_part_replaces(const char *path, const char *other);

#endif
