/* event_certificate - X.509 certificates in events, see event_private.h. */
#include "tpm/event_private.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

static json_t *name_value(const X509_NAME *name)
{
    json_t *value = NULL;
    char *text = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    /* RFC 2253 but for letters beyond ASCII, which stay. Escaping is value_text's. */
    if (memory != NULL &&
        X509_NAME_print_ex(memory, name, 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long length = BIO_get_mem_data(memory, &text);
        value = length < 0 ? NULL : value_text(length == 0 ? "" : text, (size_t)length);
    }
    BIO_free(memory);
    return value;
}

static json_t *serial_value(const X509 *certificate)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *text = number == NULL ? NULL : BN_bn2hex(number);
    json_t *value = text == NULL ? NULL : json_string(text);
    OPENSSL_free(text);
    BN_free(number);
    return value;
}

static json_t *time_value(const ASN1_TIME *when)
{
    struct tm parts;
    char text[40] = "";
    if (ASN1_TIME_to_tm(when, &parts) != 1 ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return json_string("?");
    return json_string(text);
}

json_t *value_certificate(const uint8_t *der, size_t length, bool *failed)
{
    const uint8_t *at = der;
    if (length < 2 || der[0] != 0x30 || length > (16 << 20))
        return NULL;
    X509 *certificate = d2i_X509(NULL, &at, (long)length);
    if (certificate == NULL)
        return NULL;
    size_t used = (size_t)(at - der);
    json_t *value = json_object();
    bool ok = value_add(value, "subject", name_value(X509_get_subject_name(certificate))) &&
              value_add(value, "issuer", name_value(X509_get_issuer_name(certificate))) &&
              value_add(value, "serial", serial_value(certificate)) &&
              value_add(value, "not_before", time_value(X509_get0_notBefore(certificate))) &&
              value_add(value, "not_after", time_value(X509_get0_notAfter(certificate))) &&
              value_add(value, "sha256", value_sha256(der, used));
    if (ok && used < length)
        ok = value_add(value, "bytes_behind", json_integer((json_int_t)(length - used)));
    X509_free(certificate);
    if (ok)
        return value;
    json_decref(value);
    *failed = true;
    return NULL;
}
