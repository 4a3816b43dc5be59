#include "engine/images/image_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/images/image_writer.h"
#include "inventory.pb.h"
#include "stats.pb.h"

namespace nsr {
namespace {

const Logger log("images");
const char kUnfinished[] = "inventory.img.unfinished";

mode_t own_umask() {
  mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

}  // namespace

UniqueFd create_image_file(int dir, const std::string& name, const std::string& shown) {
  static const bool narrowed = own_umask() & 0644;
  auto make = [&] { return UniqueFd(::openat(dir, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644)); };
  UniqueFd fd = make();
  if (!fd && errno == EEXIST) {
    // a new inode: a stale file of that name may be a symbolic link, or still be read by somebody
    if (::unlinkat(dir, name.c_str(), 0) != 0 && errno != ENOENT)
      throw_errno(Failure::io, shown, "a stale file cannot be removed", errno);
    fd = make();
  }
  if (!fd) throw_errno(Failure::io, shown, "cannot be created", errno, "name a writable directory with -D");
  if (narrowed) ::fchmod(fd.get(), 0644);
  return fd;
}

struct ImageDir::State {
  std::string path;
  UniqueFd fd;
  std::map<Img, ImageWriter> appended;
  std::shared_ptr<WriterLedger> ledger = std::make_shared<WriterLedger>();
  bool hold = false;  ///< a dump: small images stay in memory, making files takes time that the tasks need not wait
  std::optional<ImageLayout> layout;  ///< known once the inventory was looked at

