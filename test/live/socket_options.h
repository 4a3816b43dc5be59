// Every option of a socket that getsockopt(2) gives: read, moved away from what a new socket has, and compared. By
// number, not by name, so that an option of a kernel newer than these sources is not forgotten.
#ifndef NSR_TEST_LIVE_SOCKET_OPTIONS_H
#define NSR_TEST_LIVE_SOCKET_OPTIONS_H

#include <sys/socket.h>

#include "victim.h"

enum { kMaxOptions = 400, kMaxOptionSize = 64, kLastOption = 130 };

struct option_value {
  int level, name;
  socklen_t size;
  unsigned char value[kMaxOptionSize];
};

struct socket_options {
  int count;
  struct option_value list[kMaxOptions];
};

struct option_name {
  int level, name;
};

// SOL_SOCKET, IP, TCP, UDP, IPv6, ICMPv6, UDP-Lite, raw, packet, netlink.
static const int option_levels[] = {1, 0, 6, 17, 41, 58, 136, 255, 263, 270};

// Not state of the socket, or not readable without a side effect.
static const struct option_name options_not_read[] = {
    {1, 4},    // SO_ERROR
    {1, 26},   // SO_GET_FILTER: its size is in instructions
    {1, 49},   // SO_INCOMING_CPU: where the last packet came in
    {1, 55},   // SO_MEMINFO
    {1, 56},   // SO_INCOMING_NAPI_ID
    {1, 57},   // SO_COOKIE
    {1, 71},   // SO_NETNS_COOKIE
    {1, 77},   // SO_PEERPIDFD makes a descriptor
    {0, 9},    // IP_PKTOPTIONS: of the last packet
    {41, 6},   // IPV6_2292PKTOPTIONS: so too
    {0, 14},   // IP_MTU
    {41, 24},  // IPV6_MTU
    {41, 61},  // IPV6_PATHMTU
    {6, 11},   // TCP_INFO
    {6, 21},   // TCP_QUEUE_SEQ
    {6, 24},   // TCP_TIMESTAMP: the time
    {6, 26},   // TCP_CC_INFO
    {6, 35},   // TCP_ZEROCOPY_RECEIVE
    {263, 6},  // PACKET_STATISTICS
};

// Would turn the socket into something else or make it unusable for the test.
static const struct option_name options_not_stirred[] = {
    {1, 44},    // SO_LOCK_FILTER
    {6, 19},    // TCP_REPAIR
    {6, 20},    // TCP_REPAIR_QUEUE
    {6, 3},     // TCP_CORK holds data back
    {41, 1},    // IPV6_ADDRFORM
    {41, 26},   // IPV6_V6ONLY decides about the address
    {0, 3},     // IP_HDRINCL
    {41, 36},   // IPV6_HDRINCL
    {136, 1},   // UDP_CORK
    {17, 1},    // UDP_CORK
    {17, 100},  // UDP_ENCAP
    {17, 103},  // UDP_SEGMENT
    {6, 10},    // TCP_WINDOW_CLAMP
    {1, 50},    // SO_ATTACH_BPF
    {1, 5},     // SO_DONTROUTE
};

static bool option_listed(const struct option_name* list, size_t n, int level, int name) {
  for (size_t i = 0; i < n; i++)
    if (list[i].level == level && list[i].name == name) return true;
  return false;
}

VICTIM_UNUSED static void options_read(int fd, struct socket_options* o) {
  o->count = 0;
  for (size_t l = 0; l < sizeof option_levels / sizeof *option_levels; l++)
    for (int name = 0; name <= kLastOption && o->count < kMaxOptions; name++) {
      struct option_value* v = &o->list[o->count];
      *v = (struct option_value){.level = option_levels[l], .name = name, .size = kMaxOptionSize};
      if (option_listed(options_not_read, sizeof options_not_read / sizeof *options_not_read, v->level, name)) continue;
      if (getsockopt(fd, v->level, name, v->value, &v->size) == 0) o->count++;
    }
}

// Gives every option that is a number and may be set another value than it has. Returns how many.
VICTIM_UNUSED static int options_stir(int fd) {
  static struct socket_options o;
  int moved = 0;
  options_read(fd, &o);
  for (int i = 0; i < o.count; i++) {
    const struct option_value* v = &o.list[i];
    int before, after = 0;
    socklen_t size = sizeof after;
    if (v->size != sizeof before ||
        option_listed(options_not_stirred, sizeof options_not_stirred / sizeof *options_not_stirred, v->level, v->name))
      continue;
    memcpy(&before, v->value, sizeof before);
    // Some have a range, in which the default is an end, or are rounded.
    const int tries[] = {before == 0                                       ? 1
                         : v->level == 1 && (v->name == 7 || v->name == 8) ? 30000
                                                                           : before + 1,
                         before - 1, before / 2, 0};
    bool changed = false;
    for (size_t t = 0; !changed && t < sizeof tries / sizeof *tries; t++)
      changed = setsockopt(fd, v->level, v->name, &tries[t], sizeof tries[t]) == 0 &&
                getsockopt(fd, v->level, v->name, &after, &size) == 0 && after != before;
    moved += changed;
  }
  return moved;
}

// Leaves an option out of the comparison.
VICTIM_UNUSED static void options_forget(struct socket_options* o, int level, int name) {
  for (int i = 0; i < o->count; i++)
    if (o->list[i].level == level && o->list[i].name == name) o->list[i].size = 0;
}

// One failure for all that differ: "level/name was->is".
VICTIM_UNUSED static void options_compare(int fd, const struct socket_options* before, const char* what) {
  static struct socket_options now;
  char text[700] = "";
  size_t at = 0;
  options_read(fd, &now);
  CHECK(now.count == before->count, "%s: %d options, were %d", what, now.count, before->count);
  for (int i = 0; i < before->count && i < now.count && at < sizeof text - 64; i++) {
    const struct option_value *a = &before->list[i], *b = &now.list[i];
    if (a->level != b->level || a->name != b->name) {
      CHECK(false, "%s: option %d of level %d is gone or new", what, a->name, a->level);
      return;
    }
    int was = 0, is = 0;
    if (a->size == 0) continue;
    memcpy(&was, a->value, sizeof was), memcpy(&is, b->value, sizeof is);
    if (a->size != b->size || memcmp(a->value, b->value, a->size) != 0)
      at += (size_t)snprintf(text + at, sizeof text - at, " %d/%d %d->%d", a->level, a->name, was, is);
  }
  CHECK(at == 0, "%s:%s", what, text);
}

#endif
