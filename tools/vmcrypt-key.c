/* vmcrypt-key - what keys and key locators are, and what would open them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/file.h"
#include "tools/cli.h"
#include "tools/cli_explain.h"

enum { TEXT_LIMIT = 64 << 20, MAX_FOUND = 10000 };

static const char PREFIX[] = "vmware:key/";

/* The next locator in the text at AT: its start, and its length up to a quote, blank or line
 * end, none of which a locator holds. */
static const char *next_locator(const char *at, size_t *length)
{
    const char *start = strcasestr(at, PREFIX);
    if (start != NULL)
        *length = strcspn(start, "\"' \t\r\n");
    return start;
}

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

static bool explain_text(struct cli *cli, const char *text, json_t *all, struct error *error)
{
    size_t length = 0, found = 0;
    for (const char *at = text; (at = next_locator(at, &length)) != NULL; at += length) {
        if (++found > MAX_FOUND)
            return error_set(error, ERROR_DAMAGED, "more than %d key locators", MAX_FOUND);
        if (!explain_one(cli, at, length, all, error))
            return false;
    }
    return found > 0 || error_set(error, ERROR_DAMAGED, "holds no key locator (\"%s…\")", PREFIX);
}

static int run_explain(struct cli *cli)
{
    struct error error = ERROR_INIT;
    const char *what = cli->operands[0];
    struct buffer file = BUFFER_INIT;
    json_t *all = json_array();
    bool ok = cli_keys(cli, NULL, &error);
    if (ok && strcasestr(what, PREFIX) != NULL)
        ok = explain_text(cli, what, all, &error);
    else if (ok)
        ok = file_read_all(what, TEXT_LIMIT, &file, &error) &&
             (explain_text(cli, buffer_text(&file), all, &error) || error_in_file(&error, what));
    buffer_free(&file);
    int status = 0;
    if (cli->json && ok)
        status = cli_print_json(json_pack("{s:i, s:O}", "version", 1, "locators", all), 0);
    json_decref(all);
    return ok ? status : cli_fail(cli, &error);
}

static int run_list(struct cli *cli)
{
    struct error error = ERROR_INIT;
    if (!cli_keys(cli, NULL, &error))
        return cli_fail(cli, &error);
    json_t *keys = json_array();
    for (size_t i = 0; i < cli->ring.key_count; i++) {
        const struct keyring_key *k = &cli->ring.keys[i];
        json_t *provider = k->provider == NULL ? json_null() : cli_json_text(k->provider);
        json_t *id = k->id == NULL ? json_null() : cli_json_text(k->id);
        json_array_append_new(keys,
                              json_pack("{s:s, s:o, s:o, s:I, s:o}", "type", "key", "provider",
                                        provider, "id", id, "bytes", (json_int_t)k->key->length,
                                        "origin", cli_json_text(k->origin)));
        if (!cli->json)
            printf("key         %s/%s  %zu bytes  %s\n",
                   k->provider == NULL ? "*" : cli_printable(k->provider),
                   k->id == NULL ? "*" : cli_printable(k->id), k->key->length,
                   cli_printable(k->origin));
    }
    for (size_t i = 0; i < cli->ring.phrase_count; i++) {
        const char *origin = cli->ring.phrases[i].origin;
        json_array_append_new(
            keys, json_pack("{s:s, s:o}", "type", "passphrase", "origin", cli_json_text(origin)));
        if (!cli->json)
            printf("passphrase  %s\n", cli_printable(origin));
    }
    if (cli->json)
        return cli_print_json(json_pack("{s:i, s:o}", "version", 1, "keys", keys), 0);
    json_decref(keys);
    return 0;
}

static const struct cli_option explain_options[] = {
    {"reveal", 0, NULL, "print keys that a locator carries in the clear (rawkey)"},
};

static const struct cli_command commands[] = {
    {"explain", "FILE|LOCATOR",
     "Say what a key locator is: provider, key id, kind of provider, what would open it",
     explain_options, 1, NULL, true, true, 1, 1, run_explain},
    {"list", "", "List the keys and passphrases in hand, without showing them", NULL, 0, NULL, true,
     true, 0, 0, run_list},
};

static const struct cli_program program = {"vmcrypt-key", "Explain keys and key locators", commands,
                                           sizeof commands / sizeof commands[0]};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
