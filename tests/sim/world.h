// The whole data path without a socket: real Hub, RelayLink, codec, GatewaySession and Router,
// joined by pipes that split, stall and break, in virtual time, from one seed. What it checks after
// each delivery and at the end:
//
//  - a client sees a channel's messages in the broker's order, each at most once;
//  - what it misses between two messages, or at the end, was told to it as a gap, with the right
//  number where one was given;
//  - each publish has exactly one outcome, and what was refused never reached the broker;
//  - bounds hold, and when all clients have left nothing is left of them.
//
// Half of the clients are those of joining.h: they join, leave, lose their connection and come back
// on whatever gateway, from where they were.
//
// The relay may end and come back knowing nothing, or go on as another program that knows what it
// has read of the state of the one before.
//
// A gateway's process may be killed at any delivery and another one take over its clients: what was
// handed to Delivery counts as with the client, and the records say what they said then.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "gateway/hub.h"
#include "gateway/protocols/plain.h"
#include "relay/gateway_session.h"
#include "relay/router.h"
#include "tests/sim/fake_broker.h"
#include "tests/sim/faults.h"
#include "tests/sim/joining.h"
#include "tests/sim/prober.h"

namespace sluice::sim {

class World;

struct WorldOptions {
  std::uint64_t seed = 1;
  int gateways = 3;
  int channels = 4;
  int steps = 20000;
  std::size_t ring_messages = 64;
  std::size_t gateway_queue_bytes = 4096;
  Duration linger = std::chrono::seconds(5);
  Duration publish_wait = std::chrono::seconds(2);
  int settle_steps = 3000;
  /// Of all faults only that gateways stand still, or die and are taken over, and that the relay is
  /// upgraded: nothing may be missed then.
  bool only_takeovers = false;
  /// The short story of the fault sweep instead of random acts and random faults.
  bool scripted = false;
  std::uint64_t fail_at = 0;  ///< the n-th port call fails; 0: none
  bool fail_silently = false;
};

/// So that answers and queues take many batches.
[[nodiscard]] inline relay::BatchBounds small_batch() {
  return {.shared_bodies = 4, .text_bytes = 600, .bytes = 2048};
}
/// A relay's link as one program leaves it to the next. The session is gone then.
[[nodiscard]] std::string saved(std::unique_ptr<relay::GatewaySession> session,
                                const relay::OutputBatch& batch);
/// The session of the next program. `batch` is what the socket has not taken.
[[nodiscard]] std::unique_ptr<relay::GatewaySession> restored(std::string_view saved, World& world,
                                                              relay::SessionHost& host,
                                                              relay::OutputBatch& batch);

/// The story that the fault sweep tells again and again, each time with another call failing.
[[nodiscard]] WorldOptions sweep_options(std::uint64_t fail_at);

/// Of all faults only those that lose nothing (WorldOptions::only_takeovers).
[[nodiscard]] WorldOptions takeover_options(std::uint64_t seed);
/// A link that is not back soon has to start afresh, from positions.
[[nodiscard]] WorldOptions short_linger_options(std::uint64_t seed);
/// Next to no ring and queues: much is missed, and told.
[[nodiscard]] WorldOptions tiny_options(std::uint64_t seed);

class QuietWatcher final : public relay::RouterWatcher {
 public:
  void broker_connected() override {}
  void broker_away(std::string_view) override {}
  void channel_subscribed(std::string_view) override {}
  void channel_unsubscribed(std::string_view) override {}
  void continuity_lost(std::string_view, Duration) override {}
  void message_oversized(std::string_view, std::uint64_t) override {}
  void messages_lost(std::string_view, std::uint64_t) override {}
  void presence_full(std::string_view) override {}
  void gateway_overrun(std::string_view) override {}
  void gateway_forgotten(std::string_view) override {}
  void gateway_controlled(std::string_view, proto::ControlAction) override {}
  void upgrade_asked() override {}
  void drain_marks_changed() override {}
};

/// Every other channel has a short history.
class SimPolicy final : public relay::ChannelPolicy {
 public:
  [[nodiscard]] relay::ChannelOptions options(std::string_view channel) const override {
    if (channel.empty() || channel.back() % 2 != 0) return {};
    return {.history_size = 24, .history_ttl = std::chrono::minutes(10), .envelope = true};
  }
};

/// The plain protocol, but its clients are told of gaps.
class SimProtocol final : public gateway::ClientProtocol {
 public:
  explicit SimProtocol(const TimeSource& time) : plain_({}, time) {}

