/*
 * event_signature - Secure Boot's databases: EFI_SIGNATURE_LISTs of certificates and hashes
 * [source: UEFI 2.10, §32.4.1].
 *
 * A list's header must be passed over and every size checked against the list's: readers that did
 * neither could be shown other certificates than the firmware saw (GHSA-9r4w-jg96-92mv).
 */
#include "tpm/event_private.h"

#include <string.h>

enum { LIST_BYTES = 28 };

static bool is_type(const uint8_t *type, const char *text)
{
    char own[37];
    guid_text(type, own);
    return strcmp(own, text) == 0;
}

bool signature_list_read(struct reader *in, struct signature_list *list)
{
    list->type = reader_bytes(in, 16);
    uint32_t size = reader_u32(in), header = reader_u32(in), entry = reader_u32(in);
    if (in->failed || size < LIST_BYTES || size - LIST_BYTES > reader_left(in) ||
        header > size - LIST_BYTES || entry < SIGNATURE_OWNER_BYTES)
        return false;
    size_t entries = size - LIST_BYTES - header;
    if (entries % entry != 0)
        return false;
    reader_skip(in, header);
    list->is_x509 = is_type(list->type, "a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
    list->header = header;
    list->entry_size = entry;
    list->entry_count = entries / entry;
    list->entries = reader_bytes(in, entries);
    return !in->failed;
}

static json_t *entry_value(const struct signature_list *list, const uint8_t *at)
{
    const uint8_t *data = at + SIGNATURE_OWNER_BYTES;
    size_t length = list->entry_size - SIGNATURE_OWNER_BYTES;
    json_t *entry = json_object();
    bool failed = !value_add(entry, "owner", value_guid(at));
    if (guid_name(at) != NULL)
        failed = !value_add(entry, "owner_name", json_string(guid_name(at))) || failed;
    json_t *certificate = list->is_x509 ? value_certificate(data, length, &failed) : NULL;
    if (certificate != NULL)
        failed = !value_add(entry, "certificate", certificate) || failed;
    else if (is_type(list->type, "c1c41626-504c-4092-aca9-41f936934328") && length == 32)
        failed = !value_add(entry, "sha256", value_hex(data, length)) || failed;
    else
        failed = !value_add(entry, "data", value_hex(data, length)) || failed;
    if (!failed)
        return entry;
    json_decref(entry);
    return NULL;
}

static json_t *list_value(struct decoding *d, const struct signature_list *list)
{
    json_t *value = json_object(), *entries = json_array();
    bool ok = value_add(value, "type", value_guid(list->type));
    if (guid_name(list->type) != NULL)
        ok = value_add(value, "type_name", json_string(guid_name(list->type))) && ok;
    for (size_t i = 0; ok && i < list->entry_count && decoding_count(d); i++)
        ok = value_append(entries, entry_value(list, list->entries + i * list->entry_size));
    ok = value_add(value, "entries", entries) && ok;
    if (ok)
        return value;
    json_decref(value);
    return NULL;
}

static void summarize(struct decoding *d, size_t certificates, size_t others)
{
    decoding_summary(d, ":");
    if (certificates > 0 || others == 0)
        decoding_summary(d, " %zu certificate%s", certificates, certificates == 1 ? "" : "s");
    if (others > 0)
        decoding_summary(d, "%s %zu hash%s", certificates > 0 ? "," : "", others,
                         others == 1 ? "" : "es");
}

bool decode_signature_lists(struct decoding *d, const struct variable *v)
{
    struct reader in = reader_over(v->data, v->length);
    json_t *lists = json_array();
    bool ok = lists != NULL;
    size_t certificates = 0, others = 0;
    while (ok && reader_left(&in) > 0) {
        struct signature_list list;
        if (!signature_list_read(&in, &list)) {
            decoding_problem(d, "a signature list whose sizes contradict each other");
            json_decref(lists);
            return false;
        }
        if (list.header > 0)
            decoding_problem(d, "a signature list with a header of %zu bytes, not shown",
                             list.header);
        *(list.is_x509 ? &certificates : &others) += list.entry_count;
        if (decoding_count(d))
            ok = value_append(lists, list_value(d, &list));
    }
    d->failed = d->failed || !ok;
    decoding_put(d, "signature_lists", lists, v->start, v->length);
    summarize(d, certificates, others);
    return true;
}

/* The certificate, and where it lies: behind the owner's GUID, or alone as shim has its own. */
static json_t *find_certificate(struct decoding *d, const struct variable *v, bool *owned)
{
    json_t *found = NULL;
    *owned = false;
    if (v->length > SIGNATURE_OWNER_BYTES)
        found = value_certificate(v->data + SIGNATURE_OWNER_BYTES,
                                  v->length - SIGNATURE_OWNER_BYTES, &d->failed);
    if (found != NULL)
        *owned = true;
    else
        found = value_certificate(v->data, v->length, &d->failed);
    return found;
}

/* EFI_SIGNATURE_DATA: the entry of a database that verified an image. */
bool decode_signature(struct decoding *d, const struct variable *v)
{
    bool owned;
    json_t *certificate = find_certificate(d, v, &owned);
    if (certificate == NULL && v->length != SIGNATURE_OWNER_BYTES + 32)
        return false;
    if (owned || certificate == NULL)
        decoding_put(d, "owner", value_guid(v->data), v->start, SIGNATURE_OWNER_BYTES);
    size_t start = owned || certificate == NULL ? SIGNATURE_OWNER_BYTES : 0;
    if (certificate != NULL) {
        json_t *subject = json_object_get(certificate, "subject");
        decoding_summary(d, ": ");
        decoding_summary_text(d, json_string_value(subject));
        decoding_put(d, "certificate", certificate, v->start + start, v->length - start);
    } else {
        decoding_summary(d, ": hash of an image");
        decoding_put(d, "sha256", value_hex(v->data + start, 32), v->start + start, 32);
    }
    return true;
}
