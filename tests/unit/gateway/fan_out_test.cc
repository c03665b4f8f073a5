#include "gateway/fan_out.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/random.h"
#include "gateway/limits.h"
#include "gateway/protocols/plain.h"
#include "gateway/session_table.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

class Recorder final : public Delivery {
 public:
  void deliver(ClientSession& /*session*/, FrameRef /*frame*/) override {}
  void deliver_due(ClientSession& session, std::span<const RunView> due) override {
    ++sends[session.ref.index];
    order.push_back(session.ref.index);
    record(session, due);
  }
  void queue_due(ClientSession& session, std::span<const RunView> due) override {
    ++queued;
    record(session, due);
  }
  void end_slice() override { ++slices; }
  void close(ClientSession& /*session*/, CloseCode /*code*/, const char* /*reason*/) override {}

  std::map<std::uint32_t, std::vector<std::string>> got;
  std::map<std::uint32_t, int> sends;
  std::vector<std::uint32_t> order;
  int queued = 0;
  int slices = 0;

 private:
  void record(const ClientSession& session, std::span<const RunView> due) {
    for (std::string& payload : test::payloads(due))
      got[session.ref.index].push_back(std::move(payload));
  }
};

class FanOutTest : public testing::Test {
 protected:
  FanOutTest() : protocol(PlainOptions{}, time), fan_out(recorder) {}

  ClientSession& client(std::initializer_list<std::uint32_t> audiences) {
    ClientSession& session = sessions.add();
    for (const std::uint32_t audience : audiences) fan_out.join(audience, session, sequence);
    return session;
  }
  void leave(ClientSession& session) {
    for (std::size_t i = 0; i < session.state.subscriptions.size(); ++i) fan_out.leave(session, i);
    session.state.subscriptions.clear();
    sessions.remove(session.ref);
  }
  void message(std::uint32_t audience, const std::string& text) {
    fan_out.append(audience, {"x", {1, 1}, proto::as_bytes(text), {}}, {++sequence, stamp});
  }
  void run_all() {
    while (fan_out.run(kClientsPerTurn)) {
    }
  }
  std::vector<std::string>& got(const ClientSession& session) {
    return recorder.got[session.ref.index];
  }

  void message_now(std::uint32_t audience, const std::string& text) {
    fan_out.give_now(audience, {"x", {1, 1}, proto::as_bytes(text), {}}, {++sequence, stamp});
  }

  using Texts = std::vector<std::string>;

  ManualTime time;
  PlainProtocol protocol;
  SessionTable sessions;
  Recorder recorder;
  FanOut fan_out;
  std::uint64_t sequence = 0;
  std::uint32_t stamp = 0;
};

TEST_F(FanOutTest, WhatCameTogetherLeavesTogether) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  const ClientSession& one = client({a});
  const ClientSession& two = client({a});
  for (const char* text : {"1", "2", "3"}) message(a, text);
  EXPECT_FALSE(fan_out.run(100));
  EXPECT_EQ(got(one), (Texts{"1", "2", "3"}));
  EXPECT_EQ(got(two), (Texts{"1", "2", "3"}));
  EXPECT_EQ(recorder.sends[one.ref.index], 1);
  EXPECT_EQ(fan_out.deliveries(), 6U);
  EXPECT_EQ(one.state.last_sequence, 3U);
  EXPECT_TRUE(fan_out.idle());
  EXPECT_EQ(fan_out.pending_bytes(), 0U);
  EXPECT_FALSE(fan_out.run(100));
}

class Counting final : public ClientProtocol {
 public:
  [[nodiscard]] std::string_view name() const override { return "counting"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message, std::string&) const override {
    ++encoded;
    return {Opcode::kText, {}, message.payload};
  }
  void opened(ClientSession&, const UpgradeRequest&, ProtocolActions&) const override {}
  void received(ClientSession&, proto::Bytes, bool, ProtocolActions&) const override {}
  void due(ClientSession&, ProtocolActions&) const override {}
  void publish_failed(ClientSession&, const PublishFailure&, ProtocolActions&) const override {}
  void gap(ClientSession&, const ChannelGap&, ProtocolActions&) const override {}

