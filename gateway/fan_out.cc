#include "gateway/fan_out.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

/// How far ahead a walk asks for the next clients' memory: some tens of nanoseconds of work each.
constexpr std::size_t kPrefetch = 8;

}  // namespace

// ---- membership

std::uint32_t FanOut::add_audience(const ClientProtocol& protocol) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(audiences_.size()));
    audiences_.emplace_back();
    pending_bits_.resize(audiences_.size() / 64 + 1);
  }
  const std::uint32_t id = free_.back();
  free_.pop_back();
  audiences_[id].protocol = &protocol;
  return id;
}

void FanOut::remove_audience(std::uint32_t id) {
  Audience& audience = audiences_[id];
  CHECK(audience.subscribers.empty());
  audience.removed = true;
  if (!audience.waiting) finish(id);
}

void FanOut::join(std::uint32_t id, ClientSession& session, std::uint64_t sequence) {
  Audience& audience = audiences_[id];
  auto& subscriptions = session.state.subscriptions;
  const auto place = static_cast<std::uint32_t>(audience.subscribers.size());
  audience.subscribers.push_back(
      {&session, audience.log.top(), static_cast<std::uint32_t>(subscriptions.size())});
  subscriptions.push_back({.audience = id, .place = place, .began_sequence = sequence});
  // The unvisited ones may lie on both sides of the new place.
  if (audience.unvisited > 0) ++audience.unvisited;
}

void FanOut::leave(const ClientSession& session, std::size_t subscription) {
  const Subscription& left = session.state.subscriptions[subscription];
  Audience& audience = audiences_[left.audience];
  auto& subscribers = audience.subscribers;
  CHECK(left.place < subscribers.size() && subscribers[left.place].session == &session);
  // The last one takes the free place, where the walk may have been already: it is given first what
  // it lacks.
  if (left.place + 1 < subscribers.size()) {
    settle(*subscribers.back().session);
    subscribers[left.place] = subscribers.back();
    const Subscriber& moved = subscribers[left.place];
    moved.session->state.subscriptions[moved.subscription].place = left.place;
  }
  subscribers.pop_back();
  const auto n = static_cast<std::uint32_t>(subscribers.size());
  audience.unvisited = std::min(audience.unvisited, n);
  if (audience.cursor >= n) {
    audience.cursor = n;
    advance_cursor(audience);
  }
}

void FanOut::take_out(ClientSession& session, std::size_t subscription) {
  auto& subscriptions = session.state.subscriptions;
  if (subscription + 1 < subscriptions.size()) {
    const Subscription& moved = subscriptions[subscription] = subscriptions.back();
    audiences_[moved.audience].subscribers[moved.place].subscription =
        static_cast<std::uint32_t>(subscription);
  }
  subscriptions.pop_back();
}

// ---- the walk

void FanOut::append(std::uint32_t id, const ChannelMessage& message, FrameLog::Stamp stamp) {
  Audience& audience = audiences_[id];
  CHECK(!audience.subscribers.empty());
  if (settled()) settled_ = mark_sequence_ = stamp.sequence - 1;
  if (!audience.waiting) {
    audience.waiting = true;
    turns_.push_back(id);
    mark_pending(id, true);
    audience.round_top = audience.common = audience.noted = audience.log.top();
  }
  const std::size_t before = audience.log.bytes();
  audience.log.append(pool_, audience.protocol->encode(message, scratch_), stamp);
  pending_bytes_ += audience.log.bytes() - before;
  audience.unvisited = static_cast<std::uint32_t>(audience.subscribers.size());
  last_sequence_ = stamp.sequence;
}

void FanOut::give_now(std::uint32_t id, const ChannelMessage& message, FrameLog::Stamp stamp) {
  CHECK(settled());
  const Audience& audience = audiences_[id];
  catch_up_.append(pool_, audience.protocol->encode(message, scratch_), stamp);
  due_.clear();
  catch_up_.view(catch_up_.first(), catch_up_.top(), due_);
  shown_ = {};
  for (const Subscriber& subscriber : audience.subscribers) {
    SessionState& state = subscriber.session->state;
    if (state.last_sequence >= stamp.sequence || began(subscriber) >= stamp.sequence) continue;
    state.last_sequence = stamp.sequence;
    ++deliveries_;
    delivery_.queue_due(*subscriber.session, due_);
  }
  catch_up_.clear(pool_);
}

void FanOut::settle_all() {
  while (!turns_.empty()) {
    const std::uint32_t id = turns_.front();
    turns_.pop_front();
    Audience& audience = audiences_[id];
    for (const Subscriber& subscriber : audience.subscribers) settle(*subscriber.session);
    audience.unvisited = 0;
    finish(id);
  }
}

bool FanOut::run(std::size_t clients_max) {
  if (turns_.empty()) return false;
  shown_ = {};
  std::size_t clients = 0;
  while (clients < clients_max && !turns_.empty()) {
    const std::uint32_t id = turns_.front();
    turns_.pop_front();
    Audience& audience = audiences_[id];
    clients += walk(audience, std::min(kFanOutQuantum, clients_max - clients));
    if (audience.unvisited > 0) turns_.push_back(id);
    served_.push_back(id);
  }
  delivery_.end_slice();
  for (const std::uint32_t id : served_) after_slice(id);
  served_.clear();
  if (marked_ == 0) begin_mark();
  return !turns_.empty();
}

