#include "relay/api/survey.h"

#include <utility>
#include <vector>

#include "proto/names.h"
#include "relay/api/limits.h"

namespace sluice::relay::api {

bool Surveys::full() const {
  return open_.size() >= kSurveysMax;
}

void Surveys::begin(std::uint64_t id, std::size_t expected, bool certain, Done done) {
  open_[id] = {expected, certain, time_.now() + kSurveyWait, {}, std::move(done)};
}

void Surveys::add(SurveyResult& result, const envelope::SurveyReply& reply) {
  ++result.gateways;
  if (reply.cut()) result.complete = false;
  for (const auto& [channel, clients] : reply.channels()) {
    const auto known = result.channels.find(channel);
    if (known != result.channels.end()) {
      known->second += clients;
    } else if (!proto::is_public_name(channel)) {
      continue;
    } else if (result.channels.size() < kSurveyTotalChannelsMax) {
      result.channels.emplace(channel, clients);
    } else {
      result.complete = false;
    }
  }
}

void Surveys::heard(const envelope::SurveyReply& reply) {
  const auto one = open_.find(reply.id());
  if (one == open_.end()) return;
  add(one->second.result, reply);
  if (one->second.certain && one->second.result.gateways >= one->second.expected) end(one);
}

void Surveys::end(Map::iterator one) {
  Survey survey = std::move(one->second);
  open_.erase(one);
  if (survey.result.gateways < survey.expected) survey.result.complete = false;
  survey.done(survey.result);
}

void Surveys::expire() {
  const TimePoint now = time_.now();
  std::vector<std::uint64_t> late;
  for (const auto& [id, survey] : open_)
    if (now >= survey.until) late.push_back(id);
  // What one leads to may begin or end others.
  for (const std::uint64_t id : late)
    if (const auto one = open_.find(id); one != open_.end()) end(one);
}

}  // namespace sluice::relay::api
