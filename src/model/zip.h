/* The container of a PyTorch checkpoint: a zip whose entries lie under one folder,
 * `<name>/data.pkl`, `<name>/data/<key>`, `<name>/byteorder`, ... Entries are named here without
 * that folder. torch.save stores them plainly; compressed or encrypted ones are refused. */
#ifndef GWF_MODEL_ZIP_H
#define GWF_MODEL_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct gwf_zip gwf_zip;

/* Open a file, or bytes in memory (borrowed until the close). *zip is NULL after a failure.
 * Errors: NOT_FOUND, IO, MEMORY; FORMAT: empty, truncated, the container of torch < 1.6, no zip, or
 * a zip without `data.pkl`. */
gwf_status gwf_zip_open_file(const char *path, gwf_zip **zip, gwf_error *err);
gwf_status gwf_zip_open_memory(const void *bytes, size_t size, gwf_zip **zip, gwf_error *err);

/* Free and set to NULL; NULL is fine. */
void gwf_zip_close(gwf_zip **zip);

/* Bytes of the whole container. */
size_t gwf_zip_size(const gwf_zip *zip);

bool gwf_zip_has(const gwf_zip *zip, const char *entry);

/* Some entry lies below this folder ("code/"). */
bool gwf_zip_has_folder(const gwf_zip *zip, const char *folder);

/* One entry, open for reading from front to back. */
typedef struct gwf_zip_entry {
    size_t size, read; /* bytes: in all, so far */
    struct zip_file *file;
    char name[96];
} gwf_zip_entry;

/* Errors: FORMAT (no such entry, compressed, encrypted, larger than the container), MEMORY. */
gwf_status gwf_zip_entry_open(gwf_zip *zip, const char *name, gwf_zip_entry *entry, gwf_error *err);

/* The next n bytes, all of them. Errors: FORMAT (ends early, wrong checksum), IO. */
gwf_status gwf_zip_entry_read(gwf_zip_entry *entry, void *bytes, size_t n, gwf_error *err);

/* Read on to the end, which checks the CRC-32 of the entry. Errors as for read. */
gwf_status gwf_zip_entry_finish(gwf_zip_entry *entry, gwf_error *err);

/* Close; fine after any failure and when never opened ({0}). */
void gwf_zip_entry_close(gwf_zip_entry *entry);

/* A whole entry of at most `most` bytes, checksum checked; *bytes is owned by the caller (free),
 * NULL after a failure. */
gwf_status gwf_zip_load(gwf_zip *zip, const char *name, size_t most, unsigned char **bytes,
                        size_t *size, gwf_error *err);

#endif
