#include "relay/publish_hold.h"

#include "common/check.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

std::size_t cost(const HeldPublish& publish) {
  return publish.channel.size() + publish.payload.size() + publish.meta.size() +
         kHeldPublishOverheadBytes;
}

}  // namespace

bool PublishHold::push(HeldPublish publish) {
  const std::size_t bytes = cost(publish);
  // What an earlier program has left may be over the bound.
  if (bytes_ > bytes_max_ || bytes > bytes_max_ - bytes_) return false;
  bytes_ += bytes;
  const std::uint64_t arrival = next_arrival_++;
  deadlines_.emplace(publish.deadline, arrival);
  ++counts_[publish.channel];
  items_.emplace_hint(items_.end(), arrival, std::move(publish));
  return true;
}

HeldPublish PublishHold::remove(Items::iterator item) {
  HeldPublish publish = std::move(item->second);
  bytes_ -= cost(publish);
  deadlines_.erase({publish.deadline, item->first});
  const auto count = counts_.find(publish.channel);
  CHECK(count != counts_.end());
  if (--count->second == 0) counts_.erase(count);
  items_.erase(item);
  return publish;
}

void PublishHold::release(const std::function<Verdict(const HeldPublish&)>& judge,
                          const std::function<void(HeldPublish)>& use) {
  for (auto item = items_.begin(); item != items_.end();) {
    const Verdict verdict = judge(item->second);
    if (verdict == Verdict::kStop) return;
    const auto current = item++;
    if (verdict == Verdict::kTake) use(remove(current));
  }
}

void PublishHold::expire(TimePoint now, const std::function<void(HeldPublish)>& use) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    use(remove(items_.find(deadlines_.begin()->second)));
  }
}

void PublishHold::clear(const std::function<void(HeldPublish)>& use) {
  while (!items_.empty()) use(remove(items_.begin()));
}

}  // namespace sluice::relay
