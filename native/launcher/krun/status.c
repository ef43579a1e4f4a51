#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int status_descriptor = -1;

// Appends a JSON string. What does not fit is left out, never half an escape.
static size_t append_string(char *line, size_t size, size_t used, const char *text) {
  line[used++] = '"';
  for (; *text != '\0' && used + 8 < size; ++text) {
    const unsigned char byte = (unsigned char)*text;
    if (byte < 0x20 || byte == 0x7f) {
      used += (size_t)snprintf(line + used, size - used, "\\u%04x", byte);
    } else {
      if (byte == '"' || byte == '\\') line[used++] = '\\';
      line[used++] = (char)byte;
    }
  }
  line[used++] = '"';
  return used;
}

static void write_line(const char *step, const char *subject, int number, const char *message) {
  char line[2048];
  size_t used = (size_t)snprintf(line, sizeof line, "{\"step\":");
  used = append_string(line, 128, used, step);
  used += (size_t)snprintf(line + used, sizeof line - used, ",\"subject\":");
  used = append_string(line, 1024, used, subject);
  used += (size_t)snprintf(line + used, sizeof line - used, ",\"errno\":%d,\"message\":", number);
  used = append_string(line, sizeof line - 8, used, message);
  used += (size_t)snprintf(line + used, sizeof line - used, "}\n");
  for (size_t done = 0; done < used;) {
    const ssize_t written = write(status_descriptor, line + done, (unsigned)(used - done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) _exit(EXIT_LAUNCHER + 1);  // Nobody is there to be told.
    done += (size_t)written;
  }
}

void status_open(int descriptor) { status_descriptor = descriptor; }

void status_entering(void) { write_line("entering", "", 0, "the machine starts"); }

void status_running(void) { write_line("running", "", 0, "the machine runs"); }

void status_fail(const char *step, const char *subject, int number, const char *format, ...) {
  char message[768];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  write_line(step, subject, number, message);
  _exit(EXIT_LAUNCHER);
}
