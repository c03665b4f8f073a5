#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "relay/handover/link_state.h"
#include "relay/handover/router_codec.h"
#include "tests/support/frames.h"

namespace sluice::sim {

using gateway::ClientRef;
using gateway::ClientSession;

namespace {

constexpr std::size_t kHeldBytes = 16U << 10U;
constexpr std::size_t kPipeBytes = 2048;
/// A timer that may fail comes every so many steps, and then stays away for so many.
constexpr int kTickEvery = 20;
constexpr int kTickLate = 60;

std::size_t index_in(const std::vector<std::string>& log, std::string_view payload) {
  // From the end: messages are recent.
  for (std::size_t i = log.size(); i > 0; --i) {
    if (log[i - 1] == payload) return i;
  }
  return 0;
}

constexpr std::string_view kGapMark = "gap:";

std::string written(const std::function<void(relay::StateWriter&)>& write) {
  std::string bytes;
  relay::StateWriter writer([&bytes](std::string_view piece) {
    bytes.append(piece);
    return true;
  });
  write(writer);
  (void)writer.finish();
  return bytes;
}

}  // namespace

void SimProtocol::gap(ClientSession& session, const gateway::ChannelGap& gap,
                      gateway::ProtocolActions& actions) const {
  std::string text(kGapMark);
  if (gap.count != proto::kCountUnknown) text += std::to_string(gap.count);
  actions.deliver(session, gateway::FrameRun::make(gateway::Opcode::kText, text, {}));
}

// ---- from program to program

std::string saved(std::unique_ptr<relay::GatewaySession> session, const relay::OutputBatch& batch) {
  relay::LinkState link{.descriptor = 0, .session = session->state()};
  std::array<iovec, relay::kBatchPiecesMax> pieces;
  const std::size_t count = batch.pieces(pieces);
  for (std::size_t i = 0; i < count; ++i)
    link.unsent.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  return written([&link](relay::StateWriter& out) { relay::write(out, link); });
}

std::unique_ptr<relay::GatewaySession> restored(std::string_view saved, World& world,
                                                relay::SessionHost& host,
                                                relay::OutputBatch& batch) {
  relay::StateReader reader(proto::as_bytes(saved));
  relay::LinkState link = relay::read_link(reader);
  reader.must_end();
  if (!reader.good()) world.fail("a link's state can't be read: " + reader.error());
  batch = relay::OutputBatch(small_batch());
  batch.add_text(link.unsent);
  return std::make_unique<relay::GatewaySession>(*world.router, host, 0, std::move(link.session));
}

// ---- one gateway

SimGateway::SimGateway(World& world, int number)
    : world_(world), id_("g" + std::to_string(number)) {
  start_process();
}

void SimGateway::start_process() {
  sessions_ = std::make_unique<gateway::SessionTable>();
  protocol_ = std::make_unique<SimProtocol>(world_.time);
  hub_ = std::make_unique<gateway::Hub>(gateway::HubOptions{.channels_max = 100}, *sessions_, *this,
                                        *this);
  link_ = std::make_unique<gateway::RelayLink>(
      gateway::RelayLinkOptions{.gateway_id = id_,
                                .publish_wait = world_.options.publish_wait,
                                .publish_queue_bytes = kHeldBytes},
      *hub_, world_.time);
  hub_->attach(*link_);
}

void SimGateway::crash() {
  break_pipe();
  while (!joining_.empty()) lose_client(joining_.begin()->first);
  forget_process();
  link_record_ = {};
  start_process();
}

void SimGateway::forget_process() {
  const gateway::HubStats& stats = hub_->stats();
  world_.recovered += stats.recovered;
  world_.unrecovered += stats.unrecovered;
  world_.recovered_publications += stats.recovered_publications;
  clients_.clear();
  closed_.clear();
  seen_.clear();
  records_.clear();
  joining_.clear();
  placed_.clear();
  stale_.clear();
  unread_.clear();
  accepted_ = 0;
}

void SimGateway::lose_client(std::uint32_t slot) {
  const auto found = joining_.find(slot);
  if (found == joining_.end()) return;
  found->second->disconnected();
  world_.away.push_back(std::move(found->second));
  joining_.erase(found);
  placed_.erase(slot);
  stale_.erase(slot);
  unread_.erase(slot);
}

// ---- death and takeover

void SimGateway::kill(std::uint64_t deliveries) {
  if (deliveries == 0) dead_ = true;
  dies_in_ = deliveries;
}

bool SimGateway::alive() {
  if (dies_in_ > 0 && --dies_in_ == 0) dead_ = true;
  return !dead_;
}

void SimGateway::record(const ClientSession& session) {
  Record& record = records_[session.ref.index];
  record.last_sequence = session.state.last_sequence;
  record.generation = link_record_.generation;
  record_link();
}

void SimGateway::record_link() {
  // What is placed counts as given, and no record says so yet.
  if (!placed_.empty()) return;
  const std::uint64_t settled = hub_->settled_sequence();
  if (settled < link_record_.settled_sequence)
    world_.fail("the settled sequence of " + id_ + " falls");
  link_record_.settled_sequence = settled;
}

void SimGateway::link_began(std::uint64_t relay_instance, std::uint64_t last_sequence,
                            bool resumed) {
  if (dead_ || resumed) return;
  link_record_ = {relay_instance, last_sequence, link_record_.generation + 1};
}

std::uint64_t SimGateway::known_sequence(const Record& record) const {
  const bool of_this_link = record.generation == link_record_.generation;
  return std::max(of_this_link ? record.last_sequence : 0, link_record_.settled_sequence);
}

void SimGateway::take_over() {
  ++world_.takeovers;
  std::vector<Left> clients;
  std::optional<std::uint64_t> lowest;  ///< of who has a channel
  std::uint64_t top = link_record_.settled_sequence;
  for (const ClientRef ref : clients_) {
    const ClientSession* session = sessions_->find(ref);
    // Killed while it worked off what that one had sent: the counters close it.
    if (session == nullptr || session->phase != gateway::SessionPhase::kOpen ||
        unread_.contains(ref.index)) {
      lose_client(ref.index);
      continue;
    }
    const std::uint64_t known = known_sequence(records_[ref.index]);
    if (!records_[ref.index].channel.empty()) lowest = std::min(lowest.value_or(known), known);
    top = std::max(top, known);
    Left left{records_[ref.index], seen_[ref.index], nullptr};
    if (const auto joining = joining_.find(ref.index); joining != joining_.end())
      left.joining = std::move(joining->second);
    clients.push_back(std::move(left));
  }
  break_pipe();
  forget_process();
  dead_ = false;
  dies_in_ = 0;
  start_process();
  link_->take_over(link_record_.relay_instance, lowest.value_or(link_record_.settled_sequence));
  for (Left& left : clients) restore_client(left);
  hub_->begin_catch_up(top);
  for (const ClientRef ref : clients_) hub_->resumed(*sessions_->find(ref));
}

void SimGateway::restore_client(Left& left) {
  const Record& record = left.record;
  ClientSession& session = sessions_->add();
  const std::uint32_t slot = session.ref.index;
  session.protocol = protocol_.get();
  if (left.joining) session.protocol = &joining_protocol_;
  if (!session.protocol->restore(session, proto::as_bytes(record.state)))
    world_.fail("a protocol's state that it does not know");
  session.state.last_sequence = known_sequence(record);
  const std::uint32_t link = link_record_.generation;
  const std::uint64_t began = record.began_generation == link ? record.began_sequence : 0;
  // Before the first link there is nothing that could be missed.
  const bool earlier_link = std::max(record.began_generation, 1U) < link;
  if (!record.channel.empty() && !hub_->resubscribe(session, record.channel, began, earlier_link))
    world_.fail("a channel that was there is refused");
  clients_.push_back(session.ref);
  records_[slot] = record;
  seen_[slot] = left.seen;
  if (left.joining) joining_[slot] = std::move(left.joining);
}

void SimGateway::check_last_words() {
  for (const ClientRef ref : clients_) {
    const ClientSession* session = sessions_->find(ref);
    if (session == nullptr || session->phase != gateway::SessionPhase::kOpen) continue;
    if (const auto joining = joining_.find(ref.index); joining != joining_.end()) {
      const std::string wrong = joining->second->last_words(*world_.ledger);
      if (!wrong.empty()) world_.fail(wrong + " at " + id_);
      continue;
    }
    const Seen& seen = seen_[ref.index];
    const auto log = world_.broker->log().find(seen.channel);
    if (log == world_.broker->log().end() || seen.last_index == log->second.size()) continue;
    if (seen.told_missing == 0 && !seen.told_unknown)
      world_.fail("the last messages of " + seen.channel + " are missing at " + id_ +
                  ", and nothing was told");
  }
}

void SimGateway::break_pipe() {
  session_.reset();
  batch_ = relay::OutputBatch(small_batch());
  to_gateway_.clear();
  to_relay_.clear();
  link_->disconnected();
  redial_in_ = static_cast<int>(world_.random.below(30));
}

void SimGateway::relay_gone() {
  break_pipe();
}

void SimGateway::save_link() {
  saved_link_ = session_ ? saved(std::move(session_), batch_) : "";
}

void SimGateway::restore_link() {
  if (!saved_link_.empty()) session_ = restored(saved_link_, world_, *this, batch_);
  saved_link_.clear();
}

void SimGateway::stop() {
  remove_all_clients();
  break_pipe();
  stopped_ = true;
}

void SimGateway::add_client() {
  if (dead_) return;
  ClientSession& session = sessions_->add();
  session.protocol = protocol_.get();
  const std::string channel =
      world_.channel_name(world_.random.below(static_cast<std::uint64_t>(world_.options.channels)));
  seen_[session.ref.index] = Seen{channel, 0, 0, false};
  clients_.push_back(session.ref);
  hub_->opened(session, channel);
  const auto subscriptions = hub_->subscriptions_of(session);
  if (subscriptions.size() != 1 || subscriptions[0].channel != channel)
    return world_.fail("a client is not on its channel");
  records_[session.ref.index] = {
      .channel = channel,
      .began_sequence = subscriptions[0].began_sequence,
      .began_generation = link_record_.generation,
  };
  record(session);
}

void SimGateway::add_joining_client(bool latest) {
  if (dead_) return;
  std::unique_ptr<JoiningClient> client;
  if (!world_.away.empty() && (latest || world_.random.below(4) != 0)) {
    if (!latest)
      std::swap(world_.away[world_.random.below(world_.away.size())], world_.away.back());
    client = std::move(world_.away.back());
    world_.away.pop_back();
  } else {
    client = std::make_unique<JoiningClient>(
        world_.channel_name(
            world_.random.below(static_cast<std::uint64_t>(world_.options.channels))),
        world_.random.below(2) == 0);
  }
  ClientSession& session = sessions_->add();
  session.protocol = &joining_protocol_;
  clients_.push_back(session.ref);
  hub_->opened(session, client->channel());
  records_[session.ref.index] = {};
  record(session);
  const std::string join = client->join_command();
  joining_[session.ref.index] = std::move(client);
  command(session, join);
}

void SimGateway::command(ClientSession& session, const std::string& text) {
  unread_.insert(session.ref.index);
  hub_->received(session, proto::as_bytes(text), true);
}

void SimGateway::joining_act() {
  if (joining_.empty() || dead_) return;
  auto chosen = joining_.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(world_.random.below(joining_.size())));
  ClientSession* session = sessions_->at(chosen->first);
  JoiningClient& client = *chosen->second;
  // It sends one command at a time.
  if (session->phase != gateway::SessionPhase::kOpen || unread_.contains(chosen->first)) return;
  if (client.idle()) {
    command(*session, client.join_command());
  } else if (client.subscribed() && world_.random.below(4) == 0) {
    command(*session, client.leave_command());
  }
}

