// What is said first on a connection to Redis, and whether the answers will do. No I/O.
#pragma once

#include <hiredis/hiredis.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/brokers/redis_error.h"

namespace sluice::relay {

[[nodiscard]] inline std::string_view text_of(const redisReply& reply) {
  return {reply.str, reply.len};
}

/// An answer to ROLE.
struct RedisRole {
  bool usable = false;
  bool known = true;  ///< false: not permitted to ask, or an old server; then it is usable
  std::string reason;
};
[[nodiscard]] RedisRole judge_role(const redisReply& reply);

/// AUTH, SELECT, CLIENT SETNAME, ROLE, INFO, PING, all written at once. The last one because a
/// server that loads its data answers the others.
class RedisHandshake {
 public:
  using Words = std::vector<std::string>;
  struct Settings {
    std::string user;
    std::optional<std::string> password;
    std::uint32_t db = 0;
    std::string client_name;
  };
  enum class Verdict { kMore, kDone, kFailed };

  explicit RedisHandshake(const Settings& settings);

  [[nodiscard]] const std::vector<Words>& commands() const { return commands_; }
  [[nodiscard]] Verdict answer(const redisReply& reply);
  /// After kFailed. A copy: whoever tells it ends the handshake first.
  [[nodiscard]] RedisLoss loss() const { return loss_; }
  [[nodiscard]] bool role_known() const { return role_known_; }
  /// Redis' run_id, empty if it does not tell: two connections with different ones are connected to
  /// different servers.
  [[nodiscard]] const std::string& server_id() const { return server_id_; }

 private:
  [[nodiscard]] bool judge(const redisReply& reply);
  [[nodiscard]] bool judge_error(std::string_view text);

  std::vector<Words> commands_;
  std::size_t answered_ = 0;
  RedisLoss loss_;
  bool role_known_ = true;
  std::string server_id_;
};

}  // namespace sluice::relay
