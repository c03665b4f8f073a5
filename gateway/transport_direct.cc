#include <sys/socket.h>

#include <cerrno>

#include "gateway/transport.h"

namespace sluice::gateway {
namespace {

constexpr int kDirectFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

[[nodiscard]] ssize_t send_one(const SendOp& op) {
  if (op.vector_count == 1)
    return ::send(op.fd, op.vectors[0].iov_base, op.vectors[0].iov_len, kDirectFlags);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(op.vectors);
  message.msg_iovlen = op.vector_count;
  return ::sendmsg(op.fd, &message, kDirectFlags);
}

class DirectTransport final : public Transport {
 public:
  [[nodiscard]] std::string_view name() const override { return "send"; }
  void send(std::span<SendOp> batch) override {
    for (SendOp& op : batch) {
      const ssize_t n = send_one(op);
      op.result = n < 0 ? -errno : static_cast<std::int32_t>(n);
    }
    system_calls_ += batch.size();
  }
  void opened(std::uint32_t /*slot*/, int /*fd*/) override {}
  void closed(std::uint32_t /*slot*/) override {}
};

}  // namespace

std::unique_ptr<Transport> make_direct_transport() {
  return std::make_unique<DirectTransport>();
}

}  // namespace sluice::gateway
