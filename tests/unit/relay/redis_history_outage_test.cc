// Channels with history while their Redis goes away and comes back, with its data and without; from
// program to program.
#include <gtest/gtest.h>

#include "relay/brokers/redis_limits.h"
#include "tests/unit/relay/handover_samples.h"
#include "tests/unit/relay/redis_broker_world.h"

namespace sluice::relay::test {
namespace {

const ChannelOptions kHistory{.history_size = 1000, .history_ttl = 10min, .envelope = false};

class RedisHistoryOutage : public RedisBrokerTest {
 protected:
  void open_keeping() {
    server_.keep_data();
    open();
  }
  void subscribe_history(const std::string& channel) {
    const std::size_t before = events_.confirmations.size();
    broker_->subscribe(channel, kHistory);
    ASSERT_TRUE(confirmed(before + 1));
  }
  void publish_kept(PublishId id, std::string_view channel, std::string_view payload) {
    ASSERT_TRUE(broker_->can_publish(payload.size()));
    broker_->publish(id, channel, proto::as_bytes(payload), {}, kHistory);
  }
  void publish_here(const std::string& channel, int count) {
    const std::size_t before = events_.outcomes.size();
    for (int i = 0; i < count; ++i) publish_kept(++last_publish_, channel, "here");
    ASSERT_TRUE(answered(before + static_cast<std::size_t>(count)));
    const std::uint64_t last = events_.outcomes.back().position->offset;
    ASSERT_TRUE(loop_.run_until(5s, [&] {
      return !events_.heard.empty() && events_.heard.back().position->offset >= last;
    }));
  }
  /// By another relay, which is quicker to come back: ours does not run meanwhile.
  void publish_elsewhere(const std::string& channel, int count) {
    TestLoop loop;
    RecordingEvents events;
    RedisBroker other(*parse_redis_url(server_.unix_url()), loop.base(), random_);
    other.start(events);
    ASSERT_TRUE(loop.run_until(5s, [&] { return events.is_connected; }));
    for (int i = 0; i < count; ++i) {
      other.publish(static_cast<PublishId>(i) + 1, channel, proto::as_bytes("elsewhere"), {},
                    kHistory);
    }
    ASSERT_TRUE(loop.run_until(
        5s, [&] { return events.outcomes.size() == static_cast<std::size_t>(count); }));
  }
  /// All of the channel, in order, from `first` on.
  void expect_whole(const std::string& channel, std::uint64_t first, std::uint64_t last) {
    ASSERT_TRUE(loop_.run_until(5s, [&] {
      return !events_.heard.empty() && events_.heard.back().position->offset >= last;
    }));
    std::uint64_t next = first;
    for (const auto& one : events_.heard) {
      if (one.channel != channel) continue;
      ASSERT_EQ(one.position->offset, next);
      ++next;
    }
    EXPECT_EQ(next, last + 1);
  }

