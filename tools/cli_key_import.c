/* cli_key_import - vmcrypt key import: keys from sources of any form into a keyring file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "keywrap/keyring_crypt.h"
#include "keywrap/keyring_write.h"
#include "keywrap/secret_file.h"
#include "keywrap/source.h"
#include "tools/cli_explain.h"
#include "tools/cli_key.h"

enum { RING_LIMIT = 16 << 20 };

struct import {
    struct cli *cli;
    const char *path; /* the keyring */
    struct buffer yaml;
    struct secret *passphrase; /* that the keyring is encrypted with; NULL: it is not */
    bool exists, written;
    struct keyring held;  /* what it has */
    struct keyring added; /* what is new */
    struct wrap_key unwrap;
    size_t without_id, replaced, present;
    json_t *entries; /* what is to be told when all is done, for machines and for people */
    FILE *said;
};

/* The keyring as it is, when there is one. */
static bool read_ring(struct import *m, struct error *error)
{
    struct keyring_load load = cli_keyring_load(m->cli);
    struct buffer file = BUFFER_INIT;
    m->exists = file_exists(m->path);
    if (!m->exists)
        return true;
    bool ok = file_read_all(m->path, RING_LIMIT, &file, error);
    if (ok && !keyring_is_keyring(&file)) {
        ok = error_set(error, ERROR_USAGE, "exists and is no keyring; it is left as it is");
        error_in_file(error, m->path);
    }
    ok = ok && keyring_open_text(&file, m->path, &load, &m->yaml, &m->passphrase, error);
    load.passive = true;
    ok = ok && keyring_load_bytes(&m->held, &m->yaml, m->path, &load, error);
    buffer_free(&file);
    return ok;
}

/* --unwrap-key, an AES key in any form, or --unwrap-pem. */
static bool read_unwrap(struct import *m, struct error *error)
{
    const char *file = cli_value(m->cli, "unwrap-key"), *pem = cli_value(m->cli, "unwrap-pem");
    const char *phrase_file = cli_value(m->cli, "pem-passphrase-file");
    if (file != NULL && pem != NULL)
        return error_set(error, ERROR_USAGE, "--unwrap-key and --unwrap-pem exclude each other");
    if (phrase_file != NULL && pem == NULL)
        return error_set(error, ERROR_USAGE, "--pem-passphrase-file goes with --unwrap-pem");
    if (file != NULL) {
        struct keyring ring = KEYRING_INIT;
        bool ok = source_read(file, NULL, &ring, NULL, &m->cli->log, error);
        if (ok && ring.key_count != 1) {
            ok = error_set(error, ERROR_USAGE, "holds %zu keys, and one is to unwrap",
                           ring.key_count);
            error_in_file(error, file);
        }
        if (ok) {
            m->unwrap.aes = ring.keys[0].key;
            ring.keys[0].key = NULL;
        }
        keyring_free(&ring);
        return ok;
    }
    if (pem == NULL)
        return true;
    struct secret *phrase =
        phrase_file == NULL ? NULL : passphrase_file_read(phrase_file, &m->cli->log, error);
    bool ok = (phrase_file == NULL || phrase != NULL) &&
              wrap_key_read_pem(pem, true, phrase, &m->unwrap, error);
    secret_free(phrase);
    return ok;
}

/* Tell of one key; never the key itself. */
static void report(struct import *m, const struct keyring_key *key, const char *form,
                   const char *state)
{
    json_t *entry = cli_key_json(key);
    json_object_set_new(entry, "form", json_string(form));
    json_object_set_new(entry, "state", json_string(state));
    json_array_append_new(m->entries, entry);
    fprintf(m->said, "%-9s ", state);
    cli_key_print_to(m->said, key, form);
    m->without_id += key->id == NULL;
}

