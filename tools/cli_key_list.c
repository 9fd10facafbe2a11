/* cli_key_list - vmcrypt key list: the keys in hand, without showing them. */
#include <stdio.h>

#include "tools/cli_explain.h"
#include "tools/cli_key.h"

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : cli_json_text(text);
}

json_t *cli_key_json(const struct keyring_key *key)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "type", "key", "kind",
                     key->kind == KEYRING_KDK ? "kdk" : "kek", "provider",
                     text_or_null(key->provider), "id", text_or_null(key->id), "bytes",
                     (json_int_t)key->key->length, "origin", text_or_null(key->origin), "name",
                     text_or_null(key->name), "identifier", text_or_null(key->identifier),
                     "component", text_or_null(key->component));
}

void cli_key_print_to(FILE *to, const struct keyring_key *key, const char *form)
{
    fprintf(to, "%s  %s/", key->kind == KEYRING_KDK ? "KDK" : "KEK",
            key->provider == NULL ? "*" : cli_printable(key->provider));
    fprintf(to, "%s  %zu bytes  ", key->id == NULL ? "*" : cli_printable(key->id),
            key->key->length);
    fprintf(to, "%s", key->origin == NULL ? "" : cli_printable(key->origin));
    if (form != NULL)
        fprintf(to, " (%s)", form);
    const char *const owner[] = {key->component, key->name, key->identifier};
    const char *before = "  of ";
    for (size_t i = 0; i < sizeof owner / sizeof owner[0]; i++)
        if (owner[i] != NULL) {
            fprintf(to, "%s%s", before, cli_printable(owner[i]));
            before = ", ";
        }
    fputc('\n', to);
}

void cli_key_print(const struct keyring_key *key, const char *form)
{
    cli_key_print_to(stdout, key, form);
}

int cli_key_list(struct cli *cli)
{
    struct error error = ERROR_INIT;
    if (!cli_keys(cli, NULL, &error))
        return cli_fail(cli, &error);
    json_t *keys = json_array();
    for (size_t i = 0; i < cli->ring.key_count; i++) {
        json_array_append_new(keys, cli_key_json(&cli->ring.keys[i]));
        if (!cli->json)
            cli_key_print(&cli->ring.keys[i], NULL);
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
