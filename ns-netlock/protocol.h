// What ns-engine and ns-netlock say to each other over the stream socket that is ns-netlock's standard input.
#pragma once

#include <cstdint>

namespace nsr {

/// Nothing is changed and nothing answered; what the library had to find out for it is known to the next request.
inline constexpr uint32_t kNetlockRehearsal = 1;

/// Followed by `size` bytes: commands in the language of nft(8), one transaction. Namespaces count from 0 in the order
/// in which they are first named; a new one comes with a descriptor of it (SCM_RIGHTS) at the first byte.
struct NetlockRequest {
  uint32_t net_namespace;
  uint32_t flags;
  uint32_t size;
};

/// Followed by `size` bytes: what went wrong, nothing was changed then. None: it is done.
struct NetlockAnswer {
  uint32_t size;
};

}  // namespace nsr
