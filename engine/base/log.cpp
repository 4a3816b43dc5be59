#include "engine/base/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>

#define FMT_HEADER_ONLY
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "engine/base/error.h"
#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

/// Writes each finished line at once, so a killed engine loses none.
class FdSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit FdSink(UniqueFd fd) : fd_(std::move(fd)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    const char* p = msg.payload.data();
    size_t left = msg.payload.size();
    while (left > 0) {
      ssize_t n = ::write(fd_.get(), p, left);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;  // a log that cannot be written must not stop the work
      p += n;
      left -= static_cast<size_t>(n);
    }
  }
  void flush_() override {}

 private:
  UniqueFd fd_;
};

/// The process-wide log. The one exception to "no mutable globals": a log is asked for everywhere.
struct Log {
  std::shared_ptr<spdlog::logger> out;
  int fd = STDERR_FILENO;
  LogLevel level = LogLevel::warning;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::string first_error;
};

Log& the_log() {
  static Log log;
  return log;
}

void ensure_open(Log& log) {
  if (!log.out) {
    log.out = std::make_shared<spdlog::logger>(
        "engine", std::make_shared<FdSink>(UniqueFd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3))));
    log.out->set_level(spdlog::level::trace);
  }
}

void write_line(LogLevel level, const char* module, const char* fmt, va_list ap) {
  Log& log = the_log();
  if (level > log.level) return;
  char body[4096];
  std::vsnprintf(body, sizeof body, fmt, ap);
  std::string line;
  if (log.level >= LogLevel::info) {
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - log.start);
    line = format("(%02lld.%06lld) ", static_cast<long long>(us.count() / 1000000),
                  static_cast<long long>(us.count() % 1000000));
  }
  if (level == LogLevel::error) {
    line += format("Error (%s): %s\n", module, body);
    if (log.first_error.empty()) log.first_error = line;
  } else if (level == LogLevel::warning) {
    line += format("Warn  (%s): %s\n", module, body);
  } else {
    line += format("%s: %s\n", module, body);
  }
  ensure_open(log);
  log.out->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void open_log(const std::string& file, LogLevel level) {
  Log& log = the_log();
  log.level = level;
  log.first_error.clear();
  int fd = -1;
  if (file.empty()) {
    fd = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  } else if (file == "-") {
    fd = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  } else {
    fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
    if (fd < 0)
      throw_errno(Failure::io, "log file " + file, "cannot be opened", errno,
                  "name a writable file with -o or a writable directory with -W");
  }
  log.fd = fd;
  log.out = std::make_shared<spdlog::logger>("engine", std::make_shared<FdSink>(UniqueFd(fd)));
  log.out->set_level(spdlog::level::trace);
}

LogLevel log_level() { return the_log().level; }

int log_descriptor() { return the_log().fd; }

std::string first_error_logged() { return the_log().first_error; }

#define NSR_LOG_BODY(level)            \
  va_list ap;                          \
  va_start(ap, fmt);                   \
  write_line(level, module_, fmt, ap); \
  va_end(ap)

void Logger::error(const char* fmt, ...) const { NSR_LOG_BODY(LogLevel::error); }
void Logger::warn(const char* fmt, ...) const { NSR_LOG_BODY(LogLevel::warning); }
void Logger::info(const char* fmt, ...) const { NSR_LOG_BODY(LogLevel::info); }
void Logger::debug(const char* fmt, ...) const { NSR_LOG_BODY(LogLevel::debug); }

PhaseTimer::~PhaseTimer() { log_.info("%s took %lld us", phase_, static_cast<long long>(elapsed().count())); }

}  // namespace nsr
