/* copy_identity - which source, geometry and key a copy is of; see copy_journal.h. */
#include "vmdk/copy_journal.h"

#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "vmdk/disk_private.h"

static void put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static bool add_u64(EVP_MD_CTX *context, uint64_t value)
{
    uint8_t bytes[8];
    put_u64(bytes, value);
    return EVP_DigestUpdate(context, bytes, sizeof bytes) == 1;
}

/* With its NUL, so that no two lists of texts look alike. */
static bool add_text(EVP_MD_CTX *context, const char *text)
{
    return text == NULL || EVP_DigestUpdate(context, text, strlen(text) + 1) == 1;
}

static bool add_extents(EVP_MD_CTX *context, const struct descriptor *d)
{
    bool ok = add_text(context, descriptor_get(d, "encryptionKeys"));
    for (size_t i = 0; ok && i < descriptor_extent_count(d); i++) {
        const struct descriptor_extent *e = descriptor_extent_at(d, i);
        ok = add_u64(context, e->sectors) && add_u64(context, e->offset) &&
             add_text(context, e->type) && add_text(context, e->file);
    }
    return ok;
}

static bool add_descriptors(EVP_MD_CTX *context, const struct disk *disk)
{
    bool ok = true;
    for (size_t i = 0; ok && i < disk->layer_count; i++)
        ok = add_extents(context, disk->layers[i]->descriptor);
    return ok;
}

static bool add_file(EVP_MD_CTX *context, const struct extent *e, struct error *error)
{
    struct stat st;
    int fd = extent_pool_take(e->pool, e->file, error);
    if (fd < 0)
        return false;
    bool ok = fstat(fd, &st) == 0 || error_system(error, "cannot examine");
    extent_pool_give(e->pool, e->file, fd);
    if (!ok)
        return error_in_file(error, extent_pool_path(e->pool, e->file));
    return (add_u64(context, (uint64_t)st.st_size) &&
            add_u64(context, (uint64_t)st.st_mtim.tv_sec) &&
            add_u64(context, (uint64_t)st.st_mtim.tv_nsec)) ||
           error_set(error, ERROR_FAILED, "cannot compute SHA-256");
}

static bool add_files(EVP_MD_CTX *context, const struct disk *disk, struct error *error)
{
    for (size_t l = 0; l < disk->layer_count; l++) {
        const struct layer *layer = disk->layers[l];
        for (size_t i = 0; i < layer->extent_count; i++)
            if (layer->extents[i].pool != NULL && !add_file(context, &layer->extents[i], error))
                return false;
    }
    return true;
}

/* What the key makes of a text that depends on the source, hashed: it tells one key from another,
 * and says nothing of the key that a disk would not say. */
static bool add_key(EVP_MD_CTX *context, const struct xts *xts, const uint8_t *salt,
                    struct error *error)
{
    uint8_t block[2 * COPY_IDENTITY_DIGEST], made[2 * COPY_IDENTITY_DIGEST];
    memcpy(block, salt, COPY_IDENTITY_DIGEST);
    memcpy(block + COPY_IDENTITY_DIGEST, "vmcrypt copy key", COPY_IDENTITY_DIGEST);
    return xts_decrypt_odd(xts, UINT64_MAX, made, block, sizeof made, error) &&
           EVP_DigestUpdate(context, made, sizeof made) == 1;
}

/* What is not the default makes another plaintext. */
static bool add_geometry(EVP_MD_CTX *context, const struct geometry_cipher *cipher)
{
    char text[GEOMETRY_TEXT];
    if (cipher == NULL)
        return true;
    geometry_print(geometry_cipher_of(cipher), text);
    return EVP_DigestUpdate(context, text, strlen(text) + 1) == 1;
}

/* Of XTS, or of each layer that is decrypted. */
static bool add_keys(EVP_MD_CTX *context, const struct disk *disk, const struct xts *xts,
                     const uint8_t *salt, struct error *error)
{
    if (xts != NULL)
        return add_key(context, xts, salt, error);
    for (size_t i = 0; i < disk->layer_count; i++)
        if (disk->layers[i]->xts != NULL && (!add_key(context, disk->layers[i]->xts, salt, error) ||
                                             !add_geometry(context, disk->layers[i]->cipher)))
            return false;
    return true;
}

static bool finish(EVP_MD_CTX *context, uint8_t *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    bool ok = EVP_DigestFinal_ex(context, digest, NULL) == 1 &&
              EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    if (ok)
        memcpy(out, digest, COPY_IDENTITY_DIGEST);
    return ok;
}

bool copy_identify(const struct disk *disk, const struct copy_cipher *cipher,
                   enum copy_operation operation, struct copy_identity *identity,
                   struct error *error)
{
    bool ciphered = cipher != NULL && cipher->xts != NULL;
    const struct xts *xts = ciphered ? cipher->xts : NULL;
    *identity = (struct copy_identity){
        .operation = operation,
        .size = disk_size(disk),
        .first_unit = ciphered ? cipher->first_unit : 0,
        .unit_bytes = (uint32_t)(xts == NULL ? disk_unit_bytes(disk) : xts_unit_bytes(xts)),
        .decrypt_zero_units = disk->layers[0]->decrypt_zero_units,
    };
    error_clear(error);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              add_descriptors(context, disk) && finish(context, identity->extents) &&
              add_files(context, disk, error) && finish(context, identity->files) &&
              add_keys(context, disk, xts, identity->extents, error) &&
              finish(context, identity->key);
    EVP_MD_CTX_free(context);
    if (!ok && error->code == ERROR_NONE)
        error_set(error, ERROR_FAILED, "cannot compute SHA-256");
    return ok;
}
