#include "gateway/ws_scanner.h"

#include <algorithm>
#include <cstring>

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kContinuation = 0;
constexpr std::uint8_t kText = 1;
constexpr std::uint8_t kBinary = 2;
constexpr std::uint8_t kClose = 8;
constexpr std::uint8_t kPing = 9;
constexpr std::uint8_t kPong = 10;
constexpr std::uint8_t kReservedBits = 0x70;
constexpr std::uint8_t kMaskBit = 0x80;
/// Of a length in 64 bits, in its first byte.
constexpr std::uint8_t kTopBit = 0x80;
/// Two bytes, a length in 64 bits and the mask.
constexpr std::uint8_t kLongestHeader = 14;
constexpr std::size_t kControlBytesMax = 125;
/// Unmasked at once for the UTF-8 check.
constexpr std::size_t kUnmaskBytes = 512;

/// `at`: how many payload bytes of the frame came before.
void unmask(const std::uint8_t* in, std::uint8_t* out, std::size_t n,
            const std::array<std::uint8_t, 4>& mask, std::uint8_t at) {
  std::uint8_t turned[8];
  for (std::size_t i = 0; i < 8; ++i) turned[i] = mask[(at + i) & 3U];
  std::uint64_t mask64 = 0;
  std::memcpy(&mask64, turned, sizeof mask64);
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, in + i, sizeof word);
    word ^= mask64;
    std::memcpy(out + i, &word, sizeof word);
  }
  for (; i < n; ++i) out[i] = in[i] ^ turned[i & 7U];
}

}  // namespace

CloseCode close_code_of(ScanFault fault) {
  switch (fault) {
    case ScanFault::kTooBig:
      return CloseCode::kTooBig;
    case ScanFault::kNotUtf8:
      return CloseCode::kInvalidPayload;
    default:
      return CloseCode::kProtocolError;
  }
}

const char* describe(ScanFault fault) {
  switch (fault) {
    case ScanFault::kNone:
      return "no fault";
    case ScanFault::kReservedBits:
      return "reserved bits set";
    case ScanFault::kReservedOpcode:
      return "reserved opcode";
    case ScanFault::kUnmasked:
      return "frame not masked";
    case ScanFault::kLengthNotMinimal:
      return "length not in its shortest form";
    case ScanFault::kControlFragmented:
      return "control frame fragmented";
    case ScanFault::kControlTooLong:
      return "control frame too long";
    case ScanFault::kNothingToContinue:
      return "continuation of nothing";
    case ScanFault::kMessageInsideOther:
      return "new message inside another";
    case ScanFault::kTooBig:
      return "message too big";
    case ScanFault::kNotUtf8:
      return "text is not UTF-8";
    case ScanFault::kCloseLength:
      return "close frame of one byte";
    case ScanFault::kCloseCode:
      return "close code not allowed";
  }
  return "";
}

bool valid_close_code(std::uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/// Where feed() is in its bytes: [out, in) has been taken out, [in, end) is still to be read.
struct WsScanner::Cursor {
  std::uint8_t* out;
  std::uint8_t* in;
  std::uint8_t* end;
  std::uint8_t* frame;  ///< where `out` stood when this frame's bytes began in this call

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end - in); }
  void keep(std::size_t n) {
    if (out != in) std::memmove(out, in, n);
    out += n;
    in += n;
  }
};

std::size_t WsScanner::feed(std::span<std::uint8_t> bytes, std::size_t message_bytes_max,
                            ScanEvents& events) {
  Cursor cursor{bytes.data(), bytes.data(), bytes.data() + bytes.size(), bytes.data()};
  while (cursor.in < cursor.end && !ended_) {
    if (!in_payload_) {
      header_byte(cursor, message_bytes_max);
      if (header_have_ == header_need_ && !ended_) begin_frame(cursor, &events);
    } else if (is_control()) {
      control_payload(cursor, events);
    } else {
      data_payload(cursor);
    }
  }
  return static_cast<std::size_t>(cursor.out - bytes.data());
}

void WsScanner::fail(ScanFault fault) {
  ended_ = true;
  fault_ = fault;
}

// ---- header

void WsScanner::header_byte(Cursor& cursor, std::size_t message_bytes_max) {
  if (header_have_ == 0) cursor.frame = cursor.out;
  const std::uint8_t byte = *cursor.in;
  header_[header_have_++] = byte;
  ScanFault fault = ScanFault::kNone;
  if (header_have_ == 1) {
    fault = check_first(byte);
  } else if (header_have_ == 2) {
    fault = check_second(byte);
  } else if (header_have_ == 3 && header_need_ == kLongestHeader && (byte & kTopBit) != 0) {
    // Now, not with the whole length: libwebsockets would end the connection here, without a word.
    fault = ScanFault::kLengthNotMinimal;
  }
  const bool length_whole = header_have_ >= 2 && header_have_ == header_need_ - 4;
  if (fault == ScanFault::kNone && length_whole) fault = check_length(message_bytes_max);
  if (fault != ScanFault::kNone) {
    cursor.out = cursor.frame;
    return fail(fault);
  }
  if (is_control()) {
    ++cursor.in;
  } else {
    cursor.keep(1);
  }
}

