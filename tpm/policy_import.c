/* policy_import - see policy_import.h. */
#include "tpm/policy_import.h"

#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "base/file.h"
#include "keywrap/secret_json.h"
#include "tpm/text.h"

enum { FILE_MAX = 8 << 20, ENTRIES_MAX = 1000, DEPTH_MAX = 16 };

/* Certificates in these are not those of TPM manufacturers. */
static const char *const OTHERS[] = {
    "principal", "trustauthorityprincipal", "trustauthoritykeyprovider", "keyproviders",
    "trustedca", "tlscertificates"};

struct taking {
    struct policy_import *import;
    struct error *error;
};

bool policy_import_start(struct policy_import *import, const char *name, struct error *error)
{
    *import = (struct policy_import){.policy = json_pack("{s:s, s:s, s:{s:s, s:s}}", "version", "1",
                                                         "name", name, "endorsement", "keys",
                                                         "optional", "certificates", "optional")};
    return import->policy != NULL ||
           error_set(error, ERROR_USAGE, "the name of a policy must be UTF-8");
}

void policy_import_free(struct policy_import *import)
{
    json_decref(import->policy);
    *import = (struct policy_import){.policy = NULL};
}

static json_t *endorsement(const struct taking *t)
{
    return json_object_get(t->import->policy, "endorsement");
}

static bool append_text(json_t *object, const char *name, const char *text, size_t length)
{
    const char *before = json_string_value(json_object_get(object, name));
    struct buffer joined = BUFFER_INIT;
    bool ok =
        buffer_append_text(&joined, before != NULL ? before : "") &&
        buffer_append(&joined, text, length) &&
        json_object_set_new(object, name, json_stringn(buffer_text(&joined), joined.length)) == 0;
    buffer_free(&joined);
    return ok;
}

/* BIO's content under NAME of the endorsement part, or of ENTRY. */
static bool put_pem(json_t *object, const char *name, BIO *bio)
{
    char *text;
    long length = BIO_get_mem_data(bio, &text);
    return length > 0 && append_text(object, name, text, (size_t)length);
}

static bool add_ca(struct taking *t, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && PEM_write_bio_X509(bio, certificate) == 1 &&
              put_pem(endorsement(t), "certificates-pem", bio);
    BIO_free(bio);
    t->import->cas++;
    return ok || error_memory(t->error);
}

/* All certificates in PEM, or one in DER. *found: at least one. */
static bool add_cas(struct taking *t, const void *data, size_t length, bool *found)
{
    const unsigned char *der = data;
    X509 *certificate = d2i_X509(NULL, &der, (long)length);
    bool ok = true;
    *found = certificate != NULL;
    if (certificate != NULL) {
        ok = add_ca(t, certificate);
        X509_free(certificate);
        return ok;
    }
    BIO *bio = BIO_new_mem_buf(data, (int)length);
    while (ok && bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = add_ca(t, certificate);
        *found = true;
        X509_free(certificate);
    }
    BIO_free(bio);
    return ok;
}

/* A permitted TPM: a public key in PEM, or the certificate of one. */
static bool add_key(struct taking *t, const char *name, const char *pem)
{
    BIO *in = BIO_new_mem_buf(pem, -1), *out = BIO_new(BIO_s_mem());
    EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
    if (key == NULL && in != NULL && BIO_reset(in) == 1) {
        X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
        key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
        X509_free(certificate);
    }
    json_t *entry = json_pack("{s:s}", "name", name != NULL ? name : "");
    bool ok = key != NULL || error_set(t->error, ERROR_DAMAGED,
                                       "the endorsement key \"%.100s\" is no public key and no "
                                       "certificate in PEM",
                                       name != NULL ? name : "");
    if (ok)
        ok = (entry != NULL && out != NULL && PEM_write_bio_PUBKEY(out, key) == 1 &&
              put_pem(entry, "public-key", out)) ||
             error_memory(t->error);
    if (ok) {
        json_t *list = json_object_get(endorsement(t), "trusted-keys");
        if (list == NULL) {
            list = json_array();
            json_object_set_new(endorsement(t), "trusted-keys", list);
        }
        ok = json_array_append(list, entry) == 0 || error_memory(t->error);
        t->import->keys++;
    }
    json_decref(entry);
    EVP_PKEY_free(key);
    BIO_free(in);
    BIO_free(out);
    return ok;
}

static bool take_setting(struct taking *t, const json_t *object, const char *const *names,
                         const char *setting)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        const json_t *value = secret_json_member(object, names[i]);
        if (!json_is_boolean(value))
            continue;
        t->import->settings++;
        return json_object_set_new(endorsement(t), setting,
                                   json_string(json_is_true(value) ? "required" : "optional")) ==
                   0 ||
               error_memory(t->error);
    }
    return true;
}

static bool take_settings(struct taking *t, const json_t *object)
{
    static const char *const keys[] = {"requireendorsementkeys", "requireendorsementkey", NULL};
    static const char *const certificates[] = {"requirecertificatevalidation", NULL};
    return take_setting(t, object, keys, "keys") &&
           take_setting(t, object, certificates, "certificates");
}

