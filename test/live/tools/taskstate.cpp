// taskstate PID: prints what can be seen of a task tree as text that can be compared before a dump and after a restore.
//
// One fact a line, "<inner pid> <section> ...". Only ids of the innermost pid namespace are printed; what is numbered
// by the kernel (pipes, sockets, namespaces, open files) is renumbered in order of appearance, so that sharing shows
// and the numbers themselves do not matter. --mask SECTION (repeatable) leaves a section out: ids exe cwd root cmdline
// environ creds signals limits misc ns thread timer map fd.
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/procfs/fdinfo.h"
#include "engine/procfs/ids.h"
#include "engine/procfs/limits.h"
#include "engine/procfs/links.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/smaps.h"
#include "engine/procfs/stat.h"
#include "engine/procfs/status.h"
#include "engine/procfs/timers.h"

using namespace nsr;
using namespace nsr::procfs;

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text)
    out += c > ' ' && c <= '~' && c != '\\' ? std::string(1, c) : format("\\%03o", static_cast<unsigned char>(c));
  return out;
}

uint64_t fnv1a(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// Gives each new name the next number of its kind.
class Renumber {
 public:
  int of(const std::string& kind, const std::string& name) {
    auto& names = kinds_[kind];
    return names.emplace(name, static_cast<int>(names.size()) + 1).first->second;
  }

 private:
  std::map<std::string, std::map<std::string, int>> kinds_;
};

/// Numbers open files: descriptors that share one (dup, fork, SCM_RIGHTS) get the same number.
class OpenFiles {
 public:
  int of(pid_t pid, int fd, const std::string& link) {
    auto [at, fresh] = by_link_[link].try_emplace({pid, fd}, last_ + 1);
    last_ += fresh;
    return at->second;
  }

 private:
  struct Seen {
    pid_t pid;
    int fd;
    /// In the kernel's order of open files, kcmp(2).
    bool operator<(const Seen& s) const { return ::syscall(SYS_kcmp, pid, s.pid, KCMP_FILE, fd, s.fd) == 1; }
  };
  std::map<std::string, std::map<Seen, int>> by_link_;
  int last_ = 0;
};

int inner(const std::vector<int32_t>& levels, int32_t fallback) { return levels.empty() ? fallback : levels.back(); }

/// Inner id of a pid or tid that a file of /proc names; 0 when it is gone or outside.
int inner_id(int32_t host) {
  if (host <= 0) return host;
  auto dir = ProcDir::try_open(HostPid(host));
  if (!dir) return 0;
  Status s = parse_status(dir->read("status"));
  return inner(s.ns_pid, s.pid);
}

class Printer {
 public:
  explicit Printer(std::set<std::string> masked) : masked_(std::move(masked)) {}

  void tree(HostPid pid, int parent) {
    ProcDir dir(pid);
    Status status = parse_status(dir.read("status"));
    self_ = inner(status.ns_pid, status.pid);
    int self = self_;
    process(dir, status, parent);
    std::vector<std::pair<int, int32_t>> children;
    for (int tid : dir.numbers("task"))
      for (int32_t child : parse_children(dir.read(format("task/%d/children", tid))))
        children.emplace_back(inner_id(child), child);
    std::sort(children.begin(), children.end());
    for (auto [id, host] : children) tree(HostPid(host), self);
  }

 private:
  void line(const char* section, const std::string& text) const {
    if (!masked_.contains(section)) std::printf("%d %s %s\n", self_, section, text.c_str());
  }
  bool wanted(const char* section) const { return !masked_.contains(section); }

  void process(const ProcDir& dir, const Status& s, int parent) {
    Stat stat = parse_stat(dir.read("stat"));
    line("ids", format("ppid=%d pgid=%d sid=%d exit_signal=%d tty=%d:%d foreground=%d", parent,
                       inner(s.ns_pgid, stat.pgrp), inner(s.ns_sid, stat.session), stat.exit_signal, stat.tty_major(),
                       stat.tty_minor(), stat.tpgid > 0 ? inner_id(stat.tpgid) : stat.tpgid));
    if (s.state == 'Z') {
      line("misc", format("zombie comm=%s exit_code=%#x", escaped(s.name).c_str(), stat.exit_code));
      return;
    }
    for (const char* name : {"exe", "cwd", "root"}) line(name, escaped(dir.link(name)));
    line("cmdline", escaped(dir.read("cmdline")));
    line("environ", format("%016lx", fnv1a(dir.read("environ"))));
    misc(dir, s, stat);
    signals(s);
    limits(dir);
    namespaces(dir);
    threads(dir);
    timers(dir);
    maps(dir);
    descriptors(dir);
  }

  void misc(const ProcDir& dir, const Status& s, const Stat& stat) const {
    auto word = [&](const char* file) {
      std::string text = dir.try_read(file).value_or("absent");
      return escaped(text.substr(0, text.find('\n')));
    };
    line("misc", format("umask=%03o thp=%d state=%s", s.umask.value_or(0), s.thp_enabled.value_or(true),
                        s.state == 'T' ? "stopped" : "running"));
    line("misc", "personality=" + word("personality") + " oom_score_adj=" + word("oom_score_adj") +
                     " coredump_filter=" + word("coredump_filter"));
    line("misc", format("code=%lx-%lx data=%lx-%lx brk=%lx stack=%lx args=%lx-%lx env=%lx-%lx", stat.start_code,
                        stat.end_code, stat.start_data, stat.end_data, stat.start_brk, stat.start_stack, stat.arg_start,
                        stat.arg_end, stat.env_start, stat.env_end));
    line("misc", format("auxv=%016lx", fnv1a(dir.read("auxv"))));
  }

  void signals(const Status& s) const {
    line("signals",
         format("ignored=%016lx caught=%016lx pending=%016lx", s.sig_ignored, s.sig_caught, s.shared_pending));
  }

  void limits(const ProcDir& dir) const {
    Limits all = parse_limits(dir.read("limits"));
    for (size_t i = 0; i < all.size(); ++i)
      line("limits", format("%zu %ld %ld", i, static_cast<long>(all[i].rlim_cur), static_cast<long>(all[i].rlim_max)));
  }

  void namespaces(const ProcDir& dir) {
    std::vector<std::string> names = dir.list("ns");
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
      if (auto link = dir.try_link(("ns/" + name).c_str()))
        line("ns", format("%s #%d", name.c_str(), numbers_.of("ns", *link)));
  }

  void threads(const ProcDir& dir) const {
    std::map<int, std::string> by_id;
    for (int tid : dir.numbers("task")) {
      ProcDir task = dir.task(HostPid(tid));
      Status s = parse_status(task.read("status"));
      Stat stat = parse_stat(task.read("stat"));
      int id = inner(s.ns_pid, s.pid);
      std::string text =
          format("%d comm=%s blocked=%016lx pending=%016lx policy=%u rt_priority=%u nice=%ld", id,
                 escaped(s.name).c_str(), s.sig_blocked, s.sig_pending, stat.policy, stat.rt_priority, stat.nice);
      text += format(" seccomp=%d/%u nnp=%d cpus=", s.seccomp.value_or(0), s.seccomp_filters.value_or(0),
                     s.no_new_privs.value_or(false));
      for (uint32_t w : s.cpus_allowed) text += format("%08x", w);
      text += creds(s);
      if (auto slack = task.try_read("timerslack_ns")) text += " slack=" + escaped(slack->substr(0, slack->find('\n')));
      by_id[id] = text;
    }
    for (const auto& [id, text] : by_id) line("thread", text);
  }

  std::string creds(const Status& s) const {
    if (!wanted("creds")) return {};
    std::string text = format(" uid=%u,%u,%u,%u gid=%u,%u,%u,%u groups=", s.uid[0], s.uid[1], s.uid[2], s.uid[3],
                              s.gid[0], s.gid[1], s.gid[2], s.gid[3]);
    for (uint32_t g : s.groups) text += format("%u,", g);
    return text + format(" caps=%lx,%lx,%lx,%lx,%lx", s.cap_inh, s.cap_prm, s.cap_eff, s.cap_bnd, s.cap_amb);
  }

  void timers(const ProcDir& dir) const {
    std::vector<PosixTimer> all = parse_timers(dir.read("timers"));
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    for (const PosixTimer& t : all)
      line("timer", format("%d clock=%d signo=%d value=%lx notify=%d target=%d", t.id, t.clock_id, t.signo, t.sigval,
                           t.sigev_notify(), inner_id(t.target)));
  }

  /// Soft-dirty (sd) is left out: it tells of writes, not of state.
  void maps(const ProcDir& dir) const {
    if (!wanted("map")) return;
    for (const SmapsEntry& e : parse_smaps(dir.read("smaps"))) {
      uint64_t flags = e.flags & ~static_cast<uint64_t>(VmFlag::sd);
      line("map", format("%lx-%lx off=%lx %s [%s%s] key=%d", e.vma.start, e.vma.end, e.vma.offset,
                         escaped(e.vma.name).c_str(), vm_flags_text(flags).c_str(),
                         e.unknown_flags.empty() ? "" : (" " + e.unknown_flags).c_str(), e.protection_key.value_or(0)));
    }
  }

  void descriptors(const ProcDir& dir) {
    if (!wanted("fd")) return;
    for (int fd : dir.numbers("fd")) {
      std::string link = dir.link(format("fd/%d", fd));
      std::string text = dir.read(format("fdinfo/%d", fd));
      Fdinfo info = parse_fdinfo(text);
      std::string shown = escaped(link);
      if (auto numbered = parse_numbered_link(link))
        shown = format("%s:#%d", std::string(numbered->kind).c_str(), numbers_.of("inode", link));
      line("fd", format("%d open=#%d flags=%o pos=%ld %s", fd, files_.of(dir.pid().value, fd, link), info.flags,
                        info.pos, shown.c_str()));
      for (const std::string& detail : details(link, text, info)) line("fd", format("%d   %s", fd, detail.c_str()));
    }
  }

  static std::vector<std::string> details(const std::string& link, const std::string& text, const Fdinfo& info) {
    std::vector<std::string> out;
    for (const FileLock& l : info.locks)
      out.push_back(format("lock kind=%d type=%d %lu-%s", static_cast<int>(l.kind), static_cast<int>(l.type), l.start,
                           l.end ? format("%lu", *l.end).c_str() : "end"));
    std::string_view kind = parse_anon_inode(link).value_or("");
    if (kind == "eventfd") {
      EventfdInfo e = parse_eventfd(text);
      out.push_back(format("count=%lu semaphore=%d", e.count, e.semaphore.value_or(false)));
    } else if (kind == "eventpoll") {
      for (const EpollTarget& t : parse_epoll(text))
        out.push_back(format("tfd=%d events=%x data=%lx", t.tfd, t.events, t.data));
    } else if (kind == "signalfd") {
      out.push_back(format("mask=%016lx", parse_signalfd(text)));
    } else if (kind == "timerfd") {
      TimerfdInfo t = parse_timerfd(text);
      out.push_back(format("clock=%d armed=%d interval=%lu.%09lu", t.clockid,
                           t.value_sec + t.value_nsec + t.interval_sec + t.interval_nsec != 0, t.interval_sec,
                           t.interval_nsec));
    } else if (kind == "inotify") {
      for (const InotifyWatch& w : parse_inotify(text)) out.push_back(format("wd=%d mask=%x", w.wd, w.mask));
    } else if (kind == "fanotify") {
      for (const FanotifyMark& m : parse_fanotify(text).marks)
        out.push_back(
            format("kind=%d mask=%x ignored=%x mflags=%x", static_cast<int>(m.kind), m.mask, m.ignored_mask, m.mflags));
    } else if (kind == "pidfd") {
      PidfdInfo p = parse_pidfd(text);
      out.push_back(format("pid=%d", inner(p.ns_pid, p.pid)));
    } else if (link == "/dev/net/tun") {
      out.push_back("iff=" + escaped(parse_tun(text)));
    } else if (auto count = parse_scm_fds(text)) {
      out.push_back(format("scm_fds=%u", *count));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  std::set<std::string> masked_;
  Renumber numbers_;
  OpenFiles files_;
  int self_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::set<std::string> masked;
  int pid = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--mask") == 0 && i + 1 < argc)
      masked.insert(argv[++i]);
    else
      pid = std::atoi(argv[i]);
  }
  if (pid <= 0) {
    std::fprintf(stderr, "usage: taskstate [--mask SECTION]... PID\n");
    return 1;
  }
  try {
    Printer(std::move(masked)).tree(HostPid(pid), 0);
  } catch (const Error& e) {
    std::fprintf(stderr, "taskstate: %s\n", e.what());
    return e.exit_code();
  }
  return 0;
}
