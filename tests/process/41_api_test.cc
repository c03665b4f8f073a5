// The server API's listener on the real relay: keys, bounds, what is no request, reload, upgrade.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/process/support/daemons.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

const std::string kKey = "0123456789abcdef";
const std::string kOtherKey = "fedcba9876543210";

std::string request(const std::string& method, const std::string& body,
                    const std::string& fields = "X-API-Key: " + kKey + "\r\n") {
  return "POST /api/" + method + " HTTP/1.1\r\nHost: a\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class ApiListener : public ::testing::Test {
 protected:
  void start() {
    keys_ = directory_.write("keys", "# of tests\nbackend: " + kKey + "\n");
    relay_ = std::make_unique<Relay>(directory_,
                                     Args{"--api-listen", "127.0.0.1:0", "--api-key-file", keys_});
    api_ = Endpoint::parse(relay_->process().wait_line("API on ([^,]+),")[1]);
  }
  HttpResponse ask(const std::string& bytes) { return http_exchange(api_, bytes); }
  double refused(const std::string& reason) {
    return relay_->metrics().value("sluice_relay_api_refused_total", "reason=\"" + reason + "\"");
  }

  TempDir directory_;
  std::string keys_;
  std::unique_ptr<Relay> relay_;
  Endpoint api_;
};

TEST_F(ApiListener, AnswersWhoHasAKey) {
  start();
  const HttpResponse said = ask(request("info", "{}"));
  EXPECT_EQ(said.status, 200);
  EXPECT_EQ(said.headers.at("content-type"), "application/json");
  const Json nodes = Json::parse(said.body)["result"]["nodes"];
  ASSERT_EQ(nodes.size(), 1U);
  EXPECT_EQ(nodes[0]["num_clients"], 0);
  EXPECT_EQ(ask(request("info", "", "Authorization: apikey " + kKey + "\r\n")).status, 200);
}

TEST_F(ApiListener, WithoutTheKeyNothingIsToldNotEvenWhatThereIs) {
  start();
  for (const std::string& fields :
       {std::string(), "X-API-Key: " + kOtherKey + "\r\n", std::string("X-API-Key:\r\n"),
        "Authorization: Bearer " + kKey + "\r\n", "X-API-Key: " + kKey + "x\r\n"}) {
    for (const char* method : {"info", "publish", "nothing"}) {
      const HttpResponse said = ask(request(method, "{}", fields));
      EXPECT_EQ(said.status, 401) << fields;
      EXPECT_EQ(Json::parse(said.body)["error"]["code"], 101);
    }
  }
  EXPECT_EQ(refused("key"), 15);
}

TEST_F(ApiListener, WhatIsNoRequestIsRefused) {
  start();
  const std::string key = "X-API-Key: " + kKey + "\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"nonsense\r\n\r\n", 400},
      {"GET /api/info HTTP/1.1\r\nHost: a\r\n" + key + "\r\n", 405},
      {request("nothing", "{}"), 404},
      {"POST / HTTP/1.1\r\nHost: a\r\n" + key + "\r\n", 404},
      {"POST /api/info HTTP/1.1\r\n" + key + "\r\n", 400},
      {"POST /api/info HTTP/2.0\r\nHost: a\r\n" + key + "\r\n", 505},
      {"POST /api/info HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + key + "\r\n", 411},
      {"POST /api/info HTTP/1.1\r\nHost: a\r\nExpect: x\r\n" + key + "\r\n", 417},
      {"POST /api/info HTTP/1.1\r\nHost: a\r\nX: " + std::string(20000, 'x') + "\r\n\r\n", 431},
      {"POST /api/info HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n" + key + "\r\n", 413},
      {request("publish", std::string(3U << 20U, 'x')), 413},
      {std::string("\x16\x03\x01\x02", 4), 400}};
  for (const auto& [bytes, status] : cases) {
    const HttpResponse said = ask(bytes);
    EXPECT_EQ(said.status, status) << bytes.substr(0, 80);
    EXPECT_EQ(said.headers.at("connection"), "close");
    EXPECT_TRUE(Json::parse(said.body).contains("error")) << said.body;
  }
  EXPECT_EQ(ask(request("info", "{}")).status, 200) << "others are untouched";
}

TEST_F(ApiListener, ABodyOfTheLargestSizeIsRead) {
  start();
  const std::string body = R"({"pattern":")" + std::string((1U << 20U) - 14, 'x') + "\"}";
  ASSERT_EQ(body.size(), 1U << 20U);
  const HttpResponse said = ask(request("channels", body));
  EXPECT_EQ(said.status, 200);
  EXPECT_EQ(Json::parse(said.body)["error"]["code"], 107);
}

TEST_F(ApiListener, MalformedParametersAreErrorsOfTheApi) {
  start();
  for (const char* body : {"", "{", "[]", "null", "{\"channel\":7}", "{}"}) {
    const HttpResponse said = ask(request("publish", body));
    EXPECT_EQ(said.status, 200) << body;
    EXPECT_EQ(Json::parse(said.body)["error"]["code"], 107) << body;
  }
}

