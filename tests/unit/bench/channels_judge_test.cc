// What the bench of many channels promises, and what it takes for broken.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/channels/judge.h"
#include "bench/channels/options.h"
#include "bench/channels/report.h"

namespace sluice::channels {
namespace {

Phase phase(const std::string& name, std::uint64_t publications) {
  Phase made;
  made.name = name;
  made.publications = publications;
  return made;
}

/// 4 clients with 3 channels each, all well.
Record good() {
  Record record;
  record.plan.clients = 4;
  record.plan.per_client = 3;
  record.plan.pool = 5;
  record.plan.recover = 2;
  record.presence_entries = 12;
  record.phases = {phase("connect", 0), phase("subscribe", 0), phase("publish", 12),
                   phase("quiet", 0), phase("recover", 12)};
  record.phases.back().ring_recoveries = 6;
  return record;
}

std::size_t broken(const Record& record) {
  const auto promises = judge(record);
  EXPECT_EQ(all_kept(promises), std::all_of(promises.begin(), promises.end(),
                                            [](const auto& one) { return one.kept; }));
  return static_cast<std::size_t>(
      std::count_if(promises.begin(), promises.end(), [](const auto& one) { return !one.kept; }));
}

TEST(ChannelsJudge, KeptWhereAllIsWell) {
  EXPECT_EQ(broken(good()), 0U);
}

TEST(ChannelsJudge, EachFaultBreaksOne) {
  Record record = good();
  record.stopped = "late";
  EXPECT_EQ(broken(record), 1U);
  record = good();
  record.phases[2].publications = 11;
  EXPECT_EQ(broken(record), 1U);
  record = good();
  record.phases[4].publications = 13;
  EXPECT_EQ(broken(record), 1U);
  for (auto fault : {&Faults::missing, &Faults::repeated, &Faults::other}) {
    record = good();
    record.faults.*fault = 1;
    EXPECT_EQ(broken(record), 1U);
  }
  record = good();
  record.presence_entries = 11;
  EXPECT_EQ(broken(record), 1U);
}

TEST(ChannelsJudge, OneReadOfTheHistoryIsOneTooMany) {
  Record record = good();
  record.phases[4].history_reads = 1;
  EXPECT_EQ(broken(record), 1U);
  record = good();
  record.faults.unrecovered = 1;
  EXPECT_EQ(broken(record), 1U);
  // Nobody recovered at all: nothing was shown.
  record = good();
  record.phases[4].ring_recoveries = 0;
  EXPECT_EQ(broken(record), 1U);
}

TEST(ChannelsJudge, ARunThatEndedEarlyHasShownNothing) {
  Record record = good();
  record.phases.resize(2);
  record.stopped = "late";
  EXPECT_GE(broken(record), 3U);
}

TEST(ChannelsReport, SaysWhatAClientAndASubscriptionTake) {
  Record record = good();
  record.empty_bytes.gateway = 1000;
  record.phases[0].resident_bytes.gateway = 1000 + 4 * 2000;
  record.phases[1].resident_bytes.gateway = 1000 + 4 * 2000 + 12 * 300;
  record.phases[1].resident_bytes.relay = 12 * 50;
  const std::string table = to_table(record, judge(record));
  EXPECT_NE(table.find("connected client: 2000 bytes"), std::string::npos) << table;
  EXPECT_NE(table.find("A subscription: 300 of the gateway, 50 of the relay"), std::string::npos)
      << table;
  const auto json = nlohmann::json::parse(to_json(record, judge(record)));
  EXPECT_EQ(json["phases"].size(), 5U);
  EXPECT_EQ(json["phases"][4]["ring_recoveries"], 6);
  EXPECT_TRUE(json["promises"][0]["kept"]);
}

TEST(ChannelsOptions, WhatDoesNotFitIsMadeFitting) {
  Options options;
  const std::vector<const char*> quick = {"channels", "--quick",    "--recover",
                                          "5000",     "--channels", "4"};
  ASSERT_FALSE(parse_options(static_cast<int>(quick.size()), quick.data(), options));
  EXPECT_EQ(options.plan.clients, 300U);
  EXPECT_EQ(options.plan.recover, 300U);
  EXPECT_EQ(options.plan.per_client, 5U);
  const std::vector<const char*> wrong = {"channels", "--clients", "20000"};
  EXPECT_EQ(parse_options(static_cast<int>(wrong.size()), wrong.data(), options), 2);
}

}  // namespace
}  // namespace sluice::channels
