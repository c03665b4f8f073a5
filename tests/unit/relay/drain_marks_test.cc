#include "relay/drain_marks.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "relay/drain_mark_file.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

using std::chrono::seconds;
using Names = std::vector<std::string_view>;

constexpr TimePoint kNow{std::chrono::hours(10)};

TEST(DrainMarks, SetAndClearedPerGatewayAndBalancer) {
  DrainMarks marks;
  EXPECT_TRUE(marks.set("1111", "a", kNow));
  EXPECT_FALSE(marks.set("1111", "a", kNow)) << "nothing new to be kept";
  EXPECT_TRUE(marks.set("1111", "b", kNow));
  EXPECT_TRUE(marks.set("2222", "a", kNow));
  EXPECT_EQ(marks.of("1111"), (Names{"a", "b"}));
  EXPECT_EQ(marks.of("3333"), Names{});
  EXPECT_TRUE(marks.clear("1111", "a"));
  EXPECT_FALSE(marks.clear("1111", "a"));
  EXPECT_FALSE(marks.clear("3333", "a"));
  EXPECT_EQ(marks.of("1111"), Names{"b"});
  EXPECT_EQ(marks.of("2222"), Names{"a"});
  EXPECT_EQ(marks.size(), 2U);
}

TEST(DrainMarks, BoundedPerGatewayTheOldestGoes) {
  DrainMarks marks;
  for (std::size_t i = 0; i < proto::kDrainMarksMax + 3; ++i)
    marks.set("1111", "b" + std::to_string(i), kNow + seconds(i));
  EXPECT_EQ(marks.of("1111").size(), proto::kDrainMarksMax);
  EXPECT_FALSE(marks.clear("1111", "b2"));
  EXPECT_TRUE(marks.clear("1111", "b3"));
}

TEST(DrainMarks, BoundedInGateways) {
  DrainMarks marks;
  for (std::size_t i = 0; i < kMarkedGatewaysMax + 1; ++i)
    marks.set("g" + std::to_string(i), "b", kNow + seconds(i));
  EXPECT_EQ(marks.table().size(), kMarkedGatewaysMax);
  EXPECT_EQ(marks.of("g0"), Names{});
  EXPECT_EQ(marks.of("g1"), Names{"b"});
}

TEST(DrainMarks, ForgottenWhenNobodyComesBack) {
  DrainMarks marks;
  marks.set("1111", "a", kNow);
  EXPECT_FALSE(marks.expire(kNow + kDrainMarkAgeMax - seconds(1)));
  EXPECT_TRUE(marks.expire(kNow + kDrainMarkAgeMax));
  EXPECT_EQ(marks.size(), 0U);
}

struct DrainMarkFileTest : ::testing::Test {
  static std::string make_directory() {
    std::string path = std::filesystem::temp_directory_path() / "sluice.XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    return path;
  }
  ~DrainMarkFileTest() override { std::filesystem::remove_all(directory); }
  const std::string directory = make_directory();
  const DrainMarkFile file{directory};
  void write(const std::string& text) { std::ofstream(file.path()) << text; }
};

TEST_F(DrainMarkFileTest, WhatIsSavedIsLoadedWithItsAge) {
  EXPECT_EQ(file.load(kNow)->size(), 0U) << "no file yet";
  DrainMarks marks;
  marks.set("1111", "127.0.0.1", kNow - seconds(100));
  marks.set("g-2", "2001:db8::1", kNow);
  ASSERT_TRUE(file.save(marks, kNow));
  // Another boot: the monotonic clock starts anew.
  const TimePoint later{seconds(5)};
  const auto loaded = file.load(later);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->of("1111"), Names{"127.0.0.1"});
  EXPECT_EQ(loaded->of("g-2"), Names{"2001:db8::1"});
  const Duration age = later - loaded->table().at("1111").at("127.0.0.1");
  EXPECT_GE(age, seconds(99));
  EXPECT_LE(age, seconds(130));
}

TEST_F(DrainMarkFileTest, WhatIsNotOursIsAnErrorThatNamesTheFile) {
  for (const char* text :
       {"", "{", "[]", "{\"drained\": 7}", "{\"drained\": {\"1111\": []}}",
        "{\"drained\": {\"not an id\": {}}}", "{\"drained\": {\"1111\": {\"a\": \"now\"}}}"}) {
    write(text);
    const auto loaded = file.load(kNow);
    ASSERT_FALSE(loaded) << text;
    EXPECT_NE(loaded.error().message.find("drain-marks.json"), std::string::npos);
  }
  write(std::string(kDrainMarkFileBytesMax + 1, ' '));
  EXPECT_EQ(file.load(kNow).error().code, ErrorCode::kTooLarge);
}

TEST_F(DrainMarkFileTest, ADirectoryThatIsNotThereIsSaid) {
  const DrainMarkFile nowhere(directory + "/none");
  const auto saved = nowhere.save({}, kNow);
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().message.find("none"), std::string::npos);
}

}  // namespace
}  // namespace sluice::relay
