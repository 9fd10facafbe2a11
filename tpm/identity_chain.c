/* identity_chain - from a certificate to a trusted CA; see identity.h. */
#include "tpm/identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

enum { CHAIN_DEPTH = 8 /* certificates between the first and the root */, SECURITY_LEVEL = 2 };

/* Only what the caller trusts may be a root; what came with the evidence just fills gaps. */
static bool sort_certificates(const struct identity_cas *cas, bool trusted, X509_STORE *roots,
                              STACK_OF(X509) * others, size_t *root_count)
{
    bool ok = true;
    for (size_t i = 0; ok && cas != NULL && i < cas->count; i++) {
        X509 *certificate = cas->certificates[i];
        if (trusted && X509_self_signed(certificate, 1) == 1) {
            ok = X509_STORE_add_cert(roots, certificate) == 1;
            (*root_count)++;
        } else {
            ok = sk_X509_push(others, certificate) > 0;
        }
    }
    return ok;
}

static void tell_chain(X509_STORE_CTX *context, char detail[240])
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    int count = sk_X509_num(chain);
    struct identity_tpm root;
    identity_describe(sk_X509_value(chain, count - 1), &root);
    snprintf(detail, 240, "chain of %d to %.200s", count, root.subject);
}

static bool tell_failure(X509_STORE_CTX *context, size_t root_count, struct error *error)
{
    int code = X509_STORE_CTX_get_error(context), depth = X509_STORE_CTX_get_error_depth(context);
    const X509 *at = X509_STORE_CTX_get_current_cert(context);
    struct identity_tpm about = {.subject = ""};
    if (root_count == 0)
        return error_set(error, ERROR_DAMAGED, "no self-signed certificate is among the given CAs");
    if (at != NULL)
        identity_describe(at, &about);
    switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return error_set(error, ERROR_DAMAGED,
                         "its chain ends at issuer %.160s, which is not among the CAs%s%.200s",
                         about.issuer, about.aia[0] == '\0' ? "" : "; it is published at ",
                         about.aia);
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return error_set(error, ERROR_DAMAGED, "%s at depth %d: valid from %s to %s",
                         X509_verify_cert_error_string(code), depth, about.not_before,
                         about.not_after);
    default:
        return error_set(error, ERROR_DAMAGED, "%s at depth %d (%.160s)",
                         X509_verify_cert_error_string(code), depth, about.subject);
    }
}

bool identity_verify_chain(X509 *certificate, const struct identity_cas *cas,
                           const struct identity_cas *more, int64_t when, char detail[240],
                           struct error *error)
{
    X509_STORE *roots = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    size_t root_count = 0;
    bool ok = roots != NULL && context != NULL && others != NULL &&
              sort_certificates(cas, true, roots, others, &root_count) &&
              sort_certificates(more, false, roots, others, &root_count) &&
              X509_STORE_CTX_init(context, roots, certificate, others) == 1;
    detail[0] = '\0';
    if (!ok) {
        error_memory(error);
    } else {
        X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_depth(parameters, CHAIN_DEPTH);
        X509_VERIFY_PARAM_set_auth_level(parameters, SECURITY_LEVEL);
        if (when != 0)
            X509_VERIFY_PARAM_set_time(parameters, (time_t)when);
        /* OpenSSL counts the critical SAN of TPM certificates among those that it handles. */
        ok = X509_verify_cert(context) == 1;
        if (ok)
            tell_chain(context, detail);
        else
            tell_failure(context, root_count, error);
    }
    X509_STORE_CTX_free(context);
    sk_X509_free(others);
    X509_STORE_free(roots);
    ERR_clear_error();
    return ok;
}
