/* keyring_yaml_secret - passphrases and what TPMs have sealed, as keyrings name them. */
#include "keywrap/keyring_yaml.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "keywrap/passphrase.h"
#include "keywrap/secret_file.h"
#include "keywrap/tpm_seal.h"

enum { BLOB_LIMIT = 64 << 10 };

/* Something that is not to be had now. It is no reason to refuse the other keys. */
static bool leave_out(struct keyring_loader *l, const yaml_node_t *node, const struct error *why)
{
    if (!l->load->passive)
        log_say(l->load->log, LOG_WARN, "%s: line %zu: left out: %s%s%s", l->path,
                node->start_mark.line + 1, why->file, why->file[0] == '\0' ? "" : ": ",
                why->message);
    return true;
}

static bool read_file(struct keyring_loader *l, const yaml_node_t *node, struct secret **phrase)
{
    char *path;
    if (!keyring_yaml_path(l, node, &path))
        return false;
    *phrase = passphrase_file_read(path, l->load->log, l->error);
    free(path);
    return *phrase != NULL || keyring_yaml_forgive(l);
}

static bool read_descriptor(struct keyring_loader *l, const yaml_node_t *node,
                            struct secret **phrase)
{
    const char *text;
    if (!keyring_yaml_text(l, node, &text))
        return false;
    char *end;
    unsigned long fd = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || fd > INT_MAX)
        return keyring_yaml_wrong(l, node, "`fd:` is the number of an open descriptor");
    if (l->load->passive)
        return true;
    *phrase = passphrase_fd_read((int)fd, l->error);
    return *phrase != NULL || error_in_file(l->error, l->path);
}

static bool ask_user(struct keyring_loader *l, const yaml_node_t *node, struct secret **phrase)
{
    const char *prompt;
    if (!keyring_yaml_text(l, node, &prompt))
        return false;
    if (l->load->ask == NULL || l->load->passive) {
        struct error nobody = ERROR_INIT;
        error_set(&nobody, ERROR_NO_KEY, "no terminal to ask for \"%.200s\"", prompt);
        return leave_out(l, node, &nobody);
    }
    *phrase = l->load->ask(l->load->context, prompt, l->error);
    return *phrase != NULL;
}

bool keyring_yaml_phrase(struct keyring_loader *l, yaml_node_t *node, struct secret **phrase,
                         const char **label)
{
    enum {
        FILE_NAME,
        DESCRIPTOR,
        PROMPT,
        SECRET,
        TPM,
        WAYS,
        NAME = WAYS,
        ENCODING,
        NORMALIZE,
        ALL
    };
    struct keyring_setting s[ALL] = {{"file", NULL},     {"fd", NULL},       {"prompt", NULL},
                                     {"secret", NULL},   {"tpm", NULL},      {"name", NULL},
                                     {"encoding", NULL}, {"normalize", NULL}};
    struct passphrase_form form;
    size_t ways = 0, way = 0;
    *phrase = NULL;
    if (!keyring_document_mapping(&l->document, node, s, ALL, l->error) ||
        !keyring_yaml_text(l, s[NAME].value, label) ||
        !keyring_yaml_text(l, s[ENCODING].value, &form.encoding) ||
        !keyring_yaml_text(l, s[NORMALIZE].value, &form.normalize))
        return false;
    for (size_t i = 0; i < WAYS; i++)
        if (s[i].value != NULL) {
            ways++;
            way = i;
        }
    if (ways != 1)
        return keyring_yaml_wrong(
            l, node, "a passphrase needs one of `file:`, `fd:`, `prompt:`, `secret:` and `tpm:`");
    yaml_node_t *value = s[way].value;
    const char *text = keyring_document_scalar(value);
    if (*label == NULL)
        *label = (way == FILE_NAME || way == PROMPT) && text != NULL ? text : l->path;
    bool ok = true;
    if (way == FILE_NAME) {
        ok = read_file(l, value, phrase);
    } else if (way == DESCRIPTOR) {
        ok = read_descriptor(l, value, phrase);
    } else if (way == PROMPT) {
        ok = ask_user(l, value, phrase);
    } else if (way == TPM) {
        ok = keyring_yaml_tpm(l, value, phrase);
    } else {
        l->has_secret = true;
        *phrase = keyring_document_secret(&l->document, value, l->error);
        ok = *phrase != NULL;
    }
    if (!ok || *phrase == NULL)
        return ok;
    *phrase = passphrase_convert(*phrase, &form, l->error);
    return *phrase != NULL || error_in_file(l->error, l->path);
}

