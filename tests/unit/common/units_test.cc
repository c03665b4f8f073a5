// Durations, sizes and rates as people write them.
#include "common/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, TakesEachUnit) {
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("5s").value(), 5s);
  EXPECT_EQ(parse_duration("2m").value(), 2min);
  EXPECT_EQ(parse_duration("1h").value(), 1h);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
}

TEST(ParseDuration, TakesFractions) {
  EXPECT_EQ(parse_duration("1.5s").value(), 1500ms);
  EXPECT_EQ(parse_duration("0.25ms").value(), 250us);
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "5", "s", "-1s", "-0s", "+1s", "5 s", " 5s", "5s ", "5S", "5us",
                           "1e3s", "infs", "nans", "0x10s", "1s5ms", "1,5s"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid) << text;
    EXPECT_NE(parsed.error().message.find(std::string("'") + text + "'"), std::string::npos)
        << parsed.error().message;
    EXPECT_NE(parsed.error().message.find("250ms"), std::string::npos) << "the remedy: an example";
  }
}

TEST(ParseDuration, StopsAtTenYears) {
  EXPECT_EQ(parse_duration("87600h").value(), 87600h);
  EXPECT_EQ(parse_duration("87601h").error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse_duration("99999999999999999999999h").error().code, ErrorCode::kTooLarge);
}

TEST(FormatDuration, TakesTheLargestUnitThatIsExact) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(250ms), "250ms");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(5s), "5s");
  EXPECT_EQ(format_duration(90s), "90s");
  EXPECT_EQ(format_duration(120s), "2m");
  EXPECT_EQ(format_duration(24h), "24h");
}

TEST(FormatDuration, IsReadBackAsItWas) {
  for (const Duration d :
       {Duration(1ms), Duration(59s), Duration(60s), Duration(61min), Duration(48h)}) {
    EXPECT_EQ(parse_duration(format_duration(d)).value(), d);
  }
}

TEST(ParseSize, TakesEachUnit) {
  EXPECT_EQ(parse_size("512B").value(), 512U);
  EXPECT_EQ(parse_size("64KiB").value(), 65536U);
  EXPECT_EQ(parse_size("1MiB").value(), 1048576U);
  EXPECT_EQ(parse_size("3GiB").value(), 3221225472U);
  EXPECT_EQ(parse_size("1.5KiB").value(), 1536U);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text :
       {"", "5", "B", "-1B", "64KB", "64k", "64 KiB", "0.5B", "1.0001KiB", "0x10B", "infB"}) {
    const auto parsed = parse_size(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid) << text;
    EXPECT_NE(parsed.error().message.find("64KiB"), std::string::npos) << parsed.error().message;
  }
}

TEST(ParseSize, StopsWhereItCouldNotCountExactly) {
  EXPECT_EQ(parse_size("8388608GiB").value(), std::uint64_t{1} << 53U);
  EXPECT_EQ(parse_size("8388609GiB").error().code, ErrorCode::kTooLarge);
}

TEST(ParseRate, TakesWholeAndBrokenNumbers) {
  EXPECT_DOUBLE_EQ(parse_rate("200/s").value(), 200.0);
  EXPECT_DOUBLE_EQ(parse_rate("0.5/s").value(), 0.5);
}

// A drain at 1e308/s counted its clients in numbers that no integer holds.
TEST(ParseRate, IsBounded) {
  EXPECT_DOUBLE_EQ(parse_rate("1000000000/s").value(), 1e9);
  EXPECT_EQ(parse_rate("1000000001/s").error().code, ErrorCode::kTooLarge);
  EXPECT_FALSE(parse_rate(std::string(300, '9') + "/s"));
}

TEST(ParseRate, RefusesWhatIsNoRate) {
  for (const char* text : {"", "200", "/s", "0/s", "-1/s", "200/m", "200 /s", "inf/s", "nan/s"}) {
    EXPECT_FALSE(parse_rate(text)) << text;
  }
}

}  // namespace
}  // namespace sluice
