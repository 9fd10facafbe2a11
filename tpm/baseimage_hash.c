/* baseimage_hash - digests of modules; see baseimage_scan.h. */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "tpm/baseimage_scan.h"

enum { CHUNK = 1 << 18 };

static const uint8_t SIGNATURE_MAGIC[4] = {0xed, 0x11, 0xbe, 0x1a};

struct hashing {
    EVP_MD_CTX *context;
    struct scan_digest *digest;
    uint8_t tail[4]; /* the last bytes so far */
    z_stream inflate;
    bool inflating;
    bool ended; /* a gzip member ended; what follows may be another, or padding */
    uint8_t in[CHUNK], out[CHUNK];
};

static bool add(struct hashing *h, const uint8_t *data, size_t length)
{
    if (length >= sizeof h->tail) {
        memcpy(h->tail, data + length - sizeof h->tail, sizeof h->tail);
    } else {
        memmove(h->tail, h->tail + length, sizeof h->tail - length);
        memcpy(h->tail + sizeof h->tail - length, data, length);
    }
    h->digest->bytes += length;
    return h->digest->bytes <= SCAN_PLAIN_MAX && EVP_DigestUpdate(h->context, data, length) == 1;
}

/* Decompress LENGTH bytes of h->in. */
static bool add_compressed(struct hashing *h, size_t length)
{
    h->inflate.next_in = h->in;
    h->inflate.avail_in = (uInt)length;
    while (h->inflate.avail_in > 0) {
        if (h->ended) {
            if (h->inflate.next_in[0] != 0x1f)
                return true; /* padding behind the last member */
            if (inflateReset(&h->inflate) != Z_OK)
                return false;
            h->ended = false;
        }
        h->inflate.next_out = h->out;
        h->inflate.avail_out = sizeof h->out;
        int status = inflate(&h->inflate, Z_NO_FLUSH);
        if ((status != Z_OK && status != Z_STREAM_END) ||
            !add(h, h->out, sizeof h->out - h->inflate.avail_out))
            return false;
        h->ended = status == Z_STREAM_END;
    }
    return true;
}

static void keep_text(struct buffer *text, const uint8_t *data, size_t length)
{
    if (text != NULL && text->length + length <= SCAN_TEXT_MAX)
        buffer_append(text, data, length);
}

static bool hash_all(struct scan *s, struct hashing *h, const struct scan_stream *stream,
                     struct buffer *text)
{
    bool first = true;
    for (;;) {
        ssize_t got = stream->read(stream->user, h->in, sizeof h->in);
        if (got < 0)
            return false;
        if (got == 0)
            break;
        keep_text(text, h->in, (size_t)got);
        if (first && got >= 2 && h->in[0] == 0x1f && h->in[1] == 0x8b) {
            h->inflating = inflateInit2(&h->inflate, 16 + MAX_WBITS) == Z_OK;
            if (!h->inflating)
                return error_memory(s->error);
        }
        first = false;
        if (!(h->inflating ? add_compressed(h, (size_t)got) : add(h, h->in, (size_t)got)))
            return error_set(s->error, ERROR_DAMAGED, "cannot be decompressed, or is too large");
    }
    h->digest->compressed = h->inflating;
    if (h->inflating && !h->ended)
        return error_set(s->error, ERROR_DAMAGED, "its compressed data are cut off");
    h->digest->has_signature = memcmp(h->tail, SIGNATURE_MAGIC, sizeof h->tail) == 0;
    return EVP_DigestFinal_ex(h->context, h->digest->sha256, NULL) == 1;
}

bool scan_hash(struct scan *s, const struct scan_stream *stream, struct scan_digest *digest,
               struct buffer *text)
{
    struct hashing *h = calloc(1, sizeof *h);
    *digest = (struct scan_digest){.bytes = 0};
    if (h == NULL)
        return error_memory(s->error);
    h->digest = digest;
    h->context = EVP_MD_CTX_new();
    bool ok = (h->context != NULL && EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1) ||
              error_memory(s->error);
    ok = ok && hash_all(s, h, stream, text);
    if (h->inflating)
        inflateEnd(&h->inflate);
    EVP_MD_CTX_free(h->context);
    free(h);
    return ok;
}