  PublishId last_publish_ = 0;
};

TEST_F(RedisHistoryOutage, WithItsDataKeptNothingIsMissing) {
  open_keeping();
  subscribe_history("a");
  subscribe_history("quiet");
  publish_here("a", 3);
  for (int round = 1; round <= 2; ++round) {
    const std::size_t before = events_.confirmations.size();
    const std::size_t heard_before = events_.heard.size();
    server_.kill();
    ASSERT_TRUE(away(2s));
    broker_->subscribe("new" + std::to_string(round), kHistory);
    server_.start();
    publish_elsewhere("a", 700);  // more than one answer brings
    std::size_t heard_when_connected = 0;
    events_.when_connected = [&] {
      if (heard_when_connected == 0) heard_when_connected = events_.heard.size();
    };
    ASSERT_TRUE(connected(10s));
    ASSERT_TRUE(confirmed(before + 2 + static_cast<std::size_t>(round)));
    EXPECT_EQ(heard_when_connected - heard_before, 700U);  // before held publishes go on
    for (std::size_t i = before; i < events_.confirmations.size(); ++i) {
      EXPECT_FALSE(events_.confirmations[i].uncovered);
      EXPECT_TRUE(events_.confirmations[i].position);
    }
    publish_here("a", 2);
    events_.when_connected = nullptr;
  }
  expect_whole("a", 1, 3 + 2 * 702);
  EXPECT_TRUE(events_.losses.empty());
  EXPECT_EQ(broker_->stats().history_losses, 0U);
}

TEST_F(RedisHistoryOutage, WithItsDataLostThatIsTold) {
  open_keeping();
  subscribe_history("a");
  publish_here("a", 3);
  const std::uint64_t epoch = events_.outcomes[0].position->epoch;
  server_.kill();
  ASSERT_TRUE(away(2s));
  server_.lose_data();
  server_.start();
  ASSERT_TRUE(connected(10s));
  ASSERT_TRUE(confirmed(2));
  ASSERT_EQ(events_.losses.size(), 1U);
  const proto::Position now = events_.losses[0].second;
  EXPECT_NE(now.epoch, epoch);
  EXPECT_EQ(now.offset, 0U);
  EXPECT_EQ(events_.confirmations[1].position, now);
  publish_here("a", 1);
  ASSERT_TRUE(heard(4));
  EXPECT_EQ(events_.heard[3].position, (proto::Position{now.epoch, 1}));
}

TEST_F(RedisHistoryOutage, DataOfEarlierIsAnotherEpoch) {
  open();
  subscribe_history("a");
  publish_here("a", 5);
  const std::uint64_t epoch = events_.outcomes[0].position->epoch;
  // As after a fail-over to a replica that had not heard of the last two.
  (void)server_.command({"XDEL", "sluice:{a}:stream", "4-0", "5-0"});
  (void)server_.command({"HSET", "sluice:{a}:position", "offset", "3"});
  server_.kill_clients("sluice-relay-sub");
  ASSERT_TRUE(away(2s));
  ASSERT_TRUE(connected(10s));
  ASSERT_EQ(events_.losses.size(), 1U);
  EXPECT_NE(events_.losses[0].second.epoch, epoch);
  publish_here("a", 1);
  ASSERT_TRUE(heard(6));
  EXPECT_EQ(events_.heard[5].position->epoch, events_.losses[0].second.epoch);
}

TEST_F(RedisHistoryOutage, ASubscriberAloneMissesNothing) {
  open();
  subscribe_history("a");
  publish_here("a", 2);
  server_.kill_clients("sluice-relay-sub");
  ASSERT_TRUE(away(2s));
  publish_elsewhere("a", 3);
  ASSERT_TRUE(connected(10s));
  publish_here("a", 1);
  expect_whole("a", 1, 6);
  EXPECT_TRUE(events_.losses.empty());
}

TEST_F(RedisHistoryOutage, APublisherAloneKeepsNobodyFromHearing) {
  open();
  subscribe_history("a");
  publish_here("a", 2);
  server_.kill_clients("sluice-relay-pub");
  ASSERT_TRUE(away(2s));
  broker_->subscribe("late", kHistory);
  publish_elsewhere("a", 3);
  ASSERT_TRUE(connected(10s));
  ASSERT_TRUE(confirmed(2));
  expect_whole("a", 1, 5);
  EXPECT_EQ(broker_->stats().history_fetches, 0U);
}

TEST_F(RedisHistoryOutage, TenThousandChannelsComeBack) {
  open_keeping();
  constexpr std::size_t kChannels = 10000;
  const auto name = [](std::size_t i) { return "channel-" + std::to_string(i); };
  for (std::size_t i = 0; i < kChannels; ++i) broker_->subscribe(name(i), kHistory);
  ASSERT_TRUE(confirmed(kChannels, 20s));
  events_.confirmations.clear();
  server_.kill();
  ASSERT_TRUE(away(2s));
  server_.start();
  for (std::size_t i = 0; i < 50; ++i) publish_elsewhere(name(i * 3), 1);
  ASSERT_TRUE(connected(20s));
  EXPECT_EQ(events_.confirmations.size(), kChannels);
  EXPECT_EQ(events_.heard.size(), 50U);
  EXPECT_TRUE(events_.losses.empty());
  EXPECT_EQ(broker_->stats().history_fetches, 50U);
}

TEST_F(RedisHistoryOutage, AProgramGoesOnWhereAnotherWas) {
  open();
  subscribe_history("a");
  broker_->subscribe("who", {.history_size = 0, .history_ttl = {}, .envelope = true});
  subscribe_and_wait("plain");
  ASSERT_TRUE(confirmed(3));
  publish_here("a", 2);
  ASSERT_TRUE(heard(2));
  ASSERT_TRUE(loop_.run_until(5s, [&] { return broker_->quiet(); }));
  const std::string state = written([this](StateWriter& out) { broker_->save(out); });
  std::vector<int> copies;
  for (const int fd : broker_->descriptors()) copies.push_back(::dup(fd));
  ASSERT_EQ(copies.size(), 2U);
  // The state names the descriptors of the process: here the copies take their numbers.
  const std::vector<int> numbers = broker_->descriptors();
  broker_.reset();
  for (std::size_t i = 0; i < copies.size(); ++i) {
    ASSERT_EQ(::dup2(copies[i], numbers[i]), numbers[i]);
    ::close(copies[i]);
  }
  // Heard by nobody yet: it waits in the socket.
  const std::size_t before = events_.heard.size();
  publish_elsewhere("a", 2);
  EXPECT_EQ(events_.heard.size(), before);
  broker_ =
      std::make_unique<RedisBroker>(*parse_redis_url(server_.unix_url()), loop_.base(), random_);
  StateReader in(proto::as_bytes(state));
  Descriptors descriptors(numbers);
  broker_->resume(in, descriptors);
  in.must_end();
  ASSERT_TRUE(in.good()) << in.error();
  EXPECT_TRUE(broker_->is_confirmed("a"));
  EXPECT_TRUE(broker_->is_confirmed("who"));
  EXPECT_TRUE(broker_->is_confirmed("plain"));
  EXPECT_EQ(broker_->wanted(), 3U);
  // As the takeover asks for what the Router has; the options are those of before.
  for (const char* channel : {"a", "who", "plain"}) broker_->subscribe(channel, {});
  EXPECT_EQ(broker_->wanted(), 3U);
  broker_->start(events_);
  EXPECT_TRUE(broker_->can_publish(1));
  publish_here("a", 1);
  expect_whole("a", 1, 5);
  EXPECT_TRUE(events_.losses.empty());
  EXPECT_EQ(server_.clients("name=sluice-relay-").size(), 2U);
}

TEST_F(RedisHistoryOutage, AQuestionUnderWayIsAskedAgainByTheNextProgram) {
  open();
  broker_->subscribe("a", kHistory);
  // Confirmed at Redis, the position is still to come.
  ASSERT_TRUE(loop_.run_until(5s, [&] { return broker_->stats().history_positions == 1; }));
  const bool early = events_.confirmations.empty();
  const std::string state = written([this](StateWriter& out) { broker_->save(out); });
  const int number = broker_->descriptors()[0];
  const int copy = ::dup(number);
  broker_.reset();
  ASSERT_EQ(::dup2(copy, number), number);
  ::close(copy);
  broker_ =
      std::make_unique<RedisBroker>(*parse_redis_url(server_.unix_url()), loop_.base(), random_);
  StateReader in(proto::as_bytes(state));
  Descriptors descriptors({number});
  broker_->resume(in, descriptors);
  ASSERT_TRUE(in.good()) << in.error();
  events_.is_connected = false;
  broker_->start(events_);
  ASSERT_TRUE(connected(5s));
  if (early) {
    ASSERT_EQ(events_.confirmations.size(), 1U);
  }
  publish_here("a", 1);
  ASSERT_TRUE(heard(1));
}

}  // namespace
}  // namespace sluice::relay::test
