#include "krun_adapter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "platform.h"
#include "status.h"

enum {
  FEATURE_NET = 0,
  FEATURE_BLK = 1,
  LOG_TARGET_DEFAULT = -1,
  LOG_STYLE_NEVER = 2,
  LOG_OPTION_NO_ENV = 1,
  FORMAT_KERNEL_RAW = 0,
  FORMAT_KERNEL_ELF = 1,
  FORMAT_DISK_RAW = 0,
  FORMAT_DISK_VMDK = 2,
  TSI_HIJACK_INET = 1,
  // Of linux/virtio_net.h. With these the guest gives buffers of 64 KiB; without, of 1.5, and libkrun drops every longer frame.
  NET_GUEST_CSUM = 1 << 1,
  NET_GUEST_TSO4 = 1 << 7,
  NET_GUEST_TSO6 = 1 << 8,
  NET_LONG_FRAMES = NET_GUEST_CSUM | NET_GUEST_TSO4 | NET_GUEST_TSO6,
  NET_WITHOUT_FLAGS = 0,
};

// Name, and type of the parameters, of each function. All return int32_t.
#define FUNCTIONS(X)                                                                      \
  X(has_feature, (uint64_t))                                                              \
  X(init_log, (int, uint32_t, uint32_t, uint32_t))                                        \
  X(create_ctx, (void))                                                                   \
  X(set_vm_config, (uint32_t, uint8_t, uint32_t))                                         \
  X(check_nested_virt, (void))                                                            \
  X(set_nested_virt, (uint32_t, bool))                                                    \
  X(set_kernel, (uint32_t, const char *, uint32_t, const char *, const char *))           \
  X(add_disk3, (uint32_t, const char *, const char *, uint32_t, bool, bool, uint32_t))    \
  X(add_virtiofs2, (uint32_t, const char *, const char *, uint64_t))                      \
  X(add_virtiofs3, (uint32_t, const char *, const char *, uint64_t, bool))                \
  X(disable_implicit_vsock, (uint32_t))                                                   \
  X(add_vsock, (uint32_t, uint32_t))                                                      \
  X(add_vsock_port2, (uint32_t, uint32_t, const char *, bool))                            \
  X(add_net_unixstream, (uint32_t, const char *, int, uint8_t *, uint32_t, uint32_t))     \
  X(set_port_map, (uint32_t, const char *const *))                                        \
  X(set_console_output, (uint32_t, const char *))                                         \
  X(start_enter, (uint32_t))

#define DECLARE(name, parameters) int32_t(*name) parameters;
static struct {
  FUNCTIONS(DECLARE)
} krun;

static uint32_t context;

struct function {
  const char *name;
  void (**place)(void);
};

#define ENTRY(name, parameters) {"krun_" #name, (void (**)(void)) & krun.name},
static const struct function functions[] = {FUNCTIONS(ENTRY)};

static void require(const void *function, const char *name, const char *library) {
  if (function != NULL) return;
  status_fail("symbol", name, 0, "%s has no %s: libkrun 1.17 or a later 1.x is needed", library, name);
}

// `function` is the member of `krun`.
#define REQUIRE(function, library) require((const void *)krun.function, "krun_" #function, (library))

static int32_t checked(int32_t result, const char *name, const char *detail) {
  if (result >= 0) return result;
  status_fail("call", name, -result, "%s%s%s: %s", name, detail[0] == '\0' ? "" : " for ", detail, strerror(-result));
}

// The result of a function, when it is not negative. `detail` says what the call is about, or is empty.
#define CALL(function, detail, ...) checked(krun.function(__VA_ARGS__), "krun_" #function, (detail))

static void require_functions(const struct document *document) {
  const char *library = document->library;
  REQUIRE(create_ctx, library);
  REQUIRE(set_kernel, library);
  REQUIRE(init_log, library);
  REQUIRE(set_vm_config, library);
  REQUIRE(disable_implicit_vsock, library);
  REQUIRE(add_vsock, library);
  REQUIRE(set_console_output, library);
  REQUIRE(start_enter, library);
  if (document->machine.nested) {
    REQUIRE(check_nested_virt, library);
    REQUIRE(set_nested_virt, library);
  }
  if (document->disk_count > 0) REQUIRE(add_disk3, library);
  if (document->vsock_port_count > 0) REQUIRE(add_vsock_port2, library);
  if (document->has_network) REQUIRE(add_net_unixstream, library);
  if (document->has_tsi) REQUIRE(set_port_map, library);
  for (size_t index = 0; index < document->share_count; ++index) {
    if (document->shares[index].access == SHARE_READ_ONLY) {
      REQUIRE(add_virtiofs3, library);
    } else {
      REQUIRE(add_virtiofs2, library);
    }
  }
}

static void require_feature(uint64_t feature, const char *name, const char *library) {
  if (CALL(has_feature, name, feature) == 0) status_fail("feature", name, 0, "%s was built without %s", library, name);
}