  [[nodiscard]] std::string_view name() const override { return "sim"; }
  [[nodiscard]] gateway::EncodedMessage encode(const gateway::ChannelMessage& message,
                                               std::string& scratch) const override {
    return plain_.encode(message, scratch);
  }
  void opened(gateway::ClientSession& session, const gateway::UpgradeRequest& request,
              gateway::ProtocolActions& actions) const override {
    plain_.opened(session, request, actions);
  }
  void received(gateway::ClientSession& session, proto::Bytes payload, bool text,
                gateway::ProtocolActions& actions) const override {
    plain_.received(session, payload, text, actions);
  }
  void due(gateway::ClientSession& session, gateway::ProtocolActions& actions) const override {
    plain_.due(session, actions);
  }
  void publish_failed(gateway::ClientSession& session, const gateway::PublishFailure& failure,
                      gateway::ProtocolActions& actions) const override {
    plain_.publish_failed(session, failure, actions);
  }
  void gap(gateway::ClientSession& session, const gateway::ChannelGap& gap,
           gateway::ProtocolActions& actions) const override;

 private:
  gateway::PlainProtocol plain_;
};

/// One gateway process with its clients, and the pipe to the relay.
class SimGateway final : public gateway::Delivery,
                         public gateway::HubObserver,
                         public relay::SessionHost {
 public:
  SimGateway(World& world, int number);

  void step();
  void break_pipe();
  void stall(int steps) { stalled_ = steps; }
  /// kill -9: clients, hub and link are gone; a new process takes the id.
  void crash();
  /// kill -9 in front of the n-th delivery from now on; 0: at once. Another process goes on with
  /// the clients.
  void kill(std::uint64_t deliveries);
  void add_client();
  /// One that comes back, or a new one. `latest`: who has lost its connection last comes back.
  void add_joining_client(bool latest = false);
  /// A joining client does something.
  void joining_act();
  /// Those that have lost their channel join it again.
  void rejoin_all();
  void remove_client();
  void publish();
  void remove_all_clients();

  // Delivery.
  void deliver(gateway::ClientSession& session, gateway::FrameRef frame) override;
  void deliver_due(gateway::ClientSession& session, std::span<const gateway::RunView> due) override;
  void queue_due(gateway::ClientSession& session, std::span<const gateway::RunView> due) override {
    deliver_due(session, due);
  }
  void end_slice() override {}
  void session_changed(gateway::ClientSession& session) override {
    if (session.protocol == &joining_protocol_) stale_.insert(session.ref.index);
  }
  void close(gateway::ClientSession& session, gateway::CloseCode code, const char* reason) override;
  // HubObserver.
  void link_state(bool) override {}
  void broker_state(bool, std::string_view) override {}
  void link_began(std::uint64_t relay_instance, std::uint64_t last_sequence, bool resumed) override;
  void channel_gap(const gateway::ChannelGap&) override {}
  void channel_subscribed(std::string_view) override {}
  void channel_refused(std::string_view, std::string_view) override {}
  void message_given(std::uint32_t) override {}
  // SessionHost.
  void wake() override {}

  [[nodiscard]] const gateway::Hub& hub() const { return *hub_; }
  [[nodiscard]] const gateway::RelayLink& link() const { return *link_; }
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t outcomes() const;
  void relay_gone();
  /// What the relay leaves of its link to the next program; the link itself stays.
  void save_link();
  void restore_link();
  /// Each client has its channel's last message, or was told that something is missing.
  void check_last_words();
  /// Ends for good: no process takes its place.
  void stop();

 private:
  struct Seen {
    std::string channel;
    std::size_t last_index = 0;      ///< in the broker's log, 1-based; 0: nothing yet
    std::uint64_t told_missing = 0;  ///< since the last message
    bool told_unknown = false;
    std::uint64_t last_beside = 0;
  };
  /// What a session's records in the state memory say.
  struct Record {
    std::uint64_t last_sequence = 0;
    std::uint32_t generation = 0;  ///< of the link that last_sequence is of
    std::string channel;           ///< empty: none
    std::uint64_t began_sequence = 0;
    std::uint32_t began_generation = 0;
    std::string state{};  ///< of the joining protocol
  };
  struct LinkRecord {
    std::uint64_t relay_instance = 0;
    std::uint64_t settled_sequence = 0;
    std::uint32_t generation = 0;
  };

  /// What goes from one process to the next of a client.
  struct Left {
    Record record;
    Seen seen;
    std::unique_ptr<JoiningClient> joining;  ///< null: a plain one
  };

  void start_process();
  void take_over();
  void restore_client(Left& left);
  void forget_process();
  /// The client's connection is gone.
  void lose_client(std::uint32_t slot);
  void command(gateway::ClientSession& session, const std::string& text);
  /// What joining clients are sent beside what is due leaves when the turn ends, behind the record
  /// of what has changed; all of it or, if the process dies first, nothing.
  void end_turn();
  void place(gateway::ClientSession& session, const std::vector<std::string>& frames);
  void record_subscription(const gateway::ClientSession& session);
  void told_joining(std::uint32_t slot, const std::vector<std::string>& frames);
  /// False: the process has died.
  [[nodiscard]] bool alive();
  void record(const gateway::ClientSession& session);
  void record_link();
  [[nodiscard]] std::uint64_t known_sequence(const Record& record) const;
  void told_gap(Seen& seen, std::string_view count);
  void got(gateway::ClientSession& session, std::string_view payload);
  void move_up();
  void move_down();
  void sweep_closed();
  void dial();
  void tick();

  World& world_;
  std::string id_;
  std::unique_ptr<gateway::SessionTable> sessions_;
  std::unique_ptr<SimProtocol> protocol_;
  JoiningProtocol joining_protocol_;
  std::unique_ptr<gateway::Hub> hub_;
  std::unique_ptr<gateway::RelayLink> link_;
  std::unique_ptr<relay::GatewaySession> session_;
  relay::OutputBatch batch_{small_batch()};
  std::string saved_link_;  ///< between two programs of the relay; empty: there is none
  std::string to_gateway_;  ///< bytes in the pipe
  std::string to_relay_;
  std::map<std::uint32_t, Seen> seen_;                               ///< by session slot
  std::map<std::uint32_t, Record> records_;                          ///< by session slot
  std::map<std::uint32_t, std::unique_ptr<JoiningClient>> joining_;  ///< likewise
  std::map<std::uint32_t, std::vector<std::string>> placed_;         ///< likewise: not yet sent
  std::set<std::uint32_t> stale_;   ///< whose record is to be written
  std::set<std::uint32_t> unread_;  ///< whose last command is not worked off
  LinkRecord link_record_;
  bool dead_ = false;  ///< whatever the process still does, nobody sees
  std::uint64_t dies_in_ = 0;
  std::vector<gateway::ClientRef> clients_;
  std::vector<gateway::ClientRef> closed_;
  int stalled_ = 0;
  int redial_in_ = 0;
  int tick_late_ = 0;  ///< steps without a timer
  bool stopped_ = false;
  std::uint64_t accepted_ = 0;
  std::uint64_t sent_ = 0;
};

class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  /// Empty: all is well. Else what went wrong, with the seed.
  [[nodiscard]] std::string run();
  void fail(const std::string& what);

