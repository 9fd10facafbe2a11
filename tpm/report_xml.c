/* report_xml - XML read as if it were JSON; see report_private.h. */
#include "tpm/report_private.h"

#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/buffer.h"

enum { XML_DEPTH = 32, XML_MAX = 8 << 20, XML_TEXT_MAX = 1 << 20 };

struct frame {
    json_t *object; /* NULL as long as no element is in it */
    char *type;     /* xsi:type, or NULL */
};

struct tree {
    XML_Parser parser;
    struct frame frames[XML_DEPTH];
    size_t depth;
    struct buffer text; /* of the innermost element */
    json_t *root;
    bool no_memory;
    const char *refused;
};

static void stop(struct tree *tree, const char *refused)
{
    tree->no_memory |= refused == NULL;
    tree->refused = refused;
    XML_StopParser(tree->parser, XML_FALSE);
}

/* Names count without their namespace's prefix. */
static const char *local(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon == NULL ? name : colon + 1;
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct tree *tree = user;
    (void)name;
    if (tree->depth == XML_DEPTH) {
        stop(tree, "is nested too deep");
        return;
    }
    struct frame *frame = &tree->frames[tree->depth++];
    *frame = (struct frame){0};
    for (; attributes[0] != NULL && frame->type == NULL; attributes += 2)
        if (strcmp(local(attributes[0]), "type") == 0 && strchr(attributes[0], ':') != NULL) {
            frame->type = strdup(local(attributes[1]));
            if (frame->type == NULL)
                stop(tree, NULL);
        }
    tree->text.length = 0;
}

static void on_text(void *user, const XML_Char *text, int length)
{
    struct tree *tree = user;
    if (tree->text.length + (size_t)length > XML_TEXT_MAX)
        stop(tree, "has too long a text");
    else if (!buffer_append(&tree->text, text, (size_t)length))
        stop(tree, NULL);
}

/* A leaf's text without the white space around it. */
static json_t *leaf(struct tree *tree)
{
    static const char blanks[] = " \t\r\n";
    const char *text = buffer_text(&tree->text);
    size_t end = tree->text.length, start = 0;
    while (start < end && strchr(blanks, text[start]) != NULL)
        start++;
    while (end > start && strchr(blanks, text[end - 1]) != NULL)
        end--;
    return json_stringn(text + start, end - start);
}

/* VALUE becomes one of OBJECT's members called NAME. */
static bool add(json_t *object, const char *name, json_t *value)
{
    json_t *before = json_object_get(object, name);
    if (before == NULL)
        return json_object_set_new(object, name, value) == 0;
    if (json_is_array(before))
        return json_array_append_new(before, value) == 0;
    json_t *list = json_array();
    bool ok = json_array_append(list, before) == 0;
    ok = json_array_append_new(list, value) == 0 && ok;
    return json_object_set_new(object, name, list) == 0 && ok;
}

static void on_end(void *user, const XML_Char *name)
{
    struct tree *tree = user;
    struct frame *frame = &tree->frames[--tree->depth];
    json_t *value = frame->object == NULL ? leaf(tree) : frame->object;
    bool ok = value != NULL;
    if (ok && frame->object != NULL && frame->type != NULL)
        ok = json_object_set_new(value, "_typeName", json_string(frame->type)) == 0;
    free(frame->type);
    *frame = (struct frame){0};
    tree->text.length = 0;
    if (tree->depth == 0) {
        tree->root = value;
    } else if (ok) {
        json_t **parent = &tree->frames[tree->depth - 1].object;
        if (*parent == NULL)
            *parent = json_object();
        ok = add(*parent, local(name), value);
    }
    if (!ok)
        stop(tree, NULL);
}

/* Entities could blow a small file up, and nobody writes them here. */
static void on_document_type(void *user, const XML_Char *name, const XML_Char *system,
                             const XML_Char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    stop(user, "has a document type, which is not read");
}

json_t *report_xml(const char *data, size_t length, struct error *error)
{
    struct tree tree = {.text = BUFFER_INIT};
    if (length > XML_MAX) {
        error_set(error, ERROR_DAMAGED, "XML of more than %d MiB", XML_MAX >> 20);
        return NULL;
    }
    tree.parser = XML_ParserCreate(NULL);
    if (tree.parser == NULL) {
        error_memory(error);
        return NULL;
    }
    XML_SetUserData(tree.parser, &tree);
    XML_SetElementHandler(tree.parser, on_start, on_end);
    XML_SetCharacterDataHandler(tree.parser, on_text);
    XML_SetStartDoctypeDeclHandler(tree.parser, on_document_type);
    bool ok = XML_Parse(tree.parser, data, (int)length, XML_TRUE) == XML_STATUS_OK;
    if (tree.no_memory)
        error_memory(error);
    else if (!ok && tree.refused != NULL)
        error_set(error, ERROR_DAMAGED, "XML that %s", tree.refused);
    else if (!ok)
        error_set(error, ERROR_DAMAGED, "XML that is cut off or damaged: %s",
                  XML_ErrorString(XML_GetErrorCode(tree.parser)));
    XML_ParserFree(tree.parser);
    for (size_t i = 0; i < tree.depth; i++) {
        json_decref(tree.frames[i].object);
        free(tree.frames[i].type);
    }
    buffer_free(&tree.text);
    if (ok && json_is_object(tree.root))
        return tree.root;
    if (ok)
        error_set(error, ERROR_DAMAGED, "XML without elements");
    json_decref(tree.root);
    return NULL;
}
