/* eventlog_yaml_private - writing tpm2_eventlog's document, piece by piece. */
#ifndef VMCRYPT_TPM_EVENTLOG_YAML_PRIVATE_H
#define VMCRYPT_TPM_EVENTLOG_YAML_PRIVATE_H

#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "tpm/eventlog_yaml.h"

struct yaml_out {
    yaml_emitter_t emitter;
    struct eventlog_yaml_options options;
    bool failed;
};

void out_map(struct yaml_out *out);
void out_map_end(struct yaml_out *out);
void out_list(struct yaml_out *out);
void out_list_end(struct yaml_out *out);

/* A scalar as it stands: a key, a number, a word that reads as a string; "" is null. */
void out_plain(struct yaml_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A string, whatever it looks like; bytes that are no UTF-8 are taken as Latin-1. */
void out_text(struct yaml_out *out, const void *bytes, size_t length);
void out_hex(struct yaml_out *out, const uint8_t *bytes, size_t length);
void out_guid(struct yaml_out *out, const uint8_t *guid);
/* UTF-16 up to its first NUL. */
void out_utf16(struct yaml_out *out, const uint8_t *bytes, size_t length);

/* A key and its value at once; the value as printf writes it. */
void out_pair(struct yaml_out *out, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void out_key(struct yaml_out *out, const char *key);

/* "Event:" and what follows, by the event's type; nothing for an event without data. */
void out_event_data(struct yaml_out *out, const struct eventlog_event *event);
/* False, with nothing written, when it is no variable. */
bool out_variable(struct yaml_out *out, const struct eventlog_event *event);
/* A path in the way that the options say; ALL bytes in hex when it is not to be text. */
void out_path(struct yaml_out *out, const uint8_t *path, size_t length, size_t all);

#endif
