// States for the codecs of relay/handover: of a Router in which something of everything is under
// way. For unit tests, the fuzz target and its seeds.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "relay/handover/state_writer.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay::test {

/// What `write` writes.
inline std::string written(const std::function<void(StateWriter&)>& write) {
  std::string bytes;
  StateWriter writer([&bytes](std::string_view piece) {
    bytes.append(piece);
    return true;
  });
  write(writer);
  if (!writer.finish()) bytes.clear();
  return bytes;
}

inline RouterOptions small_options() {
  RouterOptions options;
  options.ring.messages_max = 8;
  options.gateway_queue_bytes = 400;
  return options;
}

/// Gateway 1111 has read all, 2222 nothing and too much of it waits, 3333 has gone and lingers, a
/// tool listens; one channel waits for its confirmation, one has nobody; publishes wait and are in
/// flight; balancers are marked.
struct BusyWorld : RouterWorld {
  BusyWorld() : RouterWorld(small_options()) {
    router.broker_connected();
    for (const char* name : {"a", "b"}) {
      subscribe(quick, name);
      subscribe(slow, name);
      subscribe(gone, name);
      router.subscribed(name, std::nullopt);
    }
    proto::Hello hello;
    hello.tool = true;
    tool_state = router.attach_tool(tool, hello)->gateway;
    subscribe(*tool_state, "a");
    subscribe(quick, "unconfirmed", 9, proto::Position{5, 6});
    subscribe(quick, "nobody");
    router.subscribed("nobody", std::nullopt);
    router.unsubscribe(quick, 4);
    for (int i = 0; i < 12; ++i) deliver(i % 3 == 0 ? "b" : "a", "message " + std::to_string(i));
    router.message_oversized("b", 100'000'000);
    deliver("b", "behind it");
    router.subscribed("a", std::chrono::milliseconds(1234));
    deliver("a", std::string(100, 'x'));
    (void)drain(quick);
    router.inform(quick, {.condition = proto::GatewayCondition::kReady,
                          .clients = 7,
                          .handoff = proto::HandoffState::kOn,
                          .held = 6,
                          .takeover = {.kind = proto::TakeoverKind::kCrash,
                                       .clients = 5,
                                       .closed = 1,
                                       .pause_ms = 3,
                                       .ended_ms = 4}});
    router.mark_drain(quick, {true, "lb-1"});
    publish(quick, "a", "in flight", 21);
    publish(slow, "b", "in flight too", 22);
    publish(quick, "unconfirmed", "waits", 23);
    broker.room = false;
    publish(slow, "a", "waits as well", 24);
    router.detach(gone);
    add_histories();
  }
  /// A channel with history; requests that wait, and one that the broker has; who is where, by
  /// gateways that are there and by one that is not any more.
  void add_histories() {
    subscribe(quick, "h:c");
    router.subscribed("h:c", std::nullopt, proto::Position{5, 6});
    deliver_at("h:c", 5, 7, "seven");
    router.position_lost("h:c", {5, 9});
    (void)drain(quick);
    ask_history(slow, "h:other", 31, {});
    router.presence(slow, {32, true, "a"});
    router.work();
    ask_history(slow, "h:other", 33, {});
    recover(slow, "h:c", {5, 9}, 34);
    set_presence(quick, "a", "client-1", "ann");
    set_presence(quick, "h:c", "client-1", "ann");
    set_presence(slow, "a", "client-2", "bob");
    RecordingLink link;
    GatewayState& leaver = connect(link, "4444");
    set_presence(leaver, "a", "client-3", "eve");
    router.end(leaver);
    router.hold_publishes(true);
    router.hold_publishes(false);
  }

  RecordingLink quick_link;
  RecordingLink slow_link;
  RecordingLink gone_link;
  RecordingLink tool;
  GatewayState& quick = connect(quick_link, "1111");
  GatewayState& slow = connect(slow_link, "2222");
  GatewayState& gone = connect(gone_link, "3333");
  GatewayState* tool_state = nullptr;
};

}  // namespace sluice::relay::test
