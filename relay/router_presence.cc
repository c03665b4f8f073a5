// Who is in which channel: gateways say it, the broker keeps it for all hosts, and what is not set
// again it forgets. Changes leave in batches, and nothing is set again in one go.
#include <algorithm>
#include <utility>

#include "relay/limits.h"
#include "relay/router.h"

namespace sluice::relay {
namespace {

/// Ticks in which all of a table are set again once they are old enough.
constexpr std::size_t kRefreshTicks =
    static_cast<std::size_t>((kPresenceRefresh - kPresenceRefreshFrom) / kTickInterval);

PresenceChange change_of(const PresenceTable::Entry& entry) {
  return {*entry.channel, {*entry.client, entry.user, entry.info}, true};
}

}  // namespace

void Router::set_presence(GatewayState& gateway, const proto::PresenceSet& set) {
  PresenceTable& table = gateway.presence;
  if (table.size() >= kPresenceEntriesMax && !table.contains(set.channel, set.client)) {
    ++stats_.presence_refused;
    if (!std::exchange(gateway.presence_full_told, true)) watcher_.presence_full(gateway.id);
    return;
  }
  // Said by an earlier process of this id that was forgotten: it is not to go after all.
  for (PresenceTable& leaving : leaving_)
    if (leaving.clear(set.channel, set.client)) --leaving_entries_;
  const PresenceTable::Stamp stamp{time_.now(), gateway.link, presence_round_};
  const std::string_view info = proto::as_text(set.info);
  if (!table.set(set.channel, set.client, set.user, info, stamp)) return;
  change_presence({std::string(set.channel),
                   {std::string(set.client), std::string(set.user), std::string(info)},
                   true});
}

void Router::clear_presence(GatewayState& gateway, const proto::PresenceClear& clear) {
  std::optional<PresenceEntry> entry = gateway.presence.clear(clear.channel, clear.client);
  if (entry) change_presence({std::string(clear.channel), *std::move(entry), false});
}

void Router::presence_synced(GatewayState& gateway) {
  gateway.presence.drop_unsaid(
      gateway.link, [this](PresenceChange change) { change_presence(std::move(change)); });
}

void Router::change_presence(PresenceChange change) {
  presence_changes_.push_back(std::move(change));
  if (presence_changes_.size() >= kPresenceBatch) return flush_presence();
  schedule_work();
}

void Router::flush_presence() {
  if (presence_changes_.empty()) return;
  const std::vector<PresenceChange> changes = std::exchange(presence_changes_, {});
  if (broker_.update_presence(changes)) {
    stats_.presence_changes += changes.size();
  } else {
    // All are set again when it is back; what was cleared it forgets in time.
    presence_missed_ = true;
  }
}

void Router::refresh_presence(TimePoint now) {
  clear_leaving();
  if (!broker_connected_ || holding_) return;
  for (const auto& [id, gateway] : gateways_) refresh_presence_of(*gateway, now);
}

void Router::refresh_presence_of(GatewayState& gateway, TimePoint now) {
  PresenceTable& table = gateway.presence;
  std::size_t left = table.size() / kRefreshTicks + kPresenceBatch;
  for (const PresenceTable::Entry* entry = table.oldest(); entry != nullptr && left > 0;
       entry = table.oldest()) {
    if (entry->round == presence_round_ && now - entry->set_at < kPresenceRefreshFrom) return;
    const std::size_t touched = table.touch_oldest(
        now, presence_round_, kPresenceBatch,
        [this](const PresenceTable::Entry& one) { change_presence(change_of(one)); });
    left -= std::min(left, touched);
  }
}

void Router::leave(PresenceTable table) {
  if (table.empty() || leaving_entries_ + table.size() > kPresenceLeavingMax) return;
  leaving_entries_ += table.size();
  leaving_.push_back(std::move(table));
}

void Router::clear_leaving() {
  if (holding_) return;
  for (std::size_t left = kPresenceClearsPerTick; left > 0 && !leaving_.empty();) {
    PresenceTable& table = leaving_.front();
    if (table.empty()) {
      leaving_.pop_front();
      continue;
    }
    change_presence(table.take_oldest());
    --leaving_entries_;
    --left;
  }
}

std::size_t Router::presence_entries() const {
  std::size_t entries = 0;
  for (const auto& [id, gateway] : gateways_) entries += gateway->presence.size();
  return entries;
}

void Router::schedule_work() {
  if (!schedule_ || std::exchange(work_scheduled_, true)) return;
  schedule_();
}

void Router::work() {
  work_scheduled_ = false;
  if (holding_) return;
  flush_presence();
  ask_broker();
}

}  // namespace sluice::relay