void SimGateway::rejoin_all() {
  if (dead_) return;
  for (auto& [slot, client] : joining_) {
    ClientSession* session = sessions_->at(slot);
    if (session->phase == gateway::SessionPhase::kOpen && !unread_.contains(slot) && client->idle())
      command(*session, client->join_command());
  }
}

void SimGateway::remove_client() {
  if (clients_.empty() || dead_) return;
  const auto at =
      clients_.begin() + static_cast<std::ptrdiff_t>(world_.random.below(clients_.size()));
  const ClientRef ref = *at;
  clients_.erase(at);
  if (ClientSession* session = sessions_->find(ref)) {
    lose_client(ref.index);
    hub_->closed(*session);
    sessions_->remove(ref);
    stale_.erase(ref.index);
  }
}

void SimGateway::remove_all_clients() {
  if (dead_) take_over();
  dies_in_ = 0;
  while (!clients_.empty()) remove_client();
}

void SimGateway::publish() {
  if (clients_.empty() || dead_) return;
  ClientSession* session = sessions_->find(clients_[world_.random.below(clients_.size())]);
  if (session == nullptr || session->protocol != protocol_.get() ||
      session->phase != gateway::SessionPhase::kOpen)
    return;
  // The sender's slot and a running number: unique, and in order per sender.
  const std::string payload = id_ + "." + std::to_string(session->ref.index) + "." +
                              std::to_string(session->ref.generation) + "." +
                              std::to_string(++sent_) + std::string(world_.random.below(100), '.');
  ++accepted_;
  ++world_.accepted;
  hub_->received(*session, proto::as_bytes(payload), true);
}

