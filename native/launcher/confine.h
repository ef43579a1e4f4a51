// What the launcher is told and how its parts report.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Where failures are reported, so that a fault in the options can be too.
enum { STATUS_DESCRIPTOR = 3 };

enum { MAX_GRANTS = 64, MAX_GROUPS = 8, MAX_ENVIRONMENT = 32 };

// One path, or one inherited descriptor, that the program may open by name.
struct grant {
  enum { GRANT_READ, GRANT_EXECUTE, GRANT_DEVICE } kind;
  const char *path;  // NULL: `descriptor` names the file.
  int descriptor;
};

struct options {
  unsigned keep;
  bool await_owner;
  bool switch_identity;
  bool exclusive;
  uid_t uid;
  gid_t gid;
  size_t group_count;
  gid_t groups[MAX_GROUPS];
  int64_t open_files;  // -1: unchanged, as for the next two.
  int64_t file_bytes;
  int64_t threads;
  bool deny_sockets;
  bool small_pages;
  size_t grant_count;
  struct grant grants[MAX_GRANTS];
  char *environment[MAX_ENVIRONMENT + 1];
  size_t environment_count;
  char **program;
};

// Writes `step errno subject` to the status descriptor and ends the process with status 125. Never returns.
__attribute__((noreturn)) void fail(const char *step, int number, const char *subject);

// Fills `options` from argv; fails with step `options`.
void parse_options(int count, char **values, struct options *options);

// Opens everything that `options` grants while the caller may still see it. Returns the ruleset's descriptor.
int prepare_landlock(const struct options *options);
// From here on nothing but the grants can be opened by name.
void enforce_landlock(int ruleset);

// Takes away the system calls that a VMM with inherited descriptors has no use for.
void install_syscall_filter(bool deny_sockets);
