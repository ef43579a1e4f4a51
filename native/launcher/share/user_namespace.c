// A user namespace in which this process is root. Its power ends at files: it may own, change and give away those that
// belong to ids of the namespace, and neither make devices nor do anything to the system.
//
// Started by root all ids are the same inside and outside, so that files keep their owners. Started by an ordinary user
// there is one id inside, root's, and it is that user.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "share.h"

enum { MAP_BYTES = 4096 };

static void write_file(const char *path, const char *text, size_t size) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0 || write(file, text, size) != (ssize_t)size) fail("user-namespace", errno, path);
  close(file);
}

// The ids that there are, each mapped to itself. Returns the text's size.
static size_t identity_map(const char *path, char *text) {
  FILE *map = fopen(path, "re");
  if (map == NULL) fail("user-namespace", errno, path);
  size_t size = 0;
  unsigned inside = 0;
  unsigned long long outside = 0;
  unsigned count = 0;
  while (fscanf(map, "%u %llu %u", &inside, &outside, &count) == 3) {
    const int length = snprintf(text + size, MAP_BYTES - size, "%u %u %u\n", inside, inside, count);
    if (length < 0 || size + (size_t)length >= MAP_BYTES) fail("user-namespace", E2BIG, path);
    size += (size_t)length;
  }
  fclose(map);
  return size;
}

// Ids other than its own can only be given to a namespace from outside of it.
static pid_t start_mapper(int go) {
  char uids[MAP_BYTES];
  char gids[MAP_BYTES];
  const size_t uids_size = identity_map("/proc/self/uid_map", uids);
  const size_t gids_size = identity_map("/proc/self/gid_map", gids);
  const pid_t parent = getpid();
  const pid_t mapper = fork();
  if (mapper < 0) fail("user-namespace", errno, "fork");
  if (mapper > 0) return mapper;
  char byte;
  if (read(go, &byte, 1) != 1) _exit(1);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/uid_map", (int)parent);
  write_file(path, uids, uids_size);
  snprintf(path, sizeof path, "/proc/%d/gid_map", (int)parent);
  write_file(path, gids, gids_size);
  _exit(0);
}

static void enter_as_root(void) {
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) fail("user-namespace", errno, "pipe");
  const pid_t mapper = start_mapper(go[0]);
  if (unshare(CLONE_NEWUSER) != 0) fail("user-namespace", errno, "unshare");
  if (write(go[1], "", 1) != 1) fail("user-namespace", errno, "pipe");
  int status = 0;
  while (waitpid(mapper, &status, 0) < 0) {
    if (errno != EINTR) fail("user-namespace", errno, "waitpid");
  }
  // It has said itself what failed.
  if (status != 0) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  close(go[0]);
  close(go[1]);
  if (setgroups(0, NULL) != 0) fail("user-namespace", errno, "setgroups");
}

static void enter_as_user(uid_t uid, gid_t gid) {
  if (unshare(CLONE_NEWUSER) != 0) fail("user-namespace", errno, "unshare");
  char map[64];
  write_file("/proc/self/setgroups", "deny", strlen("deny"));
  write_file("/proc/self/uid_map", map, (size_t)snprintf(map, sizeof map, "0 %u 1", uid));
  write_file("/proc/self/gid_map", map, (size_t)snprintf(map, sizeof map, "0 %u 1", gid));
}

void enter_user_namespace(void) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (uid == 0) enter_as_root();
  else enter_as_user(uid, gid);
  if (setresgid(0, 0, 0) != 0) fail("user-namespace", errno, "setresgid");
  if (setresuid(0, 0, 0) != 0) fail("user-namespace", errno, "setresuid");
}
