// One Centrifuge client for the length of a call: what its commands mean, and what comes of what
// they asked for. What it says is put together and leaves when the call ends; what has changed of
// its state is told then, once.
//
//   kNew ──connect──▶ kConnecting ──hook, server-side subscriptions──▶ kConnected
//     └──── error ──▶ kRefused ◀── error ──┘
//
// Commands are worked off in order. One waits behind the connect reply, behind a command that the
// application is asked about, and behind the subscribe of its own channel; and whatever comes
// behind one that waits, waits too. Subscribes do not wait for each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/protocols/centrifuge_codes.h"
#include "gateway/protocols/centrifuge_hook_bodies.h"
#include "gateway/protocols/centrifuge_output.h"
#include "gateway/protocols/centrifuge_permissions.h"
#include "gateway/protocols/centrifuge_service.h"

namespace sluice::gateway {

class CentrifugeClient {
 public:
  CentrifugeClient(ClientSession& session, CentrifugeService& service, ProtocolActions& actions);
  ~CentrifugeClient();
  CentrifugeClient(const CentrifugeClient&) = delete;
  CentrifugeClient& operator=(const CentrifugeClient&) = delete;
  [[nodiscard]] static CentrifugeState& state_of(const ClientSession& session);

  // ClientProtocol's.
  void opened(const UpgradeRequest& request);
  void received(proto::Bytes frame);
  void due();
  void published(Ticket ticket);
  void publish_failed(const PublishFailure& failure);
  void gap(const ChannelGap& gap);
  void joined(Ticket ticket, const Joined& joined);
  void history(Ticket ticket, const HistoryFound& found);
  void presence(Ticket ticket, const PresenceFound& found);
  void request_failed(Ticket ticket, proto::ErrorReason reason);
  void closed();
  void resumed();

  // CentrifugeService's.
  void hook_answered(const HookAnswer& answer);
  void disconnect_by_server(const envelope::ControlCommand::Disconnect& command);
  void subscribe_by_server(const envelope::ControlCommand::Subscribe& command);
  void unsubscribe_by_server(const envelope::ControlCommand::Unsubscribe& command);
  void refresh_by_server(const envelope::ControlCommand::Refresh& command);

 private:
  using Command = centrifuge::Command;

  /// What a client that may connect is.
  struct Admission {
    std::string user;
    std::string conn_info;
    std::string meta;
    std::string data;
    std::int64_t expires_at = 0;
    std::map<std::string, TokenSubscription> subscriptions;
    bool by_token = false;
    bool by_hook = false;
  };
  /// How a channel is to be joined.
  struct JoinPlan {
    std::string_view channel;
    SubscriptionKind kind;
    JoinOrigin origin{};
    std::uint32_t command = 0;
    bool client_refreshes = false;
    std::int64_t expires_at = 0;
    std::string info;
    std::string data;
    std::optional<proto::Position> since;
    std::uint32_t recover_max = 0;
    bool only_recovered = false;
  };
  /// Where a client says that it is. Epoch 0: it named none, so any may be meant; kForeignEpoch:
  /// one that is none of ours.
  [[nodiscard]] static proto::Position said_position(std::string_view epoch, std::uint64_t offset);
  /// A new end of a token's time is not one that has come already.
  [[nodiscard]] bool is_past(std::int64_t expires_at) const;

  // centrifuge_client.cc: commands, output, time
  void take(const Command& command);
  void run(const Command& command);
  [[nodiscard]] bool must_wait(const Command& command);
  void wait_in_line(const Command& command);
  void run_waiting();
  void pong();
  [[nodiscard]] bool open() const { return session_.phase == SessionPhase::kOpen; }
  void reply(const centrifuge::Reply& reply) { output_.add(reply); }
  void fail(std::uint32_t id, CentrifugeError error);
  void fail(std::uint32_t id, std::uint32_t code, std::string message, bool temporary);
  void close(CloseCode code, const char* reason);
  void ping(TimePoint now);
  [[nodiscard]] bool ping_unanswered(TimePoint now);
  void schedule();
  [[nodiscard]] TimePoint time_of(std::int64_t unix_seconds) const;

