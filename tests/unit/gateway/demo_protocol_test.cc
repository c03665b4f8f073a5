// The demo page's frames, each as a browser reads it.
#include "gateway/protocols/demo.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

using Json = nlohmann::json;

class RecordingActions final : public ProtocolActions {
 public:
  bool subscribe(ClientSession&, std::string_view channel) override {
    subscribed = channel;
    return may_subscribe;
  }
  bool publish(ClientSession&, const PublishRequest& request) override {
    published.emplace_back(std::string(request.channel) + "/" +
                           std::string(proto::as_text(request.payload)));
    return may_publish;
  }
  void publish(std::string_view, proto::Bytes) override {}
  bool join(ClientSession&, const JoinRequest&) override { return false; }
  void leave(ClientSession&, std::string_view) override {}
  std::optional<ChannelNumber> channel_number(std::string_view) const override { return {}; }
  std::string_view channel_name(ChannelNumber) const override { return {}; }
  bool ask_history(ClientSession&, Ticket, std::string_view, const proto::HistoryQuery&) override {
    return false;
  }
  bool ask_presence(ClientSession&, Ticket, std::string_view, bool) override { return false; }
  void set_presence(ClientSession&, const proto::PresenceSet&) override {}
  void clear_presence(ClientSession&, std::string_view, std::string_view) override {}
  void changed(ClientSession&) override {}
  std::string_view first_channel(const ClientSession&) const override { return subscribed; }
  void deliver(ClientSession&, FrameRef frame) override { frames.push_back(frame); }
  void close(ClientSession&, CloseCode code, const char*) override { closed = code; }

  bool may_subscribe = true;
  bool may_publish = true;
  std::string subscribed;
  std::vector<std::string> published;
  std::vector<FrameRef> frames;
  std::optional<CloseCode> closed;
};

UpgradeRequest request(std::string_view channel) {
  UpgradeRequest request;
  request.channel = channel;
  return request;
}

FrameRef frame_of(const EncodedMessage& message) {
  return FrameRun::make(message.opcode, message.prefix, message.payload);
}

/// What the frame carries; it must be one whole text frame.
Json parse(const FrameRef& frame) {
  const auto bytes = frame->bytes();
  EXPECT_EQ(bytes[0], 0x81);
  const std::size_t head = bytes[1] < 126 ? 2 : bytes[1] == 126 ? 4 : 10;
  return Json::parse(bytes.begin() + static_cast<std::ptrdiff_t>(head), bytes.end());
}

class DemoProtocolTest : public testing::Test {
 protected:
  Json encoded(std::string_view payload) {
    std::string scratch;
    return parse(frame_of(
        protocol.encode({"livechat", {0xABC, 41}, proto::as_bytes(payload), {}}, scratch)));
  }

  bool draining = false;
  DemoProtocol protocol{
      {.gateway_id = "1111", .version = "0.1.0", .draining = [this] { return draining; }}};
  RecordingActions actions;
  ClientSession session;
};

TEST_F(DemoProtocolTest, WelcomeSaysWhereTheClientIs) {
  session.state.id = {1, 2};
  protocol.opened(session, request("a~b"), actions);
  EXPECT_EQ(actions.subscribed, "a~b");
  ASSERT_EQ(actions.frames.size(), 1U);
  EXPECT_EQ(parse(actions.frames[0]), Json({{"type", "welcome"},
                                            {"gateway", "1111"},
                                            {"version", "0.1.0"},
                                            {"draining", false},
                                            {"channel", "a~b"},
                                            {"connection", to_string(session.state.id)}}));
  draining = true;
  protocol.opened(session, request("a~b"), actions);
  EXPECT_EQ(parse(actions.frames[1])["draining"], true);
}

TEST_F(DemoProtocolTest, TooManyChannelsCloses) {
  actions.may_subscribe = false;
  protocol.opened(session, request("a"), actions);
  EXPECT_EQ(actions.closed, CloseCode::kTryAgainLater);
  EXPECT_TRUE(actions.frames.empty());
}

