// Command-line options of the launcher.
//
// The specification comes as arguments and not as a document on a descriptor: the kernel hands them over as separate
// strings, so that there is no format to parse wrongly before privileges are dropped, and they hold nothing secret.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "confine.h"

static int64_t parse_number(const char *text, int64_t maximum) {
  char *end = NULL;
  errno = 0;
  const long long number = strtoll(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || number < 0 || number > maximum) fail("options", EINVAL, text);
  return number;
}

static struct grant *add_grant(struct options *options) {
  if (options->grant_count == MAX_GRANTS) fail("options", E2BIG, "grants");
  return &options->grants[options->grant_count++];
}

static void add_path(struct options *options, int kind, const char *path) {
  if (path[0] != '/') fail("options", EINVAL, path);
  struct grant *grant = add_grant(options);
  grant->kind = kind;
  grant->path = path;
  grant->descriptor = -1;
}

static void apply(struct options *options, const char *name, char *value) {
  if (strcmp(name, "--keep") == 0) {
    options->keep = (unsigned)parse_number(value, 1023);
  } else if (strcmp(name, "--uid") == 0) {
    options->uid = (uid_t)parse_number(value, UINT32_MAX - 1);
    options->switch_identity = true;
  } else if (strcmp(name, "--gid") == 0) {
    options->gid = (gid_t)parse_number(value, UINT32_MAX - 1);
  } else if (strcmp(name, "--group") == 0) {
    if (options->group_count == MAX_GROUPS) fail("options", E2BIG, name);
    options->groups[options->group_count++] = (gid_t)parse_number(value, UINT32_MAX - 1);
  } else if (strcmp(name, "--open-files") == 0) {
    options->open_files = parse_number(value, INT64_MAX);
  } else if (strcmp(name, "--file-bytes") == 0) {
    options->file_bytes = parse_number(value, INT64_MAX);
  } else if (strcmp(name, "--threads") == 0) {
    options->threads = parse_number(value, INT64_MAX);
  } else if (strcmp(name, "--read") == 0) {
    add_path(options, GRANT_READ, value);
  } else if (strcmp(name, "--execute") == 0) {
    add_path(options, GRANT_EXECUTE, value);
  } else if (strcmp(name, "--device") == 0) {
    add_path(options, GRANT_DEVICE, value);
  } else if (strcmp(name, "--read-descriptor") == 0) {
    struct grant *grant = add_grant(options);
    grant->kind = GRANT_READ;
    grant->descriptor = (int)parse_number(value, 1023);
  } else if (strcmp(name, "--env") == 0) {
    if (options->environment_count == MAX_ENVIRONMENT) fail("options", E2BIG, name);
    if (strchr(value, '=') == NULL) fail("options", EINVAL, value);
    options->environment[options->environment_count++] = value;
  } else {
    fail("options", EINVAL, name);
  }
}

// Flags take no value. Returns whether `name` was one.
static bool apply_flag(struct options *options, const char *name) {
  if (strcmp(name, "--await-owner") == 0) {
    options->await_owner = true;
  } else if (strcmp(name, "--exclusive") == 0) {
    options->exclusive = true;
  } else if (strcmp(name, "--deny-sockets") == 0) {
    options->deny_sockets = true;
  } else if (strcmp(name, "--small-pages") == 0) {
    options->small_pages = true;
  } else {
    return false;
  }
  return true;
}

void parse_options(int count, char **values, struct options *options) {
  options->open_files = options->file_bytes = options->threads = -1;
  int position = 1;
  while (position < count && strcmp(values[position], "--") != 0) {
    const char *name = values[position++];
    if (apply_flag(options, name)) continue;
    if (position >= count) fail("options", EINVAL, name);
    apply(options, name, values[position++]);
  }
  if (position + 1 >= count) fail("options", EINVAL, "no program");
  options->program = &values[position + 1];
  if (options->program[0][0] != '/') fail("options", EINVAL, options->program[0]);
  if (options->keep <= STATUS_DESCRIPTOR) fail("options", EINVAL, "--keep");
  // Whoever forgets the identity must not end with a VMM that runs as root.
  if (options->switch_identity && (options->uid == 0 || options->gid == 0)) fail("options", EINVAL, "--uid, --gid");
  if (!options->switch_identity && (options->exclusive || options->group_count > 0 || options->threads >= 0)) {
    fail("options", EINVAL, "--exclusive, --group and --threads need --uid");
  }
}
