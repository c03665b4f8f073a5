// The operators' tool against real daemons: what it shows, what it leaves behind (nothing), how it
// ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

constexpr int kNoRelay = 3;
constexpr int kNoPermission = 4;
constexpr int kLinkRefused = 5;
constexpr int kRefused = 6;
constexpr int kUnknownFate = 7;

SpawnOptions command(const std::string& address, Args args, std::map<int, int> fds = {}) {
  SpawnOptions options;
  options.args = {tool_program()};
  options.args.insert(options.args.end(), args.begin(), args.end());
  options.args.insert(options.args.end(), {"--relay", address});
  options.fds = std::move(fds);
  return options;
}

Finished sluice(const std::string& address, Args args, std::map<int, int> fds = {}) {
  return run(command(address, std::move(args), std::move(fds)));
}

bool holds(const Finished& finished, const std::string& part) {
  return finished.output.find(part) != std::string::npos;
}

/// One line on stderr and nothing else, with all that a person needs.
void expect_complaint(const Finished& finished, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(finished.status.code, code) << finished.output;
  EXPECT_EQ(std::count(finished.output.begin(), finished.output.end(), '\n'), 1) << finished.output;
  EXPECT_EQ(finished.output.rfind("sluice: ", 0), 0U) << finished.output;
  for (const std::string& part : parts) EXPECT_TRUE(holds(finished, part)) << finished.output;
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2");
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out;
  UniqueFd in;
};

