// The cheapest server that is still correct: one thread, epoll, one Redis subscriber connection,
// one send per message and client, nothing else. What a real server costs is measured against it.
// How the sends are made is the derived class's: floor_send and floor_uring.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/unique_fd.h"

namespace sluice::fanout {

struct FloorOptions {
  std::uint16_t port = 0;
  std::string redis_host = "127.0.0.1";
  std::uint16_t redis_port = 0;
  std::chrono::seconds ping_interval{3600};
};

/// --port N --redis-port N --ping-interval SECONDS. Exits with 2 on anything else.
[[nodiscard]] FloorOptions parse_floor_options(int argc, char** argv);

class Floor {
 public:
  explicit Floor(const FloorOptions& options);
  virtual ~Floor() = default;
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  /// Until SIGTERM ends the process.
  [[noreturn]] void run();

 protected:
  struct Client {
    bool open = false;     ///< the 101 is out
    bool waiting = false;  ///< has a tail: EPOLLOUT is on, new frames go behind it
    std::uint32_t channel = 0;
    std::uint32_t place = 0;  ///< in the channel's list
    std::uint32_t batch = 0;  ///< floor_uring: the batch that has a send of it
  };

  /// One frame to every client of `subscribers`; it lives until wake_up_ends() only.
  virtual void fan_out(const std::vector<int>& subscribers, const std::string& frame) = 0;
  /// All that one read of Redis brought has been fanned out.
  virtual void wake_up_ends() = 0;
  virtual void on_open(int /*fd*/) {}
  virtual void on_close(int /*fd*/) {}

  [[nodiscard]] Client& client(int fd) { return clients_[static_cast<std::size_t>(fd)]; }
  /// What send(2) gave for a frame: keeps the rest for EPOLLOUT, or marks the client as broken.
  /// `result` is negative: an errno.
  void after_send(int fd, std::string_view frame, long result);
  void send_direct(int fd, std::string_view frame);

 private:
  struct Channel {
    std::vector<int> subscribers;
  };

  void accept_clients();
  void on_client(int fd, std::uint32_t events);
  void on_request(int fd, std::string_view bytes);
  void upgrade(int fd, std::string_view head);
  void join(int fd, std::string_view channel);
  void close_client(int fd);
  void close_broken();
  void write_tail(int fd);
  void watch(int fd, bool writable);
  void on_redis();
  void ping_some();

  UniqueFd epoll_;
  UniqueFd listener_;
  UniqueFd redis_;
  UniqueFd timer_;
  std::vector<Client> clients_;                   ///< by descriptor
  std::unordered_map<int, std::string> pending_;  ///< request so far, or tail: a few clients
  std::vector<Channel> channels_;
  std::unordered_map<std::string, std::uint32_t> channel_ids_;
  std::vector<int> broken_;
  std::string redis_input_;
  std::string frame_;
  std::string name_;  ///< of the message's channel, kept for its capacity
  double pings_due_ = 0;
  double pings_per_tick_share_ = 0;
  std::size_t ping_at_ = 0;
  std::size_t open_ = 0;
};

}  // namespace sluice::fanout
