// What clients say, in both encodings.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "gateway/protocols/centrifuge_codec.h"
#include "gateway/protocols/json_content.h"

namespace sluice::gateway {
namespace {

using centrifuge::Command;
using Json = nlohmann::ordered_json;

std::optional<std::vector<Command>> decode(const CentrifugeCodec& codec, std::string_view frame) {
  std::vector<Command> commands;
  if (!codec.decode(proto::as_bytes(frame), commands)) return std::nullopt;
  return commands;
}

Command one(const CentrifugeCodec& codec, std::string_view frame) {
  const auto commands = decode(codec, frame);
  EXPECT_TRUE(commands && commands->size() == 1) << frame;
  return commands && !commands->empty() ? commands->front() : Command();
}

Command json(std::string_view frame) {
  return one(centrifuge_json(), frame);
}

Command protobuf(std::initializer_list<int> bytes) {
  const std::string frame(bytes.begin(), bytes.end());
  return one(centrifuge_protobuf(), frame);
}

/// Every field with a presence of its own, maps in order.
std::string canonical(const Command& command) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  command.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

std::string framed(const Command& command) {
  const std::string bytes = canonical(command);
  std::string frame;
  for (std::size_t n = bytes.size(); frame.empty() || n > 0; n >>= 7U)
    frame += static_cast<char>((n & 0x7FU) | (n >= 0x80 ? 0x80U : 0U));
  return frame + bytes;
}

TEST(CentrifugeDecode, ConnectInJson) {
  const Command command = json(
      R"({"id":1,"connect":{"token":"t","data":{"a":1},"name":"js","version":"5.4","flag":3,)"
      R"("headers":{"k":"v"},"subs":{"n":{"recover":true,"epoch":"xyz","offset":18446744073709551615}}}})");
  EXPECT_EQ(command.id(), 1U);
  ASSERT_TRUE(command.has_connect());
  const auto& connect = command.connect();
  EXPECT_EQ(connect.token(), "t");
  EXPECT_EQ(connect.data(), R"({"a":1})");
  EXPECT_EQ(connect.name(), "js");
  EXPECT_EQ(connect.version(), "5.4");
  EXPECT_EQ(connect.flag(), 3);
  EXPECT_EQ(connect.headers().at("k"), "v");
  EXPECT_TRUE(connect.subs().at("n").recover());
  EXPECT_EQ(connect.subs().at("n").epoch(), "xyz");
  EXPECT_EQ(connect.subs().at("n").offset(), ~std::uint64_t{0});
}

TEST(CentrifugeDecode, SubscribeInJson) {
  const auto subscribe =
      json(R"({"id":2,"subscribe":{"channel":"news","token":"s","recover":true,"epoch":"e",)"
           R"("offset":41,"data":[1],"positioned":true,"recoverable":true,"join_leave":true,)"
           R"("delta":"fossil","flag":1,"type":-1,"tf":{"op":"and","nodes":[{"key":"a"}]}}})")
          .subscribe();
  EXPECT_EQ(subscribe.channel(), "news");
  EXPECT_EQ(subscribe.token(), "s");
  EXPECT_TRUE(subscribe.recover());
  EXPECT_EQ(subscribe.epoch(), "e");
  EXPECT_EQ(subscribe.offset(), 41U);
  EXPECT_EQ(subscribe.data(), "[1]");
  EXPECT_TRUE(subscribe.positioned() && subscribe.recoverable() && subscribe.join_leave());
  EXPECT_EQ(subscribe.delta(), "fossil");
  EXPECT_EQ(subscribe.flag(), 1);
  EXPECT_EQ(subscribe.type(), -1);
  EXPECT_TRUE(subscribe.has_tf());
}

TEST(CentrifugeDecode, EachOtherMethodInJson) {
  EXPECT_EQ(json(R"({"id":3,"unsubscribe":{"channel":"c"}})").unsubscribe().channel(), "c");
  const auto publish = json(R"({"id":4,"publish":{"channel":"c","data":"x"}})").publish();
  EXPECT_EQ(publish.channel(), "c");
  EXPECT_EQ(publish.data(), "\"x\"");
  EXPECT_EQ(json(R"({"id":5,"presence":{"channel":"c"}})").presence().channel(), "c");
  EXPECT_EQ(json(R"({"id":6,"presence_stats":{"channel":"c"}})").presence_stats().channel(), "c");
  const auto history =
      json(
          R"({"id":7,"history":{"channel":"c","limit":-1,"since":{"offset":3,"epoch":"e"},"reverse":true}})")
          .history();
  EXPECT_EQ(history.channel(), "c");
  EXPECT_EQ(history.limit(), -1);
  EXPECT_EQ(history.since().offset(), 3U);
  EXPECT_EQ(history.since().epoch(), "e");
  EXPECT_TRUE(history.reverse());
  EXPECT_TRUE(json(R"({"id":8,"ping":{}})").has_ping());
  EXPECT_EQ(json(R"({"send":{"data":{}}})").send().data(), "{}");
  const auto rpc = json(R"({"id":9,"rpc":{"method":"m","data":1}})").rpc();
  EXPECT_EQ(rpc.method(), "m");
  EXPECT_EQ(rpc.data(), "1");
  EXPECT_EQ(json(R"({"id":10,"refresh":{"token":"t"}})").refresh().token(), "t");
  const auto refresh = json(R"({"id":11,"sub_refresh":{"channel":"c","token":"t"}})").sub_refresh();
  EXPECT_EQ(refresh.channel(), "c");
  EXPECT_EQ(refresh.token(), "t");
}

TEST(CentrifugeDecode, JsonIsWhatSdksMayWrite) {
  EXPECT_EQ(methods_of(json("{}")), 0);
  EXPECT_EQ(json("{}").id(), 0U);
  EXPECT_EQ(json("{}\n").id(), 0U);
  EXPECT_EQ(json(" {\"id\" : 7 } \r\n").id(), 7U);
  // Unknown fields, with anything in them; fields that are null.
  EXPECT_EQ(json(R"({"new":[1,{"id":5}],"id":7,"other":1e999,"half":"\ud83d"})").id(), 7U);
  EXPECT_EQ(json(R"({"id":7,"method":null,"connect":null})").id(), 7U);
  const auto subscribe =
      json(R"({"id":1,"subscribe":{"channel":"c","token":null,"data":null,"tf":null,"x":"y"}})")
          .subscribe();
  EXPECT_EQ(subscribe.token(), "");
  EXPECT_EQ(subscribe.data(), "");
  EXPECT_FALSE(subscribe.has_tf());
  EXPECT_TRUE(json(R"({"id":1,"subscribe":{"tf":{}}})").subscribe().has_tf());
  // A key or text may be written with escapes.
  EXPECT_EQ(json(R"({"\u0069d":5})").id(), 5U);
  EXPECT_EQ(json(R"({"id":1,"presence":{"channel":"\u00e9\n\ud83d\ude00"}})").presence().channel(),
            "é\n😀");
}

TEST(CentrifugeDecode, DataOfJsonIsKeptAsItIs) {
  const auto data = [](const std::string& value) {
    return json(R"({"id":1,"publish":{"data":)" + value + R"(,"channel":"c"}})").publish().data();
  };
  for (const std::string value :
       {"null", "true", "1.10", "123456789012345678901234567890", "1e999", R"("\ud83d")", "\"\"",
        "[]", R"({"b":[{}, 1 ],"b":2})", R"("a\nb")"})
    EXPECT_EQ(data(value), value);
  EXPECT_EQ(data(" [ 1 ]  "), "[ 1 ]");
  EXPECT_EQ(data("\t\"x\" "), "\"x\"");
  // A carriage return is a line break to some SDKs, and no end of a command to us.
  EXPECT_EQ(data("[1,\r2]\r"), "[1,2]");
}

TEST(CentrifugeDecode, SeveralJsonCommandsStayInOrder) {
  const auto commands = decode(
      centrifuge_json(), "{\"id\":1}\n{}\n{\"id\":3,\"publish\":{\"channel\":\"c\",\"data\":1}}\n");
  ASSERT_TRUE(commands);
  ASSERT_EQ(commands->size(), 3U);
  EXPECT_EQ((*commands)[0].id(), 1U);
  EXPECT_EQ(methods_of((*commands)[1]), 0);
  EXPECT_EQ((*commands)[2].publish().data(), "1");
}

TEST(CentrifugeDecode, MalformedJsonIsRefused) {
  for (const std::string_view frame : {"",
                                       "\n",
                                       "\n\n",
                                       " ",
                                       "1",
                                       "[]",
                                       "null",
                                       "\"{}\"",
                                       "{",
                                       "}",
                                       "{}}",
                                       "{}{}",
                                       "{} 1",
                                       "{}\n\n",
                                       "\n{}",
                                       "{}\n\n{}",
                                       "{},{}",
                                       "[{}]",
                                       "{\"id\"}",
                                       "{\"id\":}",
                                       "{'id':1}",
                                       "{\"id\":01}",
                                       "\xFF",
                                       "{\"id\":1}\xC0",
                                       "{\"x\":\"\xC3\"}",
                                       "{\"id\":-1}",
                                       "{\"id\":1.0}",
                                       "{\"id\":1e0}",
                                       "{\"id\":\"1\"}",
                                       "{\"id\":4294967296}",
                                       "{\"id\":99999999999999999999}",
                                       "{\"id\":true}",
                                       "{\"id\":[1]}",
                                       "{\"id\":1,\"id\":1}",
                                       "{\"id\":1,\"\\u0069d\":2}",
                                       "{\"connect\":1}",
                                       "{\"connect\":[]}",
                                       "{\"connect\":\"\"}",
                                       "{\"ping\":1}",
                                       "{\"connect\":{},\"connect\":{}}",
                                       "{\"connect\":{},\"subscribe\":{}}",
                                       "{\"id\":1,\"publish\":{},\"send\":{}}",
                                       "{\"connect\":{\"token\":1}}",
                                       "{\"connect\":{\"token\":{}}}",
                                       "{\"connect\":{\"token\":\"\\ud83d\"}}",
                                       "{\"connect\":{\"subs\":[]}}",
                                       "{\"connect\":{\"subs\":{\"a\":1}}}",
                                       "{\"connect\":{\"subs\":{\"a\":{},\"a\":{}}}}",
                                       "{\"connect\":{\"headers\":{\"a\":1}}}",
                                       "{\"connect\":{\"flag\":9223372036854775808}}",
                                       "{\"connect\":{\"flag\":0.5}}",
                                       "{\"subscribe\":{\"recover\":1}}",
                                       "{\"subscribe\":{\"recover\":\"true\"}}",
                                       "{\"subscribe\":{\"offset\":-1}}",
                                       "{\"subscribe\":{\"offset\":18446744073709551616}}",
                                       "{\"subscribe\":{\"type\":2147483648}}",
                                       "{\"subscribe\":{\"tf\":1}}",
                                       "{\"subscribe\":{\"channel\":\"a\",\"channel\":\"b\"}}",
                                       "{\"history\":{\"limit\":-2147483649}}",
                                       "{\"history\":{\"since\":5}}",
                                       "{\"history\":{\"since\":{\"offset\":\"5\"}}}",
                                       "{\"publish\":{\"data\":}}",
                                       "{\"publish\":{\"data\":nul}}",
                                       "{\"publish\":{\"data\":[1,\n2]}}"})
    EXPECT_FALSE(decode(centrifuge_json(), frame)) << frame;
  EXPECT_FALSE(decode(centrifuge_json(), std::string_view("{}\0", 3)));
}

TEST(CentrifugeDecode, NestingIsBoundedInJson) {
  const auto nested = [](std::size_t depth) {
    return R"({"id":1,"publish":{"channel":"c","data":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
  };
  EXPECT_TRUE(decode(centrifuge_json(), nested(kJsonDepthMax - 2)));
  EXPECT_FALSE(decode(centrifuge_json(), nested(kJsonDepthMax - 1)));
  EXPECT_FALSE(decode(centrifuge_json(), nested(100'000)));
}

TEST(CentrifugeDecode, CommandsOfAFrameAreBounded) {
  std::string json;
  for (std::size_t i = 0; i < kCommandsPerFrameMax; ++i) json += "{}\n";
  EXPECT_TRUE(decode(centrifuge_json(), json));
  EXPECT_FALSE(decode(centrifuge_json(), json + "{}"));
  const std::string protobuf(kCommandsPerFrameMax, '\0');
  EXPECT_TRUE(decode(centrifuge_protobuf(), protobuf));
  EXPECT_FALSE(decode(centrifuge_protobuf(), protobuf + '\0'));
}

TEST(CentrifugeDecode, ALargeLineIsReadAsWell) {
  const std::string text = "\"" + std::string(1 << 20, 'x') + "\"";
  EXPECT_EQ(json(R"({"id":1,"publish":{"channel":"c","data":)" + text + "}}").publish().data(),
            text);
  EXPECT_EQ(json("{\"id\":2}").id(), 2U);
}

TEST(CentrifugeDecode, Protobuf) {
  EXPECT_EQ(methods_of(protobuf({0})), 0);
  const Command connect = protobuf({13, 8, 1, 34, 9, 10, 1, 't', 18, 0, 34, 2, 'j', 's'});
  EXPECT_EQ(connect.id(), 1U);
  EXPECT_EQ(connect.connect().token(), "t");
  EXPECT_EQ(connect.connect().name(), "js");
  const Command subscribe = protobuf({14, 8, 2, 42, 10, 10, 1, 'c', 24, 1, 50, 1, 'e', 56, 41});
  EXPECT_EQ(subscribe.subscribe().channel(), "c");
  EXPECT_TRUE(subscribe.subscribe().recover());
  EXPECT_EQ(subscribe.subscribe().epoch(), "e");
  EXPECT_EQ(subscribe.subscribe().offset(), 41U);
  // Any bytes are data; fields that are not known are passed over.
  const Command publish = protobuf({15, 8, 4, 58, 8, 10, 1, 'c', 18, 1, 255, 24, 1, 208, 5, 1});
  EXPECT_EQ(publish.publish().channel(), "c");
  EXPECT_EQ(publish.publish().data(), "\xFF");
  EXPECT_EQ(protobuf({6, 8, 3, 50, 2, 10, 0}).has_unsubscribe(), true);
  EXPECT_EQ(protobuf({4, 8, 5, 66, 0}).has_presence(), true);
  EXPECT_EQ(protobuf({4, 8, 6, 74, 0}).has_presence_stats(), true);
  EXPECT_EQ(protobuf({15, 8, 7, 82, 11, 56, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
                .history()
                .limit(),
            -1);
  EXPECT_EQ(protobuf({4, 8, 8, 90, 0}).has_ping(), true);
  EXPECT_EQ(protobuf({5, 98, 3, 10, 1, 'x'}).send().data(), "x");
  EXPECT_EQ(protobuf({7, 8, 9, 106, 3, 18, 1, 'm'}).rpc().method(), "m");
  EXPECT_EQ(protobuf({7, 8, 10, 114, 3, 10, 1, 't'}).refresh().token(), "t");
  EXPECT_EQ(protobuf({7, 8, 11, 122, 3, 18, 1, 't'}).sub_refresh().token(), "t");
}

TEST(CentrifugeDecode, MalformedProtobufIsRefused) {
  const std::vector<std::vector<int>> frames = {
      {},                                  // empty
      {1},                                 // shorter than it says
      {0x80},                              // a length that is cut
      {0x80, 0x80, 0x80, 0x80, 0x80, 0},   // and one that is too long
      {0xFF, 0xFF, 0xFF, 0xFF, 0x7F},      // more than 32 bits
      {0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1},   // 4 GiB to come
      {2, 8, 1, 5},                        // something behind it
      {1, 8},                              // a field that is cut
      {3, 34, 9, 10},                      // a submessage that is cut
      {2, 0, 0},                           // field number 0
      {2, 7, 0},                           // a wire type that is none
      {1, 12},                             // the end of a group that never began
      {4, 34, 0, 42, 0},                   // two methods
      {7, 34, 5, 10, 3, 0xFF, 0xC3, 'a'},  // text that is no UTF-8
      {3, 42, 1, 106},                     // a filter that is cut
  };
  for (const auto& frame : frames) {
    testing::internal::CaptureStderr();
    EXPECT_FALSE(decode(centrifuge_protobuf(), std::string(frame.begin(), frame.end())))
        << testing::PrintToString(frame);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  }
}

TEST(CentrifugeDecode, NestingIsBoundedInProtobuf) {
  // A group inside a group, unknown to us.
  const std::string groups = std::string(50'000, '\xCB') + std::string(50'000, '\xCC');
  std::string bytes;
  for (const char c : groups) (bytes += c) += '\x06';
  std::string frame;
  for (std::size_t n = bytes.size(); n > 0; n >>= 7U)
    frame += static_cast<char>((n & 0x7FU) | (n >= 0x80 ? 0x80U : 0U));
  EXPECT_FALSE(decode(centrifuge_protobuf(), frame + bytes));
}

/// Writes the JSON of a command, knowing nothing of the codec.
class RandomCommand {
 public:
  explicit RandomCommand(std::uint32_t seed) : random_(seed) {}

  Command command;
  Json json = Json::object();

  void make() {
    if (one_of(4) != 0) command.set_id(number("id", json, 32));
    switch (one_of(13)) {
      case 0:
        connect(json["connect"], *command.mutable_connect());
        break;
      case 1:
        subscribe(json["subscribe"], *command.mutable_subscribe());
        break;
      case 2:
        channel(json["unsubscribe"], *command.mutable_unsubscribe());
        break;
      case 3:
        publish(json["publish"], *command.mutable_publish());
        break;
      case 4:
        channel(json["presence"], *command.mutable_presence());
        break;
      case 5:
        channel(json["presence_stats"], *command.mutable_presence_stats());
        break;
      case 6:
        history(json["history"], *command.mutable_history());
        break;
      case 7:
        command.mutable_ping();
        json["ping"] = Json::object();
        break;
      case 8:
        data(json["send"] = Json::object(), *command.mutable_send());
        break;
      case 9:
        rpc(json["rpc"], *command.mutable_rpc());
        break;
      case 10:
        refresh(json["refresh"], *command.mutable_refresh());
        break;
      case 11:
        sub_refresh(json["sub_refresh"], *command.mutable_sub_refresh());
        break;
      default:
        break;
    }
  }

 private:
  std::uint32_t one_of(std::uint32_t count) { return random_() % count; }
  std::uint64_t number(const char* key, Json& in, unsigned bits) {
    const std::uint64_t value =
        (std::uint64_t{random_()} << 32U | random_()) >> (64 - bits + one_of(bits));
    if (value != 0 || one_of(2) == 0) in[key] = value;
    return value;
  }
  bool flag(const char* key, Json& in) {
    const bool value = one_of(2) == 0;
    if (value || one_of(2) == 0) in[key] = value;
    return value;
  }
  std::string text(const char* key, Json& in) {
    static const std::vector<std::string> kTexts = {
        "", "a", "news:1", "ünï", "\"\\\n\x01", "😀", "a longer text that fits no short string"};
    const std::string value = kTexts[one_of(kTexts.size())];
    if (!value.empty() || one_of(2) == 0) in[key] = value;
    return value;
  }
  template <typename Message>
  void data(Json& in, Message& message) {
    static const std::vector<std::string> kValues = {
        "{}", "[1,{\"a\":\"\\n\"}]", "null", "0", "\"ü\"", "-1.5", "true"};
    if (one_of(3) == 0) return;
    const std::string value = kValues[one_of(kValues.size())];
    in["data"] = Json::parse(value);
    message.set_data(Json::parse(value).dump());
  }
  template <typename Message>
  void data_unless_null(Json& in, Message& message) {
    data(in, message);
    if (message.data() == "null") message.clear_data();
  }
  template <typename Message>
  void channel(Json& in, Message& message) {
    in = Json::object();
    message.set_channel(text("channel", in));
  }
  void subscribe(Json& in, centrifuge::SubscribeRequest& message) {
    channel(in, message);
    message.set_token(text("token", in));
    message.set_recover(flag("recover", in));
    message.set_epoch(text("epoch", in));
    message.set_offset(number("offset", in, 64));
    data_unless_null(in, message);
    message.set_positioned(flag("positioned", in));
    message.set_recoverable(flag("recoverable", in));
    message.set_join_leave(flag("join_leave", in));
    message.set_delta(text("delta", in));
    message.set_flag(static_cast<std::int64_t>(number("flag", in, 63)));
    message.set_type(static_cast<std::int32_t>(number("type", in, 31)));
  }
  void connect(Json& in, centrifuge::ConnectRequest& message) {
    in = Json::object();
    message.set_token(text("token", in));
    data_unless_null(in, message);
    for (const char* name : {"a", "ü", "b\""}) {
      if (one_of(2) == 0) subscribe(in["subs"][name], (*message.mutable_subs())[name]);
      if (one_of(2) == 0) (*message.mutable_headers())[name] = in["headers"][name] = "value";
    }
    message.set_name(text("name", in));
    message.set_version(text("version", in));
    message.set_flag(static_cast<std::int64_t>(number("flag", in, 63)));
  }
  void publish(Json& in, centrifuge::PublishRequest& message) {
    channel(in, message);
    data(in, message);
  }
  void history(Json& in, centrifuge::HistoryRequest& message) {
    channel(in, message);
    message.set_limit(static_cast<std::int32_t>(number("limit", in, 31)));
    if (one_of(2) == 0) {
      Json& since = in["since"] = Json::object();
      message.mutable_since()->set_offset(number("offset", since, 64));
      message.mutable_since()->set_epoch(text("epoch", since));
    }
    message.set_reverse(flag("reverse", in));
  }
  void rpc(Json& in, centrifuge::RPCRequest& message) {
    in = Json::object();
    data(in, message);
    message.set_method(text("method", in));
  }
  void refresh(Json& in, centrifuge::RefreshRequest& message) {
    in = Json::object();
    message.set_token(text("token", in));
  }
  void sub_refresh(Json& in, centrifuge::SubRefreshRequest& message) {
    channel(in, message);
    message.set_token(text("token", in));
  }

  std::mt19937 random_;
};

TEST(CentrifugeDecode, BothEncodingsAreOneModel) {
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    RandomCommand random(seed);
    random.make();
    const std::string text = random.json.dump();
    const Command from_json = json(text);
    EXPECT_EQ(canonical(from_json), canonical(random.command)) << text;
    const Command from_protobuf = one(centrifuge_protobuf(), framed(random.command));
    EXPECT_EQ(canonical(from_protobuf), canonical(from_json)) << text;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace sluice::gateway
