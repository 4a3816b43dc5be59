// A frozen process whose threads run programs for the engine and go on unharmed if the engine dies at any moment.
//
// How: arch/x86_64/borrow.cpp. The process gets one shared area (code, programs, operands, results) and one socket
// whose other end the engine holds. Each thread ends its program by a message on that socket and a read() from it.
// Where its descriptor table is full up to the hard limit there is no socket: its threads are followed from system call
// to system call, and stopped where they would ring. The calls fail when nobody stops them, so they go home all the
// same.
#pragma once

#include <memory>
#include <vector>

#include "engine/base/unique_fd.h"
#include "engine/trace/frozen_tree.h"
#include "engine/trace/program.h"

namespace nsr {

class BorrowedTask {
 public:
  /// Makes the area (data_size bytes for operands and programs besides the code) through the first thread of the task.
  /// The task must be frozen; it stays so. Throws Error(target); the task is then as before.
  BorrowedTask(FrozenTask& task, size_t data_size);
  /// Gives the task its own state back as far as it still can; logs what fails.
  ~BorrowedTask();
  BorrowedTask(const BorrowedTask&) = delete;

  Arena& arena() { return arena_; }
  /// Where the area is in the task: not part of its own address space.
  uint64_t area_start() const { return area_.value; }
  /// How many mappings the task had before it was borrowed.
  size_t mappings() const { return mappings_; }
  /// The descriptor number in the task that is ours, not its own; -1 when it had none left to lend.
  int socket_number() const { return remote_socket_; }
  /// Our end of it: the threads wait until every copy of this descriptor is closed, or the engine gives them back. -1
  /// without a socket: they wait in a ptrace stop then, and for nobody but the engine.
  int parking() const { return socket_.get(); }
  uint64_t area_end() const { return area_.value + area_size_; }
  /// Runs one program per thread (threads in the task's order; an empty program leaves that thread alone), all at once,
  /// and returns when all have ended. Failed calls are results, not errors: a dump program has no fatal record.
  void run(std::vector<Program>& programs);
  /// The same in less time: of the threads only the first is stopped again, the others wait in the area, out of reach
  /// of ptrace, until the next run() or give_back().
  void run_and_park(std::vector<Program>& programs);
  /// Unmaps area and socket; all threads are stopped again with their own registers and masks. Once.
  void give_back();
  /// The engine lets go without undoing anything: for a task that is killed next.
  void abandon() { given_back_ = true; }

 private:
  void bootstrap(size_t data_size);
  RemoteAddr find_cave(size_t size);
  void write_cave();
  void clean_cave();
  void leave_cave();
  /// The code by which a thread enters its program and leaves it.
  RemoteAddr code_of(size_t thread) const;
  /// Bytes at the end of this page that a killed engine has left, no thread being in them any more.
  size_t stale_code(const std::vector<std::byte>& page, uint64_t at) const;
  void take_socket(const Tracee& tracee, long result);
  void go_without_socket(const Tracee& tracee);
  void make_room_for_bells(int end);
  void map_area();
  /// Returns where the results will be.
  std::vector<RemoteAddr> prepare(std::vector<Program>& programs);
  void run_programs(std::vector<Program>& programs);
  /// Sends a thread into its program; without a socket also to the end of it, where it is stopped.
  void launch(size_t thread);
  /// Stops the threads below `end` that wait behind their programs.
  void stop_parked(size_t end);
  void stop_all();
  void wait_for_bells(size_t running);
  void let_stopped_go_on(int signal_fd);

  FrozenTask& task_;
  Arena arena_;
  UniqueFd pidfd_, socket_;
  int remote_socket_ = -1;
  std::byte* local_ = nullptr;
  size_t area_size_ = 0, code_size_ = 0, mappings_ = 0;
  RemoteAddr area_{}, cave_{};
  RemoteAddr counter_{}, flags_{};
  RemoteAddr rung_{};  ///< counts the threads that have come to the end of their program
  arch::BorrowCode borrow_;
  std::vector<RemoteAddr> own_code_;    ///< of each thread: where it takes back its mask and registers by itself
  std::vector<bool> parked_;            ///< of each thread: it runs a program, or waits behind it, and is not stopped
  std::vector<std::byte> cave_before_;  ///< what stands there to the end of its page when nobody borrows
  bool given_back_ = false;
  bool cave_clean_ = false;  ///< the borrowing code is not in the task at the moment
};

}  // namespace nsr
