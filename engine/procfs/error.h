// How a procfs parser refuses a text.
#pragma once

#include <string_view>

namespace nsr::procfs {

/// Throws Error(environment) whose object is "/proc <kind>" and whose cause holds the line, shortened and escaped, and
/// `what`.
[[noreturn]] void bad_line(const char* kind, std::string_view line, const char* what);
/// Throws Error(environment) for a text that lacks a line.
[[noreturn]] void missing(const char* kind, const char* field);

}  // namespace nsr::procfs
