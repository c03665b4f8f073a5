#include "relay/handover/request_codec.h"

#include <utility>
#include <variant>
#include <vector>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kRequestBytesMin = 1 + 1 + 1 + 8 + 1 + 4 + 1 + 8;

void write_request(StateWriter& out, const LinkRequest& request) {
  out.flag(request.kind == LinkRequest::Kind::kPresence);
  out.flag(request.recover);
  out.flag(request.counts_only);
  out.number(request.request);
  out.flag(request.query.since.has_value());
  if (request.query.since) out.position(*request.query.since);
  out.number(request.query.limit);
  out.flag(request.query.reverse);
  out.text(request.channel);
}

/// Cut by an upgrade before this one, and nobody has said so yet: there is no question any more.
bool is_broken(const HeldAnswer& held) {
  return held.asked.channel.empty();
}

LinkRequest read_request(StateReader& in) {
  LinkRequest request;
  if (in.flag("request's kind")) request.kind = LinkRequest::Kind::kPresence;
  request.recover = in.flag("request's recovery");
  request.counts_only = in.flag("request's counts");
  request.request = in.number<std::uint64_t>("request's number");
  if (in.flag("request's position")) request.query.since = in.position("request's position");
  request.query.limit = in.number<std::uint32_t>("request's limit");
  request.query.reverse = in.flag("request's order");
  request.channel = in.text("request's channel", proto::kChannelNameBytesMax);
  const bool sound = !request.recover || (request.kind == LinkRequest::Kind::kHistory &&
                                          request.query.since && !request.query.reverse);
  in.require(sound && !request.channel.empty(), "request", "is none");
  return request;
}

}  // namespace

void RequestCodec::write(StateWriter& out, const LinkRequests& requests,
                         std::span<const LinkRequest* const> at_broker) {
  std::vector<std::uint64_t> broken;
  if (requests.current) broken.push_back(requests.current->request);
  for (const HeldAnswer& held : requests.answered)
    if (is_broken(held)) broken.push_back(held.asked.request);
  const std::size_t answers = requests.answered.size() + (requests.current ? 1 : 0);
  out.number<std::uint64_t>(broken.size());
  for (const std::uint64_t request : broken) out.number(request);
  out.number<std::uint64_t>(answers - broken.size() + at_broker.size() +
                            requests.for_broker.size() + requests.waiting.size());
  for (const HeldAnswer& held : requests.answered)
    if (!is_broken(held)) write_request(out, held.asked);
  for (const LinkRequest* request : at_broker) write_request(out, *request);
  for (const LinkRequest& request : requests.for_broker) write_request(out, request);
  for (const LinkRequest& request : requests.waiting) write_request(out, request);
}

void RequestCodec::read(StateReader& in, LinkRequests& requests) {
  const std::size_t cut = in.count("answers under way", sizeof(std::uint64_t));
  in.require(cut <= kRequestsPerLinkMax, "answers under way", "are too many");
  for (std::size_t i = 0; i < cut && in.good(); ++i) {
    HeldAnswer broken;
    broken.asked.request = in.number<std::uint64_t>("answer's request");
    broken.answer =
        RequestRefusal{proto::ErrorReason::kUnknownFate, "the relay was upgraded amid the answer"};
    requests.hold(std::move(broken));
  }
  const std::size_t count = in.count("requests", kRequestBytesMin);
  in.require(count <= kRequestsPerLinkMax - cut, "requests", "are too many");
  for (std::size_t i = 0; i < count && in.good(); ++i) requests.wait(read_request(in));
}

}  // namespace sluice::relay
