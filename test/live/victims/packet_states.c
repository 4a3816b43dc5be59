// Packet sockets: receive rings of all three versions and a transmit ring, mapped and used again; a fanout group; what
// they are bound to, memberships, raw and cooked.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "victim.h"

enum { BLOCK = 1 << 16, FRAME = 2048, PROTOCOL = 0x88b6, SIZE = 2 * BLOCK };  // the other type for local experiments

struct ring {
  int fd, version;
  char* at;
};

static struct sockaddr_ll lo_address(int protocol) {
  return (struct sockaddr_ll){.sll_family = AF_PACKET,
                              .sll_protocol = htons((uint16_t)protocol),
                              .sll_ifindex = (int)if_nametoindex("lo"),
                              .sll_halen = 6};
}

static int bound(int type, int protocol) {
  const struct sockaddr_ll lo = lo_address(protocol);
  const int fd = socket(AF_PACKET, type, 0);
  if (fd < 0) victim_skip("no packet sockets");
  if (bind(fd, (const struct sockaddr*)&lo, sizeof lo) != 0) victim_skip("no device lo");
  return fd;
}

static struct ring make(int version, int which, int protocol) {
  const struct sockaddr_ll lo = lo_address(protocol);
  struct ring r = {.fd = socket(AF_PACKET, SOCK_RAW, 0), .version = version};
  struct tpacket_req3 request = {.tp_block_size = BLOCK,
                                 .tp_block_nr = 2,
                                 .tp_frame_size = FRAME,
                                 .tp_frame_nr = SIZE / FRAME,
                                 .tp_retire_blk_tov = version == TPACKET_V3 && which == PACKET_RX_RING ? 20 : 0};
  MUST(setsockopt(r.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) == 0);
  const socklen_t size = version == TPACKET_V3 ? sizeof request : sizeof(struct tpacket_req);
  MUST(setsockopt(r.fd, SOL_PACKET, which, &request, size) == 0);
  r.at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
  MUST(r.at != MAP_FAILED);
  MUST(bind(r.fd, (const struct sockaddr*)&lo, sizeof lo) == 0);
  return r;
}

static void fill(unsigned char* frame, uint64_t mark) {
  memset(frame, 0, 64);
  frame[12] = PROTOCOL >> 8, frame[13] = PROTOCOL & 255;
  memcpy(frame + 14, &mark, sizeof mark);
}

static bool is_it(const char* frame, uint64_t mark) { return memcmp(frame + 14, &mark, sizeof mark) == 0; }

static bool in_block(const char* block, uint64_t mark) {
  const struct tpacket_block_desc* d = (const void*)block;
  if (!(*(volatile uint32_t*)&d->hdr.bh1.block_status & TP_STATUS_USER)) return false;
  const char* at = block + d->hdr.bh1.offset_to_first_pkt;
  for (uint32_t i = 0; i < d->hdr.bh1.num_pkts; i++) {
    const struct tpacket3_hdr* h = (const void*)at;
    if (is_it(at + h->tp_mac, mark)) return true;
    at += h->tp_next_offset;
  }
  return false;
}

// Whether the frame is in the ring, wherever: others may send such frames, too.
static bool has(const struct ring* r, uint64_t mark) {
  bool found = false;
  for (int i = 0; r->version == TPACKET_V3 && i < 2; i++) found |= in_block(r->at + i * BLOCK, mark);
  for (int i = 0; r->version != TPACKET_V3 && i < SIZE / FRAME; i++) {
    const char* at = r->at + i * FRAME;
    const struct tpacket_hdr* h1 = (const void*)at;
    const struct tpacket2_hdr* h2 = (const void*)at;
    const bool ours = r->version == TPACKET_V1 ? h1->tp_status & TP_STATUS_USER : h2->tp_status & TP_STATUS_USER;
    found |= ours && is_it(at + (r->version == TPACKET_V1 ? h1->tp_mac : h2->tp_mac), mark);
  }
  return found;
}

