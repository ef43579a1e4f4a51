// Turns JSON into a document and refuses, with the path of the member, whatever the schema does not allow.
#include "document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
  struct document *document;
  struct document_error *error;
  bool failed;
};

struct member {
  const char *name;
  const struct json **value;
};

enum { DESCRIPTOR_LIMIT = 1024, PATH_LIMIT = 4095 };

static void refuse(struct reader *reader, const struct json *at, const char *message) {
  if (reader->failed) return;  // The first fault is the one that is told.
  reader->failed = true;
  json_pointer(at, reader->error->pointer, sizeof reader->error->pointer);
  snprintf(reader->error->message, sizeof reader->error->message, "%s", message);
}

static void refuse_missing(struct reader *reader, const struct json *object, const char *name) {
  if (reader->failed) return;
  refuse(reader, object, "is missing");
  const size_t used = strlen(reader->error->pointer);
  snprintf(reader->error->pointer + used, sizeof reader->error->pointer - used, "/%s", name);
}

// Looks up exactly these members. Where it fails, values are NULL and must not be read.
static bool read_object(struct reader *reader, const struct json *value, size_t count, const struct member *members) {
  if (value->type != JSON_OBJECT) {
    refuse(reader, value, "must be an object");
    return false;
  }
  for (const struct json *member = value->first; member != NULL; member = member->next) {
    bool known = false;
    for (size_t index = 0; index < count; ++index) known = known || strcmp(members[index].name, member->name) == 0;
    if (!known) refuse(reader, member, "is unknown");
  }
  for (size_t index = 0; index < count; ++index) {
    *members[index].value = json_member(value, members[index].name);
    if (*members[index].value == NULL) refuse_missing(reader, value, members[index].name);
  }
  return !reader->failed;
}

#define READ_OBJECT(reader, value, ...)                                                        \
  read_object((reader), (value), sizeof((struct member[]){__VA_ARGS__}) / sizeof(struct member), \
              (struct member[]){__VA_ARGS__})

static size_t read_array(struct reader *reader, const struct json *value, size_t maximum) {
  if (value->type != JSON_ARRAY) {
    refuse(reader, value, "must be an array");
    return 0;
  }
  if (value->count <= maximum) return value->count;
  refuse(reader, value, "has too many items");
  return 0;
}

static int64_t read_integer(struct reader *reader, const struct json *value, int64_t minimum, int64_t maximum) {
  if (value->type != JSON_INTEGER) {
    refuse(reader, value, "must be a whole number");
    return minimum;
  }
  if (value->integer >= minimum && value->integer <= maximum) return value->integer;
  char message[96];
  snprintf(message, sizeof message, "must be from %lld to %lld", (long long)minimum, (long long)maximum);
  refuse(reader, value, message);
  return minimum;
}

static bool read_boolean(struct reader *reader, const struct json *value) {
  if (value->type == JSON_BOOLEAN) return value->integer != 0;
  refuse(reader, value, "must be true or false");
  return false;
}

static const char *read_string(struct reader *reader, const struct json *value) {
  if (value->type == JSON_STRING) return value->string;
  refuse(reader, value, "must be a string");
  return "";
}

// The index of the word in `words`, which ends with NULL.
static int read_word(struct reader *reader, const struct json *value, const char *const words[]) {
  const char *text = read_string(reader, value);
  char message[128] = "must be one of";
  for (int index = 0; words[index] != NULL; ++index) {
    if (strcmp(words[index], text) == 0) return index;
    const size_t used = strlen(message);
    snprintf(message + used, sizeof message - used, "%s %s", index == 0 ? "" : ",", words[index]);
  }
  refuse(reader, value, message);
  return 0;
}

static bool is_letter(char character) { return (character | 0x20) >= 'a' && (character | 0x20) <= 'z'; }
static bool is_digit(char character) { return character >= '0' && character <= '9'; }

static void keep_descriptor(struct reader *reader, const struct json *value, int descriptor) {
  struct document *document = reader->document;
  size_t place = 0;
  while (place < document->descriptor_count && document->descriptors[place] < descriptor) ++place;
  if (place < document->descriptor_count && document->descriptors[place] == descriptor) return;
  if (document->descriptor_count == MAX_DESCRIPTORS) {
    refuse(reader, value, "names one descriptor too many");
    return;
  }
  memmove(&document->descriptors[place + 1], &document->descriptors[place],
          (document->descriptor_count - place) * sizeof document->descriptors[0]);
  document->descriptors[place] = descriptor;
  ++document->descriptor_count;
}