std::size_t FanOut::walk(Audience& audience, std::size_t clients_max) {
  std::size_t given = 0;
  // Who has everything costs little to pass over, but not nothing.
  std::size_t steps = clients_max * kFanOutSkipsPerClient;
  const std::uint32_t top = audience.log.top();
  auto& subscribers = audience.subscribers;
  while (audience.unvisited > 0 && given < clients_max && steps-- > 0) {
    Subscriber& subscriber = subscribers[audience.cursor];
    if (audience.cursor + kPrefetch < subscribers.size())
      __builtin_prefetch(subscribers[audience.cursor + kPrefetch].session, 1);
    if (subscriber.next != top) {
      visit(audience, subscriber);
      ++given;
    }
    --audience.unvisited;
    ++audience.cursor;
    advance_cursor(audience);
  }
  return given;
}

/// At the end of the array everybody has been visited since the cursor was last at its beginning.
void FanOut::advance_cursor(Audience& audience) {
  if (audience.cursor < audience.subscribers.size()) return;
  audience.cursor = 0;
  audience.common = audience.round_top;
  audience.round_top = audience.log.top();
}

void FanOut::visit(const Audience& audience, Subscriber& subscriber) {
  ClientSession& session = *subscriber.session;
  const std::uint32_t top = audience.log.top();
  if (pending_audiences_ > 1 && session.state.subscriptions.size() > 1) {
    collect(session);
  } else {
    if (shown_.log != &audience.log || shown_.from != subscriber.next || shown_.to != top) {
      due_.clear();
      audience.log.view(subscriber.next, top, due_);
      shown_ = {&audience.log, subscriber.next, top};
    }
    deliveries_ += top - subscriber.next;
    subscriber.next = top;
  }
  session.state.last_sequence = last_sequence_;
  delivery_.deliver_due(session, due_);
}

void FanOut::settle(ClientSession& session) {
  if (pending_audiences_ == 0) return;
  collect(session);
  if (due_.empty()) return;
  session.state.last_sequence = last_sequence_;
  delivery_.queue_due(session, due_);
}

// ---- what is due to one client

void FanOut::collect(ClientSession& session) {
  shown_ = {};
  due_.clear();
  parts_.clear();
  for (const Subscription& subscription : session.state.subscriptions) {
    if (!is_pending(subscription.audience)) continue;
    Audience& audience = audiences_[subscription.audience];
    Subscriber& subscriber = audience.subscribers[subscription.place];
    const std::uint32_t top = audience.log.top();
    if (subscriber.next == top) continue;
    parts_.push_back({&audience.log, subscriber.next, top});
    deliveries_ += top - subscriber.next;
    subscriber.next = top;
  }
  merge_parts();
}

/// In the order of the link: always from the part with the lowest sequence, up to the next part's.
void FanOut::merge_parts() {
  const auto sequence = [](const Part& part) { return part.log->stamp(part.from).sequence; };
  // A heap would pay for clients with hundreds of channels that all have something at once.
  while (parts_.size() > 1) {
    auto lowest = parts_.begin();
    std::uint64_t next = ~std::uint64_t{0};
    for (auto part = parts_.begin() + 1; part != parts_.end(); ++part) {
      if (sequence(*part) < sequence(*lowest)) {
        next = sequence(*lowest);
        lowest = part;
      } else {
        next = std::min(next, sequence(*part));
      }
    }
    const std::uint32_t from = lowest->from;
    do ++lowest->from;
    while (lowest->from != lowest->to && sequence(*lowest) < next);
    lowest->log->view(from, lowest->from, due_);
    if (lowest->from == lowest->to) {
      *lowest = parts_.back();
      parts_.pop_back();
    }
  }
  for (const Part& part : parts_) part.log->view(part.from, part.to, due_);
}

// ---- what everybody has

void FanOut::after_slice(std::uint32_t id) {
  Audience& audience = audiences_[id];
  // Served twice in a slice, and freed after the first time.
  if (audience.protocol == nullptr || !audience.waiting) return;
  if (audience.unvisited == 0) return finish(id);
  const std::uint32_t top = audience.log.top();
  if (audience.marked && top - audience.common <= top - audience.mark) unmark(audience);
  if (audience.common == audience.log.first()) return;
  note_finished(audience, audience.common);
  const std::size_t before = audience.log.bytes();
  audience.log.drop_before(pool_, audience.common);
  pending_bytes_ -= before - audience.log.bytes();
}

void FanOut::note_finished(Audience& audience, std::uint32_t to) {
  for (; audience.noted != to; ++audience.noted)
    finished_stamps_.push_back(audience.log.stamp(audience.noted).received_micros);
}

void FanOut::finish(std::uint32_t id) {
  Audience& audience = audiences_[id];
  if (audience.waiting) note_finished(audience, audience.log.top());
  pending_bytes_ -= audience.log.bytes();
  audience.log.clear(pool_);
  audience.waiting = false;
  if (audience.marked) unmark(audience);
  mark_pending(id, false);
  if (!audience.removed) return;
  audience = Audience{};
  free_.push_back(id);
}

void FanOut::unmark(Audience& audience) {
  audience.marked = false;
  --marked_;
}

/// Between two slices: what is due to anybody stands in turns_.
void FanOut::begin_mark() {
  settled_ = mark_sequence_;
  mark_sequence_ = last_sequence_;
  for (const std::uint32_t id : turns_) {
    Audience& audience = audiences_[id];
    audience.mark = audience.log.top();
    audience.marked = true;
  }
  marked_ = turns_.size();
}

void FanOut::mark_pending(std::uint32_t id, bool pending) {
  if (is_pending(id) == pending) return;
  pending_bits_[id / 64] ^= std::uint64_t{1} << (id % 64);
  if (pending) {
    ++pending_audiences_;
  } else {
    --pending_audiences_;
  }
}

}  // namespace sluice::gateway
