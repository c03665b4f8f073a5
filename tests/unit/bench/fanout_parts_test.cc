// The fan-out bench's small pure parts.
#include <gtest/gtest.h>

#include <string>

#include "bench/fanout/dialect.h"
#include "bench/fanout/floors/push_parser.h"
#include "bench/fanout/latency.h"
#include "bench/fanout/message.h"
#include "bench/fanout/options.h"
#include "bench/fanout/traffic.h"
#include "bench/fanout/workload.h"
#include "bench/fanout/ws_frame.h"

namespace sluice::fanout {
namespace {

TEST(FanoutMessage, ComesBackAsWritten) {
  const MessageHead head{3, 999, 0x1234567890abcdefU, 77};
  MessageText text;
  write_message(head, text);
  EXPECT_EQ(read_message({text.data(), text.size()}), head);
  for (const char byte : text) EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(byte)));
}

TEST(FanoutLatency, PercentilesAreWithinABucket) {
  Latencies latencies;
  for (std::uint64_t i = 1; i <= 100000; ++i) latencies.add(i * 1000);
  for (const double share : {0.0, 0.5, 0.99, 0.999, 1.0}) {
    const double expected = std::max(1.0, share * 100000) * 1000;
    const auto got = static_cast<double>(latencies.percentile_ns(share));
    EXPECT_GE(got, expected * 0.999) << share;
    EXPECT_LE(got, expected * 1.02) << share;
  }
  Latencies none;
  EXPECT_EQ(none.percentile_ns(0.5), 0U);
}

TEST(FanoutLatency, TakesAnyValue) {
  Latencies latencies;
  latencies.add(0);
  latencies.add(~std::uint64_t{0});
  EXPECT_EQ(latencies.percentile_ns(0), 0U);
  EXPECT_EQ(latencies.percentile_ns(1), ~std::uint64_t{0});
}

TEST(FanoutFrame, FindsFramesAtEverySplit) {
  std::string bytes;
  append_unmasked(bytes, kText, "hello");
  append_unmasked(bytes, kBinary, std::string(300, 'x'));
  const std::size_t first = 7;
  for (std::size_t size = 0; size < first; ++size)
    EXPECT_EQ(next_frame(std::string_view(bytes).substr(0, size)).state,
              ServerFrame::State::kPartial);
  const ServerFrame hello = next_frame(bytes);
  EXPECT_EQ(hello.payload, "hello");
  EXPECT_EQ(hello.size, first);
  const std::string_view rest = std::string_view(bytes).substr(first);
  for (std::size_t size = 0; size < rest.size(); ++size)
    EXPECT_EQ(next_frame(rest.substr(0, size)).state, ServerFrame::State::kPartial);
  EXPECT_EQ(next_frame(rest).opcode, kBinary);
  EXPECT_EQ(next_frame(rest).payload.size(), 300U);
}

TEST(FanoutFrame, MaskedAndFragmentedAreBroken) {
  std::string masked;
  append_masked(masked, kText, "hello");
  EXPECT_EQ(next_frame(masked).state, ServerFrame::State::kBroken);
  EXPECT_EQ(next_frame("\x01\x01x").state, ServerFrame::State::kBroken);
}

TEST(FanoutDialect, PlainIsTheWholeFrame) {
  const auto plain = make_plain_dialect();
  EXPECT_NE(plain->request("/channel/a").find("GET /channel/a HTTP/1.1\r\n"), std::string::npos);
  const Heard heard = plain->on_frame(kText, "text");
  EXPECT_EQ(heard.kind, Heard::Kind::kMessage);
  EXPECT_EQ(heard.message, "text");
  EXPECT_EQ(heard.consumed, 4U);
}

TEST(FanoutTraffic, PacedIsEven) {
  Traffic traffic({TrafficPlan::Kind::kPaced, 10, 0, 0}, 1000);
  EXPECT_EQ(traffic.due(1000, 0), 1U);
  EXPECT_EQ(traffic.due(1000, 0), 0U);
  EXPECT_EQ(traffic.next_ns(), 1000U + 100'000'000U);
  EXPECT_EQ(traffic.due(1000 + 350'000'000, 0), 3U);
}

TEST(FanoutTraffic, BurstsAndWindow) {
  Traffic bursts({TrafficPlan::Kind::kBursts, 0, 100, 0}, 0);
  EXPECT_EQ(bursts.due(0, 0), 100U);
  EXPECT_EQ(bursts.due(999'999'999, 0), 0U);
  EXPECT_EQ(bursts.next_ns(), 1'000'000'000U);
  EXPECT_EQ(bursts.due(1'000'000'000, 0), 100U);
  Traffic window({TrafficPlan::Kind::kWindow, 0, 0, 64}, 0);
  EXPECT_EQ(window.due(0, 0), 64U);
  EXPECT_EQ(window.due(0, 60), 4U);
  EXPECT_EQ(window.due(0, 64), 0U);
  EXPECT_EQ(window.next_ns(), ~std::uint64_t{0});
}

TEST(FanoutPush, AtEverySplit) {
  const std::string subscribe = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
  const std::string message = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhe\r\no\r\n";
  for (const auto& text : {subscribe, message}) {
    for (std::size_t size = 0; size < text.size(); ++size)
      EXPECT_EQ(next_push(std::string_view(text).substr(0, size)).state, Push::State::kPartial);
    EXPECT_EQ(next_push(text).state, Push::State::kWhole);
    EXPECT_EQ(next_push(text + "*3").size, text.size());
  }
  EXPECT_FALSE(next_push(subscribe).is_message);
  EXPECT_EQ(next_push(message).payload, "he\r\no");
  EXPECT_EQ(next_push(message).channel, "a");
  EXPECT_EQ(next_push("-ERR no\r\n").state, Push::State::kBroken);
}

TEST(FanoutWorkload, SizesFitTheirBounds) {
  for (const bool quick : {true, false}) {
    for (const auto& workload : all_workloads(quick)) {
      EXPECT_EQ(workload.kept_max & (workload.kept_max - 1), 0U);
      EXPECT_LT(workload.traffic.window / workload.channels, workload.kept_max);
      EXPECT_FALSE(metrics_of(workload.id, workload.variant).empty());
    }
  }
}

TEST(FanoutOptions, WorkloadsAndServers) {
  Options options;
  const char* good[] = {"bench", "W1", "W4/steady", "--servers", "floor-send,sluice-send"};
  EXPECT_FALSE(parse_options(5, good, options));
  EXPECT_EQ(options.servers.size(), 2U);
  EXPECT_TRUE(wants_workload(options, "W1", "5000"));
  EXPECT_TRUE(wants_workload(options, "W4", "steady"));
  EXPECT_FALSE(wants_workload(options, "W4", "saturated"));
  EXPECT_EQ(options.repetitions, 3);
  const char* bad[] = {"bench", "W10"};
  EXPECT_EQ(parse_options(2, bad, options), 2);
}

}  // namespace
}  // namespace sluice::fanout
