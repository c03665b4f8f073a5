#include "gateway/ws_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/frame.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kMax = 1000;

/// A client's frame, byte by byte: nothing here is shared with the scanner.
std::string frame(std::uint8_t first, std::string_view payload, int length_bytes = 0) {
  std::string out(1, static_cast<char>(first));
  const std::size_t n = payload.size();
  if (length_bytes == 0) length_bytes = n < 126 ? 1 : n < 65536 ? 2 : 8;
  if (length_bytes == 1) {
    out.push_back(static_cast<char>(0x80U | n));
  } else {
    out.push_back(static_cast<char>(0x80U | (length_bytes == 2 ? 126U : 127U)));
    for (int i = length_bytes - 1; i >= 0; --i)
      out.push_back(static_cast<char>(std::uint64_t{n} >> (8 * i)));
  }
  const std::string mask = "\x37\xFA\x21\x3D";
  out += mask;
  for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<char>(payload[i] ^ mask[i & 3U]));
  return out;
}

constexpr std::uint8_t kFin = 0x80;
constexpr std::uint8_t kTextFrame = 0x81;
constexpr std::uint8_t kBinaryFrame = 0x82;
constexpr std::uint8_t kPingFrame = 0x89;
constexpr std::uint8_t kPongFrame = 0x8A;
constexpr std::uint8_t kCloseFrame = 0x88;

struct Recorder final : ScanEvents {
  void ping(std::span<const std::uint8_t> payload) override {
    events.push_back("ping " + std::string(proto::as_text(payload)));
  }
  void pong() override { events.emplace_back("pong"); }
  void close(std::uint16_t code) override { events.push_back("close " + std::to_string(code)); }
  std::vector<std::string> events;
};

struct Outcome {
  std::string kept;
  std::vector<std::string> events;
  ScanFault fault = ScanFault::kNone;
  bool ended = false;
  std::uint64_t data = 0;
};

/// Feeds `pieces` one after the other.
Outcome scan(const std::vector<std::string>& pieces, std::size_t max = kMax) {
  WsScanner scanner;
  Recorder recorder;
  Outcome outcome;
  for (std::string piece : pieces) {
    const std::size_t n =
        scanner.feed({reinterpret_cast<std::uint8_t*>(piece.data()), piece.size()}, max, recorder);
    outcome.kept += piece.substr(0, n);
  }
  outcome.events = recorder.events;
  outcome.fault = scanner.fault();
  outcome.ended = scanner.ended();
  outcome.data = scanner.data_passed();
  return outcome;
}

/// The outcome of `stream` in one piece; every split in two and byte by byte must end likewise.
/// What a fault holds back may depend on the split, but never reaches behind the fault.
Outcome at_every_split(const std::string& stream, std::size_t max = kMax) {
  Outcome whole = scan({stream}, max);
  const auto agree = [&](const Outcome& other, const std::string& how) {
    EXPECT_EQ(other.events, whole.events) << how;
    EXPECT_EQ(other.fault, whole.fault) << how;
    EXPECT_EQ(other.ended, whole.ended) << how;
    if (whole.fault == ScanFault::kNone) {
      EXPECT_EQ(other.kept, whole.kept) << how;
      EXPECT_EQ(other.data, whole.data) << how;
    } else {
      EXPECT_EQ(other.kept.substr(0, whole.kept.size()), whole.kept) << how;
    }
  };
  for (std::size_t i = 0; i <= stream.size(); ++i)
    agree(scan({stream.substr(0, i), stream.substr(i)}, max), "split at " + std::to_string(i));
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  agree(scan(bytes, max), "byte by byte");
  return whole;
}

using Events = std::vector<std::string>;

TEST(WsScanner, DataFramesPassUnchanged) {
  const std::string stream = frame(kTextFrame, "hello") +
                             frame(kBinaryFrame, std::string(300, '\xFF')) + frame(kTextFrame, "") +
                             frame(0x01, "fra") + frame(0x00, "") + frame(kFin, "gment");
  const Outcome outcome = at_every_split(stream);
  EXPECT_EQ(outcome.kept, stream);
  EXPECT_EQ(outcome.fault, ScanFault::kNone);
  EXPECT_EQ(outcome.data, 5U + 300U + 8U + 6U);  // six frames' ends
  EXPECT_FALSE(outcome.ended);
}

TEST(WsScanner, LongLengths) {
  for (const std::size_t n : {125U, 126U, 127U, 65535U, 65536U, 70000U}) {
    const std::string stream = frame(kBinaryFrame, std::string(n, 'x'));
    const Outcome outcome = scan({stream}, 100000);
    EXPECT_EQ(outcome.kept, stream) << n;
    EXPECT_EQ(outcome.data, n + 1);
  }
}

TEST(WsScanner, ControlFramesAreTakenOut) {
  const std::string a = frame(0x01, "a\xC3");
  const std::string b = frame(kFin, "\xA4z");
  const Outcome outcome =
      at_every_split(frame(kPingFrame, "") + a + frame(kPingFrame, "between") +
                     frame(kPongFrame, "sluice") + b + frame(kPingFrame, std::string(125, 'p')));
  EXPECT_EQ(outcome.kept, a + b);
  EXPECT_EQ(outcome.events,
            (Events{"ping ", "ping between", "pong", "ping " + std::string(125, 'p')}));
  EXPECT_EQ(outcome.fault, ScanFault::kNone);
}

