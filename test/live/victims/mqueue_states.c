// POSIX message queues in every state: with messages of all priorities, full, empty, of foreign owner and mode, opened
// in all access modes, non-blocking, without any descriptor, and unlinked ones with messages and two descriptions.
#include <mqueue.h>

#include "victim.h"

enum { SIZE = 100, MOST = 5 };

static char prefix[64];

static const char* name_of(const char* what) {
  static char name[96];
  snprintf(name, sizeof name, "%s-%s", prefix, what);
  return name;
}

static mqd_t make(const char* what, int flags) {
  struct mq_attr attr = {.mq_maxmsg = MOST, .mq_msgsize = SIZE};
  mqd_t q = mq_open(name_of(what), flags | O_CREAT | O_EXCL, 0600, &attr);
  MUST(q >= 0);
  return q;
}

static void holds(mqd_t q, const char* text, unsigned priority) {
  char seen[SIZE] = "";
  unsigned got = 0;
  ssize_t n = mq_receive(q, seen, SIZE, &got);
  CHECK(n == (ssize_t)strlen(text) && memcmp(seen, text, strlen(text)) == 0, "%zd bytes instead of %s", n, text);
  CHECK_EQ(got, priority);
}

static struct mq_attr attributes(mqd_t q) {
  struct mq_attr a = {0};
  CHECK(mq_getattr(q, &a) == 0);
  return a;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  snprintf(prefix, sizeof prefix, "/nsr-%lx", (unsigned long)(victim_now(CLOCK_REALTIME) * 1e6));
  mqd_t mixed = make("mixed", O_RDWR), reader = mq_open(name_of("mixed"), O_RDONLY | O_NONBLOCK);
  MUST(reader >= 0 && mq_send(mixed, "low", 3, 1) == 0 && mq_send(mixed, "high", 4, 31) == 0 &&
       mq_send(mixed, "low too", 7, 1) == 0 && mq_send(mixed, "", 0, 5) == 0);
  mqd_t full = make("full", O_WRONLY | O_NONBLOCK);
  for (int i = 0; i < MOST; i++) MUST(mq_send(full, &"abcde"[i], 1, 7) == 0);
  mqd_t empty = make("empty", O_RDWR | O_NONBLOCK);
  MUST(fchown(empty, 7, 8) == 0 && fchmod(empty, 0462) == 0);
  mqd_t closed = make("closed", O_RDWR);
  MUST(mq_send(closed, "still here", 10, 3) == 0 && mq_close(closed) == 0);
  mqd_t gone = make("gone", O_RDWR), gone_reader = mq_open(name_of("gone"), O_RDONLY | O_NONBLOCK);
  MUST(gone_reader >= 0 && mq_send(gone, "one", 3, 1) == 0 && mq_send(gone, "two", 3, 2) == 0);
  MUST(mq_unlink(name_of("gone")) == 0);

  victim_ready();

  struct mq_attr a = attributes(reader);
  CHECK(a.mq_maxmsg == MOST && a.mq_msgsize == SIZE && a.mq_curmsgs == 4 && a.mq_flags == O_NONBLOCK, "%ld %ld %ld",
        a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
  CHECK_EQ(attributes(mixed).mq_flags, 0);
  holds(reader, "high", 31);
  holds(mixed, "", 5);
  holds(reader, "low", 1);
  holds(mixed, "low too", 1);
  CHECK(mq_receive(reader, (char[SIZE]){0}, SIZE, NULL) < 0 && errno == EAGAIN);
  CHECK(mq_send(full, "f", 1, 7) < 0 && errno == EAGAIN);
  mqd_t again = mq_open(name_of("full"), O_RDONLY);
  for (int i = 0; i < MOST; i++) holds(again, (char[2]){"abcde"[i], 0}, 7);
  struct stat st;
  CHECK(fstat(empty, &st) == 0 && st.st_uid == 7 && st.st_gid == 8 && (st.st_mode & 0777) == 0462, "%o", st.st_mode);
  CHECK(mq_send(empty, "x", 1, 0) == 0);
  holds(empty, "x", 0);
  closed = mq_open(name_of("closed"), O_RDWR);
  holds(closed, "still here", 3);
  holds(gone_reader, "two", 2);
  holds(gone, "one", 1);
  CHECK(mq_send(gone, "new", 3, 0) == 0);
  holds(gone_reader, "new", 0);
  CHECK(mq_open(name_of("gone"), O_RDONLY) < 0 && errno == ENOENT);
  for (int i = 0; i < 4; i++) CHECK(mq_unlink(name_of((const char*[]){"mixed", "full", "empty", "closed"}[i])) == 0);
  return victim_done();
}
