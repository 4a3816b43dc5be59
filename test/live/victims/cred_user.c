// A process that gave root away for good, as services do: ids, no capabilities, no way back.
// lock: suid_dumpable
#include <grp.h>
#include <linux/capability.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  gid_t group = 4321;
  MUST(setgroups(1, &group) == 0 && setresgid(1234, 1234, 1234) == 0 && setresuid(1234, 1234, 1234) == 0);
  int dumpable = prctl(PR_GET_DUMPABLE);
  victim_ready();
  uid_t r, e, s;
  CHECK(getresuid(&r, &e, &s) == 0 && r == 1234 && e == 1234 && s == 1234);
  CHECK(getresgid(&r, &e, &s) == 0 && r == 1234 && e == 1234 && s == 1234);
  CHECK_EQ(prctl(PR_GET_DUMPABLE), dumpable);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  CHECK(syscall(SYS_capget, &header, data) == 0);
  CHECK_EQ(data[0].effective | data[1].effective | data[0].permitted | data[1].permitted, 0);
  CHECK(setuid(0) == -1 && errno == EPERM);
  return victim_done();
}