static bool read_blob(struct keyring_loader *l, const yaml_node_t *node, struct buffer *blob,
                      struct error *error)
{
    char *path;
    if (!keyring_yaml_path(l, node, &path)) {
        *error = *l->error;
        return false;
    }
    bool ok = file_read_all(path, BLOB_LIMIT, blob, error);
    free(path);
    return ok;
}

static struct secret *unseal(struct keyring_loader *l, const yaml_node_t *public_node,
                             const yaml_node_t *private_node, const struct tpm_seal *seal,
                             struct error *error)
{
    struct buffer public_blob = BUFFER_INIT, private_blob = BUFFER_INIT;
    struct secret *secret = NULL;
    if (read_blob(l, public_node, &public_blob, error) &&
        read_blob(l, private_node, &private_blob, error))
        secret = tpm_seal_open(seal, &public_blob, &private_blob, error);
    buffer_free(&public_blob);
    buffer_free(&private_blob);
    return secret;
}

static bool read_parent(struct keyring_loader *l, const yaml_node_t *node, uint32_t *parent)
{
    const char *text;
    if (!keyring_yaml_text(l, node, &text))
        return false;
    if (text == NULL)
        return true;
    char *end;
    unsigned long handle = strtoul(text, &end, 16);
    if (strncasecmp(text, "0x", 2) != 0 || *end != '\0' || handle >> 24 != 0x81)
        return keyring_yaml_wrong(l, node, "`parent:` is a persistent handle, 0x81……");
    *parent = (uint32_t)handle;
    return true;
}

bool keyring_yaml_tpm(struct keyring_loader *l, yaml_node_t *node, struct secret **secret)
{
    enum { PUBLIC, PRIVATE, PCRS, PARENT, PIN, TCTI, ALL };
    struct keyring_setting s[ALL] = {{"public", NULL}, {"private", NULL}, {"pcrs", NULL},
                                     {"parent", NULL}, {"pin", NULL},     {"tcti", NULL}};
    struct tpm_seal seal = {.tcti = NULL};
    struct error error = ERROR_INIT;
    const char *ignored;
    *secret = NULL;
    if (!keyring_document_mapping(&l->document, node, s, ALL, l->error) ||
        !keyring_yaml_text(l, s[PUBLIC].value, &ignored) ||
        !keyring_yaml_text(l, s[PRIVATE].value, &ignored) ||
        !keyring_yaml_text(l, s[PCRS].value, &seal.pcrs) ||
        !keyring_yaml_text(l, s[PIN].value, &ignored) ||
        !keyring_yaml_text(l, s[TCTI].value, &seal.tcti) ||
        !read_parent(l, s[PARENT].value, &seal.parent))
        return false;
    if (s[PUBLIC].value == NULL || s[PRIVATE].value == NULL)
        return keyring_yaml_wrong(l, node, "`tpm:` needs `public:` and `private:`");
    if (l->load->passive)
        return true;
    struct secret *pin = NULL;
    if (s[PIN].value != NULL && !read_file(l, s[PIN].value, &pin)) {
        error = *l->error;
        error_clear(l->error);
        return leave_out(l, node, &error);
    }
    seal.pin = pin;
    *secret = unseal(l, s[PUBLIC].value, s[PRIVATE].value, &seal, &error);
    secret_free(pin);
    return *secret != NULL || leave_out(l, node, &error);
}
