#include "engine/process/credentials.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {
namespace {

void add_words(uint64_t set, google::protobuf::RepeatedField<uint32_t>* out) {
  out->Add(static_cast<uint32_t>(set));
  out->Add(static_cast<uint32_t>(set >> 32));
}

uint64_t words(const google::protobuf::RepeatedField<uint32_t>& in) {
  uint64_t set = 0;
  for (int i = 0; i < in.size() && i < 2; i++) set |= static_cast<uint64_t>(in.Get(i)) << (32 * i);
  return set;
}

/// Without a meaning inside they could not be taken again, and the engine's own would stay in their place.
std::array<uint32_t, 4> inner_ids(const std::array<uint32_t, 4>& outer, const IdMap& map, const std::string& object,
                                  const char* what) {
  std::array<uint32_t, 4> inner;
  for (size_t i = 0; i < inner.size(); i++) {
    if (!map.knows(outer[i]))
      throw Error(Failure::unsupported, object,
                  format("its %s id %u has no number in its user namespace", what, outer[i]),
                  "map it there, or dump the task when it has an id that is mapped");
    inner[i] = map.inner(outer[i]);
  }
  return inner;
}

}  // namespace

bool are_own(const pb::creds_entry& creds) {
  static const std::string own = [] {
    pb::creds_entry e;
    const int securebits = ::prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (auto status = read_file("/proc/self/status"); status && securebits >= 0)
      to_image(procfs::parse_status(*status), static_cast<uint32_t>(securebits), UserMap(), "ns-engine", e);
    return e.SerializePartialAsString();
  }();
  return creds.SerializePartialAsString() == own;
}

void to_image(const procfs::Status& st, uint32_t securebits, const UserMap& users, const std::string& object,
              pb::creds_entry& out) {
  std::array<uint32_t, 4> uid = inner_ids(st.uid, users.uids, object, "user");
  std::array<uint32_t, 4> gid = inner_ids(st.gid, users.gids, object, "group");
  out.set_uid(uid[0]);
  out.set_euid(uid[1]);
  out.set_suid(uid[2]);
  out.set_fsuid(uid[3]);
  out.set_gid(gid[0]);
  out.set_egid(gid[1]);
  out.set_sgid(gid[2]);
  out.set_fsgid(gid[3]);
  add_words(st.cap_inh, out.mutable_cap_inh());
  add_words(st.cap_prm, out.mutable_cap_prm());
  add_words(st.cap_eff, out.mutable_cap_eff());
  add_words(st.cap_bnd, out.mutable_cap_bnd());
  add_words(st.cap_amb, out.mutable_cap_amb());
  out.set_secbits(securebits);
  for (uint32_t g : st.groups)
    if (users.gids.knows(g)) out.add_groups(users.gids.inner(g));
  if (st.no_new_privs) out.set_no_new_privs(*st.no_new_privs ? 1 : 0);
}

void emit_credentials(const pb::creds_entry& c, bool groups_fixed, Program& program, Arena& arena) {
  if (!groups_fixed) {
    std::vector<uint32_t> groups(c.groups().begin(), c.groups().end());
    program.call(SYS_setgroups, groups.size(),
                 groups.empty() ? RemoteAddr(0) : arena.put(groups.data(), groups.size() * 4));
    program.note("supplementary groups");
  }
  // ids change without touching the capability sets: those are set as they were afterwards
  program.call(SYS_prctl, PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
  program.call(SYS_setresgid, c.gid(), c.egid(), c.sgid());
  program.call(SYS_setfsgid, c.fsgid());
  program.call(SYS_setresuid, c.uid(), c.euid(), c.suid());
  program.call(SYS_setfsuid, c.fsuid());
  if (c.cap_bnd_size() > 0) {
    uint64_t bounding = words(c.cap_bnd());
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
      if (!(bounding >> cap & 1)) program.allow(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
  }
  program.call(SYS_prctl, PR_SET_SECUREBITS, c.secbits(), 0, 0, 0);
  program.note("secure bits");
  uint64_t eff = words(c.cap_eff()), prm = words(c.cap_prm()), inh = words(c.cap_inh()), amb = words(c.cap_amb());
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++)
    data[i] = {static_cast<uint32_t>(eff >> (32 * i)), static_cast<uint32_t>(prm >> (32 * i)),
               static_cast<uint32_t>(inh >> (32 * i))};
  program.call(SYS_capset, arena.put(header), arena.put(data));
  program.note("capabilities");
  for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
    if (amb >> cap & 1) program.call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  if (c.no_new_privs()) program.call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

size_t credentials_arena_size(const pb::creds_entry& c) {
  constexpr size_t kCalls = 12 + 2 * (CAP_LAST_CAP + 1);
  return kCalls * sizeof(Record) + static_cast<size_t>(c.groups_size()) * 4 + 128;
}

}  // namespace nsr
