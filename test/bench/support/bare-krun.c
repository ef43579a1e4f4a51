// What libkrun itself takes: makes the calls that the launcher makes, waits until the guest says that its agent listens, and
// ends the machine.
//
//   bare-krun LIBKRUN DIRECTORY KERNEL INITRAMFS ROOT SCRATCH
#include <dlfcn.h>
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

int main(int count, char **values) {
  if (count != 7) return 1;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/knock.sock", values[2]);
  const int knock = socket(AF_UNIX, SOCK_STREAM, 0);
  unlink(address.sun_path);
  unlink(in(values[2], "agent.sock"));
  if (bind(knock, (struct sockaddr *)&address, sizeof address) != 0 || listen(knock, 1) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) machine(values);
  if (child < 0 || accept(knock, NULL, NULL) < 0) return 1;
  kill(child, SIGKILL);
  return waitpid(child, NULL, 0) == child ? 0 : 1;
}
