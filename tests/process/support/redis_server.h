// A private redis-server: on a TCP port and a Unix socket at once, restartable on both.
#pragma once

#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/process/support/process.h"
#include "tests/process/support/resp.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::test {

class RedisServer {
 public:
  /// Started and answering when the constructor returns. `more`: words behind our settings, such as
  /// durable().
  explicit RedisServer(const TempDir& directory, std::string password = "",
                       std::vector<std::string> more = {});
  ~RedisServer();

  /// What is answered outlives kill().
  [[nodiscard]] static std::vector<std::string> durable() {
    return {"--appendonly", "yes", "--appendfsync", "always"};
  }

  void start();
  void kill() { process_->kill(); }
  void stop() { process_->signal(SIGSTOP); }
  void resume() { process_->signal(SIGCONT); }

  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] std::string url() const { return "redis://" + endpoint().text(); }
  [[nodiscard]] std::string unix_url() const { return "redis+unix://" + socket_path_; }
  [[nodiscard]] Endpoint endpoint() const;
  [[nodiscard]] Endpoint unix_endpoint() const;
  [[nodiscard]] const std::string& socket_path() const { return socket_path_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// One command over a connection of its own (which CLIENT LIST would show, see clients()).
  std::string command(const std::vector<std::string>& words);
  void set_password(const std::string& password);
  /// Lines of CLIENT LIST but for the asking connection itself.
  std::vector<std::string> clients();
  /// Subscribers of a channel, by PUBSUB NUMSUB.
  int subscribers(const std::string& channel);

 private:
  RespClient control();

  std::string directory_;
  std::string socket_path_;
  std::string password_;
  std::vector<std::string> more_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace sluice::test
