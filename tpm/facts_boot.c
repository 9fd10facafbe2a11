/*
 * facts_boot - Secure Boot and what was booted, from PCR 2, 4 and 7.
 *
 * After go-attestation's ParseSecurebootState [source: attest/secureboot.go]: the settings come
 * before the separator, once each; everything in PCR 7 is data that its digests cover, so that
 * nothing hides behind a rewritten type; what verified an image is in events of its own.
 */
#include "tpm/facts_private.h"

#include <inttypes.h>
#include <string.h>

#include "tpm/event_types.h"

enum { SECURE_BOOT_PCR = 7 };

/* The settings that firmware measures; those of has_key first. */
static const char *const settings[] = {"PK",  "KEK", "db",        "SecureBoot",   "dbx",
                                       "dbt", "dbr", "AuditMode", "DeployedMode", "SetupMode"};
enum { SETTING_DB = 2, SETTING_SECURE_BOOT = 3, SETTING_DBX = 4 };

/* By content, since an event's type can be rewritten. */
static bool is_separator(const struct eventlog_event *event, const struct event_check *check)
{
    static const uint8_t zeros[4] = {0}, ones[4] = {0xff, 0xff, 0xff, 0xff};
    return event_covers(check, 0, event->length) && event->length == 4 &&
           (memcmp(event->data, zeros, 4) == 0 || memcmp(event->data, ones, 4) == 0);
}

static json_t *certificate_subject(struct finding *f, const uint8_t *der, size_t length)
{
    json_t *certificate = value_certificate(der, length, &f->failed);
    json_t *subject = json_incref(json_object_get(certificate, "subject"));
    json_decref(certificate);
    return subject;
}

static json_t *hash_text(const uint8_t *bytes, size_t length)
{
    json_t *hex = value_hex(bytes, length > 64 ? 64 : length);
    json_t *text = length == 32 ? json_sprintf("sha256 %s", json_string_value(hex))
                                : json_sprintf("%zu bytes %s", length, json_string_value(hex));
    json_decref(hex);
    return text;
}

static json_t *entry_text(struct finding *f, const uint8_t *bytes, size_t length)
{
    json_t *subject = certificate_subject(f, bytes, length);
    return subject != NULL ? subject : hash_text(bytes, length);
}

static void find_entries(struct finding *f, const struct eventlog_event *event,
                         const struct event_check *check, const struct variable *v, size_t setting)
{
    struct reader in = reader_over(v->data, v->length);
    struct signature_list list;
    size_t count = 0;
    while (reader_left(&in) > 0 && !f->failed) {
        if (!signature_list_read(&in, &list)) {
            finding_problem(f, event, true, "%s does not parse as a list of signatures",
                            settings[setting]);
            return;
        }
        if (list.header > 0)
            finding_problem(f, event, true, "%s has a list with a header, where more could hide",
                            settings[setting]);
        if ((count += list.entry_count) > FACTS_ENTRIES_MAX) {
            finding_problem(f, event, true, "%s has too many entries", settings[setting]);
            return;
        }
        for (size_t i = 0; i < list.entry_count && !f->failed; i++) {
            const uint8_t *at = list.entries + i * list.entry_size + SIGNATURE_OWNER_BYTES;
            size_t length = list.entry_size - SIGNATURE_OWNER_BYTES;
            struct claim claim = {.kind = FACT_DB_ENTRY,
                                  .authenticated = event_covers(check, 0, event->length),
                                  .name = json_string(settings[setting]),
                                  .value = list.is_x509 ? entry_text(f, at, length)
                                                        : hash_text(at, length),
                                  .blob = at,
                                  .blob_length = length};
            finding_add(f, event, claim);
            if (setting <= SETTING_DB)
                f->has_key[setting] = true;
        }
    }
}

static void find_secure_boot(struct finding *f, const struct eventlog_event *event,
                             const struct event_check *check, const struct variable *v)
{
    /* Firmware that has no such variable measures it without data. */
    if (v->length > 1 || (v->length == 1 && v->data[0] > 1)) {
        finding_problem(f, event, true, "SecureBoot is neither 0 nor 1");
        return;
    }
    bool on = v->length == 1 && v->data[0] == 1;
    f->secure_boot_on = on;
    struct claim claim = {.kind = FACT_SECURE_BOOT,
                          .authenticated = event_covers(check, 0, event->length),
                          .name = json_string("SecureBoot"),
                          .value = json_string(on ? "on" : "off")};
    finding_add(f, event, claim);
}

static void find_setting(struct finding *f, const struct eventlog_event *event,
                         const struct event_check *check)
{
    struct variable v;
    size_t setting = 0, count = sizeof settings / sizeof settings[0];
    if (!variable_read(event, &v)) {
        finding_problem(f, event, true, "a setting in PCR 7 that is no UEFI variable");
        return;
    }
    while (setting < count && !variable_is(&v, settings[setting]))
        setting++;
    if (f->separators[SECURE_BOOT_PCR] > 0) {
        finding_problem(f, event, true, "%s is measured behind the separator of PCR 7",
                        setting < count ? settings[setting] : "a setting");
        return;
    }
    if (setting == count)
        return;
    if ((f->seen & (UINT32_C(1) << setting)) != 0) {
        finding_problem(f, event, true, "%s is measured twice", settings[setting]);
        return;
    }
    f->seen |= UINT32_C(1) << setting;
    if (setting == SETTING_SECURE_BOOT)
        find_secure_boot(f, event, check, &v);
    else if (setting <= SETTING_DBX)
        find_entries(f, event, check, &v, setting);
}

