// What no SDK sends: it is refused with the protocol's code, and another client on the same gateway
// is untouched.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "tests/process/support/centrifuge_client.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

constexpr Millis kWait = 60s;
constexpr int kManySubscriptions = 10'000;

const std::string kRules = R"([connection]
anonymous = true
channels_max = 10000
[channels]
subscribe = "everyone"
publish = "subscribers"
presence = "everyone"
history = "everyone"
history_size = 10
history_ttl = "1m"
recovery = "on-demand"
[namespaces.users]
subscribe = "users"
[namespaces.token]
subscribe = "token"
)";

class Hostile : public testing::TestWithParam<CentrifugeEncoding> {
 protected:
  void start(Args more = {}, const std::string& text = kRules) {
    const std::string rules = files_.write("rules.toml", text);
    Stack::Settings settings;
    settings.relay_args = {"--rules", rules};
    settings.gateway_args = {"--rules", rules, "--token-key-file", keys_};
    settings.gateway_args.insert(settings.gateway_args.end(), more.begin(), more.end());
    stack_ = std::make_unique<Stack>(std::move(settings));
    bystander_ = fleet_.connect(options());
    fleet_.subscribe(bystander_, "room");
    ASSERT_TRUE(
        fleet_.run_until(kWait, [&] { return fleet_.all_subscribed(bystander_, bystander_ + 1); }));
  }
  CentrifugeOptions options(const std::string& token = "") const {
    CentrifugeOptions options;
    options.to = stack_->gateway().endpoint();
    options.encoding = GetParam();
    options.token = token;
    options.reconnect = false;
    return options;
  }
  [[nodiscard]] bool json() const { return GetParam() == CentrifugeEncoding::kJson; }
  WsClient dial() {
    UpgradeRequest request;
    request.path = "/connection/websocket";
    request.headers["Sec-WebSocket-Protocol"] = subprotocol(GetParam());
    return WsClient::dial(stack_->gateway().endpoint(), request);
  }
  void send(WsClient& client, std::string_view frame) {
    json() ? client.send_text(frame) : client.send_binary(frame);
  }
  [[nodiscard]] std::string frame_of(const std::vector<centrifuge::Command>& commands) const {
    std::string frame;
    for (const centrifuge::Command& one : commands) append_command(GetParam(), one, frame);
    return frame;
  }
  static centrifuge::Command connect_command(std::uint32_t id) {
    centrifuge::Command command;
    command.set_id(id);
    (void)command.mutable_connect();
    return command;
  }
  static centrifuge::Command subscribe_command(std::uint32_t id, const std::string& channel) {
    centrifuge::Command command;
    command.set_id(id);
    command.mutable_subscribe()->set_channel(channel);
    return command;
  }
  WsClient connected() {
    WsClient client = dial();
    send(client, frame_of({connect_command(1)}));
    EXPECT_EQ(read_replies(GetParam(), client.message(kWait)).at(0).id(), 1U);
    return client;
  }
  /// It is on the connection that it had, hears what is published, and publishes.
  void expect_bystander_untouched() {
    ++number_;
    EXPECT_EQ(fleet_.publish(bystander_, "room", numbered_data(number_)).error().code(), 0U);
    EXPECT_TRUE(fleet_.run_until(kWait, [&] { return fleet_.all_reached("room", number_); }));
    EXPECT_EQ(fleet_.client(bystander_).connects, 1U);
    EXPECT_EQ(fleet_.faults(), CentrifugeFaults{});
  }
  std::string token(const Args& args, const std::string& keys) const {
    SpawnOptions options;
    options.args = {tool_program(), "token", "make", "--key-file", keys};
    options.args.insert(options.args.end(), args.begin(), args.end());
    const Finished finished = run(std::move(options));
    EXPECT_EQ(finished.status.code, 0) << finished.output;
    return finished.output.substr(0, finished.output.find('\n'));
  }
  std::string token(const Args& args) const { return token(args, keys_); }