ScanFault WsScanner::check_first(std::uint8_t byte) const {
  if ((byte & kReservedBits) != 0) return ScanFault::kReservedBits;
  switch (opcode()) {
    case kContinuation:
      return in_message_ ? ScanFault::kNone : ScanFault::kNothingToContinue;
    case kText:
    case kBinary:
      return in_message_ ? ScanFault::kMessageInsideOther : ScanFault::kNone;
    case kClose:
    case kPing:
    case kPong:
      return is_final() ? ScanFault::kNone : ScanFault::kControlFragmented;
    default:
      return ScanFault::kReservedOpcode;
  }
}

ScanFault WsScanner::check_second(std::uint8_t byte) {
  if ((byte & kMaskBit) == 0) return ScanFault::kUnmasked;
  const std::uint8_t length = byte & 0x7FU;
  if (is_control() && length > kControlBytesMax) return ScanFault::kControlTooLong;
  const int more = length == 126 ? 2 : length == 127 ? 8 : 0;
  header_need_ = static_cast<std::uint8_t>(2 + more + 4);
  return ScanFault::kNone;
}

ScanFault WsScanner::check_length(std::size_t message_bytes_max) {
  left_ = header_[1] & 0x7FU;
  const std::size_t more = header_have_ - 2U;
  if (more > 0) {
    left_ = 0;
    for (std::size_t i = 0; i < more; ++i) left_ = left_ << 8U | header_[2 + i];
    if (more == 2 && left_ < 126) return ScanFault::kLengthNotMinimal;
    if (more == 8 && left_ < 65536) return ScanFault::kLengthNotMinimal;
  }
  if (is_control()) return ScanFault::kNone;
  const std::uint64_t before = opcode() == kContinuation ? message_bytes_ : 0;
  if (left_ > message_bytes_max || before + left_ > message_bytes_max) return ScanFault::kTooBig;
  message_bytes_ = before + left_;
  return ScanFault::kNone;
}

void WsScanner::begin_frame(Cursor& cursor, ScanEvents* events) {
  std::copy_n(header_.begin() + header_need_ - 4, 4, mask_.begin());
  mask_at_ = 0;
  header_have_ = 0;
  header_need_ = 2;
  in_payload_ = left_ > 0;
  if (is_control()) {
    if (left_ == 0) control_frame({}, *events);
    return;
  }
  if (opcode() != kContinuation) {
    in_message_ = true;
    text_ = opcode() == kText;
    utf8_.reset();
  }
  if (left_ == 0) end_data_frame(cursor);
}

// ---- payload

bool WsScanner::text_goes_on(std::span<const std::uint8_t> masked) {
  std::array<std::uint8_t, kUnmaskBytes> clear;
  std::uint8_t at = mask_at_;
  while (!masked.empty()) {
    const std::size_t n = std::min(masked.size(), clear.size());
    unmask(masked.data(), clear.data(), n, mask_, at);
    if (!utf8_.feed({clear.data(), n})) return false;
    at = static_cast<std::uint8_t>((at + n) & 3U);
    masked = masked.subspan(n);
  }
  return true;
}

void WsScanner::data_payload(Cursor& cursor) {
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, cursor.left()));
  const bool last = n == left_;
  if (text_) {
    const bool good = text_goes_on({cursor.in, n}) && !(last && is_final() && !utf8_.complete());
    // Whoever reads on must not take it for a whole message: these bytes are held back.
    if (!good) return fail(ScanFault::kNotUtf8);
  }
  cursor.keep(n);
  data_passed_ += n;
  left_ -= n;
  mask_at_ = static_cast<std::uint8_t>((mask_at_ + n) & 3U);
  if (last) end_data_frame(cursor);
}

void WsScanner::end_data_frame(Cursor& cursor) {
  in_payload_ = false;
  if (is_final() && text_ && !utf8_.complete()) {
    cursor.out = cursor.frame;  // an empty last frame behind half a character
    return fail(ScanFault::kNotUtf8);
  }
  ++data_passed_;
  if (!is_final()) return;
  in_message_ = false;
  message_bytes_ = 0;
}

void WsScanner::control_payload(Cursor& cursor, ScanEvents& events) {
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, cursor.left()));
  // Unmasked where it lies: these bytes go to nobody else.
  unmask(cursor.in, cursor.in, n, mask_, mask_at_);
  const std::span<const std::uint8_t> piece(cursor.in, n);
  cursor.in += n;
  left_ -= n;
  mask_at_ = static_cast<std::uint8_t>((mask_at_ + n) & 3U);
  if (left_ == 0 && control_.empty()) {
    in_payload_ = false;
    return control_frame(piece, events);
  }
  control_.insert(control_.end(), piece.begin(), piece.end());
  if (left_ > 0) return;
  in_payload_ = false;
  const std::vector<std::uint8_t> whole = std::move(control_);
  control_ = {};
  control_frame(whole, events);
}

void WsScanner::control_frame(std::span<const std::uint8_t> payload, ScanEvents& events) {
  switch (opcode()) {
    case kPing:
      return events.ping(payload);
    case kPong:
      return events.pong();
    default:
      return close_frame(payload, events);
  }
}

void WsScanner::close_frame(std::span<const std::uint8_t> payload, ScanEvents& events) {
  if (payload.size() == 1) return fail(ScanFault::kCloseLength);
  std::uint16_t code = 0;
  if (!payload.empty()) {
    code = static_cast<std::uint16_t>(payload[0] << 8U | payload[1]);
    if (!valid_close_code(code)) return fail(ScanFault::kCloseCode);
    if (!valid_utf8(payload.subspan(2))) return fail(ScanFault::kNotUtf8);
  }
  ended_ = true;
  events.close(code);
}

}  // namespace sluice::gateway
