// Frames as a client sends them, and the messages that a server makes of such a stream: by the
// letter of RFC 6455, and sharing nothing with the gateway's own reader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"

namespace sluice::test {

/// `first` is the frame's first byte.
inline std::string client_frame(std::uint8_t first, std::string_view payload,
                                std::string_view mask = "\x37\xFA\x21\x3D") {
  std::string out(1, static_cast<char>(first));
  const std::uint64_t n = payload.size();
  const unsigned more = n < 126 ? 0 : n < 65536 ? 2 : 8;
  out.push_back(static_cast<char>(0x80U | (more == 0 ? n : more == 2 ? 126 : 127)));
  for (unsigned i = more; i > 0; --i) out.push_back(static_cast<char>(n >> (8U * (i - 1))));
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out.push_back(static_cast<char>(payload[i] ^ mask[i & 3U]));
  return out;
}

struct ClientMessage {
  bool text = false;
  std::string bytes;
  friend bool operator==(const ClientMessage&, const ClientMessage&) = default;
};

/// The messages of a stream of data frames, and what has come of one that has not ended.
struct DataStream {
  std::vector<ClientMessage> messages;
  ClientMessage half;
  bool in_message = false;
};

inline DataStream read_data_stream(std::string_view stream) {
  DataStream out;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(stream[i]); };
  while (stream.size() >= 2) {
    const unsigned opcode = byte(0) & 15U;
    CHECK(opcode <= 2 && (byte(0) & 0x70U) == 0 && byte(1) >= 128);
    CHECK((opcode == 0) == out.in_message);
    std::uint64_t length = byte(1) & 127U;
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (stream.size() < 2 + more + 4) return out;
    if (more > 0) length = 0;
    for (std::size_t i = 0; i < more; ++i) length = length << 8U | byte(2 + i);
    if (opcode != 0) out.half = {opcode == 1, ""};
    out.in_message = true;
    const std::string_view mask = stream.substr(2 + more, 4);
    const bool final = byte(0) >= 128;
    stream.remove_prefix(2 + more + 4);
    const std::string_view masked = stream.substr(0, length);
    for (std::size_t i = 0; i < masked.size(); ++i)
      out.half.bytes.push_back(static_cast<char>(masked[i] ^ mask[i & 3U]));
    if (masked.size() < length) return out;
    stream.remove_prefix(length);
    if (!final) continue;
    out.messages.push_back(out.half);
    out.half = {};
    out.in_message = false;
  }
  return out;
}

}  // namespace sluice::test
