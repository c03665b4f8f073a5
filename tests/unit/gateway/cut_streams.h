// Streams of a client that are awkward to go on with, and a reader of their first part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/ws_scanner.h"
#include "tests/unit/gateway/client_frames.h"

namespace sluice::test {

inline constexpr std::size_t kCutMessageBytesMax = 70000;

struct CutStream {
  const char* name;
  std::string bytes;
};

/// Fragments, pings between and inside nothing, empty frames, characters cut by frames, each length
/// form. Each ends between two messages.
inline std::vector<CutStream> cut_streams() {
  const std::string euro = "\xE2\x82\xAC", clef = "\xF0\x9D\x84\x9E";
  return {
      {"one text", client_frame(0x81, "hello" + euro) + client_frame(0x82, "x")},
      {"fragments", client_frame(0x01, "one ") + client_frame(0x00, "") +
                        client_frame(0x00, "two ") + client_frame(0x80, "three") +
                        client_frame(0x81, "next")},
      {"pings between", client_frame(0x02, "\xFF\xFE") + client_frame(0x89, "are you there") +
                            client_frame(0x00, "\x80") + client_frame(0x8A, "") +
                            client_frame(0x89, "") + client_frame(0x80, "\x01") +
                            client_frame(0x89, "last")},
      {"characters cut", client_frame(0x01, euro + clef.substr(0, 1)) + client_frame(0x89, "p") +
                             client_frame(0x00, clef.substr(1, 2)) +
                             client_frame(0x80, clef.substr(3) + euro.substr(0, 0))},
      {"empty messages", client_frame(0x81, "") + client_frame(0x82, "") + client_frame(0x01, "") +
                             client_frame(0x80, "")},
      {"empty first and last",
       client_frame(0x01, "") + client_frame(0x00, "mid") + client_frame(0x80, "")},
      {"16 bit length", client_frame(0x82, std::string(130, 'x')) + client_frame(0x81, "y")},
      {"no mask",
       client_frame(0x81, "plain", std::string_view("\0\0\0\0", 4)) + client_frame(0x81, "again")},
  };
}

struct ScanEventList final : gateway::ScanEvents {
  void ping(std::span<const std::uint8_t> payload) override {
    all.push_back("ping " + std::string(payload.begin(), payload.end()));
  }
  void pong() override { all.emplace_back("pong"); }
  void close(std::uint16_t code) override { all.push_back("close " + std::to_string(code)); }
  std::vector<std::string> all;
};

/// What `scanner` passes on of `bytes`.
inline std::string scan(gateway::WsScanner& scanner, std::string bytes, ScanEventList& events) {
  bytes.resize(scanner.feed({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()},
                            kCutMessageBytesMax, events));
  return bytes;
}

}  // namespace sluice::test
