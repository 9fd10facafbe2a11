/* pkcs12 - the layers of a PKCS#12 file, from outside in; see pkcs12.h. */
#include "keywrap/pkcs12.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/objects.h>

#include "base/encode.h"
#include "keywrap/pkcs12_private.h"

enum { MAX_SAFES = 64 };

/* PFX ::= SEQUENCE { INTEGER 3, SEQUENCE { OID of PKCS#7 data, … */
static bool looks_like_pfx(const uint8_t *data, size_t length)
{
    struct der_item pfx, version, info, type;
    uint64_t number;
    struct der d = der_over(data, length);
    /* Not der_is_item: a file that is cut off should still be told as what it is. */
    if (length < 16 || data[0] != 0x30)
        return false;
    if (!der_next(&d, &pfx)) {
        size_t header = data[1] < 0x80 ? 2 : 2U + (data[1] & 0x7fU);
        d = header > 6 ? der_over(data, 0) : der_over(data + header, length - header);
    } else {
        d = der_inside(&pfx);
    }
    if (!der_expect(&d, DER_INTEGER, &version) || !der_number(&version, &number) || number != 3)
        return false;
    if (der_next(&d, &info) && info.tag == DER_SEQUENCE) {
        d = der_inside(&info);
        int nid = der_expect(&d, DER_OID, &type) ? der_oid(&type, NULL, false) : NID_undef;
        return nid == NID_pkcs7_data || nid == NID_pkcs7_signed;
    }
    /* Cut off inside: version 3 and a sequence is what is left to see. */
    return d.offset < d.length && d.data[d.offset] == 0x30;
}

/* Base64 text, with line breaks and PEM lines or without, as bytes. */
static bool decode_text(const char *text, size_t length, struct buffer *out)
{
    struct buffer joined = BUFFER_INIT;
    size_t size = base64_decoded_bound(length);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '-' && (i == 0 || text[i - 1] == '\n'))
            while (i < length && text[i] != '\n')
                i++;
        else if (!isspace((unsigned char)text[i]))
            buffer_append_byte(&joined, text[i]);
    }
    uint8_t *bytes = joined.length > 0 ? (uint8_t *)buffer_reserve(out, size) : NULL;
    bool ok =
        bytes != NULL && !joined.failed && base64_decode(joined.data, joined.length, bytes, &size);
    if (ok)
        out->length += size;
    buffer_free(&joined);
    return ok;
}

/* A PFX in base64 begins so, with a header of any length; PEM has its label. */
static bool looks_like_text(const char *data, size_t length)
{
    while (length > 0 && isspace((unsigned char)*data)) {
        data++;
        length--;
    }
    return length > 16 && (memcmp(data, "MI", 2) == 0 || memcmp(data, "-----BEGIN PKCS", 15) == 0);
}

bool pkcs12_is(const void *data, size_t length)
{
    if (length > PKCS12_FILE_MAX)
        return looks_like_pfx(data, 512);
    if (looks_like_pfx(data, length))
        return true;
    struct buffer bytes = BUFFER_INIT;
    bool is = looks_like_text(data, length) && decode_text(data, length, &bytes) &&
              looks_like_pfx((uint8_t *)bytes.data, bytes.length);
    buffer_free(&bytes);
    return is;
}

/* SEQUENCE OF SafeBag, from a plain safe, a decrypted one or inside a bag. */
void pkcs12_read_contents(struct pkcs12_walk *w, const struct der_item *contents, unsigned depth,
                          char *problem)
{
    struct der d = der_inside(contents);
    struct der_item bag;
    if (contents->tag != DER_SEQUENCE)
        d.failed = true;
    while (w->error->code == ERROR_NONE && der_next(&d, &bag)) {
        if (w->out->bag_count == PKCS12_MAX_BAGS) {
            snprintf(problem, PKCS12_PROBLEM, "more than %d bags", PKCS12_MAX_BAGS);
            return;
        }
        pkcs12_read_bag(w, &bag, depth);
    }
    if (d.failed)
        snprintf(problem, PKCS12_PROBLEM, "malformed contents");
}

