// What clients are told, in both encodings.
#include "gateway/protocols/centrifuge_codec.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "proto/envelope.pb.h"
#include "proto/names.h"

namespace sluice::gateway {
namespace {

using centrifuge::Reply;
using Json = nlohmann::json;

std::string json(const Reply& reply) {
  std::string frame;
  centrifuge_json().append(reply, frame);
  EXPECT_TRUE(Json::accept(frame)) << frame;
  return frame;
}

std::string protobuf(const Reply& reply) {
  std::string frame;
  centrifuge_protobuf().append(reply, frame);
  return frame;
}

std::string bytes(std::initializer_list<int> values) {
  return {values.begin(), values.end()};
}

std::string encoded(const CentrifugeCodec& codec, const ChannelMessage& message) {
  std::string scratch = "what stood there before";
  const EncodedMessage made = codec.encode(message, scratch);
  EXPECT_EQ(made.opcode, codec.opcode());
  return std::string(made.prefix).append(proto::as_text(made.payload));
}

/// The one message of a Protobuf frame.
Reply parsed(std::string_view frame) {
  std::size_t length = 0;
  std::size_t at = 0;
  for (unsigned shift = 0; at < frame.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(frame[at++]);
    length |= std::size_t{byte & 0x7FU} << shift;
    if (byte < 0x80) break;
  }
  Reply reply;
  EXPECT_EQ(length, frame.size() - at);
  EXPECT_TRUE(reply.ParseFromArray(frame.data() + at, static_cast<int>(frame.size() - at)));
  return reply;
}

void set(centrifuge::ClientInfo& info) {
  info.set_user("u");
  info.set_client("c");
  info.set_conn_info(R"({"a":1})");
  info.set_chan_info("[2]");
}
constexpr const char* kInfo = R"({"user":"u","client":"c","conn_info":{"a":1},"chan_info":[2]})";

TEST(CentrifugeCodec, Names) {
  EXPECT_EQ(centrifuge_json().name(), "centrifuge-json");
  EXPECT_EQ(centrifuge_json().opcode(), Opcode::kText);
  EXPECT_EQ(centrifuge_json().ping(), "{}");
  EXPECT_EQ(centrifuge_protobuf().name(), "centrifuge-protobuf");
  EXPECT_EQ(centrifuge_protobuf().opcode(), Opcode::kBinary);
  EXPECT_EQ(centrifuge_protobuf().ping(), std::string_view("\0", 1));
  EXPECT_EQ(json(Reply()), centrifuge_json().ping());
  EXPECT_EQ(protobuf(Reply()), centrifuge_protobuf().ping());
}

TEST(CentrifugeCodec, EpochsAreSixteenDigits) {
  EXPECT_EQ(epoch_text(0), "0000000000000000");
  EXPECT_EQ(epoch_text(0x1a2b), "0000000000001a2b");
  EXPECT_EQ(epoch_text(~std::uint64_t{0}), "ffffffffffffffff");
  for (const std::uint64_t epoch : {std::uint64_t{1}, std::uint64_t{0x8000000000000000}})
    EXPECT_EQ(epoch_number(epoch_text(epoch)), epoch);
  for (const char* text :
       {"", "1", "xyz", "-000000000000001", "+000000000000001", "0x00000000000001",
        "00000000000000001", " 000000000000001", "000000000000001g"})
    EXPECT_EQ(epoch_number(text), 0U) << text;
}

TEST(CentrifugeCodec, RepliesAreJoinedInAFrame) {
  Reply first;
  first.set_id(1);
  first.mutable_publish();
  Reply second;
  second.set_id(2);
  second.mutable_ping();
  std::string text;
  centrifuge_json().append(first, text);
  centrifuge_json().append(second, text);
  EXPECT_EQ(text, "{\"id\":1,\"publish\":{}}\n{\"id\":2,\"ping\":{}}");
  std::string binary;
  centrifuge_protobuf().append(first, binary);
  centrifuge_protobuf().append(second, binary);
  EXPECT_EQ(binary, bytes({4, 8, 1, 66, 0, 4, 8, 2, 98, 0}));
}

TEST(CentrifugeCodec, AResultIsThereEvenWhenItIsEmpty) {
  const std::vector<std::pair<void (*)(Reply&), std::string>> results = {
      {[](Reply& r) { r.mutable_connect(); }, R"({"id":1,"connect":{}})"},
      {[](Reply& r) { r.mutable_subscribe(); }, R"({"id":1,"subscribe":{}})"},
      {[](Reply& r) { r.mutable_unsubscribe(); }, R"({"id":1,"unsubscribe":{}})"},
      {[](Reply& r) { r.mutable_publish(); }, R"({"id":1,"publish":{}})"},
      {[](Reply& r) { r.mutable_presence(); }, R"({"id":1,"presence":{"presence":{}}})"},
      {[](Reply& r) { r.mutable_presence_stats(); },
       R"({"id":1,"presence_stats":{"num_clients":0,"num_users":0}})"},
      {[](Reply& r) { r.mutable_history(); },
       R"({"id":1,"history":{"publications":[],"epoch":"","offset":0}})"},
      {[](Reply& r) { r.mutable_ping(); }, R"({"id":1,"ping":{}})"},
      {[](Reply& r) { r.mutable_rpc(); }, R"({"id":1,"rpc":{}})"},
      {[](Reply& r) { r.mutable_refresh(); }, R"({"id":1,"refresh":{}})"},
      {[](Reply& r) { r.mutable_sub_refresh(); }, R"({"id":1,"sub_refresh":{}})"},
      {[](Reply& r) { r.mutable_error(); }, R"({"id":1,"error":{"message":""}})"},
  };
  for (const auto& [make, text] : results) {
    Reply reply;
    reply.set_id(1);
    make(reply);
    EXPECT_EQ(json(reply), text);
    EXPECT_EQ(parsed(protobuf(reply)).SerializeAsString(), reply.SerializeAsString());
  }
}

TEST(CentrifugeCodec, Error) {
  Reply reply;
  reply.set_id(7);
  reply.mutable_error()->set_code(111);
  reply.mutable_error()->set_message("too many requests");
  reply.mutable_error()->set_temporary(true);
  EXPECT_EQ(json(reply),
            R"({"id":7,"error":{"code":111,"message":"too many requests","temporary":true}})");
  EXPECT_EQ(protobuf(reply),
            bytes({27, 8, 7, 18, 23, 8, 111, 18, 17}) + "too many requests" + bytes({24, 1}));
}

TEST(CentrifugeCodec, Connect) {
  Reply reply;
  reply.set_id(1);
  auto& connect = *reply.mutable_connect();
  connect.set_client("id");
  connect.set_version("0.1");
  connect.set_expires(true);
  connect.set_ttl(300);
  connect.set_data("{}");
  connect.set_ping(25);
  connect.set_pong(true);
  connect.set_session("s");
  connect.set_node("n");
  connect.set_time(9);
  (*connect.mutable_subs())["c\""].set_recoverable(true);
  EXPECT_EQ(
      json(reply),
      R"({"id":1,"connect":{"client":"id","version":"0.1","expires":true,"ttl":300,"data":{},)"
      R"("subs":{"c\"":{"recoverable":true}},"ping":25,"pong":true,"session":"s","node":"n","time":9}})");
  connect.clear_subs();
  connect.clear_session();
  connect.clear_node();
  connect.clear_time();
  EXPECT_EQ(protobuf(reply), bytes({26, 8, 1,  42,   22, 10, 2, 'i', 'd', 18, 3,  '0', '.', '1',
                                    24, 1, 32, 0xAC, 2,  42, 2, '{', '}', 56, 25, 64,  1}));
}

