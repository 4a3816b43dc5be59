// Fills an epoll instance from the engine, under the descriptor numbers that the tasks will have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nsr {

struct EpollAdd {
  int fd;           ///< the file, in the engine
  int number;       ///< what it is to be registered under
  uint32_t events;  ///< as fdinfo shows them: none but flags for a one-shot registration that has fired
  uint64_t data;
};

/// Registers all of them. Takes each number for a moment from whatever the engine has there, so no other thread of the
/// engine may use descriptors meanwhile. Throws Error(environment) with the engine's table as it was.
void add_to_epoll(int epoll, std::vector<EpollAdd>& adds, const std::string& object);

}  // namespace nsr