  std::string shown(const std::string& name) const { return path + "/" + name; }
  UniqueFd open_file(const std::string& name) const;
  std::optional<pb::inventory_entry> read_inventory() const;
  ImageLayout find_layout();
  /// Makes files of all finished images that are held.
  void write_held() const;
};

void ImageDir::State::write_held() const {
  std::lock_guard lock(ledger->mutex);
  for (const WriterLedger::Held& image : ledger->held) {
    UniqueFd file = create_image_file(fd.get(), image.file, shown(image.file));
    if (!write_exact(file.get(), image.bytes.data(), image.bytes.size()))
      throw_errno(Failure::io, shown(image.file), "it cannot be written", errno, "make room on that file system");
  }
  ledger->held.clear();
}

UniqueFd ImageDir::State::open_file(const std::string& name) const {
  write_held();
  // O_NONBLOCK: a fifo of that name must not stop us
  UniqueFd file(::openat(fd.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file && errno != ENOENT) throw_errno(Failure::image, shown(name), "cannot be opened", errno);
  return file;
}

std::optional<pb::inventory_entry> ImageDir::State::read_inventory() const {
  std::string name = image_name(Img::inventory);
  UniqueFd file = open_file(name);
  if (!file) return std::nullopt;
  ImageReader reader(std::move(file), shown(name), Img::inventory);
  pb::inventory_entry inventory;
  reader.one(inventory);
  reader.end();
  return inventory;
}

ImageLayout ImageDir::State::find_layout() {
  if (!layout) {
    auto inventory = read_inventory();
    layout = inventory && inventory->img_version() == 1 ? ImageLayout::v1 : ImageLayout::v2;
  }
  return *layout;
}

ImageDir::ImageDir(const std::string& path) : s_(std::make_unique<State>()) {
  s_->path = path;
  s_->fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!s_->fd)
    throw_errno(Failure::io, "image directory " + path, "cannot be opened", errno,
                "name an existing directory with -D");
}

ImageDir::~ImageDir() = default;
ImageDir::ImageDir(ImageDir&&) noexcept = default;
ImageDir& ImageDir::operator=(ImageDir&&) noexcept = default;

const std::string& ImageDir::path() const { return s_->path; }
int ImageDir::fd() const {
  s_->write_held();  // who asks for it may look at the files
  return s_->fd.get();
}

std::vector<ImageId> ImageDir::list() const {
  std::vector<ImageId> found;
  // an own open file: fdopendir takes the descriptor and its position
  int fd = ::openat(s_->fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* dir = fd < 0 ? nullptr : ::fdopendir(fd);
  if (!dir) {
    UniqueFd closes(fd);
    throw_errno(Failure::io, s_->path, "cannot be listed", errno);
  }
  std::unique_ptr<DIR, int (*)(DIR*)> owner(dir, ::closedir);
  errno = 0;
  while (dirent* entry = ::readdir(dir)) {
    if (auto id = parse_image_name(entry->d_name)) found.push_back(*id);
    errno = 0;
  }
  if (errno) throw_errno(Failure::io, s_->path, "cannot be listed", errno);
  std::sort(found.begin(), found.end());
  return found;
}

void ImageDir::begin_dump() {
  auto remove = [this](const std::string& name) {
    if (::unlinkat(s_->fd.get(), name.c_str(), 0) == 0) return true;
    if (errno != ENOENT)
      throw_errno(Failure::io, s_->shown(name), "an image of an older dump cannot be removed", errno);
    return false;
  };
  bool was_complete = remove(image_name(Img::inventory));
  if (was_complete && ::fsync(s_->fd.get()) != 0) throw_errno(Failure::io, s_->path, "cannot be synchronised", errno);
  remove(kUnfinished);
  for (const ImageId& id : list())
    if (id.type != Img::stats && id.type != Img::irmap_cache) remove(image_name(id.type, id.number));
  s_->layout = ImageLayout::v2;
  s_->hold = true;
}

ImageWriter ImageDir::create(Img type, uint64_t number) {
  std::string name = image_name(type, number);
  UniqueFd fd = s_->hold ? UniqueFd() : create_image_file(s_->fd.get(), name, s_->shown(name));
  ImageWriter writer(std::move(fd), s_->shown(name), type);
  writer.s_->dir = s_->fd.get();
  writer.s_->file = name;
  writer.s_->ledger = s_->ledger;
  std::lock_guard lock(s_->ledger->mutex);
  s_->ledger->created.push_back(std::move(name));
  s_->ledger->open++;
  return writer;
}

ImageWriter& ImageDir::append(Img type) {
  auto at = s_->appended.find(type);
  if (at == s_->appended.end()) at = s_->appended.emplace(type, create(type)).first;
  return at->second;
}

void ImageDir::commit(const google::protobuf::MessageLite& inventory) {
  for (auto& [type, writer] : s_->appended) writer.finish();
  if (!s_->ledger->lost.empty()) throw Error(Failure::io, s_->ledger->lost, "its data could not be written");
  if (s_->ledger->open != 0)
    throw Error(Failure::internal, s_->path, format("%d images are still being written", s_->ledger->open));
  s_->write_held();
  // images before inventory: after a power failure the directory is complete or reads as incomplete
  if (::syncfs(s_->fd.get()) != 0) throw_errno(Failure::io, s_->path, "cannot be brought to disk", errno);
  s_->ledger->created.push_back(kUnfinished);
  ImageWriter writer(create_image_file(s_->fd.get(), kUnfinished, s_->shown(kUnfinished)), s_->shown(kUnfinished),
                     Img::inventory);
  writer.write(inventory);
  writer.finish();
  if (::fsync(writer.fd()) != 0) throw_errno(Failure::io, s_->shown(kUnfinished), "cannot be brought to disk", errno);
  std::string name = image_name(Img::inventory);
  if (::renameat(s_->fd.get(), kUnfinished, s_->fd.get(), name.c_str()) != 0)
    throw_errno(Failure::io, s_->shown(name), "cannot be put in place", errno);
  s_->ledger->created.back() = name;
  if (::fsync(s_->fd.get()) != 0) throw_errno(Failure::io, s_->path, "cannot be brought to disk", errno);
}

void ImageDir::discard() noexcept {
  for (auto& [type, writer] : s_->appended) writer.s_->finished = true;  // nobody wants the rest
  s_->appended.clear();
  s_->ledger->held.clear();
  // the newest first: that is the inventory if there is one
  auto& created = s_->ledger->created;
  for (auto name = created.rbegin(); name != created.rend(); ++name)
    if (::unlinkat(s_->fd.get(), name->c_str(), 0) != 0 && errno != ENOENT)
      log.warn("%s cannot be removed: errno %d", s_->shown(*name).c_str(), errno);
  created.clear();
}

pb::inventory_entry ImageDir::inventory() const {
  auto inventory = s_->read_inventory();
  if (!inventory)
    throw Error(Failure::image, s_->path, "has no inventory.img, so it holds no finished dump",
                "name the directory of a dump that succeeded with -D");
  if (inventory->img_version() != 1 && inventory->img_version() != 2)
    throw Error(
        Failure::image, s_->shown(image_name(Img::inventory)),
        format("image version %u cannot be restored", inventory->img_version()),
        inventory->img_version() == 0 ? "this is a pre-dump: name the directory of the dump that followed it" : "");
  return *inventory;
}

bool ImageDir::has(Img type, uint64_t number) const {
  s_->write_held();
  return ::faccessat(s_->fd.get(), image_name(type, number).c_str(), F_OK, 0) == 0;
}

std::optional<ImageReader> ImageDir::open(Img type, uint64_t number) const {
  std::string name = image_name(type, number);
  UniqueFd file = s_->open_file(name);
  if (!file) return std::nullopt;
  ImageLayout layout = type == Img::inventory ? ImageLayout::v2 : s_->find_layout();
  return ImageReader(std::move(file), s_->shown(name), type, layout);
}

ImageReader ImageDir::require(Img type, uint64_t number) const {
  auto reader = open(type, number);
  if (!reader)
    throw Error(Failure::image, s_->shown(image_name(type, number)), "is missing",
                "the dump is incomplete: use an undamaged copy of the directory");
  return std::move(*reader);
}

void write_stats(int work_dir_fd, bool dump, const pb::stats_entry& stats) {
  std::string name = image_name(Img::stats, dump ? kStatsDump : kStatsRestore);
  ImageWriter writer(create_image_file(work_dir_fd, name, name), name, Img::stats);
  writer.write(stats);
  writer.finish();
}

}  // namespace nsr
