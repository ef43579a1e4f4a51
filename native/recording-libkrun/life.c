// The life of a machine that is none: it listens where the real one would, passes connections on to a stand-in for the
// guest's agent, and does what it is told over a control socket.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

#ifdef _WIN32
#include <windows.h>

int connect_console(const char *path) {
  (void)path;
  return -1;
}

void live(const struct context *context, int console) {
  (void)context;
  (void)console;
  const char *status = getenv("A3S_RECORDING_LIBKRUN_EXIT");
  if (status != NULL) _Exit(atoi(status));
  for (;;) Sleep(INFINITE);
}
#else
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

enum { MAX_SOCKETS = 128 };

// A descriptor that is watched. `peer`: where what it sends goes; -1 for a listener and for the control socket.
struct watched {
  int descriptor;
  int peer;
};

static struct watched sockets[MAX_SOCKETS];
static struct pollfd polled[MAX_SOCKETS];
static size_t socket_count;

__attribute__((noreturn)) static void die(const char *what) {
  perror(what);
  _exit(1);
}

static void watch(int descriptor, int peer) {
  if (socket_count == MAX_SOCKETS) abort();
  sockets[socket_count++] = (struct watched){.descriptor = descriptor, .peer = peer};
}

static int unix_socket(const char *path, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    die(path);
  }
  strcpy(address->sun_path, path);
  const int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
  if (descriptor < 0) die("recording libkrun: socket");
  return descriptor;
}

static int listen_at(const char *path) {
  struct sockaddr_un address;
  const int descriptor = unix_socket(path, &address);
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0 || listen(descriptor, 16) != 0) die(path);
  return descriptor;
}

static int connect_to(const char *path) {
  struct sockaddr_un address;
  const int descriptor = unix_socket(path, &address);
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
  close(descriptor);
  return -1;
}

// A named pipe of Windows is a socket elsewhere.
int connect_console(const char *path) { return errno == ENXIO ? connect_to(path) : -1; }

// A guest with an agent tells each host port that somebody listens at that it is there, by a connection (guest-init).
static void knock(const struct context *context) {
  if (getenv("A3S_RECORDING_LIBKRUN_AGENT") == NULL) return;
  for (size_t index = 0; index < context->peer_count; ++index) {
    const int peer = connect_to(context->peers[index]);
    if (peer >= 0) close(peer);
  }
}

// What the stand-in for the guest sends and gets over its card.
static void plug_in(const struct context *context) {
  const char *path = getenv("A3S_RECORDING_LIBKRUN_NETWORK");
  if (path == NULL || context->network_count == 0) return;
  const int card = context->network_path == NULL ? context->network_descriptor : connect_to(context->network_path);
  const int guest = connect_to(path);
  if (card < 0 || guest < 0) die("recording libkrun: network");
  watch(card, guest);
  watch(guest, card);
}

// A connection of the host's becomes one to the agent; with nobody there it is closed, as a guest without an agent does.
static void accept_from(int listener) {
  const int host = accept(listener, NULL, NULL);
  if (host < 0) return;
  const char *path = getenv("A3S_RECORDING_LIBKRUN_AGENT");
  const int agent = path == NULL ? -1 : connect_to(path);
  if (agent < 0) {
    close(host);
    return;
  }
  watch(host, agent);
  watch(agent, host);
}

static void write_all(int descriptor, const char *bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = write(descriptor, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // The end of that side is seen by poll.
    bytes += written;
    length -= (size_t)written;
  }
}

static void forget(int descriptor) {
  for (size_t index = 0; index < socket_count; ++index) {
    if (sockets[index].descriptor != descriptor) continue;
    sockets[index] = sockets[--socket_count];
    break;
  }
}

static void relay(struct watched from) {
  char bytes[65536];
  const ssize_t length = read(from.descriptor, bytes, sizeof bytes);
  if (length > 0) {
    write_all(from.peer, bytes, (size_t)length);
    return;
  }
  forget(from.descriptor);
  shutdown(from.peer, SHUT_WR);
  // Both directions have ended when the other one is not watched any more.
  for (size_t index = 0; index < socket_count; ++index) {
    if (sockets[index].descriptor == from.peer) return;
  }
  close(from.peer);
  close(from.descriptor);
}

// Lines `exit N` and `console TEXT`. The end of the control socket is the machine's.
static void obey(int control, int console) {
  static char line[4096];
  static size_t used;
  const ssize_t length = read(control, line + used, sizeof line - 1 - used);
  if (length <= 0) _exit(0);
  used += (size_t)length;
  line[used] = '\0';
  for (char *end; (end = strchr(line, '\n')) != NULL;) {
    *end = '\0';
    if (strncmp(line, "exit ", 5) == 0) _exit(atoi(line + 5));
    if (strncmp(line, "console ", 8) == 0 && console >= 0) {
      *end = '\n';
      write_all(console, line + 8, (size_t)(end + 1 - line - 8));
    }
    used -= (size_t)(end + 1 - line);
    memmove(line, end + 1, used + 1);
  }
}

// As the real one does on its own thread, once all is made.
static void wait_for_events(void) {
#ifdef __linux__
  struct epoll_event event;
  const int events = epoll_create1(EPOLL_CLOEXEC);
  if (events < 0 || epoll_wait(events, &event, 1, 0) != 0) die("recording libkrun: epoll");
  close(events);
#endif
}

void live(const struct context *context, int console) {
  const char *greeting = getenv("A3S_RECORDING_LIBKRUN_CONSOLE");
  if (greeting != NULL && console >= 0) write_all(console, greeting, strlen(greeting));
  for (size_t index = 0; index < context->listener_count; ++index) watch(listen_at(context->listeners[index].path), -1);
  const char *status = getenv("A3S_RECORDING_LIBKRUN_EXIT");
  if (status != NULL) {
    wait_for_events();
    _exit(atoi(status));
  }
  const char *control_path = getenv("A3S_RECORDING_LIBKRUN_CONTROL");
  const int control = control_path == NULL ? -1 : connect_to(control_path);
  if (control_path != NULL && control < 0) die(control_path);
  if (control >= 0) watch(control, -1);
  wait_for_events();
  plug_in(context);
  knock(context);
  for (;;) {
    const size_t count = socket_count;
    for (size_t index = 0; index < count; ++index) {
      polled[index] = (struct pollfd){.fd = sockets[index].descriptor, .events = POLLIN};
    }
    if (poll(polled, (nfds_t)count, -1) < 0 && errno != EINTR) die("recording libkrun: poll");
    for (size_t index = 0; index < count; ++index) {
      if (polled[index].revents == 0) continue;
      // One at a time: what is done with it changes the list.
      const struct watched ready = sockets[index];
      if (ready.descriptor == control) {
        obey(control, console);
      } else if (ready.peer < 0) {
        accept_from(ready.descriptor);
      } else {
        relay(ready);
      }
      break;
    }
  }
}
#endif
