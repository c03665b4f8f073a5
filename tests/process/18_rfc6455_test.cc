// RFC 6455, section by section, judged from the client's side. Every byte sent here is made by
// ws_wire or by hand.
#include <gtest/gtest.h>

#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

constexpr std::size_t kMessageMax = 2000;

/// A frame with any first byte, any length form and any mask.
std::string raw_frame(std::uint8_t first, std::string_view payload, int length_bytes = 0,
                      bool masked = true) {
  const std::size_t n = payload.size();
  if (length_bytes == 0) length_bytes = n < 126 ? 1 : n < 65536 ? 2 : 8;
  std::string out(1, static_cast<char>(first));
  const unsigned mask_bit = masked ? 0x80U : 0U;
  if (length_bytes == 1) {
    out.push_back(static_cast<char>(mask_bit | n));
  } else {
    out.push_back(static_cast<char>(mask_bit | (length_bytes == 2 ? 126U : 127U)));
    for (int i = length_bytes - 1; i >= 0; --i)
      out.push_back(static_cast<char>(std::uint64_t{n} >> (8 * i)));
  }
  if (!masked) return out + std::string(payload);
  const std::string mask = "\x11\x22\x33\x44";
  out += mask;
  for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<char>(payload[i] ^ mask[i & 3U]));
  return out;
}

class Rfc6455 : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    Stack::Settings settings;
    settings.gateway_args = {"--max-message-size", std::to_string(kMessageMax) + "B"};
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  static void TearDownTestSuite() { stack_.reset(); }

  /// A client alone on a channel: what it hears, it said.
  static WsClient connect() {
    static int number = 0;
    return WsClient::connect(stack_->gateway().endpoint(), "/channel/c" + std::to_string(++number));
  }
  static double metric(const std::string& name, const std::string& label = "") {
    return stack_->gateway().metrics().value(name, label);
  }
  /// Sends `bytes`; the server must close with `code` and end TCP by itself, whatever we do.
  static void expect_failure(const std::string& bytes, int code, const std::string& what) {
    for (const bool one_byte_a_write : {false, true}) {
      WsClient client = connect();
      client.answer_close(false);
      if (one_byte_a_write) {
        for (const char c : bytes)
          if (!client.socket().try_send(std::string_view(&c, 1))) break;
      } else {
        (void)client.socket().try_send(bytes);
      }
      EXPECT_EQ(client.wait_close().code, code) << what;
      EXPECT_TRUE(ended_cleanly(client)) << what;
    }
  }
  /// The server's FIN comes, without a reset, though this side neither answers nor closes.
  static bool ended_cleanly(WsClient& client) { return client.next().kind == WsEvent::Kind::kEof; }

  static std::unique_ptr<Stack> stack_;
};

std::unique_ptr<Stack> Rfc6455::stack_;

// --- 5.2 framing, 5.4 fragmentation ---

TEST_F(Rfc6455, EveryLengthForm) {
  WsClient client = connect();
  for (const std::size_t n : {0U, 1U, 125U, 126U, 127U, 1024U, 2000U}) {
    const std::string text(n, 'x');
    client.send_text(text);
    EXPECT_EQ(client.text(), text) << n;
    client.send_binary(std::string(n, '\xFE'));
    EXPECT_EQ(client.message(), std::string(n, '\xFE')) << n;
  }
}

TEST_F(Rfc6455, OneByteAWrite) {
  WsClient client = connect();
  std::string stream = client_frame(WsOpcode::kText, "dribbled \xE2\x82\xAC") +
                       client_frame(WsOpcode::kPing, "p") +
                       client_frame(WsOpcode::kText, std::string(200, 'y'));
  for (const char c : stream) client.send_raw(std::string_view(&c, 1));
  client.answer_pings(false);
  std::vector<std::string> texts;
  int pongs = 0;
  while (texts.size() < 2 || pongs < 1) {
    const WsEvent event = client.next();
    if (event.kind == WsEvent::Kind::kText) {
      texts.push_back(event.data);
    } else {
      ASSERT_EQ(event.kind, WsEvent::Kind::kPong) << describe(event);
      ++pongs;
    }
  }
  EXPECT_EQ(texts[0], "dribbled \xE2\x82\xAC");
  EXPECT_EQ(texts[1], std::string(200, 'y'));
}

