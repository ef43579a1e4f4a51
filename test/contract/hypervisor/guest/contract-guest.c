// The guest of the Hypervisor port's contract kit: PID 1 of an initramfs, answers one command a line on the agent port, or,
// where there is none, on connections to a vsock port, one after the other (guest-init/proto/README.md).
// Static, so that the initramfs needs nothing else.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AGENT_PORT "a3s.box.agent"
enum { VSOCK_PORT = 1024, ANNOUNCE_PORT = 1025 };
enum { LINE = 4096, DATA = 1024 };

static int port = -1;
static int listener = -1;
// What the host asked to be kept in memory.
static char remembered[LINE];

static void reply(const char *format, ...) {
  char line[2 * LINE];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line - 1, format, values);
  va_end(values);
  if (length < 0) length = 0;
  if (length > (int)sizeof line - 2) length = (int)sizeof line - 2;
  line[length++] = '\n';
  for (int sent = 0; sent < length;) {
    const ssize_t count = write(port, line + sent, (size_t)(length - sent));
    if (count <= 0) return;
    sent += (int)count;
  }
}

static bool read_line(const char *path, char *target, size_t size) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t count = read(file, target, size - 1);
  close(file);
  target[count < 0 ? 0 : count] = '\0';
  target[strcspn(target, "\n")] = '\0';
  return count >= 0;
}

static const char *const SLOTS[] = {"root", "scratch", "disk0", "disk1", "disk2"};
enum { SLOT_COUNT = sizeof SLOTS / sizeof SLOTS[0] };

static bool is_slot(const char *name) {
  for (int place = 0; place < SLOT_COUNT; ++place) {
    if (strcmp(name, SLOTS[place]) == 0) return true;
  }
  return false;
}

// A disk's slot: its serial, where that is a slot's name; else the slot in its place on the bus.
static void name_slot(char *slot, size_t size, const char *device) {
  if (is_slot(slot)) return;
  const int place = device[2] - 'a';
  snprintf(slot, size, "%s", place >= 0 && place < SLOT_COUNT ? SLOTS[place] : "");
}

// Calls back for each disk with its slot's name; stops and returns true when the callback does.
static bool each_disk(bool (*visit)(const char *device, const char *slot, void *context), void *context) {
  DIR *directory = opendir("/sys/block");
  bool stopped = false;
  for (struct dirent *entry; directory != NULL && !stopped && (entry = readdir(directory)) != NULL;) {
    char path[512], slot[64];
    snprintf(path, sizeof path, "/sys/block/%s/serial", entry->d_name);
    if (entry->d_name[0] != 'v' || !read_line(path, slot, sizeof slot)) continue;
    name_slot(slot, sizeof slot, entry->d_name);
    stopped = visit(entry->d_name, slot, context);
  }
  if (directory != NULL) closedir(directory);
  return stopped;
}

struct search {
  const char *slot;
  char device[300];
};

static bool match_slot(const char *device, const char *slot, void *context) {
  struct search *search = context;
  if (strcmp(slot, search->slot) != 0) return false;
  snprintf(search->device, sizeof search->device, "/dev/%s", device);
  return true;
}

static int open_slot(const char *slot, int flags) {
  struct search search = {.slot = slot};
  if (!each_disk(match_slot, &search)) {
    errno = ENODEV;
    return -1;
  }
  return open(search.device, flags | O_CLOEXEC);
}

static bool describe_disk(const char *device, const char *slot, void *context) {
  char path[512], sectors[32] = "", read_only[8] = "";
  snprintf(path, sizeof path, "/sys/block/%s/size", device);
  read_line(path, sectors, sizeof sectors);
  snprintf(path, sizeof path, "/sys/block/%s/ro", device);
  read_line(path, read_only, sizeof read_only);
  char *list = context;
  const size_t used = strlen(list);
  const char *access = read_only[0] == '1' ? "ro" : "rw";
  snprintf(list + used, LINE - used, "%s%s:%s:%s", used == 0 ? "" : " ", slot, sectors, access);
  return false;
}

static void command_disks(void) {
  char list[LINE] = "";
  each_disk(describe_disk, list);
  reply("%s", list);
}

static void command_read(const char *slot, long long offset, long length) {
  char data[DATA + 1] = "";
  const int file = open_slot(slot, O_RDONLY);
  if (file < 0 || length < 0 || length > DATA || pread(file, data, (size_t)length, offset) != length) {
    reply("error %s", strerror(errno));
  } else {
    reply("%s", data);
  }
  if (file >= 0) close(file);
}

