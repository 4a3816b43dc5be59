// BPF maps (bpf(2)) of the kinds array and hash, contents included. Others hold kernel objects or per-CPU state.
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "bpfmap-data.pb.h"
#include "engine/base/error.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/images/image_dir.h"
#include "engine/procfs/fdinfo.h"

namespace nsr {
namespace {

constexpr uint32_t kMostBytes = 1u << 30;

long bpf(int command, bpf_attr& attr) { return ::syscall(SYS_bpf, command, &attr, sizeof attr); }

uint64_t address(const void* p) { return reinterpret_cast<uint64_t>(p); }

struct Content {
  std::string keys, values;
  uint32_t count = 0;
};

Content read_map(int fd, const pb::bpfmap_file_entry& e, const OpenFile& file) {
  Content c;
  std::string key(e.key_size(), '\0'), next(e.key_size(), '\0'), value(e.value_size(), '\0');
  for (bool first = true;; first = false) {
    bpf_attr attr{};
    attr.map_fd = static_cast<uint32_t>(fd);
    attr.key = first ? 0 : address(key.data());
    attr.next_key = address(next.data());
    if (bpf(BPF_MAP_GET_NEXT_KEY, attr) != 0) {
      if (errno == ENOENT) return c;
      throw_errno(Failure::unsupported, file.describe(), "its keys cannot be read", errno);
    }
    key = next;
    bpf_attr look{};
    look.map_fd = static_cast<uint32_t>(fd);
    look.key = address(key.data());
    look.value = address(value.data());
    if (bpf(BPF_MAP_LOOKUP_ELEM, look) != 0) {
      if (errno == ENOENT) continue;  // a program removed it meanwhile
      throw_errno(Failure::unsupported, file.describe(), "its values cannot be read", errno);
    }
    c.keys += key;
    c.values += value;
    ++c.count;
  }
}

class BpfMap final : public Kind {
 public:
  const char* name() const override { return "BPF map"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, "bpf-map"); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    procfs::BpfMapInfo info = procfs::parse_bpf_map(file.fdinfo);
    if (info.type != BPF_MAP_TYPE_HASH && info.type != BPF_MAP_TYPE_ARRAY)
      throw Error(Failure::unsupported, file.describe(),
                  format("it is a BPF map of type %u; only arrays and hashes can be kept", info.type));
    UniqueFd fd = ctx.borrow(file);
    bpf_map_info kernel{};
    bpf_attr attr{};
    attr.info.bpf_fd = static_cast<uint32_t>(fd.get());
    attr.info.info_len = sizeof kernel;
    attr.info.info = address(&kernel);
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, attr) != 0)
      throw_errno(Failure::unsupported, file.describe(), "its description cannot be read", errno);
    entry.set_type(pb::BPFMAP);
    pb::bpfmap_file_entry& e = *entry.mutable_bpf();
    e.set_id(entry.id());
    e.set_flags(file.flags);
    e.set_pos(file.pos);
    *e.mutable_fown() = ctx.owner_of(fd.get());
    e.set_map_type(info.type);
    e.set_key_size(info.key_size);
    e.set_value_size(info.value_size);
    e.set_map_id(info.id);
    e.set_max_entries(info.max_entries);
    e.set_map_flags(info.flags);
    e.set_memlock(info.memlock);
    e.set_frozen(info.frozen);
    e.set_map_name(std::string(kernel.name, strnlen(kernel.name, sizeof kernel.name)));
    e.set_ifindex(kernel.ifindex);
    if (info.extra != 0) e.set_map_extra(info.extra);
    if (dumped_.insert(info.id).second) dump_content(fd.get(), e, file, ctx);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::BPFMAP && entry.has_bpf(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("BPF map %s, type %u, up to %u entries", entry.bpf().map_name().c_str(), entry.bpf().map_type(),
                  entry.bpf().max_entries());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::bpfmap_file_entry& e = entry.bpf();
    std::string object = image_object(name(), entry.id());
    UniqueFd& map = maps_[e.map_id()];
    if (!map) map = make_map(e, object, ctx);
    ctx.provide(entry.id(), another_view(map.get(), e, object));
  }
  void finish_restore(RestoreContext&) override { maps_.clear(); }