static int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(getsockopt(fd, SOL_PACKET, name, &value, &size) == 0);
  return value;
}

// Through the transmit ring: one frame in its first slot.
static void transmit(const struct ring* r, uint64_t mark) {
  struct tpacket2_hdr* h = (void*)r->at;
  CHECK_EQ(h->tp_status, TP_STATUS_AVAILABLE);
  fill((unsigned char*)r->at + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), mark);
  h->tp_len = 64;
  *(volatile uint32_t*)&h->tp_status = TP_STATUS_SEND_REQUEST;
  CHECK(send(r->fd, NULL, 0, 0) == 64, "the ring did not send");
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const struct ring rings[] = {make(TPACKET_V1, PACKET_RX_RING, PROTOCOL), make(TPACKET_V2, PACKET_RX_RING, PROTOCOL),
                               make(TPACKET_V3, PACKET_RX_RING, PROTOCOL)};
  const struct ring out = make(TPACKET_V2, PACKET_TX_RING, 0);
  // Two that share what comes in, one of them by a number that the kernel chose.
  const int first = bound(SOCK_RAW, PROTOCOL), second = bound(SOCK_RAW, PROTOCOL);
  const int fanout = (getpid() & 0xffff) | PACKET_FANOUT_LB << 16 | PACKET_FANOUT_FLAG_ROLLOVER << 16;
  MUST(setsockopt(first, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof fanout) == 0);
  MUST(setsockopt(second, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof fanout) == 0);
  const int group = option(first, PACKET_FANOUT);
  const int cooked = bound(SOCK_DGRAM, PROTOCOL), unbound = socket(AF_PACKET, SOCK_RAW, 0);
  struct packet_mreq mreq = {.mr_ifindex = (int)if_nametoindex("lo"), .mr_type = PACKET_MR_ALLMULTI};
  MUST(setsockopt(cooked, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof mreq) == 0);
  const int header = 12;
  const bool headers =
      setsockopt(unbound, SOL_PACKET, 24, &header, sizeof header) == 0;  // PACKET_VNET_HDR_SZ, Linux 6.4
  const uint64_t mark = (uint64_t)getpid() << 32 | 0xfedcba;

  victim_ready();

  for (int i = 0; i < 3; i++) CHECK_EQ(option(rings[i].fd, PACKET_VERSION), rings[i].version);
  CHECK_EQ(option(first, PACKET_FANOUT), group);
  CHECK_EQ(option(second, PACKET_FANOUT), group);
  if (headers) CHECK(option(unbound, 24) == header && option(unbound, PACKET_VNET_HDR) == 1);
  transmit(&out, mark);
  for (int i = 0; i < 3; i++) {
    struct pollfd wait = {.fd = rings[i].fd, .events = POLLIN};
    for (int tries = 0; tries < 50 && !has(&rings[i], mark); tries++) poll(&wait, 1, 100);
    CHECK(has(&rings[i], mark), "version %d", i + 1);
  }
  // One of the group has it, and the cooked one without its header.
  char text[64];
  struct pollfd both[] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
  CHECK(poll(both, 2, 5000) >= 1);
  ssize_t n;
  do n = recv(cooked, text, sizeof text, 0);
  while (n == 50 && memcmp(text, &mark, sizeof mark) != 0);  // frames of others come, too
  CHECK_EQ(n, 50);
  struct sockaddr_ll at = {0};
  socklen_t size = sizeof at;
  CHECK(getsockname(cooked, (struct sockaddr*)&at, &size) == 0 && at.sll_ifindex == mreq.mr_ifindex);
  CHECK_EQ(ntohs(at.sll_protocol), PROTOCOL);
  CHECK(setsockopt(cooked, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &mreq, sizeof mreq) == 0);
  size = sizeof at;
  CHECK(getsockname(unbound, (struct sockaddr*)&at, &size) == 0 && at.sll_ifindex == 0 && at.sll_protocol == 0);
  return victim_done();
}
