#include "engine/procfs/fdinfo.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "fdinfo";

template <class T>
T only(LineParser& p, int base = 10) {
  T n = p.number<T>(base);
  p.end();
  return n;
}

/// "(12, 345)"
void parse_pair(LineParser& p, uint64_t& first, uint64_t& second) {
  p.field("(");
  first = p.number();
  p.expect(",");
  second = p.number();
  p.expect(")");
  p.end();
}

}  // namespace

Fdinfo parse_fdinfo(std::string_view text) {
  Fdinfo info;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "pos") {
      info.pos = only<int64_t>(value);
      required.seen(0);
    } else if (key == "flags") {
      info.flags = only<uint32_t>(value, 8);
      required.seen(1);
    } else if (key == "mnt_id") {
      info.mnt_id = only<int32_t>(value);
      required.seen(2);
    } else if (key == "ino") {
      info.ino = only<uint64_t>(value);
    } else if (key == "lock") {
      info.locks.push_back(parse_lock(value.rest()));
    }
  });
  required.check(kKind, {"pos", "flags", "mnt_id"});
  return info;
}

EventfdInfo parse_eventfd(std::string_view text) {
  EventfdInfo info;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "eventfd-count") {
      info.count = only<uint64_t>(value, 16);
      required.seen(0);
    } else if (key == "eventfd-id") {
      info.id = only<int32_t>(value);
    } else if (key == "eventfd-semaphore") {
      info.semaphore = value.flag();
    }
  });
  required.check(kKind, {"eventfd-count"});
  return info;
}

std::vector<EpollTarget> parse_epoll(std::string_view text) {
  std::vector<EpollTarget> targets;
  each_field(kKind, text, [&](std::string_view key, LineParser& p) {
    if (key != "tfd") return;
    EpollTarget t;
    t.tfd = p.number<int32_t>();
    p.field("events:");
    t.events = p.hex<uint32_t>();
    p.field("data:");
    t.data = p.hex();
    if (!p.at_end()) {
      p.expect("pos:");
      t.pos = p.number<int64_t>();
      p.field("ino:");
      t.ino = p.hex();
      p.field("sdev:");
      t.sdev = p.hex<uint32_t>();
    }
    targets.push_back(t);
  });
  return targets;
}

uint64_t parse_signalfd(std::string_view text) {
  uint64_t mask = 0;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key != "sigmask") return;
    mask = only<uint64_t>(value, 16);
    required.seen(0);
  });
  required.check(kKind, {"sigmask"});
  return mask;
}

TimerfdInfo parse_timerfd(std::string_view text) {
  TimerfdInfo info;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "clockid") {
      info.clockid = only<int32_t>(value);
      required.seen(0);
    } else if (key == "ticks") {
      info.ticks = only<uint64_t>(value);
      required.seen(1);
    } else if (key == "settime flags") {
      info.settime_flags = only<uint32_t>(value, 8);
      required.seen(2);
    } else if (key == "it_value") {
      parse_pair(value, info.value_sec, info.value_nsec);
      required.seen(3);
    } else if (key == "it_interval") {
      parse_pair(value, info.interval_sec, info.interval_nsec);
      required.seen(4);
    }
  });
  required.check(kKind, {"clockid", "ticks", "settime flags", "it_value", "it_interval"});
  return info;
}

PidfdInfo parse_pidfd(std::string_view text) {
  PidfdInfo info;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "Pid") {
      info.pid = only<int32_t>(value);
      required.seen(0);
    } else if (key == "NSpid") {
      while (!value.at_end()) info.ns_pid.push_back(value.number<int32_t>());
    }
  });
  required.check(kKind, {"Pid"});
  return info;
}

std::string parse_tun(std::string_view text) {
  std::string name;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key != "iff") return;
    value.at_end();
    name = value.rest();
    required.seen(0);
  });
  required.check(kKind, {"iff"});
  return name;
}

std::optional<uint32_t> parse_ptmx(std::string_view text) {
  std::optional<uint32_t> index;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "tty-index") index = only<uint32_t>(value);
  });
  return index;
}

std::optional<uint32_t> parse_scm_fds(std::string_view text) {
  std::optional<uint32_t> count;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "scm_fds") count = only<uint32_t>(value);
  });
  return count;
}

BpfMapInfo parse_bpf_map(std::string_view text) {
  BpfMapInfo info;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "map_type") {
      info.type = only<uint32_t>(value);
      required.seen(0);
    } else if (key == "key_size") {
      info.key_size = only<uint32_t>(value);
      required.seen(1);
    } else if (key == "value_size") {
      info.value_size = only<uint32_t>(value);
      required.seen(2);
    } else if (key == "max_entries") {
      info.max_entries = only<uint32_t>(value);
      required.seen(3);
    } else if (key == "map_flags") {
      info.flags = value.prefixed_hex<uint32_t>();
      required.seen(4);
    } else if (key == "map_extra") {
      info.extra = value.prefixed_hex();
    } else if (key == "memlock") {
      info.memlock = only<uint64_t>(value);
    } else if (key == "map_id") {
      info.id = only<uint32_t>(value);
      required.seen(5);
    } else if (key == "frozen") {
      info.frozen = value.flag();
    } else if (key == "owner_prog_type") {
      info.owner_prog_type = only<uint32_t>(value);
    }
  });
  required.check(kKind, {"map_type", "key_size", "value_size", "max_entries", "map_flags", "map_id"});
  return info;
}

BpfProgInfo parse_bpf_prog(std::string_view text) {
  BpfProgInfo info;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "prog_type") {
      info.type = only<uint32_t>(value);
      required.seen(0);
    } else if (key == "prog_jited") {
      info.jited = value.flag();
    } else if (key == "prog_tag") {
      info.tag = value.word();
      required.seen(1);
    } else if (key == "memlock") {
      info.memlock = only<uint64_t>(value);
    } else if (key == "prog_id") {
      info.id = only<uint32_t>(value);
      required.seen(2);
    }
  });
  required.check(kKind, {"prog_type", "prog_tag", "prog_id"});
  return info;
}

UserfaultfdInfo parse_userfaultfd(std::string_view text) {
  UserfaultfdInfo info;
  Required required;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    if (key == "pending") {
      info.pending = only<uint64_t>(value);
      required.seen(0);
    } else if (key == "total") {
      info.total = only<uint64_t>(value);
    } else if (key == "API") {
      info.api = value.hex();
      value.expect(":");
      info.features = value.hex();
      required.seen(1);
    }
  });
  required.check(kKind, {"pending", "API"});
  return info;
}

}  // namespace nsr::procfs
