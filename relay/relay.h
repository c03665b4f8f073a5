// The daemon: broker, router, links and admin pages on one event loop, and its signals.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/admin_pages.h"
#include "common/clock.h"
#include "common/program.h"
#include "common/random.h"
#include "common/result.h"
#include "common/rules/rules.h"
#include "common/service_manager.h"
#include "relay/admin.h"
#include "relay/api/api.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/memory_broker.h"
#include "relay/brokers/redis_broker.h"
#include "relay/config.h"
#include "relay/drain_mark_file.h"
#include "relay/event_handles.h"
#include "relay/gateway_listener.h"
#include "relay/handover/relay_state.h"
#include "relay/handover/takeover.h"
#include "relay/handover/upgrade.h"
#include "relay/relay_log.h"
#include "relay/router.h"
#include "relay/rules_policy.h"

namespace sluice::relay {

class Relay final : UpgradeHost {
 public:
  /// Listening when it returns; an absent broker is waited for. The error's message is for people,
  /// with the remedy.
  [[nodiscard]] static Result<std::unique_ptr<Relay>> create(const RelayConfig& config,
                                                             Program program);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay() override;

  /// Serves until a signal ends it; the exit code.
  [[nodiscard]] int run();

 private:
  enum class Phase { kServing, kFlushing, kGoodbye };

  Relay(const RelayConfig& config, Program program);
  /// Broker and Router; a second call begins anew.
  [[nodiscard]] Result<void> make_core();
  [[nodiscard]] Result<void> make_broker();
  [[nodiscard]] Result<void> read_rules();
  void run_router_work();
  /// `marks_known`: the Router has newer ones than the file.
  [[nodiscard]] Result<void> open_state_dir(bool marks_known);
  /// What the earlier program left becomes ours; nothing when it can't be.
  [[nodiscard]] Result<std::optional<Leftovers>> take_over(Takeover& takeover);
  void adopt(Leftovers leftovers, Descriptors& descriptors);
  void keep_drain_marks();
  /// `socket`: number of the one that the earlier program listened on for the API; -1: none.
  [[nodiscard]] Result<void> open_api(Takeover* takeover, int socket);
  [[nodiscard]] Result<void> open_sockets(Takeover* takeover);
  [[nodiscard]] Result<UniqueFd> admin_socket(Takeover* takeover) const;
  void add_pages();
  void add_signals();

  void run_memory_broker();
  void tick();
  [[nodiscard]] std::string status_line() const;
  void on_terminate();
  void on_upgrade() { upgrade_.ask(); }
  void on_reload();
  void reload_rules();
  void shutdown_step();
  void remove_socket_file() const;

  // ---- UpgradeHost
  void take_in(bool on) override;
  [[nodiscard]] bool quiet() const override;
  [[nodiscard]] Preamble preamble() override;
  void save(StateWriter& out, TimePoint stopped_at) override;
  void upgrade_refused() override { router_->count_upgrade_refused(); }
  void upgrade_failed() override { router_->count_upgrade_failed(); }
  [[nodiscard]] RelayParts parts() const { return {*router_, *broker_, redis_, memory_}; }

  const RelayConfig config_;
  const Program program_;
  SteadyTime time_;
  SystemRandom random_;
  RelayLog log_;
  std::optional<DrainMarkFile> mark_file_;
  AdminPages pages_;
  ServiceManager manager_;
  EventBasePtr base_;
  EventPtr memory_event_;
  EventPtr work_event_;
  std::optional<RulesStore> rules_;  ///< none: no channel has a history
  std::optional<RulesPolicy> policy_;
  std::unique_ptr<Broker> broker_;
  MemoryBroker* memory_ = nullptr;  ///< broker_, if it is one
  RedisBroker* redis_ = nullptr;    ///< broker_, if it is one
  std::unique_ptr<Router> router_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<GatewayListener> listener_;
  std::unique_ptr<AdminServer> admin_;
  Upgrade upgrade_;
  std::vector<LinkState> links_to_save_;  ///< between preamble() and save()
  EventPtr tick_event_;
  EventPtr shutdown_event_;
  EventPtr terminate_event_;
  EventPtr interrupt_event_;
  EventPtr upgrade_event_;
  EventPtr reload_event_;
  Phase phase_ = Phase::kServing;
  TimePoint phase_deadline_{};
};

}  // namespace sluice::relay
