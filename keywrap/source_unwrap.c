/* source_unwrap - keys that were exported under another key; see source.h. */
#include "keywrap/source_text.h"

struct secret *source_unwrap(struct source *source, struct secret *bytes, struct error *error)
{
    const struct wrap_key *key = source->options->unwrap;
    if (bytes == NULL || key == NULL)
        return bytes;
    enum wrap_method method;
    struct secret *plain = wrap_open_any(key, bytes->data, bytes->length, &method, error);
    secret_free(bytes);
    if (plain == NULL)
        return NULL;
    if (source_is_key_size(plain->length)) {
        source->checked = true; /* a wrapped key may be read by others */
        log_say(source->log, LOG_INFO, "%s: unwrapped with %s", source->path,
                wrap_method_name(method));
        return plain;
    }
    error_set(error, ERROR_DAMAGED, "unwraps (%s) to %zu bytes; keys of VMs have 16, 24, 32 or 64",
              wrap_method_name(method), plain->length);
    secret_free(plain);
    return NULL;
}

bool source_add_bytes(struct source *source, const struct keyring_key *about, struct secret *bytes,
                      struct error *error)
{
    struct keyring_key key = *about;
    key.key = source_unwrap(source, bytes, error);
    if (key.key == NULL)
        return false;
    if (source_is_key_size(key.key->length))
        return source_add(source, &key, error);
    error_set(error, ERROR_DAMAGED, "holds %zu bytes; keys of VMs have 16, 24, 32 or 64",
              key.key->length);
    secret_free(key.key);
    return false;
}
