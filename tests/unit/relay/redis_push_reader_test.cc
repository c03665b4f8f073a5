#include "relay/brokers/redis_push_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/random.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

using Kind = RedisPush::Kind;
using Lines = std::vector<std::string>;

constexpr std::size_t kPayloadMax = 64;

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
std::string message(std::string_view channel, std::string_view payload) {
  return "*3\r\n" + bulk("message") + bulk(channel) + bulk(payload);
}
std::string answer(std::string_view kind, std::string_view channel, int count) {
  return "*3\r\n" + bulk(kind) + bulk(channel) + ":" + std::to_string(count) + "\r\n";
}

std::string written(const RedisPush& push) {
  const std::string channel(push.channel);
  switch (push.kind) {
    case Kind::kMore:
      return "more";
    case Kind::kMessage:
      return channel + "=" + std::string(proto::as_text(push.payload));
    case Kind::kAssembled:
      return channel + "=" + std::string(proto::as_text(push.message->payload()));
    case Kind::kOversized:
      return channel + " oversized " + std::to_string(push.bytes);
    case Kind::kSubscribed:
      return "+" + channel;
    case Kind::kUnsubscribed:
      return "-" + channel;
    case Kind::kPong:
      return "pong";
    case Kind::kError:
      return "error " + std::string(push.text);
    case Kind::kMalformed:
      return "malformed " + std::string(push.text);
  }
  return "?";
}

/// All events of one read; ends with the first that is malformed.
void read(RedisPushReader& reader, std::string_view bytes, Lines& out) {
  for (;;) {
    const RedisPush push = reader.next(bytes);
    if (push.kind == Kind::kMore) {
      EXPECT_TRUE(bytes.empty());
      return;
    }
    out.push_back(written(push));
    if (push.kind == Kind::kMalformed) return;
  }
}

Lines read_whole(std::string_view bytes) {
  RedisPushReader reader(kPayloadMax);
  Lines out;
  read(reader, bytes, out);
  return out;
}

/// Everything that comes to a subscriber, in one stream.
std::string everything() {
  return answer("subscribe", "a", 1) + message("a", "hello") + "+PONG\r\n" + message("a", "") +
         message("bc", std::string(kPayloadMax, 'x')) +
         message("bc", std::string(kPayloadMax + 1, 'y')) + "*2\r\n" + bulk("pong") + bulk("") +
         message("a", "\r\n$5\r\n*3\r\n") + "-NOPERM no\r\n" + message("a", std::string("\0z", 2)) +
         answer("unsubscribe", "a", 0) + message("", "e") + message("d", std::string(5000, 'z')) +
         message("d", "last");
}

Lines expected() {
  return {"+a",
          "a=hello",
          "pong",
          "a=",
          "bc=" + std::string(kPayloadMax, 'x'),
          "bc oversized 65",
          "pong",
          "a=\r\n$5\r\n*3\r\n",
          "error NOPERM no",
          "a=" + std::string("\0z", 2),
          "-a",
          "=e",
          "d oversized 5000",
          "d=last"};
}

TEST(RedisPushReader, ReadsWhatComesToASubscriber) {
  EXPECT_EQ(read_whole(everything()), expected());
}

TEST(RedisPushReader, AtEverySplitPoint) {
  const std::string bytes = everything();
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    RedisPushReader reader(kPayloadMax);
    Lines out;
    // In memory of their own, so that a view that outlives its bytes is found.
    read(reader, std::string(bytes, 0, split), out);
    read(reader, std::string(bytes, split), out);
    ASSERT_EQ(out, expected()) << "split at " << split;
  }
}

TEST(RedisPushReader, ByteByByteAndInRandomPieces) {
  const std::string bytes = everything();
  SeededRandom random(5);
  for (std::size_t most = 1; most < 40; ++most) {
    RedisPushReader reader(kPayloadMax);
    Lines out;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random.next() % most;
      read(reader, bytes.substr(at, size), out);
      at += size;
    }
    ASSERT_EQ(out, expected()) << "pieces of at most " << most;
  }
}

TEST(RedisPushReader, AWholePayloadIsAViewASplitOneIsAssembledOnce) {
  RedisPushReader reader(kPayloadMax);
  const std::string whole = message("a", "payload");
  std::string_view bytes = whole;
  const RedisPush view = reader.next(bytes);
  ASSERT_EQ(view.kind, Kind::kMessage);
  const auto* data = reinterpret_cast<const char*>(view.payload.data());
  EXPECT_TRUE(data > whole.data() && data < whole.data() + whole.size());

  bytes = std::string_view(whole).substr(0, whole.size() - 1);
  EXPECT_EQ(reader.next(bytes).kind, Kind::kMore);
  bytes = "\n";
  const RedisPush assembled = reader.next(bytes);
  EXPECT_EQ(assembled.kind, Kind::kAssembled);
  EXPECT_EQ(proto::as_text(assembled.message->payload()), "payload");
}

TEST(RedisPushReader, HoldsNothingOfWhatItSkips) {
  RedisPushReader reader(kPayloadMax);
  const std::uint64_t length = std::uint64_t{3} << 30U;
  const std::string head =
      "*3\r\n" + bulk("message") + bulk("a") + "$" + std::to_string(length) + "\r\n";
  std::string_view bytes = head;
  EXPECT_EQ(reader.next(bytes).kind, Kind::kMore);
  const std::size_t before = reader.held_bytes();
  const std::string chunk(1U << 20U, 'x');
  for (std::uint64_t sent = 0; sent < length; sent += chunk.size()) {
    bytes = chunk;
    ASSERT_EQ(reader.next(bytes).kind, Kind::kMore);
  }
  EXPECT_EQ(reader.held_bytes(), before);
  EXPECT_LE(before, 4096U);
  const std::string next = "\r\n" + message("a", "on");
  Lines out;
  read(reader, next, out);
  EXPECT_EQ(out, (Lines{"a oversized " + std::to_string(length), "a=on"}));
}

