/* policy - see policy.h. */
#include "tpm/policy.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/sha.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/yaml_tree.h"
#include "tpm/baseimage.h"

enum { LIST_MAX = 100000, IGNORE_OPTIONS_MAX = 64 };

/* A part of the document, and what to call it in messages. */
struct section {
    struct policy *policy;
    const json_t *map; /* NULL: not there, all defaults */
    const char *name;
    struct error *error;
};

static bool wrong(const struct section *s, const char *member, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool wrong(const struct section *s, const char *member, const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(s->error, ERROR_DAMAGED, "%s%s%s: %s", s->name, s->name[0] != '\0' ? "." : "", member,
              text);
    return error_in_file(s->error, s->policy->path);
}

/* The mapping MEMBER of the document, all of whose names are among NAMES. */
static bool open_section(struct section *s, const char *member, const char *const *names)
{
    const json_t *map = json_object_get(s->policy->tree, member);
    const char *name;
    json_t *value;
    s->map = NULL;
    if (map == NULL)
        return true;
    if (!json_is_object(map))
        return wrong(s, member, "must be a mapping");
    json_object_foreach((json_t *)map, name, value)
    {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], name) != 0)
            i++;
        if (names[i] == NULL) {
            s->name = member;
            return wrong(s, name, "no such setting");
        }
    }
    s->map = map;
    s->name = member;
    return true;
}

/* One of the two words WANTED and OTHER, or neither when it is not there; *VALUE: it is WANTED. */
static bool read_word(const struct section *s, const char *member, const char *wanted,
                      const char *other, bool *value)
{
    const json_t *found = json_object_get(s->map, member);
    const char *text = json_string_value(found);
    if (found == NULL)
        return true;
    if (text != NULL && (strcmp(text, wanted) == 0 || strcmp(text, other) == 0)) {
        *value = strcmp(text, wanted) == 0;
        return true;
    }
    return wrong(s, member, "takes %s or %s", wanted, other);
}

/* Hex digits in lower case; a digest of any bank, or anything when FREE. */
static bool lower_hex(json_t *list, size_t i, bool free)
{
    char text[2 * BANK_DIGEST_MAX + 1];
    const char *given = json_string_value(json_array_get(list, i));
    size_t length = given == NULL ? 0 : strlen(given);
    if (length == 0 || length % 2 != 0 || (!free && length > 2 * BANK_DIGEST_MAX))
        return false;
    if (free)
        return strspn(given, "0123456789abcdef") == length;
    for (size_t k = 0; k <= length; k++)
        text[k] = (char)tolower((unsigned char)given[k]);
    return strspn(text, "0123456789abcdef") == length &&
           json_array_set_new(list, i, json_string(text)) == 0;
}

enum list_kind { LIST_TEXT, LIST_DIGEST, LIST_HEX };

static bool check_list(const struct section *s, const char *member, json_t *list,
                       enum list_kind kind)
{
    if (!json_is_array(list) || json_array_size(list) > LIST_MAX)
        return wrong(s, member, "must be a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!json_is_string(json_array_get(list, i)))
            return wrong(s, member, "entry %zu is no text", i + 1);
        if (kind != LIST_TEXT && !lower_hex(list, i, kind == LIST_HEX))
            return wrong(s, member, "entry %zu is no %s", i + 1,
                         kind == LIST_DIGEST ? "digest in hex" : "bytes in lower-case hex");
    }
    return true;
}

/* A list, or NULL when it is not there. An empty one is there: it permits nothing. */
static bool read_list(const struct section *s, const char *member, enum list_kind kind,
                      const json_t **list)
{
    json_t *found = json_object_get(s->map, member);
    *list = found;
    return found == NULL || check_list(s, member, found, kind);
}

static bool read_banks(struct section *s)
{
    struct policy *p = s->policy;
    const json_t *list;
    if (!read_list(s, "banks", LIST_TEXT, &list))
        return false;
    if (list == NULL) {
        p->bank_count = 1;
        p->banks[0] = BANK_SHA256;
        return true;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const struct bank_algorithm *a = bank_by_name(name);
        if (a == NULL || p->bank_count == BANK_MAX)
            return wrong(s, "banks", "\"%.40s\" is no bank", name);
        p->banks[p->bank_count++] = a->id;
    }
    return p->bank_count > 0 || wrong(s, "banks", "names none");
}

/* A PCR's number in decimal digits. */
static bool read_pcr(const char *text, unsigned *pcr)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *pcr = (unsigned)number;
    return isdigit((unsigned char)text[0]) && *end == '\0' && number < PCR_COUNT;
}