  // centrifuge_connect.cc
  void connect(const Command& command);
  void connect_by_token(const Command& command);
  void admit(const Command& command, Admission admission);
  [[nodiscard]] bool within_bounds(const Admission& admission) const;
  void join_server_side(const centrifuge::ConnectRequest& request, const Admission& admission);
  void connect_if_joined();
  void refuse(std::uint32_t id, CentrifugeError error);
  void refuse(std::uint32_t id, std::uint32_t code, std::string message, bool temporary);
  void became_refused();

  // centrifuge_subscribe.cc
  void subscribe(const Command& command);
  void subscribe_by_token(const Command& command, const ChannelRules& rules);
  void subscribe_allowed(const Command& command, const ChannelRules& rules, JoinPlan plan,
                         const TokenOverride& override);
  void unsubscribe(const Command& command);
  [[nodiscard]] bool start_join(JoinPlan plan);
  [[nodiscard]] bool ask_for(const JoinInProgress& join);
  [[nodiscard]] std::optional<JoinInProgress> take_join(Ticket ticket);
  void join_failed(const JoinInProgress& join, CentrifugeError error);
  [[nodiscard]] bool fill(centrifuge::SubscribeResult& result, const JoinInProgress& join,
                          const CentrifugeSubscription& subscription, const Joined& joined);
  [[nodiscard]] bool fill_recovered(centrifuge::SubscribeResult& result,
                                    std::span<const PublicationView> publications,
                                    std::size_t room);
  void tell_joined(const JoinInProgress& join, centrifuge::SubscribeResult&& result);
  void push_joined(const JoinInProgress& join, const centrifuge::SubscribeResult& result);
  [[nodiscard]] CentrifugeSubscription* find(std::string_view channel);
  /// It is not the client's any more; nothing is said to it.
  void drop(std::string_view channel);
  void push_unsubscribe(std::string_view channel, std::uint32_t code, const std::string& reason);
  void set_presence(const CentrifugeSubscription& subscription);
  void announce(const CentrifugeSubscription& subscription, bool joined);
  [[nodiscard]] envelope::Client who(const CentrifugeSubscription* subscription) const;

  // centrifuge_publish.cc
  void publish(const Command& command);
  void publish_allowed(std::uint32_t id, const std::string& channel, const std::string& data,
                       const ChannelRules& rules);
  [[nodiscard]] bool within_rate(const std::string& channel, const ChannelRules& rules);
  [[nodiscard]] std::string meta_of(const std::string& channel, const ChannelRules& rules);
  void rpc(const Command& command);

  // centrifuge_queries.cc
  [[nodiscard]] const ChannelRules* rules_for_query(std::uint32_t id, const std::string& channel);
  void ask_presence(const Command& command, const std::string& channel, RequestKind kind);
  void ask_history(const Command& command);
  [[nodiscard]] bool ask(const RequestInProgress& request);
  void begin(RequestInProgress request);
  [[nodiscard]] std::optional<RequestInProgress> take_request(Ticket ticket);
  [[nodiscard]] bool too_many_requests() const;

  // centrifuge_refresh.cc
  void refresh(const Command& command);
  void sub_refresh(const Command& command);
  void set_expiry(std::int64_t expires_at);
  void expire_connection();
  void expire_subscriptions();
  void ask_refresh();
  void refresh_answered(const HookAnswer& answer);

  // centrifuge_hooks.cc
  void ask_hook(HookKind kind, const Command& command, std::string body);
  [[nodiscard]] HookSubject subject() const;
  [[nodiscard]] HookRequest hook_request(HookKind kind, Ticket ticket, std::string body) const;
  void answered_connect(const Command& command, const HookAnswer& answer);
  void answered_subscribe(const Command& command, const HookAnswer& answer);
  void answered_publish(const Command& command, const HookAnswer& answer);
  void answered_rpc(const Command& command, const HookAnswer& answer);
  /// What is no result; true: it was dealt with.
  [[nodiscard]] bool refused_by_application(std::uint32_t id, const HookWord& word);
  void close_by_application(std::uint32_t code, const std::string& reason);

  // centrifuge_resume.cc
  void connect_again();
  void ask_again();

  ClientSession& session_;
  CentrifugeState& state_;
  CentrifugeService& service_;
  ProtocolActions& actions_;
  const std::string id_;  ///< UUID
  CentrifugeOutput output_;
  TimePoint due_before_;
  bool changed_ = false;  ///< the session's record has to say something new
};

}  // namespace sluice::gateway
