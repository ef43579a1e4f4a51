// a3s-box-krun: becomes the virtual machine that a document describes, by libkrun.
//
//   a3s-box-krun DOCUMENT_DESCRIPTOR STATUS_DESCRIPTOR
//
// Reads one document (document.schema.json) to its end, and writes lines (status.schema.json) of what comes of it. On Linux
// a3s-box-confine starts it, and has taken away what a virtual machine monitor does not need; elsewhere the launcher gives
// up itself what its system lets a process give up. Standard error is libkrun's.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "document.h"
#include "krun_adapter.h"
#include "platform.h"
#include "status.h"

enum { HIGHEST_DESCRIPTOR = 1023 };

static int parse_descriptor(const char *text) {
  char *end = NULL;
  const long number = strtol(text, &end, 10);
  return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number <= HIGHEST_DESCRIPTOR ? (int)number : -1;
}

// Reads to the end, and one byte more than may be so that a longer document is seen.
static size_t read_document(int descriptor, char *bytes, size_t size) {
  size_t length = 0;
  while (length < size) {
    const ssize_t count = read(descriptor, bytes + length, (unsigned)(size - length));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) status_fail("document", "", errno, "cannot read the document: %s", strerror(errno));
    if (count == 0) break;
    length += (size_t)count;
  }
  return length;
}

// Descriptors that stay open, in ascending order.
static size_t descriptors_to_keep(const struct document *document, int status, int *keep) {
  size_t count = 0;
  bool placed = false;
  for (size_t index = 0; index < document->descriptor_count; ++index) {
    if (!placed && document->descriptors[index] >= status) {
      placed = true;
      if (document->descriptors[index] != status) keep[count++] = status;
    }
    keep[count++] = document->descriptors[index];
  }
  if (!placed) keep[count++] = status;
  return count;
}

int main(int count, char **values) {
  const int input = count == 3 ? parse_descriptor(values[1]) : -1;
  const int status = count == 3 ? parse_descriptor(values[2]) : -1;
  if (input < 0 || status < 0 || input == status) {
    static const char usage[] = "usage: a3s-box-krun DOCUMENT_DESCRIPTOR STATUS_DESCRIPTOR\n";
    return write(STDERR_FILENO, usage, sizeof usage - 1) < 0 ? EXIT_LAUNCHER + 1 : EXIT_LAUNCHER;
  }
  status_open(status);
  platform_prepare_descriptor(status);
  platform_prepare_descriptor(input);
  platform_drop_privileges();
  static char bytes[DOCUMENT_MAX_BYTES + 1];
  const size_t length = read_document(input, bytes, sizeof bytes);
  static struct document document;
  struct document_error error;
  if (!document_parse(&document, bytes, length, &error)) {
    status_fail("document", error.pointer, 0, "%s %s", error.pointer[0] == '\0' ? "the document" : error.pointer,
                error.message);
  }
  krun_load(&document);
  int keep[MAX_DESCRIPTORS + 1];
  platform_close_descriptors(keep, descriptors_to_keep(&document, status, keep));
  krun_configure(&document);
  krun_enter();
}
