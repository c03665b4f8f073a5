// The fault sweep: every call that the pure core makes, or that comes back to it, through a port is
// counted, and one of them fails. Which, is a number; so every failure can be had alone, and the
// sweep tries them all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::sim {

/// What can fail, and how it fails.
enum class Port : std::uint8_t {
  kDial,               ///< connecting to the relay: refused, tried again
  kLinkRead,           ///< either side reads its socket: the link breaks
  kLinkWrite,          ///< either side writes to it: the link breaks
  kLinkTick,           ///< the gateway's timer does not come for a while
  kRelayTick,          ///< the relay's timer does not come for a while
  kBrokerSubscribe,    ///< the broker's connection breaks
  kBrokerUnsubscribe,  ///< the same
  kBrokerPublish,      ///< refused by the broker
  kBrokerPublishLost,  ///< the broker's connection breaks behind it: of unknown fate
  kBrokerRoom,         ///< "may I publish?": no
  kBrokerDeliver,      ///< the broker's connection breaks instead of a message
  kDeliver,  ///< a client's queue is at its bound: the client is closed, the frame is lost
};
inline constexpr std::size_t kPorts = 12;

class Faults {
 public:
  /// The n-th call fails, from 1; 0: none does. `silent`: a message of the broker that fails is
  /// lost and nobody is told; what no broker does, and what the checks must notice.
  explicit Faults(std::uint64_t fail_at, bool silent) : fail_at_(fail_at), silent_(silent) {}

  /// True: this call fails.
  [[nodiscard]] bool hit(Port port) {
    ++calls_[static_cast<std::size_t>(port)];
    if (++count_ != fail_at_) return false;
    failed_ = port;
    happened_ = true;
    return true;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t calls(Port port) const {
    return calls_[static_cast<std::size_t>(port)];
  }
  [[nodiscard]] bool happened() const { return happened_; }
  [[nodiscard]] bool silent() const { return silent_; }
  /// Which port's call it was.
  [[nodiscard]] Port failed() const { return failed_; }

 private:
  std::uint64_t fail_at_;
  bool silent_;
  std::uint64_t count_ = 0;
  std::array<std::uint64_t, kPorts> calls_{};
  Port failed_{};
  bool happened_ = false;
};

[[nodiscard]] constexpr std::string_view to_string(Port port) {
  constexpr std::array<std::string_view, kPorts> kNames = {"dial",
                                                           "link read",
                                                           "link write",
                                                           "link tick",
                                                           "relay tick",
                                                           "broker subscribe",
                                                           "broker unsubscribe",
                                                           "broker publish",
                                                           "broker publish lost",
                                                           "broker room",
                                                           "broker deliver",
                                                           "deliver"};
  return kNames[static_cast<std::size_t>(port)];
}

}  // namespace sluice::sim
