// What rules let clients without tokens do, and what the plain protocol makes of it.
#include "gateway/protocols/plain_access.h"

#include <gtest/gtest.h>

#include <vector>

#include "gateway/protocols/plain.h"

namespace sluice::gateway {
namespace {

Rules rules_of(std::string_view text) {
  auto rules = Rules::parse(text, "r.toml");
  EXPECT_TRUE(rules) << (rules ? "" : rules.error().message);
  return rules ? std::move(*rules) : Rules();
}

const std::string kAnonymous = "[connection]\nanonymous = true\n";

struct Case {
  const char* what;
  std::string rules;
  const char* channel;
  bool subscribe;
  PlainVerdict publish;  ///< of 10 bytes
};

TEST(PlainAccess, AllowedAndRefused) {
  using enum PlainVerdict;
  const std::string open = "subscribe = 'everyone'\npublish = 'everyone'\n";
  const std::vector<Case> cases = {
      {"no rule", "", "news", false, kNotAllowed},
      {"an empty rule", kAnonymous + "[channels]\n", "news", false, kNotAllowed},
      {"everyone", kAnonymous + "[channels]\n" + open, "news", true, kAllowed},
      {"subscribers publish",
       kAnonymous + "[channels]\nsubscribe = 'everyone'\npublish = 'subscribers'\n", "news", true,
       kAllowed},
      {"reading alone", kAnonymous + "[channels]\nsubscribe = 'everyone'\n", "news", true,
       kNotAllowed},
      {"publishing alone", kAnonymous + "[channels]\npublish = 'everyone'\n", "news", false,
       kAllowed},
      {"users", kAnonymous + "[channels]\nsubscribe = 'users'\npublish = 'users'\n", "news", false,
       kNotAllowed},
      {"a token", kAnonymous + "[channels]\nsubscribe = 'token'\n", "news", false, kNotAllowed},
      {"no anonymous clients", "[channels]\n" + open, "news", false, kNotAllowed},
      {"not for plain clients", kAnonymous + "[channels]\nplain_clients = false\n" + open, "news",
       false, kNotAllowed},
      {"another namespace", kAnonymous + "[namespaces.chat]\n" + open, "news", false, kNotAllowed},
      {"its namespace", kAnonymous + "[namespaces.chat]\n" + open, "chat:1", true, kAllowed},
      {"an unknown namespace", kAnonymous + "[channels]\n" + open, "chat:1", false, kNotAllowed},
      {"private", kAnonymous + "[channels]\n" + open, "$news", false, kNotAllowed},
      {"for users that it lists", kAnonymous + "[channels]\nuser_limited = true\n" + open,
       "news#42", false, kNotAllowed},
      {"for nobody that it lists", kAnonymous + "[channels]\nuser_limited = true\n" + open, "news#",
       false, kNotAllowed},
      {"a # that means nothing", kAnonymous + "[channels]\n" + open, "news#42", true, kAllowed},
      {"the application is asked about subscribers",
       kAnonymous + "[channels]\nsubscribe_hook = true\n" + open, "news", false, kAllowed},
      {"the application is asked about publications",
       kAnonymous + "[channels]\npublish_hook = true\n" + open, "news", true, kNotAllowed},
      {"just small enough", kAnonymous + "[channels]\nmessage_bytes_max = '10B'\n" + open, "news",
       true, kAllowed},
      {"too large", kAnonymous + "[channels]\nmessage_bytes_max = '9B'\n" + open, "news", true,
       kTooLarge},
  };
  for (const Case& c : cases) {
    const Rules rules = rules_of(c.rules);
    ClientSession session;
    EXPECT_EQ(plain_may_subscribe(rules, c.channel), c.subscribe) << c.what;
    EXPECT_EQ(judge_plain_publish(rules, session, c.channel, 10, TimePoint{}), c.publish) << c.what;
  }
}

TEST(PlainAccess, OpenAccess) {
  const Rules rules = Rules::open_access();
  ClientSession session;
  for (const char* channel : {"news", "any:thing", "$news", "news#42"}) {
    EXPECT_TRUE(plain_may_subscribe(rules, channel)) << channel;
    EXPECT_EQ(judge_plain_publish(rules, session, channel, 1U << 20U, TimePoint{}),
              PlainVerdict::kAllowed)
        << channel;
  }
}

TEST(PlainAccess, TheRateOfAClient) {
  const Rules rules = rules_of(kAnonymous +
                               "[channels]\npublish = 'everyone'\npublish_rate = '1/s'\n"
                               "publish_burst = 2\n");
  const TimePoint start = TimePoint{} + std::chrono::hours(1);
  ClientSession one;
  ClientSession other;
  const auto publish = [&](ClientSession& session, TimePoint now) {
    return judge_plain_publish(rules, session, "news", 1, now);
  };
  EXPECT_EQ(publish(one, start), PlainVerdict::kAllowed);
  EXPECT_EQ(publish(one, start), PlainVerdict::kAllowed);
  EXPECT_EQ(publish(one, start), PlainVerdict::kTooMany);
  EXPECT_EQ(publish(other, start), PlainVerdict::kAllowed);
  EXPECT_EQ(publish(one, start + std::chrono::seconds(1)), PlainVerdict::kAllowed);
  EXPECT_EQ(publish(one, start + std::chrono::seconds(1)), PlainVerdict::kTooMany);
}

TEST(PlainAccess, NoStateWithoutARate) {
  const Rules rules = rules_of(kAnonymous + "[channels]\npublish = 'everyone'\n");
  ClientSession session;
  EXPECT_EQ(judge_plain_publish(rules, session, "news", 1, TimePoint{}), PlainVerdict::kAllowed);
  EXPECT_EQ(session.state.protocol, nullptr);
}

class Recorder final : public ProtocolActions {
 public:
  bool subscribe(ClientSession&, std::string_view) override { return true; }
  bool publish(ClientSession&, const PublishRequest&) override {
    ++published;
    return true;
  }
  void publish(std::string_view, proto::Bytes) override {}
  bool join(ClientSession&, const JoinRequest&) override { return false; }
  void leave(ClientSession&, std::string_view) override {}
  std::optional<ChannelNumber> channel_number(std::string_view) const override { return {}; }
  std::string_view channel_name(ChannelNumber) const override { return {}; }
  bool ask_history(ClientSession&, Ticket, std::string_view, const proto::HistoryQuery&) override {
    return false;
  }
  bool ask_presence(ClientSession&, Ticket, std::string_view, bool) override { return false; }
  void set_presence(ClientSession&, const proto::PresenceSet&) override {}
  void clear_presence(ClientSession&, std::string_view, std::string_view) override {}
  void changed(ClientSession&) override {}
  std::string_view first_channel(const ClientSession&) const override { return "news"; }
  void deliver(ClientSession&, FrameRef) override {}
  void close(ClientSession&, CloseCode code, const char* reason) override {
    closed = std::to_string(static_cast<int>(code)) + " " + reason;
  }
  void close_as(ClientSession& session, CloseCode code, const char* reason,
                CloseReason counted) override {
    close(session, code, reason);
    closed += std::string(" as ") + kCloseReasonNames[static_cast<std::size_t>(counted)];
  }

