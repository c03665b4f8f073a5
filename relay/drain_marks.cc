#include "relay/drain_marks.h"

#include <algorithm>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

TimePoint newest(const DrainMarks::OfGateway& marks) {
  TimePoint at = TimePoint::min();
  for (const auto& [balancer, set_at] : marks) at = std::max(at, set_at);
  return at;
}

}  // namespace

bool DrainMarks::set(std::string_view gateway, std::string_view balancer, TimePoint now) {
  auto found = table_.find(gateway);
  if (found == table_.end()) {
    if (table_.size() >= kMarkedGatewaysMax) make_room();
    found = table_.emplace(std::string(gateway), OfGateway{}).first;
  }
  OfGateway& marks = found->second;
  if (marks.contains(balancer)) return false;
  if (marks.size() >= proto::kDrainMarksMax) {
    marks.erase(std::min_element(marks.begin(), marks.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  marks.emplace(std::string(balancer), now);
  return true;
}

void DrainMarks::make_room() {
  table_.erase(std::min_element(table_.begin(), table_.end(), [](const auto& a, const auto& b) {
    return newest(a.second) < newest(b.second);
  }));
}

bool DrainMarks::clear(std::string_view gateway, std::string_view balancer) {
  const auto found = table_.find(gateway);
  if (found == table_.end()) return false;
  const auto mark = found->second.find(balancer);
  if (mark == found->second.end()) return false;
  found->second.erase(mark);
  if (found->second.empty()) table_.erase(found);
  return true;
}

bool DrainMarks::expire(TimePoint now) {
  const std::size_t before = size();
  for (auto gateway = table_.begin(); gateway != table_.end();) {
    std::erase_if(gateway->second,
                  [now](const auto& mark) { return now - mark.second >= kDrainMarkAgeMax; });
    gateway = gateway->second.empty() ? table_.erase(gateway) : std::next(gateway);
  }
  return size() != before;
}

std::vector<std::string_view> DrainMarks::of(std::string_view gateway) const {
  std::vector<std::string_view> balancers;
  const auto found = table_.find(gateway);
  if (found == table_.end()) return balancers;
  for (const auto& [balancer, set_at] : found->second) balancers.push_back(balancer);
  return balancers;
}

std::size_t DrainMarks::size() const {
  std::size_t marks = 0;
  for (const auto& [gateway, of_gateway] : table_) marks += of_gateway.size();
  return marks;
}

}  // namespace sluice::relay
