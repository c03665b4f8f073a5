#include "gateway/frame_run.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "common/check.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] std::size_t header_bytes(std::size_t payload_bytes) {
  if (payload_bytes < 126) return 2;
  return payload_bytes < 65536 ? 4 : 10;
}

/// RFC 6455 section 5.2, minimal length form, FIN set, no mask.
std::uint8_t* put_header(std::uint8_t* out, Opcode opcode, std::uint64_t length) {
  *out++ = static_cast<std::uint8_t>(0x80U | static_cast<std::uint8_t>(opcode));
  if (length < 126) {
    *out++ = static_cast<std::uint8_t>(length);
    return out;
  }
  const std::size_t bytes = length < 65536 ? 2 : 8;
  *out++ = bytes == 2 ? 126 : 127;
  for (std::size_t i = 0; i < bytes; ++i)
    *out++ = static_cast<std::uint8_t>(length >> (8 * (bytes - 1 - i)));
  return out;
}

}  // namespace

std::size_t FrameRun::frame_bytes(std::size_t payload_bytes) {
  return header_bytes(payload_bytes) + payload_bytes;
}

RefPtr<const FrameRun> FrameRun::make(Opcode opcode, std::string_view prefix,
                                      std::span<const std::uint8_t> payload) {
  const std::size_t capacity = frame_bytes(prefix.size() + payload.size());
  void* memory = ::operator new(sizeof(FrameRun) + capacity);
  auto* data = static_cast<std::uint8_t*>(memory) + sizeof(FrameRun);
  auto* run = new (memory) FrameRun(data, capacity);
  run->append(opcode, prefix, payload);
  return FrameRef::adopt(run);
}

RefPtr<FrameRun> FrameRun::reserve(std::size_t capacity) {
  std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[capacity]);
  void* memory = ::operator new(sizeof(FrameRun));
  auto* run = new (memory) FrameRun(bytes.get(), capacity);
  run->own_ = std::move(bytes);
  return RefPtr<FrameRun>::adopt(run);
}

void FrameRun::append(Opcode opcode, std::string_view prefix,
                      std::span<const std::uint8_t> payload) {
  const std::size_t body = prefix.size() + payload.size();
  CHECK(frame_bytes(body) <= room());
  std::uint8_t* out = put_header(data_ + size_, opcode, body);
  out = std::copy(prefix.begin(), prefix.end(), out);
  if (!payload.empty()) std::memcpy(out, payload.data(), payload.size());
  size_ += frame_bytes(body);
}

void FrameRun::reset() {
  CHECK(!shared());
  size_ = 0;
}

void FrameRun::shrink() {
  if (own_ == nullptr || size_ == capacity_) return;
  std::unique_ptr<std::uint8_t[]> smaller(new std::uint8_t[size_]);
  std::memcpy(smaller.get(), data_, size_);
  own_ = std::move(smaller);
  data_ = own_.get();
  capacity_ = size_;
}

void FrameRun::release() const {
  CHECK(refs_ > 0);
  if (--refs_ == 0) {
    this->~FrameRun();
    ::operator delete(const_cast<FrameRun*>(this));
  }
}

}  // namespace sluice::gateway
