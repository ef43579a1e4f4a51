// A seccomp filter beneath the server's own. A file on the host that runs with its owner's rights, or is a device, works for
// whoever gets at it there, so a guest can make none: the bits are refused where a call carries them.
//
// openat2 carries them in memory, where no filter sees them: it is not there for the server, which falls back to openat.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "share.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000u  // x32
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS 0xffffffffu
#else
#error "unsupported architecture"
#endif

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

// Both processors are little-endian: the low half of an argument comes first.
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE(number) RETURN(SECCOMP_RET_ERRNO | (number))
#define IF_CALL(call, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, (skip))

#define SET_ID (S_ISUID | S_ISGID)

// A mode that is given with a call.
#define CHECK_MODE(call, argument)                                                          \
  IF_CALL(call, 4), LOAD_ARGUMENT(argument), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SET_ID, 0, 1), REFUSE(EPERM), \
      RETURN(SECCOMP_RET_ALLOW)
// A mode that counts where a file is made.
#define CHECK_CREATION(call, flags, argument)                                               \
  IF_CALL(call, 6), LOAD_ARGUMENT(flags), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | (O_TMPFILE & ~O_DIRECTORY), 0, 3), \
      LOAD_ARGUMENT(argument), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SET_ID, 0, 1), REFUSE(EPERM), RETURN(SECCOMP_RET_ALLOW)
// The same, with the kind of file.
#define CHECK_NODE(call, argument)                                                          \
  IF_CALL(call, 7), LOAD_ARGUMENT(argument), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SET_ID, 3, 0), \
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, S_IFMT), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFCHR, 1, 0), \
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFBLK, 0, 1), REFUSE(EPERM), RETURN(SECCOMP_RET_ALLOW)

void install_syscall_filter(void) {
  struct sock_filter filter[] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 0, 1),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      IF_CALL(__NR_openat2, 1),
      REFUSE(ENOSYS),
      IF_CALL(__NR_io_uring_setup, 1),
      REFUSE(EPERM),
      CHECK_MODE(__NR_fchmod, 1),
      CHECK_MODE(__NR_fchmodat, 2),
      CHECK_MODE(__NR_fchmodat2, 2),
      CHECK_CREATION(__NR_openat, 2, 3),
      CHECK_NODE(__NR_mknodat, 2),
#if defined(__x86_64__)
      CHECK_MODE(__NR_chmod, 1),
      CHECK_MODE(__NR_creat, 1),
      CHECK_CREATION(__NR_open, 1, 2),
      CHECK_NODE(__NR_mknod, 1),
#endif
      RETURN(SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) fail("syscall-filter", errno, "PR_SET_SECCOMP");
}
