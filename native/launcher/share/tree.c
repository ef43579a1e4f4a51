// The tree that is shared, in a mount namespace that no other process sees.
//
// linux/mount.h and sys/mount.h of newer C libraries define the same things, so all calls are made by number.
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "share.h"

#ifndef MS_PRIVATE
#define MS_PRIVATE (1 << 18)
#endif
#ifndef MS_REC
#define MS_REC 16384
#endif

static void set_attributes(int mount, uint64_t attributes, const char *subject) {
  struct mount_attr wanted = {.attr_set = attributes, .propagation = MS_PRIVATE};
  if (syscall(__NR_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &wanted, sizeof wanted) != 0) {
    fail("mount-attributes", errno, subject);
  }
}

// The file of an entry within this namespace; what lies there now has to be what was opened before.
static int open_entry(const struct entry *entry) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
  const int file = (int)syscall(__NR_openat2, AT_FDCWD, entry->path, &how, sizeof how);
  struct stat meant;
  struct stat found;
  if (file < 0 || fstat(file, &found) != 0 || fstat(entry->descriptor, &meant) != 0) fail("source", errno, entry->path);
  if (meant.st_dev != found.st_dev || meant.st_ino != found.st_ino) fail("source", ESTALE, entry->path);
  if (!S_ISDIR(found.st_mode) && !S_ISREG(found.st_mode)) fail("source", EINVAL, entry->path);
  return file;
}

static int clone_entry(const struct entry *entry, bool *directory) {
  const int file = open_entry(entry);
  struct stat status;
  if (fstat(file, &status) != 0) fail("source", errno, entry->path);
  *directory = S_ISDIR(status.st_mode);
  const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const int mount = (int)syscall(__NR_open_tree, file, "", flags);
  if (mount < 0) fail("mount", errno, entry->path);
  close(file);
  const uint64_t guarded = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  set_attributes(mount, entry->read_only ? guarded | MOUNT_ATTR_RDONLY : guarded, entry->path);
  return mount;
}

static void place_entry(int tree, const struct entry *entry, int mount, bool directory) {
  if (directory) {
    if (mkdirat(tree, entry->name, 0755) != 0) fail("tree", errno, entry->name);
  } else {
    const int file = openat(tree, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) fail("tree", errno, entry->name);
    close(file);
  }
  if (syscall(__NR_move_mount, mount, "", tree, entry->name, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    fail("mount", errno, entry->path);
  }
  close(mount);
}

// An empty file system that holds the entries' names and nothing else.
static int mount_empty(const char *place) {
  const int context = (int)syscall(__NR_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) fail("tree", errno, "fsopen");
  static const char *const settings[][2] = {{"size", "64k"}, {"nr_inodes", "1k"}, {"mode", "0755"}};
  for (size_t index = 0; index < sizeof settings / sizeof settings[0]; ++index) {
    if (syscall(__NR_fsconfig, context, FSCONFIG_SET_STRING, settings[index][0], settings[index][1], 0) != 0) {
      fail("tree", errno, settings[index][0]);
    }
  }
  if (syscall(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) fail("tree", errno, "fsconfig");
  const uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const int mount = (int)syscall(__NR_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  if (mount < 0) fail("tree", errno, "fsmount");
  close(context);
  if (syscall(__NR_move_mount, mount, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) != 0) fail("tree", errno, place);
  return mount;
}

void make_tree(const struct options *options) {
  if (unshare(CLONE_NEWNS) != 0) fail("mount-namespace", errno, "unshare");
  if (syscall(__NR_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("mount-namespace", errno, "/");
  static int mounts[MAX_ENTRIES];
  static bool directories[MAX_ENTRIES];
  for (size_t index = 0; index < options->entry_count; ++index) {
    mounts[index] = clone_entry(&options->entries[index], &directories[index]);
  }
  const int tree = mount_empty(options->tree);
  for (size_t index = 0; index < options->entry_count; ++index) {
    place_entry(tree, &options->entries[index], mounts[index], directories[index]);
  }
  struct mount_attr unchangeable = {.attr_set = MOUNT_ATTR_RDONLY};
  if (syscall(__NR_mount_setattr, tree, "", AT_EMPTY_PATH, &unchangeable, sizeof unchangeable) != 0) {
    fail("mount-attributes", errno, options->tree);
  }
  close(tree);
}
