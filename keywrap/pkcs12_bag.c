/* pkcs12_bag - the bags of a PKCS#12 file and their attributes; see pkcs12.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "keywrap/pkcs12_private.h"

enum { NAME_MAX_SHORT = 43, HEX_SHOWN = 64 };

static struct pkcs12_bag *last_bag(struct pkcs12_walk *w)
{
    return &w->out->bags[w->out->bag_count - 1];
}

/* "YYYY-MM-DD" */
static void write_day(const ASN1_TIME *time, char *out, size_t size)
{
    struct tm tm;
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1 ||
        strftime(out, size, "%Y-%m-%d", &tm) == 0)
        out[0] = '\0';
}

static void write_name(const char *kind, const X509_NAME *name, char *out, size_t size)
{
    char *text;
    BIO *memory = BIO_new(BIO_s_mem());
    if (memory != NULL)
        X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    long length = memory == NULL ? 0 : BIO_get_mem_data(memory, &text);
    snprintf(out, size, "%s %.*s", kind, (int)length, length > 0 ? text : "");
    BIO_free(memory);
}

static bool read_certificate(struct pkcs12_bag *bag, const uint8_t *bytes, size_t length)
{
    X509 *cert = d2i_X509(NULL, &bytes, (long)length);
    if (cert == NULL)
        return false;
    bag->is_certificate = true;
    write_name("certificate of", X509_get_subject_name(cert), bag->what, sizeof bag->what);
    write_day(X509_get0_notBefore(cert), bag->begins, sizeof bag->begins);
    write_day(X509_get0_notAfter(cert), bag->ends, sizeof bag->ends);
    X509_free(cert);
    return true;
}

static bool read_crl(struct pkcs12_bag *bag, const uint8_t *bytes, size_t length)
{
    X509_CRL *crl = d2i_X509_CRL(NULL, &bytes, (long)length);
    if (crl == NULL)
        return false;
    write_name("revocation list of", X509_CRL_get_issuer(crl), bag->what, sizeof bag->what);
    X509_CRL_free(crl);
    return true;
}

/* CertBag, CRLBag ::= SEQUENCE { type, [0] OCTET STRING } */
static bool read_wrapped(struct pkcs12_bag *bag, const struct der_item *value,
                         bool (*read)(struct pkcs12_bag *, const uint8_t *, size_t))
{
    char type[DER_OID_TEXT];
    struct der_item oid, wrapped, octets;
    struct buffer bytes = BUFFER_INIT;
    struct der d = der_inside(value);
    if (!der_expect(&d, DER_OID, &oid) || !der_expect(&d, DER_CONTEXT_0, &wrapped))
        return false;
    der_oid(&oid, type, true);
    d = der_inside(&wrapped);
    bool ok = der_expect(&d, DER_OCTETS, &octets) && der_string(&octets, &bytes);
    if (ok && !read(bag, (const uint8_t *)buffer_text(&bytes), bytes.length))
        snprintf(bag->what, sizeof bag->what, "%zu bytes of type %s", bytes.length, type);
    buffer_free(&bytes);
    return ok;
}

static bool is_asymmetric(int nid)
{
    static const int nids[] = {NID_rsaEncryption, NID_rsassaPss, NID_X9_62_id_ecPublicKey,
                               NID_dsa,           NID_X25519,    NID_X448,
                               NID_ED25519,       NID_ED448,     NID_dhKeyAgreement};
    for (size_t i = 0; i < sizeof nids / sizeof nids[0]; i++)
        if (nids[i] == nid)
            return true;
    return false;
}

/* PrivateKeyInfo ::= SEQUENCE { version, algorithm, OCTET STRING, [0] attributes }; a key of
 * another kind than RSA, EC and so on may be a symmetric one, as Java's stores have them. */
static bool read_private_key(struct pkcs12_walk *w, const struct der_item *value)
{
    char name[DER_OID_TEXT], place[DER_OID_TEXT + 40];
    struct der_item version, algorithm, oid, octets;
    struct der d = der_inside(value);
    if (!der_expect(&d, DER_INTEGER, &version) || !der_expect(&d, DER_SEQUENCE, &algorithm) ||
        !der_expect(&d, DER_OCTETS, &octets))
        return false;
    d = der_inside(&algorithm);
    if (!der_expect(&d, DER_OID, &oid))
        return false;
    int nid = der_oid(&oid, name, true);
    bool asymmetric = is_asymmetric(nid);
    snprintf(last_bag(w)->what, sizeof last_bag(w)->what, "%s, %s",
             asymmetric ? "private key" : "key", name);
    snprintf(place, sizeof place, "a key bag of %s", name);
    if (!asymmetric)
        pkcs12_find(w, &octets, place);
    return true;
}

