// The program ns-netlock: nft commands for ns-engine. libnftables has no static library, and a dynamic engine would
// need twice the time to start; so this is a program of its own, started only where a network has to be held.
//
// Tables with "flags owner" belong to its netlink sockets: they go when it goes, and it goes with the engine.
#include <nftables/libnftables.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/file_io.h"
#include "engine/base/pass_fd.h"
#include "ns-netlock/protocol.h"

namespace {

constexpr int kChannel = STDIN_FILENO;

using Context = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

struct Request {
  nsr::NetlockRequest head{};
  nsr::UniqueFd net;  ///< of a new namespace
  std::string commands;
};

/// False when the engine is gone.
bool receive(Request& request) {
  if (!nsr::receive_with_fd(kChannel, &request.head, sizeof request.head, request.net)) return false;
  request.commands.resize(request.head.size);
  return nsr::read_exact(kChannel, request.commands.data(), request.commands.size());
}

[[noreturn]] void fail(const char* what) {
  fprintf(stderr, "%s: %m\n", what);
  exit(1);
}

/// The library's socket belongs to the namespace in which it was made.
Context context_in(int net) {
  if (setns(net, CLONE_NEWNET) != 0) fail("entering the network namespace");
  Context context(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
  if (!context || nft_ctx_buffer_error(context.get()) != 0) fail("starting libnftables");
  return context;
}

/// Empty, or what went wrong. When others change rules meanwhile the library starts again by itself.
std::string run(nft_ctx* context, const std::string& commands) {
  if (nft_run_cmd_from_buffer(context, commands.c_str()) == 0) return {};
  const std::string error = nft_ctx_get_error_buffer(context);
  return error.empty() ? "libnftables does not say why" : error;
}

bool answer(const std::string& error) {
  const nsr::NetlockAnswer head{static_cast<uint32_t>(error.size())};
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes += error;
  return nsr::write_exact(kChannel, bytes.data(), bytes.size());
}

/// False when the engine is gone.
bool serve(const Request& request, std::vector<Context>& contexts) {
  if (request.net) contexts.push_back(context_in(request.net.get()));
  nft_ctx* context = contexts.at(request.head.net_namespace).get();
  if (request.head.flags & nsr::kNetlockRehearsal) {
    nft_ctx_set_dry_run(context, true);
    nft_run_cmd_from_buffer(context, request.commands.c_str());
    nft_ctx_get_error_buffer(context);  // empties it
    nft_ctx_set_dry_run(context, false);
    return true;
  }
  return answer(run(context, request.commands));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "ns-netlock is started by ns-engine\n");
    return 1;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // 0: the engine is in a pid namespace above
  if (const pid_t parent = getppid(); parent != atoi(argv[1]) && parent != 0) return 1;
  signal(SIGPIPE, SIG_IGN);
  // While a network stands still nobody goes first; without the privilege it takes its turn.
  const sched_param first{1};
  sched_setscheduler(0, SCHED_RR, &first);
  std::vector<Context> contexts;
  for (Request request; receive(request) && serve(request, contexts);) request = {};
  return 0;
}
