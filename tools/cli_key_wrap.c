/* cli_key_wrap - vmcrypt key wrap, unwrap: keys under keys, for interchange with other systems. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keysafe.h"
#include "keywrap/secret_file.h"
#include "keywrap/source.h"
#include "keywrap/wrap.h"
#include "tools/cli_key.h"
#include "tools/cli_key_attestation.h"
#include "tools/cli_key_output.h"

enum { TEXT_LIMIT = 16 << 20 };

static const char PREFIX[] = "vmware:key/";

struct wrapping {
    struct cli *cli;
    bool pair;               /* as VMware locks keys */
    enum wrap_method chosen; /* where key.method points */
    struct wrap_key key;
    struct cli_key_output output;
};

/* --method; auto is for unwrapping only. */
static bool read_method(struct wrapping *w, bool wrapping, struct error *error)
{
    const char *method = cli_value(w->cli, "method");
    w->pair = method != NULL && strcmp(method, "pair") == 0;
    if (w->pair || (!wrapping && (method == NULL || strcmp(method, "auto") == 0)))
        return true;
    if (method == NULL)
        return error_set(error, ERROR_USAGE,
                         "--method says how to wrap: pair, rfc5649, "
                         "rsa-oaep-sha256 …; see the manual");
    if (!wrap_method_parse(method, &w->chosen, error))
        return error_prefix(error, "besides pair%s", wrapping ? "" : " and auto");
    w->key.method = &w->chosen;
    return true;
}

/* The only key of a ring, which gives it away. */
static struct keyring_key *only_key(struct keyring *ring, const char *path, struct error *error)
{
    if (ring->key_count == 1)
        return &ring->keys[0];
    error_set(error, ERROR_USAGE, "holds %zu keys; which one is meant cannot be told from it",
              ring->key_count);
    error_in_file(error, path);
    return NULL;
}

/* Read the key in the file PATH, whatever form it has; it stays in *RING, which is the caller's to
 * free. */
static struct keyring_key *read_key(struct wrapping *w, const char *path,
                                    const struct wrap_key *unwrap, struct keyring *ring,
                                    struct error *error)
{
    struct keyring_load load = cli_keyring_load(w->cli);
    struct source_options options = {
        .passphrases = &w->cli->ring,
        .ask = &load,
        .unwrap = unwrap,
        .id = unwrap == NULL ? NULL : cli_value(w->cli, "id"),
    };
    if (!source_read(path, &options, ring, NULL, &w->cli->log, error))
        return NULL;
    return only_key(ring, path, error);
}

static bool read_aes(struct wrapping *w, const char *path, struct error *error)
{
    struct keyring ring = KEYRING_INIT;
    struct keyring_key *key = read_key(w, path, NULL, &ring, error);
    if (key != NULL) {
        w->key.aes = key->key;
        key->key = NULL;
    }
    keyring_free(&ring);
    return key != NULL;
}

static bool read_pem(struct wrapping *w, const char *path, bool private_key, struct error *error)
{
    const char *file = cli_value(w->cli, "pem-passphrase-file");
    struct secret *passphrase =
        file == NULL ? NULL : passphrase_file_read(file, &w->cli->log, error);
    bool ok = (file == NULL || passphrase != NULL) &&
              wrap_key_read_pem(path, private_key, passphrase, &w->key, error);
    secret_free(passphrase);
    if (ok && private_key)
        secret_file_check(path, &w->cli->log);
    return ok;
}

/* --with-key or --with-pem; *GIVEN tells whether there was one. */
static bool read_wrapping_key(struct wrapping *w, bool private_key, bool *given,
                              struct error *error)
{
    const char *file = cli_value(w->cli, "with-key"), *pem = cli_value(w->cli, "with-pem");
    *given = file != NULL || pem != NULL;
    if (file != NULL && pem != NULL)
        return error_set(error, ERROR_USAGE, "--with-key and --with-pem exclude each other");
    if (*given && w->pair)
        return error_set(error, ERROR_USAGE,
                         "a pair is locked by a key of the keyring or a passphrase, not by %s",
                         file != NULL ? "--with-key" : "--with-pem");
    if (pem == NULL && cli_value(w->cli, "pem-passphrase-file") != NULL)
        return error_set(error, ERROR_USAGE, "--pem-passphrase-file goes with --with-pem");
    if (file != NULL)
        return read_aes(w, file, error);
    return pem == NULL || read_pem(w, pem, private_key, error);
}

