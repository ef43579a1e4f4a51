#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
  struct json_text *text;
  const unsigned char *bytes;
  size_t length;
  size_t position;
  size_t node_count;
  size_t string_size;
};

static bool refuse(struct parser *parser, const struct json *at, const char *message) {
  parser->text->error.at = at;
  snprintf(parser->text->error.message, sizeof parser->text->error.message, "%s", message);
  return false;
}

static bool refuse_syntax(struct parser *parser, const char *expected) {
  parser->text->error.at = NULL;
  snprintf(parser->text->error.message, sizeof parser->text->error.message, "not JSON at byte %zu: %s",
           parser->position, expected);
  return false;
}

static int peek(const struct parser *parser) {
  return parser->position < parser->length ? parser->bytes[parser->position] : -1;
}

static void skip_blanks(struct parser *parser) {
  int byte;
  while ((byte = peek(parser)) == ' ' || byte == '\t' || byte == '\n' || byte == '\r') ++parser->position;
}

static bool take(struct parser *parser, int byte) {
  if (peek(parser) != byte) return false;
  ++parser->position;
  return true;
}

static bool take_word(struct parser *parser, const char *word) {
  const size_t length = strlen(word);
  if (parser->length - parser->position < length) return false;
  if (memcmp(parser->bytes + parser->position, word, length) != 0) return false;
  parser->position += length;
  return true;
}

static void put(struct parser *parser, unsigned byte) { parser->text->strings[parser->string_size++] = (char)byte; }

static void put_code_point(struct parser *parser, unsigned point) {
  if (point < 0x80) {
    put(parser, point);
  } else if (point < 0x800) {
    put(parser, 0xc0 | point >> 6);
    put(parser, 0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(parser, 0xe0 | point >> 12);
    put(parser, 0x80 | (point >> 6 & 0x3f));
    put(parser, 0x80 | (point & 0x3f));
  } else {
    put(parser, 0xf0 | point >> 18);
    put(parser, 0x80 | (point >> 12 & 0x3f));
    put(parser, 0x80 | (point >> 6 & 0x3f));
    put(parser, 0x80 | (point & 0x3f));
  }
}

static bool parse_hex4(struct parser *parser, unsigned *value) {
  *value = 0;
  for (int digit = 0; digit < 4; ++digit) {
    const int byte = peek(parser);
    unsigned number;
    if (byte >= '0' && byte <= '9') {
      number = (unsigned)(byte - '0');
    } else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f') {
      number = (unsigned)((byte | 0x20) - 'a' + 10);
    } else {
      return refuse_syntax(parser, "expected four hexadecimal digits");
    }
    *value = *value << 4 | number;
    ++parser->position;
  }
  return true;
}

