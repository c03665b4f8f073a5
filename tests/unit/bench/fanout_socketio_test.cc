#include <gtest/gtest.h>

#include "bench/fanout/dialects/json_text.h"
#include "bench/fanout/dialects/socketio.h"
#include "bench/fanout/ws_frame.h"

namespace sluice::fanout {
namespace {

std::string text_of(std::string_view inside) {
  std::string scratch;
  const auto text = json_text(inside, scratch);
  return text ? std::string(*text) : "(none)";
}

TEST(JsonText, WithoutEscapesNothingIsCopied) {
  std::string scratch;
  const std::string_view inside = "as it is";
  const auto text = json_text(inside, scratch);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->data(), inside.data());
}

TEST(JsonText, UndoesEachEscape) {
  EXPECT_EQ(text_of(R"(a\"b\\c\/d\b\f\n\r\te)"), "a\"b\\c/d\b\f\n\r\te");
  EXPECT_EQ(text_of(R"(\u0041\u00e4\u20ac)"), "A\xc3\xa4\xe2\x82\xac");
  EXPECT_EQ(text_of(R"(\ud83d\ude00!)"), "\xf0\x9f\x98\x80!");
}

TEST(JsonText, RefusesWhatIsNoEscape) {
  for (const char* bad : {R"(\)", R"(\x)", R"(\u12)", R"(\u12g4)", R"(\u-123)", R"(\ude00)",
                          R"(\ud83d)", R"(\ud83dx)", R"(\ud83d\u0041)"}) {
    EXPECT_EQ(text_of(bad), "(none)") << bad;
  }
}

class SocketioDialectTest : public testing::Test {
 protected:
  std::unique_ptr<Dialect> dialect_ = make_socketio_dialect();

  Heard::Kind kind(std::string_view packet) { return dialect_->on_frame(kText, packet).kind; }
};

TEST_F(SocketioDialectTest, JoinsTheRoomByConnect) {
  EXPECT_FALSE(dialect_->ready_at_upgrade());
  std::string wanted;
  append_masked(wanted, kText, R"(40{"room":"c1"})");
  EXPECT_EQ(dialect_->greet("c1", 7), wanted);
}

TEST_F(SocketioDialectTest, ReadyWhenJoined) {
  EXPECT_EQ(kind(R"(0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000})"),
            Heard::Kind::kNothing);
  EXPECT_EQ(kind(R"(40{"sid":"y"})"), Heard::Kind::kNothing);
  EXPECT_EQ(kind(R"(42["joined"])"), Heard::Kind::kReady);
}

TEST_F(SocketioDialectTest, HearsTheMessageOfTheEvent) {
  const std::string packet = R"(42["m","a message"])";
  const Heard heard = dialect_->on_frame(kText, packet);
  EXPECT_EQ(heard.kind, Heard::Kind::kMessage);
  EXPECT_EQ(heard.message, "a message");
  EXPECT_EQ(heard.consumed, packet.size());
  EXPECT_EQ(dialect_->on_frame(kText, R"(42["m","say \"it\""])").message, R"(say "it")");
  EXPECT_EQ(dialect_->on_frame(kText, R"(42["m",""])").message, "");
}

TEST_F(SocketioDialectTest, AnswersPing) {
  const Heard heard = dialect_->on_frame(kText, "2");
  std::string pong;
  append_masked(pong, kText, "3");
  EXPECT_EQ(heard.kind, Heard::Kind::kNothing);
  EXPECT_EQ(heard.reply, pong);
}

TEST_F(SocketioDialectTest, ConnectRefusedOrClosedIsBroken) {
  for (const char* packet : {R"(44{"message":"no"})", "41", "1", "", R"(42["other"])",
                             R"(42["m","half)", R"(42["m",")", R"(42["m","\x"])"}) {
    EXPECT_EQ(kind(packet), Heard::Kind::kBroken) << packet;
  }
  EXPECT_EQ(dialect_->on_frame(kBinary, R"(42["joined"])").kind, Heard::Kind::kBroken);
}

TEST_F(SocketioDialectTest, AnEventSplitOverFramesIsBroken) {
  EXPECT_EQ(kind(R"(42["m","a mes)"), Heard::Kind::kBroken);
  EXPECT_EQ(kind(R"(sage"])"), Heard::Kind::kBroken);
}

}  // namespace
}  // namespace sluice::fanout
