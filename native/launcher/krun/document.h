// The document that describes one virtual machine; document.schema.json says what each member means.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

enum {
  DOCUMENT_MAX_BYTES = 65536,
  MAX_DISKS = 16,
  MAX_TCP_PORTS = 256,
  MAX_VSOCK_PORTS = 16,
  MAX_SHARES = 4,
  MAX_DESCRIPTORS = 512,
};

enum log_level { LOG_OFF, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum kernel_format { KERNEL_ELF, KERNEL_RAW };
enum disk_format { DISK_RAW, DISK_VMDK };
enum disk_sync { SYNC_NONE, SYNC_RELAXED, SYNC_FULL };
enum share_access { SHARE_READ_WRITE, SHARE_READ_ONLY, SHARE_CONFINED };

struct disk {
  const char *id;
  const char *path;
  enum disk_format format;
  enum disk_sync sync;
  bool read_only;
};

struct tcp_port {
  uint16_t host;
  uint16_t guest;
};

struct vsock_port {
  uint32_t port;
  bool listen;
  const char *path;
};

struct share {
  const char *tag;
  const char *path;
  enum share_access access;
  uint32_t window_mib;
};

struct document {
  const char *library;
  enum log_level log_level;
  struct {
    uint8_t vcpus;
    uint32_t memory_mib;
    bool nested;
  } machine;
  struct {
    const char *path;
    enum kernel_format format;
    const char *initramfs;
    const char *command_line;
  } kernel;
  size_t disk_count;
  struct disk disks[MAX_DISKS];
  bool has_tsi;
  size_t tcp_port_count;
  struct tcp_port tcp_ports[MAX_TCP_PORTS];
  size_t vsock_port_count;
  struct vsock_port vsock_ports[MAX_VSOCK_PORTS];
  bool has_network;
  struct {
    const char *path;  // NULL: `descriptor` is the socket.
    int descriptor;
    uint8_t mac[6];
  } network;
  size_t share_count;
  struct share shares[MAX_SHARES];
  const char *console;
  // Those that the document names, each once, in ascending order.
  size_t descriptor_count;
  int descriptors[MAX_DESCRIPTORS];
  struct json_text text;  // Owns all strings.
};

struct document_error {
  char pointer[512];
  char message[192];
};

// Fills `document`, or `error` when anything at all is not as the schema says. document_free ends it either way.
bool document_parse(struct document *document, const char *bytes, size_t length, struct document_error *error);
void document_free(struct document *document);
