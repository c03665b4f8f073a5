// RFC 6455 frames as the load generator needs them: server frames are found in the bytes read, none
// is copied; client frames are made masked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::fanout {

inline constexpr std::uint8_t kText = 1;
inline constexpr std::uint8_t kBinary = 2;
inline constexpr std::uint8_t kClose = 8;
inline constexpr std::uint8_t kPing = 9;
inline constexpr std::uint8_t kPong = 10;

/// The next frame of a server in `bytes`.
struct ServerFrame {
  enum class State : std::uint8_t {
    kWhole,
    kPartial,  ///< more bytes are needed
    kBroken,   ///< masked, fragmented, reserved bits: no server of a bench sends that
  };
  State state = State::kPartial;
  std::uint8_t opcode = 0;
  std::size_t size = 0;  ///< of the whole frame; with kPartial 0
  std::string_view payload{};
};

[[nodiscard]] inline ServerFrame next_frame(std::string_view bytes) {
  ServerFrame frame;
  if (bytes.size() < 2) return frame;
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  const auto second = static_cast<std::uint8_t>(bytes[1]);
  if ((first & 0xF0U) != 0x80U || (second & 0x80U) != 0) {
    frame.state = ServerFrame::State::kBroken;
    return frame;
  }
  std::size_t header = 2;
  std::uint64_t length = second;
  if (second >= 126) {
    const std::size_t more = second == 126 ? 2 : 8;
    header += more;
    if (bytes.size() < header) return frame;
    length = 0;
    for (std::size_t i = 2; i < header; ++i)
      length = length << 8U | static_cast<std::uint8_t>(bytes[i]);
  }
  if (bytes.size() - header < length) return frame;
  frame.state = ServerFrame::State::kWhole;
  frame.opcode = first & 0x0FU;
  frame.size = header + length;
  frame.payload = bytes.substr(header, length);
  return frame;
}

/// Appends one frame as a client sends it, at most 65,535 bytes of payload.
void append_masked(std::string& out, std::uint8_t opcode, std::string_view payload);
/// Appends one frame as a server sends it: what the floors prepare once per message.
void append_unmasked(std::string& out, std::uint8_t opcode, std::string_view payload);

}  // namespace sluice::fanout
