// A Hub whose clients speak a protocol that joins, asks and is present; and the relay's side of its
// link, said and read frame by frame.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gateway/hub.h"
#include "proto/decoder.h"
#include "proto/encoder.h"
#include "tests/support/frames.h"

namespace sluice::gateway::test_joining {

using Lines = std::vector<std::string>;

inline std::string text_of(proto::Position position) {
  return std::to_string(position.epoch) + "/" + std::to_string(position.offset);
}

/// Writes down each call, by session slot. What `on_gap` and the like say happens inside it.
class JoiningProtocol final : public ClientProtocol {
 public:
  [[nodiscard]] std::string_view name() const override { return "joining"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message, std::string&) const override {
    encoded.push_back(message.position);
    return {Opcode::kText, {}, message.payload};
  }
  void opened(ClientSession&, const UpgradeRequest&, ProtocolActions&) const override {}
  void received(ClientSession& session, proto::Bytes payload, bool,
                ProtocolActions& actions) const override {
    if (!actions.publish(session, {.channel = "x", .payload = payload, .ticket = ticket}))
      say(session, "publish refused");
  }
  void due(ClientSession& session, ProtocolActions&) const override { say(session, "due"); }
  void publish_failed(ClientSession& session, const PublishFailure& failure,
                      ProtocolActions&) const override {
    say(session, "publish failed " + std::to_string(failure.ticket));
  }
  void published(ClientSession& session, Ticket of, ProtocolActions&) const override {
    say(session, "published " + std::to_string(of));
  }
  void gap(ClientSession& session, const ChannelGap& gap, ProtocolActions& actions) const override {
    if (leaves_at_gap) actions.leave(session, gap.channel);
    say(session, "gap " + std::string(gap.channel));
  }
  void joined(ClientSession& session, Ticket of, const Joined& joined,
              ProtocolActions& actions) const override {
    std::string line = "joined " + std::to_string(of) + " " +
                       std::string(actions.channel_name(joined.channel)) + " " +
                       text_of(joined.position);
    if (joined.history) line += " history";
    if (joined.recovered) line += " recovered";
    for (const PublicationView& one : joined.publications)
      line += " " + std::to_string(one.offset) + ":" + std::string(proto::as_text(one.payload)) +
              std::string(proto::as_text(one.meta));
    say(session, line);
    if (due_when_joined != TimePoint{}) session.state.due_at = due_when_joined;
  }
  void history(ClientSession& session, Ticket of, const HistoryFound& found,
               ProtocolActions&) const override {
    std::string line = "history " + std::to_string(of) + " " + text_of(found.top);
    for (const PublicationView& one : found.publications)
      line += " " + std::to_string(one.offset) + ":" + std::string(proto::as_text(one.payload)) +
              std::string(proto::as_text(one.meta));
    say(session, line);
  }
  void presence(ClientSession& session, Ticket of, const PresenceFound& found,
                ProtocolActions&) const override {
    std::string line = "presence " + std::to_string(of) + " " + std::to_string(found.clients) +
                       "/" + std::to_string(found.users);
    for (const PresenceView& one : found.entries)
      line += " " + std::string(one.client) + "=" + std::string(proto::as_text(one.info));
    say(session, line);
  }
  void request_failed(ClientSession& session, Ticket of, proto::ErrorReason reason,
                      ProtocolActions&) const override {
    say(session, "failed " + std::to_string(of) + " " + std::string(to_string(reason)));
  }
  void closed(ClientSession& session, ProtocolActions&) const override {
    say(session, "closed with " + std::to_string(session.state.subscriptions.size()));
  }
  void resumed(ClientSession& session, ProtocolActions&) const override { say(session, "resumed"); }

  Ticket ticket = 9;
  bool leaves_at_gap = false;
  TimePoint due_when_joined{};
  mutable std::map<std::uint32_t, Lines> said;
  mutable std::vector<proto::Position> encoded;  ///< of the messages

 private:
  void say(const ClientSession& session, const std::string& line) const {
    said[session.ref.index].push_back(line);
  }
};

class HubJoining : public testing::Test, public Delivery, public HubObserver {
 protected:
  static constexpr std::size_t kChannelsMax = 4;

  HubJoining() { hub.attach(link); }

  // Delivery: payloads among the protocol's lines, in the order in which they come.
  void deliver(ClientSession& session, FrameRef frame) override {
    for (const std::string& payload : test::payloads(frame->bytes()))
      protocol.said[session.ref.index].push_back("> " + payload);
  }
  void deliver_due(ClientSession& session, std::span<const RunView> due) override {
    for (const std::string& payload : test::payloads(due))
      protocol.said[session.ref.index].push_back("> " + payload);
  }
  void queue_due(ClientSession& session, std::span<const RunView> due) override {
    deliver_due(session, due);
  }
  void end_slice() override {}
  void close(ClientSession& session, CloseCode, const char* reason) override {
    session.phase = SessionPhase::kClosing;
    protocol.said[session.ref.index].push_back(std::string("close ") + reason);
  }
  // HubObserver.
  void link_state(bool) override {}
  void broker_state(bool, std::string_view) override {}
  void channel_gap(const ChannelGap& gap) override { gaps.emplace_back(gap.channel); }
  void channel_subscribed(std::string_view) override {}
  void channel_refused(std::string_view, std::string_view) override {}
  void message_given(std::uint32_t) override {}
  void session_changed(ClientSession& session) override { changed.push_back(session.ref.index); }
  void due_sooner(ClientSession& session) override { sooner.push_back(session.ref.index); }