  TempDir files_;
  std::string keys_ = files_.write("keys", "HS256 0123456789abcdef0123456789abcdef\n");
  std::string foreign_keys_ = files_.write("foreign", "HS256 fedcba9876543210fedcba9876543210\n");
  std::unique_ptr<Stack> stack_;
  CentrifugeFleet fleet_;
  std::size_t bystander_ = 0;
  std::uint64_t number_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Encodings, Hostile,
                         testing::Values(CentrifugeEncoding::kJson, CentrifugeEncoding::kProtobuf),
                         [](const auto& one) {
                           return one.param == CentrifugeEncoding::kJson ? "Json" : "Protobuf";
                         });

TEST_P(Hostile, WhatIsNoCommandEndsTheConnection) {
  start();
  const std::vector<std::string> texts = {
      "",
      "\n",
      "null",
      "[]",
      "7",
      "{",
      R"({"id":2)",
      R"({"id":-1,"rpc":{}})",
      R"({"id":4294967296,"rpc":{}})",
      R"({"id":"2","rpc":{}})",
      R"({"id":2,"ping":{}})",
      R"({"rpc":{}})",
      R"({"id":2,"connect":{}})",
      R"({"id":2,"rpc":{},"publish":{"channel":"room","data":1}})",
      R"({"id":2,"subscribe":{}})",
      R"({"id":2,"subscribe":{"channel":7}})",
      R"({"id":2,"publish":{"channel":"","data":1}})",
      R"({"id":2,"history":{"channel":"room","since":7}})",
      R"({"id":2,"refresh":{}})",
      "{}",
      "{}\n{}",
      "{\"id\":2,\"rpc\":{}}\n\x01",
      std::string(30000, '['),
      R"({"id":2,"rpc":{"data":)" + std::string(30000, '[') + "}}"};
  const std::vector<std::string> bytes = {
      "",
      std::string(1, '\x01'),
      std::string("\x05\x08\x02", 3),
      std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10),
      std::string("\x02\x0f\x0f", 3),
      std::string("\x04\x08\x02\x22\x00", 5),

      std::string("\x02\x22\x00", 3),
      std::string(30000, '\xff'),
      std::string(1, '\0')};
  for (const std::string& frame : json() ? texts : bytes) {
    WsClient client = connected();
    send(client, frame);
    const WsEvent end = client.wait_close(kWait);
    EXPECT_EQ(end.code, 3501) << frame.substr(0, 80) << ": " << describe(end);
    WsClient first = dial();
    send(first,
         frame.starts_with(R"({"id":2,"connect)") || frame == std::string("\x04\x08\x02\x22\x00", 5)
             ? std::string("x")
             : frame);
    EXPECT_EQ(first.wait_close(kWait).code, 3501) << frame.substr(0, 80);
  }
  expect_bystander_untouched();
}

