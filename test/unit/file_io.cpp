#include "engine/base/file_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "engine/base/memory_object.h"
#include "test/unit/temp_dir.h"

using namespace nsr;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

int some_fd() { return ::open("/dev/null", O_RDWR | O_CLOEXEC); }

}  // namespace

TEST_CASE("base: unique_fd closes what it owns, once") {
  int a = some_fd(), b = some_fd();
  {
    UniqueFd owner(a);
    UniqueFd other(b);
    owner = std::move(other);
    CHECK_FALSE(is_open(a));
    CHECK_FALSE(other);
    CHECK(owner.get() == b);
    UniqueFd third(std::move(owner));
    CHECK(third.release() == b);
    CHECK_FALSE(third);
  }
  CHECK(is_open(b));
  UniqueFd(b).reset();
  CHECK_FALSE(is_open(b));
}

TEST_CASE("base: unique_fd survives being moved onto itself") {
  UniqueFd owner(some_fd());
  UniqueFd& same = owner;
  owner = std::move(same);
  CHECK(is_open(owner.get()));
}

TEST_CASE("base: read_file gives all of a file or errno") {
  test::TempDir dir;
  std::string text(100000, 'x');
  UniqueFd fd(::open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(write_exact(fd.get(), text.data(), text.size()));
  CHECK(read_file(dir / "f") == text);
  errno = 0;
  CHECK_FALSE(read_file(dir / "absent"));
  CHECK(errno == ENOENT);
  CHECK_FALSE(read_file(dir.path()));
  CHECK(errno == EISDIR);
}

TEST_CASE("base: read_link is not cut at any length") {
  test::TempDir dir;
  for (size_t n : {1, 255, 256, 257, 512, 4000}) {
    std::string target(n, 't'), name = dir / std::to_string(n);
    REQUIRE(::symlink(target.c_str(), name.c_str()) == 0);
    CHECK(read_link(name) == target);
  }
  CHECK_FALSE(read_link(dir.path()));
}

TEST_CASE("base: exact transfers tell an early end from an error") {
  test::TempDir dir;
  UniqueFd fd(::open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(pwrite_exact(fd.get(), "hello", 5, 3));
  char buf[8] = {};
  REQUIRE(pread_exact(fd.get(), buf, 5, 3));
  CHECK(std::string(buf, 5) == "hello");
  errno = EIO;
  CHECK_FALSE(pread_exact(fd.get(), buf, 6, 3));
  CHECK(errno == 0);
  CHECK_FALSE(read_exact(-1, buf, 1));
  CHECK(errno == EBADF);
  CHECK_FALSE(write_exact(-1, buf, 1));
  CHECK(read_exact(-1, buf, 0));
}

TEST_CASE("base: exact reads put short reads together") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd out(ends[0]), in(ends[1]);
  REQUIRE(write_exact(in.get(), "ab", 2));
  char buf[4] = {};
  REQUIRE(read_exact(out.get(), buf, 1));
  REQUIRE(write_exact(in.get(), "cd", 2));
  REQUIRE(read_exact(out.get(), buf + 1, 3));
  CHECK(std::string(buf, 4) == "abcd");
}

TEST_CASE("a memory object that ends inside a page keeps its size and what lies behind its end", "[memory_object]") {
  constexpr size_t kPage = 4096, kSize = kPage + 100;
  std::string page(2 * kPage, 'x'), back(3 * kPage, '?');
  UniqueFd from(::memfd_create("from", MFD_CLOEXEC)), to(::memfd_create("to", MFD_CLOEXEC));
  REQUIRE(::ftruncate(from.get(), kSize) == 0);
  REQUIRE(::ftruncate(to.get(), kSize) == 0);
  REQUIRE(write_object(from.get(), page.data(), page.size(), 0));
  REQUIRE(read_object(from.get(), back.data(), back.size(), 0));
  CHECK(back == page + std::string(kPage, '\0'));
  REQUIRE(write_object(to.get(), back.data() + kPage, kPage, kPage));
  std::string again(2 * kPage, '?');
  REQUIRE(read_object(to.get(), again.data(), again.size(), 0));
  CHECK(again == std::string(kPage, '\0') + std::string(kPage, 'x'));
  struct stat st {};
  REQUIRE(::fstat(to.get(), &st) == 0);
  CHECK(st.st_size == kSize);
  UniqueFd none(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(write_object(none.get(), page.data(), kPage, 0));
}
