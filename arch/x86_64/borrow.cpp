// The code by which the engine borrows a thread, written so that the thread goes on unharmed whenever the engine dies.
//
// 1. Nothing of the thread's memory is written: the code goes into unused bytes of its vDSO page and into an area that
//    it maps itself.
// 2. Every piece ends by restoring the thread. The engine only interposes at syscall stops and while the thread waits
//    in read() on a socket whose other end the engine holds: if the engine dies, the read sees end-of-file.
// 3. No rt_sigreturn: it would reset the thread's restart_block and need its whole extended state in memory.

#include <linux/mman.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "arch/arch.h"
#include "arch/x86_64/code_writer.h"

namespace nsr::arch {
namespace {

constexpr uint64_t kAllSignals = ~0ull;
constexpr long kErestartsys = 512, kErestartnointr = 513, kErestartnohand = 514, kErestartRestartblock = 516;
constexpr long kNrRestartSyscall = 219;

/// All registers but rsp and rip; the flags are whatever they are.
void restore_registers(CodeWriter& w, const Registers& r) {
  w.set(Reg::r15, r.r15);
  w.set(Reg::r14, r.r14);
  w.set(Reg::r13, r.r13);
  w.set(Reg::r12, r.r12);
  w.set(Reg::rbp, r.rbp);
  w.set(Reg::rbx, r.rbx);
  w.set(Reg::r11, r.r11);
  w.set(Reg::r10, r.r10);
  w.set(Reg::r9, r.r9);
  w.set(Reg::r8, r.r8);
  w.set(Reg::rcx, r.rcx);
  w.set(Reg::rdx, r.rdx);
  w.set(Reg::rsi, r.rsi);
  w.set(Reg::rdi, r.rdi);
  w.set(Reg::rax, r.rax);
}

void set_mask(CodeWriter& w, RemoteAddr mask) { w.call(SYS_rt_sigprocmask, {SIG_SETMASK, mask.value, 0, 8}); }

}  // namespace

Registers rewound(const Registers& r) {
  Registers out = r;
  if (auto call = interrupted_syscall(r)) {
    switch (-call->result) {
      case kErestartsys:
      case kErestartnointr:
      case kErestartnohand:
        out.rax = r.orig_rax;
        out.rip -= 2;
        break;
      case kErestartRestartblock:  // the thread's restart_block is untouched, the kernel knows what is left
        out.rax = kNrRestartSyscall;
        out.rip -= 2;
        break;
      default:
        break;
    }
  }
  out.orig_rax = ~0ull;
  return out;
}

Registers reissued(const Registers& r) {
  Registers out = r;
  out.rax = r.orig_rax;
  out.rip -= 2;
  out.orig_rax = ~0ull;
  return out;
}

std::vector<std::byte> jump_to(RemoteAddr target) {
  CodeWriter w(RemoteAddr(0));
  w.jump_to(target.value);
  return w.take();
}

BorrowCode borrow_code(RemoteAddr at, const ThreadState& self, uint64_t area_size, uint64_t code_size) {
  Registers back = rewound(self.regs);
  CodeWriter w(RemoteAddr(at.value + 16));  // the two masks stand in front
  RemoteAddr full_mask = at, own_mask(at.value + 8);

  set_mask(w, full_mask);
  // executable from the start: under PR_SET_MDWE a mapping cannot become so, only cease to be
  w.call(SYS_mmap, {0, area_size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, ~0ull, 0});
  w.move(Reg::rbx, Reg::rax);
  // An error has all ones in its upper half: without touching the flags, jrcxz to the end when the mmap failed.
  w.move(Reg::rcx, Reg::rax);
  w.bytes({0x48, 0x0f, 0xc9});        // bswap %rcx: upper half comes down
  w.bytes({0xf7, 0xd1});              // not %ecx
  w.bytes({0xe3, 0x02, 0xeb, 0x05});  // jrcxz +2; jmp +5
  w.bytes({0xe9, 0, 0, 0, 0});        // jmp recover (patched)
  size_t jump_end = w.size();
  auto disp32 = [&](uint32_t d) {
    w.bytes({static_cast<int>(d & 0xff), static_cast<int>((d >> 8) & 0xff), static_cast<int>((d >> 16) & 0xff),
             static_cast<int>((d >> 24) & 0xff)});
  };
  w.bytes({0x48, 0x8d, 0xbb});  // lea code_size(%rbx), %rdi
  disp32(static_cast<uint32_t>(code_size));
  w.set(Reg::rsi, area_size - code_size);
  w.set(Reg::rdx, PROT_READ | PROT_WRITE);
  w.set(Reg::rax, SYS_mprotect);
  w.syscall();
  auto load_slot = [&](int disp) {  // mov code_size+disp(%rbx), %edi
    w.bytes({0x8b, 0xbb});
    disp32(static_cast<uint32_t>(code_size) + static_cast<uint32_t>(disp));
  };
  w.bytes({0x4c, 0x8d, 0x93});  // lea code_size(%rbx), %r10
  disp32(static_cast<uint32_t>(code_size));
  w.set(Reg::rdi, AF_UNIX);
  w.set(Reg::rsi, SOCK_SEQPACKET | SOCK_CLOEXEC);
  w.set(Reg::rdx, 0);
  w.set(Reg::rax, SYS_socketpair);
  w.syscall();
  w.move(Reg::rcx, Reg::rax);
  w.bytes({0xe3, 0x05});        // jrcxz +5: it worked
  w.bytes({0xe9, 0, 0, 0, 0});  // jmp unmap (patched): the numbers in the area are no descriptors of ours
  size_t jump_unmap_end = w.size();
  load_slot(4);
  w.set(Reg::rax, SYS_close);
  w.syscall();

  BorrowCode out;
  out.undo = w.here();
  load_slot(0);
  w.set(Reg::rax, SYS_close);
  w.syscall();
  size_t unmap = w.size();
  w.move(Reg::rdi, Reg::rbx);
  w.set(Reg::rsi, area_size);
  w.set(Reg::rax, SYS_munmap);
  w.syscall();
  size_t recover = w.size();
  set_mask(w, own_mask);
  restore_registers(w, back);
  w.jump_to(back.rip);

  std::vector<std::byte> code = w.take();
  auto patch = [&](size_t jump_end_at, size_t target) {
    int32_t hop = static_cast<int32_t>(target - jump_end_at);
    std::memcpy(code.data() + jump_end_at - 4, &hop, 4);
  };
  patch(jump_end, recover);
  patch(jump_unmap_end, unmap);
  out.code.resize(16);
  std::memcpy(out.code.data(), &kAllSignals, 8);
  std::memcpy(out.code.data() + 8, &self.signal_mask, 8);
  out.code.insert(out.code.end(), code.begin(), code.end());
  return out;
}

Registers at_undo(const Registers& self, const BorrowCode& code, RemoteAddr area) {
  Registers out = at_code(self, code.undo);
  out.rbx = area.value;
  return out;
}

ThreadCode thread_code(RemoteAddr at, const ThreadState& self, RemoteAddr stub, RemoteAddr program, RemoteAddr counter,
                       int socket_fd, RemoteAddr flags_slot) {
  Registers back = rewound(self.regs);
  CodeWriter w(at);
  size_t masks = 0;
  // enter: the stack pointer stays the thread's own until no signal can arrive any more
  w.call(SYS_rt_sigprocmask, {SIG_SETMASK, at.value + kThreadCodeSize - 16, 0, 8});
  w.set(Reg::rsp, program.value);
  w.jump_to(stub.value);

  ThreadCode out;
  out.leave_offset = static_cast<uint32_t>(w.size());
  w.set(Reg::rcx, counter.value);
  w.bytes({0xf0, 0xff, 0x09});  // lock decl (%rcx): changes the flags, which come back below
  w.bytes({0x75, 0x16});        // jne over the close: 10 + 10 + 2 bytes
  w.set(Reg::rdi, static_cast<uint64_t>(socket_fd));
  w.set(Reg::rax, SYS_close);
  w.syscall();
  w.set(Reg::rsp, flags_slot.value);
  w.bytes({0x9d});  // popfq
  w.set(Reg::rsp, back.rsp);
  out.own_offset = static_cast<uint32_t>(w.size());
  w.call(SYS_rt_sigprocmask, {SIG_SETMASK, at.value + kThreadCodeSize - 8, 0, 8});
  restore_registers(w, back);
  w.jump_to(back.rip);
  out.code = w.take();
  masks = kThreadCodeSize - 16;
  if (out.code.size() > masks) std::abort();  // the size is fixed by the code above
  out.code.resize(kThreadCodeSize);
  std::memcpy(out.code.data() + masks, &kAllSignals, 8);
  std::memcpy(out.code.data() + masks + 8, &self.signal_mask, 8);
  return out;
}

}  // namespace nsr::arch
