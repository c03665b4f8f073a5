// Units, addresses, networks, UTF-8 and the timer wheel.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/address.h"
#include "common/admin_pages.h"
#include "common/backoff.h"
#include "common/ip.h"
#include "common/timer_wheel.h"
#include "common/units.h"
#include "common/utf8.h"

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Units, NeedTheirUnit) {
  EXPECT_EQ(*parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(*parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*parse_duration("2m"), seconds(120));
  for (const char* bad : {"", "5", "s", "-1s", "5 s", "5sec", "1e3s", "99999999h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(*parse_size("64KiB"), 65536U);
  EXPECT_EQ(*parse_size("512B"), 512U);
  for (const char* bad : {"64", "64KB", "-1B", "0.3B", "KiB"}) EXPECT_FALSE(parse_size(bad)) << bad;
  EXPECT_EQ(*parse_rate("200/s"), 200);
  for (const char* bad : {"200", "0/s", "200/m"}) EXPECT_FALSE(parse_rate(bad)) << bad;
  EXPECT_EQ(format_duration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(format_duration(seconds(120)), "2m");
}

TEST(Address, ReadsAllKinds) {
  EXPECT_EQ(parse_address("127.0.0.1:80")->port, 80);
  EXPECT_EQ(parse_address("[::1]:80")->host, "::1");
  EXPECT_EQ(parse_address("unix:/run/x")->path, "/run/x");
  EXPECT_EQ(parse_address("fd:3")->fd, 3);
  for (const char* same : {"127.0.0.1:80", "[::1]:80", "*:8080", "unix:/run/x", "fd:3"}) {
    EXPECT_EQ(to_string(*parse_address(same)), same);
  }
  for (const char* bad :
       {"", "80", "localhost:80", "::1:80", "1.2.3.4:99999", "1.2.3.4:", "unix:", "fd:x"}) {
    EXPECT_FALSE(parse_address(bad)) << bad;
  }
  EXPECT_FALSE(parse_address("unix:" + std::string(108, 'x')));
}

TEST(Address, ListensAndSaysWhere) {
  const auto fd = listen_on(*parse_address("127.0.0.1:0"), {});
  ASSERT_TRUE(fd);
  const std::string where = local_name(fd->get());
  EXPECT_EQ(where.substr(0, 10), "127.0.0.1:");
  const auto again = listen_on(*parse_address(where), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kInUse);
}

TEST(Ip, NetworksContainTheirAddresses) {
  const auto contains = [](const char* network, const char* ip) {
    return Cidr::parse(network)->contains(*IpAddress::parse(ip));
  };
  EXPECT_TRUE(contains("10.0.0.0/8", "10.1.2.3"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.1.2.3"));
  EXPECT_TRUE(contains("0.0.0.0/0", "8.8.8.8"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("2001:db8::/32", "2001:db8:1::1"));
  EXPECT_TRUE(contains("127.0.0.1", "127.0.0.1"));
  for (const char* bad : {"", "10.0.0.1/8", "10.0.0.0/33", "x/8", "10.0.0.0/"})
    EXPECT_FALSE(Cidr::parse(bad)) << bad;
  EXPECT_EQ(to_string(*IpAddress::parse("192.0.2.1")), "192.0.2.1");
  EXPECT_EQ(to_string(*IpAddress::parse("2001:db8::1")), "2001:db8::1");
}

bool valid_in_pieces(const std::string& text, std::size_t split) {
  const auto bytes = std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  Utf8Validator validator;
  return validator.feed(bytes.first(split)) && validator.feed(bytes.subspan(split)) &&
         validator.complete();
}

TEST(Utf8, PiecesAndWholeAgreeAtEverySplit) {
  const std::map<std::string, bool> cases = {{"plain ascii text, long enough for words", true},
                                             {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", true},
                                             {"\xEF\xBF\xBF\xF4\x8F\xBF\xBF", true},
                                             {"\xC0\x80", false},
                                             {"\xE0\x80\x80", false},
                                             {"\xED\xA0\x80", false},
                                             {"\xF0\x80\x80\x80", false},
                                             {"\xF4\x90\x80\x80", false},
                                             {"\xF5\x80\x80\x80", false},
                                             {"\x80", false},
                                             {"\xE2\x82", false},
                                             {"a\xFF", false}};
  for (const auto& [text, valid] : cases) {
    EXPECT_EQ(valid_utf8({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}), valid);
    for (std::size_t split = 0; split <= text.size(); ++split)
      EXPECT_EQ(valid_in_pieces(text, split), valid) << split;
  }
}

TEST(TimerWheel, EachIsDueOnceInTimeAndNeverEarly) {
  const TimePoint start{seconds(100)};
  TimerWheel<int> wheel(milliseconds(10), 8, start);  // 80 ms around: most deadlines go round
  std::map<int, TimePoint> deadlines;
  for (int i = 0; i < 200; ++i) {
    deadlines[i] = start + milliseconds(i * 7 % 500);
    wheel.schedule(i, deadlines[i]);
  }
  std::map<int, int> times;
  for (TimePoint now = start; now <= start + milliseconds(600); now += milliseconds(3)) {
    wheel.advance(now, [&](int key) {
      EXPECT_GE(now, deadlines[key]);
      EXPECT_LE(now, deadlines[key] + milliseconds(25));
      ++times[key];
    });
  }
  EXPECT_EQ(times.size(), 200U);
  for (const auto& [key, n] : times) EXPECT_EQ(n, 1) << key;
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimerWheel, ALongSleepLosesNothing) {
  const TimePoint start{seconds(100)};
  TimerWheel<int> wheel(milliseconds(10), 8, start);
  for (int i = 0; i < 50; ++i) wheel.schedule(i, start + milliseconds(10 * i));
  int due = 0;
  wheel.advance(start + seconds(3600), [&](int) { ++due; });
  EXPECT_EQ(due, 50);
}

TEST(Backoff, GrowsToItsCeilingWithJitterAndStartsAnew) {
  SeededRandom random(1);
  Backoff backoff(milliseconds(100), milliseconds(1000), random);
  EXPECT_LE(backoff.next(), milliseconds(200));
  for (int i = 0; i < 100; ++i) {
    const Duration wait = backoff.next();
    EXPECT_GE(wait, milliseconds(100));
    EXPECT_LE(wait, milliseconds(1000));
  }
  backoff.reset();
  EXPECT_LE(backoff.next(), milliseconds(200));
}

TEST(AdminPages, GetAloneAndKnownPathsAlone) {
  AdminPages pages;
  pages.add("/x", [] { return HttpReply{.body = "yes"}; });
  EXPECT_EQ(pages.handle("GET", "/x?y=1").body, "yes");
  EXPECT_EQ(pages.handle("POST", "/x").status, 405);
  EXPECT_EQ(pages.handle("GET", "/z").status, 404);
}

}  // namespace
}  // namespace sluice
