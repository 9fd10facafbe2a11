/* kmip_names - names of tags and values, and items as JSON and XML write them; see kmip.h.
 * [KMIP specification 2.1, §11; KMIP Additional Message Encodings 1.0 for the spelling.] */
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "keywrap/kmip.h"
#include "keywrap/ttlv.h"

static const struct {
    uint32_t tag;
    const char *name;
} tags[] = {
    {KMIP_ATTRIBUTE, "Attribute"},
    {KMIP_ATTRIBUTE_NAME, "AttributeName"},
    {KMIP_ATTRIBUTE_VALUE, "AttributeValue"},
    {KMIP_BATCH_ITEM, "BatchItem"},
    {KMIP_BLOCK_CIPHER_MODE, "BlockCipherMode"},
    {KMIP_CERTIFICATE, "Certificate"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, "CryptographicAlgorithm"},
    {KMIP_CRYPTOGRAPHIC_LENGTH, "CryptographicLength"},
    {KMIP_CRYPTOGRAPHIC_PARAMETERS, "CryptographicParameters"},
    {KMIP_ENCRYPTION_KEY_INFORMATION, "EncryptionKeyInformation"},
    {KMIP_KEY, "Key"},
    {KMIP_KEY_BLOCK, "KeyBlock"},
    {KMIP_KEY_FORMAT_TYPE, "KeyFormatType"},
    {KMIP_KEY_MATERIAL, "KeyMaterial"},
    {KMIP_KEY_VALUE, "KeyValue"},
    {KMIP_KEY_WRAPPING_DATA, "KeyWrappingData"},
    {KMIP_NAME, "Name"},
    {KMIP_NAME_VALUE, "NameValue"},
    {KMIP_OBJECT_TYPE, "ObjectType"},
    {KMIP_OPAQUE_DATA_TYPE, "OpaqueDataType"},
    {KMIP_OPAQUE_DATA_VALUE, "OpaqueDataValue"},
    {KMIP_OPAQUE_OBJECT, "OpaqueObject"},
    {KMIP_OPERATION, "Operation"},
    {KMIP_PRIVATE_KEY, "PrivateKey"},
    {KMIP_PUBLIC_KEY, "PublicKey"},
    {KMIP_REQUEST_HEADER, "RequestHeader"},
    {KMIP_REQUEST_MESSAGE, "RequestMessage"},
    {KMIP_REQUEST_PAYLOAD, "RequestPayload"},
    {KMIP_RESPONSE_HEADER, "ResponseHeader"},
    {KMIP_RESPONSE_MESSAGE, "ResponseMessage"},
    {KMIP_RESPONSE_PAYLOAD, "ResponsePayload"},
    {KMIP_RESULT_STATUS, "ResultStatus"},
    {KMIP_SECRET_DATA, "SecretData"},
    {KMIP_SECRET_DATA_TYPE, "SecretDataType"},
    {KMIP_SPLIT_KEY, "SplitKey"},
    {KMIP_STATE, "State"},
    {KMIP_SYMMETRIC_KEY, "SymmetricKey"},
    {KMIP_TEMPLATE_ATTRIBUTE, "TemplateAttribute"},
    {KMIP_UNIQUE_BATCH_ITEM_ID, "UniqueBatchItemID"},
    {KMIP_UNIQUE_IDENTIFIER, "UniqueIdentifier"},
    {KMIP_WRAPPING_METHOD, "WrappingMethod"},
    {KMIP_ENCODING_OPTION, "EncodingOption"},
    {KMIP_PGP_KEY, "PGPKey"},
    {KMIP_ATTRIBUTES, "Attributes"},
    {KMIP_NEW_ATTRIBUTE, "NewAttribute"},
    /* Cosmian's REST interface names a payload after its operation, and an object "Object". */
    {KMIP_SYMMETRIC_KEY, "Object"},
    {KMIP_RESPONSE_PAYLOAD, "GetResponse"},
    {KMIP_RESPONSE_PAYLOAD, "ExportResponse"},
    {KMIP_RESPONSE_PAYLOAD, "GetAttributesResponse"},
    {KMIP_REQUEST_PAYLOAD, "Import"},
    {KMIP_REQUEST_PAYLOAD, "Register"},
};

