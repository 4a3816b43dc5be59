// Pipes shared in a tree: a ring of processes passes a token on; one child holds only the write end, one only the read
// end.
#include "victim.h"

enum { CHILDREN = 4 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int ring[CHILDREN + 1][2];
  for (int i = 0; i <= CHILDREN; i++) MUST(pipe(ring[i]) == 0);
  pid_t child[CHILDREN];
  for (int c = 0; c < CHILDREN; c++) {
    child[c] = fork();
    if (child[c]) continue;
    for (int i = 0; i <= CHILDREN; i++) {
      if (i != c) close(ring[i][0]);
      if (i != c + 1) close(ring[i][1]);
    }
    victim_wait();
    char token[64] = "";
    ssize_t n = read(ring[c][0], token, sizeof token - 2);
    CHECK(n == c + 5, "got %zd bytes: %s", n, token);
    token[n] = (char)('0' + c);
    CHECK(write(ring[c + 1][1], token, (size_t)n + 1) == n + 1);
    CHECK_EQ(read(ring[c][0], token, 1), 0);  // all writers are gone
    victim_child_done();
  }
  for (int i = 0; i <= CHILDREN; i++) {
    if (i != CHILDREN) close(ring[i][0]);
    if (i != 0) close(ring[i][1]);
  }
  MUST(write(ring[0][1], "token", 5) == 5);
  victim_ready();
  for (int c = 0; c < CHILDREN; c++) victim_go(child[c]);
  char token[64] = "";
  CHECK(read(ring[CHILDREN][0], token, 63) == 9 && strcmp(token, "token0123") == 0, "token %s", token);
  close(ring[0][1]);
  for (int c = 0; c < CHILDREN; c++) {
    int status = -1;
    CHECK(waitpid(child[c], &status, 0) == child[c] && status == 0, "child %d: 0x%x", c, status);
  }
  CHECK_EQ(read(ring[CHILDREN][0], token, 1), 0);
  return victim_done();
}
