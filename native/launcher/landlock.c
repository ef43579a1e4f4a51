// The file-system allow-list. Levels of the interface (ABI) are those of linux/landlock.h; the structure and constants
// are spelt out because headers of the build machine may be older than the kernel that the launcher runs on.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule 445
#define __NR_landlock_restrict_self 446
#endif

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_RIGHTS_ABI_1 ((1ULL << 13) - 1)
#define FS_RIGHTS_ABI_2 ((1ULL << 14) - 1)  // + REFER
#define FS_RIGHTS_ABI_3 ((1ULL << 15) - 1)  // + TRUNCATE
#define FS_RIGHTS_ABI_5 ((1ULL << 16) - 1)  // + IOCTL_DEV
#define NET_TCP ((1ULL << 0) | (1ULL << 1))
#define SCOPE_ALL ((1ULL << 0) | (1ULL << 1))  // abstract Unix sockets, signals

struct ruleset_attributes {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

struct path_beneath {
  uint64_t allowed_access;
  int32_t parent;
} __attribute__((packed));

static uint64_t file_rights(long abi) {
  if (abi >= 5) return FS_RIGHTS_ABI_5;
  if (abi >= 3) return FS_RIGHTS_ABI_3;
  return abi == 2 ? FS_RIGHTS_ABI_2 : FS_RIGHTS_ABI_1;
}

static void add_rule(int ruleset, const struct grant *grant, uint64_t handled) {
  static const char inherited[] = "inherited descriptor";
  const char *subject = grant->path == NULL ? inherited : grant->path;
  const int parent = grant->path == NULL ? grant->descriptor : open(grant->path, O_PATH | O_CLOEXEC);
  struct stat status;
  if (parent < 0 || fstat(parent, &status) != 0) fail("landlock", errno, subject);
  uint64_t rights = FS_READ_FILE;
  if (grant->kind == GRANT_EXECUTE) rights |= FS_EXECUTE;
  if (grant->kind == GRANT_DEVICE) rights |= FS_WRITE_FILE | FS_IOCTL_DEV;
  if (S_ISDIR(status.st_mode)) rights |= FS_READ_DIR;
  const struct path_beneath rule = {.allowed_access = rights & handled, .parent = parent};
  if (syscall(__NR_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0) fail("landlock", errno, subject);
  if (grant->path != NULL) close(parent);
}

int prepare_landlock(const struct options *options) {
  const long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
  if (abi < 1) fail("landlock-unavailable", errno, "landlock_create_ruleset");
  struct ruleset_attributes attributes = {.handled_access_fs = file_rights(abi)};
  size_t size = sizeof attributes.handled_access_fs;
  // With sockets of its own a program may use the network that its user has.
  if (abi >= 4 && options->deny_sockets) {
    attributes.handled_access_net = NET_TCP;
    size += sizeof attributes.handled_access_net;
  }
  if (abi >= 6) {
    attributes.scoped = SCOPE_ALL;
    size = sizeof attributes;
  }
  const int ruleset = (int)syscall(__NR_landlock_create_ruleset, &attributes, size, 0);
  if (ruleset < 0) fail("landlock", errno, "landlock_create_ruleset");
  for (size_t index = 0; index < options->grant_count; ++index) {
    add_rule(ruleset, &options->grants[index], attributes.handled_access_fs);
  }
  return ruleset;
}

void enforce_landlock(int ruleset) {
  if (syscall(__NR_landlock_restrict_self, ruleset, 0) != 0) fail("landlock", errno, "landlock_restrict_self");
  close(ruleset);
}