TEST(CentrifugeCodec, Subscribe) {
  Reply reply;
  reply.set_id(2);
  auto& subscribe = *reply.mutable_subscribe();
  subscribe.set_expires(true);
  subscribe.set_ttl(5);
  subscribe.set_recoverable(true);
  subscribe.set_epoch("e");
  subscribe.set_recovered(true);
  subscribe.set_offset(~std::uint64_t{0});
  subscribe.set_positioned(true);
  subscribe.set_data("not json");
  subscribe.set_was_recovering(true);
  subscribe.set_delta(true);
  auto& publication = *subscribe.add_publications();
  publication.set_data("{\"a\":\n1}");
  publication.set_offset(42);
  set(*publication.mutable_info());
  (*publication.mutable_tags())["b"] = "2";
  (*publication.mutable_tags())["a"] = "1";
  publication.set_time(-1);
  publication.set_channel("x");
  publication.set_delta(true);
  subscribe.add_publications()->set_data("\xFF");
  EXPECT_EQ(
      json(reply),
      std::string(
          R"({"id":2,"subscribe":{"expires":true,"ttl":5,"recoverable":true,"epoch":"e","publications":[{"data":{"a":1},"info":)") +
          kInfo +
          R"(,"offset":42,"tags":{"a":"1","b":"2"},"delta":true,"time":-1,"channel":"x"},{"data":{"b64data":"/w=="}}],)"
          R"("recovered":true,"offset":18446744073709551615,"positioned":true,"data":"not json","was_recovering":true,"delta":true}})");
  subscribe.clear_publications();
  subscribe.set_offset(3);
  EXPECT_EQ(protobuf(reply),
            bytes({33, 8, 2, 50, 29, 8, 1, 16, 5, 24, 1, 50, 1, 'e', 64, 1, 72, 3, 80, 1, 90, 8}) +
                "not json" + bytes({96, 1, 104, 1}));
}

