// Changes of the nf_tables firewall as one transaction (nfnetlink batch, linux/netfilter/nf_tables.h): all or nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct nl_msg;

namespace nsr {

/// A netlink socket of the firewall in the calling thread's network namespace. A table made with NFT_TABLE_F_OWNER goes
/// with the socket it was made through.
class NftSocket {
 public:
  /// Throws Error(environment) when the kernel has no nf_tables.
  NftSocket();
  ~NftSocket();
  NftSocket(NftSocket&&) noexcept;
  NftSocket& operator=(NftSocket&&) noexcept;

 private:
  friend class NftBatch;
  struct State;
  std::unique_ptr<State> s_;
};

class NftBatch {
 public:
  NftBatch();
  /// Appends one message of nf_tables (NFT_MSG_*); `fill` adds its attributes.
  void add(int message, uint16_t flags, uint8_t family, const std::function<void(nl_msg*)>& fill);
  /// 0, or the errno value of the first message that the kernel refused; then nothing was changed.
  [[nodiscard]] int send(NftSocket& through);

 private:
  void append(int type, uint16_t flags, uint8_t family, uint16_t resource, const std::function<void(nl_msg*)>& fill);

  std::string bytes_;
  uint32_t sequence_ = 0;
};

}  // namespace nsr
