/* predict - see predict.h. */
#include "tpm/predict.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <zlib.h>

#include "base/file.h"
#include "tpm/event_tag.h"
#include "tpm/event_types.h"

enum { FILE_MAX = 1 << 30, PIECE = 256 << 10 };

bool predict_begin(struct predict *predict, const struct eventlog *log, struct error *error)
{
    *predict = (struct predict){.log = *log};
    predict->log.events = calloc(log->event_count, sizeof *log->events);
    if (predict->log.events == NULL)
        return error_memory(error);
    memcpy(predict->log.events, log->events, log->event_count * sizeof *log->events);
    return true;
}

void predict_end(struct predict *predict)
{
    for (size_t i = 0; i < predict->store_count; i++)
        free(predict->stores[i]);
    free(predict->stores);
    free(predict->log.events);
    *predict = (struct predict){0};
}

/* Memory that is freed with the whole. */
static void *keep(struct predict *predict, size_t size)
{
    void *more = reallocarray(predict->stores, predict->store_count + 1, sizeof *predict->stores);
    if (more == NULL)
        return NULL;
    predict->stores = more;
    void *store = calloc(1, size + 1);
    if (store != NULL)
        predict->stores[predict->store_count++] = store;
    return store;
}

static struct eventlog_event *event_at(struct predict *predict, size_t number, struct error *error)
{
    if (number >= predict->log.event_count) {
        error_set(error, ERROR_USAGE, "there is no event %zu; the last is %zu", number,
                  predict->log.event_count - 1);
        return NULL;
    }
    struct eventlog_event *event = &predict->log.events[number];
    if (event->type == EV_NO_ACTION) {
        error_set(error, ERROR_USAGE, "event %zu is extended into no PCR", number);
        return NULL;
    }
    return event;
}

bool predict_drop(struct predict *predict, size_t number, struct error *error)
{
    struct eventlog_event *event = event_at(predict, number, error);
    if (event == NULL)
        return false;
    event->type = EV_NO_ACTION;
    event->pcr = UINT32_MAX;
    event->length = 0;
    return true;
}

/* Digests of EVENT that can be changed: COUNT of them, with room for their bytes. */
static struct eventlog_digest *own_digests(struct predict *predict, struct eventlog_event *event)
{
    size_t count = event->digest_count;
    struct eventlog_digest *digests = keep(predict, count * sizeof *digests);
    if (digests != NULL && count > 0)
        memcpy(digests, event->digests, count * sizeof *digests);
    if (digests != NULL)
        event->digests = digests;
    return digests;
}

static bool set_digest(struct predict *predict, struct eventlog_digest *digest,
                       const uint8_t *bytes, struct error *error)
{
    uint8_t *store = keep(predict, digest->size);
    if (store == NULL)
        return error_memory(error);
    memcpy(store, bytes, digest->size);
    digest->bytes = store;
    return true;
}

bool predict_set_digest(struct predict *predict, size_t number, uint16_t algorithm,
                        const void *digest, size_t length, struct error *error)
{
    struct eventlog_event *event = event_at(predict, number, error);
    char name[16];
    if (event == NULL)
        return false;
    struct eventlog_digest *digests = own_digests(predict, event);
    if (digests == NULL)
        return error_memory(error);
    for (size_t i = 0; i < event->digest_count; i++)
        if (digests[i].algorithm == algorithm && digests[i].size == length)
            return set_digest(predict, &digests[i], digest, error);
    return error_set(error, ERROR_USAGE, "event %zu has no digest of %zu bytes in bank %s", number,
                     length, bank_name(algorithm, name));
}

/* Where the bytes come from that all banks hash. */
struct source {
    const uint8_t *data;
    size_t length;
    bool packed;
};

static bool inflate_into(const struct source *source, EVP_MD_CTX *context, struct error *error)
{
    z_stream stream = {.next_in = (Bytef *)source->data, .avail_in = (uInt)source->length};
    uint8_t *piece = malloc(PIECE);
    int status = piece == NULL ? Z_MEM_ERROR : inflateInit2(&stream, 16 + MAX_WBITS);
    bool begun = status == Z_OK, ok = begun;
    while (ok && status != Z_STREAM_END) {
        stream.next_out = piece;
        stream.avail_out = PIECE;
        status = inflate(&stream, Z_NO_FLUSH);
        ok = (status == Z_OK || status == Z_STREAM_END) && stream.total_out <= FILE_MAX &&
             EVP_DigestUpdate(context, piece, PIECE - stream.avail_out) == 1;
    }
    if (begun)
        inflateEnd(&stream);
    free(piece);
    return ok || error_set(error, ERROR_DAMAGED,
                           "cannot be unpacked: damaged, or larger than %d MiB", FILE_MAX >> 20);
}

