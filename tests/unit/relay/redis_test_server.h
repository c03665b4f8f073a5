// A private redis-server in a directory of its own, for unit tests of the Redis broker.
#pragma once

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "common/check.h"
#include "common/unique_fd.h"
#include "tests/support/held_port.h"

namespace sluice::relay::test {

class RedisTestServer {
 public:
  using Words = std::vector<std::string>;

  RedisTestServer() {
    std::string path = "/tmp/sluice-redis-XXXXXX";
    CHECK(::mkdtemp(path.data()) != nullptr);
    directory_ = path;
  }
  RedisTestServer(const RedisTestServer&) = delete;
  RedisTestServer& operator=(const RedisTestServer&) = delete;
  ~RedisTestServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  /// Answering when it returns. Its own password stays what set_password() said.
  void start() {
    CHECK(pid_ == 0);
    const std::string log = directory_ + "/redis.log";
    Words words{"redis-server",
                "--port",
                std::to_string(port_->number()),
                "--bind",
                "127.0.0.1",
                "--unixsocket",
                socket_path(),
                "--dir",
                directory_,
                "--save",
                "",
                "--logfile",
                log};
    if (keeps_data_) words.insert(words.end(), {"--appendonly", "yes", "--appendfsync", "always"});
    if (!password_.empty()) words.insert(words.end(), {"--requirepass", password_});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (command({"PING"}) != "PONG") {
      CHECK(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void stand_still() const { ::kill(pid_, SIGSTOP); }
  void go_on() const { ::kill(pid_, SIGCONT); }
  /// What it has answered outlives a kill, from the next start on (with "everysec" it may not).
  void keep_data() { keeps_data_ = true; }
  /// While it is not running.
  void lose_data() const { std::filesystem::remove_all(directory_ + "/appendonlydir"); }
  /// From the next start on.
  void set_password(std::string password) { password_ = std::move(password); }

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string socket_path() const { return directory_ + "/r.sock"; }
  [[nodiscard]] std::string unix_url() const { return "redis+unix://" + socket_path(); }
  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const {
    return "redis://" + host + ":" + std::to_string(port_->number());
  }
  [[nodiscard]] std::string write_file(const std::string& name, const std::string& text) const {
    std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  /// On a connection of its own; an array's elements are joined by lines. Empty: no answer.
  std::string command(const Words& words) const {
    const std::unique_ptr<redisContext, void (*)(redisContext*)> context(
        redisConnectUnix(socket_path().c_str()), redisFree);
    if (context == nullptr || context->err != 0) return {};
    if (!password_.empty()) (void)ask(context.get(), {"AUTH", password_});
    return ask(context.get(), words);
  }
  /// Lines of CLIENT LIST with this in them.
  [[nodiscard]] std::vector<std::string> clients(const std::string& with) const {
    std::vector<std::string> out;
    std::istringstream list(command({"CLIENT", "LIST"}));
    for (std::string line; std::getline(list, line);) {
      if (line.find(with) != std::string::npos) out.push_back(line);
    }
    return out;
  }
  /// Ends the connections with this name.
  void kill_clients(const std::string& name) const {
    for (const std::string& line : clients("name=" + name)) {
      const std::size_t start = line.find("id=") + 3;
      (void)command({"CLIENT", "KILL", "ID", line.substr(start, line.find(' ', start) - start)});
    }
  }

 private:
  static std::string ask(redisContext* context, const Words& words) {
    std::vector<const char*> pointers;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      pointers.push_back(word.data());
      lengths.push_back(word.size());
    }
    auto* reply = static_cast<redisReply*>(
        redisCommandArgv(context, static_cast<int>(words.size()), pointers.data(), lengths.data()));
    if (reply == nullptr) return {};
    std::string text = as_text(*reply);
    freeReplyObject(reply);
    return text;
  }
  static std::string as_text(const redisReply& reply) {
    if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
    std::string out;
    if (reply.type == REDIS_REPLY_ARRAY) {
      for (std::size_t i = 0; i < reply.elements; ++i) out += as_text(*reply.element[i]) + "\n";
      return out;
    }
    return reply.str == nullptr ? "" : std::string(reply.str, reply.len);
  }

  std::string directory_;
  std::optional<sluice::test::HeldPort> port_ = sluice::test::HeldPort::take(0);
  std::string password_;
  bool keeps_data_ = false;
  pid_t pid_ = 0;
};

}  // namespace sluice::relay::test