/* "certRawData": base64 of DER; "certChain": PEM, in one text or several. */
static bool take_certificates(struct taking *t, const json_t *object)
{
    const char *raw = secret_json_text(object, "certrawdata");
    const json_t *chain = secret_json_member(object, "certchain");
    bool found = true, ok = true;
    if (raw != NULL) {
        size_t length = base64_decoded_bound(strlen(raw));
        uint8_t *der = malloc(length + 1);
        ok = der != NULL || error_memory(t->error);
        found = ok && base64_decode(raw, strlen(raw), der, &length);
        ok = ok && (!found || add_cas(t, der, length, &found));
        free(der);
    }
    for (size_t i = 0; ok && found && i < json_array_size(chain); i++) {
        const char *pem = json_string_value(json_array_get(chain, i));
        found = pem != NULL;
        ok = !found || add_cas(t, pem, strlen(pem), &found);
    }
    return ok && (found || error_set(t->error, ERROR_DAMAGED, "a CA certificate cannot be read"));
}

static bool take_key(struct taking *t, const json_t *object)
{
    const char *name = secret_json_text(object, "name");
    const char *key = secret_json_text(object, "publickey");
    const char *certificate = secret_json_text(object, "certificate");
    if (key != NULL && strstr(key, "-----BEGIN") != NULL)
        return add_key(t, name, key);
    if (certificate != NULL && strstr(certificate, "-----BEGIN") != NULL)
        return add_key(t, name, certificate);
    return true;
}

static bool is_other(const char *name)
{
    char folded[64];
    size_t length = 0;
    for (; *name != '\0' && length + 1 < sizeof folded; name++)
        if (*name != '_' && *name != '-')
            folded[length++] = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
    folded[length] = '\0';
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (strcmp(folded, OTHERS[i]) == 0)
            return true;
    return false;
}

static bool take(struct taking *t, const json_t *value, unsigned depth)
{
    const char *name;
    json_t *member;
    bool ok = true;
    if (depth > DEPTH_MAX)
        return error_set(t->error, ERROR_DAMAGED, "nested too deeply");
    for (size_t i = 0; ok && i < json_array_size(value); i++)
        ok = take(t, json_array_get(value, i), depth + 1);
    if (!json_is_object(value))
        return ok;
    t->import->base_images +=
        json_array_size(secret_json_member(value, "trustauthorityvmhostbaseimage"));
    ok = take_settings(t, value) && take_certificates(t, value) && take_key(t, value);
    json_object_foreach((json_t *)value, name, member)
    {
        ok = ok && (is_other(name) || take(t, member, depth + 1));
    }
    return ok;
}

static bool take_json(struct taking *t, const struct buffer *text)
{
    json_t *tree = tpm_text_json(buffer_text(text), text->length, t->error);
    bool ok = tree != NULL && take(t, tree, 0);
    json_decref(tree);
    return ok;
}

/* The zip of Export-Tpm2CACertificate: a file for each certificate. */
static bool take_zip(struct taking *t, const struct buffer *bytes)
{
    struct archive *archive = archive_read_new();
    struct archive_entry *entry;
    bool ok = archive != NULL || error_memory(t->error), found;
    if (ok) {
        archive_read_support_format_zip(archive);
        ok = archive_read_open_memory(archive, bytes->data, bytes->length) == ARCHIVE_OK ||
             error_set(t->error, ERROR_DAMAGED, "cannot be read as a zip");
    }
    int status = ARCHIVE_EOF;
    for (size_t i = 0; ok && i < ENTRIES_MAX &&
                       (status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK;
         i++) {
        struct buffer file = BUFFER_INIT;
        char *room = buffer_reserve(&file, FILE_MAX / 8);
        la_ssize_t got = room == NULL ? -1 : archive_read_data(archive, room, FILE_MAX / 8);
        ok = got >= 0 || error_set(t->error, ERROR_DAMAGED, "the zip is damaged");
        ok = ok && add_cas(t, room, (size_t)got, &found);
        buffer_free(&file);
    }
    if (ok && status != ARCHIVE_EOF)
        ok = error_set(t->error, ERROR_DAMAGED, "the zip is damaged, or has too many files");
    archive_read_free(archive);
    return ok;
}

bool policy_import_parse(struct policy_import *import, const char *path, const struct buffer *bytes,
                         struct log *log, struct error *error)
{
    struct taking t = {import, error};
    size_t before = import->cas + import->keys + import->settings, images = import->base_images;
    bool found, ok;
    if (bytes->length > 4 && memcmp(bytes->data, "PK\3\4", 4) == 0)
        ok = take_zip(&t, bytes);
    else if (tpm_text_is_json(buffer_text(bytes), bytes->length))
        ok = take_json(&t, bytes);
    else
        ok = add_cas(&t, buffer_text(bytes), bytes->length, &found);
    if (ok && import->base_images > images)
        log_say(log, LOG_WARN,
                "%s: names %zu base images, but not their modules: make lists with `vmcrypt tpm "
                "baseimage`, and name them under esxi.base-images",
                path, import->base_images - images);
    if (ok && import->cas + import->keys + import->settings == before)
        ok = error_set(error, ERROR_DAMAGED,
                       "holds no CA certificates, endorsement keys or attestation settings");
    return ok || error_in_file(error, path);
}

bool policy_import_file(struct policy_import *import, const char *path, struct log *log,
                        struct error *error)
{
    struct buffer bytes = BUFFER_INIT;
    bool ok = file_read_all(path, FILE_MAX, &bytes, error) &&
              policy_import_parse(import, path, &bytes, log, error);
    buffer_free(&bytes);
    return ok;
}
