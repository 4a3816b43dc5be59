// Multicast memberships of one socket. The kernel lists groups only by interface (/proc/net/igmp, igmp6), but tells for
// a given group whether a socket is a member (MCAST_MSFILTER, ip(7)): so every group of every interface is tried.
#pragma once

#include <string>

#include "nsr-sk.pb.h"

namespace nsr {

/// family AF_INET or AF_INET6; an AF_INET6 socket may be in groups of both.
void collect_memberships(int fd, int family, pb::nsr_sk_entry& extra);
/// Throws Error(environment) when an interface is missing or a group is refused.
void apply_memberships(int fd, const pb::nsr_sk_entry& extra, const std::string& object);

}  // namespace nsr
