#include "bench/fanout/dialects/mqtt_packet.h"

namespace sluice::fanout::mqtt {
namespace {

constexpr std::uint8_t kMoreLength = 0x80;
constexpr std::uint8_t kLengthBits = 0x7F;
constexpr std::size_t kLengthBytesMax = 4;
constexpr std::uint8_t kSubscribeFlags = 2;  // the standard's, always
constexpr std::uint8_t kLevel = 4;           // 3.1.1
constexpr std::uint8_t kCleanSession = 2;
constexpr std::size_t kTextHeader = 2;

void append_header(std::string& out, Type type, std::uint8_t flags, std::size_t length) {
  out.push_back(static_cast<char>(static_cast<std::uint8_t>(type) << 4U | flags));
  do {
    auto byte = static_cast<std::uint8_t>(length & kLengthBits);
    length >>= 7U;
    if (length != 0) byte |= kMoreLength;
    out.push_back(static_cast<char>(byte));
  } while (length != 0);
}

void append_number(std::string& out, std::size_t number) {
  out.push_back(static_cast<char>(number >> 8U));
  out.push_back(static_cast<char>(number & 0xFFU));
}

void append_text(std::string& out, std::string_view text) {
  append_number(out, text.size());
  out.append(text);
}

}  // namespace

std::optional<Packet> next_packet(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytesMax; ++i) {
    const std::size_t at = 1 + i;
    if (bytes.size() <= at) return std::nullopt;
    const auto byte = static_cast<std::uint8_t>(bytes[at]);
    length |= static_cast<std::size_t>(byte & kLengthBits) << (7 * i);
    if ((byte & kMoreLength) != 0) continue;
    const std::size_t header = at + 1;
    if (bytes.size() - header < length) return std::nullopt;
    const auto first = static_cast<std::uint8_t>(bytes[0]);
    return Packet{static_cast<Type>(first >> 4U), static_cast<std::uint8_t>(first & 0x0FU),
                  header + length, bytes.substr(header, length)};
  }
  return std::nullopt;
}

std::optional<std::string_view> published(std::string_view body) {
  if (body.size() < kTextHeader) return std::nullopt;
  const auto topic = static_cast<std::size_t>(static_cast<std::uint8_t>(body[0])) << 8U |
                     static_cast<std::uint8_t>(body[1]);
  if (body.size() - kTextHeader < topic) return std::nullopt;
  return body.substr(kTextHeader + topic);
}

void append_connect(std::string& out, std::string_view client_id) {
  std::string body;
  append_text(body, "MQTT");
  body.push_back(static_cast<char>(kLevel));
  body.push_back(static_cast<char>(kCleanSession));
  append_number(body, 0);
  append_text(body, client_id);
  append_header(out, Type::kConnect, 0, body.size());
  out += body;
}

void append_subscribe(std::string& out, std::string_view topic) {
  std::string body;
  append_number(body, 1);
  append_text(body, topic);
  body.push_back(0);
  append_header(out, Type::kSubscribe, kSubscribeFlags, body.size());
  out += body;
}

void append_publish(std::string& out, std::string_view topic, std::string_view message) {
  append_header(out, Type::kPublish, 0, kTextHeader + topic.size() + message.size());
  append_text(out, topic);
  out.append(message);
}

}  // namespace sluice::fanout::mqtt