TEST_F(Rfc6455, FragmentsAtEverySplitWithControlFramesBetween) {
  WsClient client = connect();
  const std::string text = "Gr\xC3\xBC\xC3\x9F Gott \xF0\x9F\x98\x80!";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const std::string ping = "ping " + std::to_string(i);
    client.send_raw(client_frame(WsOpcode::kText, text.substr(0, i), false) +
                    client_frame(WsOpcode::kPing, ping) +
                    client_frame(WsOpcode::kContinuation, "", false) +
                    client_frame(WsOpcode::kPong, "unasked") +
                    client_frame(WsOpcode::kContinuation, text.substr(i)));
    std::string heard;
    bool ponged = false;
    while (heard.empty() || !ponged) {
      const WsEvent event = client.next();
      if (event.kind == WsEvent::Kind::kPong) {
        EXPECT_EQ(event.data, ping);
        ponged = true;
      } else {
        ASSERT_EQ(event.kind, WsEvent::Kind::kText) << describe(event);
        heard = event.data;
      }
    }
    EXPECT_EQ(heard, text) << i;
  }
}

TEST_F(Rfc6455, AMessageInManyPieces) {
  WsClient client = connect();
  std::string stream = client_frame(WsOpcode::kBinary, "0", false);
  std::string expected = "0";
  for (int i = 1; i < 1000; ++i) {
    const std::string piece(1, static_cast<char>('a' + i % 26));
    expected += piece;
    stream += client_frame(WsOpcode::kContinuation, piece, i == 999);
  }
  client.send_raw(stream);
  EXPECT_EQ(client.message(), expected);
}

TEST_F(Rfc6455, ReservedBits) {
  for (const std::uint8_t bits : {0x40, 0x20, 0x10, 0x70}) {
    for (const std::uint8_t first : {0x81, 0x82, 0x01, 0x88, 0x89, 0x8A}) {
      expect_failure(raw_frame(static_cast<std::uint8_t>(first | bits), ""), 1002,
                     "first byte " + std::to_string(first | bits));
    }
  }
}

TEST_F(Rfc6455, ReservedOpcodes) {
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    expect_failure(raw_frame(static_cast<std::uint8_t>(0x80 | opcode), "x"), 1002,
                   "opcode " + std::to_string(opcode));
  }
}

TEST_F(Rfc6455, FramesMustBeMasked) {
  for (const std::uint8_t first : {0x81, 0x82, 0x89, 0x88}) {
    expect_failure(raw_frame(first, "", 0, false), 1002, "unmasked, empty");
    expect_failure(raw_frame(first, "\x03\xE8", 0, false), 1002, "unmasked");
  }
  expect_failure(raw_frame(0x82, std::string(300, 'x'), 0, false), 1002, "unmasked, long");
}

TEST_F(Rfc6455, LengthsInTheirShortestForm) {
  expect_failure(raw_frame(0x81, "x", 2), 1002, "1 byte in 16 bits");
  expect_failure(raw_frame(0x81, std::string(125, 'x'), 2), 1002, "125 in 16 bits");
  expect_failure(raw_frame(0x82, std::string(126, 'x'), 8), 1002, "126 in 64 bits");
  expect_failure("\x82\xFF\x80" + std::string(11, '\0'), 1002, "top bit of 64");
  expect_failure("\x82\xFF\x80", 1002, "top bit of 64, and nothing more");
}

