#include "relay/handover/link_state.h"

#include "proto/limits.h"

namespace sluice::relay {
namespace {

/// Above what a batch or the control queue can hold at all: neither has an exact bound.
constexpr std::uint64_t kQueueBytesMax = 64U << 20U;

void write_session(StateWriter& out, const SessionState& session) {
  out.number(session.link);
  out.flag(session.tool);
  out.flag(session.resumed);
  out.flag(session.ending);
  out.flag(session.said_goodbye);
  out.text(session.gateway_id);
  out.text(session.software);
  out.text(session.end_text);
  out.number(session.end_reason);
  out.text(session.unread);
  out.text(session.control);
  out.number<std::uint64_t>(session.unsubscribed.size());
  for (const auto& [sequence, channel_id] : session.unsubscribed) {
    out.number(sequence);
    out.number(channel_id);
  }
}

SessionState read_session(StateReader& in) {
  SessionState session;
  session.link = in.number<std::uint64_t>("link's number");
  session.tool = in.flag("link's kind");
  session.resumed = in.flag("link's resumption");
  session.ending = in.flag("link's end");
  session.said_goodbye = in.flag("link's goodbye");
  session.gateway_id = in.text("link's gateway", proto::kGatewayIdBytesMax);
  session.software = in.text("link's software", proto::kSoftwareBytesMax);
  session.end_text = in.text("link's last words", proto::kControlBodyBytesMax);
  session.end_reason = in.number<proto::ErrorReason>("link's error");
  session.unread = in.text("link's unread bytes", proto::kHeaderBytes + proto::kBodyBytesMax);
  session.control = in.text("link's answers", kQueueBytesMax);
  session.unsubscribed.resize(in.count("link's unsubscribes", 8 + 4));
  for (auto& [sequence, channel_id] : session.unsubscribed) {
    sequence = in.number<std::uint64_t>("unsubscribe's sequence");
    channel_id = in.number<std::uint32_t>("unsubscribe's channel");
  }
  return session;
}

}  // namespace

void write(StateWriter& out, const LinkState& link) {
  out.number<std::int32_t>(link.descriptor);
  out.number(link.peer);
  out.time(link.opened_at);
  out.time(link.ending_since);
  out.flag(link.told_open);
  out.text(link.unsent);
  write_session(out, link.session);
}

LinkState read_link(StateReader& in) {
  LinkState link;
  link.descriptor = in.number<std::int32_t>("link's descriptor");
  link.peer = in.number<std::int64_t>("link's peer");
  link.opened_at = in.time("link's begin");
  link.ending_since = in.optional_time("link's end");
  link.told_open = in.flag("link's announcement");
  link.unsent = in.text("link's unsent bytes", kQueueBytesMax);
  link.session = read_session(in);
  return link;
}

}  // namespace sluice::relay