TEST_F(ApiListener, OneConnectionCarriesManyRequestsAlsoAtOnceAndInPieces) {
  start();
  Socket socket = Socket::connect(api_);
  for (int i = 0; i < 3; ++i) {
    socket.send_all(request("info", "{}"));
    EXPECT_EQ(read_response(socket).status, 200);
  }
  // One byte at a time.
  for (const char byte : request("info", "{}")) socket.send_all(std::string_view(&byte, 1));
  EXPECT_EQ(read_response(socket).status, 200);
  // Three at once, the last one ends it.
  socket.send_all(request("info", "{}") + request("info", "{}") +
                  request("info", "{}", "Connection: close\r\nX-API-Key: " + kKey + "\r\n"));
  const std::string all = socket.read_all(10s);
  std::size_t answers = 0;
  for (std::size_t at = all.find("HTTP/1.1 200"); at != std::string::npos;
       at = all.find("HTTP/1.1 200", at + 1))
    ++answers;
  EXPECT_EQ(answers, 3U) << all;
}

TEST_F(ApiListener, SaysContinueToWhoWaitsForIt) {
  start();
  Socket socket = Socket::connect(api_);
  socket.send_all("POST /api/info HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nX-API-Key: " +
                  kKey + "\r\nContent-Length: 2\r\n\r\n");
  std::string rest;
  EXPECT_EQ(read_head(socket, rest).status, 100);
  socket.send_all("{}");
  EXPECT_EQ(read_response(socket).status, 200);
}

TEST_F(ApiListener, WhoHasSaidAllIsStillAnswered) {
  start();
  Socket socket = Socket::connect(api_);
  socket.send_all(request("info", "{}"));
  socket.shut_write();
  EXPECT_EQ(read_response(socket).status, 200);
  EXPECT_EQ(socket.read_some(5s).end, ReadEnd::kEof);
}

TEST_F(ApiListener, ConnectionsAreBounded) {
  start();
  std::vector<Socket> held;
  for (int i = 0; i < 256; ++i) {
    held.push_back(Socket::connect(api_));
    held.back().send_all("P");
  }
  EXPECT_EQ(ask(request("info", "{}")).status, 503);
  EXPECT_GE(refused("full"), 1);
  held.clear();
  EXPECT_TRUE(eventually(
      10s, [&] { return relay_->metrics().value("sluice_relay_api_connections") == 0; }));
  EXPECT_EQ(ask(request("info", "{}")).status, 200);
}

TEST_F(ApiListener, KeysAreReadAgainAndWrongOnesAreNot) {
  start();
  const std::string with_other = request("info", "{}", "X-API-Key: " + kOtherKey + "\r\n");
  directory_.write("keys", kOtherKey + "\n");
  relay_->process().signal(SIGHUP);
  relay_->process().wait_line("read again, keys: 1");
  EXPECT_EQ(ask(request("info", "{}")).status, 401);
  EXPECT_EQ(ask(with_other).status, 200);
  directory_.write("keys", "short\n");
  relay_->process().signal(SIGHUP);
  relay_->process().wait_line("the keys stay as they were");
  EXPECT_EQ(ask(with_other).status, 200);
}

TEST_F(ApiListener, AnUpgradeGoesOnOnTheSameSocket) {
  start();
  Socket idle = Socket::connect(api_);
  relay_->process().signal(SIGUSR2);
  relay_->process().wait_line("upgraded: ");
  EXPECT_EQ(ask(request("info", "{}")).status, 200);
  EXPECT_NE(idle.read_some(5s).end, ReadEnd::kTimeout) << "its connections may end";
}

TEST_F(ApiListener, AUnixSocketNeedsNoKey) {
  const std::string path = directory_.file("api.sock");
  relay_ = std::make_unique<Relay>(directory_,
                                   Args{"--api-listen", "unix:" + path, "--socket-mode", "0600"});
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(http_exchange(Endpoint::parse("unix:" + path), request("info", "{}", "")).status, 200);
}

TEST_F(ApiListener, SettingsThatDoNotFitStopTheStart) {
  const auto refused_with = [this](Args args, const std::string& text) {
    SpawnOptions options;
    options.args = {relay_program(), "--listen", "unix:" + directory_.file("r.sock"), "--check"};
    options.args.insert(options.args.end(), args.begin(), args.end());
    const Finished finished = run(options);
    EXPECT_EQ(finished.status.code, 2) << finished.output;
    EXPECT_NE(finished.output.find(text), std::string::npos) << finished.output;
  };
  const std::string good = directory_.write("good", kKey);
  const std::string bad = directory_.write("bad", "x\n");
  refused_with({"--api-listen", "127.0.0.1:0"}, "--api-key-file");
  refused_with({"--api-key-file", good}, "--api-listen");
  refused_with({"--api-listen", "127.0.0.1:0", "--api-key-file", bad}, "line 1");
  refused_with({"--api-listen", "127.0.0.1:0", "--api-key-file", directory_.file("none")},
               "No such file");
  refused_with({"--node-name", "not good"}, "--node-name");
}

}  // namespace
}  // namespace sluice::test
