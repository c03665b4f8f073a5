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

FrameRun* FrameRun::in_memory(std::size_t capacity) {
  if (in_use_ == nullptr) return nullptr;
  const RunMemory::Block block = in_use_->allocate(capacity);
  if (block.unit == 0) return nullptr;
  return new (::operator new(sizeof(FrameRun))) FrameRun(*in_use_, block, capacity);
}

FrameRef FrameRun::make(Opcode opcode, std::string_view prefix,
                        std::span<const std::uint8_t> payload) {
  const std::size_t capacity = frame_bytes(prefix.size() + payload.size());
  FrameRun* run = in_memory(capacity);
  if (run == nullptr) {
    void* memory = ::operator new(sizeof(FrameRun) + capacity);
    auto* data = static_cast<std::uint8_t*>(memory) + sizeof(FrameRun);
    run = new (memory) FrameRun(data, capacity);
  }
  run->append(opcode, prefix, payload);
  return FrameRef::adopt(run);
}

RefPtr<FrameRun> FrameRun::reserve(std::size_t capacity) {
  if (FrameRun* run = in_memory(capacity); run != nullptr) return RefPtr<FrameRun>::adopt(run);
  std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[capacity]);
  void* memory = ::operator new(sizeof(FrameRun));
  auto* run = new (memory) FrameRun(bytes.get(), capacity);
  run->own_ = std::move(bytes);
  return RefPtr<FrameRun>::adopt(run);
}

FrameRef FrameRun::adopt(RunMemory& memory, const RunMemory::Block& block, std::size_t size) {
  auto* run = new (::operator new(sizeof(FrameRun))) FrameRun(memory, block, size);
  run->size_ = size;
  return FrameRef::adopt(run);
}

FrameRun::~FrameRun() {
  if (unit_ != 0) memory_->free(unit_);
}

keeper::ArenaUnit FrameRun::move_in() const {
  if (unit_ != 0 || in_use_ == nullptr) return unit_;
  const RunMemory::Block block = in_use_->allocate(capacity_);
  if (block.unit == 0) return 0;
  std::memcpy(block.data, data_, size_);
  memory_ = in_use_;
  unit_ = block.unit;
  data_ = block.data;
  note_used();
  return unit_;
}

void FrameRun::set_size(std::size_t size) {
  size_ = size;
  if (unit_ != 0) note_used();
}

void FrameRun::note_used() const {
  auto* header = std::launder(reinterpret_cast<keeper::BlockHeader*>(data_) - 1);
  keeper::publish(header->used, static_cast<std::uint32_t>(size_));
}

void FrameRun::append(Opcode opcode, std::string_view prefix,
                      std::span<const std::uint8_t> payload) {
  const std::size_t body = prefix.size() + payload.size();
  CHECK(frame_bytes(body) <= room());
  std::uint8_t* out = put_header(data_ + size_, opcode, body);
  out = std::copy(prefix.begin(), prefix.end(), out);
  if (!payload.empty()) std::memcpy(out, payload.data(), payload.size());
  set_size(size_ + frame_bytes(body));
}

void FrameRun::reset() {
  CHECK(!shared());
  set_size(0);
}

void FrameRun::shrink() {
  if (unit_ != 0) {
    // In its place: records speak of the block.
    memory_->shrink(unit_, size_);
    capacity_ = size_;
    return;
  }
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
