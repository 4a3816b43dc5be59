#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/images/image_dir.h"
#include "engine/images/image_types.h"
#include "inventory.pb.h"
#include "pagemap.pb.h"
#include "pipe-data.pb.h"
#include "pstree.pb.h"
#include "seccomp.pb.h"
#include "stats.pb.h"
#include "test/unit/temp_dir.h"

using namespace nsr;

namespace {

std::string word(uint32_t w) { return std::string(reinterpret_cast<const char*>(&w), sizeof w); }

std::string record(const google::protobuf::MessageLite& m) {
  std::string bytes = m.SerializePartialAsString();
  return word(static_cast<uint32_t>(bytes.size())) + bytes;
}

pb::pstree_entry task(uint32_t pid) {
  pb::pstree_entry e;
  e.set_pid(pid);
  e.set_ppid(0);
  e.set_pgid(pid);
  e.set_sid(pid);
  e.add_threads(pid);
  return e;
}

const std::string kPstreeHead = word(kCommonMagic) + word(image_type(Img::pstree).magic);

struct Fixture {
  test::TempDir temp;
  ImageDir dir{temp.path()};

  void put(const std::string& name, const std::string& bytes) {
    UniqueFd fd(::open((temp / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    REQUIRE(write_exact(fd.get(), bytes.data(), bytes.size()));
  }
  std::string get(const std::string& name) { return read_file(temp / name).value_or("(none)"); }
  bool exists(const std::string& name) { return ::access((temp / name).c_str(), F_OK) == 0; }

  /// Reading all of pstree.img must fail as damaged, and the message must have this text.
  void refuses(const std::string& bytes, const std::string& text) {
    put("pstree.img", bytes);
    INFO("expecting: " << text);
    try {
      dir.all<pb::pstree_entry>(Img::pstree);
      FAIL("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == Failure::image);
      CHECK(e.object().find("pstree.img") != std::string::npos);
      CHECK_THAT(e.what(), Catch::Contains(text));
    }
  }
};

pb::inventory_entry inventory(uint32_t version) {
  pb::inventory_entry e;
  e.set_img_version(version);
  return e;
}

}  // namespace

TEST_CASE("images: names are those of the format, there and back") {
  CHECK(image_name(Img::core, 4711) == "core-4711.img");
  CHECK(image_name(Img::ghost_file, 255) == "ghost-file-ff.img");
  CHECK(image_name(Img::tcp_stream, 0xabc) == "tcp-stream-abc.img");
  CHECK(image_name(Img::shmem_pagemap, 1ull << 40) == "pagemap-shmem-1099511627776.img");
  CHECK(image_name(Img::tmpfs_dev, 42) == "tmpfs-dev-42.tar.gz.img");
  CHECK(image_name(Img::stats, kStatsDump) == "stats-dump");
  CHECK(image_name(Img::stats, kStatsRestore) == "stats-restore");
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Img::binfmt_misc_old); i++) {
    Img type = static_cast<Img>(i);
    uint64_t number = image_type(type).numbering == Numbering::none ? 0 : 1;
    std::string name = image_name(type, number);
    INFO(name);
    CHECK(names.insert(name).second);
    CHECK(parse_image_name(name) == ImageId{type, number});
  }
}

TEST_CASE("images: a name that the table would not give is no image") {
  for (const char* name : {"", "core-.img", "core-01.img", "core-1.img~", "core--1.img", "ghost-file-FF.img", "stats-",
                           "core-99999999999999999999.img", "xcore-1.img", "parent", "dump.log"}) {
    INFO(name);
    CHECK_FALSE(parse_image_name(name));
  }
}

TEST_CASE_METHOD(Fixture, "images: records come back as they were written") {
  auto writer = dir.create(Img::pstree);
  for (uint32_t pid = 1; pid <= 20000; pid++) writer.write(task(pid));  // several buffers
  writer.finish();
  auto list = dir.all<pb::pstree_entry>(Img::pstree);
  REQUIRE(list.size() == 20000);
  for (uint32_t pid = 1; pid <= 20000; pid++) REQUIRE(list[pid - 1].pid() == pid);
  CHECK(get("pstree.img").substr(0, 8) == kPstreeHead);
  struct stat st {};
  REQUIRE(::stat((temp / "pstree.img").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0644);
}

TEST_CASE_METHOD(Fixture, "images: bytes on disk are the wire format") {
  auto writer = dir.create(Img::pagemap, 7);
  pb::pagemap_head head;
  head.set_pages_id(1);
  writer.write(head);
  writer.finish();
  const unsigned char bytes[] = {0x19, 0x43, 0x56, 0x54, 0x25, 0x40, 0x08, 0x56, 2, 0, 0, 0, 0x08, 1};
  CHECK(get("pagemap-7.img") == std::string(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

TEST_CASE_METHOD(Fixture, "images: payload of any size stays behind its record") {
  std::string small(10, 'a'), large(300000, 'b');
  pb::pipe_data_entry entry;
  auto& writer = dir.append(Img::pipes_data);
  for (const std::string* payload : {&small, &large, &small}) {
    entry.set_pipe_id(1);
    entry.set_bytes(static_cast<uint32_t>(payload->size()));
    writer.write(entry);
    writer.raw(payload->data(), payload->size());
  }
  dir.commit(inventory(2));
  auto reader = dir.require(Img::pipes_data);
  for (const std::string* payload : {&small, &large, &small}) {
    reader.one(entry);
    if (payload == &large && entry.bytes() > 0) {
      uint64_t before = reader.offset();
      reader.skip(entry.bytes());
      CHECK(reader.offset() == before + large.size());
    } else {
      CHECK(reader.raw(entry.bytes()) == *payload);
    }
  }
  CHECK(reader.left() == 0);
  reader.end();
  CHECK_FALSE(reader.next(entry));
  reader = dir.require(Img::pipes_data);
  reader.one(entry);
  reader.skip(10);
  reader.one(entry);
  CHECK(reader.raw(300000) == large);
}

TEST_CASE_METHOD(Fixture, "images: a record larger than the buffer") {
  pb::seccomp_entry big;
  big.add_seccomp_filters()->set_filter(std::string(1 << 20, 'f'));
  auto writer = dir.create(Img::seccomp);
  writer.write(big);
  writer.write(pb::seccomp_entry());
  writer.finish();
  auto list = dir.all<pb::seccomp_entry>(Img::seccomp);
  REQUIRE(list.size() == 2);
  CHECK(list[0].seccomp_filters(0).filter().size() == 1 << 20);
  CHECK(list[1].seccomp_filters_size() == 0);
}

TEST_CASE_METHOD(Fixture, "images: an empty list is a header, a raw image has none") {
  dir.create(Img::pstree).finish();
  CHECK(get("pstree.img") == kPstreeHead);
  CHECK(dir.all<pb::pstree_entry>(Img::pstree).empty());
  auto pages = dir.create(Img::pages, 1);
  CHECK(pages.fd() >= 0);
  pages.raw("x", 1);
  pages.finish();
  CHECK(get("pages-1.img") == "x");
  CHECK(dir.require(Img::pages, 1).left() == 1);
}

TEST_CASE_METHOD(Fixture, "images: what is written to the descriptor goes behind what was buffered") {
  auto writer = dir.create(Img::pipes_data);
  pb::pipe_data_entry entry;
  entry.set_pipe_id(1);
  entry.set_bytes(4);
  writer.write(entry);
  REQUIRE(write_exact(writer.fd(), "data", 4));
  writer.write(entry);
  writer.raw("more", 4);
  writer.finish();
  auto reader = dir.require(Img::pipes_data);
  reader.one(entry);
  CHECK(reader.raw(4) == "data");
  reader.one(entry);
  CHECK(reader.raw(4) == "more");
}

TEST_CASE_METHOD(Fixture, "images: damaged headers are refused") {
  refuses("", "file ends");
  refuses(kPstreeHead.substr(0, 7), "file ends");
  refuses(word(kServiceMagic) + kPstreeHead.substr(4), "common magic is 0x55105940");
  refuses(word(kCommonMagic) + word(image_type(Img::mm).magic), "type magic is 0x57492820, not 0x50273030");
  refuses(word(image_type(Img::pstree).magic) + record(task(1)), "common magic");  // the old layout in a new tree
}

TEST_CASE_METHOD(Fixture, "images: damaged records are refused") {
  std::string good = kPstreeHead + record(task(1));
  refuses(good.substr(0, good.size() - 1), "the file ends after");
  refuses(good + "x", "size word");
  refuses(good + "xx", "size word");
  refuses(good + word(1), "the file ends after 0");
  refuses(good + word(0), "lacks a required field");
  refuses(kPstreeHead + word(kMaxRecord + 1), "larger than any");
  refuses(kPstreeHead + word(UINT32_MAX), "larger than any");
  refuses(kPstreeHead + word(kMaxRecord), "the file ends after 0");
  pb::pstree_entry partial;
  partial.set_pid(1);
  refuses(kPstreeHead + record(partial), "lacks a required field of nsr.pb.pstree_entry");
  refuses(kPstreeHead + word(2) + "\xff\xff", "not a well-formed");
  refuses(good + good, "");  // two files end to end
}

TEST_CASE_METHOD(Fixture, "images: every truncation of an image is refused or ends at a record") {
  std::string whole = kPstreeHead + record(task(1)) + record(task(300));
  std::set<size_t> boundaries = {8, 8 + record(task(1)).size(), whole.size()};
  for (size_t n = 0; n <= whole.size(); n++) {
    INFO(n);
    put("pstree.img", whole.substr(0, n));
    if (boundaries.count(n))
      CHECK_NOTHROW(dir.all<pb::pstree_entry>(Img::pstree));
    else
      CHECK_THROWS_AS(dir.all<pb::pstree_entry>(Img::pstree), Error);
  }
}

TEST_CASE_METHOD(Fixture, "images: the offset of the damage is told") {
  refuses(kPstreeHead + record(task(1)) + word(5),
          format("at offset %zu:", kPstreeHead.size() + record(task(1)).size() + 4));
}

TEST_CASE_METHOD(Fixture, "images: packed repeats, unknown fields and any field order are accepted") {
  std::string body = std::string("\x20\x01\x18\x01\x10\x00\x08\x05", 8);  // sid, pgid, ppid, pid
  body += std::string("\x2a\x02\x05\x06", 4);                             // threads, packed
  body += std::string("\xf8\x07\x01", 3);                                 // field 127, unknown
  put("pstree.img", kPstreeHead + word(static_cast<uint32_t>(body.size())) + body);
  auto e = dir.one<pb::pstree_entry>(Img::pstree);
  CHECK(e.pid() == 5);
  REQUIRE(e.threads_size() == 2);
  CHECK(e.threads(1) == 6);
}

TEST_CASE_METHOD(Fixture, "images: one record means one") {
  put("pstree.img", kPstreeHead);
  CHECK_THROWS_WITH(dir.one<pb::pstree_entry>(Img::pstree), Catch::Contains("is missing"));
  put("pstree.img", kPstreeHead + record(task(1)) + record(task(2)));
  CHECK_THROWS_WITH(dir.one<pb::pstree_entry>(Img::pstree), Catch::Contains("too many"));
}

TEST_CASE_METHOD(Fixture, "images: payload is bounded by the file") {
  pb::pipe_data_entry entry;
  entry.set_pipe_id(1);
  entry.set_bytes(UINT32_MAX);
  put("pipes-data.img", word(kCommonMagic) + word(image_type(Img::pipes_data).magic) + record(entry) + "abc");
  auto reader = dir.require(Img::pipes_data);
  reader.one(entry);
  CHECK_THROWS_WITH(reader.raw(entry.bytes()), Catch::Contains("file ends after 3"));
  CHECK_THROWS_WITH(reader.raw(SIZE_MAX), Catch::Contains("file ends after 3"));
  CHECK_THROWS_WITH(reader.skip(UINT64_MAX), Catch::Contains("file ends after 3"));
  char four[4];
  CHECK_THROWS_WITH(reader.raw(four, sizeof four), Catch::Contains("file ends after 3"));
  CHECK(reader.raw(3) == "abc");
}

TEST_CASE_METHOD(Fixture, "images: only regular files are images, and a fifo does not stop us") {
  REQUIRE(::mkfifo((temp / "pstree.img").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(dir.open(Img::pstree), Catch::Contains("not a regular file"));
  REQUIRE(::mkdir((temp / "files.img").c_str(), 0700) == 0);
  CHECK_THROWS_AS(dir.open(Img::files), Error);
}

TEST_CASE_METHOD(Fixture, "images: layout version 1 has one word less in every framed file") {
  put("inventory.img", word(kInventoryMagic) + record(inventory(1)));
  put("pstree.img", word(image_type(Img::pstree).magic) + record(task(1)));
  CHECK(dir.inventory().img_version() == 1);
  CHECK(dir.one<pb::pstree_entry>(Img::pstree).pid() == 1);
  refuses(kPstreeHead + record(task(1)), "type magic is 0x54564319");  // the new layout in an old tree
}

TEST_CASE_METHOD(Fixture, "images: a missing file is an empty list, nothing, or an error") {
  CHECK_FALSE(dir.has(Img::pstree));
  CHECK_FALSE(dir.open(Img::pstree));
  CHECK(dir.all<pb::pstree_entry>(Img::pstree).empty());
  CHECK_THROWS_WITH(dir.require(Img::pstree), Catch::Contains("pstree.img: is missing"));
}

TEST_CASE_METHOD(Fixture, "images: no inventory, no dump") {
  CHECK_THROWS_WITH(dir.inventory(), Catch::Contains("no finished dump"));
  put("inventory.img", word(kInventoryMagic) + record(inventory(0)));
  CHECK_THROWS_WITH(dir.inventory(), Catch::Contains("pre-dump"));
  put("inventory.img", word(kInventoryMagic) + record(inventory(3)));
  CHECK_THROWS_WITH(dir.inventory(), Catch::Contains("version 3"));
  put("inventory.img", word(kCommonMagic) + word(kInventoryMagic) + record(inventory(2)));
  CHECK_THROWS_AS(dir.inventory(), Error);
}

TEST_CASE_METHOD(Fixture, "images: the inventory appears at commit and not before") {
  put("inventory.img", word(kInventoryMagic) + record(inventory(2)));
  put("core-1.img", "stale");
  put("dump.log", "kept");
  put("stats-restore", "kept");
  dir.begin_dump();
  CHECK_FALSE(exists("inventory.img"));
  CHECK_FALSE(exists("core-1.img"));
  CHECK(exists("dump.log"));
  CHECK(exists("stats-restore"));
  auto writer = dir.create(Img::pstree);
  writer.write(task(1));
  dir.append(Img::seccomp).write(pb::seccomp_entry());
  CHECK_FALSE(exists("inventory.img"));
  CHECK_THROWS_WITH(dir.commit(inventory(2)), Catch::Contains("still being written"));
  CHECK_FALSE(exists("inventory.img"));
  writer.finish();
  dir.commit(inventory(2));
  CHECK(get("inventory.img") == word(kInventoryMagic) + record(inventory(2)));
  CHECK(dir.inventory().img_version() == 2);
  CHECK(dir.all<pb::seccomp_entry>(Img::seccomp).size() == 1);
  CHECK_FALSE(exists("inventory.img.unfinished"));
}

TEST_CASE_METHOD(Fixture, "images: data that could not be written keeps the dump from being complete") {
  {
    auto writer = dir.create(Img::pstree);
    UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    REQUIRE(::dup3(full.get(), writer.fd(), O_CLOEXEC) >= 0);
    writer.write(task(1));
  }  // its destructor can only log
  CHECK_THROWS_WITH(dir.commit(inventory(2)), Catch::Contains("pstree.img"));
  CHECK_FALSE(exists("inventory.img"));
}

TEST_CASE("images: a full disk is an i/o error that names the file") {
  ImageWriter writer(UniqueFd(::open("/dev/full", O_WRONLY | O_CLOEXEC)), "some.img", Img::pstree);
  writer.write(task(1));
  try {
    writer.finish();
    FAIL("written");
  } catch (const Error& e) {
    CHECK(e.code() == Failure::io);
    CHECK(e.object() == "some.img");
    CHECK_FALSE(e.remedy().empty());
  }
}

TEST_CASE_METHOD(Fixture, "images: a record without its required fields is a bug of the writer") {
  auto writer = dir.create(Img::pstree);
  CHECK_THROWS_WITH(writer.write(pb::pstree_entry()), Catch::Contains("required field of nsr.pb.pstree_entry"));
}

TEST_CASE_METHOD(Fixture, "images: a discarded dump leaves nothing of its own") {
  put("dump.log", "kept");
  dir.create(Img::core, 5).finish();
  dir.append(Img::files);
  dir.create(Img::pages, 1).raw("x", 1);
  dir.commit(inventory(2));
  dir.discard();
  CHECK(dir.list().empty());
  CHECK(exists("dump.log"));
}

TEST_CASE_METHOD(Fixture, "images: a stale file is replaced, not written through") {
  put("elsewhere", "precious");
  REQUIRE(::symlink("elsewhere", (temp / "pstree.img").c_str()) == 0);
  dir.create(Img::pstree).finish();
  CHECK(get("elsewhere") == "precious");
  CHECK(get("pstree.img") == kPstreeHead);
}

TEST_CASE_METHOD(Fixture, "images: list tells what is there") {
  dir.create(Img::core, 20).finish();
  dir.create(Img::core, 3).finish();
  dir.create(Img::pstree).finish();
  put("dump.log", "");
  CHECK(dir.list() == std::vector<ImageId>{{Img::pstree, 0}, {Img::core, 3}, {Img::core, 20}});
}

TEST_CASE_METHOD(Fixture, "images: statistics go to the work directory with the service magic") {
  pb::stats_entry stats;
  auto* d = stats.mutable_dump();
  d->set_freezing_time(1);
  d->set_frozen_time(2);
  d->set_memdump_time(3);
  d->set_memwrite_time(4);
  d->set_pages_scanned(5);
  d->set_pages_skipped_parent(6);
  d->set_pages_written(7);
  d->set_pages_lazy(0);
  write_stats(dir.fd(), true, stats);
  CHECK(get("stats-dump") == word(kServiceMagic) + word(0x57093306) + record(stats));
  CHECK(dir.one<pb::stats_entry>(Img::stats, kStatsDump).dump().pages_written() == 7);
}

TEST_CASE("images: a directory that is not there is an error with a remedy") {
  try {
    ImageDir dir("/proc/self/no-such-directory");
    FAIL("opened");
  } catch (const Error& e) {
    CHECK(e.code() == Failure::io);
    CHECK_FALSE(e.remedy().empty());
  }
}
