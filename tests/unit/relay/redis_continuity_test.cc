// What is heard and what is read become one stream: single steps, and every kind of interleaving by
// chance, against a model of Redis with two connections.
#include "relay/brokers/redis_continuity.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/random.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay::test {
namespace {

using proto::Position;

const ChannelOptions kOptions{
    .history_size = 100, .history_ttl = std::chrono::minutes(1), .envelope = false};

std::string text(Position position) {
  return std::to_string(position.epoch) + "/" + std::to_string(position.offset);
}

/// Writes down what is asked and told.
struct Port final : RedisContinuityPort {
  struct Asked {
    RedisAsk ask = 0;
    std::string channel;
    bool fetch = false;
    std::optional<Position> known;
  };
  std::vector<std::string> told;
  std::deque<Asked> asked;
  int caught = 0;

  void ask_position(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                    std::optional<Position> heard) override {
    EXPECT_EQ(options, kOptions);
    asked.push_back({ask, std::string(channel), false, heard});
  }
  void ask_missing(RedisAsk ask, std::string_view channel, const ChannelOptions& /*options*/,
                   Position since) override {
    asked.push_back({ask, std::string(channel), true, since});
  }
  void resumed(std::string_view, Position position) override {
    told.push_back("at " + text(position));
  }
  void next(std::string_view, Position position, proto::Bytes payload, proto::Bytes) override {
    told.push_back(text(position) + " " + std::string(proto::as_text(payload)));
  }
  void lost(std::string_view, Position position) override {
    told.push_back("lost " + text(position));
  }
  void caught_up() override { ++caught; }
};

class Continuity : public ::testing::Test {
 protected:
  Continuity() { continuity.set_usable(true); }

  void hear(Position position, const std::string& payload = "x") {
    continuity.heard("c", position, proto::as_bytes(payload), {});
  }
  Port::Asked next_ask(bool fetch) {
    EXPECT_FALSE(port.asked.empty());
    if (port.asked.empty()) return {};
    Port::Asked one = port.asked.front();
    port.asked.pop_front();
    EXPECT_EQ(one.fetch, fetch);
    return one;
  }
  void answer_position(Position top) { continuity.position("c", next_ask(false).ask, top); }
  void answer_missing(Position top, const std::vector<std::uint64_t>& offsets) {
    std::vector<HistoryPublication> publications;
    for (const std::uint64_t offset : offsets) publications.push_back({offset, "read", {}});
    continuity.missing("c", next_ask(true).ask, top, publications);
  }
  void live_at(Position position) {
    continuity.add("c", kOptions);
    continuity.confirmed("c");
    answer_position(position);
    port.told.clear();
  }
  void reconnect() {
    continuity.subscriber_lost();
    continuity.confirmed("c");
  }
  using Told = std::vector<std::string>;

