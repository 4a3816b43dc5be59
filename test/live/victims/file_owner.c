// F_SETOWN, F_SETOWN_EX for a thread and a group, F_SETSIG and O_ASYNC: the signal comes, with the descriptor's number.
#include "victim.h"

static volatile sig_atomic_t got, band_fd;
static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  got = signal;
  band_fd = info->si_fd;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int async[2], owned[2], group[2];
  MUST(pipe(async) == 0 && pipe(owned) == 0 && pipe(group) == 0);
  int number = SIGRTMIN + 3;
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  MUST(sigaction(number, &action, NULL) == 0);
  MUST(fcntl(async[0], F_SETOWN, getpid()) == 0 && fcntl(async[0], F_SETSIG, number) == 0);
  MUST(fcntl(async[0], F_SETFL, O_ASYNC) == 0);
  struct f_owner_ex thread = {F_OWNER_TID, (pid_t)syscall(SYS_gettid)}, now;
  MUST(fcntl(owned[0], F_SETOWN_EX, &thread) == 0);
  MUST(fcntl(group[1], F_SETOWN, -getpgrp()) == 0);

  victim_ready();

  CHECK_EQ(fcntl(async[0], F_GETOWN), getpid());
  CHECK_EQ(fcntl(async[0], F_GETSIG), number);
  CHECK(fcntl(async[0], F_GETFL) & O_ASYNC);
  CHECK(fcntl(owned[0], F_GETOWN_EX, &now) == 0 && now.type == F_OWNER_TID && now.pid == thread.pid);
  CHECK_EQ(fcntl(group[1], F_GETOWN), -getpgrp());
  CHECK(write(async[1], "x", 1) == 1);
  CHECK_EQ(got, number);
  CHECK_EQ(band_fd, async[0]);
  return victim_done();
}
