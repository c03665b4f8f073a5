// Each rule of the judge with what keeps it and what breaks it.
#include "gateway/upgrade_request.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::gateway {
namespace {

constexpr const char* kKey = "dGhlIHNhbXBsZSBub25jZQ==";

struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::string version = "HTTP/1.1";
  std::string upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  std::string ws_version = "Sec-WebSocket-Version: 13\r\n";
  std::string key = std::string("Sec-WebSocket-Key: ") + kKey + "\r\n";
  std::string more;
};

tl::expected<UpgradeRequest, Refusal> judge(const Request& r, const UpgradeOptions& options = {}) {
  const std::string text = r.method + " " + r.target + " " + r.version +
                           "\r\nHost: example.org\r\nUser-Agent: test\r\n" + r.upgrade +
                           r.ws_version + r.key + r.more + "\r\n";
  HttpHead head;
  const char* problem = "";
  EXPECT_EQ(parse_head(text, head, problem), HeadStatus::kOk) << text;
  return judge_upgrade(head, options);
}

void expect_refused(const Request& request, RefusalReason reason, int status,
                    const UpgradeOptions& options = {}) {
  const auto answer = judge(request, options);
  ASSERT_FALSE(answer.has_value()) << request.target << request.more;
  EXPECT_EQ(to_string(answer.error().reason), to_string(reason));
  EXPECT_EQ(answer.error().status, status);
  EXPECT_FALSE(answer.error().text.empty());
}

std::string channel_of(const std::string& target) {
  Request request;
  request.target = target;
  const auto answer = judge(request);
  return answer ? answer->channel : "refused: " + answer.error().text;
}

TEST(UpgradeRequest, TakesABrowsersRequest) {
  Request request;
  request.upgrade = "Connection: keep-alive, upGRADE\r\nUpgrade: WebSocket\r\n";
  request.more = "Origin: https://example.org\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
  const auto answer = judge(request);
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  EXPECT_EQ(answer->channel, "livechat");
  EXPECT_EQ(answer->protocol, ProtocolKind::kPlain);
  EXPECT_EQ(answer->subprotocol, "");
  EXPECT_EQ(answer->sec_websocket_key, kKey);
  EXPECT_EQ(answer->host, "example.org");
  EXPECT_EQ(answer->origin, "https://example.org");
  EXPECT_EQ(answer->user_agent, "test");
}

TEST(UpgradeRequest, Paths) {
  EXPECT_EQ(channel_of("/?token=a/b"), "livechat");
  EXPECT_EQ(channel_of("/channel/room-1.a_b~c:d"), "room-1.a_b~c:d");
  EXPECT_EQ(channel_of("/channel/a?b=c"), "a");
  EXPECT_EQ(channel_of("/channel/sluice"), "sluice");
  EXPECT_EQ(channel_of("/channel/%61%3Ab"), "a:b");
  EXPECT_EQ(channel_of("http://example.org/channel/a"), "a");
  EXPECT_EQ(channel_of("ws://example.org/?a"), "livechat");
  EXPECT_EQ(channel_of("/channel/" + std::string(128, 'a')), std::string(128, 'a'));
  for (const char* target : {"/readyz", "//", "/channel", "/channels/a", "/channel/a/b", "*",
                             "example.org:80", "http://example.org", "channel/a", "/Channel/a"}) {
    Request request;
    request.target = target;
    expect_refused(request, RefusalReason::kPath, 404);
  }
}

TEST(UpgradeRequest, ChannelNames) {
  for (const std::string& name :
       {std::string(), std::string(129, 'a'), std::string("%"), std::string("%4"),
        std::string("%4g"), std::string("a%2Fb"), std::string("a%00"), std::string("a%20b"),
        std::string("a+b"), std::string("%c3%a9"), std::string("a#b"), std::string("a*"),
        std::string("sluice:a"), std::string("sluice%3Aa"), std::string("sluice:")}) {
    Request request;
    request.target = "/channel/" + name;
    expect_refused(request, RefusalReason::kChannelName, 400);
  }
}

TEST(UpgradeRequest, OnlyGet) {
  for (const char* method : {"HEAD", "POST", "get", "OPTIONS"}) {
    Request request;
    request.method = method;
    expect_refused(request, RefusalReason::kMethod, 405);
  }
}