/* EncryptedData ::= SEQUENCE { version, SEQUENCE { OID, algorithm, [0] bytes } } */
static void read_encrypted(struct pkcs12_walk *w, struct pkcs12_safe *safe,
                           const struct der_item *item, struct buffer *plain)
{
    struct der_item version, info, type, algorithm, bytes;
    struct der d = der_inside(item);
    safe->encrypted = true;
    bool ok = der_expect(&d, DER_INTEGER, &version) && der_expect(&d, DER_SEQUENCE, &info);
    d = ok ? der_inside(&info) : d;
    ok = ok && der_expect(&d, DER_OID, &type) && der_expect(&d, DER_SEQUENCE, &algorithm) &&
         der_expect(&d, DER_CONTEXT_0, &bytes);
    if (!ok)
        snprintf(safe->problem, PKCS12_PROBLEM, "malformed encrypted data");
    else if (!pkcs12_scheme_read(&algorithm, &safe->scheme))
        snprintf(safe->problem, PKCS12_PROBLEM, "its encryption is not known here or malformed");
    else
        safe->opened = pkcs12_decrypt(w, &algorithm, &safe->scheme, &bytes, plain, safe->problem);
}

/* ContentInfo ::= SEQUENCE { type, [0] content }: one safe */
static void read_safe(struct pkcs12_walk *w, const struct der_item *info, struct pkcs12_safe *safe)
{
    char name[DER_OID_TEXT];
    struct buffer plain = BUFFER_INIT;
    struct der_item type, wrapped, content, contents;
    struct der d = der_inside(info);
    bool ok = der_expect(&d, DER_OID, &type) && der_expect(&d, DER_CONTEXT_0, &wrapped);
    d = ok ? der_inside(&wrapped) : d;
    int nid = ok && der_next(&d, &content) ? der_oid(&type, name, true) : NID_undef;
    if (nid == NID_pkcs7_data)
        safe->opened = der_string(&content, &plain);
    else if (nid == NID_pkcs7_encrypted)
        read_encrypted(w, safe, &content, &plain);
    else if (ok && nid != NID_undef)
        snprintf(safe->problem, PKCS12_PROBLEM, "is %s, which no passphrase opens", name);
    else
        snprintf(safe->problem, PKCS12_PROBLEM, "malformed");
    if (safe->opened && der_is_item(plain.data, plain.length, &contents))
        pkcs12_read_contents(w, &contents, 0, safe->problem);
    else if (safe->opened)
        snprintf(safe->problem, PKCS12_PROBLEM, "malformed contents");
    buffer_free(&plain);
}

/* AuthenticatedSafe ::= SEQUENCE OF ContentInfo */
static void read_safes(struct pkcs12_walk *w, const struct buffer *content)
{
    struct pkcs12 *out = w->out;
    struct der_item all, info;
    if (!der_is_item(content->data, content->length, &all) || all.tag != DER_SEQUENCE) {
        snprintf(out->problem, PKCS12_PROBLEM, "malformed: no sequence of safes");
        return;
    }
    struct der d = der_inside(&all);
    while (w->error->code == ERROR_NONE && der_next(&d, &info)) {
        if (out->safe_count == MAX_SAFES) {
            snprintf(out->problem, PKCS12_PROBLEM, "more than %d safes", MAX_SAFES);
            return;
        }
        struct pkcs12_safe *grown = realloc(out->safes, (out->safe_count + 1) * sizeof *out->safes);
        if (grown == NULL) {
            error_memory(w->error);
            return;
        }
        out->safes = grown;
        struct pkcs12_safe safe = {0};
        out->safes[out->safe_count++] = safe;
        read_safe(w, &info, &safe);
        out->safes[out->safe_count - 1] = safe;
    }
    if (d.failed)
        snprintf(out->problem, PKCS12_PROBLEM, "malformed behind safe %zu", out->safe_count);
}

/* PFX ::= SEQUENCE { version, ContentInfo, [MacData] } */
static bool read_pfx(struct pkcs12_walk *w, const uint8_t *data, size_t length)
{
    struct der_item pfx, version, info, type, wrapped, content, mac;
    struct buffer bytes = BUFFER_INIT;
    if (!der_is_item(data, length, &pfx))
        return error_set(w->error, ERROR_DAMAGED,
                         "a PKCS#12 file that is cut off or has something behind its end");
    struct der d = der_inside(&pfx);
    bool ok = der_expect(&d, DER_INTEGER, &version) && der_expect(&d, DER_SEQUENCE, &info);
    struct der i = ok ? der_inside(&info) : d;
    ok = ok && der_expect(&i, DER_OID, &type) && der_expect(&i, DER_CONTEXT_0, &wrapped);
    if (ok && der_oid(&type, NULL, false) != NID_pkcs7_data)
        return error_set(w->error, ERROR_FAILED,
                         "a PKCS#12 file that is signed instead of having a MAC: not supported");
    i = ok ? der_inside(&wrapped) : i;
    ok = ok && der_expect(&i, DER_OCTETS, &content) && der_string(&content, &bytes);
    if (ok && der_optional(&d, DER_SEQUENCE, &mac))
        pkcs12_check_mac(w, &mac, &bytes);
    ok = ok && der_at_end(&d);
    if (ok)
        read_safes(w, &bytes);
    buffer_free(&bytes);
    return ok || error_set(w->error, ERROR_DAMAGED, "a malformed PKCS#12 file");
}

