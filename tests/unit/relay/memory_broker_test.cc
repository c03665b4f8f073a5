#include "relay/brokers/memory_broker.h"

#include <gtest/gtest.h>

#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;

struct BrokeredWorld {
  int scheduled = 0;
  ManualTime time;
  SeededRandom random{3};
  MemoryBroker broker{[this] { ++scheduled; }, time, random};
  RecordingWatcher watcher;
  Router router{{}, broker, watcher, time, random};
};

TEST(MemoryBroker, TellsNothingFromInsideStartAndSubscribe) {
  BrokeredWorld w;
  w.broker.start(w.router);
  EXPECT_FALSE(w.router.broker_is_connected());
  EXPECT_FALSE(w.broker.can_publish(1));
  EXPECT_EQ(w.scheduled, 1);
  w.broker.run();
  EXPECT_TRUE(w.router.broker_is_connected());
  EXPECT_TRUE(w.broker.can_publish(1));
}

TEST(MemoryBroker, WhoSubscribesAndPublishesAtOnceHearsItself) {
  BrokeredWorld w;
  w.broker.start(w.router);
  w.broker.run();
  RecordingLink link;
  proto::Hello hello;
  hello.gateway_id = "1111";
  GatewayState& gateway = *w.router.attach(link, hello)->gateway;
  proto::Subscribe subscribe;
  subscribe.channel = "c";
  w.router.subscribe(gateway, subscribe);
  proto::Publish publish;
  publish.request = 3;
  publish.acknowledge = true;
  publish.channel = "c";
  publish.wait_ms = 1000;
  publish.payload = proto::as_bytes("me");
  w.router.publish(gateway, publish);
  EXPECT_TRUE(link.acknowledged.empty());
  w.broker.run();
  EXPECT_EQ(link.acknowledged, std::vector<std::uint64_t>{3});
  Outgoing next;
  w.router.take(gateway, next);
  ASSERT_EQ(next.kind, Outgoing::Kind::kMessage);
  EXPECT_EQ(proto::as_text(next.entry->payload()), "me");
}

TEST(MemoryBroker, WhatIsUnsubscribedBeforeItWasConfirmedIsNot) {
  BrokeredWorld w;
  w.broker.start(w.router);
  w.broker.run();
  w.broker.subscribe("c", {});
  w.broker.unsubscribe("c");
  w.broker.run();
  EXPECT_EQ(w.watcher.lines, std::vector<std::string>{"connected"});
}

}  // namespace
}  // namespace sluice::relay
