#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <io.h>
#include <windows.h>
#else
#include <dlfcn.h>
#include <unistd.h>
#endif

#include "recording.h"

// What a build does where its process has no such variable: VMMs have none.
#ifndef DEFAULT_LOG
#define DEFAULT_LOG NULL
#endif
#ifndef DEFAULT_REAL
#define DEFAULT_REAL NULL
#endif

static const char *setting(const char *variable, const char *otherwise) {
  const char *value = getenv(variable);
  return value != NULL ? value : otherwise;
}

static void append(struct record *record, const char *text) {
  const size_t length = strlen(text);
  if (record->used + length >= sizeof record->line) abort();  // A log that says less than happened is worth nothing.
  memcpy(record->line + record->used, text, length);
  record->used += length;
}

static void append_text(struct record *record, const char *text) {
  if (text == NULL) {
    append(record, "null");
    return;
  }
  append(record, "\"");
  for (; *text != '\0'; ++text) {
    char piece[8] = {*text, '\0'};
    if ((unsigned char)*text < 0x20) {
      snprintf(piece, sizeof piece, "\\u%04x", (unsigned char)*text);
    } else if (*text == '"' || *text == '\\') {
      snprintf(piece, sizeof piece, "\\%c", *text);
    }
    append(record, piece);
  }
  append(record, "\"");
}

static void append_name(struct record *record, const char *name) {
  if (record->has_argument) append(record, ",");
  record->has_argument = true;
  append_text(record, name);
  append(record, ":");
}

void record_begin(struct record *record, const char *function) {
  record->function = function;
  record->used = 0;
  record->has_argument = false;
  append(record, "{\"call\":");
  append_text(record, function);
  append(record, ",\"arguments\":{");
}

void record_number(struct record *record, const char *name, int64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)value);
  append_name(record, name);
  append(record, text);
}

void record_boolean(struct record *record, const char *name, bool value) {
  append_name(record, name);
  append(record, value ? "true" : "false");
}

void record_text(struct record *record, const char *name, const char *text) {
  append_name(record, name);
  append_text(record, text);
}

void record_texts(struct record *record, const char *name, const char *const texts[]) {
  append_name(record, name);
  if (texts == NULL) {
    append(record, "null");
    return;
  }
  append(record, "[");
  for (size_t index = 0; texts[index] != NULL; ++index) {
    if (index > 0) append(record, ",");
    append_text(record, texts[index]);
  }
  append(record, "]");
}

void record_mac(struct record *record, const char *name, const uint8_t *mac) {
  char text[18];
  snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  record_text(record, name, text);
}

void record_end(struct record *record, const int32_t *result) {
  append(record, "}");
  if (result != NULL) {
    char text[32];
    snprintf(text, sizeof text, ",\"result\":%d", *result);
    append(record, text);
  }
  append(record, "}\n");
  const char *path = setting("A3S_RECORDING_LIBKRUN_LOG", DEFAULT_LOG);
  if (path == NULL) return;
  // Anew each time: the launcher closes descriptors that it does not know.
  const int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (log < 0 || write(log, record->line, (unsigned)record->used) != (long)record->used) {
    perror("recording libkrun: cannot write its log");
    abort();
  }
  close(log);
}

bool forced_result(const char *function, int32_t *result) {
  const char *list = getenv("A3S_RECORDING_LIBKRUN_RESULTS");
  const size_t length = strlen(function);
  for (; list != NULL; list = strchr(list, ',')) {
    if (*list == ',') ++list;
    if (strncmp(list, function, length) != 0 || list[length] != '=') continue;
    *result = (int32_t)strtol(list + length + 1, NULL, 10);
    return true;
  }
  return false;
}

void *real_function(const char *name) {
  static void *library;
  const char *path = setting("A3S_RECORDING_LIBKRUN_REAL", DEFAULT_REAL);
  if (path == NULL) return NULL;
#ifdef _WIN32
  if (library == NULL) library = (void *)LoadLibraryA(path);
  void *function = library == NULL ? NULL : (void *)GetProcAddress((HMODULE)library, name);
#else
  if (library == NULL) library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void *function = library == NULL ? NULL : dlsym(library, name);
#endif
  if (function != NULL) return function;
  fprintf(stderr, "recording libkrun: %s has no %s\n", path, name);
  abort();
}
