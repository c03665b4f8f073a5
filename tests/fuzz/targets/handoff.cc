// What a successor reads of a client's input and session in the state memory (gateway/handoff).
// Promises, whatever stands there:
//  - an image of a scanner is refused, or is the image of what was decoded; that can be fed, and
//    what it then is has an image too;
//  - through an image at any byte a stream goes on as if nothing had happened;
//  - a session's record is refused, or is what the decoded session would write; so is that of a
//    connection in mid-handshake;
//  - nothing outside the arena is read, and no message is over its bound.
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "common/check.h"
#include "gateway/handoff/handshake_record.h"
#include "gateway/handoff/in_recorder.h"
#include "gateway/handoff/resume_bytes.h"
#include "gateway/handoff/scanner_image.h"
#include "gateway/handoff/session_record.h"
#include "gateway/limits.h"
#include "gateway/protocols/plain.h"
#include "gateway/upgrade_request.h"
#include "tests/fuzz/input.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kMessageBytes = 300;

struct Events final : ScanEvents {
  void ping(std::span<const std::uint8_t> payload) override {
    all += "ping " + std::string(payload.begin(), payload.end()) + "\n";
  }
  void pong() override { all += "pong\n"; }
  void close(std::uint16_t code) override { all += "close " + std::to_string(code) + "\n"; }
  std::string all;
};

void check_scanner(const WsScanner& scanner) {
  const auto image = ScannerImage::encode(scanner);
  CHECK(image.size() <= kScannerImageBytesMax);
  const auto again = ScannerImage::decode(image);
  CHECK(again && ScannerImage::encode(*again) == image);
  CHECK(ScannerImage::needed(*again) == ScannerImage::needed(scanner));
  const std::string bytes = ResumeBytes::of(*again);
  CHECK(bytes == ResumeBytes::of(scanner) && bytes.size() <= 20);
  CHECK(!ResumeBytes::made_up(scanner) || bytes.size() >= 6);
}

void feed(WsScanner& scanner, std::span<const std::uint8_t> bytes, std::string& kept,
          Events& events) {
  std::vector<std::uint8_t> piece(bytes.begin(), bytes.end());
  const std::size_t n = scanner.feed(piece, kMessageBytes, events);
  CHECK(n <= piece.size());
  kept.append(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(n));
}

void image(fuzz::Input input) {
  const auto bytes = input.take(input.byte());
  auto scanner = ScannerImage::decode(bytes);
  if (!scanner) return;
  CHECK(ScannerImage::encode(*scanner) == std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
  check_scanner(*scanner);
  std::string kept;
  Events events;
  while (!input.empty()) {
    feed(*scanner, input.take(1 + input.below(16)), kept, events);
    check_scanner(*scanner);
  }
}

void stream(fuzz::Input input) {
  WsScanner undisturbed;
  WsScanner scanner;
  std::string kept_undisturbed;
  std::string kept;
  Events events_undisturbed;
  Events events;
  while (!input.empty()) {
    const auto piece = input.take(1 + input.below(16));
    feed(undisturbed, piece, kept_undisturbed, events_undisturbed);
    feed(scanner, piece, kept, events);
    check_scanner(scanner);
    scanner = *ScannerImage::decode(ScannerImage::encode(scanner));
  }
  CHECK(kept == kept_undisturbed && events.all == events_undisturbed.all);
  CHECK(scanner.fault() == undisturbed.fault() && scanner.ended() == undisturbed.ended());
}

void session(fuzz::Input input) {
  const auto bytes = input.rest();
  auto record = decode_session(bytes);
  if (!record) return;
  ManualTime time;
  const PlainProtocol plain({}, time);
  ClientSession session;
  session.protocol = &plain;
  session.state = std::move(record->state);
  apply(record->ending, session);
  for (std::uint32_t i = 0; i < record->subscriptions.size(); ++i) {
    CHECK(record->subscriptions[i].channel.size() <= kChannelBytesMax);
    session.state.subscriptions.push_back({i, 0, record->subscriptions[i].began_sequence});
  }
  const auto again = encode_session(session, [&](const Subscription& subscription) {
    const NamedSubscription& name = record->subscriptions[subscription.audience];
    return SubscriptionName{name.channel, name.link_generation};
  });
  if (record->protocol == plain.name())
    CHECK(again == std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
}

void handshake(fuzz::Input input) {
  const auto bytes = input.rest();
  const std::string record(bytes.begin(), bytes.end());
  const auto state = decode_handshake(record);
  if (state) CHECK(encode_handshake(*state) == record);
}

void memory(fuzz::Input input) {
  alignas(keeper::kArenaUnit) static std::array<std::byte, 1024> arena;
  keeper::InRecord record;
  record.read = input.integer(8);
  record.message = static_cast<std::uint32_t>(input.integer(2));
  record.message_bytes = static_cast<std::uint32_t>(input.integer(4));
  record.scanner = static_cast<std::uint32_t>(input.integer(2));
  record.scanner_bytes = static_cast<std::uint32_t>(input.integer(4));
  const std::uint64_t block = input.integer(2);
  const std::uint64_t slot_session = block << 32U | input.integer(4);
  const auto bytes = input.take(arena.size());
  arena.fill({});
  if (!bytes.empty()) std::memcpy(arena.data(), bytes.data(), bytes.size());
  static_cast<void>(decode_session(slot_session, arena));
  const auto restored = InRecorder::restore(record, arena);
  if (!restored) return;
  CHECK(restored->read == record.read);
  CHECK(restored->inbound.bytes.size() <= kMessageBytesMax);
  CHECK(restored->inbound.open == !restored->inbound.bytes.empty());
  check_scanner(restored->scanner);
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  if (size > 4096) return 0;
  fuzz::Input input(data, size);
  switch (input.below(4)) {
    case 0:
      gateway::image(input);
      break;
    case 1:
      gateway::stream(input);
      break;
    case 2:
      gateway::session(input);
      gateway::handshake(input);
      break;
    default:
      gateway::memory(input);
      break;
  }
  return 0;
}
