#include "engine/namespaces/nft_batch.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "engine/base/error.h"

namespace nsr {

struct NftSocket::State {
  nl_sock* sock = nullptr;
  State() : sock(nl_socket_alloc()) {}
  ~State() { nl_socket_free(sock); }
};

NftSocket::NftSocket() : s_(std::make_unique<State>()) {
  const int error = s_->sock ? nl_connect(s_->sock, NETLINK_NETFILTER) : -NLE_NOMEM;
  if (error < 0)
    throw Error(Failure::environment, "network lock", std::string("talking to the firewall: ") + nl_geterror(error),
                "the kernel needs CONFIG_NF_TABLES; or use --network-lock skip");
  // A thousand connections make one long transaction.
  nl_socket_set_buffer_size(s_->sock, 1 << 20, 4 << 20);
}
NftSocket::~NftSocket() = default;
NftSocket::NftSocket(NftSocket&&) noexcept = default;
NftSocket& NftSocket::operator=(NftSocket&&) noexcept = default;

NftBatch::NftBatch() { append(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, {}); }

void NftBatch::append(int type, uint16_t flags, uint8_t family, uint16_t resource,
                      const std::function<void(nl_msg*)>& fill) {
  constexpr size_t kLargest = 1 << 16;
  std::unique_ptr<nl_msg, void (*)(nl_msg*)> message(nlmsg_alloc_size(kLargest), nlmsg_free);
  nlmsghdr* header = message ? nlmsg_put(message.get(), NL_AUTO_PORT, sequence_, type, 0, flags) : nullptr;
  const nfgenmsg head{family, NFNETLINK_V0, htons(resource)};
  if (!header || nlmsg_append(message.get(), const_cast<nfgenmsg*>(&head), sizeof head, NLMSG_ALIGNTO) < 0)
    throw Error(Failure::environment, "network lock", "out of memory");
  if (fill) fill(message.get());
  header = nlmsg_hdr(message.get());
  header->nlmsg_seq = ++sequence_;
  header->nlmsg_pid = 0;
  bytes_.append(reinterpret_cast<const char*>(header), header->nlmsg_len);
  bytes_.append(NLMSG_ALIGN(header->nlmsg_len) - header->nlmsg_len, '\0');
}

void NftBatch::add(int message, uint16_t flags, uint8_t family, const std::function<void(nl_msg*)>& fill) {
  append(NFNL_SUBSYS_NFTABLES << 8 | message, static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags), family, 0,
         fill);
}

int NftBatch::send(NftSocket& through) {
  const uint32_t wanted = sequence_ - 1;  // every message but the first and the last is answered
  append(NFNL_MSG_BATCH_END, NLM_F_REQUEST, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, {});
  const int fd = nl_socket_get_fd(through.s_->sock);
  if (::send(fd, bytes_.data(), bytes_.size(), 0) != static_cast<ssize_t>(bytes_.size())) return errno;
  std::vector<char> answer(1 << 16);
  int first_error = 0;
  for (uint32_t answered = 0; answered < wanted;) {
    const ssize_t n = recv(fd, answer.data(), answer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    int left = static_cast<int>(n);
    for (auto* h = reinterpret_cast<nlmsghdr*>(answer.data()); nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
      if (h->nlmsg_type != NLMSG_ERROR) continue;
      const auto* e = static_cast<const nlmsgerr*>(nlmsg_data(h));
      answered++;
      if (e->error != 0 && first_error == 0) first_error = -e->error;
      // A refused batch as a whole is answered once.
      if (e->error != 0 && e->msg.nlmsg_seq <= 1) return -e->error;
    }
  }
  return first_error;
}

}  // namespace nsr
