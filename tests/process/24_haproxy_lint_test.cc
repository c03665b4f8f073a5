// sluice haproxy-lint with the real haproxy and real gateways: the shipped files, files with
// faults, what it says of a gateway that speaks the PROXY protocol or not, how it ends.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/process/support/daemons.h"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kClean = 0;
constexpr int kFindings = 1;
constexpr int kUnreadable = 2;

const std::string kSource = SLUICE_SOURCE_DIR;

Finished lint(const std::string& file, const Args& more = {}, const Environment& env = {}) {
  SpawnOptions options;
  options.args = {tool_program(), "haproxy-lint", file};
  options.args.insert(options.args.end(), more.begin(), more.end());
  options.env = env;
  return run(std::move(options), 30s);
}

/// Rules of what was found, in order; the exit code must fit.
std::vector<std::string> rules(const std::string& file, Args more = {},
                               const Environment& env = {}) {
  more.emplace_back("--json");
  const Finished finished = lint(file, more, env);
  const Json json = Json::parse(finished.output);
  std::vector<std::string> found;
  for (const Json& finding : json) {
    EXPECT_EQ(finding.size(), 4U);
    EXPECT_GE(finding.at("line").get<int>(), 1);
    EXPECT_FALSE(finding.at("message").get<std::string>().empty());
    EXPECT_FALSE(finding.at("fix").get<std::string>().empty());
    found.push_back(finding.at("rule"));
  }
  EXPECT_EQ(finished.status.code, found.empty() ? kClean : kFindings) << finished.output;
  return found;
}

using Rules = std::vector<std::string>;

std::size_t count(const Rules& found, const std::string& rule) {
  return static_cast<std::size_t>(std::count(found.begin(), found.end(), rule));
}

// ---- files

TEST(HaproxyLint, TheShippedFilesAreCleanForHaproxyToo) {
  std::size_t files = 0;
  for (const char* directory : {"/haproxy", "/compose/haproxy"}) {
    for (const auto& entry : fs::directory_iterator(kSource + directory)) {
      const std::string file = entry.path();
      if (entry.path().extension() != ".cfg") continue;
      Args args = {"--max-connection-age", "30s"};
      // HAProxy refuses a certificate that is not there: nothing that a fresh tree could have.
      if (read_file(file).find(" ssl crt \"") != std::string::npos)
        args.insert(args.end(), {"--haproxy", "none"});
      const Finished finished = lint(file, args);
      EXPECT_EQ(finished.status.code, kClean) << finished.output;
      EXPECT_EQ(finished.output, file + ": no findings\n") << "nothing left unjudged";
      ++files;
    }
  }
  EXPECT_GE(files, 2U);
}

TEST(HaproxyLint, VariablesComeFromTheEnvironmentAsForHaproxy) {
  const TempDir directory;
  const std::string file =
      directory.write("x.cfg", read_file(kSource + "/haproxy/haproxy.cfg") +
                                   "  timeout tunnel \"${LINT_TEST_TUNNEL-90s}\"\n");
  EXPECT_EQ(rules(file), Rules());
  EXPECT_EQ(rules(file, {}, {{"LINT_TEST_TUNNEL", "5s"}}), Rules{"timeout-tunnel"});
}

TEST(HaproxyLint, TheArticlesFileHasMoreThanEightFindings) {
  const TempDir directory;
  const std::string file = directory.write(
      "article.cfg",
      "frontend http\n bind 127.0.0.1:8080\n mode http\n timeout client 1000s\n use_backend all\n"
      "backend all\n mode http\n timeout server 1000s\n timeout connect 1000s\n"
      " server s1 ws1.invalid:8080\n server s2 ws2.invalid:8080\n"
      " server s3 ws3.invalid:8080\n server s4 ws4.invalid:8080\n");
  const Rules found = rules(file);
  EXPECT_GE(found.size(), 8U);
  EXPECT_EQ(count(found, "timeout-tunnel"), 1U);
  EXPECT_EQ(count(found, "no-check"), 1U);
  EXPECT_EQ(count(found, "haproxy"), 4U) << "could not resolve address, of each server";
  const Finished finished = lint(file);
  EXPECT_NE(finished.output.find(file + ":10: haproxy: haproxy -c refuses the file: 'server "
                                        "all/s1' : could not resolve address 'ws1.invalid'.\n"),
            std::string::npos)
      << finished.output;
  EXPECT_NE(finished.output.find("\n  fix: timeout tunnel 90s"), std::string::npos);
}

/// The unit tests' good files are good for HAProxy as well: they are no inventions of ours.
TEST(HaproxyLint, HaproxyAgreesThatGoodFilesAreGood) {
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(kSource + "/tests/unit/ctl/haproxy_lint/good")) {
    EXPECT_EQ(rules(entry.path()), Rules()) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 10U);
}

