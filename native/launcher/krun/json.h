// A strict JSON parser (RFC 8259) for one bounded document.
//
// Stricter than the grammar where leniency could hide a mistake: no member twice, no NUL in a string, no lone surrogate,
// numbers are whole and fit in 64 bits. Parsing allocates once; everything lives until json_free.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 16, JSON_MAX_MEMBERS = 64 };

enum json_type { JSON_NULL, JSON_BOOLEAN, JSON_INTEGER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
  enum json_type type;
  const char *name;  // Of a member; NULL otherwise.
  size_t index;      // Of an item; how many came before.
  const struct json *parent;
  struct json *first;  // Members or items.
  struct json *next;
  size_t count;        // Of members or items.
  const char *string;  // Ends with NUL and has no other.
  size_t length;
  int64_t integer;  // Of a boolean: 0 or 1.
};

struct json_error {
  const struct json *at;  // The value that it is about; NULL for the whole text.
  char message[160];
};

struct json_text {
  struct json *nodes;
  char *strings;
  struct json_error error;
};

// Returns the root, or NULL with `text->error` filled. Either way json_free ends it.
const struct json *json_parse(struct json_text *text, const char *bytes, size_t length);
void json_free(struct json_text *text);

// The member of that name, or NULL.
const struct json *json_member(const struct json *object, const char *name);

// Writes the JSON Pointer (RFC 6901) of a value, cut to `size`.
void json_pointer(const struct json *value, char *pointer, size_t size);
