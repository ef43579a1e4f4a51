// What machine and guest themselves take: makes the calls that the launcher makes, and when the guest's agent listens, says to
// it what a supervisor said to have it run a container (record-session.ts), up to the container's end. Then it ends the machine.
//
//   bare-krun LIBKRUN DIRECTORY KERNEL INITRAMFS ROOT SCRATCH TRANSCRIPT
#include <dlfcn.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static void *library;

static void *find(const char *name) {
  void *function = dlsym(library, name);
  if (function == NULL) exit(3);
  return function;
}

static void check(int32_t result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "bare-krun: %s: %d\n", what, result);
  exit(4);
}

static char *in(const char *directory, const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", directory, name);
  return path;
}

static void machine(char **values) {
  library = dlopen(values[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) exit(2);
  const int32_t context = ((int32_t(*)(void))find("krun_create_ctx"))();
  check(context, "krun_create_ctx");
  const uint32_t id = (uint32_t)context;
  check(((int32_t(*)(uint32_t, uint8_t, uint32_t))find("krun_set_vm_config"))(id, 1, 256), "krun_set_vm_config");
  check(((int32_t(*)(uint32_t, const char *, uint32_t, const char *, const char *))find("krun_set_kernel"))(
            id, values[3], 1, values[4], "console=hvc0 panic=-1 reboot=t quiet lsm=capability"),
        "krun_set_kernel");
  int32_t (*add_disk)(uint32_t, const char *, const char *, uint32_t, bool, bool, uint32_t) = find("krun_add_disk3");
  check(add_disk(id, "root", values[5], 0, true, false, 0), "krun_add_disk3");
  check(add_disk(id, "scratch", values[6], 0, false, false, 1), "krun_add_disk3");
  check(((int32_t(*)(uint32_t))find("krun_disable_implicit_vsock"))(id), "krun_disable_implicit_vsock");
  check(((int32_t(*)(uint32_t, uint32_t))find("krun_add_vsock"))(id, 1), "krun_add_vsock");
  const char *none[] = {NULL};
  check(((int32_t(*)(uint32_t, const char *const *))find("krun_set_port_map"))(id, none), "krun_set_port_map");
  int32_t (*add_port)(uint32_t, uint32_t, const char *, bool) = find("krun_add_vsock_port2");
  check(add_port(id, 1024, in(values[2], "agent.sock"), true), "krun_add_vsock_port2");
  check(add_port(id, 1025, in(values[2], "knock.sock"), false), "krun_add_vsock_port2");
  check(((int32_t(*)(uint32_t, const char *))find("krun_set_console_output"))(id, in(values[2], "console")),
        "krun_set_console_output");
  check(((int32_t(*)(uint32_t))find("krun_start_enter"))(id), "krun_start_enter");
  exit(5);
}

// An answer may be a few bytes shorter than that which was recorded: it holds times.
enum { SLACK = 8, PATIENCE_MS = 60000 };

// Reads what has come, until it is as much as `wanted`.
static size_t receive(int agent, size_t received, size_t wanted) {
  static char buffer[65536];
  while (received + SLACK < wanted) {
    struct pollfd entry = {.fd = agent, .events = POLLIN};
    if (poll(&entry, 1, PATIENCE_MS) != 1) exit(6);
    const ssize_t count = read(agent, buffer, sizeof buffer);
    if (count <= 0) exit(7);
    received += (size_t)count;
  }
  return received;
}

static void replay(int agent, FILE *transcript) {
  static char data[65536];
  size_t received = 0, wanted = 0;
  for (int direction; (direction = getc(transcript)) != EOF;) {
    uint32_t length;
    if (fread(&length, sizeof length, 1, transcript) != 1) exit(8);
    if (direction == 'g') {
      wanted += length;
      continue;
    }
    if (length > sizeof data || fread(data, 1, length, transcript) != length) exit(8);
    received = receive(agent, received, wanted);
    if (write(agent, data, length) != (ssize_t)length) exit(9);
  }
  receive(agent, received, wanted);
}

static int connected(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  const int agent = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(agent, (struct sockaddr *)&address, sizeof address) != 0) exit(10);
  return agent;
}

int main(int count, char **values) {
  if (count != 8) return 1;
  FILE *transcript = fopen(values[7], "rb");
  if (transcript == NULL) return 1;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/knock.sock", values[2]);
  const int knock = socket(AF_UNIX, SOCK_STREAM, 0);
  unlink(address.sun_path);
  unlink(in(values[2], "agent.sock"));
  if (bind(knock, (struct sockaddr *)&address, sizeof address) != 0 || listen(knock, 1) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) machine(values);
  if (child < 0 || accept(knock, NULL, NULL) < 0) return 1;
  replay(connected(in(values[2], "agent.sock")), transcript);
  kill(child, SIGKILL);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