/// And HAProxy takes the faults (but those of form) without an error: that is why there is a
/// linter.
TEST(HaproxyLint, HaproxyRefusesHardlyAnyOfTheFaults) {
  std::size_t told = 0;
  std::size_t files = 0;
  const std::string directory = kSource + "/tests/unit/ctl/haproxy_lint/faults";
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string text = read_file(entry.path());
    if (text.rfind("# options", 0) == 0) continue;  // needs a command line
    const Rules found = rules(entry.path());
    EXPECT_FALSE(found.empty()) << entry.path();
    ++files;
    told += count(found, "haproxy") > 0 ? 1U : 0U;
  }
  EXPECT_GE(files, 24U);
  EXPECT_LT(told * 4, files) << "of " << files;
}

TEST(HaproxyLint, AFaultOfFormIsToldInHaproxysWordsOrInOurs) {
  const std::string file = kSource + "/tests/unit/ctl/haproxy_lint/faults/syntax-quote.cfg";
  EXPECT_EQ(rules(file), Rules{"haproxy"});
  EXPECT_EQ(rules(file, {"--haproxy", "none"}), Rules{"syntax"});
}

TEST(HaproxyLint, HardStopAfterIsMeasuredAgainstTheGatewaysAge) {
  const std::string file = kSource + "/haproxy/haproxy.cfg";
  EXPECT_EQ(rules(file, {"--max-connection-age", "off"}), Rules{"hard-stop-cut"});
  EXPECT_EQ(rules(file, {"--max-connection-age", "0s"}), Rules{"hard-stop-cut"});
  EXPECT_EQ(rules(file, {"--max-connection-age", "30m"}), Rules{"hard-stop-cut"});
  EXPECT_EQ(rules(file, {"--max-connection-age", "25m"}), Rules());
  EXPECT_NE(lint(file).output.find("not judged: hard-stop-after"), std::string::npos);
}

TEST(HaproxyLint, PingsMayBeSlower) {
  const std::string file = kSource + "/haproxy/haproxy.cfg";
  EXPECT_EQ(rules(file, {"--ping-interval", "90s"}), Rules{"timeout-tunnel"});
  EXPECT_EQ(rules(file, {"--ping-interval", "80s"}), Rules());
}

// ---- a running gateway

class WithGateway : public ::testing::Test {
 protected:
  void start(const Args& gateway_args, const std::string& listen = "127.0.0.1:0") {
    relay_ = std::make_unique<Relay>(directory_);
    GatewaySettings settings;
    settings.relay = relay_->address();
    settings.args = gateway_args;
    settings.listen = listen;
    gateway_ = std::make_unique<Gateway>(std::move(settings));
  }
  /// The shipped file, its first server being the gateway, with or without PROXY headers.
  Rules against(bool send_proxy) {
    std::string text = read_file(kSource + "/haproxy/haproxy.cfg");
    if (!send_proxy) {
      const std::string word = " send-proxy-v2";
      text.erase(text.find(word + "\n"), word.size());
      text.insert(text.find("  option httplog"), "  option forwardfor\n");
    }
    const std::string file = directory_.write(send_proxy ? "sent.cfg" : "plain.cfg", text);
    return rules(file, {"--gateway", gateway_->endpoint().text()},
                 {{"SLUICE_LB_1111_PORT", std::to_string(gateway_->endpoint().port)}});
  }

  TempDir directory_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(WithGateway, ThatRequiresThePROXYProtocol) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8"});
  EXPECT_EQ(against(true), Rules());
  EXPECT_EQ(against(false), Rules{"proxy-mismatch"});
  EXPECT_EQ(gateway_->metrics().value("sluice_gateway_opened_total"), 0.0) << "no session for that";
}

TEST_F(WithGateway, ThatHasItOff) {
  start({});
  EXPECT_EQ(against(true), Rules{"proxy-mismatch"});
  EXPECT_EQ(against(false), Rules());
}

TEST_F(WithGateway, ThatTakesBoth) {
  start({"--proxy-protocol", "optional", "--trusted-proxy", "127.0.0.0/8"});
  EXPECT_EQ(against(true), Rules());
  EXPECT_EQ(against(false), Rules());
}

TEST_F(WithGateway, ThatDoesNotTrustThisHost) {
  start({"--proxy-protocol", "optional", "--trusted-proxy", "10.0.0.0/8"});
  EXPECT_EQ(against(true), Rules{"proxy-mismatch"});
}

