#include "engine/base/action_scripts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"

using namespace nsr;

namespace {

/// A directory that goes with the test, with hook programs and the file that they write to.
class Hooks {
 public:
  Hooks() {
    char name[] = "/tmp/nsr-hooks-XXXXXX";
    dir_ = ::mkdtemp(name);
    out_ = UniqueFd(::open(path("out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  }
  ~Hooks() { std::filesystem::remove_all(dir_); }

  std::string path(const char* name) const { return dir_ + "/" + name; }
  std::string add(const char* name, const std::string& body) {
    std::string file = path(name);
    UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
    std::string text = "#!/bin/sh\n" + body + "\n";
    REQUIRE(write_exact(fd.get(), text.data(), text.size()));
    return file;
  }
  std::string output() const { return *read_file(path("out")); }
  int out() const { return out_.get(); }

 private:
  std::string dir_;
  UniqueFd out_;
};

}  // namespace

TEST_CASE("scripts: the last one runs first, all run, the first failure is told") {
  Hooks hooks;
  std::string a = hooks.add("a", "echo a");
  std::string b = hooks.add("b", "echo b; exit 3");
  std::string c = hooks.add("c", "echo c; kill -9 $$");
  try {
    run_scripts("post-dump", {a, b, c}, {.log_fd = hooks.out()});
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.code() == Failure::script);
    CHECK(e.object() == "action script " + c + " (post-dump)");
    CHECK(e.cause() == "died of signal 9");
  }
  CHECK(hooks.output() == "c\nb\na\n");
}

TEST_CASE("scripts: environment and arguments") {
  Hooks hooks;
  ::setenv("CRTOOLS_INIT_PID", "stale", 1);
  std::string show = hooks.add("show", "echo $# $CRTOOLS_SCRIPT_ACTION $CRTOOLS_IMAGE_DIR ${CRTOOLS_INIT_PID-none}");
  run_scripts("pre-restore", {show}, {.images_dir_fd = 9, .log_fd = hooks.out()});
  run_scripts("post-restore", {show}, {.images_dir_fd = 9, .root_pid = 77, .log_fd = hooks.out()});
  ::unsetenv("CRTOOLS_INIT_PID");
  std::string image = "/proc/" + std::to_string(::getpid()) + "/fd/9";
  CHECK(hooks.output() == "0 pre-restore " + image + " none\n0 post-restore " + image + " 77\n");
}

TEST_CASE("scripts: stdin is closed, a missing program is an error") {
  Hooks hooks;
  std::string probe = hooks.add("probe", "if [ -e /proc/self/fd/0 ] && read x; then echo open; else echo closed; fi");
  run_scripts("pre-dump", {probe}, {.log_fd = hooks.out()});
  CHECK(hooks.output() == "closed\n");
  CHECK_THROWS_AS(run_scripts("pre-dump", {hooks.path("missing")}, {}), Error);
  CHECK_NOTHROW(run_scripts("pre-dump", {}, {}));
}

TEST_CASE("pidfile: digits only, 0600, never over an old one") {
  Hooks hooks;
  std::string file = hooks.path("pid");
  write_pidfile(file, 4711);
  CHECK(*read_file(file) == "4711");
  struct stat st {};
  REQUIRE(::stat(file.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  CHECK_THROWS_WITH(write_pidfile(file, 1), Catch::Contains("remove the old one"));
}
