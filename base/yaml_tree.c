/* yaml_tree - see yaml_tree.h. */
#include "base/yaml_tree.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <yaml.h>

struct walk {
    yaml_document_t *document;
    const char *name;
    size_t nodes;
    struct error *error;
};

static json_t *wrong(struct walk *w, const yaml_node_t *node, const char *what)
{
    error_set(w->error, ERROR_DAMAGED, "line %zu: %s", node->start_mark.line + 1, what);
    error_in_file(w->error, w->name);
    return NULL;
}

static json_t *tree(struct walk *w, int index, unsigned depth);

static json_t *tree_list(struct walk *w, const yaml_node_t *node, unsigned depth)
{
    json_t *list = json_array();
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         list != NULL && item < node->data.sequence.items.top; item++) {
        json_t *member = tree(w, *item, depth + 1);
        if (member == NULL || json_array_append_new(list, member) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static bool add_member(struct walk *w, json_t *map, const yaml_node_t *key, int value,
                       unsigned depth)
{
    if (key->type != YAML_SCALAR_NODE ||
        memchr(key->data.scalar.value, '\0', key->data.scalar.length) != NULL)
        return wrong(w, key, "a name must be a plain text") != NULL;
    const char *name = (const char *)key->data.scalar.value;
    if (json_object_get(map, name) != NULL)
        return wrong(w, key, "this name stands here twice") != NULL;
    json_t *member = tree(w, value, depth + 1);
    if (member == NULL)
        return false;
    return json_object_set_new(map, name, member) == 0 ||
           wrong(w, key, "no such name can be kept") != NULL;
}

static json_t *tree_map(struct walk *w, const yaml_node_t *node, unsigned depth)
{
    json_t *map = json_object();
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         map != NULL && pair < node->data.mapping.pairs.top; pair++)
        if (!add_member(w, map, yaml_document_get_node(w->document, pair->key), pair->value,
                        depth)) {
            json_decref(map);
            map = NULL;
        }
    return map;
}

static json_t *tree(struct walk *w, int index, unsigned depth)
{
    const yaml_node_t *node = yaml_document_get_node(w->document, index);
    json_t *value = NULL;
    if (node == NULL)
        return NULL;
    if (depth > YAML_TREE_DEPTH_MAX)
        return wrong(w, node, "nested too deeply");
    if (++w->nodes > YAML_TREE_NODES_MAX)
        return wrong(w, node, "too many values");
    if (node->type == YAML_SEQUENCE_NODE)
        value = tree_list(w, node, depth);
    else if (node->type == YAML_MAPPING_NODE)
        value = tree_map(w, node, depth);
    else
        value = json_stringn((const char *)node->data.scalar.value, node->data.scalar.length);
    if (value == NULL && w->error->code == ERROR_NONE)
        return wrong(w, node, "this value cannot be kept");
    return value;
}

static bool load(yaml_parser_t *parser, const char *name, yaml_document_t *document,
                 struct error *error)
{
    if (yaml_parser_load(parser, document))
        return true;
    error_set(error, ERROR_DAMAGED, "line %zu: %s", parser->problem_mark.line + 1,
              parser->problem != NULL ? parser->problem : "no YAML");
    return error_in_file(error, name);
}

static bool is_last(yaml_parser_t *parser, const char *name, struct error *error)
{
    yaml_document_t next;
    if (!load(parser, name, &next, error))
        return false;
    bool more = yaml_document_get_root_node(&next) != NULL;
    yaml_document_delete(&next);
    if (more) {
        error_set(error, ERROR_DAMAGED, "holds more than one YAML document");
        error_in_file(error, name);
    }
    return !more;
}

json_t *yaml_tree_read(const char *name, const void *text, size_t length, struct error *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    json_t *value = NULL;
    if (!yaml_parser_initialize(&parser)) {
        error_memory(error);
        return NULL;
    }
    yaml_parser_set_input_string(&parser, text, length);
    if (load(&parser, name, &document, error)) {
        struct walk w = {.document = &document, .name = name, .error = error};
        if (yaml_document_get_root_node(&document) == NULL) {
            error_set(error, ERROR_DAMAGED, "holds no YAML document");
            error_in_file(error, name);
        } else {
            value = tree(&w, 1, 0);
        }
        yaml_document_delete(&document);
    }
    if (value != NULL && !is_last(&parser, name, error)) {
        json_decref(value);
        value = NULL;
    }
    yaml_parser_delete(&parser);
    return value;
}

/* Writing: events to libyaml's emitter. */

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
    return made && yaml_emitter_emit(emitter, event);
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text, size_t length, bool plain)
{
    yaml_event_t event;
    yaml_scalar_style_t style = memchr(text, '\n', length) != NULL ? YAML_LITERAL_SCALAR_STYLE
                                : plain                            ? YAML_ANY_SCALAR_STYLE
                                        : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return emit(emitter, &event,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text,
                                             (int)length, 1, 1, style));
}

