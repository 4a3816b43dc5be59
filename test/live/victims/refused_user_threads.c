// flavours: nopidrefused
// refused: several threads in a user namespace that its pid namespace does not belong to
// Thread ids cannot be chosen in a user namespace that the pid namespace does not belong to.
#include "victim.h"

static void* wait_for_ever(void* unused) {
  for (;;) pause();
  return unused;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
  victim_ready();
  return victim_done();
}
