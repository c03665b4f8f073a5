// Centrifuge sessions: arbitrary commands, outcomes in any order, hooks' answers, commands of the
// server API, gaps, time, and a next process at any point. Promises, after each operation:
//  - a command is answered at most once, and only one that was sent; a client that is still there
//    and waits for nothing has had an answer to each;
//  - a channel's subscribe reply comes before the subscription counts, joins are not asked twice;
//  - what is kept of a client is bounded, and saved and restored it is the same;
//  - and when all have left, nobody is present, and nothing is left.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/check.h"
#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"
#include "tests/fuzz/input.h"
#include "tests/support/centrifuge_world.h"

namespace sluice::gateway::world {
namespace {

constexpr std::size_t kClientsMax = 4;

Rules rules_of(fuzz::Input& input) {
  const auto who = [&] { return static_cast<Who>(input.below(5)); };
  const auto offer = [&] { return static_cast<Offer>(input.below(3)); };
  std::map<std::string, ChannelRules> spaces;
  for (const char* name : {"", "n"}) {
    ChannelRules rules;
    rules.subscribe = who();
    rules.publish = who();
    rules.presence = who();
    rules.history = who();
    rules.recovery = offer();
    rules.positioning = offer();
    rules.join_leave = offer();
    const std::uint8_t flags = input.byte();
    rules.history_size = (flags & 1U) != 0 ? 10 : 0;
    rules.presence_on = (flags & 2U) != 0;
    rules.publisher_info = (flags & 4U) != 0;
    rules.user_limited = (flags & 8U) != 0;
    rules.subscribe_hook = (flags & 16U) != 0;
    rules.publish_hook = (flags & 32U) != 0;
    if ((flags & 64U) != 0) rules.publish_rate = {.per_second = 1, .burst = 2};
    if ((flags & 128U) != 0) rules.message_bytes_max = 8;
    spaces[name] = rules;
  }
  ConnectionRules connection;
  const std::uint8_t flags = input.byte();
  connection.anonymous = (flags & 1U) != 0;
  connection.connect_hook = (flags & 2U) != 0;
  connection.rpc_hook = (flags & 4U) != 0;
  connection.refresh_hook = (flags & 8U) != 0;
  connection.disconnect_hook = (flags & 16U) != 0;
  connection.channels_max = 3;
  if ((flags & 32U) != 0) connection.connections_per_user_max = 1;
  return (flags & 64U) != 0 ? Rules::open_access() : Rules::of(connection, spaces);
}

class Run {
 public:
  explicit Run(fuzz::Input& input) : input_(input), world_(rules_of(input)) {
    ConnectionClaims& claims = world_.tokens.connections["t"];
    claims.user = "42";
    claims.expires_at = world_.now_s() + 60;
    claims.subscriptions = {{"s", {}}, {"n:s", {}}};
    world_.tokens.connections["u"].user = "43";
    SubscriptionClaims& subscription = world_.tokens.subscriptions["t"];
    subscription.user = "42";
    subscription.channel = "a";
    subscription.expires_at = world_.now_s() + 30;
  }

  void run() {
    while (!input_.empty()) {
      operate();
      check();
    }
    while (!clients_.empty()) end(0);
    CHECK(world_.actions.present.empty());
    CHECK(world_.service.clients() == 0 && world_.service.users() == 0);
    CHECK(world_.service.channels().size() == 0);
  }

 private:
  struct Client {
    ClientRef ref;
    std::set<std::uint32_t> unanswered;
    std::uint32_t last_id = 0;
  };

  void operate();
  void open();
  void end(std::size_t n);
  void next_process(Client& client);
  Command command(Client& client);
  std::string channel() {
    static const char* const kNames[] = {"a", "s", "n:s", "$a", "x#42", "", "no:x", "sluice:"};
    return kNames[input_.below(std::size(kNames))];
  }
  std::string token() {
    static const char* const kTokens[] = {"", "t", "u", "old", "bad"};
    return kTokens[input_.below(std::size(kTokens))];
  }
  void answer_join();
  void answer_publish();
  void answer_query();
  void answer_hook();
  void control();
  void listen(Client& client);
  void check();
  void check(Client& client);
  [[nodiscard]] ClientSession& session(const Client& client) {
    return *world_.sessions.find(client.ref);
  }

