// Who gets in, where, and what those hear who do not.
#include <gtest/gtest.h>

#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/proxy_header.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

class Connect : public ::testing::Test {
 protected:
  Gateway& start(Args args = {}, const std::string& listen = "127.0.0.1:0") {
    gateway_.reset();  // its id is free before the next one asks for it
    if (!relay_) relay_ = std::make_unique<Relay>(directory_);
    GatewaySettings settings;
    settings.relay = relay_->address();
    settings.args = std::move(args);
    settings.listen = listen;
    gateway_ = std::make_unique<Gateway>(std::move(settings));
    return *gateway_;
  }

  int status_of(const UpgradeRequest& request) {
    return WsClient::dial(gateway_->endpoint(), request).response().status;
  }
  int status_of_path(const std::string& path) {
    UpgradeRequest request;
    request.path = path;
    return status_of(request);
  }
  double connections() { return gateway_->metrics().value("sluice_gateway_connections"); }

  TempDir directory_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(Connect, RootIsTheDefaultChannel) {
  start({"--default-channel", "lobby"});
  WsClient root = WsClient::connect(gateway_->endpoint());
  WsClient named = WsClient::connect(gateway_->endpoint(), "/channel/lobby");
  WsClient other = WsClient::connect(gateway_->endpoint(), "/channel/elsewhere");
  root.send_text("hello");
  EXPECT_EQ(named.text(), "hello");
  EXPECT_EQ(root.text(), "hello");
  other.send_text("not yours");
  EXPECT_EQ(other.text(), "not yours");
  EXPECT_TRUE(root.quiet(50ms));
}

TEST_F(Connect, QueryStringIsIgnored) {
  start();
  WsClient plain = WsClient::connect(gateway_->endpoint(), "/channel/a");
  WsClient query = WsClient::connect(gateway_->endpoint(), "/channel/a?token=1");
  query.send_text("x");
  EXPECT_EQ(plain.text(), "x");
}

TEST_F(Connect, OtherPathsAreNotFound) {
  start();
  for (const char* path : {"/nope", "/channel", "/channel/a/b", "/channels/a", "//", "/metrics"}) {
    EXPECT_EQ(status_of_path(path), 404) << path;
  }
  for (const std::string& name : {std::string(), std::string(129, 'a'), std::string("a%20b"),
                                  std::string("a+b"), std::string("%"), std::string("a%00")}) {
    EXPECT_EQ(status_of_path("/channel/" + name), 400) << name;
  }
  EXPECT_EQ(status_of_path("/channel/" + std::string(128, 'a')), 101);
  EXPECT_EQ(status_of_path("/channel/Az09._~:-"), 101);
  EXPECT_EQ(status_of_path("/"), 101);
}

TEST_F(Connect, ArticlesLogLines) {
  start();
  {
    const WsClient client = WsClient::connect(gateway_->endpoint());
    gateway_->process().wait_line("subscribed.*livechat");
    gateway_->process().wait_line("client.*connected");
  }
  gateway_->process().wait_line("client.*closed");
}

TEST_F(Connect, PlainRequestIsToldToUpgrade) {
  start();
  const HttpResponse response = http_get(gateway_->endpoint(), "/");
  EXPECT_EQ(response.status, 426);
  EXPECT_EQ(response.headers.at("upgrade"), "websocket");
}

TEST_F(Connect, BadUpgradesAreRefused) {
  start();
  UpgradeRequest request;
  request.headers = {{"Sec-WebSocket-Version", "8"}};
  const HttpResponse old = WsClient::dial(gateway_->endpoint(), request).response();
  EXPECT_EQ(old.status, 426);
  EXPECT_EQ(old.headers.at("sec-websocket-version"), "13");
  request.headers = {{"Sec-WebSocket-Key", ""}};
  EXPECT_EQ(status_of(request), 400);
  request.headers = {{"Sec-WebSocket-Key", "short"}};
  EXPECT_EQ(status_of(request), 400);
  request.headers = {};
  request.method = "POST";
  EXPECT_EQ(status_of(request), 405);
  EXPECT_EQ(http_exchange(gateway_->endpoint(), "nonsense\r\n\r\n").status, 400);
  EXPECT_EQ(status_of({}), 101);
}

TEST_F(Connect, ExtensionsAreNeverAgreed) {
  start();
  UpgradeRequest request;
  request.headers = {{"Sec-WebSocket-Extensions", "permessage-deflate"}};
  const WsClient client = WsClient::dial(gateway_->endpoint(), request);  // throws when agreed
  EXPECT_TRUE(client.open());
}

TEST_F(Connect, RequestThatComesByteByByte) {
  start();
  Socket socket = Socket::connect(gateway_->endpoint());
  for (const char byte : upgrade_bytes({})) socket.send_all(std::string_view(&byte, 1));
  std::string rest;
  EXPECT_EQ(read_head(socket, rest).status, 101);
}

TEST_F(Connect, FrameDirectlyBehindTheRequest) {
  start();
  Socket socket = Socket::connect(gateway_->endpoint());
  socket.send_all(upgrade_bytes({}) + client_frame(WsOpcode::kText, "in one packet"));
  std::string rest;
  EXPECT_EQ(read_head(socket, rest).status, 101);
  WsReader reader;
  reader.feed(rest);
  std::optional<WsFrame> frame;
  while (!(frame = reader.next())) {
    const ReadResult part = socket.read_some(5s);
    ASSERT_EQ(part.end, ReadEnd::kData);
    reader.feed(part.data);
  }
  EXPECT_EQ(frame->payload, "in one packet");
}

TEST_F(Connect, OnlyAllowedOrigins) {
  start({"--allowed-origin", "https://a.example", "--allowed-origin", "https://b.example"});
  UpgradeRequest request;
  for (const char* good : {"https://a.example", "https://b.example"}) {
    request.origin = good;
    EXPECT_EQ(status_of(request), 101) << good;
  }
  for (const char* bad : {"https://c.example", "http://a.example", "https://a.example.evil.org",
                          "https://a.example:444", "null"}) {
    request.origin = bad;
    EXPECT_EQ(status_of(request), 403) << bad;
  }
}

TEST_F(Connect, ProcessLimitAnswers503) {
  start({"--max-connections", "3"});
  for (int round = 0; round < 2; ++round) {
    std::vector<WsClient> clients;
    clients.reserve(3);
    for (int i = 0; i < 3; ++i) clients.push_back(WsClient::connect(gateway_->endpoint()));
    EXPECT_EQ(status_of({}), 503);
    clients.clear();
    ASSERT_TRUE(eventually(5s, [&] { return connections() == 0; }));
  }
}

TEST_F(Connect, AddressLimitAnswers429) {
  start({"--max-connections-per-ip", "2"});
  Endpoint elsewhere = gateway_->endpoint();
  elsewhere.source = "127.0.0.2";
  for (int round = 0; round < 2; ++round) {
    std::vector<WsClient> clients;
    clients.reserve(2);
    for (int i = 0; i < 2; ++i) clients.push_back(WsClient::connect(gateway_->endpoint()));
    EXPECT_EQ(status_of({}), 429);
    EXPECT_TRUE(WsClient::dial(elsewhere).open());
    clients.clear();
    ASSERT_TRUE(eventually(5s, [&] { return connections() == 0; }));
  }
}

TEST_F(Connect, SlowHeadTimesOut) {
  start({"--handshake-timeout", "300ms"});
  Socket quiet = Socket::connect(gateway_->endpoint());
  quiet.send_all("GET / HTTP/1.1\r\n");
  const SteadyClock::time_point began = SteadyClock::now();
  EXPECT_EQ(read_response(quiet).status, 408);
  EXPECT_GE(SteadyClock::now() - began, 200ms);
  EXPECT_LT(SteadyClock::now() - began, 15s);
  EXPECT_EQ(status_of({}), 101);
}

// Bytes that keep coming do not help: the whole head has one deadline.
TEST_F(Connect, DribbledHeadTimesOutToo) {
  start({"--handshake-timeout", "300ms"});
  Socket socket = Socket::connect(gateway_->endpoint());
  const SteadyClock::time_point began = SteadyClock::now();
  socket.send_all("GET / HTTP/1.1\r\nX: ");
  ReadResult answer;
  while (answer.end == ReadEnd::kTimeout && SteadyClock::now() - began < 3s) {
    if (!socket.try_send("a")) break;
    answer = socket.read_some(10ms);
  }
  EXPECT_EQ(answer.data.substr(0, 12), "HTTP/1.1 408");
  EXPECT_LT(SteadyClock::now() - began, 15s);
}

TEST_F(Connect, SilentConnectionTimesOut) {
  start({"--handshake-timeout", "300ms"});
  Socket socket = Socket::connect(gateway_->endpoint());
  const std::string answer = socket.read_all(5s);
  EXPECT_TRUE(answer.empty() || answer.rfind("HTTP/1.1 408", 0) == 0) << answer;
  EXPECT_NE(socket.read_some(0ms).end, ReadEnd::kTimeout);
}

TEST_F(Connect, HeadTooLarge) {
  start();
  UpgradeRequest request;
  request.headers = {{"X-Large", std::string(100000, 'x')}};
  Socket socket = Socket::connect(gateway_->endpoint());
  (void)socket.try_send(upgrade_bytes(request));
  EXPECT_EQ(read_response(socket).status, 431);
  EXPECT_EQ(status_of({}), 101);
}

TEST_F(Connect, UnixListener) {
  const std::string path = directory_.file("gateway.sock");
  start({}, "unix:" + path);
  WsClient client = WsClient::connect(gateway_->endpoint());
  client.send_text("over Unix");
  EXPECT_EQ(client.text(), "over Unix");
}

TEST_F(Connect, InheritedListener) {
  relay_ = std::make_unique<Relay>(directory_);
  std::uint16_t port = 0;
  const UniqueFd listener = listen_tcp(0, &port);
  GatewaySettings settings;
  settings.relay = relay_->address();
  settings.listen = "fd:3";
  settings.fds = {{3, listener.get()}};
  gateway_ = std::make_unique<Gateway>(std::move(settings));
  EXPECT_EQ(gateway_->endpoint().port, port);
  WsClient client = WsClient::connect(gateway_->endpoint());
  client.send_text("inherited");
  EXPECT_EQ(client.text(), "inherited");
}

TEST_F(Connect, SeveralListeners) {
  const std::string path = directory_.file("second.sock");
  start({"--listen", "unix:" + path});
  Endpoint second;
  second.path = path;
  WsClient one = WsClient::connect(gateway_->endpoint());
  WsClient two = WsClient::connect(second);
  two.send_text("across");
  EXPECT_EQ(one.text(), "across");
}

TEST_F(Connect, ManyComeAndGoAndNothingStays) {
  start();
  const auto round = [&] {
    for (int i = 0; i < 100; ++i) {
      Socket half = Socket::connect(gateway_->endpoint());
      half.send_all("GET / HT");
      WsClient client = WsClient::connect(gateway_->endpoint());
      if (i % 3 == 0) client.socket().reset();
      if (i % 3 == 1) {
        client.send_close(1000);
        EXPECT_EQ(client.wait_close().code, 1000);
      }
    }
    EXPECT_TRUE(eventually(5s, [&] { return connections() == 0; }));
  };
  round();
  const std::size_t descriptors = gateway_->process().fd_count();
  round();
  EXPECT_TRUE(eventually(5s, [&] { return gateway_->process().fd_count() <= descriptors; }));
}

// --- PROXY protocol ---

class ProxyProtocol : public Connect {
 protected:
  /// Connects with the header in front; true when the gateway let it in and logged `address`.
  bool logged_as(const std::string& before, const std::string& address) {
    UpgradeRequest request;
    request.before = before;
    const std::size_t mark = gateway_->process().mark();
    const WsClient client = WsClient::dial(gateway_->endpoint(), request);
    if (!client.open()) return false;
    const std::string line = gateway_->process().wait_line("client.*connected", 5s, mark)[0];
    return line.find(address) != std::string::npos;
  }
  int status_with(const std::string& before) {
    UpgradeRequest request;
    request.before = before;
    return status_of(request);
  }
};

const std::string kSource("\xCB\x00\x71\x07", 4);  // 203.0.113.7

TEST_F(ProxyProtocol, AddressOfTheClient) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8"});
  EXPECT_TRUE(logged_as(proxy_v1("203.0.113.7", 5678), "203.0.113.7"));
  EXPECT_TRUE(logged_as(proxy_v2::tcp4(kSource, 5678), "203.0.113.7"));
  const std::string tlv(
      "\x05\x00\x03"
      "abc",
      6);
  EXPECT_TRUE(logged_as(proxy_v2::tcp4(kSource, 5678, tlv), "203.0.113.7"));
  EXPECT_TRUE(logged_as("PROXY TCP6 2001:db8::7 2001:db8::1 5678 443\r\n", "2001:db8::7"));
  EXPECT_TRUE(logged_as(proxy_v2::local(), "127.0.0.1"));
  EXPECT_TRUE(logged_as("PROXY UNKNOWN\r\n", "127.0.0.1"));
}

