// A server under test, described as data: which processes, where clients connect, how messages get
// in. The stage (stage.h) starts it, pins it, waits for it and ends it.
//
// A new server is one class in a file of its own and one line in make_servers() (servers.cc) or,
// for peers, in add_peers(). Everything in peers/ is found by glob and may be absent.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/fanout/dialect.h"
#include "bench/fanout/publisher.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::fanout {

inline constexpr int kServerCore = 0;
inline constexpr int kLoadCore = 1;  ///< load generator, Redis, publisher

/// One program that belongs to the server.
struct ProcessSpec {
  std::string name;               ///< for messages: "relay"
  std::vector<std::string> args;  ///< args[0] is the program's path
  std::map<std::string, std::string> env{};
  std::map<int, int> fds{};  ///< descriptor in the child → descriptor here
  std::string directory{};   ///< working directory; empty: as inherited
  std::uint64_t nofile = 0;  ///< RLIMIT_NOFILE; 0: as inherited
  int core = kServerCore;    ///< its children are pinned with it
  bool counts = true;        ///< its CPU and memory, and that of its children, are the server's
  std::string ready_line{};  ///< regex that a line of its output must match; empty: none
  test::Endpoint
      ready_at{};  ///< must take a connection (port or path given), checked behind the line
  std::chrono::milliseconds ready_within{20000};
};

/// What a run wants of the server.
struct Needs {
  std::size_t clients = 0;                   ///< at once
  std::vector<std::string> channels;         ///< names: letters and digits
  std::chrono::seconds ping_interval{3600};  ///< where the server pings; else ignored
};

/// What there is to build on: Redis is up, the directory is the run's own and gone with it.
struct Site {
  test::RedisServer& redis;
  const test::TempDir& directory;
};

/// The server for one run.
struct ServerPlan {
  std::vector<ProcessSpec> processes;  ///< started in this order, each ready before the next
  test::Endpoint endpoint;             ///< where WebSocket clients connect: 127.0.0.1, any port
  std::function<std::string(const std::string& channel)> path;
  std::unique_ptr<Dialect> dialect;
  PublishRoute route;
};

enum class ServerKind : std::uint8_t { kOurs, kFloor, kPeer };

struct ServerIdentity {
  std::string name;  ///< "sluice-uring"
  ServerKind kind = ServerKind::kPeer;
  std::string title;    ///< "Sluice, io_uring"
  bool hidden = false;  ///< runs only when it is named
};

class ServerUnderTest {
 public:
  ServerUnderTest() = default;
  virtual ~ServerUnderTest() = default;
  ServerUnderTest(const ServerUnderTest&) = delete;
  ServerUnderTest& operator=(const ServerUnderTest&) = delete;

  [[nodiscard]] virtual ServerIdentity identity() const = 0;
  /// Of the program, asked once; bounded.
  [[nodiscard]] virtual std::string version() const = 0;
  /// Why it can't run here at all ("nginx is not installed"); nothing: it can.
  [[nodiscard]] virtual std::optional<std::string> missing() const { return std::nullopt; }
  /// Why it can't do this much ("20,000 descriptors"); nothing: it can.
  [[nodiscard]] virtual std::optional<std::string> refuses(const Needs& /*needs*/) const {
    return std::nullopt;
  }
  /// Writes its configuration into the site's directory, chooses ports (test::free_port). Logs off.
  [[nodiscard]] virtual ServerPlan plan(const Site& site, const Needs& needs) const = 0;
};

/// Every server that this bench knows, in the table's order.
[[nodiscard]] std::vector<std::unique_ptr<ServerUnderTest>> make_servers();

/// The peers' part of make_servers(): peers/.
void add_peers(std::vector<std::unique_ptr<ServerUnderTest>>& servers);

}  // namespace sluice::fanout
