/* source_kmip_xml - keys in KMIP objects and messages as XML; see source.h.
 *
 * <SymmetricKey><KeyBlock>…<KeyMaterial type="ByteString" value="hex"/>…, an element for each item,
 * named after its tag or <TTLV tag="0x420043" …>; structures have no value [KMIP Additional Message
 * Encodings 1.0, §6]. Test cases of the specification put several messages into one <KMIP>.
 *
 * Turned into the binary encoding, through Expat. A document type is refused: KMIP has none, and
 * it could define entities that grow without bound.
 */
#include <ctype.h>
#include <string.h>

#include <expat.h>

#include "keywrap/kmip.h"
#include "keywrap/ttlv.h"

/* Pieces grow, so that neither many short documents nor one long value is read over and over. */
enum {
    DEPTH_MAX = 24,
    DOCUMENTS_MAX = 1 << 16,
    FIRST_PIECE = 4 << 10,
    LARGEST_PIECE = 64 << 20,
};

/* Expat keeps attributes, hence keys, in memory that it asks for here: secrets, each behind a
 * pointer to what it is. */
union block {
    struct secret *secret;
    max_align_t aligned;
};

static void *xml_alloc(size_t size)
{
    struct error ignored = ERROR_INIT;
    size_t whole;
    struct secret *secret = __builtin_add_overflow(size, sizeof(union block), &whole)
                                ? NULL
                                : secret_new(whole, &ignored);
    if (secret == NULL)
        return NULL;
    union block *block = (union block *)(void *)secret->data;
    block->secret = secret;
    return block + 1;
}

static void xml_free(void *memory)
{
    if (memory != NULL)
        secret_free(((union block *)memory - 1)->secret);
}

static void *xml_realloc(void *memory, size_t size)
{
    void *grown = xml_alloc(size);
    if (memory == NULL || grown == NULL)
        return grown;
    size_t held = ((union block *)memory - 1)->secret->length - sizeof(union block);
    memcpy(grown, memory, held < size ? held : size);
    xml_free(memory);
    return grown;
}

struct xml {
    XML_Parser parser;
    struct buffer ttlv;
    size_t begun[DEPTH_MAX]; /* the structures around */
    unsigned depth;          /* how many, <KMIP> left out */
    unsigned skipping;       /* elements around that are not needed */
    bool is_kmip;            /* the first element was one of KMIP's */
    bool is_other;           /* it was not */
    bool has_type;           /* a document type is declared */
    struct error *error;     /* set when the parser was stopped */
};

static void stop(struct xml *xml)
{
    XML_StopParser(xml->parser, XML_FALSE);
}

