/* keyring_write - see keyring_write.h. */
#include "keywrap/keyring_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "keywrap/keyring_document.h"

enum { INDENT = 2 };

/* The code point of the SIZE bytes of well-formed UTF-8 at TEXT. */
static unsigned long code_point(const char *text, size_t size)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned long point = (unsigned char)text[0] & first[size];
    for (size_t i = 1; i < size; i++)
        point = point << 6 | ((unsigned char)text[i] & 0x3f);
    return point;
}

/* A double-quoted scalar. An `s` that begins "secret" is escaped, so that no name can look like a
 * secret to keyring_document. */
static bool put_quoted(struct buffer *out, const char *text, struct error *error)
{
    size_t length = strlen(text);
    if (!utf8_valid(text, length))
        return error_set(error, ERROR_FAILED,
                         "a name that is no UTF-8 cannot be written in a keyring");
    buffer_append_byte(out, '"');
    for (size_t at = 0, size; at < length; at += size) {
        size = utf8_character(text + at, length - at);
        unsigned long point = code_point(text + at, size);
        bool bare = (point >= 0x20 && point < 0x7f) || (point >= 0xa0 && point < 0x2000) ||
                    (point >= 0x3000 && point < 0xd800) || point >= 0x10000;
        if (point == '"' || point == '\\' || strncmp(text + at, "secret", 6) == 0)
            bare = false;
        if (bare)
            buffer_append(out, text + at, size);
        else
            buffer_printf(out, "\\u%04lx", point);
    }
    buffer_append_byte(out, '"');
    return !out->failed || error_memory(error);
}

struct writer {
    struct buffer *out;
    size_t indent; /* of the "-" of list members */
    bool first;    /* the next setting is the first of its member */
    struct error *error;
};

static void put_name(struct writer *w, const char *name)
{
    buffer_printf(w->out, "%*s%s%s: ", (int)w->indent, "", w->first ? "- " : "  ", name);
    w->first = false;
}

static bool put_text(struct writer *w, const char *name, const char *text)
{
    if (text == NULL)
        return true;
    put_name(w, name);
    return put_quoted(w->out, text, w->error) && buffer_append_byte(w->out, '\n');
}

static bool put_secret(struct writer *w, const struct secret *secret, const char *origin)
{
    char shown[200];
    put_name(w, "secret");
    if (secret->length == 0)
        buffer_append_text(w->out, "\"\"");
    base64_encode(secret->data, secret->length, w->out);
    if (origin != NULL) {
        printable_copy(origin, shown, sizeof shown);
        buffer_printf(w->out, "  # from %s", shown);
    }
    return buffer_append_byte(w->out, '\n') || error_memory(w->error);
}

static bool put_key(struct writer *w, const struct keyring_key *key)
{
    w->first = true;
    return put_text(w, "provider", key->provider) && put_text(w, "id", key->id) &&
           put_text(w, "kind", key->kind == KEYRING_KDK ? "kdk" : NULL) &&
           put_text(w, "name", key->name) && put_text(w, "identifier", key->identifier) &&
           put_text(w, "component", key->component) && put_secret(w, key->key, key->origin);
}

static bool put_keys(struct writer *w, const struct keyring *ring)
{
    bool ok = true;
    for (size_t i = 0; ok && i < ring->key_count; i++)
        ok = put_key(w, &ring->keys[i]);
    return ok;
}

static bool put_phrases(struct writer *w, const struct keyring *ring)
{
    bool ok = true;
    for (size_t i = 0; ok && i < ring->phrase_count; i++) {
        w->first = true;
        ok = put_text(w, "name", ring->phrases[i].origin) &&
             put_secret(w, ring->phrases[i].passphrase, NULL);
    }
    return ok;
}

static bool put_document(struct buffer *out, const struct keyring *ring, struct error *error)
{
    struct writer w = {.out = out, .indent = INDENT, .error = error};
    buffer_append_text(out, "version: 1\n");
    if (ring->phrase_count > 0)
        buffer_append_text(out, "passphrases:\n");
    if (!put_phrases(&w, ring))
        return false;
    if (ring->key_count > 0)
        buffer_append_text(out, "keys:\n");
    return put_keys(&w, ring) && (!out->failed || error_memory(error));
}

/* What stands last in a keyring. */
struct ending {
    size_t documents, members; /* members of the list `keys:`, when that is the last setting */
    bool is_list;              /* it is, as a block list with members */
    size_t column;             /* of their "-" */
};

static void look_at_end(struct keyring_document *d, yaml_node_t *root, struct ending *end)
{
    end->documents++;
    end->is_list = false;
    if (root->type != YAML_MAPPING_NODE ||
        root->data.mapping.pairs.start == root->data.mapping.pairs.top)
        return;
    const yaml_node_pair_t *last = root->data.mapping.pairs.top - 1;
    const char *name = keyring_document_scalar(yaml_document_get_node(&d->document, last->key));
    const yaml_node_t *list = yaml_document_get_node(&d->document, last->value);
    if (name == NULL || strcmp(name, "keys") != 0 || list->type != YAML_SEQUENCE_NODE ||
        list->data.sequence.style != YAML_BLOCK_SEQUENCE_STYLE)
        return;
    end->members = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
    end->is_list = end->members > 0;
    end->column = list->start_mark.column;
}

