/* What was measured once and holds for later runs: small blobs under keys, one file each.
 *
 * A key is a line of text that says everything the blob depends on (machine, versions, shape); the
 * file is named by its SHA-256. Text first, so that a look into the file says what it is:
 *
 *     gwflux cache 1
 *     KEY
 *     SIZE SHA256
 *     SIZE bytes
 *
 * Files appear whole (written aside, then renamed), so that any number of processes may share a
 * folder. Nothing here ever fails a run: what cannot be read is absent, what cannot be written is
 * a message to the log. */
#ifndef GWF_CORE_CACHE_H
#define GWF_CORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/log.h"

/* folder, of all calls: NULL or "off": there is no cache; "": $GWFLUX_CACHE (which may say off),
 * else $XDG_CACHE_HOME/gwflux, else $HOME/.cache/gwflux, else none; any other: that folder. */

/* Whether there is a cache; its folder may still turn out not to be writable. */
bool gwf_cache_is_on(const char *folder);

/* The blob of this key: *bytes (owned by the caller, free() it) and *size. false: there is none;
 * one that is damaged, or another key's, is none, with a message to log (may be NULL). */
bool gwf_cache_read(const char *folder, const char *key, const gwf_log *log, void **bytes,
                    size_t *size);

/* Keep a blob, in place of an earlier one; the folder is made when it is not there. */
void gwf_cache_write(const char *folder, const char *key, const void *bytes, size_t size,
                     const gwf_log *log);

/* The same, unless there is a file of this key already: of processes that measure at the same time
 * one is the first, and the others can read what it found. Whether this one was. */
bool gwf_cache_claim(const char *folder, const char *key, const void *bytes, size_t size,
                     const gwf_log *log);

#endif
