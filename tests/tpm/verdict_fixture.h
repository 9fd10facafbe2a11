/*
 * verdict_fixture - a host with a TPM in software: what is measured goes into its PCRs, what the
 * log says is written apart from that, so that a test can lie. Quotes are genuine.
 */
#ifndef VMCRYPT_TESTS_TPM_VERDICT_FIXTURE_H
#define VMCRYPT_TESTS_TPM_VERDICT_FIXTURE_H

#include "base/encode.h"
#include "tests/tpm/quote_fixture.h"
#include "tests/tpm/samples.h"
#include "tpm/event_types.h"
#include "tpm/verdict.h"

#define NONCE "fresh"
#define IMAGE_FILE "image.yaml"

enum { LOADER_PCRS = 0x7800, USUAL_PCRS = 0x78ff, HOST_TIME = 1700000000 };

static const uint16_t host_banks[2] = {BANK_SHA256, BANK_SHA384};
static const char *const host_hashes[2] = {"SHA256", "SHA384"};

struct host {
    struct buffer log;
    size_t banks; /* that the TPM has */
    uint8_t pcrs[2][PCR_COUNT][64];
    EVP_PKEY *key;
    struct quote_key ak;
    const char *nonce;
};

/* Bytes that were hashed, or stand in a log. */
struct piece {
    const void *bytes; /* NULL: none */
    size_t length;
};

static inline struct piece text_piece(const char *text)
{
    return (struct piece){text, strlen(text)};
}

static inline struct piece buffer_piece(const struct buffer *b)
{
    return (struct piece){b->data, b->length};
}

static const struct piece no_piece = {NULL, 0};

static inline void hash_piece(size_t bank, struct piece what, uint8_t *out)
{
    assert_int_equal(EVP_Digest(what.bytes, what.length, out, NULL,
                                EVP_get_digestbyname(host_hashes[bank]), NULL),
                     1);
}

/* What a TPM does, in one bank. */
static inline void host_extend(struct host *h, size_t bank, unsigned pcr, struct piece what)
{
    size_t size = bank_by_id(host_banks[bank])->size;
    uint8_t both[128];
    memcpy(both, h->pcrs[bank][pcr], size);
    hash_piece(bank, what, both + size);
    hash_piece(bank, (struct piece){both, 2 * size}, h->pcrs[bank][pcr]);
}

/* What a log says: digests of FIRST and SECOND in the two banks, or none; and DATA. */
static inline void host_record(struct host *h, unsigned pcr, uint32_t type, struct piece first,
                               struct piece second, struct piece data)
{
    const struct piece pieces[2] = {first, second};
    uint8_t digest[64];
    put32(&h->log, pcr);
    put32(&h->log, type);
    put32(&h->log, (first.bytes != NULL) + (second.bytes != NULL));
    for (size_t b = 0; b < 2; b++) {
        if (pieces[b].bytes == NULL)
            continue;
        hash_piece(b, pieces[b], digest);
        put16(&h->log, host_banks[b]);
        buffer_append(&h->log, digest, bank_by_id(host_banks[b])->size);
    }
    put32(&h->log, (uint32_t)data.length);
    buffer_append(&h->log, data.bytes, data.length);
}

/* Both, honestly: HASHED goes into all banks. */
static inline void host_measure(struct host *h, unsigned pcr, uint32_t type, struct piece hashed,
                                struct piece data)
{
    for (size_t b = 0; b < h->banks; b++)
        host_extend(h, b, pcr, hashed);
    host_record(h, pcr, type, hashed, h->banks > 1 ? hashed : no_piece, data);
}

/* HASHED is what was measured, but the log says DATA of it. */
static inline void host_say(struct host *h, unsigned pcr, uint32_t type, struct piece data)
{
    host_measure(h, pcr, type, data, data);
}

static inline void host_open(struct host *h, size_t banks)
{
    struct error error = ERROR_INIT;
    memset(h, 0, sizeof *h);
    h->banks = banks;
    h->nonce = NONCE;
    memset(h->pcrs[0][17], 0xff, 6 * sizeof h->pcrs[0][0]);
    memset(h->pcrs[1][17], 0xff, 6 * sizeof h->pcrs[0][0]);
    put_spec(&h->log, 0, host_banks, banks, 0, 0);
    h->key = make_ec("P-256");
    struct bytes area = public_bytes(h->key, AK_ATTRIBUTES, 0x0018, BANK_SHA256);
    assert_true(quote_key_parse(&h->ak, "ak", area.at, area.length, &error));
}

static inline void host_close(struct host *h)
{
    buffer_free(&h->log);
    quote_key_free(&h->ak);
    EVP_PKEY_free(h->key);
}

/* UEFI_VARIABLE_DATA; the GUID matters for the global ones alone. */
static inline void put_uefi(struct buffer *b, bool global, const char *name, struct piece data)
{
    static const uint8_t guids[2][16] = {{0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3,
                                          0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f},
                                         {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa,
                                          0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}};
    buffer_append(b, guids[global], 16);
    put32(b, (uint32_t)strlen(name));
    put32(b, 0);
    put32(b, (uint32_t)data.length);
    put32(b, 0);
    for (const char *c = name; *c != '\0'; c++)
        put16(b, (unsigned char)*c);
    buffer_append(b, data.bytes, data.length);
}

