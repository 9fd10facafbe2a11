/* cli_explain - see cli_explain.h. */
#include "tools/cli_explain.h"

#include <string.h>

#include "keywrap/nkp_id.h"
#include "keywrap/phrase.h"
#include "tools/cli.h"

json_t *cli_json_text(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string(cli_printable(text));
}

static void set_field(json_t *object, const char *name, const struct locator *locator, size_t i)
{
    bool null = i >= locator->field_count || locator->fields[i].value == NULL;
    json_object_set_new(object, name, null ? json_null() : cli_json_text(locator_text(locator, i)));
}

static void explain_native(json_t *object, const char *key_id)
{
    struct nkp_id id;
    if (!nkp_id_decode(key_id, &id))
        return;
    json_object_set_new(object, "kdk_uuid", json_string(id.kdk_uuid));
    json_object_set_new(object, "key_cipher", cli_json_text(id.cipher));
    json_object_set_new(object, "rounds", json_integer(id.rounds));
}

static void explain_fqid(json_t *object, const struct locator *locator)
{
    const char *key_id = locator_text(locator, LOCATOR_FQID_KEY);
    set_field(object, "provider", locator, LOCATOR_FQID_SERVER);
    set_field(object, "key_id", locator, LOCATOR_FQID_KEY);
    json_object_set_new(object, "provider_type", json_string(provider_type_guess(key_id)));
    explain_native(object, key_id);
}

static void explain_phrase(json_t *object, const struct locator *locator)
{
    const struct locator_field *keygen = &locator->fields[LOCATOR_PHRASE_KEYGEN];
    struct phrase_params params;
    struct error error = ERROR_INIT;
    if (!phrase_params_parse(keygen->value, keygen->length, &params, &error)) {
        json_object_set_new(object, "problem", cli_json_text(error.message));
        return;
    }
    json_object_set_new(object, "kdf", cli_json_text(params.pass2key));
    json_object_set_new(object, "rounds", json_integer(params.rounds));
    json_object_set_new(object, "salt_bytes", json_integer((json_int_t)params.salt_length));
    json_object_set_new(object, "cipher", cli_json_text(params.cipher));
}

static void explain_others(json_t *object, const struct locator *locator)
{
    static const char *const ldap[] = {NULL, "server", "domain", "port", "ssl", "path"};
    switch (locator->type) {
    case LOCATOR_LDAP:
        for (size_t i = LOCATOR_LDAP_SERVER; i <= LOCATOR_LDAP_PATH; i++)
            set_field(object, ldap[i], locator, i);
        break;
    case LOCATOR_SCRIPT:
        set_field(object, "path", locator, LOCATOR_SCRIPT_PATH);
        break;
    case LOCATOR_ROLE:
        set_field(object, "role", locator, LOCATOR_ROLE_NAME);
        break;
    case LOCATOR_RAWKEY:
        json_object_set_new(object, "key_bytes", json_integer((json_int_t)locator->key->length));
        break;
    default:
        break;
    }
}

static void explain_pair(json_t *object, const struct locator *locator)
{
    struct error error = ERROR_INIT;
    struct secret *locked = locator_pair_data(locator, &error);
    set_field(object, "mac", locator, LOCATOR_PAIR_MAC);
    json_object_set_new(object, "locked_bytes",
                        locked == NULL ? json_null() : json_integer((json_int_t)locked->length));
    json_object_set_new(object, "locker", cli_locator_json(locator->children[0]));
    secret_free(locked);
}

json_t *cli_locator_json(const struct locator *locator)
{
    json_t *object = json_object();
    json_object_set_new(object, "type", json_string(locator_type_name(locator->type)));
    if (locator->type == LOCATOR_FQID) {
        explain_fqid(object, locator);
    } else if (locator->type == LOCATOR_PHRASE) {
        explain_phrase(object, locator);
    } else if (locator->type == LOCATOR_PAIR) {
        explain_pair(object, locator);
    } else if (locator->type == LOCATOR_LIST) {
        json_t *members = json_array();
        for (size_t i = 0; i < locator->child_count; i++)
            json_array_append_new(members, cli_locator_json(locator->children[i]));
        json_object_set_new(object, "members", members);
    } else {
        explain_others(object, locator);
    }
    return object;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "(none)" : cli_printable(text);
}