TEST(WsScanner, NothingCountsBehindAClose) {
  const std::string data = frame(kTextFrame, "last words");
  const Outcome outcome = at_every_split(data +
                                         frame(kCloseFrame,
                                               "\x03\xE8"
                                               "bye") +
                                         frame(kTextFrame, "late") + "\xFF\xFF nonsense");
  EXPECT_EQ(outcome.kept, data);
  EXPECT_EQ(outcome.events, Events{"close 1000"});
  EXPECT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.fault, ScanFault::kNone);
}

std::string close_with(std::uint16_t code, const std::string& reason = "") {
  return frame(
      kCloseFrame,
      std::string{static_cast<char>(code >> 8U), static_cast<char>(code & 0xFFU)} + reason);
}

TEST(WsScanner, CloseCodes) {
  EXPECT_EQ(at_every_split(frame(kCloseFrame, "")).events, Events{"close 0"});
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                         3000, 3999, 4000, 4999}) {
    EXPECT_EQ(scan({close_with(static_cast<std::uint16_t>(code))}).events,
              Events{"close " + std::to_string(code)});
  }
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    const Outcome outcome = scan({close_with(static_cast<std::uint16_t>(code))});
    EXPECT_EQ(outcome.fault, ScanFault::kCloseCode) << code;
    EXPECT_TRUE(outcome.events.empty()) << code;
  }
  EXPECT_EQ(at_every_split(frame(kCloseFrame, "\x03")).fault, ScanFault::kCloseLength);
}

TEST(WsScanner, CloseReasonsAreText) {
  EXPECT_EQ(at_every_split(close_with(1000, "tsch\xC3\xBCss")).events, Events{"close 1000"});
  EXPECT_EQ(scan({close_with(1000, std::string(123, 'r'))}).events, Events{"close 1000"});
  EXPECT_EQ(at_every_split(close_with(1000, "\xC3")).fault, ScanFault::kNotUtf8);
  EXPECT_EQ(at_every_split(close_with(1000, "a\xFFz")).fault, ScanFault::kNotUtf8);
}

struct BadStream {
  const char* name;
  std::string bytes;
  ScanFault fault;
};

std::vector<BadStream> bad_streams() {
  std::vector<BadStream> all;
  for (const std::uint8_t bit : {0x40, 0x20, 0x10}) {
    all.push_back({"reserved bit", frame(kTextFrame | bit, "x"), ScanFault::kReservedBits});
    all.push_back({"reserved bit, ping", frame(kPingFrame | bit, "x"), ScanFault::kReservedBits});
    all.push_back({"reserved bit, continuation", frame(0x01, "a") + frame(kFin | bit, "x"),
                   ScanFault::kReservedBits});
  }
  for (const std::uint8_t opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    all.push_back({"opcode", frame(kFin | opcode, ""), ScanFault::kReservedOpcode});
    all.push_back({"opcode", frame(kFin | opcode, "payload"), ScanFault::kReservedOpcode});
    all.push_back({"opcode inside", frame(0x01, "a") + frame(kFin | opcode, "x"),
                   ScanFault::kReservedOpcode});
  }
  for (const std::uint8_t opcode : {8, 9, 10}) {
    all.push_back({"fragmented control", frame(opcode, ""), ScanFault::kControlFragmented});
    all.push_back(
        {"long control", frame(kFin | opcode, std::string(126, 'x')), ScanFault::kControlTooLong});
    all.push_back({"long control", frame(kFin | opcode, "x", 8), ScanFault::kControlTooLong});
  }
  all.push_back({"unmasked", std::string("\x81\x01x", 3), ScanFault::kUnmasked});
  all.push_back({"unmasked ping", std::string("\x89\x00", 2), ScanFault::kUnmasked});
  all.push_back({"unmasked, long", std::string("\x82\x7E\x01\x00", 4), ScanFault::kUnmasked});
  all.push_back({"not minimal", frame(kTextFrame, "x", 2), ScanFault::kLengthNotMinimal});
  all.push_back(
      {"not minimal", frame(kTextFrame, std::string(125, 'x'), 2), ScanFault::kLengthNotMinimal});
  all.push_back(
      {"not minimal", frame(kTextFrame, std::string(126, 'x'), 8), ScanFault::kLengthNotMinimal});
  all.push_back(
      {"top bit", "\x82\xFF\x80" + std::string(7, '\0') + "mask", ScanFault::kLengthNotMinimal});
  all.push_back({"continues nothing", frame(kFin, "x"), ScanFault::kNothingToContinue});
  all.push_back({"continues nothing", frame(0x00, "x"), ScanFault::kNothingToContinue});
  all.push_back({"continues an ended one", frame(0x01, "a") + frame(kFin, "b") + frame(kFin, "c"),
                 ScanFault::kNothingToContinue});
  all.push_back(
      {"text inside", frame(0x01, "a") + frame(kTextFrame, "b"), ScanFault::kMessageInsideOther});
  all.push_back(
      {"binary inside", frame(0x02, "a") + frame(0x02, "b"), ScanFault::kMessageInsideOther});
  return all;
}