static const char vendor[] = "the vendor's certificate", stranger[] = "a stranger's certificate";

/* An owner's GUID and a certificate. */
static inline void say_authority(struct host *h, const char *certificate)
{
    struct buffer value = BUFFER_INIT, data = BUFFER_INIT;
    buffer_append(&value, "0123456789abcdef", 16);
    buffer_append(&value, certificate, strlen(certificate));
    put_uefi(&data, false, "db", buffer_piece(&value));
    host_say(h, 7, EV_EFI_VARIABLE_AUTHORITY, buffer_piece(&data));
    buffer_free(&value);
    buffer_free(&data);
}

static inline void say_setting(struct host *h, bool global, const char *name, struct piece value)
{
    struct buffer data = BUFFER_INIT;
    put_uefi(&data, global, name, value);
    host_say(h, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, buffer_piece(&data));
    buffer_free(&data);
}

static const struct piece one = {"\1", 1}, zero = {"\0", 1}, separator = {"\0\0\0\0", 4};

static inline void boot_settings(struct host *h, struct piece secure_boot)
{
    say_setting(h, true, "SecureBoot", secure_boot);
    say_setting(h, true, "PK", no_piece);
    say_setting(h, true, "KEK", no_piece);
    say_setting(h, false, "db", no_piece);
    say_setting(h, false, "dbx", no_piece);
}

static inline void boot_separators(struct host *h)
{
    for (unsigned pcr = 0; pcr < 8; pcr++)
        host_say(h, pcr, EV_SEPARATOR, separator);
}

/* What firmware measures up to the boot loader. */
static inline void boot_firmware(struct host *h)
{
    host_say(h, 0, EV_S_CRTM_VERSION, text_piece("1.2.3"));
    boot_settings(h, one);
    boot_separators(h);
    host_say(h, 4, EV_EFI_ACTION, text_piece("Calling EFI Application from Boot Option"));
    say_authority(h, vendor);
    host_measure(h, 4, EV_EFI_BOOT_SERVICES_APPLICATION, text_piece("the boot loader"),
                 text_piece("at some place"));
}

/* A tag of ESXi's: HASHED is its payload when it has no bytes. */
static inline void say_tag(struct host *h, unsigned pcr, uint32_t tag, struct piece hashed,
                           struct piece payload)
{
    struct buffer data = BUFFER_INIT;
    put32(&data, tag);
    put32(&data, (uint32_t)payload.length);
    buffer_append(&data, payload.bytes, payload.length);
    host_measure(h, pcr, EV_EVENT_TAG, hashed.bytes != NULL ? hashed : payload,
                 buffer_piece(&data));
    buffer_free(&data);
}

static inline void say_module(struct host *h, unsigned pcr, const char *name, const char *content)
{
    say_tag(h, pcr, 2, text_piece(content), (struct piece){name, strlen(name) + 1});
}

static const char *const image_modules[] = {"kernel", "another kernel part", "driver", "updater"};

static inline void boot_modules(struct host *h)
{
    say_module(h, 12, "b.b00", image_modules[0]);
    say_module(h, 12, "k.b00", image_modules[1]);
    say_module(h, 13, "driver.v00", image_modules[2]);
    say_module(h, 11, "esxupdt.v00", image_modules[3]);
}

static inline void boot_texts(struct host *h)
{
    say_tag(h, 14, 7, no_piece, text_piece(vendor));
    say_tag(h, 14, 4, no_piece, text_piece("/b.b00 autoPartition=FALSE bootUUID=01"));
}

static inline void boot_good(struct host *h)
{
    boot_firmware(h);
    boot_modules(h);
    boot_texts(h);
}

static inline const char *sha256_text(const char *content, char text[65])
{
    uint8_t digest[32];
    hash_piece(0, text_piece(content), digest);
    return hex_text(digest, sizeof digest, text);
}

static inline void save_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

/* The base image of image_modules, which policies name. */
static inline void save_image(void)
{
    char text[2000] = "version: 1\nname: made up\nmodules:\n", hex[65];
    for (size_t i = 0; i < 4; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "  - {name: m%zu, sha256: %s}\n",
                 i, sha256_text(image_modules[i], hex));
    save_text(IMAGE_FILE, text);
}

struct host_quote {
    struct quote quote;
    struct pcr_set values;
};

