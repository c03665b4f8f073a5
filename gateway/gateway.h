// The gateway as a whole: owns every part and wires them. One thread, one loop.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "common/admin_pages.h"
#include "common/program.h"
#include "common/random.h"
#include "common/service_manager.h"
#include "common/token_bucket.h"
#include "gateway/acceptor.h"
#include "gateway/access.h"
#include "gateway/admin_listener.h"
#include "gateway/agent_check.h"
#include "gateway/agent_listener.h"
#include "gateway/balancers.h"
#include "gateway/client_timers.h"
#include "gateway/config.h"
#include "gateway/demo_pages.h"
#include "gateway/departures.h"
#include "gateway/drain.h"
#include "gateway/event_loop.h"
#include "gateway/gateway_stats.h"
#include "gateway/handoff/handoff.h"
#include "gateway/handoff/upgrade_check.h"
#include "gateway/hooks/hooks.h"
#include "gateway/hub.h"
#include "gateway/load_weight.h"
#include "gateway/protocols/centrifuge_protocol.h"
#include "gateway/protocols/demo.h"
#include "gateway/protocols/plain.h"
#include "gateway/protocols/verifier_judge.h"
#include "gateway/readiness.h"
#include "gateway/relay_connection.h"
#include "gateway/runtime_api.h"
#include "gateway/sender.h"
#include "gateway/ws_endpoint.h"

namespace sluice::gateway {

class Gateway final : public EndpointEvents, public HubObserver, public UpgradeSink {
 public:
  /// `program`: for a newer one that takes this one's place.
  Gateway(GatewayConfig config, Program program);
  ~Gateway() override;

  /// Opens listeners and the link. A fault here ends the program: the message names flag and
  /// remedy.
  [[nodiscard]] Result<void> start();
  /// Until drained or told to stop. The exit code.
  int run();

  // EndpointEvents.
  void opening(ClientSession& session) override;
  void opened(ClientSession& session, const UpgradeRequest& request) override;
  void fragment(ClientSession& session, const Fragment& fragment) override;
  void ping(ClientSession& session, proto::Bytes payload) override;
  void pong(ClientSession& session) override { timers_.heard(session); }
  void reading(ClientSession& session) override;
  void worked_off(ClientSession& session) override;
  void closed(ClientSession& session) override;
  void never_opened(ClientRef ref, const ClientAddress& address) override;

  // HubObserver.
  void link_began(std::uint64_t relay_instance, std::uint64_t last_sequence, bool resumed) override;
  void link_state(bool up) override;
  void broker_state(bool connected, std::string_view reason) override;
  void channel_gap(const ChannelGap& gap) override;
  void channel_subscribed(std::string_view channel) override;
  void channel_refused(std::string_view channel, std::string_view reason) override;
  void message_given(std::uint32_t received_micros) override {
    sender_.note_message(received_micros);
  }
  void drain_marks(const std::vector<std::string_view>& balancers) override;
  void relay_keeps(Duration ring_age, Duration linger) override;
  void drain_mark_kept(std::string_view balancer) override;
  void session_changed(ClientSession& session) override;
  void due_sooner(ClientSession& session) override { timers_.due_sooner(session); }
  void control(const proto::Control& control) override;

  // UpgradeSink.
  void accept(UniqueFd fd, const UpgradeRequest& request, ClientIdentity client,
              std::string_view rest) override;

  // For the metrics page.
  [[nodiscard]] const GatewayConfig& config() const { return config_; }
  [[nodiscard]] const GatewayStats& stats() const { return stats_; }
  [[nodiscard]] const PlainProtocol& plain() const { return plain_; }
  [[nodiscard]] const Hub& hub() const { return hub_; }
  [[nodiscard]] const RelayLink& link() const { return link_; }
  [[nodiscard]] const Sender& sender() const { return sender_; }
  [[nodiscard]] const Acceptor& acceptor() const { return *acceptor_; }
  [[nodiscard]] const Access& access() const { return access_; }
  /// Null: the Centrifuge protocol is not served.
  [[nodiscard]] const CentrifugeService* centrifuge() const {
    return centrifuge_ ? &*centrifuge_ : nullptr;
  }
  [[nodiscard]] std::size_t connections() const { return sessions_.size(); }
  [[nodiscard]] bool broker_connected() const { return broker_connected_; }
  [[nodiscard]] const Balancers& balancers() const { return balancers_; }
  [[nodiscard]] std::uint64_t agent_said(AgentWord word) const {
    return agent_said_[static_cast<std::size_t>(word)];
  }
  /// Percent; 0: not said.
  [[nodiscard]] unsigned agent_weight() const;
  [[nodiscard]] std::size_t aged_waiting() const { return departures_.aged_waiting(); }
  [[nodiscard]] TimePoint now() const { return time_.now(); }
  /// Null without --keeper, and where handoff can't be done.
  [[nodiscard]] const Handoff* handoff() const { return handoff_.get(); }
  /// --keeper is given, and the library at hand can't do it; empty: it can.
  [[nodiscard]] const std::string& handoff_fault() const { return handoff_fault_; }
  [[nodiscard]] proto::HandoffState handoff_state() const;
  /// Null without --haproxy-socket.
  [[nodiscard]] const RuntimeApi* runtime_api() const { return runtime_api_.get(); }
  [[nodiscard]] const HookStats& hook_stats() const { return hook_stats_; }
  [[nodiscard]] ReadyState ready_state() const { return readiness_.answer(time_.now()).state; }

