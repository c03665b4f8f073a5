// What the Centrifuge protocol keeps of a client beside SessionState. An idle client is this, 32
// bytes for each subscription, and names that it shares with others; what is asked and not answered
// yet lies apart and is gone when it is. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/client_session.h"
#include "gateway/hooks/hooks.h"
#include "gateway/protocols/centrifuge_codec.h"
#include "gateway/protocols/name_pool.h"

namespace sluice::gateway {

/// Beside each channel how many clients of this protocol are its subscribers.
struct ChannelCount {
  std::uint32_t clients = 0;
};
using ChannelNames = NamePool<ChannelCount>;
/// Beside each user the sessions that it has on this gateway.
using UserNames = NamePool<std::vector<ClientRef>>;

enum class ClientStage : std::uint8_t {
  kNew,         ///< no connect command yet
  kConnecting,  ///< its reply waits for a hook, or for server-side subscriptions
  kConnected,
  kRefused,  ///< told an error instead: nothing more is expected of it
};

struct CentrifugeSubscription {
  ChannelNames::Name channel;
  std::int64_t expires_at = 0;        ///< Unix seconds; 0: never
  std::unique_ptr<std::string> info;  ///< chan_info; null: none
  bool joining : 1 = false;           ///< asked of the Hub, not a subscriber yet
  bool server_side : 1 = false;
  bool positioned : 1 = false;
  bool recoverable : 1 = false;
  bool presence : 1 = false;
  bool announced : 1 = false;
  bool members : 1 = false;  ///< is subscribed to the members channel as well
};

/// Who is to hear that a channel was joined.
enum class JoinOrigin : std::uint8_t {
  kCommand,
  kConnect,  ///< the connect reply has it
  kPush,     ///< the server API
};

struct JoinInProgress {
  Ticket ticket = 0;
  ChannelNames::Name channel;
  JoinOrigin origin{};
  std::uint32_t command = 0;  ///< its id
  std::uint32_t ttl = 0;      ///< told to a client that has to refresh; 0: it has not
  std::optional<proto::Position> since;
  std::uint32_t recover_max = 0;
  bool only_recovered = false;  ///< else an error, not a subscription with a hole
  std::string data;             ///< for the client, from a token, hook or the API
};

enum class RequestKind : std::uint8_t { kPublish, kHistory, kPresence, kPresenceStats };

/// Asked of the relay.
struct RequestInProgress {
  Ticket ticket = 0;
  RequestKind kind{};
  std::uint32_t command = 0;
  std::string channel;  ///< of a query
  proto::HistoryQuery query;
  bool any_epoch = true;  ///< of `query`: the client named none
};

/// The application was asked.
struct HookInProgress {
  Ticket ticket = 0;
  HookKind kind{};
  std::string command;  ///< serialized, to go on with
};

/// What is under way for a client.
struct CentrifugeWork {
  std::deque<JoinInProgress> joins;
  std::deque<RequestInProgress> requests;
  std::optional<HookInProgress> hook;  ///< a command's: those behind it wait
  Ticket refresh_hook = 0;             ///< 0: not asked
  std::vector<std::string> waiting;    ///< commands, serialized
  std::size_t waiting_bytes = 0;
  std::string connect;                         ///< the command, while it is not answered
  std::unique_ptr<centrifuge::Reply> welcome;  ///< the reply that comes together

  [[nodiscard]] bool idle() const {
    return joins.empty() && requests.empty() && !hook && refresh_hook == 0 && waiting.empty() &&
           connect.empty();
  }
};

/// What few clients have. JSON texts; empty: none.
struct CentrifugeDetails {
  std::string conn_info;
  std::string meta;                                          ///< for hooks
  std::vector<std::pair<std::string, std::string>> headers;  ///< of the upgrade, for hooks
  std::vector<std::pair<std::string, TokenBucket>> rates;    ///< by namespace
};

class CentrifugeState final : public ProtocolState {
 public:
  explicit CentrifugeState(const CentrifugeCodec& codec) : codec(&codec) {}

  /// Null: the client does not have the channel, and does not wait for it.
  [[nodiscard]] CentrifugeSubscription* find(const ChannelNames& names, std::string_view channel);
  [[nodiscard]] CentrifugeWork& work();
  [[nodiscard]] CentrifugeDetails& details();
  /// Lets go what is not used any more.
  void trim();
  /// Never 0, never one that is in use.
  [[nodiscard]] Ticket next_ticket();
  [[nodiscard]] const std::string& user_name() const;
  [[nodiscard]] const std::string& conn_info() const;

  const CentrifugeCodec* codec;
  UserNames::Name user;  ///< null: anonymous
  std::vector<CentrifugeSubscription> subscriptions;
  std::unique_ptr<CentrifugeWork> in_progress;  ///< null: nothing is
  std::unique_ptr<CentrifugeDetails> more;      ///< null: nothing beside
  std::int64_t expires_at = 0;                  ///< Unix seconds; 0: never
  std::int64_t refresh_at = 0;                  ///< Unix seconds: the application is asked next
  TimePoint ping_at{};                          ///< zero: no pings yet
  TimePoint pong_deadline{};                    ///< zero: none is due
  Ticket last_ticket = 0;
  ClientStage stage = ClientStage::kNew;
  bool frame_pings : 1 = false;
  bool server_refresh : 1 = false;  ///< the application is asked when it expires
  bool has_token : 1 = false;       ///< was let in by one
  bool may_expire : 1 = false;      ///< some subscription does
  bool pong_unasked : 1 = false;    ///< an earlier process may have sent the ping
};

/// As bytes of one version, host byte order: for the session's record.
void save(const CentrifugeState& state, std::string& record);
/// False: bytes that save() never made; the state is then to be dropped.
[[nodiscard]] bool restore(CentrifugeState& state, proto::Bytes record, ChannelNames& channels,
                           UserNames& users);

}  // namespace sluice::gateway
