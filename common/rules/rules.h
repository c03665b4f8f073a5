// What clients may do on which channel: one TOML file (docs/RULES.md), read by gateway (permission)
// and relay (history). Pure but for read(). A channel belongs to the namespace in front of its
// first ':'; without one to [channels]. A '$' in front marks it private and is passed over:
// "$chat:1" is in "chat". '#' in a name lists the users who may subscribe: "dialog#42,43".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

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

// Bounds of what a file may say.
inline constexpr std::size_t kRulesBytesMax = 1U << 20U;  ///< of the file
inline constexpr std::size_t kNamespacesMax = 1000;
inline constexpr std::size_t kNamespaceBytesMax = 64;
inline constexpr std::uint32_t kHistorySizeMax = 100'000;  ///< publications per channel
inline constexpr Duration kHistoryTtlMin = std::chrono::seconds(1);
inline constexpr Duration kHistoryTtlMax = std::chrono::hours(24 * 30);
inline constexpr std::uint32_t kRecoverMaxMax = 10'000;  ///< publications per recovery
inline constexpr std::uint32_t kClientChannelsMax = 100'000;
inline constexpr std::uint32_t kUserConnectionsMax = 1'000'000;
inline constexpr std::size_t kRuleMessageBytesMax = 16U << 20U;
inline constexpr std::uint32_t kPublishBurstMax = 1'000'000;

/// As the file has them.
[[nodiscard]] const char* to_string(Who who);
[[nodiscard]] const char* to_string(Offer offer);

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
  using Namespaces = std::map<std::string, ChannelRules, std::less<>>;

  /// An error names the line and the key, and says what would be right.
  [[nodiscard]] static Result<Rules> parse(std::string_view toml, std::string_view file_name);
  [[nodiscard]] static Result<Rules> read(const std::string& path);
  /// --open-access: anyone may do anything on any channel; history of 100 for 10 minutes,
  /// recovery, presence, join and leave; nothing needs a token.
  [[nodiscard]] static Rules open_access();

  /// Made by hand; "" is [channels].
  [[nodiscard]] static Rules of(ConnectionRules connection,
                                const std::map<std::string, ChannelRules>& namespaces);

  /// Null: no such namespace ("unknown channel"). With open access every channel is of one.
  [[nodiscard]] const ChannelRules* find(std::string_view channel) const;
  [[nodiscard]] const ConnectionRules& connection() const { return connection_; }
  [[nodiscard]] bool is_open_access() const { return open_access_; }
  [[nodiscard]] std::size_t namespaces() const { return namespaces_.size(); }
  /// By name; "" is [channels].
  [[nodiscard]] const Namespaces& channels() const { return namespaces_; }

 private:
  ConnectionRules connection_;
  Namespaces namespaces_;
  bool open_access_ = false;
};

/// "chat" of "chat:1" and "$chat:1"; empty: [channels].
[[nodiscard]] std::string_view namespace_of(std::string_view channel);

/// "$…": only with a subscription token.
[[nodiscard]] bool is_private_channel(std::string_view channel);
/// The name has a list of users, behind its last '#'.
[[nodiscard]] bool is_user_limited(std::string_view channel);
/// `user` is in it. Anonymous clients (user "") are in none.
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