TEST(CentrifugeCodec, Queries) {
  Reply presence;
  presence.set_id(3);
  set((*presence.mutable_presence()->mutable_presence())["c"]);
  EXPECT_EQ(json(presence), std::string(R"({"id":3,"presence":{"presence":{"c":)") + kInfo + "}}}");
  EXPECT_EQ(protobuf(presence),
            bytes({31, 8, 3, 74, 27, 10, 25, 10, 1, 'c', 18, 20, 10, 1, 'u', 18, 1, 'c', 26, 7}) +
                R"({"a":1})" + bytes({34, 3}) + "[2]");
  Reply stats;
  stats.set_id(4);
  stats.mutable_presence_stats()->set_num_clients(2);
  stats.mutable_presence_stats()->set_num_users(1);
  EXPECT_EQ(json(stats), R"({"id":4,"presence_stats":{"num_clients":2,"num_users":1}})");
  EXPECT_EQ(protobuf(stats), bytes({8, 8, 4, 82, 4, 8, 2, 16, 1}));
  Reply history;
  history.set_id(5);
  history.mutable_history()->set_epoch("e");
  history.mutable_history()->set_offset(9);
  centrifuge_json().fill(*history.mutable_history()->add_publications(), 9, proto::as_bytes("1"),
                         {});
  EXPECT_EQ(
      json(history),
      R"({"id":5,"history":{"publications":[{"data":1,"offset":9}],"epoch":"e","offset":9}})");
  EXPECT_EQ(protobuf(history),
            bytes({16, 8, 5, 90, 12, 10, 5, 34, 1, '1', 48, 9, 18, 1, 'e', 24, 9}));
}

TEST(CentrifugeCodec, CallsAndRefreshes) {
  Reply rpc;
  rpc.set_id(6);
  rpc.mutable_rpc()->set_data("[true]");
  EXPECT_EQ(json(rpc), R"({"id":6,"rpc":{"data":[true]}})");
  EXPECT_EQ(protobuf(rpc), bytes({12, 8, 6, 106, 8, 10, 6}) + "[true]");
  Reply refresh;
  refresh.set_id(7);
  refresh.mutable_refresh()->set_client("c");
  refresh.mutable_refresh()->set_version("v");
  refresh.mutable_refresh()->set_expires(true);
  refresh.mutable_refresh()->set_ttl(60);
  EXPECT_EQ(json(refresh),
            R"({"id":7,"refresh":{"client":"c","version":"v","expires":true,"ttl":60}})");
  EXPECT_EQ(protobuf(refresh), bytes({14, 8, 7, 114, 10, 10, 1, 'c', 18, 1, 'v', 24, 1, 32, 60}));
  Reply sub_refresh;
  sub_refresh.set_id(8);
  sub_refresh.mutable_sub_refresh()->set_expires(true);
  sub_refresh.mutable_sub_refresh()->set_ttl(60);
  EXPECT_EQ(json(sub_refresh), R"({"id":8,"sub_refresh":{"expires":true,"ttl":60}})");
  EXPECT_EQ(protobuf(sub_refresh), bytes({8, 8, 8, 122, 4, 8, 1, 16, 60}));
}

