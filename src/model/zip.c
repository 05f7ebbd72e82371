#include "model/zip.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

enum { HEAD = 16, NAME = 512 };

struct gwf_zip {
    zip_t *archive;
    size_t size;
    char folder[NAME]; /* "<name>/" */
};

/* ---- what the first bytes say ---- */

static gwf_status check_head(const unsigned char *head, size_t size, gwf_error *err)
{
    /* Pickle, protocol 2, of the number 0x1950a86a20f9469cfc6c. */
    static const unsigned char old[13] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                          0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50};
    if (size == 0) return gwf_fail(err, GWF_ERR_FORMAT, "is empty, a PyTorch checkpoint expected");
    if (size >= sizeof old && memcmp(head, old, sizeof old) == 0)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "is in the container of torch before 1.6, the zip container expected: load "
                        "it with a newer torch and save it again");
    if (size < 4 || memcmp(head, "PK", 2) != 0)
        return gwf_fail(err, GWF_ERR_FORMAT, "is not a PyTorch checkpoint: not a zip container");
    return GWF_OK;
}

static gwf_status check_file(const char *path, size_t *size, gwf_error *err)
{
    unsigned char head[HEAD] = {0};
    struct stat info;
    if (stat(path, &info) != 0)
        return gwf_fail(err, GWF_ERR_NOT_FOUND, "cannot be opened: %s", strerror(errno));
    if (!S_ISREG(info.st_mode)) /* a pipe would keep fopen waiting */
        return gwf_fail(err, GWF_ERR_NOT_FOUND, "is not a regular file");
    FILE *file = fopen(path, "rb");
    if (!file) return gwf_fail(err, GWF_ERR_NOT_FOUND, "cannot be opened: %s", strerror(errno));
    const bool bad = fread(head, 1, HEAD, file) < HEAD && ferror(file);
    fclose(file);
    if (bad) return gwf_fail(err, GWF_ERR_IO, "cannot be read");
    *size = (size_t)info.st_size;
    return check_head(head, *size, err);
}

/* ---- opening ---- */

/* The folder is that of the first entry `data.pkl`. */
static gwf_status find_folder(gwf_zip *zip, gwf_error *err)
{
    const zip_int64_t count = zip_get_num_entries(zip->archive, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(zip->archive, (zip_uint64_t)i, 0);
        const char *slash = name ? strchr(name, '/') : NULL;
        if (!slash || strcmp(slash + 1, "data.pkl") != 0) continue;
        const size_t size = (size_t)(slash - name) + 1;
        if (size >= sizeof zip->folder)
            return gwf_fail(err, GWF_ERR_FORMAT, "the zip's folder has a name of %zu bytes", size);
        memcpy(zip->folder, name, size);
        return GWF_OK;
    }
    return gwf_fail(err, GWF_ERR_FORMAT,
                    "is a zip of %lld entries, but no PyTorch checkpoint: no <name>/data.pkl in it",
                    (long long)count);
}

static gwf_status fail_open(int code, gwf_error *err)
{
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    gwf_status status = code == ZIP_ER_MEMORY ? GWF_ERR_MEMORY : GWF_ERR_FORMAT;
    gwf_fail(err, status,
             "is truncated or damaged: it starts as a zip, but its directory at the "
             "end cannot be read (%s)",
             zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

/* Takes the archive; NULL: it could not be opened, for the reason `code`. */
static gwf_status finish_open(zip_t *archive, int code, size_t size, gwf_zip **zip, gwf_error *err)
{
    if (!archive) return fail_open(code, err);
    *zip = calloc(1, sizeof **zip);
    if (!*zip) {
        zip_discard(archive);
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory to open it");
    }
    (*zip)->archive = archive;
    (*zip)->size = size;
    const gwf_status status = find_folder(*zip, err);
    if (status != GWF_OK) gwf_zip_close(zip);
    return status;
}

gwf_status gwf_zip_open_file(const char *path, gwf_zip **zip, gwf_error *err)
{
    size_t size = 0;
    int code = 0;
    *zip = NULL;
    GWF_TRY(check_file(path, &size, err));
    zip_t *archive = zip_open(path, ZIP_RDONLY, &code);
    return finish_open(archive, code, size, zip, err);
}

gwf_status gwf_zip_open_memory(const void *bytes, size_t size, gwf_zip **zip, gwf_error *err)
{
    zip_error_t error;
    *zip = NULL;
    GWF_TRY(check_head(bytes, size, err));
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &error);
    zip_t *archive = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
    if (source && !archive) zip_source_free(source);
    const int code = zip_error_code_zip(&error);
    zip_error_fini(&error);
    return finish_open(archive, code, size, zip, err);
}

void gwf_zip_close(gwf_zip **zip)
{
    if (!*zip) return;
    zip_discard((*zip)->archive);
    free(*zip);
    *zip = NULL;
}

size_t gwf_zip_size(const gwf_zip *zip)
{
    return zip->size;
}

/* ---- entries ---- */

/* -1 when there is none. */
static zip_int64_t locate(const gwf_zip *zip, const char *entry)
{
    char name[NAME + sizeof(((gwf_zip_entry *)0)->name)];
    const int size = snprintf(name, sizeof name, "%s%s", zip->folder, entry);
    if (size < 0 || (size_t)size >= sizeof name) return -1;
    return zip_name_locate(zip->archive, name, 0);
}

bool gwf_zip_has(const gwf_zip *zip, const char *entry)
{
    return locate(zip, entry) >= 0;
}

bool gwf_zip_has_folder(const gwf_zip *zip, const char *folder)
{
    const size_t prefix = strlen(zip->folder), size = strlen(folder);
    const zip_int64_t count = zip_get_num_entries(zip->archive, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(zip->archive, (zip_uint64_t)i, 0);
        if (name && strncmp(name, zip->folder, prefix) == 0 &&
            strncmp(name + prefix, folder, size) == 0)
            return true;
    }
    return false;
}

/* Stored plainly means: what the directory promises must lie in the container, so that no size
 * from the file can be larger than the file. */
static gwf_status check_entry(const gwf_zip *zip, const zip_stat_t *info, const char *name,
                              gwf_error *err)
{
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((info->valid & needed) != needed)
        return gwf_fail(err, GWF_ERR_FORMAT, "entry %s: size or storage unknown", name);
    if (info->encryption_method != ZIP_EM_NONE)
        return gwf_fail(err, GWF_ERR_FORMAT, "entry %s is encrypted, plain storage expected", name);
    if (info->comp_method != ZIP_CM_STORE)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "entry %s is compressed (method %d), plain storage expected", name,
                        info->comp_method);
    if (info->size > zip->size)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "entry %s claims %llu bytes, the whole file has %zu: truncated or damaged",
                        name, (unsigned long long)info->size, zip->size);
    return GWF_OK;
}

