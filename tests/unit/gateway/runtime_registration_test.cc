#include "gateway/runtime_registration.h"

#include <gtest/gtest.h>

#include "gateway/limits.h"
#include "tests/unit/gateway/haproxy_replies.h"

namespace sluice::gateway {
namespace {

using namespace replies;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kHead = kEmptyTable.substr(0, kEmptyTable.size() - 1);
constexpr const char* kLook = "show servers state gateways";
constexpr const char* kEnable = "enable health gateways/5555; enable server gateways/5555";
constexpr const char* kRetire =
    "disable health gateways/5555; set server gateways/5555 state maint; del server gateways/5555";

constexpr ServingState kServing{.serving = true, .draining = false, .ready_said = 0};
constexpr ServingState kNotServing{};
constexpr ServingState kDrains{.serving = false, .draining = true, .ready_said = 0};

ServerPlan plan(bool agent = false) {
  ServerPlan plan;
  plan.backend = "gateways";
  plan.name = "5555";
  plan.at = *parse_address("127.0.0.1:1111");
  plan.words = "127.0.0.1:1111 check port 1112";
  plan.id = server_id(plan.name, plan.words);
  plan.agent = agent;
  return plan;
}

/// A row of the table; by default our server, up.
struct Row {
  std::uint32_t id = plan().id;
  std::string address = "127.0.0.1";
  unsigned port = 1111;
  unsigned operational = kServerRunning;
  unsigned admin = 0;
  unsigned check = 6;

  [[nodiscard]] std::string table() const {
    return std::string(kHead) + "3 gateways " + std::to_string(id) + " 5555 " + address + " " +
           std::to_string(operational) + " " + std::to_string(admin) + " 100 100 1 15 3 4 " +
           std::to_string(check) + " 0 0 1 - " + std::to_string(port) + " - 0 1112 - - 1112\n\n";
  }
};

class Registration : public ::testing::Test {
 protected:
  explicit Registration(bool agent = false)
      : registration_(plan(agent), random_,
                      [this](LogLevel, const std::string& line) { lines_.push_back(line); }) {}

  /// The next command is this one, without any wait, and gets this answer.
  void exchange(const std::string& command, std::string_view reply) {
    const auto next = registration_.next_command(now_, state_);
    ASSERT_TRUE(next) << "no command, but " << command << " is due";
    EXPECT_EQ(*next, command);
    registration_.answered(reply, now_, state_);
  }
  void fails(const std::string& why) {
    ASSERT_TRUE(registration_.next_command(now_, state_));
    registration_.failed(why, now_);
  }
  /// Goes to the time of the next command; how long that was.
  Duration pass() {
    const TimePoint before = now_;
    EXPECT_FALSE(registration_.next_command(now_, state_)) << "there is no wait";
    now_ = std::max(now_, registration_.wake());
    return now_ - before;
  }
  void register_it() {
    registration_.start(now_);
    exchange(kLook, kEmptyTable);
    exchange(
        "add server gateways/5555 127.0.0.1:1111 check port 1112 id " + std::to_string(plan().id),
        kAdded);
    exchange(enable_, "\n\n");
    exchange(kLook, Row{}.table());
    ASSERT_TRUE(registration_.registered());
  }
  [[nodiscard]] std::string last_line() const { return lines_.empty() ? "" : lines_.back(); }
  [[nodiscard]] std::uint64_t refusals(HaproxyRefusal reason) const {
    return registration_.stats().refusals[static_cast<std::size_t>(reason)];
  }

