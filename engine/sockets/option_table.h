// The socket options that the peer's messages have no field for, as data.
#pragma once

#include <span>

namespace nsr {

enum class OptionUse {
  early,      ///< before the socket is bound and connected
  datagrams,  ///< so too, but streams refuse it although they let it be read
  late,       ///< when the socket is bound, connected and its queues are full
};

struct ExtraOption {
  int level;
  int name;
  unsigned size;      ///< bytes of the value; 0 = variable up to 256
  OptionUse use;      ///< when and to what it is applied
  const char* words;  ///< its name, for messages
};

std::span<const ExtraOption> extra_options();
/// nullptr when the table does not have it.
const ExtraOption* find_extra_option(int level, int name);

}  // namespace nsr