TEST_P(Hostile, NamesAndDataThatCantBeAreErrors) {
  start();
  const std::size_t one = fleet_.connect(options());
  const auto code_of = [&](const auto& fill) {
    centrifuge::Command command;
    fill(command);
    return fleet_.call(one, command, kWait).error().code();
  };
  for (const std::string& channel :
       {std::string(256, 'x'), std::string("\x01") + "members", std::string("a\nb")}) {
    EXPECT_EQ(code_of([&](auto& c) { c.mutable_subscribe()->set_channel(channel); }), 107U);
    EXPECT_EQ(code_of([&](auto& c) { c.mutable_presence()->set_channel(channel); }), 107U);
    EXPECT_EQ(code_of([&](auto& c) { c.mutable_history()->set_channel(channel); }), 107U);
    EXPECT_EQ(code_of([&](auto& c) {
                c.mutable_publish()->set_channel(channel);
                c.mutable_publish()->set_data("1");
              }),
              107U);
  }
  EXPECT_EQ(code_of([](auto& c) {
              c.mutable_subscribe()->set_channel("room");
              c.mutable_subscribe()->mutable_tf()->set_key("k");
            }),
            107U);
  EXPECT_EQ(code_of([](auto& c) { c.mutable_publish()->set_channel("room"); }), 107U)
      << "without data";
  EXPECT_EQ(code_of([](auto& c) { c.mutable_subscribe()->set_channel("none:1"); }), 102U);
  EXPECT_EQ(code_of([](auto& c) { c.mutable_subscribe()->set_channel("users:1"); }), 103U);
  EXPECT_EQ(code_of([](auto& c) { c.mutable_subscribe()->set_channel("own"); }), 0U);
  EXPECT_EQ(code_of([](auto& c) { c.mutable_subscribe()->set_channel("own"); }), 105U);
  // Positions that never were.
  EXPECT_EQ(code_of([](auto& c) {
              c.mutable_history()->set_channel("room");
              c.mutable_history()->set_limit(10);
              c.mutable_history()->mutable_since()->set_epoch("not of ours");
            }),
            112U);
  centrifuge::Command recover;
  recover.mutable_subscribe()->set_channel("other");
  recover.mutable_subscribe()->set_recover(true);
  recover.mutable_subscribe()->set_epoch("0123456789abcdef");
  recover.mutable_subscribe()->set_offset(UINT64_MAX);
  const centrifuge::Reply told = fleet_.call(one, recover, kWait);
  EXPECT_TRUE(told.subscribe().was_recovering());
  EXPECT_FALSE(told.subscribe().recovered());
  EXPECT_EQ(told.subscribe().offset(), 0U);
  expect_bystander_untouched();
}

