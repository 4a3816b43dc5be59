#include "engine/base/boot_id.h"

#include "engine/base/file_io.h"

namespace nsr {

std::string boot_id() {
  std::string text = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  return text.substr(0, text.find('\n'));
}

}  // namespace nsr
