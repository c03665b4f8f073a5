// What the relay is told of who is present: at once where there is room, everything again on each
// new link, never more than the link takes.
#include "gateway/limits.h"
#include "tests/unit/gateway/joining.h"

namespace sluice::gateway {
namespace {

using test_joining::HubJoining;
using test_joining::Lines;

class Presence : public HubJoining {
 protected:
  Presence() { hears_synced = true; }
  ClientSession& present(const char* client_id, std::initializer_list<const char*> channels) {
    ClientSession& session = client();
    for (const char* channel : channels) {
      EXPECT_TRUE(hub.subscribe(session, channel));
      set(session, channel, client_id, "info");
    }
    return session;
  }
  void set(ClientSession& session, const char* channel, std::string_view client_id,
           const std::string& info) {
    hub.set_presence(
        session,
        {.channel = channel, .client = client_id, .user = "u", .info = proto::as_bytes(info)});
  }
  /// Of presence alone.
  Lines heard_of_presence() {
    Lines lines = heard();
    std::erase_if(lines, [](const std::string& line) {
      return line[0] != '+' && line[0] != '-' && line != "synced";
    });
    return lines;
  }
};

TEST_F(Presence, IsSaidAtOnce) {
  connect();
  turn();
  EXPECT_EQ(heard_of_presence(), Lines{"synced"});
  ClientSession& a = present("c1", {"x", "y"});
  EXPECT_EQ(heard_of_presence(), (Lines{"+x c1 u info", "+y c1 u info"}));
  set(a, "x", "c1", "other");
  EXPECT_EQ(heard_of_presence(), Lines{"+x c1 u other"});
  hub.clear_presence(a, "x", "c1");
  hub.clear_presence(a, "x", "c1");
  EXPECT_EQ(heard_of_presence(), Lines{"-x c1"});
  hub.leave(a, "y");
  EXPECT_EQ(heard_of_presence(), Lines{"-y c1"});
  EXPECT_EQ(hub.presence_book().entries(), 0U);
  set(a, "y", "c1", "info");
  EXPECT_EQ(heard_of_presence(), Lines{}) << "it has not that channel";
}

TEST_F(Presence, EndsWithTheClient) {
  connect();
  ClientSession& a = present("c1", {"x", "y"});
  turn();
  heard();
  end(a);
  EXPECT_EQ(heard_of_presence(), (Lines{"-x c1", "-y c1"}));
  ClientSession& b = present("c2", {"x"});  // in its slot
  EXPECT_EQ(heard_of_presence(), Lines{"+x c2 u info"});
  end(b);
  EXPECT_EQ(hub.presence_book().entries(), 0U);
}

TEST_F(Presence, EachLinkIsToldEverything) {
  ClientSession& a = present("c1", {"x", "y"});
  ClientSession& b = present("c2", {"x"});
  connect();
  turn();
  EXPECT_EQ(heard_of_presence(), (Lines{"+x c1 u info", "+y c1 u info", "+x c2 u info", "synced"}));
  link.disconnected();
  hub.leave(a, "x");
  connect(true);
  turn();
  EXPECT_EQ(heard_of_presence(), (Lines{"+y c1 u info", "+x c2 u info", "synced"}));
  turn();
  EXPECT_EQ(heard_of_presence(), Lines{});
  end(b);
}

TEST_F(Presence, WhatComesWhileEverythingIsSaidIsSaidOnce) {
  ClientSession& a = present("c1", {"x"});
  connect();
  set(a, "x", "c1", "new");  // before the turn that begins to say everything
  ClientSession& b = present("c2", {"x"});
  hub.leave(b, "x");
  turn();
  EXPECT_EQ(heard_of_presence(), (Lines{"+x c1 u new", "+x c2 u info", "-x c2", "synced"}));
}

TEST_F(Presence, NotToARelayThatDoesNotKnowIt) {
  present("c1", {"x"});
  connect(false, 0);
  turn();
  ClientSession& b = present("c2", {"x"});
  end(b);
  EXPECT_EQ(heard_of_presence(), Lines{});
  connect(false, proto::kFeatureHistory, 8);
  turn();
  EXPECT_EQ(heard_of_presence(), (Lines{"+x c1 u info", "synced"}));
}

TEST_F(Presence, NoMoreThanTheLinkTakes) {
  constexpr std::size_t kClients = 5000;
  const std::string info(200, 'i');
  std::vector<ClientSession*> all;
  for (std::size_t i = 0; i < kClients; ++i) {
    all.push_back(&client());
    ASSERT_TRUE(hub.subscribe(*all.back(), "x"));
    set(*all.back(), "x", "c" + std::to_string(i), info);
  }
  connect();
  const std::size_t bound =
      kLinkOutputLowBytes + proto::kHeaderBytes + proto::kPresenceBodyBytesMax;
  std::map<std::string, std::string> relay_has;
  std::size_t sets = 0;
  std::size_t turns = 0;
  bool synced = false;
  const auto read = [&] {
    for (const std::string& line : heard()) {
      const std::string who = line.substr(1, line.find(' ', line.find(' ') + 1) - 1);
      if (line[0] == '+') {
        ++sets;
        relay_has[who] = line.substr(line.rfind(' ') + 1);
      } else if (line[0] == '-') {
        relay_has.erase(who);
      }
      synced = synced || line == "synced";
    }
  };
  for (; turns < 1000 && !synced; ++turns) {
    hub.work();
    EXPECT_LE(link.output().size(), bound);
    if (turns % 3 == 2) read();
    // Clients change, come and go meanwhile.
    if (turns == 4)
      for (std::size_t i = 0; i < 1000; ++i) set(*all[i * 5], "x", "-", "changed");
    if (turns == 7)
      for (std::size_t i = 0; i < 1000; ++i) end(*all[i * 5 + 1]);
    EXPECT_LE(link.output().size(), bound);
  }
  read();
  EXPECT_TRUE(synced);
  EXPECT_GT(turns, 5U);
  EXPECT_EQ(relay_has.size(), kClients - 1000);
  EXPECT_EQ(relay_has["x c5"], "changed");
  EXPECT_EQ(relay_has["x c7"], info);
  EXPECT_FALSE(relay_has.contains("x c6"));
  EXPECT_LE(sets, kClients + 1000);
  EXPECT_TRUE(hub.presence_book().said());
}

}  // namespace
}  // namespace sluice::gateway
