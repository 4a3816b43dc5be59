#include "engine/base/scanner.h"

#include <catch2/catch.hpp>

using nsr::Scanner;

TEST_CASE("base: scanner gives lines without their newline") {
  Scanner in("one\n\nthree");
  CHECK(in.line() == "one");
  CHECK(in.line() == "");
  CHECK(in.line() == "three");
  CHECK_FALSE(in.line());
  CHECK(in.done());
}

TEST_CASE("base: scanner leaves the cursor alone when nothing matches") {
  Scanner in("12ab cd");
  CHECK_FALSE(in.literal("13"));
  CHECK_FALSE(in.until('!'));
  CHECK(in.rest() == "12ab cd");
  CHECK(in.number() == 12u);
  CHECK_FALSE(in.number());
  CHECK(in.rest() == "ab cd");
  CHECK(in.number(16) == 0xabu);
  CHECK_FALSE(in.word());
  CHECK(in.blanks().word() == "cd");
  CHECK_FALSE(in.character());
}

TEST_CASE("base: scanner refuses numbers that do not fit") {
  CHECK(Scanner("18446744073709551615").number() == UINT64_MAX);
  CHECK_FALSE(Scanner("18446744073709551616").number());
  CHECK(Scanner("-9223372036854775808").integer() == INT64_MIN);
  CHECK_FALSE(Scanner("-9223372036854775809").integer());
  CHECK_FALSE(Scanner("-").integer());
  CHECK_FALSE(Scanner("").number());
}

TEST_CASE("base: scanner until consumes the stop character") {
  Scanner in("Name:\tx y");
  CHECK(in.until(':') == "Name");
  CHECK(in.rest() == "\tx y");
}