  SeededRandom random_{7};
  std::vector<std::string> lines_;
  TimePoint now_{seconds(1000)};
  ServingState state_ = kServing;
  std::string enable_ = kEnable;
  RuntimeRegistration registration_;
};

class WithAgent : public Registration {
 protected:
  WithAgent() : Registration(true) {
    enable_ = std::string(kEnable) + "; enable agent gateways/5555";
  }
};

TEST_F(Registration, NothingBeforeTheStart) {
  EXPECT_FALSE(registration_.next_command(now_ + std::chrono::hours(24), state_));
}

TEST_F(Registration, AddsEnablesAndLooksAgainInAMoment) {
  register_it();
  EXPECT_EQ(last_line(), "registered as gateways/5555 at 127.0.0.1:1111");
  for (int i = 0; i < 5; ++i) {
    const Duration wait = pass();
    EXPECT_GE(wait, kHaproxyLook);
    EXPECT_LE(wait, kHaproxyLook + kHaproxyLookSpread);
    exchange(kLook, Row{}.table());
  }
  EXPECT_EQ(lines_.size(), 1U);
  EXPECT_EQ(registration_.stats().registrations, 1U);
}

TEST_F(WithAgent, AgentIsEnabledLast) {
  register_it();
}

TEST_F(Registration, ReloadIsNoticedAndMended) {
  register_it();
  pass();
  exchange(kLook, kEmptyTable);
  EXPECT_FALSE(registration_.registered());
  EXPECT_EQ(last_line(), "gateways/5555 is not there any more: HAProxy was reloaded?");
  EXPECT_EQ(
      *registration_.next_command(now_, state_),
      "add server gateways/5555 127.0.0.1:1111 check port 1112 id " + std::to_string(plan().id));
  registration_.answered(kAdded, now_, state_);
  exchange(kEnable, "\n\n");
  exchange(kLook, Row{}.table());
  EXPECT_EQ(last_line(), "registered as gateways/5555 at 127.0.0.1:1111");
  EXPECT_EQ(registration_.stats().registrations, 2U);
}

TEST_F(Registration, DoesNotAddWhatMayNotGetClients) {
  register_it();
  for (const ServingState state : {kNotServing, kDrains}) {
    state_ = state;
    pass();
    exchange(kLook, kEmptyTable);
    EXPECT_GE(pass(), kHaproxyLook);
    exchange(kLook, kEmptyTable);
  }
  state_ = kServing;
  pass();
  exchange(kLook, kEmptyTable);
  // It ceases between the look and what follows from it.
  state_ = kNotServing;
  EXPECT_FALSE(registration_.next_command(now_, state_));
  EXPECT_GE(pass(), kHaproxyLook);
  exchange(kLook, kEmptyTable);
}

TEST_F(Registration, TakesAPredecessorsServerOver) {
  registration_.start(now_);
  exchange(kLook, Row{.operational = kServerStopped}.table());
  EXPECT_TRUE(registration_.registered());
  pass();
  exchange(kLook, Row{}.table());
  EXPECT_EQ(registration_.stats().registrations, 0U);
  EXPECT_EQ(lines_.size(), 1U);
}

TEST_F(Registration, FinishesWhatAPredecessorHasBegun) {
  registration_.start(now_);
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 2}.table());
  exchange(kEnable, "\n\n");
  exchange(kLook, Row{}.table());
  EXPECT_TRUE(registration_.registered());
}

TEST_F(Registration, MakesAnewWhatWasMadeWithOtherFlags) {
  registration_.start(now_);
  exchange(kLook, Row{.id = server_id("5555", "other")}.table());
  exchange(kRetire, kRetired);
  exchange(
      "add server gateways/5555 127.0.0.1:1111 check port 1112 id " + std::to_string(plan().id),
      kAdded);
}

TEST_F(Registration, ButNotUnderItsSessions) {
  const Row row{.id = server_id("5555", "other")};
  registration_.start(now_);
  exchange(kLook, row.table());
  exchange(kRetire, kRetiredNotDeleted);
  exchange(kEnable, "\n\n");
  exchange(kLook, row.table());
  EXPECT_EQ(last_line(),
            "registered as gateways/5555 as it was made with other flags at 127.0.0.1:1111");
  pass();
  exchange(kLook, row.table());
  EXPECT_GE(pass(), kHaproxyLook);
}

