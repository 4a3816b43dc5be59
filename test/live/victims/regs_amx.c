// AMX: permission, tile configuration and tile data of a thread that spins without system calls.
#include <immintrin.h>

#include "victim.h"

static atomic_int started;
static volatile int stop;
static unsigned char in[8][1024], out[8][1024];
static struct __attribute__((packed)) config {
  unsigned char palette, start_row, reserved[14];
  unsigned short columns[16];
  unsigned char rows[16];
} wanted, found;

__attribute__((target("amx-tile"))) static void* spin(void* unused) {
  (void)unused;
  _tile_loadconfig(&wanted);
  _tile_loadd(0, in[0], 64);
  _tile_loadd(3, in[3], 64);
  _tile_loadd(7, in[7], 64);
  started = 1;
  while (!stop) __builtin_ia32_pause();
  _tile_storeconfig(&found);
  if (found.palette == 1) {
    _tile_stored(0, out[0], 64);
    _tile_stored(3, out[3], 64);
    _tile_stored(7, out[7], 64);
  }
  _tile_release();
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  enum { GET_PERMISSION = 0x1022, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  if (syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) != 0) victim_skip("the CPU or the kernel has no AMX");
  wanted.palette = 1;
  for (int i = 0; i < 8; i++) {
    wanted.columns[i] = 64;
    wanted.rows[i] = 16;
    victim_fill(in[i], sizeof in[i], (uint64_t)i + 5);
  }
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, spin, NULL) == 0);
  while (!started) sched_yield();
  victim_ready();
  unsigned long permission = 0;
  CHECK(syscall(SYS_arch_prctl, GET_PERMISSION, &permission) == 0);
  CHECK((permission >> TILE_DATA & 1) == 1, "permission mask 0x%lx", permission);
  stop = 1;
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(memcmp(&wanted, &found, sizeof wanted) == 0, "tile configuration");
  for (int i = 0; i < 8; i++)
    if (i == 0 || i == 3 || i == 7) CHECK(memcmp(in[i], out[i], sizeof in[i]) == 0, "tile %d", i);
  return victim_done();
}
