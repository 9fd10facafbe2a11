/* hash - see hash.h. */
#include "vmx/hash.h"

#include <string.h>

#include "base/encode.h"
#include "base/secret.h"
#include "keywrap/phrase.h"
#include "keywrap/seal.h"

/* What the crackers can hold. */
enum { SALT_BYTES = 16, HASHCAT_BYTES = 32, JOHN_BYTES = 116 };

static bool hashcat_takes(const struct phrase_params *params, size_t locked_length,
                          struct error *error)
{
    if (strcmp(params->cipher, "AES-256") != 0 && strcmp(params->cipher, "XTS-AES-256") != 0)
        return error_set(error, ERROR_FAILED,
                         "hashcat 27400 knows AES-256 and XTS-AES-256 only, not %s",
                         params->cipher);
    if (locked_length < HASHCAT_BYTES)
        return error_set(error, ERROR_FAILED, "%zu locked bytes are too few", locked_length);
    return true;
}

static bool john_takes(const struct phrase_params *params, const char *mac, size_t locked_length,
                       struct error *error)
{
    if (strcmp(params->cipher, "AES-256") != 0 || strcmp(mac, "HMAC-SHA-1") != 0)
        return error_set(error, ERROR_FAILED,
                         "John's vmx format knows AES-256 with HMAC-SHA-1 only, not %s with %.40s",
                         params->cipher, mac);
    if (locked_length != JOHN_BYTES)
        return error_set(error, ERROR_FAILED, "John's vmx format wants %d locked bytes, not %zu",
                         JOHN_BYTES, locked_length);
    return true;
}

static bool takes(const struct phrase_params *params, const char *mac, size_t locked_length,
                  enum vmx_hash_format format, struct error *error)
{
    if (strcmp(params->pass2key, "PBKDF2-HMAC-SHA-1") != 0)
        return error_set(error, ERROR_FAILED, "the crackers know PBKDF2-HMAC-SHA-1 only, not %s",
                         params->pass2key);
    if (params->salt_length != SALT_BYTES)
        return error_set(error, ERROR_FAILED, "the crackers want %d bytes of salt, not %zu",
                         SALT_BYTES, params->salt_length);
    return format == VMX_HASH_HASHCAT ? hashcat_takes(params, locked_length, error)
                                      : john_takes(params, mac, locked_length, error);
}

bool vmx_hash_pair(const struct locator *pair, const struct locator *phrase,
                   enum vmx_hash_format format, struct buffer *out, struct error *error)
{
    const struct locator_field *keygen = &phrase->fields[LOCATOR_PHRASE_KEYGEN];
    const char *mac = locator_text(pair, LOCATOR_PAIR_MAC);
    struct phrase_params params;
    if (!phrase_params_parse(keygen->value, keygen->length, &params, error))
        return false;
    struct secret *locked = locator_pair_data(pair, error);
    if (locked == NULL)
        return false;
    bool ok = takes(&params, mac, locked->length, format, error);
    if (ok) {
        bool hashcat = format == VMX_HASH_HASHCAT;
        buffer_printf(out, "$vmx$%s$%u$", hashcat ? "0" : "1$0$0", params.rounds);
        hex_encode(params.salt, params.salt_length, out);
        buffer_append_byte(out, '$');
        hex_encode(locked->data, hashcat ? (size_t)HASHCAT_BYTES : locked->length, out);
        ok = buffer_append_byte(out, '\n') || error_memory(error);
    }
    secret_free(locked);
    return ok;
}

struct walk {
    enum vmx_hash_format format;
    struct buffer *out, *refused;
    size_t pair; /* number of the one at hand */
};

/* The passphrases among the lockers of PAIR. A locker is no deeper than the parser lets it be. */
static void visit_locker(struct walk *w, const struct locator *pair, const struct locator *locker)
{
    struct error error = ERROR_INIT;
    if (locker->type == LOCATOR_LIST) {
        for (size_t i = 0; i < locker->child_count; i++)
            visit_locker(w, pair, locker->children[i]);
    } else if (locker->type != LOCATOR_PHRASE) {
        buffer_printf(w->refused, "pair %zu: is locked by a '%s' locator, not by a passphrase\n",
                      w->pair, locator_type_name(locker->type));
    } else if (!vmx_hash_pair(pair, locker, w->format, w->out, &error)) {
        buffer_printf(w->refused, "pair %zu: %s\n", w->pair, error.message);
    }
}

static void visit(struct walk *w, const struct locator *locator)
{
    if (locator->type == LOCATOR_PAIR) {
        w->pair++;
        visit_locker(w, locator, locator->children[0]);
    } else if (locator->type == LOCATOR_LIST) {
        for (size_t i = 0; i < locator->child_count; i++)
            visit(w, locator->children[i]);
    }
}

bool vmx_hash_lines(const struct locator *safe, enum vmx_hash_format format, struct buffer *out,
                    struct buffer *refused, struct error *error)
{
    struct walk w = {format, out, refused, 0};
    visit(&w, safe);
    return (!out->failed && !refused->failed) || error_memory(error);
}