TEST_F(Rfc6455, FragmentsOutOfTurn) {
  expect_failure(raw_frame(0x80, "x"), 1002, "last fragment of nothing");
  expect_failure(raw_frame(0x00, "x"), 1002, "fragment of nothing");
  expect_failure(raw_frame(0x01, "a") + raw_frame(0x81, "b"), 1002, "text inside text");
  expect_failure(raw_frame(0x02, "a") + raw_frame(0x01, "b"), 1002, "text inside binary");
  expect_failure(raw_frame(0x01, "a") + raw_frame(0x80, "b") + raw_frame(0x80, "c"), 1002,
                 "one fragment too many");
}

// --- 5.5 control frames ---

TEST_F(Rfc6455, ControlFramesAreShortAndWhole) {
  for (const int opcode : {8, 9, 10}) {
    const auto fin = static_cast<std::uint8_t>(0x80 | opcode);
    expect_failure(raw_frame(static_cast<std::uint8_t>(opcode), ""), 1002, "fragmented");
    expect_failure(raw_frame(static_cast<std::uint8_t>(opcode), "") + raw_frame(0x80, ""), 1002,
                   "fragmented, go on");
    expect_failure(raw_frame(fin, std::string(126, 'x')), 1002, "126 bytes");
    expect_failure(raw_frame(fin, std::string(70000, 'x')).substr(0, 200), 1002,
                   "70,000 bytes announced");
  }
}

TEST_F(Rfc6455, EachPingOfABurstIsAnswered) {
  WsClient client = connect();
  std::string burst;
  for (int i = 0; i < 200; ++i) burst += client_frame(WsOpcode::kPing, "ping " + std::to_string(i));
  burst +=
      client_frame(WsOpcode::kPing, "") + client_frame(WsOpcode::kPing, std::string(125, '\xFF'));
  client.send_raw(burst);
  for (int i = 0; i < 202; ++i) {
    const WsEvent event = client.next();
    ASSERT_EQ(event.kind, WsEvent::Kind::kPong) << describe(event);
    EXPECT_EQ(event.data, i < 200    ? "ping " + std::to_string(i)
                          : i == 200 ? ""
                                     : std::string(125, '\xFF'));
  }
}

TEST_F(Rfc6455, UnaskedPongsAreIgnored) {
  WsClient client = connect();
  client.send_raw(client_frame(WsOpcode::kPong, "") + client_frame(WsOpcode::kPong, "unasked") +
                  client_frame(WsOpcode::kText, "after"));
  EXPECT_EQ(client.text(), "after");
}

// --- 7 closing ---

TEST_F(Rfc6455, CloseCodesAreEchoed) {
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                         3000, 3999, 4000, 4999}) {
    WsClient client = connect();
    client.answer_close(false);
    client.send_close(static_cast<std::uint16_t>(code), "reason \xC3\xA4");
    EXPECT_EQ(client.wait_close().code, code);
    EXPECT_TRUE(ended_cleanly(client)) << code;
  }
  WsClient client = connect();
  client.answer_close(false);
  client.send_raw(client_frame(WsOpcode::kClose, ""));
  EXPECT_EQ(client.wait_close().code, 1005);
  EXPECT_TRUE(ended_cleanly(client));
}

TEST_F(Rfc6455, CloseCodesThatMayNotBeSent) {
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    expect_failure(
        client_frame(WsOpcode::kClose, close_payload(static_cast<std::uint16_t>(code), "")), 1002,
        "code " + std::to_string(code));
  }
  expect_failure(client_frame(WsOpcode::kClose, "\x03"), 1002, "one byte");
}

TEST_F(Rfc6455, NothingIsTakenBehindAClose) {
  WsClient client = connect();
  WsClient other = connect();
  client.answer_close(false);
  const double before = metric("sluice_gateway_client_messages_total");
  client.send_raw(client_frame(WsOpcode::kText, "last words") +
                  client_frame(WsOpcode::kClose, close_payload(1000, "")) +
                  client_frame(WsOpcode::kText, "too late") +
                  client_frame(WsOpcode::kPing, "too late") + std::string(5000, '\xFF'));
  EXPECT_EQ(client.wait_close().code, 1000);
  EXPECT_TRUE(ended_cleanly(client));
  // The one before the close counts, the one behind it does not.
  EXPECT_EQ(metric("sluice_gateway_client_messages_total"), before + 1);
  other.send_text("still there");
  EXPECT_EQ(other.text(), "still there");
}

