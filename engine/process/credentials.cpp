#include "engine/process/credentials.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <vector>

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

}  // namespace

void to_image(const procfs::Status& st, uint32_t securebits, pb::creds_entry& out) {
  out.set_uid(st.uid[0]);
  out.set_euid(st.uid[1]);
  out.set_suid(st.uid[2]);
  out.set_fsuid(st.uid[3]);
  out.set_gid(st.gid[0]);
  out.set_egid(st.gid[1]);
  out.set_sgid(st.gid[2]);
  out.set_fsgid(st.gid[3]);
  add_words(st.cap_inh, out.mutable_cap_inh());
  add_words(st.cap_prm, out.mutable_cap_prm());
  add_words(st.cap_eff, out.mutable_cap_eff());
  add_words(st.cap_bnd, out.mutable_cap_bnd());
  add_words(st.cap_amb, out.mutable_cap_amb());
  out.set_secbits(securebits);
  for (uint32_t g : st.groups) out.add_groups(g);
  if (st.no_new_privs) out.set_no_new_privs(*st.no_new_privs ? 1 : 0);
}

void emit_credentials(const pb::creds_entry& c, Program& program, Arena& arena) {
  std::vector<uint32_t> groups(c.groups().begin(), c.groups().end());
  program.call(SYS_setgroups, groups.size(),
               groups.empty() ? RemoteAddr(0) : arena.put(groups.data(), groups.size() * 4));
  program.note("supplementary groups");
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

}  // namespace nsr
