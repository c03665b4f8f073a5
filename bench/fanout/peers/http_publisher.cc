// Publishes by pipelined POSTs over one keep-alive connection. Several connections would lose the
// order of a channel's messages; the server reads ahead, so one is not kept waiting for replies.
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "bench/fanout/dialects/http_replies.h"
#include "bench/fanout/peers/outgoing.h"
#include "bench/fanout/publisher.h"

namespace sluice::fanout {
namespace {

constexpr std::size_t kReadBytes = 65536;

class HttpPublisher final : public Publisher {
 public:
  HttpPublisher(const PublishRoute& route, const std::vector<std::string>& channels)
      : socket_(test::Socket::connect(route.to)) {
    heads_.reserve(channels.size());
    for (const auto& channel : channels) {
      heads_.push_back("POST " + route.prefix + channel +
                       " HTTP/1.1\r\nHost: localhost\r\nContent-Length: ");
    }
  }

  [[nodiscard]] int fd() const override { return socket_.fd(); }

  void publish(std::size_t channel, std::string_view payload) override {
    std::string& out = out_.tail();
    out += heads_.at(channel);
    out += std::to_string(payload.size());
    out += "\r\n\r\n";
    out += payload;
    ++asked_;
  }

  [[nodiscard]] bool flush() override { return out_.send_to(fd()); }

  [[nodiscard]] bool on_readable() override {
    while (true) {
      const ssize_t got = ::recv(fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      if (!replies_.feed({buffer_.data(), static_cast<std::size_t>(got)})) return false;
    }
  }

  [[nodiscard]] std::uint64_t unanswered() const override { return asked_ - replies_.count(); }

 private:
  test::Socket socket_;
  std::vector<std::string> heads_;  ///< by channel, up to the body's length
  Outgoing out_;
  HttpReplies replies_;
  std::uint64_t asked_ = 0;
  std::array<char, kReadBytes> buffer_{};
};

}  // namespace

std::unique_ptr<Publisher> make_http_publisher(const PublishRoute& route,
                                               const std::vector<std::string>& channels) {
  return std::make_unique<HttpPublisher>(route, channels);
}

}  // namespace sluice::fanout
