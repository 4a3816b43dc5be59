// Socket options (socket(7), ip(7), ipv6(7), tcp(7)), read from a borrowed socket and set on a new one.
#pragma once

#include <string>
#include <vector>

#include "engine/base/unique_fd.h"
#include "engine/sockets/option_table.h"
#include "nsr-sk.pb.h"
#include "sk-opts.pb.h"

namespace nsr {

/// The options of every family that the peer's message has fields for. Buffer sizes are as getsockopt gives them (twice
/// what was asked for). Throws Error(unsupported) for an attached eBPF filter, which cannot be read back.
pb::sk_opts_entry collect_options(int fd, const std::string& object);

/// Sets them. Buffer sizes exceed the sysctl limits when they did (SO_*BUFFORCE). Throws Error(environment).
/// SO_REUSEADDR and SO_REUSEPORT of IP sockets are left to the caller, who may need them otherwise while it binds;
/// filters and the filter lock too (apply_filter), because a filter would drop the data that fills the queues.
void apply_options(int fd, const pb::sk_opts_entry& opts, const std::string& object);
void apply_filter(int fd, const pb::sk_opts_entry& opts, const std::string& object);

/// A new socket of some kind, to compare others of that kind with: what it answers when asked for each option.
class FreshSocket {
 public:
  FreshSocket() = default;
  explicit FreshSocket(UniqueFd fd);
  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  struct Answer {
    const ExtraOption* option;
    std::string value;
  };
  const std::vector<Answer>& answers() const { return answers_; }

 private:
  UniqueFd fd_;
  std::vector<Answer> answers_;
};

/// Every other option that the kernel reads and sets: those that differ from a new socket of the same kind.
void collect_extra_options(int fd, const FreshSocket& fresh, pb::nsr_sk_entry& extra);
/// Sets those of one time: before the socket is bound and connected, or when its queues are full.
enum class OptionTime { early, late };
void apply_extra_options(int fd, const pb::nsr_sk_entry& extra, OptionTime when, const std::string& object);

}  // namespace nsr
