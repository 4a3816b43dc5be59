#include "engine/restore/image_set.h"

#include <set>

#include "engine/base/error.h"
#include "engine/base/side_work.h"
#include "engine/memory/aio_ring.h"
#include "engine/process/seccomp.h"
#include "engine/restore/pagemap_reader.h"

namespace nsr {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kTaskSize = 0x7ffffffff000;
constexpr uint32_t kDead = 2;

[[noreturn]] void bad(const std::string& object, const std::string& cause) {
  throw Error(Failure::image, object, cause, "the images are damaged or mixed up: dump the tree again");
}

void check_inventory(const pb::inventory_entry& inv) {
  if (inv.img_version() != 1 && inv.img_version() != 2)
    bad("inventory.img", format("image version %u is unknown (1 and 2 are)", inv.img_version()));
  if (!inv.fdinfo_per_id()) bad("inventory.img", "it is of a version too old to be read");
  if (!inv.has_root_ids()) bad("inventory.img", "root_ids is missing");
}

void check_vmas(const ImageTask& t) {
  uint64_t last = 0;
  for (const pb::vma_entry& v : t.mm.vmas()) {
    bool vsyscall = v.status() & (1 << 2);
    if (v.start() >= v.end() || v.start() % kPage || v.end() % kPage || v.start() < last ||
        (!vsyscall && v.end() > kTaskSize))
      bad(t.object(), format("mapping %llx-%llx in its mm image is impossible",
                             static_cast<unsigned long long>(v.start()), static_cast<unsigned long long>(v.end())));
    last = v.end();
  }
  if (t.mm_ext.vmas_size() && t.mm_ext.vmas_size() != t.mm.vmas_size())
    bad(t.object(), "nsr-mm does not match its mm image");
  for (int i = 0; i < t.mm_ext.vmas_size(); i++)
    if (t.mm_ext.vmas(i).start() != t.mm.vmas(i).start()) bad(t.object(), "nsr-mm does not match its mm image");
  for (auto* list : {&t.mm_ext.huge(), &t.mm_ext.guards()}) {
    last = 0;
    for (const pb::nsr_range& r : *list) {
      if (r.start() >= r.end() || r.start() % kPage || r.end() % kPage || r.start() < last || r.end() > kTaskSize)
        bad(t.object(), format("range %llx-%llx in nsr-mm is impossible", static_cast<unsigned long long>(r.start()),
                               static_cast<unsigned long long>(r.end())));
      last = r.end();
    }
  }
  last = 0;
  for (const pb::nsr_common_pages& r : t.mm_ext.common()) {
    if (r.start() >= r.end() || r.start() % kPage || r.end() % kPage || r.start() < last || r.end() > kTaskSize)
      bad(t.object(), "a range of common pages in nsr-mm is impossible");
    last = r.end();
  }
}

void check_aios(const ImageTask& t) {
  for (const auto& a : t.mm.aios())
    for (const auto& c : t.mm_ext.aios())
      if (c.id() == a.id()) check_aio_ring(a, c, t.object());
}

/// The mapping that holds all of [start, end), perhaps several adjacent ones.
bool covered(const pb::mm_entry& mm, uint64_t start, uint64_t end, int& hint) {
  while (hint < mm.vmas_size() && mm.vmas(hint).end() <= start) hint++;
  int i = hint;
  for (uint64_t at = start; at < end; i++) {
    if (i >= mm.vmas_size() || mm.vmas(i).start() > at) return false;
    at = mm.vmas(i).end();
  }
  return true;
}

void load_pages(PagemapReader& reader, ImageTask& t) {
  t.pages = reader.read(t.pid);
  int hint = 0;
  for (const PageRun& r : t.pages)
    if (!covered(t.mm, r.vaddr, r.vaddr + r.bytes, hint))
      bad(image_name(Img::pagemap, static_cast<uint64_t>(t.pid.value)),
          format("pages at %llx lie outside every mapping", static_cast<unsigned long long>(r.vaddr)));
}

ImageTask load_task(const ImageDir& dir, PagemapReader& pagemaps, const pb::pstree_entry& p) {
  ImageTask t;
  t.pid = NsPid(static_cast<int32_t>(p.pid()));
  t.ppid = NsPid(static_cast<int32_t>(p.ppid()));
  t.pgid = NsPid(static_cast<int32_t>(p.pgid()));
  t.sid = NsPid(static_cast<int32_t>(p.sid()));
  uint64_t n = p.pid();
  ImageThread leader;
  leader.tid = t.pid;
  leader.core = dir.one<pb::core_entry>(Img::core, n);
  if (!leader.core.has_tc()) bad(image_name(Img::core, n), "the task part is missing");
  t.zombie = leader.core.tc().task_state() == kDead;
  t.threads.push_back(std::move(leader));
  if (dir.has(Img::task_ext, n)) t.ext = dir.one<pb::nsr_task_entry>(Img::task_ext, n);
  if (t.zombie) return t;
  if (p.threads_size() == 0 || p.threads(0) != p.pid())
    bad("pstree.img", format("pid %u: its first thread is not itself", p.pid()));
  t.threads.resize(static_cast<size_t>(p.threads_size()));
  SideWork(t.threads.size() - 1, [&](size_t i) {
    ImageThread& th = t.threads[i + 1];
    const uint32_t tid = p.threads(static_cast<int>(i) + 1);
    th.tid = NsPid(static_cast<int32_t>(tid));
    th.core = dir.one<pb::core_entry>(Img::core, tid);
  }).finish();
  if (t.ext.has_dead_leader_status() && t.threads.size() < 2)
    bad("pstree.img", format("pid %u: its leader has exited, but it has no other thread", p.pid()));
  for (ImageThread& th : t.threads)
    if (!th.core.has_thread_core())
      bad(image_name(Img::core, static_cast<uint64_t>(th.tid.value)), "the thread part is missing");
  std::vector<pb::core_entry*> cores;
  for (ImageThread& th : t.threads) cores.push_back(&th.core);
  t.signalled_timers = take_signalled_timers(cores);
  t.ids = dir.one<pb::task_kobj_ids_entry>(Img::ids, n);
  t.mm = dir.one<pb::mm_entry>(Img::mm, n);
  if (dir.has(Img::mm_ext, n)) t.mm_ext = dir.one<pb::nsr_mm_entry>(Img::mm_ext, n);
  check_vmas(t);
  check_aios(t);
  t.fs = dir.one<pb::fs_entry>(Img::fs, n);
  t.table = dir.all<pb::fdinfo_entry>(Img::fdinfo, t.ids.files_id());
  load_pages(pagemaps, t);
  return t;
}

void check_files(const ImageSet& set) {
  auto need = [&](const ImageTask& t, uint32_t id, const char* what) {
    if (!set.file_by_id.count(id))
      bad(t.object(), format("%s refers to file %u, which files.img does not have", what, id));
  };
  for (const ImageTask& t : set.tasks) {
    if (t.zombie) continue;
    need(t, t.mm.exe_file_id(), "its executable");
    need(t, t.fs.cwd_id(), "its working directory");
    need(t, t.fs.root_id(), "its root directory");
    for (const ImageThread& th : t.threads) {
      if (!th.has_own_fs()) continue;
      need(t, th.ext->cwd_id(), "the working directory of a thread");
      need(t, th.ext->root_id(), "the root directory of a thread");
    }
    std::set<uint32_t> numbers;
    for (const auto& e : t.table) {
      need(t, e.id(), format("descriptor %u", e.fd()).c_str());
      if (!numbers.insert(e.fd()).second) bad(t.object(), format("descriptor %u appears twice", e.fd()));
    }
  }
}

/// Older images have one mode and filter for all threads of a process.
void load_seccomp(const ImageDir& dir, ImageSet& set) {
  if (dir.has(Img::seccomp)) {
    auto records = dir.all<pb::seccomp_entry>(Img::seccomp);
    if (!records.empty()) set.seccomp = std::move(records[0]);
  }
  for (ImageTask& t : set.tasks) {
    if (t.zombie) continue;
    for (ImageThread& th : t.threads) {
      pb::thread_core_entry& tc = *th.core.mutable_thread_core();
      if (!tc.has_seccomp_mode() && t.tc().has_old_seccomp_mode()) {
        tc.set_seccomp_mode(t.tc().old_seccomp_mode());
        if (t.tc().has_old_seccomp_filter()) tc.set_seccomp_filter(t.tc().old_seccomp_filter());
      }
      seccomp_chain(set.seccomp, tc, t.object());
    }
  }
}

void link_tree(ImageSet& set) {
  std::map<NsPid, size_t> index;
  std::set<NsPid> used;
  for (size_t i = 0; i < set.tasks.size(); i++) {
    ImageTask& t = set.tasks[i];
    for (const auto& th : t.threads)
      if (th.tid.value <= 0 || !used.insert(th.tid).second)
        bad("pstree.img", format("id %d is impossible or appears twice", th.tid.value));
    if (i == 0) {
      index[t.pid] = 0;
      continue;
    }
    auto parent = index.find(t.ppid);
    if (parent == index.end() || set.tasks[parent->second].zombie)
      bad("pstree.img", format("pid %d has parent %d, which is no task before it", t.pid.value, t.ppid.value));
    t.parent = static_cast<int>(parent->second);
    set.tasks[parent->second].children.push_back(i);
    index[t.pid] = i;
  }
}

}  // namespace