TEST_F(Rfc6455, ACloseInTheMiddleOfAMessage) {
  WsClient client = connect();
  client.answer_close(false);
  client.send_raw(client_frame(WsOpcode::kText, "half", false) +
                  client_frame(WsOpcode::kClose, close_payload(1001, "")));
  EXPECT_EQ(client.wait_close().code, 1001);
  EXPECT_TRUE(ended_cleanly(client));
}

// What was good comes back before the end: bare libwebsockets drops it now and then, and here it
// goes by the broker, which a close at once would overtake.
TEST_F(Rfc6455, MessagesBeforeTheEndComeBackFirst) {
  TempDir directory;
  RedisServer redis(directory);
  Stack::Settings settings;
  settings.relay_args = {"--broker", redis.url()};
  Stack with_redis(std::move(settings));
  for (Stack* stack : {stack_.get(), &with_redis}) {
    // Keeps the channel, so that it is not subscribed anew for each client.
    const WsClient neighbour = WsClient::connect(stack->gateway().endpoint(), "/channel/last");
    stack->gateway().wait_subscribed("last");
    for (const auto& [end, code] :
         {std::pair{client_frame(WsOpcode::kClose, close_payload(3001, "bye")), 3001},
          std::pair{raw_frame(0xC1, "bad"), 1002}, std::pair{raw_frame(0x83, "bad"), 1002},
          std::pair{client_frame(WsOpcode::kText, "\xFF"), 1007}}) {
      for (int i = 0; i < 5; ++i) {
        WsClient client = WsClient::connect(stack->gateway().endpoint(), "/channel/last");
        client.send_raw(client_frame(WsOpcode::kText, "first") +
                        client_frame(WsOpcode::kText, "second") + end);
        EXPECT_EQ(client.text(), "first");
        EXPECT_EQ(client.text(), "second");
        EXPECT_EQ(client.wait_close().code, code);
      }
    }
  }
}

TEST_F(Rfc6455, TheServerEndsTcpThoughTheClientDoesNot) {
  WsClient client = connect();
  client.answer_close(false);
  client.send_close(1000);
  EXPECT_EQ(client.wait_close().code, 1000);
  EXPECT_TRUE(ended_cleanly(client));
  // The connection is gone on the server's side too, though ours stays open.
  EXPECT_TRUE(eventually(10s, [&] { return metric("sluice_gateway_connections") == 0; }));
}

TEST_F(Rfc6455, HalfClosedByTheClient) {
  WsClient listener = WsClient::connect(stack_->gateway().endpoint(), "/channel/half");
  WsClient client = WsClient::connect(stack_->gateway().endpoint(), "/channel/half");
  client.send_text("and goodbye");
  client.socket().shut_write();
  EXPECT_EQ(listener.text(), "and goodbye");
  EXPECT_EQ(client.wait_close().kind, WsEvent::Kind::kEof);
}

TEST_F(Rfc6455, AnEndWithoutACloseIsNoCleanOne) {
  const double gone = metric("sluice_gateway_closed_total", "client_gone");
  const double closed = metric("sluice_gateway_closed_total", "client_closed");
  {
    WsClient client = connect();
    client.send_raw(client_frame(WsOpcode::kText, "cut off").substr(0, 5));
  }
  EXPECT_TRUE(eventually(
      10s, [&] { return metric("sluice_gateway_closed_total", "client_gone") == gone + 1; }));
  {
    WsClient client = connect();
    client.send_close(1000);
    EXPECT_EQ(client.wait_close().code, 1000);
  }
  EXPECT_TRUE(eventually(
      10s, [&] { return metric("sluice_gateway_closed_total", "client_closed") == closed + 1; }));
}

