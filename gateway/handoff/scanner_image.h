// Where a client is in its stream to us, as bytes that another process goes on from. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "gateway/ws_scanner.h"

namespace sluice::gateway {

inline constexpr std::size_t kScannerImageBytesMax = 256;

class ScannerImage {
 public:
  /// False: it stands between two messages, as a new one does, and there is nothing to store.
  [[nodiscard]] static bool needed(const WsScanner& scanner);
  /// At most kScannerImageBytesMax bytes. data_passed() is no part of it: that is between one
  /// process and its libwebsockets.
  [[nodiscard]] static std::vector<std::uint8_t> encode(const WsScanner& scanner);
  /// Null: of another version, or no stream leads there. What is decoded can be fed like any other.
  [[nodiscard]] static std::optional<WsScanner> decode(std::span<const std::uint8_t> image);

  /// A message has begun and not ended; whether it is a text; payload bytes of it that have come.
  [[nodiscard]] static bool in_message(const WsScanner& scanner) {
    return scanner.in_message_ && !scanner.ended_;
  }
  [[nodiscard]] static bool in_text(const WsScanner& scanner) { return scanner.text_; }
  [[nodiscard]] static std::uint64_t message_bytes(const WsScanner& scanner);

 private:
  [[nodiscard]] static bool in_data_payload(const WsScanner& scanner) {
    return scanner.in_payload_ && !scanner.is_control();
  }
  [[nodiscard]] static bool length_known(const WsScanner& scanner);
  [[nodiscard]] static bool possible(const WsScanner& scanner);
  [[nodiscard]] static bool header_possible(const WsScanner& scanner);
  [[nodiscard]] static bool length_possible(WsScanner scanner);
  [[nodiscard]] static bool payload_possible(const WsScanner& scanner);
};

}  // namespace sluice::gateway