  mutable int encoded = 0;
};

/// However many they are, a message is encoded once for those that speak one protocol.
TEST_F(FanOutTest, EncodesAMessageOncePerProtocol) {
  const Counting text;
  const Counting binary;
  const std::uint32_t of_text = fan_out.add_audience(text);
  const std::uint32_t of_binary = fan_out.add_audience(binary);
  constexpr int kClients = 500;
  for (int i = 0; i < kClients; ++i) client({i % 5 == 0 ? of_binary : of_text});
  for (const char* payload : {"1", "2", "3"}) {
    message(of_text, payload);
    message(of_binary, payload);
    run_all();
  }
  EXPECT_EQ(fan_out.deliveries(), 3U * kClients);
  EXPECT_EQ(text.encoded, 3);
  EXPECT_EQ(binary.encoded, 3);
}

// ---- what is settled

TEST_F(FanOutTest, WhileSomethingIsDueWhatCameBeforeItIsSettled) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  for (int i = 0; i < 4; ++i) client({a});
  sequence = 10;
  EXPECT_TRUE(fan_out.settled());
  message(a, "11");
  message(a, "12");
  EXPECT_FALSE(fan_out.settled());
  EXPECT_EQ(fan_out.settled_sequence(), 10U);
  fan_out.run(3);
  EXPECT_EQ(fan_out.settled_sequence(), 10U);
  fan_out.run(3);
  EXPECT_TRUE(fan_out.settled());
  // A link that begins anew.
  sequence = 0;
  message(a, "1");
  EXPECT_EQ(fan_out.settled_sequence(), 0U);
}

TEST_F(FanOutTest, UnderEndlessLoadTheSettledSequenceFollows) {
  std::vector<std::uint32_t> audiences;
  for (int i = 0; i < 5; ++i) audiences.push_back(fan_out.add_audience(protocol));
  for (const std::uint32_t audience : audiences)
    for (int i = 0; i < 20; ++i) client({audience});
  std::uint64_t before = 0;
  for (int i = 0; i < 2000; ++i) {
    message(audiences[static_cast<std::size_t>(i) % audiences.size()], std::to_string(i));
    fan_out.run(15);
    ASSERT_FALSE(fan_out.settled()) << "there is always more";
    const std::uint64_t settled = fan_out.settled_sequence();
    ASSERT_GE(settled, before);
    for (std::size_t slot = 0; slot < sessions.slots(); ++slot) {
      // Each audience gets every fifth message.
      const SessionState& state = sessions.at(slot)->state;
      ASSERT_GE(state.last_sequence + audiences.size(), settled) << i;
    }
    before = settled;
  }
  EXPECT_GT(before, 1900U);
  run_all();
  EXPECT_TRUE(fan_out.settled());
}

TEST_F(FanOutTest, WhatOneClientOfManyLacksIsNotSettled) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  const std::uint32_t b = fan_out.add_audience(protocol);
  for (int i = 0; i < 3; ++i) client({a});
  client({b});
  message(a, "1");
  fan_out.run(2);
  message(b, "2");
  message(b, "3");
  EXPECT_EQ(fan_out.settled_sequence(), 0U);
  leave(fan_out.subscriber(b, 0));
  fan_out.remove_audience(b);
  EXPECT_EQ(fan_out.settled_sequence(), 0U) << "the third of a has nothing yet";
  run_all();
  EXPECT_TRUE(fan_out.settled());
}

TEST_F(FanOutTest, SettlingAllQueuesWhatAnybodyLacksAndLeavesNothing) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  const std::uint32_t b = fan_out.add_audience(protocol);
  std::vector<const ClientSession*> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(&client({a, b}));
  const ClientSession& gone = client({b});
  message(a, "1");
  message(b, "2");
  fan_out.run(2);
  message(a, "3");
  leave(const_cast<ClientSession&>(gone));
  fan_out.settle_all();
  for (const ClientSession* session : clients) {
    EXPECT_EQ(got(*session), (Texts{"1", "2", "3"}));
    EXPECT_EQ(session->state.last_sequence, 3U);
  }
  EXPECT_TRUE(fan_out.idle());
  EXPECT_TRUE(fan_out.settled());
  EXPECT_EQ(fan_out.pending_bytes(), 0U);
  message(a, "4");
  run_all();
  EXPECT_EQ(got(*clients[0]), (Texts{"1", "2", "3", "4"}));
}