TEST_F(Registration, AnotherGatewayIsReplacedOnlyWhenItIsDead) {
  Row row{.id = server_id("5555", "other"), .port = 2222};
  registration_.start(now_);
  for (int i = 0; i < 3; ++i) {
    exchange(kLook, row.table());
    EXPECT_EQ(pass(), kHaproxyTakenWait);
  }
  EXPECT_EQ(lines_.size(), 1U);
  EXPECT_NE(last_line().find("gateways/5555 is another gateway's, at 127.0.0.1:2222"),
            std::string::npos);
  EXPECT_EQ(refusals(HaproxyRefusal::kNameTaken), 3U);
  // Down, but by an operator's word: not ours to undo.
  row.operational = kServerStopped;
  row.admin = kAdminMaintenance;
  exchange(kLook, row.table());
  pass();
  row.admin = 0;
  exchange(kLook, row.table());
  exchange(kRetire, kRetiredNotDeleted);
  // It is out; its sessions have to end.
  EXPECT_EQ(pass(), kHaproxyTakenWait);
  row.admin = kAdminMaintenance;
  row.check = 2;
  exchange(kLook, row.table());
  exchange(kRetire, kRetired);
  EXPECT_TRUE(registration_.next_command(now_, state_)->starts_with("add server "));
}

TEST_F(Registration, OperatorsMaintenanceOutlivesAReload) {
  register_it();
  pass();
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 14}.table());
  EXPECT_NE(last_line().find("in maintenance by an operator"), std::string::npos);
  pass();
  exchange(kLook, kEmptyTable);
  ASSERT_TRUE(registration_.next_command(now_, state_)->starts_with("add server "));
  registration_.answered(kAdded, now_, state_);
  exchange("enable health gateways/5555", "\n");
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 14}.table());
  EXPECT_TRUE(registration_.registered());
  // Until the operator ends it.
  pass();
  exchange(kLook, Row{}.table());
  EXPECT_EQ(last_line(), "registered as gateways/5555 at 127.0.0.1:1111");
  pass();
  exchange(kLook, kEmptyTable);
  ASSERT_TRUE(registration_.next_command(now_, state_));
  registration_.answered(kAdded, now_, state_);
  exchange(kEnable, "\n\n");
}

TEST_F(Registration, OperatorsDrainOutlivesAReload) {
  register_it();
  pass();
  exchange(kLook, Row{.admin = kAdminDrain}.table());
  pass();
  exchange(kLook, kEmptyTable);
  ASSERT_TRUE(registration_.next_command(now_, state_));
  registration_.answered(kAdded, now_, state_);
  exchange(std::string(kEnable) + "; set server gateways/5555 state drain", "\n\n\n");
}

// Our own agent's drain looks the same to us.
TEST_F(WithAgent, OwnDrainIsNoOperators) {
  register_it();
  state_ = kDrains;
  for (int i = 0; i < 10; ++i) {
    pass();
    exchange(kLook, Row{.admin = kAdminDrain}.table());
  }
  state_ = kServing;
  for (unsigned i = 1; i < kHaproxyDrainLooks; ++i) {
    pass();
    exchange(kLook, Row{.admin = kAdminDrain}.table());
  }
  EXPECT_EQ(lines_.size(), 1U);
  pass();
  exchange(kLook, Row{.admin = kAdminDrain}.table());
  EXPECT_NE(last_line().find("in drain by an operator"), std::string::npos);
}

// The agent's `ready` for a predecessor's drain ends the operator's too, at HAProxy.
TEST_F(WithAgent, WhatOurReadyHasEndedIsSetAgain) {
  registration_.start(now_);
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 14}.table());
  state_.ready_said = 1;
  pass();
  // HAProxy has not acted on it yet.
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 14}.table());
  pass();
  exchange(kLook, Row{}.table());
  exchange("set server gateways/5555 state maint", kYes);
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 14}.table());
  // Later it is the operator.
  now_ += kHaproxyReadyTaken;
  exchange(kLook, Row{}.table());
  EXPECT_EQ(last_line(), "registered as gateways/5555 at 127.0.0.1:1111");
}

