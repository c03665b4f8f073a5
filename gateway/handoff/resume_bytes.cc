#include "gateway/handoff/resume_bytes.h"

#include <cstdint>

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kText = 1;
constexpr std::uint8_t kBinary = 2;
constexpr std::uint8_t kContinuation = 0;

void append(std::string& out, std::uint64_t byte) {
  out.push_back(static_cast<char>(byte & 0xFFU));
}

}  // namespace

std::string ResumeBytes::of(const WsScanner& scanner) {
  std::string out;
  if (scanner.ended_) return out;
  if (made_up(scanner)) {
    append(out, scanner.text_ ? kText : kBinary);
    append(out, kMasked);
    out.append(4, '\0');
  }
  if (scanner.in_payload_) {
    if (!scanner.is_control()) out += rest_of_frame(scanner);
  } else if (scanner.header_have_ > 0 && !scanner.is_control()) {
    out.append(scanner.header_.begin(), scanner.header_.begin() + scanner.header_have_);
  }
  return out;
}

std::string ResumeBytes::rest_of_frame(const WsScanner& scanner) {
  std::string out;
  append(out, (scanner.is_final() ? kFinal : 0U) | kContinuation);
  const std::uint64_t left = scanner.left_;
  const int length_bytes = left < 126 ? 0 : left < 65536 ? 2 : 8;
  append(out, kMasked | (length_bytes == 0 ? left : length_bytes == 2 ? 126U : 127U));
  for (int i = length_bytes - 1; i >= 0; --i) append(out, left >> (8U * static_cast<unsigned>(i)));
  for (std::size_t i = 0; i < scanner.mask_.size(); ++i)
    append(out, scanner.mask_[(scanner.mask_at_ + i) & 3U]);
  return out;
}

}  // namespace sluice::gateway