TEST_F(FanOutTest, InACatchUpOnlyWhoLacksAMessageGetsIt) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  ClientSession& behind = client({a});
  ClientSession& ahead = client({a});
  ahead.state.last_sequence = 1;
  sequence = 2;
  ClientSession& joined = client({a});
  sequence = 0;
  for (const char* text : {"1", "2", "3"}) message_now(a, text);
  EXPECT_EQ(got(behind), (Texts{"1", "2", "3"}));
  EXPECT_EQ(got(ahead), (Texts{"2", "3"}));
  EXPECT_EQ(got(joined), Texts{"3"});
  EXPECT_EQ(recorder.queued, 6);
  for (const ClientSession* session : {&behind, &ahead, &joined})
    EXPECT_EQ(session->state.last_sequence, 3U);
  EXPECT_TRUE(fan_out.idle());
  EXPECT_EQ(fan_out.pending_bytes(), 0U);
  message(a, "4");
  run_all();
  EXPECT_EQ(got(behind).back(), "4");
  EXPECT_EQ(got(joined), (Texts{"3", "4"}));
}

TEST_F(FanOutTest, ASliceIsBoundedAndMessagesThatComeMeanwhileJoinIn) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  std::vector<const ClientSession*> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(&client({a}));
  message(a, "1");
  EXPECT_TRUE(fan_out.run(4));
  EXPECT_EQ(recorder.order.size(), 4U);
  message(a, "2");
  run_all();
  for (const ClientSession* session : clients) EXPECT_EQ(got(*session), (Texts{"1", "2"}));
  // The first four needed two sends, the others one.
  EXPECT_EQ(recorder.order.size(), 14U);
}

TEST_F(FanOutTest, AHugeAudienceHoldsUpNoOtherChannel) {
  const std::uint32_t huge = fan_out.add_audience(protocol);
  const std::uint32_t small = fan_out.add_audience(protocol);
  for (int i = 0; i < 5000; ++i) client({huge});
  const ClientSession& one = client({small});
  message(huge, "h");
  fan_out.run(kClientsPerTurn);
  message(small, "s");
  fan_out.run(kClientsPerTurn);
  EXPECT_EQ(got(one), Texts{"s"});
  EXPECT_LE(recorder.order.size(), 2 * kClientsPerTurn);
  EXPECT_FALSE(fan_out.idle());
}

TEST_F(FanOutTest, AClientOfSeveralChannelsGetsAllOfThemAtOnceInTheLinksOrder) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  const std::uint32_t b = fan_out.add_audience(protocol);
  const std::uint32_t c = fan_out.add_audience(protocol);
  const ClientSession& both = client({a, b, c});
  const ClientSession& only_b = client({b});
  message(b, "1");
  message(a, "2");
  message(a, "3");
  message(b, "4");
  message(c, "5");
  message(a, "6");
  run_all();
  EXPECT_EQ(got(both), (Texts{"1", "2", "3", "4", "5", "6"}));
  EXPECT_EQ(recorder.sends[both.ref.index], 1);
  EXPECT_EQ(got(only_b), (Texts{"1", "4"}));
}

TEST_F(FanOutTest, WhoJoinsGetsWhatComesFromThenOn) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  const ClientSession& one = client({a});
  message(a, "1");
  const ClientSession& late = client({a});
  message(a, "2");
  run_all();
  EXPECT_EQ(got(one), (Texts{"1", "2"}));
  EXPECT_EQ(got(late), Texts{"2"});
}

TEST_F(FanOutTest, SettledIsGivenAtOnceAndNotAgain) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  ClientSession& one = client({a});
  fan_out.settle(one);
  EXPECT_EQ(recorder.queued, 0);
  message(a, "1");
  fan_out.settle(one);
  EXPECT_EQ(got(one), Texts{"1"});
  run_all();
  EXPECT_EQ(got(one), Texts{"1"});
}

