#include "relay/refusal_log.h"

#include <utility>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

/// Stands for all that have no place of their own.
constexpr std::string_view kOthers = "other links";

}  // namespace

bool RefusalLog::refused(std::string_view what, TimePoint now) {
  auto found = episodes_.find(what);
  if (found == episodes_.end() && episodes_.size() + 1 >= kRefusalEpisodesMax) {
    what = kOthers;
    found = episodes_.find(what);
  }
  if (found == episodes_.end()) {
    episodes_.emplace(std::string(what), Episode{now, 0});
    return true;
  }
  found->second.last = now;
  ++found->second.more;
  return false;
}

void RefusalLog::end(std::string_view what) {
  const auto found = episodes_.find(what);
  if (found == episodes_.end()) return;
  const auto [name, episode] = *found;
  episodes_.erase(found);
  if (episode.more > 0) on_end_(name, episode.more);
}

void RefusalLog::tick(TimePoint now) {
  for (auto it = episodes_.begin(); it != episodes_.end();) {
    const auto one = it++;
    if (now - one->second.last >= kRefusalQuiet) end(std::string(one->first));
  }
}

}  // namespace sluice::relay
