// Two gateways behind the shipped haproxy.cfg for clients of the Centrifuge protocol, with the
// server API and keys for tokens.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/process/support/haproxy.h"
#include "tests/process/support/redis_server.h"

namespace sluice::test {

class CentrifugeSdkStage {
 public:
  using Json = nlohmann::json;

  struct Settings {
    std::string rules{};  ///< the file's text; empty: --open-access
    Args gateway_args{};
    bool redis = false;  ///< else the memory broker
  };
  explicit CentrifugeSdkStage(Settings settings);

  /// The balancer's, for SDKs.
  [[nodiscard]] std::string url() const { return url_of(haproxy_->endpoint()); }
  [[nodiscard]] static std::string url_of(const Endpoint& endpoint) {
    return "ws://" + endpoint.text() + "/connection/websocket";
  }
  Gateway& gateway(std::size_t index) { return stack_->gateway(index); }
  Relay& relay() { return stack_->relay(); }
  /// The balancer sends newcomers to this one; nobody is cut.
  void admit_only(std::size_t index);
  void admit_nobody();
  /// A method of the server API; its result. Throws when it is refused.
  Json api(const std::string& method, const Json& parameters);
  /// `sluice token make` with these flags, by the gateways' key or by another.
  [[nodiscard]] std::string token(const Args& args) const { return token_by(keys_, args); }
  [[nodiscard]] std::string foreign_token(const Args& args) const {
    return token_by(foreign_keys_, args);
  }
  /// Of `user`, valid from now for so many seconds.
  [[nodiscard]] std::string user_token(const std::string& user, int seconds = 3600) const {
    return token({"--user", user, "--expires", std::to_string(seconds) + "s"});
  }
  const TempDir& directory() const { return directory_; }

 private:
  [[nodiscard]] static std::string token_by(const std::string& keys, const Args& args);

  TempDir directory_;
  std::string keys_;
  std::string foreign_keys_;
  Endpoint api_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Haproxy> haproxy_;
};

}  // namespace sluice::test
