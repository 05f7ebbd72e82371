#include "core/checksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 16 };

static EVP_MD_CTX *begin(void)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(digest);
        digest = NULL;
    }
    return digest;
}

/* Writes the digits and frees the digest. */
static gwf_status end(EVP_MD_CTX *digest, char *hex, gwf_error *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const int rc = EVP_DigestFinal_ex(digest, bytes, &size);
    EVP_MD_CTX_free(digest);
    if (rc != 1 || 2 * size + 1 != GWF_CHECKSUM_TEXT)
        return gwf_fail(err, GWF_ERR_INTERNAL, "SHA-256 failed");
    for (unsigned i = 0; i < size; i++) snprintf(hex + (size_t)2 * i, 3, "%02x", bytes[i]);
    return GWF_OK;
}

static gwf_status unavailable(gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_INTERNAL, "SHA-256 is not available in libcrypto");
}

gwf_status gwf_checksum_bytes(const void *bytes, size_t size, char hex[static GWF_CHECKSUM_TEXT],
                              gwf_error *err)
{
    hex[0] = '\0';
    EVP_MD_CTX *digest = begin();
    if (!digest) return unavailable(err);
    if (size > 0 && EVP_DigestUpdate(digest, bytes, size) != 1) {
        EVP_MD_CTX_free(digest);
        return gwf_fail(err, GWF_ERR_INTERNAL, "SHA-256 failed");
    }
    return end(digest, hex, err);
}

static gwf_status update_from(FILE *stream, EVP_MD_CTX *digest, const char *path, gwf_error *err)
{
    unsigned char piece[PIECE];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, stream)) > 0)
        if (EVP_DigestUpdate(digest, piece, n) != 1)
            return gwf_fail(err, GWF_ERR_INTERNAL, "SHA-256 failed");
    if (ferror(stream))
        return gwf_fail(err, GWF_ERR_IO, "%s: reading failed (%s)", path, strerror(errno));
    return GWF_OK;
}

gwf_status gwf_checksum_file(const char *path, char hex[static GWF_CHECKSUM_TEXT], gwf_error *err)
{
    hex[0] = '\0';
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* opening a pipe would wait */
        return gwf_fail(err, GWF_ERR_NOT_FOUND, "%s: is not a regular file", path);
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return gwf_fail(err, GWF_ERR_NOT_FOUND, "%s: cannot be opened (%s)", path, strerror(errno));
    EVP_MD_CTX *digest = begin();
    gwf_status status = digest ? update_from(stream, digest, path, err) : unavailable(err);
    fclose(stream);
    if (status == GWF_OK) return end(digest, hex, err);
    EVP_MD_CTX_free(digest);
    return status;
}
