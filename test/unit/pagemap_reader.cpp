#include "engine/restore/pagemap_reader.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "engine/base/error.h"
#include "engine/memory/pagemap_links.h"
#include "pagemap.pb.h"
#include "test/unit/temp_dir.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint32_t kPresent = 4, kParent = 1;

struct Entry {
  uint64_t vaddr, pages;
  uint32_t flags;
};

struct Fixture {
  test::TempDir temp;
  ImageDir dir{temp.path()};
  std::vector<std::string> files;

  void write(uint64_t pid, uint32_t pages_id, const std::vector<Entry>& entries) {
    ImageWriter map = dir.create(Img::pagemap, pid);
    pb::pagemap_head head;
    head.set_pages_id(pages_id);
    map.write(head);
    for (const Entry& e : entries) {
      pb::pagemap_entry m;
      m.set_vaddr(e.vaddr);
      m.set_compat_nr_pages(static_cast<uint32_t>(e.pages));
      m.set_nr_pages(e.pages);
      m.set_flags(e.flags);
      map.write(m);
    }
    map.finish();
    dir.create(Img::pages, pages_id).finish();
  }
  std::vector<PageRun> read(int pid) { return PagemapReader(dir, files).read(NsPid(pid)); }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "pagemap: pages of ancestors are found in their images") {
  write(1, 11, {{0x10000, 8, kPresent}, {0x40000, 1, kPresent}});
  write(2, 12, {{0x10000, 2, kParent}, {0x12000, 1, kPresent}, {0x13000, 3, kParent}});
  write(3, 13, {{0x10000, 4, kParent}, {0x20000, 1, kPresent}});
  link_pagemaps(dir, {{NsPid(1), -1, 11, false}, {NsPid(2), 0, 12, true}, {NsPid(3), 1, 13, true}});

  std::vector<PageRun> runs = read(3);
  REQUIRE(runs.size() == 4);
  CHECK(runs[0].vaddr == 0x10000);
  CHECK(runs[0].bytes == 2 * kPage);
  CHECK(runs[0].file_offset == 0);
  CHECK(std::filesystem::equivalent(temp / files[runs[0].file], temp / "pages-11.img"));
  CHECK(runs[1].vaddr == 0x12000);
  CHECK(std::filesystem::equivalent(temp / files[runs[1].file], temp / "pages-12.img"));
  CHECK(runs[2].vaddr == 0x13000);
  CHECK(runs[2].bytes == kPage);
  CHECK(runs[2].file_offset == 3 * kPage);
  CHECK(files[runs[3].file] == "pages-13.img");
}

TEST_CASE_METHOD(Fixture, "pagemap: what brothers share stands in the common image, their parent has another version") {
  write(1, 11, {{0x10000, 2, kPresent}, {0x20000, 1, kPresent}});
  write(2, 12, {{0x10000, 1, kParent}, {0x11000, 1, kPresent}, {0x20000, 1, kParent}});
  write(3, 13, {{0x10000, 1, kParent}, {0x20000, 1, kParent}});
  write(4, 14, {{0x10000, 1, kParent}});
  write(static_cast<uint64_t>(common_pagemap(0).value), 15, {{0x10000, 1, kPresent}, {0x20000, 1, kParent}});
  link_pagemaps(
      dir,
      {{NsPid(1), -1, 11}, {NsPid(2), 0, 12, true, {0}}, {NsPid(3), 0, 13, true, {0}}, {NsPid(4), 1, 14, false, {0}}},
      {15});

  PagemapReader reader(dir, files);
  std::vector<PageRun> parent = reader.read(NsPid(1)), elder = reader.read(NsPid(2)), younger = reader.read(NsPid(3));
  REQUIRE(elder.size() == 3);
  CHECK(elder[0].file == younger[0].file);
  CHECK(std::filesystem::equivalent(temp / files[elder[0].file], temp / "pages-15.img"));
  CHECK(files[elder[1].file] == "pages-12.img");
  CHECK(elder[2].file == parent[1].file);
  CHECK(elder[2].file_offset == parent[1].file_offset);
  // the common image has an entry that leads on, for others
  CHECK(reader.read(NsPid(4)).at(0).file == elder[0].file);
}

TEST_CASE_METHOD(Fixture, "pagemap: one image under several names is one file") {
  write(1, 11, {{0x10000, 8, kPresent}});
  write(2, 12, {{0x10000, 8, kParent}});
  link_pagemaps(dir, {{NsPid(1), -1, 11, false}, {NsPid(2), 0, 12, true}});
  PagemapReader reader(dir, files);
  CHECK(reader.read(NsPid(1)).at(0).file == reader.read(NsPid(2)).at(0).file);
}

TEST_CASE_METHOD(Fixture, "pagemap: what no parent has, and a parent without end, are refused") {
  write(1, 11, {{0x10000, 1, kPresent}});
  write(2, 12, {{0x10000, 2, kParent}});
  CHECK_THROWS_AS(read(2), Error);  // no parent at all
  REQUIRE(::symlink(".", (temp / "parent").c_str()) == 0);
  CHECK_THROWS_AS(read(2), Error);
  REQUIRE(::unlink((temp / "parent").c_str()) == 0);
  link_pagemaps(dir, {{NsPid(1), -1, 11, false}, {NsPid(2), 0, 12, true}});
  CHECK_THROWS_AS(read(2), Error);  // it has only one of the two pages
}

TEST_CASE_METHOD(Fixture, "pagemap: links go with a failed dump, and before the next one") {
  auto names = [&] {
    size_t n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(temp.path())) n++;
    return n;
  };
  write(1, 11, {{0x10000, 1, kPresent}});
  link_pagemaps(dir, {{NsPid(1), -1, 11, false}, {NsPid(2), 0, 12, true}, {NsPid(3), 1, 13, true}});
  CHECK(names() == 5);
  unlink_pagemaps(dir);
  CHECK(names() == 2);
  link_pagemaps(dir, {{NsPid(1), -1, 11, false}, {NsPid(2), 0, 12, true}});
  unlink_pagemaps(dir);
  dir.discard();
  CHECK(names() == 0);
  REQUIRE(::symlink("elsewhere", (temp / "parent").c_str()) == 0);
  unlink_pagemaps(dir);
  CHECK(std::filesystem::is_symlink(temp / "parent"));
}

}  // namespace nsr
