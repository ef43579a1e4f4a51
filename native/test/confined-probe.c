// Run by tests in place of a VMM: tries what a hostile one would and writes one line for each try to its stderr.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void report(const char *what, long result) {
  printf("%s=%s\n", what, result >= 0 ? "ok" : errno == 0 ? "?" : strerrorname_np(errno));
}

static void try_path(const char *path) {
  char what[4200];
  snprintf(what, sizeof what, "read %s", path);
  report(what, open(path, O_RDONLY | O_CLOEXEC));
  snprintf(what, sizeof what, "write %s", path);
  report(what, open(path, O_WRONLY | O_CLOEXEC));
  snprintf(what, sizeof what, "execute %s", path);
  char *arguments[] = {(char *)path, NULL};
  if (strstr(path, "true") != NULL) report(what, execve(path, arguments, arguments + 1));
}

static void list_descriptors(void) {
  printf("descriptors=");
  for (int descriptor = 0; descriptor < 1024; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0) printf("%d,", descriptor);
  }
  printf("\n");
}

static void try_sockets(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  report("socket unix", socket(AF_UNIX, SOCK_STREAM, 0));
  report("socket inet", socket(AF_INET, SOCK_STREAM, 0));
  int pair[2];
  report("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  report("connect", connect(pair[0], (struct sockaddr *)&address, sizeof address));
  report("bind", bind(pair[0], (struct sockaddr *)&address, sizeof address));
}

static void limits(void) {
  const int kinds[] = {RLIMIT_CORE, RLIMIT_NOFILE, RLIMIT_FSIZE};
  const char *names[] = {"core", "nofile", "fsize"};
  for (int index = 0; index < 3; ++index) {
    struct rlimit limit;
    getrlimit(kinds[index], &limit);
    printf("limit %s=%llu\n", names[index], (unsigned long long)limit.rlim_max);
  }
}

// Arguments: the parent's process id, a socket's path, then paths to open.
int main(int count, char **values) {
  dup2(STDERR_FILENO, STDOUT_FILENO);
  setvbuf(stdout, NULL, _IONBF, 0);
  errno = 0;
  list_descriptors();
  printf("uid=%d,%d gid=%d,%d groups=%d\n", getuid(), geteuid(), getgid(), getegid(), getgroups(0, NULL));
  printf("session=%d\n", getsid(0) == getpid());
  printf("nnp=%d seccomp=%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
  char *status = NULL;
  size_t size = 0;
  FILE *file = fopen("/proc/self/status", "r");
  if (file != NULL) getdelim(&status, &size, '\0', file);
  const char *effective = status == NULL ? NULL : strstr(status, "CapEff:");
  printf("capeff=%.16s\n", effective == NULL ? "unreadable" : effective + 8);
  limits();
  for (char **variable = environ; *variable != NULL; ++variable) printf("env %s\n", *variable);
  report("setuid 0", setuid(0));
  report("signal parent", kill(atoi(values[1]), 0));
  report("ptrace parent", ptrace(PTRACE_SEIZE, atoi(values[1]), 0, 0));
  report("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
  report("mount", syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
  report("unshare", syscall(SYS_unshare, 0x10000000));
  report("mkdir", syscall(SYS_mkdir, "/tmp/a3s-box-confined-probe", 0700));
  try_sockets(values[2]);
  for (int index = 3; index < count; ++index) try_path(values[index]);
  return 0;
}
