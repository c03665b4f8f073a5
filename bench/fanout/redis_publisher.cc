// PUBLISH, pipelined: what is due leaves in one write, replies are only counted.
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "bench/fanout/publisher.h"

namespace sluice::fanout {
namespace {

constexpr std::size_t kReplyBytes = 64 << 10;

class RedisPublisher : public Publisher {
 public:
  RedisPublisher(const test::Endpoint& to, const std::vector<std::string>& channels)
      : socket_(test::Socket::connect(to)) {
    for (const auto& channel : channels) {
      heads_.push_back("*3\r\n$7\r\nPUBLISH\r\n$" + std::to_string(channel.size()) + "\r\n" +
                       channel + "\r\n$");
    }
  }

  [[nodiscard]] int fd() const override { return socket_.fd(); }

  void publish(std::size_t channel, std::string_view payload) override {
    out_.append(heads_[channel])
        .append(std::to_string(payload.size()))
        .append("\r\n")
        .append(payload)
        .append("\r\n");
    ++unanswered_;
  }

  [[nodiscard]] bool flush() override {
    if (out_.empty()) return true;
    const ssize_t sent =
        ::send(socket_.fd(), out_.data() + at_, out_.size() - at_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return false;  // an error shows at the next read
    at_ += static_cast<std::size_t>(sent);
    if (at_ < out_.size()) return false;
    out_.clear();
    at_ = 0;
    return true;
  }

  /// Replies are integers, ":1\r\n", or an error, "-...".
  [[nodiscard]] bool on_readable() override {
    static std::array<char, kReplyBytes> buffer;
    const ssize_t got = ::recv(socket_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    for (const char byte : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (byte == '\n') --unanswered_;
      if (byte == '-') return false;
    }
    return true;
  }

  [[nodiscard]] std::uint64_t unanswered() const override { return unanswered_; }

 private:
  test::Socket socket_;
  std::vector<std::string> heads_;
  std::string out_;
  std::size_t at_ = 0;
  std::uint64_t unanswered_ = 0;
};

}  // namespace

std::unique_ptr<Publisher> make_redis_publisher(const test::Endpoint& to,
                                                const std::vector<std::string>& channels) {
  return std::make_unique<RedisPublisher>(to, channels);
}

std::unique_ptr<Publisher> make_publisher(const PublishRoute& route,
                                          const std::vector<std::string>& channels) {
#ifdef SLUICE_BENCH_PEERS
  if (route.kind == PublishRoute::Kind::kHttpPost) return make_http_publisher(route, channels);
  if (route.kind == PublishRoute::Kind::kMqtt) return make_mqtt_publisher(route, channels);
#endif
  return make_redis_publisher(route.to, channels);
}

}  // namespace sluice::fanout
