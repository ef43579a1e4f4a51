// What the launcher of a file server is told and how its parts report.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Where failures are reported; closes with the exec.
enum { STATUS_DESCRIPTOR = 3 };

enum { MAX_ENTRIES = 128 };

// One file or directory that is shared.
struct entry {
  const char *name;  // In the tree, one path segment.
  bool read_only;
  int descriptor;    // Of the file that is meant, opened before.
  const char *path;  // Where it is, without symbolic links.
};

struct options {
  unsigned keep;
  bool await_owner;
  const char *tree;  // An empty directory that the tree is mounted on, for this process alone.
  size_t entry_count;
  struct entry entries[MAX_ENTRIES];
  char **program;
};

// Writes `step errno subject` to the status descriptor and ends the process with status 125. Never returns.
__attribute__((noreturn)) void fail(const char *step, int number, const char *subject);

// Fills `options` from argv; fails with step `options`.
void parse_options(int count, char **values, struct options *options);

// Makes this process root of a user namespace of its own, in which nothing but files is within its power.
void enter_user_namespace(void);

// Mounts the entries below `options->tree`, seen by this process and what it becomes alone.
void make_tree(const struct options *options);

// Takes away the system calls by which a guest could leave files on the host that give rights there.
void install_syscall_filter(void);
