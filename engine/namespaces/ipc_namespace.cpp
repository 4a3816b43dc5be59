#include "engine/namespaces/ipc_namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/base/scanner.h"
#include "engine/descriptors/ipc_object.h"
#include "engine/descriptors/mqueue.h"
#include "ipc-msg.pb.h"
#include "ipc-sem.pb.h"
#include "ipc-var.pb.h"
#include "mountns/mount_calls.h"

namespace nsr {
namespace {

const Logger log("ipc");
constexpr int kMsgCopy = 040000;  // MSG_COPY, Linux 3.8
constexpr size_t kAlign = 8;      // payloads end at a multiple of this

size_t padding(size_t n) { return (kAlign - n % kAlign) % kAlign; }

/// Numbers of a sysctl file; empty when the kernel does not have it.
std::vector<uint64_t> read_sysctl(const char* name) {
  std::vector<uint64_t> out;
  auto text = read_file(std::string("/proc/sys/") + name);
  if (!text) return out;
  Scanner in(*text);
  while (true) {
    bool negative = in.blanks().literal("-");
    auto value = in.number();
    if (!value) return out;
    out.push_back(negative ? 0 - *value : *value);
  }
}

void write_sysctl(const char* name, const std::string& text) {
  std::string path = std::string("/proc/sys/") + name;
  if (!write_file(path, text))
    throw_errno(Failure::environment, path, "it cannot be set to \"" + text + "\" in the tree's IPC namespace", errno);
}

/// A limit with one number: where the kernel shows it and where the image holds it.
struct Limit {
  const char* sysctl;
  uint64_t (*get)(const pb::ipc_var_entry&);
  void (*set)(pb::ipc_var_entry&, uint64_t);
  bool (*has)(const pb::ipc_var_entry&);
};

#define NSR_LIMIT(path, field, presence)                                                              \
  {                                                                                                   \
    path, [](const pb::ipc_var_entry& e) { return static_cast<uint64_t>(e.field()); },                \
        [](pb::ipc_var_entry& e, uint64_t v) { e.set_##field(static_cast<decltype(e.field())>(v)); }, \
        [](const pb::ipc_var_entry& e) { return presence; }                                           \
  }
constexpr Limit kLimits[] = {
    NSR_LIMIT("kernel/msgmax", msg_ctlmax, e.has_msg_ctlmax()),
    NSR_LIMIT("kernel/msgmnb", msg_ctlmnb, e.has_msg_ctlmnb()),
    NSR_LIMIT("kernel/msgmni", msg_ctlmni, e.has_msg_ctlmni()),
    NSR_LIMIT("kernel/auto_msgmni", auto_msgmni, e.has_auto_msgmni()),
    NSR_LIMIT("kernel/shmmax", shm_ctlmax, e.has_shm_ctlmax()),
    NSR_LIMIT("kernel/shmall", shm_ctlall, e.has_shm_ctlall()),
    NSR_LIMIT("kernel/shmmni", shm_ctlmni, e.has_shm_ctlmni()),
    NSR_LIMIT("kernel/shm_rmid_forced", shm_rmid_forced, e.has_shm_rmid_forced()),
    NSR_LIMIT("fs/mqueue/queues_max", mq_queues_max, e.has_mq_queues_max()),
    NSR_LIMIT("fs/mqueue/msg_max", mq_msg_max, e.has_mq_msg_max()),
    NSR_LIMIT("fs/mqueue/msgsize_max", mq_msgsize_max, e.has_mq_msgsize_max()),
    NSR_LIMIT("fs/mqueue/msg_default", mq_msg_default, e.has_mq_msg_default()),
    NSR_LIMIT("fs/mqueue/msgsize_default", mq_msgsize_default, e.has_mq_msgsize_default()),
};
#undef NSR_LIMIT

void dump_limits(ImageDir& images, uint64_t id) {
  pb::ipc_var_entry e;
  for (uint64_t v : read_sysctl("kernel/sem")) e.add_sem_ctls(static_cast<uint32_t>(v));
  for (const Limit& limit : kLimits) {
    auto values = read_sysctl(limit.sysctl);
    limit.set(e, values.empty() ? 0 : values[0]);
  }
  images.create(Img::ipc_var, id).write(e);
}

void fill_limits(const ImageDir& images, uint64_t id) {
  auto e = images.one<pb::ipc_var_entry>(Img::ipc_var, id);
  std::string sem;
  for (uint32_t v : e.sem_ctls()) sem += (sem.empty() ? "" : " ") + std::to_string(v);
  if (!sem.empty()) write_sysctl("kernel/sem", sem);
  for (const Limit& limit : kLimits) {
    auto now = read_sysctl(limit.sysctl);
    // A limit that this kernel lacks, or that stands right already, needs no right to set it.
    if (now.empty() || !limit.has(e) || now[0] == limit.get(e)) continue;
    write_sysctl(limit.sysctl, std::to_string(limit.get(e)));
  }
}

void dump_messages(ImageWriter& out, int queue, uint32_t count, size_t largest, const std::string& object) {
  struct Message {
    long type;
    char text[];
  };
  std::vector<long> room(largest / sizeof(long) + 2);
  auto* m = reinterpret_cast<Message*>(room.data());
  for (uint32_t i = 0; i < count; i++) {
    ssize_t n = ::msgrcv(queue, m, largest, static_cast<long>(i), IPC_NOWAIT | kMsgCopy);
    if (n < 0)
      throw_errno(Failure::environment, object, format("message %u cannot be copied", i), errno,
                  errno == ENOSYS ? "a kernel with CONFIG_CHECKPOINT_RESTORE is needed" : "");
    pb::ipc_msg e;
    e.set_mtype(static_cast<uint64_t>(m->type));
    e.set_msize(static_cast<uint32_t>(n));
    out.write(e);
    std::string text(m->text, static_cast<size_t>(n));
    text.append(padding(text.size()), '\0');
    out.raw(text.data(), text.size());
  }
}

void dump_queues(ImageDir& images, uint64_t id, const UserMap& users) {
  msginfo info{};
  int last = ::msgctl(0, MSG_INFO, reinterpret_cast<msqid_ds*>(&info));
  std::optional<ImageWriter> out;
  for (int i = 0; i <= last; i++) {
    msqid_ds ds{};
    int queue = ::msgctl(i, MSG_STAT, &ds);
    if (queue < 0) continue;  // a free slot
    if (!out) out = images.create(Img::ipcns_msg, id);
    pb::ipc_msg_entry e;
    describe_ipc(ds.msg_perm, queue, users, *e.mutable_desc());
    e.set_qbytes(static_cast<uint32_t>(ds.msg_qbytes));
    e.set_qnum(static_cast<uint32_t>(ds.msg_qnum));
    out->write(e);
    dump_messages(*out, queue, e.qnum(), ds.__msg_cbytes, format("message queue %d", queue));
  }
  if (out) out->finish();
}

void fill_messages(ImageReader& in, int queue, uint32_t count, const std::string& object) {
  for (uint32_t i = 0; i < count; i++) {
    pb::ipc_msg e;
    in.one(e);
    if (e.mtype() == 0 || e.mtype() > INT64_MAX)
      throw Error(Failure::image, in.name(),
                  format("message %u has the impossible type %llu", i, static_cast<unsigned long long>(e.mtype())));
    std::string text = in.raw(e.msize());
    in.skip(padding(e.msize()));
    std::vector<long> room(text.size() / sizeof(long) + 2);
    room[0] = static_cast<long>(e.mtype());
    text.copy(reinterpret_cast<char*>(&room[1]), text.size());
    if (::msgsnd(queue, room.data(), text.size(), IPC_NOWAIT))
      throw_errno(Failure::environment, object, format("message %u cannot be put back", i), errno);
  }
}

void fill_queues(const ImageDir& images, uint64_t id, const UserMap& users) {
  auto in = images.open(Img::ipcns_msg, id);
  pb::ipc_msg_entry e;
  while (in && in->next(e)) {
    std::string object = format("message queue %u", e.desc().id());
    make_ipc(e.desc(), {"msg", ::msgget, [](int made) { ::msgctl(made, IPC_RMID, nullptr); }}, users, object);
    int queue = static_cast<int>(e.desc().id());
    msqid_ds ds{};
    ::msgctl(queue, IPC_STAT, &ds);
    ds.msg_qbytes = e.qbytes();
    own_ipc(e.desc(), users, ds.msg_perm);
    if (::msgctl(queue, IPC_SET, &ds))
      throw_errno(Failure::environment, object, "setting its size, owner and mode failed", errno);
    fill_messages(*in, queue, e.qnum(), object);
  }
}

/// The fourth argument of semctl(2).
union SemArgument {
  int value;
  semid_ds* state;
  unsigned short* values;
  seminfo* info;
};

void dump_semaphores(ImageDir& images, uint64_t id, const UserMap& users) {
  seminfo info{};
  int last = ::semctl(0, 0, SEM_INFO, SemArgument{.info = &info});
  std::optional<ImageWriter> out;
  for (int i = 0; i <= last; i++) {
    semid_ds ds{};
    int set = ::semctl(i, 0, SEM_STAT, SemArgument{.state = &ds});
    if (set < 0) continue;
    if (!out) out = images.create(Img::ipcns_sem, id);
    pb::ipc_sem_entry e;
    describe_ipc(ds.sem_perm, set, users, *e.mutable_desc());
    e.set_nsems(static_cast<uint32_t>(ds.sem_nsems));
    std::vector<unsigned short> values(e.nsems() + padding(e.nsems() * 2) / 2);
    if (::semctl(set, 0, GETALL, SemArgument{.values = values.data()}))
      throw_errno(Failure::environment, format("semaphore set %d", set), "its values cannot be read", errno);
    out->write(e);
    out->raw(values.data(), values.size() * 2);
  }
  if (out) out->finish();
}

void fill_semaphores(const ImageDir& images, uint64_t id, const UserMap& users) {
  auto in = images.open(Img::ipcns_sem, id);
  pb::ipc_sem_entry e;
  while (in && in->next(e)) {
    std::string object = format("semaphore set %u", e.desc().id());
    if (e.nsems() > in->left() / 2)
      throw Error(Failure::image, in->name(), format("%s claims %u semaphores", object.c_str(), e.nsems()));
    std::vector<unsigned short> values(e.nsems() + padding(e.nsems() * 2) / 2);
    in->raw(values.data(), values.size() * 2);
    auto get = [&](key_t key, int flags) { return ::semget(key, static_cast<int>(e.nsems()), flags); };
    make_ipc(e.desc(), {"sem", get, [](int made) { ::semctl(made, 0, IPC_RMID); }}, users, object);
    int set = static_cast<int>(e.desc().id());
    if (::semctl(set, 0, SETALL, SemArgument{.values = values.data()}))
      throw_errno(Failure::environment, object, "setting its values failed", errno);
    semid_ds ds{};
    own_ipc(e.desc(), users, ds.sem_perm);
    if (::semctl(set, 0, IPC_SET, SemArgument{.state = &ds}))
      throw_errno(Failure::environment, object, "setting its owner and mode failed", errno);
  }
}

/// POSIX message queues have no image with the peer: records of no open file in nsr-files.
void dump_posix_queues(ImageDir& images, const UserMap& users) {
  UniqueFd mount = new_mount({"mqueue", "mqueue", ""}, self_caller());
  std::unique_ptr<DIR, int (*)(DIR*)> names(::fdopendir(::openat(mount.get(), ".", O_RDONLY | O_CLOEXEC)), ::closedir);
  if (!names) throw_errno(Failure::environment, "POSIX message queues", "they cannot be listed", errno);
  while (const dirent* e = ::readdir(names.get())) {
    if (e->d_name == std::string_view(".") || e->d_name == std::string_view("..")) continue;
    const std::string object = std::string("message queue /") + e->d_name;
    UniqueFd queue(::openat(mount.get(), e->d_name, O_PATH | O_CLOEXEC));
    if (!queue) throw_errno(Failure::environment, object, "cannot be opened", errno);
    pb::nsr_file_entry record;
    record.set_id(0);
    *record.mutable_mqueue() = look_into_mqueue(queue.get(), object);
    record.mutable_mqueue()->set_name(e->d_name);
    record.mutable_mqueue()->set_uid(users.uids.inner(record.mqueue().uid()));
    record.mutable_mqueue()->set_gid(users.gids.inner(record.mqueue().gid()));
    images.append(Img::file_ext).write(record);
  }
}

void fill_posix_queues(const ImageDir& images, const UserMap& users) {
  for (const auto& record : images.all<pb::nsr_file_entry>(Img::file_ext)) {
    if (!record.has_mqueue() || record.id() != 0) continue;
    pb::nsr_mqueue_entry queue = record.mqueue();
    if (uint32_t uid = users.uids.outer(queue.uid()); uid != IdMap::kNone) queue.set_uid(uid);
    if (uint32_t gid = users.gids.outer(queue.gid()); gid != IdMap::kNone) queue.set_gid(gid);
    make_mqueue(queue, queue.name());
  }
}

}  // namespace

void dump_ipc_namespace(ImageDir& images, uint64_t id, const UserMap& users) {
  dump_limits(images, id);
  dump_queues(images, id, users);
  dump_semaphores(images, id, users);
  dump_posix_queues(images, users);
}

void fill_ipc_namespace(const ImageDir& images, uint64_t id, const UserMap& users) {
  fill_limits(images, id);
  fill_queues(images, id, users);
  fill_semaphores(images, id, users);
  fill_posix_queues(images, users);
}

}  // namespace nsr