TEST(CentrifugeCodec, Pushes) {
  const auto push = [](void (*make)(centrifuge::Push&)) {
    Reply reply;
    reply.mutable_push()->set_channel("c");
    make(*reply.mutable_push());
    EXPECT_EQ(parsed(protobuf(reply)).SerializeAsString(), reply.SerializeAsString());
    return json(reply);
  };
  const std::string info = kInfo;
  EXPECT_EQ(push([](auto& p) { set(*p.mutable_join()->mutable_info()); }),
            R"({"push":{"channel":"c","join":{"info":)" + info + "}}}");
  EXPECT_EQ(push([](auto& p) { set(*p.mutable_leave()->mutable_info()); }),
            R"({"push":{"channel":"c","leave":{"info":)" + info + "}}}");
  EXPECT_EQ(
      push([](auto& p) {
        p.mutable_unsubscribe()->set_code(2500);
        p.mutable_unsubscribe()->set_reason("insufficient state");
      }),
      R"({"push":{"channel":"c","unsubscribe":{"code":2500,"reason":"insufficient state"}}})");
  EXPECT_EQ(push([](auto& p) {
              p.clear_channel();
              p.mutable_message()->set_data("{}");
            }),
            R"({"push":{"message":{"data":{}}}})");
  EXPECT_EQ(
      push([](auto& p) {
        auto& s = *p.mutable_subscribe();
        s.set_recoverable(true);
        s.set_epoch("e");
        s.set_offset(4);
        s.set_positioned(true);
        s.set_data("1");
      }),
      R"({"push":{"channel":"c","subscribe":{"recoverable":true,"epoch":"e","offset":4,"positioned":true,"data":1}}})");
  EXPECT_EQ(push([](auto& p) { p.mutable_connect()->set_client("x"); }),
            R"({"push":{"channel":"c","connect":{"client":"x"}}})");
  EXPECT_EQ(push([](auto& p) {
              p.mutable_disconnect()->set_code(3000);
              p.mutable_disconnect()->set_reason("r");
              p.mutable_disconnect()->set_reconnect(true);
            }),
            R"({"push":{"channel":"c","disconnect":{"code":3000,"reason":"r","reconnect":true}}})");
  EXPECT_EQ(push([](auto& p) {
              p.clear_channel();
              p.mutable_refresh()->set_expires(true);
              p.mutable_refresh()->set_ttl(9);
            }),
            R"({"push":{"refresh":{"expires":true,"ttl":9}}})");
  EXPECT_EQ(push([](auto& p) { set(*p.mutable_pub()->mutable_info()); }),
            R"({"push":{"channel":"c","pub":{"data":"","info":)" + info + "}}}");
}

TEST(CentrifugeCodec, EveryJsonReplyIsOneLine) {
  Reply reply;
  reply.mutable_push()->set_channel("a\nb");
  reply.mutable_push()->mutable_pub()->set_data("[\n\"x\\n\"\r\n]");
  EXPECT_EQ(json(reply), R"({"push":{"channel":"a\nb","pub":{"data":["x\n"]}}})");
}

ChannelMessage message_of(std::string_view payload, std::string_view meta = {}) {
  return {"news", {7, 43}, proto::as_bytes(payload), proto::as_bytes(meta)};
}