// --- 8.1 UTF-8, and sizes ---

TEST_F(Rfc6455, TextThatIsNotUtf8) {
  for (const char* bad : {"\xFF", "a\x80", "\xC3\x28", "\xE2\x82", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xC0\xAF", "\xF8\x88\x80\x80\x80", "\xE0\x80\xAF"}) {
    expect_failure(client_frame(WsOpcode::kText, bad), 1007, bad);
    expect_failure(
        client_frame(WsOpcode::kText, "ok ", false) + client_frame(WsOpcode::kContinuation, bad),
        1007, bad);
    expect_failure(client_frame(WsOpcode::kClose, close_payload(1000, bad)), 1007, bad);
  }
}

// The rest of the message never comes: the answer is due at the bad byte.
TEST_F(Rfc6455, FailsAtTheBadByteNotAtTheEnd) {
  const std::string whole = client_frame(WsOpcode::kText, "abc\xFF" + std::string(500, 'z'));
  expect_failure(whole.substr(0, 4 + 4 + 4), 1007, "bad byte in a long frame");
  expect_failure(client_frame(WsOpcode::kText, "abc\xE2\x28", false), 1007,
                 "bad byte in a fragment");
  expect_failure(client_frame(WsOpcode::kText, "\xE2", false) +
                     client_frame(WsOpcode::kContinuation, "\x28", false),
                 1007, "across fragments");
}

TEST_F(Rfc6455, MessagesOverTheLimit) {
  WsClient client = connect();
  client.send_text(std::string(kMessageMax, 'x'));
  EXPECT_EQ(client.text().size(), kMessageMax);
  const std::string over = client_frame(WsOpcode::kText, std::string(kMessageMax + 1, 'x'));
  expect_failure(over, 1009, "whole");
  expect_failure(over.substr(0, 8), 1009, "announced");
  expect_failure("\x82\xFF\x7F" + std::string(7, '\xFF') + "mask", 1009, "2^63 - 1 announced");
  const std::string half = std::string(1200, 'x');
  expect_failure(
      client_frame(WsOpcode::kText, half, false) + client_frame(WsOpcode::kContinuation, half),
      1009, "in fragments");
}

// --- what everybody else feels of it: nothing ---

TEST_F(Rfc6455, AFaultIsOneClientsAndIsCounted) {
  WsClient bystander = connect();
  const double errors = metric("sluice_gateway_closed_total", "protocol_error");
  const double connections = metric("sluice_gateway_connections");
  for (int i = 0; i < 20; ++i) {
    WsClient client = connect();
    client.send_text("good");
    EXPECT_EQ(client.text(), "good");
    client.send_raw(unmasked_frame(WsOpcode::kText, "bad"));
    EXPECT_EQ(client.wait_close().code, 1002);
  }
  EXPECT_TRUE(eventually(10s, [&] { return metric("sluice_gateway_connections") == connections; }));
  EXPECT_EQ(metric("sluice_gateway_closed_total", "protocol_error"), errors + 20);
  bystander.send_text("here");
  EXPECT_EQ(bystander.text(), "here");
}

TEST_F(Rfc6455, BytesBehindTheUpgradeAreJudgedToo) {
  Socket socket = Socket::connect(stack_->gateway().endpoint());
  socket.send_all(upgrade_bytes({}) + client_frame(WsOpcode::kPing, "early") +
                  raw_frame(0xC1, "bad"));
  std::string rest;
  EXPECT_EQ(read_head(socket, rest).status, 101);
  WsReader reader;
  reader.feed(rest + socket.read_all(10s));
  std::optional<WsFrame> frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, WsOpcode::kPong);
  EXPECT_EQ(frame->payload, "early");
  frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, WsOpcode::kClose);
  EXPECT_EQ(frame->payload.substr(0, 2), "\x03\xEA");
}

}  // namespace
}  // namespace sluice::test
