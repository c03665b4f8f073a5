// The daemon: broker, router, links and admin pages on one event loop, and its signals.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/admin_pages.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/result.h"
#include "common/service_manager.h"
#include "relay/admin.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/memory_broker.h"
#include "relay/brokers/redis_broker.h"
#include "relay/config.h"
#include "relay/drain_mark_file.h"
#include "relay/event_handles.h"
#include "relay/gateway_listener.h"
#include "relay/relay_log.h"
#include "relay/router.h"

namespace sluice::relay {

class Relay {
 public:
  /// Listening when it returns; an absent broker is waited for. The error's message is for people,
  /// with the remedy.
  [[nodiscard]] static Result<std::unique_ptr<Relay>> create(const RelayConfig& config);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  /// Serves until a signal ends it; the exit code.
  [[nodiscard]] int run();

 private:
  enum class Phase { kServing, kFlushing, kGoodbye };

  explicit Relay(const RelayConfig& config);
  [[nodiscard]] Result<void> make_broker();
  [[nodiscard]] Result<void> open_state_dir();
  void keep_drain_marks();
  [[nodiscard]] Result<void> open_sockets();
  void add_pages();
  void add_signals();

  void run_memory_broker();
  void tick();
  [[nodiscard]] std::string status_line() const;
  void on_terminate();
  void on_handoff();
  void on_reload();
  void shutdown_step();
  void remove_socket_file() const;

  const RelayConfig config_;
  SteadyTime time_;
  SystemRandom random_;
  RelayLog log_;
  std::optional<DrainMarkFile> mark_file_;
  AdminPages pages_;
  ServiceManager manager_;
  EventBasePtr base_;
  EventPtr memory_event_;
  std::unique_ptr<Broker> broker_;
  MemoryBroker* memory_ = nullptr;  ///< broker_, if it is one
  RedisBroker* redis_ = nullptr;    ///< broker_, if it is one
  std::unique_ptr<Router> router_;
  std::unique_ptr<GatewayListener> listener_;
  std::unique_ptr<AdminServer> admin_;
  EventPtr tick_event_;
  EventPtr shutdown_event_;
  EventPtr terminate_event_;
  EventPtr interrupt_event_;
  EventPtr handoff_event_;
  EventPtr reload_event_;
  Phase phase_ = Phase::kServing;
  TimePoint phase_deadline_{};
};

}  // namespace sluice::relay