TEST(UpgradeRequest, UpgradeMustBeAskedForInBothHeaders) {
  for (const char* upgrade :
       {"", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n", "Upgrade: websocket\r\nConnection: close\r\n"}) {
    Request request;
    request.upgrade = upgrade;
    expect_refused(request, RefusalReason::kNotUpgrade, 426);
  }
  Request old;
  old.version = "HTTP/1.0";
  expect_refused(old, RefusalReason::kNotUpgrade, 426);
}

TEST(UpgradeRequest, VersionIs13) {
  for (const char* version :
       {"", "Sec-WebSocket-Version: 8\r\n", "Sec-WebSocket-Version: 13, 8\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n"}) {
    Request request;
    request.ws_version = version;
    expect_refused(request, RefusalReason::kWebSocketVersion, 426);
  }
}

TEST(UpgradeRequest, KeyIs16BytesOnce) {
  const std::string good = std::string("Sec-WebSocket-Key: ") + kKey + "\r\n";
  for (const std::string& key :
       {std::string(), good + good, std::string("Sec-WebSocket-Key: \r\n"),
        std::string("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"),
        std::string("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQaa\r\n"),
        std::string("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-Q==\r\n"),
        std::string("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAAAAAA==\r\n")}) {
    Request request;
    request.key = key;
    expect_refused(request, RefusalReason::kWebSocketKey, 400);
  }
}

TEST(UpgradeRequest, NoBody) {
  for (const char* more : {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
                           "Content-Length: 0\r\nContent-Length: 5\r\n"}) {
    Request request;
    request.more = more;
    expect_refused(request, RefusalReason::kBody, 400);
  }
  Request empty;
  empty.more = "Content-Length: 0\r\n";
  EXPECT_TRUE(judge(empty).has_value());
}

TEST(UpgradeRequest, Origins) {
  UpgradeOptions options;
  options.allowed_origins = {"https://Example.org", "http://localhost:3000"};
  for (const char* origin :
       {"https://example.org", "HTTPS://EXAMPLE.ORG:443", "http://localhost:3000"}) {
    Request request;
    request.more = std::string("Origin: ") + origin + "\r\n";
    EXPECT_TRUE(judge(request, options).has_value()) << origin;
  }
  for (const char* origin :
       {"http://example.org", "https://example.org:8443", "https://example.org.evil.test",
        "https://evil.test/https://example.org", "https://example.org@evil.test", "null", "",
        "http://localhost", "https://example.org\r\nOrigin: https://example.org"}) {
    Request request;
    request.more = std::string("Origin: ") + origin + "\r\n";
    expect_refused(request, RefusalReason::kOrigin, 403, options);
  }
  EXPECT_TRUE(judge({}, options).has_value()) << "no browser sends no Origin";
}

TEST(UpgradeRequest, OriginForms) {
  EXPECT_EQ(parse_origin("HTTP://A.Example:80").value(), "http://a.example");
  EXPECT_EQ(parse_origin("http://a:443").value(), "http://a:443");
  EXPECT_EQ(parse_origin("https://[::1]:443").value(), "https://[::1]");
  EXPECT_EQ(parse_origin("https://[::1]").value(), "https://[::1]");
  EXPECT_EQ(parse_origin("NULL").value(), "null");
  for (const char* bad : {"", "example.org", "://a", "http://", "http://a:", "http://a:x",
                          "http://a:123456", "http://:80", "http://a/", "*"}) {
    EXPECT_FALSE(parse_origin(bad).has_value()) << bad;
  }
}

TEST(UpgradeRequest, SubprotocolIsTheClientsFirstChoiceThatIsKnown) {
  UpgradeOptions options;
  options.subprotocols = {{"one", ProtocolKind::kPlain}, {"two", ProtocolKind::kPlain}};
  Request request;
  request.more = "Sec-WebSocket-Protocol: zero, two\r\nSec-WebSocket-Protocol: one\r\n";
  EXPECT_EQ(judge(request, options)->subprotocol, "two");
  request.more = "Sec-WebSocket-Protocol: zero\r\n";
  EXPECT_EQ(judge(request, options)->subprotocol, "");
}

/// A request for the path, fit in everything else.
Request request_for(const std::string& target) {
  Request request;
  request.target = target;
  return request;
}

TEST(UpgradeRequest, DemoPathsSpeakItsProtocolWhereItIsServed) {
  UpgradeOptions options;
  options.demo = true;
  const std::pair<const char*, const char*> paths[] = {{"/demo", "livechat"},
                                                       {"/demo/", "livechat"},
                                                       {"/demo?x=/y", "livechat"},
                                                       {"/demo/channel/a%7Eb", "a~b"}};
  for (const auto& [path, channel] : paths) {
    const auto answer = judge(request_for(path), options);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->channel, channel);
    EXPECT_EQ(answer->protocol, ProtocolKind::kDemo);
    expect_refused(request_for(path), RefusalReason::kPath, 404);
  }
  EXPECT_EQ(judge(request_for("/channel/demo"), options)->protocol, ProtocolKind::kPlain);
  expect_refused(request_for("/demo/channel/"), RefusalReason::kChannelName, 400, options);
  for (const char* path : {"/demo.js", "/demox", "/demo/demo", "/demo/channel/a/b"}) {
    expect_refused(request_for(path), RefusalReason::kPath, 404, options);
  }
}

TEST(UpgradeRequest, RulesSayWhichChannelsPlainClientsMayHave) {
  UpgradeOptions options;
  options.default_channel = "lobby";
  options.demo = true;
  options.plain_may_subscribe = [](std::string_view channel) { return channel == "open"; };
  Request request;
  expect_refused(request, RefusalReason::kNotAllowed, 403, options);
  request.target = "/channel/closed";
  expect_refused(request, RefusalReason::kNotAllowed, 403, options);
  request.target = "/demo/channel/closed";
  expect_refused(request, RefusalReason::kNotAllowed, 403, options);
  for (const char* target : {"/channel/open", "/channel/op%65n", "/demo/channel/open"}) {
    request.target = target;
    EXPECT_TRUE(judge(request, options).has_value()) << target;
  }
}

