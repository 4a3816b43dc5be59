// What is registered with an io_uring: files with holes between them, buffers, an eventfd; large tables of
// both. All work afterwards.
// ignore: fd \d+ info$
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "uring.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  struct uring r;
  if (!uring_make(&r, 8, 0, 0)) victim_skip("no io_uring here");
  int file = open("content", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
      event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Linux 6.12 and older show no more of a socket than its protocol: there may be one of it (io_uring_sockets has more)
  int box = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in itself = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof itself;
  MUST(file >= 0 && event >= 0 && bind(box, (struct sockaddr*)&itself, size) == 0 &&
       getsockname(box, (struct sockaddr*)&itself, &size) == 0 && connect(box, (struct sockaddr*)&itself, size) == 0);
  MUST(pwrite(file, "in the file", 11, 0) == 11);
  int files[5] = {-1, file, -1, -1, box};
  MUST(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_FILES, files, 5) == 0);
  char *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
       *b = aligned_alloc(4096, 4096);
  struct iovec buffers[2] = {{a, 8192}, {b + 100, 1000}};
  MUST(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, buffers, 2) == 0);
  MUST(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_EVENTFD, &event, 1) == 0);
  uring_exercise(&r, 20);
  struct uring large;
  enum { FILES = 10000, BUFFERS = 3000 };
  static int many[FILES];
  static struct iovec pieces[BUFFERS];
  for (int i = 0; i < FILES; i++) many[i] = i == FILES - 1 ? file : -1;
  for (int i = 0; i < BUFFERS; i++) pieces[i] = (struct iovec){a + i, 100};
  MUST(uring_make(&large, 4, 0, 0));
  struct rlimit limit = {FILES, FILES};
  bool is_large = setrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                  syscall(SYS_io_uring_register, large.fd, IORING_REGISTER_FILES, many, FILES) == 0 &&
                  syscall(SYS_io_uring_register, large.fd, IORING_REGISTER_BUFFERS, pieces, BUFFERS) == 0;
  uint64_t count;
  MUST(read(event, &count, 8) == 8);

  victim_ready();

  uint64_t data;
  int result;
  struct io_uring_sqe* s = uring_prepare(&r, IORING_OP_READ_FIXED, 1, a + 50, 11, 1);
  s->flags = IOSQE_FIXED_FILE, s->buf_index = 0;
  CHECK_EQ(uring_enter(&r, 1, 1), 1);
  CHECK(uring_take(&r, &data, &result));
  CHECK(result == 11 && memcmp(a + 50, "in the file", 11) == 0, "read of the registered file gave %d", result);
  strcpy(b + 200, "through");
  s = uring_prepare(&r, IORING_OP_WRITE_FIXED, 4, b + 200, 7, 2);
  s->flags = IOSQE_FIXED_FILE, s->buf_index = 1;
  CHECK_EQ(uring_enter(&r, 1, 1), 1);
  CHECK(uring_take(&r, &data, &result) && result == 7);
  char text[8] = "";
  CHECK(read(box, text, 7) == 7 && strcmp(text, "through") == 0);
  s = uring_prepare(&r, IORING_OP_READ, 2, text, 1, 3);
  s->flags = IOSQE_FIXED_FILE;
  CHECK_EQ(uring_enter(&r, 1, 1), 1);
  CHECK(uring_take(&r, &data, &result) && result == -EBADF, "a hole of the table gave %d", result);
  CHECK(read(event, &count, 8) == 8 && count == 3, "the eventfd counted %llu", (unsigned long long)count);
  if (is_large) {
    s = uring_prepare(&large, IORING_OP_READ_FIXED, FILES - 1, a + BUFFERS - 1, 11, 4);
    s->flags = IOSQE_FIXED_FILE, s->buf_index = BUFFERS - 1;
    CHECK_EQ(uring_enter(&large, 1, 1), 1);
    CHECK(uring_take(&large, &data, &result) && result == 11 && memcmp(a + BUFFERS - 1, "in the file", 11) == 0);
  }
  return victim_done();
}
