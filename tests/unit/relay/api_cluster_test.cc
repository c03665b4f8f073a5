#include "relay/api/cluster.h"

#include <gtest/gtest.h>

#include "proto/names.h"
#include "tests/unit/relay/api_fakes.h"

namespace sluice::relay::api {
namespace {

using namespace std::chrono_literals;

envelope::NodeInfo node(const std::string& uid, std::size_t gateways) {
  envelope::NodeInfo info;
  info.set_uid(uid);
  info.set_name("host-" + uid);
  for (std::size_t i = 0; i < gateways; ++i) info.add_gateways()->set_id("gw" + std::to_string(i));
  return info;
}

class ApiCluster : public ::testing::Test {
 protected:
  ApiCluster() { cluster_.listen(); }

  void run_for(Duration time) {
    for (Duration step = 100ms; time > Duration::zero(); time -= step) {
      time_.advance(step);
      cluster_.tick();
    }
  }
  /// So that whoever is there has been heard.
  void settle(std::size_t other_gateways) {
    run_for(5s);
    requests_.hear(std::string(proto::kNodesChannel), node("other", other_gateways));
  }
  void ask(const std::string& pattern = "") {
    cluster_.ask_channels(
        pattern, [this](const ApiError& error) { errors_.push_back(error.number); },
        [this](const SurveyResult& result) { results_.push_back(result); });
  }
  envelope::SurveyReply reply(const std::string& channel, std::uint32_t clients) {
    envelope::SurveyReply reply;
    reply.set_id(requests_.last_command().survey().id());
    (*reply.mutable_channels())[channel] = clients;
    return reply;
  }
  void hear(const envelope::SurveyReply& reply) {
    requests_.hear(proto::reply_channel("me"), reply);
  }