// ---- the Centrifuge protocol

constexpr const char* kCentrifugePath = "/connection/websocket";

UpgradeOptions with_centrifuge() {
  UpgradeOptions options;
  options.centrifuge = true;
  return options;
}

// Its channels are asked for by commands, and its token comes with the first.
TEST(UpgradeRequest, IsNotJudgedByWhatPlainClientsMay) {
  UpgradeOptions options = with_centrifuge();
  options.plain_may_subscribe = [](std::string_view) { return false; };
  EXPECT_TRUE(judge(request_for(kCentrifugePath), options).has_value());
  expect_refused(request_for("/"), RefusalReason::kNotAllowed, 403, options);
}

TEST(UpgradeRequest, CentrifugeWhereItIsServed) {
  const auto answer = judge(request_for(kCentrifugePath), with_centrifuge());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->protocol, ProtocolKind::kCentrifugeJson);
  EXPECT_EQ(answer->channel, "");
  EXPECT_EQ(answer->subprotocol, "");
  EXPECT_FALSE(answer->frame_pings);
  const auto refused = judge(request_for(kCentrifugePath));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 404);
  EXPECT_NE(refused.error().text.find("--open-access"), std::string::npos);
  for (const char* path : {"/connection/websocket/", "/connection", "/connection/sse"})
    expect_refused(request_for(path), RefusalReason::kPath, 404, with_centrifuge());
  EXPECT_EQ(judge(request_for("/"), with_centrifuge())->protocol, ProtocolKind::kPlain);
}

TEST(UpgradeRequest, CentrifugeEncodings) {
  constexpr auto kJson = ProtocolKind::kCentrifugeJson;
  constexpr auto kProtobuf = ProtocolKind::kCentrifugeProtobuf;
  struct Case {
    const char* query;
    const char* offered;  ///< null: no such header
    ProtocolKind kind;
    const char* answered;
  };
  const Case cases[] = {
      {"", "centrifuge-json", kJson, "centrifuge-json"},
      {"", "centrifuge-protobuf", kProtobuf, "centrifuge-protobuf"},
      {"", "x, centrifuge-protobuf, centrifuge-json", kProtobuf, "centrifuge-protobuf"},
      {"", "x", kJson, ""},
      {"", "Centrifuge-Protobuf", kJson, ""},
      {"?format=protobuf", nullptr, kProtobuf, ""},
      {"?cf_protocol=protobuf", nullptr, kProtobuf, ""},
      {"?a=b&format=protobuf&c", nullptr, kProtobuf, ""},
      {"?format=protobuf", "x", kProtobuf, ""},
      {"?format=protobuf", "centrifuge-json", kJson, "centrifuge-json"},
      {"?format=json", nullptr, kJson, ""},
      {"?format=protobufs", nullptr, kJson, ""},
      {"?xformat=protobuf", nullptr, kJson, ""},
      {"?format", nullptr, kJson, ""},
      {"?&&=&format=&protobuf", nullptr, kJson, ""},
  };
  for (const Case& one : cases) {
    Request request = request_for(std::string(kCentrifugePath) + one.query);
    if (one.offered != nullptr)
      request.more = std::string("Sec-WebSocket-Protocol: ") + one.offered + "\r\n";
    const auto answer = judge(request, with_centrifuge());
    ASSERT_TRUE(answer) << one.query;
    EXPECT_EQ(answer->protocol, one.kind) << one.query << " " << request.more;
    EXPECT_EQ(answer->subprotocol, one.answered) << one.query << " " << request.more;
  }
}

TEST(UpgradeRequest, CentrifugePings) {
  const auto pings = [](const std::string& query) {
    return judge(request_for(kCentrifugePath + query), with_centrifuge())->frame_pings;
  };
  EXPECT_TRUE(pings("?cf_ws_frame_ping_pong=true"));
  EXPECT_TRUE(pings("?format=json&cf_ws_frame_ping_pong=true"));
  EXPECT_FALSE(pings("?cf_ws_frame_ping_pong=false"));
}

TEST(UpgradeRequest, KeepsTheHeadersThatAreAskedFor) {
  UpgradeOptions options = with_centrifuge();
  options.forwarded_headers = {"cookie", "x-tenant", "x-missing", "x-empty"};
  Request request = request_for(kCentrifugePath);
  request.more = "Cookie: a=b\r\nX-TENANT: one\r\nX-Empty:\r\nX-Other: no\r\nx-tenant: two\r\n";
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"cookie", "a=b"}, {"x-tenant", "one, two"}, {"x-empty", ""}};
  EXPECT_EQ(judge(request, options)->headers, expected);
}

}  // namespace
}  // namespace sluice::gateway