 private:
  static void dump_content(int fd, const pb::bpfmap_file_entry& e, const OpenFile& file, DumpContext& ctx) {
    Content c = read_map(fd, e, file);
    if (c.keys.size() > kMostBytes || c.values.size() > kMostBytes)
      throw Error(Failure::unsupported, file.describe(), "its content is more than 1 GiB");
    pb::bpfmap_data_entry data;
    data.set_map_id(e.map_id());
    data.set_keys_bytes(static_cast<uint32_t>(c.keys.size()));
    data.set_values_bytes(static_cast<uint32_t>(c.values.size()));
    data.set_count(c.count);
    ImageWriter& out = ctx.images().append(Img::bpfmap_data);
    out.write(data);
    out.raw(c.keys.data(), c.keys.size());
    out.raw(c.values.data(), c.values.size());
  }

  void read_contents(RestoreContext& ctx) {
    read_ = true;
    auto in = ctx.images().open(Img::bpfmap_data);
    if (!in) return;
    pb::bpfmap_data_entry data;
    while (in->next(data)) {
      if (uint64_t{data.keys_bytes()} + data.values_bytes() > in->left())
        throw Error(Failure::image, in->name(), format("ends in the middle of map %u", data.map_id()));
      Content c;
      c.keys = in->raw(data.keys_bytes());
      c.values = in->raw(data.values_bytes());
      c.count = data.count();
      contents_[data.map_id()] = std::move(c);
    }
  }

  UniqueFd make_map(const pb::bpfmap_file_entry& e, const std::string& object, RestoreContext& ctx) {
    if (!read_) read_contents(ctx);
    bpf_attr attr{};
    attr.map_type = e.map_type();
    attr.key_size = e.key_size();
    attr.value_size = e.value_size();
    attr.max_entries = e.max_entries();
    // what the descriptor may do is said at creation; contents have to be written first
    attr.map_flags = e.map_flags() & ~static_cast<uint32_t>(BPF_F_RDONLY | BPF_F_WRONLY);
    attr.map_ifindex = e.ifindex();
    attr.map_extra = e.map_extra();
    std::memcpy(attr.map_name, e.map_name().data(), std::min(e.map_name().size(), sizeof attr.map_name - 1));
    UniqueFd map(static_cast<int>(bpf(BPF_MAP_CREATE, attr)));
    if (!map) throw_errno(Failure::environment, object, "the map cannot be made", errno);
    fill(map.get(), e, object);
    if (e.frozen()) {
      bpf_attr freeze{};
      freeze.map_fd = static_cast<uint32_t>(map.get());
      if (bpf(BPF_MAP_FREEZE, freeze) != 0)
        throw_errno(Failure::environment, object, "the map cannot be frozen", errno);
    }
    return map;
  }

  void fill(int map, const pb::bpfmap_file_entry& e, const std::string& object) {
    const Content& c = contents_[e.map_id()];
    if (c.keys.size() != uint64_t{c.count} * e.key_size() || c.values.size() != uint64_t{c.count} * e.value_size())
      throw Error(Failure::image, object, "the content of the map does not fit its key and value sizes");
    for (uint32_t i = 0; i < c.count; ++i) {
      bpf_attr attr{};
      attr.map_fd = static_cast<uint32_t>(map);
      attr.key = address(c.keys.data() + uint64_t{i} * e.key_size());
      attr.value = address(c.values.data() + uint64_t{i} * e.value_size());
      if (bpf(BPF_MAP_UPDATE_ELEM, attr) != 0)
        throw_errno(Failure::environment, object, format("entry %u of the map cannot be set", i), errno);
    }
  }

  /// A description of its own, read-only or write-only where the original one was.
  static UniqueFd another_view(int map, const pb::bpfmap_file_entry& e, const std::string& object) {
    bpf_map_info kernel{};
    bpf_attr attr{};
    attr.info.bpf_fd = static_cast<uint32_t>(map);
    attr.info.info_len = sizeof kernel;
    attr.info.info = address(&kernel);
    if (bpf(BPF_OBJ_GET_INFO_BY_FD, attr) != 0)
      throw_errno(Failure::environment, object, "the description of the map cannot be read", errno);
    bpf_attr get{};
    get.map_id = kernel.id;
    uint32_t mode = e.flags() & O_ACCMODE;
    get.open_flags = mode == O_RDONLY ? BPF_F_RDONLY : mode == O_WRONLY ? BPF_F_WRONLY : 0;
    UniqueFd fd(static_cast<int>(bpf(BPF_MAP_GET_FD_BY_ID, get)));
    if (!fd) throw_errno(Failure::environment, object, "the map cannot be opened again", errno);
    return fd;
  }

  std::set<uint32_t> dumped_;
  bool read_ = false;
  std::map<uint32_t, Content> contents_;
  std::map<uint32_t, UniqueFd> maps_;
};

}  // namespace

std::unique_ptr<Kind> make_bpf_map_kind() { return std::make_unique<BpfMap>(); }

}  // namespace nsr
