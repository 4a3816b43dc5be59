// A cursor over text: the base of every /proc parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nsr {

/// Reads tokens from the front of a text. Every read returns nothing and leaves the cursor alone when it does not
/// match.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  /// Next line without its newline; the cursor moves behind it.
  std::optional<std::string_view> line();
  /// Skips blanks and tabs.
  Scanner& blanks() {
    size_t n = 0;
    while (n < rest_.size() && (rest_[n] == ' ' || rest_[n] == '\t')) ++n;
    rest_.remove_prefix(n);
    return *this;
  }
  /// Consumes exactly this text.
  bool literal(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  /// Consumes one character.
  std::optional<char> character();
  /// Unsigned number in the given base (no prefix is skipped); overflow does not match.
  std::optional<uint64_t> number(int base = 10);
  /// Decimal number with an optional minus sign.
  std::optional<int64_t> integer();
  /// Text up to the next blank, tab, newline or end; empty does not match.
  std::optional<std::string_view> word();
  /// Text up to (not including) a character, which is consumed too.
  std::optional<std::string_view> until(char stop);

 private:
  std::string_view rest_;
};

}  // namespace nsr
