#include "engine/base/scanner.h"

#include <charconv>

namespace nsr {

std::optional<std::string_view> Scanner::line() {
  if (rest_.empty()) return std::nullopt;
  size_t end = rest_.find('\n');
  std::string_view found = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  return found;
}

std::optional<char> Scanner::character() {
  if (rest_.empty()) return std::nullopt;
  char c = rest_[0];
  rest_.remove_prefix(1);
  return c;
}

std::optional<uint64_t> Scanner::number(int base) {
  uint64_t value = 0;
  auto [end, err] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
  if (err != std::errc()) return std::nullopt;
  rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
  return value;
}

std::optional<int64_t> Scanner::integer() {
  int64_t value = 0;
  auto [end, err] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, 10);
  if (err != std::errc()) return std::nullopt;
  rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
  return value;
}

std::optional<std::string_view> Scanner::word() {
  size_t end = rest_.find_first_of(" \t\n");
  std::string_view found = rest_.substr(0, end);
  if (found.empty()) return std::nullopt;
  rest_.remove_prefix(found.size());
  return found;
}

std::optional<std::string_view> Scanner::until(char stop) {
  size_t end = rest_.find(stop);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view found = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return found;
}

}  // namespace nsr
