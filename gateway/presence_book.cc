#include "gateway/presence_book.h"

#include <algorithm>
#include <utility>

#include "gateway/limits.h"

namespace sluice::gateway {

PresenceBook::Member* PresenceBook::find(ClientRef session) const {
  return session.index < members_.size() ? members_[session.index].get() : nullptr;
}

// ---- what is so

std::uint32_t PresenceBook::take_info(Member& member, proto::Bytes bytes) {
  const std::string_view text = proto::as_text(bytes);
  std::size_t free = member.infos.size();
  for (std::size_t i = 0; i < member.infos.size(); ++i) {
    Info& info = member.infos[i];
    if (info.uses == 0) {
      free = i;
    } else if (info.bytes == text) {
      ++info.uses;
      return static_cast<std::uint32_t>(i);
    }
  }
  if (free == member.infos.size()) member.infos.emplace_back();
  member.infos[free] = {std::string(text), 1};
  return static_cast<std::uint32_t>(free);
}

void PresenceBook::give_back_info(Member& member, std::uint32_t info) {
  if (--member.infos[info].uses == 0) member.infos[info].bytes = {};
}

void PresenceBook::set(ClientRef session, std::uint32_t channel,
                       const proto::PresenceSet& presence) {
  if (session.index >= members_.size()) {
    members_.resize(session.index + 1);
    listed_.resize(session.index + 1);
  }
  auto& place = members_[session.index];
  if (!place) {
    place = std::make_unique<Member>();
    place->client = presence.client;
    place->user = presence.user;
  }
  Member& member = *place;
  auto entry = std::find_if(member.entries.begin(), member.entries.end(),
                            [&](const Entry& one) { return one.channel == channel; });
  if (entry == member.entries.end()) {
    if (entries_ >= kPresenceEntriesMax) {
      ++refused_;
      if (member.entries.empty()) place.reset();
      return;
    }
    ++entries_;
    entry = member.entries.insert(entry, Entry{.channel = channel});
  } else {
    give_back_info(member, entry->info);
  }
  entry->info = take_info(member, presence.info) & 0x7FFFFFFFU;
  entry->said = 0;
  say_or_list(session.index, member, *entry);
}

void PresenceBook::clear(ClientRef session, std::uint32_t channel) {
  Member* member = find(session);
  if (member == nullptr) return;
  const auto entry = std::find_if(member->entries.begin(), member->entries.end(),
                                  [&](const Entry& one) { return one.channel == channel; });
  if (entry == member->entries.end()) return;
  give_back_info(*member, entry->info);
  *entry = member->entries.back();
  member->entries.pop_back();
  --entries_;
  say_or_list({.channel = sink_.presence_channel(channel), .client = member->client});
  if (member->entries.empty()) members_[session.index].reset();
}

// ---- what is said

void PresenceBook::link_began() {
  up_ = true;
  ++links_;
  synced_ = false;
  cursor_ = 0;
  clears_.clear();  // the end of the sync says it
}

void PresenceBook::link_lost() {
  up_ = false;
  clears_.clear();
}

void PresenceBook::renew(Member& member) const {
  if (std::exchange(member.link, links_) == links_) return;
  for (Entry& entry : member.entries) entry.said = 0;
}

void PresenceBook::say_or_list(std::uint32_t index, Member& member, Entry& entry) {
  if (!up_) return;
  renew(member);
  // A client that is back in a channel comes behind the word that it left.
  if (clears_.empty() && sink_.takes_presence()) return say(member, entry);
  if (listed_[index]) return;
  listed_[index] = true;
  unsaid_.push_back(index);
}

void PresenceBook::say_or_list(const proto::PresenceClear& cleared) {
  if (!up_) return;
  if (clears_.empty() && sink_.takes_presence()) return sink_.say(cleared);
  if (clears_.size() >= kPresenceEntriesMax) return sink_.presence_overrun();
  clears_.push_back({std::string(cleared.channel), std::string(cleared.client)});
}

void PresenceBook::say(const Member& member, Entry& entry) {
  entry.said = 1;
  sink_.say(proto::PresenceSet{.channel = sink_.presence_channel(entry.channel),
                               .client = member.client,
                               .user = member.user,
                               .info = proto::as_bytes(member.infos[entry.info].bytes)});
}

bool PresenceBook::say_all(Member& member, std::size_t& entries_max) {
  renew(member);
  for (Entry& entry : member.entries) {
    if (entry.said != 0) continue;
    if (entries_max == 0 || !sink_.takes_presence()) return false;
    say(member, entry);
    --entries_max;
  }
  return true;
}

bool PresenceBook::run(std::size_t entries_max) {
  if (!up_ || said() || !sink_.takes_presence()) return false;
  const bool all = run_clears(entries_max) && run_unsaid(entries_max) && run_sync(entries_max);
  return !all && sink_.takes_presence();
}

bool PresenceBook::run_clears(std::size_t& entries_max) {
  for (; !clears_.empty(); clears_.pop_front(), --entries_max) {
    if (entries_max == 0 || !sink_.takes_presence()) return false;
    sink_.say(
        proto::PresenceClear{.channel = clears_.front().channel, .client = clears_.front().client});
  }
  return true;
}

bool PresenceBook::run_unsaid(std::size_t& entries_max) {
  for (; !unsaid_.empty(); unsaid_.pop_front()) {
    const std::uint32_t index = unsaid_.front();
    if (members_[index] && !say_all(*members_[index], entries_max)) return false;
    listed_[index] = false;
  }
  return true;
}

bool PresenceBook::run_sync(std::size_t& entries_max) {
  if (synced_) return true;
  for (; cursor_ < members_.size(); ++cursor_) {
    if (members_[cursor_] && !say_all(*members_[cursor_], entries_max)) return false;
  }
  if (!sink_.takes_presence()) return false;
  sink_.say_synced();
  synced_ = true;
  return true;
}

}  // namespace sluice::gateway