  int published = 0;
  std::string closed;
};

class StandingTime final : public TimeSource {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint{} + std::chrono::hours(1); }
};

TEST(PlainAccess, ThePlainProtocolClosesWhoPublishesAgainstTheRules) {
  RulesStore store(rules_of(kAnonymous +
                            "[channels]\npublish = 'everyone'\nmessage_bytes_max = '4B'\n"
                            "publish_rate = '1/s'\n"));
  const StandingTime time;
  const PlainProtocol protocol({.rules = &store}, time);
  const auto received = [&](ClientSession& session, std::string_view text) {
    Recorder actions;
    protocol.received(session, proto::as_bytes(text), true, actions);
    EXPECT_NE(actions.published == 0, actions.closed.empty()) << text;
    return actions.closed;
  };
  ClientSession session;
  EXPECT_EQ(received(session, "four"), "");
  EXPECT_EQ(received(session, "four"), "1008 too many messages as rate_limited");
  ClientSession other;
  EXPECT_EQ(received(other, "fives"), "1009 message too large for this channel");
  // The rules of now, not those of when it came.
  store.replace(rules_of(kAnonymous + "[channels]\nsubscribe = 'everyone'\n"));
  EXPECT_EQ(received(other, "x"), "1008 publishing is not allowed here as not_allowed");
  store.replace(Rules::open_access());
  EXPECT_EQ(received(other, "anything"), "");
}

}  // namespace
}  // namespace sluice::gateway
