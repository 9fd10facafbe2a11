/* report_vim - HostTpmAttestationReport; see report.h. */
#include "tpm/report_private.h"

#include <stdio.h>
#include <string.h>

#include "tpm/event_types.h"
#include "tpm/text.h"

/* XML has one element for one item, JSON always a list. */
static const json_t *item(const json_t *list, size_t i)
{
    if (json_is_array(list))
        return json_array_get(list, i);
    return i == 0 && json_is_object(list) ? list : NULL;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(tpm_text_member(object, name));
}

/* The kinds by the end of their type's name and, as govc leaves the type out, by a member that no
 * other kind has. */
static const struct {
    const char *type, *member, *kind;
} kinds[] = {
    {"SoftwareComponentEventDetails", "componentname", "software-component"},
    {"BootSecurityOptionEventDetails", "bootsecurityoption", "boot-security-option"},
    {"OptionEventDetails", "optionsfilename", "option"}, /* within the one above */
    {"CommandEventDetails", "commandline", "command"},
    {"NvTagEventDetails", NULL, "nv-tag"},
    {"SignerEventDetails", NULL, "signer"},
    {"VersionEventDetails", "version", "version"},
    {"BootCompleteEventDetails", NULL, "boot-complete"},
};

static const char *kind_of(const json_t *details)
{
    const char *type = text_of(details, "typename");
    if (type == NULL)
        type = text_of(details, "vimtype");
    for (size_t i = 0; type != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strstr(type, kinds[i].type) != NULL)
            return kinds[i].kind;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].member != NULL && tpm_text_member(details, kinds[i].member) != NULL)
            return kinds[i].kind;
    return "other";
}

static const char *name_of(const json_t *details)
{
    static const char *const members[] = {"componentname", "optionsfilename", "bootsecurityoption"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (text_of(details, members[i]) != NULL)
            return text_of(details, members[i]);
    return NULL;
}

static void detail_of(const json_t *details, char *text, size_t size)
{
    const char *vib = text_of(details, "vibname"), *command = text_of(details, "commandline");
    const char *version = text_of(details, "vibversion"), *vendor = text_of(details, "vibvendor");
    text[0] = '\0';
    if (command != NULL)
        snprintf(text, size, "%s", command);
    else if (vib != NULL && vib[0] != '\0')
        snprintf(text, size, "%s %s %s", vib, version == NULL ? "" : version,
                 vendor == NULL ? "" : vendor);
}

static bool read_values(struct report_build *build, const json_t *list, struct error *error)
{
    const json_t *entry;
    for (size_t i = 0; (entry = item(list, i)) != NULL; i++) {
        unsigned pcr;
        if (!report_index(tpm_text_member(entry, "pcrnumber"), &pcr))
            return error_set(error, ERROR_DAMAGED, "value %zu names no PCR", i);
        if (!report_add_value(build, pcr, text_of(entry, "digestmethod"),
                              tpm_text_member(entry, "digestvalue"), error))
            return false;
    }
    return true;
}

bool report_read_vim(struct report_build *build, const json_t *object, struct error *error)
{
    const json_t *reliable = tpm_text_member(object, "tpmlogreliable"), *entry;
    const json_t *list = tpm_text_member(object, "tpmevents");
    const char *text = json_string_value(reliable);
    build->report->unreliable =
        json_is_false(reliable) || (text != NULL && (strcmp(text, "false") == 0 || *text == '0'));
    for (size_t i = 0; (entry = item(list, i)) != NULL; i++) {
        const json_t *details = tpm_text_member(entry, "eventdetails");
        char detail[1024];
        unsigned pcr;
        if (!report_index(tpm_text_member(entry, "pcrindex"), &pcr))
            return error_set(error, ERROR_DAMAGED, "event %zu names no PCR", i);
        if (!json_is_object(details))
            return error_set(error, ERROR_DAMAGED,
                             "event %zu has no details (of ConvertTo-Json? then with -Depth 10)",
                             i);
        detail_of(details, detail, sizeof detail);
        if (!report_add_event(build, pcr, EV_EVENT_TAG, kind_of(details), name_of(details), detail,
                              text_of(details, "datahashmethod"),
                              tpm_text_member(details, "datahash"), error))
            return false;
    }
    return read_values(build, tpm_text_member(object, "tpmpcrvalues"), error);
}
