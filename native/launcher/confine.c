// a3s-box-confine: gives up everything that a virtual machine monitor does not need, then becomes it.
//
//   a3s-box-confine --keep N [--await-owner] [--uid U --gid G [--group G]... [--exclusive] [--threads N]] [--open-files N]
//       [--file-bytes N] [--deny-sockets] [--small-pages] [--read PATH]... [--execute PATH]... [--device PATH]...
//       [--read-descriptor FD]... [--env NAME=VALUE]... -- PROGRAM ARGUMENT...
//
// Descriptors 0 to N-1 are inherited, all others closed. Descriptor 3 is for the status and closes with the exec: end of
// file without a byte says that PROGRAM runs confined; else one line `step errno subject` says what failed.
// With --await-owner nothing is done before a byte has come on descriptor 0, so that whoever started the launcher can first
// write down that it is there; when that one dies instead, the launcher ends. PROGRAM's descriptor 0 is /dev/null then.
// Nothing is optional: a control that cannot be applied ends the launcher before the program starts.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"

enum { EXIT_LAUNCHER = 125, LAST_POSSIBLE_CAPABILITY = 63 };

void fail(const char *step, int number, const char *subject) {
  char line[512];
  const int length = snprintf(line, sizeof line, "%s %d %s\n", step, number, subject);
  const size_t size = length < (int)sizeof line ? (size_t)length : sizeof line - 1;
  if (write(STATUS_DESCRIPTOR, line, size) < 0) _exit(EXIT_LAUNCHER + 1);
  _exit(EXIT_LAUNCHER);
}

static void leave_session(void) {
  umask(077);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (chdir("/") != 0) fail("session", errno, "chdir");
  // A process group's leader may not make a session; where the caller made one already there is nothing left to do.
  if (setsid() < 0 && getsid(0) != getpid()) fail("session", errno, "setsid");
}

static void close_descriptors(const struct options *options) {
  if (syscall(__NR_close_range, options->keep, ~0U, 0) != 0) fail("descriptors", errno, "close_range");
  for (int descriptor = 0; descriptor < (int)options->keep; ++descriptor) {
    if (fcntl(descriptor, F_SETFD, descriptor == STATUS_DESCRIPTOR ? FD_CLOEXEC : 0) != 0) {
      fail("descriptors", errno, "fcntl");
    }
  }
}

static void await_owner(void) {
  char byte;
  ssize_t length;
  while ((length = read(STDIN_FILENO, &byte, 1)) < 0 && errno == EINTR) continue;
  if (length != 1) fail("owner", length < 0 ? errno : EPIPE, "descriptor 0");
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) fail("owner", errno, "/dev/null");
  close(nothing);
}

static void limit(int resource, int64_t value, const char *name) {
  if (value < 0) return;
  const struct rlimit both = {.rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value};
  if (setrlimit(resource, &both) != 0) fail("limits", errno, name);
}

static void drop_bounding_set(void) {
  for (int capability = 0; capability <= LAST_POSSIBLE_CAPABILITY; ++capability) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) fail("capabilities", errno, "PR_CAPBSET_DROP");
  }
}

// Fails when another process has this user id. With room for two, a fork succeeds only where this process is alone: the
// kernel counts a user's processes, so no registry can go stale and no VMM can hide. Of two launchers at the same
// moment each has switched before it asks, so at most one passes.
static void require_exclusive_user(void) {
  struct rlimit room;
  if (getrlimit(RLIMIT_NPROC, &room) != 0) fail("identity", errno, "getrlimit");
  const struct rlimit pair = {.rlim_cur = 2, .rlim_max = room.rlim_max};
  if (setrlimit(RLIMIT_NPROC, &pair) != 0) fail("identity", errno, "RLIMIT_NPROC");
  const pid_t child = fork();
  if (child == 0) _exit(0);
  if (child < 0) fail(errno == EAGAIN ? "uid-in-use" : "identity", errno, "fork");
  while (waitpid(child, NULL, 0) < 0) {
    if (errno != EINTR) fail("identity", errno, "waitpid");
  }
  if (setrlimit(RLIMIT_NPROC, &room) != 0) fail("identity", errno, "RLIMIT_NPROC");
}

static void switch_identity(const struct options *options) {
  if (!options->switch_identity) {
    if (geteuid() == 0 || getuid() == 0) fail("identity", EPERM, "root needs --uid");
    return;
  }
  drop_bounding_set();
  if (setgroups(options->group_count, options->groups) != 0) fail("identity", errno, "setgroups");
  if (setresgid(options->gid, options->gid, options->gid) != 0) fail("identity", errno, "setresgid");
  if (setresuid(options->uid, options->uid, options->uid) != 0) fail("identity", errno, "setresuid");
  if (options->exclusive) require_exclusive_user();
  limit(RLIMIT_NPROC, options->threads, "threads");
}

static void drop_capabilities(void) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) fail("capabilities", errno, "PR_CAP_AMBIENT");
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};
  if (syscall(__NR_capset, &header, sets) != 0) fail("capabilities", errno, "capset");
}

int main(int count, char **values) {
  static struct options options;
  parse_options(count, values, &options);
  leave_session();
  close_descriptors(&options);
  if (options.await_owner) await_owner();
  limit(RLIMIT_CORE, 0, "core");
  limit(RLIMIT_NOFILE, options.open_files, "open-files");
  limit(RLIMIT_FSIZE, options.file_bytes, "file-bytes");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no-new-privileges", errno, "PR_SET_NO_NEW_PRIVS");
  if (options.small_pages && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) fail("limits", errno, "PR_SET_THP_DISABLE");
  const int ruleset = prepare_landlock(&options);
  switch_identity(&options);
  enforce_landlock(ruleset);
  drop_capabilities();
  install_syscall_filter(options.deny_sockets);
  execve(options.program[0], options.program, options.environment);
  fail("exec", errno, options.program[0]);
}