static bool read_ignored(const struct section *s)
{
    const json_t *list;
    if (!read_list(s, "ignore-pcrs", LIST_TEXT, &list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        unsigned pcr;
        if (!read_pcr(text, &pcr))
            return wrong(s, "ignore-pcrs", "\"%.20s\" is no PCR", text);
        s->policy->ignored_pcrs |= 1u << pcr;
    }
    return true;
}

static bool read_quote(struct policy *p, struct error *error)
{
    static const char *const names[] = {"banks", "ignore-pcrs", "nonce", NULL};
    struct section s = {.policy = p, .name = "", .error = error};
    p->nonce_required = true;
    return open_section(&s, "quote", names) && read_banks(&s) && read_ignored(&s) &&
           read_word(&s, "nonce", "required", "optional", &p->nonce_required);
}

/* CA files, relative to the policy, and certificates within it. */
static bool read_cas(const struct section *s, struct identity_cas *cas)
{
    const json_t *list;
    const json_t *pem = json_object_get(s->map, "certificates-pem");
    if (!read_list(s, "cas", LIST_TEXT, &list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *path = file_beside(s->policy->path, json_string_value(json_array_get(list, i)));
        bool ok = path != NULL ? identity_cas_add(cas, path, s->error) : error_memory(s->error);
        free(path);
        if (!ok)
            return error_prefix(s->error, "%s.cas", s->name);
    }
    if (pem == NULL)
        return true;
    size_t before = cas->count;
    bool ok =
        json_is_string(pem) && identity_cas_parse(cas, s->policy->path, json_string_value(pem),
                                                  json_string_length(pem), s->error);
    return (ok && cas->count > before) || wrong(s, "certificates-pem", "no certificates in PEM");
}

static bool check_trusted_keys(const struct section *s, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *name;
        json_t *value;
        bool known = json_is_object(entry);
        json_object_foreach((json_t *)entry, name, value)
        {
            known = known && json_is_string(value) &&
                    (strcmp(name, "name") == 0 || strcmp(name, "public-key") == 0 ||
                     strcmp(name, "sha256") == 0);
        }
        bool pem = json_object_get(entry, "public-key") != NULL;
        const char *hex = json_string_value(json_object_get(entry, "sha256"));
        if (!known || pem == (hex != NULL) ||
            (hex != NULL && (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)))
            return wrong(s, "trusted-keys",
                         "entry %zu must have a name and either public-key (PEM) or sha256 (64 "
                         "digits of lower-case hex)",
                         i + 1);
    }
    return true;
}

static bool read_endorsement(struct policy *p, struct error *error)
{
    static const char *const names[] = {
        "keys", "certificates", "cas", "trusted-keys", "certificates-pem", "manufacturers", NULL};
    struct section s = {.policy = p, .name = "", .error = error};
    if (!open_section(&s, "endorsement", names) ||
        !read_word(&s, "keys", "required", "optional", &p->ek_required) ||
        !read_word(&s, "certificates", "required", "optional", &p->ek_certificate_required) ||
        !read_cas(&s, &p->cas) || !read_list(&s, "manufacturers", LIST_TEXT, &p->manufacturers))
        return false;
    p->trusted_keys = json_object_get(s.map, "trusted-keys");
    if (p->trusted_keys != NULL && !json_is_array(p->trusted_keys))
        return wrong(&s, "trusted-keys", "must be a list");
    if (p->ek_required && p->trusted_keys == NULL)
        return wrong(&s, "keys", "requires trusted-keys, the list of permitted TPMs");
    if (p->ek_certificate_required && p->cas.count == 0)
        return wrong(&s, "certificates", "requires cas, the manufacturers' CA certificates");
    return check_trusted_keys(&s, p->trusted_keys);
}

static bool read_attestation_key(struct policy *p, struct error *error)
{
    static const char *const names[] = {"binding", "names", "cas", "certificates-pem", NULL};
    static const char *const words[] = {"certificate", "credential", "name"};
    struct section s = {.policy = p, .name = "", .error = error};
    /* A record of a credential proves nothing unless the verifier itself kept it. */
    bool *const flags[] = {&p->bind_certificate, &p->bind_credential, &p->bind_name};
    const json_t *binding;
    if (!open_section(&s, "attestation-key", names) ||
        !read_list(&s, "binding", LIST_TEXT, &binding) ||
        !read_list(&s, "names", LIST_DIGEST, &p->ak_names) || !read_cas(&s, &p->ak_cas))
        return false;
    for (size_t k = 0; k < 3; k++)
        *flags[k] = binding == NULL ? k != 1 : policy_lists(binding, words[k]);
    for (size_t i = 0; i < json_array_size(binding); i++) {
        const char *word = json_string_value(json_array_get(binding, i));
        if (strcmp(word, words[0]) != 0 && strcmp(word, words[1]) != 0 &&
            strcmp(word, words[2]) != 0)
            return wrong(&s, "binding", "takes certificate, credential, name");
    }
    return true;
}

static bool read_pcrs(const struct section *s)
{
    json_t *pcrs = json_object_get(s->map, "pcrs");
    const char *index;
    json_t *list;
    s->policy->pcrs = pcrs;
    if (pcrs != NULL && !json_is_object(pcrs))
        return wrong(s, "pcrs", "must be a mapping from PCRs to lists of values");
    json_object_foreach(pcrs, index, list)
    {
        unsigned pcr;
        if (!read_pcr(index, &pcr))
            return wrong(s, "pcrs", "\"%.20s\" is no PCR", index);
        if (!check_list(s, "pcrs", list, LIST_DIGEST))
            return false;
    }
    return true;
}

static bool read_boot(struct policy *p, struct error *error)
{
    static const char *const names[] = {"secure-boot", "authorities", "images", "pcrs", NULL};
    struct section s = {.policy = p, .name = "", .error = error};
    return open_section(&s, "boot", names) &&
           read_word(&s, "secure-boot", "required", "optional", &p->secure_boot_required) &&
           read_list(&s, "authorities", LIST_DIGEST, &p->authorities) &&
           read_list(&s, "images", LIST_DIGEST, &p->images) && read_pcrs(&s) &&
           (p->authorities == NULL || p->secure_boot_required ||
            wrong(&s, "authorities", "mean nothing without secure-boot: required"));
}

static bool read_base_images(const struct section *s)
{
    struct policy *p = s->policy;
    const json_t *list;
    if (!read_list(s, "base-images", LIST_TEXT, &list))
        return false;
    if (list == NULL)
        return true;
    p->base_images = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *path = file_beside(p->path, json_string_value(json_array_get(list, i)));
        json_t *image = path == NULL ? NULL : baseimage_read(path, s->error);
        free(path);
        if (path == NULL)
            return error_memory(s->error);
        if (image == NULL || json_array_append_new(p->base_images, image) != 0)
            return error_prefix(s->error, "esxi.base-images");
    }
    return true;
}