  // Clients.
  ClientSession& client() {
    ClientSession& session = sessions.add();
    session.protocol = &protocol;
    hub.opened(session, "");
    return session;
  }
  bool join(ClientSession& session, const char* channel, Ticket ticket = 1,
            std::optional<proto::Position> since = std::nullopt) {
    return hub.join(session,
                    {.channel = channel, .ticket = ticket, .since = since, .recover_max = 300});
  }
  void end(ClientSession& session) {
    hub.closed(session);
    sessions.remove(session.ref);
  }
  /// What the session was told since the last call.
  Lines told(const ClientSession& session) {
    return std::exchange(protocol.said[session.ref.index], {});
  }
  void turn() {
    while (hub.work()) {
    }
    while (hub.fan_out(1000)) {
    }
  }

  // The relay.
  void connect(bool resumed = false, std::uint32_t features = proto::kFeatureHistory,
               std::uint64_t instance = 7) {
    link.disconnected();
    link.connected();
    if (!resumed) sequence = 0;
    tell(proto::Welcome{.resumed = resumed,
                        .last_sequence = sequence,
                        .relay_instance = instance,
                        .software = "r",
                        .features = features});
  }
  template <typename Frame>
  void tell(const Frame& frame) {
    std::string in;
    proto::encode(in, frame);
    const auto result = give(in);
    ASSERT_TRUE(result) << result.error().message;
  }
  Result<void> give(std::string_view in) {
    Result<void> result;
    while (!in.empty() && result) {
      const auto room = link.prepare();
      const std::size_t n = std::min(room.size(), in.size());
      std::copy_n(in.begin(), n, room.begin());
      in.remove_prefix(n);
      result = link.commit(n);
    }
    return result;
  }
  void confirm(const char* channel, std::uint32_t id, proto::Position start, bool history = false,
               bool continuous = false) {
    tell(proto::Subscribed{.channel_id = id,
                           .continuous = continuous,
                           .history = history,
                           .start = start,
                           .channel = channel});
  }
  void message(std::uint32_t id, std::uint64_t offset, std::string_view payload,
               bool beside = false) {
    tell(proto::Message{.channel_id = id,
                        .sequence = ++sequence,
                        .offset = offset,
                        .payload = proto::as_bytes(payload),
                        .beside = beside});
  }
  void item(std::uint64_t request, std::uint64_t offset, std::string_view payload,
            std::string_view meta = {}) {
    tell(proto::HistoryItem{.request = request,
                            .offset = offset,
                            .payload = proto::as_bytes(payload),
                            .meta = proto::as_bytes(meta)});
  }
  void end_of_history(std::uint64_t request, proto::Position top, bool complete = true) {
    tell(proto::HistoryEnd{.request = request, .complete = complete, .top = top});
  }
  /// What the gateway has said since the last call; `request` is then that of the last question.
  Lines heard(std::size_t bytes = ~std::size_t{0}) {
    const std::string_view out = link.output().substr(0, bytes);
    relay.feed(proto::as_bytes(out));
    link.sent(out.size());
    Lines lines;
    while (auto frame = relay.next().value()) {
      if (std::string line = line_of(*frame); !line.empty()) lines.push_back(std::move(line));
    }
    return lines;
  }
  std::string line_of(const proto::FrameView& frame) {
    using proto::FrameType;
    const std::string id = std::to_string(frame.header.channel);
    switch (frame.header.type) {
      case FrameType::kHello:
        return {};
      case FrameType::kSubscribe: {
        const auto subscribe = proto::decode_subscribe(frame).value();
        request = subscribe.request;
        return "subscribe " + std::string(subscribe.channel) +
               (subscribe.from_position ? " from " + text_of(subscribe.position) : "");
      }
      case FrameType::kUnsubscribe:
        return "unsubscribe " + id;
      case FrameType::kPublish: {
        const auto publish = proto::decode_publish(frame).value();
        request = publish.request;
        return "publish " + std::string(proto::as_text(publish.payload));
      }
      case FrameType::kHistory: {
        const auto history = proto::decode_history(frame).value();
        request = history.request;
        return std::string(history.recover ? "recover " : "history ") +
               std::string(history.channel) +
               (history.query.since ? " since " + text_of(*history.query.since) : "") + " max " +
               std::to_string(history.query.limit) + (history.query.reverse ? " reverse" : "");
      }
      case FrameType::kPresence: {
        const auto presence = proto::decode_presence(frame).value();
        request = presence.request;
        return (presence.counts_only ? "counts " : "presence ") + std::string(presence.channel);
      }
      case FrameType::kPresenceSet: {
        const auto set = proto::decode_presence_set(frame).value();
        return "+" + std::string(set.channel) + " " + std::string(set.client) + " " +
               std::string(set.user) + " " + std::string(proto::as_text(set.info));
      }
      case FrameType::kPresenceClear: {
        const auto clear = proto::decode_presence_clear(frame).value();
        return "-" + std::string(clear.channel) + " " + std::string(clear.client);
      }
      case FrameType::kPresenceSynced:
        return hears_synced ? "synced" : "";
      default:
        return "type " + std::to_string(static_cast<int>(frame.header.type));
    }
  }

  ManualTime time;
  SessionTable sessions;
  JoiningProtocol protocol;
  Hub hub{{.channels_max = kChannelsMax}, sessions, *this, *this};
  RelayLink link{{.gateway_id = "g",
                  .publish_wait = std::chrono::seconds(5),
                  .publish_queue_bytes = 10000,
                  .channels_max = kChannelsMax},
                 hub,
                 time};
  proto::Decoder relay;
  std::uint64_t sequence = 0;
  std::uint64_t request = 0;
  bool hears_synced = false;
  Lines gaps;
  std::vector<std::uint32_t> changed;
  std::vector<std::uint32_t> sooner;
};

}  // namespace sluice::gateway::test_joining