/* A genuine quote of PCRS in one bank, RESETS after the TPM was made. */
static inline void host_quote(const struct host *h, size_t bank, uint32_t pcrs, unsigned resets,
                              struct host_quote *out)
{
    struct attest a = {.magic = 0xff544347,
                       .type = 0x8018,
                       .signer = h->ak.name,
                       .signer_length = h->ak.name_length,
                       .nonce = h->nonce,
                       .safe = 1,
                       .bank_count = 1};
    struct buffer values = BUFFER_INIT;
    struct error error = ERROR_INIT;
    size_t size = bank_by_id(host_banks[bank])->size;
    memset(out, 0, sizeof *out);
    a.banks[0].algorithm = host_banks[bank];
    a.banks[0].size = 3;
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if (pcrs >> pcr & 1) {
            a.banks[0].bits[pcr / 8] |= (uint8_t)(1 << pcr % 8);
            buffer_append(&values, h->pcrs[bank][pcr], size);
            pcr_put(&out->values, host_banks[bank], pcr, h->pcrs[bank][pcr], size);
        }
    hash_piece(0, buffer_piece(&values), a.digest);
    a.digest_length = 32;
    struct bytes msg = attest_bytes(&a);
    /* resetCount, behind header, signer, nonce and clock */
    msg.at[4 + 2 + 2 + h->ak.name_length + 2 + strlen(h->nonce) + 8 + 3] = (uint8_t)resets;
    struct bytes sig = sign(h->key, 0x0018, BANK_SHA256, "SHA256", &msg);
    assert_true(quote_parse(&out->quote, "msg", msg.at, msg.length, "sig", sig.at, sig.length,
                            &h->ak, &error));
    buffer_free(&values);
}

/* A policy that pins the AK and lists what a good boot has; PARTS (NULL: none) is there instead of
 * what is about the boot, and of the AK too when it speaks of it. */
static inline void host_policy(const struct host *h, const char *parts, struct policy *policy)
{
    char text[4000], name[2 * 70 + 1], certificate[65];
    struct error error = ERROR_INIT;
    sha256_text(vendor, certificate);
    hex_text(h->ak.name, h->ak.name_length, name);
    bool has_key = parts != NULL && strstr(parts, "attestation-key") != NULL;
    snprintf(text, sizeof text, "version: 1\n");
    if (!has_key)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "attestation-key: {binding: [name], names: [%s]}\n", name);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s", parts != NULL ? parts : "");
    if (parts == NULL)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "boot: {secure-boot: required, authorities: [%s]}\n"
                 "esxi:\n  base-images: [" IMAGE_FILE
                 "]\n  signers: [%s]\n  volatile: [state.tgz]\n"
                 "  command-lines: [/b.b00 autoPartition=FALSE]\n"
                 "  security-options: [execInstalledOnly = TRUE]\n",
                 certificate, certificate);
    if (!policy_parse(policy, "policy.yaml", text, strlen(text), &error))
        fail_msg("%s: %s", text, error.message);
}

/* "" when the host is trusted; else what the checks that failed say, a line each. Malloc'd. */
static inline char *host_judge(const struct host *h, const char *parts,
                               const struct host_quote *quotes, size_t count)
{
    struct policy policy;
    struct eventlog log;
    struct verdict verdict;
    struct error error = ERROR_INIT;
    struct buffer why = BUFFER_INIT;
    host_policy(h, parts, &policy);
    assert_true(eventlog_parse(&log, h->log.data, h->log.length, &error));
    struct verdict_evidence evidence = {.log = &log,
                                        .quote_count = count,
                                        .ak = &h->ak,
                                        .nonce = h->nonce,
                                        .nonce_length = strlen(h->nonce),
                                        .now = HOST_TIME};
    for (size_t i = 0; i < count; i++)
        evidence.quotes[i] = (struct verdict_quote){&quotes[i].quote, &quotes[i].values};
    assert_true(verdict_judge(&evidence, &policy, &verdict, &error));
    for (size_t r = 0; !verdict.trusted && r < VERDICT_RUNGS; r++)
        for (size_t i = 0; i < json_array_size(verdict.rungs[r].details); i++) {
            const json_t *line = json_array_get(verdict.rungs[r].details, i);
            if (strcmp(json_string_value(json_object_get(line, "outcome")), "FAIL") != 0)
                continue;
            const char *detail = json_string_value(json_object_get(line, "detail"));
            buffer_append(&why, detail, strlen(detail));
            buffer_append(&why, "\n", 1);
        }
    if (!verdict.trusted && why.length == 0)
        buffer_append(&why, "no reason\n", 10);
    char *text = strdup(buffer_text(&why));
    buffer_free(&why);
    verdict_free(&verdict);
    eventlog_free(&log);
    policy_free(&policy);
    return text;
}

/* Judge H by one quote of PCRS; WHY NULL: it is trusted, else what must be among the reasons. */
static inline void host_expect(struct host *h, const char *parts, uint32_t pcrs, const char *why)
{
    struct host_quote q;
    host_quote(h, 0, pcrs, 3, &q);
    char *reasons = host_judge(h, parts, &q, 1);
    if (why == NULL ? reasons[0] != '\0' : strstr(reasons, why) == NULL)
        fail_msg("%s, not \"%s\"", reasons[0] == '\0' ? "trusted" : reasons,
                 why == NULL ? "trusted" : why);
    free(reasons);
    quote_free(&q.quote);
}

#endif
