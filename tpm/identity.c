/* identity - what a certificate says of its TPM, and where its chain leads; see identity.h. */
#include "tpm/identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "base/printable.h"

/* [TCG Vendor ID Registry 1.06] */
static const struct {
    const char *id, *name;
} vendors[] = {
    {"AMD", "AMD"},
    {"ANT", "Ant Group"},
    {"ATML", "Atmel"},
    {"BRCM", "Broadcom"},
    {"CSCO", "Cisco"},
    {"FLYS", "Flyslice Technologies"},
    {"GOOG", "Google"},
    {"HISI", "Huawei"},
    {"HPE", "HPE"},
    {"HPI", "HPI"},
    {"IBM", "IBM"},
    {"IFX", "Infineon"},
    {"INTC", "Intel"},
    {"LEN", "Lenovo"},
    {"MSFT", "Microsoft"},
    {"NSG", "NSING"},
    {"NSM", "National Semiconductor"},
    {"NTC", "Nuvoton"},
    {"NTZ", "Nationz"},
    {"QCOM", "Qualcomm"},
    {"ROCC", "Fuzhou Rockchip"},
    {"SEAL", "Wisekey"},
    {"SECE", "SecEdge"},
    {"SMSC", "SMSC"},
    {"SMSN", "Samsung"},
    {"SNS", "Sinosun"},
    {"STM", "STMicroelectronics"},
    {"TXN", "Texas Instruments"},
    {"VMW", "VMware"},
    {"WEC", "Winbond"},
};

/* An ASN.1 string as text; "" for one that has a NUL within, which means to deceive. */
static void take_string(const ASN1_STRING *string, char *out, size_t size)
{
    unsigned char *text = NULL;
    int length = ASN1_STRING_to_UTF8(&text, string);
    out[0] = '\0';
    if (length > 0 && strlen((const char *)text) == (size_t)length)
        printable_copy((const char *)text, out, size);
    OPENSSL_free(text);
}

static void take_name(const X509_NAME *name, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char text[1024];
    int length = -1;
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
        length = BIO_read(bio, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    printable_copy(text, out, size);
    BIO_free(bio);
}

static void take_time(const ASN1_TIME *time, char *out, size_t size)
{
    struct tm tm;
    out[0] = '\0';
    if (ASN1_TIME_to_tm(time, &tm) == 1)
        strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void take_serial(const X509 *certificate, char *out, size_t size)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < serial->length && used + 3 <= size; i++)
        used += (size_t)snprintf(out + used, size - used, "%02x", serial->data[i]);
}

/* "id:49465800" is "IFX" in ASCII, filled with zeros or spaces. */
static void take_vendor(struct identity_tpm *out)
{
    uint8_t bytes[4];
    size_t decoded = sizeof bytes, length = 0;
    if (strncmp(out->manufacturer, "id:", 3) != 0 ||
        !hex_decode(out->manufacturer + 3, strlen(out->manufacturer + 3), bytes, &decoded) ||
        decoded != sizeof bytes)
        return;
    while (length < sizeof bytes && bytes[length] > ' ' && bytes[length] < 0x7f) {
        out->vendor_id[length] = (char)bytes[length];
        length++;
    }
    for (size_t i = length; i < sizeof bytes; i++)
        if (bytes[i] != 0 && bytes[i] != ' ')
            length = 0;
    out->vendor_id[length] = '\0';
    snprintf(out->vendor, sizeof out->vendor, "%s", out->vendor_id);
    for (size_t i = 0; i < sizeof vendors / sizeof vendors[0]; i++)
        if (strcmp(vendors[i].id, out->vendor_id) == 0)
            snprintf(out->vendor, sizeof out->vendor, "%s (%s)", vendors[i].id, vendors[i].name);
}

static void take_tpm_name(X509_NAME *name, struct identity_tpm *out)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        char oid[64];
        OBJ_obj2txt(oid, sizeof oid, X509_NAME_ENTRY_get_object(entry), 1);
        if (strcmp(oid, "2.23.133.2.1") == 0)
            take_string(value, out->manufacturer, sizeof out->manufacturer);
        else if (strcmp(oid, "2.23.133.2.2") == 0)
            take_string(value, out->model, sizeof out->model);
        else if (strcmp(oid, "2.23.133.2.3") == 0)
            take_string(value, out->version, sizeof out->version);
    }
}

static void take_san(const X509 *certificate, struct identity_tpm *out)
{
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DIRNAME)
            take_tpm_name(name->d.directoryName, out);
    }
    GENERAL_NAMES_free(names);
    out->san_critical = critical == 1;
    out->has_tpm_san = out->manufacturer[0] != '\0';
    take_vendor(out);
}

static void take_usage(const X509 *certificate, struct identity_tpm *out)
{
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
    out->has_usage = usage != NULL;
    for (int i = 0; usage != NULL && i < sk_ASN1_OBJECT_num(usage); i++) {
        char oid[64];
        OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(usage, i), 1);
        out->ek_usage = out->ek_usage || strcmp(oid, "2.23.133.8.1") == 0;
        out->ak_usage = out->ak_usage || strcmp(oid, "2.23.133.8.3") == 0;
    }
    EXTENDED_KEY_USAGE_free(usage);
}

static void take_aia(const X509 *certificate, struct identity_tpm *out)
{
    AUTHORITY_INFO_ACCESS *places = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    for (int i = 0; places != NULL && i < sk_ACCESS_DESCRIPTION_num(places); i++) {
        const ACCESS_DESCRIPTION *place = sk_ACCESS_DESCRIPTION_value(places, i);
        if (OBJ_obj2nid(place->method) == NID_ad_ca_issuers && place->location->type == GEN_URI &&
            out->aia[0] == '\0')
            take_string(place->location->d.uniformResourceIdentifier, out->aia, sizeof out->aia);
    }
    AUTHORITY_INFO_ACCESS_free(places);
}

void identity_describe(const X509 *certificate, struct identity_tpm *out)
{
    memset(out, 0, sizeof *out);
    take_name(X509_get_subject_name(certificate), out->subject, sizeof out->subject);
    take_name(X509_get_issuer_name(certificate), out->issuer, sizeof out->issuer);
    take_time(X509_get0_notBefore(certificate), out->not_before, sizeof out->not_before);
    take_time(X509_get0_notAfter(certificate), out->not_after, sizeof out->not_after);
    take_serial(certificate, out->serial, sizeof out->serial);
    take_san(certificate, out);
    take_usage(certificate, out);
    take_aia(certificate, out);
    BASIC_CONSTRAINTS *basic = X509_get_ext_d2i(certificate, NID_basic_constraints, NULL, NULL);
    out->is_ca = basic != NULL && basic->ca != 0;
    BASIC_CONSTRAINTS_free(basic);
    ERR_clear_error();
}

bool identity_key_digest(EVP_PKEY *key, uint8_t digest[32])
{
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    bool ok = length > 0 && bank_hash(BANK_SHA256, der, (size_t)length, NULL, 0, digest);
    OPENSSL_free(der);
    return ok;
}
