// What the two ends of a pseudo-terminal have not read yet. The kernel shows it to nobody but who takes it out, so it
// is taken out and put back, by a process that lives on when the engine is killed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nsr {

struct TtyQueues {
  std::string output;            ///< what the master would read, without the bytes of packet mode
  std::string input;             ///< what the slave would read
  std::vector<uint32_t> pieces;  ///< input in canonical mode: length of each line * 2, + 1 when VEOF ended it; the rest
                                 ///< of the input is a line that is not finished
  enum Stopped : uint32_t { running, by_ioctl, by_character };
  uint32_t stopped = running;  ///< output of the slave, as nsr_tty_entry has it

  bool empty() const { return output.empty() && input.empty() && pieces.empty() && stopped == running; }
};

/// Descriptors of both ends of one pair. slave: -1 when nobody has it open; else for reading and writing.
struct TtyEnds {
  int master, slave;
};

/// Looks into all of them; nobody else may use them meanwhile. Settings are the same afterwards, but for an event of
/// packet mode that the master has not taken yet. Throws Error(environment).
std::vector<TtyQueues> look_into(const std::vector<TtyEnds>& pairs);

/// Puts the queues into a pair that has its settings already and keeps them. Throws Error(environment).
void feed_queues(const TtyEnds& pair, const TtyQueues& queues, const std::string& object);

}  // namespace nsr
