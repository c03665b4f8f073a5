#include "relay/handover/hold_codec.h"

#include <algorithm>
#include <utility>

#include "proto/limits.h"

namespace sluice::relay {

void HoldCodec::write_request(StateWriter& out, const PublishRequest& request) {
  out.number(request.link);
  out.number(request.request);
  out.flag(request.acknowledge);
}

PublishRequest HoldCodec::read_request(StateReader& in) {
  PublishRequest request;
  request.link = in.number<std::uint64_t>("publish's link");
  request.request = in.number<std::uint64_t>("publish's request");
  request.acknowledge = in.flag("publish's answer");
  // Whoever of the relay itself asked has ended with its program, and numbers begin again in this
  // one: 0 is nobody's.
  if (request.link == kNoLink) request.request = 0;
  return request;
}

void HoldCodec::write(StateWriter& out, const PublishHold& hold) {
  out.number<std::uint64_t>(hold.items_.size());
  for (const auto& [arrival, publish] : hold.items_) {
    write_request(out, publish.origin);
    out.text(publish.channel);
    out.text(publish.payload);
    out.text(publish.meta);
    out.time(publish.deadline);
    out.flag(publish.beside);
  }
}

void HoldCodec::read(StateReader& in, PublishHold& hold) {
  constexpr std::size_t kPublishBytesMin = kRequestBytes + 4 * 8 + 1;
  const std::size_t bound = std::exchange(hold.bytes_max_, SIZE_MAX);
  const std::size_t count = in.count("held publishes", kPublishBytesMin);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    HeldPublish publish;
    publish.origin = read_request(in);
    publish.channel = in.text("publish's channel", proto::kChannelNameBytesMax);
    publish.payload = in.text("publish's payload", proto::kPayloadBytesMax);
    publish.meta = in.text("publish's meta", proto::kMetaBytesMax);
    publish.deadline = in.time("publish's deadline");
    publish.beside = in.flag("publish's kind");
    in.require(!publish.channel.empty(), "publish's channel", "is empty");
    if (in.good()) (void)hold.push(std::move(publish));
  }
  hold.bytes_max_ = bound;
}

}  // namespace sluice::relay