TEST_F(WithGateway, OnAUnixSocket) {
  start({"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8", "--listen",
         "unix:" + directory_.file("g.sock")});
  std::string text = read_file(kSource + "/haproxy/haproxy.cfg");
  const std::string port = "\"127.0.0.1:${SLUICE_LB_1111_PORT}\"";
  text.replace(text.find(port), port.size(),
               "unix@" + directory_.file("g.sock") + " addr 127.0.0.1 agent-addr 127.0.0.1");
  const std::string file = directory_.write("unix.cfg", text);
  const Args ask = {"--gateway", "unix:" + directory_.file("g.sock")};
  EXPECT_EQ(rules(file, ask), Rules());
  text.insert(text.find(" addr 127.0.0.1"), " no-send-proxy-v2");
  EXPECT_EQ(rules(directory_.write("unix.cfg", text), ask),
            (Rules{"client-address", "proxy-mismatch"}));
}

TEST_F(WithGateway, ThatIsNotThere) {
  start({});
  gateway_->kill();
  const Finished finished =
      lint(kSource + "/haproxy/haproxy.cfg", {"--gateway", gateway_->endpoint().text()});
  EXPECT_EQ(finished.status.code, kUnreadable);
  EXPECT_EQ(finished.output, "sluice: can't ask the gateway at " + gateway_->endpoint().text() +
                                 ": Connection refused\n");
}

// ---- how it ends

void expect_unreadable(const std::string& file, const std::string& why) {
  const Finished finished = lint(file);
  EXPECT_EQ(finished.status.code, kUnreadable) << finished.output;
  EXPECT_EQ(finished.output, "sluice: can't read " + file + ": " + why + "\n");
}

TEST(HaproxyLint, WhatCantBeReadIsSaidWithCode2) {
  const TempDir directory;
  expect_unreadable(directory.file("none"), "No such file or directory");
  expect_unreadable(directory.path(), "it is no regular file");
  expect_unreadable("/dev/zero", "it is no regular file");
  expect_unreadable(directory.write("zero", std::string("global\n\0", 8)),
                    "it holds a 0 byte: no configuration file");
  expect_unreadable(directory.write("long", std::string((1 << 20) + 1, '#')), "it is over 1 MiB");
  const std::string fifo = directory.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expect_unreadable(fifo, "it is no regular file");
  EXPECT_EQ(lint(kSource + "/haproxy/haproxy.cfg", {"--gateway", "fd:3"}).status.code, 2);
}

std::string program(const TempDir& directory, const std::string& script) {
  std::string path = directory.write("program", "#!/bin/sh\n" + script + "\n");
  EXPECT_EQ(::chmod(path.c_str(), 0700), 0);
  return path;
}

/// No haproxy to be asked is no finding; that it was not asked is said.
TEST(HaproxyLint, AHaproxyThatCantBeAskedIsNamed) {
  const TempDir directory;
  const std::string file = kSource + "/haproxy/haproxy.cfg";
  const auto with = [&](const std::string& haproxy) { return lint(file, {"--haproxy", haproxy}); };
  const Finished none = with(directory.file("none"));
  EXPECT_EQ(none.status.code, kClean);
  EXPECT_NE(none.output.find("not judged: haproxy -c: " + directory.file("none") +
                             ": No such file or directory\n"),
            std::string::npos)
      << none.output;
  const Finished endless = with(program(directory, "exec yes"));
  EXPECT_EQ(endless.status.code, kClean);
  EXPECT_NE(endless.output.find("says more than 256 KiB"), std::string::npos) << endless.output;
  const Finished hung = with(program(directory, "exec tail -f /dev/null"));
  EXPECT_EQ(hung.status.code, kClean);
  EXPECT_NE(hung.output.find("took more than 10 s"), std::string::npos) << hung.output;
}

/// Ended while haproxy still reads, it does not say that all is well.
TEST(HaproxyLint, InterruptedItSaysSo) {
  const TempDir directory;
  const std::string fifo = directory.file("started");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  SpawnOptions options;
  options.args = {tool_program(), "haproxy-lint", kSource + "/haproxy/haproxy.cfg", "--haproxy",
                  program(directory, "echo here >" + fifo + "; exec tail -f /dev/null")};
  Process process(std::move(options));
  EXPECT_EQ(read_file(fifo), "here\n");
  process.signal(SIGINT);
  EXPECT_EQ(process.wait_exit(5s).code, kUnreadable);
  EXPECT_NE(process.output().find("interrupted"), std::string::npos) << process.output();
}

TEST(HaproxyLint, AHaproxyThatFailsWithoutAWordIsAFinding) {
  const TempDir directory;
  EXPECT_EQ(rules(kSource + "/haproxy/haproxy.cfg", {"--haproxy", program(directory, "exit 3")}),
            Rules{"haproxy"});
}

}  // namespace
}  // namespace sluice::test