static void note_descriptor(struct reader *reader, const struct json *value) {
  static const char prefix[] = "/proc/self/fd/";
  if (strncmp(value->string, prefix, sizeof prefix - 1) != 0) return;
  const char *digits = value->string + sizeof prefix - 1;
  int number = 0;
  size_t count = 0;
  for (; is_digit(digits[count]) && number < DESCRIPTOR_LIMIT; ++count) number = number * 10 + (digits[count] - '0');
  const bool ends = digits[count] == '\0' || digits[count] == '/';
  if (count == 0 || !ends || number >= DESCRIPTOR_LIMIT || (digits[0] == '0' && count > 1)) {
    refuse(reader, value, "names no descriptor");
    return;
  }
  keep_descriptor(reader, value, number);
}

static const char *read_path(struct reader *reader, const struct json *value) {
  const char *path = read_string(reader, value);
  if (reader->failed) return path;
  const bool absolute = path[0] == '/' || (path[0] == '\\' && path[1] == '\\') ||
                        (is_letter(path[0]) && path[1] == ':' && (path[2] == '\\' || path[2] == '/'));
  if (!absolute) refuse(reader, value, "must be an absolute path");
  if (value->length > PATH_LIMIT) refuse(reader, value, "is too long a path");
  for (const char *character = path; *character != '\0'; ++character) {
    if ((unsigned char)*character < 0x20) refuse(reader, value, "holds a control character");
  }
  if (!reader->failed) note_descriptor(reader, value);
  return path;
}

// A name of `first` and then `rest` characters, at most `maximum` long.
static const char *read_name(struct reader *reader, const struct json *value, size_t maximum, bool lower_case) {
  const char *name = read_string(reader, value);
  const char *extra = lower_case ? "-" : "._-";
  bool good = name[0] != '\0' && strlen(name) <= maximum;
  for (size_t index = 0; good && name[index] != '\0'; ++index) {
    const char character = name[index];
    const bool letter = is_letter(character) && (!lower_case || character >= 'a');
    const bool other = is_digit(character) || strchr(extra, character) != NULL;
    good = letter || (index == 0 ? !lower_case && is_digit(character) : other);
  }
  if (!good) refuse(reader, value, "is no such name as the schema allows");
  return name;
}

static void read_machine(struct reader *reader, const struct json *value) {
  const struct json *vcpus, *memory, *nested;
  if (!READ_OBJECT(reader, value, {"vcpus", &vcpus}, {"memoryMiB", &memory}, {"nested", &nested})) return;
  struct document *document = reader->document;
  document->machine.vcpus = (uint8_t)read_integer(reader, vcpus, 1, 255);
  document->machine.memory_mib = (uint32_t)read_integer(reader, memory, 16, 16777216);
  document->machine.nested = read_boolean(reader, nested);
}

static const char *read_command_line(struct reader *reader, const struct json *value) {
  const char *line = read_string(reader, value);
  const size_t length = strlen(line);
  if (length < 1 || length > 2047) refuse(reader, value, "must have 1 to 2047 characters");
  for (size_t index = 0; index < length; ++index) {
    if (line[index] < ' ' || line[index] > '~') refuse(reader, value, "may have printable ASCII characters only");
  }
  return line;
}

static void read_kernel(struct reader *reader, const struct json *value) {
  static const char *const formats[] = {"elf", "raw", NULL};
  const struct json *path, *format, *initramfs, *line;
  if (!READ_OBJECT(reader, value, {"path", &path}, {"format", &format}, {"initramfs", &initramfs},
                   {"commandLine", &line})) {
    return;
  }
  struct document *document = reader->document;
  document->kernel.path = read_path(reader, path);
  document->kernel.format = (enum kernel_format)read_word(reader, format, formats);
  document->kernel.initramfs = read_path(reader, initramfs);
  document->kernel.command_line = read_command_line(reader, line);
}

