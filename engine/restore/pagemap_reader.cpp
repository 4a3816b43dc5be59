#include "engine/restore/pagemap_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "engine/base/error.h"
#include "engine/memory/pagemap_links.h"
#include "pagemap.pb.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kTaskSize = 0x7ffffffff000;
constexpr uint32_t kPeParent = 1, kPePresent = 4;
constexpr size_t kMostLevels = 1000;  // a `parent` that leads back here has no end

[[noreturn]] void bad(const std::string& object, const std::string& cause) {
  throw Error(Failure::image, object, cause, "the images are damaged or mixed up: dump the tree again");
}

uint64_t number(NsPid pid) { return static_cast<uint64_t>(pid.value); }

/// Appends what runs (ascending) have of [start, end); false when something is missing. k: where to look first.
bool take(const std::vector<PageRun>& runs, uint64_t start, uint64_t end, size_t& k, std::vector<PageRun>& out) {
  while (k < runs.size() && runs[k].vaddr + runs[k].bytes <= start) k++;
  uint64_t found = start;  // all up to here
  for (size_t i = k; i < runs.size() && runs[i].vaddr < end; i++) {
    const uint64_t from = std::max(runs[i].vaddr, start), to = std::min(runs[i].vaddr + runs[i].bytes, end);
    out.push_back({from, to - from, runs[i].file_offset + (from - runs[i].vaddr), runs[i].file});
    if (from == found) found = to;
  }
  return found == end;
}

}  // namespace

std::vector<PageRun> PagemapReader::read(NsPid pid) { return read_level(pid, 0); }

std::vector<PageRun> PagemapReader::read_level(NsPid pid, size_t level) {
  ImageReader reader = directory(level).require(Img::pagemap, number(pid));
  pb::pagemap_head head;
  if (!reader.next(head)) bad(reader.name(), "it is empty");
  size_t file = file_of(level, head.pages_id());
  std::optional<std::vector<PageRun>> parents;
  std::vector<PageRun> out;
  pb::pagemap_entry e;
  uint64_t offset = 0, last = 0;
  size_t hint = 0;
  while (reader.next(e)) {
    uint64_t n = e.has_nr_pages() ? e.nr_pages() : e.compat_nr_pages();
    uint32_t flags = e.has_flags() ? e.flags() : kPePresent;
    if (e.in_parent()) flags = kPeParent;
    if (e.vaddr() % kPage || e.vaddr() < last || n > kTaskSize / kPage)
      bad(reader.name(), format("entry at %llx is impossible", static_cast<unsigned long long>(e.vaddr())));
    last = e.vaddr() + n * kPage;
    if ((flags & kPeParent) && n > 0) {
      if (!parents) parents = read_below(pid, level);
      // a parent directory need have only what this task looks for in it
      if (!take(*parents, e.vaddr(), last, hint, out) && level == 0)
        bad(reader.name(),
            format("the pages at %llx are not in the parent dump", static_cast<unsigned long long>(e.vaddr())));
    } else if ((flags & kPePresent) && n > 0) {
      out.push_back({e.vaddr(), n * kPage, offset, file});
      offset += n * kPage;
    }
  }
  return out;
}

std::vector<PageRun> PagemapReader::read_below(NsPid pid, size_t level) {
  if (level > 0) {
    const std::string next = format("%s/%s", kParentLink, image_name(Img::pagemap, number(pid)).c_str());
    if (::faccessat(directory(level).fd(), next.c_str(), F_OK, 0) != 0) return {};
  }
  return read_level(pid, level + 1);
}

const ImageDir& PagemapReader::directory(size_t level) {
  if (level == 0) return dir_;
  if (level > kMostLevels) bad(dir_.path(), "its parent directories have no end");
  while (parents_.size() < level) {
    int below = parents_.empty() ? dir_.fd() : parents_.back().fd();
    // below a descriptor: the directory may have been named relative to another one than the current
    std::string path = format("/proc/self/fd/%d/%s", below, kParentLink);
    if (::faccessat(below, kParentLink, F_OK, 0) != 0)
      throw_errno(Failure::image, dir_.path(), "the directory of the parent dump cannot be opened", errno,
                  "this dump has only what changed since that one: bring it to its place");
    parents_.emplace_back(path);
  }
  return parents_[level - 1];
}

size_t PagemapReader::file_of(size_t level, uint32_t pages_id) {
  std::string path;
  for (size_t i = 0; i < level; i++) path += std::string(kParentLink) + "/";
  path += image_name(Img::pages, pages_id);
  auto [named, fresh] = by_path_.try_emplace(path, files_.size());
  if (!fresh) return named->second;
  struct stat st {};
  if (::fstatat(dir_.fd(), path.c_str(), &st, 0) == 0)
    named->second = by_inode_.try_emplace({st.st_dev, st.st_ino}, files_.size()).first->second;
  if (named->second == files_.size()) files_.push_back(path);
  return named->second;
}

}  // namespace nsr
