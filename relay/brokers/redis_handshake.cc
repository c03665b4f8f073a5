#include "relay/brokers/redis_handshake.h"

#include "common/check.h"

namespace sluice::relay {
namespace {

constexpr std::string_view kRunId = "run_id:";

std::string find_run_id(std::string_view info) {
  const std::size_t start = info.find(kRunId);
  if (start == std::string_view::npos) return {};
  const std::string_view rest = info.substr(start + kRunId.size());
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

}  // namespace

RedisRole judge_role(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR) {
    const std::string_view text = text_of(reply);
    if (classify_redis_error(text) == RedisErrorKind::kNotPermitted) return {true, false, {}};
    return {false, true, reason_of_error(text)};
  }
  const bool has_name = reply.type == REDIS_REPLY_ARRAY && reply.elements > 0 &&
                        reply.element[0]->type == REDIS_REPLY_STRING;
  const std::string_view role = has_name ? text_of(*reply.element[0]) : std::string_view("?");
  if (role == "master") return {true, true, {}};
  if (role == "slave") return {false, true, "Redis is a replica, not a master"};
  if (role == "sentinel") return {false, true, "this is a Sentinel, not a Redis that has the data"};
  return {false, true, "the answer to ROLE was not understood: " + printable(role)};
}

RedisHandshake::RedisHandshake(const Settings& settings) {
  if (!settings.user.empty()) {
    commands_.push_back({"AUTH", settings.user, settings.password.value_or("")});
  } else if (settings.password) {
    commands_.push_back({"AUTH", *settings.password});
  }
  if (settings.db != 0) commands_.push_back({"SELECT", std::to_string(settings.db)});
  commands_.push_back({"CLIENT", "SETNAME", settings.client_name});
  commands_.push_back({"ROLE"});
  commands_.push_back({"INFO", "server"});
  commands_.push_back({"PING"});
}

RedisHandshake::Verdict RedisHandshake::answer(const redisReply& reply) {
  CHECK(answered_ < commands_.size());
  if (!judge(reply)) return Verdict::kFailed;
  ++answered_;
  return answered_ == commands_.size() ? Verdict::kDone : Verdict::kMore;
}

bool RedisHandshake::judge(const redisReply& reply) {
  const std::string& command = commands_[answered_][0];
  if (command == "ROLE") {
    const RedisRole role = judge_role(reply);
    role_known_ = role.known;
    const bool answered = reply.type != REDIS_REPLY_ERROR;
    if (!role.usable) loss_ = {role.reason, answered};
    return role.usable;
  }
  if (reply.type == REDIS_REPLY_ERROR) return judge_error(text_of(reply));
  if (command == "INFO" && reply.type == REDIS_REPLY_STRING)
    server_id_ = find_run_id(text_of(reply));
  return true;
}

bool RedisHandshake::judge_error(std::string_view text) {
  const std::string& command = commands_[answered_][0];
  const RedisErrorKind kind = classify_redis_error(text);
  // Names, INFO and PING are good to have: who may not use them goes on without.
  const bool needed = command == "AUTH" || command == "SELECT";
  if (!needed && kind == RedisErrorKind::kNotPermitted) return true;
  loss_.reason = reason_of_error(text);
  return false;
}

}  // namespace sluice::relay
