// A RedisBroker on a loop, a private redis-server, and everything that the broker says written
// down.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "relay/brokers/redis_broker.h"
#include "tests/unit/relay/redis_test_loop.h"
#include "tests/unit/relay/redis_test_server.h"

namespace sluice::relay::test {

using namespace std::chrono_literals;

struct RecordingEvents : BrokerEvents {
  struct Confirmed {
    std::string channel;
    std::optional<Duration> uncovered;
    std::optional<proto::Position> position{};
  };
  /// Of a channel with history, or one whose publisher travels.
  struct Heard {
    std::string channel;
    std::string payload;
    std::string meta;
    std::optional<proto::Position> position;
  };
  struct Published {
    PublishId id;
    PublishOutcome outcome;
    std::string detail;
    std::optional<proto::Position> position{};
  };
  bool is_connected = false;
  int connects = 0;
  std::vector<std::string> aways;
  std::vector<Confirmed> confirmations;
  std::vector<std::pair<std::string, std::string>> messages;
  int assembled = 0;  ///< of messages
  std::vector<std::pair<std::string, std::uint64_t>> oversized;
  std::vector<Published> outcomes;
  std::vector<Heard> heard;  ///< of messages
  std::vector<std::pair<std::string, proto::Position>> losses;
  std::map<QueryId, HistoryAnswer> histories;
  std::map<QueryId, PresenceAnswer> presences;
  std::function<void()> when_connected;

  void broker_connected() override {
    if (!std::exchange(is_connected, true)) ++connects;
    if (when_connected) when_connected();
  }
  void broker_away(std::string_view reason) override {
    is_connected = false;
    aways.emplace_back(reason);
  }
  void subscribed(std::string_view channel, std::optional<Duration> uncovered,
                  std::optional<proto::Position> position) override {
    confirmations.push_back({std::string(channel), uncovered, position});
  }
  void message(std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               std::optional<proto::Position> position) override {
    heard.push_back({std::string(channel), std::string(proto::as_text(payload)),
                     std::string(proto::as_text(meta)), position});
    messages.emplace_back(channel, proto::as_text(payload));
  }
  void message(std::string_view channel, EntryDraft message) override {
    ++assembled;
    messages.emplace_back(channel, proto::as_text(message.payload()));
  }
  void message_oversized(std::string_view channel, std::uint64_t bytes) override {
    oversized.emplace_back(channel, bytes);
  }
  void position_lost(std::string_view channel, proto::Position position) override {
    losses.emplace_back(channel, position);
  }
  void history(QueryId id, HistoryAnswer answer) override {
    EXPECT_TRUE(histories.emplace(id, std::move(answer)).second);
  }
  void presence(QueryId id, PresenceAnswer answer) override {
    EXPECT_TRUE(presences.emplace(id, std::move(answer)).second);
  }
  void published(PublishId id, PublishOutcome outcome, std::string_view detail,
                 std::optional<proto::Position> position) override {
    outcomes.push_back({id, outcome, std::string(detail), position});
  }
};

class RedisBrokerTest : public ::testing::Test {
 protected:
  void open(const std::string& url, const std::string& password_file = "") {
    Result<RedisOptions> options = parse_redis_url(url);
    ASSERT_TRUE(options) << options.error().message;
    options->password_file = password_file;
    broker_ = std::make_unique<RedisBroker>(*options, loop_.base(), random_);
    broker_->start(events_);
  }
  void open() {
    server_.start();
    open(server_.unix_url());
    ASSERT_TRUE(connected(5s));
  }
  [[nodiscard]] bool connected(Duration wait) {
    return loop_.run_until(wait, [&] { return events_.is_connected; });
  }
  [[nodiscard]] bool away(Duration wait) {
    return loop_.run_until(wait, [&] { return !events_.is_connected; });
  }
  [[nodiscard]] bool confirmed(std::size_t count, Duration wait = 5s) {
    return loop_.run_until(wait, [&] { return events_.confirmations.size() >= count; });
  }
  [[nodiscard]] bool heard(std::size_t count, Duration wait = 5s) {
    return loop_.run_until(wait, [&] { return events_.messages.size() >= count; });
  }
  [[nodiscard]] bool answered(std::size_t count, Duration wait = 5s) {
    return loop_.run_until(wait, [&] { return events_.outcomes.size() >= count; });
  }
  void subscribe_and_wait(const std::string& channel) {
    const std::size_t before = events_.confirmations.size();
    broker_->subscribe(channel, {});
    ASSERT_TRUE(confirmed(before + 1));
    EXPECT_EQ(events_.confirmations.back().channel, channel);
    EXPECT_FALSE(events_.confirmations.back().uncovered);
  }
  void publish(PublishId id, std::string_view channel, std::string_view payload) {
    broker_->publish(id, channel, proto::as_bytes(payload), {}, {});
  }
  /// One message on `channel` there and back.
  void expect_traffic(const std::string& channel) {
    const std::size_t before = events_.messages.size();
    ASSERT_TRUE(broker_->can_publish(4));
    publish(999, channel, "ping");
    ASSERT_TRUE(heard(before + 1));
    EXPECT_EQ(events_.messages.back(), std::make_pair(channel, std::string("ping")));
  }

  TestLoop loop_;
  SeededRandom random_{3};
  RedisTestServer server_;
  RecordingEvents events_;
  std::unique_ptr<RedisBroker> broker_;
};

}  // namespace sluice::relay::test
