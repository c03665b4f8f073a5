#include <gtest/gtest.h>

#include "bench/fanout/dialects/mqtt.h"
#include "bench/fanout/dialects/mqtt_packet.h"
#include "bench/fanout/ws_frame.h"

namespace sluice::fanout {
namespace {

using namespace std::string_literals;

std::string publish_packet(std::string_view topic, std::string_view message) {
  std::string packet;
  mqtt::append_publish(packet, topic, message);
  return packet;
}

std::string suback(char granted) {
  return "\x90\x03\x00\x01"s + granted;
}

/// The payload of a masked frame.
std::string unmasked(std::string_view frame) {
  std::string payload;
  for (std::size_t i = 6; i < frame.size(); ++i) {
    payload.push_back(static_cast<char>(frame[i] ^ frame[2 + (i - 6) % 4]));
  }
  return payload;
}

TEST(MqttPacket, WritesWhatTheStandardSays) {
  std::string bytes;
  mqtt::append_connect(bytes, "b7");
  EXPECT_EQ(bytes, "\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02"s + "b7");
  bytes.clear();
  mqtt::append_subscribe(bytes, "c1");
  EXPECT_EQ(bytes, "\x82\x07\x00\x01\x00\x02"s + "c1" + "\x00"s);
  EXPECT_EQ(publish_packet("c1", "hi"), "\x30\x06\x00\x02"s + "c1hi");
}

TEST(MqttPacket, LengthsOfSeveralBytes) {
  for (const std::size_t size : {0UL, 123UL, 124UL, 16379UL, 16380UL, 70000UL}) {
    const std::string message(size, 'x');
    const std::string bytes = publish_packet("c1", message);
    const auto packet = mqtt::next_packet(bytes);
    ASSERT_TRUE(packet) << size;
    EXPECT_EQ(packet->size, bytes.size());
    EXPECT_EQ(mqtt::published(packet->body), message);
  }
}

TEST(MqttPacket, NothingWhileNotWhole) {
  const std::string bytes = publish_packet("c1", std::string(200, 'x'));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(mqtt::next_packet(std::string_view(bytes).substr(0, size))) << size;
  }
}

TEST(MqttPacket, FiveBytesAreNoLength) {
  EXPECT_FALSE(mqtt::next_packet("\x30\x80\x80\x80\x80\x00"s));
}

TEST(MqttPacket, ATopicBeyondThePacketIsNone) {
  EXPECT_FALSE(
      mqtt::published("\x00\x05"
                      "abcd"s));
  EXPECT_FALSE(mqtt::published("\x00"s));
}

TEST(MqttDialect, AsksForTheSubprotocolAndSubscribesAtOnce) {
  const auto dialect = make_mqtt_dialect();
  EXPECT_NE(dialect->request("/mqtt").find("Sec-WebSocket-Protocol: mqtt\r\n"), std::string::npos);
  EXPECT_FALSE(dialect->ready_at_upgrade());
  const std::string packets = unmasked(dialect->greet("c1", 7));
  const auto connect = mqtt::next_packet(packets);
  ASSERT_TRUE(connect);
  EXPECT_EQ(connect->type, mqtt::Type::kConnect);
  const auto subscribe = mqtt::next_packet(std::string_view(packets).substr(connect->size));
  ASSERT_TRUE(subscribe);
  EXPECT_EQ(subscribe->type, mqtt::Type::kSubscribe);
  EXPECT_EQ(connect->size + subscribe->size, packets.size());
  EXPECT_NE(dialect->greet("c1", 8), dialect->greet("c1", 7));
}

TEST(MqttDialect, ReadyWhenTheSubscriptionIsGranted) {
  const auto dialect = make_mqtt_dialect();
  EXPECT_EQ(dialect->on_frame(kBinary, "\x20\x02\x00\x00"s).kind, Heard::Kind::kNothing);
  EXPECT_EQ(dialect->on_frame(kBinary, suback(0)).kind, Heard::Kind::kReady);
  EXPECT_EQ(dialect->on_frame(kBinary, suback('\x80')).kind, Heard::Kind::kBroken);
  EXPECT_EQ(dialect->on_frame(kBinary, "\x20\x02\x00\x05"s).kind, Heard::Kind::kBroken);
}

TEST(MqttDialect, SeveralPacketsInAFrame) {
  const auto dialect = make_mqtt_dialect();
  const std::string frame =
      "\x20\x02\x00\x00"s + suback(0) + publish_packet("c1", "one") + publish_packet("c1", "");
  std::string_view rest = frame;
  std::vector<Heard::Kind> kinds;
  std::vector<std::string> messages;
  while (!rest.empty()) {
    const Heard heard = dialect->on_frame(kBinary, rest);
    ASSERT_NE(heard.kind, Heard::Kind::kBroken);
    ASSERT_GT(heard.consumed, 0U);
    kinds.push_back(heard.kind);
    if (heard.kind == Heard::Kind::kMessage) messages.emplace_back(heard.message);
    rest.remove_prefix(heard.consumed);
  }
  EXPECT_EQ(kinds, (std::vector{Heard::Kind::kNothing, Heard::Kind::kReady, Heard::Kind::kMessage,
                                Heard::Kind::kMessage}));
  EXPECT_EQ(messages, (std::vector<std::string>{"one", ""}));
}

TEST(MqttDialect, APacketOverSeveralFramesIsBroken) {
  const auto dialect = make_mqtt_dialect();
  const std::string packet = publish_packet("c1", "a message");
  EXPECT_EQ(dialect->on_frame(kBinary, std::string_view(packet).substr(0, 8)).kind,
            Heard::Kind::kBroken);
  EXPECT_EQ(dialect->on_frame(kBinary, std::string_view(packet).substr(8)).kind,
            Heard::Kind::kBroken);
}

TEST(MqttDialect, WhatNobodyAskedForIsBroken) {
  const auto dialect = make_mqtt_dialect();
  EXPECT_EQ(dialect->on_frame(kText, publish_packet("c1", "m")).kind, Heard::Kind::kBroken);
  std::string reliable = publish_packet("c1", "m");
  reliable[0] = '\x32';  // QoS 1
  EXPECT_EQ(dialect->on_frame(kBinary, reliable).kind, Heard::Kind::kBroken);
  EXPECT_EQ(dialect->on_frame(kBinary, "\xe0\x00"s).kind, Heard::Kind::kBroken);
  EXPECT_EQ(dialect->on_frame(kBinary, "\xd0\x00"s).kind, Heard::Kind::kNothing);
}

}  // namespace
}  // namespace sluice::fanout
