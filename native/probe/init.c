// The first process of a boot probe's guest: writes one line to the console and restarts the machine, which ends the
// VMM. Freestanding, so that the probe needs nothing that could be missing or slow to load.
#include <asm/unistd.h>
#include <linux/reboot.h>

#if defined(__x86_64__)
static long system_call(long number, long a, long b, long c, long d) {
  register long r10 __asm__("r10") = d;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static long system_call(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#error "unsupported architecture"
#endif

static const char message[] = "a3s-box probe: guest is up\n";

__attribute__((noreturn)) void _start(void) {
  system_call(__NR_write, 1, (long)message, sizeof message - 1, 0);
  system_call(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0);
  for (;;) system_call(__NR_sched_yield, 0, 0, 0, 0);
}