TEST_P(Hostile, HugeBatches) {
  start({"--max-message-size", "2MiB"});
  // More than an SDK's subscriptions would ever be.
  {
    WsClient client = connected();
    std::vector<centrifuge::Command> commands;
    for (std::uint32_t id = 2; id < 20'002; ++id)
      commands.push_back(subscribe_command(id, "c" + std::to_string(id)));
    send(client, frame_of(commands));
    EXPECT_EQ(client.wait_close(kWait).code, 3501);
  }
  expect_bystander_untouched();
  // What waits behind the subscribe of its channel is bounded.
  {
    WsClient client = connected();
    std::uint32_t id = 1;
    std::string frames;
    for (int frame = 0; frame < 20; ++frame) {
      std::vector<centrifuge::Command> commands;
      for (int i = 0; i < 1000; ++i) {
        if (i % 2 == 0) {
          commands.push_back(subscribe_command(++id, "waiting"));
          continue;
        }
        commands.emplace_back().set_id(++id);
        commands.back().mutable_unsubscribe()->set_channel("waiting");
      }
      frames += client_frame(json() ? WsOpcode::kText : WsOpcode::kBinary, frame_of(commands));
    }
    (void)client.socket().try_send(frames);
    EXPECT_EQ(client.wait_close(kWait).code, 3008);
  }
  expect_bystander_untouched();
  // Questions to the relay: those above the bound are refused for now, each with a reply.
  {
    WsClient client = connected();
    constexpr std::uint32_t kQuestions = 20'000;
    std::uint32_t id = 1;
    std::string frames;
    while (id <= kQuestions) {
      std::vector<centrifuge::Command> commands;
      for (int i = 0; i < 1000; ++i) {
        commands.emplace_back().set_id(++id);
        commands.back().mutable_presence_stats()->set_channel("room");
      }
      frames += client_frame(json() ? WsOpcode::kText : WsOpcode::kBinary, frame_of(commands));
    }
    client.send_raw(frames);
    std::size_t good = 0;
    std::size_t refused = 0;
    while (good + refused < kQuestions) {
      for (const centrifuge::Reply& reply : read_replies(GetParam(), client.message(kWait))) {
        if (reply.error().code() == 0) {
          ++good;
        } else {
          ++refused;
          EXPECT_EQ(reply.error().code(), 111U);
          EXPECT_TRUE(reply.error().temporary());
        }
      }
    }
    EXPECT_GE(good, 1000U);
  }
  expect_bystander_untouched();
  // Publications in one frame: each has its offset, nobody is cut.
  {
    WsClient client = connected();
    send(client, frame_of({subscribe_command(2, "many")}));
    (void)client.message(kWait);
    std::vector<centrifuge::Command> commands;
    for (std::uint32_t id = 3; id < 1003; ++id) {
      commands.emplace_back().set_id(id);
      commands.back().mutable_publish()->set_channel("many");
      commands.back().mutable_publish()->set_data("1");
    }
    send(client, frame_of(commands));
    std::size_t replies = 0;
    std::size_t publications = 0;
    std::uint64_t offset = 0;
    while (replies < commands.size() || publications < commands.size()) {
      for (const centrifuge::Reply& reply : read_replies(GetParam(), client.message(kWait))) {
        EXPECT_EQ(reply.error().code(), 0U);
        if (reply.id() != 0) ++replies;
        if (!reply.push().has_pub()) continue;
        ++publications;
        EXPECT_EQ(reply.push().pub().offset(), ++offset);
      }
    }
  }
  expect_bystander_untouched();
}

TEST_P(Hostile, TenThousandSubscriptionsOnOneConnection) {
  start({"--max-channels", "20000"});
  const std::size_t one = fleet_.connect(options());
  for (int i = 0; i < kManySubscriptions; ++i) fleet_.subscribe(one, "c" + std::to_string(i));
  ASSERT_TRUE(fleet_.run_until(kWait, [&] { return fleet_.all_subscribed(one, one + 1); }))
      << fleet_.client(one).close_code;
  expect_bystander_untouched();
  fleet_.subscribe(one, "over");
  ASSERT_TRUE(
      fleet_.run_until(kWait, [&] { return fleet_.stream(one, "over").error.code() != 0; }));
  EXPECT_EQ(fleet_.stream(one, "over").error.code(), 106U);
  for (const char* channel : {"c0", "c9999"}) {
    EXPECT_EQ(fleet_.publish(one, channel, "1").error().code(), 0U);
    EXPECT_TRUE(fleet_.run_until(kWait, [&] { return fleet_.stream(one, channel).received == 1; }));
  }
  EXPECT_EQ(fleet_.client(one).connects, 1U);
  fleet_.cut(one);
  expect_bystander_untouched();
}

TEST_P(Hostile, SubscriptionsBeyondTheBound) {
  start({},
        "[connection]\nanonymous = true\n[channels]\nsubscribe = \"everyone\"\n"
        "publish = \"everyone\"\n");
  const std::size_t one = fleet_.connect(options());
  for (int i = 0; i < kManySubscriptions; ++i) fleet_.subscribe(one, "c" + std::to_string(i));
  ASSERT_TRUE(fleet_.run_until(kWait, [&] { return fleet_.all_subscribed(one, one + 1); }))
      << fleet_.client(one).close_code;
  int subscribed = 0;
  int refused = 0;
  for (const auto& [channel, stream] : fleet_.client(one).streams) {
    if (stream.state == CentrifugeStream::State::kSubscribed) ++subscribed;
    if (stream.error.code() == 106) ++refused;
  }
  EXPECT_EQ(subscribed, 128);
  EXPECT_EQ(refused, kManySubscriptions - 128);
  expect_bystander_untouched();
}

TEST_P(Hostile, TokensThatAreNone) {
  start();
  const std::string right = token({"--user", "42"});
  const std::string past = R"({"exp":1000000000})";
  const auto part = [](const std::string& of, int index) {
    std::size_t at = 0;
    for (; index > 0; --index) at = of.find('.', at) + 1;
    return of.substr(at, of.find('.', at) - at);
  };
  struct Case {
    const char* what;
    std::string token;
    int close;            ///< 0: none
    std::uint32_t error;  ///< of the connect reply
  };
  const std::string header_none = "eyJhbGciOiJub25lIn0";        // {"alg":"none"}
  const std::string header_none_large = "eyJhbGciOiJOb05lIn0";  // {"alg":"NoNe"}
  const std::string header_rs256 = "eyJhbGciOiJSUzI1NiJ9";      // {"alg":"RS256"}
  const std::string header_hs512 = "eyJhbGciOiJIUzUxMiJ9";      // {"alg":"HS512"}
  const std::vector<Case> cases = {
      {"expired", token({"--user", "42", "--claims", past}), 0, 109},
      {"expired by a foreign key", token({"--user", "42", "--claims", past}, foreign_keys_), 3500,
       0},
      {"foreign key", token({"--user", "42"}, foreign_keys_), 3500, 0},
      {"none", header_none + "." + part(right, 1) + ".", 3500, 0},
      {"none with a signature", header_none + "." + part(right, 1) + "." + part(right, 2), 3500, 0},
      {"NoNe", header_none_large + "." + part(right, 1) + ".", 3500, 0},
      {"another algorithm", header_rs256 + "." + part(right, 1) + "." + part(right, 2), 3500, 0},
      {"another length", header_hs512 + "." + part(right, 1) + "." + part(right, 2), 3500, 0},
      {"no signature", part(right, 0) + "." + part(right, 1) + ".", 3500, 0},
      {"others' claims",
       part(right, 0) + "." + part(token({"--user", "7"}), 1) + "." + part(right, 2), 3500, 0},
      {"two parts", part(right, 0) + "." + part(right, 1), 3500, 0},
      {"four parts", right + ".x", 3500, 0},
      {"of a channel", token({"--user", "42", "--channel", "room"}), 3500, 0},
      {"noise", "noise", 3500, 0},
      {"long", std::string(20000, 'a'), 3500, 0}};
  for (const Case& one : cases) {
    WsClient client = dial();
    centrifuge::Command command = connect_command(1);
    command.mutable_connect()->set_token(one.token);
    send(client, frame_of({command}));
    if (one.close != 0) {
      EXPECT_EQ(client.wait_close(kWait).code, one.close) << one.what;
      continue;
    }
    EXPECT_EQ(read_replies(GetParam(), client.message(kWait)).at(0).error().code(), one.error)
        << one.what;
    // Refused, it may do nothing more.
    send(client, frame_of({subscribe_command(2, "room")}));
    EXPECT_EQ(client.wait_close(kWait).code, 3501) << one.what;
  }

  const std::size_t ada = fleet_.connect(options(right));
  const auto subscribe = [&](const std::string& channel, const std::string& with) {
    centrifuge::Command command = subscribe_command(1, channel);
    command.mutable_subscribe()->set_token(with);
    return fleet_.call(ada, command, kWait).error().code();
  };
  const std::string good = token({"--user", "42", "--channel", "token:1"});
  EXPECT_EQ(subscribe("token:1", ""), 103U);
  EXPECT_EQ(subscribe("token:1", right), 103U) << "a connection token";
  EXPECT_EQ(subscribe("token:2", good), 103U) << "another channel";
  EXPECT_EQ(subscribe("token:1", token({"--user", "7", "--channel", "token:1"})), 103U);
  EXPECT_EQ(subscribe("token:1", token({"--user", "42", "--channel", "token:1"}, foreign_keys_)),
            103U);
  EXPECT_EQ(subscribe("token:1", header_none + "." + part(good, 1) + "."), 103U);
  EXPECT_EQ(subscribe("token:1", "noise"), 103U);
  EXPECT_EQ(subscribe("token:1", token({"--user", "42", "--channel", "token:1", "--claims", past})),
            109U);
  EXPECT_EQ(subscribe("token:1", good), 0U);
  expect_bystander_untouched();
  const std::string log = stack_->gateway().process().output();
  EXPECT_EQ(log.find(part(right, 1)), std::string::npos) << "nothing of a token is logged";
}

}  // namespace
}  // namespace sluice::test
