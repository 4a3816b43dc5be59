#include "engine/base/error.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace nsr {

namespace {

/// Names from a hostile image must not steer a terminal or break the line.
std::string printable(const std::string& s) {
  std::string out;
  for (char c : s) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += format("\\x%02x", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string Error::sentence(const std::string& object, const std::string& cause, const std::string& remedy) {
  std::string s = object.empty() ? cause : object + ": " + cause;
  if (!remedy.empty()) s += "; " + remedy;
  return printable(s);
}

void throw_errno(Failure code, std::string object, const std::string& what, int err, std::string remedy) {
  throw Error(code, std::move(object), what + ": " + std::strerror(err), std::move(remedy));
}

std::string format(const char* fmt, ...) {
  char small[512];
  va_list ap;
  va_start(ap, fmt);
  va_list again;
  va_copy(again, ap);
  int n = std::vsnprintf(small, sizeof small, fmt, ap);
  va_end(ap);
  std::string s;
  if (n >= 0 && static_cast<size_t>(n) < sizeof small) {
    s.assign(small, static_cast<size_t>(n));
  } else if (n >= 0) {
    s.resize(static_cast<size_t>(n) + 1);
    std::vsnprintf(s.data(), s.size(), fmt, again);
    s.resize(static_cast<size_t>(n));
  }
  va_end(again);
  return s;
}

}  // namespace nsr