TEST(RedisPushReader, LinesAndShortStringsAreBounded) {
  const std::string line(kRedisLineBytesMax + 1, '1');
  for (const std::string head : {"*", "-", "*3\r\n$"}) {
    RedisPushReader reader(kPayloadMax);
    std::string_view bytes = head;
    EXPECT_EQ(reader.next(bytes).kind, Kind::kMore);
    Lines out;
    for (int i = 0; i < 100 && out.empty(); ++i) read(reader, line, out);
    EXPECT_EQ(out, Lines{"malformed a line is too long"});
    EXPECT_LE(reader.held_bytes(), 4 * kRedisLineBytesMax);
  }
  const std::string error = "-" + std::string(kRedisLineBytesMax - 3, 'e');
  EXPECT_EQ(read_whole(error + "\r\n"), Lines{"error " + error.substr(1)});
  EXPECT_EQ(read_whole("*3\r\n$513\r\n"), Lines{"malformed kind or channel is too long"});
}

TEST(RedisPushReader, MalformedBytesAreNamedAndSticky) {
  const std::string kind = "malformed a push of an unknown kind";
  const std::string elements = "malformed a push of a wrong number of elements";
  const std::string reply = "malformed a reply of a kind that does not come to a subscriber";
  const std::string length = "malformed a string of a wrong length";
  const std::string text = "malformed an element of a push is no string";
  const std::string end = "malformed a payload does not end where it should";
  const std::string to_channel = "*3\r\n" + bulk("message");
  const std::string to_payload = to_channel + bulk("a");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"HTTP/1.1 400 Bad Request\r\n", reply},
      {":1\r\n", reply},
      {"$1\r\nx\r\n", reply},
      {">3\r\n", reply},
      {"_\r\n", reply},
      {"\r\n", "malformed an empty line"},
      {"+OK\r\n", "malformed a status that nobody asked for"},
      {"+PONG\n", "malformed a line does not end in CR LF"},
      {"*0\r\n", elements},
      {"*-1\r\n", elements},
      {"*1\r\n", elements},
      {"*4\r\n", elements},
      {"*1000000000\r\n", elements},
      {"*99999999999999999999\r\n", elements},
      {"*\r\n", elements},
      {"*+3\r\n", elements},
      {"*3 \r\n", elements},
      {"*3\r\n*3\r\n", text},
      {"*3\r\n:1\r\n", text},
      {"*3\r\n$-1\r\n", length},
      {"*3\r\n$\r\n", length},
      {"*3\r\n$0x7\r\n", length},
      {"*3\r\n" + bulk("pmessage"), kind},
      {"*3\r\n" + bulk(""), kind},
      {"*3\r\n" + bulk("pong"), elements},
      {"*2\r\n" + bulk("message"), elements},
      {"*2\r\n" + bulk("subscribe"), elements},
      {"*3\r\n$7\r\nmessageXX", "malformed a string does not end where it should"},
      {to_channel + "$-1\r\n", length},
      {to_channel + "*1\r\n", text},
      {to_payload + "$-1\r\n", length},
      {to_payload + ":7\r\n", text},
      {to_payload + "$9999999999999999999\r\n", length},
      {to_payload + "$2\r\nxxx\r\n", end},
      {to_payload + "$2\r\nxx\n\n", end},
      {to_payload + "$100\r\n" + std::string(100, 'x') + "\rx", end},
      {"*3\r\n" + bulk("subscribe") + bulk("a") + "$1\r\n1\r\n",
       "malformed the answer to a subscription has no number"},
      {"*3\r\n" + bulk("subscribe") + bulk("a") + ":one\r\n",
       "malformed the answer to a subscription has no number"},
  };
  for (const auto& [bytes, what] : cases) {
    EXPECT_EQ(read_whole(bytes), Lines{what}) << bytes;
    RedisPushReader reader(kPayloadMax);
    Lines out;
    for (const char byte : bytes) {
      if (out.empty()) read(reader, std::string_view(&byte, 1), out);
    }
    EXPECT_EQ(out, Lines{what}) << "byte by byte: " << bytes;
    std::string_view more = "+PONG\r\n";
    EXPECT_EQ(reader.next(more).kind, Kind::kMalformed) << bytes;
    std::string_view none;
    EXPECT_EQ(reader.next(none).kind, Kind::kMalformed) << bytes;
  }
}

TEST(RedisPushReader, NoiseIsRefusedWithoutHarm) {
  SeededRandom random(11);
  const std::string good = everything();
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) {
      bytes[random.next() % bytes.size()] = static_cast<char>(random.next());
    }
    RedisPushReader reader(kPayloadMax);
    Lines out;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random.next() % 50;
      read(reader, bytes.substr(at, size), out);
      at += size;
    }
    EXPECT_LE(reader.held_bytes(), 2 * kRedisLineBytesMax + 4 * kRedisPushTextBytesMax);
  }
}

}  // namespace
}  // namespace sluice::relay