TEST_F(WithAgent, OperatorsDrainOutlivesARestart) {
  register_it();
  for (unsigned i = 0; i < kHaproxyDrainLooks; ++i) {
    pass();
    exchange(kLook, Row{.admin = kAdminDrain}.table());
  }
  state_ = kDrains;
  registration_.leave(now_, now_ + seconds(5));
  exchange(kLook, Row{.admin = kAdminDrain}.table());
  exchange("disable health gateways/5555", kYes);
  EXPECT_TRUE(registration_.gone());

  RuntimeRegistration next(plan(true), random_, [](LogLevel, const std::string&) {});
  next.start(now_);
  ASSERT_TRUE(next.next_command(now_, kServing));
  next.answered(Row{.admin = kAdminDrain, .check = 2}.table(), now_, kServing);
  EXPECT_EQ(
      *next.next_command(now_, kServing),
      std::string(kEnable) + "; set server gateways/5555 state drain; enable agent gateways/5555");
  next.answered("\n\n\n\n", now_, kServing);
  ServingState said = kServing;
  said.ready_said = 1;
  ASSERT_TRUE(next.next_command(now_, said));
  next.answered(Row{}.table(), now_, said);
  EXPECT_EQ(*next.next_command(now_, said), "set server gateways/5555 state drain");
}

TEST_F(Registration, LeavesAndIsGone) {
  register_it();
  registration_.leave(now_, now_ + seconds(5));
  exchange(kLook, Row{}.table());
  exchange(kRetire, kRetired);
  EXPECT_TRUE(registration_.gone());
  EXPECT_FALSE(registration_.registered());
  EXPECT_EQ(last_line(), "removed gateways/5555");
  EXPECT_FALSE(registration_.next_command(now_ + seconds(100), state_));
}

TEST_F(WithAgent, LeavingDisablesTheAgentToo) {
  register_it();
  registration_.leave(now_, now_ + seconds(5));
  exchange(kLook, Row{}.table());
  exchange(
      "disable health gateways/5555; disable agent gateways/5555; set server gateways/5555 state "
      "maint; del server gateways/5555",
      "\n\n\nServer deleted.\n");
  EXPECT_TRUE(registration_.gone());
}

TEST_F(Registration, LeavingWaitsForSessionsThenShutsThemDown) {
  register_it();
  const TimePoint left = now_;
  registration_.leave(now_, now_ + seconds(4));
  exchange(kLook, Row{}.table());
  exchange(kRetire, kRetiredNotDeleted);
  int deletes = 0;
  while (now_ - left < seconds(2)) {
    EXPECT_EQ(pass(), kHaproxyDeleteRetry);
    exchange("del server gateways/5555", kSessionsLeft);
    ++deletes;
  }
  EXPECT_EQ(deletes, seconds(2) / kHaproxyDeleteRetry);
  exchange("shutdown sessions server gateways/5555", kYes);
  exchange("del server gateways/5555", kSessionsLeft);
  pass();
  exchange("del server gateways/5555", kDeleted);
  EXPECT_TRUE(registration_.gone());
}

TEST_F(Registration, LeavingEndsAtItsDeadline) {
  register_it();
  const TimePoint left = now_;
  registration_.leave(now_, now_ + seconds(1));
  exchange(kLook, Row{}.table());
  exchange(kRetire, kRetiredNotDeleted);
  while (!registration_.gone() && now_ - left < seconds(10)) {
    now_ = registration_.wake();
    if (registration_.next_command(now_, state_))
      registration_.answered(kSessionsLeft, now_, state_);
  }
  EXPECT_LE(now_ - left, seconds(1));
  EXPECT_EQ(last_line(),
            "gateways/5555 is left in maintenance: \"Server still has connections attached to it, "
            "cannot remove it.\"; the next start takes it over, or remove it with `del server "
            "gateways/5555`");
}

TEST_F(Registration, LeavingFromWhateverState) {
  // Never begun.
  registration_.leave(now_, now_ + seconds(5));
  EXPECT_TRUE(registration_.gone());
  registration_.start(now_);
  EXPECT_FALSE(registration_.next_command(now_, state_));
}

TEST_F(Registration, LeavingWhileACommandIsUnderWay) {
  registration_.start(now_);
  exchange(kLook, kEmptyTable);
  ASSERT_TRUE(registration_.next_command(now_, state_)->starts_with("add server "));
  registration_.leave(now_, now_ + seconds(5));
  registration_.answered(kAdded, now_, state_);
  // It has come into being meanwhile: found, and taken away.
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 2}.table());
  exchange(kRetire, kRetired);
  EXPECT_TRUE(registration_.gone());
}