std::uint64_t SimGateway::outcomes() const {
  const gateway::RelayLinkStats& s = link_->stats();
  return s.published + s.publish_timeouts + s.publish_queue_full + s.publish_refused +
         s.publish_unknown;
}

void SimGateway::deliver(ClientSession& session, gateway::FrameRef frame) {
  if (session.protocol == &joining_protocol_) return place(session, test::payloads(frame->bytes()));
  if (!alive()) return;
  record(session);
  for (const std::string& payload : test::payloads(frame->bytes())) got(session, payload);
}

void SimGateway::place(ClientSession& session, const std::vector<std::string>& frames) {
  if (dead_ || session.phase != gateway::SessionPhase::kOpen) return;
  auto& placed = placed_[session.ref.index];
  placed.insert(placed.end(), frames.begin(), frames.end());
}

void SimGateway::end_turn() {
  for (const std::uint32_t slot : stale_) placed_.try_emplace(slot);
  for (; !placed_.empty(); placed_.erase(placed_.begin())) {
    const auto& [slot, frames] = *placed_.begin();
    const ClientSession* session = sessions_->at(slot);
    if (session == nullptr || session->phase != gateway::SessionPhase::kOpen) continue;
    if (!alive()) return;
    if (stale_.contains(slot)) record_subscription(*session);
    record(*session);
    told_joining(slot, frames);
  }
  stale_.clear();
  unread_.clear();
}

