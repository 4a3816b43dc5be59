// The mapped ring of a packet socket is mapped again, to the restored socket: frames come into it. So are those of a
// socket whose ring is mapped twice.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

enum { BLOCK = 1 << 16, FRAME = 2048, PROTOCOL = 0x88b5 };  // the type for local experiments (IEEE 802)

static int open_ring(char** at, char** again) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) victim_skip("no packet sockets");
  int version = TPACKET_V2;
  MUST(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) == 0);
  struct tpacket_req request = {
      .tp_block_size = BLOCK, .tp_block_nr = 2, .tp_frame_size = FRAME, .tp_frame_nr = 2 * BLOCK / FRAME};
  MUST(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0);
  *at = mmap((void*)0x330000000000, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
  MUST(*at != MAP_FAILED);
  *again = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(*again != MAP_FAILED);
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL), .sll_ifindex = (int)if_nametoindex("lo")};
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) victim_skip("no device lo");
  return fd;
}

static void send_frame(uint64_t mark) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL), .sll_ifindex = (int)if_nametoindex("lo")};
  unsigned char frame[64] = {[12] = PROTOCOL >> 8, [13] = PROTOCOL & 255};
  memcpy(frame + 14, &mark, sizeof mark);
  MUST(sendto(fd, frame, sizeof frame, 0, (struct sockaddr*)&address, sizeof address) == sizeof frame);
  close(fd);
}

// Whether a frame with this mark is in the ring: others may send such frames, too.
static int has_frame(const char* ring, uint64_t mark) {
  for (int i = 0; i < 2 * BLOCK / FRAME; i++) {
    const struct tpacket2_hdr* h = (const void*)(ring + i * FRAME);
    if ((*(volatile uint32_t*)&h->tp_status & TP_STATUS_USER) &&
        !memcmp(ring + i * FRAME + h->tp_mac + 14, &mark, sizeof mark))
      return 1;
  }
  return 0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char *ring, *again;
  int fd = open_ring(&ring, &again);
  uint64_t mark = (uint64_t)getpid() << 32 | 0xabcdef;

  victim_ready();

  struct pollfd wait = {.fd = fd, .events = POLLIN};
  send_frame(mark);
  CHECK_EQ(poll(&wait, 1, 5000), 1);
  CHECK(has_frame(ring, mark), "the frame is not in the ring");
  CHECK(has_frame(again, mark), "the frame is not in the second mapping");
  return victim_done();
}
