/* pkcs12_audit - how a PKCS#12 file falls short as a backup of keys; see pkcs12.h.
 *
 * Whoever gets the file gets all keys in it but for the passphrase, so that is looked at first.
 * Bounds: RFC 8018 and NIST SP 800-132 ask for 1,000 rounds at least and as many as can be borne;
 * OWASP's lists and today's tools are far above the 10,000 asked for here. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "keywrap/pkcs12.h"

enum { FEW_ROUNDS = 10000, SHORT_PASSPHRASE = 12 };

struct audit {
    void (*say)(void *context, const char *finding);
    void *context;
};

__attribute__((format(printf, 2, 3))) static void say(const struct audit *a, const char *format,
                                                      ...)
{
    char line[600];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    a->say(a->context, line);
}

static bool is_common(const struct secret *passphrase)
{
    static const char *const common[] = {"password", "passw0rd", "vmware", "vmware1!", "changeit",
                                         "changeme", "admin",    "secret", "12345678", "welcome1"};
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        if (passphrase->length == strlen(common[i]) &&
            strncasecmp((const char *)passphrase->data, common[i], passphrase->length) == 0)
            return true;
    return false;
}

static void audit_password(const struct audit *a, const struct pkcs12 *p12,
                           const struct secret *passphrase)
{
    if (p12->password == PKCS12_ABSENT || p12->password == PKCS12_EMPTY)
        say(a, "opens without a passphrase: whoever has the file has its keys");
    else if (!p12->any_encrypted)
        say(a, "nothing in it is encrypted: whoever has the file has its keys");
    else if (passphrase != NULL && p12->password == PKCS12_GIVEN && is_common(passphrase))
        say(a, "its passphrase is among the first that anybody tries");
    else if (passphrase != NULL && p12->password == PKCS12_GIVEN &&
             passphrase->length < SHORT_PASSPHRASE)
        say(a, "its passphrase is shorter than %d characters", SHORT_PASSPHRASE);
}

static void audit_scheme(const struct audit *a, const char *what, size_t number,
                         const struct pkcs12_scheme *scheme)
{
    char label[40];
    snprintf(label, sizeof label, number > 0 ? "%s %zu" : "%s", what, number);
    if (scheme->weak)
        say(a, "%s: %s is weak", label, scheme->name);
    if (scheme->rounds < FEW_ROUNDS)
        say(a, "%s: %llu rounds are few (less than %d)", label, (unsigned long long)scheme->rounds,
            FEW_ROUNDS);
}

static void audit_bag(const struct audit *a, const struct pkcs12 *p12, size_t i, const char *today)
{
    const struct pkcs12_bag *bag = &p12->bags[i];
    bool bare = !bag->shrouded && !p12->safes[bag->safe].encrypted;
    if (bag->shrouded)
        audit_scheme(a, "bag", i + 1, &bag->scheme);
    if (bag->is_certificate && bag->ends[0] != '\0' && strcmp(bag->ends, today) < 0)
        say(a, "bag %zu: the certificate ended on %s", i + 1, bag->ends);
    if (bag->is_certificate && strcmp(bag->begins, today) > 0)
        say(a, "bag %zu: the certificate begins on %s only", i + 1, bag->begins);
    for (size_t k = 0; bare && p12->any_encrypted && k < p12->key_count; k++)
        if (p12->keys[k].bag == i) {
            say(a, "bag %zu: what may be a key lies in it unencrypted", i + 1);
            return;
        }
}

void pkcs12_audit(const struct pkcs12 *p12, const struct secret *passphrase,
                  void (*report)(void *context, const char *finding), void *context)
{
    const struct audit a = {report, context};
    char today[24] = "";
    struct tm tm;
    time_t now = time(NULL);
    if (gmtime_r(&now, &tm) != NULL)
        strftime(today, sizeof today, "%Y-%m-%d", &tm);
    audit_password(&a, p12, passphrase);
    if (p12->has_mac)
        audit_scheme(&a, "MAC", 0, &p12->mac);
    else
        say(&a, "MAC: none, so that changes to the file would go unnoticed");
    for (size_t i = 0; i < p12->safe_count; i++)
        if (p12->safes[i].encrypted)
            audit_scheme(&a, "safe", i + 1, &p12->safes[i].scheme);
    for (size_t i = 0; i < p12->bag_count; i++)
        audit_bag(&a, p12, i, today);
}
