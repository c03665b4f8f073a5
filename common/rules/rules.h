// What clients may do on which channel: one TOML file (docs/RULES.md), read by gateway (permission)
// and relay (history). Pure. A channel belongs to the namespace in front of its first ':'; without
// one, or with a '$' that marks it private in front, the rest decides: "$chat:1" is in "chat".
// "#" in a name lists the users who may subscribe: "dialog#42,43".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/token_bucket.h"

namespace sluice {

/// Who may. Each holds for those of all below it too: a subscriber is a user unless anonymous.
enum class Who : std::uint8_t {
  kNobody,       ///< the server API alone
  kToken,        ///< subscribe: who has a subscription token (or the subscribe hook says so)
  kSubscribers,  ///< publish, presence, history: who is subscribed
  kUsers,        ///< who has a connection token with a `sub`, or a hook's word
  kEveryone,     ///< anonymous ones as well
};

/// A property of subscriptions.
enum class Offer : std::uint8_t {
  kOff,
  kOnDemand,  ///< the client asks for it, or its token does
  kForced,    ///< always
};

struct ChannelRules {
  Who subscribe = Who::kNobody;
  Who publish = Who::kNobody;
  Who presence = Who::kNobody;
  Who history = Who::kNobody;
  std::uint32_t history_size = 0;  ///< 0: no history
  Duration history_ttl{};
  Offer recovery = Offer::kOff;
  Offer positioning = Offer::kOff;
  Offer join_leave = Offer::kOff;
  bool presence_on = false;     ///< who is there is kept
  bool publisher_info = false;  ///< publications say who published them
  bool user_limited = false;    ///< names with '#' are for the users they list
  bool subscribe_hook = false;  ///< the application is asked
  bool publish_hook = false;
  bool plain_clients = true;          ///< the plain protocol may use it
  std::size_t message_bytes_max = 0;  ///< 0: --max-message-size
  TokenRate publish_rate{};           ///< per client; no bound when 0
  std::uint32_t recover_max = 300;    ///< publications that one recovery may bring
};

struct ConnectionRules {
  bool anonymous = false;     ///< without a token
  bool connect_hook = false;  ///< without a token the application is asked
  bool rpc_hook = false;
  bool disconnect_hook = false;
  bool refresh_hook = false;  ///< refresh on the server's side, of connections that a hook let in
  std::uint32_t channels_max = 128;            ///< per client
  std::uint32_t connections_per_user_max = 0;  ///< on one gateway; 0: no bound
};

class Rules {
 public:
  /// An error names the line and the key, and says what would be right.
  [[nodiscard]] static Result<Rules> parse(std::string_view toml, std::string_view file_name);
  [[nodiscard]] static Result<Rules> read(const std::string& path);
  /// --open-access: anyone may do anything on any channel; history of 100 for 10 minutes,
  /// recovery, presence, join and leave; nothing needs a token.
  [[nodiscard]] static Rules open_access();

  /// Null: no such namespace ("unknown channel").
  [[nodiscard]] const ChannelRules* find(std::string_view channel) const;
  [[nodiscard]] const ConnectionRules& connection() const { return connection_; }
  [[nodiscard]] bool is_open_access() const { return open_access_; }
  [[nodiscard]] std::size_t namespaces() const { return namespaces_.size(); }

 private:
  ConnectionRules connection_;
  std::map<std::string, ChannelRules, std::less<>> namespaces_;  ///< "" is [channels]
  bool has_default_ = false;
  bool open_access_ = false;
};

/// "$…": only with a subscription token.
[[nodiscard]] bool is_private_channel(std::string_view channel);
/// The name has a list of users; whether `user` is in it.
[[nodiscard]] bool is_user_limited(std::string_view channel);
[[nodiscard]] bool lists_user(std::string_view channel, std::string_view user);

/// The rules in force. A file that is wrong never takes the place of one that is right.
class RulesStore {
 public:
  explicit RulesStore(Rules rules) : rules_(std::make_shared<const Rules>(std::move(rules))) {}
  [[nodiscard]] const Rules& now() const { return *rules_; }
  void replace(Rules rules) { rules_ = std::make_shared<const Rules>(std::move(rules)); }

 private:
  std::shared_ptr<const Rules> rules_;
};

}  // namespace sluice
