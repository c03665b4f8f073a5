#include <gtest/gtest.h>

#include "bench/fanout/dialects/centrifuge.h"
#include "bench/fanout/ws_frame.h"

namespace sluice::fanout {
namespace {

using Kind = Heard::Kind;

std::string bytes(std::initializer_list<int> values) {
  return {values.begin(), values.end()};
}

class CentrifugeJsonDialect : public testing::Test {
 protected:
  Kind kind(std::string_view frame) { return dialect_->on_frame(kText, frame).kind; }
  std::unique_ptr<Dialect> dialect_ = make_centrifuge_json_dialect();
};

TEST_F(CentrifugeJsonDialect, ConnectsAndSubscribesAtOnce) {
  EXPECT_FALSE(dialect_->ready_at_upgrade());
  EXPECT_NE(dialect_->request("/connection/websocket")
                .find("Sec-WebSocket-Protocol: centrifuge-json\r\n"),
            std::string::npos);
  std::string wanted;
  append_masked(wanted, kText,
                "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"c1\"}}");
  EXPECT_EQ(dialect_->greet("c1", 7), wanted);
}

TEST_F(CentrifugeJsonDialect, TakesAFrameLineByLine) {
  const std::string connect = R"({"id":1,"connect":{"client":"x","ping":25,"pong":true}})";
  const std::string subscribe = R"({"id":2,"subscribe":{}})";
  const std::string frame = connect + "\n" + subscribe;
  Heard heard = dialect_->on_frame(kText, frame);
  EXPECT_EQ(heard.kind, Kind::kNothing);
  EXPECT_EQ(heard.consumed, connect.size() + 1);
  heard = dialect_->on_frame(kText, std::string_view(frame).substr(heard.consumed));
  EXPECT_EQ(heard.kind, Kind::kReady);
  EXPECT_EQ(heard.consumed, subscribe.size());
}

TEST_F(CentrifugeJsonDialect, HearsTheDataOfAPublication) {
  const std::string push = R"({"push":{"channel":"c1","pub":{"data":"a message","offset":7}}})";
  const Heard heard = dialect_->on_frame(kText, push);
  EXPECT_EQ(heard.kind, Kind::kMessage);
  EXPECT_EQ(heard.message, "a message");
  EXPECT_EQ(heard.consumed, push.size());
  EXPECT_EQ(
      dialect_->on_frame(kText, R"({"push":{"channel":"c","pub":{"data":"say \"it\""}}})").message,
      R"(say "it")");
}

TEST_F(CentrifugeJsonDialect, AnswersPing) {
  std::string pong;
  append_masked(pong, kText, "{}");
  const Heard heard = dialect_->on_frame(kText, "{}");
  EXPECT_EQ(heard.kind, Kind::kNothing);
  EXPECT_EQ(heard.reply, pong);
}

TEST_F(CentrifugeJsonDialect, ErrorsAndOthersAreBroken) {
  for (const char* frame :
       {R"({"id":1,"error":{"code":101,"message":"unauthorized"}})",
        R"({"id":2,"error":{"code":103,"message":"permission denied"}})",
        R"({"push":{"channel":"c1","unsubscribe":{"code":2000}}})",
        R"({"push":{"channel":"c","pub":{"data":{"a":1}}}})", R"({"push":{"pub":{"data":"half)",
        R"({"push":{"pub":{"data":"half\)", R"({"push":{"pub":{"data":"\x"}}})", "", "\n", "x"})
    EXPECT_EQ(kind(frame), Kind::kBroken) << frame;
  EXPECT_EQ(dialect_->on_frame(kBinary, "{}").kind, Kind::kBroken);
}

class CentrifugeProtobufDialect : public testing::Test {
 protected:
  Heard hear(const std::string& frame) {
    frame_ = frame;
    return dialect_->on_frame(kBinary, frame_);
  }
  std::unique_ptr<Dialect> dialect_ = make_centrifuge_protobuf_dialect();
  std::string frame_;
};

TEST_F(CentrifugeProtobufDialect, ConnectsAndSubscribesAtOnce) {
  EXPECT_FALSE(dialect_->ready_at_upgrade());
  std::string wanted;
  append_masked(wanted, kBinary, bytes({4, 8, 1, 34, 0, 8, 8, 2, 42, 4, 10, 2, 'c', '1'}));
  EXPECT_EQ(dialect_->greet("c1", 7), wanted);
}

TEST_F(CentrifugeProtobufDialect, TakesAFrameMessageByMessage) {
  const std::string frame = bytes({7, 8, 1, 42, 3, 10, 1, 'x', 4, 8, 2, 50, 0});
  Heard heard = hear(frame);
  EXPECT_EQ(heard.kind, Kind::kNothing);
  EXPECT_EQ(heard.consumed, 8U);
  heard = hear(frame.substr(8));
  EXPECT_EQ(heard.kind, Kind::kReady);
  EXPECT_EQ(heard.consumed, 5U);
}

TEST_F(CentrifugeProtobufDialect, HearsTheDataOfAPublication) {
  const Heard heard = hear(bytes({13, 34, 11, 18, 1, 'c', 34, 6, 48, 7, 34, 2, 'h', 'i'}));
  EXPECT_EQ(heard.kind, Kind::kMessage);
  EXPECT_EQ(heard.message, "hi");
  EXPECT_EQ(heard.consumed, 14U);
}

TEST_F(CentrifugeProtobufDialect, AnswersPing) {
  std::string pong;
  append_masked(pong, kBinary, {"\0", 1});
  const Heard heard = hear(bytes({0}));
  EXPECT_EQ(heard.kind, Kind::kNothing);
  EXPECT_EQ(heard.reply, pong);
  EXPECT_EQ(heard.consumed, 1U);
}

TEST_F(CentrifugeProtobufDialect, ErrorsAndOthersAreBroken) {
  for (const std::string& frame :
       {bytes({7, 8, 1, 18, 3, 8, 101, 24}), bytes({7, 34, 5, 18, 1, 'c', 58, 0}), bytes({5, 1}),
        bytes({0x80}), bytes({2, 8, 1}), std::string(20, '\xFF')})
    EXPECT_EQ(hear(frame).kind, Kind::kBroken) << testing::PrintToString(frame);
  EXPECT_EQ(dialect_->on_frame(kText, bytes({0})).kind, Kind::kBroken);
}

}  // namespace
}  // namespace sluice::fanout
