// Inside of the parsers: lines of a text, and numbers of a line that throw when they do not match.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>

#include "engine/base/scanner.h"
#include "engine/procfs/error.h"

namespace nsr::procfs {

/// Value of a hexadecimal digit, 255 for any other character. A table, because digits and letters alternate at random:
/// with a branch on which it is, or with from_chars, 10,000 lines of maps take 1.3 ms instead of 0.7.
inline constexpr auto kHexValue = [] {
  std::array<uint8_t, 256> table{};
  table.fill(255);
  for (int i = 0; i < 10; ++i) table[static_cast<size_t>('0' + i)] = static_cast<uint8_t>(i);
  for (int i = 0; i < 6; ++i)
    table[static_cast<size_t>('a' + i)] = table[static_cast<size_t>('A' + i)] = static_cast<uint8_t>(10 + i);
  return table;
}();

/// A line being parsed; every mismatch throws with the file's kind and the whole line.
class LineParser {
 public:
  LineParser(const char* kind, std::string_view line) : kind_(kind), line_(line), scan_(line) {}
  LineParser(const char* kind, std::string_view line, std::string_view value)
      : kind_(kind), line_(line), scan_(value) {}

  /// Next number after blanks; signed types take a minus sign (base 10 only).
  template <class T = uint64_t>
  T number(int base = 10) {
    scan_.blanks();
    if constexpr (std::is_signed_v<T>) {
      std::optional<int64_t> n = scan_.integer();
      if (!n) fail("not a number");
      if (*n < std::numeric_limits<T>::min() || *n > std::numeric_limits<T>::max()) fail("number out of range");
      return static_cast<T>(*n);
    } else {
      std::optional<uint64_t> n = base == 16 ? hex_digits() : scan_.number(base);
      if (!n) fail("not a number");
      if (*n > std::numeric_limits<T>::max()) fail("number out of range");
      return static_cast<T>(*n);
    }
  }
  template <class T = uint64_t>
  T hex() {
    return number<T>(16);
  }
  /// "0x" and a hexadecimal number.
  template <class T = uint64_t>
  T prefixed_hex() {
    scan_.blanks();
    expect("0x");
    return number<T>(16);
  }
  bool flag() {
    uint64_t n = number();
    if (n > 1) fail("not 0 or 1");
    return n == 1;
  }
  std::string_view word() {
    std::optional<std::string_view> w = scan_.blanks().word();
    if (!w) fail("ends too early");
    return *w;
  }
  void expect(std::string_view text) {
    if (!scan_.literal(text)) fail("unexpected text");
  }
  /// Skips blanks, then the text.
  void field(std::string_view text) {
    scan_.blanks();
    expect(text);
  }
  bool accept(std::string_view text) { return scan_.literal(text); }
  /// True when only blanks are left.
  bool at_end() { return scan_.blanks().done(); }
  void end() {
    if (!at_end()) fail("unexpected text at the end");
  }
  std::string_view rest() const { return scan_.rest(); }
  Scanner& scan() { return scan_; }
  [[noreturn]] void fail(const char* what) const { bad_line(kind_, line_, what); }

 private:
  /// What Scanner::number(16) does, faster.
  std::optional<uint64_t> hex_digits() {
    std::string_view text = scan_.rest();
    uint64_t value = 0;
    size_t n = 0;
    for (; n < text.size(); ++n) {
      uint8_t digit = kHexValue[static_cast<unsigned char>(text[n])];
      if (digit > 15) break;
      if (value >> 60 != 0) return std::nullopt;
      value = value << 4 | digit;
    }
    if (n == 0) return std::nullopt;
    scan_ = Scanner(text.substr(n));
    return value;
  }

  const char* kind_;
  std::string_view line_;
  Scanner scan_;
};

/// Lines of a file. The kernel ends each with a newline: a last line without one was cut off and is refused.
class Lines {
 public:
  Lines(const char* kind, std::string_view text) : kind_(kind), scan_(text) {}
  std::optional<std::string_view> next() {
    if (scan_.done()) return std::nullopt;
    std::optional<std::string_view> found = scan_.until('\n');
    if (!found) bad_line(kind_, scan_.rest(), "cut off");
    return found;
  }

 private:
  const char* kind_;
  Scanner scan_;
};

/// Calls visit(key, value) for every line "key:value"; the value is a LineParser behind the colon. Other lines are
/// skipped.
template <class Visit>
void each_field(const char* kind, std::string_view text, Visit visit) {
  Lines lines(kind, text);
  while (std::optional<std::string_view> line = lines.next()) {
    size_t colon = line->find(':');
    if (colon == std::string_view::npos) continue;
    LineParser value(kind, *line, line->substr(colon + 1));
    visit(line->substr(0, colon), value);
  }
}

/// Remembers which of a few required keys were seen, in the order they were given.
class Required {
 public:
  void seen(unsigned bit) { bits_ |= 1U << bit; }
  template <size_t N>
  void check(const char* kind, const char* const (&names)[N]) const {
    for (unsigned i = 0; i < N; ++i)
      if ((bits_ & (1U << i)) == 0) missing(kind, names[i]);
  }

 private:
  unsigned bits_ = 0;
};

}  // namespace nsr::procfs
