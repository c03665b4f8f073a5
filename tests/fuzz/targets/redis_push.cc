// What a subscriber hears from Redis (relay/brokers/redis_push_reader). Promises:
//  - the events do not depend on how the bytes come, nor does the fault;
//  - a fault sticks;
//  - no more is held than a payload of the largest size, a line and a name;
//  - what was understood, written out again, is understood in the same way.
#include <string>
#include <vector>

#include "common/check.h"
#include "relay/brokers/redis_limits.h"
#include "relay/brokers/redis_push_reader.h"
#include "tests/fuzz/input.h"

namespace sluice::relay {
namespace {

/// Small, so that the bound is met.
constexpr std::size_t kPayloadBytes = 64;
/// Strings may have twice the room that they need.
constexpr std::size_t kHeldBytesMax =
    kPayloadBytes + 2 * (kRedisLineBytesMax + kRedisPushTextBytesMax + 64);

struct Event {
  RedisPush::Kind kind{};
  std::string channel;
  std::string text;  ///< payload too
  std::uint64_t bytes = 0;
  friend bool operator==(const Event&, const Event&) = default;
};

/// A message is the same whether it lay whole in the bytes or was put together.
Event event_of(const RedisPush& push) {
  Event event{push.kind, std::string(push.channel), std::string(push.text), push.bytes};
  if (push.kind == RedisPush::Kind::kMessage) event.text = proto::as_text(push.payload);
  if (push.kind == RedisPush::Kind::kAssembled) {
    event.kind = RedisPush::Kind::kMessage;
    CHECK(push.message.has_value());
    event.text = proto::as_text(push.message->payload());
  }
  return event;
}

std::vector<Event> read(std::string_view stream, fuzz::Chunks chunks) {
  RedisPushReader reader(kPayloadBytes);
  std::vector<Event> events;
  while (!stream.empty()) {
    const std::size_t n = chunks.next(stream.size());
    // Its own allocation, gone before the next piece comes.
    const std::string piece(stream.substr(0, n));
    stream.remove_prefix(n);
    std::string_view left = piece;
    for (;;) {
      const RedisPush push = reader.next(left);
      CHECK(reader.held_bytes() <= kHeldBytesMax);
      if (push.kind == RedisPush::Kind::kMore) break;
      events.push_back(event_of(push));
      if (push.kind != RedisPush::Kind::kMalformed) continue;
      CHECK(!push.text.empty() && event_of(reader.next(left)) == events.back());
      return events;
    }
    CHECK(left.empty());
  }
  return events;
}

std::string string_of(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string written(const Event& event) {
  switch (event.kind) {
    case RedisPush::Kind::kMessage:
      return "*3\r\n" + string_of("message") + string_of(event.channel) + string_of(event.text);
    case RedisPush::Kind::kOversized:
      return "*3\r\n" + string_of("message") + string_of(event.channel) +
             string_of(std::string(event.bytes, 'x'));
    case RedisPush::Kind::kSubscribed:
      return "*3\r\n" + string_of("subscribe") + string_of(event.channel) + ":1\r\n";
    case RedisPush::Kind::kUnsubscribed:
      return "*3\r\n" + string_of("unsubscribe") + string_of(event.channel) + ":0\r\n";
    case RedisPush::Kind::kPong:
      return "+PONG\r\n";
    case RedisPush::Kind::kError:
      return "-" + event.text + "\r\n";
    default:
      return "?\r\n";
  }
}

void check_written(const std::vector<Event>& events) {
  std::string stream;
  for (const Event& event : events) stream += written(event);
  const std::vector<Event> again = read(stream, fuzz::Chunks());
  CHECK(again.size() == events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].kind != RedisPush::Kind::kMalformed) CHECK(again[i] == events[i]);
    CHECK(again[i].kind == events[i].kind);
  }
}

}  // namespace
}  // namespace sluice::relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  const fuzz::Chunks chunks(input);
  const std::string_view stream = fuzz::as_text(input.rest());
  const auto whole = relay::read(stream, fuzz::Chunks());
  CHECK(relay::read(stream, chunks) == whole);
  relay::check_written(whole);
  return 0;
}
