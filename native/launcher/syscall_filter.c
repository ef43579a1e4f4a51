// A seccomp filter that stays in force beneath the one that the VMM installs for itself.
//
// A VMM gets its sockets as descriptors. So it needs no call that makes or names one, and Landlock, which has no say over
// Unix sockets that lie in the file system, needs not have one.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "confine.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000u  // x32
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS 0xffffffffu
#else
#error "unsupported architecture"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define DENY(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), RETURN(SECCOMP_RET_ERRNO | EPERM)

static void install(struct sock_filter *instructions, size_t count) {
  const struct sock_fprog program = {.len = (unsigned short)count, .filter = instructions};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) fail("syscall-filter", errno, "PR_SET_SECCOMP");
}

void install_syscall_filter(bool deny_sockets) {
  struct sock_filter always[] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 0, 1),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      DENY(__NR_io_uring_setup),
      DENY(__NR_ptrace),
      DENY(__NR_process_vm_readv),
      DENY(__NR_process_vm_writev),
      DENY(__NR_pidfd_getfd),
      DENY(__NR_open_by_handle_at),
      DENY(__NR_bpf),
      DENY(__NR_perf_event_open),
      DENY(__NR_userfaultfd),
      DENY(__NR_keyctl),
      DENY(__NR_add_key),
      DENY(__NR_request_key),
      DENY(__NR_unshare),
      DENY(__NR_setns),
      DENY(__NR_mount),
      RETURN(SECCOMP_RET_ALLOW),
  };
  struct sock_filter sockets[] = {
      LOAD(nr),
      DENY(__NR_socket),
      DENY(__NR_connect),
      DENY(__NR_bind),  // listen stays: QEMU repeats it on inherited sockets, and without bind it serves nobody.
      RETURN(SECCOMP_RET_ALLOW),
  };
  if (deny_sockets) install(sockets, sizeof sockets / sizeof sockets[0]);
  install(always, sizeof always / sizeof always[0]);
}
