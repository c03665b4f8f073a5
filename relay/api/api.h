// The server API as the daemon has it: this relay among the others of the cluster, and where asked
// for (--api-listen) the listener with its keys.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/random.h"
#include "common/result.h"
#include "common/rules/rules.h"
#include "relay/api/api_server.h"
#include "relay/api/api_service.h"
#include "relay/api/cluster.h"
#include "relay/api/key_table.h"
#include "relay/api/options.h"
#include "relay/local_requests.h"
#include "relay/router.h"

namespace sluice::relay::api {

class Api {
 public:
  /// `rules`: null: the relay has none. All outlive this; `requests` calls back until it has shut
  /// down, or this has ended and it is called no more.
  Api(const ApiOptions& options, LocalRequests& requests, const Router& router,
      const RulesStore* rules, const TimeSource& time, Random& random);

  /// Reads the keys and listens. `inherited`: the socket of the program before, where there is one;
  /// `unix_mode`: of a Unix socket's file. Before the first link.
  [[nodiscard]] Result<void> open(event_base* base, UniqueFd inherited, unsigned unix_mode);
  /// Call every kTickInterval.
  void tick();
  /// Reads the keys again; wrong ones never take the place of right ones.
  void reload();
  void take_in(bool on);
  /// No request waits for its answer.
  [[nodiscard]] bool quiet() const { return !server_ || server_->quiet(); }
  /// The relay ends: the others shall know.
  void leave() { cluster_.leave(); }
  /// No more requests; those under way are answered.
  void stop();
  /// -1: it does not listen.
  [[nodiscard]] int descriptor() const { return server_ ? server_->descriptor() : -1; }
  [[nodiscard]] const ApiService& service() const { return service_; }
  /// Null: it does not listen.
  [[nodiscard]] const ApiServer* server() const { return server_.get(); }

 private:
  [[nodiscard]] Result<void> read_keys();

  const ApiOptions options_;
  const TimeSource& time_;
  KeyTable keys_;
  Cluster cluster_;
  ApiService service_;
  std::unique_ptr<ApiServer> server_;
};

/// What `router` would have told of its relay.
[[nodiscard]] envelope::NodeInfo node_info(const Router& router, const std::string& name);

}  // namespace sluice::relay::api