/* The two parts of an EncryptedPrivateKeyInfo. */
static bool split_shrouded(const struct der_item *item, struct der_item *algorithm,
                           struct der_item *octets)
{
    struct der d = der_inside(item);
    return item->tag == DER_SEQUENCE && der_expect(&d, DER_SEQUENCE, algorithm) &&
           der_expect(&d, DER_OCTETS, octets) && der_at_end(&d);
}

bool pkcs12_read_shrouded(struct pkcs12_walk *w, const struct der_item *item)
{
    struct der_item algorithm, octets, key;
    struct buffer plain = BUFFER_INIT;
    struct pkcs12_scheme scheme;
    char problem[PKCS12_PROBLEM] = "";
    if (!split_shrouded(item, &algorithm, &octets) || !pkcs12_scheme_read(&algorithm, &scheme))
        return false;
    last_bag(w)->shrouded = true;
    last_bag(w)->scheme = scheme;
    if (pkcs12_decrypt(w, &algorithm, &scheme, &octets, &plain, problem) &&
        (!der_is_item(plain.data, plain.length, &key) || !read_private_key(w, &key)))
        snprintf(problem, sizeof problem, "what it holds is no private key information");
    memcpy(last_bag(w)->problem, problem, sizeof problem);
    buffer_free(&plain);
    return true;
}

/* SecretBag ::= SEQUENCE { type, [0] value } */
static bool read_secret(struct pkcs12_walk *w, const struct der_item *value)
{
    char type[DER_OID_TEXT];
    struct der_item oid, wrapped;
    struct der d = der_inside(value);
    if (!der_expect(&d, DER_OID, &oid) || !der_expect(&d, DER_CONTEXT_0, &wrapped))
        return false;
    der_oid(&oid, type, true);
    snprintf(last_bag(w)->what, sizeof last_bag(w)->what, "secret of type %s", type);
    pkcs12_find(w, &wrapped, "a secret bag");
    return true;
}

static bool read_value(struct pkcs12_walk *w, int type, const struct der_item *value,
                       unsigned depth)
{
    struct pkcs12_bag *bag = last_bag(w);
    switch (type) {
    case NID_keyBag:
        return read_private_key(w, value);
    case NID_pkcs8ShroudedKeyBag:
        /* The scheme's name is what there is to tell of one that cannot be read. */
        return pkcs12_read_shrouded(w, value);
    case NID_certBag:
        return read_wrapped(bag, value, read_certificate);
    case NID_crlBag:
        return read_wrapped(bag, value, read_crl);
    case NID_secretBag:
        return read_secret(w, value);
    case NID_safeContentsBag:
        snprintf(bag->what, sizeof bag->what, "bags inside a bag");
        if (depth < PKCS12_MAX_DEPTH) {
            char problem[PKCS12_PROBLEM] = "";
            size_t at = w->out->bag_count - 1;
            pkcs12_read_contents(w, value, depth + 1, problem);
            memcpy(w->out->bags[at].problem, problem, sizeof problem);
        } else {
            snprintf(bag->problem, sizeof bag->problem, "nested too deep");
        }
        return true;
    default:
        bag->is_known = false;
        snprintf(bag->what, sizeof bag->what, "%zu bytes of a type not known here", value->length);
        pkcs12_find(w, value, "a bag of a type not known here");
        return true;
    }
}

/* The value of an attribute for people. Keys in it were found before and are not shown. */
static char *attribute_text(struct pkcs12_walk *w, const struct der_item *value, size_t keys)
{
    struct buffer text = BUFFER_INIT;
    if (w->out->key_count > keys) {
        buffer_printf(&text, "(%zu bytes, taken for a key: not shown)", value->length);
    } else if (!pkcs12_text(value, &text)) {
        bool whole = value->length <= HEX_SHOWN;
        text.length = 0;
        hex_encode(value->content, whole ? value->length : HEX_SHOWN, &text);
        if (!whole)
            buffer_printf(&text, "… (%zu bytes)", value->length);
    }
    char *copy = text.failed ? NULL : strdup(buffer_text(&text));
    buffer_free(&text);
    return copy;
}

