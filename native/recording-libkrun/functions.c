// The exported functions, each with the names that libkrun.h gives its parameters.
#include <errno.h>
#include <stdio.h>

#include "recording.h"

// One exported function: records the call, then gives the forced result, the real library's, or the model's.
#define FUNCTION(name, parameters, values, arguments, behaviour)                \
  EXPORTED int32_t name parameters {                                            \
    struct record record;                                                       \
    record_begin(&record, #name);                                               \
    arguments;                                                                  \
    int32_t result;                                                             \
    if (!forced_result(#name, &result)) {                                       \
      int32_t(*real) parameters = (int32_t(*) parameters)real_function(#name);  \
      result = real != NULL ? real values : (behaviour);                        \
    }                                                                           \
    record_end(&record, &result);                                               \
    return result;                                                              \
  }

#define CTX record_number(&record, "ctx_id", ctx_id)
#define NUMBER(name) record_number(&record, #name, (int64_t)(name))
#define BOOLEAN(name) record_boolean(&record, #name, (name))
#define TEXT(name) record_text(&record, #name, (name))
#define TEXTS(name) record_texts(&record, #name, (name))
#define MAC(name) record_mac(&record, #name, (name))
#define NOTHING (void)0
#define KNOWN model_known(ctx_id)

// Where the real one has no such device built in. The context does not matter.
#define ABSENT (-ENOTSUP)

FUNCTION(krun_set_log_level, (uint32_t level), (level), NUMBER(level), model_init_log(-1, 0, 0))
FUNCTION(krun_init_log, (int target_fd, uint32_t level, uint32_t style, uint32_t options),
         (target_fd, level, style, options),
         (NUMBER(target_fd), NUMBER(level), NUMBER(style), NUMBER(options)), model_init_log(target_fd, style, options))
FUNCTION(krun_create_ctx, (void), (), NOTHING, model_create())
FUNCTION(krun_free_ctx, (uint32_t ctx_id), (ctx_id), CTX, model_free(ctx_id))
FUNCTION(krun_has_feature, (uint64_t feature), (feature), NUMBER(feature), model_has_feature(feature))
FUNCTION(krun_get_max_vcpus, (void), (), NOTHING, 8)
FUNCTION(krun_check_nested_virt, (void), (), NOTHING, -EOPNOTSUPP)
FUNCTION(krun_set_nested_virt, (uint32_t ctx_id, bool enabled), (ctx_id, enabled), (CTX, BOOLEAN(enabled)), -EINVAL)
FUNCTION(krun_split_irqchip, (uint32_t ctx_id, bool enable), (ctx_id, enable), (CTX, BOOLEAN(enable)), KNOWN)
FUNCTION(krun_set_vm_config, (uint32_t ctx_id, uint8_t num_vcpus, uint32_t ram_mib), (ctx_id, num_vcpus, ram_mib),
         (CTX, NUMBER(num_vcpus), NUMBER(ram_mib)), model_vm_config(ctx_id, num_vcpus, ram_mib))
#ifndef WITHOUT_SET_KERNEL
FUNCTION(krun_set_kernel,
         (uint32_t ctx_id, const char *kernel_path, uint32_t kernel_format, const char *initramfs, const char *cmdline),
         (ctx_id, kernel_path, kernel_format, initramfs, cmdline),
         (CTX, TEXT(kernel_path), NUMBER(kernel_format), TEXT(initramfs), TEXT(cmdline)),
         model_kernel(ctx_id, kernel_path, kernel_format, initramfs))
#endif
FUNCTION(krun_set_firmware, (uint32_t ctx_id, const char *firmware_path), (ctx_id, firmware_path),
         (CTX, TEXT(firmware_path)), KNOWN)
FUNCTION(krun_set_kernel_console, (uint32_t ctx_id, const char *console_id), (ctx_id, console_id),
         (CTX, TEXT(console_id)), KNOWN)
FUNCTION(krun_set_root, (uint32_t ctx_id, const char *root_path), (ctx_id, root_path), (CTX, TEXT(root_path)), KNOWN)
FUNCTION(krun_set_mapped_volumes, (uint32_t ctx_id, const char *const mapped_volumes[]), (ctx_id, mapped_volumes),
         (CTX, TEXTS(mapped_volumes)), -EINVAL)
FUNCTION(krun_set_rlimits, (uint32_t ctx_id, const char *const rlimits[]), (ctx_id, rlimits), (CTX, TEXTS(rlimits)),
         rlimits == NULL ? -EINVAL : KNOWN)
FUNCTION(krun_set_smbios_oem_strings, (uint32_t ctx_id, const char *const oem_strings[]), (ctx_id, oem_strings),
         (CTX, TEXTS(oem_strings)), oem_strings == NULL ? -EINVAL : KNOWN)
FUNCTION(krun_set_workdir, (uint32_t ctx_id, const char *workdir_path), (ctx_id, workdir_path),
         (CTX, TEXT(workdir_path)), KNOWN)
FUNCTION(krun_set_exec,
         (uint32_t ctx_id, const char *exec_path, const char *const argv[], const char *const envp[]),
         (ctx_id, exec_path, argv, envp), (CTX, TEXT(exec_path), TEXTS(argv), TEXTS(envp)), KNOWN)
FUNCTION(krun_set_env, (uint32_t ctx_id, const char *const envp[]), (ctx_id, envp), (CTX, TEXTS(envp)), KNOWN)
FUNCTION(krun_setuid, (uint32_t ctx_id, uint32_t uid), (ctx_id, uid), (CTX, NUMBER(uid)), KNOWN)
FUNCTION(krun_setgid, (uint32_t ctx_id, uint32_t gid), (ctx_id, gid), (CTX, NUMBER(gid)), KNOWN)

#ifndef WITHOUT_BLK
FUNCTION(krun_add_disk, (uint32_t ctx_id, const char *block_id, const char *disk_path, bool read_only),
         (ctx_id, block_id, disk_path, read_only), (CTX, TEXT(block_id), TEXT(disk_path), BOOLEAN(read_only)),
         model_disk(ctx_id, disk_path, 0, read_only, 2))
FUNCTION(krun_add_disk2,
         (uint32_t ctx_id, const char *block_id, const char *disk_path, uint32_t disk_format, bool read_only),
         (ctx_id, block_id, disk_path, disk_format, read_only),
         (CTX, TEXT(block_id), TEXT(disk_path), NUMBER(disk_format), BOOLEAN(read_only)),
         model_disk(ctx_id, disk_path, disk_format, read_only, 2))
FUNCTION(krun_add_disk3,
         (uint32_t ctx_id, const char *block_id, const char *disk_path, uint32_t disk_format, bool read_only,
          bool direct_io, uint32_t sync_mode),
         (ctx_id, block_id, disk_path, disk_format, read_only, direct_io, sync_mode),
         (CTX, TEXT(block_id), TEXT(disk_path), NUMBER(disk_format), BOOLEAN(read_only), BOOLEAN(direct_io),
          NUMBER(sync_mode)),
         model_disk(ctx_id, disk_path, disk_format, read_only, sync_mode))
FUNCTION(krun_set_root_disk, (uint32_t ctx_id, const char *disk_path), (ctx_id, disk_path), (CTX, TEXT(disk_path)),
         model_disk(ctx_id, disk_path, 0, false, 2))
FUNCTION(krun_set_data_disk, (uint32_t ctx_id, const char *disk_path), (ctx_id, disk_path), (CTX, TEXT(disk_path)),
         model_disk(ctx_id, disk_path, 0, false, 2))
FUNCTION(krun_set_root_disk_remount,
         (uint32_t ctx_id, const char *device, const char *fstype, const char *options),
         (ctx_id, device, fstype, options), (CTX, TEXT(device), TEXT(fstype), TEXT(options)), KNOWN)
#endif

FUNCTION(krun_add_virtiofs, (uint32_t ctx_id, const char *c_tag, const char *c_path), (ctx_id, c_tag, c_path),
         (CTX, TEXT(c_tag), TEXT(c_path)), KNOWN)
FUNCTION(krun_add_virtiofs2, (uint32_t ctx_id, const char *c_tag, const char *c_path, uint64_t shm_size),
         (ctx_id, c_tag, c_path, shm_size), (CTX, TEXT(c_tag), TEXT(c_path), NUMBER(shm_size)), KNOWN)
#ifdef WITH_VIRTIOFS3
FUNCTION(krun_add_virtiofs3,
         (uint32_t ctx_id, const char *c_tag, const char *c_path, uint64_t shm_size, bool read_only),
         (ctx_id, c_tag, c_path, shm_size, read_only),
         (CTX, TEXT(c_tag), TEXT(c_path), NUMBER(shm_size), BOOLEAN(read_only)), KNOWN)
#endif

#ifndef WITHOUT_NET
FUNCTION(krun_add_net_unixstream,
         (uint32_t ctx_id, const char *c_path, int fd, uint8_t *const c_mac, uint32_t features, uint32_t flags),
         (ctx_id, c_path, fd, c_mac, features, flags),
         (CTX, TEXT(c_path), NUMBER(fd), MAC(c_mac), NUMBER(features), NUMBER(flags)),
         model_network(ctx_id, c_path, fd, features, flags, 0))
FUNCTION(krun_add_net_unixgram,
         (uint32_t ctx_id, const char *c_path, int fd, uint8_t *const c_mac, uint32_t features, uint32_t flags),
         (ctx_id, c_path, fd, c_mac, features, flags),
         (CTX, TEXT(c_path), NUMBER(fd), MAC(c_mac), NUMBER(features), NUMBER(flags)),
         model_network(ctx_id, c_path, fd, features, flags, 1))
FUNCTION(krun_add_net_tap,
         (uint32_t ctx_id, char *c_tap_name, uint8_t *const c_mac, uint32_t features, uint32_t flags),
         (ctx_id, c_tap_name, c_mac, features, flags),
         (CTX, TEXT(c_tap_name), MAC(c_mac), NUMBER(features), NUMBER(flags)),
         model_network(ctx_id, c_tap_name, -1, features, flags, 0))
FUNCTION(krun_set_passt_fd, (uint32_t ctx_id, int fd), (ctx_id, fd), (CTX, NUMBER(fd)), fd < 0 ? -EINVAL : KNOWN)
FUNCTION(krun_set_gvproxy_path, (uint32_t ctx_id, char *c_path), (ctx_id, c_path), (CTX, TEXT(c_path)), KNOWN)
FUNCTION(krun_set_net_mac, (uint32_t ctx_id, uint8_t *const c_mac), (ctx_id, c_mac), (CTX, MAC(c_mac)), KNOWN)
#endif

FUNCTION(krun_set_port_map, (uint32_t ctx_id, const char *const port_map[]), (ctx_id, port_map),
         (CTX, TEXTS(port_map)), model_port_map(ctx_id, port_map))
FUNCTION(krun_add_vsock_port, (uint32_t ctx_id, uint32_t port, const char *c_filepath), (ctx_id, port, c_filepath),
         (CTX, NUMBER(port), TEXT(c_filepath)), model_vsock_port(ctx_id, port, c_filepath, false))
FUNCTION(krun_add_vsock_port2, (uint32_t ctx_id, uint32_t port, const char *c_filepath, bool listen),
         (ctx_id, port, c_filepath, listen), (CTX, NUMBER(port), TEXT(c_filepath), BOOLEAN(listen)),
         model_vsock_port(ctx_id, port, c_filepath, listen))
FUNCTION(krun_add_vsock, (uint32_t ctx_id, uint32_t tsi_features), (ctx_id, tsi_features), (CTX, NUMBER(tsi_features)),
         model_vsock_add(ctx_id, tsi_features))
FUNCTION(krun_disable_implicit_vsock, (uint32_t ctx_id), (ctx_id), CTX, model_vsock_disable(ctx_id))
FUNCTION(krun_get_shutdown_eventfd, (uint32_t ctx_id), (ctx_id), CTX, KNOWN == 0 ? -EINVAL : -ENOENT)

FUNCTION(krun_set_console_output, (uint32_t ctx_id, const char *c_filepath), (ctx_id, c_filepath),
         (CTX, TEXT(c_filepath)), model_console(ctx_id, c_filepath))
FUNCTION(krun_disable_implicit_console, (uint32_t ctx_id), (ctx_id), CTX, KNOWN)
FUNCTION(krun_add_virtio_console_default, (uint32_t ctx_id, int input_fd, int output_fd, int err_fd),
         (ctx_id, input_fd, output_fd, err_fd), (CTX, NUMBER(input_fd), NUMBER(output_fd), NUMBER(err_fd)), KNOWN)
FUNCTION(krun_add_serial_console_default, (uint32_t ctx_id, int input_fd, int output_fd),
         (ctx_id, input_fd, output_fd), (CTX, NUMBER(input_fd), NUMBER(output_fd)), KNOWN)
FUNCTION(krun_add_virtio_console_multiport, (uint32_t ctx_id), (ctx_id), CTX, KNOWN)
FUNCTION(krun_add_console_port_tty, (uint32_t ctx_id, uint32_t console_id, const char *name, int tty_fd),
         (ctx_id, console_id, name, tty_fd), (CTX, NUMBER(console_id), TEXT(name), NUMBER(tty_fd)),
         tty_fd < 0 ? -EINVAL : KNOWN)
FUNCTION(krun_add_console_port_inout,
         (uint32_t ctx_id, uint32_t console_id, const char *name, int input_fd, int output_fd),
         (ctx_id, console_id, name, input_fd, output_fd),
         (CTX, NUMBER(console_id), TEXT(name), NUMBER(input_fd), NUMBER(output_fd)), KNOWN)

FUNCTION(krun_set_gpu_options, (uint32_t ctx_id, uint32_t virgl_flags), (ctx_id, virgl_flags),
         (CTX, NUMBER(virgl_flags)), KNOWN)
FUNCTION(krun_set_gpu_options2, (uint32_t ctx_id, uint32_t virgl_flags, uint64_t shm_size),
         (ctx_id, virgl_flags, shm_size), (CTX, NUMBER(virgl_flags), NUMBER(shm_size)), KNOWN)
FUNCTION(krun_set_snd_device, (uint32_t ctx_id, bool enable), (ctx_id, enable), (CTX, BOOLEAN(enable)), KNOWN)
FUNCTION(krun_add_display, (uint32_t ctx_id, uint32_t width, uint32_t height), (ctx_id, width, height),
         (CTX, NUMBER(width), NUMBER(height)), ABSENT)
FUNCTION(krun_display_set_edid,
         (uint32_t ctx_id, uint32_t display_id, const uint8_t *edid_blob, size_t blob_size),
         (ctx_id, display_id, edid_blob, blob_size), (CTX, NUMBER(display_id), NUMBER(blob_size)), ABSENT)
FUNCTION(krun_display_set_dpi, (uint32_t ctx_id, uint32_t display_id, uint32_t dpi), (ctx_id, display_id, dpi),
         (CTX, NUMBER(display_id), NUMBER(dpi)), ABSENT)
FUNCTION(krun_display_set_physical_size,
         (uint32_t ctx_id, uint32_t display_id, uint16_t width_mm, uint16_t height_mm),
         (ctx_id, display_id, width_mm, height_mm), (CTX, NUMBER(display_id), NUMBER(width_mm), NUMBER(height_mm)),
         ABSENT)
FUNCTION(krun_display_set_refresh_rate, (uint32_t ctx_id, uint32_t display_id, uint32_t refresh_rate),
         (ctx_id, display_id, refresh_rate), (CTX, NUMBER(display_id), NUMBER(refresh_rate)), ABSENT)
FUNCTION(krun_set_display_backend, (uint32_t ctx_id, const void *display_backend, size_t backend_size),
         (ctx_id, display_backend, backend_size), (CTX, NUMBER(backend_size)), ABSENT)
FUNCTION(krun_add_input_device,
         (uint32_t ctx_id, const void *config_backend, size_t config_backend_size, const void *events_backend,
          size_t events_backend_size),
         (ctx_id, config_backend, config_backend_size, events_backend, events_backend_size),
         (CTX, NUMBER(config_backend_size), NUMBER(events_backend_size)), ABSENT)
FUNCTION(krun_add_input_device_fd, (uint32_t ctx_id, int input_fd), (ctx_id, input_fd), (CTX, NUMBER(input_fd)), ABSENT)

// Recorded before it happens, since it does not come back when all is well.
EXPORTED int32_t krun_start_enter(uint32_t ctx_id) {
  static const char name[] = "krun_start_enter";
  struct record record;
  record_begin(&record, name);
  record_number(&record, "ctx_id", ctx_id);
  record_end(&record, NULL);
  int32_t result;
  if (forced_result(name, &result)) return result;
  int32_t (*real)(uint32_t) = (int32_t(*)(uint32_t))real_function(name);
  return real != NULL ? real(ctx_id) : model_enter(ctx_id);
}
