#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform.h"
#include "status.h"

#ifdef __linux__
#include <sys/syscall.h>
#ifndef __NR_close_range
#define __NR_close_range 436
#endif
#endif

static void refuse_root(void) {
  if (getuid() == 0 || geteuid() == 0) status_fail("identity", "", EPERM, "the launcher does not run as root");
}

#ifndef __linux__
// What a3s-box-confine does on Linux, as far as this system has it.
static void confine_process(void) {
  const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  umask(077);
  if (chdir("/") != 0) status_fail("identity", "chdir", errno, "cannot leave the working directory");
  if (setsid() < 0 && getsid(0) != getpid()) status_fail("identity", "setsid", errno, "cannot make a session");
  if (setrlimit(RLIMIT_CORE, &none) != 0) status_fail("identity", "core", errno, "cannot switch core dumps off");
}
#endif

void platform_drop_privileges(void) {
  refuse_root();
#ifndef __linux__
  confine_process();
#endif
  // A peer that closes its socket early must not end the machine.
  signal(SIGPIPE, SIG_IGN);
}

void platform_prepare_descriptor(int descriptor) {
  if (descriptor <= STDERR_FILENO) return;
  if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
    status_fail("arguments", "", errno, "descriptor %d is not open", descriptor);
  }
}

static void close_between(int first, int last) {
  if (first > last) return;
#ifdef __linux__
  if (syscall(__NR_close_range, (unsigned)first, (unsigned)last, 0) != 0) {
    status_fail("descriptors", "", errno, "cannot close descriptors from %d on", first);
  }
#else
  for (int descriptor = first; descriptor <= last; ++descriptor) {
    if (close(descriptor) != 0 && errno != EBADF) {
      status_fail("descriptors", "", errno, "cannot close descriptor %d", descriptor);
    }
  }
#endif
}

static int highest_descriptor(void) {
#ifdef __linux__
  return 0x7fffffff;
#else
  const long limit = sysconf(_SC_OPEN_MAX);
  return limit < 0 || limit > 65536 ? 65535 : (int)limit - 1;
#endif
}

void platform_close_descriptors(const int *keep, size_t count) {
  int next = STDERR_FILENO + 1;
  for (size_t index = 0; index < count; ++index) {
    if (keep[index] < next) continue;
    if (fcntl(keep[index], F_GETFD) < 0) {
      status_fail("descriptors", "", errno, "descriptor %d, which the document names, is not open", keep[index]);
    }
    close_between(next, keep[index] - 1);
    next = keep[index] + 1;
  }
  close_between(next, highest_descriptor());
}

void *platform_load(const char *path, char *message, size_t size) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    const char *reason = dlerror();
    snprintf(message, size, "%s", reason == NULL ? "the loader gives no reason" : reason);
  }
  return library;
}

void *platform_symbol(void *library, const char *name) { return dlsym(library, name); }
