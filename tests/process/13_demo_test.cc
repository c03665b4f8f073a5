// The demo page: served by --demo and by nothing else, its protocol beside plain clients, and the
// page itself in a real Chromium over four gateways, one of which is killed.
#include <gtest/gtest.h>

#include "tests/process/support/haproxy.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

/// For each stretch of the page's life: some 10 s on an idle machine.
constexpr Millis kPageWait = 240s;

HttpResponse ask(const Endpoint& to, const std::string& method, const std::string& path) {
  return http_exchange(to, method + " " + path + " HTTP/1.1\r\nHost: example.org\r\n\r\n");
}

int upgrade_status(const Endpoint& to, const std::string& path, const std::string& origin = "") {
  UpgradeRequest request;
  request.path = path;
  request.origin = origin;
  return WsClient::dial(to, request).response().status;
}

Stack::Settings demo_settings(Args gateway_args = {"--demo"}, std::size_t gateways = 1) {
  Stack::Settings settings;
  settings.gateways = gateways;
  settings.gateway_args = std::move(gateway_args);
  return settings;
}

TEST(Demo, OffByDefault) {
  Stack stack;
  const Endpoint& to = stack.gateway().endpoint();
  EXPECT_EQ(ask(to, "GET", "/").status, 426);
  for (const char* path : {"/demo.js", "/demo.css", "/demo", "/demo/channel/a", "/index.html"})
    EXPECT_EQ(ask(to, "GET", path).status, 404) << path;
  EXPECT_EQ(upgrade_status(to, "/demo"), 404);
  EXPECT_EQ(upgrade_status(to, "/demo/channel/a"), 404);
  EXPECT_EQ(ask(to, "HEAD", "/").status, 405);
}

TEST(Demo, ServesThePageAndItsFiles) {
  Stack stack(demo_settings());
  const Endpoint& to = stack.gateway().endpoint();
  const HttpResponse page = ask(to, "GET", "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.headers.at("x-content-type-options"), "nosniff");
  EXPECT_EQ(page.headers.at("referrer-policy"), "no-referrer");
  EXPECT_EQ(page.headers.at("cache-control"), "no-store");
  const std::string policy = page.headers.at("content-security-policy");
  EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  EXPECT_NE(page.body.find("</html>"), std::string::npos);
  EXPECT_EQ(ask(to, "GET", "/demo.js").headers.at("content-type"),
            "text/javascript; charset=utf-8");
  EXPECT_EQ(ask(to, "GET", "/demo.css").headers.at("content-type"), "text/css; charset=utf-8");
  EXPECT_EQ(ask(to, "GET", "/demo.svg").headers.at("content-type"), "image/svg+xml");
  EXPECT_EQ(stack.gateway().metrics().value("sluice_gateway_pages_served_total"), 4);
}

TEST(Demo, HeadOtherMethodsAndOtherPaths) {
  Stack stack(demo_settings());
  const Endpoint& to = stack.gateway().endpoint();
  Socket socket = Socket::connect(to);
  socket.send_all("HEAD / HTTP/1.1\r\nHost: example.org\r\n\r\n");
  const std::string head = socket.read_all(10s);
  EXPECT_EQ(head.rfind("HTTP/1.1 200 OK\r\n", 0), 0U) << head;
  EXPECT_EQ(head.find("\r\n\r\n"), head.size() - 4) << head;
  const HttpResponse post = ask(to, "POST", "/");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(ask(to, "GET", "/demo").status, 426);
  EXPECT_EQ(ask(to, "GET", "/channel/a").status, 426);
  EXPECT_EQ(ask(to, "GET", "/index.html").status, 404);
  EXPECT_EQ(ask(to, "GET", "/favicon.ico").status, 404);
}

TEST(Demo, ItsClientsAndPlainOnesShareAChannel) {
  Stack stack(demo_settings({"--demo", "--tag-messages"}));
  const Endpoint& to = stack.gateway().endpoint();
  WsClient demo = WsClient::connect(to, "/demo/channel/a");
  const std::string welcome = demo.text();
  for (const char* part :
       {R"("type":"welcome")", R"("gateway":"1111")", R"("draining":false)", R"("channel":"a")"})
    EXPECT_NE(welcome.find(part), std::string::npos) << welcome;
  WsClient plain = WsClient::connect(to, "/channel/a");
  demo.send_text("said \"so\"");
  EXPECT_EQ(plain.text(), "1111:said \"so\"");
  const std::string message = demo.text();
  EXPECT_NE(message.find(R"("type":"message")"), std::string::npos) << message;
  EXPECT_NE(message.find(R"("text":"said \"so\"")"), std::string::npos) << message;
  plain.send_binary(std::string("\xFF\x00", 2));
  EXPECT_EQ(plain.message(), std::string("1111:\xFF\x00", 7));
  const std::string binary = demo.text();
  EXPECT_NE(binary.find(R"("bytes":2)"), std::string::npos) << binary;
  EXPECT_EQ(binary.find(R"("text")"), std::string::npos) << binary;
}

TEST(Demo, AllowedOriginsHoldForItToo) {
  Stack stack(demo_settings({"--demo", "--allowed-origin", "https://example.org"}));
  const Endpoint& to = stack.gateway().endpoint();
  EXPECT_EQ(ask(to, "GET", "/").status, 200);
  EXPECT_EQ(upgrade_status(to, "/demo", "http://127.0.0.1"), 403);
  EXPECT_EQ(upgrade_status(to, "/demo", "https://example.org"), 101);
}

SpawnOptions node(const std::string& script, const Args& more = {}) {
  SpawnOptions options;
  options.directory = std::string(SLUICE_SOURCE_DIR) + "/tests/process/node";
  options.args = {"/usr/bin/env", "node", options.directory + "/" + script};
  options.args.insert(options.args.end(), more.begin(), more.end());
  return options;
}

TEST(Demo, ThePagesOwnCentrifugeClient) {
  const Finished finished = run(node("demo_client_test.mjs"));
  EXPECT_EQ(finished.status.code, 0) << finished.output;
  EXPECT_NE(finished.output.find("DONE"), std::string::npos) << finished.output;
}

TEST(Demo, ChannelsThatRecoverInChromium) {
  Stack::Settings settings = demo_settings({"--demo", "--open-access"});
  settings.relay_args = {"--open-access"};
  Stack stack(std::move(settings));
  Process browser(node("demo_recover.mjs", {"http://" + stack.gateway().endpoint().text() + "/"}));
  browser.wait_line("^DONE$", kPageWait);
  EXPECT_EQ(browser.wait_exit().code, 0);
}

TEST(Demo, PageInChromiumOverFourGateways) {
  const TempDir directory;
  Args args = behind_balancer();
  args.emplace_back("--demo");
  Stack stack(demo_settings(std::move(args), 4));
  Haproxy haproxy(directory,
                  {&stack.gateway(0), &stack.gateway(1), &stack.gateway(2), &stack.gateway(3)});
  for (const auto& server : haproxy.servers()) haproxy.wait_status(server, "UP");
  Process browser(node("demo.mjs", {"http://" + haproxy.endpoint().text() + "/"}));
  // The page is driven up to here with 20 connections open and a message on each.
  browser.wait_line("^READY to lose a gateway$", kPageWait);
  stack.gateway(1).kill();
  browser.wait_line("^READY for a plain client$", kPageWait);
  WsClient plain = WsClient::connect(haproxy.endpoint());
  plain.send_text("from outside");
  browser.wait_line("^DONE$", kPageWait);
  EXPECT_EQ(browser.wait_exit().code, 0);
}

}  // namespace
}  // namespace sluice::test
