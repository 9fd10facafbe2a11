/*
 * baseimage_vib - descriptors of VIBs: which payloads, with which digests.
 *
 *   <vib><name/><version/><vendor/> ... <payloads><payload name= type= size=>
 *     <checksum checksum-type="sha-256" verify-process="gunzip">HEX</checksum>
 * [source: descriptors of public VIBs]. The digest after gunzip is that of what is measured.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "tpm/baseimage_scan.h"

enum { XML_DEPTH_MAX = 64, TEXT_LIMIT = 512 };

struct payload {
    char name[TEXT_LIMIT];
    char sha256[65];
};

struct descriptor {
    XML_Parser parser;
    struct scan *scan;
    unsigned depth;
    bool is_vib, failed, wanted; /* WANTED: the text of a checksum of what is measured */
    char text[TEXT_LIMIT];
    size_t text_length;
    char name[TEXT_LIMIT], version[TEXT_LIMIT], vendor[TEXT_LIMIT];
    size_t count;
    struct payload payload;
    json_t *payloads; /* [[name, sha256]] until the whole is read */
};

static const char *attribute(const char **attributes, const char *name)
{
    for (size_t i = 0; attributes[i] != NULL; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return attributes[i + 1];
    return "";
}

static void copy(char *to, const char *from)
{
    size_t length = strnlen(from, TEXT_LIMIT - 1);
    memcpy(to, from, length);
    to[length] = '\0';
}

static void start(void *user, const char *element, const char **attributes)
{
    struct descriptor *d = user;
    d->text_length = 0;
    d->text[0] = '\0';
    if (++d->depth > XML_DEPTH_MAX) {
        XML_StopParser(d->parser, XML_FALSE);
        return;
    }
    if (d->depth == 1)
        d->is_vib = strcmp(element, "vib") == 0;
    if (strcmp(element, "payload") == 0) {
        copy(d->payload.name, attribute(attributes, "name"));
        d->payload.sha256[0] = '\0';
    }
    d->wanted = strcmp(element, "checksum") == 0 &&
                strcmp(attribute(attributes, "checksum-type"), "sha-256") == 0 &&
                strcmp(attribute(attributes, "verify-process"), "gunzip") == 0;
}

static void text(void *user, const char *data, int length)
{
    struct descriptor *d = user;
    for (int i = 0; i < length; i++)
        if (d->text_length + 1 < sizeof d->text && !isspace((unsigned char)data[i]))
            d->text[d->text_length++] = data[i];
    d->text[d->text_length] = '\0';
}

static void end(void *user, const char *element)
{
    struct descriptor *d = user;
    d->depth--;
    if (d->depth == 1 && strcmp(element, "name") == 0)
        copy(d->name, d->text);
    else if (d->depth == 1 && strcmp(element, "version") == 0)
        copy(d->version, d->text);
    else if (d->depth == 1 && strcmp(element, "vendor") == 0)
        copy(d->vendor, d->text);
    else if (d->wanted && d->text_length == 64)
        memcpy(d->payload.sha256, d->text, 65);
    else if (strcmp(element, "payload") == 0 && d->payload.sha256[0] != '\0' &&
             json_array_append_new(d->payloads,
                                   json_pack("[s, s]", d->payload.name, d->payload.sha256)) != 0)
        d->failed = true;
    d->wanted = false;
    d->text_length = 0;
    d->text[0] = '\0';
}

/* Entities of its own are no part of such a descriptor, and can make a short text a long one. */
static void entity(void *user, const char *name, int is_parameter, const char *value, int length,
                   const char *base, const char *system, const char *public, const char *notation)
{
    struct descriptor *d = user;
    (void)name, (void)is_parameter, (void)value, (void)length, (void)base, (void)system,
        (void)public, (void)notation;
    XML_StopParser(d->parser, XML_FALSE);
}

bool scan_descriptor(struct scan *s, const char *name, const char *xml, size_t length)
{
    struct descriptor *d = calloc(1, sizeof *d);
    if (d == NULL || length > SCAN_TEXT_MAX) {
        free(d);
        return false;
    }
    d->scan = s;
    d->payloads = json_array();
    d->parser = XML_ParserCreate(NULL);
    bool ok = d->parser != NULL && d->payloads != NULL;
    if (ok) {
        XML_SetUserData(d->parser, d);
        XML_SetElementHandler(d->parser, start, end);
        XML_SetCharacterDataHandler(d->parser, text);
        XML_SetEntityDeclHandler(d->parser, entity);
        ok = XML_Parse(d->parser, xml, (int)length, 1) == XML_STATUS_OK && d->is_vib && !d->failed;
    }
    for (size_t i = 0; ok && i < json_array_size(d->payloads); i++) {
        const json_t *p = json_array_get(d->payloads, i);
        ok = scan_add_module(s, json_string_value(json_array_get(p, 1)),
                             json_string_value(json_array_get(p, 0)), "descriptor", d->name,
                             d->version, d->vendor);
    }
    if (!ok)
        log_say(s->log, LOG_INFO, "%s: no VIB descriptor", name);
    if (d->parser != NULL)
        XML_ParserFree(d->parser);
    json_decref(d->payloads);
    free(d);
    return ok;
}