static void read_disk(struct reader *reader, const struct json *value, struct disk *disk) {
  static const char *const formats[] = {"raw", "vmdk", NULL};
  static const char *const modes[] = {"none", "relaxed", "full", NULL};
  const struct json *id, *path, *format, *read_only, *sync;
  if (!READ_OBJECT(reader, value, {"id", &id}, {"path", &path}, {"format", &format}, {"readOnly", &read_only},
                   {"sync", &sync})) {
    return;
  }
  disk->id = read_name(reader, id, 20, true);
  for (const struct disk *other = reader->document->disks; other < disk; ++other) {
    if (strcmp(other->id, disk->id) == 0) refuse(reader, id, "is there twice");
  }
  disk->path = read_path(reader, path);
  disk->format = (enum disk_format)read_word(reader, format, formats);
  disk->read_only = read_boolean(reader, read_only);
  disk->sync = (enum disk_sync)read_word(reader, sync, modes);
}

static void read_disks(struct reader *reader, const struct json *value) {
  struct document *document = reader->document;
  const size_t count = read_array(reader, value, MAX_DISKS);
  const struct json *item = value->first;
  for (size_t index = 0; index < count && !reader->failed; ++index, item = item->next) {
    read_disk(reader, item, &document->disks[index]);
    document->disk_count = index + 1;
  }
}

static void read_tcp_port(struct reader *reader, const struct json *value, struct tcp_port *port) {
  const struct json *host, *guest;
  if (!READ_OBJECT(reader, value, {"host", &host}, {"guest", &guest})) return;
  port->host = (uint16_t)read_integer(reader, host, 1, 65535);
  port->guest = (uint16_t)read_integer(reader, guest, 1, 65535);
  for (const struct tcp_port *other = reader->document->tcp_ports; other < port; ++other) {
    if (other->host == port->host) refuse(reader, host, "is there twice");
    if (other->guest == port->guest) refuse(reader, guest, "is there twice");
  }
}

static void read_tsi(struct reader *reader, const struct json *value) {
  struct document *document = reader->document;
  if (value->type == JSON_NULL) return;
  document->has_tsi = true;
  const struct json *ports;
  if (!READ_OBJECT(reader, value, {"ports", &ports})) return;
  const size_t count = read_array(reader, ports, MAX_TCP_PORTS);
  const struct json *item = ports->first;
  for (size_t index = 0; index < count && !reader->failed; ++index, item = item->next) {
    read_tcp_port(reader, item, &document->tcp_ports[index]);
    document->tcp_port_count = index + 1;
  }
}

static void read_vsock_port(struct reader *reader, const struct json *value, struct vsock_port *entry) {
  const struct json *port, *path, *listens;
  if (!READ_OBJECT(reader, value, {"port", &port}, {"path", &path}, {"listen", &listens})) return;
  entry->port = (uint32_t)read_integer(reader, port, 1, UINT32_MAX - 1);
  for (const struct vsock_port *other = reader->document->vsock_ports; other < entry; ++other) {
    if (other->port == entry->port) refuse(reader, port, "is there twice");
  }
  entry->path = read_path(reader, path);
  entry->listen = read_boolean(reader, listens);
}

static void read_vsock(struct reader *reader, const struct json *value) {
  struct document *document = reader->document;
  const struct json *tsi, *ports;
  if (!READ_OBJECT(reader, value, {"tsi", &tsi}, {"ports", &ports})) return;
  read_tsi(reader, tsi);
  const size_t count = read_array(reader, ports, MAX_VSOCK_PORTS);
  const struct json *item = ports->first;
  for (size_t index = 0; index < count && !reader->failed; ++index, item = item->next) {
    read_vsock_port(reader, item, &document->vsock_ports[index]);
    document->vsock_port_count = index + 1;
  }
}

