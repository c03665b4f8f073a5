// A gateway's out side as it is, fan-out, sender and recorder, over a transport that takes what a
// script lets it; random scripts for it; and its end at any moment, with a successor on the same
// memory. After each step, inside each send, and with single stepping after each instruction, all
// records are judged (out_model.h).
#pragma once

#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "gateway/fan_out.h"
#include "gateway/handoff/out_recorder.h"
#include "gateway/handoff/out_restore.h"
#include "gateway/protocols/plain.h"
#include "gateway/sender.h"
#include "tests/unit/gateway/out_model.h"
#include "tests/unit/gateway/single_step.h"

namespace sluice::gateway::test {

struct WorldOptions {
  std::uint32_t clients = 6;
  std::size_t arena_bytes = std::size_t{4} << 20U;
  bool arena_suffices = true;          ///< false: clients may become unrecoverable
  std::size_t frame_bytes_max = 3000;  ///< about
};

class OutWorld {
 public:
  static constexpr std::uint32_t kChannels = 3;

  OutWorld(std::uint64_t seed, WorldOptions options)
      : options_(options),
        random_(seed),
        state_(*keeper::SharedState::create({.slots = options.clients,
                                             .views = kVectorsPerBatch,
                                             .arena_bytes = options.arena_bytes})),
        reader_(state_),
        protocol_(PlainOptions{}, time_),
        clients_(options.clients) {
    process_ = std::make_unique<Process>(*this, std::vector<keeper::ArenaUnit>{});
    for (std::uint32_t i = 0; i < options.clients; ++i) open(i);
  }
  ~OutWorld() { FrameRun::use(nullptr); }

  void random_step();
  /// All that clients are still due reaches them, and their streams are whole.
  void drain();
  /// The process ends here; the next one takes over. Judged all along, since it may end as well.
  void take_over();

  /// From here on each instruction is judged.
  void single_step() {
    stepper_ = std::make_unique<SingleStep>([this] { judge_all(true); });
  }
  [[nodiscard]] std::uint64_t instructions() const { return stepper_ ? stepper_->steps() : 0; }

  /// Null: none so far.
  [[nodiscard]] const char* fault() const { return fault_; }
  [[nodiscard]] std::uint64_t partial_sends() const { return partial_sends_; }
  /// Records such that a client could not have gone on, of all processes.
  [[nodiscard]] std::uint64_t unrecoverable() const {
    return unrecoverable_before_ + process_->recorder.stats().unrecoverable;
  }
  [[nodiscard]] std::size_t arena_used() const { return process_->arena.used_bytes(); }
  [[nodiscard]] keeper::SharedState& state() { return state_; }

 private:
  /// What the process does to the sockets.
  struct ScriptedTransport final : Transport {
    explicit ScriptedTransport(OutWorld& world) : world(world) {}
    [[nodiscard]] std::string_view name() const override { return "script"; }
    void send(std::span<SendOp> batch) override {
      for (SendOp& op : batch) {
        op.result = world.take(op);
        world.look(true);
      }
    }
    void opened(std::uint32_t /*slot*/, int /*fd*/) override {}
    void closed(std::uint32_t /*slot*/) override {}
    OutWorld& world;
  };

  /// Notes what is placed for whom, then passes it on.
  struct Placing final : Delivery {
    Placing(OutWorld& world, Sender& sender) : world(world), sender(sender) {}
    void deliver(ClientSession& session, FrameRef frame) override {
      sender.deliver(session, std::move(frame));
    }
    void deliver_due(ClientSession& session, std::span<const RunView> due) override {
      world.note_due(session, due);
      sender.deliver_due(session, due);
      world.look(true);
    }
    void queue_due(ClientSession& session, std::span<const RunView> due) override {
      world.note_due(session, due);
      sender.queue_due(session, due);
    }
    void end_slice() override { sender.end_slice(); }
    void close(ClientSession& session, CloseCode code, const char* reason) override {
      sender.close(session, code, reason);
    }
    OutWorld& world;
    Sender& sender;
  };

  /// What is gone when a process ends.
  struct Process {
    Process(OutWorld& world, std::vector<keeper::ArenaUnit> blocks)
        : arena(world.state_.arena(), std::move(blocks)),
          runs(arena),
          recorder(world.state_, arena, sessions),
          sender({.client_queue_bytes = kClientQueueBytesMax}, sessions, world.time_),
          placing(world, sender),
          fan_out(std::make_unique<FanOut>(placing)) {
      FrameRun::use(&runs);
      sender.use(std::make_unique<ScriptedTransport>(world));
      sender.record_with(recorder);
      sender.attach(*fan_out);
      for (std::uint32_t i = 0; i < kChannels; ++i)
        audiences[i] = fan_out->add_audience(world.protocol_);
    }
    ~Process() { fan_out.reset(); }

    keeper::Arena arena;
    RunArena runs;
    SessionTable sessions;
    OutRecorder recorder;
    Sender sender;
    Placing placing;
    std::unique_ptr<FanOut> fan_out;
    std::uint32_t audiences[kChannels] = {};
  };

  struct Client {
    ModelClient model;
    ClientSession* session = nullptr;   ///< null: not there
    std::uint32_t channels = 0;         ///< bits
    std::vector<std::string> messages;  ///< frames of model.due, by index
  };

  template <typename Do>
  void step(Do&& act) {
    if (stepper_) {
      stepper_->run(act);
    } else {
      act();
    }
    look(false);
  }
  void look(bool inside);
  void judge_all(bool inside);

  void open(std::uint32_t index);
  void join_channels(Client& client);
  void end(std::uint32_t index);
  void private_frame(Client& client);
  void message(std::uint32_t channel, std::size_t bytes);
  void burst();
  void fan_out(std::size_t clients_max);
  void flush(std::size_t clients_max);
  void end_turn();
  void close(Client& client);
  void new_link();
  void sync(Client& client);
  void settle(Client& client);
  void catch_up(Client& client, std::uint64_t has_until);
  void note_due(ClientSession& session, std::span<const RunView> due);
  [[nodiscard]] std::int32_t take(const SendOp& op);
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  WorldOptions options_;
  SeededRandom random_;
  ManualTime time_;
  keeper::SharedState state_;
  RecordReader reader_;
  PlainProtocol protocol_;
  std::vector<Client> clients_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<SingleStep> stepper_;
  std::uint32_t generation_ = 0;
  std::uint64_t sequence_ = 0;
  bool everything_leaves_ = false;
  const char* fault_ = nullptr;
  std::uint64_t partial_sends_ = 0;
  std::uint64_t unrecoverable_before_ = 0;
};

}  // namespace sluice::gateway::test
