// What libkrun 1.17 answers to each call, found out by calling it on Linux. Numbers are those of the system, as the real
// library's are.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include "recording.h"

enum { NET_FEATURES = 0x5d83, FEATURE_INIT_BLOB = 11, FEATURE_NET = 0, FEATURE_BLK = 1, TSI_FLAGS = 3, FORMAT_ELF = 1 };

static struct context contexts[MODEL_MAX_CONTEXTS];
static int32_t next_context;

static struct context *find(uint32_t ctx_id) {
  return ctx_id < MODEL_MAX_CONTEXTS && contexts[ctx_id].used ? &contexts[ctx_id] : NULL;
}

static const char *keep(const char *text) {
  char *copy = strdup(text);
  if (copy == NULL) abort();
  return copy;
}

static int32_t refuse(const char *reason, const char *subject) {
  fprintf(stderr, "recording libkrun: %s %s\n", reason, subject);
  return -EINVAL;
}

int32_t model_init_log(int target, uint32_t style, uint32_t options) {
  static bool initialised;
  if (target < -1 || target == 0 || style > 2 || options > 1) return -EINVAL;
  if (initialised) abort();  // The real one panics.
  initialised = true;
  return 0;
}

int32_t model_create(void) {
  if (next_context == MODEL_MAX_CONTEXTS) abort();
  contexts[next_context] = (struct context){.used = true};
  return next_context++;
}

int32_t model_free(uint32_t ctx_id) {
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  context->used = false;
  return 0;
}

int32_t model_known(uint32_t ctx_id) { return find(ctx_id) == NULL ? -ENOENT : 0; }

int32_t model_has_feature(uint64_t feature) {
  if (feature >= FEATURE_INIT_BLOB) return -EINVAL;
#ifndef WITHOUT_NET
  if (feature == FEATURE_NET) return 1;
#endif
#ifndef WITHOUT_BLK
  if (feature == FEATURE_BLK) return 1;
#endif
  return 0;
}

int32_t model_vm_config(uint32_t ctx_id, uint8_t num_vcpus, uint32_t ram_mib) {
  if (find(ctx_id) == NULL) return -ENOENT;
  return num_vcpus == 0 || ram_mib == 0 ? -EINVAL : 0;
}

int32_t model_kernel(uint32_t ctx_id, const char *path, uint32_t format, const char *initramfs) {
  struct stat status;
  if (format > 5) return -EINVAL;
  if (initramfs != NULL && stat(initramfs, &status) != 0) return refuse("can't read initramfs metadata:", initramfs);
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  context->kernel = keep(path);
  context->kernel_is_elf = format == FORMAT_ELF;
  return 0;
}

int32_t model_disk(uint32_t ctx_id, const char *path, uint32_t format, bool read_only, uint32_t sync_mode) {
  if (format > 2 || sync_mode > 2) return -EINVAL;
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  if (context->disk_count == MODEL_MAX_PATHS) abort();
  context->disks[context->disk_count].path = keep(path);
  context->disks[context->disk_count++].read_only = read_only;
  return 0;
}

int32_t model_network(uint32_t ctx_id, const char *path, int fd, uint32_t features, uint32_t flags, uint32_t allowed) {
  if ((fd >= 0) == (path != NULL)) return -EINVAL;
  if ((flags & ~allowed) != 0 || (features & ~(uint32_t)NET_FEATURES) != 0) return -EINVAL;
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  if (context->network_count++ == 0) {
    context->network_path = path == NULL ? NULL : keep(path);
    context->network_descriptor = fd;
  }
  return 0;
}

static bool parse_pair(const char *text, unsigned *host, unsigned *guest) {
  char rest;
  return sscanf(text, "%u:%u%c", host, guest, &rest) == 2 && *host <= 65535 && *guest <= 65535;
}

int32_t model_port_map(uint32_t ctx_id, const char *const port_map[]) {
  for (size_t index = 0; port_map[index] != NULL; ++index) {
    unsigned host, guest;
    if (!parse_pair(port_map[index], &host, &guest)) return -EINVAL;
    for (size_t other = 0; other < index; ++other) {
      unsigned other_host, other_guest;
      if (!parse_pair(port_map[other], &other_host, &other_guest)) return -EINVAL;
      if (other_host == host || other_guest == guest) return -EINVAL;
    }
  }
  const struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  if (context->vsock == VSOCK_DISABLED) return -ENODEV;
  return context->network_count > 0 ? -EINVAL : 0;
}

int32_t model_vsock_disable(uint32_t ctx_id) {
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  context->vsock = VSOCK_DISABLED;
  return 0;
}

int32_t model_vsock_add(uint32_t ctx_id, uint32_t tsi_features) {
  if ((tsi_features & ~(uint32_t)TSI_FLAGS) != 0) return -EINVAL;
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  if (context->vsock != VSOCK_DISABLED) return -EEXIST;
  context->vsock = VSOCK_EXPLICIT;
  return 0;
}

int32_t model_vsock_port(uint32_t ctx_id, uint32_t port, const char *path, bool listens) {
  struct stat status;
  if (listens && stat(path, &status) == 0) return -EEXIST;
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  if (context->vsock == VSOCK_DISABLED) return -ENODEV;
  if (!listens) {
    if (context->peer_count == MODEL_MAX_PATHS) abort();
    context->peers[context->peer_count++] = keep(path);
    return 0;
  }
  if (context->listener_count == MODEL_MAX_PATHS) abort();
  context->listeners[context->listener_count++] = (struct listener){.port = port, .path = keep(path)};
  return 0;
}

int32_t model_console(uint32_t ctx_id, const char *path) {
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  if (context->console != NULL) return -EINVAL;
  context->console = keep(path);
  return 0;
}

// libkrun reads the kernel when the machine starts.
static bool is_elf(const char *path) {
  char magic[4] = {0};
  const int file = open(path, O_RDONLY);
  if (file < 0) return false;
  const bool whole = read(file, magic, sizeof magic) == (long)sizeof magic;
  close(file);
  return whole && memcmp(magic, "\177ELF", sizeof magic) == 0;
}

static bool opens(const char *path, int flags) {
  const int file = open(path, flags);
  if (file < 0) return false;
  close(file);
  return true;
}

int32_t model_enter(uint32_t ctx_id) {
  struct context *context = find(ctx_id);
  if (context == NULL) return -ENOENT;
  context->used = false;
  if (context->kernel == NULL) return -ENOENT;  // There is no libkrunfw here to take one from.
  for (size_t index = 0; index < context->disk_count; ++index) {
    if (!opens(context->disks[index].path, context->disks[index].read_only ? O_RDONLY : O_RDWR)) {
      return refuse("cannot open disk", context->disks[index].path);
    }
  }
  if (!opens(context->kernel, O_RDONLY)) return refuse("cannot open kernel", context->kernel);
  if (context->kernel_is_elf && !is_elf(context->kernel)) return refuse("this kernel is no ELF:", context->kernel);
  int console = -1;
  if (context->console != NULL) {
    console = open(context->console, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (console < 0) console = connect_console(context->console);
    if (console < 0) return refuse("cannot open console", context->console);
  }
  live(context, console);
}
