#include "engine/memory/pagemap_links.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {
namespace {

const std::string kPrefix = "nsr-shared.";

void make_link(const ImageDir& images, const std::string& name, const std::string& target) {
  if (::symlinkat(target.c_str(), images.fd(), name.c_str()) != 0)
    throw_errno(Failure::io, images.path() + "/" + name, "the link cannot be made", errno);
}

/// One directory of links.
class Level {
 public:
  Level(const ImageDir& images, size_t number) : images_(images), name_(kPrefix + std::to_string(number)) {
    if (::mkdirat(images.fd(), name_.c_str(), 0755) != 0)
      throw_errno(Failure::io, images.path() + "/" + name_, "the directory cannot be made", errno);
  }
  const std::string& name() const { return name_; }
  void add(NsPid task, const StoredPagemap& other) {
    make_link(images_, name_ + "/" + pagemap(task), "../" + pagemap(other.pid));
    if (!pages_.insert(other.pages_id).second) return;
    std::string pages = image_name(Img::pages, other.pages_id);
    make_link(images_, name_ + "/" + pages, "../" + pages);
  }

 private:
  static std::string pagemap(NsPid pid) { return image_name(Img::pagemap, static_cast<uint64_t>(pid.value)); }
  const ImageDir& images_;
  std::string name_;
  std::set<uint32_t> pages_;
};

/// False when there is no such directory.
bool remove_level(const ImageDir& images, const std::string& name) {
  int inside = ::openat(images.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inside < 0) return false;
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(inside), ::closedir);
  while (dirent* entry = dir ? ::readdir(dir.get()) : nullptr)
    if (entry->d_name[0] != '.') ::unlinkat(inside, entry->d_name, 0);
  return ::unlinkat(images.fd(), name.c_str(), AT_REMOVEDIR) == 0;
}

}  // namespace

void link_pagemaps(const ImageDir& images, const std::vector<StoredPagemap>& pagemaps,
                   const std::vector<uint32_t>& common_pages) {
  std::vector<Level> levels;
  for (const StoredPagemap& task : pagemaps) {
    size_t level = 0;
    auto add = [&](const StoredPagemap& other) {
      if (level == levels.size()) levels.emplace_back(images, level + 1);
      levels[level++].add(task.pid, other);
    };
    for (size_t k : task.commons) add({common_pagemap(k), -1, common_pages.at(k)});
    for (const StoredPagemap* at = &task; at->leans;) {
      at = &pagemaps.at(static_cast<size_t>(at->parent));
      add(*at);
    }
  }
  for (size_t i = 0; i < levels.size(); i++)
    make_link(images, i ? levels[i - 1].name() + "/" + kParentLink : kParentLink, (i ? "../" : "") + levels[i].name());
}

void unlink_pagemaps(const ImageDir& images) {
  char target[64];
  ssize_t n = ::readlinkat(images.fd(), kParentLink, target, sizeof target);
  if (n > 0 && std::string_view(target, static_cast<size_t>(n)).starts_with(kPrefix))
    ::unlinkat(images.fd(), kParentLink, 0);
  for (int level = 1; remove_level(images, kPrefix + std::to_string(level));) level++;
}

}  // namespace nsr