void SimGateway::record_subscription(const ClientSession& session) {
  Record& record = records_[session.ref.index];
  const auto subscriptions = hub_->subscriptions_of(session);
  if (subscriptions.size() > 1) return world_.fail("a client is on more channels than it joined");
  record.channel = subscriptions.empty() ? "" : std::string(subscriptions[0].channel);
  record.began_sequence = subscriptions.empty() ? 0 : subscriptions[0].began_sequence;
  record.began_generation = link_record_.generation;
  joining_protocol_.save(session, record.state);
}

void SimGateway::told_joining(std::uint32_t slot, const std::vector<std::string>& frames) {
  JoiningClient& client = *joining_.at(slot);
  for (const std::string& frame : frames) {
    if (frame.starts_with("m:")) ++world_.deliveries;
    if (frame.starts_with("gap:")) ++world_.gaps;
    if (const std::string wrong = client.got(frame, id_, *world_.ledger); !wrong.empty())
      return world_.fail(wrong + " at " + id_);
  }
}

void SimGateway::deliver_due(ClientSession& session, std::span<const gateway::RunView> due) {
  const bool joining = session.protocol == &joining_protocol_;
  // Behind what waits.
  if (joining && placed_.contains(session.ref.index)) return place(session, test::payloads(due));
  if (!alive() || session.phase != gateway::SessionPhase::kOpen) return;
  record(session);
  if (world_.faults.hit(Port::kDeliver))
    return close(session, gateway::CloseCode::kPolicy, "too slow");
  if (joining) return told_joining(session.ref.index, test::payloads(due));
  for (const std::string& payload : test::payloads(due)) got(session, payload);
}

