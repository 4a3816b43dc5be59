// General-purpose registers, the direction flag and x87/SSE control words of a thread that spins without a system call.
#include "spin.h"

static void* spin(void* unused) {
  (void)unused;
  uint64_t bad;
  unsigned mxcsr_in = 0x1f80 | 0x6000 | 0x8000, mxcsr_out = 0;  // round to zero, flush to zero
  unsigned short control_in = 0x0e7f, control_out = 0;
  spin_started = 1;
  __asm__ volatile(
      "ldmxcsr %[mi]\n"
      "fldcw %[ci]\n"
      "fldpi\n"
      "fldl2e\n"
      "mov $0x1111111111111111,%%rbx\n mov $0x2222222222222222,%%rcx\n mov $0x3333333333333333,%%rdx\n"
      "mov $0x4444444444444444,%%rsi\n mov $0x5555555555555555,%%rdi\n mov $0x8888888888888888,%%r8\n"
      "mov $0x9999999999999999,%%r9\n mov $0xaaaaaaaaaaaaaaaa,%%r10\n mov $0xbbbbbbbbbbbbbbbb,%%r11\n"
      "mov $0xcccccccccccccccc,%%r12\n mov $0xdddddddddddddddd,%%r13\n"
      "std\n"
      "1: pause\n"
      "cmpl $0,%[stop]\n je 1b\n"
      "pushfq\n pop %%rax\n cld\n"
      "not %%rax\n and $0x400,%%rax\n"
      "mov $0x1111111111111111,%%r14\n xor %%r14,%%rbx\n or %%rbx,%%rax\n"
      "mov $0x2222222222222222,%%r14\n xor %%r14,%%rcx\n or %%rcx,%%rax\n"
      "mov $0x3333333333333333,%%r14\n xor %%r14,%%rdx\n or %%rdx,%%rax\n"
      "mov $0x4444444444444444,%%r14\n xor %%r14,%%rsi\n or %%rsi,%%rax\n"
      "mov $0x5555555555555555,%%r14\n xor %%r14,%%rdi\n or %%rdi,%%rax\n"
      "mov $0x8888888888888888,%%r14\n xor %%r14,%%r8\n or %%r8,%%rax\n"
      "mov $0x9999999999999999,%%r14\n xor %%r14,%%r9\n or %%r9,%%rax\n"
      "mov $0xaaaaaaaaaaaaaaaa,%%r14\n xor %%r14,%%r10\n or %%r10,%%rax\n"
      "mov $0xbbbbbbbbbbbbbbbb,%%r14\n xor %%r14,%%r11\n or %%r11,%%rax\n"
      "mov $0xcccccccccccccccc,%%r14\n xor %%r14,%%r12\n or %%r12,%%rax\n"
      "mov $0xdddddddddddddddd,%%r14\n xor %%r14,%%r13\n or %%r13,%%rax\n"
      "stmxcsr %[mo]\n fnstcw %[co]\n"
      : "=&a"(bad), [mo] "=m"(mxcsr_out), [co] "=m"(control_out)
      : [stop] "m"(spin_stop), [mi] "m"(mxcsr_in), [ci] "m"(control_in)
      : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory", "cc");
  long double log2e, pi;
  __asm__ volatile("fstpt %0\n fstpt %1\n" : "=m"(log2e), "=m"(pi)::"memory");
  CHECK(bad == 0, "bits 0x%llx", (unsigned long long)bad);
  CHECK_EQ(mxcsr_out & 0xffc0, mxcsr_in & 0xffc0);
  CHECK_EQ(control_out, control_in);
  unsigned usual = 0x1f80;
  unsigned short usual_control = 0x037f;
  __asm__ volatile("ldmxcsr %0\n fldcw %1\n" ::"m"(usual), "m"(usual_control));
  CHECK(pi > 3.14159265358979L && pi < 3.1415926535898L);
  CHECK(log2e > 1.44269504088L && log2e < 1.44269504089L);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  spin_over_dump(spin);
  return victim_done();
}
