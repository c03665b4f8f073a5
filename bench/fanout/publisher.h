// Who publishes: Redis for most servers, HTTP or MQTT for those that have no Redis in front. One
// connection, everything pipelined, driven by the load generator's loop: nothing here ever waits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/process/support/socket.h"

namespace sluice::fanout {

/// Where the messages for a server go in.
struct PublishRoute {
  enum class Kind : std::uint8_t {
    kRedis,     ///< PUBLISH CHANNEL
    kHttpPost,  ///< POST PREFIX+CHANNEL, the message as body
    kMqtt,      ///< MQTT 3.1.1 over TCP, QoS 0, topic = PREFIX+CHANNEL
  };
  Kind kind = Kind::kRedis;
  test::Endpoint to{};
  std::string prefix{};
};

class Publisher {
 public:
  Publisher() = default;
  virtual ~Publisher() = default;
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  /// For epoll: readable → on_readable(), writable → flush().
  [[nodiscard]] virtual int fd() const = 0;
  /// Queues one message; it leaves with the next flush().
  virtual void publish(std::size_t channel, std::string_view payload) = 0;
  /// Writes what the socket takes. True when nothing is left; false: call again when writable.
  [[nodiscard]] virtual bool flush() = 0;
  /// Reads and counts replies. False when the connection has ended or a reply was an error: the run
  /// fails.
  [[nodiscard]] virtual bool on_readable() = 0;
  /// A publish that was written but has not been answered yet; 0 where the protocol answers
  /// nothing.
  [[nodiscard]] virtual std::uint64_t unanswered() const = 0;
};

/// Connected and greeted when it returns; throws test::HarnessError. `channels` are the names that
/// publish() means by index.
[[nodiscard]] std::unique_ptr<Publisher> make_publisher(const PublishRoute& route,
                                                        const std::vector<std::string>& channels);

// What make_publisher chooses from. The last two are the peers': peers/.
[[nodiscard]] std::unique_ptr<Publisher> make_redis_publisher(
    const test::Endpoint& to, const std::vector<std::string>& channels);
[[nodiscard]] std::unique_ptr<Publisher> make_http_publisher(
    const PublishRoute& route, const std::vector<std::string>& channels);
[[nodiscard]] std::unique_ptr<Publisher> make_mqtt_publisher(
    const PublishRoute& route, const std::vector<std::string>& channels);

}  // namespace sluice::fanout
