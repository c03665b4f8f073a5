// Joins and questions: what sessions wait for. A join goes on when its channel is confirmed and,
// where it asks for what it has missed, the relay has answered; at whatever moment that is, the
// session becomes a subscriber at the link's position of that moment. So nothing is kept for it
// meanwhile, and of the answer only what is not above that position is its.
#include <algorithm>
#include <utility>

#include "common/check.h"
#include "gateway/hub.h"

namespace sluice::gateway {

using proto::ErrorReason;

namespace {

/// What of an answer lies behind `since` and not above `top`. Nothing: that is not all there is.
[[nodiscard]] std::optional<std::span<const PublicationView>> missed(const HistoryAnswer& answer,
                                                                     std::uint64_t since,
                                                                     std::uint64_t top) {
  const auto& all = answer.publications;
  std::size_t n = 0;
  for (; n < all.size() && all[n].offset <= top; ++n)
    if (all[n].offset != since + n + 1) return std::nullopt;
  if (since + n != top) return std::nullopt;
  return all.first(n);
}

}  // namespace

// ---- joins

bool Hub::join(ClientSession& session, const JoinRequest& request) {
  if (joins_.size() >= kJoinsMax) return false;
  std::uint32_t slot = 0;
  bool added = false;
  if (find_or_add(request.channel, slot, added) == nullptr) return false;
  CHECK(added ||
        (joins_.find(session.ref, slot) == Joins::kNone && !subscription_of(session, slot)));
  const Joins::Id id = joins_.add({.session = session.ref,
                                   .channel = slot,
                                   .ticket = request.ticket,
                                   .since = request.since,
                                   .recover_max = request.recover_max});
  if (channels_[slot].confirmed) joins_.move_to(id, JoinStage::kReady);
  ask_for(slot, added);
  return true;
}

bool Hub::run_joins(std::size_t joins_max) {
  // Where the stream begins for a new client, only the end of the catch-up says.
  if (catching_up()) return false;
  for (; joins_.first_ready() != Joins::kNone; --joins_max) {
    if (joins_max == 0) return true;
    if (!go_on(joins_.first_ready())) return false;
  }
  return false;
}

bool Hub::go_on(Joins::Id id) {
  Join& join = joins_.at(id);
  const Channel& channel = channels_[join.channel];
  if (!channel.confirmed) {
    joins_.move_to(id, JoinStage::kWaiting);
    return true;
  }
  if (join.since && join.since->epoch == 0) join.since->epoch = channel.position.epoch;
  const bool same = join.since == channel.position;
  const bool other = join.since && join.since->epoch != channel.position.epoch;
  if (!join.since || same || other || !link_->knows_history()) {
    finish_join(id, same, {});
    return true;
  }
  join.request =
      link_->ask({.kind = LinkQuestion::Kind::kRecover,
                  .channel = channel.name,
                  .query = {.since = join.since, .limit = join.recover_max, .reverse = false}});
  if (join.request == 0) return false;  // when others have been answered
  queries_.emplace(join.request,
                   Query{.session = join.session, .of_join = true, .channel = join.channel});
  joins_.move_to(id, JoinStage::kAsked);
  return true;
}

void Hub::join_answered(Joins::Id id, const HistoryAnswer& answer) {
  const Join& join = joins_.at(id);
  Channel& channel = channels_[join.channel];
  // A new link: the channel is to be confirmed there first.
  if (!channel.confirmed || catching_up()) return joins_.move_to(id, JoinStage::kReady);
  const proto::Position since = *join.since;
  const proto::Position here = channel.position;
  if (!answer.complete || answer.top.epoch != here.epoch || since.epoch != here.epoch ||
      since.offset > answer.top.offset)
    return finish_join(id, false, {});
  if (since.offset > here.offset) {
    // The client comes from a gateway that had read more of the relay. What this link is about to
    // carry would come to it twice.
    channel.awaited = true;
    return joins_.move_to(id, JoinStage::kBehind);
  }
  const auto publications = missed(answer, since.offset, here.offset);
  finish_join(id, publications.has_value(),
              publications.value_or(std::span<const PublicationView>{}));
}

void Hub::finish_join(Joins::Id id, bool recovered, std::span<const PublicationView> publications) {
  const Join join = joins_.take(id);
  ClientSession* session = sessions_.find(join.session);
  CHECK(session != nullptr);
  if (session->phase != SessionPhase::kOpen) return end_if_unused(join.channel);
  const Channel& channel = channels_[join.channel];
  const Joined joined{.channel = join.channel,
                      .position = channel.position,
                      .history = channel.history,
                      .recovered = recovered,
                      .publications = publications};
  begin_subscription(*session, join.channel);
  ++stats_.joined;
  if (join.since) ++(recovered ? stats_.recovered : stats_.unrecovered);
  stats_.recovered_publications += publications.size();
  session->protocol->joined(*session, join.ticket, joined, *this);
  changed(*session);
}

void Hub::fail_join(Joins::Id id, ErrorReason reason) {
  const Join join = joins_.take(id);
  ++stats_.join_failures;
  ClientSession* session = sessions_.find(join.session);
  CHECK(session != nullptr);
  if (session->phase == SessionPhase::kOpen) {
    session->protocol->request_failed(*session, join.ticket, reason, *this);
    called(*session);
  }
  end_if_unused(join.channel);
}

void Hub::give_up_joins(const ClientSession& session) {
  for (;;) {
    const Joins::Id id = joins_.first_of_session(session.ref);
    if (id == Joins::kNone) return;
    end_if_unused(joins_.take(id).channel);
  }
}

Joins::Id Hub::join_of(const Query& query, RequestId request) {
  if (sessions_.find(query.session) == nullptr) return Joins::kNone;
  const Joins::Id id = joins_.find(query.session, query.channel);
  const bool asks = id != Joins::kNone && joins_.stage(id) == JoinStage::kAsked &&
                    joins_.at(id).request == request;
  return asks ? id : Joins::kNone;
}

// ---- questions

bool Hub::ask_history(ClientSession& session, Ticket ticket, std::string_view channel,
                      const proto::HistoryQuery& query) {
  const RequestId request = link_->ask(
      {.kind = LinkQuestion::Kind::kHistory, .channel = std::string(channel), .query = query});
  if (request != 0) queries_.emplace(request, Query{.session = session.ref, .ticket = ticket});
  return request != 0;
}

bool Hub::ask_presence(ClientSession& session, Ticket ticket, std::string_view channel,
                       bool counts_only) {
  const RequestId request = link_->ask(
      {.kind = counts_only ? LinkQuestion::Kind::kPresenceCounts : LinkQuestion::Kind::kPresence,
       .channel = std::string(channel)});
  if (request != 0) queries_.emplace(request, Query{.session = session.ref, .ticket = ticket});
  return request != 0;
}

std::optional<Hub::Query> Hub::take_query(RequestId request) {
  const auto found = queries_.find(request);
  if (found == queries_.end()) return std::nullopt;
  const Query query = found->second;
  queries_.erase(found);
  return query;
}

ClientSession* Hub::asker(const Query& query) const {
  ClientSession* session = sessions_.find(query.session);
  return session != nullptr && session->phase == SessionPhase::kOpen ? session : nullptr;
}

void Hub::history(RequestId request, const HistoryAnswer& answer) {
  const auto query = take_query(request);
  if (!query) return;
  if (query->of_join) {
    if (const Joins::Id id = join_of(*query, request); id != Joins::kNone)
      join_answered(id, answer);
    return;
  }
  ClientSession* session = asker(*query);
  if (session == nullptr) return;
  session->protocol->history(*session, query->ticket,
                             {.top = answer.top, .publications = answer.publications}, *this);
  called(*session);
}

void Hub::presence(RequestId request, const PresenceFound& found) {
  const auto query = take_query(request);
  ClientSession* session = query ? asker(*query) : nullptr;
  if (session == nullptr) return;
  session->protocol->presence(*session, query->ticket, found, *this);
  called(*session);
}

void Hub::request_failed(RequestId request, ErrorReason reason) {
  const auto query = take_query(request);
  if (!query) return;
  if (query->of_join) {
    const Joins::Id id = join_of(*query, request);
    if (id == Joins::kNone) return;
    // A relay that is away is waited for, as a channel's confirmation is; so is one that answers
    // nothing of this kind: go_on() knows. One that was upgraded amid the answer is asked again.
    const bool cut = reason == ErrorReason::kUnknownFate;
    if (cut || !link_->up() || !link_->knows_history())
      return joins_.move_to(id, JoinStage::kReady);
    return fail_join(id, reason);
  }
  ClientSession* session = asker(*query);
  if (session == nullptr) return;
  session->protocol->request_failed(*session, query->ticket, reason, *this);
  called(*session);
}

}  // namespace sluice::gateway
