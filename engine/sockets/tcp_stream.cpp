#include "engine/sockets/tcp_stream.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/connection_lock.h"
#include "engine/sockets/peek_offset.h"
#include "engine/sockets/roomy_buffer.h"
#include "engine/sockets/tcp_packet.h"

namespace nsr {
namespace {

const Logger log("tcp");
constexpr int kTcp = IPPROTO_TCP;
constexpr uint32_t kOptionMss = 2, kOptionWindow = 3, kOptionSack = 4, kOptionTimestamp = 8;  // on the wire, RFC 9293
constexpr int kRepairOn = 1, kRepairOff = 0, kRepairOffQuietly = -1;  // quietly: without a window probe
constexpr uint32_t kMaxQueue = 1u << 30;

bool one_of(uint32_t state, std::initializer_list<uint32_t> states) {
  return std::find(states.begin(), states.end(), state) != states.end();
}

/// Our FIN waits in the send queue to be acknowledged; the kernel counts it as a byte.
bool fin_in_queue(uint32_t state) { return one_of(state, {kTcpFinWait1, kTcpLastAck, kTcpClosing}); }

/// connect(2) makes segments as large as it knows the peer's limit to be, 536 bytes when nobody has said anything, and
/// does not look at the limit again when TCP_REPAIR_OPTIONS names it. A limit of our own is believed from the start.
class SegmentSize {
 public:
  SegmentSize(int fd, uint32_t size) : fd_(fd) { set(static_cast<int>(std::min(size, kLargestMaxseg))); }
  SegmentSize(const SegmentSize&) = delete;
  SegmentSize& operator=(const SegmentSize&) = delete;
  ~SegmentSize() { set(0); }

 private:
  static constexpr uint32_t kLargestMaxseg = 32767;  // MAX_TCP_WINDOW, net/tcp.h
  // Refused for a size that no connection has; then the kernel's guess does.
  void set(int size) { setsockopt(fd_, kTcp, TCP_MAXSEG, &size, sizeof size); }
  int fd_;
};

/// What the peer takes, but no more than half of the largest window it has ever offered: a larger segment would wait
/// for a window that never comes, and leave only by the timer that probes a closed one (tcp_bound_to_half_wnd).
uint32_t segment_size(const pb::tcp_stream_entry& info) {
  constexpr uint32_t kSmallWindow = 536, kSmallestSegment = 88;  // TCP_MSS_DEFAULT, TCP_MIN_MSS
  if (info.max_window() == 0) return info.mss_clamp();
  const uint32_t most = info.max_window() > kSmallWindow ? info.max_window() / 2 : info.max_window();
  return std::min(info.mss_clamp(), std::max(most, kSmallestSegment));
}

/// Without a packet. The kernel takes SO_REUSEADDR away with repair mode.
void leave_repair(int fd, int reuse) {
  if (setsockopt(fd, kTcp, TCP_REPAIR, &kRepairOffQuietly, sizeof kRepairOffQuietly) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse) != 0)
    log.error("a TCP connection cannot leave repair mode: error %d", errno);
}

/// Repair mode that ends with the object.
class InRepair {
 public:
  InRepair(int fd, const std::string& object) : fd_(fd), reuse_(int_option(fd, SOL_SOCKET, SO_REUSEADDR).value_or(0)) {
    set_int_option(fd, kTcp, TCP_REPAIR, kRepairOn, "TCP_REPAIR", object);
  }
  InRepair(const InRepair&) = delete;
  InRepair& operator=(const InRepair&) = delete;
  ~InRepair() { leave_repair(fd_, reuse_); }

