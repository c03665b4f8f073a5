// Thousands of WebSocket clients on one thread. Each checks what it gets: messages are numbered per
// sender, so that a missing, repeated or misplaced one shows at the client where it happened.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/process/support/socket.h"
#include "tests/process/support/ws_wire.h"

namespace sluice::test {

/// One numbered message: "n SENDER NUMBER MICROSECONDS FILL".
[[nodiscard]] std::string numbered(std::size_t sender, std::uint64_t number, std::size_t fill = 0);

struct SwarmClient {
  UniqueFd fd;
  WsReader reader;
  std::string head;  ///< response head while it comes in
  std::string unsent;
  bool open = false;
  bool closed = false;
  bool paused = false;  ///< does not read
  bool close_sent = false;
  /// When what is being handled reached the socket, by the kernel's clock: a loop that comes late
  /// does not make it late.
  SteadyClock::time_point reached{};
  int end_error = 0;   ///< errno of a connection that failed, 0: it ended in order
  int close_code = 0;  ///< 0: none came (bare end), 1005: a frame without one
  std::string close_reason;
  std::string tag;                  ///< what stands before its messages, "1111" of "1111:n 0 1 …"
  std::string greeting;             ///< the last unnumbered message
  std::uint64_t received = 0;       ///< numbered messages
  std::vector<std::uint32_t> last;  ///< by sender: its last number, 0 = none yet
  SteadyClock::time_point last_arrival{};
};

struct SwarmFaults {
  std::uint64_t missing = 0;   ///< numbers passed over
  std::uint64_t repeated = 0;  ///< a number not above the last of its sender: twice or out of order
  std::uint64_t mistagged = 0;  ///< a tag other than the client's first
  std::uint64_t foreign = 0;    ///< neither numbered nor a greeting
  friend bool operator==(const SwarmFaults&, const SwarmFaults&) = default;
};
std::ostream& operator<<(std::ostream& out, const SwarmFaults& faults);

/// Who judges by itself what clients receive, instead of the swarm's own counting.
class SwarmObserver {
 public:
  virtual ~SwarmObserver() = default;
  virtual void message(std::size_t index, const std::string& text) = 0;
  /// The upgrade was answered with 101.
  virtual void opened(std::size_t index) { (void)index; }
  /// The server's close frame has come; ended() follows with the end of the connection.
  virtual void closing(std::size_t index) { (void)index; }
  /// Closed, reset or refused; the client's fields say how. Not called for drop().
  virtual void ended(std::size_t index) = 0;
};

class WsSwarm {
 public:
  WsSwarm();
  ~WsSwarm();

  /// From now on messages and ends go to `observer`, and a refusal is an end instead of an error.
  void observe(SwarmObserver& observer) { observer_ = &observer; }
  /// Connects and sends `bytes`, a request or anything else, without waiting for what comes of it.
  /// The index may be one that was given back.
  std::size_t dial(const Endpoint& to, const std::string& bytes, int receive_buffer = 0);
  /// A closed client's index may be given to another.
  void give_back(std::size_t index) { free_.push_back(index); }
  void send_raw(std::size_t index, const std::string& bytes);
  /// Begins the closing handshake.
  void send_close(std::size_t index, std::uint16_t code);
  /// Serves sockets once; waits for events no longer than `wait_ms`.
  void serve(int wait_ms);

  /// Adds `count` open clients; returns the index of the first. Throws when one is refused or late.
  std::size_t connect(const Endpoint& to, std::size_t count, const std::string& path = "/",
                      Millis wait = 60s, int receive_buffer = 0);

  /// Client `index` sends its next numbered message (sender = index).
  void publish(std::size_t index, std::size_t fill = 0);
  void send_text(std::size_t index, const std::string& text);
  void pause(std::size_t index, bool on);
  /// Closes without a word.
  void drop(std::size_t index);

  /// Serves sockets until `done` or the deadline; returns done().
  bool run_until(Millis wait, const std::function<bool()>& done);
  void run_for(Millis span);
  /// Calls `tick` at each of `times` points in time `every` apart and serves sockets between them.
  void run_paced(std::size_t times, std::chrono::microseconds every,
                 const std::function<void(std::size_t)>& tick);

  [[nodiscard]] const SwarmClient& client(std::size_t index) const { return *clients_[index]; }
  [[nodiscard]] std::size_t size() const { return clients_.size(); }
  [[nodiscard]] std::size_t open_count() const { return open_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t sent(std::size_t index) const;
  [[nodiscard]] const SwarmFaults& faults() const { return faults_; }
  /// Latency from publish to arrival, microseconds, since the last reset; only messages made by
  /// numbered().
  [[nodiscard]] std::uint64_t latency_us(double quantile) const;
  void reset_latency() { latencies_.clear(); }
  /// True when every open client in [from, to) has received `count` numbered messages.
  [[nodiscard]] bool all_received(std::size_t from, std::size_t to, std::uint64_t count) const;

 private:
  void add(const Endpoint& to, const std::string& bytes, int receive_buffer, std::size_t index);
  void open_batch(const Endpoint& to, const std::string& request, std::size_t count,
                  int receive_buffer);
  void on_event(std::size_t index, std::uint32_t events);
  ssize_t receive(SwarmClient& client, char* buffer, std::size_t size) const;
  void on_bytes(std::size_t index, std::string_view bytes);
  void on_frame(std::size_t index, const WsFrame& frame);
  void on_message(SwarmClient& client, const std::string& text);
  void on_end(SwarmClient& client);
  void flush(std::size_t index);
  void watch(std::size_t index);

  UniqueFd epoll_;
  SteadyClock::duration wall_to_steady_;
  std::vector<std::unique_ptr<SwarmClient>> clients_;
  std::map<std::size_t, std::uint64_t> sent_;
  std::vector<std::size_t> free_;
  SwarmObserver* observer_ = nullptr;
  std::size_t open_ = 0;
  std::uint64_t received_ = 0;
  SwarmFaults faults_;
  mutable std::vector<std::uint32_t> latencies_;
};

}  // namespace sluice::test
