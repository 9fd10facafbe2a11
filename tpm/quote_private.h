/* quote_private - keys and quotes within JSON (quote_json.c). */
#ifndef VMCRYPT_TPM_QUOTE_PRIVATE_H
#define VMCRYPT_TPM_QUOTE_PRIVATE_H

#include "base/buffer.h"
#include "tpm/quote.h"

/* Replace what BYTES hold by the member of OBJECT (NULL: the document itself) in the JSON document
 * that they are: base64, or PEM as it stands. *FOUND false: it has none; then they are as before.
 */
bool quote_json_take(struct buffer *bytes, const char *object, const char *member, bool *found,
                     struct error *error);

#endif