  Port port;
  RedisContinuity continuity{port};
};

TEST_F(Continuity, ThePositionFirstThenWhatFollowsIt) {
  continuity.add("c", kOptions);
  hear({7, 3});  // of a subscription that was given up
  EXPECT_TRUE(port.asked.empty());
  continuity.confirmed("c");
  hear({7, 4}, "before");
  hear({7, 5}, "also before");
  hear({7, 6}, "behind");
  EXPECT_FALSE(continuity.is_live("c"));
  answer_position({7, 5});
  hear({7, 7}, "live");
  EXPECT_EQ(port.told, (Told{"at 7/5", "7/6 behind", "7/7 live"}));
  EXPECT_TRUE(continuity.is_live("c"));
  EXPECT_EQ(continuity.held_bytes(), 0U);
}

TEST_F(Continuity, TwiceIsOnce) {
  live_at({7, 5});
  hear({7, 6});
  hear({7, 6});
  hear({7, 1});
  EXPECT_EQ(port.told, (Told{"7/6 x"}));
  EXPECT_TRUE(port.asked.empty());
  EXPECT_EQ(continuity.stats().duplicates, 2U);
}

TEST_F(Continuity, AHoleIsReadAndWhatComesMeanwhileWaits) {
  live_at({7, 5});
  hear({7, 8}, "eight");
  hear({7, 9}, "nine");
  EXPECT_EQ(port.asked.front().known, (Position{7, 5}));
  EXPECT_EQ(port.told, Told{});
  answer_missing({7, 8}, {6, 7, 8});
  EXPECT_EQ(port.told, (Told{"7/6 read", "7/7 read", "7/8 read", "7/9 nine"}));
  hear({7, 10}, "ten");
  EXPECT_EQ(port.told.back(), "7/10 ten");
}

TEST_F(Continuity, AnAnswerAtItsBoundIsAskedOn) {
  live_at({7, 0});
  hear({7, 6}, "six");
  answer_missing({7, 6}, {1, 2});
  EXPECT_EQ(port.asked.front().known, (Position{7, 2}));
  answer_missing({7, 6}, {3, 4, 5, 6});
  EXPECT_EQ(port.told.size(), 6U);
  EXPECT_TRUE(continuity.is_live("c"));
}

TEST_F(Continuity, WhatIsTrimmedIsLostWithItsNumber) {
  live_at({7, 5});
  hear({7, 20}, "twenty");
  answer_missing({7, 20}, {18, 19, 20});
  EXPECT_EQ(port.told, (Told{"lost 7/17", "7/18 read", "7/19 read", "7/20 read"}));
}

TEST_F(Continuity, WhatWasHeardIsNotLostWithTheStream) {
  live_at({7, 5});
  hear({7, 8}, "eight");
  hear({7, 9}, "nine");
  hear({7, 11}, "eleven");
  answer_missing({7, 11}, {});  // the stream has expired
  EXPECT_EQ(port.told, (Told{"lost 7/7", "7/8 eight", "7/9 nine", "lost 7/10", "7/11 eleven"}));
  EXPECT_TRUE(continuity.is_live("c"));
}

TEST_F(Continuity, AHoleInTheMiddleOfTheStream) {
  live_at({7, 5});
  hear({7, 9});
  answer_missing({7, 9}, {6, 8, 9});  // 7 is larger than a link carries
  EXPECT_EQ(port.told, (Told{"7/6 read", "lost 7/7", "7/8 read", "7/9 read"}));
}

TEST_F(Continuity, ANewEpochIsBelievedWhenTheHistorySaysSo) {
  live_at({7, 5});
  hear({8, 1}, "one");
  hear({8, 2}, "two");
  EXPECT_EQ(port.told, Told{});
  answer_missing({8, 1}, {1});
  EXPECT_EQ(port.told, (Told{"lost 8/0", "8/1 read", "8/2 two"}));
}

TEST_F(Continuity, ALateMessageOfTheEpochBefore) {
  continuity.add("c", kOptions);
  continuity.confirmed("c");
  hear({7, 9}, "old");  // published before the history was removed
  answer_position({8, 2});
  EXPECT_EQ(port.told, (Told{"at 8/2"}));
  hear({7, 10}, "old as well");
  answer_missing({8, 3}, {3});
  answer_missing({8, 3}, {});
  EXPECT_EQ(port.told, (Told{"at 8/2", "8/3 read"}));
  EXPECT_EQ(continuity.stats().losses, 0U);
  hear({8, 4}, "four");
  EXPECT_EQ(port.told.back(), "8/4 four");
}

TEST_F(Continuity, TwoEpochsInOneAnswersTime) {
  live_at({7, 5});
  hear({8, 1}, "gone with its epoch");
  hear({9, 1}, "newest");  // after the question
  answer_missing({8, 1}, {1});
  EXPECT_EQ(port.told, (Told{"lost 8/0", "8/1 read"}));
  answer_missing({9, 1}, {1});
  EXPECT_EQ(port.told, (Told{"lost 8/0", "8/1 read", "lost 9/0", "9/1 read"}));
  EXPECT_TRUE(continuity.is_live("c"));
}

TEST_F(Continuity, BackWithNothingMissed) {
  live_at({7, 5});
  reconnect();
  hear({7, 6}, "six");
  EXPECT_EQ(port.asked.front().known, (Position{7, 5}));
  answer_position({7, 5});
  EXPECT_EQ(port.told, (Told{"7/6 six", "at 7/6"}));
}

TEST_F(Continuity, BackWithSomethingMissed) {
  live_at({7, 5});
  reconnect();
  answer_position({7, 7});
  EXPECT_EQ(port.told, Told{});
  hear({7, 8}, "eight");
  answer_missing({7, 7}, {6, 7});
  EXPECT_EQ(port.told, (Told{"7/6 read", "7/7 read", "7/8 eight", "at 7/8"}));
}

TEST_F(Continuity, BackWhereTheDataIsGone) {
  live_at({7, 5});
  reconnect();
  answer_position({8, 0});
  answer_missing({8, 0}, {});
  EXPECT_EQ(port.told, (Told{"lost 8/0", "at 8/0"}));
}

TEST_F(Continuity, AHistoryThatIsGoneWhileItIsReadBeginsAgain) {
  live_at({7, 5});
  hear({7, 7});
  answer_missing({0, 0}, {});
  EXPECT_FALSE(port.asked.front().fetch);
  answer_position({8, 0});
  answer_missing({8, 0}, {});
  EXPECT_EQ(port.told, (Told{"lost 8/0"}));
  EXPECT_TRUE(continuity.is_live("c"));
}

TEST_F(Continuity, AHistoryThatWentBackIsAskedForItsPosition) {
  live_at({7, 5});
  hear({7, 7});
  answer_missing({7, 3}, {});
  EXPECT_EQ(port.asked.front().known, (Position{7, 5}));
  answer_position({9, 0});
  answer_missing({9, 0}, {});
  EXPECT_EQ(port.told, (Told{"lost 9/0"}));
}

TEST_F(Continuity, AnswersToAnEarlierSubscriptionAreNobodys) {
  live_at({7, 5});
  hear({7, 8});
  reconnect();
  // The fetch of before, then the position.
  answer_missing({7, 8}, {6, 7, 8});
  EXPECT_EQ(port.told, Told{});
  answer_position({7, 9});
  answer_missing({7, 9}, {6, 7, 8, 9});
  EXPECT_EQ(port.told.back(), "at 7/9");
  EXPECT_EQ(port.told.size(), 5U);
}

TEST_F(Continuity, GivenUpAndWantedAgainWhileItIsAsked) {
  continuity.add("c", kOptions);
  continuity.confirmed("c");
  continuity.remove("c");
  continuity.add("c", kOptions);
  answer_position({7, 5});
  EXPECT_EQ(port.told, Told{});
  continuity.confirmed("c");
  answer_position({7, 6});
  EXPECT_EQ(port.told, (Told{"at 7/6"}));
}

TEST_F(Continuity, ALostConnectionAsksAgainAndARefusalWaits) {
  continuity.add("c", kOptions);
  continuity.confirmed("c");
  continuity.set_usable(false);
  continuity.failed("c", next_ask(false).ask, true);
  EXPECT_TRUE(port.asked.empty());
  continuity.set_usable(true);
  ASSERT_EQ(port.asked.size(), 1U);
  continuity.failed("c", next_ask(false).ask, false);
  EXPECT_TRUE(port.asked.empty());
  EXPECT_TRUE(continuity.any_parked());
  hear({7, 6}, "meanwhile");
  continuity.retry();
  EXPECT_FALSE(continuity.any_parked());
  answer_position({7, 6});
  EXPECT_EQ(port.told, (Told{"at 7/6"}));
}

TEST_F(Continuity, WhatDoesNotFitIsReadAgain) {
  live_at({7, 0});
  hear({7, 2}, "two");
  const std::string large(kHeldChannelBytesMax / 4, 'x');
  for (std::uint64_t offset = 3; offset <= 9; ++offset) hear({7, offset}, large);
  EXPECT_LE(continuity.held_bytes(), kHeldChannelBytesMax);
  EXPECT_GT(continuity.stats().held_overflow, 0U);
  answer_missing({7, 2}, {1, 2});
  const std::size_t told = port.told.size();
  EXPECT_LT(told, 9U);
  EXPECT_EQ(port.asked.front().known->offset, told);
  answer_missing({7, 9}, [&] {
    std::vector<std::uint64_t> rest;
    for (std::uint64_t offset = told + 1; offset <= 9; ++offset) rest.push_back(offset);
    return rest;
  }());
  EXPECT_EQ(port.told.size(), 9U);
  EXPECT_EQ(continuity.held_bytes(), 0U);
}

TEST_F(Continuity, TheHeldBytesOfAllChannelsAreBounded) {
  const std::string large(kHeldChannelBytesMax - kHeldMessageOverheadBytes, 'x');
  for (int i = 0; i < 100; ++i) {
    const std::string name = "c" + std::to_string(i);
    continuity.add(name, kOptions);
    continuity.confirmed(name);
    continuity.heard(name, {7, 1}, proto::as_bytes(large), {});
  }
  EXPECT_LE(continuity.held_bytes(), kHeldBytesMax);
  for (int i = 0; i < 100; ++i) continuity.remove("c" + std::to_string(i));
  EXPECT_EQ(continuity.held_bytes(), 0U);
}

TEST_F(Continuity, SomethingUnreadableIsLookedAfter) {
  live_at({7, 5});
  continuity.suspect("c");
  answer_missing({7, 6}, {6});
  EXPECT_EQ(port.told, (Told{"7/6 read"}));
  continuity.suspect("c");
  answer_missing({7, 6}, {});
  EXPECT_TRUE(continuity.is_live("c"));
  EXPECT_EQ(port.told.size(), 1U);
}

TEST_F(Continuity, WhatIsAheadOfTheHistoryIsNoPublication) {
  live_at({7, 5});
  hear({7, 1000000}, "forged");
  continuity.begin_restore();
  answer_missing({7, 5}, {});
  EXPECT_TRUE(port.asked.empty());
  EXPECT_TRUE(continuity.is_live("c"));
  EXPECT_TRUE(continuity.restored());
  EXPECT_EQ(continuity.held_bytes(), 0U);
  const std::size_t told = port.told.size();
  hear({7, 6}, "six");
  ASSERT_EQ(port.told.size(), told + 1);
  EXPECT_EQ(port.told.back(), "7/6 six");
}

TEST_F(Continuity, RestoredWhenEachGoesOnOrIsGivenUp) {
  for (const char* name : {"a", "b", "c", "d"}) {
    continuity.add(name, kOptions);
    continuity.confirmed(name);
  }
  continuity.begin_restore();
  EXPECT_FALSE(continuity.restored());
  continuity.position("a", next_ask(false).ask, {7, 1});
  continuity.failed("b", next_ask(false).ask, false);
  continuity.remove("d");
  EXPECT_EQ(port.caught, 0);
  continuity.position("c", next_ask(false).ask, {7, 1});
  EXPECT_TRUE(continuity.restored());
  EXPECT_EQ(port.caught, 1);
}

TEST_F(Continuity, QuestionsAreBounded) {
  constexpr std::size_t kChannels = kPositionsInFlightMax + 100;
  for (std::size_t i = 0; i < kChannels; ++i) {
    continuity.add(std::to_string(i), kOptions);
    continuity.confirmed(std::to_string(i));
  }
  EXPECT_EQ(port.asked.size(), kPositionsInFlightMax);
  std::size_t answered = 0;
  for (; !port.asked.empty(); ++answered) {
    const Port::Asked one = next_ask(false);
    continuity.position(one.channel, one.ask, {7, 1});
  }
  EXPECT_EQ(answered, kChannels);
  for (std::size_t i = 0; i < kChannels; ++i) continuity.heard(std::to_string(i), {7, 3}, {}, {});
  EXPECT_EQ(port.asked.size(), kFetchesInFlightMax);
}

// ---- by chance

/// A channel in Redis, what is on its way on two connections, and who hears it.
class Chance final : public RedisContinuityPort {
 public:
  explicit Chance(std::uint64_t seed, bool forgets) : random_(seed), forgets_(forgets) {
    continuity_.add("c", kOptions);
  }

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) step();
    // Then everything arrives, and nothing is wanting.
    // What is lost on the way shows with the next that is not.
    connect();
    publish();
    while (arrive_message() || execute() || arrive_answer()) {
    }
    EXPECT_TRUE(continuity_.is_live("c"));
    EXPECT_EQ(told_, (Position{epoch_, top_}));
    EXPECT_EQ(continuity_.held_bytes(), 0U);
    if (!forgets_) {
      EXPECT_EQ(losses_, 0);
    }
  }

 private:
  struct Question {
    RedisAsk ask = 0;
    bool fetch = false;
    std::optional<Position> known;
  };
  struct Answer {
    Question question;
    Position top;
    std::vector<HistoryPublication> publications;
  };

  void step() {
    switch (random_.below(24)) {
      case 0:
        return lose_subscriber();
      case 1:
        return lose_publisher();
      case 2:
        if (forgets_ && random_.below(4) == 0) new_epoch();
        return;
      case 3:
        if (forgets_ && !stream_.empty()) stream_.pop_front();
        return;
      case 4:
        // Lost on the way, as a fault of ours or a bound of Redis would.
        if (!heard_.empty() && random_.below(4) == 0) heard_.pop_front();
        return;
      case 5:
        if (continuity_.is_live("c")) continuity_.suspect("c");
        return;
      case 6:
      case 7:
        return connect();
      case 8:
      case 9:
      case 10:
      case 11:
        return publish();
      case 12:
      case 13:
      case 14:
        (void)execute();
        return;
      case 15:
      case 16:
      case 17:
        (void)arrive_answer();
        return;
      default:
        (void)arrive_message();
    }
  }

  void publish() {
    stream_.push_back({++top_, std::to_string(top_), {}});
    if (subscribed_) heard_.push_back({epoch_, top_});
  }
  void new_epoch() {
    ++epoch_;
    top_ = 0;
    stream_.clear();
  }
  void connect() {
    if (!usable_) continuity_.set_usable(usable_ = true);
    if (subscribed_) return;
    subscribed_ = true;
    continuity_.confirmed("c");
  }
  void lose_subscriber() {
    if (!subscribed_ || random_.below(3) != 0) return;
    subscribed_ = false;
    heard_.clear();
    continuity_.subscriber_lost();
  }
  void lose_publisher() {
    if (!usable_ || random_.below(3) != 0) return;
    continuity_.set_usable(usable_ = false);
    std::deque<Question> lost;
    for (const Answer& one : answers_) lost.push_back(one.question);
    lost.insert(lost.end(), questions_.begin(), questions_.end());
    answers_.clear();
    questions_.clear();
    for (const Question& one : lost) continuity_.failed("c", one.ask, true);
  }
  bool arrive_message() {
    if (heard_.empty()) return false;
    const Position position = heard_.front();
    heard_.pop_front();
    continuity_.heard("c", position, proto::as_bytes(payload_of(position)), {});
    return true;
  }
  std::string payload_of(Position position) { return std::to_string(position.offset); }
  bool execute() {
    if (questions_.empty()) return false;
    Answer answer{questions_.front(), {epoch_, top_}, {}};
    questions_.pop_front();
    if (answer.question.fetch) {
      const Position since = *answer.question.known;
      std::size_t room = 1 + random_.below(5);
      for (const HistoryPublication& one : stream_) {
        if (since.epoch == epoch_ && one.offset <= since.offset) continue;
        if (room-- == 0) break;
        answer.publications.push_back(one);
      }
    }
    answers_.push_back(std::move(answer));
    return true;
  }
  bool arrive_answer() {
    if (answers_.empty()) return false;
    const Answer one = std::move(answers_.front());
    answers_.pop_front();
    if (one.question.fetch) {
      continuity_.missing("c", one.question.ask, one.top, one.publications);
    } else {
      continuity_.position("c", one.question.ask, one.top);
    }
    return true;
  }

  // ---- what is asked and told

  void ask_position(RedisAsk ask, std::string_view, const ChannelOptions&,
                    std::optional<Position> heard) override {
    ASSERT_TRUE(usable_);
    questions_.push_back({ask, false, heard});
  }
  void ask_missing(RedisAsk ask, std::string_view, const ChannelOptions&, Position since) override {
    ASSERT_TRUE(usable_);
    questions_.push_back({ask, true, since});
  }
  void resumed(std::string_view, Position position) override {
    if (told_.epoch != 0) {
      EXPECT_EQ(position, told_);
    }
    told_ = position;
  }
  void next(std::string_view, Position position, proto::Bytes payload, proto::Bytes) override {
    EXPECT_EQ(position, (Position{told_.epoch, told_.offset + 1}));
    EXPECT_EQ(proto::as_text(payload), payload_of(position));
    EXPECT_TRUE(once_.emplace(position.epoch, position.offset).second) << text(position);
    told_ = position;
  }
  void lost(std::string_view, Position position) override {
    ++losses_;
    // Epochs go up in this model: never back to what was.
    EXPECT_GE(position.epoch, told_.epoch);
    if (position.epoch == told_.epoch) {
      EXPECT_GT(position.offset, told_.offset);
    }
    told_ = position;
  }
  void caught_up() override {}

  SeededRandom random_;
  const bool forgets_;  ///< trims, loses its data
  std::uint64_t epoch_ = 1;
  std::uint64_t top_ = 0;
  std::deque<HistoryPublication> stream_;
  std::deque<Position> heard_;
  std::deque<Question> questions_;
  std::deque<Answer> answers_;
  bool subscribed_ = false;
  bool usable_ = false;
  Position told_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> once_;
  int losses_ = 0;
  RedisContinuity continuity_{*this};
};

TEST(ContinuityByChance, NothingIsLostOrTwiceWhereNothingIsForgotten) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    Chance(seed, false).run(200);
    ASSERT_FALSE(HasFailure());
  }
}

TEST(ContinuityByChance, NothingIsTwiceOrSilentlyLostWhereMuchIs) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    Chance(seed, true).run(200);
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace sluice::relay::test