  [[nodiscard]] int ticks() const { return ticks_; }
  [[nodiscard]] std::string channel_name(std::uint64_t n) const { return "ch" + std::to_string(n); }

  WorldOptions options;
  ManualTime time;
  SeededRandom random;
  Faults faults;
  QuietWatcher watcher;
  SimPolicy policy;
  std::unique_ptr<FakeBroker> broker;
  std::unique_ptr<relay::Router> router;
  std::uint64_t published_outside = 0;
  std::uint64_t besides = 0;  ///< heard beside a history
  std::uint64_t deliveries = 0;
  std::uint64_t accepted = 0;  ///< publishes, of all processes
  std::uint64_t gaps = 0;
  std::uint64_t takeovers = 0;
  std::uint64_t recovered = 0;
  std::uint64_t unrecovered = 0;
  std::uint64_t recovered_publications = 0;
  std::vector<std::unique_ptr<JoiningClient>> away;  ///< between two connections
  std::optional<Ledger> ledger;
  std::uint64_t relay_restarts = 0;
  std::uint64_t relay_upgrades = 0;
  std::unique_ptr<Prober> prober;  ///< none in a scripted story

 private:
  void start_relay();
  void restart_relay();
  /// The relay goes on as another program, with its links and its broker's connection.
  void upgrade_relay();
  void act();
  void burst();
  void act_without_loss(SimGateway& g);
  void act_by_script(int step);
  void step();
  void check_bounds();
  void settle();
  void check_last_words();
  void check_end();
  void check_nothing_left();
  void check_presence();

  std::vector<std::unique_ptr<SimGateway>> gateways_;
  std::string failure_;
  int ticks_ = 0;
  int tick_late_ = 0;  ///< steps without the relay's timer
  bool settling_ = false;
};

}  // namespace sluice::sim
