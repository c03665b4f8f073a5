// Questions to all gateways of all hosts, and what they have answered so far. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "common/clock.h"
#include "proto/envelope.pb.h"

namespace sluice::relay::api {

struct SurveyResult {
  std::map<std::string, std::uint64_t> channels;  ///< clients by channel
  std::size_t gateways = 0;                       ///< that have answered
  bool complete = true;  ///< all have, and none had more than could be told
};

class Surveys {
 public:
  using Done = std::function<void(const SurveyResult&)>;

  explicit Surveys(const TimeSource& time) : time_(time) {}

  [[nodiscard]] bool full() const;
  /// Ends when so many gateways have answered, or after kSurveyWait. `certain`: there are not more
  /// than `expected`; else the time is waited for.
  void begin(std::uint64_t id, std::size_t expected, bool certain, Done done);
  void heard(const envelope::SurveyReply& reply);
  /// It could not be asked: no result.
  void cancel(std::uint64_t id) { open_.erase(id); }
  void expire();
  [[nodiscard]] bool open(std::uint64_t id) const { return open_.contains(id); }

 private:
  struct Survey {
    std::size_t expected = 0;
    bool certain = false;
    TimePoint until{};
    SurveyResult result;
    Done done;
  };
  using Map = std::map<std::uint64_t, Survey>;

  static void add(SurveyResult& result, const envelope::SurveyReply& reply);
  void end(Map::iterator one);

  const TimeSource& time_;
  Map open_;
};

}  // namespace sluice::relay::api
