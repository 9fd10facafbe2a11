/* cli_key_pkcs12 - see cli_key_pkcs12.h. */
#include "tools/cli_key_pkcs12.h"

#include <stdio.h>

#include "tools/cli.h"
#include "tools/cli_explain.h"

/* The passphrase that opened it, of those given; NULL for another. */
static const struct keyring_phrase *given_phrase(const struct pkcs12 *p12,
                                                 const struct keyring *ring)
{
    return p12->password == PKCS12_GIVEN ? &ring->phrases[p12->phrase] : NULL;
}

static const struct secret *given_secret(const struct pkcs12 *p12, const struct keyring *ring)
{
    const struct keyring_phrase *phrase = given_phrase(p12, ring);
    return phrase == NULL ? NULL : phrase->passphrase;
}

static const char *const password_names[] = {
    [PKCS12_NO_PASSWORD] = "not needed",
    [PKCS12_ABSENT] = "absent",
    [PKCS12_EMPTY] = "empty",
    [PKCS12_GIVEN] = "given",
    [PKCS12_PASSWORD_WRONG] = "unknown",
};

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name,
                        text == NULL || text[0] == '\0' ? json_null() : cli_json_text(text));
}

static void set_scheme(json_t *object, const struct pkcs12_scheme *scheme)
{
    set_text(object, "scheme", scheme->name);
    json_object_set_new(object, "rounds", json_integer((json_int_t)scheme->rounds));
    json_object_set_new(object, "salt_bytes", json_integer((json_int_t)scheme->salt_bytes));
}

static json_t *safe_json(const struct pkcs12_safe *safe)
{
    json_t *object = json_pack("{s:b, s:b}", "encrypted", safe->encrypted, "opened", safe->opened);
    if (safe->encrypted)
        set_scheme(object, &safe->scheme);
    set_text(object, "problem", safe->problem);
    return object;
}

static json_t *bag_json(const struct pkcs12_bag *bag)
{
    json_t *attributes = json_array();
    for (size_t i = 0; i < bag->attribute_count; i++)
        json_array_append_new(attributes, json_pack("{s:o, s:o}", "name",
                                                    cli_json_text(bag->attributes[i].name), "value",
                                                    cli_json_text(bag->attributes[i].value)));
    json_t *object = json_pack("{s:I, s:I, s:s, s:o, s:o}", "safe", (json_int_t)bag->safe + 1,
                               "depth", (json_int_t)bag->depth, "type", bag->type, "what",
                               cli_json_text(bag->what), "attributes", attributes);
    if (bag->shrouded)
        set_scheme(object, &bag->scheme);
    if (bag->is_certificate) {
        set_text(object, "begins", bag->begins);
        set_text(object, "ends", bag->ends);
    }
    set_text(object, "problem", bag->problem);
    return object;
}

static void set_fact(json_t *object, const char *name, const struct pkcs12_fact *fact)
{
    json_object_set_new(
        object, name,
        fact->from == NULL
            ? json_null()
            : json_pack("{s:o, s:s}", "text", cli_json_text(fact->text), "from", fact->from));
}

static void append_finding(void *context, const char *finding)
{
    json_array_append_new(context, cli_json_text(finding));
}

json_t *cli_pkcs12_json(const struct pkcs12 *p12, const struct keyring *ring)
{
    json_t *object = json_object(), *mac = json_null(), *inferred = json_object();
    json_t *safes = json_array(), *bags = json_array(), *keys = json_array();
    json_t *findings = json_array();
    if (p12->has_mac) {
        mac = json_pack("{s:b}", "holds", p12->mac_holds);
        set_scheme(mac, &p12->mac);
    }
    for (size_t i = 0; i < p12->safe_count; i++)
        json_array_append_new(safes, safe_json(&p12->safes[i]));
    for (size_t i = 0; i < p12->bag_count; i++)
        json_array_append_new(bags, bag_json(&p12->bags[i]));
    for (size_t i = 0; i < p12->key_count; i++)
        json_array_append_new(
            keys, json_pack("{s:I, s:I, s:s}", "bag", (json_int_t)p12->keys[i].bag + 1, "bytes",
                            (json_int_t)p12->keys[i].key->length, "what", p12->keys[i].where));
    set_fact(inferred, "key_id", &p12->uuid);
    set_fact(inferred, "provider", &p12->provider);
    set_fact(inferred, "export_time", &p12->exported);
    json_object_set_new(inferred, "keys", keys);
    pkcs12_audit(p12, given_secret(p12, ring), append_finding, findings);
    json_object_set_new(object, "password", json_string(password_names[p12->password]));
    json_object_set_new(object, "mac", mac);
    json_object_set_new(object, "safes", safes);
    json_object_set_new(object, "bags", bags);
    json_object_set_new(object, "inferred", inferred);
    json_object_set_new(object, "falls_short", findings);
    set_text(object, "problem", p12->problem);
    return object;
}

