// Step 1: the strict reader of what a client sends after the upgrade (RFC 6455 section 5). It sees
// every byte before libwebsockets does, answers to nobody's leniency but its own, and splits the
// stream in two: data frames go on to libwebsockets, control frames are taken out and told as
// events, because libwebsockets 4.1.6 answers only the newest of several PINGs, echoes close codes
// that don't exist and waits for the peer after a fault. What is wrong ends the stream at that very
// byte; everything before it has been passed on.
//
// Pure and plain: bytes in, bytes and events out, at any split. Its state is all there is to know
// about the position in the stream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/utf8.h"
#include "gateway/close_code.h"

namespace sluice::gateway {

/// Why the stream ended before its time.
enum class ScanFault : std::uint8_t {
  kNone,
  kReservedBits,        ///< RSV1-3 without an extension (5.2)
  kReservedOpcode,      ///< 3-7 and 11-15 (5.2)
  kUnmasked,            ///< a client must mask (5.1)
  kLengthNotMinimal,    ///< a length that would have fitted fewer bytes, or with its top bit set
                        ///< (5.2)
  kControlFragmented,   ///< (5.5)
  kControlTooLong,      ///< more than 125 bytes (5.5)
  kNothingToContinue,   ///< a continuation without a message (5.4)
  kMessageInsideOther,  ///< a new message before the last one's end (5.4)
  kTooBig,              ///< over the caller's bound; judged by the header, before any payload
  kNotUtf8,             ///< in a text message or a close reason (8.1)
  kCloseLength,         ///< a close frame of one byte (5.5.1)
  kCloseCode,           ///< a code that may not stand on the wire (7.4)
};

[[nodiscard]] CloseCode close_code_of(ScanFault fault);
/// One static line for the close frame and the log.
[[nodiscard]] const char* describe(ScanFault fault);
/// May `code` stand in a close frame (7.4 and the IANA registry)?
[[nodiscard]] bool valid_close_code(std::uint16_t code);

class ScanEvents {
 public:
  virtual ~ScanEvents() = default;
  /// `payload` lives for the call.
  virtual void ping(std::span<const std::uint8_t> payload) = 0;
  virtual void pong() = 0;
  /// Last event: `code` is 0 when the frame had none. Nothing behind it is looked at.
  virtual void close(std::uint16_t code) = 0;
};

class WsScanner {
  friend class ScannerImage;
  friend class ResumeBytes;

 public:
  /// Takes the next bytes of the stream. Those of data frames are moved together at the front of
  /// `bytes`; returns how many. After the end (a fault or a close frame) everything is dropped.
  [[nodiscard]] std::size_t feed(std::span<std::uint8_t> bytes, std::size_t message_bytes_max,
                                 ScanEvents& events);

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] ScanFault fault() const { return fault_; }
  /// Of data frames passed on so far: each byte of payload and each frame's end counts one.
  /// Whoever processes them is done when it has counted as many.
  [[nodiscard]] std::uint64_t data_passed() const { return data_passed_; }

 private:
  struct Cursor;

  void header_byte(Cursor& cursor, std::size_t message_bytes_max);
  [[nodiscard]] ScanFault check_first(std::uint8_t byte) const;
  [[nodiscard]] ScanFault check_second(std::uint8_t byte);
  [[nodiscard]] ScanFault check_length(std::size_t message_bytes_max);
  void begin_frame(Cursor& cursor, ScanEvents* events);
  void data_payload(Cursor& cursor);
  void control_payload(Cursor& cursor, ScanEvents& events);
  void end_data_frame(Cursor& cursor);
  void control_frame(std::span<const std::uint8_t> payload, ScanEvents& events);
  void close_frame(std::span<const std::uint8_t> payload, ScanEvents& events);
  [[nodiscard]] bool text_goes_on(std::span<const std::uint8_t> masked);
  void fail(ScanFault fault);

  [[nodiscard]] std::uint8_t opcode() const { return header_[0] & 0x0FU; }
  [[nodiscard]] bool is_control() const { return (header_[0] & 0x08U) != 0; }
  [[nodiscard]] bool is_final() const { return (header_[0] & 0x80U) != 0; }

  std::array<std::uint8_t, 14> header_{};  ///< of the frame under way
  std::uint8_t header_have_ = 0;
  std::uint8_t header_need_ = 2;
  std::array<std::uint8_t, 4> mask_{};
  std::uint8_t mask_at_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;
  bool text_ = false;
  bool ended_ = false;
  ScanFault fault_ = ScanFault::kNone;
  Utf8Validator utf8_;
  std::uint64_t left_ = 0;  ///< of the frame's payload
  std::uint64_t message_bytes_ =
      0;  ///< of the message under way, the frame's whole length included
  std::uint64_t data_passed_ = 0;
  std::vector<std::uint8_t>
      control_;  ///< a control frame's payload that comes in pieces; else empty
};

}  // namespace sluice::gateway
