#include "relay/rules_policy.h"

#include "proto/names.h"

namespace sluice::relay {

ChannelOptions RulesPolicy::options(std::string_view channel) const {
  if (proto::is_internal(channel)) return {};
  const ChannelRules* rules = rules_.now().find(channel);
  if (rules == nullptr) return {};
  const bool history = rules->history_size > 0;
  return {.history_size = rules->history_size,
          .history_ttl = history ? rules->history_ttl : Duration::zero(),
          .envelope = history || rules->publisher_info};
}

}  // namespace sluice::relay