  ManualTime time_;
  SeededRandom random_{1};
  test::FakeRequests requests_;
  std::size_t own_gateways_ = 1;
  Cluster cluster_{requests_, time_, random_, [this] { return node("me", own_gateways_); }};
  std::vector<SurveyResult> results_;
  std::vector<ErrorNumber> errors_;
};

TEST_F(ApiCluster, TellsOfItselfEveryThreeSeconds) {
  run_for(100ms);
  ASSERT_EQ(requests_.publishes.size(), 1U);
  EXPECT_EQ(requests_.publishes.front().channel, proto::kNodesChannel);
  envelope::NodeInfo told;
  ASSERT_TRUE(told.ParseFromString(requests_.publishes.front().payload));
  EXPECT_EQ(told.uid(), "me");
  EXPECT_FALSE(told.leaving());
  run_for(9s);
  EXPECT_EQ(requests_.publishes.size(), 4U);
}

TEST_F(ApiCluster, LeavesOnceAndIsSilentFromThenOn) {
  cluster_.leave();
  cluster_.leave();
  run_for(10s);
  ASSERT_EQ(requests_.publishes.size(), 1U);
  envelope::NodeInfo told;
  ASSERT_TRUE(told.ParseFromString(requests_.publishes.front().payload));
  EXPECT_TRUE(told.leaving());
  EXPECT_TRUE(cluster_.nodes().nodes().empty());
}

TEST_F(ApiCluster, ForgetsANodeThatIsSilentOrLeaves) {
  const std::string channel(proto::kNodesChannel);
  requests_.hear(channel, node("a", 1));
  requests_.hear(channel, node("b", 2));
  EXPECT_EQ(cluster_.nodes().gateways(), 3U);
  envelope::NodeInfo leaving = node("b", 2);
  leaving.set_leaving(true);
  requests_.hear(channel, leaving);
  EXPECT_EQ(cluster_.nodes().gateways(), 1U);
  run_for(9900ms);
  EXPECT_TRUE(cluster_.nodes().nodes().contains("a"));
  run_for(200ms);
  EXPECT_FALSE(cluster_.nodes().nodes().contains("a"));
  EXPECT_TRUE(cluster_.nodes().nodes().contains("me"));
}

TEST_F(ApiCluster, IgnoresWhatIsNoNode) {
  const std::string channel(proto::kNodesChannel);
  requests_.listeners.at(channel)(proto::as_bytes("\xff\xff\xff"));
  requests_.hear(channel, node("", 1));
  requests_.hear(channel, node(std::string(300, 'x'), 1));
  envelope::NodeInfo bad = node("a", 1);
  bad.mutable_gateways(0)->set_id("no id");
  requests_.hear(channel, bad);
  EXPECT_TRUE(cluster_.nodes().nodes().empty());
  for (std::size_t i = 0; i < kNodesMax + 10; ++i)
    requests_.hear(channel, node("n" + std::to_string(i), 0));
  EXPECT_EQ(cluster_.nodes().nodes().size(), kNodesMax);
}

TEST_F(ApiCluster, WhatItHearsOfItselfIsOldNews) {
  requests_.hear(std::string(proto::kNodesChannel), node("me", 9));
  EXPECT_TRUE(cluster_.nodes().nodes().empty());
  cluster_.refresh_self();
  EXPECT_EQ(cluster_.nodes().gateways(), 1U);
}

TEST_F(ApiCluster, CommandsGoToTheControlChannel) {
  envelope::ControlCommand command;
  command.mutable_disconnect()->mutable_who()->set_client("c");
  std::optional<ErrorNumber> said;
  requests_.at_once = false;
  cluster_.command(command, [&](const ApiError& error) { said = error.number; });
  EXPECT_FALSE(said);
  EXPECT_EQ(requests_.publishes.back().channel, proto::kControlChannel);
  EXPECT_EQ(requests_.last_command().node(), "me");
  EXPECT_EQ(requests_.last_command().disconnect().who().client(), "c");
  requests_.publishes.back().done({});
  EXPECT_EQ(said, ErrorNumber::kNone);
  cluster_.command(command, [&](const ApiError& error) { said = error.number; });
  requests_.publishes.back().done({.error = proto::ErrorReason::kTimedOut, .position = {}});
  EXPECT_EQ(said, ErrorNumber::kInternal);
}

TEST_F(ApiCluster, SurveyEndsWithTheLastGatewaysAnswer) {
  settle(2);
  ask("chat:*");
  EXPECT_EQ(requests_.last_command().survey().pattern(), "chat:*");
  EXPECT_EQ(requests_.last_command().survey().reply_to(), proto::reply_channel("me"));
  hear(reply("a", 1));
  hear(reply("b", 2));
  EXPECT_TRUE(results_.empty());
  hear(reply("a", 3));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_TRUE(results_[0].complete);
  EXPECT_EQ(results_[0].channels, (std::map<std::string, std::uint64_t>{{"a", 4}, {"b", 2}}));
  hear(reply("a", 3));
  run_for(5s);
  EXPECT_EQ(results_.size(), 1U);
}

TEST_F(ApiCluster, SurveyEndsAfterASecond) {
  settle(1);
  ask();
  hear(reply("a", 1));
  run_for(900ms);
  EXPECT_TRUE(results_.empty());
  run_for(100ms);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_FALSE(results_[0].complete) << "one of two gateways";
  EXPECT_EQ(results_[0].gateways, 1U);
}

TEST_F(ApiCluster, ANewRelayWaitsForGatewaysThatItHasNotHeardOf) {
  ask();
  hear(reply("a", 1));
  EXPECT_TRUE(results_.empty());
  hear(reply("b", 1));
  run_for(1s);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_TRUE(results_[0].complete);
  EXPECT_EQ(results_[0].channels.size(), 2U);
}

TEST_F(ApiCluster, WithoutGatewaysNobodyIsAsked) {
  own_gateways_ = 0;
  settle(0);
  const std::size_t before = requests_.publishes.size();
  ask();
  EXPECT_EQ(results_.size(), 1U);
  EXPECT_EQ(requests_.publishes.size(), before);
}

TEST_F(ApiCluster, SurveyThatCannotBeAskedFails) {
  settle(1);
  requests_.published.error = proto::ErrorReason::kTimedOut;
  ask();
  EXPECT_EQ(errors_, (std::vector<ErrorNumber>{ErrorNumber::kInternal}));
  run_for(2s);
  EXPECT_TRUE(results_.empty());
}

TEST_F(ApiCluster, SurveysAreBounded) {
  settle(1);
  for (std::size_t i = 0; i < kSurveysMax; ++i) ask();
  EXPECT_TRUE(errors_.empty());
  ask();
  EXPECT_EQ(errors_, (std::vector<ErrorNumber>{ErrorNumber::kTooManyRequests}));
  run_for(1s);
  EXPECT_EQ(results_.size(), kSurveysMax);
  ask();
  EXPECT_EQ(errors_.size(), 1U);
}

TEST_F(ApiCluster, WhatGatewaysTellIsBoundedAndChecked) {
  own_gateways_ = 0;
  settle(1);
  ask();
  envelope::SurveyReply all = reply("sluice:x", 1);
  for (std::size_t i = 0; i < kSurveyTotalChannelsMax + 5; ++i)
    (*all.mutable_channels())["c" + std::to_string(i)] = 1;
  hear(all);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_EQ(results_[0].channels.size(), kSurveyTotalChannelsMax);
  EXPECT_FALSE(results_[0].complete);
  EXPECT_FALSE(results_[0].channels.contains("sluice:x"));
}

TEST_F(ApiCluster, ACutAnswerMakesItIncomplete) {
  own_gateways_ = 0;
  settle(1);
  ask();
  envelope::SurveyReply cut = reply("a", 1);
  cut.set_cut(true);
  hear(cut);
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_FALSE(results_[0].complete);
}

}  // namespace
}  // namespace sluice::relay::api
