// All 32 zmm registers and the mask registers of a thread that spins without ever loading them again.
#include "spin.h"

static uint64_t pattern[32][8] __attribute__((aligned(64))), after[32][8] __attribute__((aligned(64)));
static uint64_t mask_after[8];

#define TEN(X, d) X(d##0) X(d##1) X(d##2) X(d##3) X(d##4) X(d##5) X(d##6) X(d##7) X(d##8) X(d##9)
#define EACH(X) TEN(X, ) TEN(X, 1) TEN(X, 2) X(30) X(31)
#define LOAD(n) "vmovdqu64 " #n "*64(%[in]),%%zmm" #n "\n"
#define STORE(n) "vmovdqu64 %%zmm" #n "," #n "*64(%[out])\n"
#define MASKS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LOAD_MASK(n) "kmovq " #n "*8(%[in]),%%k" #n "\n"
#define STORE_MASK(n) "kmovq %%k" #n "," #n "*8(%[mask])\n"

static void* spin(void* unused) {
  (void)unused;
  spin_started = 1;
  __asm__ volatile(EACH(LOAD) MASKS(LOAD_MASK) "1: pause\n cmpl $0,%[stop]\n je 1b\n" EACH(STORE)
                       MASKS(STORE_MASK) "vzeroupper\n"
                   :
                   : [in] "r"(pattern), [out] "r"(after), [mask] "r"(mask_after), [stop] "m"(spin_stop)
                   : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                     "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) victim_skip("the CPU has no AVX-512");
  victim_fill(pattern, sizeof pattern, 99);
  spin_over_dump(spin);
  for (int i = 0; i < 32; i++) CHECK(memcmp(pattern[i], after[i], 64) == 0, "zmm%d", i);
  for (int i = 0; i < 8; i++) CHECK(pattern[0][i] == mask_after[i], "k%d", i);
  return victim_done();
}
