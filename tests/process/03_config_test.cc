// Starting: what is refused and how it is said, where a setting comes from, what waits instead of
// failing.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

std::size_t line_count(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

class Config : public ::testing::Test {
 protected:
  Finished run_gateway(const Args& args, std::map<std::string, std::string> env = {},
                       std::uint64_t nofile = 0) {
    SpawnOptions options;
    options.args = {gateway_program()};
    options.args.insert(options.args.end(), args.begin(), args.end());
    options.env = std::move(env);
    options.nofile = nofile;
    return run(std::move(options));
  }
  Finished run_relay(const Args& args) {
    SpawnOptions options;
    options.args = {relay_program()};
    options.args.insert(options.args.end(), args.begin(), args.end());
    return run(std::move(options));
  }
  /// The compulsory flags, then `more`.
  Args gateway_args(const Args& more) {
    Args args{"--id", "1111", "--listen", "127.0.0.1:0", "--relay", relay_address()};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  Args relay_args(const Args& more) {
    Args args{"--listen", relay_address()};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  std::string relay_address() { return "unix:" + directory_.file("relay.sock"); }

  /// One line, which says all of `words`, and an exit code that is not 0.
  static void expect_refused(const Finished& finished, const Args& words) {
    EXPECT_GT(finished.status.code, 0) << finished.output;
    EXPECT_EQ(line_count(finished.output), 1U) << finished.output;
    for (const auto& word : words) {
      EXPECT_NE(finished.output.find(word), std::string::npos)
          << "no '" << word << "' in: " << finished.output;
    }
  }

  TempDir directory_;
};

TEST_F(Config, BadFlagsOfTheGateway) {
  const struct {
    Args args;
    Args words;
  } cases[] = {
      {{"--publish-wait", "5"}, {"--publish-wait", "5"}},
      {{"--publish-wait", "soon"}, {"--publish-wait", "soon"}},
      {{"--greeting-delay", "-1s"}, {"--greeting-delay"}},
      {{"--client-queue-bytes", "12 apples"}, {"--client-queue-bytes"}},
      {{"--client-queue-bytes", "1B"}, {"--client-queue-bytes"}},
      {{"--max-message-size", "1GiB"}, {"--max-message-size"}},
      {{"--drain-rate", "fast"}, {"--drain-rate"}},
      {{"--proxy-protocol", "maybe"}, {"--proxy-protocol", "maybe"}},
      {{"--on-gap", "panic"}, {"--on-gap", "panic"}},
      {{"--ready-requires", "luck"}, {"--ready-requires"}},
      {{"--trusted-proxy", "10.0.0.0/33"}, {"--trusted-proxy"}},
      {{"--admin-listen", "nowhere"}, {"--admin-listen", "nowhere"}},
      {{"--listen", "127.0.0.1:99999"}, {"--listen"}},
      {{"--log-level", "loud"}, {"--log-level"}},
      {{"--log-format", "xml"}, {"--log-format"}},
      {{"--hook-connect", "app:3000/connect"}, {"--hook-connect", "http://"}},
      {{"--hook-rpc", "ftp://app/rpc"}, {"--hook-rpc", "https://"}},
      {{"--hook-timeout", "1h"}, {"--hook-timeout"}},
      {{"--hook-in-flight", "0"}, {"--hook-in-flight"}},
      {{"--hook-header", "Content-Length"}, {"--hook-header", "Content-Length"}},
      {{"--no-such-flag"}, {"--no-such-flag"}},
      {{"--id", "with space"}, {"--id"}},
      {{"--config", "/nonexistent.toml"}, {"--config", "/nonexistent.toml"}},
  };
  for (const auto& entry : cases) {
    SCOPED_TRACE(entry.args[0] + (entry.args.size() > 1 ? " " + entry.args[1] : ""));
    Args args = entry.args[0] == "--id"
                    ? Args{"--listen", "127.0.0.1:0", "--relay", relay_address()}
                    : gateway_args({});
    args.insert(args.end(), entry.args.begin(), entry.args.end());
    expect_refused(run_gateway(args), entry.words);
  }
}

TEST_F(Config, ABadUrlOfAHookIsNotRepeated) {
  const Finished finished = run_gateway(gateway_args({"--hook-rpc", "ftp://user:secret@app/x"}));
  expect_refused(finished, {"--hook-rpc"});
  EXPECT_EQ(finished.output.find("secret"), std::string::npos) << finished.output;
}

TEST_F(Config, HooksFromTheFile) {
  const std::string file =
      directory_.write("hooks.toml",
                       "hook-connect = \"http://127.0.0.1:3000/connect\"\n"
                       "hook-timeout = \"2s\"\nhook-header = [\"Cookie\", \"authorization\"]\n");
  const Finished finished = run_gateway(gateway_args({"--config", file, "--check"}));
  EXPECT_EQ(finished.status.code, 0) << finished.output;
}

TEST_F(Config, LowSoftLimitOfDescriptorsIsRaised) {
  SpawnOptions options;
  options.args = {"/bin/sh", "-c", "ulimit -Sn 256 && exec \"$0\" \"$@\"", gateway_program()};
  const Args flags = gateway_args({"--max-connections", "300"});
  options.args.insert(options.args.end(), flags.begin(), flags.end());
  Process gateway(std::move(options));
  gateway.wait_line("up to 300 connections");
}

TEST_F(Config, CompulsoryFlags) {
  expect_refused(run_gateway({"--listen", "127.0.0.1:0", "--relay", relay_address()}), {"--id"});
  expect_refused(run_gateway({"--id", "1", "--relay", relay_address()}), {"--listen"});
  expect_refused(run_gateway({"--id", "1", "--listen", "127.0.0.1:0"}), {"--relay"});
  expect_refused(run_relay({}), {"--listen"});
}

TEST_F(Config, BadFlagsOfTheRelay) {
  const struct {
    Args args;
    Args words;
  } cases[] = {
      {{"--broker", "carrier-pigeon:"}, {"--broker", "redis://"}},
      {{"--broker", "rediss://127.0.0.1:6379"}, {"--broker", "rediss://"}},
      {{"--linger", "60"}, {"--linger"}},
      {{"--ring-messages", "many"}, {"--ring-messages"}},
      {{"--ring-bytes", "0x10"}, {"--ring-bytes"}},
      {{"--gateway-queue-bytes", "a"}, {"--gateway-queue-bytes"}},
      {{"--no-such-flag"}, {"--no-such-flag"}},
  };
  for (const auto& entry : cases) {
    SCOPED_TRACE(entry.args[0] + (entry.args.size() > 1 ? " " + entry.args[1] : ""));
    expect_refused(run_relay(relay_args(entry.args)), entry.words);
  }
  expect_refused(run_relay({"--listen", "127.0.0.1:0"}), {"--listen"});
}

TEST_F(Config, ProblemInTheEnvironmentIsNamedAsSuch) {
  expect_refused(run_gateway(gateway_args({}), {{"SLUICE_GATEWAY_PUBLISH_WAIT", "soon"}}),
                 {"SLUICE_GATEWAY_PUBLISH_WAIT", "soon"});
}

TEST_F(Config, UnknownKeyInTheFile) {
  const std::string file =
      directory_.write("gateway.toml", "# settings\npublish-wait = \"2s\"\npublish-weight = 3\n");
  expect_refused(run_gateway(gateway_args({"--config", file})), {file, "3", "publish-weight"});
  const std::string relay = directory_.write("relay.toml", "\nlinker = \"2s\"\n");
  expect_refused(run_relay(relay_args({"--config", relay})), {relay, "2", "linker"});
}

TEST_F(Config, BadValueInTheFile) {
  const std::string file = directory_.write("gateway.toml", "\n\n\npublish-wait = \"soon\"\n");
  expect_refused(run_gateway(gateway_args({"--config", file})),
                 {file, "4", "publish-wait", "soon"});
}

TEST_F(Config, MalformedFile) {
  const std::string file =
      directory_.write("gateway.toml", "id = \"1111\"\n\nlisten = [ \"a\"\nx\n");
  const Finished finished = run_gateway(gateway_args({"--config", file}));
  expect_refused(finished, {file});
  EXPECT_TRUE(finished.output.find(":3") != std::string::npos ||
              finished.output.find(":4") != std::string::npos ||
              finished.output.find("line 4") != std::string::npos ||
              finished.output.find("line 3") != std::string::npos)
      << finished.output;
}

TEST_F(Config, WholeConfigurationFromTheFile) {
  const Relay relay(directory_);
  const std::string file = directory_.write(
      "gateway.toml",
      "id = \"from-file\"\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nrelay = \"" +
          relay.address() + "\"\ntag-messages = true\nmax-connections = 100\n");
  SpawnOptions options;
  options.args = {gateway_program(), "--config", file};
  Process process(std::move(options));
  const auto first = process.wait_line("listening on (127\\.0\\.0\\.1:[0-9]+)");
  ASSERT_TRUE(eventually(5s, [&] { return process.lines("listening on").size() == 2; }));
  WsClient client = WsClient::connect(Endpoint::parse(first[1]));
  client.send_text("x");
  EXPECT_EQ(client.text(), "from-file:x");
}

/// Which --max-message-size (100, 200, 300 or 400 B) is in force?
class Precedence : public Config {
 protected:
  int effective(bool file, bool env, bool flag) {
    GatewaySettings settings;
    settings.relay = relay_.address();
    settings.args = {"--config", file ? directory_.write("p.toml", "max-message-size = \"200B\"\n")
                                      : directory_.write("p.toml", "")};
    if (env) settings.env = {{"SLUICE_GATEWAY_MAX_MESSAGE_SIZE", "300B"}};
    if (flag) settings.args.insert(settings.args.end(), {"--max-message-size", "400B"});
    const Gateway gateway(std::move(settings));
    for (const int size : {200, 300, 400}) {
      if (takes(gateway, size) && !takes(gateway, size + 1)) return size;
    }
    return 0;
  }
  static bool takes(const Gateway& gateway, int size) {
    WsClient client = WsClient::connect(gateway.endpoint());
    client.send_text(std::string(static_cast<std::size_t>(size), 'x'));
    const WsEvent event = client.next();
    const bool taken = event.kind == WsEvent::Kind::kText;
    EXPECT_TRUE(taken || event.code == 1009) << describe(event);
    return taken;
  }
  Relay relay_{directory_};
};

TEST_F(Precedence, FlagThenEnvironmentThenFileThenDefault) {
  EXPECT_EQ(effective(true, true, true), 400);
  EXPECT_EQ(effective(true, true, false), 300);
  EXPECT_EQ(effective(false, true, false), 300);
  EXPECT_EQ(effective(true, false, true), 400);
  EXPECT_EQ(effective(true, false, false), 200);
  EXPECT_EQ(effective(false, false, false), 0);
}

TEST_F(Config, PortInUse) {
  std::uint16_t port = 0;
  const UniqueFd taken = listen_tcp(0, &port);
  const std::string address = "127.0.0.1:" + std::to_string(port);
  Args args{"--id", "1111", "--relay", relay_address(), "--listen", address};
  expect_refused(run_gateway(args), {"--listen", address, "in use"});
  expect_refused(run_gateway(gateway_args({"--admin-listen", address})),
                 {"--admin-listen", address, "in use"});
  expect_refused(run_relay(relay_args({"--admin-listen", address})),
                 {"--admin-listen", address, "in use"});
}

TEST_F(Config, DirectoryThatIsNotThere) {
  expect_refused(run_relay({"--listen", "unix:/nonexistent/relay.sock"}),
                 {"--listen", "/nonexistent/relay.sock"});
  expect_refused(run_gateway({"--id", "1", "--relay", relay_address(), "--listen",
                              "unix:/nonexistent/g.sock"}),
                 {"--listen", "/nonexistent/g.sock"});
}

TEST_F(Config, DescriptorThatIsNotOne) {
  Args args{"--id", "1111", "--relay", relay_address(), "--listen", "fd:77"};
  expect_refused(run_gateway(args), {"--listen", "fd:77"});
}

TEST_F(Config, TooFewDescriptors) {
  const Finished finished = run_gateway(gateway_args({"--max-connections", "5000"}), {}, 256);
  expect_refused(finished, {"--max-connections", "5000", "256"});
}

TEST_F(Config, SecondRelayOnALiveSocketIsRefusedAStaleOneReplaced) {
  Relay relay(directory_);
  expect_refused(run_relay(relay_args({})), {"--listen", relay.socket_path(), "is live"});
  relay.kill();
  relay.start();  // the socket file is still there; throws unless it gets ready
}

TEST_F(Config, SecondGatewayOfOneIdStaysOut) {
  Stack stack;
  GatewaySettings twin;
  twin.relay = stack.relay().address();
  twin.wait_ready = false;
  Gateway second(twin);
  second.process().wait_line("in use");
  EXPECT_EQ(second.readyz().status, 503);
  EXPECT_EQ(stack.gateway().readyz().status, 200);
  // The first gone, the id is free.
  stack.gateway().kill();
  second.wait_ready(200);
}

TEST_F(Config, AbsentRelayIsWaitedForAndSaid) {
  GatewaySettings settings;
  settings.relay = relay_address();
  settings.wait_ready = false;
  Gateway gateway(settings);
  gateway.process().wait_line("relay");
  EXPECT_EQ(gateway.readyz().status, 503);
  EXPECT_EQ(http_get(gateway.admin(), "/healthz").status, 200);
  const Relay relay(directory_);
  gateway.wait_ready(200);
  WsClient client = WsClient::connect(gateway.endpoint());
  client.send_text("late but there");
  EXPECT_EQ(client.text(), "late but there");
}

TEST_F(Config, AbsentRedisIsWaitedForAndSaid) {
  Relay relay(directory_, {"--broker", "redis://127.0.0.1:" + std::to_string(free_port())});
  relay.process().wait_line("[Rr]edis|broker");
  EXPECT_EQ(http_get(relay.admin(), "/healthz").status, 200);
}

TEST_F(Config, HelpNamesEveryFlag) {
  const Finished gateway = run_gateway({"--help"});
  EXPECT_EQ(gateway.status.code, 0);
  for (const char* flag : {"--id",
                           "--listen",
                           "--relay",
                           "--proxy-protocol",
                           "--trusted-proxy",
                           "--admin-listen",
                           "--default-channel",
                           "--tag-messages",
                           "--greeting",
                           "--greeting-delay",
                           "--max-connections",
                           "--max-connections-per-ip",
                           "--connection-rate-per-ip",
                           "--client-message-rate",
                           "--client-message-burst",
                           "--max-message-size",
                           "--max-channels",
                           "--client-queue-bytes",
                           "--publish-wait",
                           "--publish-queue-bytes",
                           "--on-gap",
                           "--handshake-timeout",
                           "--ping-interval",
                           "--pong-timeout",
                           "--allowed-origin",
                           "--ready-requires",
                           "--ready-grace",
                           "--drain-delay",
                           "--drain-timeout",
                           "--drain-rate",
                           "--haproxy-socket",
                           "--haproxy-server",
                           "--haproxy-advertise",
                           "--haproxy-options",
                           "--hook-connect",
                           "--hook-refresh",
                           "--hook-subscribe",
                           "--hook-publish",
                           "--hook-rpc",
                           "--hook-disconnected",
                           "--hook-timeout",
                           "--hook-in-flight",
                           "--hook-header",
                           "--log-level",
                           "--log-format",
                           "--config"}) {
    EXPECT_NE(gateway.output.find(flag), std::string::npos) << flag;
  }
  EXPECT_NE(gateway.output.find("SLUICE_GATEWAY_"), std::string::npos);
  const Finished relay = run_relay({"--help"});
  EXPECT_EQ(relay.status.code, 0);
  for (const char* flag :
       {"--listen", "--broker", "--broker-password-file", "--linger", "--ring-messages",
        "--ring-bytes", "--ring-age", "--gateway-queue-bytes", "--admin-listen", "--allow-uid",
        "--log-level", "--log-format", "--config"}) {
    EXPECT_NE(relay.output.find(flag), std::string::npos) << flag;
  }
  std::istringstream lines(gateway.output + relay.output);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << line;
}

TEST_F(Config, VersionIsSaid) {
  for (const std::string& program : {relay_program(), gateway_program()}) {
    SpawnOptions options;
    options.args = {program, "--version"};
    const Finished finished = run(options);
    EXPECT_EQ(finished.status.code, 0);
    EXPECT_NE(finished.output.find("0."), std::string::npos) << finished.output;
  }
}

TEST_F(Config, AdminPagesAreReadOnlyAndNotForClients) {
  Stack stack;
  for (const Endpoint& admin : {stack.gateway().admin(), stack.relay().admin()}) {
    EXPECT_EQ(http_get(admin, "/healthz").status, 200);
    EXPECT_EQ(http_get(admin, "/readyz").status, 200);
    EXPECT_EQ(http_get(admin, "/readyz?verbose").status, 200);
    EXPECT_EQ(http_get(admin, "/metrics").status, 200);
    EXPECT_EQ(http_get(admin, "/nothing").status, 404);
    EXPECT_EQ(http_exchange(admin,
                            "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                            "Connection: close\r\n\r\n")
                  .status,
              405);
    EXPECT_EQ(http_exchange(admin, "GET /readyz HTTP/1.0\r\n\r\n").status, 200);
  }
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    EXPECT_NE(http_get(stack.gateway().endpoint(), path).status, 200) << path;
  }
}

TEST_F(Config, JsonLogLinesAreJson) {
  const Relay relay(directory_);
  SpawnOptions options;
  options.args = {gateway_program(), "--id",         "1",   "--listen", "127.0.0.1:0", "--relay",
                  relay.address(),   "--log-format", "json"};
  Process process(std::move(options));
  process.wait_line("listening on");
  for (const auto& line : process.lines()) {
    EXPECT_EQ(line.front(), '{') << line;
    EXPECT_EQ(line.back(), '}') << line;
  }
}

}  // namespace
}  // namespace sluice::test
