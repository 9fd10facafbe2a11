/*
 * source_jwk - keys in JSON that is not KMIP's; see source.h.
 *
 *   {"kty": "oct", "k": base64url, "kid": …}            JWK [source: RFC 7517, RFC 7518 6.4]
 *   {"keys": [JWK, …]}                                  JWK Set
 *   {"keyId": {"keyId", "providerId": {"id"}}, "algorithm", "keyData": base64}
 *                                                       CryptoKeyPlain [vendor: vSphere API]
 *   {"data": {"name": …, "keys": {"1": base64, …}}}     HashiCorp Vault, transit/export [vendor]
 *   {"keyId", "keyVersionId", "algorithm", "encryptedKey": base64}, perhaps in "data"
 *                                                       OCI Vault ExportedKeyData [vendor]
 *   {"id", "name", "material": hex or base64, "format"} CipherTrust vault/keys2 export [vendor]
 *
 * Arrays of them, too. The ids of the last three name keys inside those products; they are not
 * taken for the ids that VMs know them by, and told in the origin only.
 */
#include <stdio.h>
#include <string.h>

#include "keywrap/secret_json.h"
#include "keywrap/source_text.h"

enum { KEYS_MAX = 10000 };

struct search {
    struct source *source;
    struct keyring found;
    size_t seen;          /* things that should be keys */
    size_t matching;      /* of the found, those with the id that is looked for */
    struct error problem; /* why the first of them is none */
};

/* What stands for one key. */
struct entry {
    const json_t *text;
    const char *provider, *id, *note;
    bool url;     /* base64url and nothing else */
    bool wrapped; /* of no use as it is */
};

static bool problem(struct search *s, const struct error *why)
{
    if (s->problem.code == ERROR_NONE)
        s->problem = *why;
    log_say(s->source->log, LOG_WARN, "%s: key %zu is left out: %s", s->source->path, s->seen,
            why->message);
    return false;
}

static struct secret *decode(const struct search *s, const struct entry *e, struct error *error)
{
    const char *text = json_string_value(e->text);
    size_t length = json_string_length(e->text);
    struct secret *bytes = NULL;
    if (text == NULL || length == 0) {
        error_set(error, ERROR_DAMAGED, "its bytes are missing");
        return NULL;
    }
    if (e->wrapped && s->source->options->unwrap == NULL) {
        error_set(error, ERROR_NO_KEY, "is wrapped; name the key that unwraps it");
        return NULL;
    }
    if (!e->url)
        bytes = source_hex_bytes(text, length, error);
    if (bytes == NULL && error->code == ERROR_NONE)
        bytes = source_base64_bytes(text, length, error);
    if (bytes == NULL && error->code == ERROR_NONE)
        error_set(error, ERROR_DAMAGED, "its bytes are not %s", e->url ? "base64url" : "base64");
    return bytes;
}

static bool add(struct search *s, const struct entry *e)
{
    struct error error = ERROR_INIT;
    /* Not the user's id yet: that may be what tells one of several. */
    struct source_options options = *s->source->options;
    struct source into = *s->source;
    char origin[640];
    snprintf(origin, sizeof origin, "%s%s%s%s", s->source->path, e->note == NULL ? "" : " (",
             e->note == NULL ? "" : e->note, e->note == NULL ? "" : ")");
    struct keyring_key about = {
        .kind = KEYRING_KEK, .provider = e->provider, .id = e->id, .origin = origin};
    if (++s->seen > KEYS_MAX)
        return false;
    const char *wanted = options.id;
    options.id = NULL;
    into.options = &options;
    into.ring = &s->found;
    struct secret *bytes = decode(s, e, &error);
    if (bytes == NULL || !source_add_bytes(&into, &about, bytes, &error))
        return problem(s, &error);
    s->source->checked = into.checked;
    if (wanted != NULL && e->id != NULL && strcmp(e->id, wanted) == 0)
        s->matching++;
    return true;
}

static void add_jwk(struct search *s, const json_t *object)
{
    const char *type = secret_json_text(object, "kty");
    struct entry e = {.text = secret_json_member(object, "k"),
                      .id = secret_json_text(object, "kid"),
                      .url = true};
    struct error why = ERROR_INIT;
    if (strcmp(type, "oct") == 0) {
        add(s, &e);
        return;
    }
    s->seen++;
    error_set(&why, ERROR_DAMAGED, "a JWK of type '%.32s', where a key of a VM has type 'oct'",
              type);
    problem(s, &why);
}

static void add_plain(struct search *s, const json_t *object)
{
    const json_t *id = secret_json_member(object, "keyid");
    struct entry e = {
        .text = secret_json_member(object, "keydata"),
        .id = json_is_string(id) ? json_string_value(id) : secret_json_text(id, "keyid"),
        .provider = secret_json_text(secret_json_member(id, "providerid"), "id"),
    };
    add(s, &e);
}

