// What the methods of the server API do, whatever carries them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/rules/rules.h"
#include "relay/api/api_error.h"
#include "relay/api/api_method.h"
#include "relay/api/cluster.h"
#include "relay/api/idempotency_cache.h"
#include "relay/api/requests.h"
#include "relay/local_requests.h"

namespace sluice::relay::api {

/// Of one method, never reset. A batch counts once for itself and once for each of its commands.
struct MethodStats {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
};

class ApiService {
 public:
  using Done = std::function<void(const ApiReply&)>;

  /// `rules`: null: this relay has none, every channel may be published on, and none has a history.
  /// `wall_ms`: Unix time. All outlive this.
  ApiService(LocalRequests& requests, Cluster& cluster, const RulesStore* rules,
             const TimeSource& time, std::function<std::int64_t()> wall_ms);

  /// `done` comes once, now or later, whatever the parameters are.
  void call(ApiMethod method, std::string_view params, Done done);
  [[nodiscard]] const MethodStats& stats(ApiMethod method) const {
    return stats_[static_cast<std::size_t>(method)];
  }

 private:
  void run(ApiMethod method, std::string_view params, const Done& done);
  void publish(ApiResult<PublishParams> params, const Done& done);
  void broadcast(ApiResult<PublishParams> params, const Done& done);
  void publish_one(const std::string& channel, const Publication& publication, const Done& done);
  void publish_now(const std::string& channel, const Publication& publication, const Done& done);
  void command(ApiResult<ClientCommand> params, const Done& done);
  void presence(const ApiResult<std::string>& channel, bool counts_only, const Done& done);
  void history(const ApiResult<HistoryParams>& params, const Done& done);
  void ask_history(const std::string& channel, const proto::HistoryQuery& query, const Done& done);
  void history_remove(const ApiResult<std::string>& channel, const Done& done);
  void channels(const ApiResult<std::string>& pattern, const Done& done);
  void info(const Done& done);
  void batch(ApiResult<BatchParams> params, const Done& done);

  /// A channel that is known, and what holds for it.
  [[nodiscard]] ApiResult<ChannelRules> rules_of(const std::string& channel) const;
  [[nodiscard]] ApiResult<ChannelRules> rules_with_history(const std::string& channel) const;
  [[nodiscard]] ApiResult<std::string> meta_of(const Publication& publication,
                                               const ChannelRules& rules) const;

  LocalRequests& requests_;
  Cluster& cluster_;
  const RulesStore* rules_;
  const std::function<std::int64_t()> wall_ms_;
  IdempotencyCache results_;
  std::array<MethodStats, kMethodNames.size()> stats_{};
};

}  // namespace sluice::relay::api
