/* disk_key - see disk_key.h. */
#include "vmdk/disk_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/rand.h>

#include "keywrap/locator.h"

static const char FILTER[] = "vmwarevmcrypt";

/* Our filter is somewhere in LENGTH bytes. Descriptors have its bare name; the API calls it
 * VMW_vmwarevmcrypt_1.0.0. */
static bool has_filter(const char *text, size_t length)
{
    const size_t name = sizeof FILTER - 1;
    for (size_t at = 0; at + name <= length; at++) {
        if (strncasecmp(text + at, FILTER, name) == 0)
            return true;
    }
    return false;
}

static bool names_filter(const char *filters)
{
    return filters != NULL && has_filter(filters, strlen(filters));
}

bool descriptor_is_encrypted(const struct descriptor *d)
{
    return descriptor_get(d, "encryptionKeys") != NULL ||
           names_filter(descriptor_get(d, "ddb.iofilters"));
}

struct locator *disk_key_safe(const struct descriptor *d, struct error *error)
{
    const char *text = descriptor_get(d, "encryptionKeys");
    if (text == NULL) {
        error_set(error, ERROR_DAMAGED,
                  names_filter(descriptor_get(d, "ddb.iofilters"))
                      ? "the descriptor names the filter %s but lacks encryptionKeys"
                      : "the disk is not encrypted: no filter %s and no encryptionKeys",
                  FILTER);
        return NULL;
    }
    struct locator *safe = locator_parse(text, strlen(text), error);
    if (safe == NULL)
        error_prefix(error, "encryptionKeys");
    return safe;
}

bool disk_key_unlock(const struct locator *safe, const struct keyring *ring, struct crypto_key *dek,
                     struct keysafe_result *result, struct error *error)
{
    *dek = (struct crypto_key){.key = NULL};
    if (!keysafe_open(safe, ring, result, error))
        return false;
    if (!crypto_key_parse(buffer_text(&result->plain), result->plain.length, dek, error))
        return error_prefix(error, "the unlocked disk key");
    if (strncasecmp(dek->cipher, "XTS-", 4) == 0)
        return true;
    error_set(error, ERROR_FAILED, "the disk key is for %s; disks are read in XTS-AES-256 only",
              dek->cipher);
    crypto_key_free(dek);
    return false;
}

/* keyID is eight hex digits, "00000000" for clear disks [seen in tool output]; nothing is known to
 * depend on their value. */
static bool set_key_id(struct descriptor *d, struct error *error)
{
    uint32_t id;
    char text[9];
    if (RAND_bytes((unsigned char *)&id, sizeof id) != 1)
        return error_set(error, ERROR_FAILED, "the random generator gave no bytes");
    snprintf(text, sizeof text, "%08" PRIx32, id | 1);
    return descriptor_set(d, "keyID", text, error);
}

/* ddb.iofilters with ours added, others kept: a list with commas. */
static bool add_filter(struct descriptor *d, struct error *error)
{
    const char *filters = descriptor_get(d, "ddb.iofilters");
    if (names_filter(filters))
        return true;
    struct buffer all = BUFFER_INIT;
    if (filters != NULL && filters[0] != '\0')
        buffer_printf(&all, "%s,", filters);
    buffer_append_text(&all, FILTER);
    bool ok =
        !all.failed ? descriptor_set(d, "ddb.iofilters", all.data, error) : error_memory(error);
    buffer_free(&all);
    return ok;
}

bool disk_key_lock(struct descriptor *d, const struct crypto_key *dek,
                   const struct keysafe_locker *locker, enum seal_mac mac, struct error *error)
{
    struct buffer plain = BUFFER_INIT, text = BUFFER_INIT;
    struct locator *safe = NULL;
    bool ok = crypto_key_write(dek, &plain) || error_memory(error);
    if (ok) {
        safe = keysafe_make(locker, mac, plain.data, plain.length, error);
        ok = safe != NULL && (locator_write(safe, &text) || error_memory(error));
    }
    ok = ok && descriptor_set(d, "encryptionKeys", buffer_text(&text), error) &&
         set_key_id(d, error) && add_filter(d, error);
    locator_free(safe);
    buffer_free(&plain);
    buffer_free(&text);
    return ok;
}

/* Append the list of filters without ours. */
static bool drop_filter(struct descriptor *d, struct buffer *left)
{
    const char *filters = descriptor_get(d, "ddb.iofilters");
    for (const char *at = filters; at != NULL && *at != '\0';) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length > 0 && !has_filter(at, length)) {
            if (left->length > 0)
                buffer_append_text(left, ",");
            buffer_append(left, at, length);
        }
        at += length;
    }
    return !left->failed;
}

bool disk_key_strip(struct descriptor *d, struct error *error)
{
    struct buffer left = BUFFER_INIT;
    bool ok = true;
    if (names_filter(descriptor_get(d, "ddb.iofilters"))) {
        ok = drop_filter(d, &left) || error_memory(error);
        if (ok && left.length > 0) {
            ok = descriptor_set(d, "ddb.iofilters", left.data, error);
        } else if (ok) {
            descriptor_unset(d, "ddb.iofilters");
            /* Files that filters keep beside the disk. */
            descriptor_unset(d, "ddb.sidecars");
        }
    }
    descriptor_unset(d, "encryptionKeys");
    descriptor_unset(d, "keyID");
    buffer_free(&left);
    return ok;
}

void disk_key_warn_filters(const struct descriptor *d, const char *name, struct log *log)
{
    const char *at = descriptor_get(d, "ddb.iofilters");
    while (at != NULL && *at != '\0') {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length > 0 && !has_filter(at, length))
            log_say(log, LOG_WARN,
                    "%s: the I/O filter \"%.*s\" is attached too; whatever it does to the data is "
                    "not undone",
                    name, (int)(length < 128 ? length : 128), at);
        at += length;
    }
}