void SimGateway::got(ClientSession& session, std::string_view payload) {
  if (session.phase != gateway::SessionPhase::kOpen) return;
  Seen& seen = seen_[session.ref.index];
  if (payload.starts_with(kGapMark)) return told_gap(seen, payload.substr(kGapMark.size()));
  const auto& logs = world_.broker->log();
  const auto log = logs.find(seen.channel);
  ++world_.deliveries;
  if (const auto number = FakeBroker::beside_number(seen.channel, payload)) {
    ++world_.besides;
    if (*number <= std::exchange(seen.last_beside, *number))
      world_.fail("twice or out of order: " + std::string(payload));
    return;
  }
  const std::size_t index = log == logs.end() ? 0 : index_in(log->second, payload);
  if (index == 0)
    return world_.fail("a message that the broker never had, or of another channel: " +
                       std::string(payload));
  if (index <= seen.last_index)
    return world_.fail("twice or out of order: " + std::string(payload));
  if (seen.last_index != 0) {
    const std::uint64_t missing = index - seen.last_index - 1;
    if (!seen.told_unknown &&
        !world_.broker->may_be_told(seen.channel, missing, seen.told_missing)) {
      return world_.fail(std::to_string(missing) + " messages missing on " + seen.channel + " at " +
                         id_ + ", told " + std::to_string(seen.told_missing));
    }
  }
  seen.last_index = index;
  seen.told_missing = 0;
  seen.told_unknown = false;
}

void SimGateway::told_gap(Seen& seen, std::string_view count) {
  ++world_.gaps;
  if (count.empty()) {
    seen.told_unknown = true;
  } else {
    seen.told_missing += std::stoull(std::string(count));
  }
}

void SimGateway::close(ClientSession& session, gateway::CloseCode, const char*) {
  if (dead_ || session.phase != gateway::SessionPhase::kOpen) return;
  session.phase = gateway::SessionPhase::kClosing;
  closed_.push_back(session.ref);
}

void SimGateway::sweep_closed() {
  for (const ClientRef ref : std::exchange(closed_, {})) {
    ClientSession* session = sessions_->find(ref);
    if (session == nullptr) continue;
    lose_client(ref.index);
    hub_->closed(*session);
    sessions_->remove(ref);
    stale_.erase(ref.index);
    clients_.erase(std::remove(clients_.begin(), clients_.end(), ref), clients_.end());
  }
}

void SimGateway::move_up() {
  const std::string_view out = link_->output();
  const std::size_t room = kPipeBytes - std::min(kPipeBytes, to_relay_.size());
  const std::size_t n =
      std::min<std::size_t>(room, !out.empty() ? world_.random.below(out.size()) + 1 : 0);
  if (n > 0 && world_.faults.hit(Port::kLinkWrite)) return break_pipe();
  to_relay_.append(out.substr(0, n));
  link_->sent(n);
  if (to_relay_.empty()) return;
  if (world_.faults.hit(Port::kLinkRead)) return break_pipe();
  const std::size_t take = world_.random.below(to_relay_.size()) + 1;
  std::size_t done = 0;
  while (done < take && session_) {
    const auto space = session_->prepare();
    const std::size_t k = std::min(space.size(), take - done);
    std::copy_n(to_relay_.begin() + static_cast<std::ptrdiff_t>(done), k, space.begin());
    session_->commit(k);
    done += k;
  }
  to_relay_.erase(0, take);
}

void SimGateway::move_down() {
  while (to_gateway_.size() < kPipeBytes) {
    if (batch_.empty() && !session_->fill(batch_)) break;
    if (world_.faults.hit(Port::kLinkWrite)) return break_pipe();
    std::array<iovec, 8> pieces;
    const std::size_t n = batch_.pieces(pieces);
    std::size_t moved = 0;
    for (std::size_t i = 0; i < n; ++i) {
      to_gateway_.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      moved += pieces[i].iov_len;
    }
    batch_.consume(moved);
  }
  if (to_gateway_.empty()) {
    if (session_->ending()) break_pipe();
    return;
  }
  if (world_.faults.hit(Port::kLinkRead)) return break_pipe();
  const std::size_t take = world_.random.below(to_gateway_.size()) + 1;
  const auto space = link_->prepare();
  const std::size_t k = std::min(space.size(), take);
  std::copy_n(to_gateway_.begin(), k, space.begin());
  to_gateway_.erase(0, k);
  if (const auto result = link_->commit(k); !result) {
    if (result.error().code == ErrorCode::kInvalid)
      world_.fail("the link disagrees: " + result.error().message);
    break_pipe();
  }
}

void SimGateway::dial() {
  if (redial_in_ > 0) {
    --redial_in_;
  } else if (world_.faults.hit(Port::kDial)) {
    redial_in_ = kTickEvery;
  } else {
    session_ = std::make_unique<relay::GatewaySession>(*world_.router, *this);
    link_->connected();
  }
}

