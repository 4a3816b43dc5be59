// A POSIX message queue: its descriptor, and the messages that stay in it.
#include <mqueue.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char name[64], text[32];
  snprintf(name, sizeof name, "/nsr-live-%d", (int)getpid());
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 32};
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
  if (queue < 0) victim_skip("no message queues here");
  MUST(mq_send(queue, "low", 3, 1) == 0 && mq_send(queue, "high", 4, 9) == 0);

  victim_ready();

  unsigned priority = 0;
  CHECK(mq_receive(queue, text, sizeof text, &priority) == 4 && priority == 9);
  CHECK(mq_receive(queue, text, sizeof text, &priority) == 3 && priority == 1);
  CHECK(mq_receive(queue, text, sizeof text, &priority) < 0 && errno == EAGAIN);
  CHECK(mq_unlink(name) == 0);
  return victim_done();
}
