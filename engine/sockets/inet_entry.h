// Questions to an IP socket's entry of files.img that its dump and its restore both ask.
#pragma once

#include <sys/socket.h>

#include <string>

#include "engine/base/error.h"
#include "engine/sockets/tcp_stream.h"
#include "fdinfo.pb.h"

namespace nsr {

inline std::string object_of(const pb::inet_sk_entry& sk) { return format("socket:[%u]", sk.ino()); }

/// Also over several paths.
inline bool is_tcp(const pb::inet_sk_entry& sk) { return sk.type() == SOCK_STREAM; }

inline bool is_multipath(const pb::inet_sk_entry& sk) { return sk.proto() == 262; }  // IPPROTO_MPTCP, Linux 5.6

/// UDP or UDP-Lite.
inline bool is_udp(const pb::inet_sk_entry& sk) {
  return sk.type() == SOCK_DGRAM && (sk.proto() == IPPROTO_UDP || sk.proto() == IPPROTO_UDPLITE);
}

/// A connection that needs its stream in the images, as opposed to one that is listening, closed or to be closed.
inline bool is_live(const pb::inet_sk_entry& sk) {
  return is_tcp(sk) && sk.state() != kTcpListen && sk.state() != kTcpClose && sk.state() != kTcpTimeWait;
}

/// Was connected or tried to be.
inline bool has_ended(const pb::inet_sk_entry& sk) {
  return is_tcp(sk) && sk.state() == kTcpClose && sk.shutdown() == pb::BOTH;
}

}  // namespace nsr