TEST(CentrifugeCodec, PublicationIsEncodedOnce) {
  EXPECT_EQ(encoded(centrifuge_json(), message_of(R"({"a":2})")),
            R"({"push":{"channel":"news","pub":{"data":{"a":2},"offset":43}}})");
  EXPECT_EQ(encoded(centrifuge_json(), message_of("hello")),
            R"({"push":{"channel":"news","pub":{"data":"hello","offset":43}}})");
  EXPECT_EQ(encoded(centrifuge_json(), message_of("\xFF")),
            R"({"push":{"channel":"news","pub":{"data":{"b64data":"/w=="},"offset":43}}})");
  EXPECT_EQ(encoded(centrifuge_json(), message_of("")),
            R"({"push":{"channel":"news","pub":{"data":"","offset":43}}})");
  EXPECT_EQ(encoded(centrifuge_protobuf(), message_of("hi")),
            bytes({16, 34, 14, 18, 4, 'n', 'e', 'w', 's', 34, 6, 48, 43, 34, 2, 'h', 'i'}));
  EXPECT_EQ(encoded(centrifuge_protobuf(), message_of("")),
            bytes({12, 34, 10, 18, 4, 'n', 'e', 'w', 's', 34, 2, 48, 43}));
}

TEST(CentrifugeCodec, ProtobufLeavesThePayloadWhereItIs) {
  std::string scratch;
  const std::string payload(100'000, 'x');
  const EncodedMessage made = centrifuge_protobuf().encode(message_of(payload), scratch);
  EXPECT_EQ(static_cast<const void*>(made.payload.data()), payload.data());
  EXPECT_LT(scratch.size(), 64U);
  EXPECT_EQ(parsed(scratch + payload).push().pub().data(), payload);
}

std::string meta_bytes() {
  envelope::MessageMeta meta;
  meta.mutable_publisher()->set_user("u");
  meta.mutable_publisher()->set_client("c");
  meta.mutable_publisher()->set_conn_info(R"({"a":1})");
  meta.mutable_publisher()->set_chan_info("[2]");
  (*meta.mutable_tags())["b"] = "2";
  (*meta.mutable_tags())["a"] = "1";
  meta.set_time_ms(1234);
  return meta.SerializeAsString();
}

TEST(CentrifugeCodec, MetaTellsOfThePublisher) {
  const std::string meta = meta_bytes();
  EXPECT_EQ(encoded(centrifuge_json(), message_of("1", meta)),
            std::string(R"({"push":{"channel":"news","pub":{"data":1,"info":)") + kInfo +
                R"(,"offset":43,"tags":{"a":"1","b":"2"},"time":1234}}})");
  EXPECT_EQ(encoded(centrifuge_protobuf(), message_of("1", meta)),
            bytes({56, 34, 54, 18, 4}) + "news" +
                bytes({34, 46, 42, 20, 10, 1, 'u', 18, 1, 'c', 26, 7}) + R"({"a":1})" +
                bytes({34, 3}) + "[2]" +
                bytes({48, 43, 58,  6,  10, 1,   'a', 18,   1, '1', 58, 6,
                       10, 1,  'b', 18, 1,  '2', 72,  0xD2, 9, 34,  1,  '1'}));
  // Who publishes anonymously, by a client.
  envelope::MessageMeta anonymous;
  anonymous.mutable_publisher();
  EXPECT_EQ(
      encoded(centrifuge_json(), message_of("1", anonymous.SerializeAsString())),
      R"({"push":{"channel":"news","pub":{"data":1,"info":{"user":"","client":""},"offset":43}}})");
}

TEST(CentrifugeCodec, MetaThatIsNoneIsPassedOver) {
  testing::internal::CaptureStderr();
  for (const std::string& meta : {std::string("\xFF"), bytes({10, 5}), bytes({10, 3, 10, 1, 0xFF}),
                                  bytes({8, 1}), std::string(1000, '\x0B')}) {
    EXPECT_EQ(encoded(centrifuge_json(), message_of("1", meta)),
              encoded(centrifuge_json(), message_of("1")));
    EXPECT_EQ(encoded(centrifuge_protobuf(), message_of("1", meta)),
              encoded(centrifuge_protobuf(), message_of("1")));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(CentrifugeCodec, AResultsPublicationIsThePushed) {
  const std::string meta = meta_bytes();
  for (const std::string payload : {"{\"a\":\n1}", "text", "", "\xFF\xFE"}) {
    for (const CentrifugeCodec* codec : {&centrifuge_json(), &centrifuge_protobuf()}) {
      Reply reply;
      reply.mutable_push()->set_channel("news");
      codec->fill(*reply.mutable_push()->mutable_pub(), 43, proto::as_bytes(payload),
                  proto::as_bytes(meta));
      EXPECT_EQ(json(reply), encoded(centrifuge_json(), message_of(payload, meta)));
      EXPECT_EQ(json(reply),
                json(parsed(encoded(centrifuge_protobuf(), message_of(payload, meta)))));
    }
  }
}

TEST(CentrifugeCodec, MembersChannelsCarryJoinsAndLeaves) {
  const std::string name = proto::members_channel("news");
  envelope::Membership membership;
  membership.set_joined(true);
  membership.mutable_who()->set_user("u");
  membership.mutable_who()->set_client("c");
  membership.mutable_who()->set_conn_info(R"({"a":1})");
  membership.mutable_who()->set_chan_info("[2]");
  const auto told = [&](const CentrifugeCodec& codec, const std::string& payload) {
    return encoded(codec, {name, {7, 1}, proto::as_bytes(payload), {}});
  };
  std::string payload = membership.SerializeAsString();
  EXPECT_EQ(told(centrifuge_json(), payload),
            std::string(R"({"push":{"channel":"news","join":{"info":)") + kInfo + "}}}");
  EXPECT_EQ(json(parsed(told(centrifuge_protobuf(), payload))), told(centrifuge_json(), payload));
  membership.set_joined(false);
  payload = membership.SerializeAsString();
  EXPECT_EQ(told(centrifuge_json(), payload),
            std::string(R"({"push":{"channel":"news","leave":{"info":)") + kInfo + "}}}");
  // Never a ping, which clients would answer.
  EXPECT_EQ(told(centrifuge_json(), "\xFF"), R"({"push":{"channel":"news"}})");
  EXPECT_EQ(told(centrifuge_protobuf(), "\xFF"), bytes({8, 34, 6, 18, 4}) + "news");
}

/// Random payloads and tellers: both encodings say the same, and JSON is valid.
TEST(CentrifugeCodec, BothEncodingsOfAPublicationAreOne) {
  std::mt19937 random(5);
  const auto text = [&random](std::size_t bytes_max, bool utf8) {
    std::string out;
    for (std::size_t n = random() % bytes_max; n > 0; --n)
      out += static_cast<char>(random() % (utf8 ? 0x80 : 0x100));
    return out;
  };
  for (int i = 0; i < 5000; ++i) {
    envelope::MessageMeta meta;
    if (random() % 2 == 0) {
      meta.mutable_publisher()->set_user(text(8, true));
      meta.mutable_publisher()->set_conn_info(text(300, false));
    }
    for (std::size_t n = random() % 4; n > 0; --n)
      (*meta.mutable_tags())[text(4, true)] = text(200, true);
    if (random() % 2 == 0) meta.set_time_ms(static_cast<std::int64_t>(random()));
    const std::string meta_text = meta.SerializeAsString();
    const std::string payload = text(300, random() % 2 == 0);
    const std::string channel = text(200, true) + "c";
    const ChannelMessage message{channel,
                                 {1, std::uint64_t{random()} << (random() % 33)},
                                 proto::as_bytes(payload),
                                 proto::as_bytes(meta_text)};
    const std::string in_json = encoded(centrifuge_json(), message);
    EXPECT_TRUE(Json::accept(in_json)) << in_json;
    EXPECT_EQ(json(parsed(encoded(centrifuge_protobuf(), message))), in_json);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace sluice::gateway