static int hexadecimal(char character) {
  if (is_digit(character)) return character - '0';
  return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static void read_mac(struct reader *reader, const struct json *value, uint8_t *mac) {
  const char *text = read_string(reader, value);
  bool good = strlen(text) == 17;
  for (size_t index = 0; good && index < 6; ++index) {
    const int high = hexadecimal(text[index * 3]);
    const int low = hexadecimal(text[index * 3 + 1]);
    good = high >= 0 && low >= 0 && text[index * 3 + 2] == (index == 5 ? '\0' : ':');
    if (good) mac[index] = (uint8_t)(high << 4 | low);
  }
  if (!good) refuse(reader, value, "must be six bytes as in 02:00:00:00:00:01");
}

static void read_socket(struct reader *reader, const struct json *value) {
  struct document *document = reader->document;
  const struct json *content;
  if (value->type == JSON_OBJECT && json_member(value, "path") != NULL) {
    if (READ_OBJECT(reader, value, {"path", &content})) document->network.path = read_path(reader, content);
    return;
  }
  if (!READ_OBJECT(reader, value, {"descriptor", &content})) return;
  document->network.descriptor = (int)read_integer(reader, content, 3, DESCRIPTOR_LIMIT - 1);
  if (!reader->failed) keep_descriptor(reader, content, document->network.descriptor);
}

static void read_network(struct reader *reader, const struct json *value) {
  struct document *document = reader->document;
  if (value->type == JSON_NULL) return;
  document->has_network = true;
  if (document->has_tsi) refuse(reader, value, "must be null where vsock has tsi");
  const struct json *socket, *mac;
  if (!READ_OBJECT(reader, value, {"socket", &socket}, {"mac", &mac})) return;
  read_socket(reader, socket);
  read_mac(reader, mac, document->network.mac);
}

static void read_share(struct reader *reader, const struct json *value, struct share *share) {
  static const char *const accesses[] = {"read-write", "read-only", "confined", NULL};
  const struct json *tag, *path, *access, *window;
  if (!READ_OBJECT(reader, value, {"tag", &tag}, {"path", &path}, {"access", &access}, {"windowMiB", &window})) return;
  share->tag = read_name(reader, tag, 36, false);
  for (const struct share *other = reader->document->shares; other < share; ++other) {
    if (strcmp(other->tag, share->tag) == 0) refuse(reader, tag, "is there twice");
  }
  share->path = read_path(reader, path);
  share->access = (enum share_access)read_word(reader, access, accesses);
  share->window_mib = (uint32_t)read_integer(reader, window, 0, 1048576);
}

static void read_shares(struct reader *reader, const struct json *value) {
  struct document *document = reader->document;
  const size_t count = read_array(reader, value, MAX_SHARES);
  const struct json *item = value->first;
  for (size_t index = 0; index < count && !reader->failed; ++index, item = item->next) {
    read_share(reader, item, &document->shares[index]);
    document->share_count = index + 1;
  }
}

static void read_descriptors(struct reader *reader, const struct json *value) {
  const size_t count = read_array(reader, value, MAX_DESCRIPTORS);
  const struct json *item = value->first;
  for (size_t index = 0; index < count && !reader->failed; ++index, item = item->next) {
    const int descriptor = (int)read_integer(reader, item, 3, DESCRIPTOR_LIMIT - 1);
    if (!reader->failed) keep_descriptor(reader, item, descriptor);
  }
}

static void read_document(struct reader *reader, const struct json *root) {
  static const char *const levels[] = {"off", "error", "warn", "info", "debug", "trace", NULL};
  const struct json *version, *library, *level, *machine, *kernel, *disks, *vsock, *network, *shares, *console, *descriptors;
  // A document of a later version is told by its version, not by the first member that is new in it.
  if (root->type == JSON_OBJECT && (version = json_member(root, "version")) != NULL) read_integer(reader, version, 1, 1);
  if (!READ_OBJECT(reader, root, {"version", &version}, {"library", &library}, {"logLevel", &level},
                   {"machine", &machine}, {"kernel", &kernel}, {"disks", &disks}, {"vsock", &vsock},
                   {"network", &network}, {"shares", &shares}, {"console", &console}, {"descriptors", &descriptors})) {
    return;
  }
  struct document *document = reader->document;
  document->library = read_path(reader, library);
  document->log_level = (enum log_level)read_word(reader, level, levels);
  read_machine(reader, machine);
  read_kernel(reader, kernel);
  read_disks(reader, disks);
  read_vsock(reader, vsock);
  read_network(reader, network);
  read_shares(reader, shares);
  document->console = read_path(reader, console);
  read_descriptors(reader, descriptors);
}

bool document_parse(struct document *document, const char *bytes, size_t length, struct document_error *error) {
  *document = (struct document){.network.descriptor = -1};
  *error = (struct document_error){0};
  struct reader reader = {.document = document, .error = error};
  if (length > DOCUMENT_MAX_BYTES) {
    refuse(&reader, NULL, "is longer than 65536 bytes");
    return false;
  }
  const struct json *root = json_parse(&document->text, bytes, length);
  if (root == NULL) {
    refuse(&reader, document->text.error.at, document->text.error.message);
    return false;
  }
  read_document(&reader, root);
  return !reader.failed;
}

void document_free(struct document *document) { json_free(&document->text); }