/* Versions of a Vault key. */
static void add_versions(struct search *s, const json_t *keys, const char *name)
{
    void *at = json_object_iter((json_t *)keys);
    for (; at != NULL && s->seen <= KEYS_MAX; at = json_object_iter_next((json_t *)keys, at)) {
        char note[256];
        snprintf(note, sizeof note, "%s, version %s", name == NULL ? "unnamed" : name,
                 json_object_iter_key(at));
        struct entry e = {.text = json_object_iter_value(at), .note = note};
        add(s, &e);
    }
}

static void add_named(struct search *s, const json_t *object, const char *member, bool wrapped)
{
    char note[256];
    const char *name = secret_json_text(object, "name"), *id = secret_json_text(object, "id");
    if (id == NULL)
        id = secret_json_text(object, "keyid");
    snprintf(note, sizeof note, "%s%s%s", name == NULL ? "" : name,
             name == NULL || id == NULL ? "" : ", ", id == NULL ? "" : id);
    struct entry e = {.text = secret_json_member(object, member),
                      .note = note[0] == '\0' ? NULL : note,
                      .wrapped = wrapped};
    add(s, &e);
}

static void look(struct search *s, const json_t *value, unsigned depth);

static void look_at_array(struct search *s, const json_t *array, unsigned depth)
{
    for (size_t i = 0; i < json_array_size(array) && s->seen <= KEYS_MAX; i++)
        look(s, json_array_get(array, i), depth);
}

/* VALUE may be a key, or hold some, no deeper than an envelope around a list. */
static void look(struct search *s, const json_t *value, unsigned depth)
{
    enum { DEPTH_MAX = 4 };
    const json_t *keys = secret_json_member(value, "keys");
    if (depth > DEPTH_MAX)
        return;
    if (json_is_array(value))
        look_at_array(s, value, depth + 1);
    else if (secret_json_text(value, "kty") != NULL)
        add_jwk(s, value);
    else if (secret_json_member(value, "keydata") != NULL)
        add_plain(s, value);
    else if (secret_json_member(value, "encryptedkey") != NULL)
        add_named(s, value, "encryptedkey", true);
    else if (secret_json_text(value, "material") != NULL)
        add_named(s, value, "material", false);
    else if (json_is_array(keys))
        look_at_array(s, keys, depth + 1);
    else if (json_is_object(keys))
        add_versions(s, keys, secret_json_text(value, "name"));
    else if (secret_json_member(value, "data") != NULL)
        look(s, secret_json_member(value, "data"), depth + 1);
}

/* Hand over what was found: of several keys with an id looked for, those that have it; a single
 * key is what the user says it is. */
static bool hand_over(struct search *s, struct error *error)
{
    const char *wanted = s->source->options->id;
    bool single = s->found.key_count == 1;
    if (wanted != NULL && !single && s->matching == 0)
        return error_set(error, ERROR_USAGE, "holds %zu keys, none of which is known to be %.300s",
                         s->found.key_count, wanted);
    for (size_t i = 0; i < s->found.key_count; i++) {
        struct keyring_key *key = &s->found.keys[i];
        struct keyring_key copy = *key;
        if (wanted != NULL && !single && (key->id == NULL || strcmp(key->id, wanted) != 0))
            continue;
        if (wanted != NULL)
            copy.id = wanted;
        key->key = NULL;
        if (!source_add(s->source, &copy, error))
            return false;
    }
    return true;
}

static enum source_verdict conclude(struct search *s, struct error *error)
{
    if (s->seen == 0)
        return SOURCE_NOT_THIS;
    if (s->seen > KEYS_MAX)
        error_set(error, ERROR_DAMAGED, "more than %d keys in one file of JSON", KEYS_MAX);
    else if (s->found.key_count == 0)
        *error = s->problem;
    else if (hand_over(s, error))
        return SOURCE_READ;
    return SOURCE_REFUSED;
}

/* "{" or "[", and behind it what JSON has there. */
static bool looks_like_json(const struct source_text *text)
{
    if (text->length < 2 || (text->text[0] != '{' && text->text[0] != '['))
        return false;
    size_t i = 1 + strspn(text->text + 1, " \t\r\n");
    return i < text->length && strchr("{[\"", text->text[i]) != NULL && text->text[i] != '\0';
}

enum source_verdict source_jwk(struct source *source, struct error *error)
{
    struct search s = {.source = source, .found = KEYRING_INIT, .problem = ERROR_INIT};
    struct source_text text;
    struct error why = ERROR_INIT;
    enum source_verdict verdict = SOURCE_NOT_THIS;
    if (!source_text_open(&text, source, error))
        return SOURCE_REFUSED;
    if (looks_like_json(&text)) {
        json_t *document = secret_json_read(text.text, text.length, &why);
        look(&s, document, 0);
        if (document != NULL)
            verdict = conclude(&s, error);
        else if (!source_is_key_size(source->file->length)) {
            *error = why;
            verdict = SOURCE_REFUSED;
        }
        json_decref(document);
    }
    keyring_free(&s.found);
    source_text_close(&text);
    return verdict;
}
