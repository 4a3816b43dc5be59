// A live TCP connection taken out of the kernel and put back (TCP_REPAIR: tcp_repair in linux/tcp.h, since Linux 3.5;
// windows since 4.8). The network must be held still for it from before the first until after the last call.
#pragma once

#include <optional>
#include <string>

#include "engine/sockets/inet_address.h"
#include "engine/sockets/tcp_packet.h"
#include "tcp-stream.pb.h"

namespace nsr {

/// TCP states as TCP_INFO, sock_diag and images number them.
enum TcpState : uint32_t {
  kTcpEstablished = 1,
  kTcpSynSent,
  kTcpSynRecv,
  kTcpFinWait1,
  kTcpFinWait2,
  kTcpTimeWait,
  kTcpClose,
  kTcpCloseWait,
  kTcpLastAck,
  kTcpListen,
  kTcpClosing,
};
const char* tcp_state_name(uint32_t state);
/// Whether the peer has ended its half, whether we have ended ours, and whether it has acknowledged that.
bool got_fin(uint32_t state);
bool sent_fin(uint32_t state);

struct TcpStream {
  pb::tcp_stream_entry info;  ///< sequence numbers count a FIN, queue lengths do not
  std::string in;             ///< received, not read
  std::string out;            ///< written, not acknowledged; the last info.unsq_len() bytes were never sent
};

/// Reads everything. The socket goes into repair mode and out of it again without a packet.
/// Throws Error(unsupported) naming the object.
TcpStream read_tcp_stream(int fd, uint32_t state, const std::string& object);

/// Makes a fresh socket the connection, still in repair mode. Throws Error(environment) when the address is not there
/// or the connection exists already, Error(image) when the numbers make no sense.
void restore_tcp_stream(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                        const TcpStream& stream, const std::string& object);
/// Leaves repair mode, queues what was never sent and closes the halves that were closed.
void resume_tcp_stream(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                       const TcpStream& stream, const std::string& object);
/// From now on the last close(2) of this connection says nothing to the peer.
/// Returns what unmute_tcp_connection() needs.
[[nodiscard]] int mute_tcp_connection(int fd, const std::string& object);

/// The other way, without a packet.
void unmute_tcp_connection(int fd, int reuse);
/// The same for one that will be closed: its peer hears nothing of that. Whatever state it is in.
void silence_tcp_connection(int fd);

/// What makes a peer answer at once when its network is open again. After a restore the kernel has no idea of the round
/// trip and waits three seconds (TCP_TIMEOUT_FALLBACK) before it sends anything again that got lost; the last segment
/// of what is on the way, sent once more, brings an acknowledgement of all that has come, or a selective one from which
/// the kernel learns what has not (as a tail loss probe does, RFC 8985).
struct TcpNudge {
  TcpSegment segment;
  bool timestamps = false;
  uint32_t mark = 0;
};
/// No value when nothing waits to be sent or acknowledged. The connection has been resumed.
std::optional<TcpNudge> make_nudge(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                                   const TcpStream& stream);
/// Sends what a held network has turned back, and the nudge. Never throws: both only save time.
void push_tcp_queue(int fd, const std::optional<TcpNudge>& nudge);

}  // namespace nsr