static void start(struct wrapping *w, struct cli *cli, bool wrapping)
{
    *w = (struct wrapping){
        .cli = cli,
        .output = {.path = cli->operands[1],
                   .form = cli_value(cli, "form"),
                   .id = wrapping ? NULL : cli_value(cli, "id"),
                   .secret = !wrapping,
                   .force = cli_value(cli, "force") != NULL,
                   .reveal = wrapping || cli_value(cli, "reveal") != NULL},
    };
}

/* Unwrapping. */

static bool open_pair(struct wrapping *w, const struct locator *locator, struct error *error)
{
    struct keysafe_result result;
    struct crypto_key key;
    bool ok = keysafe_open(locator, &w->cli->ring, &result, error);
    if (ok && !crypto_key_parse(buffer_text(&result.plain), result.plain.length, &key, error))
        ok = error_set(error, ERROR_DAMAGED,
                       "the pair opens, but what it locks is no key; see vmcrypt vmx bundle");
    else if (ok) {
        log_say(&w->cli->log, LOG_INFO, "%s", result.attempts[result.opened].reason);
        ok = cli_key_output_write(&w->output, key.key->data, key.key->length, error);
        crypto_key_free(&key);
    }
    keysafe_result_free(&result);
    return ok;
}

/* The first locator of TEXT that locks something. */
static struct locator *find_pair(const char *text, struct error *error)
{
    struct error why = ERROR_INIT;
    size_t length = 0;
    for (const char *at = text; (at = strcasestr(at, PREFIX)) != NULL; at += length) {
        length = strcspn(at, "\"' \t\r\n");
        struct locator *locator = locator_parse(at, length, &why);
        if (locator != NULL && (locator->type == LOCATOR_LIST || locator->type == LOCATOR_PAIR))
            return locator;
        locator_free(locator);
    }
    if (why.code != ERROR_NONE)
        *error = why;
    else
        error_set(error, ERROR_DAMAGED, "holds no pair (\"%slist/(pair/…\")", PREFIX);
    return NULL;
}

static bool unwrap_pair(struct wrapping *w, const char *in, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct locator *locator = NULL;
    bool ok = file_read_all(in, TEXT_LIMIT, &text, error);
    if (ok && (locator = find_pair(buffer_text(&text), error)) == NULL)
        ok = error_in_file(error, in);
    ok = ok && cli_keys(w->cli, "Passphrase of the pair", error) &&
         (open_pair(w, locator, error) || error_in_file(error, in));
    locator_free(locator);
    buffer_free(&text);
    return ok;
}

static bool unwrap_wrapped(struct wrapping *w, const char *in, struct error *error)
{
    struct keyring ring = KEYRING_INIT;
    struct keyring_key *key = read_key(w, in, &w->key, &ring, error);
    bool ok =
        key != NULL && cli_key_output_write(&w->output, key->key->data, key->key->length, error);
    keyring_free(&ring);
    return ok;
}

static bool unwrap(struct wrapping *w, struct error *error)
{
    const char *in = w->cli->operands[0];
    bool given;
    if (!read_method(w, false, error) || !cli_key_output_check(&w->output, error) ||
        !read_wrapping_key(w, true, &given, error))
        return false;
    if (given)
        return unwrap_wrapped(w, in, error);
    if (w->key.method != NULL)
        return error_set(error, ERROR_USAGE,
                         "give the key that unwraps it: --with-key or "
                         "--with-pem FILE");
    /* Without one it can only be a pair. */
    return unwrap_pair(w, in, error) ||
           (!w->pair && error->code == ERROR_DAMAGED &&
            error_prefix(error, "without --with-key or --with-pem it has to be a pair"));
}

int cli_key_unwrap(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct wrapping w;
    start(&w, cli, false);
    bool ok = cli_key_attested(cli, &error) && unwrap(&w, &error);
    wrap_key_free(&w.key);
    return ok ? 0 : cli_fail(cli, &error);
}

/* Wrapping. */