static bool conflict(const struct import *m, const struct keyring_key *key,
                     const struct keyring_key *other, struct error *error)
{
    bool here = keyring_find(&m->added, other, other->key) == other;
    error_set(error, ERROR_FAILED, "its key %.200s/%.200s differs from the one that %s has%s",
              key->provider == NULL ? "*" : key->provider, key->id, here ? other->origin : m->path,
              here ? "" : "; --replace puts it in its place");
    return error_in_file(error, key->origin);
}

static bool take_key(struct import *m, const struct keyring_key *key, const char *form,
                     struct error *error)
{
    if (keyring_find(&m->held, key, key->key) != NULL ||
        keyring_find(&m->added, key, key->key) != NULL) {
        m->present++;
        report(m, key, form, "present");
        return true;
    }
    const struct keyring_key *old = NULL;
    if (key->id != NULL && (old = keyring_find(&m->added, key, NULL)) != NULL)
        return conflict(m, key, old, error);
    if (key->id != NULL && (old = keyring_find(&m->held, key, NULL)) != NULL) {
        if (cli_value(m->cli, "replace") == NULL)
            return conflict(m, key, old, error);
        if (!keyring_write_replace(&m->yaml, old, key->key, m->path, error))
            return false;
        m->replaced++;
        report(m, key, form, "replaced");
        return true;
    }
    struct keyring_key copy = *key;
    copy.key = secret_copy(key->key->data, key->key->length, error);
    if (copy.key == NULL || !keyring_add(&m->added, &copy, error))
        return false;
    report(m, key, form, "added");
    return true;
}

static bool has_phrase(const struct keyring *ring, const struct secret *passphrase)
{
    for (size_t i = 0; i < ring->phrase_count; i++)
        if (secret_equal(ring->phrases[i].passphrase, passphrase))
            return true;
    return false;
}

static bool take_phrase(struct import *m, const struct keyring_phrase *phrase, struct error *error)
{
    if (has_phrase(&m->held, phrase->passphrase) || has_phrase(&m->added, phrase->passphrase))
        return true;
    struct secret *copy = secret_copy(phrase->passphrase->data, phrase->passphrase->length, error);
    if (copy == NULL || !keyring_add_phrase(&m->added, phrase->origin, copy, error))
        return false;
    fprintf(m->said, "added     passphrase  %s\n", cli_printable(phrase->origin));
    json_array_append_new(m->entries, json_pack("{s:s, s:o, s:s}", "type", "passphrase", "origin",
                                                cli_json_text(phrase->origin), "state", "added"));
    return true;
}

static bool take_source(struct import *m, const char *path, struct error *error)
{
    const struct cli *cli = m->cli;
    struct keyring_load load = cli_keyring_load(m->cli);
    struct source_options options = {
        .form = cli_value(cli, "form"),
        .provider = cli_value(cli, "provider"),
        .id = cli_value(cli, "id"),
        .kind = cli_value(cli, "kdk") != NULL ? KEYRING_KDK : KEYRING_KEK,
        .passphrases = &cli->ring,
        .unwrap = m->unwrap.aes != NULL || m->unwrap.rsa != NULL ? &m->unwrap : NULL,
        .ask = &load,
    };
    const struct source_form *form = NULL;
    struct keyring found = KEYRING_INIT;
    bool ok = source_read(path, &options, &found, &form, &m->cli->log, error);
    for (size_t i = 0; ok && i < found.key_count; i++)
        ok = take_key(m, &found.keys[i], form->title, error);
    for (size_t i = 0; ok && i < found.phrase_count; i++)
        ok = take_phrase(m, &found.phrases[i], error);
    keyring_free(&found);
    return ok;
}

