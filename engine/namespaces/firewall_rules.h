// Packet filter rules of a network namespace, as the text that nft(8) or iptables-save(8) prints (nftables-<id>.img,
// iptables-<id>.img, ip6tables-<id>.img; empty where there are none).
#pragma once

#include <cstdint>

#include "engine/images/image_dir.h"

namespace nsr {

/// Writes the rules of the calling thread's namespace; never those of our own locks. The programs are only needed where
/// there are rules. Throws Error(environment) when none of them is installed.
void dump_firewall(ImageDir& images, uint64_t id);
/// Loads them into the calling thread's namespace.
void fill_firewall(const ImageDir& images, uint64_t id);

}  // namespace nsr
