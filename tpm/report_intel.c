/* report_intel - Intel SecL's host manifests, of version 3 and 4; see report.h. */
#include "tpm/report_private.h"

#include <stdlib.h>
#include <string.h>

#include "tpm/text.h"

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(tpm_text_member(object, name));
}

static const json_t *either(const json_t *object, const char *name, const char *other)
{
    const json_t *value = tpm_text_member(object, name);
    return value != NULL ? value : tpm_text_member(object, other);
}

/* "Vim25Api.HostTpmSoftwareComponentEventDetails_esx-base_VMware" among the tags: the kind, and
 * behind the first underscore the VIB. */
static const char *kind_of(const json_t *tags, const char **detail)
{
    static const struct {
        const char *type, *kind;
    } kinds[] = {
        {"HostTpmSoftwareComponentEventDetails", "software-component"},
        {"HostTpmOptionEventDetails", "option"},
        {"HostTpmCommandEventDetails", "command"},
        {"HostTpmBootSecurityOptionEventDetails", "boot-security-option"},
    };
    for (size_t i = 0; i < json_array_size(tags); i++) {
        const char *tag = json_string_value(json_array_get(tags, i));
        for (size_t k = 0; tag != NULL && k < sizeof kinds / sizeof kinds[0]; k++) {
            const char *found = strstr(tag, kinds[k].type);
            if (found == NULL)
                continue;
            found += strlen(kinds[k].type);
            *detail = *found == '_' ? found + 1 : NULL;
            return kinds[k].kind;
        }
    }
    return "other";
}

static bool read_events(struct report_build *build, const char *bank, const json_t *entry,
                        struct error *error)
{
    const json_t *pcr_object = tpm_text_member(entry, "pcr");
    const json_t *index = pcr_object != NULL ? tpm_text_member(pcr_object, "index")
                                             : tpm_text_member(entry, "pcrindex");
    const json_t *events = either(entry, "tpmevents", "eventlog");
    unsigned pcr;
    if (!report_index(index, &pcr))
        return error_set(error, ERROR_DAMAGED, "a part of its event log names no PCR");
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        const char *id = text_of(event, "typeid"), *detail = NULL;
        const char *kind = kind_of(tpm_text_member(event, "tags"), &detail);
        const char *name = json_string_value(either(event, "typename", "label"));
        /* Its own numbers begin at 0x60000001; those of TCG mean what they mean in a log. */
        uint32_t type = id == NULL ? UINT32_MAX : (uint32_t)strtoul(id, NULL, 16);
        if (!report_add_event(build, pcr, type, kind, name, detail, bank,
                              either(event, "measurement", "value"), error))
            return false;
    }
    return true;
}

static bool read_values(struct report_build *build, const json_t *list, struct error *error)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        unsigned pcr;
        if (!report_index(tpm_text_member(entry, "index"), &pcr))
            return error_set(error, ERROR_DAMAGED, "value %zu names no PCR", i);
        if (!report_add_value(build, pcr, text_of(entry, "pcrbank"),
                              tpm_text_member(entry, "value"), error))
            return false;
    }
    return true;
}

bool report_read_intel(struct report_build *build, const json_t *object, struct error *error)
{
    const json_t *map = tpm_text_member(object, "pcreventlogmap");
    const char *bank;
    json_t *list;
    json_object_foreach((json_t *)map, bank, list)
    {
        for (size_t i = 0; i < json_array_size(list); i++)
            if (!read_events(build, bank, json_array_get(list, i), error))
                return false;
    }
    return read_values(build, tpm_text_member(object, "sha1pcrs"), error) &&
           read_values(build, tpm_text_member(object, "sha2pcrs"), error);
}
