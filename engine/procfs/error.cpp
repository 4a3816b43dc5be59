#include "engine/procfs/error.h"

#include <string>

#include "engine/base/error.h"

namespace nsr::procfs {
namespace {

constexpr size_t kShown = 160;
constexpr const char* kRemedy = "this kernel prints the file in a way that is not known here; please report the line";

std::string printable(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, kShown)) {
    if (c >= ' ' && c <= '~')
      out += c;
    else
      out += format("\\x%02x", static_cast<unsigned char>(c));
  }
  if (text.size() > kShown) out += "...";
  return out;
}

}  // namespace

void bad_line(const char* kind, std::string_view line, const char* what) {
  throw Error(Failure::environment, std::string("/proc ") + kind, "line \"" + printable(line) + "\": " + what, kRemedy);
}

void missing(const char* kind, const char* field) {
  throw Error(Failure::environment, std::string("/proc ") + kind, std::string("no \"") + field + "\"", kRemedy);
}

}  // namespace nsr::procfs