TEST_F(Registration, LeavingAHaproxyThatHasReloadedOrGone) {
  register_it();
  registration_.leave(now_, now_ + seconds(5));
  const TimePoint left = now_;
  while (!registration_.gone() && now_ - left < seconds(10)) {
    fails("nobody listens");
    if (!registration_.gone()) now_ = registration_.wake();
  }
  EXPECT_LE(now_ - left, kHaproxyLeaveAway + kHaproxyLeaveRetry);
  EXPECT_EQ(last_line(), "away (nobody listens): gateways/5555 is not removed");
}

TEST_F(Registration, LeavingWhatAnOperatorHasTaken) {
  register_it();
  registration_.leave(now_, now_ + seconds(5));
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 14}.table());
  EXPECT_TRUE(registration_.gone());
  EXPECT_TRUE(last_line().starts_with("gateways/5555 stays: an operator has put it into maint"));
}

TEST_F(Registration, LeavingTouchesNobodyElses) {
  for (const Row& row :
       {Row{.id = server_id("5555", "other"), .port = 2222}, Row{.id = 3, .port = 2222}}) {
    RuntimeRegistration other(plan(), random_, [](LogLevel, const std::string&) {});
    other.start(now_);
    ASSERT_TRUE(other.next_command(now_, state_));
    other.answered(row.table(), now_, state_);
    other.leave(now_, now_ + seconds(5));
    ASSERT_TRUE(other.next_command(now_, state_));
    other.answered(row.table(), now_, state_);
    EXPECT_TRUE(other.gone());
  }
}

TEST_F(Registration, RefusalsAreSaidOnceAndTriedRarely) {
  struct Case {
    std::string_view reply;
    HaproxyRefusal reason;
    const char* remedy;
  };
  for (const Case& each :
       {Case{kPermission, HaproxyRefusal::kPermission, "`level admin`"},
        Case{kStaticRr, HaproxyRefusal::kStaticBalance, "`balance leastconn`"},
        Case{kNoBackendAdd, HaproxyRefusal::kNoBackend, "--haproxy-server"},
        Case{"unknown keyword 'frob'.\n\n", HaproxyRefusal::kParameters, "--haproxy-options"}}) {
    std::vector<std::string> lines;
    RuntimeRegistration one(plan(), random_, [&](LogLevel level, const std::string& line) {
      EXPECT_EQ(level, LogLevel::kWarn);
      lines.push_back(line);
    });
    one.start(now_);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(one.next_command(now_, state_));
      one.answered(kEmptyTable, now_, state_);
      ASSERT_TRUE(one.next_command(now_, state_));
      one.answered(each.reply, now_, state_);
      EXPECT_EQ(one.wake() - now_, kHaproxyRefusedWait);
      now_ = one.wake();
    }
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_NE(lines[0].find("\"" + said_first(each.reply) + "\""), std::string::npos) << lines[0];
    EXPECT_NE(lines[0].find(each.remedy), std::string::npos) << lines[0];
    EXPECT_EQ(one.stats().refusals[static_cast<std::size_t>(each.reason)], 3U);
  }
}

TEST_F(Registration, NoBackendAtTheFirstLook) {
  registration_.start(now_);
  exchange(kLook, kNoBackendLook);
  EXPECT_EQ(refusals(HaproxyRefusal::kNoBackend), 1U);
  EXPECT_EQ(pass(), kHaproxyRefusedWait);
  exchange(kLook, kUnknownCommand);
  EXPECT_EQ(refusals(HaproxyRefusal::kOther), 1U);
  EXPECT_NE(last_line().find("\"Unknown command, but maybe"), std::string::npos);
}

// Another has taken the name between our look and our command: the next look tells.
TEST_F(Registration, NameTakenInBetween) {
  registration_.start(now_);
  exchange(kLook, kEmptyTable);
  ASSERT_TRUE(registration_.next_command(now_, state_));
  registration_.answered(kTaken, now_, state_);
  EXPECT_EQ(pass(), kHaproxyTakenWait);
  exchange(kLook, Row{}.table());
  EXPECT_TRUE(registration_.registered());
}