TEST_F(ProxyProtocol, RequiredMeansRequired) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8"});
  EXPECT_NE(status_with(""), 101);
  EXPECT_NE(status_with("PROXY TCP4 nonsense\r\n"), 101);
  EXPECT_NE(status_with(proxy_v2::header(1, 0x11, "short")), 101);
  EXPECT_NE(status_with(proxy_v2::header(7, 0x11, std::string(12, 'x'))), 101);
  EXPECT_EQ(status_with(proxy_v1("203.0.113.7", 1)), 101);
}

TEST_F(ProxyProtocol, OptionalTakesBoth) {
  start({"--proxy-protocol", "optional", "--trusted-proxy", "127.0.0.1/32"});
  EXPECT_TRUE(logged_as("", "127.0.0.1"));
  EXPECT_TRUE(logged_as(proxy_v2::tcp4(kSource, 5678), "203.0.113.7"));
}

TEST_F(ProxyProtocol, UntrustedIsRefused) {
  for (const char* mode : {"optional", "required"}) {
    start({"--proxy-protocol", mode, "--trusted-proxy", "10.0.0.0/8"});
    EXPECT_NE(status_with(proxy_v1("203.0.113.7", 1)), 101) << mode;
    EXPECT_NE(status_with(proxy_v2::tcp4(kSource, 1)), 101) << mode;
  }
}

