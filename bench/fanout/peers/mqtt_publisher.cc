// Publishes over MQTT 3.1.1, plain TCP, QoS 0: nothing is answered.
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "bench/fanout/dialects/mqtt_packet.h"
#include "bench/fanout/peers/outgoing.h"
#include "bench/fanout/publisher.h"

namespace sluice::fanout {
namespace {

constexpr std::string_view kAccepted{"\x20\x02\x00\x00", 4};
constexpr std::size_t kAnswerBytes = 4096;

class MqttPublisher final : public Publisher {
 public:
  MqttPublisher(const PublishRoute& route, const std::vector<std::string>& channels)
      : socket_(test::Socket::connect(route.to)) {
    for (const auto& channel : channels) topics_.push_back(route.prefix + channel);
    std::string connect;
    mqtt::append_connect(connect, "publisher");
    socket_.send_all(connect);
    std::string answer;
    while (answer.size() < kAccepted.size()) {
      const auto read = socket_.read_some(test::Millis(5000));
      if (read.end != test::ReadEnd::kData) throw test::HarnessError("no CONNACK from the broker");
      answer += read.data;
    }
    if (answer != kAccepted) throw test::HarnessError("the broker refused the publisher");
  }

  [[nodiscard]] int fd() const override { return socket_.fd(); }

  void publish(std::size_t channel, std::string_view payload) override {
    mqtt::append_publish(out_.tail(), topics_.at(channel), payload);
  }

  [[nodiscard]] bool flush() override { return out_.send_to(fd()); }

  /// Nothing is expected: whatever comes is not looked at, but for the end.
  [[nodiscard]] bool on_readable() override {
    std::array<char, kAnswerBytes> buffer{};
    while (true) {
      const ssize_t got = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
    }
  }

  [[nodiscard]] std::uint64_t unanswered() const override { return 0; }

 private:
  test::Socket socket_;
  std::vector<std::string> topics_;  ///< by channel
  Outgoing out_;
};

}  // namespace

std::unique_ptr<Publisher> make_mqtt_publisher(const PublishRoute& route,
                                               const std::vector<std::string>& channels) {
  return std::make_unique<MqttPublisher>(route, channels);
}

}  // namespace sluice::fanout
