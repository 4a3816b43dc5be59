#include "engine/base/log.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "test/unit/temp_dir.h"

using namespace nsr;

namespace {

const Logger log_under_test("room");

/// Puts the log of the test program back to what it was.
struct LogToFile {
  test::TempDir dir;
  std::string file = dir / "log";
  explicit LogToFile(LogLevel level) { open_log(file, level); }
  ~LogToFile() { open_log("", LogLevel::warning); }
  std::string text() const { return read_file(file).value_or("(no log)"); }
};

}  // namespace

TEST_CASE("base: log writes what the level lets through, at once") {
  LogToFile log(LogLevel::warning);
  log_under_test.error("pid %d is gone", 4711);
  log_under_test.warn("odd");
  log_under_test.info("never seen");
  CHECK(log.text() == "Error (room): pid 4711 is gone\nWarn  (room): odd\n");
}

TEST_CASE("base: log lines carry the time from level 3 on") {
  LogToFile log(LogLevel::info);
  log_under_test.info("fact");
  log_under_test.debug("never seen");
  std::string text = log.text();
  CHECK(text.substr(0, 1) + text.substr(3, 1) == "(.");  // the seconds depend on the load
  CHECK(text.substr(text.find(')')) == ") room: fact\n");
}

TEST_CASE("base: log keeps the first error for the RPC answer") {
  LogToFile log(LogLevel::error);
  CHECK(first_error_logged().empty());
  log_under_test.error("first");
  log_under_test.error("second");
  CHECK(first_error_logged().find("first") != std::string::npos);
}

TEST_CASE("base: log file is truncated and private") {
  LogToFile log(LogLevel::error);
  log_under_test.error("old");
  open_log(log.file, LogLevel::error);
  CHECK(log.text().empty());
  struct stat st {};
  REQUIRE(::stat(log.file.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
}

TEST_CASE("base: log file that cannot be opened is an error with a remedy") {
  test::TempDir dir;
  try {
    open_log(dir / "no/such/dir", LogLevel::error);
    FAIL("opened");
  } catch (const Error& e) {
    CHECK(e.code() == Failure::io);
    CHECK_FALSE(e.remedy().empty());
  }
}

TEST_CASE("base: a percent sign in a value is no format") {
  LogToFile log(LogLevel::error);
  log_under_test.error("%s", "100%s {} %n");
  CHECK(log.text() == "Error (room): 100%s {} %n\n");
}