static const struct {
    uint32_t tag, value;
    const char *name;
} values[] = {
    {KMIP_OBJECT_TYPE, 1, "Certificate"},
    {KMIP_OBJECT_TYPE, 2, "SymmetricKey"},
    {KMIP_OBJECT_TYPE, 3, "PublicKey"},
    {KMIP_OBJECT_TYPE, 4, "PrivateKey"},
    {KMIP_OBJECT_TYPE, 5, "SplitKey"},
    {KMIP_OBJECT_TYPE, 6, "Template"},
    {KMIP_OBJECT_TYPE, 7, "SecretData"},
    {KMIP_OBJECT_TYPE, 8, "OpaqueObject"},
    {KMIP_OBJECT_TYPE, 9, "PGPKey"},
    {KMIP_OBJECT_TYPE, 10, "CertificateRequest"},
    {KMIP_STATE, 1, "PreActive"},
    {KMIP_STATE, 2, "Active"},
    {KMIP_STATE, 3, "Deactivated"},
    {KMIP_STATE, 4, "Compromised"},
    {KMIP_STATE, 5, "Destroyed"},
    {KMIP_STATE, 6, "DestroyedCompromised"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 1, "DES"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 2, "3DES"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 2, "DES3"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 3, "AES"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 4, "RSA"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 5, "DSA"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 6, "ECDSA"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 7, "HMAC-SHA1"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 8, "HMAC-SHA224"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 9, "HMAC-SHA256"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 10, "HMAC-SHA384"},
    {KMIP_CRYPTOGRAPHIC_ALGORITHM, 11, "HMAC-SHA512"},
    {KMIP_KEY_FORMAT_TYPE, 1, "Raw"},
    {KMIP_KEY_FORMAT_TYPE, 2, "Opaque"},
    {KMIP_KEY_FORMAT_TYPE, 7, "TransparentSymmetricKey"},
    {KMIP_OPERATION, 1, "Create"},
    {KMIP_OPERATION, 3, "Register"},
    {KMIP_OPERATION, 4, "ReKey"},
    {KMIP_OPERATION, 5, "DeriveKey"},
    {KMIP_OPERATION, 8, "Locate"},
    {KMIP_OPERATION, 10, "Get"},
    {KMIP_OPERATION, 11, "GetAttributes"},
    {KMIP_OPERATION, 13, "AddAttribute"},
    {KMIP_OPERATION, 14, "ModifyAttribute"},
    {KMIP_RESULT_STATUS, 1, "OperationFailed"},
    {KMIP_RESULT_STATUS, 2, "OperationPending"},
    {KMIP_RESULT_STATUS, 3, "OperationUndone"},
    {KMIP_WRAPPING_METHOD, 1, "Encrypt"},
    {KMIP_WRAPPING_METHOD, 2, "MACSign"},
    {KMIP_WRAPPING_METHOD, 3, "EncryptThenMACSign"},
    {KMIP_WRAPPING_METHOD, 4, "MACSignThenEncrypt"},
    {KMIP_WRAPPING_METHOD, 5, "TR31"},
    {KMIP_BLOCK_CIPHER_MODE, 1, "CBC"},
    {KMIP_BLOCK_CIPHER_MODE, 9, "GCM"},
    {KMIP_BLOCK_CIPHER_MODE, 12, "AESKeyWrapPadding"},
    {KMIP_BLOCK_CIPHER_MODE, 13, "NISTKeyWrap"},
};

/* The rules for names drop blanks, dashes and underscores, and hold for either case. */
static bool same_name(const char *name, const char *text, size_t length)
{
    size_t i = 0;
    for (; i < length; i++) {
        if (text[i] == ' ' || text[i] == '-' || text[i] == '_')
            continue;
        while (*name == '-')
            name++;
        if (*name == '\0' || strncasecmp(name, &text[i], 1) != 0)
            return false;
        name++;
    }
    return *name == '\0';
}

/* "0x…" of up to eight digits, or decimal. */
static bool parse_number(const char *text, size_t length, uint32_t *value)
{
    bool hex = length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    uint64_t number = 0;
    for (size_t i = hex ? 2 : 0; i < length; i++) {
        const char *digits = "0123456789abcdef";
        char low = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
        const char *digit = low == '\0' ? NULL : strchr(digits, low);
        if (digit == NULL || (!hex && digit - digits > 9))
            return false;
        number = number * (hex ? 16 : 10) + (uint64_t)(digit - digits);
        if (number > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)number;
    return length > (hex ? 2 : 0);
}

uint32_t kmip_tag_parse(const char *text, size_t length)
{
    uint32_t number = 0;
    bool numeric = parse_number(text, length, &number);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (numeric ? tags[i].tag == number
                    : strlen(tags[i].name) == length && memcmp(tags[i].name, text, length) == 0)
            return tags[i].tag;
    return 0;
}

uint32_t kmip_value_parse(uint32_t tag, const char *text, size_t length)
{
    uint32_t number = 0;
    if (parse_number(text, length, &number))
        return number;
    /* The value of an attribute may be of any enumeration; the names do not collide. */
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if ((values[i].tag == tag || tag == KMIP_ATTRIBUTE_VALUE) &&
            same_name(values[i].name, text, length))
            return values[i].value;
    return 0;
}

const char *kmip_value_name(uint32_t tag, uint32_t value)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i].tag == tag && values[i].value == value)
            return values[i].name;
    return "?";
}

static bool is_type(struct kmip_text type, const char *name)
{
    return type.length == strlen(name) && memcmp(type.data, name, type.length) == 0;
}

static bool put_hex(struct buffer *out, uint32_t tag, struct kmip_text value, struct error *error)
{
    struct secret *bytes = secret_new(value.length / 2, error);
    if (bytes == NULL)
        return false;
    size_t length = bytes->length;
    bool ok = hex_decode(value.data, value.length, bytes->data, &length) ||
              error_set(error, ERROR_DAMAGED, "KMIP byte string that is no hex");
    if (ok)
        ttlv_put(out, tag, TTLV_BYTES, bytes->data, (uint32_t)length);
    secret_free(bytes);
    return ok;
}

bool kmip_put(struct buffer *out, uint32_t tag, struct kmip_text type, struct kmip_text value,
              struct error *error)
{
    uint32_t number = 0;
    if (tag == 0)
        return true;
    if (is_type(type, "ByteString"))
        return put_hex(out, tag, value, error);
    if (is_type(type, "TextString"))
        ttlv_put(out, tag, TTLV_TEXT, value.data, (uint32_t)value.length);
    else if (is_type(type, "Enumeration"))
        ttlv_put_number(out, tag, TTLV_ENUMERATION,
                        kmip_value_parse(tag, value.data, value.length));
    else if (is_type(type, "Integer") && parse_number(value.data, value.length, &number))
        ttlv_put_number(out, tag, TTLV_INTEGER, number);
    return !out->failed || error_memory(error);
}
