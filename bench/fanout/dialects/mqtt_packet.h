// MQTT 3.1.1 packets, as much as a bench's client and publisher need: four to write, any to read.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::fanout::mqtt {

enum class Type : std::uint8_t {
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kSubscribe = 8,
  kSuback = 9,
  kPingresp = 13,
};

struct Packet {
  Type type{};  ///< as sent: any of 0 to 15
  std::uint8_t flags = 0;
  std::size_t size = 0;     ///< whole, with its fixed header
  std::string_view body{};  ///< behind the fixed header
};

/// The packet that `bytes` begin with; nothing while it is not whole, or can't be one.
[[nodiscard]] std::optional<Packet> next_packet(std::string_view bytes);

/// The message in a PUBLISH of QoS 0, behind the topic.
[[nodiscard]] std::optional<std::string_view> published(std::string_view body);

/// Clean session, no keep-alive, nobody's name or password.
void append_connect(std::string& out, std::string_view client_id);
/// One topic at QoS 0.
void append_subscribe(std::string& out, std::string_view topic);
/// QoS 0.
void append_publish(std::string& out, std::string_view topic, std::string_view message);

}  // namespace sluice::fanout::mqtt
