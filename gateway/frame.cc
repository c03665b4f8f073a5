#include "gateway/frame.h"

#include <cstring>
#include <new>

#include "common/check.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kHeaderBytesMax = 10;

/// RFC 6455 section 5.2, minimal length form, FIN set, no mask.
std::size_t put_header(std::uint8_t* out, Opcode opcode, std::uint64_t length) {
  out[0] = static_cast<std::uint8_t>(0x80U | static_cast<std::uint8_t>(opcode));
  if (length < 126) {
    out[1] = static_cast<std::uint8_t>(length);
    return 2;
  }
  const std::size_t bytes = length < 65536 ? 2 : 8;
  out[1] = bytes == 2 ? 126 : 127;
  for (std::size_t i = 0; i < bytes; ++i)
    out[2 + i] = static_cast<std::uint8_t>(length >> (8 * (bytes - 1 - i)));
  return 2 + bytes;
}

}  // namespace

FrameRef Frame::make(Opcode opcode, std::string_view prefix,
                     std::span<const std::uint8_t> payload) {
  std::uint8_t header[kHeaderBytesMax];
  const std::size_t body = prefix.size() + payload.size();
  const std::size_t header_bytes = put_header(header, opcode, body);
  void* memory = ::operator new(sizeof(Frame) + header_bytes + body);
  auto* frame = new (memory) Frame(header_bytes + body);
  std::uint8_t* out = frame->data();
  std::memcpy(out, header, header_bytes);
  if (!prefix.empty()) std::memcpy(out + header_bytes, prefix.data(), prefix.size());
  if (!payload.empty())
    std::memcpy(out + header_bytes + prefix.size(), payload.data(), payload.size());
  return FrameRef::adopt(frame);
}

void Frame::release() const {
  CHECK(refs_ > 0);
  if (--refs_ == 0) {
    this->~Frame();
    ::operator delete(const_cast<Frame*>(this));
  }
}

}  // namespace sluice::gateway
