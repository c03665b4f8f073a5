// The gateway's side of the conversation with its keeper (keeper/wire.h). What the keeper is told
// here it has, whatever becomes of this process: a packet in its socket outlives who sent it.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/clock.h"
#include "common/result.h"
#include "common/unique_fd.h"
#include "gateway/event_loop.h"
#include "keeper/wire.h"

namespace sluice::gateway {

struct KeeperLinkOptions {
  std::string path;
  std::string gateway_id;
  Duration handoff_wait{};
  double close_rate_per_second = 0;
};

/// What a predecessor has left behind.
struct Held {
  struct Client {
    keeper::ClientRef ref;
    UniqueFd fd;
  };
  struct Handshake {
    std::string state;  ///< encode_handshake()
    UniqueFd fd;
  };
  keeper::Welcome welcome;
  UniqueFd state;  ///< a memfd; invalid: there is none
  std::vector<std::pair<std::string, UniqueFd>> listeners;
  std::vector<Client> clients;
  std::vector<Handshake> handshakes;

  /// Takes the listening socket of this name out; invalid: not held.
  [[nodiscard]] UniqueFd take_listener(const std::string& name);
};

class KeeperLinkEvents {
 public:
  virtual ~KeeperLinkEvents() = default;
  /// A keeper answers after one was lost, or had not been there: it is to be told everything, STATE
  /// first, TAKEN last.
  virtual void keeper_back() = 0;
  virtual void keeper_lost(const std::string& why) = 0;
};

class KeeperLink {
 public:
  KeeperLink(EventLoop& loop, KeeperLinkOptions options, KeeperLinkEvents& events);

  /// Before the loop runs. Waits for a keeper that is not there yet, at most kKeeperWait; then for
  /// as long as another process of this id lives, for fencing is what the keeper is there for.
  /// kUnavailable, kSystem: there is no keeper; it is looked for as soon as the loop runs.
  /// kPermission: it refuses. kInvalid: what it said can't be taken in, perhaps for want of
  /// descriptors.
  [[nodiscard]] Result<Held> open();

  [[nodiscard]] bool up() const { return phase_ == Phase::kServing; }
  /// How many clients the keeper can hold.
  [[nodiscard]] std::size_t clients_max() const { return clients_max_; }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

  /// In the order of the calls. Nothing while it is not up. `fd` stays the caller's.
  void send(const keeper::Message& message, int fd = -1);
  /// Ends the connection; a new one is tried soon.
  void drop(const std::string& why) { lose(why); }
  /// Everything that waits, within `wait`. False: some of it could not leave.
  [[nodiscard]] bool flush(Duration wait);

 private:
  enum class Phase { kDown, kGreeting, kServing };
  struct Waiting {
    keeper::Message message;
    UniqueFd fd;
  };

  [[nodiscard]] Result<Held> ask();
  [[nodiscard]] Result<Held> hear();
  [[nodiscard]] Result<void> dial();
  /// One packet. True: HELD_END has come.
  [[nodiscard]] Result<bool> handle(keeper::Received received);
  void on_ready(IoEvents events);
  void read_some();
  void lose(const std::string& why);
  void retry();
  void watch();
  /// False: not now.
  [[nodiscard]] bool try_send(const keeper::Message& message, int fd);
  void send_waiting();

  EventLoop& loop_;
  const KeeperLinkOptions options_;
  KeeperLinkEvents& events_;
  Phase phase_ = Phase::kDown;
  bool serving_ = false;   ///< open() is done: this process has clients of its own
  bool welcomed_ = false;  ///< on this connection
  UniqueFd fd_;
  std::optional<IoWatcher> watcher_;
  Timer retry_;
  Held held_;  ///< while it is being told
  std::size_t clients_max_ = 0;
  std::deque<Waiting> queue_;
  std::string last_complaint_;
};

}  // namespace sluice::gateway