  fuzz::Input& input_;
  World world_;
  std::vector<Client> clients_;
};

void Run::open() {
  if (clients_.size() >= kClientsMax) return;
  UpgradeRequest request;
  request.frame_pings = input_.flag();
  clients_.push_back({world_.open(request).ref, {}, 0});
}

void Run::end(std::size_t n) {
  ClientSession& gone = session(clients_[n]);
  const ClientRef ref = gone.ref;
  world_.end(gone);
  std::erase_if(world_.actions.published, [&](const auto& one) { return one.who == ref; });
  std::erase_if(world_.actions.queries, [&](const auto& one) { return one.who == ref; });
  clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(n));
}

void Run::operate() {
  const std::size_t what = input_.below(16);
  if (clients_.empty() || what == 0) return open();
  const std::size_t n = input_.below(clients_.size());
  Client& client = clients_[n];
  switch (what) {
    case 1:
      return end(n);
    case 2:
      return answer_publish();
    case 3:
      return answer_query();
    case 4:
      return answer_hook();
    case 5:
      return control();
    case 6: {
      const std::string name = channel();
      ChannelGap gap;
      gap.channel = name;
      return world_.protocol.gap(session(client), gap, world_.actions);
    }
    case 7:
      return world_.run(session(client), std::chrono::seconds(input_.below(40)));
    case 8:
      return next_process(client);
    case 9:
    case 10:
      return answer_join();
    case 11:
      world_.actions.room = input_.below(8) != 0;
      world_.actions.relay = input_.below(8) != 0;
      return;
    default: {
      std::vector<Command> frame;
      const std::size_t count = 1 + input_.below(4);
      for (std::size_t i = 0; i < count; ++i) frame.push_back(command(client));
      return world_.send(session(client), frame);
    }
  }
}

Command Run::command(Client& client) {
  const std::uint32_t id = ++client.last_id;
  Command made;
  switch (input_.below(14)) {
    case 0:
    case 1:
      made = connect(id, token());
      if (input_.flag()) {
        centrifuge::SubscribeRequest& earlier = (*made.mutable_connect()->mutable_subs())["s"];
        earlier.set_recover(true);
        earlier.set_offset(input_.byte());
      }
      break;
    case 2:
    case 3:
    case 4: {
      made = subscribe(id, channel(), token());
      centrifuge::SubscribeRequest& request = *made.mutable_subscribe();
      const std::uint8_t flags = input_.byte();
      request.set_recover((flags & 1U) != 0);
      request.set_positioned((flags & 2U) != 0);
      request.set_join_leave((flags & 4U) != 0);
      request.set_flag(flags >> 3U & 3U);
      request.set_offset(flags >> 5U);
      if (request.recover()) request.set_epoch(epoch_text(World::kEpoch));
      break;
    }
    case 5:
      made = unsubscribe(id, channel());
      break;
    case 6:
      made = publish(id, channel(), input_.text());
      break;
    case 7:
      made = presence(id, channel());
      break;
    case 8:
      made = presence_stats(id, channel());
      break;
    case 9:
      made = history(id, channel(), static_cast<int>(input_.byte()) - 1);
      break;
    case 10:
      made = rpc(id, "m", input_.text());
      break;
    case 11:
      made = refresh(id, token());
      break;
    case 12:
      made = sub_refresh(id, channel(), token());
      break;
    default:
      if (input_.below(4) == 0) made = send_only();
      return made;
  }
  if (session(client).phase == SessionPhase::kOpen) client.unanswered.insert(id);
  return made;
}

void Run::answer_join() {
  auto& joins = world_.actions.joins;
  if (joins.empty()) return;
  const AskedJoin join = joins[input_.below(joins.size())];
  ClientSession& who = *world_.sessions.find(join.who);
  if (input_.below(6) == 0) {
    std::erase_if(joins, [&](const AskedJoin& one) {
      return one.who == join.who && one.ticket == join.ticket;
    });
    return world_.protocol.request_failed(who, join.ticket, proto::ErrorReason::kTimedOut,
                                          world_.actions);
  }
  std::erase_if(joins, [&](const AskedJoin& one) {
    return one.who == join.who && one.ticket == join.ticket;
  });
  const std::vector<PublicationView> publications = {{5, proto::as_bytes("{}"), {}}};
  Joined joined;
  joined.position = {World::kEpoch, 5};
  joined.recovered = join.since && input_.flag();
  if (joined.recovered) joined.publications = publications;
  world_.protocol.joined(who, join.ticket, joined, world_.actions);
}

void Run::answer_publish() {
  auto& published = world_.actions.published;
  if (published.empty()) return;
  const std::size_t n = input_.below(std::min<std::size_t>(published.size(), 256));
  const AskedPublish asked = published[n];
  published.erase(published.begin() + static_cast<std::ptrdiff_t>(n));
  ClientSession& who = *world_.sessions.find(asked.who);
  if (input_.flag()) return world_.protocol.published(who, asked.ticket, world_.actions);
  world_.protocol.publish_failed(who, {proto::ErrorReason::kUnknownFate, asked.ticket},
                                 world_.actions);
}

void Run::answer_query() {
  auto& queries = world_.actions.queries;
  if (queries.empty()) return;
  const std::size_t n = input_.below(std::min<std::size_t>(queries.size(), 256));
  const AskedQuery asked = queries[n];
  queries.erase(queries.begin() + static_cast<std::ptrdiff_t>(n));
  ClientSession& who = *world_.sessions.find(asked.who);
  const std::string payload = input_.text();
  if (input_.below(4) == 0) {
    return world_.protocol.request_failed(who, asked.ticket, proto::ErrorReason::kTimedOut,
                                          world_.actions);
  }
  if (!asked.presence) {
    const std::vector<PublicationView> found = {{5, proto::as_bytes(payload), {}}};
    return world_.protocol.history(who, asked.ticket, {{World::kEpoch, 5}, found}, world_.actions);
  }
  const std::vector<PresenceView> entries = {{"c", proto::as_bytes(payload)}};
  PresenceFound found;
  found.clients = found.users = 1;
  found.entries = entries;
  world_.protocol.presence(who, asked.ticket, found, world_.actions);
}

void Run::answer_hook() {
  if (world_.hooks.calls.empty()) return;
  static const char* const kBodies[] = {R"({"result":{"user":"42","channels":["s"]}})",
                                        R"({"result":{"user":"43","expire_at":1700000030}})",
                                        R"({"result":{}})",
                                        R"({"error":{"code":1000,"message":"m"}})",
                                        R"({"disconnect":{"code":4000,"reason":"r"}})",
                                        ""};
  const std::size_t n = input_.below(std::size(kBodies) + 1);
  const std::string body = n < std::size(kBodies) ? kBodies[n] : input_.text();
  world_.answer_hook(
      body, n == std::size(kBodies) && input_.flag() ? HookFault::kTimeout : HookFault::kNone);
}

void Run::control() {
  envelope::ControlCommand command;
  const auto who = [&](envelope::ControlCommand::Who* meant) {
    meant->set_has_user(true);
    meant->set_user(input_.flag() ? "42" : "");
  };
  switch (input_.below(6)) {
    case 0:
      who(command.mutable_disconnect()->mutable_who());
      command.mutable_disconnect()->set_code(static_cast<std::uint32_t>(input_.integer(2)));
      break;
    case 1:
      who(command.mutable_unsubscribe()->mutable_who());
      command.mutable_unsubscribe()->set_channel(channel());
      break;
    case 2:
      who(command.mutable_subscribe()->mutable_who());
      command.mutable_subscribe()->set_channel(channel());
      command.mutable_subscribe()->set_recover(input_.flag());
      command.mutable_subscribe()->set_presence(static_cast<std::int32_t>(input_.below(3)) - 1);
      command.mutable_subscribe()->set_join_leave(static_cast<std::int32_t>(input_.below(3)) - 1);
      command.mutable_subscribe()->set_recovery(static_cast<std::int32_t>(input_.below(3)) - 1);
      break;
    case 3:
      who(command.mutable_refresh()->mutable_who());
      command.mutable_refresh()->set_expire_at(world_.now_s() + input_.byte() - 10);
      break;
    case 4:
      command.mutable_survey()->set_reply_to(std::string(proto::kReplyPrefix) + "n");
      command.mutable_survey()->set_pattern(input_.text());
      break;
    default: {
      const std::string noise = input_.text();
      return world_.service.apply(proto::as_bytes(noise));
    }
  }
  world_.service.apply(command);
}

/// The same client in a process that knows its record and nothing else of it.
void Run::next_process(Client& client) {
  ClientSession& before = session(client);
  if (before.phase != SessionPhase::kOpen) return;
  std::string record;
  world_.protocol.save(before, record);
  listen(client);
  const ClientRef ref = before.ref;
  const ClientId id = before.state.id;
  const TimePoint connected_at = before.state.connected_at;
  const auto subscribed = world_.actions.subscribed[ref.index];
  // What the process that ends still hears of is nobody's.
  const auto present = world_.actions.present;
  const auto of_it = [&](const auto& one) { return one.who == ref; };
  std::erase_if(world_.actions.published, of_it);
  std::erase_if(world_.actions.queries, of_it);
  std::erase_if(world_.hooks.calls, [&](const auto& call) { return call.origin == ref; });
  world_.end(before);
  world_.actions.present = present;

  ClientSession& after = world_.sessions.add();
  after.protocol = &world_.protocol;
  after.state.id = id;
  after.state.connected_at = connected_at;
  client.ref = after.ref;
  world_.actions.heard[after.ref.index] = {};
  world_.actions.subscribed[after.ref.index] = subscribed;
  CHECK(world_.protocol.restore(after, proto::as_bytes(record)));
  std::string again;
  world_.protocol.save(after, again);
  CHECK(again == record);
  world_.protocol.resumed(after, world_.actions);
}

void Run::listen(Client& client) {
  Heard& heard = world_.heard(session(client));
  for (const Reply& reply : heard.replies) {
    if (reply.id() == 0) continue;
    CHECK(client.unanswered.erase(reply.id()) == 1);
    CHECK(reply.ByteSizeLong() > 2);  // an error or a result
  }
  heard.replies.clear();
}

void Run::check(Client& client) {
  listen(client);
  ClientSession& who = session(client);
  if (who.phase != SessionPhase::kOpen) {
    client.unanswered.clear();
    return;
  }
  const CentrifugeState& state = world_.state(who);
  CHECK(state.subscriptions.size() <= 3 || world_.service.rules().connection().channels_max > 3);
  CHECK(who.state.due_at != TimePoint{} || state.frame_pings ||
        state.stage == ClientStage::kConnecting);
  if (state.stage == ClientStage::kRefused) client.unanswered.clear();
  const CentrifugeWork* work = state.in_progress.get();
  if (work == nullptr) CHECK(client.unanswered.empty());
  std::set<std::string> channels;
  for (const CentrifugeSubscription& one : state.subscriptions) {
    CHECK(channels.insert(one.channel->name()).second);
    const auto asked = std::count_if(
        world_.actions.joins.begin(), world_.actions.joins.end(), [&](const AskedJoin& join) {
          return join.who == client.ref && join.channel == one.channel->name();
        });
    CHECK(asked == (one.joining ? 1 : 0));
  }
  if (work == nullptr) return;
  CHECK(work->requests.size() <= kClientRequestsMax);
  CHECK(work->waiting.size() <= kWaitingCommandsMax);
  CHECK(work->waiting.empty() || work->hook || !work->joins.empty() ||
        state.stage == ClientStage::kConnecting);
}

void Run::check() {
  for (Client& client : clients_) check(client);
}

}  // namespace
}  // namespace sluice::gateway::world

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sluice::fuzz::Input input(data, size);
  sluice::gateway::world::Run(input).run();
  return 0;
}