static long long number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void print_fqid(FILE *to, const json_t *object, int indent)
{
    fprintf(to, "%*skey of a key provider (fqid)\n", indent, "");
    fprintf(to, "%*s  provider       %s\n", indent, "", text_of(object, "provider"));
    fprintf(to, "%*s  provider type  %s (told by the shape of the key id)\n", indent, "",
            text_of(object, "provider_type"));
    fprintf(to, "%*s  key id         %s\n", indent, "", text_of(object, "key_id"));
    if (json_object_get(object, "kdk_uuid") == NULL) {
        fprintf(to, "%*s  opened by      the KEK of that id, from that provider's key server\n",
                indent, "");
        return;
    }
    fprintf(to, "%*s  KDK UUID       %s\n", indent, "", text_of(object, "kdk_uuid"));
    fprintf(to, "%*s  key cipher     %s\n", indent, "", text_of(object, "key_cipher"));
    fprintf(to, "%*s  rounds         %lld (meaning inferred, not published)\n", indent, "",
            number_of(object, "rounds"));
    fprintf(
        to,
        "%*s  opened by      the KEK made from the KDK of that UUID. Look for the .p12 backup of\n"
        "%*s                 the native key provider \"%s\" whose key id is\n"
        "%*s                 %s, and give it with --key FILE.p12 (and its\n"
        "%*s                 --passphrase-file); 'vmcrypt key explain FILE.p12' tells its key id.\n"
        "%*s                 An ESXi host of that cluster holds the KDK, too\n",
        indent, "", indent, "", text_of(object, "provider"), indent, "",
        text_of(object, "kdk_uuid"), indent, "", indent, "");
}

static void print_phrase(FILE *to, const json_t *object, int indent)
{
    fprintf(to, "%*spassphrase\n", indent, "");
    if (json_object_get(object, "problem") != NULL) {
        fprintf(to, "%*s  problem        %s\n", indent, "", text_of(object, "problem"));
        return;
    }
    fprintf(to, "%*s  derivation     %s, %lld rounds, %lld bytes of salt\n", indent, "",
            text_of(object, "kdf"), number_of(object, "rounds"), number_of(object, "salt_bytes"));
    fprintf(to, "%*s  cipher label   %s\n", indent, "", text_of(object, "cipher"));
}

static void print_others(FILE *to, const json_t *object, int indent)
{
    fprintf(to, "%*s%s locator\n", indent, "", text_of(object, "type"));
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        if (json_is_string(value) && strcmp(name, "type") != 0)
            fprintf(to, "%*s  %-14s %s\n", indent, "", name,
                    cli_printable(json_string_value(value)));
        else if (json_is_integer(value))
            fprintf(to, "%*s  %-14s %lld\n", indent, "", name,
                    (long long)json_integer_value(value));
    }
}

void cli_locator_print(FILE *to, const json_t *object, int indent)
{
    const char *type = text_of(object, "type");
    if (strcmp(type, "list") == 0) {
        const json_t *members = json_object_get(object, "members");
        fprintf(to, "%*slist of %zu\n", indent, "", json_array_size(members));
        for (size_t i = 0; i < json_array_size(members); i++)
            cli_locator_print(to, json_array_get(members, i), indent + 2);
    } else if (strcmp(type, "pair") == 0) {
        fprintf(to, "%*spair: %lld locked bytes, sealed with %s\n", indent, "",
                number_of(object, "locked_bytes"), text_of(object, "mac"));
        fprintf(to, "%*s  locked by\n", indent, "");
        cli_locator_print(to, json_object_get(object, "locker"), indent + 4);
    } else if (strcmp(type, "fqid") == 0) {
        print_fqid(to, object, indent);
    } else if (strcmp(type, "phrase") == 0) {
        print_phrase(to, object, indent);
    } else {
        print_others(to, object, indent);
    }
}

json_t *cli_attempts_json(const struct keysafe_result *result)
{
    json_t *attempts = json_array();
    for (size_t i = 0; i < result->attempt_count; i++) {
        const struct keysafe_attempt *a = &result->attempts[i];
        json_array_append_new(attempts, json_pack("{s:s, s:b, s:o}", "locker",
                                                  locator_type_name(a->locker->type), "opened",
                                                  a->opened, "reason", cli_json_text(a->reason)));
    }
    return attempts;
}