gwf_status gwf_zip_entry_open(gwf_zip *zip, const char *name, gwf_zip_entry *entry, gwf_error *err)
{
    zip_stat_t info;
    *entry = (gwf_zip_entry){0};
    const zip_int64_t index = locate(zip, name);
    if (index < 0 || zip_stat_index(zip->archive, (zip_uint64_t)index, 0, &info) != 0)
        return gwf_fail(err, GWF_ERR_FORMAT, "entry %s is missing", name);
    GWF_TRY(check_entry(zip, &info, name, err));
    entry->file = zip_fopen_index(zip->archive, (zip_uint64_t)index, 0);
    if (!entry->file)
        return gwf_fail(err, GWF_ERR_FORMAT, "entry %s cannot be opened: %s", name,
                        zip_strerror(zip->archive));
    entry->size = (size_t)info.size;
    snprintf(entry->name, sizeof entry->name, "%s", name);
    return GWF_OK;
}

/* At most n bytes, 0 only at the end of the entry. */
static gwf_status read_some(gwf_zip_entry *entry, void *bytes, size_t n, size_t *got,
                            gwf_error *err)
{
    const zip_int64_t read = zip_fread(entry->file, bytes, n);
    if (read >= 0) {
        *got = (size_t)read;
        entry->read += *got;
        return GWF_OK;
    }
    zip_error_t *error = zip_file_get_error(entry->file);
    if (zip_error_code_zip(error) == ZIP_ER_CRC)
        return gwf_fail(err, GWF_ERR_FORMAT, "entry %s is damaged: its CRC-32 is wrong",
                        entry->name);
    return gwf_fail(err, zip_error_code_zip(error) == ZIP_ER_READ ? GWF_ERR_IO : GWF_ERR_FORMAT,
                    "entry %s cannot be read at byte %zu: %s", entry->name, entry->read,
                    zip_error_strerror(error));
}

gwf_status gwf_zip_entry_read(gwf_zip_entry *entry, void *bytes, size_t n, gwf_error *err)
{
    for (size_t done = 0, got = 0; done < n; done += got) {
        GWF_TRY(read_some(entry, (char *)bytes + done, n - done, &got, err));
        if (got == 0)
            return gwf_fail(err, GWF_ERR_FORMAT, "entry %s ends after %zu of %zu bytes",
                            entry->name, entry->read, entry->size);
    }
    return GWF_OK;
}

gwf_status gwf_zip_entry_finish(gwf_zip_entry *entry, gwf_error *err)
{
    char rest[4096];
    size_t got = 0;
    do {
        GWF_TRY(read_some(entry, rest, sizeof rest, &got, err));
    } while (got > 0);
    return GWF_OK;
}

void gwf_zip_entry_close(gwf_zip_entry *entry)
{
    if (entry->file) zip_fclose(entry->file);
    entry->file = NULL;
}

gwf_status gwf_zip_load(gwf_zip *zip, const char *name, size_t most, unsigned char **bytes,
                        size_t *size, gwf_error *err)
{
    gwf_zip_entry entry;
    *bytes = NULL;
    *size = 0;
    GWF_TRY(gwf_zip_entry_open(zip, name, &entry, err));
    gwf_status status = GWF_OK;
    if (entry.size > most)
        status = gwf_fail(err, GWF_ERR_FORMAT, "entry %s has %zu bytes, at most %zu expected", name,
                          entry.size, most);
    else if (!(*bytes = malloc(entry.size ? entry.size : 1)))
        status =
            gwf_fail(err, GWF_ERR_MEMORY, "no memory for entry %s of %zu bytes", name, entry.size);
    if (status == GWF_OK) status = gwf_zip_entry_read(&entry, *bytes, entry.size, err);
    if (status == GWF_OK) status = gwf_zip_entry_finish(&entry, err);
    gwf_zip_entry_close(&entry);
    if (status == GWF_OK) {
        *size = entry.size;
    } else {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}