/* shim measures settings of its own in the same way. */
static bool is_shim_setting(const struct variable *v)
{
    static const char *const names[] = {"SbatLevel", "MokListTrusted", "MokSBState", "MokDBState"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (variable_is(v, names[i]))
            return true;
    return false;
}

static void find_authority(struct finding *f, const struct eventlog_event *event,
                           const struct event_check *check)
{
    struct variable v;
    if (!variable_read(event, &v)) {
        finding_problem(f, event, true, "an authority in PCR 7 that is no UEFI variable");
        return;
    }
    if (is_shim_setting(&v))
        return;
    f->seen_authority = true;
    /* Behind its owner's GUID, or alone as shim has its own. */
    size_t skip = v.length > SIGNATURE_OWNER_BYTES ? SIGNATURE_OWNER_BYTES : 0;
    json_t *value = certificate_subject(f, v.data + skip, v.length - skip);
    if (value == NULL && skip > 0 && (value = certificate_subject(f, v.data, v.length)) != NULL)
        skip = 0;
    struct claim claim = {.kind = FACT_AUTHORITY,
                          .authenticated = event_covers(check, 0, v.start + v.length),
                          .name = value_utf16(v.name, v.name_length),
                          .value =
                              value != NULL ? value : hash_text(v.data + skip, v.length - skip),
                          .blob = v.data + skip,
                          .blob_length = v.length - skip};
    finding_add(f, event, claim);
}

static bool says(const struct eventlog_event *event, const struct event_check *check,
                 const char *text)
{
    size_t length = strlen(text);
    return event->length >= length && memcmp(event->data, text, length) == 0 &&
           (event->length == length ||
            (event->length == length + 1 && event->data[length] == '\0')) &&
           event_covers(check, 0, length);
}

static void find_in_secure_boot_pcr(struct finding *f, const struct eventlog_event *event,
                                    const struct event_check *check)
{
    struct claim claim = {.authenticated = true};
    /* Two warnings whose type does not matter: nobody would add them to look better. */
    if (says(event, check, "DMA Protection Disabled")) {
        claim.kind = FACT_DMA_PROTECTION_OFF;
        finding_add(f, event, claim);
    } else if (says(event, check, "UEFI Debug Mode")) {
        claim.kind = FACT_DEBUG_MODE;
        finding_add(f, event, claim);
    } else if (event->type == EV_EFI_VARIABLE_DRIVER_CONFIG) {
        find_setting(f, event, check);
    } else if (event->type == EV_EFI_VARIABLE_AUTHORITY) {
        find_authority(f, event, check);
    } else if (check->coverage == EVENT_COVERS_NOTHING && !check->failed) {
        char name[24];
        finding_problem(f, event, true, "%s in PCR 7, whose data its digest does not cover",
                        eventlog_type_name(event->type, name));
    }
}

/* UEFI_IMAGE_LOAD_EVENT, of which nothing is covered: the path is a hint. */
static void find_image(struct finding *f, const struct eventlog_event *event,
                       const struct event_check *check)
{
    bool image = event->type == EV_EFI_BOOT_SERVICES_APPLICATION ||
                 event->type == EV_EFI_BOOT_SERVICES_DRIVER ||
                 event->type == EV_EFI_RUNTIME_SERVICES_DRIVER;
    if (!image)
        return;
    json_t *decoded = event_decode(f->log, event, check);
    json_t *path = json_object_get(json_object_get(decoded, "fields"), "path");
    f->failed = f->failed || decoded == NULL;
    struct claim claim = {.kind = FACT_BOOT_IMAGE, .name = json_incref(path)};
    finding_add(f, event, claim);
    json_decref(decoded);
}

void facts_boot(struct finding *f, const struct eventlog_event *event,
                const struct event_check *check)
{
    char name[24];
    if (check->failed)
        finding_problem(f, event, true, "%s whose digest is not the hash of its data",
                        eventlog_type_name(event->type, name));
    find_image(f, event, check);
    /* Registers of a confidential VM are shared by several PCRs. */
    if (f->log->cc || event->pcr > SECURE_BOOT_PCR)
        return;
    if (check->coverage == EVENT_COVERS_FIXED)
        finding_problem(f, event, true, "the firmware reports an error in PCR %" PRIu32,
                        event->pcr);
    if (is_separator(event, check))
        f->separators[event->pcr]++;
    else if (event->pcr == SECURE_BOOT_PCR && check->coverage != EVENT_COVERS_FIXED)
        find_in_secure_boot_pcr(f, event, check);
}

static void find_separators(struct finding *f)
{
    size_t there = 0;
    for (size_t pcr = 0; pcr <= SECURE_BOOT_PCR; pcr++)
        there += f->separators[pcr] > 0;
    for (size_t pcr = 0; pcr <= SECURE_BOOT_PCR; pcr++) {
        bool needed = pcr == SECURE_BOOT_PCR && f->seen != 0;
        if (f->separators[pcr] > 1)
            finding_problem(f, NULL, true, "PCR %zu has %zu separators", pcr, f->separators[pcr]);
        else if (f->separators[pcr] == 0 && (needed || there > 0))
            finding_problem(f, NULL, needed, "PCR %zu has no separator", pcr);
    }
}

void facts_boot_end(struct finding *f)
{
    /* A report is a selection of events. */
    if (f->failed || f->log->cc || f->log->partial)
        return;
    find_separators(f);
    if (!f->secure_boot_on)
        return;
    for (size_t i = 0; i <= SETTING_DB; i++)
        if (!f->has_key[i])
            finding_problem(f, NULL, false, "Secure Boot is on, but there is no key in %s",
                            settings[i]);
    if (!f->seen_authority)
        finding_problem(f, NULL, true, "Secure Boot is on, but nothing was verified by it");
}