/* PCRs 11 to 14 only mean something when what extended them is known to be ESXi's boot loader, and
 * that it does not start what would not let it measure: any kernel can ask it not to, and only
 * Secure Boot makes it verify the kernel. [source: vmware/esx-boot, mboot] */
static bool check_anchor(const struct section *s)
{
    const struct policy *p = s->policy;
    bool verified = p->secure_boot_required || json_object_get(p->pcrs, "7") != NULL;
    bool loader =
        p->authorities != NULL || p->images != NULL || json_object_get(p->pcrs, "4") != NULL;
    bool dynamic = json_object_get(p->pcrs, "17") != NULL;
    return s->map == NULL || (verified && loader) || dynamic ||
           wrong(s, "base-images",
                 "nothing ties PCRs 11 to 14 to ESXi's boot loader: any software can extend them; "
                 "add boot.secure-boot: required with boot.authorities or boot.images, or values "
                 "of PCRs 4 and 7, or of PCR 17, in boot.pcrs");
}

static bool read_esxi(struct policy *p, struct error *error)
{
    static const char *const names[] = {
        "base-images",    "volatile",         "signers",    "command-lines",
        "ignore-options", "security-options", "asset-tags", NULL};
    struct section s = {.policy = p, .name = "", .error = error};
    if (!open_section(&s, "esxi", names) || !check_anchor(&s) || !read_base_images(&s) ||
        !read_list(&s, "volatile", LIST_TEXT, &p->volatile_modules) ||
        !read_list(&s, "signers", LIST_DIGEST, &p->signers) ||
        !read_list(&s, "command-lines", LIST_TEXT, &p->command_lines) ||
        !read_list(&s, "ignore-options", LIST_TEXT, &p->ignore_options) ||
        !read_list(&s, "security-options", LIST_TEXT, &p->security_options) ||
        !read_list(&s, "asset-tags", LIST_HEX, &p->asset_tags))
        return false;
    if (json_array_size(p->ignore_options) > IGNORE_OPTIONS_MAX)
        return wrong(&s, "ignore-options", "names more than %d", IGNORE_OPTIONS_MAX);
    return s.map == NULL || p->base_images != NULL ||
           wrong(&s, "base-images", "is missing: which modules are permitted?");
}

