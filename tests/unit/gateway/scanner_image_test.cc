#include "gateway/handoff/scanner_image.h"

#include <gtest/gtest.h>

#include <cstring>

#include "gateway/handoff/resume_bytes.h"
#include "gateway/limits.h"
#include "tests/unit/gateway/cut_streams.h"

namespace sluice::gateway {
namespace {

using test::client_frame;
using test::ScanEventList;

TEST(ScannerImage, GoesOnAtEveryByte) {
  for (const test::CutStream& stream : test::cut_streams()) {
    for (std::size_t cut = 0; cut <= stream.bytes.size(); ++cut) {
      SCOPED_TRACE(std::string(stream.name) + " cut at " + std::to_string(cut));
      WsScanner scanner;
      ScanEventList before;
      test::scan(scanner, stream.bytes.substr(0, cut), before);
      const auto image = ScannerImage::encode(scanner);
      ASSERT_LE(image.size(), kScannerImageBytesMax);
      auto again = ScannerImage::decode(image);
      ASSERT_TRUE(again);
      EXPECT_EQ(ScannerImage::encode(*again), image);
      EXPECT_EQ(ScannerImage::needed(*again), ScannerImage::needed(scanner));
      ScanEventList events;
      ScanEventList events_again;
      const std::string rest = stream.bytes.substr(cut);
      EXPECT_EQ(test::scan(*again, rest, events_again), test::scan(scanner, rest, events));
      EXPECT_EQ(events_again.all, events.all);
      EXPECT_FALSE(again->ended());
      EXPECT_FALSE(ScannerImage::needed(*again));
    }
  }
}

TEST(ScannerImage, NothingToStoreBetweenMessages) {
  WsScanner scanner;
  EXPECT_FALSE(ScannerImage::needed(scanner));
  ScanEventList events;
  test::scan(scanner, client_frame(0x81, "x") + client_frame(0x89, "y"), events);
  EXPECT_FALSE(ScannerImage::needed(scanner));
  test::scan(scanner, client_frame(0x01, ""), events);
  EXPECT_TRUE(ScannerImage::needed(scanner));
}

TEST(ScannerImage, CharactersGoOnInTheMiddle) {
  // The second byte of a character that allows few: what is wrong is seen behind the cut as well.
  WsScanner scanner;
  ScanEventList events;
  test::scan(scanner, client_frame(0x01, "\xE0"), events);
  auto again = ScannerImage::decode(ScannerImage::encode(scanner));
  ASSERT_TRUE(again);
  test::scan(*again, client_frame(0x80, "\x80\x80"), events);
  EXPECT_EQ(again->fault(), ScanFault::kNotUtf8);
}

TEST(ScannerImage, AnEndedStreamStaysEnded) {
  for (const std::string& stream :
       {client_frame(0x88, "\x03\xE8"), client_frame(0x81, "\xFF"), client_frame(0xF1, ""),
        client_frame(0x01, "half") + client_frame(0x81, "inside")}) {
    WsScanner scanner;
    ScanEventList events;
    test::scan(scanner, stream, events);
    ASSERT_TRUE(scanner.ended());
    EXPECT_TRUE(ScannerImage::needed(scanner));
    auto again = ScannerImage::decode(ScannerImage::encode(scanner));
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->ended());
    EXPECT_EQ(again->fault(), scanner.fault());
    EXPECT_EQ(test::scan(*again, client_frame(0x81, "more"), events), "");
    EXPECT_EQ(ResumeBytes::of(*again), "");
    EXPECT_FALSE(ResumeBytes::made_up(*again));
  }
}

/// Whatever is decoded is somewhere in a stream: it says the same of itself again, and can be fed.
void judge(const std::vector<std::uint8_t>& image) {
  auto scanner = ScannerImage::decode(image);
  if (!scanner) return;
  EXPECT_EQ(ScannerImage::encode(*scanner), image);
  EXPECT_LE(ResumeBytes::of(*scanner).size(), 20U);
  ScanEventList events;
  test::scan(*scanner, std::string(300, '\x81'), events);
}

TEST(ScannerImage, RefusesWhatNoStreamLeadsTo) {
  for (const test::CutStream& stream : test::cut_streams()) {
    for (std::size_t cut = 1; cut<stream.bytes.size(); cut += stream.bytes.size()> 100 ? 7 : 1) {
      WsScanner scanner;
      ScanEventList events;
      test::scan(scanner, stream.bytes.substr(0, cut), events);
      const auto image = ScannerImage::encode(scanner);
      for (std::size_t n = 0; n < image.size(); ++n) {
        judge({image.begin(), image.begin() + static_cast<std::ptrdiff_t>(n)});
        for (const int bit : {1, 2, 4, 8, 16, 32, 64, 128}) {
          auto other = image;
          other[n] = static_cast<std::uint8_t>(other[n] ^ bit);
          judge(other);
        }
      }
      auto longer = image;
      longer.resize(longer.size() + 126);
      EXPECT_FALSE(ScannerImage::decode(longer));
      auto newer = image;
      newer[0] = 2;
      EXPECT_FALSE(ScannerImage::decode(newer));
    }
  }
  EXPECT_FALSE(ScannerImage::decode({}));
}

TEST(ScannerImage, RefusesALengthOverTheBound) {
  WsScanner scanner;
  ScanEventList events;
  test::scan(scanner, client_frame(0x02, std::string(300, 'x')).substr(0, 20), events);
  auto image = ScannerImage::encode(scanner);
  ASSERT_TRUE(ScannerImage::decode(image));
  // The last two numbers: what is left of the frame, and the message with it.
  const std::uint64_t huge = kMessageBytesMax + 1;
  std::memcpy(image.data() + image.size() - 16, &huge, 8);
  std::memcpy(image.data() + image.size() - 8, &huge, 8);
  EXPECT_FALSE(ScannerImage::decode(image));
}

TEST(ResumeBytes, MessagesGoOnAtEveryByte) {
  for (const test::CutStream& stream : test::cut_streams()) {
    WsScanner undisturbed;
    ScanEventList all;
    const auto whole = test::read_data_stream(test::scan(undisturbed, stream.bytes, all));
    for (std::size_t cut = 0; cut <= stream.bytes.size(); ++cut) {
      SCOPED_TRACE(std::string(stream.name) + " cut at " + std::to_string(cut));
      WsScanner scanner;
      ScanEventList events;
      auto first = test::read_data_stream(test::scan(scanner, stream.bytes.substr(0, cut), events));
      const std::string bytes = ResumeBytes::of(scanner);
      EXPECT_EQ(ResumeBytes::made_up(scanner), ScannerImage::in_message(scanner));
      const auto second =
          test::read_data_stream(bytes + test::scan(scanner, stream.bytes.substr(cut), events));
      auto messages = second.messages;
      if (ScannerImage::in_message(scanner)) ADD_FAILURE() << "the stream did not end";
      if (first.in_message && !messages.empty()) {
        EXPECT_EQ(messages[0].text, first.half.text);
        messages[0].bytes = first.half.bytes + messages[0].bytes;
      }
      first.messages.insert(first.messages.end(), messages.begin(), messages.end());
      EXPECT_EQ(first.messages, whole.messages);
      EXPECT_FALSE(second.in_message);
      EXPECT_EQ(events.all, all.all);
    }
  }
}

TEST(ResumeBytes, EachLengthForm) {
  for (const std::size_t left : {1U, 125U, 126U, 65535U, 65536U}) {
    WsScanner scanner;
    ScanEventList events;
    const std::string payload = "12345" + std::string(left, 'x');
    const std::string stream = client_frame(0x82, payload);
    const std::size_t cut = stream.size() - left;
    test::scan(scanner, stream.substr(0, cut), events);
    const auto rest = test::read_data_stream(ResumeBytes::of(scanner) + stream.substr(cut));
    ASSERT_EQ(rest.messages.size(), 1U) << left;
    EXPECT_EQ(rest.messages[0].bytes, std::string(left, 'x'));
  }
}

}  // namespace
}  // namespace sluice::gateway
