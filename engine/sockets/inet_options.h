// ip_opts_entry, tcp_opts_entry and IPV6_V6ONLY: the IP options that the peer's messages have fields for.
#pragma once

#include <string>

#include "sk-inet.pb.h"

namespace nsr {

/// `fresh` is a new socket of the same kind; what equals its value is left out.
void collect_ip_options(int fd, int fresh, pb::inet_sk_entry& entry);
/// Sets what must be there before bind(2).
void apply_ip_options(int fd, const pb::inet_sk_entry& entry, const std::string& object);
/// Sets what would act on the way: TCP_NODELAY, TCP_CORK, keepalive times.
void apply_tcp_options(int fd, const pb::inet_sk_entry& entry, const std::string& object);

}  // namespace nsr
