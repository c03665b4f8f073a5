// What a relay reads of the program before it (relay/handover). Promises:
//  - no bytes do harm: they are refused, or what was read can be lived with;
//  - what was read, written out again, can be read again.
#include <string>
#include <vector>

#include "common/check.h"
#include "relay/handover/link_state.h"
#include "relay/handover/memory_broker_codec.h"
#include "relay/handover/preamble.h"
#include "relay/handover/redis_channels_codec.h"
#include "relay/handover/redis_push_codec.h"
#include "relay/handover/redis_subscriptions_codec.h"
#include "relay/handover/router_codec.h"
#include "tests/fuzz/input.h"
#include "tests/unit/relay/handover_samples.h"

namespace sluice::relay {
namespace {

constexpr std::uint64_t kLinksMax = 64;

/// Every link that can be found; false: there are more.
bool adopt_all(Router& router, LinkPort& port) {
  std::size_t adopted = 0;
  for (std::uint64_t link = 1; link < kLinksMax; ++link) {
    if (router.adopt(port, link) != nullptr) ++adopted;
  }
  return adopted == router.all_links();
}

void live_with(test::RouterWorld& world, const std::vector<PublishRequest>& unanswered) {
  world.router.lose_publishes(unanswered, "lost");
  std::vector<std::string> names;
  for (const auto& [name, channel] : world.router.channel_table()) names.push_back(name);
  for (const std::string& name : names) {
    world.router.subscribed(name, std::chrono::seconds(1), std::nullopt);
    world.deliver(name, "x");
  }
  world.router.work();
  for (const auto& [id, gateway] : world.router.gateway_table()) {
    (void)world.drain(*gateway);
    (void)world.answers(*gateway);
    if (gateway->port != nullptr) world.router.presence_synced(*gateway);
  }
  for (const auto& asked : world.broker.histories) world.router.history(asked.id, {});
  for (const auto& asked : world.broker.presences) world.router.presence(asked.id, {});
  world.router.broker_away("gone");
  world.time.advance(std::chrono::hours(1));
  world.router.tick();
}

void read_router(proto::Bytes bytes) {
  test::RouterWorld world(test::small_options());
  test::RecordingLink port;
  StateReader in(bytes);
  const auto unanswered = RouterCodec::read(in, world.router);
  if (!in.good()) return;
  const std::string again =
      test::written([&world](StateWriter& out) { RouterCodec::write(out, world.router); });
  test::RouterWorld other(test::small_options());
  StateReader reader(proto::as_bytes(again));
  (void)RouterCodec::read(reader, other.router);
  CHECK(reader.good());
  if (adopt_all(world.router, port)) live_with(world, unanswered);
}

void read_push(proto::Bytes bytes) {
  RedisPushReader reader(64);
  StateReader in(bytes);
  RedisPushCodec::read(in, reader);
  if (!in.good()) return;
  const std::string again =
      test::written([&reader](StateWriter& out) { RedisPushCodec::write(out, reader); });
  RedisPushReader other(64);
  StateReader once_more(proto::as_bytes(again));
  RedisPushCodec::read(once_more, other);
  CHECK(once_more.good());
  // Whatever it waits for: bytes of all kinds that come.
  const std::string more = "x\r\n:1\r\n$1\r\nc\r\n*3\r\n";
  std::string_view left = more;
  for (RedisPush push = reader.next(left); push.kind != RedisPush::Kind::kMore;
       push = reader.next(left)) {
    if (push.kind == RedisPush::Kind::kMalformed) return;
  }
}

struct QuietEvents final : SubscriptionEvents {
  void confirmed(std::string_view, std::optional<Duration>) override {}
  void refused(std::string_view, std::string_view, bool) override {}
};

struct QuietAsker final : RedisAsker {
  void ask_position(RedisAsk, std::string_view, const ChannelOptions&,
                    std::optional<proto::Position>) override {}
  void ask_missing(RedisAsk, std::string_view, const ChannelOptions&, proto::Position) override {}
  void caught_up() override {}
};

/// What stands behind the subscriptions: channels with history.
void read_channels(StateReader& in, const RedisSubscriptions& subscriptions) {
  QuietAsker asker;
  RedisChannels channels(asker);
  RedisChannelsCodec::read(in, channels, subscriptions);
  if (!in.good()) return;
  const std::string again =
      test::written([&channels](StateWriter& out) { RedisChannelsCodec::write(out, channels); });
  RedisChannels other(asker);
  StateReader once_more(proto::as_bytes(again));
  RedisChannelsCodec::read(once_more, other, subscriptions);
  CHECK(once_more.good());
  channels.continuity().set_usable(true);
  channels.continuity().begin_restore();
  channels.subscriber_lost();
  for (const char* name : {"a", "b", "c", "d"}) (void)channels.remove(name);
}

void read_subscriptions(proto::Bytes bytes) {
  using Verb = RedisSubscriptions::Verb;
  QuietEvents events;
  RedisSubscriptions subscriptions(events);
  StateReader in(bytes);
  RedisSubscriptionsCodec::read(in, subscriptions);
  if (!in.good()) return;
  read_channels(in, subscriptions);
  subscriptions.retry_refused();
  for (int i = 0; i < 8; ++i) {
    for (const char* name : {"a", "b", "c", "d"}) {
      (void)subscriptions.answer(Verb::kSubscribe, name, {});
      (void)subscriptions.answer(Verb::kUnsubscribe, name, {});
    }
    (void)subscriptions.pong();
    (void)subscriptions.next_command({});
    (void)subscriptions.error("no");
  }
  subscriptions.lost({});
}

struct NoEvents final : BrokerEvents {
  void broker_connected() override {}
  void broker_away(std::string_view) override {}
  void subscribed(std::string_view, std::optional<Duration>,
                  std::optional<proto::Position>) override {}
  void message(std::string_view, proto::Bytes, proto::Bytes,
               std::optional<proto::Position>) override {}
  void message(std::string_view, EntryDraft) override {}
  void message_oversized(std::string_view, std::uint64_t) override {}
  void position_lost(std::string_view, proto::Position) override {}
  void published(PublishId, PublishOutcome, std::string_view,
                 std::optional<proto::Position>) override {}
  void history(QueryId, HistoryAnswer) override {}
  void presence(QueryId, PresenceAnswer) override {}
};

void read_memory_broker(proto::Bytes bytes) {
  ManualTime time;
  SeededRandom random(1);
  NoEvents events;
  const MemoryHistory::Bounds bounds{.bytes_max = 1024, .positions_max = 4};
  MemoryBroker broker([] {}, time, random, bounds);
  StateReader in(bytes);
  MemoryBrokerCodec::read(in, broker);
  if (!in.good()) return;
  const std::string again =
      test::written([&broker](StateWriter& out) { MemoryBrokerCodec::write(out, broker); });
  MemoryBroker other([] {}, time, random, bounds);
  StateReader once_more(proto::as_bytes(again));
  MemoryBrokerCodec::read(once_more, other);
  CHECK(once_more.good());
  broker.start(events);
  broker.run();
  for (const char* name : {"c", "d"}) {
    broker.publish(1, name, proto::as_bytes("x"), {}, {.history_size = 2, .history_ttl = {}});
    for (const bool reverse : {false, true}) {
      broker.history(1, name, {.since = proto::Position{5, 1}, .limit = 3, .reverse = reverse}, {});
      broker.history(1, name, {.since = {}, .limit = 3, .reverse = reverse}, {});
    }
    broker.presence(1, name, false);
  }
  CHECK(broker.histories().bytes() <= bounds.bytes_max);
  time.advance(std::chrono::hours(24 * 365));
  broker.tick();
}

void read_link_and_preamble(proto::Bytes bytes) {
  StateReader in(bytes);
  const LinkState link = read_link(in);
  CHECK(!in.good() || link.session.gateway_id.size() <= proto::kGatewayIdBytesMax);
  if (const auto preamble = decode_preamble(bytes))
    CHECK(preamble_bytes(*preamble) <= bytes.size());
}

}  // namespace
}  // namespace sluice::relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  const std::size_t part = input.below(5);
  const auto bytes = input.rest();
  switch (part) {
    case 0:
      relay::read_router(bytes);
      break;
    case 1:
      relay::read_push(bytes);
      break;
    case 2:
      relay::read_subscriptions(bytes);
      break;
    case 4:
      relay::read_memory_broker(bytes);
      break;
    default:
      relay::read_link_and_preamble(bytes);
      break;
  }
  return 0;
}