void SimGateway::tick() {
  if (tick_late_ > 0) {
    --tick_late_;
  } else if (world_.ticks() % kTickEvery == 0 && world_.faults.hit(Port::kLinkTick)) {
    tick_late_ = kTickLate;
  } else if (!link_->tick() && session_) {
    break_pipe();
  }
}

void SimGateway::step() {
  if (stopped_) return;
  if (stalled_ > 0) {  // SIGSTOP: nothing moves on this side
    // A client was at its door meanwhile, with what another gateway has read already.
    if (--stalled_ == 0) add_joining_client(true);
    return;
  }
  if (!dead_ && !session_ && world_.router) dial();
  if (!dead_ && session_) move_up();
  if (!dead_ && session_) move_down();
  if (!dead_) hub_->work();
  if (!dead_) end_turn();
  // A few clients a turn: walks go on while clients come and go and more messages arrive.
  if (!dead_ && (!hub_->congested() || world_.random.below(4) == 0))
    hub_->fan_out(world_.random.below(4) == 0 ? 1000 : 1 + world_.random.below(3));
  if (!dead_) tick();
  if (!dead_) sweep_closed();
  if (dead_) return take_over();
  record_link();
}

// ---- the world

World::World(WorldOptions o) : options(o), random(o.seed), faults(o.fail_at, o.fail_silently) {
  broker = std::make_unique<FakeBroker>(time, random, faults);
  ledger.emplace(Ledger{*broker, broker->log()});
  start_relay();
  for (int i = 0; i < options.gateways; ++i)
    gateways_.push_back(std::make_unique<SimGateway>(*this, i));
  if (!options.scripted) prober = std::make_unique<Prober>(*this);
}

World::~World() {
  prober.reset();
  for (auto& gateway : gateways_) gateway->relay_gone();
}

void World::fail(const std::string& what) {
  if (!failure_.empty()) return;
  failure_ = "seed " + std::to_string(options.seed) + ": " + what;
  if (faults.happened()) {
    failure_ += " (call " + std::to_string(options.fail_at) + ", " +
                std::string(to_string(faults.failed())) + ", had failed)";
  }
}

void World::start_relay() {
  relay::RouterOptions o;
  o.linger = options.linger;
  o.ring.messages_max = options.ring_messages;
  o.gateway_queue_bytes = options.gateway_queue_bytes;
  o.publish_queue_bytes = kHeldBytes;
  router = std::make_unique<relay::Router>(o, *broker, watcher, time, random, &policy);
  broker->start(*router);
}

void World::restart_relay() {
  ++relay_restarts;
  for (auto& gateway : gateways_) gateway->relay_gone();
  if (prober) prober->break_pipe();
  broker->relay_died();
  router.reset();
  start_relay();
}

void World::upgrade_relay() {
  ++relay_upgrades;
  router->hold_publishes(true);
  const std::string state =
      written([this](relay::StateWriter& out) { relay::RouterCodec::write(out, *router); });
  for (auto& gateway : gateways_) gateway->save_link();
  if (prober) prober->save_link();
  broker->relay_upgraded();
  start_relay();
  relay::StateReader reader(proto::as_bytes(state));
  const std::vector<relay::PublishRequest> unanswered = relay::RouterCodec::read(reader, *router);
  reader.must_end();
  if (!reader.good()) return fail("the relay's state can't be read: " + reader.error());
  for (const auto& [name, channel] : router->channel_table()) {
    if (!broker->wants(name)) fail("a channel that the broker does not bring: " + name);
  }
  if (broker->wanted() != router->channels()) fail("the broker brings what nobody wants");
  for (auto& gateway : gateways_) gateway->restore_link();
  if (prober) prober->restore_link();
  router->lose_publishes(unanswered, "upgraded");
  router->count_upgrade({});
}

/// More than a pipe takes, so that answers pass messages.
void World::burst() {
  const std::string channel =
      channel_name(random.below(static_cast<std::uint64_t>(options.channels)));
  for (int i = 0; i < 100; ++i)
    broker->publish_from_outside(channel, "out." + std::to_string(++published_outside));
}

void World::act_without_loss(SimGateway& g) {
  switch (random.below(8)) {
    case 0:
      return upgrade_relay();
    case 1:
      g.stall(1 + static_cast<int>(random.below(200)));
      return burst();
    default:
      return g.kill(random.below(20));
  }
}

