// Random frames go through encoder and decoder unchanged; random bytes never do harm.
#include <gtest/gtest.h>

#include <array>

#include "common/random.h"
#include "tests/unit/proto/samples.h"

namespace sluice::proto {
namespace {

class RandomFrames {
 public:
  explicit RandomFrames(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  std::string text(std::size_t min, std::size_t max) {
    std::string out(min + below(max - min + 1), '\0');
    for (char& c : out) c = static_cast<char>(below(256));
    return out;
  }

  std::string frame() {
    const std::string a = text(1, kChannelNameBytesMax);
    const std::string b = text(0, kSoftwareBytesMax);
    const std::string_view client = std::string_view(a).substr(0, kClientIdBytesMax);
    const std::string payload = text(0, below(10) == 0 ? 100'000 : 100);
    const std::string meta = text(0, below(10) == 0 ? kMetaBytesMax : 10);
    std::string out;
    switch (1 + below(30)) {
      case 1:
        encode(out, Hello{.resume = flip(),
                          .tool = flip(),
                          .forgotten = flip(),
                          .last_sequence = u64(),
                          .version_min = 1,
                          .version_max = u16(1),
                          .relay_instance = u64(),
                          .gateway_id = std::string_view(a).substr(0, kGatewayIdBytesMax),
                          .software = b});
        break;
      case 2:
        encode(out, Welcome{.resumed = flip(),
                            .tells_all = flip(),
                            .last_sequence = u64(),
                            .relay_instance = u64() | 1U,
                            .payload_bytes_max = u32(),
                            .software = b,
                            .ring_age_ms = flip() ? u32() : 0,
                            .linger_ms = flip() ? u32() : 0,
                            .features = flip() ? u32() : 0});
        break;
      case 3:
        encode(out, Subscribe{.request = u64(),
                              .from_position = flip(),
                              .position = {u64(), u64()},
                              .channel = a});
        break;
      case 4:
        encode(out, Subscribed{.request = u64(),
                               .channel_id = u32() | 1U,
                               .continuous = flip(),
                               .history = flip(),
                               .start = {u64() | 1U, u64()},
                               .channel = a});
        break;
      case 5:
        encode_unsubscribe(out, u32() | 1U);
        break;
      case 6:
        encode_unsubscribed(out, u32() | 1U);
        break;
      case 7: {
        const bool named = flip();
        encode(out, Publish{.request = u64(),
                            .acknowledge = flip(),
                            .channel_id = named ? 0 : u32() | 1U,
                            .channel = named ? std::string_view(a) : std::string_view(),
                            .wait_ms = u32(),
                            .payload = as_bytes(payload),
                            .meta = as_bytes(meta)});
        break;
      }
      case 8:
        encode_published(out, u64());
        break;
      case 9:
        encode(out,
               ErrorFrame{.request = u64(), .reason = static_cast<ErrorReason>(u32()), .text = b});
        break;
      case 10:
        encode(out, Message{.channel_id = u32() | 1U,
                            .sequence = u64(),
                            .offset = u64(),
                            .received_micros = u32(),
                            .payload = as_bytes(payload),
                            .meta = as_bytes(meta)});
        break;
      case 11:
        encode(out, Gap{.channel_id = u32() | 1U,
                        .sequence = u64(),
                        .cause = static_cast<GapCause>(1 + below(9)),
                        .position = {u64(), u64()},
                        .first_missing = u64(),
                        .count = u64(),
                        .duration_ms = u64()});
        break;
      case 12:
        encode(out, BrokerState{.state = static_cast<BrokerLink>(below(2)), .reason = b});
        break;
      case 13:
        encode_ping(out, u64());
        break;
      case 14:
        encode_pong(out, u64());
        break;
      case 16:
        encode(out, Status{.request = u64(), .channels_max = u32()});
        break;
      case 17:
        encode(out, StatusReply{.request = u64(), .json = payload});
        break;
      case 18:
        encode(out, GatewayInfo{.condition = static_cast<GatewayCondition>(u32()),
                                .clients = u32(),
                                .clients_max = u32(),
                                .leaving = u32(),
                                .handoff = static_cast<HandoffState>(u32() % 6),
                                .held = u32(),
                                .takeover = {.kind = static_cast<TakeoverKind>(u32() % 4),
                                             .clients = u32(),
                                             .closed = u32(),
                                             .pause_ms = u32(),
                                             .ended_ms = u64()},
                                .users = flip() ? u32() : 0,
                                .subscriptions = flip() ? u32() : 0,
                                .channels = flip() ? u32() : 0});
        break;
      case 19:
        encode(out, DrainMark{.set = flip(), .balancer = "2001:db8::1"});
        break;
      case 20:
        encode(out, Control{.request = u64(),
                            .action = static_cast<ControlAction>(u32()),
                            .older_than_ms = u64(),
                            .gateway_id = "g-1"});
        break;
      case 21:
        encode_controlled(out, u64());
        break;
      case 22: {
        const bool recover = flip();
        HistoryQuery query{.since = {}, .limit = u32(), .reverse = !recover && flip()};
        if (recover || flip()) query.since = Position{u64(), u64()};
        encode(out, History{.request = u64(), .recover = recover, .query = query, .channel = a});
        break;
      }
      case 23:
        encode(out, HistoryItem{.request = u64(),
                                .offset = u64(),
                                .payload = as_bytes(payload),
                                .meta = as_bytes(meta)});
        break;
      case 24:
        encode(out, HistoryEnd{.request = u64(), .complete = flip(), .top = {u64(), u64()}});
        break;
      case 25:
        encode(out, PresenceSet{.channel = a, .client = client, .user = b, .info = as_bytes(meta)});
        break;
      case 26:
        encode(out, PresenceClear{.channel = a, .client = client});
        break;
      case 27:
        encode_presence_synced(out);
        break;
      case 28:
        encode(out, Presence{.request = u64(), .counts_only = flip(), .channel = a});
        break;
      case 29:
        encode(out, PresenceItem{.request = u64(), .client = client, .info = as_bytes(meta)});
        break;
      case 30:
        encode(out, PresenceEnd{.request = u64(), .clients = u32(), .users = u32()});
        break;
      default:
        encode(out, Goodbye{.reason = static_cast<GoodbyeReason>(u32()), .text = b});
        break;
    }
    return out;
  }

 private:
  bool flip() { return below(2) == 0; }
  std::uint64_t u64() { return random_.next(); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(random_.next()); }
  std::uint16_t u16(std::uint16_t min) { return static_cast<std::uint16_t>(min + below(100)); }

  SeededRandom random_;
};

TEST(RoundTrip, RandomFramesInRandomPiecesComeOutUnchanged) {
  RandomFrames random(1);
  std::array<int, 31> seen{};
  for (int round = 0; round < 100; ++round) {
    std::string in;
    for (int i = 0; i < 20; ++i) in += random.frame();
    Decoder decoder;
    std::string out;
    for (std::size_t at = 0; at < in.size();) {
      const std::size_t n =
          std::min(in.size() - at, random.below(random.below(2) == 0 ? 64 : 8192) + 1);
      decoder.feed(as_bytes(in).subspan(at, n));
      at += n;
      while (const auto frame = decoder.next().value()) {
        ++seen[static_cast<std::size_t>(frame->header.type)];
        out += again(*frame).value();
      }
    }
    ASSERT_TRUE(out == in) << "round " << round;
    ASSERT_EQ(decoder.buffered_bytes(), 0U);
  }
  for (std::size_t type = 1; type < seen.size(); ++type)
    EXPECT_GT(seen[type], 0) << "type " << type << " was never tried";
}

/// Reads as a daemon would; whatever can be read can be encoded again (which CHECKs its bounds).
void read_all(Decoder& decoder) {
  for (;;) {
    const auto frame = decoder.next();
    if (!frame || !*frame) return;
    if (!again(**frame)) return;
  }
}

TEST(RoundTrip, FramesWithFlippedBitsDoNoHarm) {
  RandomFrames random(2);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = random.frame() + random.frame();
    for (std::uint64_t n = random.below(4) + 1; n > 0; --n) {
      // Mostly in the first header, where it hurts most.
      const std::size_t at = random.below(random.below(2) == 0 ? kHeaderBytes : bytes.size());
      bytes[at] =
          static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << random.below(8)));
    }
    Decoder decoder(random.below(2) == 0 ? 50 : kPayloadBytesMax);
    decoder.feed(as_bytes(bytes));
    read_all(decoder);
  }
}

TEST(RoundTrip, NoiseDoesNoHarm) {
  RandomFrames random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = random.text(0, 200);
    // A plausible start, else all of it ends at the type.
    if (bytes.size() > 8) {
      bytes[1] = bytes[2] = bytes[3] = 0;
      bytes[4] = static_cast<char>(random.below(31));
      bytes[6] = bytes[7] = 0;
    }
    Decoder decoder;
    decoder.feed(as_bytes(bytes));
    read_all(decoder);
  }
}

}  // namespace
}  // namespace sluice::proto