TEST_F(ProxyProtocol, OffTakesNone) {
  start();
  EXPECT_NE(status_with(proxy_v1("203.0.113.7", 1)), 101);
  EXPECT_NE(status_with(proxy_v2::tcp4(kSource, 1)), 101);
  EXPECT_EQ(status_with(""), 101);
}

TEST_F(ProxyProtocol, LimitsCountTheClientsAddress) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8",
         "--max-connections-per-ip", "1"});
  UpgradeRequest request;
  request.before = proxy_v1("203.0.113.7", 1);
  const WsClient first = WsClient::dial(gateway_->endpoint(), request);
  EXPECT_TRUE(first.open());
  EXPECT_EQ(status_with(proxy_v1("203.0.113.7", 2)), 429);
  EXPECT_EQ(status_with(proxy_v1("203.0.113.8", 2)), 101);
}

TEST_F(ProxyProtocol, HeaderThatNeverEnds) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8", "--handshake-timeout",
         "300ms"});
  Socket socket = Socket::connect(gateway_->endpoint());
  socket.send_all(std::string_view(proxy_v2::kSignature, 12));
  (void)socket.read_all(5s);
  EXPECT_NE(socket.read_some(0ms).end, ReadEnd::kTimeout);
}

}  // namespace
}  // namespace sluice::test
