// HISTORY and PRESENCE of links. What the ring or the Router itself knows is looked up when the
// link has room for it, so a request that waits costs no memory for its answer; the rest is asked
// of the broker, a bounded number at a time, link by link.
#include <algorithm>
#include <utility>

#include "common/check.h"
#include "relay/limits.h"
#include "relay/router.h"

namespace sluice::relay {

using proto::ErrorReason;

namespace {

/// What a link carries; what a broker has found may be anything.
bool fits_link(const HistoryPublication& one) {
  return one.payload.size() <= proto::kPayloadBytesMax && one.meta.size() <= proto::kMetaBytesMax;
}

bool fits_link(const PresenceEntry& one) {
  return !one.client.empty() && one.client.size() <= proto::kClientIdBytesMax &&
         one.info.size() <= proto::kPresenceInfoBytesMax;
}

/// Each offset behind `since` up to `top`, once and in order.
bool is_whole(const std::vector<HistoryPublication>& found, std::uint64_t since,
              std::uint64_t top) {
  if (top < since || found.size() != top - since) return false;
  return std::all_of(found.begin(), found.end(), [next = since](const auto& one) mutable {
    return one.offset == ++next && fits_link(one);
  });
}

/// Whoever stood at `since` may have all that came, and wants no more than it asked for.
bool can_recover(const proto::HistoryQuery& query, proto::Position top) {
  const proto::Position since = *query.since;
  return since.epoch == top.epoch && since.offset <= top.offset &&
         top.offset - since.offset <= query.limit;
}

/// The answer of a recovery that brings nothing.
void set_incomplete(AnswerUnderWay& answer, proto::Position top) {
  answer.publications.clear();
  answer.entries.clear();
  answer.history_end.complete = false;
  answer.history_end.top = top;
}

/// Behind what the broker has found: what has come since, as far as it was asked for.
void append_newer(const LinkRequest& asked, HistoryAnswer& found,
                  std::vector<RefPtr<const RingEntry>>& newer) {
  const auto& since = asked.query.since;
  if (since && since->epoch != found.top.epoch) return newer.clear();
  if (asked.query.reverse) {
    if (since) return newer.clear();  // it asks for what is older
    std::reverse(newer.begin(), newer.end());
    newer.resize(std::min<std::size_t>(newer.size(), asked.query.limit));
    const std::size_t room = asked.query.limit - newer.size();
    found.publications.resize(std::min(found.publications.size(), room));
    return;
  }
  const bool reaches_top = found.publications.empty()
                               ? !since || since->offset <= found.top.offset
                               : found.publications.back().offset == found.top.offset;
  const bool full = found.publications.size() >= asked.query.limit;
  if (since && since->offset > found.top.offset) {
    std::erase_if(newer, [&](const auto& one) { return one->position().offset <= since->offset; });
  } else if (!reaches_top || full) {
    return newer.clear();
  }
  newer.resize(std::min<std::size_t>(newer.size(), asked.query.limit - found.publications.size()));
}

}  // namespace

// ---- taking in

ChannelOptions Router::options_of(std::string_view channel) const {
  return policy_ == nullptr ? ChannelOptions{} : policy_->options(channel);
}

ChannelOptions Router::options_now(std::string_view name) const {
  const Channel* channel = find_channel(name);
  return channel == nullptr ? options_of(name) : channel->options;
}

void Router::history(GatewayState& gateway, const proto::History& asked) {
  ++stats_.history_requests;
  if (asked.recover) ++stats_.history_recoveries;
  take_request(gateway, {.kind = LinkRequest::Kind::kHistory,
                         .recover = asked.recover,
                         .request = asked.request,
                         .query = asked.query,
                         .channel = std::string(asked.channel)});
}

void Router::presence(GatewayState& gateway, const proto::Presence& asked) {
  ++stats_.presence_requests;
  take_request(gateway, {.kind = LinkRequest::Kind::kPresence,
                         .counts_only = asked.counts_only,
                         .request = asked.request,
                         .query = {},
                         .channel = std::string(asked.channel)});
}

void Router::take_request(GatewayState& gateway, LinkRequest request) {
  LinkRequests& all = gateway.requests;
  const std::size_t count_max = gateway.tool ? kToolRequestsMax : kRequestsPerLinkMax;
  const bool full =
      all.count() >= count_max || all.waiting_bytes + request.cost() > kRequestBytesPerLinkMax;
  if (shutting_down_ || full) {
    ++stats_.requests_refused;
    return gateway.port->refused(
        request.request, shutting_down_ ? ErrorReason::kShuttingDown : ErrorReason::kQueueFull,
        shutting_down_ ? "the relay shuts down" : "too many requests are unanswered");
  }
  if (needs_broker(request)) {
    all.wait_for_broker(std::move(request));
    return want_broker(gateway);
  }
  all.wait(std::move(request));
  gateway.port->pending();
}

// ---- what needs no broker

bool Router::needs_broker(const LinkRequest& request) const {
  if (request.kind == LinkRequest::Kind::kPresence) return true;
  const Channel* channel = find_channel(request.channel);
  if (channel == nullptr || !channel->confirmed) return options_now(request.channel).history();
  if (!channel->history) return false;
  if (!request.recover) return request.query.limit > 0;
  return can_recover(request.query, channel->top) &&
         !ring_has(*channel, request.query.since->offset);
}

AnswerUnderWay Router::answer_of_ours(const LinkRequest& request) const {
  AnswerUnderWay answer;
  answer.request = answer.history_end.request = request.request;
  const Channel* channel = find_channel(request.channel);
  if (channel == nullptr || !channel->confirmed) return answer;
  answer.history_end.top = channel->top;
  answer.history_end.complete =
      request.recover && can_recover(request.query, channel->top) &&
      entries_behind(*channel, request.query.since->offset, answer.entries);
  return answer;
}

bool Router::ring_has(const Channel& channel, std::uint64_t behind) const {
  const std::deque<std::uint64_t>* serials = ring_.serials(channel.ordinal);
  return channel.top.offset - behind <= (serials == nullptr ? 0 : serials->size());
}

bool Router::entries_behind(const Channel& channel, std::uint64_t behind,
                            std::vector<RefPtr<const RingEntry>>& out) const {
  if (!ring_has(channel, behind)) return false;
  const auto wanted = static_cast<std::size_t>(channel.top.offset - behind);
  if (wanted == 0) return true;
  const std::deque<std::uint64_t>& serials = *ring_.serials(channel.ordinal);
  out.reserve(wanted);
  for (std::size_t place = serials.size() - wanted; place < serials.size(); ++place)
    out.emplace_back(ring_.find(serials[place]));
  return true;
}

// ---- saying it

void Router::take_answer(GatewayState& gateway, AnswerPiece& out) {
  LinkRequests& all = gateway.requests;
  out.kind = AnswerPiece::Kind::kNothing;
  out.entry = nullptr;
  while (!all.current) {
    if (!begin_answer(gateway, out)) return;
    if (out.kind == AnswerPiece::Kind::kRefusal) return;
  }
  AnswerUnderWay& answer = *all.current;
  const std::size_t place = answer.said++;
  if (answer.of_presence) {
    if (place < answer.people.size()) {
      const PresenceEntry& one = answer.people[place];
      out.kind = AnswerPiece::Kind::kPerson;
      out.person = {answer.request, one.client, proto::as_bytes(one.info)};
      return;
    }
    out.kind = AnswerPiece::Kind::kPresenceEnd;
    out.presence_end = answer.presence_end;
    return all.current.reset();
  }
  const std::size_t entries = answer.entries.size();
  const std::size_t publications = answer.publications.size();
  if (place >= entries + publications) {
    out.kind = AnswerPiece::Kind::kHistoryEnd;
    out.history_end = answer.history_end;
    return all.current.reset();
  }
  out.kind = AnswerPiece::Kind::kPublication;
  const bool of_ring = answer.entries_first ? place < entries : place >= publications;
  if (of_ring) {
    const RingEntry& entry = *answer.entries[answer.entries_first ? place : place - publications];
    out.entry = &entry;
    out.item = {answer.request, entry.position().offset, entry.payload(), entry.meta()};
    return;
  }
  const HistoryPublication& one =
      answer.publications[answer.entries_first ? place - entries : place];
  out.item = {answer.request, one.offset, proto::as_bytes(one.payload), proto::as_bytes(one.meta)};
}

bool Router::begin_answer(GatewayState& gateway, AnswerPiece& out) {
  LinkRequests& all = gateway.requests;
  if (!all.answered.empty()) {
    begin_answered(gateway, all.take_answered(), out);
    if (!all.for_broker.empty()) want_broker(gateway);
    return true;
  }
  if (all.waiting.empty()) return false;
  begin_waiting(gateway, all.take_waiting());
  return true;
}

void Router::begin_waiting(GatewayState& gateway, LinkRequest request) {
  if (needs_broker(request)) {
    // The ring has let go of it while the request waited.
    gateway.requests.wait_for_broker(std::move(request));
    return want_broker(gateway);
  }
  AnswerUnderWay answer = answer_of_ours(request);
  if (request.recover)
    ++(answer.history_end.complete ? stats_.history_from_ring : stats_.history_incomplete);
  gateway.requests.current = std::move(answer);
}

void Router::begin_answered(GatewayState& gateway, HeldAnswer held, AnswerPiece& out) {
  const auto refuse_it = [&](ErrorReason reason, std::string text) {
    ++stats_.requests_refused;
    out.kind = AnswerPiece::Kind::kRefusal;
    out.request = held.asked.request;
    out.refusal = {reason, std::move(text)};
  };
  if (auto* refusal = std::get_if<RequestRefusal>(&held.answer))
    return refuse_it(refusal->reason, std::move(refusal->text));
  AnswerUnderWay answer;
  answer.request = held.asked.request;
  if (auto* presence = std::get_if<PresenceAnswer>(&held.answer)) {
    answer.of_presence = true;
    answer.presence_end = {held.asked.request, presence->clients, presence->users};
    if (!held.asked.counts_only) answer.people = std::move(presence->entries);
    std::erase_if(answer.people, [](const PresenceEntry& one) { return !fits_link(one); });
    gateway.requests.current = std::move(answer);
    return;
  }
  auto& found = std::get<HistoryAnswer>(held.answer);
  answer.history_end.request = held.asked.request;
  const bool done = held.asked.recover ? complete_recovery(held.asked, found, answer)
                                       : complete_history(held.asked, found, answer);
  if (done) {
    if (held.asked.recover) {
      ++(answer.history_end.complete ? stats_.history_recovered_by_broker
                                     : stats_.history_incomplete);
    }
    gateway.requests.current = std::move(answer);
    return;
  }
  if (held.asked.asked >= kHistoryAskedMax)
    return refuse_it(ErrorReason::kQueueFull, "the channel goes on faster than its ring");
  gateway.requests.wait_for_broker(std::move(held.asked));
  want_broker(gateway);
}

bool Router::complete_recovery(const LinkRequest& asked, HistoryAnswer& found,
                               AnswerUnderWay& answer) const {
  const proto::Position since = *asked.query.since;
  proto::Position top = found.top;
  bool whole = top.epoch == since.epoch && is_whole(found.publications, since.offset, top.offset);
  const auto known = channels_.find(asked.channel);
  if (known != channels_.end() && known->second->confirmed && known->second->history) {
    const Channel& channel = *known->second;
    whole = whole && channel.top.epoch == since.epoch;
    if (channel.top.epoch != top.epoch || channel.top.offset > top.offset) {
      // Asked for again only where the ring's part is all that is missing.
      if (whole && !entries_behind(channel, top.offset, answer.entries)) return false;
      top = channel.top;
    }
  }
  if (!whole || top.offset - since.offset > asked.query.limit) {
    set_incomplete(answer, top);
    return true;
  }
  answer.publications = std::move(found.publications);
  answer.history_end.complete = true;
  answer.history_end.top = top;
  return true;
}

bool Router::complete_history(const LinkRequest& asked, HistoryAnswer& found,
                              AnswerUnderWay& answer) const {
  answer.history_end.top = found.top;
  const auto known = channels_.find(asked.channel);
  if (known != channels_.end() && known->second->confirmed) {
    const Channel& channel = *known->second;
    if (channel.history && channel.top.epoch == found.top.epoch &&
        channel.top.offset > found.top.offset) {
      if (!entries_behind(channel, found.top.offset, answer.entries)) return false;
      append_newer(asked, found, answer.entries);
      answer.entries_first = asked.query.reverse;
      answer.history_end.top = channel.top;
    }
  }
  std::erase_if(found.publications, [](const HistoryPublication& one) { return !fits_link(one); });
  answer.publications = std::move(found.publications);
  return true;
}

// ---- asking the broker

void Router::want_broker(GatewayState& gateway) {
  if (!std::exchange(gateway.requests.in_turn, true)) askers_.push_back(gateway.link);
  schedule_work();
}

void Router::ask_broker() {
  while (!askers_.empty() && queries_.size() - local_queries_ < kBrokerQueriesMax) {
    const std::uint64_t link = askers_.front();
    askers_.pop_front();
    const auto found = links_.find(link);
    if (found == links_.end()) continue;
    GatewayState& gateway = *found->second;
    LinkRequests& all = gateway.requests;
    all.in_turn = false;
    // Back when answers have come, or have been read.
    if (all.for_broker.empty() || all.in_flight >= kLinkQueriesMax ||
        all.held_bytes >= kHeldAnswerBytesMax)
      continue;
    LinkRequest request = all.take_for_broker();
    if (!all.for_broker.empty()) want_broker(gateway);
    ask(gateway, std::move(request));
  }
}

void Router::ask(GatewayState& gateway, LinkRequest request) {
  ++gateway.requests.in_flight;
  ++request.asked;
  const QueryId id = next_query_++;
  // The answer may come from inside.
  const LinkRequest asked = request;
  queries_.emplace(id, Query{.link = gateway.link,
                             .asked = std::move(request),
                             .history_done = {},
                             .presence_done = {}});
  if (asked.kind == LinkRequest::Kind::kPresence)
    return broker_.presence(id, asked.channel, asked.counts_only);
  ++stats_.history_from_broker;
  broker_.history(id, asked.channel, asked.query, options_now(asked.channel));
}

void Router::history(QueryId id, HistoryAnswer answer) {
  const auto found = queries_.find(id);
  if (found == queries_.end()) return;  // nobody waits any more
  Query query = std::move(found->second);
  queries_.erase(found);
  if (query.link != kNoLink) {
    if (answer.error.empty()) return answered(std::move(query), std::move(answer));
    return answered(std::move(query),
                    RequestRefusal{ErrorReason::kRefusedByBroker, std::move(answer.error)});
  }
  --local_queries_;
  if (query.history_done) query.history_done(answer);
}

void Router::presence(QueryId id, PresenceAnswer answer) {
  const auto found = queries_.find(id);
  if (found == queries_.end()) return;
  Query query = std::move(found->second);
  queries_.erase(found);
  if (query.link != kNoLink) {
    if (answer.error.empty()) return answered(std::move(query), std::move(answer));
    return answered(std::move(query),
                    RequestRefusal{ErrorReason::kRefusedByBroker, std::move(answer.error)});
  }
  --local_queries_;
  if (query.presence_done) query.presence_done(answer);
}

void Router::answered(Query query,
                      std::variant<HistoryAnswer, PresenceAnswer, RequestRefusal> answer) {
  if (!askers_.empty()) schedule_work();
  const auto link = links_.find(query.link);
  if (link == links_.end()) return;
  GatewayState& gateway = *link->second;
  LinkRequests& all = gateway.requests;
  CHECK(all.in_flight > 0);
  --all.in_flight;
  // While away nothing can be had of the broker, which is no word of its own.
  if (auto* refusal = std::get_if<RequestRefusal>(&answer); refusal && !broker_connected_)
    refusal->reason = ErrorReason::kTimedOut;
  all.hold({std::move(query.asked), std::move(answer)});
  if (!all.for_broker.empty()) want_broker(gateway);
  gateway.port->pending();
}

void Router::refuse_requests(GatewayState& gateway) {
  LinkRequests& all = gateway.requests;
  while (!all.for_broker.empty()) {
    all.hold({all.take_for_broker(),
              RequestRefusal{ErrorReason::kShuttingDown, "the relay shuts down"}});
  }
  if (all.ready()) gateway.port->pending();
}

std::size_t Router::requests() const {
  std::size_t count = 0;
  for (const auto& [link, gateway] : links_) count += gateway->requests.count();
  return count;
}

}  // namespace sluice::relay
