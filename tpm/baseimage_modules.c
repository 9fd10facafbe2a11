/* baseimage_modules - which of the files that were found are modules; see baseimage_scan.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "tpm/baseimage_scan.h"

/* Names on an ISO image are in capitals, with ";1" behind them or not. */
static bool fold_name(const char *name, char folded[256])
{
    size_t length = strcspn(name, ";");
    if (length == 0 || length >= 256)
        return false;
    for (size_t i = 0; i < length; i++)
        folded[i] = (char)tolower((unsigned char)name[i]);
    folded[length] = '\0';
    return true;
}

bool scan_add_hashed(struct scan *s, const char *place, const char *name,
                     const struct scan_digest *digest)
{
    char hex[65], folded[256];
    if (!fold_name(name, folded))
        return true;
    json_t *entry = json_pack("{s:s?, s:s, s:s, s:b}", "place", place, "name", folded, "sha256",
                              hex_text(digest->sha256, 32, hex), "signed", digest->has_signature);
    /* A name that is no UTF-8 is none of a module. */
    return entry == NULL || json_array_append_new(s->hashed, entry) == 0 || error_memory(s->error);
}

bool scan_add_module(struct scan *s, const char *digest, const char *name, const char *proof,
                     const char *vib, const char *version, const char *vendor)
{
    char folded[65];
    for (size_t i = 0; i < sizeof folded; i++)
        folded[i] = (char)tolower((unsigned char)digest[i]);
    if (strspn(folded, "0123456789abcdef") != 64)
        return error_set(s->error, ERROR_DAMAGED, "a checksum that is no hex");
    json_t *module = json_object_get(s->modules, folded);
    if (module == NULL) {
        if (json_object_size(s->modules) >= BASEIMAGE_MODULES_MAX)
            return error_set(s->error, ERROR_DAMAGED, "more than %d modules",
                             BASEIMAGE_MODULES_MAX);
        module = json_pack("{s:s, s:s, s:s}", "name", name, "sha256", folded, "proof", proof);
        if (module == NULL || json_object_set_new(s->modules, folded, module) != 0)
            return error_set(s->error, ERROR_DAMAGED, "a module's name that is no UTF-8");
    }
    /* The file itself says more than a descriptor of it, and its name is that which ESXi uses. */
    if (strcmp(proof, "file") == 0) {
        json_object_set_new(module, "proof", json_string(proof));
        json_object_set_new(module, "name", json_string(name));
    }
    if (vib != NULL && vib[0] != '\0') {
        json_object_set_new(module, "vib", json_string(vib));
        json_object_set_new(module, "vib-version", json_string(version));
        json_object_set_new(module, "vendor", json_string(vendor));
    }
    return true;
}

/* A line "NAME=VALUE" of a boot.cfg; the value may have several names, "---" between them. */
static bool add_names(json_t *names, const char *value, size_t length)
{
    for (size_t at = 0; at < length;) {
        char word[256], folded[256];
        size_t run = 0;
        while (at < length && isspace((unsigned char)value[at]))
            at++;
        while (at + run < length && !isspace((unsigned char)value[at + run]))
            run++;
        if (run > 0 && run < sizeof word) {
            memcpy(word, value + at, run);
            word[run] = '\0';
            const char *base = strrchr(word, '/');
            if (fold_name(base == NULL ? word : base + 1, folded) && strcmp(folded, "---") != 0 &&
                json_object_get(names, folded) == NULL)
                json_object_set_new(names, folded, json_true());
        }
        at += run;
    }
    return true;
}

bool scan_boot_cfg(struct scan *s, const char *place, const char *text)
{
    json_t *names = json_object_get(s->listed, place);
    if (names == NULL) {
        names = json_object();
        if (names == NULL || json_object_set_new(s->listed, place, names) != 0)
            return error_memory(s->error);
    }
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (strncmp(line, "kernel=", 7) == 0)
            add_names(names, line + 7, length - 7);
        else if (strncmp(line, "modules=", 8) == 0)
            add_names(names, line + 8, length - 8);
        line += length + (line[length] == '\n');
    }
    return true;
}

/* Payloads of VIBs are known by their descriptors; a file of an image is a module when the boot.cfg
 * of some directory names it, or when a module's signature ends it. */
static bool is_module(const struct scan *s, const json_t *file)
{
    const char *name = json_string_value(json_object_get(file, "name"));
    const char *digest = json_string_value(json_object_get(file, "sha256"));
    const char *place;
    json_t *names;
    if (json_object_get(s->modules, digest) != NULL ||
        json_is_true(json_object_get(file, "signed")))
        return true;
    if (!json_is_string(json_object_get(file, "place")))
        return false;
    json_object_foreach(s->listed, place, names)
    {
        if (json_object_get(names, name) != NULL)
            return true;
    }
    return false;
}

bool scan_settle(struct scan *s)
{
    for (size_t i = 0; i < json_array_size(s->hashed); i++) {
        const json_t *file = json_array_get(s->hashed, i);
        if (is_module(s, file) &&
            !scan_add_module(s, json_string_value(json_object_get(file, "sha256")),
                             json_string_value(json_object_get(file, "name")), "file", NULL, NULL,
                             NULL))
            return false;
    }
    return true;
}