static void command_write(const char *slot, long long offset, const char *text) {
  const int file = open_slot(slot, O_RDWR);
  const ssize_t length = (ssize_t)strlen(text);
  if (file < 0 || pwrite(file, text, (size_t)length, offset) != length || fsync(file) != 0) {
    reply("error %s", strerror(errno));
  } else {
    reply("ok");
  }
  if (file >= 0) close(file);
}

static void command_flush(const char *slot) {
  const int file = open_slot(slot, O_RDONLY);
  if (file < 0 || ioctl(file, BLKFLSBUF, 0) != 0) {
    reply("error %s", strerror(errno));
  } else {
    reply("ok");
  }
  if (file >= 0) close(file);
}

static void command_mount(const char *slot, const char *type) {
  struct search search = {.slot = slot};
  struct timespec before, after;
  mkdir("/mnt", 0755);
  if (!each_disk(match_slot, &search)) return reply("error no such slot");
  clock_gettime(CLOCK_MONOTONIC, &before);
  if (mount(search.device, "/mnt", type, 0, NULL) != 0) return reply("error %s", strerror(errno));
  clock_gettime(CLOCK_MONOTONIC, &after);
  reply("%lld", (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec);
}

static void command_share(const char *name) {
  char path[512], text[DATA] = "";
  mkdir("/share", 0755);
  if (mount("share", "/share", "virtiofs", 0, NULL) != 0 && errno != EBUSY) return reply("error %s", strerror(errno));
  snprintf(path, sizeof path, "/share/%s", name);
  if (read_line(path, text, sizeof text)) return reply("%s", text);
  reply("error %s", strerror(errno));
}

static void command_info(void) {
  char source[64] = "", memory[64] = "", line[256] = "", uptime[64] = "";
  read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof source);
  read_line("/proc/meminfo", memory, sizeof memory);
  read_line("/proc/sys/kernel/osrelease", line, sizeof line);
  read_line("/proc/uptime", uptime, sizeof uptime);
  const bool card = access("/sys/class/net/eth0", F_OK) == 0;
  reply("vcpus=%ld clocksource=%s memory=%s kernel=%s network=%d uptime=%s", sysconf(_SC_NPROCESSORS_ONLN), source,
        memory + strcspn(memory, "0123456789"), line, card, uptime);
}

static bool link_up(int raw, struct ifreq *request) {
  snprintf(request->ifr_name, sizeof request->ifr_name, "eth0");
  if (ioctl(raw, SIOCGIFFLAGS, request) != 0) return false;
  request->ifr_flags |= IFF_UP;
  return ioctl(raw, SIOCSIFFLAGS, request) == 0 && ioctl(raw, SIOCGIFINDEX, request) == 0;
}

// Sends the text in a frame of an experimental type and answers with the text of the first such frame that comes back.
static void command_frame(const char *text) {
  enum { TYPE = 0x88b5, HEADER = 14, FRAME = 1514 };
  unsigned char frame[FRAME + 1] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, TYPE >> 8, TYPE & 0xff};
  const int raw = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(TYPE));
  struct ifreq request = {0};
  if (raw < 0 || !link_up(raw, &request)) return reply("error %s", strerror(errno));
  const struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(TYPE), .sll_ifindex = request.ifr_ifindex};
  const size_t length = strnlen(text, FRAME - HEADER);
  memcpy(frame + HEADER, text, length);
  const size_t padded = length + HEADER < 60 ? 60 : length + HEADER;
  if (sendto(raw, frame, padded, 0, (const struct sockaddr *)&address, sizeof address) < 0) {
    reply("error %s", strerror(errno));
  } else {
    const ssize_t count = recv(raw, frame, FRAME, 0);
    frame[count < 0 ? 0 : count] = '\0';
    reply("%s", count < HEADER ? "" : (char *)frame + HEADER);
  }
  close(raw);
}

static void log_line(const char *text) {
  FILE *console = fopen("/dev/console", "w");
  if (console == NULL) return;
  fprintf(console, "%s\n", text);
  fclose(console);
}

static void command_flood(long lines) {
  FILE *console = fopen("/dev/console", "w");
  for (long line = 0; console != NULL && line < lines; ++line) {
    fprintf(console, "flood %ld xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", line);
  }
  if (console != NULL) fclose(console);
  reply("ok");
}

// Writes to the agent port until it takes no more.
static void command_pour(void) {
  static const char line[] = "unread xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n";
  const int flags = fcntl(port, F_GETFL);
  fcntl(port, F_SETFL, flags | O_NONBLOCK);
  while (write(port, line, sizeof line - 1) > 0) continue;
  fcntl(port, F_SETFL, flags);
  log_line("poured");
}

