// redis-server as a test's child.
#include "tests/process/support/redis_server.h"

#include <sstream>

namespace sluice::test {
namespace {

constexpr const char* kRedisServer = "/usr/bin/redis-server";
constexpr int kStartAttempts = 5;
constexpr auto kStartWait = 60s;  // on a machine that does much else

}  // namespace

RedisServer::RedisServer(const TempDir& directory, std::string password,
                         std::vector<std::string> more)
    : directory_(directory.path()),
      socket_path_(directory.file("redis.sock")),
      password_(std::move(password)),
      more_(std::move(more)) {
  // The port is chosen first and taken later: somebody else may be quicker.
  for (int attempt = 1;; ++attempt) {
    port_ = free_port();
    try {
      start();
      return;
    } catch (const HarnessError&) {
      if (attempt == kStartAttempts) throw;
    }
  }
}

RedisServer::~RedisServer() = default;

void RedisServer::start() {
  std::vector<std::string> args{kRedisServer,
                                "--port",
                                std::to_string(port_),
                                "--bind",
                                "127.0.0.1",
                                "--unixsocket",
                                socket_path_,
                                "--dir",
                                directory_,
                                "--save",
                                "",
                                "--appendonly",
                                "no",
                                "--daemonize",
                                "no"};
  if (!password_.empty()) args.insert(args.end(), {"--requirepass", password_});
  args.insert(args.end(), more_.begin(), more_.end());
  SpawnOptions options;
  options.args = std::move(args);
  process_ = std::make_unique<Process>(std::move(options));
  process_->wait_line("ready to accept connections at", kStartWait);
}

Endpoint RedisServer::endpoint() const {
  Endpoint to;
  to.port = port_;
  return to;
}

Endpoint RedisServer::unix_endpoint() const {
  Endpoint to;
  to.path = socket_path_;
  return to;
}

RespClient RedisServer::control() {
  RespClient client(unix_endpoint());
  if (!password_.empty()) client.command({"AUTH", password_});
  return client;
}

std::string RedisServer::command(const std::vector<std::string>& words) {
  return control().command(words);
}

void RedisServer::set_password(const std::string& password) {
  command({"CONFIG", "SET", "requirepass", password});
  password_ = password;
}

std::vector<std::string> RedisServer::clients() {
  RespClient asking = control();
  const std::string own = "id=" + asking.command({"CLIENT", "ID"}) + " ";
  std::istringstream list(asking.command({"CLIENT", "LIST"}));
  std::vector<std::string> found;
  for (std::string line; std::getline(list, line);) {
    if (!line.empty() && line.rfind(own, 0) != 0) found.push_back(line);
  }
  return found;
}

int RedisServer::subscribers(const std::string& channel) {
  const std::string answer = command({"PUBSUB", "NUMSUB", channel});
  return std::stoi(answer.substr(answer.rfind('\n') + 1));
}

}  // namespace sluice::test
