#include "gateway/handoff/scanner_image.h"

#include <algorithm>

#include "gateway/handoff/bytes.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kScannerVersion = 1;
constexpr std::uint8_t kInPayload = 1;
constexpr std::uint8_t kInMessage = 2;
constexpr std::uint8_t kInText = 4;
constexpr std::uint8_t kEnded = 8;
constexpr std::size_t kControlBytesMax = 125;

static_assert(kControlBytesMax + 64 < kScannerImageBytesMax);

}  // namespace

bool ScannerImage::needed(const WsScanner& scanner) {
  return scanner.ended_ || scanner.in_message_ || scanner.in_payload_ || scanner.header_have_ > 0;
}

/// Of the header under way, so much has come that left_ tells the frame's length.
bool ScannerImage::length_known(const WsScanner& scanner) {
  return scanner.header_have_ >= 2 && scanner.header_have_ >= scanner.header_need_ - 4;
}

std::uint64_t ScannerImage::message_bytes(const WsScanner& scanner) {
  const bool begun = in_data_payload(scanner) || (length_known(scanner) && !scanner.is_control());
  return scanner.message_bytes_ - (begun ? scanner.left_ : 0);
}

std::vector<std::uint8_t> ScannerImage::encode(const WsScanner& scanner) {
  ByteWriter out;
  out.number(kScannerVersion);
  out.number(static_cast<std::uint8_t>(scanner.fault_));
  // Behind a stream's end nothing is looked at.
  if (scanner.ended_) {
    out.number(kEnded);
    return out.take();
  }
  const bool text = scanner.in_message_ && scanner.text_;
  out.number(static_cast<std::uint8_t>((scanner.in_payload_ ? kInPayload : 0) |
                                       (scanner.in_message_ ? kInMessage : 0) |
                                       (text ? kInText : 0)));
  out.number(scanner.header_need_);
  // Of a frame whose payload is under way the first byte still counts.
  const std::size_t header = scanner.in_payload_ ? 1 : scanner.header_have_;
  out.number(static_cast<std::uint8_t>(header));
  out.raw(scanner.header_.data(), header);
  if (scanner.in_payload_) {
    out.raw(scanner.mask_.data(), scanner.mask_.size());
    out.number(scanner.mask_at_);
  }
  if (text) out.number(scanner.utf8_.position());
  out.number(scanner.left_);
  out.number(scanner.message_bytes_);
  out.raw(scanner.control_.data(), scanner.control_.size());
  return out.take();
}

std::optional<WsScanner> ScannerImage::decode(std::span<const std::uint8_t> image) {
  ByteReader in(image);
  if (in.number<std::uint8_t>() != kScannerVersion) return std::nullopt;
  WsScanner scanner;
  const auto fault = in.number<std::uint8_t>();
  const auto flags = in.number<std::uint8_t>();
  if (fault > static_cast<std::uint8_t>(ScanFault::kCloseCode)) return std::nullopt;
  scanner.fault_ = static_cast<ScanFault>(fault);
  scanner.ended_ = flags == kEnded;
  if (scanner.ended_) return in.done() ? std::optional(std::move(scanner)) : std::nullopt;
  if (flags > (kInPayload | kInMessage | kInText) || fault != 0) return std::nullopt;
  scanner.in_payload_ = (flags & kInPayload) != 0;
  scanner.in_message_ = (flags & kInMessage) != 0;
  scanner.text_ = (flags & kInText) != 0;
  scanner.header_need_ = in.number<std::uint8_t>();
  const auto header = in.take(in.number<std::uint8_t>());
  if (header.size() >= scanner.header_.size()) return std::nullopt;
  std::copy(header.begin(), header.end(), scanner.header_.begin());
  if (scanner.in_payload_) {
    if (header.size() != 1) return std::nullopt;
    const auto mask = in.take(scanner.mask_.size());
    std::copy(mask.begin(), mask.end(), scanner.mask_.begin());
    scanner.mask_at_ = in.number<std::uint8_t>();
  } else {
    scanner.header_have_ = static_cast<std::uint8_t>(header.size());
  }
  if (scanner.text_ && !scanner.utf8_.set_position(in.number<std::uint32_t>())) return std::nullopt;
  scanner.left_ = in.number<std::uint64_t>();
  scanner.message_bytes_ = in.number<std::uint64_t>();
  if (!in.ok() || in.left() > kControlBytesMax) return std::nullopt;
  const auto control = in.take(in.left());
  scanner.control_.assign(control.begin(), control.end());
  if (!possible(scanner)) return std::nullopt;
  return scanner;
}

bool ScannerImage::possible(const WsScanner& scanner) {
  if (scanner.text_ && !scanner.in_message_) return false;
  if (scanner.message_bytes_ > kMessageBytesMax) return false;
  if (scanner.in_payload_) return payload_possible(scanner);
  if (!scanner.control_.empty()) return false;
  if (!header_possible(scanner)) return false;
  if (length_known(scanner)) return length_possible(scanner);
  return scanner.left_ == 0 && (scanner.in_message_ || scanner.message_bytes_ == 0);
}

bool ScannerImage::header_possible(const WsScanner& scanner) {
  if (scanner.header_have_ < 2 && scanner.header_need_ != 2) return false;
  if (scanner.header_have_ == 0) return true;
  if (scanner.check_first(scanner.header_[0]) != ScanFault::kNone) return false;
  if (scanner.header_have_ == 1) return true;
  WsScanner again = scanner;
  if (again.check_second(scanner.header_[1]) != ScanFault::kNone) return false;
  const bool top_bit =
      scanner.header_need_ == 14 && scanner.header_have_ > 2 && (scanner.header_[2] & 0x80U) != 0;
  return again.header_need_ == scanner.header_need_ &&
         scanner.header_have_ < scanner.header_need_ && !top_bit;
}

/// Judges the length once more, and must come to the same.
bool ScannerImage::length_possible(WsScanner scanner) {
  const std::uint64_t left = scanner.left_;
  const std::uint64_t message_bytes = scanner.message_bytes_;
  const bool first = !scanner.is_control() && scanner.opcode() != 0;
  if (!scanner.is_control()) {
    if (left > message_bytes) return false;
    scanner.message_bytes_ -= left;
    if (first && scanner.message_bytes_ != 0) return false;
  } else if (!scanner.in_message_ && message_bytes != 0) {
    return false;
  }
  scanner.header_have_ = static_cast<std::uint8_t>(scanner.header_need_ - 4);
  return scanner.check_length(kMessageBytesMax) == ScanFault::kNone && scanner.left_ == left &&
         scanner.message_bytes_ == message_bytes;
}

bool ScannerImage::payload_possible(const WsScanner& scanner) {
  if (scanner.header_need_ != 2 || scanner.mask_at_ > 3 || scanner.left_ == 0) return false;
  WsScanner outside = scanner;
  if (scanner.is_control()) {
    return scanner.check_first(scanner.header_[0]) == ScanFault::kNone &&
           scanner.left_ <= kControlBytesMax - scanner.control_.size() &&
           scanner.mask_at_ == (scanner.control_.size() & 3U) &&
           (scanner.in_message_ || scanner.message_bytes_ == 0);
  }
  // The message began with this frame or before it.
  outside.in_message_ = scanner.opcode() == 0;
  return scanner.in_message_ && scanner.control_.empty() &&
         outside.check_first(scanner.header_[0]) == ScanFault::kNone &&
         (scanner.opcode() == 0 || scanner.text_ == (scanner.opcode() == 1)) &&
         scanner.left_ <= scanner.message_bytes_;
}

}  // namespace sluice::gateway
