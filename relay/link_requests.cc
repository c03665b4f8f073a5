#include "relay/link_requests.h"

#include <utility>

namespace sluice::relay {
namespace {

template <typename T>
T pop(std::deque<T>& queue) {
  T front = std::move(queue.front());
  queue.pop_front();
  return front;
}

std::size_t bytes_of(const HistoryAnswer& answer) {
  std::size_t bytes = 0;
  for (const HistoryPublication& one : answer.publications)
    bytes += sizeof one + one.payload.size() + one.meta.size();
  return bytes;
}

std::size_t bytes_of(const PresenceAnswer& answer) {
  std::size_t bytes = 0;
  for (const PresenceEntry& one : answer.entries)
    bytes += sizeof one + one.client.size() + one.user.size() + one.info.size();
  return bytes;
}

std::size_t bytes_of(const RequestRefusal& refusal) {
  return refusal.text.size();
}

}  // namespace

std::size_t HeldAnswer::cost() const {
  return sizeof(HeldAnswer) + asked.channel.size() +
         std::visit([](const auto& one) { return bytes_of(one); }, answer);
}

void LinkRequests::wait(LinkRequest request) {
  waiting_bytes += request.cost();
  waiting.push_back(std::move(request));
}

void LinkRequests::wait_for_broker(LinkRequest request) {
  waiting_bytes += request.cost();
  for_broker.push_back(std::move(request));
}

LinkRequest LinkRequests::take_waiting() {
  LinkRequest request = pop(waiting);
  waiting_bytes -= request.cost();
  return request;
}

LinkRequest LinkRequests::take_for_broker() {
  LinkRequest request = pop(for_broker);
  waiting_bytes -= request.cost();
  return request;
}

void LinkRequests::hold(HeldAnswer answer) {
  held_bytes += answer.cost();
  answered.push_back(std::move(answer));
}

HeldAnswer LinkRequests::take_answered() {
  HeldAnswer answer = pop(answered);
  held_bytes -= answer.cost();
  return answer;
}

}  // namespace sluice::relay
