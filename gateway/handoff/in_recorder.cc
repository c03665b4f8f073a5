#include "gateway/handoff/in_recorder.h"

#include <cstring>
#include <utility>

#include "gateway/handoff/scanner_image.h"

namespace sluice::gateway {

using keeper::Arena;
using keeper::InRecord;

void InRecorder::worked_off(keeper::Slot& slot, ClientSession& session) {
  const InRecord before = slot.in[slot.in_now & 1U];
  InRecord record{.read = session.read};
  if (!describe(before, session, record)) {
    // A block that was made for it is given back below, where it is not the old one.
    if (record.message != before.message) arena_.free(record.message);
    record = {.read = session.read, .scanner_bytes = kStreamUnrecorded};
    ++unrecorded_;
  }
  slot.in[(slot.in_now & 1U) ^ 1U] = record;
  keeper::flip(slot.in_now);
  session.state.inbound.recorded = record.message_bytes;
  arena_.free(before.scanner);
  if (before.message != record.message) arena_.free(before.message);
}

bool InRecorder::describe(const InRecord& before, const ClientSession& session, InRecord& record) {
  const WsScanner& scanner = session.state.scanner;
  if (!ScannerImage::needed(scanner)) return true;
  const bool half = ScannerImage::in_message(scanner) && !session.state.inbound.bytes.empty();
  return (!half || store_message(before, session.state.inbound, record)) &&
         store_scanner(scanner, record);
}

bool InRecorder::store_scanner(const WsScanner& scanner, InRecord& record) {
  const std::vector<std::uint8_t> image = ScannerImage::encode(scanner);
  record.scanner = arena_.allocate(image.size());
  if (record.scanner == 0) return false;
  std::memcpy(arena_.data(record.scanner), image.data(), image.size());
  record.scanner_bytes = static_cast<std::uint32_t>(image.size());
  return true;
}

bool InRecorder::store_message(const InRecord& before, const InboundMessage& message,
                               InRecord& record) {
  const std::string& bytes = message.bytes;
  // Behind what is recorded nobody looks: it may be written before the record is.
  const bool grows =
      message.recorded > 0 && before.message != 0 && before.message_bytes == message.recorded;
  std::size_t there = 0;
  if (grows && bytes.size() <= arena_.header(before.message).bytes) {
    record.message = before.message;
    there = message.recorded;
  } else {
    record.message = arena_.allocate(bytes.size());
    if (record.message == 0) return false;
  }
  std::memcpy(arena_.data(record.message) + there, bytes.data() + there, bytes.size() - there);
  record.message_bytes = static_cast<std::uint32_t>(bytes.size());
  return true;
}

void InRecorder::reading(keeper::Slot& slot) {
  keeper::publish(slot.in[slot.in_now & 1U].scanner_bytes, kStreamUnrecorded);
}

void InRecorder::forget(keeper::Slot& slot) {
  const InRecord last = std::exchange(slot.in[slot.in_now & 1U], InRecord{});
  arena_.free(last.scanner);
  arena_.free(last.message);
}

namespace {

/// So many bytes of a block; null: it is none, or too short.
[[nodiscard]] std::optional<std::span<const std::uint8_t>> block_bytes(
    std::span<const std::byte> arena, keeper::ArenaUnit block, std::uint32_t bytes) {
  if (!Arena::valid(arena, block)) return std::nullopt;
  const auto data = Arena::data_of(arena, block);
  if (bytes > data.size()) return std::nullopt;
  return std::span(reinterpret_cast<const std::uint8_t*>(data.data()), bytes);
}

}  // namespace

std::optional<RestoredInput> InRecorder::restore(const InRecord& record,
                                                 std::span<const std::byte> arena) {
  RestoredInput input{.read = record.read, .scanner = {}, .inbound = {}};
  if (record.scanner == 0) {
    const bool nothing =
        record.scanner_bytes == 0 && record.message == 0 && record.message_bytes == 0;
    return nothing ? std::optional(std::move(input)) : std::nullopt;
  }
  const auto image = block_bytes(arena, record.scanner, record.scanner_bytes);
  if (!image) return std::nullopt;
  auto scanner = ScannerImage::decode(*image);
  if (!scanner || !ScannerImage::needed(*scanner)) return std::nullopt;
  input.scanner = std::move(*scanner);
  if (record.message == 0) {
    return record.message_bytes == 0 ? std::optional(std::move(input)) : std::nullopt;
  }
  const auto message = block_bytes(arena, record.message, record.message_bytes);
  if (!message || message->empty() || !ScannerImage::in_message(input.scanner) ||
      message->size() > ScannerImage::message_bytes(input.scanner))
    return std::nullopt;
  input.inbound.bytes.assign(message->begin(), message->end());
  input.inbound.open = true;
  input.inbound.text = ScannerImage::in_text(input.scanner);
  return input;
}

}  // namespace sluice::gateway
