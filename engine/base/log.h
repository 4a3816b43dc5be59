// The log: one Logger a module, printf-style, written through spdlog (log.cpp). Cheap when the level is off.
#pragma once

#include <chrono>
#include <string>

namespace nsr {

enum class LogLevel : int { message = 0, error = 1, warning = 2, info = 3, debug = 4 };

/// Opens the log. file empty = stderr, "-" = stdout; else truncated, mode 0600 (podman creates it beforehand).
/// Lines: from level 3 on "(SS.UUUUUU) " in front; errors "Error (module): text", warnings "Warn  (module): text".
/// Throws Error(io) when the file cannot be opened.
void open_log(const std::string& file, LogLevel level);
LogLevel log_level();
/// The descriptor that the log is written to (hook programs get it as stdout and stderr).
int log_descriptor();
/// First line logged as an error since open_log(); empty when there was none (RPC's cr_errmsg).
std::string first_error_logged();

class Logger {
 public:
  constexpr explicit Logger(const char* module) : module_(module) {}
  void error(const char* fmt, ...) const __attribute__((format(printf, 2, 3)));
  void warn(const char* fmt, ...) const __attribute__((format(printf, 2, 3)));
  void info(const char* fmt, ...) const __attribute__((format(printf, 2, 3)));
  void debug(const char* fmt, ...) const __attribute__((format(printf, 2, 3)));

 private:
  const char* module_;
};

/// Logs at info level how long a phase took when it goes out of scope.
class PhaseTimer {
 public:
  PhaseTimer(const Logger& log, const char* phase) : log_(log), phase_(phase), start_(Clock::now()) {}
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer();
  std::chrono::microseconds elapsed() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Logger& log_;
  const char* phase_;
  Clock::time_point start_;
};

}  // namespace nsr
