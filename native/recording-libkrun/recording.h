// The recording libkrun: what its parts share. README.md says what it is for and how it is told what to do.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

// One call, on its way into the log.
struct record {
  const char *function;
  bool has_argument;
  size_t used;
  char line[8192];
};

void record_begin(struct record *record, const char *function);
void record_number(struct record *record, const char *name, int64_t value);
void record_boolean(struct record *record, const char *name, bool value);
void record_text(struct record *record, const char *name, const char *text);
void record_texts(struct record *record, const char *name, const char *const texts[]);
void record_mac(struct record *record, const char *name, const uint8_t *mac);
// Writes the line. `result` is left out where the function did not come back.
void record_end(struct record *record, const int32_t *result);

// Whether this function shall fail, or give a certain result.
bool forced_result(const char *function, int32_t *result);

// The function of the real library that the calls go on to; NULL where they go no further.
void *real_function(const char *name);

// What the real library does with its configuration: it keeps it, and refuses what cannot be.
enum { MODEL_MAX_CONTEXTS = 16, MODEL_MAX_PATHS = 32 };
enum vsock_state { VSOCK_IMPLICIT, VSOCK_DISABLED, VSOCK_EXPLICIT };

struct listener {
  uint32_t port;
  const char *path;
};

struct context {
  bool used;
  const char *kernel;
  bool kernel_is_elf;
  const char *console;
  enum vsock_state vsock;
  unsigned network_count;
  // The first card's transport: a path, or a descriptor.
  const char *network_path;
  int network_descriptor;
  size_t disk_count;
  struct {
    const char *path;
    bool read_only;
  } disks[MODEL_MAX_PATHS];
  size_t listener_count;
  struct listener listeners[MODEL_MAX_PATHS];
  // Where somebody else listens.
  size_t peer_count;
  const char *peers[MODEL_MAX_PATHS];
};

int32_t model_init_log(int target, uint32_t style, uint32_t options);
int32_t model_create(void);
int32_t model_free(uint32_t ctx_id);
// 0, or -ENOENT.
int32_t model_known(uint32_t ctx_id);
int32_t model_has_feature(uint64_t feature);
int32_t model_vm_config(uint32_t ctx_id, uint8_t num_vcpus, uint32_t ram_mib);
int32_t model_kernel(uint32_t ctx_id, const char *path, uint32_t format, const char *initramfs);
int32_t model_disk(uint32_t ctx_id, const char *path, uint32_t format, bool read_only, uint32_t sync_mode);
int32_t model_network(uint32_t ctx_id, const char *path, int fd, uint32_t features, uint32_t flags, uint32_t allowed);
int32_t model_port_map(uint32_t ctx_id, const char *const port_map[]);
int32_t model_vsock_disable(uint32_t ctx_id);
int32_t model_vsock_add(uint32_t ctx_id, uint32_t tsi_features);
int32_t model_vsock_port(uint32_t ctx_id, uint32_t port, const char *path, bool listens);
int32_t model_console(uint32_t ctx_id, const char *path);
// Plays the machine's life; comes back only with an error, or not at all.
int32_t model_enter(uint32_t ctx_id);

// life.c: opens the console as a connection where a file of that name is a socket; -1 where it is none.
int connect_console(const char *path);

// life.c: from here on the machine runs. Never returns.
__attribute__((noreturn)) void live(const struct context *context, int console);