static bool parse_unicode_escape(struct parser *parser) {
  unsigned point;
  if (!parse_hex4(parser, &point)) return false;
  if (point == 0) return refuse_syntax(parser, "a string holds a NUL");
  if (point >= 0xdc00 && point <= 0xdfff) return refuse_syntax(parser, "a lone surrogate");
  if (point >= 0xd800 && point <= 0xdbff) {
    unsigned low;
    if (!take(parser, '\\') || !take(parser, 'u')) return refuse_syntax(parser, "a lone surrogate");
    if (!parse_hex4(parser, &low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return refuse_syntax(parser, "a lone surrogate");
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  }
  put_code_point(parser, point);
  return true;
}

static bool parse_escape(struct parser *parser) {
  const int byte = peek(parser);
  if (byte >= 0) ++parser->position;
  switch (byte) {
    case '"':
    case '\\':
    case '/':
      put(parser, (unsigned)byte);
      return true;
    case 'b':
      put(parser, '\b');
      return true;
    case 'f':
      put(parser, '\f');
      return true;
    case 'n':
      put(parser, '\n');
      return true;
    case 'r':
      put(parser, '\r');
      return true;
    case 't':
      put(parser, '\t');
      return true;
    case 'u':
      return parse_unicode_escape(parser);
    default:
      return refuse_syntax(parser, "unknown escape");
  }
}

// One character of two to four bytes, checked against the well-formed sequences of the Unicode standard (table 3-7).
static bool parse_multibyte(struct parser *parser) {
  const unsigned char *bytes = parser->bytes + parser->position;
  const size_t left = parser->length - parser->position;
  const unsigned lead = bytes[0];
  size_t size = 0;
  unsigned lowest = 0x80;
  unsigned highest = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3;
    if (lead == 0xe0) lowest = 0xa0;
    if (lead == 0xed) highest = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4;
    if (lead == 0xf0) lowest = 0x90;
    if (lead == 0xf4) highest = 0x8f;
  }
  if (size == 0 || left < size || bytes[1] < lowest || bytes[1] > highest) return refuse_syntax(parser, "not UTF-8");
  for (size_t index = 2; index < size; ++index) {
    if (bytes[index] < 0x80 || bytes[index] > 0xbf) return refuse_syntax(parser, "not UTF-8");
  }
  for (size_t index = 0; index < size; ++index) put(parser, bytes[index]);
  parser->position += size;
  return true;
}

static const char *parse_string(struct parser *parser, size_t *length) {
  if (!take(parser, '"')) {
    refuse_syntax(parser, "expected a string");
    return NULL;
  }
  const size_t begin = parser->string_size;
  while (!take(parser, '"')) {
    const int byte = peek(parser);
    bool taken = true;
    if (byte < 0x20) {
      taken = refuse_syntax(parser, byte < 0 ? "a string has no end" : "a control character in a string");
    } else if (byte == '\\') {
      ++parser->position;
      taken = parse_escape(parser);
    } else if (byte < 0x80) {
      put(parser, (unsigned)byte);
      ++parser->position;
    } else {
      taken = parse_multibyte(parser);
    }
    if (!taken) return NULL;
  }
  *length = parser->string_size - begin;
  put(parser, 0);
  return parser->text->strings + begin;
}

static bool parse_number(struct parser *parser, struct json *node) {
  const bool negative = take(parser, '-');
  const bool zero = peek(parser) == '0';
  uint64_t magnitude = 0;
  size_t digits = 0;
  bool fits = true;
  for (int byte; (byte = peek(parser)) >= '0' && byte <= '9'; ++parser->position, ++digits) {
    const uint64_t digit = (uint64_t)(byte - '0');
    fits = fits && magnitude <= (INT64_MAX - digit) / 10;
    if (fits) magnitude = magnitude * 10 + digit;
  }
  if (digits == 0) return refuse_syntax(parser, "expected a value");
  if (zero && digits > 1) return refuse_syntax(parser, "a number starts with 0");
  const int after = peek(parser);
  if (after == '.' || after == 'e' || after == 'E') return refuse(parser, node, "is not a whole number");
  if (!fits) return refuse(parser, node, "is too large a number");
  node->type = JSON_INTEGER;
  node->integer = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return true;
}

static struct json *new_node(struct parser *parser, const struct json *parent) {
  struct json *node = &parser->text->nodes[parser->node_count++];
  *node = (struct json){.parent = parent};
  return node;
}

static void append(struct json *parent, struct json **last, struct json *node) {
  if (*last == NULL) {
    parent->first = node;
  } else {
    (*last)->next = node;
  }
  *last = node;
  node->index = parent->count++;
}

static bool parse_value(struct parser *parser, struct json *node, int depth);

static bool parse_items(struct parser *parser, struct json *array, int depth) {
  struct json *last = NULL;
  skip_blanks(parser);
  if (take(parser, ']')) return true;
  for (;;) {
    struct json *item = new_node(parser, array);
    append(array, &last, item);
    if (!parse_value(parser, item, depth)) return false;
    if (take(parser, ']')) return true;
    if (!take(parser, ',')) return refuse_syntax(parser, "expected , or ]");
  }
}

static bool parse_members(struct parser *parser, struct json *object, int depth) {
  struct json *last = NULL;
  skip_blanks(parser);
  if (take(parser, '}')) return true;
  for (;;) {
    if (object->count == JSON_MAX_MEMBERS) return refuse(parser, object, "has too many members");
    skip_blanks(parser);
    size_t length;
    const char *name = parse_string(parser, &length);
    if (name == NULL) return false;
    struct json *member = new_node(parser, object);
    member->name = name;
    if (json_member(object, name) != NULL) return refuse(parser, member, "is there twice");
    append(object, &last, member);
    skip_blanks(parser);
    if (!take(parser, ':')) return refuse_syntax(parser, "expected :");
    if (!parse_value(parser, member, depth)) return false;
    if (take(parser, '}')) return true;
    if (!take(parser, ',')) return refuse_syntax(parser, "expected , or }");
  }
}

static bool parse_value(struct parser *parser, struct json *node, int depth) {
  bool parsed = true;
  skip_blanks(parser);
  const int byte = peek(parser);
  if (byte == '{' || byte == '[') {
    if (depth == JSON_MAX_DEPTH) return refuse(parser, node, "is nested too deeply");
    ++parser->position;
    node->type = byte == '{' ? JSON_OBJECT : JSON_ARRAY;
    parsed = byte == '{' ? parse_members(parser, node, depth + 1) : parse_items(parser, node, depth + 1);
  } else if (byte == '"') {
    node->type = JSON_STRING;
    node->string = parse_string(parser, &node->length);
    parsed = node->string != NULL;
  } else if (take_word(parser, "null")) {
    node->type = JSON_NULL;
  } else if (take_word(parser, "true") || take_word(parser, "false")) {
    node->type = JSON_BOOLEAN;
    node->integer = byte == 't';
  } else {
    parsed = parse_number(parser, node);
  }
  skip_blanks(parser);
  return parsed;
}

const struct json *json_parse(struct json_text *text, const char *bytes, size_t length) {
  *text = (struct json_text){0};
  struct parser parser = {.text = text, .bytes = (const unsigned char *)bytes, .length = length};
  // Each value begins with a byte of its own, and what a string decodes to, with its NUL, is shorter than its source.
  text->nodes = malloc((length + 1) * sizeof *text->nodes);
  text->strings = malloc(length + 1);
  if (text->nodes == NULL || text->strings == NULL) {
    refuse(&parser, NULL, "is too large for the memory that there is");
    return NULL;
  }
  struct json *root = new_node(&parser, NULL);
  if (!parse_value(&parser, root, 0)) return NULL;
  if (parser.position != length) {
    refuse_syntax(&parser, "expected its end");
    return NULL;
  }
  return root;
}

void json_free(struct json_text *text) {
  free(text->nodes);
  free(text->strings);
  *text = (struct json_text){0};
}

const struct json *json_member(const struct json *object, const char *name) {
  for (const struct json *member = object->first; member != NULL; member = member->next) {
    if (strcmp(member->name, name) == 0) return member;
  }
  return NULL;
}

static void append_escaped(char *pointer, size_t size, size_t *used, const char *name) {
  for (; *name != '\0' && *used + 3 < size; ++name) {
    if (*name == '~' || *name == '/') {
      pointer[(*used)++] = '~';
      pointer[(*used)++] = *name == '~' ? '0' : '1';
    } else {
      pointer[(*used)++] = *name;
    }
  }
}

void json_pointer(const struct json *value, char *pointer, size_t size) {
  const struct json *chain[JSON_MAX_DEPTH + 2];
  size_t depth = 0;
  for (; value != NULL && value->parent != NULL; value = value->parent) chain[depth++] = value;
  size_t used = 0;
  while (depth > 0 && used + 32 < size) {
    const struct json *step = chain[--depth];
    pointer[used++] = '/';
    if (step->name != NULL) {
      append_escaped(pointer, size, &used, step->name);
    } else {
      used += (size_t)snprintf(pointer + used, size - used, "%zu", step->index);
    }
  }
  pointer[used] = '\0';
}