/* What is to be wrapped: a file, or PROVIDER/ID of a key in hand. It is copied. */
static struct secret *find_source(struct wrapping *w, struct error *error)
{
    const char *operand = w->cli->operands[0];
    struct keyring ring = KEYRING_INIT;
    struct error ignored = ERROR_INIT;
    bool file = strchr(operand, '/') == NULL || file_exists(operand);
    const struct keyring_key *key = cli_find_kek(w->cli, operand, file ? &ignored : error);
    if (file && key != NULL) {
        error_set(error, ERROR_USAGE, "'%.300s' is a file as well as a key in hand; write ./FILE",
                  operand);
        return NULL;
    }
    if (file)
        key = read_key(w, operand, NULL, &ring, error);
    else if (key == NULL)
        error_prefix(error, "'%.300s' is no file", operand);
    struct secret *copy = key == NULL ? NULL : secret_copy(key->key->data, key->key->length, error);
    keyring_free(&ring);
    return copy;
}

/* What Workstation writes for a passphrase [real sample]; ESXi's pairs have HMAC-SHA-256. */
static struct locator *lock(struct wrapping *w, const struct buffer *plain, struct error *error)
{
    const char *kek = cli_value(w->cli, "kek"), *file = cli_value(w->cli, "new-passphrase-file");
    struct keysafe_locker locker = {
        .pass2key = "PBKDF2-HMAC-SHA-1", .cipher = "AES-256", .rounds = 10000};
    struct secret *passphrase = NULL;
    if (kek != NULL)
        locker.kek = cli_find_kek(w->cli, kek, error);
    else
        locker.passphrase = passphrase = cli_new_passphrase(w->cli, file, error);
    struct locator *locator = NULL;
    if (locker.kek != NULL || passphrase != NULL)
        locator = keysafe_make(&locker, kek != NULL ? SEAL_HMAC_SHA256 : SEAL_HMAC_SHA1,
                               buffer_text(plain), plain->length, error);
    secret_free(passphrase);
    return locator;
}

static bool wrap_pair(struct wrapping *w, struct secret *source, struct error *error)
{
    struct buffer plain = BUFFER_INIT, text = BUFFER_INIT;
    struct crypto_key key = {.key = source};
    snprintf(key.cipher, sizeof key.cipher, "%s", cli_key_cipher(source->length));
    bool ok = crypto_key_write(&key, &plain) || error_memory(error);
    struct locator *locator = ok ? lock(w, &plain, error) : NULL;
    ok = locator != NULL &&
         ((locator_write(locator, &text) && buffer_append_byte(&text, '\n')) ||
          error_memory(error)) &&
         cli_key_output_text(&w->output, &text, error);
    locator_free(locator);
    buffer_free(&text);
    buffer_free(&plain);
    return ok;
}

static bool wrap_bytes(struct wrapping *w, const struct secret *source, struct error *error)
{
    struct buffer wrapped = BUFFER_INIT;
    bool ok = wrap_make(w->chosen, &w->key, source->data, source->length, &wrapped, error) &&
              cli_key_output_write(&w->output, wrapped.data, wrapped.length, error);
    buffer_free(&wrapped);
    return ok;
}

/* What goes with a pair only, and what does not. */
static bool check_words(const struct wrapping *w, bool given, struct error *error)
{
    bool kek = cli_value(w->cli, "kek") != NULL;
    bool phrase = cli_value(w->cli, "new-passphrase-file") != NULL;
    if (kek && phrase)
        return error_set(error, ERROR_USAGE, "--kek and --new-passphrase-file exclude each other");
    if (!w->pair && (kek || phrase))
        return error_set(error, ERROR_USAGE,
                         "--kek and --new-passphrase-file are for --method "
                         "pair");
    if (w->pair)
        return w->output.form == NULL || strcmp(w->output.form, "locator") == 0 ||
               error_set(error, ERROR_USAGE, "a pair is a locator; it has no other form");
    return given || error_set(error, ERROR_USAGE,
                              "give the key that wraps it: --with-key or "
                              "--with-pem FILE");
}

static bool wrap(struct wrapping *w, struct error *error)
{
    bool given;
    if (!read_method(w, true, error) || !read_wrapping_key(w, false, &given, error) ||
        !check_words(w, given, error) || (!w->pair && !cli_key_output_check(&w->output, error)) ||
        !cli_keys(w->cli, NULL, error))
        return false;
    struct secret *source = find_source(w, error);
    bool ok =
        source != NULL && (w->pair ? wrap_pair(w, source, error) : wrap_bytes(w, source, error));
    secret_free(source);
    return ok;
}

int cli_key_wrap(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct wrapping w;
    start(&w, cli, true);
    bool ok = wrap(&w, &error);
    wrap_key_free(&w.key);
    return ok ? 0 : cli_fail(cli, &error);
}