void krun_load(const struct document *document) {
  char reason[512];
  void *library = platform_load(document->library, reason, sizeof reason);
  if (library == NULL) status_fail("library", document->library, 0, "cannot load libkrun: %s", reason);
  for (size_t index = 0; index < sizeof functions / sizeof functions[0]; ++index) {
    *functions[index].place = (void (*)(void))platform_symbol(library, functions[index].name);
  }
  // Features first: a build without one lacks its functions too.
  REQUIRE(has_feature, document->library);
  if (document->disk_count > 0) require_feature(FEATURE_BLK, "BLK", document->library);
  if (document->has_network) require_feature(FEATURE_NET, "NET", document->library);
  require_functions(document);
#if defined(__x86_64__) || defined(_M_X64)
  // libkrun takes a raw kernel there, and silently without initramfs and command line.
  if (document->kernel.format == KERNEL_RAW) {
    status_fail("document", "/kernel/format", 0, "on x86-64 libkrun gives a raw kernel no initramfs: use elf");
  }
#endif
}

static void configure_machine(const struct document *document) {
  static const uint32_t formats[] = {[KERNEL_ELF] = FORMAT_KERNEL_ELF, [KERNEL_RAW] = FORMAT_KERNEL_RAW};
  CALL(set_vm_config, "", context, document->machine.vcpus, document->machine.memory_mib);
  if (document->machine.nested) {
    // Negative: it cannot be asked on this system, and the next call decides.
    if (krun.check_nested_virt() == 0) {
      status_fail("feature", "nested", 0, "this host does not let guests run virtual machines of their own");
    }
    CALL(set_nested_virt, "", context, true);
  }
  CALL(set_kernel, document->kernel.path, context, document->kernel.path, formats[document->kernel.format],
       document->kernel.initramfs, document->kernel.command_line);
}

static void add_disks(const struct document *document) {
  static const uint32_t formats[] = {[DISK_RAW] = FORMAT_DISK_RAW, [DISK_VMDK] = FORMAT_DISK_VMDK};
  static const uint32_t modes[] = {[SYNC_NONE] = 0, [SYNC_RELAXED] = 1, [SYNC_FULL] = 2};
  for (size_t index = 0; index < document->disk_count; ++index) {
    const struct disk *disk = &document->disks[index];
    CALL(add_disk3, disk->id, context, disk->id, disk->path, formats[disk->format], disk->read_only, false,
         modes[disk->sync]);
  }
}

static void add_shares(const struct document *document) {
  for (size_t index = 0; index < document->share_count; ++index) {
    const struct share *share = &document->shares[index];
    const uint64_t window = (uint64_t)share->window_mib << 20;
    if (share->access == SHARE_READ_ONLY) {
      CALL(add_virtiofs3, share->tag, context, share->tag, share->path, window, true);
    } else {
      CALL(add_virtiofs2, share->tag, context, share->tag, share->path, window);
    }
  }
}

static void set_port_map(const struct document *document) {
  static char texts[MAX_TCP_PORTS][16];
  static const char *map[MAX_TCP_PORTS + 1];
  for (size_t index = 0; index < document->tcp_port_count; ++index) {
    const struct tcp_port *port = &document->tcp_ports[index];
    snprintf(texts[index], sizeof texts[index], "%u:%u", port->host, port->guest);
    map[index] = texts[index];
  }
  // Without a call each port that the guest listens on would be one of the host's.
  CALL(set_port_map, "", context, map);
}

// libkrun wants a name that is not there for a socket that it is to listen on. One that is inherited gets one that
// inherited.c knows.
static const char *listening_name(const char *path, char *name, size_t size) {
  static const char inherited[] = "/proc/self/fd/";
  if (strncmp(path, inherited, sizeof inherited - 1) != 0 || strchr(path + sizeof inherited - 1, '/') != NULL) return path;
  snprintf(name, size, "%s0%s", inherited, path + sizeof inherited - 1);
  return name;
}

static void add_vsock(const struct document *document) {
  // libkrun adds one by itself otherwise, with impersonation where there is no network.
  CALL(disable_implicit_vsock, "", context);
  CALL(add_vsock, "", context, document->has_tsi ? TSI_HIJACK_INET : 0);
  if (document->has_tsi) set_port_map(document);
  for (size_t index = 0; index < document->vsock_port_count; ++index) {
    const struct vsock_port *port = &document->vsock_ports[index];
    char name[64];
    const char *path = port->listen ? listening_name(port->path, name, sizeof name) : port->path;
    CALL(add_vsock_port2, port->path, context, port->port, path, port->listen);
  }
}

static void add_network(const struct document *document) {
  uint8_t mac[6];
  memcpy(mac, document->network.mac, sizeof mac);
  CALL(add_net_unixstream, document->network.path == NULL ? "" : document->network.path, context,
       document->network.path, document->network.descriptor, mac, NET_LONG_FRAMES, NET_WITHOUT_FLAGS);
}

void krun_configure(const struct document *document) {
  CALL(init_log, "", LOG_TARGET_DEFAULT, (uint32_t)document->log_level, LOG_STYLE_NEVER, LOG_OPTION_NO_ENV);
  context = (uint32_t)CALL(create_ctx, "");
  configure_machine(document);
  add_disks(document);
  add_shares(document);
  add_vsock(document);
  if (document->has_network) add_network(document);
  CALL(set_console_output, document->console, context, document->console);
}

void krun_enter(void) {
  status_entering();
  const int32_t result = krun.start_enter(context);
  status_fail("call", "krun_start_enter", result < 0 ? -result : 0, "krun_start_enter: %s",
              result < 0 ? strerror(-result) : "came back without an error");
}