TEST_F(FanOutTest, AnAudienceMayGoWhileItHasSomethingToGive) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  ClientSession& one = client({a});
  message(a, "1");
  leave(one);
  fan_out.remove_audience(a);
  const std::uint32_t b = fan_out.add_audience(protocol);
  EXPECT_NE(a, b);
  run_all();
  EXPECT_EQ(fan_out.pending_bytes(), 0U);
  EXPECT_EQ(fan_out.add_audience(protocol), a);
}

TEST_F(FanOutTest, LatencyIsToldOncePerMessage) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  for (int i = 0; i < 3; ++i) client({a});
  for (stamp = 10; stamp < 13; ++stamp) message(a, std::string(kRunSmallBytes / 2, 'x'));
  fan_out.run(2);
  EXPECT_TRUE(fan_out.finished_stamps().empty());
  run_all();
  EXPECT_EQ(fan_out.finished_stamps(), (std::vector<std::uint32_t>{10, 11, 12}));
}

/// A storm without an end: everybody gets everything in order, and what everybody has is let go
/// although the walk never comes to rest.
TEST_F(FanOutTest, UnderConstantLoadTheLogStaysShort) {
  const std::uint32_t a = fan_out.add_audience(protocol);
  std::vector<const ClientSession*> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(&client({a}));
  Texts expected;
  std::size_t most = 0;
  for (int i = 0; i < 2000; ++i) {
    expected.push_back(std::to_string(i) + std::string(100, '.'));
    message(a, expected.back());
    EXPECT_TRUE(fan_out.run(10));
    most = std::max(most, fan_out.pending_bytes());
  }
  run_all();
  for (const ClientSession* session : clients) EXPECT_EQ(got(*session), expected);
  // Two rounds of five slices and the runs that they lie in.
  EXPECT_LT(most, 4 * kRunLargeBytes);
}

/// Everything at once, against a model: clients come and go in the middle of walks.
TEST_F(FanOutTest, EverybodyGetsWhatIsDueWhateverComesAndGoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    recorder.got.clear();
    std::vector<std::uint32_t> audiences;
    for (int i = 0; i < 5; ++i) audiences.push_back(fan_out.add_audience(protocol));
    std::map<std::uint32_t, Texts> expected;
    std::map<std::uint32_t, std::vector<ClientRef>> members;
    std::vector<ClientRef> clients;
    const auto drop = [&](std::size_t n) {
      ClientSession& session = *sessions.find(clients[n]);
      clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(n));
      fan_out.settle(session);
      EXPECT_EQ(got(session), expected[session.ref.index]) << seed;
      got(session).clear();
      expected.erase(session.ref.index);
      for (auto& [audience, refs] : members) std::erase(refs, session.ref);
      leave(session);
    };
    for (int step = 0; step < 3000; ++step) {
      switch (random.below(6)) {
        case 0: {
          if (clients.size() >= 60) break;
          ClientSession& session = sessions.add();
          for (const std::uint32_t audience : audiences) {
            if (random.below(3) != 0) continue;
            fan_out.join(audience, session, sequence);
            members[audience].push_back(session.ref);
          }
          clients.push_back(session.ref);
          break;
        }
        case 1:
          if (!clients.empty()) drop(random.below(clients.size()));
          break;
        case 2:
          fan_out.run(1 + random.below(10));
          break;
        default: {
          const std::uint32_t audience = audiences[random.below(audiences.size())];
          if (members[audience].empty()) break;
          const std::string text = std::to_string(step) + std::string(random.below(900), '.');
          for (const ClientRef ref : members[audience]) expected[ref.index].push_back(text);
          message(audience, text);
        }
      }
    }
    run_all();
    for (const ClientRef ref : clients)
      EXPECT_EQ(recorder.got[ref.index], expected[ref.index]) << seed;
    while (!clients.empty()) drop(0);
    for (const std::uint32_t audience : audiences) fan_out.remove_audience(audience);
    EXPECT_EQ(fan_out.pending_bytes(), 0U);
    EXPECT_EQ(sessions.size(), 0U);
  }
}

}  // namespace
}  // namespace sluice::gateway
