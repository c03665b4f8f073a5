#include "bench/fanout/ws_frame.h"

#include <array>

namespace sluice::fanout {
namespace {

/// Any key will do: masking is against proxies that a bench has none of.
constexpr std::array<char, 4> kMask = {0x37, 0x5a, 0x21, 0x6c};
constexpr std::size_t kShortMax = 125;

void append_header(std::string& out, std::uint8_t opcode, std::size_t length, std::uint8_t mask) {
  out += static_cast<char>(0x80U | opcode);
  if (length <= kShortMax) {
    out += static_cast<char>(mask | length);
    return;
  }
  out += static_cast<char>(mask | 126U);
  out += static_cast<char>(length >> 8U);
  out += static_cast<char>(length & 0xFFU);
}

}  // namespace

void append_masked(std::string& out, std::uint8_t opcode, std::string_view payload) {
  append_header(out, opcode, payload.size(), 0x80);
  out.append(kMask.data(), kMask.size());
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ kMask[i % kMask.size()]);
}

void append_unmasked(std::string& out, std::uint8_t opcode, std::string_view payload) {
  append_header(out, opcode, payload.size(), 0);
  out += payload;
}

}  // namespace sluice::fanout
