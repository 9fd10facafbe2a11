/* identity_cas - sets of CA certificates; see identity.h. */
#include "tpm/identity.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "base/file.h"

/* Takes CERTIFICATE over, also when it fails. */
static bool add(struct identity_cas *cas, X509 *certificate, struct error *error)
{
    X509 **grown = cas->certificates;
    if (cas->count == IDENTITY_CAS_MAX) {
        X509_free(certificate);
        return error_set(error, ERROR_FAILED, "more than %d CA certificates", IDENTITY_CAS_MAX);
    }
    /* Powers of two from 16 on. */
    if (cas->count == 0 || (cas->count >= 16 && (cas->count & (cas->count - 1)) == 0))
        grown =
            reallocarray(cas->certificates, cas->count == 0 ? 16 : 2 * cas->count, sizeof *grown);
    if (grown == NULL) {
        X509_free(certificate);
        return error_memory(error);
    }
    cas->certificates = grown;
    cas->certificates[cas->count++] = certificate;
    return true;
}

static bool add_pkcs7(struct identity_cas *cas, const PKCS7 *bundle, struct error *error)
{
    if (!PKCS7_type_is_signed(bundle) || bundle->d.sign == NULL)
        return error_set(error, ERROR_DAMAGED, "its PKCS#7 holds no certificates");
    const STACK_OF(X509) *list = bundle->d.sign->cert;
    for (int i = 0; list != NULL && i < sk_X509_num(list); i++) {
        X509 *certificate = sk_X509_value(list, i);
        if (X509_up_ref(certificate) != 1)
            return error_memory(error);
        if (!add(cas, certificate, error))
            return false;
    }
    return true;
}

/* One certificate or a PKCS#7, nothing behind it. */
static bool add_der(struct identity_cas *cas, const uint8_t *der, size_t length,
                    struct error *error)
{
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, (long)length);
    if (certificate != NULL && at == der + length)
        return add(cas, certificate, error);
    X509_free(certificate);
    at = der;
    PKCS7 *bundle = d2i_PKCS7(NULL, &at, (long)length);
    bool ok = bundle != NULL && at == der + length
                  ? add_pkcs7(cas, bundle, error)
                  : error_set(error, ERROR_DAMAGED, "it is no certificate and no PKCS#7");
    PKCS7_free(bundle);
    return ok;
}

static bool add_pem(struct identity_cas *cas, const void *text, size_t length, struct error *error)
{
    BIO *bio = BIO_new_mem_buf(text, (int)length);
    if (bio == NULL)
        return error_memory(error);
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long data_length = 0;
    bool ok = true;
    ERR_clear_error();
    while (ok && PEM_read_bio(bio, &name, &header, &data, &data_length) == 1) {
        /* Keys, CRLs and the like may lie between them. */
        bool counts = strcmp(name, "CERTIFICATE") == 0 || strcmp(name, "X509 CERTIFICATE") == 0 ||
                      strcmp(name, "PKCS7") == 0 || strcmp(name, "CMS") == 0;
        ok = !counts || add_der(cas, data, (size_t)data_length, error);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)data_length);
    }
    BIO_free(bio);
    if (ok && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        ok = error_set(error, ERROR_DAMAGED, "its PEM is damaged");
    return ok;
}

bool identity_cas_parse(struct identity_cas *cas, const char *name, const void *data, size_t length,
                        struct error *error)
{
    size_t before = cas->count;
    bool ok;
    if (length > IDENTITY_CA_FILE_MAX)
        ok = error_set(error, ERROR_DAMAGED, "it is too large for CA certificates");
    else if (memmem(data, length, "-----BEGIN ", 11) != NULL)
        ok = add_pem(cas, data, length, error);
    else
        ok = add_der(cas, data, length, error);
    ERR_clear_error();
    if (ok && cas->count == before)
        ok = error_set(error, ERROR_DAMAGED, "it holds no certificate");
    return ok || error_in_file(error, name);
}

static bool add_file(struct identity_cas *cas, const char *path, struct error *error)
{
    struct buffer bytes = BUFFER_INIT;
    bool ok = file_read_all(path, IDENTITY_CA_FILE_MAX, &bytes, error) &&
              identity_cas_parse(cas, path, buffer_text(&bytes), bytes.length, error);
    buffer_free(&bytes);
    return ok;
}

static bool add_any(struct identity_cas *cas, const char *path, unsigned depth,
                    struct error *error);

/* Manufacturers' collections hold lists, signatures and notes beside the certificates. */
static bool add_folder(struct identity_cas *cas, const char *path, unsigned depth,
                       struct error *error)
{
    DIR *folder = opendir(path);
    bool ok = folder != NULL;
    if (!ok) {
        error_system(error, "cannot be read");
        return error_in_file(error, path);
    }
    const struct dirent *entry;
    while (ok && (entry = readdir(folder)) != NULL) {
        struct buffer inner = BUFFER_INIT;
        if (entry->d_name[0] == '.')
            continue;
        ok = buffer_printf(&inner, "%s/%s", path, entry->d_name) || error_memory(error);
        if (ok && !add_any(cas, buffer_text(&inner), depth, error)) {
            ok = error->code == ERROR_DAMAGED;
            if (ok)
                error_clear(error);
        }
        buffer_free(&inner);
    }
    closedir(folder);
    return ok;
}

static bool add_any(struct identity_cas *cas, const char *path, unsigned depth, struct error *error)
{
    struct stat status;
    if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || S_ISREG(status.st_mode))
        return add_file(cas, path, error);
    if (!S_ISDIR(status.st_mode))
        /* Neither a device nor a pipe of a folder is to be waited for. */
        return depth == 0 ? add_file(cas, path, error) : true;
    return depth == IDENTITY_CA_DEPTH || add_folder(cas, path, depth + 1, error);
}

bool identity_cas_add(struct identity_cas *cas, const char *path, struct error *error)
{
    size_t before = cas->count;
    if (!add_any(cas, path, 0, error))
        return false;
    if (cas->count > before)
        return true;
    error_set(error, ERROR_DAMAGED, "there is no certificate in this folder");
    return error_in_file(error, path);
}

void identity_cas_free(struct identity_cas *cas)
{
    for (size_t i = 0; i < cas->count; i++)
        X509_free(cas->certificates[i]);
    free(cas->certificates);
    *cas = (struct identity_cas){.count = 0};
}
