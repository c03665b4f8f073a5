#include "bench/deploy/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::bench {
namespace {

std::optional<int> parse(std::vector<const char*> args, Options& options) {
  args.insert(args.begin(), "deploy");
  return parse_options(static_cast<int>(args.size()), args.data(), options);
}

TEST(DeployOptions, DefaultsAreTheFullRollingRestart) {
  Options options;
  ASSERT_EQ(parse({}, options), std::nullopt);
  EXPECT_EQ(options.plan.scenario, "rolling");
  EXPECT_EQ(options.plan.clients, 4000U);
  EXPECT_EQ(options.plan.short_per_s, 50);
  EXPECT_EQ(options.plan.short_life_s, 10);
  EXPECT_EQ(options.plan.balance_at_s, 60);
  EXPECT_EQ(options.out, "bench/results/deploy-rolling");
}

TEST(DeployOptions, FlagsBeatWhatQuickAndScenarioSet) {
  Options options;
  ASSERT_EQ(parse({"--clients", "30", "--quick", "--scenario", "reload", "--short-lived", "7/s",
                   "--max-connection-age", "3500ms", "--seed", "9", "--out", "/x/y"},
                  options),
            std::nullopt);
  EXPECT_TRUE(options.plan.quick);
  EXPECT_EQ(options.plan.clients, 30U);
  EXPECT_EQ(options.plan.short_per_s, 7);
  EXPECT_EQ(options.plan.connection_age_s, 3.5);
  EXPECT_GT(options.plan.hard_stop_s, options.plan.connection_age_s);
  EXPECT_EQ(options.plan.seed, 9U);
  EXPECT_EQ(options.out, "/x/y");
}

TEST(DeployOptions, AReloadsConnectionAgeIsBelowItsHardStop) {
  for (const bool quick : {false, true}) {
    Options options;
    std::vector<const char*> args{"--scenario", "reload"};
    if (quick) args.push_back("--quick");
    ASSERT_EQ(parse(args, options), std::nullopt);
    EXPECT_GT(options.plan.connection_age_s, 0);
    EXPECT_GT(options.plan.hard_stop_s, options.plan.connection_age_s);
    EXPECT_EQ(options.out, "bench/results/deploy-reload");
  }
}

TEST(DeployOptions, WrongFlagsStopTheStart) {
  for (const std::vector<const char*>& args :
       std::vector<std::vector<const char*>>{{"--scenario", "storm"},
                                             {"--short-lived", "50"},
                                             {"--settle", "60"},
                                             {"--clients", "0"},
                                             {"--no-such-flag"}}) {
    Options options;
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(parse(args, options), 2) << args[0];
    EXPECT_NE(::testing::internal::GetCapturedStderr(), "");
  }
}

}  // namespace
}  // namespace sluice::bench