TEST_F(DemoProtocolTest, MessageCarriesPlaceAndText) {
  EXPECT_EQ(encoded("hi"), Json({{"type", "message"},
                                 {"epoch", "0000000000000abc"},
                                 {"offset", 41},
                                 {"bytes", 2},
                                 {"text", "hi"}}));
  EXPECT_EQ(encoded("")["text"], "");
}

TEST_F(DemoProtocolTest, EveryCharacterComesBack) {
  std::string text = "\"\\/</script>\xE2\x80\xA8 \xC3\xA4 \xF0\x9F\x98\x80";
  for (char c = 0; c < 0x20; ++c) text.push_back(c);
  text.push_back('\x7F');
  EXPECT_EQ(encoded(text)["text"].get<std::string>(), text);
}

TEST_F(DemoProtocolTest, WhatIsNoTextIsCountedOnly) {
  const Json json = encoded(std::string_view("\xFF\x00\xC0", 3));
  EXPECT_EQ(json["bytes"], 3);
  EXPECT_FALSE(json.contains("text"));
}

TEST_F(DemoProtocolTest, LongTextIsCutBetweenCharacters) {
  for (std::size_t ahead = 0; ahead < 4; ++ahead) {
    std::string text(kDemoTextBytesMax - ahead, 'x');
    text += "\xF0\x9F\x98\x80\xF0\x9F\x98\x80";
    const Json json = encoded(text);
    EXPECT_EQ(json["bytes"], text.size());
    EXPECT_EQ(json["text"].get<std::string>(), text.substr(0, kDemoTextBytesMax - ahead));
  }
  const std::string exact(kDemoTextBytesMax, 'x');
  EXPECT_EQ(encoded(exact)["text"].get<std::string>(), exact);
}

TEST_F(DemoProtocolTest, SameMessageSameBytes) {
  const ChannelMessage message{"a", {7, 8}, proto::as_bytes("hi"), {}};
  std::string scratch;
  const FrameRef a = frame_of(protocol.encode(message, scratch));
  const FrameRef b = frame_of(protocol.encode(message, scratch));
  EXPECT_EQ(proto::as_text(a->bytes()), proto::as_text(b->bytes()));
}

TEST_F(DemoProtocolTest, WhatItSendsIsPublishedAsItIs) {
  protocol.opened(session, request("a"), actions);
  protocol.received(session, proto::as_bytes("plain {text}"), true, actions);
  EXPECT_EQ(actions.published, std::vector<std::string>{"a/plain {text}"});
  EXPECT_EQ(actions.frames.size(), 1U);
}

TEST_F(DemoProtocolTest, AFailedPublishIsToldAndTheClientStays) {
  actions.may_publish = false;
  protocol.received(session, proto::as_bytes("x"), true, actions);
  protocol.publish_failed(session, {proto::ErrorReason::kUnknownFate}, actions);
  ASSERT_EQ(actions.frames.size(), 2U);
  EXPECT_EQ(parse(actions.frames[0]), Json({{"type", "publish_failed"}, {"reason", "queue full"}}));
  EXPECT_EQ(parse(actions.frames[1]),
            Json({{"type", "publish_failed"}, {"reason", "unknown fate"}}));
  EXPECT_FALSE(actions.closed);
}

TEST_F(DemoProtocolTest, GapTellsWhatIsKnown) {
  protocol.gap(
      session,
      {.channel = "a", .cause = "overrun", .position = {1, 90}, .count = 12, .duration_ms = 0},
      actions);
  protocol.gap(session, {.channel = "a", .cause = "broker", .position = {2, 0}, .duration_ms = 40},
               actions);
  ASSERT_EQ(actions.frames.size(), 2U);
  EXPECT_EQ(parse(actions.frames[0]), Json({{"type", "gap"},
                                            {"cause", "overrun"},
                                            {"count", 12},
                                            {"duration_ms", 0},
                                            {"epoch", "0000000000000001"},
                                            {"offset", 90}}));
  EXPECT_TRUE(parse(actions.frames[1])["count"].is_null());
  EXPECT_FALSE(actions.closed);
}

}  // namespace
}  // namespace sluice::gateway