std::string ImageTask::object() const { return format("pid %d", pid.value); }

const ImageTask* ImageSet::find(NsPid pid) const {
  for (const auto& t : tasks)
    if (t.pid == pid) return &t;
  return nullptr;
}

std::unique_ptr<ImageSet> load_images(const ImageDir& dir) {
  auto set = std::make_unique<ImageSet>();
  if (!dir.has(Img::inventory))
    throw Error(Failure::image, dir.path(),
                "there is no inventory.img: this is no image directory, or its dump did not finish",
                "check -D, or dump again");
  set->inventory = dir.one<pb::inventory_entry>(Img::inventory);
  check_inventory(set->inventory);
  auto pstree = dir.all<pb::pstree_entry>(Img::pstree);
  if (pstree.empty()) bad("pstree.img", "it is missing or empty");
  set->tasks.reserve(pstree.size());
  PagemapReader pagemaps(dir, set->pages_files);
  for (const auto& p : pstree) set->tasks.push_back(load_task(dir, pagemaps, p));
  for (auto& t : set->tasks) {
    std::map<uint32_t, const pb::nsr_thread_entry*> by_tid;
    for (const auto& e : t.ext.threads()) by_tid[e.tid()] = &e;
    for (auto& th : t.threads)
      if (auto e = by_tid.find(static_cast<uint32_t>(th.tid.value)); e != by_tid.end()) th.ext = e->second;
  }
  link_tree(*set);
  set->files = dir.all<pb::file_entry>(Img::files);
  for (const auto& f : set->files)
    if (!set->file_by_id.emplace(f.id(), &f).second) bad("files.img", format("file id %u appears twice", f.id()));
  check_files(*set);
  load_seccomp(dir, *set);
  return set;
}

}  // namespace nsr
