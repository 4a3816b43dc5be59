// The protection-key rights register, per thread, and pages under a protection key.
#include <setjmp.h>

#include "victim.h"

static sigjmp_buf out;
static volatile sig_atomic_t code, key_seen;
static int key;
static char* page;
static atomic_int started;

static unsigned rights(void) {
  unsigned value, unused;
  __asm__ volatile("rdpkru" : "=a"(value), "=d"(unused) : "c"(0));
  return value;
}

static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  code = info->si_code;
  key_seen = (int)info->si_pkey;
  siglongjmp(out, 1);
}

static void* work(void* unused) {
  (void)unused;
  pkey_set(key, PKEY_DISABLE_WRITE);
  unsigned mine = rights();
  started = 1;
  victim_wait();
  CHECK_EQ(rights(), mine);
  CHECK(page[0] == 'k');
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  key = pkey_alloc(0, 0);
  if (key < 0) victim_skip("no protection keys");
  page = (char*)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(page != MAP_FAILED);
  page[0] = 'k';
  MUST(pkey_mprotect(page, 4096, PROT_READ | PROT_WRITE, key) == 0);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, work, NULL) == 0);
  while (!started) sched_yield();
  pkey_set(key, PKEY_DISABLE_ACCESS);
  unsigned mine = rights();
  struct sigaction action = {0};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  MUST(sigaction(SIGSEGV, &action, NULL) == 0);

  victim_ready();

  CHECK_EQ(rights(), mine);
  if (sigsetjmp(out, 1) == 0) {
    char seen = *(volatile char*)page;
    CHECK(false, "the page could be read: %d", seen);
  }
  CHECK_EQ(code, SEGV_PKUERR);
  CHECK_EQ(key_seen, key);
  pkey_set(key, 0);
  CHECK(page[0] == 'k');
  pthread_kill(thread, VICTIM_GO);
  CHECK(pthread_join(thread, NULL) == 0);
  return victim_done();
}