static const char *attribute(const char **attributes, const char *name)
{
    for (size_t i = 0; attributes[i] != NULL; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return attributes[i + 1];
    return NULL;
}

static struct kmip_text text(const char *string)
{
    return (struct kmip_text){string, strlen(string)};
}

static uint32_t tag_of(const char *name, const char **attributes)
{
    const char *tag = attribute(attributes, "tag");
    const char *told = strcmp(name, "TTLV") == 0 && tag != NULL ? tag : name;
    return kmip_tag_parse(told, strlen(told));
}

static void on_start(void *context, const char *name, const char **attributes)
{
    struct xml *xml = context;
    uint32_t tag = tag_of(name, attributes);
    bool is_wrapper = strcmp(name, "KMIP") == 0 && xml->depth == 0;
    if (!xml->is_kmip && tag == 0 && !is_wrapper) {
        xml->is_other = true;
        stop(xml);
        return;
    }
    xml->is_kmip = true;
    if (xml->skipping > 0 || (tag == 0 && !is_wrapper)) {
        xml->skipping++;
        return;
    }
    if (is_wrapper)
        return;
    if (xml->depth == DEPTH_MAX) {
        error_set(xml->error, ERROR_DAMAGED, "KMIP XML nested more than %d deep", DEPTH_MAX);
        stop(xml);
        return;
    }
    const char *type = attribute(attributes, "type"), *value = attribute(attributes, "value");
    if (type == NULL || strcmp(type, "Structure") == 0) {
        xml->begun[xml->depth++] = ttlv_begin(&xml->ttlv, tag);
        return;
    }
    if (!kmip_put(&xml->ttlv, tag, text(type), text(value == NULL ? "" : value), xml->error))
        stop(xml);
    xml->skipping++; /* nothing is inside of a value */
}

static void on_end(void *context, const char *name)
{
    struct xml *xml = context;
    (void)name;
    if (xml->skipping > 0)
        xml->skipping--;
    else if (xml->depth > 0)
        ttlv_end(&xml->ttlv, xml->begun[--xml->depth]);
}

static void on_document_type(void *context, const char *name, const char *system_id,
                             const char *public_id, int has_subset)
{
    struct xml *xml = context;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    xml->has_type = true;
    /* The name is that of the first element. */
    if (xml->is_kmip || strcmp(name, "KMIP") == 0 || kmip_tag_parse(name, strlen(name)) != 0) {
        xml->is_kmip = true;
        error_set(xml->error, ERROR_DAMAGED, "KMIP XML that declares a document type is refused");
    } else {
        xml->is_other = true;
    }
    stop(xml);
}

static bool make_parser(struct xml *xml, struct error *error)
{
    static const XML_Memory_Handling_Suite memory = {xml_alloc, xml_realloc, xml_free};
    xml->parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (xml->parser == NULL)
        return error_memory(error);
    XML_SetUserData(xml->parser, xml);
    XML_SetElementHandler(xml->parser, on_start, on_end);
    XML_SetStartDoctypeDeclHandler(xml->parser, on_document_type);
    return true;
}

/* Parse one document; *AT is its beginning and then its end. */
static bool parse_document(struct xml *xml, const char *data, size_t length, size_t *at,
                           struct error *error)
{
    size_t begin = *at, piece = FIRST_PIECE;
    bool ok = make_parser(xml, error);
    enum XML_Status status = XML_STATUS_OK;
    while (ok && status == XML_STATUS_OK && *at < length) {
        size_t n = length - *at < piece ? length - *at : piece;
        status = XML_Parse(xml->parser, data + *at, (int)n, *at + n == length);
        *at += n;
        piece = piece < LARGEST_PIECE ? 2 * piece : piece;
    }
    if (ok && status != XML_STATUS_OK) {
        enum XML_Error why = XML_GetErrorCode(xml->parser);
        XML_Index index = XML_GetCurrentByteIndex(xml->parser);
        *at = begin + (index < 0 ? 0 : (size_t)index);
        /* The next of several documents in a row. */
        ok = (why == XML_ERROR_JUNK_AFTER_DOC_ELEMENT || why == XML_ERROR_MISPLACED_XML_PI) &&
             *at > begin && *at < length && data[*at] == '<' && xml->depth == 0;
        if (!ok && why != XML_ERROR_ABORTED)
            error_set(error, ERROR_DAMAGED, "KMIP XML that is cut off or damaged: %s",
                      XML_ErrorString(why));
    }
    XML_ParserFree(xml->parser);
    return ok && (!xml->ttlv.failed || error_memory(error));
}

/* Expat is bound lazily, and the dynamic linker saves vector registers on the stack, whatever they
 * hold by then: wipe what lies below the caller's frame. */
static void __attribute__((noinline)) wipe_stack(void)
{
    uint8_t below[16 << 10];
    secret_wipe(below, sizeof below);
}

/* A '<' behind a byte order mark and blanks: all other forms are told apart at once. */
static bool looks_like_xml(const char *data, size_t length)
{
    size_t at = length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < length && isspace((unsigned char)data[at]))
        at++;
    return at < length && data[at] == '<';
}

enum source_verdict source_kmip_xml(struct source *source, struct error *error)
{
    const char *data = buffer_text(source->file);
    size_t length = source->file->length, at = 0;
    if (!looks_like_xml(data, length))
        return SOURCE_NOT_THIS;
    struct error why = ERROR_INIT;
    struct xml xml = {.error = &why};
    struct kmip kmip = KMIP_INIT;
    enum source_verdict verdict = SOURCE_REFUSED;
    bool ok = true;
    for (size_t i = 0; ok && at < length; i++)
        ok = i < DOCUMENTS_MAX
                 ? parse_document(&xml, data, length, &at, &why)
                 : error_set(&why, ERROR_FAILED, "more than %d XML documents", DOCUMENTS_MAX);
    wipe_stack();
    if (!xml.is_kmip) {
        verdict = SOURCE_NOT_THIS;
    } else if (!ok) {
        *error = why;
        error_at(error, source->path, at);
    } else if (kmip_scan(&kmip, buffer_text(&xml.ttlv), xml.ttlv.length, error)) {
        verdict = kmip_deliver(&kmip, source, "object", error);
    }
    kmip_free(&kmip);
    buffer_free(&xml.ttlv);
    return verdict;
}
