// What a machine works with is inherited, and named /proc/self/fd/N. libkrun takes names only, and opening such a name anew asks
// for rights on the file itself, which a virtual machine monitor with a user id of its own must not have. So these five
// functions, which libkrun's calls reach before the C library's, take an inherited descriptor for what it is. With a libkrun
// whose calls do not, the system refuses what it opens, and there is no machine. A sixth tells when the machine stands.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

#include "status.h"

#define EXPORTED __attribute__((visibility("default")))

enum { MOST_DIGITS = 5 };

// N for "/proc/self/fd/N", else -1. A zero before N changes nothing (krun_adapter.c).
static int inherited(const char *path) {
  static const char directory[] = "/proc/self/fd/";
  if (strncmp(path, directory, sizeof directory - 1) != 0) return -1;
  const char *digits = path + sizeof directory - 1;
  const size_t length = strspn(digits, "0123456789");
  return length > 0 && length <= MOST_DIGITS && digits[length] == '\0' ? atoi(digits) : -1;
}

static bool start_over(int descriptor, int flags) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) return true;
  return lseek(descriptor, 0, SEEK_SET) == 0 && ((flags & O_TRUNC) == 0 || ftruncate(descriptor, 0) == 0);
}

// A further descriptor of the same open file, at its start as after an opening of its own.
static int duplicate(int descriptor, int flags) {
  const int status = fcntl(descriptor, F_GETFL);
  if (status < 0) return -1;
  if ((status & O_ACCMODE) != O_RDWR && (status & O_ACCMODE) != (flags & O_ACCMODE)) {
    errno = EACCES;
    return -1;
  }
  const int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy < 0 || start_over(copy, flags)) return copy;
  const int number = errno;
  close(copy);
  errno = number;
  return -1;
}

static int open_named(const char *path, int flags, mode_t mode) {
  const int descriptor = inherited(path);
  return descriptor >= 0 ? duplicate(descriptor, flags) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

// By their symbols, since headers may make one of the names mean the other.
#define DEFINE_OPEN(name, symbol)                                                 \
  EXPORTED int name(const char *path, int flags, ...) __asm__(symbol);            \
  int name(const char *path, int flags, ...) {                                    \
    mode_t mode = 0;                                                              \
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {             \
      va_list rest;                                                               \
      va_start(rest, flags);                                                      \
      mode = va_arg(rest, mode_t);                                                \
      va_end(rest);                                                               \
    }                                                                             \
    return open_named(path, flags, mode);                                         \
  }

DEFINE_OPEN(open_inherited, "open")
DEFINE_OPEN(open64_inherited, "open64")

// Where a process may make no sockets, a Unix socket comes from another call; `bind` and `connect` put an inherited one in
// its place.
EXPORTED int socket(int domain, int type, int protocol) {
  const int made = (int)syscall(SYS_socket, domain, type, protocol);
  if (made >= 0 || domain != AF_UNIX || errno != EPERM) return made;
  int pair[2];
  if (socketpair(domain, type, protocol, pair) != 0) return -1;
  close(pair[1]);
  return pair[0];
}

static int inherited_peer(const struct sockaddr *address, socklen_t length) {
  char path[sizeof((struct sockaddr_un *)0)->sun_path + 1] = "";
  const size_t offset = offsetof(struct sockaddr_un, sun_path);
  if (address->sa_family != AF_UNIX || length <= offset) return -1;
  const size_t size = length - offset < sizeof path - 1 ? length - offset : sizeof path - 1;
  memcpy(path, (const char *)address + offset, size);
  return inherited(path);
}

EXPORTED int bind(int descriptor, const struct sockaddr *address, socklen_t length) {
  const int listener = inherited_peer(address, length);
  if (listener < 0) return (int)syscall(SYS_bind, descriptor, address, length);
  return dup3(listener, descriptor, O_CLOEXEC) < 0 ? -1 : 0;
}

// A pipe has no connections: this end of it is closed, which says as much to whoever reads it. A dead socket keeps its number.
EXPORTED int connect(int descriptor, const struct sockaddr *address, socklen_t length) {
  const int peer = inherited_peer(address, length);
  if (peer < 0) return (int)syscall(SYS_connect, descriptor, address, length);
  struct stat status;
  if (fstat(peer, &status) != 0) return -1;
  const bool is_pipe = S_ISFIFO(status.st_mode);
  return dup3(is_pipe ? descriptor : peer, is_pipe ? peer : descriptor, O_CLOEXEC) < 0 ? -1 : 0;
}

// krun_start_enter does not return, and what it makes can fail: when its own thread waits for events, all has been made.
EXPORTED int epoll_wait(int descriptor, struct epoll_event *events, int count, int timeout) {
  static bool told;
  if (!told && syscall(SYS_gettid) == getpid()) {
    told = true;
    status_running();
  }
  return (int)syscall(SYS_epoll_pwait, descriptor, events, count, timeout, NULL, (size_t)8);
}