 private:
  int fd_, reuse_;
};

uint32_t queue_length(int fd, unsigned long request, const char* words, const std::string& object) {
  int length = 0;
  if (ioctl(fd, request, &length) != 0 || length < 0)
    throw_errno(Failure::unsupported, object, std::string("reading ") + words, errno);
  return static_cast<uint32_t>(length);
}

uint32_t queue_sequence(int fd, int queue, const std::string& object) {
  set_int_option(fd, kTcp, TCP_REPAIR_QUEUE, queue, "TCP_REPAIR_QUEUE", object);
  const auto value = int_option(fd, kTcp, TCP_QUEUE_SEQ);
  if (!value) throw_errno(Failure::unsupported, object, "reading TCP_QUEUE_SEQ", errno);
  return static_cast<uint32_t>(*value);
}

/// Reads the queue that TCP_REPAIR_QUEUE names, without taking anything. A segment of which the peer has acknowledged a
/// part is in it as a whole (tcp_peek_sndq, tcp_clean_rtx_queue in Linux 6.1): that part, in front, is left out.
std::string peek_send_queue(int fd, uint32_t length, const std::string& object) {
  constexpr size_t kLargestSegment = 1 << 16;
  if (length == 0) return {};
  std::string data(length + kLargestSegment, '\0');
  const ssize_t n = recv(fd, data.data(), data.size(), MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) throw_errno(Failure::unsupported, object, "reading its send queue", errno);
  const auto read = static_cast<size_t>(n);
  if (read < length || read > data.size())
    throw Error(Failure::unsupported, object,
                format("its send queue has %u bytes, but %zu could be read", length, read));
  return data.substr(read - length, length);
}

/// A peek ends at urgent data, and the kernel's count does, too, unless the socket has it in line. What the task would
/// read is kept, as plain data.
std::string peek_receive_queue(int fd, uint32_t length, const std::string& object) {
  if (length == 0) return {};
  const PeekOffset offset(fd, nullptr);  // in the guard of the connections
  std::string data;
  int pieces = 0;
  for (uint32_t room = length + 1;; room = 1 << 16) {
    const size_t at = data.size();
    data.resize(at + room);
    const ssize_t n = recv(fd, data.data() + at, room, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) throw_errno(Failure::unsupported, object, "reading its receive queue", errno);
    data.resize(at + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (n <= 0 || !offset.works()) break;
    pieces++;
  }
  if (data.size() < length)
    throw Error(Failure::unsupported, object,
                format("its receive queue has %u bytes, but %zu could be read (urgent data?)", length, data.size()));
  if (pieces > 1)
    log.warn("%s: the mark of urgent data that waits is lost, and its byte when it is not in line", object.c_str());
  return data;
}

void read_lengths(int fd, uint32_t state, pb::tcp_stream_entry& info, const std::string& object) {
  const uint32_t fin = fin_in_queue(state) ? 1 : 0;
  info.set_inq_len(queue_length(fd, SIOCINQ, "its receive queue", object));
  const uint32_t out = queue_length(fd, SIOCOUTQ, "its send queue", object),
                 unsent = queue_length(fd, SIOCOUTQNSD, "its send queue", object);
  // SYN_SENT keeps its SYN there.
  info.set_outq_len(state == kTcpSynSent ? 0 : out - std::min(out, fin));
  info.set_unsq_len(state == kTcpSynSent ? 0 : unsent - std::min(unsent, fin));
}

void read_options(int fd, pb::tcp_stream_entry& info, const std::string& object) {
  tcp_info now{};
  socklen_t length = sizeof now;
  if (getsockopt(fd, kTcp, TCP_INFO, &now, &length) != 0)
    throw_errno(Failure::unsupported, object, "reading TCP_INFO", errno);
  info.set_opt_mask(now.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE));
  info.set_snd_wscale(now.tcpi_snd_wscale);
  info.set_rcv_wscale(now.tcpi_rcv_wscale);
  info.set_mss_clamp(static_cast<uint32_t>(int_option(fd, kTcp, TCP_MAXSEG).value_or(536)));
  if (info.opt_mask() & TCPI_OPT_TIMESTAMPS)
    info.set_timestamp(static_cast<uint32_t>(int_option(fd, kTcp, TCP_TIMESTAMP).value_or(0)));
  info.set_cork(int_option(fd, kTcp, TCP_CORK).value_or(0) != 0);
  info.set_nodelay(int_option(fd, kTcp, TCP_NODELAY).value_or(0) != 0);
  tcp_repair_window window{};
  length = sizeof window;
  if (getsockopt(fd, kTcp, TCP_REPAIR_WINDOW, &window, &length) != 0) return;
  info.set_snd_wl1(window.snd_wl1);
  info.set_snd_wnd(window.snd_wnd);
  info.set_max_window(window.max_window);
  info.set_rcv_wnd(window.rcv_wnd);
  info.set_rcv_wup(window.rcv_wup);
}

void set_sequence(int fd, int queue, uint32_t value, const std::string& object) {
  set_int_option(fd, kTcp, TCP_REPAIR_QUEUE, queue, "TCP_REPAIR_QUEUE", object);
  set_int_option(fd, kTcp, TCP_QUEUE_SEQ, static_cast<int>(value), "TCP_QUEUE_SEQ", object);
}

void send_all(int fd, const char* data, size_t length, const char* words, const std::string& object) {
  for (size_t done = 0; done < length;) {
    const ssize_t n = send(fd, data + done, length - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0)
      throw_errno(Failure::environment, object, format("putting %zu bytes of its %s back", length - done, words),
                  n < 0 ? errno : EIO);
    done += static_cast<size_t>(n);
  }
}

void set_options(int fd, const pb::tcp_stream_entry& info, const std::string& object) {
  std::vector<tcp_repair_opt> options;
  options.push_back({kOptionMss, info.mss_clamp()});
  if (info.opt_mask() & TCPI_OPT_WSCALE)
    options.push_back({kOptionWindow, info.snd_wscale() | info.rcv_wscale() << 16});
  if (info.opt_mask() & TCPI_OPT_SACK) options.push_back({kOptionSack, 0});
  if (info.opt_mask() & TCPI_OPT_TIMESTAMPS) options.push_back({kOptionTimestamp, 0});
  if (setsockopt(fd, kTcp, TCP_REPAIR_OPTIONS, options.data(),
                 static_cast<socklen_t>(options.size() * sizeof options[0])) != 0)
    throw_errno(Failure::environment, object, "setting its TCP options", errno);
  if (info.has_timestamp())
    set_int_option(fd, kTcp, TCP_TIMESTAMP, static_cast<int>(info.timestamp()), "TCP_TIMESTAMP", object);
}

void set_window(int fd, const pb::tcp_stream_entry& info, uint32_t received, const std::string& object) {
  if (!info.has_snd_wnd() || !info.has_rcv_wnd()) return;
  tcp_repair_window window{info.snd_wl1(), info.snd_wnd(), info.max_window(), info.rcv_wnd(), info.rcv_wup()};
  // Until its FIN is told again, the peer's half seems one byte shorter.
  if (static_cast<int32_t>(window.rcv_wup - received) > 0) window.rcv_wup = received;
  if (static_cast<int32_t>(window.snd_wl1 - received) > 0) window.snd_wl1 = received;
  if (setsockopt(fd, kTcp, TCP_REPAIR_WINDOW, &window, sizeof window) != 0)
    throw_errno(Failure::environment, object, "setting its windows", errno);
}

void check_stream(uint32_t state, const TcpStream& stream, const std::string& object) {
  const auto& info = stream.info;
  if (!one_of(state,
              {kTcpEstablished, kTcpSynSent, kTcpFinWait1, kTcpFinWait2, kTcpCloseWait, kTcpLastAck, kTcpClosing}))
    throw Error(Failure::image, object, format("TCP state %u cannot be restored", state));
  if (stream.in.size() != info.inq_len() || stream.out.size() != info.outq_len() || info.unsq_len() > info.outq_len() ||
      info.inq_len() > kMaxQueue || info.outq_len() > kMaxQueue || info.snd_wscale() > 14 || info.rcv_wscale() > 14)
    throw Error(Failure::image, object, "its queue lengths or window scales are impossible");
}

/// Sequence number behind the data of each half, FINs left out.
uint32_t end_of_out(uint32_t state, const pb::tcp_stream_entry& info) {
  return info.outq_seq() - (sent_fin(state) ? 1 : 0);
}
uint32_t end_of_in(uint32_t state, const pb::tcp_stream_entry& info) {
  return info.inq_seq() - (got_fin(state) ? 1 : 0);
}

/// A segment of the peer that acknowledges all but `behind` bytes of what we have sent.
TcpSegment from_peer(const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                     const pb::tcp_stream_entry& info, uint32_t acknowledged) {
  TcpSegment s;
  s.from = peer;
  s.to = local;
  s.sequence = end_of_in(state, info);
  s.acknowledged = acknowledged;
  s.window = static_cast<uint16_t>(std::min<uint32_t>(info.snd_wnd() >> info.snd_wscale(), UINT16_MAX));
  return s;
}

void half_close(int fd, const std::string& object) {
  if (shutdown(fd, SHUT_WR) != 0) throw_errno(Failure::environment, object, "closing its sending half", errno);
}

}  // namespace

