// A short soak with a fixed seed, and the proof that a soak finds what is wrong: each lie on the
// way to the clients must be caught as what it is.
#include "tests/soak/soak.h"

#include <gtest/gtest.h>

namespace sluice::soak {
namespace {

using namespace std::chrono_literals;

SoakResult soak(std::uint64_t seed, Millis lasts, Lie lie = Lie::kNone) {
  SoakOptions options;
  options.seed = seed;
  options.lasts = lasts;
  options.storm = 6s;
  options.clients = 50;
  options.lie = lie;
  return Soak(options).run();
}

TEST(Soak, ShortOneIsClean) {
  const SoakResult result = soak(20, 14s);
  EXPECT_EQ(result.violation, "");
  for (const auto& action : result.last_actions) std::cout << action << "\n";
  std::cout << result.resources;
  EXPECT_GT(result.faults, 5U);
  EXPECT_GT(result.counts.received, 1000U);
  EXPECT_GE(result.storms, 1U);
}

TEST(Soak, SameSeedSameStorms) {
  StormMaker one(7);
  StormMaker two(7);
  StormMaker other(8);
  const auto text = [](StormMaker& maker) {
    std::string all;
    for (int i = 0; i < 3; ++i) {
      for (const Action& action : maker.storm(30s)) {
        all += std::to_string(action.at.count()) + " " + describe(action) + "\n";
      }
    }
    return all;
  };
  const std::string first = text(one);
  EXPECT_EQ(first, text(two));
  EXPECT_NE(first, text(other));
}

struct Case {
  const char* name;
  Lie lie;
  const char* caught_as;  ///< any of these, separated by |
};

class SoakCatches : public ::testing::TestWithParam<Case> {};

TEST_P(SoakCatches, TheLie) {
  const SoakResult result = soak(21, 12s, GetParam().lie);
  bool named = false;
  std::stringstream choices(GetParam().caught_as);
  for (std::string choice; std::getline(choices, choice, '|');) {
    named = named || result.violation.find(choice) != std::string::npos;
  }
  EXPECT_TRUE(named) << "caught as: '" << result.violation << "'";
}

INSTANTIATE_TEST_SUITE_P(
    Lies, SoakCatches,
    ::testing::Values(Case{"Duplicate", Lie::kDuplicate, "received twice"},
                      Case{"Lose", Lie::kLose, "holes"},
                      Case{"Swap", Lie::kSwap, "out of order|out of the broker's order"},
                      Case{"Foreign", Lie::kForeign, "not subscribed to"},
                      Case{"Invent", Lie::kInvent, "never carried|has what the witness has not"},
                      Case{"Cut", Lie::kCut, "for which there was no cause"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sluice::soak
