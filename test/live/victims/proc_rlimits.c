// All 16 resource limits, soft and hard, and that they still act.
#include <sys/resource.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct rlimit wanted[RLIM_NLIMITS], now;
  for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
    MUST(getrlimit(i, &wanted[i]) == 0);
    rlim_t hard = wanted[i].rlim_max;
    switch (i) {
      case RLIMIT_NICE:
      case RLIMIT_RTPRIO:
        wanted[i].rlim_cur = 0;
        break;
      case RLIMIT_NOFILE:
        wanted[i].rlim_cur = 99, wanted[i].rlim_max = hard > 4000 ? 4000 : hard;
        break;
      case RLIMIT_CORE:
        wanted[i].rlim_cur = 0;
        break;
      case RLIMIT_STACK:
        wanted[i].rlim_cur = 6 << 20;
        break;
      case RLIMIT_CPU:
        wanted[i].rlim_cur = 4000, wanted[i].rlim_max = hard == RLIM_INFINITY ? 5000 : hard;
        break;
      case RLIMIT_MEMLOCK:
        wanted[i].rlim_cur = hard > 65536 ? 65536 : hard;
        break;
      default:
        if (hard == RLIM_INFINITY)
          wanted[i].rlim_max = (rlim_t)(1ul << 41) + (unsigned)i,
          wanted[i].rlim_cur = (rlim_t)(1ul << 40) + (unsigned)i;
        else
          wanted[i].rlim_cur = hard / 2;
    }
    MUST(setrlimit(i, &wanted[i]) == 0);
  }
  victim_ready();
  for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
    CHECK(getrlimit(i, &now) == 0);
    CHECK(now.rlim_cur == wanted[i].rlim_cur, "limit %d soft %llu", i, (unsigned long long)now.rlim_cur);
    CHECK(now.rlim_max == wanted[i].rlim_max, "limit %d hard %llu", i, (unsigned long long)now.rlim_max);
  }
  CHECK(fcntl(0, F_DUPFD, 99) == -1 && errno == EINVAL);
  CHECK(fcntl(0, F_DUPFD, 98) == 98);
  return victim_done();
}