// Kernels for microVMs may lack the magic key, and restart when PID 1 ends; without memory any of them panics.
static void panic(void) {
  const int setting = open("/proc/sys/vm/panic_on_oom", O_WRONLY);
  if (setting >= 0 && write(setting, "1", 1) == 1) close(setting);
  for (;;) {
    char *memory = malloc(DATA * 1024);
    if (memory != NULL) memset(memory, 1, DATA * 1024);
  }
}

static void run(char *line) {
  char slot[64];
  long long offset;
  long number;
  int position = 0;
  if (strncmp(line, "ping ", 5) == 0) return reply("pong %s", line + 5);
  if (strncmp(line, "frame ", 6) == 0) return command_frame(line + 6);
  if (strncmp(line, "remember ", 9) == 0) {
    snprintf(remembered, sizeof remembered, "%s", line + 9);
    return reply("ok");
  }
  if (strcmp(line, "pour") == 0) return command_pour();
  if (strcmp(line, "recall") == 0) return reply("%s", remembered);
  if (strcmp(line, "info") == 0) return command_info();
  if (strcmp(line, "disks") == 0) return command_disks();
  if (strncmp(line, "console ", 8) == 0) {
    log_line(line + 8);
    return reply("ok");
  }
  if (sscanf(line, "flood %ld", &number) == 1) return command_flood(number);
  if (sscanf(line, "read %63s %lld %ld", slot, &offset, &number) == 3) return command_read(slot, offset, number);
  if (sscanf(line, "write %63s %lld %n", slot, &offset, &position) == 2 && position > 0) {
    return command_write(slot, offset, line + position);
  }
  if (sscanf(line, "flush %63s", slot) == 1) return command_flush(slot);
  if (sscanf(line, "share %63s", slot) == 1) return command_share(slot);
  if (sscanf(line, "mount %63s", slot) == 1) return command_mount(slot, "ext4");
  if (strcmp(line, "poweroff") == 0) reboot(RB_AUTOBOOT);
  if (strcmp(line, "panic") == 0) panic();
  reply("error unknown command: %s", line);
}

static int open_agent_port(void) {
  DIR *directory = opendir("/sys/class/virtio-ports");
  char path[512] = "";
  for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    char file[512], name[64];
    snprintf(file, sizeof file, "/sys/class/virtio-ports/%s/name", entry->d_name);
    if (!read_line(file, name, sizeof name) || strcmp(name, AGENT_PORT) != 0) continue;
    snprintf(path, sizeof path, "/dev/%s", entry->d_name);
  }
  if (directory != NULL) closedir(directory);
  return path[0] == '\0' ? -1 : open(path, O_RDWR | O_CLOEXEC);
}

static struct sockaddr_vm vsock_address(unsigned cid, unsigned number) {
  return (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = number};
}

static int listen_on_vsock(void) {
  const struct sockaddr_vm own = vsock_address(VMADDR_CID_ANY, VSOCK_PORT);
  const struct sockaddr_vm host = vsock_address(VMADDR_CID_HOST, ANNOUNCE_PORT);
  const int socket_here = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_here < 0 || bind(socket_here, (const struct sockaddr *)&own, sizeof own) != 0) return -1;
  if (listen(socket_here, 8) != 0) return -1;
  const int knock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (knock < 0 || (connect(knock, (const struct sockaddr *)&host, sizeof host) != 0 && errno != EINPROGRESS)) {
    return -1;
  }
  close(knock);
  return socket_here;
}

// The next host, or the same one again.
static void await_host(void) {
  if (listener < 0) {
    // No host is connected. A poll with an edge would do; a guest of tests may look again.
    poll(NULL, 0, 5);
    return;
  }
  if (port >= 0) close(port);
  port = accept(listener, NULL, NULL);
}

static void serve(void) {
  char line[LINE];
  size_t used = 0;
  for (;;) {
    const ssize_t count = read(port, line + used, 1);
    if (count <= 0) {
      await_host();
      used = 0;
      continue;
    }
    if (line[used] != '\n') {
      if (++used == sizeof line) used = 0;
      continue;
    }
    line[used] = '\0';
    used = 0;
    run(line);
  }
}

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  signal(SIGPIPE, SIG_IGN);
  port = open_agent_port();
  if (port < 0) listener = listen_on_vsock();
  const bool reachable = port >= 0 || listener >= 0;
  log_line(reachable ? "contract guest: up" : "contract guest: no agent port");
  if (reachable) serve();
  reboot(RB_AUTOBOOT);
}
