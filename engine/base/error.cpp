#include "engine/base/error.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace nsr {

std::string Error::sentence(const std::string& object, const std::string& cause, const std::string& remedy) {
  std::string s = object.empty() ? cause : object + ": " + cause;
  if (!remedy.empty()) s += "; " + remedy;
  return s;
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
