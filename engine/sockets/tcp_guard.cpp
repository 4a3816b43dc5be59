#include "engine/sockets/tcp_guard.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/pass_fd.h"
#include "engine/sockets/unix_queue.h"

namespace nsr {
namespace {

constexpr const char* kGuard = "guard of TCP connections";

enum class Order : uint32_t { read, mute };

struct Request {
  Order order;
  uint32_t state;
  int32_t holder;
  uint32_t object_size;  ///< bytes of the object's name that follow
};

/// Lengths of what follows: on success message, in, out; on failure object, cause, remedy.
struct Answer {
  int32_t failure;  ///< 0, or a Failure
  uint32_t size[3];
};

struct Muted {
  UniqueFd fd;
  int holder, reuse;
};

/// Inodes of the sockets that a task has open; none when it is dead.
std::set<ino_t> sockets_of(int pid) {
  std::set<ino_t> inodes;
  DIR* dir = opendir(format("/proc/%d/fd", pid).c_str());
  if (dir == nullptr) return inodes;
  while (const dirent* entry = readdir(dir)) {
    struct stat st {};
    if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISSOCK(st.st_mode)) inodes.insert(st.st_ino);
  }
  closedir(dir);
  return inodes;
}

/// Muted connections that are still somebody's go on; the others end with us, unheard.
void give_voices_back(const std::vector<Muted>& muted) {
  std::map<int, std::set<ino_t>> held;
  for (const Muted& connection : muted) {
    const auto [it, fresh] = held.try_emplace(connection.holder);
    if (fresh) it->second = sockets_of(connection.holder);
    struct stat st {};
    if (fstat(connection.fd.get(), &st) == 0 && it->second.count(st.st_ino))
      unmute_tcp_connection(connection.fd.get(), connection.reuse);
  }
}

/// A request and the socket that came with its first byte. False when the engine is gone.
bool receive(int channel, Request& request, UniqueFd& socket, std::string& object) {
  if (!receive_with_fd(channel, &request, sizeof request, socket) || !socket) return false;
  object.resize(request.object_size);
  return read_exact(channel, object.data(), object.size());
}

void send_answer(int channel, int32_t failure, const std::string& a, const std::string& b, const std::string& c) {
  const Answer answer{
      failure, {static_cast<uint32_t>(a.size()), static_cast<uint32_t>(b.size()), static_cast<uint32_t>(c.size())}};
  std::string bytes(reinterpret_cast<const char*>(&answer), sizeof answer);
  bytes += a + b + c;
  // Nobody may listen any more; then the next receive() says so.
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = send(channel, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

void serve(int channel) {
  std::vector<Muted> muted;
  Request request;
  UniqueFd socket;
  std::string object;
  while (receive(channel, request, socket, object)) {
    try {
      TcpStream stream;
      if (request.order == Order::read) {
        stream = read_tcp_stream(socket.get(), request.state, object);
      } else {
        const int reuse = mute_tcp_connection(socket.get(), object);
        muted.push_back({std::move(socket), request.holder, reuse});
      }
      send_answer(channel, 0, request.order == Order::read ? stream.info.SerializeAsString() : "", stream.in,
                  stream.out);
    } catch (const Error& e) {
      send_answer(channel, e.exit_code(), e.object(), e.cause(), e.remedy());
    }
    socket.reset();
  }
  give_voices_back(muted);
}

void post(int channel, Order order, const TcpGuard::Job& job) {
  const Request request{order, job.state, job.holder.value, static_cast<uint32_t>(job.object.size())};
  const std::string bytes = std::string(reinterpret_cast<const char*>(&request), sizeof request) + job.object;
  if (const int error = send_packet(channel, bytes, &job.fd, 1, nullptr, 0))
    throw_errno(Failure::internal, kGuard, "asking it", error);
}

TcpStream answer_of(int channel) {
  Answer answer;
  if (!read_exact(channel, &answer, sizeof answer))
    throw_errno(Failure::internal, kGuard, "reading its answer failed", errno);
  std::string part[3];
  for (int i = 0; i < 3; i++) {
    part[i].resize(answer.size[i]);
    if (!read_exact(channel, part[i].data(), part[i].size()))
      throw_errno(Failure::internal, kGuard, "reading its answer failed", errno);
  }
  if (answer.failure != 0) throw Error(static_cast<Failure>(answer.failure), part[0], part[1], part[2]);
  TcpStream stream;
  if (!part[0].empty() && !stream.info.ParseFromString(part[0]))
    throw Error(Failure::internal, kGuard, "its answer is garbled");
  stream.in = std::move(part[1]);
  stream.out = std::move(part[2]);
  return stream;
}

/// As many requests as are sure to find room in the channel while nobody reads at the other end.
constexpr size_t kUnderWay = 64;

template <class Take>
void run_jobs(int channel, Order order, const std::vector<TcpGuard::Job>& jobs, Take take) {
  size_t posted = 0;
  for (size_t done = 0; done < jobs.size(); done++) {
    // In bunches: a wake-up of the other side costs more than its work.
    if (posted == done)
      while (posted < jobs.size() && posted < done + kUnderWay) post(channel, order, jobs[posted++]);
    take(done, answer_of(channel));
  }
}

}  // namespace

TcpGuard::TcpGuard(const std::vector<int>& parking) : process_(kGuard, parking, serve) {}

void TcpGuard::read(const std::vector<Job>& jobs, const std::function<void(size_t, TcpStream)>& take) {
  run_jobs(process_.channel(), Order::read, jobs, take);
}

void TcpGuard::mute(const std::vector<Job>& jobs) {
  run_jobs(process_.channel(), Order::mute, jobs, [](size_t, const TcpStream&) {});
}

}  // namespace nsr
