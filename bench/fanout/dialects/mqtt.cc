// The client's side of MQTT over WebSocket: two packets to begin with, then only listening.
// Keep-alive is off, so nothing has to be said afterwards.
#include "bench/fanout/dialects/mqtt.h"

#include "bench/fanout/dialects/mqtt_packet.h"
#include "bench/fanout/ws_frame.h"

namespace sluice::fanout {
namespace {

constexpr std::uint8_t kPublishRetain = 0x01;
constexpr std::uint8_t kGrantedQosMax = 2;
constexpr std::size_t kConnackSize = 2;
constexpr std::size_t kSubackSize = 3;

Heard::Kind of_connack(std::string_view body) {
  const bool accepted = body.size() == kConnackSize && body[1] == 0;
  return accepted ? Heard::Kind::kNothing : Heard::Kind::kBroken;
}

Heard::Kind of_suback(std::string_view body) {
  const bool granted =
      body.size() == kSubackSize && static_cast<std::uint8_t>(body[2]) <= kGrantedQosMax;
  return granted ? Heard::Kind::kReady : Heard::Kind::kBroken;
}

class MqttDialect final : public Dialect {
 public:
  [[nodiscard]] std::string request(std::string_view path) const override {
    return upgrade_request(path, "mqtt");
  }

  [[nodiscard]] std::string greet(std::string_view channel, std::uint64_t client) const override {
    std::string packets;
    mqtt::append_connect(packets, "bench" + std::to_string(client));
    mqtt::append_subscribe(packets, channel);
    std::string out;
    append_masked(out, kBinary, packets);
    return out;
  }

  [[nodiscard]] bool ready_at_upgrade() const override { return false; }

  [[nodiscard]] Heard on_frame(std::uint8_t opcode, std::string_view payload) override {
    Heard heard;
    const auto packet = mqtt::next_packet(payload);
    if (opcode != kBinary || !packet) {
      heard.kind = Heard::Kind::kBroken;
      return heard;
    }
    heard.consumed = packet->size;
    switch (packet->type) {
      case mqtt::Type::kConnack:
        heard.kind = of_connack(packet->body);
        break;
      case mqtt::Type::kSuback:
        heard.kind = of_suback(packet->body);
        break;
      case mqtt::Type::kPublish:
        hear_publish(*packet, heard);
        break;
      case mqtt::Type::kPingresp:
        break;
      default:
        heard.kind = Heard::Kind::kBroken;
    }
    return heard;
  }

 private:
  static void hear_publish(const mqtt::Packet& packet, Heard& heard) {
    const auto message = mqtt::published(packet.body);
    // QoS 0 is what was subscribed to: anything else would want an answer.
    if (!message || (packet.flags & ~kPublishRetain) != 0) {
      heard.kind = Heard::Kind::kBroken;
      return;
    }
    heard.kind = Heard::Kind::kMessage;
    heard.message = *message;
  }
};

}  // namespace

std::unique_ptr<Dialect> make_mqtt_dialect() {
  return std::make_unique<MqttDialect>();
}

}  // namespace sluice::fanout
