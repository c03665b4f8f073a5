// Settings, servers, proxies and traffic: what haproxy-lint makes of a file before it judges.
#include "ctl/haproxy_lint/model.h"

#include <gtest/gtest.h>

namespace sluice::ctl {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class Model : public ::testing::Test {
 protected:
  const HaproxySetup& build(std::string_view text, const std::vector<std::string>& only = {}) {
    auto config = parse_haproxy_config(text, [](auto) { return std::optional<std::string>(); });
    EXPECT_TRUE(config);
    config_ = std::move(*config);
    auto setup = build_setup(config_, only);
    EXPECT_TRUE(setup);
    setup_ = std::move(*setup);
    return setup_;
  }
  const Proxy& proxy(std::string_view name) {
    for (const Proxy& p : setup_.proxies) {
      if (p.name == name) return p;
    }
    throw std::runtime_error("no such proxy");
  }
  Server server(const std::string& words) {
    build("backend b\n  server " + words + "\n");
    EXPECT_EQ(setup_.proxies.at(0).servers.size(), 1U) << words;
    return setup_.proxies.at(0).servers.at(0);
  }
  std::string judged() {
    std::string names;
    for (const Proxy& p : setup_.proxies) names += p.judged ? p.name + " " : "";
    return names;
  }

  HaproxyConfig config_;
  HaproxySetup setup_;
};

TEST(HaproxyTime, UnitsOfTheManual) {
  EXPECT_EQ(parse_haproxy_time("25"), milliseconds(25));
  EXPECT_EQ(parse_haproxy_time("7us"), microseconds(7));
  EXPECT_EQ(parse_haproxy_time("7ms"), milliseconds(7));
  EXPECT_EQ(parse_haproxy_time("7s"), seconds(7));
  EXPECT_EQ(parse_haproxy_time("7m"), minutes(7));
  EXPECT_EQ(parse_haproxy_time("7h"), hours(7));
  EXPECT_EQ(parse_haproxy_time("2d"), hours(48));
}

TEST(HaproxyTime, WhatIsNoneAndWhatIsTooLong) {
  for (const char* text : {"", "s", "0", "0s", "-1s", "1x", "1 s", "99999999999999999999s"})
    EXPECT_EQ(parse_haproxy_time(text), std::nullopt) << text;
  EXPECT_EQ(parse_haproxy_time("9999999999d"), milliseconds(INT32_MAX));
}

TEST_F(Model, AddressesOfServers) {
  Server s = server("a 127.0.0.1:80 check");
  EXPECT_EQ(s.kind, Server::Kind::kNumeric);
  EXPECT_EQ(s.host, "127.0.0.1");
  EXPECT_EQ(s.port, "80");
  s = server("a ipv4@10.0.0.1");
  EXPECT_EQ(s.kind, Server::Kind::kNumeric);
  EXPECT_EQ(s.port, "");
  s = server("a [::1]:80");
  EXPECT_EQ(s.kind, Server::Kind::kNumeric);
  EXPECT_EQ(s.host, "::1");
  EXPECT_EQ(s.port, "80");
  s = server("a ::1");
  EXPECT_EQ(s.host, "::1");
  s = server("a gw.example:8080");
  EXPECT_EQ(s.kind, Server::Kind::kName);
  EXPECT_EQ(s.host, "gw.example");
  s = server("a unix@/run/x.sock");
  EXPECT_EQ(s.kind, Server::Kind::kUnix);
  EXPECT_EQ(s.path, "/run/x.sock");
  EXPECT_EQ(server("a /run/x.sock").kind, Server::Kind::kUnix);
  EXPECT_EQ(server("a fd@4").kind, Server::Kind::kOther);
  EXPECT_EQ(server("a \"\"").kind, Server::Kind::kOther) << "a variable that is not set";
}

TEST_F(Model, DefaultServerCountsForWhatIsBelowIt) {
  build(
      "defaults\n  default-server check inter 1s\nbackend b\n  server a 1.1.1.1:1\n"
      "  default-server inter 2s send-proxy\n  server b 1.1.1.1:2 no-check fall 4\n");
  const auto& servers = setup_.proxies.at(0).servers;
  EXPECT_TRUE(servers[0].has("check"));
  EXPECT_EQ(servers[0].find("inter")->value, "1s");
  EXPECT_EQ(servers[0].find("inter")->line, 2U);
  EXPECT_EQ(servers[0].send_proxy(), nullptr);
  EXPECT_FALSE(servers[1].has("check"));
  EXPECT_EQ(servers[1].find("inter")->value, "2s");
  EXPECT_NE(servers[1].send_proxy(), nullptr);
  EXPECT_EQ(servers[1].find("fall")->value, "4");
}

TEST_F(Model, AWordThatIsAValueIsNoParameter) {
  const Server s = server("a 1.1.1.1:1 cookie check id 4");
  EXPECT_FALSE(s.has("check"));
  EXPECT_EQ(s.find("cookie")->value, "check");
}

TEST_F(Model, TemplatesCountTheirServers) {
  build("backend b\n server-template s 2-5 gw:80 check\nbackend c\n server-template s 1 gw:80\n");
  EXPECT_EQ(proxy("b").servers[0].count, 4U);
  EXPECT_TRUE(proxy("b").servers[0].has("check"));
  EXPECT_TRUE(proxy("b").many_servers());
  EXPECT_FALSE(proxy("c").many_servers());
}

TEST_F(Model, ADefaultsSectionForgetsTheOneBeforeUnlessItIsFromIt) {
  build(
      "defaults a\n  mode http\n  timeout tunnel 1s\nbackend b1\ndefaults c\n  retries 1\nbackend "
      "b2\n"
      "defaults d from a\n  timeout tunnel 2s\nbackend b3\nbackend b4 from c\nbackend b5 from "
      "none\n");
  EXPECT_TRUE(proxy("b1").http());
  EXPECT_FALSE(proxy("b2").http());
  EXPECT_TRUE(proxy("b3").http());
  EXPECT_EQ(proxy("b3").settings.timeout("tunnel")->value, seconds(2));
  EXPECT_EQ(proxy("b1").settings.timeout("tunnel")->value, seconds(1));
  EXPECT_TRUE(proxy("b4").settings.has({"retries"}));
  EXPECT_FALSE(proxy("b5").settings.has({"timeout"}));
}

TEST_F(Model, DefaultsInACircleEnd) {
  build("defaults a from b\n mode http\ndefaults b from a\n retries 1\nbackend x from a\n");
  EXPECT_TRUE(proxy("x").http());
}

TEST_F(Model, OptionsAndLogsCanBeTakenBack) {
  build(
      "defaults\n option httplog\n option redispatch\n log global\nbackend b\n no option "
      "redispatch\n"
      " default option httplog\n no log\nbackend c\n");
  EXPECT_EQ(proxy("b").settings.option("redispatch"), nullptr);
  EXPECT_EQ(proxy("b").settings.option("httplog"), nullptr);
  EXPECT_TRUE(proxy("b").settings.logs().empty());
  EXPECT_NE(proxy("c").settings.option("redispatch"), nullptr);
  EXPECT_EQ(proxy("c").settings.logs().size(), 1U);
}

TEST_F(Model, AConditionKnowsItsAcls) {
  build(
      "frontend f\n acl slow src_conn_rate gt 5\n acl slow src -f x\n"
      " http-request deny if !slow or { path / }\n");
  const Proxy& f = proxy("f");
  EXPECT_EQ(condition_words(f, *f.own[2]),
            (std::vector<std::string>{"if", "!slow", "src_conn_rate", "gt", "5", "src", "-f", "x",
                                      "or", "{", "path", "/", "}"}));
}

TEST_F(Model, AConditionIsBounded) {
  std::string text = "frontend f\n http-request deny if a\n";
  for (int i = 0; i < 10'000; ++i) text += " acl a path /\n";
  build(text);
  EXPECT_LE(condition_words(proxy("f"), *proxy("f").own[0]).size(), kConditionWordsMax + 2);
}

TEST_F(Model, WhoCarriesWebSockets) {
  build(
      "frontend f\n use_backend a if { path / }\n default_backend b\n"
      "backend a\n server s 1.1.1.1:1\nbackend b\n server s 1.1.1.1:1\n"
      "backend c\n server s 1.1.1.1:1\nbackend d\n stick-table type ip size 1\n");
  EXPECT_EQ(judged(), "f a b c ") << "c may be meant for another file";
  build("frontend f\n use_backend %[req.hdr(host)]\nbackend a\n mode http\n");
  EXPECT_EQ(judged(), "f a ") << "a name made at run time may be any";
}

TEST_F(Model, WhereUpgradesGo) {
  const std::string backends =
      "backend ws\n server s 1.1.1.1:1\nbackend web\n server s 1.1.1.1:1\n";
  build(
      "frontend f\n acl up hdr(Upgrade) -i WebSocket\n use_backend ws if up\n default_backend "
      "web\n" +
      backends);
  EXPECT_EQ(judged(), "f ws ");
  build(
      "frontend f\n use_backend web if !is_websocket\n acl is_websocket hdr(upgrade) websocket\n"
      " default_backend ws\n" +
      backends);
  EXPECT_EQ(judged(), "f ws web ") << "said the other way round: both, rather than the wrong one";
}

TEST_F(Model, WhatIsClearlySomethingElse) {
  build(
      "listen stats\n bind :1\n stats enable\n"
      "frontend go\n bind :2\n http-request redirect scheme https\n default_backend a\n"
      "listen redis\n mode tcp\n server r 1.1.1.1:6379\n"
      "listen mail\n option smtpchk\n server r 1.1.1.1:2525\n"
      "backend php\n use-fcgi-app x\n server p 1.1.1.1:9000\n"
      "backend files\n http-response cache-store c\n server p 1.1.1.1:9000\n"
      "backend off\n disabled\n server p 1.1.1.1:9000\n"
      "backend deny\n http-request deny\n"
      "backend a\n http-request deny if { path /x }\n server s 1.1.1.1:1\n");
  EXPECT_EQ(judged(), "a ");
}

TEST_F(Model, OnlyWhatIsNamedAndWhatLeadsToIt) {
  build(
      "frontend f\n default_backend a\nfrontend g\n default_backend b\n"
      "backend a\n server s 1.1.1.1:1\nbackend b\n server s 1.1.1.1:1\n",
      {"b"});
  EXPECT_EQ(judged(), "g b ");
}

}  // namespace
}  // namespace sluice::ctl
