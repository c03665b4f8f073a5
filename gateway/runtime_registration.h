// One gateway's place in one HAProxy, kept through its stats socket (management guide 9.3). Pure:
// says which command comes next and when, is told the answers.
//
//   idle ──start──▶ look ──▶ (add, enable, drive, …) ──▶ rest ──▶ look …        ──leave──▶ look ──▶
//   retire, delete … ──▶ gone
//
// Everything follows from a look at HAProxy's table (`show servers state BACKEND`), taken twice a
// second and before anything is done: HAProxy may have been reloaded, and forgets then what was
// added by command. A server of our name is
//   absent               → added, when the gateway may get clients;
//   made by us or a predecessor (the id that we gave it says so)
//                        → taken over, or made anew where it is not as we would make it;
//   in the configuration → left as it is; only its health is driven: up, stopping, down. That can't
//                          undo an operator's maint or drain.
// What an operator has set on a server of ours is kept through reloads of HAProxy and restarts of
// the gateway.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "gateway/haproxy_reply.h"
#include "gateway/haproxy_server.h"

namespace sluice::gateway {

struct RegistrationStats {
  std::uint64_t commands = 0;
  std::uint64_t registrations = 0;  ///< servers added
  std::uint64_t failures = 0;       ///< commands that got no whole answer
  std::array<std::uint64_t, kHaproxyRefusalNames.size()> refusals{};
};

/// What the gateway is up to, as its readiness has it.
struct ServingState {
  bool serving = false;   ///< it may get new clients
  bool draining = false;  ///< gets no more of them, on purpose
  /// How often our agent check has said `ready`, which ends an operator's maint and drain too.
  std::uint64_t ready_said = 0;
};

class RuntimeRegistration {
 public:
  using Say = std::function<void(LogLevel level, const std::string& line)>;

  RuntimeRegistration(ServerPlan plan, Random& random, Say say);

  /// The gateway may get clients for the first time. Again: nothing.
  void start(TimePoint now);
  /// The gateway ends: what is ours is removed. An answer still under way counts for nothing.
  void leave(TimePoint now, TimePoint deadline);

  /// The command to send now, if any. Then `answered` or `failed` is due before the next.
  [[nodiscard]] std::optional<std::string> next_command(TimePoint now, ServingState state);
  void answered(std::string_view reply, TimePoint now, ServingState state);
  /// No connection, or no whole answer in time.
  void failed(const std::string& why, TimePoint now);
  /// There is no command before this.
  [[nodiscard]] TimePoint wake() const { return wake_; }

  /// HAProxy has our server, in whatever state.
  [[nodiscard]] bool registered() const { return registered_; }
  /// Nothing more to do.
  [[nodiscard]] bool gone() const { return gone_; }
  [[nodiscard]] const RegistrationStats& stats() const { return stats_; }

 private:
  enum class Step {
    kLook,
    kAdd,
    kEnable,
    kReplace,
    kDrive,
    kRestore,
    kKeep,
    kRetire,
    kDelete,
    kKick
  };
  enum class Health { kUnsaid, kUp, kStopping, kDown };

  [[nodiscard]] std::string words_of(Step step) const;
  [[nodiscard]] std::string enable_words() const;
  [[nodiscard]] std::string retire_words() const;
  void unanswered(const std::string& why, TimePoint now);
  void act(Step step, TimePoint when);
  void rest(TimePoint now);
  void finish();

  void looked(std::string_view reply, TimePoint now, ServingState state);
  void looked_absent(TimePoint now, ServingState state);
  void looked_ours(const HaproxyServer& server, TimePoint now, ServingState state);
  void looked_foreign(const HaproxyServer& server, TimePoint now, ServingState state);
  void looked_leaving(const std::optional<HaproxyServer>& server, TimePoint now);
  void standing(const HaproxyServer& server, TimePoint now, ServingState state);
  void note_operator(const HaproxyServer& server, ServingState state);
  [[nodiscard]] bool undone_by_us(const HaproxyServer& server, TimePoint now, ServingState state);
  [[nodiscard]] bool elsewhere(const HaproxyServer& server) const;
  [[nodiscard]] Health health_wanted(const HaproxyServer& server, ServingState state) const;

  void added(std::string_view reply, TimePoint now);
  void enabled(std::string_view reply, TimePoint now);
  void replaced(std::string_view reply, TimePoint now);
  void driven(std::string_view reply, TimePoint now);
  void retired(std::string_view reply, TimePoint now);

  void refused(HaproxyRefusal reason, const std::string& words, TimePoint now);
  [[nodiscard]] std::string remedy(HaproxyRefusal reason) const;
  /// Each different situation is said once.
  void say(LogLevel level, const std::string& line);

  const ServerPlan plan_;
  Random& random_;
  Backoff backoff_;
  Say say_;
  std::string said_;
  RegistrationStats stats_;

  bool started_ = false;
  bool leaving_ = false;
  bool gone_ = false;
  bool registered_ = false;
  bool outdated_ = false;  ///< the answer under way is to a question from before leave()
  bool in_flight_ = false;
  Step step_ = Step::kLook;
  TimePoint wake_ = TimePoint::max();
  unsigned failures_ = 0;  ///< in turn

  unsigned operator_admin_ = 0;  ///< bits of srv_admin_state that an operator has set on our server
  unsigned drain_looks_ = 0;
  std::uint64_t ready_said_ = 0;
  TimePoint ready_until_{};  ///< bits that vanish before this, our agent's `ready` has ended
  bool keep_as_is_ = false;  ///< made with other words, and not to be replaced under its sessions
  bool replaced_elsewhere_ = false;  ///< the server being replaced is at another address
  Health health_ = Health::kUnsaid;  ///< last driven on a server of the configuration

  TimePoint left_at_{};
  TimePoint deadline_{};
  std::optional<TimePoint> away_since_;  ///< while leaving
  bool kicked_ = false;
};

}  // namespace sluice::gateway
