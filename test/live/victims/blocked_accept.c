// accept on a listening TCP socket; the connection comes after the restore.
#include <netinet/in.h>
#include <sys/socket.h>

#include "blocked.h"
#define CALL_NR SYS_accept
static int listener;
static struct sockaddr_in address;

static void prepare(void) {
  socklen_t size = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  MUST(bind(listener, (struct sockaddr*)&address, sizeof address) == 0 && listen(listener, 5) == 0);
  MUST(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
}

static void call(void) {
  int connection = accept(listener, NULL, NULL);
  char text[8] = "";
  CHECK(connection >= 0);
  CHECK_EQ(read(connection, text, sizeof text), 2);
  CHECK(strcmp(text, "hi") == 0);
}

static void wake(void) {
  int client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(client, (struct sockaddr*)&address, sizeof address) == 0);
  CHECK_EQ(write(client, "hi", 2), 2);
}

BLOCKED_MAIN_WAKE
