// Terminals: pseudo-terminal pairs of the tree, and terminals from outside (--shell-job, --external tty[...]).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "engine/files/common.h"
#include "engine/files/in_task.h"
#include "engine/files/kinds.h"
#include "engine/files/tty_queues.h"
#include "tty.pb.h"

namespace nsr {

/// What a terminal's device number says.
struct TtyNumber {
  pb::TtyType type = pb::UNKNOWN;
  bool master = false;
  uint32_t index = 0;  ///< of a pty; a master's is not in its number
};
/// Nothing when it is not a terminal's number.
std::optional<TtyNumber> tty_number(dev_t rdev);

/// A terminal of the host: it is opened again by its path, whoever's session it belongs to.
inline bool is_host_terminal(pb::TtyType type) { return type == pb::CONSOLE || type == pb::VT || type == pb::SERIAL; }

/// "tty[8803:1a]": how --external and --inherit-fd name a terminal (both numbers hexadecimal, as stat gives them).
std::string tty_key(uint64_t rdev, uint64_t dev);

class Tty final : public Kind {
 public:
  const char* name() const override { return "terminal"; }
  bool match(const OpenFile& file) const override;
  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override;
  void finish_dump(DumpContext& ctx) override;
  bool owns(const pb::file_entry& entry) const override;
  std::string describe(const pb::file_entry& entry) const override;
  void open(const pb::file_entry& entry, RestoreContext& ctx) override;
  void finish_restore(RestoreContext& ctx) override;
  void emit_session(TaskStage& stage) override;
  void emit_inherited(TaskStage& stage) override;
  void emit_opens(TaskStage& stage) override { opens_.emit(stage); }  // /dev/tty of sessions
  void emit_task(TaskStage& stage) override;

 private:
  /// A pseudo-terminal that this restore made, or a terminal that it was given, as the slave alone. The slave stays
  /// open for the leader of its session.
  struct Pair {
    UniqueFd master, slave;
    bool made = false;
    bool master_given = false;
    pb::tty_info_entry info;  ///< the better one of both ends' records
    std::string path;         ///< for messages
  };
  /// A slave or other terminal whose owner has not been seen yet, at dump.
  struct Pending {
    std::string object, key;
    uint32_t index = 0;
    uint32_t sid = 0;  ///< inner id of the session that it is the controlling terminal of
    bool pty = false;
  };

  /// Both ends of a pseudo-terminal of the tree, at dump: where its unread data can be looked for.
  struct Queued {
    UniqueFd master, slave;
    uint32_t master_file = 0, slave_file = 0;  ///< file ids
  };

  // dump
  void note_end(const OpenFile& file, UniqueFd fd, const TtyNumber& number, uint32_t id);
  void dump_queues(DumpContext& ctx);
  void dump_info(const OpenFile& file, int fd, const TtyNumber& number, uint32_t id, DumpContext& ctx);
  uint32_t dump_path(const OpenFile& file, DumpContext& ctx);
  void session_of(const OpenFile& file, int fd, const TtyNumber& number, pb::tty_info_entry& info, DumpContext& ctx);

  // restore
  void read_infos(RestoreContext& ctx);
  void read_queues(RestoreContext& ctx);
  /// What makes other settings impossible comes last.
  void set_modes(uint32_t index, const Pair& pair);
  const pb::tty_info_entry& info_of(const pb::file_entry& entry, RestoreContext& ctx);
  bool has_master(uint32_t index, RestoreContext& ctx);
  /// What this session's controlling terminal is here; nullptr when nothing can be.
  Pair* terminal_of_session(uint32_t sid, RestoreContext& ctx);
  /// Where a wanted index is in use on this host, and the tree has mounts of its own: an instance of /dev/pts too.
  void find_place(RestoreContext& ctx);
  Pair& pair_of(const pb::tty_info_entry& info, const std::string& object, RestoreContext& ctx);
  void make_own_pairs(RestoreContext& ctx);
  /// The pair of a master: unlocked, its slave open. Without settings.
  static Pair make_pair(UniqueFd master, const std::string& object);
  void set_access(const Pair& pair, const pb::tty_info_entry& info, const pb::file_entry& entry, RestoreContext& ctx);
  void open_outside(const pb::file_entry& entry, const pb::tty_info_entry& info, RestoreContext& ctx);
  void provide_master(Pair& pair, const pb::file_entry& entry, RestoreContext& ctx);
  void provide_slave(const Pair& pair, const pb::tty_info_entry& info, const pb::file_entry& entry,
                     RestoreContext& ctx);
  void open_dev_tty(const pb::file_entry& entry, const Pair& own, RestoreContext& ctx);
  /// Whether the leader of this session is in the tree.
  bool leads_session(uint32_t sid, RestoreContext& ctx);
  /// The pair that stands for a terminal from outside and is relayed to the caller's: for a session of the tree that
  /// had it for its own, with --shell-job. nullptr when there is none for it.
  Pair* stand_in(const pb::tty_info_entry& info, RestoreContext& ctx);
  /// A terminal of the host or the caller takes the place of what a session of the tree had for its own: its leader
  /// takes it if no other session has it.
  void offer(const pb::tty_info_entry& info, int terminal, const std::string& object, RestoreContext& ctx);
  void take_foreground(TaskStage& stage);
  /// The controlling terminal of the session that this task leads.
  Pair* own_terminal(const TaskStage& stage);
  UniqueFd open_host_terminal(const pb::file_entry& entry, const pb::tty_info_entry& info, RestoreContext& ctx);
  UniqueFd open_callers(const pb::tty_info_entry& info, uint32_t flags, const std::string& object, RestoreContext& ctx);

  std::map<uint32_t, bool> dumped_;      ///< info id -> written
  std::map<uint32_t, Pending> pending_;  ///< info id -> who must be explained at the end
  std::set<uint32_t> sessions_;          ///< those whose terminal is a pty with its master in the tree
  std::map<uint32_t, bool> masters_;     ///< pty index -> its master is in the tree
  std::map<uint32_t, Queued> queued_;    ///< pty index -> ends
  std::map<uint32_t, pb::tty_info_entry> infos_;
  std::map<uint32_t, TtyQueues> queues_;  ///< pty index -> what is to be put into it
  bool infos_read_ = false, place_found_ = false;
  std::map<uint32_t, Pair> pairs_;    ///< by the pty's index
  std::map<uint32_t, Pair> outside_;  ///< what stands for terminals from outside, by session
  std::set<uint32_t> tasks_;          ///< pids of the tree
  InTaskOpens opens_;
  Tables tables_;
  std::set<uint32_t> callers_;  ///< file ids that are the caller's terminal
  uint32_t foreground_ = 0;     ///< group to put into its foreground
};

}  // namespace nsr
