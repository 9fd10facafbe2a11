/* Any bytes as the descriptor of a VIB, as a boot.cfg, and as what a module's file has: all that
 * comes out is digests of 64 lower-case digits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/baseimage_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    const uint8_t *data;
    size_t left;
};

static ssize_t read_source(void *user, void *data, size_t length)
{
    struct source *source = user;
    size_t take = length < source->left ? length : source->left;
    memcpy(data, source->data, take);
    source->data += take;
    source->left -= take;
    return (ssize_t)take;
}

static void hash(struct scan *s, const uint8_t *data, size_t size)
{
    struct source source = {data, size};
    const struct scan_stream stream = {read_source, &source};
    struct scan_digest digest;
    struct buffer text = BUFFER_INIT;
    if (scan_hash(s, &stream, &digest, &text))
        scan_add_hashed(s, "", "b.b00", &digest);
    buffer_free(&text);
}

static void check(const json_t *modules)
{
    const char *digest;
    json_t *module;
    json_object_foreach((json_t *)modules, digest, module)
    {
        if (strlen(digest) != 64 || strspn(digest, "0123456789abcdef") != 64)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct log log = {.level = -1};
    struct scan s = {.source = "fuzz",
                     .log = &log,
                     .error = &error,
                     .hashed = json_array(),
                     .listed = json_object(),
                     .modules = json_object()};
    struct buffer text = BUFFER_INIT;
    if (size > 0)
        buffer_append(&text, data, size);
    scan_descriptor(&s, "fuzz.xml", buffer_text(&text), text.length);
    scan_boot_cfg(&s, "", buffer_text(&text));
    hash(&s, data, size);
    scan_settle(&s);
    check(s.modules);
    json_decref(s.hashed);
    json_decref(s.listed);
    json_decref(s.modules);
    buffer_free(&text);
    return 0;
}
