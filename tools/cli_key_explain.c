/* cli_key_explain - vmcrypt key explain: what key locators and files of keys are, and what would
 * open them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/file.h"
#include "keywrap/source.h"
#include "tools/cli_explain.h"
#include "tools/cli_key.h"
#include "tools/cli_key_pkcs12.h"

enum { TEXT_LIMIT = 64 << 20, MAX_FOUND = 10000 };

static const char PREFIX[] = "vmware:key/";

static void try_keys(struct cli *cli, const struct locator *locator, json_t *object)
{
    if (cli->ring.key_count + cli->ring.phrase_count == 0 ||
        (locator->type != LOCATOR_LIST && locator->type != LOCATOR_PAIR))
        return;
    struct keysafe_result result;
    struct error error = ERROR_INIT;
    bool opened = keysafe_open(locator, &cli->ring, &result, &error);
    json_object_set_new(object, "opened", json_boolean(opened));
    json_object_set_new(object, "attempts", cli_attempts_json(&result));
    keysafe_result_free(&result);
}

static void print_attempts(const json_t *object)
{
    const json_t *attempts = json_object_get(object, "attempts");
    for (size_t i = 0; i < json_array_size(attempts); i++)
        printf("  with the keys in hand: %s\n", cli_printable(json_string_value(json_object_get(
                                                    json_array_get(attempts, i), "reason"))));
}

static void reveal_keys(const struct locator *locator)
{
    struct buffer hex = BUFFER_INIT;
    if (locator->key != NULL && hex_encode(locator->key->data, locator->key->length, &hex))
        printf("  raw key: %s\n", buffer_text(&hex));
    buffer_free(&hex);
    for (size_t i = 0; i < locator->child_count; i++)
        reveal_keys(locator->children[i]);
}

static bool explain_one(struct cli *cli, const char *text, size_t length, json_t *all,
                        struct error *error)
{
    struct locator *locator = locator_parse(text, length, error);
    if (locator == NULL)
        return false;
    json_t *object = cli_locator_json(locator);
    try_keys(cli, locator, object);
    if (!cli->json) {
        cli_locator_print(stdout, object, 0);
        print_attempts(object);
        if (cli_value(cli, "reveal") != NULL)
            reveal_keys(locator);
    }
    json_array_append_new(all, object);
    locator_free(locator);
    return true;
}

/* All locators in the text; *found counts them. */
static bool explain_text(struct cli *cli, const char *text, json_t *all, size_t *found,
                         struct error *error)
{
    size_t length = 0;
    *found = 0;
    for (const char *at = text; (at = locator_find(at, &length)) != NULL; at += length) {
        if (++*found > MAX_FOUND)
            return error_set(error, ERROR_DAMAGED, "more than %d key locators", MAX_FOUND);
        if (!explain_one(cli, at, length, all, error))
            return false;
    }
    return true;
}

/* Passphrases in hand, or one that the user is asked for when none of them fits. */
static struct pkcs12 *read_pkcs12(struct cli *cli, const char *path, const struct buffer *file,
                                  struct error *error)
{
    const struct keyring_load load = cli_keyring_load(cli);
    struct pkcs12 *p12 = pkcs12_read(buffer_text(file), file->length, &cli->ring, error);
    if (p12 == NULL || p12->password != PKCS12_PASSWORD_WRONG || load.ask == NULL ||
        cli->ring.phrase_count > 0)
        return p12;
    pkcs12_free(p12);
    char what[600];
    snprintf(what, sizeof what, "Passphrase of %s (none: only what lies open is shown)", path);
    struct secret *phrase = load.ask(load.context, what, error);
    if (phrase == NULL || !keyring_add_phrase(&cli->ring, "the terminal", phrase, error))
        return NULL;
    return pkcs12_read(buffer_text(file), file->length, &cli->ring, error);
}

static bool explain_pkcs12(struct cli *cli, const char *path, const struct buffer *file,
                           json_t *document, struct error *error)
{
    struct pkcs12 *p12 = read_pkcs12(cli, path, file, error);
    if (p12 == NULL)
        return false;
    if (cli->json)
        json_object_set_new(document, "pkcs12", cli_pkcs12_json(p12, &cli->ring));
    else
        cli_pkcs12_print(p12, &cli->ring);
    /* To list it is no failure when a passphrase is missing, but damage is one. */
    bool ok = pkcs12_usable(p12, error) || error->code != ERROR_DAMAGED;
    pkcs12_free(p12);
    return ok;
}

/* A file without locators may be keys in one of the forms that --key takes. */
static bool explain_source(struct cli *cli, const char *path, json_t *document, struct error *error)
{
    const struct keyring_load load = cli_keyring_load(cli);
    const struct source_options options = {.passphrases = &cli->ring, .ask = &load};
    const struct source_form *form = NULL;
    struct keyring found = KEYRING_INIT;
    bool ok =
        strcmp(path, "-") != 0 && source_read(path, &options, &found, &form, &cli->log, error);
    if (!ok && form == NULL)
        error_set(error, ERROR_DAMAGED, "holds no key locator (\"%s…\") and no key in a known form",
                  PREFIX);
    json_t *keys = json_array();
    if (ok && !cli->json)
        printf("%s\n", form->title);
    for (size_t i = 0; ok && i < found.key_count; i++) {
        json_array_append_new(keys, cli_key_json(&found.keys[i]));
        if (!cli->json)
            cli_key_print(&found.keys[i], NULL);
    }
    if (ok)
        json_object_set_new(document, "source",
                            json_pack("{s:s, s:O}", "form", form->name, "keys", keys));
    json_decref(keys);
    keyring_free(&found);
    return ok;
}

static bool explain_file(struct cli *cli, const char *path, json_t *all, json_t *document,
                         struct error *error)
{
    struct buffer file = BUFFER_INIT;
    size_t found = 0;
    bool ok = file_read_all(path, TEXT_LIMIT, &file, error);
    if (ok && pkcs12_is(buffer_text(&file), file.length))
        ok = explain_pkcs12(cli, path, &file, document, error);
    else if (ok)
        ok = explain_text(cli, buffer_text(&file), all, &found, error) &&
             (found > 0 || explain_source(cli, path, document, error));
    buffer_free(&file);
    return ok || error_in_file(error, path);
}

int cli_key_explain(struct cli *cli)
{
    struct error error = ERROR_INIT;
    const char *what = cli->operands[0];
    json_t *all = json_array();
    json_t *document = json_pack("{s:i, s:O}", "version", 1, "locators", all);
    size_t found;
    bool ok = cli_keys(cli, NULL, &error);
    if (ok && strcasestr(what, PREFIX) != NULL)
        ok = explain_text(cli, what, all, &found, &error);
    else if (ok)
        ok = explain_file(cli, what, all, document, &error);
    int status = ok ? 0 : cli_fail(cli, &error);
    /* A damaged PKCS#12 file is told as far as it could be read. */
    if (cli->json && (ok || json_object_get(document, "pkcs12") != NULL))
        status = cli_print_json(json_incref(document), status);
    json_decref(all);
    json_decref(document);
    return status;
}
