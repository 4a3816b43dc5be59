// All 16 ymm registers of a thread that spins without ever loading them again.
#include "spin.h"

static uint64_t pattern[16][4], after[16][4];

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD(n) "vmovdqu " #n "*32(%[in]),%%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n "," #n "*32(%[out])\n"

static void* spin(void* unused) {
  (void)unused;
  spin_started = 1;
  __asm__ volatile(EACH(LOAD) "1: pause\n cmpl $0,%[stop]\n je 1b\n" EACH(STORE) "vzeroupper\n"
                   :
                   : [in] "r"(pattern), [out] "r"(after), [stop] "m"(spin_stop)
                   : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                     "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (!__builtin_cpu_supports("avx")) victim_skip("the CPU has no AVX");
  victim_fill(pattern, sizeof pattern, 77);
  spin_over_dump(spin);
  for (int i = 0; i < 16; i++) CHECK(memcmp(pattern[i], after[i], 32) == 0, "ymm%d", i);
  return victim_done();
}
