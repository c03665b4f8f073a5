// What the clients of both Centrifuge encodings share: rules, tokens, hooks, who is which user and
// who is in which channel; and what comes for them from elsewhere: the control channel's commands
// (the server API's, of any host), the application's answers. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/random.h"
#include "common/rules/rules.h"
#include "common/tokens/tokens.h"
#include "gateway/hooks/hooks.h"
#include "gateway/protocols/centrifuge_state.h"
#include "gateway/protocols/client_protocol.h"
#include "gateway/session_table.h"
#include "proto/envelope.pb.h"

namespace sluice::gateway {

/// What says whether a token is good: TokenVerifier, or a test's own word.
class TokenJudge {
 public:
  virtual ~TokenJudge() = default;
  [[nodiscard]] virtual bool has_keys() const = 0;
  /// `now`: Unix seconds.
  [[nodiscard]] virtual tl::expected<ConnectionClaims, TokenFailure> connection(
      std::string_view token, std::int64_t now) const = 0;
  [[nodiscard]] virtual tl::expected<SubscriptionClaims, TokenFailure> subscription(
      std::string_view token, std::int64_t now) const = 0;
};

struct CentrifugeOptions {
  std::string gateway_id;
  std::string version;  ///< told to clients
  Duration ping_interval = std::chrono::seconds(25);
  Duration pong_timeout = std::chrono::seconds(8);
  Duration stale_after = std::chrono::seconds(10);   ///< without a connect command
  Duration expiry_grace = std::chrono::seconds(25);  ///< for a client to refresh, behind the end
  /// Of one history, presence or recovery; below what may wait for a client.
  std::size_t answer_bytes_max = 512U << 10U;
  /// Unix time in ms.
  std::function<std::int64_t()> unix_ms;
};

/// Counters, never reset.
struct CentrifugeStats {
  std::uint64_t commands = 0;
  std::uint64_t errors = 0;     ///< error replies
  std::uint64_t connected = 0;  ///< connect replies
  std::uint64_t subscribed = 0;
  std::uint64_t recoveries = 0;  ///< subscriptions that asked for what they had missed
  std::uint64_t recoveries_failed = 0;
  std::uint64_t recovered_publications = 0;
  std::uint64_t resubscribes_told = 0;  ///< 2500 and 3010: a gap
  std::uint64_t tokens_refused = 0;
  std::uint64_t control_commands = 0;
  std::uint64_t server_subscribes_refused = 0;  ///< of the API: no such channel, or too many
};

class CentrifugeService {
 public:
  /// All outlive the service; `hooks` may be null: there are none.
  CentrifugeService(CentrifugeOptions options, const RulesStore& rules, const TokenJudge& tokens,
                    HookCaller* hooks, SessionTable& sessions, ProtocolActions& actions,
                    const TimeSource& time, Random& random);

  /// Of the control channel: for every gateway; what is no command of ours is passed over.
  void apply(proto::Bytes control);
  void apply(const envelope::ControlCommand& command);
  void hook_answered(const HookAnswer& answer);

  [[nodiscard]] const CentrifugeStats& stats() const { return stats_; }
  /// Different users, anonymous left out.
  [[nodiscard]] std::size_t users() const { return users_.size(); }
  /// Clients of this protocol, connected or not yet.
  [[nodiscard]] std::size_t clients() const { return by_id_.size(); }

  // For the protocol's own parts.
  [[nodiscard]] const CentrifugeOptions& options() const { return options_; }
  [[nodiscard]] const Rules& rules() const { return rules_.now(); }
  [[nodiscard]] const TokenJudge& tokens() const { return tokens_; }
  /// Null: the application is not asked about that.
  [[nodiscard]] HookCaller* hooks(HookKind kind) const;
  [[nodiscard]] ChannelNames& channels() { return channels_; }
  [[nodiscard]] UserNames& user_names() { return users_; }
  [[nodiscard]] CentrifugeStats& counters() { return stats_; }
  [[nodiscard]] TimePoint now() const { return time_.now(); }
  [[nodiscard]] std::int64_t unix_ms() const { return options_.unix_ms(); }
  [[nodiscard]] std::int64_t unix_now() const { return options_.unix_ms() / 1000; }
  [[nodiscard]] Random& random() { return random_; }
  void add(const ClientSession& session);
  /// False: it was not there.
  bool remove(const ClientSession& session);
  void add_user(CentrifugeState& state, const ClientSession& session, std::string_view user);
  void remove_user(CentrifugeState& state, const ClientSession& session);

 private:
  struct IdHash {
    std::size_t operator()(const ClientId& id) const { return id[0] ^ id[1]; }
  };

  /// Null: no session, or one that speaks something else.
  [[nodiscard]] ClientSession* find(ClientRef ref) const;
  [[nodiscard]] std::vector<ClientRef> matching(const envelope::ControlCommand::Who& who) const;
  /// act(client) for each that is meant; what is done to one may end others' subscriptions.
  template <typename Act>
  void each(const envelope::ControlCommand::Who& who, Act&& act);
  void survey(const envelope::ControlCommand::Survey& survey);

  CentrifugeOptions options_;
  const RulesStore& rules_;
  const TokenJudge& tokens_;
  HookCaller* hooks_;
  SessionTable& sessions_;
  ProtocolActions& actions_;
  const TimeSource& time_;
  Random& random_;
  ChannelNames channels_;
  UserNames users_;
  std::unordered_map<ClientId, ClientRef, IdHash> by_id_;
  CentrifugeStats stats_;
};

/// As clients and the server API know it: the digits of to_string(ClientId), as a UUID.
[[nodiscard]] std::string uuid_of(const ClientId& id);
[[nodiscard]] std::optional<ClientId> client_id_of(std::string_view uuid);

}  // namespace sluice::gateway
