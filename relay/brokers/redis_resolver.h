// The address of a host name, without keeping the loop waiting: the system's resolver runs in a
// thread of its own.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "relay/event_handles.h"

namespace sluice::relay {

/// Somewhere to connect to.
struct RedisEndpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
  std::string name;  ///< for people: "127.0.0.1:6379", "[::1]:6379", "/run/redis.sock"
};
using RedisEndpoints = std::vector<RedisEndpoint>;

[[nodiscard]] RedisEndpoint unix_endpoint(const std::string& path);

class RedisResolver {
 public:
  using Done = std::function<void(Result<RedisEndpoints>)>;
  /// getaddrinfo, or a test's stand-in; called in the thread.
  using LookUp = std::function<int(const char*, const char*, const addrinfo*, addrinfo**)>;

  explicit RedisResolver(event_base* base, LookUp look_up = ::getaddrinfo);
  RedisResolver(const RedisResolver&) = delete;
  RedisResolver& operator=(const RedisResolver&) = delete;
  ~RedisResolver();

  /// `done` comes from the loop, at the latest when kResolveWait is over. Only when no other
  /// look-up is awaited. A thread that the system keeps waiting is left alone and the name asked
  /// for again, because the question may be lost; with kResolveThreadsMax of them the latest is
  /// taken up again.
  void start(const std::string& host, std::uint16_t port, Done done);
  /// `done` will not be called. The thread, which nobody can stop, ends by itself and touches
  /// nothing of ours.
  void cancel();

 private:
  struct Job;

  static void run(const std::shared_ptr<Job>& job, const LookUp& look_up, int flags);
  void begin(const std::string& host, std::uint16_t port);
  void give_up();
  void on_finished();
  void on_late();
  void finish(Result<RedisEndpoints> result);

  event_base* base_;
  LookUp look_up_;
  std::shared_ptr<std::atomic<std::size_t>> threads_;  ///< that have not ended
  std::shared_ptr<Job> job_;
  EventPtr finished_event_;
  EventPtr late_event_;
  Done done_;
};

}  // namespace sluice::relay