const char* tcp_state_name(uint32_t state) {
  static constexpr const char* kNames[] = {"?",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                           "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                           "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
  return state < std::size(kNames) ? kNames[state] : "?";
}

bool got_fin(uint32_t state) { return one_of(state, {kTcpCloseWait, kTcpLastAck, kTcpClosing}); }
bool sent_fin(uint32_t state) { return fin_in_queue(state) || state == kTcpFinWait2; }

TcpStream read_tcp_stream(int fd, uint32_t state, const std::string& object) {
  TcpStream stream;
  if (state == kTcpSynRecv)
    throw Error(Failure::unsupported, object, "both ends of it are connecting to each other at once");
  const InRepair repair(fd, object);
  read_lengths(fd, state, stream.info, object);
  read_options(fd, stream.info, object);
  stream.info.set_inq_seq(queue_sequence(fd, TCP_RECV_QUEUE, object));
  stream.in = peek_receive_queue(fd, stream.info.inq_len(), object);
  stream.info.set_inq_len(static_cast<uint32_t>(stream.in.size()));
  stream.info.set_outq_seq(queue_sequence(fd, TCP_SEND_QUEUE, object));
  stream.out = peek_send_queue(fd, stream.info.outq_len(), object);
  set_int_option(fd, kTcp, TCP_REPAIR_QUEUE, TCP_NO_QUEUE, "TCP_REPAIR_QUEUE", object);
  return stream;
}

void restore_tcp_stream(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                        const TcpStream& stream, const std::string& object) {
  check_stream(state, stream, object);
  const auto& info = stream.info;
  set_int_option(fd, kTcp, TCP_REPAIR, kRepairOn, "TCP_REPAIR", object);
  if (bind(fd, local.get(), local.length) != 0)
    throw_errno(Failure::environment, object, "binding it to " + address_text(local), errno,
                errno == EADDRNOTAVAIL ? "give that address to an interface of this host first" : "");
  if (state == kTcpSynSent) {
    set_sequence(fd, TCP_SEND_QUEUE, info.outq_seq() - 1, object);  // the SYN is sent again under its number
    return;
  }
  set_sequence(fd, TCP_RECV_QUEUE, end_of_in(state, info) - info.inq_len(), object);
  set_sequence(fd, TCP_SEND_QUEUE, end_of_out(state, info) - info.outq_len(), object);
  const SegmentSize segments(fd, segment_size(info));
  if (connect(fd, peer.get(), peer.length) != 0)
    throw_errno(Failure::environment, object, "making it the connection to " + address_text(peer), errno,
                errno == EADDRNOTAVAIL ? "the same connection exists here already" : "");
  set_options(fd, info, object);
  const RoomyBuffer send_room(fd, SO_SNDBUF, stream.out.size(), object);
  const RoomyBuffer receive_room(fd, SO_RCVBUF, stream.in.size(), object);
  set_int_option(fd, kTcp, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE, "TCP_REPAIR_QUEUE", object);
  send_all(fd, stream.in.data(), stream.in.size(), "receive queue", object);
  set_int_option(fd, kTcp, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE, "TCP_REPAIR_QUEUE", object);
  send_all(fd, stream.out.data(), stream.out.size() - info.unsq_len(), "send queue", object);
  set_window(fd, info, end_of_in(state, info), object);
}

void resume_tcp_stream(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                       const TcpStream& stream, const std::string& object) {
  const auto& info = stream.info;
  set_int_option(fd, kTcp, TCP_REPAIR, state == kTcpSynSent ? kRepairOffQuietly : kRepairOff, "TCP_REPAIR", object);
  if (state == kTcpSynSent) {
    const int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    const int failed = connect(fd, peer.get(), peer.length) != 0 && errno != EINPROGRESS ? errno : 0;
    fcntl(fd, F_SETFL, flags);
    if (failed) throw_errno(Failure::environment, object, "connecting it to " + address_text(peer), failed);
    return;
  }
  {
    const RoomyBuffer room(fd, SO_SNDBUF, stream.out.size(), object);
    send_all(fd, stream.out.data() + stream.out.size() - info.unsq_len(), info.unsq_len(), "send queue", object);
  }
  const uint32_t out = end_of_out(state, info);
  const uint32_t unacknowledged = out - info.outq_len();
  if (state == kTcpFinWait1 || state == kTcpClosing) half_close(fd, object);
  if (state == kTcpFinWait2) {
    // A FIN that the lock turns back counts as never sent, and an acknowledgement of it would be ignored. The peer has
    // acknowledged this one before the dump, so that it may see it again.
    const int mark = int_option(fd, SOL_SOCKET, SO_MARK).value_or(0);
    set_int_option(fd, SOL_SOCKET, SO_MARK, static_cast<int>(kLockPassMark), "SO_MARK", object);
    half_close(fd, object);
    set_int_option(fd, SOL_SOCKET, SO_MARK, mark, "SO_MARK", object);
    inject_segment(from_peer(local, peer, state, info, out + 1), kLockPassMark, object);
  }
  if (got_fin(state)) {
    TcpSegment fin = from_peer(local, peer, state, info, unacknowledged);
    fin.fin = true;
    inject_segment(fin, kLockPassMark, object);
  }
  if (state == kTcpLastAck) half_close(fd, object);
}

int mute_tcp_connection(int fd, const std::string& object) {
  const int reuse = int_option(fd, SOL_SOCKET, SO_REUSEADDR).value_or(0);
  set_int_option(fd, kTcp, TCP_REPAIR, kRepairOn, "TCP_REPAIR", object);
  return reuse;
}

void silence_tcp_connection(int fd) {
  setsockopt(fd, kTcp, TCP_REPAIR, &kRepairOn, sizeof kRepairOn);  // one that is over cannot and need not
}

void unmute_tcp_connection(int fd, int reuse) { leave_repair(fd, reuse); }

std::optional<TcpNudge> make_nudge(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                                   const TcpStream& stream) {
  const auto& info = stream.info;
  if (info.outq_len() == 0 || state == kTcpSynSent) return {};
  const uint32_t on_the_way = info.outq_len() - info.unsq_len();
  const uint32_t size =
      std::min<uint32_t>(on_the_way, static_cast<uint32_t>(int_option(fd, kTcp, TCP_MAXSEG).value_or(536)));
  TcpNudge nudge;
  nudge.timestamps = info.opt_mask() & TCPI_OPT_TIMESTAMPS;
  nudge.mark = static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_MARK).value_or(0));
  TcpSegment& s = nudge.segment;
  s.from = local;
  s.to = peer;
  const uint32_t unacknowledged = end_of_out(state, info) - info.outq_len();
  // Nothing on the way: a byte number that was acknowledged long ago asks for the window that is free now.
  s.sequence = on_the_way ? unacknowledged + on_the_way - size : unacknowledged - 1;
  s.acknowledged = info.inq_seq();
  const uint32_t window = info.rcv_wup() + info.rcv_wnd() - info.inq_seq();
  s.window = static_cast<uint16_t>(std::min<uint32_t>(window >> info.rcv_wscale(), UINT16_MAX));
  s.data = stream.out.substr(on_the_way - size, size);
  return nudge;
}

void push_tcp_queue(int fd, const std::optional<TcpNudge>& nudge) {
  // TCP_NODELAY pushes what waits; a socket without it gets it for a moment. A closed socket has nothing to push.
  const int on = 1, off = 0;
  const bool had = int_option(fd, kTcp, TCP_NODELAY).value_or(1) != 0;
  if (setsockopt(fd, kTcp, TCP_NODELAY, &on, sizeof on) == 0 && !had)
    setsockopt(fd, kTcp, TCP_NODELAY, &off, sizeof off);
  if (!nudge) return;
  TcpSegment segment = nudge->segment;
  if (nudge->timestamps) segment.timestamp = static_cast<uint32_t>(int_option(fd, kTcp, TCP_TIMESTAMP).value_or(0));
  try {
    inject_segment(segment, nudge->mark, "TCP connection");
  } catch (const Error& e) {
    log.info("%s; it goes on when the kernel tries again", e.what());
  }
}

}  // namespace nsr
