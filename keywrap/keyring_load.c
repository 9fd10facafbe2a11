/* keyring_load - keyring files: found, decrypted, read; those that include each other. */
#include "keywrap/keyring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "keywrap/keyring_crypt.h"
#include "keywrap/keyring_yaml.h"
#include "keywrap/secret_file.h"

enum { FILE_LIMIT = 16 << 20 };

char *keyring_file_beside(const char *path, const char *name)
{
    return file_beside(path, strcmp(name, "-") == 0 ? "./-" : name);
}

bool keyring_is_keyring(const struct buffer *file)
{
    static const char first[] = "version:", later[] = "\nversion:";
    const char *text = buffer_text(file);
    if (keyring_is_encrypted(file))
        return true;
    if (file->length > FILE_LIMIT || memchr(text, '\0', file->length) != NULL)
        return false;
    return strncmp(text, first, sizeof first - 1) == 0 || strstr(text, later) != NULL;
}

static bool try_unlock(const struct buffer *file, const struct keyring_load *load,
                       struct buffer *yaml, const struct secret **fits, struct error *error)
{
    error_set(error, ERROR_NO_KEY,
              "is encrypted; give its passphrase with --keyring-passphrase-file FILE");
    for (size_t i = 0; load->unlock != NULL && i < load->unlock->phrase_count; i++) {
        *fits = load->unlock->phrases[i].passphrase;
        if (keyring_decrypt(file, *fits, yaml, error)) {
            error_clear(error);
            return true;
        }
        if (error->code != ERROR_NO_KEY)
            return false;
    }
    return false;
}

static struct secret *ask_for(const char *path, const struct keyring_load *load,
                              struct error *error)
{
    struct buffer what = BUFFER_INIT;
    struct secret *passphrase = NULL;
    if (buffer_printf(&what, "Passphrase of %s", path))
        passphrase = load->ask(load->context, buffer_text(&what), error);
    else
        error_memory(error);
    buffer_free(&what);
    return passphrase;
}

bool keyring_open_text(const struct buffer *file, const char *path, const struct keyring_load *load,
                       struct buffer *yaml, struct secret **passphrase, struct error *error)
{
    const struct secret *fits = NULL;
    struct secret *asked = NULL;
    if (passphrase != NULL)
        *passphrase = NULL;
    if (file->length > FILE_LIMIT) {
        error_set(error, ERROR_DAMAGED, "larger than the %d bytes that make sense here",
                  FILE_LIMIT);
        return error_in_file(error, path);
    }
    if (!keyring_is_encrypted(file))
        return buffer_append(yaml, buffer_text(file), file->length) || error_memory(error);
    uint64_t cost;
    bool ok = keyring_crypt_cost(file, &cost, error);
    if (ok && !try_unlock(file, load, yaml, &fits, error)) {
        ok = false;
        if (error->code == ERROR_NO_KEY && load->ask != NULL && !load->passive) {
            error_clear(error);
            fits = asked = ask_for(path, load, error);
            ok = asked != NULL && keyring_decrypt(file, asked, yaml, error);
        }
    }
    if (ok && passphrase != NULL) {
        *passphrase = secret_copy(fits->data, fits->length, error);
        ok = *passphrase != NULL;
    }
    secret_free(asked);
    return ok || error_in_file(error, path);
}

/* Find the place of the file at PATH in the chain of those that include it. */
static bool enter(struct keyring_loader *l, size_t counts[2])
{
    const struct keyring_file *within = l->load->within;
    struct stat st;
    l->file = (struct keyring_file){
        .within = within,
        .depth = within == NULL ? 0 : within->depth + 1,
        .entries = within == NULL ? &counts[0] : within->entries,
        .files = within == NULL ? &counts[1] : within->files,
    };
    if (strcmp(l->path, "-") != 0 && stat(l->path, &st) == 0) {
        l->file.known = true;
        l->file.device = st.st_dev;
        l->file.inode = st.st_ino;
    }
    bool ok = l->file.depth < KEYRING_MAX_DEPTH ||
              error_set(l->error, ERROR_DAMAGED, "keyrings include each other too deep");
    for (const struct keyring_file *f = within; ok && f != NULL; f = f->within)
        if (f->known && l->file.known && f->device == l->file.device && f->inode == l->file.inode)
            ok = error_set(l->error, ERROR_DAMAGED, "includes itself");
    return ok || error_in_file(l->error, l->path);
}

static bool read_documents(struct keyring_loader *l, const struct buffer *yaml)
{
    yaml_node_t *root = NULL;
    bool ok = keyring_document_open(&l->document, yaml, l->path, l->error);
    for (size_t i = 0; ok; i++) {
        ok = keyring_document_next(&l->document, &root, l->error);
        if (ok && root == NULL && i == 0) {
            ok = error_set(l->error, ERROR_DAMAGED, "an empty keyring");
            error_in_file(l->error, l->path);
        }
        if (ok && root == NULL)
            break;
        ok = ok && keyring_yaml_read(l, root);
    }
    keyring_document_close(&l->document);
    return ok;
}

bool keyring_load_bytes(struct keyring *ring, const struct buffer *file, const char *path,
                        const struct keyring_load *load, struct error *error)
{
    size_t counts[2] = {0, 0};
    struct keyring_loader l = {
        .path = path, .ring = ring, .load = load, .inner = *load, .error = error};
    struct buffer yaml = BUFFER_INIT;
    l.inner.within = &l.file;
    if (load->passive)
        l.inner.ask = NULL;
    bool ok = enter(&l, counts) && keyring_open_text(file, path, load, &yaml, NULL, error) &&
              read_documents(&l, &yaml);
    if (ok && l.has_secret && !load->passive && !keyring_is_encrypted(file))
        secret_file_check(path, load->log);
    buffer_free(&yaml);
    return ok;
}

bool keyring_load(struct keyring *ring, const char *path, const struct keyring_load *load,
                  struct error *error)
{
    struct buffer file = BUFFER_INIT;
    bool ok = file_read_all(path, FILE_LIMIT, &file, error) &&
              keyring_load_bytes(ring, &file, path, load, error);
    buffer_free(&file);
    return ok;
}
