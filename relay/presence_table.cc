#include "relay/presence_table.h"

#include <utility>

#include "common/check.h"

namespace sluice::relay {

const PresenceTable::Room* PresenceTable::room(std::string_view channel) const {
  const auto found = rooms_.find(channel);
  return found == rooms_.end() ? nullptr : &found->second;
}

bool PresenceTable::contains(std::string_view channel, std::string_view client) const {
  const Room* known = room(channel);
  return known != nullptr && known->contains(client);
}

bool PresenceTable::set(std::string_view channel, std::string_view client, std::string_view user,
                        std::string_view info, const Stamp& stamp) {
  auto place = rooms_.find(channel);
  if (place == rooms_.end()) place = rooms_.emplace(std::string(channel), Room{}).first;
  Room& room = place->second;
  auto known = room.find(client);
  if (known != room.end()) {
    Entry& entry = *known->second;
    entry.said_on = stamp.said_on;
    if (entry.user == user && entry.info == info) return false;
  } else {
    known = room.emplace(std::string(client), order_.emplace(order_.end())).first;
    known->second->channel = &place->first;
    known->second->client = &known->first;
  }
  Entry& entry = *known->second;
  entry.user = user;
  entry.info = info;
  entry.said_on = stamp.said_on;
  entry.set_at = stamp.now;
  entry.round = stamp.round;
  order_.splice(order_.end(), order_, known->second);
  return true;
}

std::optional<PresenceEntry> PresenceTable::clear(std::string_view channel,
                                                  std::string_view client) {
  const auto place = rooms_.find(channel);
  if (place == rooms_.end()) return std::nullopt;
  const auto known = place->second.find(client);
  if (known == place->second.end()) return std::nullopt;
  return erase(known->second);
}

PresenceChange PresenceTable::take_oldest() {
  CHECK(!order_.empty());
  PresenceChange change{*order_.front().channel, {}, false};
  change.entry = erase(order_.begin());
  return change;
}

PresenceEntry PresenceTable::erase(std::list<Entry>::iterator entry) {
  PresenceEntry taken{*entry->client, std::move(entry->user), std::move(entry->info)};
  const auto place = rooms_.find(std::string_view(*entry->channel));
  CHECK(place != rooms_.end());
  place->second.erase(place->second.find(std::string_view(taken.client)));
  if (place->second.empty()) rooms_.erase(place);
  order_.erase(entry);
  return taken;
}

}  // namespace sluice::relay