static bool read_attestation(struct policy *p, struct error *error)
{
    static const char *const names[] = {"lifetime", NULL};
    struct section s = {.policy = p, .name = "", .error = error};
    p->lifetime = 3600;
    if (!open_section(&s, "attestation", names))
        return false;
    const char *text = json_string_value(json_object_get(s.map, "lifetime"));
    char *end = NULL;
    if (json_object_get(s.map, "lifetime") == NULL)
        return true;
    p->lifetime = text == NULL ? 0 : strtol(text, &end, 10);
    return (text != NULL && isdigit((unsigned char)text[0]) && *end == '\0' && p->lifetime > 0 &&
            p->lifetime <= POLICY_LIFETIME_MAX) ||
           wrong(&s, "lifetime", "takes seconds, at most a year of them");
}

static bool read_document(struct policy *p, struct error *error)
{
    static const char *const names[] = {"version",         "name", "quote", "endorsement",
                                        "attestation-key", "boot", "esxi",  "attestation"};
    struct section s = {.policy = p, .name = "", .error = error};
    const char *name;
    json_t *value;
    if (!json_is_object(p->tree))
        return wrong(&s, "policy", "must be a mapping");
    json_object_foreach(p->tree, name, value)
    {
        size_t i = 0;
        while (i < sizeof names / sizeof names[0] && strcmp(names[i], name) != 0)
            i++;
        if (i == sizeof names / sizeof names[0])
            return wrong(&s, name, "no such setting");
    }
    const json_t *version = json_object_get(p->tree, "version");
    if (!json_is_string(version) || strcmp(json_string_value(version), "1") != 0)
        return wrong(&s, "version", "must be 1");
    p->name = json_string_value(json_object_get(p->tree, "name"));
    if (p->name == NULL)
        p->name = file_name(p->path);
    return read_quote(p, error) && read_endorsement(p, error) && read_attestation_key(p, error) &&
           read_boot(p, error) && read_esxi(p, error) && read_attestation(p, error);
}

bool policy_parse(struct policy *policy, const char *path, const void *text, size_t length,
                  struct error *error)
{
    *policy = (struct policy){.path = strdup(path)};
    if (policy->path == NULL)
        return error_memory(error);
    SHA256(text, length, policy->sha256);
    policy->tree = yaml_tree_read(path, text, length, error);
    if (policy->tree != NULL && read_document(policy, error))
        return true;
    policy_free(policy);
    return false;
}

bool policy_load(struct policy *policy, const char *path, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = file_read_all(path, POLICY_BYTES_MAX, &text, error) &&
              policy_parse(policy, path, buffer_text(&text), text.length, error);
    buffer_free(&text);
    return ok;
}

void policy_free(struct policy *policy)
{
    identity_cas_free(&policy->cas);
    identity_cas_free(&policy->ak_cas);
    json_decref(policy->base_images);
    json_decref(policy->tree);
    free(policy->path);
    *policy = (struct policy){.path = NULL};
}

bool policy_lists(const json_t *list, const char *text)
{
    for (size_t i = 0; text != NULL && i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

/* True when the option in LENGTH bytes at WORD, as in "NAME=VALUE", is to be ignored. */
static bool is_ignored(const struct policy *policy, const char *word, size_t length)
{
    static const char by_default[] = "bootUUID";
    const char *equals = memchr(word, '=', length);
    size_t name = equals == NULL ? length : (size_t)(equals - word);
    if (policy->ignore_options == NULL)
        return name == strlen(by_default) && memcmp(word, by_default, name) == 0;
    for (size_t i = 0; i < json_array_size(policy->ignore_options); i++) {
        const char *ignored = json_string_value(json_array_get(policy->ignore_options, i));
        if (strlen(ignored) == name && memcmp(word, ignored, name) == 0)
            return true;
    }
    return false;
}

char *policy_normalise(const struct policy *policy, const char *command_line, struct error *error)
{
    char *out = malloc(strlen(command_line) + 1);
    size_t used = 0;
    if (out == NULL) {
        error_memory(error);
        return NULL;
    }
    for (const char *at = command_line; *(at += strspn(at, " \t\r\n")) != '\0';) {
        size_t length = strcspn(at, " \t\r\n");
        if (!is_ignored(policy, at, length)) {
            if (used > 0)
                out[used++] = ' ';
            memcpy(out + used, at, length);
            used += length;
        }
        at += length;
    }
    out[used] = '\0';
    return out;
}