static void print_scheme(const struct pkcs12_scheme *scheme)
{
    printf("%s, %llu rounds, %zu bytes of salt", cli_printable(scheme->name),
           (unsigned long long)scheme->rounds, scheme->salt_bytes);
}

static void print_problem(const char *problem, int indent)
{
    if (problem[0] != '\0')
        printf("%*s%-*s %s\n", indent, "", 18 - indent, "problem", cli_printable(problem));
}

static void print_password(const struct pkcs12 *p12, const struct keyring *ring)
{
    printf("  passphrase       ");
    switch (p12->password) {
    case PKCS12_NO_PASSWORD:
        puts("needs none");
        break;
    case PKCS12_ABSENT:
    case PKCS12_EMPTY:
        printf("opens without one (the %s passphrase)\n", password_names[p12->password]);
        break;
    case PKCS12_GIVEN:
        printf("the one from %s\n", cli_printable(given_phrase(p12, ring)->origin));
        break;
    default:
        puts("none in hand fits; it is needed for what is not shown here (--passphrase-file)");
    }
}

static void print_bag(const struct pkcs12_bag *bag, size_t number)
{
    printf("%*sbag %-10zu %s%s%s\n", 4 + 2 * (int)bag->depth, "", number, cli_printable(bag->type),
           bag->what[0] == '\0' ? "" : ": ", cli_printable(bag->what));
    if (bag->shrouded) {
        printf("      encrypted    ");
        print_scheme(&bag->scheme);
        putchar('\n');
    }
    if (bag->is_certificate)
        printf("      valid        %s to %s\n", bag->begins, bag->ends);
    for (size_t i = 0; i < bag->attribute_count; i++)
        printf("      %-12s %s\n", cli_printable(bag->attributes[i].name),
               cli_printable(bag->attributes[i].value));
    print_problem(bag->problem, 6);
}

static void print_safes(const struct pkcs12 *p12)
{
    for (size_t s = 0; s < p12->safe_count; s++) {
        const struct pkcs12_safe *safe = &p12->safes[s];
        printf("  safe %-11zu ", s + 1);
        if (safe->encrypted)
            print_scheme(&safe->scheme);
        puts(safe->encrypted ? "" : "not encrypted");
        print_problem(safe->problem, 4);
        for (size_t b = 0; b < p12->bag_count; b++)
            if (p12->bags[b].safe == s)
                print_bag(&p12->bags[b], b + 1);
    }
}

static void print_fact(const char *name, const struct pkcs12_fact *fact)
{
    if (fact->from != NULL)
        printf("  %-16s %s (inferred from %s)\n", name, cli_printable(fact->text), fact->from);
}

static void print_finding(void *context, const char *finding)
{
    (void)context;
    printf("  falls short      %s\n", cli_printable(finding));
}

void cli_pkcs12_print(const struct pkcs12 *p12, const struct keyring *ring)
{
    puts("PKCS#12 file");
    print_password(p12, ring);
    printf("  MAC              ");
    if (p12->has_mac)
        print_scheme(&p12->mac);
    puts(!p12->has_mac ? "none" : p12->mac_holds ? ": holds" : ": not verified");
    print_problem(p12->problem, 2);
    print_safes(p12);
    for (size_t i = 0; i < p12->key_count; i++)
        printf("  may be a KDK     bag %zu: %s (inferred; shown by what it opens)\n",
               p12->keys[i].bag + 1, p12->keys[i].where);
    print_fact("KDK UUID", &p12->uuid);
    print_fact("provider", &p12->provider);
    print_fact("exported", &p12->exported);
    pkcs12_audit(p12, given_secret(p12, ring), print_finding, NULL);
}
