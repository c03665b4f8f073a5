// Results of publishes under the keys that their askers have given: a publish that is asked for
// again, because its answer was lost, gets the first one's result. Of this relay alone. Pure.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "relay/api/api_error.h"
#include "relay/transparent_hash.h"

namespace sluice::relay::api {

class IdempotencyCache {
 public:
  using Done = std::function<void(const ApiReply&)>;
  enum class Seen {
    kNew,      ///< do it, then finish()
    kWaiting,  ///< the first one is under way; `done` is called with its result
    kKnown,    ///< `done` has been called
    kFull,     ///< more are under way than can be remembered
  };

  explicit IdempotencyCache(const TimeSource& time) : time_(time) {}

  [[nodiscard]] Seen begin(std::string_view channel, std::string_view key, const Done& done);
  /// Who waits is told; a failure is forgotten, so that it can be tried again.
  void finish(std::string_view channel, std::string_view key, const ApiReply& reply);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    bool finished = false;
    ApiReply reply;
    std::vector<Done> waiting;
    TimePoint finished_at{};
  };

  [[nodiscard]] static std::string name_of(std::string_view channel, std::string_view key);
  void expire();
  /// For one more: the oldest result goes. False: all are under way.
  [[nodiscard]] bool make_room();

  const TimeSource& time_;
  StringMap<Entry> entries_;
  std::deque<std::string> finished_;  ///< the oldest first
};

}  // namespace sluice::relay::api