 private:
  [[nodiscard]] Result<void> set_descriptor_limit() const;
  [[nodiscard]] Result<void> choose_transport();
  [[nodiscard]] Result<void> open_client_listeners();
  [[nodiscard]] Result<void> open_admin_listener();
  [[nodiscard]] Result<void> plan_registration();
  [[nodiscard]] Result<void> prepare_hooks();
  // gateway_centrifuge.cc
  void prepare_centrifuge();
  void watch_signals();
  void reload_access();
  void end_of_turn();
  void tick();
  void log_readiness();
  void say_unsaid_gaps(TimePoint now);
  [[nodiscard]] std::string status_line() const;
  void inform_relay();
  // gateway_handoff.cc
  [[nodiscard]] Result<void> prepare_handoff();
  [[nodiscard]] Result<UniqueFd> listener_for(const char* flag, const Address& address);
  [[nodiscard]] Result<void> take_over();
  /// Why handoff is off though --keeper is given, for a line's end; empty: it is as it was asked
  /// for.
  [[nodiscard]] std::string handoff_note() const;
  [[nodiscard]] const ClientProtocol* protocol_named(std::string_view name) const;
  void tell_handoff(proto::GatewayInfo& info) const;
  void begin_park(const char* why, bool execute);
  void upgrade();
  void park_if_ready();
  void give_up_park();
  [[noreturn]] void park();
  // gateway_balance.cc
  [[nodiscard]] Result<void> open_agent_listener();
  [[nodiscard]] std::string agent_line(const std::string& balancer);
  void agent_told(const std::string& balancer);
  void sample_load(TimePoint now);
  [[nodiscard]] HttpReply readyz(const AdminPeer& peer);
  void operator_drain(Duration older_than);
  void operator_undrain();
  void begin_drain(const DrainOptions& options, Duration older_than);
  void on_terminate(const char* signal_name);
  void drain_tick(TimePoint now);
  void count_leaving(TimePoint now);
  void enter_drain_phase(DrainPhase phase);
  void depart(ClientSession& session, DepartureCause cause);
  void end_when_gone();
  /// False: the client sends too much and is being closed.
  [[nodiscard]] bool within_rate(ClientSession& session);

  const GatewayConfig config_;
  SteadyTime time_;
  SystemRandom random_;
  GatewayStats stats_;
  EventLoop loop_;
  /// Frames of all that follows lie in its memory. Null without --keeper, or when it can't be done.
  std::unique_ptr<Handoff> handoff_;
  SessionTable sessions_;
  Sender sender_;
  Access access_;
  PlainProtocol plain_;
  DemoProtocol demo_;  ///< nobody gets it without --demo
  DemoPages demo_pages_;
  /// By ProtocolKind; null: not served. The one place where a protocol is entered.
  std::array<const ClientProtocol*, kProtocolKinds> protocols_;
  VerifierJudge token_judge_;
  // Empty without --rules and --open-access.
  std::optional<CentrifugeService> centrifuge_;
  std::optional<CentrifugeProtocol> centrifuge_json_;
  std::optional<CentrifugeProtocol> centrifuge_protobuf_;
  /// Of GATEWAY_INFO: different users connected. Empty: nobody counts them.
  std::function<std::uint32_t()> count_users_;
  Hub hub_;
  RelayLink link_;
  RelayConnection relay_;
  Departures departures_;
  ClientTimers timers_;
  WsEndpoint endpoint_;
  Readiness readiness_;
  Balancers balancers_;
  LoadWeight weight_;
  ReadyState logged_state_ = ReadyState::kStarting;
  bool broker_connected_ = false;
  TokenBucket gap_lines_;
  std::uint64_t gaps_unsaid_ = 0;
  ServiceManager manager_;
  AdminPages pages_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<AdminListener> admin_;
  std::unique_ptr<AgentListener> agent_;
  AgentWord agent_word_{};  ///< of the line being sent
  std::array<std::uint64_t, kAgentWords> agent_said_{};
  bool marks_taken_ = false;
  TimePoint ticked_at_{};
  std::vector<std::unique_ptr<SignalWatcher>> signals_;
  EndOfTurn end_of_turn_;
  Timer tick_;
  std::optional<Drain> drain_;
  std::size_t drain_reported_ = 0;
  std::uint32_t leaving_ = 0;  ///< clients that the drain has still to tell to go
  TimePoint leaving_counted_at_{};
  BoundAddresses bound_;
  std::unique_ptr<RuntimeApi> runtime_api_;
  HookStats hook_stats_;
  std::unique_ptr<HookCaller> hooks_;                     ///< null: no --hook-… URL
  std::function<void(const HookAnswer&)> hook_answered_;  ///< who has asked; null: nobody does
  const Program program_;
  UpgradeCheck upgrade_check_;
  std::string handoff_fault_;
  /// What the relay has told last of how long it keeps things: ring, linger.
  std::pair<Duration, Duration> relay_keeps_{};
  struct Parking {
    TimePoint deadline;    ///< until then a moment with nothing unanswered is waited for
    bool execute = false;  ///< another program takes this one's place
  };
  std::optional<Parking> parking_;
  Timer park_due_;  ///< wakes the loop at the deadline
  bool drained_ = false;
  std::vector<std::string> said_at_start_;
};

}  // namespace sluice::gateway
