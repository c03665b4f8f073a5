// The file of rules (common/rules). Promises: what is refused is told in one line that begins with
// the file's name; what is taken lies inside the documented ranges, and every channel has the rules
// of its namespace or none.
//
// Input: a line, the name of a channel; then the file.
#include <algorithm>
#include <string>

#include "common/check.h"
#include "common/rules/rules.h"
#include "tests/fuzz/input.h"

namespace sluice {
namespace {

void check(const ChannelRules& rules) {
  CHECK(rules.subscribe != Who::kSubscribers && rules.publish != Who::kToken);
  CHECK(rules.presence != Who::kToken && rules.history != Who::kToken);
  CHECK(rules.history_size <= kHistorySizeMax);
  CHECK((rules.history_size > 0) ==
        (rules.history_ttl >= kHistoryTtlMin && rules.history_ttl <= kHistoryTtlMax));
  CHECK(rules.history == Who::kNobody || rules.history_size > 0);
  CHECK(rules.presence == Who::kNobody || rules.presence_on);
  CHECK(rules.message_bytes_max <= kRuleMessageBytesMax);
  CHECK(rules.recover_max >= 1 && rules.recover_max <= kRecoverMaxMax);
  CHECK(rules.publish_rate.per_second >= 0 && rules.publish_rate.per_second <= 1e9);
  CHECK(rules.publish_rate.burst >= 1 && rules.publish_rate.burst <= kPublishBurstMax);
}

void check_names(const Rules& rules, std::string_view channel) {
  const ChannelRules* found = rules.find(channel);
  const std::string_view name = namespace_of(channel);
  const bool known = rules.channels().find(name) != rules.channels().end();
  if (found != nullptr) {
    CHECK(known && &rules.channels().find(name)->second == found);
  } else {
    CHECK(!known || name.empty());
  }
  CHECK(!lists_user(channel, ""));
  CHECK(is_user_limited(channel) || !lists_user(channel, channel));
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  const std::string_view text = fuzz::as_text(input.rest());
  const std::size_t end = std::min(text.find('\n'), text.size());
  const auto rules = Rules::parse(text.substr(std::min(end + 1, text.size())), "r.toml");
  if (!rules) {
    CHECK(rules.error().message.starts_with("r.toml:"));
    CHECK(rules.error().message.find('\n') == std::string::npos);
    return 0;
  }
  CHECK(rules->namespaces() <= kNamespacesMax + 1 && !rules->is_open_access());
  CHECK(rules->connection().channels_max >= 1);
  CHECK(rules->connection().channels_max <= kClientChannelsMax);
  for (const auto& [name, channel] : rules->channels()) {
    CHECK(name.size() <= kNamespaceBytesMax);
    check(channel);
    CHECK(rules->find(name.empty() ? "x" : name + ":x") == &channel);
  }
  check_names(*rules, text.substr(0, end));
  return 0;
}
