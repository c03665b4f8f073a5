// The lines on stderr: one per event, UTC, valid JSON whatever stands in them.
#include "common/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <ctime>
#include <sstream>
#include <string>

/// Counts how often it is formatted.
struct Witness {
  int& formatted;
};

template <>
struct fmt::formatter<Witness> : fmt::formatter<int> {
  auto format(const Witness& w, fmt::format_context& context) const {
    return fmt::formatter<int>::format(++w.formatted, context);
  }
};

namespace sluice {
namespace {

using namespace std::string_literals;

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override { log_init(LogLevel::kWarn, LogFormat::kText, "test"); }

  template <typename F>
  std::string said(F&& f) {
    testing::internal::CaptureStderr();
    f();
    return testing::internal::GetCapturedStderr();
  }
};

/// The line with its digits as 0: what is left does not depend on when.
std::string shape(std::string line) {
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return std::isdigit(c) != 0; }, '0');
  return line;
}

TEST_F(LogTest, TextLineHasTimeLevelProgramAndText) {
  log_init(LogLevel::kInfo, LogFormat::kText, "gateway[1111]");
  const std::string line = said([] { log_info("{} clients, {:.1f} per second", 3, 0.5); });
  EXPECT_EQ(shape(line),
            "0000-00-00T00:00:00.000Z info gateway[0000]: 0 clients, 0.0 per second\n");
  EXPECT_NE(line.find("gateway[1111]: 3 clients, 0.5 per second"), std::string::npos) << line;
}

TEST_F(LogTest, JsonLineHasTheSame) {
  log_init(LogLevel::kInfo, LogFormat::kJson, "relay");
  const std::string line = said([] { log_warn("queue full"); });
  EXPECT_EQ(shape(line), R"({"time":"0000-00-00T00:00:00.000Z","level":"warn","program":"relay",)"
                         R"("message":"queue full"})"
                         "\n");
}

TEST_F(LogTest, TimeIsUtc) {
  const char* before = std::getenv("TZ");
  const std::string zone = before != nullptr ? before : "";
  ::setenv("TZ", "Pacific/Auckland", 1);
  ::tzset();
  log_init(LogLevel::kInfo, LogFormat::kText, "x");
  const std::string line = said([] { log_info("now"); });
  zone.empty() ? ::unsetenv("TZ") : ::setenv("TZ", zone.c_str(), 1);
  ::tzset();
  tm parts{};
  ASSERT_NE(::strptime(line.c_str(), "%Y-%m-%dT%H:%M:%S", &parts), nullptr) << line;
  EXPECT_NEAR(static_cast<double>(::timegm(&parts)), static_cast<double>(std::time(nullptr)), 5.0);
}

TEST_F(LogTest, LevelsBelowTheOneChosenAreNotWritten) {
  const auto all = [] {
    log_debug("d");
    log_info("i");
    log_warn("w");
    log_error("e");
  };
  const struct {
    LogLevel level;
    std::string levels;
  } cases[] = {{LogLevel::kDebug, "debug info warn error "},
               {LogLevel::kInfo, "info warn error "},
               {LogLevel::kWarn, "warn error "},
               {LogLevel::kError, "error "}};
  for (const auto& c : cases) {
    log_init(c.level, LogFormat::kText, "x");
    std::istringstream lines(said(all));
    std::string levels;
    for (std::string time, level, rest; lines >> time >> level && std::getline(lines, rest);) {
      levels += level + " ";
    }
    EXPECT_EQ(levels, c.levels);
    EXPECT_TRUE(log_enabled(c.level));
  }
  EXPECT_FALSE(log_enabled(LogLevel::kWarn));
}

TEST_F(LogTest, ArgumentsAreNotFormattedInVain) {
  log_init(LogLevel::kInfo, LogFormat::kText, "x");
  int formatted = 0;
  EXPECT_EQ(said([&] { log_debug("{}", Witness{formatted}); }), "");
  EXPECT_EQ(formatted, 0);
  EXPECT_NE(said([&] { log_info("{}", Witness{formatted}); }), "");
  EXPECT_EQ(formatted, 1);
}

TEST_F(LogTest, OneEventIsOneTextLine) {
  log_init(LogLevel::kInfo, LogFormat::kText, "x");
  const std::string line =
      said([] { log_info("peer said '{}'", "a\r\n2026-01-01 error x: forged\t\x1b[31m\x7F"); });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_EQ(line.find_first_of("\r\t\x1b\x7F"), std::string::npos) << line;
}

TEST_F(LogTest, BracesInAnArgumentAreNoFormat) {
  log_init(LogLevel::kInfo, LogFormat::kText, "x");
  EXPECT_NE(said([] { log_info("{}", "{} {0} %v %Y"); }).find("x: {} {0} %v %Y\n"),
            std::string::npos);
}

TEST_F(LogTest, JsonEscapesWhatItMust) {
  log_init(LogLevel::kInfo, LogFormat::kJson, "pro\"gram");
  const std::string line = said([] { log_info("{}", "q\" b\\ n\n r\r t\t z\x01 d\x7F"); });
  EXPECT_NE(line.find(R"("program":"pro\"gram")"), std::string::npos) << line;
  EXPECT_NE(line.find(R"("message":"q\" b\\ n\u000a r\u000d t\u0009 z\u0001 d\u007f"})"),
            std::string::npos)
      << line;
}

TEST_F(LogTest, JsonKeepsUtf8AndMendsWhatIsNot) {
  log_init(LogLevel::kInfo, LogFormat::kJson, "x");
  const auto message = [&](std::string_view text) {
    const std::string line = said([&] { log_info("{}", text); });
    const auto begin = line.find("\"message\":\"") + 11;
    return line.substr(begin, line.rfind("\"}") - begin);
  };
  EXPECT_EQ(message("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(message("a\xFFz"), "a\\ufffdz");
  EXPECT_EQ(message("\xC3\xBC\xC3"), "\xC3\xBC\\ufffd") << "cut inside a character";
  EXPECT_EQ(message("\xED\xA0\x80"), "\\ufffd\\ufffd\\ufffd") << "a surrogate";
  EXPECT_EQ(message("\xF0\x9F\x98z"), "\\ufffd\\ufffd\\ufffdz");
}

TEST(LogFlags, AreParsed) {
  EXPECT_EQ(parse_log_level("debug").value(), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("info").value(), LogLevel::kInfo);
  EXPECT_EQ(parse_log_level("warn").value(), LogLevel::kWarn);
  EXPECT_EQ(parse_log_level("error").value(), LogLevel::kError);
  EXPECT_EQ(parse_log_level("loud").error().message,
            "'loud' is not one of debug, info, warn, error");
  EXPECT_EQ(parse_log_format("text").value(), LogFormat::kText);
  EXPECT_EQ(parse_log_format("json").value(), LogFormat::kJson);
  EXPECT_FALSE(parse_log_format(""));
}

}  // namespace
}  // namespace sluice