/* Everything wanted is in the text that is to be written, and so is all that was there. */
static bool check_text(struct import *m, struct error *error)
{
    struct keyring_load load = cli_keyring_load(m->cli);
    struct keyring ring = KEYRING_INIT;
    size_t missing = 0;
    load.passive = true;
    bool ok = keyring_load_bytes(&ring, &m->yaml, m->path, &load, error);
    for (size_t i = 0; ok && i < m->held.key_count; i++)
        missing += keyring_find(&ring, &m->held.keys[i], m->held.keys[i].key) == NULL;
    for (size_t i = 0; ok && i < m->added.key_count; i++)
        missing += keyring_find(&ring, &m->added.keys[i], m->added.keys[i].key) == NULL;
    for (size_t i = 0; ok && i < m->added.phrase_count; i++)
        missing += !has_phrase(&ring, m->added.phrases[i].passphrase);
    if (ok && missing != m->replaced) {
        ok = error_set(error, ERROR_FAILED,
                       "cannot be added to as it is written; import into a new keyring");
        error_in_file(error, m->path);
    }
    keyring_free(&ring);
    return ok;
}

/* Encrypted as it was, or with a new passphrase when one is wanted. */
static bool write_ring(struct import *m, struct error *error)
{
    const char *file = cli_value(m->cli, "new-passphrase-file");
    struct buffer sealed = BUFFER_INIT;
    bool renew = file != NULL || cli_value(m->cli, "encrypt") != NULL;
    m->written =
        !m->exists || renew || m->added.key_count + m->added.phrase_count + m->replaced > 0;
    if (!m->written)
        return true;
    if (!keyring_write_add(&m->yaml, &m->added, error) || !check_text(m, error))
        return false;
    if (renew) {
        secret_free(m->passphrase);
        m->passphrase = cli_new_keyring_passphrase(m->cli, file, error);
        if (m->passphrase == NULL)
            return false;
    }
    bool ok = m->passphrase == NULL || keyring_encrypt(&m->yaml, m->passphrase, &sealed, error);
    ok = ok && keyring_write_file(m->path, m->passphrase == NULL ? &m->yaml : &sealed, error);
    buffer_free(&sealed);
    return ok;
}

static int tell(struct import *m, const char *said)
{
    const char *encrypted = m->passphrase != NULL ? ", encrypted" : "";
    if (m->cli->json)
        return cli_print_json(json_pack("{s:i, s:o, s:b, s:b, s:O}", "version", 1, "keyring",
                                        cli_json_text(m->path), "encrypted", m->passphrase != NULL,
                                        "written", m->written, "imported", m->entries),
                              0);
    fputs(said, stdout);
    if (m->without_id > 0)
        printf("%zu without an id: tried on everything that a key locks\n", m->without_id);
    printf("%s: %zu keys added, %zu replaced, %zu there before%s\n", cli_printable(m->path),
           m->added.key_count, m->replaced, m->present, encrypted);
    return 0;
}

static bool import_all(struct import *m, struct error *error)
{
    struct cli *cli = m->cli;
    if (m->path == NULL || strcmp(m->path, "-") == 0)
        return error_set(error, ERROR_USAGE, "--to KEYRING says where the keys go");
    if (cli_value(cli, "id") != NULL && cli->operand_count > 1)
        return error_set(error, ERROR_USAGE, "--id goes with one source");
    bool ok = cli_keys(cli, NULL, error) && read_unwrap(m, error) && read_ring(m, error);
    for (size_t i = 0; ok && i < cli->operand_count; i++)
        ok = take_source(m, cli->operands[i], error);
    return ok && write_ring(m, error);
}

int cli_key_import(struct cli *cli)
{
    struct error error = ERROR_INIT;
    char *said = NULL;
    size_t said_length;
    struct import m = {.cli = cli, .path = cli_value(cli, "to"), .entries = json_array()};
    m.said = open_memstream(&said, &said_length);
    bool ok = m.said != NULL ? import_all(&m, &error) : error_memory(&error);
    if (m.said != NULL && fclose(m.said) != 0 && ok)
        ok = error_memory(&error);
    int status = ok ? tell(&m, said) : cli_fail(cli, &error);
    free(said);
    json_decref(m.entries);
    buffer_free(&m.yaml);
    secret_free(m.passphrase);
    keyring_free(&m.held);
    keyring_free(&m.added);
    wrap_key_free(&m.unwrap);
    return status;
}