static void conclude(struct pkcs12_walk *w)
{
    struct pkcs12 *out = w->out;
    bool needed = out->any_encrypted || out->has_mac;
    out->password = w->proven.kind;
    out->phrase = w->proven.index;
    if (out->password == PKCS12_PASSWORD_WRONG && !needed)
        out->password = PKCS12_NO_PASSWORD;
    pkcs12_conclude(out);
}

struct pkcs12 *pkcs12_read(const void *data, size_t length, const struct keyring *ring,
                           struct error *error)
{
    struct buffer decoded = BUFFER_INIT;
    struct error inner = ERROR_INIT;
    struct pkcs12_walk w = {
        .out = calloc(1, sizeof *w.out),
        .ring = ring,
        .proven = {.kind = PKCS12_PASSWORD_WRONG},
        .rounds_left = PKCS12_MAX_ROUNDS_IN_ALL,
        .error = &inner,
    };
    if (w.out == NULL) {
        error_memory(&inner);
    } else if (length > PKCS12_FILE_MAX) {
        error_set(&inner, ERROR_DAMAGED, "a PKCS#12 file of more than %d bytes", PKCS12_FILE_MAX);
    } else {
        if (!looks_like_pfx(data, length) && decode_text(data, length, &decoded)) {
            data = decoded.data;
            length = decoded.length;
        }
        if (read_pfx(&w, data, length) && inner.code == ERROR_NONE)
            conclude(&w);
    }
    pkcs12_crypt_end(&w);
    buffer_free(&decoded);
    if (inner.code == ERROR_NONE)
        return w.out;
    *error = inner;
    pkcs12_free(w.out);
    return NULL;
}

void pkcs12_free(struct pkcs12 *p12)
{
    if (p12 == NULL)
        return;
    for (size_t i = 0; i < p12->bag_count; i++) {
        for (size_t a = 0; a < p12->bags[i].attribute_count; a++) {
            free(p12->bags[i].attributes[a].name);
            free(p12->bags[i].attributes[a].value);
        }
        free(p12->bags[i].attributes);
    }
    for (size_t i = 0; i < p12->key_count; i++)
        secret_free(p12->keys[i].key);
    free(p12->safes);
    free(p12->bags);
    free(p12->keys);
    free(p12);
}

bool pkcs12_usable(const struct pkcs12 *p12, struct error *error)
{
    bool sealed = false;
    for (size_t i = 0; i < p12->safe_count; i++)
        sealed |= p12->safes[i].encrypted && !p12->safes[i].opened;
    for (size_t i = 0; i < p12->bag_count; i++)
        sealed |= p12->bags[i].shrouded && p12->bags[i].problem[0] != '\0';
    bool opened_something = p12->password != PKCS12_PASSWORD_WRONG && p12->any_encrypted;
    if (p12->has_mac && !p12->mac_holds && opened_something)
        return error_set(error, ERROR_DAMAGED,
                         "a PKCS#12 file whose MAC does not hold though a passphrase opens it: it "
                         "was damaged or changed");
    if (p12->key_count > 0)
        return true;
    if (p12->problem[0] != '\0')
        return error_set(error, ERROR_DAMAGED, "a PKCS#12 file: %s", p12->problem);
    if (p12->password == PKCS12_PASSWORD_WRONG && sealed)
        return error_set(error, ERROR_NO_KEY,
                         "a PKCS#12 file that no passphrase in hand opens (or it is damaged); give "
                         "its own with --passphrase-file");
    for (size_t i = 0; i < p12->safe_count; i++)
        if (p12->safes[i].problem[0] != '\0')
            return error_set(error, ERROR_DAMAGED, "a PKCS#12 file: safe %zu: %s", i + 1,
                             p12->safes[i].problem);
    return error_set(error, ERROR_NO_KEY,
                     "a PKCS#12 file in which nothing looks like a symmetric key (%zu bags; "
                     "'vmcrypt key explain' lists them)",
                     p12->bag_count);
}