/* What an attribute's value tells. A friendlyName is a name: only when it is too long for one is
 * it looked into. */
static void find_in_attribute(struct pkcs12_walk *w, int type, const struct der_item *value)
{
    struct buffer text = BUFFER_INIT;
    bool name = type == NID_friendlyName && pkcs12_text(value, &text);
    if (type == NID_localKeyID) {
        if (value->length == 16)
            pkcs12_find(w, value, "localKeyID");
    } else {
        if (!name || text.length >= NAME_MAX_SHORT || text.length == 36)
            pkcs12_find(w, value, "an attribute");
        if (name && text.length < NAME_MAX_SHORT && last_bag(w)->uuid.from == NULL)
            pkcs12_note(&last_bag(w)->provider, buffer_text(&text), text.length, "friendlyName",
                        false);
    }
    buffer_free(&text);
}

static void add_attribute(struct pkcs12_walk *w, const struct der_item *oid,
                          const struct der_item *value)
{
    char name[DER_OID_TEXT];
    struct pkcs12_bag *bag = last_bag(w);
    size_t keys = w->out->key_count;
    int type = der_oid(oid, name, true);
    if (bag->attribute_count == PKCS12_MAX_ATTRIBUTES) {
        snprintf(bag->problem, sizeof bag->problem, "more than %d attributes",
                 PKCS12_MAX_ATTRIBUTES);
        return;
    }
    find_in_attribute(w, type, value);
    struct pkcs12_attribute *grown =
        realloc(bag->attributes, (bag->attribute_count + 1) * sizeof *grown);
    if (grown != NULL) {
        bag->attributes = grown;
        struct pkcs12_attribute *a = &bag->attributes[bag->attribute_count++];
        a->name = strdup(name);
        a->value = attribute_text(w, value, keys);
        if (a->name != NULL && a->value != NULL)
            return;
    }
    error_memory(w->error);
}

/* SET OF SEQUENCE { type, SET OF value } */
static bool read_attributes(struct pkcs12_walk *w, const struct der_item *set)
{
    struct der all = der_inside(set);
    struct der_item attribute, oid, values, value;
    while (w->error->code == ERROR_NONE && der_next(&all, &attribute)) {
        struct der d = der_inside(&attribute);
        if (!der_expect(&d, DER_OID, &oid) || !der_expect(&d, DER_SET, &values))
            return false;
        d = der_inside(&values);
        while (w->error->code == ERROR_NONE && der_next(&d, &value))
            add_attribute(w, &oid, &value);
        if (d.failed)
            return false;
    }
    return !all.failed;
}

/* SafeBag ::= SEQUENCE { type, [0] value, SET OF attribute OPTIONAL } */
void pkcs12_read_bag(struct pkcs12_walk *w, const struct der_item *item, unsigned depth)
{
    struct pkcs12 *out = w->out;
    struct der_item type, wrapped, value, attributes;
    struct pkcs12_bag *grown = realloc(out->bags, (out->bag_count + 1) * sizeof *grown);
    if (grown == NULL) {
        error_memory(w->error);
        return;
    }
    out->bags = grown;
    size_t at = out->bag_count++;
    out->bags[at] =
        (struct pkcs12_bag){.safe = out->safe_count - 1, .depth = depth, .is_known = true};
    struct der d = der_inside(item), inside = d;
    bool ok = der_expect(&d, DER_OID, &type) && der_expect(&d, DER_CONTEXT_0, &wrapped);
    if (ok) {
        inside = der_inside(&wrapped);
        ok = der_next(&inside, &value);
    }
    int nid = ok ? der_oid(&type, out->bags[at].type, true) : NID_undef;
    if (ok && der_optional(&d, DER_SET, &attributes))
        ok = read_attributes(w, &attributes);
    ok = ok && der_at_end(&d);
    ok = ok && read_value(w, nid, &value, depth);
    if (!ok)
        snprintf(out->bags[at].problem, sizeof out->bags[at].problem, "malformed");
}