void World::act() {
  SimGateway& g = *gateways_[random.below(gateways_.size())];
  const std::uint64_t what = random.below(200);
  if (options.only_takeovers && what < 4) return act_without_loss(g);
  switch (what) {
    case 0:
      g.break_pipe();
      break;
    case 1:
      g.stall(static_cast<int>(random.below(300)));
      break;
    case 2:
      if (random.below(10) == 0) {
        g.crash();
      } else if (random.below(3) == 0) {
        g.kill(random.below(20));
      }
      break;
    case 3:
      if (broker->up() && random.below(5) == 0) broker->go_down();
      if (random.below(20) == 0) restart_relay();
      if (random.below(4) == 0) upgrade_relay();
      if (random.below(20) == 0)
        broker->remove_from_outside(
            channel_name(random.below(static_cast<std::uint64_t>(options.channels))));
      break;
    case 4:
    case 5:
    case 6:
      if (!broker->up()) broker->come_up();
      break;
    case 7:
    case 8:
    case 9:
    case 10:
      random.below(2) == 0 ? g.add_client() : g.add_joining_client();
      break;
    case 22:
    case 23:
    case 24:
    case 25:
      g.joining_act();
      break;
    case 11:
    case 12:
    case 13:
      g.remove_client();
      break;
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
    case 19:
    case 20:
    case 21:
      broker->publish_from_outside(
          channel_name(random.below(static_cast<std::uint64_t>(options.channels))),
          "out." + std::to_string(++published_outside));
      break;
    default:
      if (random.below(3) == 0) g.publish();
      break;
  }
}

void World::act_by_script(int step) {
  // Long enough apart for one recovery to end before the next begins, and for a channel to linger
  // and go.
  if (step == 0) broker->come_up();
  if (step == 150) gateways_[0]->break_pipe();
  if (step == 250) broker->go_down();
  if (step > 270 && step % 10 == 0 && !broker->up()) broker->come_up();
  if (step == 330) upgrade_relay();
  if (step == 400) gateways_[1]->crash();
  if (step == 500) gateways_[0]->kill(3);
  SimGateway& g = *gateways_[random.below(gateways_.size())];
  if (step % 20 == 0 && step < 600) step % 40 == 0 ? g.add_client() : g.add_joining_client();
  if (step % 5 == 0) g.joining_act();
  if (step % 50 == 49) g.remove_client();
  if (step >= 600) g.remove_client();
  if (step % 3 == 0) g.publish();
  if (step % 20 == 10)
    broker->publish_from_outside(
        channel_name(random.below(static_cast<std::uint64_t>(options.channels))),
        "out." + std::to_string(++published_outside));
}

void World::step() {
  ++ticks_;
  time.advance(std::chrono::milliseconds(5));
  if (!settling_ && ticks_ % 16 == 0)
    broker->publish_beside(
        channel_name(ticks_ / 16 % static_cast<std::uint64_t>(options.channels)));
  broker->step();
  if (tick_late_ > 0) {
    --tick_late_;
  } else if (ticks_ % kTickEvery == 0 && faults.hit(Port::kRelayTick)) {
    tick_late_ = kTickLate;
  } else {
    router->tick();
  }
  for (auto& gateway : gateways_) gateway->step();
  if (prober) prober->step(!settling_);
  check_bounds();
}

void World::check_bounds() {
  if (router->queue_bytes() >
      options.gateway_queue_bytes * static_cast<std::size_t>(options.gateways + 1))
    fail("a gateway's queue is over its bound");
  if (router->ring().messages() > options.ring_messages) fail("the ring is over its bound");
  if (router->hold().bytes() > kHeldBytes) fail("held publishes are over their bound");
}

void World::settle() {
  settling_ = true;
  for (auto& gateway : gateways_) gateway->stall(0);
  for (int i = 0; i < options.settle_steps && failure_.empty(); ++i) {
    if (!broker->up()) broker->come_up();
    if (i % 100 == 0)
      for (auto& gateway : gateways_) gateway->rejoin_all();
    step();
  }
}

void World::check_last_words() {
  for (int i = 0; i < options.channels; ++i)
    broker->publish_from_outside(channel_name(static_cast<std::uint64_t>(i)),
                                 "last." + std::to_string(i));
  settle();
  for (auto& gateway : gateways_) gateway->check_last_words();
  if (prober) check_presence();
}