static bool hash_source(const struct source *source, uint16_t algorithm, uint8_t *out,
                        struct error *error)
{
    const char *name = bank_openssl_name(algorithm);
    EVP_MD *md = name == NULL ? NULL : EVP_MD_fetch(NULL, name, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = md != NULL && context != NULL && EVP_DigestInit_ex2(context, md, NULL) == 1;
    if (!ok)
        error_set(error, ERROR_FAILED, "cannot hash for bank 0x%04x", algorithm);
    else if (source->packed)
        ok = inflate_into(source, context, error);
    else
        ok = EVP_DigestUpdate(context, source->data, source->length) == 1;
    ok = ok && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    EVP_MD_free(md);
    return ok;
}

static bool set_source(struct predict *predict, struct eventlog_event *event,
                       const struct source *source, struct error *error)
{
    struct eventlog_digest *digests = own_digests(predict, event);
    if (digests == NULL)
        return error_memory(error);
    for (size_t i = 0; i < event->digest_count; i++) {
        const struct bank_algorithm *bank = bank_by_id(digests[i].algorithm);
        uint8_t digest[BANK_DIGEST_MAX];
        /* A bank that cannot be hashed cannot be replayed either. */
        if (bank == NULL || bank->size != digests[i].size)
            continue;
        if (!hash_source(source, bank->id, digest, error) ||
            !set_digest(predict, &digests[i], digest, error))
            return false;
    }
    return true;
}

bool predict_set_data(struct predict *predict, size_t number, const void *data, size_t length,
                      struct error *error)
{
    struct eventlog_event *event = event_at(predict, number, error);
    struct source source = {data, length, false};
    return event != NULL && set_source(predict, event, &source, error);
}

bool predict_set_file(struct predict *predict, size_t number, const char *path, bool unpack,
                      struct error *error)
{
    struct buffer file = BUFFER_INIT;
    struct eventlog_event *event = event_at(predict, number, error);
    if (event == NULL)
        return false;
    if (event->type >= EV_EFI_BOOT_SERVICES_APPLICATION &&
        event->type <= EV_EFI_RUNTIME_SERVICES_DRIVER)
        return error_set(error, ERROR_FAILED,
                         "the digest of event %zu is an Authenticode hash, not that of a file's "
                         "bytes; give it with --set-digest",
                         number);
    bool ok = file_read_all(path, FILE_MAX, &file, error);
    struct source source = {(const uint8_t *)buffer_text(&file), file.length, false};
    source.packed = unpack && file.length > 2 && memcmp(source.data, "\x1f\x8b", 2) == 0;
    /* The boot loader measures an empty module as one zero byte, which the text's end is. */
    if (unpack && file.length == 0)
        source.length = 1;
    ok = ok && (set_source(predict, event, &source, error) || error_in_file(error, path));
    buffer_free(&file);
    return ok;
}

bool predict_find_tag(const struct predict *predict, const uint32_t *tags, size_t tag_count,
                      const char *name, size_t *number, struct error *error)
{
    size_t found = 0;
    *number = 0;
    for (size_t i = 0; i < predict->log.event_count; i++) {
        const struct eventlog_event *event = &predict->log.events[i];
        struct event_tag tag;
        if (!event_tag_first(event, &tag) || !event_tag_is_esxi(event, &tag))
            continue;
        bool wanted = false;
        for (size_t t = 0; t < tag_count; t++)
            wanted |= tags[t] == tag.id;
        const char *payload = (const char *)event->data + tag.start;
        size_t text = wanted ? strnlen(payload, tag.length) : 0;
        if (!wanted || (name != NULL && (text != strlen(name) || memcmp(payload, name, text) != 0)))
            continue;
        found++;
        *number = i;
    }
    if (found == 1)
        return true;
    return error_set(error, ERROR_FAILED, "%s in this log: %s",
                     found == 0 ? "there is no such ESXi event"
                                : "there is more than one such ESXi event",
                     name == NULL ? "the command line" : name);
}