TEST(WsScanner, EveryFaultEndsTheStreamAtItsByte) {
  const std::string before = frame(kTextFrame, "before");
  for (const BadStream& bad : bad_streams()) {
    SCOPED_TRACE(bad.name);
    const Outcome outcome = at_every_split(before + bad.bytes + frame(kTextFrame, "after") +
                                           frame(kPingFrame, "after"));
    EXPECT_EQ(outcome.fault, bad.fault);
    EXPECT_TRUE(outcome.ended);
    EXPECT_TRUE(outcome.events.empty());
    EXPECT_EQ(outcome.kept.substr(0, before.size()), before);
    EXPECT_EQ(outcome.kept.find("after"), std::string::npos);
  }
}

TEST(WsScanner, TopBitOfALengthIsJudgedAtItsByte) {
  // libwebsockets ends the connection at this byte, without a close frame: it must never get it.
  for (const auto& pieces : {std::vector<std::string>{"\x82\xFF\x80"}, {"\x82\xFF", "\x80"}}) {
    const Outcome outcome = scan(pieces);
    EXPECT_EQ(outcome.fault, ScanFault::kLengthNotMinimal);
    EXPECT_EQ(outcome.kept.find('\x80'), std::string::npos);
  }
}

TEST(WsScanner, SizeIsJudgedByTheHeader) {
  const std::string fits = frame(kBinaryFrame, std::string(kMax, 'x'));
  EXPECT_EQ(scan({fits}).fault, ScanFault::kNone);
  const std::string over = frame(kBinaryFrame, std::string(kMax + 1, 'x'));
  EXPECT_EQ(scan({over.substr(0, 4)}).fault, ScanFault::kTooBig);
  EXPECT_EQ(scan({"\x82\xFF\x7F" + std::string(7, '\xFF')}).fault, ScanFault::kTooBig);
  // The bound is the message's, however it is cut.
  const std::string part = frame(0x02, std::string(600, 'x'));
  const Outcome outcome =
      at_every_split(part + frame(0x00, std::string(400, 'y')) + frame(kFin, "z"));
  EXPECT_EQ(outcome.fault, ScanFault::kTooBig);
  EXPECT_EQ(outcome.data, 1000U + 2U);
  EXPECT_EQ(scan({part + frame(kFin, std::string(400, 'y')) + part}).fault, ScanFault::kNone);
}

TEST(WsScanner, TextIsUtf8AcrossFragments) {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const std::string stream =
        frame(0x01, text.substr(0, i)) + frame(kPingFrame, "") + frame(kFin, text.substr(i));
    EXPECT_EQ(at_every_split(stream).fault, ScanFault::kNone) << i;
  }
}

TEST(WsScanner, TextFailsAtItsBadByte) {
  const std::string stream =
      frame(kTextFrame, std::string(20, 'a') + "\xED\xA0\x80" + std::string(600, 'b'));
  // Two bytes of header and its two of length, four of mask, 20 of text, then ED (may still be
  // good) and A0 (no more).
  const std::size_t bad = 4 + 4 + 20 + 1;
  EXPECT_EQ(scan({stream.substr(0, bad)}).fault, ScanFault::kNone);
  EXPECT_EQ(scan({stream.substr(0, bad + 1)}).fault, ScanFault::kNotUtf8);
  at_every_split(stream);
}

TEST(WsScanner, TextThatEndsInsideACharacter) {
  EXPECT_EQ(at_every_split(frame(kTextFrame, "a\xE2\x82")).fault, ScanFault::kNotUtf8);
  EXPECT_EQ(at_every_split(frame(0x01, "a\xE2\x82") + frame(kFin, "")).fault, ScanFault::kNotUtf8);
  // The last frame is held back: nobody takes it for a whole message.
  const Outcome outcome = scan({frame(0x01, "a\xE2\x82") + frame(kFin, "x")});
  EXPECT_EQ(outcome.data, 3U + 1U);
}

TEST(WsScanner, BinaryIsNotText) {
  EXPECT_EQ(at_every_split(frame(0x02, "\xFF\xFE") + frame(kFin, "\xC3")).fault, ScanFault::kNone);
}

TEST(WsScanner, FaultsHaveTheirCodes) {
  EXPECT_EQ(close_code_of(ScanFault::kNotUtf8), CloseCode::kInvalidPayload);
  EXPECT_EQ(close_code_of(ScanFault::kTooBig), CloseCode::kTooBig);
  EXPECT_EQ(close_code_of(ScanFault::kUnmasked), CloseCode::kProtocolError);
  for (int i = 0; i <= static_cast<int>(ScanFault::kCloseCode); ++i)
    EXPECT_NE(std::string(describe(static_cast<ScanFault>(i))), "");
}

}  // namespace
}  // namespace sluice::gateway
