#include <catch2/catch.hpp>

#include "engine/base/error.h"
#include "engine/procfs/maps.h"
#include "engine/procfs/smaps.h"
#include "test/unit/samples_maps.h"

using namespace nsr;
using namespace nsr::procfs;

TEST_CASE("procfs maps: a captured file") {
  std::vector<MapsEntry> vmas = parse_maps(samples::maps);
  REQUIRE(vmas.size() == 26);
  CHECK(vmas[1].start == 0x55f57f418000);
  CHECK(vmas[1].length() == 0x2000);
  CHECK(vmas[1].prot == (PROT_READ | PROT_EXEC));
  CHECK_FALSE(vmas[1].shared);
  CHECK(vmas[1].offset == 0x2000);
  CHECK(vmas[1].dev_major == 0xfe);
  CHECK(vmas[1].inode == 10953025);
  CHECK(vmas[1].name == "/tmp/pf/cap");
  CHECK(naming(vmas[1]) == VmaNaming::path);
  CHECK(naming(vmas[5]) == VmaNaming::heap);
  CHECK(naming(vmas[6]) == VmaNaming::none);
  CHECK(naming(vmas[11]) == VmaNaming::anon_inode);
  CHECK(naming(vmas[12]) == VmaNaming::memfd);
  CHECK(given_name(vmas[12]) == "x y");
  CHECK(naming(vmas[13]) == VmaNaming::sysv_shm);
  CHECK(naming(vmas[14]) == VmaNaming::dev_zero);
  CHECK(vmas[15].prot == PROT_NONE);
  CHECK(vmas[15].shared);
  CHECK(vmas[18].name == "/tmp/pf/d/gone (deleted)");
  CHECK(vmas[19].name == "/tmp/pf/d/sp ace\nnl (x)");
  CHECK(naming(vmas[21]) == VmaNaming::vvar);
  CHECK(naming(vmas[22]) == VmaNaming::vvar);
  CHECK(naming(vmas[23]) == VmaNaming::vdso);
  CHECK(naming(vmas[24]) == VmaNaming::stack);
  CHECK(naming(vmas[25]) == VmaNaming::vsyscall);
  CHECK(vmas[25].prot == PROT_EXEC);
}

TEST_CASE("procfs maps: names given by the task and unknown brackets") {
  MapsEntry anon = parse_maps_line("7f0000000000-7f0000001000 rw-p 00000000 00:00 0   [anon:my name: a]");
  CHECK(naming(anon) == VmaNaming::anon);
  CHECK(given_name(anon) == "my name: a");
  MapsEntry shmem = parse_maps_line("7f0000000000-7f0000001000 rw-s 00000000 00:01 77 [anon_shmem:x]");
  CHECK(naming(shmem) == VmaNaming::anon_shmem);
  CHECK(given_name(shmem) == "x");
  CHECK(naming(parse_maps_line("7f0000000000-7f0000001000 r-xp 00000000 00:00 0 [uprobes]")) == VmaNaming::special);
  CHECK(parse_maps_line("1000-2000 rw-p 00000000 103:1f4240 18446744073709551615").dev_minor == 0x1f4240);
}

TEST_CASE("procfs maps: refuses what the kernel never prints") {
  for (const char* line :
       {"", "1000", "1000-", "2000-1000 rw-p 0 0:0 0", "1000-1000 rw-p 0 0:0 0", "1000-2000 rw-q 0 0:0 0",
        "1000-2000 rwzp 0 0:0 0", "1000-2000 rw- 0 0:0 0", "1000-2000 rw-p 0 0 0", "1000-2000 rw-p 0 0:0",
        "1000-2000 rw-p 0 0:0 0x", "1000-10000000000000000 rw-p 0 0:0 0", "-1000-2000 rw-p 0 0:0 0"}) {
    INFO(line);
    CHECK_THROWS_AS(parse_maps_line(line), Error);
  }
  CHECK_THROWS_AS(parse_maps("1000-2000 rw-p 0 0:0 0"), Error);
  CHECK_THROWS_AS(parse_maps("1000-3000 rw-p 0 0:0 0\n2000-4000 rw-p 0 0:0 0\n"), Error);
  CHECK(parse_maps("").empty());
  try {
    parse_maps("1000-2000 rw-p 0 0:0 0\n2000-3000 what\n");
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.code() == Failure::environment);
    CHECK(std::string(e.what()).find("maps") != std::string::npos);
    CHECK(std::string(e.what()).find("2000-3000 what") != std::string::npos);
  }
}

TEST_CASE("procfs smaps: a captured file") {
  std::vector<SmapsEntry> entries = parse_smaps(samples::smaps);
  REQUIRE(entries.size() == 15);
  CHECK(entries[0].size == 8192);
  CHECK(entries[0].rss == 8192);
  CHECK(entries[0].private_dirty == 8192);
  CHECK(entries[0].kernel_page_size == 4096);
  CHECK(vm_flags_text(entries[0].flags) == "rd mr mw me");
  CHECK(entries[4].has(VmFlag::um));
  CHECK(entries[5].has(VmFlag::mm));
  CHECK(entries[10].has(VmFlag::lo));
  CHECK(entries[10].locked == 4096);
  CHECK(entries[11].has(VmFlag::pf));
  CHECK(entries[13].has(VmFlag::gd));
  CHECK(entries[13].vma.name == "[stack]");
  for (const SmapsEntry& e : entries) {
    CHECK(e.size == e.vma.length());
    CHECK(e.unknown_flags.empty());
    CHECK_FALSE(e.protection_key);
  }
}

TEST_CASE("procfs smaps: without sizes") {
  std::vector<SmapsEntry> all = parse_smaps(samples::smaps), some = parse_smaps(samples::smaps, SmapsFields::mapping);
  REQUIRE(some.size() == all.size());
  for (size_t i = 0; i < all.size(); i++) {
    CHECK(some[i].vma == all[i].vma);
    CHECK(some[i].flags == all[i].flags);
    CHECK(some[i].kernel_page_size == all[i].kernel_page_size);
    CHECK(some[i].rss == 0);
  }
}

TEST_CASE("procfs smaps: protection key, codes of other kernels, damage") {
  const std::string head = "1000-2000 rw-p 00000000 00:00 0 \nSize: 4 kB\n";
  std::vector<SmapsEntry> entries =
      parse_smaps(head + "THPeligible:    0\nProtectionKey:         3\nVmFlags: rd wr nh zz ss sl lf dp gu yy \n");
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].protection_key == 3);
  CHECK(entries[0].unknown_flags == "zz yy");
  CHECK(vm_flags_text(entries[0].flags) == "rd wr nh ss sl lf dp gu");
  CHECK_THROWS_AS(parse_smaps(head), Error);
  CHECK_THROWS_AS(parse_smaps(head + "2000-3000 rw-p 00000000 00:00 0 \n"), Error);
  CHECK_THROWS_AS(parse_smaps("Size: 4 kB\n"), Error);
  CHECK_THROWS_AS(parse_smaps("1000-2000 rw-p 00000000 00:00 0 \nSize: x kB\nVmFlags: rd\n"), Error);
  CHECK_THROWS_AS(parse_smaps("1000-2000 rw-p 00000000 00:00 0 \nRss: 18446744073709551615 kB\nVmFlags: rd\n"), Error);
  for (const char* code : {"rd", "wr", "gd", "lo", "dc", "ac", "ht", "um", "mp"}) CHECK(vm_flag(code));
  CHECK_FALSE(vm_flag(""));
}