void World::check_presence() {
  // What was cleared while the broker was away it forgets by itself.
  for (int i = 0; i < 700; ++i) {
    time.advance(std::chrono::milliseconds(95));
    step();
  }
  if (prober->unanswered() != 0) fail("requests that nobody answers");
  if (broker->present() != prober->present()) fail("others are there than were said to be");
  if (options.steps >= 4000 && prober->recovered() == 0) fail("nothing was ever recovered");
}

void World::check_end() {
  for (const auto& gateway : gateways_) {
    if (gateway->link().publishes_pending() != 0) fail("publishes still pending");
    if (gateway->accepted() != gateway->outcomes()) {
      fail("accepted " + std::to_string(gateway->accepted()) + " publishes, outcomes " +
           std::to_string(gateway->outcomes()));
    }
    gateway->remove_all_clients();
    const gateway::HubStats& stats = gateway->hub().stats();
    recovered += stats.recovered;
    unrecovered += stats.unrecovered;
    recovered_publications += stats.recovered_publications;
  }
  std::map<std::string, int> times;
  for (const auto& [channel, log] : broker->log()) {
    for (const std::string& payload : log) {
      if (++times[payload] > 1) fail("published twice: " + payload);
    }
  }
  if (accepted == 0 || deliveries == 0) fail("nothing happened: the run proves nothing");
  if (prober) prober->stop();
  settle();
  for (const auto& gateway : gateways_) {
    if (gateway->hub().channels() != 0 || gateway->hub().subscriptions() != 0)
      fail("a gateway keeps channels without clients");
  }
  for (const auto& gateway : gateways_) {
    const gateway::FanOut& fan_out = gateway->hub().fan_out_state();
    if (!fan_out.idle() || fan_out.pending_bytes() != 0)
      fail("a gateway keeps frames without clients");
  }
  if (router->channels() != 0 || router->subscriptions() != 0)
    fail("the relay keeps channels without subscribers");
  if (router->publishes_in_flight() != 0 || !router->hold().empty())
    fail("the relay keeps publishes");
  check_nothing_left();
}

/// All gateways end, and what they left behind has lingered long enough.
void World::check_nothing_left() {
  for (const auto& gateway : gateways_) gateway->stop();
  time.advance(options.linger + router->options().ring.age_max);
  router->tick();
  if (router->gateways() != 0 || router->links() != 0 || router->queue_bytes() != 0)
    fail("the relay keeps gateways that are gone");
  if (router->ring().messages() != 0 || router->ring().bytes() != 0)
    fail("the relay keeps messages that are too old");
  if (router->presence_entries() != 0 || router->presence_leaving() != 0)
    fail("the relay keeps clients of gateways that are gone");
  if (prober && !broker->present().empty()) fail("clients of gateways that are gone are there");
  if (router->requests() != 0) fail("the relay keeps requests");
  if (router->hold().bytes() != 0) fail("the relay counts held publishes that are gone");
}

WorldOptions sweep_options(std::uint64_t fail_at) {
  return {.seed = 1,
          .gateways = 2,
          .channels = 2,
          .steps = 700,
          .ring_messages = 32,
          .gateway_queue_bytes = 4096,
          .linger = std::chrono::milliseconds(500),
          .publish_wait = std::chrono::milliseconds(500),
          .settle_steps = 300,
          .scripted = true,
          .fail_at = fail_at};
}

WorldOptions takeover_options(std::uint64_t seed) {
  return {.seed = seed,
          .steps = 8000,
          .ring_messages = 1U << 14U,
          .gateway_queue_bytes = 1U << 20U,
          .only_takeovers = true};
}

WorldOptions short_linger_options(std::uint64_t seed) {
  return {.seed = seed, .steps = 4000, .linger = std::chrono::milliseconds(100)};
}

WorldOptions tiny_options(std::uint64_t seed) {
  return {.seed = seed,
          .gateways = 2,
          .channels = 2,
          .steps = 4000,
          .ring_messages = 4,
          .gateway_queue_bytes = 512};
}

std::string World::run() {
  for (int i = 0; i < options.steps && failure_.empty(); ++i) {
    if (options.scripted) {
      act_by_script(i);
    } else {
      act();
    }
    step();
  }
  if (failure_.empty()) settle();
  if (failure_.empty()) check_last_words();
  if (failure_.empty()) check_end();
  return failure_;
}

}  // namespace sluice::sim