/* Texts that another YAML reader would take for something else. */
static bool looks_special(const char *text)
{
    static const char *const words[] = {"",   "~",   "null", "true", "false", "yes", "no",
                                        "on", "off", "y",    "n",    ".inf",  ".nan"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return strchr("0123456789+-.", text[0]) != NULL;
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value, unsigned depth);

static bool emit_list(yaml_emitter_t *emitter, const json_t *value, unsigned depth)
{
    yaml_event_t event;
    bool ok = emit(emitter, &event,
                   yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                        json_array_size(value) == 0
                                                            ? YAML_FLOW_SEQUENCE_STYLE
                                                            : YAML_BLOCK_SEQUENCE_STYLE));
    for (size_t i = 0; ok && i < json_array_size(value); i++)
        ok = emit_value(emitter, json_array_get(value, i), depth + 1);
    return ok && emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_map(yaml_emitter_t *emitter, const json_t *value, unsigned depth)
{
    yaml_event_t event;
    const char *name;
    json_t *member;
    bool ok = emit(emitter, &event,
                   yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                       json_object_size(value) == 0
                                                           ? YAML_FLOW_MAPPING_STYLE
                                                           : YAML_BLOCK_MAPPING_STYLE));
    json_object_foreach((json_t *)value, name, member)
    {
        ok = ok && emit_scalar(emitter, name, strlen(name), !looks_special(name)) &&
             emit_value(emitter, member, depth + 1);
    }
    return ok && emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value, unsigned depth)
{
    char number[40];
    if (depth > YAML_TREE_DEPTH_MAX)
        return false;
    switch (json_typeof(value)) {
    case JSON_ARRAY:
        return emit_list(emitter, value, depth);
    case JSON_OBJECT:
        return emit_map(emitter, value, depth);
    case JSON_STRING: {
        const char *text = json_string_value(value);
        return emit_scalar(emitter, text, json_string_length(value), !looks_special(text));
    }
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return emit_scalar(emitter, number, strlen(number), true);
    case JSON_REAL:
        snprintf(number, sizeof number, "%.17g", json_real_value(value));
        return emit_scalar(emitter, number, strlen(number), true);
    default: {
        const char *word = json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null";
        return emit_scalar(emitter, word, strlen(word), true);
    }
    }
}

static int append(void *user, unsigned char *data, size_t length)
{
    return buffer_append(user, data, length) ? 1 : 0;
}

bool yaml_tree_write(const json_t *value, struct buffer *out, struct error *error)
{
    yaml_emitter_t emitter;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&emitter))
        return error_memory(error);
    yaml_emitter_set_output(&emitter, append, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    bool ok =
        emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    ok = ok &&
         emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 0));
    ok = ok && emit_value(&emitter, value, 0);
    ok = ok && emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
    ok = ok && emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
    if (!ok)
        error_set(error, ERROR_FAILED, "cannot write this as YAML: %s",
                  emitter.problem != NULL ? emitter.problem : "out of memory");
    yaml_emitter_delete(&emitter);
    return ok;
}
