// WebSocket wire format, client side.
#include "tests/process/support/ws_wire.h"

#include <array>
#include <cstring>
#include <random>

#include "tests/process/support/deadline.h"

namespace sluice::test {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kCompactAt = 1U << 20U;

std::uint32_t rotate(std::uint32_t value, unsigned bits) {
  return (value << bits) | (value >> (32U - bits));
}

void sha1_block(const unsigned char* block, std::array<std::uint32_t, 5>& h) {
  std::uint32_t w[80];
  for (std::size_t i = 0; i < 16; ++i) {
    w[i] = static_cast<std::uint32_t>(block[i * 4]) << 24U |
           static_cast<std::uint32_t>(block[i * 4 + 1]) << 16U |
           static_cast<std::uint32_t>(block[i * 4 + 2]) << 8U | block[i * 4 + 3];
  }
  for (int i = 16; i < 80; ++i) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  auto [a, b, c, d, e] = h;
  for (int i = 0; i < 80; ++i) {
    std::uint32_t f = b ^ c ^ d;
    std::uint32_t k = i < 40 ? 0x6ED9EBA1U : 0xCA62C1D6U;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5A827999U;
    } else if (i >= 40 && i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8F1BBCDCU;
    }
    const std::uint32_t next = rotate(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  h = {h[0] + a, h[1] + b, h[2] + c, h[3] + d, h[4] + e};
}

std::array<unsigned char, 20> sha1(std::string text) {
  const std::uint64_t bits = text.size() * 8;
  text.push_back('\x80');
  while (text.size() % 64 != 56) text.push_back('\0');
  for (int i = 7; i >= 0; --i) {
    text.push_back(static_cast<char>(bits >> (static_cast<unsigned>(i) * 8U)));
  }
  std::array<std::uint32_t, 5> h{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
  for (std::size_t at = 0; at < text.size(); at += 64) {
    sha1_block(reinterpret_cast<const unsigned char*>(text.data()) + at, h);
  }
  std::array<unsigned char, 20> digest{};
  for (std::size_t i = 0; i < 20; ++i) {
    digest[i] = static_cast<unsigned char>(h[i / 4] >> (24U - 8U * (i % 4)));
  }
  return digest;
}

std::string base64(const std::array<unsigned char, 20>& bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16U;
    if (i + 1 < bytes.size()) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8U;
    if (i + 2 < bytes.size()) group |= bytes[i + 2];
    for (unsigned j = 0; j < 4; ++j) {
      const bool padding = i + j > bytes.size();
      text.push_back(padding ? '=' : kAlphabet[(group >> (18U - 6U * j)) & 63U]);
    }
  }
  return text;
}

void append_length(std::string& out, std::size_t size, std::uint8_t mask_bit) {
  if (size < 126) {
    out.push_back(static_cast<char>(mask_bit | size));
    return;
  }
  const unsigned bytes = size <= 0xFFFF ? 2 : 8;
  out.push_back(static_cast<char>(mask_bit | (bytes == 2 ? 126U : 127U)));
  for (unsigned i = bytes; i-- > 0;) {
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(size) >> (i * 8U)));
  }
}

}  // namespace

std::string upgrade_bytes(const UpgradeRequest& request) {
  std::map<std::string, std::string> headers{{"Host", request.host},
                                             {"Upgrade", "websocket"},
                                             {"Connection", "Upgrade"},
                                             {"Sec-WebSocket-Key", std::string(kUpgradeKey)},
                                             {"Sec-WebSocket-Version", "13"}};
  if (!request.origin.empty()) headers["Origin"] = request.origin;
  for (const auto& [name, value] : request.headers) headers[name] = value;
  std::string text = request.before + request.method + " " + request.path + " HTTP/1.1\r\n";
  for (const auto& [name, value] : headers) {
    if (!value.empty()) text.append(name).append(": ").append(value).append("\r\n");
  }
  return text + "\r\n";
}

std::string accept_of(std::string_view key) {
  return base64(sha1(std::string(key) + std::string(kGuid)));
}

std::string client_frame(WsOpcode opcode, std::string_view payload, bool fin) {
  static thread_local std::mt19937 random{std::random_device{}()};
  std::string out;
  out.reserve(payload.size() + 14);
  out.push_back(static_cast<char>((fin ? 0x80U : 0U) | static_cast<unsigned>(opcode)));
  append_length(out, payload.size(), 0x80);
  const auto key = static_cast<std::uint32_t>(random());
  char mask[4];
  std::memcpy(mask, &key, 4);
  out.append(mask, 4);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  }
  return out;
}

std::string unmasked_frame(WsOpcode opcode, std::string_view payload) {
  std::string out;
  out.push_back(static_cast<char>(0x80U | static_cast<unsigned>(opcode)));
  append_length(out, payload.size(), 0);
  return out.append(payload);
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string out{static_cast<char>(code >> 8U), static_cast<char>(code & 0xFFU)};
  return out.append(reason);
}

std::optional<WsFrame> WsReader::next() {
  if (buffered() < 2) return std::nullopt;
  const auto* data = reinterpret_cast<const std::uint8_t*>(buffer_.data()) + at_;
  const std::uint8_t first = data[0];
  const std::uint8_t second = data[1];
  std::uint64_t size = second & 0x7FU;
  std::size_t head = 2;
  if (size >= 126) {
    const std::size_t extra = size == 126 ? 2 : 8;
    if (buffered() < 2 + extra) return std::nullopt;
    size = 0;
    for (std::size_t i = 0; i < extra; ++i) size = size << 8U | data[2 + i];
    const std::uint64_t least = extra == 2 ? 126 : 65536;
    if (size < least) throw HarnessError("length not in its shortest form");
    head += extra;
  }
  if ((second & 0x80U) != 0) throw HarnessError("server masked a frame");
  if (buffered() < head + size) return std::nullopt;
  WsFrame frame;
  frame.fin = (first & 0x80U) != 0;
  frame.opcode = static_cast<WsOpcode>(first & 0x0FU);
  frame.payload = buffer_.substr(at_ + head, size);
  at_ += head + size;
  compact();
  check(frame, first, second);
  return frame;
}

void WsReader::compact() {
  if (at_ < kCompactAt && at_ != buffer_.size()) return;
  buffer_.erase(0, at_);
  at_ = 0;
  if (buffer_.empty() && buffer_.capacity() > kCompactAt) buffer_.shrink_to_fit();
}

void WsReader::check(const WsFrame& frame, std::uint8_t first, std::uint8_t second) {
  if ((first & 0x70U) != 0) throw HarnessError("reserved bits set");
  const auto opcode = static_cast<unsigned>(frame.opcode);
  if (opcode >= 8) {
    if (opcode > 10) throw HarnessError("unknown control opcode");
    if (!frame.fin || (second & 0x7FU) > 125) throw HarnessError("bad control frame");
    return;
  }
  if (opcode > 2) throw HarnessError("unknown opcode");
  if (in_message_ != (frame.opcode == WsOpcode::kContinuation)) {
    throw HarnessError("fragments out of order");
  }
  in_message_ = !frame.fin;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (std::size_t j = 1; j < size; ++j) {
      if ((static_cast<unsigned char>(text[i + j]) & 0xC0U) != 0x80) return false;
    }
    const auto second = size > 1 ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += size;
  }
  return true;
}

}  // namespace sluice::test
