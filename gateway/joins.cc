#include "gateway/joins.h"

#include "common/check.h"

namespace sluice::gateway {
namespace {

/// What a storm has needed is given back behind it, where it was more than this.
constexpr std::size_t kPlacesKept = 1024;

}  // namespace

Joins::Id Joins::add(const Join& join) {
  if (free_.empty()) {
    free_.push_back(static_cast<Id>(places_.size()));
    places_.emplace_back();
  }
  const Id id = free_.back();
  free_.pop_back();
  places_[id] = Place{.join = join, .in_channel = {}, .in_session = {}, .in_ready = {}};
  append(by_channel_[join.channel], &Place::in_channel, id);
  append(by_session_[join.session.index], &Place::in_session, id);
  ++size_;
  return id;
}

Join Joins::take(Id id) {
  const Join join = places_[id].join;
  if (places_[id].stage == JoinStage::kReady) unlink(ready_, &Place::in_ready, id);
  unlink(by_channel_, join.channel, &Place::in_channel, id);
  unlink(by_session_, join.session.index, &Place::in_session, id);
  free_.push_back(id);
  --size_;
  if (size_ == 0 && places_.size() > kPlacesKept) {
    places_ = {};
    free_ = {};
  }
  return join;
}

void Joins::move_to(Id id, JoinStage stage) {
  Place& place = places_[id];
  if (place.stage == JoinStage::kReady) unlink(ready_, &Place::in_ready, id);
  place.stage = stage;
  if (stage == JoinStage::kReady) append(ready_, &Place::in_ready, id);
}

Joins::Id Joins::find(ClientRef session, std::uint32_t channel) const {
  for (Id id = first_of_session(session); id != kNone; id = places_[id].in_session.next)
    if (places_[id].join.channel == channel) return id;
  return kNone;
}

Joins::Id Joins::first_of_session(ClientRef session) const {
  const auto row = by_session_.find(session.index);
  if (row == by_session_.end()) return kNone;
  // Joins of a session end with it, so its slot's are its own.
  CHECK(places_[row->second.first].join.session == session);
  return row->second.first;
}

Joins::Id Joins::first_of_channel(std::uint32_t channel) const {
  const auto row = by_channel_.find(channel);
  return row == by_channel_.end() ? kNone : row->second.first;
}

void Joins::append(Row& row, Link Place::*link, Id id) {
  places_[id].*link = {row.last, kNone};
  if (row.last != kNone) {
    (places_[row.last].*link).next = id;
  } else {
    row.first = id;
  }
  row.last = id;
}

void Joins::unlink(Row& row, Link Place::*link, Id id) {
  const Link at = places_[id].*link;
  if (at.previous != kNone) {
    (places_[at.previous].*link).next = at.next;
  } else {
    row.first = at.next;
  }
  if (at.next != kNone) {
    (places_[at.next].*link).previous = at.previous;
  } else {
    row.last = at.previous;
  }
}

void Joins::unlink(Rows& rows, std::uint32_t key, Link Place::*link, Id id) {
  const auto row = rows.find(key);
  CHECK(row != rows.end());
  unlink(row->second, link, id);
  if (row->second.first == kNone) rows.erase(row);
}

}  // namespace sluice::gateway
