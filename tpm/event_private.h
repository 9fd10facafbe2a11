/*
 * event_private - what the decoders of events share.
 *
 * A decoder reads the data of one event and puts fields. Each field names the bytes that it was
 * read from, so that whether it is authenticated follows from the range that the digest covers.
 */
#ifndef VMCRYPT_TPM_EVENT_PRIVATE_H
#define VMCRYPT_TPM_EVENT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buffer.h"
#include "base/reader.h"
#include "tpm/event.h"
#include "tpm/event_tag.h"

enum {
    DECODING_SUMMARY_BYTES = 1024,
    DECODING_ITEMS_MAX =
        100000, /* of all lists of an event: a value takes far more than its bytes */
};

struct decoding {
    const struct eventlog *log;
    const struct eventlog_event *event;
    const struct event_check *check;
    const char *kind; /* static */
    json_t *fields, *authenticated, *problems;
    char summary[DECODING_SUMMARY_BYTES]; /* cut off where it would not fit */
    size_t summary_length;
    size_t items;
    bool failed; /* memory ran out */
};

/* One more item of a list; false, and told, when there are too many to show. */
bool decoding_count(struct decoding *d);

/* Put a field that was read from data[START, START + LENGTH); takes VALUE, NULL is no memory. */
void decoding_put(struct decoding *d, const char *name, json_t *value, size_t start, size_t length);
/* The whole of the data. */
void decoding_put_all(struct decoding *d, const char *name, json_t *value);
/* Text or hex, as it comes, of these bytes; NULs behind a text do not count as covered or not. */
void decoding_put_bytes(struct decoding *d, const char *name, size_t start, size_t length);
/* A field that is our own saying; never authenticated. */
void decoding_note(struct decoding *d, const char *name, json_t *value);

/* Say in one line what the event is; text from the log goes through decoding_summary_text, which
 * escapes what must not reach a terminal. */
void decoding_summary(struct decoding *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void decoding_summary_text(struct decoding *d, const char *text);

/* Told in "problems". */
void decoding_problem(struct decoding *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Values. Text of the log: bytes that are no UTF-8 and control characters but \n and \t become
 * \xNN. NULs behind it are dropped. */
json_t *value_text(const void *bytes, size_t length);
json_t *value_utf16(const void *bytes, size_t length); /* little endian; LENGTH in bytes */
json_t *value_hex(const void *bytes, size_t length);
/* What it looks like: UTF-8, UTF-16, else hex. */
json_t *value_any(const uint8_t *bytes, size_t length);
bool bytes_are_text(const uint8_t *bytes, size_t length);
bool bytes_are_utf16(const uint8_t *bytes, size_t length);
json_t *value_guid(const uint8_t *bytes);
/* "0x1a", for addresses and flags. */
json_t *value_address(uint64_t value);
/* A number; a text in decimal when JSON's would be cut off. */
json_t *value_number(uint64_t value);
/* SHA-256 in hex. */
json_t *value_sha256(const void *bytes, size_t length);
/* Keep what was put into an object or array; both may be NULL (no memory), which is passed on. */
bool value_add(json_t *object, const char *name, json_t *value);
bool value_append(json_t *array, json_t *value);

/* "8be4df61-93ca-11d2-aa0d-00e098032b8c", in TEXT of 37 bytes. */
void guid_text(const uint8_t *bytes, char text[37]);
/* "global variable"; NULL for one that we do not know. */
const char *guid_name(const uint8_t *bytes);

/* The decoders; each decides by the bytes, not the type alone, and tells a problem and returns
 * false when they do not parse, having put nothing. */
bool decode_variable(struct decoding *d);
bool decode_image(struct decoding *d);
bool decode_gpt(struct decoding *d);
bool decode_firmware_blob(struct decoding *d);
bool decode_firmware_blob2(struct decoding *d);
bool decode_handoff(struct decoding *d);
bool decode_handoff2(struct decoding *d);
bool decode_spdm(struct decoding *d);
bool decode_no_action(struct decoding *d);
bool decode_separator(struct decoding *d);
bool decode_action(struct decoding *d);
bool decode_post_code(struct decoding *d);
bool decode_version(struct decoding *d);
bool decode_ipl(struct decoding *d);
bool decode_tags(struct decoding *d);
bool decode_esxi(struct decoding *d, const struct event_tag *tag);
bool decode_windows(struct decoding *d);
bool decode_txt(struct decoding *d);
/* What nobody knows: text when it is text, else hex. */
void decode_data(struct decoding *d, const char *what);

/* UEFI_VARIABLE_DATA; START is where its data lies in the event's. */
struct variable {
    const uint8_t *guid;
    const uint8_t *name; /* UTF-16, NAME_LENGTH bytes */
    size_t name_length;
    const uint8_t *data;
    size_t start, length;
};
/* False when name or data do not fit. */
bool variable_read(const struct eventlog_event *event, struct variable *variable);
bool variable_is(const struct variable *variable, const char *name);

/* EFI_SIGNATURE_LIST: ENTRY_COUNT entries of ENTRY_SIZE bytes, an owner's GUID and data each. */
enum { SIGNATURE_OWNER_BYTES = 16 };
struct signature_list {
    const uint8_t *type;
    size_t header, entry_size, entry_count;
    const uint8_t *entries;
    bool is_x509;
};
/* The next list at IN; false when its sizes contradict each other. */
bool signature_list_read(struct reader *in, struct signature_list *list);

/* A variable's data by its name: signature lists, one signature, boot entries ... False when it is
 * no such structure. */
bool decode_signature_lists(struct decoding *d, const struct variable *variable);
bool decode_signature(struct decoding *d, const struct variable *variable);
bool decode_boot_order(struct decoding *d, const struct variable *variable);
bool decode_boot_option(struct decoding *d, const struct variable *variable);

/* Subject, issuer, serial, validity and fingerprint of a DER certificate; NULL when it is none
 * (or memory is short: then *failed). */
json_t *value_certificate(const uint8_t *der, size_t length, bool *failed);

#endif