static bool find_end(const struct buffer *yaml, struct ending *end, struct error *error)
{
    struct keyring_document d;
    yaml_node_t *root = NULL;
    *end = (struct ending){0};
    bool ok = keyring_document_open(&d, yaml, "the keyring", error);
    while (ok && (ok = keyring_document_next(&d, &root, error)) && root != NULL)
        look_at_end(&d, root, end);
    keyring_document_close(&d);
    return ok;
}

static bool copy_lines(struct buffer *out, const struct buffer *yaml)
{
    buffer_append(out, buffer_text(yaml), yaml->length);
    if (yaml->length > 0 && yaml->data[yaml->length - 1] != '\n')
        buffer_append_byte(out, '\n');
    return !out->failed;
}

/* Continue the list of keys at the end of the text; *done when that is what came of it. */
static bool continue_list(const struct buffer *yaml, const struct ending *before,
                          const struct keyring *ring, struct buffer *out, bool *done,
                          struct error *error)
{
    struct writer w = {.out = out, .indent = before->column, .error = error};
    struct ending after;
    struct error ignored = ERROR_INIT;
    if (!copy_lines(out, yaml) || !put_keys(&w, ring))
        return out->failed ? error_memory(error) : false;
    *done = find_end(out, &after, &ignored) && after.is_list &&
            after.documents == before->documents && after.column == before->column &&
            after.members == before->members + ring->key_count;
    return true;
}

bool keyring_write_add(struct buffer *yaml, const struct keyring *ring, struct error *error)
{
    struct ending end = {0};
    struct buffer out = BUFFER_INIT;
    bool done = false;
    if (ring->key_count + ring->phrase_count == 0 && yaml->length > 0)
        return true;
    bool ok = yaml->length == 0 || find_end(yaml, &end, error);
    if (ok && end.is_list && ring->phrase_count == 0)
        ok = continue_list(yaml, &end, ring, &out, &done, error);
    if (ok && !done) {
        buffer_free(&out);
        copy_lines(&out, yaml);
        if (yaml->length > 0)
            buffer_append_text(&out, "---\n");
        ok = put_document(&out, ring, error);
    }
    if (!ok) {
        buffer_free(&out);
        return false;
    }
    buffer_free(yaml);
    *yaml = out;
    return true;
}

/* Find the one secret that is VALUE; returns how many are. */
static size_t find_value(const struct keyring_document *d, const struct secret *value,
                         struct keyring_slice *slice)
{
    size_t found = 0;
    struct error ignored = ERROR_INIT;
    struct secret *room = secret_new(value->length, &ignored);
    for (size_t i = 0; room != NULL && i < d->secret_count; i++) {
        size_t length = value->length;
        if (!base64_decode(buffer_text(d->text) + d->secrets[i].start, d->secrets[i].length,
                           room->data, &length) ||
            length != value->length || !secret_equal(room, value))
            continue;
        *slice = d->secrets[i];
        found++;
    }
    secret_free(room);
    return found;
}

/* Bytes of the remark that put_secret made behind a secret, at AT. */
static size_t remark_length(const struct buffer *yaml, size_t at)
{
    static const char remark[] = "  # from ";
    const char *text = buffer_text(yaml) + at;
    return strncmp(text, remark, sizeof remark - 1) == 0 ? strcspn(text, "\n") : 0;
}

bool keyring_write_replace(struct buffer *yaml, const struct keyring_key *old,
                           const struct secret *value, const char *path, struct error *error)
{
    struct keyring_document d;
    struct keyring_slice slice = {0, 0};
    struct buffer out = BUFFER_INIT;
    bool ok = keyring_document_open(&d, yaml, path, error);
    size_t found = ok ? find_value(&d, old->key, &slice) : 0;
    keyring_document_close(&d);
    if (ok && found != 1) {
        ok = error_set(error, ERROR_FAILED,
                       found == 0 ? "the key '%.200s' does not stand in it but comes from %.200s; "
                                    "replace it there"
                                  : "the value of the key '%.200s' stands in it several times%.0s",
                       old->id, old->origin);
        error_in_file(error, path);
    }
    if (ok) {
        size_t end = slice.start + slice.length;
        end += remark_length(yaml, end);
        buffer_append(&out, buffer_text(yaml), slice.start);
        base64_encode(value->data, value->length, &out);
        buffer_append(&out, buffer_text(yaml) + end, yaml->length - end);
        ok = !out.failed || error_memory(error);
    }
    if (!ok) {
        buffer_free(&out);
        return false;
    }
    buffer_free(yaml);
    *yaml = out;
    return true;
}

bool keyring_write_file(const char *path, const struct buffer *text, struct error *error)
{
    struct file_output out;
    char *real = realpath(path, NULL);
    if (real == NULL && errno != ENOENT) {
        error_system(error, "cannot find");
        return error_in_file(error, path);
    }
    bool ok = file_create(&out, real == NULL ? path : real, 0600, true, error);
    if (ok) {
        /* An older one may have been open to others; this one holds keys. */
        if (fchmod(out.fd, 0600) != 0) {
            error_system(error, "cannot set the mode");
            ok = error_in_file(error, out.partial);
        }
        ok = ok && file_write_at(out.fd, out.partial, buffer_text(text), text->length, 0, error);
        if (ok)
            ok = file_publish(&out, error);
        else
            file_abandon(&out);
    }
    free(real);
    return ok;
}
