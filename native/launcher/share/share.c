// a3s-box-share: puts together what a box may see of the host's files, then becomes the server that shares it.
//
//   a3s-box-share --keep N [--await-owner] --tree DIRECTORY [--entry NAME ro|rw FD PATH]... -- PROGRAM ARGUMENT...
//
// Each entry appears as DIRECTORY/NAME, with all that is mounted below it, without devices and set-user-id programs, and
// unchangeable where `ro` says so: the kernel of the host sees to that. PATH is opened again within the new namespace and
// has to be the very file that descriptor FD is of.
// Descriptors 0 to N-1 are inherited, all others closed. Descriptor 3 is for the status and closes with the exec: end of
// file without a byte says that PROGRAM runs; else one line `step errno subject` says what failed.
// With --await-owner nothing is done before a byte has come on descriptor 0, so that whoever started the launcher can first
// write down that it is there; when that one dies instead, the launcher ends. PROGRAM's descriptor 0 is /dev/null then.
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_LAUNCHER = 125, LARGEST_DESCRIPTOR = 1023 };

void fail(const char *step, int number, const char *subject) {
  char line[4608];
  const int length = snprintf(line, sizeof line, "%s %d %s\n", step, number, subject);
  const size_t size = length < (int)sizeof line ? (size_t)length : sizeof line - 1;
  if (write(STATUS_DESCRIPTOR, line, size) < 0) _exit(EXIT_LAUNCHER + 1);
  _exit(EXIT_LAUNCHER);
}

static int parse_descriptor(const char *text) {
  char *end = NULL;
  errno = 0;
  const long number = strtol(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || number < 0 || number > LARGEST_DESCRIPTOR) fail("options", EINVAL, text);
  return (int)number;
}

static bool is_segment(const char *name) {
  return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strchr(name, '/') == NULL;
}

static void parse_entry(struct options *options, char **values) {
  if (options->entry_count == MAX_ENTRIES) fail("options", E2BIG, "entries");
  struct entry *entry = &options->entries[options->entry_count++];
  entry->name = values[0];
  if (!is_segment(entry->name)) fail("options", EINVAL, entry->name);
  entry->read_only = strcmp(values[1], "ro") == 0;
  if (!entry->read_only && strcmp(values[1], "rw") != 0) fail("options", EINVAL, values[1]);
  entry->descriptor = parse_descriptor(values[2]);
  entry->path = values[3];
  if (entry->path[0] != '/') fail("options", EINVAL, entry->path);
}

void parse_options(int count, char **values, struct options *options) {
  int position = 1;
  while (position < count && strcmp(values[position], "--") != 0) {
    const char *name = values[position++];
    const int left = count - position;
    if (strcmp(name, "--await-owner") == 0) {
      options->await_owner = true;
    } else if (strcmp(name, "--keep") == 0 && left >= 1) {
      options->keep = (unsigned)parse_descriptor(values[position++]);
    } else if (strcmp(name, "--tree") == 0 && left >= 1) {
      options->tree = values[position++];
    } else if (strcmp(name, "--entry") == 0 && left >= 4) {
      parse_entry(options, &values[position]);
      position += 4;
    } else {
      fail("options", EINVAL, name);
    }
  }
  if (position + 1 >= count) fail("options", EINVAL, "no program");
  options->program = &values[position + 1];
  if (options->program[0][0] != '/') fail("options", EINVAL, options->program[0]);
  if (options->tree == NULL || options->tree[0] != '/') fail("options", EINVAL, "--tree");
  if (options->keep <= STATUS_DESCRIPTOR) fail("options", EINVAL, "--keep");
}

static void leave_session(void) {
  umask(077);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (chdir("/") != 0) fail("session", errno, "chdir");
  if (setsid() < 0 && getsid(0) != getpid()) fail("session", errno, "setsid");
}

static void close_descriptors(unsigned keep) {
  if (syscall(__NR_close_range, keep, ~0U, 0) != 0) fail("descriptors", errno, "close_range");
  for (int descriptor = 0; descriptor < (int)keep; ++descriptor) {
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

// The server holds one descriptor for each file that the guest has seen.
static void set_limits(void) {
  const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) fail("limits", errno, "core");
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) fail("limits", errno, "open-files");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) fail("limits", errno, "open-files");
}

// What was opened to name the entries is not the server's to have.
static void close_entries(const struct options *options) {
  for (size_t index = 0; index < options->entry_count; ++index) close(options->entries[index].descriptor);
}

int main(int count, char **values) {
  static struct options options;
  static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
  parse_options(count, values, &options);
  leave_session();
  close_descriptors(options.keep);
  if (options.await_owner) await_owner();
  set_limits();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no-new-privileges", errno, "PR_SET_NO_NEW_PRIVS");
  enter_user_namespace();
  make_tree(&options);
  close_entries(&options);
  install_syscall_filter();
  execve(options.program[0], options.program, environment);
  fail("exec", errno, options.program[0]);
}