TEST_F(Registration, AwayBacksOffAndIsSaidOnce) {
  register_it();
  pass();
  Duration longest{};
  fails("nobody listens");
  EXPECT_TRUE(registration_.registered()) << "one failure may be a reload's";
  for (int i = 0; i < 40; ++i) {
    const Duration wait = pass();
    EXPECT_GE(wait, kHaproxyRetryMin);
    EXPECT_LE(wait, kHaproxyRetryMax);
    longest = std::max(longest, wait);
    fails("nobody listens");
  }
  EXPECT_GT(longest, kHaproxyRetryMax / 2);
  EXPECT_FALSE(registration_.registered());
  EXPECT_EQ(last_line(), "away: nobody listens; trying again");
  EXPECT_EQ(lines_.size(), 2U);
  pass();
  exchange(kLook, Row{}.table());
  EXPECT_TRUE(registration_.registered());
  EXPECT_EQ(lines_.size(), 3U);
  EXPECT_EQ(registration_.stats().failures, 41U);
}

TEST_F(Registration, CutWordsAreFailures) {
  registration_.start(now_);
  exchange(kLook, kEmptyTable);
  ASSERT_TRUE(registration_.next_command(now_, state_));
  registration_.answered("New server regis", now_, state_);
  EXPECT_EQ(registration_.stats().failures, 1U);
  // What came of it, the table tells.
  pass();
  exchange(kLook, Row{.operational = kServerStopped, .admin = 1, .check = 2}.table());
  exchange(kEnable, "\n\n");
}

// Half a table must not look like a reload.
TEST_F(Registration, CutAnswersAreFailures) {
  register_it();
  const std::string whole = Row{}.table();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string part = whole.substr(0, size);
    pass();
    ASSERT_TRUE(registration_.next_command(now_, state_));
    registration_.answered(part, now_, state_);
    pass();
    exchange(kLook, whole);
    EXPECT_TRUE(registration_.registered());
  }
  EXPECT_EQ(registration_.stats().registrations, 1U);
  EXPECT_EQ(lines_.size(), 1U);
}

TEST_F(Registration, ServerOfTheConfigurationIsDrivenByItsHealth) {
  Row row{.id = 3, .operational = kServerStopped};
  registration_.start(now_);
  exchange(kLook, row.table());
  exchange("set server gateways/5555 health up", kYes);
  pass();
  // It is down again by HAProxy's own checks: they know better.
  exchange(kLook, row.table());
  pass();
  row.operational = kServerRunning;
  exchange(kLook, row.table());
  pass();
  state_ = kDrains;
  exchange(kLook, row.table());
  exchange("set server gateways/5555 health stopping", kYes);
  pass();
  row.operational = kServerStopping;
  exchange(kLook, row.table());
  // Taken back.
  pass();
  state_ = kServing;
  exchange(kLook, row.table());
  exchange("set server gateways/5555 health up", kYes);
  pass();
  row.operational = kServerRunning;
  exchange(kLook, row.table());
  registration_.leave(now_, now_ + seconds(5));
  exchange(kLook, row.table());
  exchange("set server gateways/5555 health down", kYes);
  EXPECT_TRUE(registration_.gone());
  EXPECT_EQ(lines_.size(), 2U);
}

TEST_F(Registration, ServerOfTheConfigurationWithoutPermission) {
  registration_.start(now_);
  exchange(kLook, Row{.id = 3, .operational = kServerStopped}.table());
  exchange("set server gateways/5555 health up", kPermission);
  EXPECT_FALSE(registration_.registered());
  EXPECT_EQ(pass(), kHaproxyRefusedWait);
}

TEST_F(Registration, ServerOfTheConfigurationAtAnotherAddress) {
  registration_.start(now_);
  exchange(kLook, Row{.id = 3, .port = 2222}.table());
  EXPECT_EQ(refusals(HaproxyRefusal::kNameTaken), 1U);
  EXPECT_NE(last_line().find("is a server of its configuration at 127.0.0.1:2222"),
            std::string::npos);
  pass();
  // A Unix socket shows no address: taken at its word.
  exchange(kLook, Row{.id = 3, .address = "-", .port = 0}.table());
  EXPECT_TRUE(registration_.registered());
}

}  // namespace
}  // namespace sluice::gateway