class Tool : public ::testing::Test {
 protected:
  void start(std::size_t gateways, Args relay_args = {}) {
    Stack::Settings settings;
    settings.gateways = gateways;
    settings.relay_args = std::move(relay_args);
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  std::string address() { return stack_->relay().address(); }
  Json status(const Args& more = {}) {
    Args args = {"status", "--json"};
    args.insert(args.end(), more.begin(), more.end());
    const Finished finished = sluice(address(), args);
    EXPECT_EQ(finished.status.code, 0) << finished.output;
    return Json::parse(finished.output);
  }
  std::unique_ptr<Process> tail(Args args = {}, const std::map<int, int>& fds = {}) {
    args.insert(args.begin(), {"tail", "livechat"});
    auto process = std::make_unique<Process>(command(address(), args, fds));
    if (!fds.contains(1)) process->wait_line("subscribed");
    return process;
  }
  Finished publish(const std::string& text, Args more = {}) {
    more.insert(more.begin(), {"publish", "livechat", text});
    return sluice(address(), more);
  }
  double metric(const std::string& name) { return stack_->relay().metrics().value(name); }

  TempDir directory_;
  std::unique_ptr<Stack> stack_;
};

// ---- status

TEST_F(Tool, StatusShowsWhatThereIs) {
  start(2);
  WsClient a = WsClient::connect(stack_->gateway(0).endpoint());
  WsClient b = WsClient::connect(stack_->gateway(0).endpoint());
  stack_->gateway(0).wait_subscribed();
  Json s;
  ASSERT_TRUE(eventually(10s, [&] {
    s = status();
    const Json& list = s["gateways"]["list"];
    return list.size() == 2 && list[0]["clients"] == 2 && list[1]["clients"] == 0;
  })) << s.dump(2);
  EXPECT_EQ(s["relay"]["pid"], stack_->relay().process().pid());
  EXPECT_EQ(s["relay"]["address"], address());
  EXPECT_EQ(s["broker"]["address"], "memory:");
  EXPECT_EQ(s["broker"]["connected"], true);
  EXPECT_EQ(s["gateways"]["connected"], 2);
  EXPECT_EQ(s["gateways"]["clients"], 2);
  EXPECT_EQ(s["gateways"]["list"][0]["id"], "1111");
  EXPECT_EQ(s["gateways"]["list"][0]["pid"], stack_->gateway(0).process().pid());
  EXPECT_EQ(s["gateways"]["list"][0]["state"], "ready");
  EXPECT_EQ(s["channels"]["list"][0]["name"], "livechat");
  EXPECT_EQ(s["channels"]["list"][0]["gateways"], 1);
  EXPECT_EQ(s["tools"]["connected"], 1);
  EXPECT_EQ(status({"--channels", "0"})["channels"]["left_out"], 1);
  const Finished shown = sluice(address(), {"status"});
  EXPECT_EQ(shown.status.code, 0);
  EXPECT_TRUE(holds(shown, "GATEWAYS  2 connected, 2 clients")) << shown.output;
  EXPECT_TRUE(holds(shown, "livechat")) << shown.output;
  EXPECT_EQ(shown.output.find('\x1b'), std::string::npos) << "no colours into a pipe";
}

TEST_F(Tool, StatusFollowsAGatewayThatDiesAndOneThatDrains) {
  start(2);
  stack_->gateway(0).kill();
  stack_->gateway(1).process().signal(SIGTERM);  // its drain begins with 3 s of serving
  Json s;
  EXPECT_TRUE(eventually(10s, [&] {
    s = status();
    for (const Json& gateway : s["gateways"]["list"]) {
      if (gateway.value("state", Json()) == "draining") return s["gateways"]["lingering"] == 1;
    }
    return false;
  })) << s.dump(2);
}

TEST_F(Tool, StatusTellsThatRedisIsAwayAndNoPassword) {
  RedisServer redis(directory_, "sesame-open");
  start(0, {"--broker", redis.url(), "--broker-password-file",
            directory_.write("password", "sesame-open\n")});
  Json s;
  ASSERT_TRUE(eventually(10s, [&] { return (s = status())["broker"]["connected"] == true; }));
  EXPECT_EQ(s["broker"]["kind"], "redis");
  redis.kill();
  ASSERT_TRUE(eventually(10s, [&] { return (s = status())["broker"]["connected"] == false; }));
  EXPECT_FALSE(s["broker"]["reason"].get<std::string>().empty());
  EXPECT_EQ(s["broker"]["losses"], 1);
  EXPECT_TRUE(holds(sluice(address(), {"status"}), "AWAY"));
  redis.start();
  ASSERT_TRUE(eventually(20s, [&] { return (s = status())["broker"]["connected"] == true; }));
  EXPECT_EQ(s["broker"]["reconnects"], 1);
  EXPECT_EQ(s.dump().find("sesame"), std::string::npos);
}

TEST_F(Tool, WatchWritesJsonLineByLineAcrossARestartAndEndsOnSigint) {
  start(1);
  Process watch(command(address(), {"status", "--watch", "--json", "--interval", "100ms"}));
  const int first = stack_->relay().process().pid();
  watch.wait_line("\"pid\":" + std::to_string(first));
  stack_->relay().kill();
  watch.wait_line("^sluice: ");
  stack_->relay().start();
  const auto line = watch.wait_line(
      "^.*\"relay\":\\{[^}]*\"pid\":" + std::to_string(stack_->relay().process().pid()) + ".*$",
      20s);
  EXPECT_EQ(Json::parse(line[0])["format"], 1);
  watch.signal(SIGINT);
  EXPECT_EQ(watch.wait_exit().code, 0);
}

TEST_F(Tool, WatchAsksAgainAndAgainOverOneLink) {
  start(1);
  Process watch(command(address(), {"status", "--watch", "--json", "--interval", "100ms"}));
  EXPECT_TRUE(eventually(20s, [&] { return watch.lines("^\\{\"format\":1").size() >= 5; }));
  EXPECT_TRUE(watch.lines("^sluice: ").empty());
  EXPECT_EQ(metric("sluice_relay_tools_opened_total"), 1);
}

TEST_F(Tool, WatchOnATerminalDrawsOverItsScreenAndGivesItBack) {
  start(1);
  int master = -1;
  int slave = -1;
  winsize size{20, 60, 0, 0};
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
  const UniqueFd screen(master);
  UniqueFd terminal(slave);
  Process watch(
      command(address(), {"status", "--watch", "--interval", "100ms"}, {{1, terminal.get()}}));
  terminal.reset();
  std::string seen;
  const auto read_until = [&](const std::string& text) {
    return eventually(20s, [&] {
      char chunk[4096];
      const ssize_t n = ::read(screen.get(), chunk, sizeof chunk);
      if (n > 0) seen.append(chunk, static_cast<std::size_t>(n));
      return seen.find(text) != std::string::npos;
    });
  };
  ASSERT_TRUE(read_until("\x1b[?1049h\x1b[?25l")) << "the other screen, no cursor";
  ASSERT_TRUE(read_until("GATEWAYS"));
  EXPECT_EQ(seen.find("\x1b[2J"), std::string::npos) << "nothing is cleared before it is drawn";
  watch.signal(SIGTERM);
  EXPECT_TRUE(read_until("\x1b[?25h\x1b[?1049l"));
  EXPECT_EQ(watch.wait_exit().code, 0);
}

// ---- tail and publish

TEST_F(Tool, TailShowsWhatClientsAndThePublisherSend) {
  start(1);
  WsClient client = WsClient::connect(stack_->gateway().endpoint());
  stack_->gateway().wait_subscribed();
  const auto tool = tail({"--json"});
  client.send_text("from a client");
  tool->wait_line("from a client");
  const Finished published = publish("from the tool");
  EXPECT_EQ(published.status.code, 0);
  EXPECT_EQ(published.output, "published 13 B to livechat\n");
  EXPECT_EQ(client.text(), "from a client");
  EXPECT_EQ(client.text(), "from the tool");
  const Json message = Json::parse(tool->wait_line("from the tool")[0]);
  EXPECT_EQ(message["type"], "message");
  EXPECT_EQ(message["channel"], "livechat");
  EXPECT_EQ(message["offset"], 2);
  EXPECT_EQ(message["bytes"], 13);
  EXPECT_EQ(message["text"], "from the tool");
  client.send_binary(std::string("\x00\xff\x1b", 3));
  EXPECT_EQ(Json::parse(tool->wait_line("base64")[0])["base64"], "AP8b");
  tool->signal(SIGTERM);
  EXPECT_EQ(tool->wait_exit().code, 0);
}

TEST_F(Tool, TailNeverPassesControlCharacters) {
  start(0);
  const auto tool = tail();
  EXPECT_EQ(publish("\x1b[2Jevil\x07").status.code, 0);
  tool->wait_line("\\\\x1b\\[2Jevil\\\\x07");
  EXPECT_EQ(tool->output().find('\x1b'), std::string::npos);
}

TEST_F(Tool, TailSurvivesARestartOfTheRelayAndSaysSo) {
  start(0);
  const auto tool = tail();
  EXPECT_EQ(publish("before").status.code, 0);
  tool->wait_line("before");
  stack_->relay().kill();
  tool->wait_line("-- link lost");
  std::size_t mark = tool->mark();
  stack_->relay().start();
  tool->wait_line("-- link back", 20s, mark);
  tool->wait_line("-- gap: an unknown number of messages", 20s, mark);
  EXPECT_EQ(publish("after").status.code, 0);
  tool->wait_line("after$");
  // In good order, it says goodbye.
  mark = tool->mark();
  stack_->relay().process().signal(SIGTERM);
  EXPECT_EQ(stack_->relay().process().wait_exit().code, 0);
  tool->wait_line("-- link lost", 10s, mark);
  tool->signal(SIGINT);
  EXPECT_EQ(tool->wait_exit().code, 0);
}

TEST_F(Tool, TailTellsThatRedisWentAndCame) {
  RedisServer redis(directory_);
  start(0, {"--broker", redis.url()});
  const auto tool = tail();
  redis.command({"PUBLISH", "livechat", "from elsewhere"});
  tool->wait_line("from elsewhere");
  redis.kill();
  tool->wait_line("-- broker away: .");
  redis.start();
  tool->wait_line("-- broker connected", 20s);
  tool->wait_line("-- gap: an unknown number", 20s);
  redis.command({"PUBLISH", "livechat", "again"});
  tool->wait_line("again$");
}

TEST_F(Tool, TailEndsAfterItsCountAndWithWhoReadsIt) {
  start(0);
  const auto counted = tail({"--count", "2"});
  for (const char* text : {"1", "2", "3"}) EXPECT_EQ(publish(text).status.code, 0);
  EXPECT_EQ(counted->wait_exit().code, 0);
  EXPECT_EQ(counted->lines("  [123]$").size(), 2U);
  Pipe pipe;
  const auto piped = tail({}, {{1, pipe.in.get()}});
  pipe.in.reset();
  char first = 0;
  ASSERT_EQ(::read(pipe.out.get(), &first, 1), 1);
  pipe.out.reset();  // like `| head -n 1`, and no message ever comes
  const ExitStatus status = piped->wait_exit();
  EXPECT_EQ(status.code, 0);
  EXPECT_EQ(piped->output(), "");
}

TEST_F(Tool, TailEndsOnASignalAlsoWhenItsReaderStandsStill) {
  start(0);
  Pipe pipe;
  const auto tool = tail({}, {{1, pipe.in.get()}});
  EXPECT_TRUE(eventually(10s, [&] { return metric("sluice_relay_tools") == 1; }));
  EXPECT_TRUE(eventually(10s, [&] { return status()["channels"]["subscribed"] == 1; }));
  const std::string large(60000, 'x');
  for (int i = 0; i < 5; ++i) EXPECT_EQ(publish(large).status.code, 0);
  observe_for(200ms);
  EXPECT_TRUE(tool->running());
  tool->signal(SIGTERM);
  EXPECT_EQ(tool->wait_exit().code, 0);
}

TEST_F(Tool, PublishTakesStandardInput) {
  start(0);
  const auto tool = tail({"--json"});
  const auto feed = [&](const std::string& text, Args more) {
    Pipe pipe;
    EXPECT_EQ(::write(pipe.in.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    pipe.in.reset();
    more.insert(more.begin(), {"publish", "livechat", "--json"});
    return sluice(address(), more, {{0, pipe.out.get()}});
  };
  const Finished one = feed("line one\nline two\n", {});
  EXPECT_EQ(one.status.code, 0) << one.output;
  EXPECT_EQ(Json::parse(one.output),
            (Json{{"outcome", "published"}, {"channel", "livechat"}, {"bytes", 17}}));
  EXPECT_EQ(feed("exact\n", {"--exact"}).status.code, 0);
  EXPECT_EQ(feed("", {}).status.code, 0);
  EXPECT_EQ(Json::parse(tool->wait_line("line one")[0])["text"], "line one\nline two");
  EXPECT_EQ(Json::parse(tool->wait_line("exact")[0])["text"], "exact\n");
  EXPECT_EQ(Json::parse(tool->wait_line("\"bytes\":0")[0])["text"], "");
}

TEST_F(Tool, PublishTellsWhyItWasRefused) {
  RedisServer redis(directory_);
  start(0, {"--broker", redis.url(), "--max-message-size", "1KiB"});
  ASSERT_TRUE(eventually(10s, [&] { return status()["broker"]["connected"] == true; }));
  expect_complaint(publish(std::string(1025, 'x')), kRefused,
                   {"not published", "too large", "1 KiB"});
  redis.kill();
  ASSERT_TRUE(eventually(10s, [&] { return status()["broker"]["connected"] == false; }));
  expect_complaint(publish("x", {"--wait", "200ms"}), kRefused,
                   {"not published", "timed out", "the broker is away"});
  const Finished json = publish("x", {"--wait", "0s", "--json"});
  EXPECT_EQ(json.status.code, kRefused);
  EXPECT_TRUE(holds(json, R"("outcome":"refused")")) << json.output;
  EXPECT_TRUE(holds(json, R"("reason":"timed out")")) << json.output;
}

TEST_F(Tool, PublishWaitsForTheBrokerAsLongAsItMay) {
  RedisServer redis(directory_);
  start(0, {"--broker", redis.url()});
  redis.kill();
  ASSERT_TRUE(eventually(10s, [&] { return status()["broker"]["connected"] == false; }));
  Process waiting(command(address(), {"publish", "livechat", "patient", "--wait", "1m"}));
  ASSERT_TRUE(eventually(10s, [&] { return status()["publishes"]["held"] == 1; }));
  EXPECT_TRUE(waiting.running());
  redis.start();
  EXPECT_EQ(waiting.wait_exit(20s).code, 0);
}

TEST_F(Tool, PublishSaysThatNobodyKnows) {
  RedisServer redis(directory_);
  start(0, {"--broker", redis.url()});
  ASSERT_TRUE(eventually(10s, [&] { return status()["broker"]["connected"] == true; }));
  redis.stop();
  Process waiting(command(address(), {"publish", "livechat", "perhaps", "--wait", "1m"}));
  ASSERT_TRUE(eventually(10s, [&] { return status()["publishes"]["in_flight"] == 1; }));
  stack_->relay().kill();
  EXPECT_EQ(waiting.wait_exit().code, kUnknownFate);
  EXPECT_NE(waiting.output().find("nobody knows whether it was published"), std::string::npos);
  redis.resume();
}

TEST_F(Tool, PublishInterruptedBeforeItsAnswerIsOfUnknownFate) {
  RedisServer redis(directory_);
  start(0, {"--broker", redis.url()});
  ASSERT_TRUE(eventually(10s, [&] { return status()["broker"]["connected"] == true; }));
  redis.stop();
  Process waiting(command(address(), {"publish", "livechat", "perhaps", "--wait", "1m"}));
  ASSERT_TRUE(eventually(10s, [&] { return status()["publishes"]["in_flight"] == 1; }));
  waiting.signal(SIGINT);
  EXPECT_EQ(waiting.wait_exit().code, kUnknownFate);
  redis.resume();
}

// ---- what it leaves behind, how many there may be

TEST_F(Tool, ToolsAreNoGatewaysAndNothingIsLeftOfThem) {
  start(1);
  for (int round = 0; round < 2; ++round) {
    const auto tool = tail();
    EXPECT_EQ(metric("sluice_relay_tools"), 1);
    EXPECT_EQ(metric("sluice_relay_gateways"), 1);
    EXPECT_EQ(metric("sluice_relay_gateways_known"), 1);
    EXPECT_EQ(metric("sluice_relay_subscriptions"), 0);
    EXPECT_EQ(status()["gateways"]["list"].size(), 1U);
    tool->kill();
    EXPECT_TRUE(eventually(10s, [&] { return metric("sluice_relay_tools") == 0; }));
    EXPECT_TRUE(eventually(10s, [&] { return metric("sluice_relay_channels") == 0; }))
        << "its channel does not linger";
    EXPECT_EQ(metric("sluice_relay_gateways_known"), 1);
  }
  EXPECT_EQ(metric("sluice_relay_links_opened_total"), 1);
  EXPECT_EQ(metric("sluice_relay_links_closed_total"), 0);
}

TEST_F(Tool, TheSeventeenthIsRefusedAndGatewaysAreNot) {
  start(0, {"--max-gateways", "1"});
  std::vector<std::unique_ptr<Process>> tools;
  tools.reserve(16);
  for (int i = 0; i < 16; ++i) tools.push_back(tail());
  expect_complaint(sluice(address(), {"status"}), kLinkRefused, {"16 tools are connected"});
  GatewaySettings settings;
  settings.relay = address();
  const Gateway gateway(settings);  // becomes ready
  tools.pop_back();
  EXPECT_TRUE(eventually(10s, [&] { return sluice(address(), {"status"}).status.code == 0; }));
}

// ---- when there is no relay, or it will not have us

TEST_F(Tool, NoRelayIsOneLineWithTheRemedy) {
  const std::string missing = "unix:" + directory_.file("missing.sock");
  for (const Args& args : {Args{"status"}, Args{"tail", "c"}, Args{"publish", "c", "t"},
                           Args{"status", "--json"}, Args{"status", "--watch"}}) {
    expect_complaint(sluice(missing, args), kNoRelay, {missing, "--relay", "sluice-relay run"});
  }
  const Finished version = sluice(missing, {"version"});
  EXPECT_EQ(version.status.code, kNoRelay);
  EXPECT_TRUE(holds(version, "sluice 0.")) << "its own is known";
  const std::string stale = directory_.file("stale.sock");
  { const UniqueFd socket = listen_unix(stale); }
  expect_complaint(sluice("unix:" + stale, {"status"}), kNoRelay, {"nobody listens"});
}

TEST_F(Tool, WhatIsNoRelayIsSaidToBeNone) {
  const std::string path = directory_.file("other.sock");
  const UniqueFd socket = listen_unix(path);
  const auto answer = [&](const std::string& text) {
    Process tool(command("unix:" + path, {"status"}));
    Socket peer{UniqueFd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC))};
    if (!text.empty()) peer.send_all(text);
    peer.close();
    const ExitStatus status = tool.wait_exit();
    return Finished{status, tool.output()};
  };
  expect_complaint(answer("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), kLinkRefused,
                   {"does not speak the relay link"});
  expect_complaint(answer(""), kLinkRefused, {"without a word"});
}

TEST_F(Tool, ARelayThatHangsIsNotWaitedForForEver) {
  start(0);
  stack_->relay().process().signal(SIGSTOP);
  expect_complaint(sluice(address(), {"status"}), kNoRelay, {"does not answer"});
  stack_->relay().process().signal(SIGCONT);
  EXPECT_EQ(sluice(address(), {"status"}).status.code, 0);
}

TEST_F(Tool, AUidThatIsNotAllowedIsToldTheFlag) {
  start(0, {"--allow-uid", "12345"});  // so not ours
  const std::string uid = std::to_string(::geteuid());
  for (const Args& args : {Args{"status"}, Args{"tail", "c"}, Args{"publish", "c", "t"}}) {
    expect_complaint(sluice(address(), args), kNoPermission,
                     {"uid " + uid + " is not allowed", "--allow-uid " + uid});
  }
  EXPECT_EQ(stack_->relay().metrics().value("sluice_relay_links_refused_total",
                                            "reason=\"not_permitted\""),
            3);
}

/// As the user `nobody`, from where that user can read the program and reach the socket.
class ToolAsNobody : public Tool {
 protected:
  static constexpr const char* kNobody = "65534";
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
    ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
    program_ = directory_.file("sluice");
    std::filesystem::copy_file(tool_program(), program_);
    ASSERT_EQ(::chmod(program_.c_str(), 0755), 0);
  }
  Finished as_nobody(const Relay& relay, const Args& args) {
    SpawnOptions options = command(relay.address(), args);
    options.args[0] = program_;
    options.args.insert(options.args.begin(), {"/usr/bin/setpriv", "--reuid", kNobody, "--regid",
                                               kNobody, "--clear-groups"});
    return run(std::move(options));
  }
  std::string program_;
};

TEST_F(ToolAsNobody, TheSocketsModeKeepsOthersOut) {
  const Relay relay(directory_);
  expect_complaint(as_nobody(relay, {"status"}), kNoPermission, {"no permission", "--socket-mode"});
}

TEST_F(ToolAsNobody, TheCredentialsDecideWhereTheModeLetsIn) {
  const Relay relay(directory_, {"--socket-mode", "0666"});
  expect_complaint(as_nobody(relay, {"status"}), kNoPermission,
                   {"uid 65534 is not allowed", "--allow-uid 65534"});
  EXPECT_EQ(sluice(relay.address(), {"status"}).status.code, 0);
}

TEST_F(ToolAsNobody, AllowUidLetsThatOneInAndNobodyElse) {
  const Relay relay(directory_, {"--socket-mode", "0666", "--allow-uid", kNobody});
  EXPECT_EQ(as_nobody(relay, {"status"}).status.code, 0);
  EXPECT_EQ(as_nobody(relay, {"publish", "c", "t"}).status.code, 0);
  expect_complaint(sluice(relay.address(), {"status"}), kNoPermission, {"--allow-uid"});
  EXPECT_EQ(relay.metrics().value("sluice_relay_links_refused_total", "reason=\"not_permitted\""),
            1);
}

// ---- command line

TEST_F(Tool, WrongUsageIsExitCodeTwo) {
  const auto says = [](Args args) {
    SpawnOptions options;
    args.insert(args.begin(), tool_program());
    options.args = std::move(args);
    return run(std::move(options));
  };
  for (const Args& args : {Args{}, Args{"nonsense"}, Args{"tail"}, Args{"publish"},
                           Args{"publish", "a", "b", "c"}, Args{"status", "--relay", "127.0.0.1:1"},
                           Args{"status", "--interval", "5"}, Args{"tail", ""}}) {
    EXPECT_EQ(says(args).status.code, 2) << says(args).output;
  }
  for (const Args& args :
       {Args{"--help"}, Args{"help"}, Args{"status", "--help"}, Args{"tail", "--help"},
        Args{"publish", "-h"}, Args{"version", "--help"}}) {
    EXPECT_EQ(says(args).status.code, 0);
    EXPECT_TRUE(holds(says(args), "Usage: sluice")) << says(args).output;
  }
  EXPECT_EQ(says({"--version"}).output.rfind("sluice ", 0), 0U);
}

TEST_F(Tool, VersionIsThatOfBoth) {
  start(0);
  const Finished shown = sluice(address(), {"version"});
  EXPECT_EQ(shown.status.code, 0);
  EXPECT_TRUE(holds(shown, "sluice 0.")) << shown.output;
  EXPECT_TRUE(holds(shown, "sluice-relay 0.")) << shown.output;
  const Json json = Json::parse(sluice(address(), {"version", "--json"}).output);
  EXPECT_EQ(json["relay"].get<std::string>().rfind("sluice-relay ", 0), 0U);
}

}  // namespace
}  // namespace sluice::test
