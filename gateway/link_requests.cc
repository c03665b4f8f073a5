#include "gateway/link_requests.h"

#include <utility>

#include "common/check.h"
#include "gateway/limits.h"
#include "proto/encoder.h"

namespace sluice::gateway {

using proto::ErrorReason;
using Kind = LinkQuestion::Kind;

bool LinkRequests::add(RequestId request, LinkQuestion question, TimePoint now) {
  if (asked_.size() >= kLinkRequestsMax) return false;
  CHECK(asked_.empty() || asked_.rbegin()->first < request);
  asked_.emplace_hint(asked_.end(), request, Asked{std::move(question), now + kLinkRequestWait});
  return true;
}

void LinkRequests::link_began(TimePoint now) {
  next_unasked_ = 0;
  for (auto& [request, asked] : asked_) asked.deadline = now + kLinkRequestWait;
}

void LinkRequests::ask(std::string& out, std::size_t bytes_max) {
  for (auto next = asked_.lower_bound(next_unasked_);
       next != asked_.end() && out.size() < bytes_max; ++next) {
    const auto& [request, asked] = *next;
    const LinkQuestion& question = asked.question;
    next_unasked_ = request + 1;
    if (of_history(question)) {
      proto::encode(out, proto::History{.request = request,
                                        .recover = question.kind == Kind::kRecover,
                                        .query = question.query,
                                        .channel = question.channel});
    } else {
      proto::encode(out, proto::Presence{.request = request,
                                         .counts_only = question.kind == Kind::kPresenceCounts,
                                         .channel = question.channel});
    }
  }
}

void LinkRequests::forget(RequestId request) {
  asked_.erase(request);
  if (answer_.request == request) answer_ = {};
}

void LinkRequests::fail_all(ErrorReason reason) {
  answer_ = {};
  for (const auto& [request, asked] : std::exchange(asked_, {}))
    answers_.request_failed(request, reason);
}

void LinkRequests::expire(TimePoint now) {
  while (!asked_.empty() && asked_.begin()->second.deadline <= now) {
    const RequestId request = asked_.begin()->first;
    forget(request);
    answers_.request_failed(request, ErrorReason::kTimedOut);
  }
}

// ---- answers

Result<void> LinkRequests::add_item(RequestId request, bool history, std::uint64_t offset,
                                    proto::Bytes first, proto::Bytes second) {
  if (answer_.request != 0 && answer_.request != request)
    return fail(ErrorCode::kInvalid, "an item of another answer in the midst of one");
  const auto found = asked_.find(request);
  if (found == asked_.end()) return {};
  if (of_history(found->second.question) != history)
    return fail(ErrorCode::kInvalid, "an item that does not answer what was asked");
  answer_.request = request;
  answer_.too_large = answer_.too_large || answer_.bytes.size() +
                                                   answer_.items.size() * sizeof(Answer::Item) +
                                                   first.size() + second.size() >
                                               kLinkAnswerBytesMax;
  if (answer_.too_large) return {};
  answer_.items.push_back({offset, first.size(), second.size()});
  answer_.bytes.append(proto::as_text(first));
  answer_.bytes.append(proto::as_text(second));
  return {};
}

Result<bool> LinkRequests::close_answer(RequestId request, bool history, Answer& answer) {
  if (answer_.request != 0 && answer_.request != request)
    return fail(ErrorCode::kInvalid, "the end of another answer in the midst of one");
  const auto found = asked_.find(request);
  if (found == asked_.end()) return false;
  if (of_history(found->second.question) != history)
    return fail(ErrorCode::kInvalid, "an end that does not answer what was asked");
  asked_.erase(found);
  answer = std::exchange(answer_, {});
  if (!answer.too_large) return true;
  answers_.request_failed(request, ErrorReason::kTooLarge);
  return false;
}

Result<void> LinkRequests::take(const proto::HistoryItem& item) {
  return add_item(item.request, true, item.offset, item.payload, item.meta);
}

Result<void> LinkRequests::take(const proto::PresenceItem& item) {
  return add_item(item.request, false, 0, proto::as_bytes(item.client), item.info);
}

Result<void> LinkRequests::take(const proto::HistoryEnd& end) {
  Answer answer;
  const Result<bool> whole = close_answer(end.request, true, answer);
  if (!whole) return tl::make_unexpected(whole.error());
  if (!*whole) return {};
  std::vector<PublicationView> publications;
  publications.reserve(answer.items.size());
  proto::Bytes rest = proto::as_bytes(answer.bytes);
  for (const Answer::Item& item : answer.items) {
    publications.push_back({item.offset, rest.first(item.first_bytes),
                            rest.subspan(item.first_bytes, item.second_bytes)});
    rest = rest.subspan(item.first_bytes + item.second_bytes);
  }
  answers_.history(end.request,
                   {.complete = end.complete, .top = end.top, .publications = publications});
  return {};
}

Result<void> LinkRequests::take(const proto::PresenceEnd& end) {
  Answer answer;
  const Result<bool> whole = close_answer(end.request, false, answer);
  if (!whole) return tl::make_unexpected(whole.error());
  if (!*whole) return {};
  std::vector<PresenceView> entries;
  entries.reserve(answer.items.size());
  proto::Bytes rest = proto::as_bytes(answer.bytes);
  for (const Answer::Item& item : answer.items) {
    entries.push_back({proto::as_text(rest.first(item.first_bytes)),
                       rest.subspan(item.first_bytes, item.second_bytes)});
    rest = rest.subspan(item.first_bytes + item.second_bytes);
  }
  answers_.presence(end.request, {.clients = end.clients, .users = end.users, .entries = entries});
  return {};
}

bool LinkRequests::take_error(RequestId request, ErrorReason reason) {
  if (!asked_.contains(request)) return false;
  forget(request);
  answers_.request_failed(request, reason);
  return true;
}

}  // namespace sluice::gateway
