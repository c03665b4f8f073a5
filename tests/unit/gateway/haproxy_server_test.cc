#include "gateway/haproxy_server.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::gateway {
namespace {

Address address(const std::string& text) {
  return *parse_address(text);
}

GatewayConfig config(const std::string& socket = "unix:/run/haproxy/admin.sock") {
  GatewayConfig config;
  config.id = "5555";
  config.haproxy_sockets = {address(socket)};
  config.haproxy_server = {"gateways", ""};
  return config;
}

std::string fault(const GatewayConfig& config, const BoundAddresses& bound) {
  const auto plan = plan_server(config, bound);
  return plan ? "no fault" : plan.error().message;
}

TEST(HaproxyServer, WordsFollowFromTheFlags) {
  const auto plan = plan_server(config(), {.clients = address("127.0.0.1:1111"),
                                           .admin = address("127.0.0.1:1112"),
                                           .agent = std::nullopt});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->full_name(), "gateways/5555");
  EXPECT_EQ(plan->words,
            "127.0.0.1:1111 check port 1112 inter 1s fall 3 rise 2 weight 100 slowstart 20s");
  EXPECT_FALSE(plan->agent);
}

// slowstart ramps maxconn as well: on a server just added it would let in one client at first.
TEST(HaproxyServer, NeverSlowstartWithMaxconn) {
  GatewayConfig with_agent = config();
  with_agent.proxy_mode = ProxyMode::kRequired;
  with_agent.connections_max = 3000;
  with_agent.haproxy_server.name = "blue";
  with_agent.haproxy_options = "weight 50";
  const auto plan = plan_server(with_agent, {.clients = address("10.0.0.5:1111"),
                                             .admin = address("127.0.0.1:1112"),
                                             .agent = address("10.0.0.5:1113")});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->words,
            "10.0.0.5:1111 send-proxy-v2 check addr 127.0.0.1 port 1112 inter 1s fall 3 rise 2 "
            "agent-check agent-port 1113 agent-inter 1s weight 100 maxconn 3000 weight 50");
  EXPECT_TRUE(plan->agent);
  EXPECT_EQ(plan->full_name(), "gateways/blue");
}

TEST(HaproxyServer, AnyAddressIsTheLoopbackForAHaproxyOfThisHost) {
  const BoundAddresses v4{address("0.0.0.0:1111"), address("0.0.0.0:1112"), std::nullopt};
  EXPECT_TRUE(plan_server(config(), v4)->words.starts_with("127.0.0.1:1111 check port 1112 "));
  EXPECT_TRUE(plan_server(config("127.0.0.1:9999"), v4));
  const BoundAddresses v6{address("[::]:1111"), address("[::1]:1112"), address("[::]:1113")};
  EXPECT_TRUE(plan_server(config(), v6)->words.starts_with("[::1]:1111 check port 1112 inter"));
  EXPECT_NE(plan_server(config(), {v4.clients, v6.admin, std::nullopt})
                ->words.find(" check addr [::1] port 1112 "),
            std::string::npos);
  EXPECT_NE(plan_server(config(), {v4.clients, v4.admin, address("[::1]:1113")})
                ->words.find(" agent-addr ::1 agent-port 1113 "),
            std::string::npos);
}

TEST(HaproxyServer, ElsewhereNeedsAnAddressThatReaches) {
  GatewayConfig far = config("10.0.0.1:9999");
  const BoundAddresses any{address("0.0.0.0:1111"), address("0.0.0.0:1112"), std::nullopt};
  const BoundAddresses loopback{address("127.0.0.1:1111"), address("127.0.0.1:1112"), std::nullopt};
  for (const BoundAddresses& bound : {any, loopback}) {
    const std::string message = fault(far, bound);
    EXPECT_NE(message.find("no address for the HAProxy at 10.0.0.1:9999"), std::string::npos)
        << message;
    EXPECT_NE(message.find("--haproxy-advertise ADDR:PORT"), std::string::npos) << message;
  }
  // One of several is elsewhere: that one decides.
  GatewayConfig both = config();
  both.haproxy_sockets.push_back(address("10.0.0.1:9999"));
  EXPECT_NE(fault(both, any), "no fault");
  far.haproxy_advertise = address("10.0.0.5:81");
  EXPECT_TRUE(plan_server(far, any)->words.starts_with("10.0.0.5:81 check port 1112 "));
  EXPECT_NE(fault(far, loopback).find("--admin-listen 127.0.0.1:1112 can't be asked"),
            std::string::npos);
  EXPECT_NE(fault(far, {any.clients, any.admin, address("127.0.0.1:1113")})
                .find("--agent-listen 127.0.0.1:1113 can't be asked"),
            std::string::npos);
}

TEST(HaproxyServer, WithoutAddressOrCheckThereIsNoServer) {
  EXPECT_NE(fault(config(), {std::nullopt, address("127.0.0.1:1112"), std::nullopt})
                .find("--haproxy-advertise"),
            std::string::npos);
  EXPECT_NE(fault(config(), {address("127.0.0.1:1111"), std::nullopt, std::nullopt})
                .find("--haproxy-socket needs --admin-listen ADDR:PORT"),
            std::string::npos);
}

TEST(HaproxyServer, IdTellsMakerAndWords) {
  std::set<std::uint32_t> ids;
  for (int i = 0; i < 200; ++i) {
    const std::string name = std::to_string(1000 + i);
    const std::uint32_t id = server_id(name, "127.0.0.1:1111 weight 100");
    EXPECT_TRUE(ids.insert(id).second) << name;
    EXPECT_TRUE(made_for(id, name));
    // Ids that HAProxy deals out by itself, and its own bound for those that it is given.
    EXPECT_FALSE(made_for(static_cast<std::uint32_t>(i), name));
    EXPECT_GT(id, 65535U);
    EXPECT_LE(id, 2147483647U);
  }
  EXPECT_FALSE(made_for(server_id("1111", "x"), "2222"));
  EXPECT_NE(server_id("1111", "x"), server_id("1111", "y"));
  // A predecessor of another build finds the same.
  EXPECT_EQ(server_id("5555", "127.0.0.1:1111 weight 100"), 687817263U);
}

TEST(HaproxyServer, NamesAreHaproxys) {
  EXPECT_EQ(parse_backend_server("gateways")->backend, "gateways");
  EXPECT_EQ(parse_backend_server("gateways")->name, "");
  EXPECT_EQ(parse_backend_server("a.b_c-1/d:2")->name, "d:2");
  for (const char* text : {"", "/", "a/", "/b", "a b/c", "a/b/c", "a/b;show info", "a\n/b"})
    EXPECT_FALSE(parse_backend_server(text)) << text;
  EXPECT_FALSE(parse_backend_server(std::string(65, 'a')));
}

TEST(HaproxyServer, OptionsCantEndTheCommand) {
  EXPECT_EQ(*parse_server_options("  weight  50 maxconn 10 "), "weight 50 maxconn 10");
  EXPECT_EQ(*parse_server_options(""), "");
  for (const char* text :
       {"weight 1; show info", "weight 1\nshow info", "a \\; b", "enabled", "weight 5 enabled",
        "id 7", "disabled", "track a/b", "a \"b\"", "a <<"}) {
    EXPECT_FALSE(parse_server_options(text)) << text;
  }
  EXPECT_FALSE(parse_server_options(std::string(513, 'a')));
}

}  // namespace
}  // namespace sluice::gateway
