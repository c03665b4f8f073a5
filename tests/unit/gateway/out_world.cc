#include "tests/unit/gateway/out_world.h"

#include <algorithm>

#include "common/check.h"
#include "proto/frame.h"

namespace sluice::gateway::test {
namespace {

constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << 40U) - 1;

[[nodiscard]] std::string frame_of(Opcode opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80U | static_cast<unsigned>(opcode)));
  const std::size_t n = payload.size();
  CHECK(n < 65536);
  if (n < 126) {
    frame += static_cast<char>(n);
  } else {
    frame += static_cast<char>(126);
    frame += static_cast<char>(n >> 8U);
    frame += static_cast<char>(n & 0xFFU);
  }
  frame += payload;
  return frame;
}

[[nodiscard]] std::string_view payload_of(std::string_view frame) {
  return frame.substr(static_cast<unsigned char>(frame[1]) < 126 ? 2 : 4);
}

}  // namespace

// ---- judging

void OutWorld::look(bool inside) {
  const StepPause pause(stepper_.get());
  if (fault_ == nullptr) judge_all(inside);
}

void OutWorld::judge_all(bool inside) {
  for (std::uint32_t i = 0; i < clients_.size() && fault_ == nullptr; ++i) {
    const ModelClient& model = clients_[i].model;
    fault_ = reader_.judge(i, model, !options_.arena_suffices || (inside && !model.has_counters));
  }
}

// ---- what happens

void OutWorld::random_step() {
  Client& client = clients_[below(clients_.size())];
  switch (below(24)) {
    case 0:
    case 1:
    case 2:
      return private_frame(client);
    case 3:
    case 4:
    case 5:
    case 6:
      return message(static_cast<std::uint32_t>(below(kChannels)), below(options_.frame_bytes_max));
    case 7:
      return below(4) == 0 ? burst() : message(0, below(20));
    case 8:
    case 9:
    case 10:
    case 11:
      return fan_out(1 + below(2 * clients_.size()));
    case 12:
    case 13:
      return flush(1 + below(clients_.size()));
    case 14:
    case 15:
    case 16:
      return step([&] { process_->sender.writeable(*client.session); });
    case 17:
      return sync(client);
    case 18:
      return settle(client);
    case 19:
    case 20:
      return end_turn();
    case 21:
      return below(8) == 0 ? close(client) : fan_out(clients_.size());
    case 22:
      return below(8) == 0 ? end(client.session->ref.index) : flush(1);
    default:
      return below(20) == 0 ? new_link() : end_turn();
  }
}

void OutWorld::open(std::uint32_t index) {
  Client& client = clients_[index];
  ClientSession& session = process_->sessions.add();
  CHECK(session.ref.index == index);
  client.session = &session;
  ModelClient& model = client.model;
  model.stream.clear();
  model.frames.clear();
  model.sent = 0;
  model.due.clear();
  model.placed = 0;
  model.has_counters = index % 3 != 2;
  client.messages.clear();
  client.channels = 1 + static_cast<std::uint32_t>(below((1U << kChannels) - 1));
  process_->sender.opened(session);
  step([&] {
    CHECK(process_->recorder.prepare(session, {.has_counters = model.has_counters}));
    process_->recorder.opened(session);
  });
  join_channels(client);
}

void OutWorld::join_channels(Client& client) {
  for (std::uint32_t channel = 0; channel < kChannels; ++channel)
    if ((client.channels >> channel & 1U) != 0)
      process_->fan_out->join(process_->audiences[channel], *client.session, sequence_);
}

void OutWorld::end(std::uint32_t index) {
  Client& client = clients_[index];
  step([&] {
    ClientSession& session = *client.session;
    process_->sender.forget(session);
    auto& subscriptions = session.state.subscriptions;
    for (std::size_t i = 0; i < subscriptions.size(); ++i) process_->fan_out->leave(session, i);
    subscriptions.clear();
    process_->sessions.remove(session.ref);
  });
  open(index);
}

void OutWorld::private_frame(Client& client) {
  if (client.session->phase != SessionPhase::kOpen) return;
  const std::size_t bytes = below(options_.frame_bytes_max / 10);
  const std::string payload(below(20) == 0 ? 2 * options_.frame_bytes_max : bytes,
                            static_cast<char>('a' + below(26)));
  client.model.add(frame_of(Opcode::kText, payload), 0);
  step([&] {
    process_->sender.deliver(*client.session,
                             FrameRun::make(Opcode::kText, {}, proto::as_bytes(payload)));
  });
}

void OutWorld::message(std::uint32_t channel, std::size_t bytes) {
  if (process_->fan_out->size(process_->audiences[channel]) == 0) return;
  const std::string payload = std::to_string(++sequence_) + ":" + std::string(bytes, 'x');
  for (Client& client : clients_) {
    if ((client.channels >> channel & 1U) == 0) continue;
    client.model.due.push_back(link_time(generation_, sequence_));
    client.messages.push_back(frame_of(Opcode::kText, payload));
  }
  step([&] {
    process_->fan_out->append(process_->audiences[channel],
                              {"c", {1, 1}, proto::as_bytes(payload), {}}, {sequence_, 0});
  });
}

/// More pieces for a client of two channels than one send may have.
void OutWorld::burst() {
  for (std::size_t i = 0; i < kFramesPerSend + 10; ++i)
    message(static_cast<std::uint32_t>(i % kChannels), below(5));
}

void OutWorld::fan_out(std::size_t clients_max) {
  step([&] { process_->fan_out->run(clients_max); });
}

void OutWorld::flush(std::size_t clients_max) {
  step([&] { process_->sender.flush(clients_max); });
}

void OutWorld::end_turn() {
  if (process_->fan_out->idle() && below(2) == 0)
    step([&] { process_->recorder.settled(sequence_); });
  step([&] {
    process_->sender.retry_starved();
    process_->sender.flush(clients_.size());
    process_->recorder.sync_all();
  });
  for (Client& client : clients_) client.model.all_durable();
  look(false);
  if (process_->fan_out->idle()) step([&] { process_->recorder.settled(sequence_); });
}

void OutWorld::sync(Client& client) {
  step([&] { process_->recorder.sync(*client.session); });
  client.model.all_durable();
  look(false);
}

/// The record is to say all without any counters.
void OutWorld::settle(Client& client) {
  step([&] { process_->recorder.settle(*client.session); });
  const keeper::Slot& slot = state_.slots()[client.session->ref.index];
  const keeper::OutRecord& record = slot.out[slot.out_now];
  if (record.intent_bytes != 0 || record.written != client.model.sent) fault_ = "not settled";
  client.model.all_durable();
  look(false);
}

void OutWorld::close(Client& client) {
  ClientSession& session = *client.session;
  if (session.phase != SessionPhase::kOpen) return;
  step([&] { process_->fan_out->settle(session); });
  client.channels = 0;
  client.model.due.resize(client.model.placed);
  client.model.add(frame_of(Opcode::kClose, "\x03\xE9gone"), 0);
  step([&] { process_->sender.close(session, CloseCode::kGoingAway, "gone"); });
}

void OutWorld::new_link() {
  while (!process_->fan_out->idle()) fan_out(clients_.size());
  ++generation_;
  sequence_ = 0;
  step([&] { process_->recorder.link(7 + generation_, generation_, 0); });
}

void OutWorld::drain() {
  everything_leaves_ = true;
  while (!process_->fan_out->idle()) fan_out(clients_.size());
  for (Client& client : clients_) step([&] { process_->sender.writeable(*client.session); });
  while (process_->sender.waiting()) flush(clients_.size());
  end_turn();
  everything_leaves_ = false;
  for (Client& client : clients_) {
    const ModelClient& model = client.model;
    if (model.sent != model.stream.size() || model.placed != model.due.size())
      fault_ = "something never left";
    settle(client);
  }
}

// ---- sends

void OutWorld::note_due(ClientSession& session, std::span<const RunView> due) {
  if (session.phase != SessionPhase::kOpen) return;
  const StepPause pause(stepper_.get());
  Client& client = clients_[session.ref.index];
  for (const RunView& view : due) {
    std::string_view bytes(reinterpret_cast<const char*>(view.data()), view.size());
    while (!bytes.empty()) {
      ModelClient& model = client.model;
      CHECK(model.placed < model.due.size());
      const std::string& message = client.messages[model.placed];
      CHECK(bytes.substr(0, message.size()) == message);
      bytes.remove_prefix(message.size());
      model.add(message, model.due[model.placed]);
      ++model.placed;
    }
  }
}

std::int32_t OutWorld::take(const SendOp& op) {
  const StepPause pause(stepper_.get());
  ModelClient& model = clients_[op.slot].model;
  std::string bytes;
  for (std::uint32_t i = 0; i < op.vector_count; ++i)
    bytes.append(static_cast<const char*>(op.vectors[i].iov_base), op.vectors[i].iov_len);
  const std::uint64_t how = everything_leaves_ ? 0 : below(10);
  if (how == 8) return -EAGAIN;
  if (how == 9) return -ENOBUFS;
  const std::size_t n = how < 5 ? bytes.size() : below(bytes.size());
  if (n == 0) return -EAGAIN;
  if (n < bytes.size()) ++partial_sends_;
  const std::size_t sent = model.sent;
  if (model.stream.compare(sent, bytes.size(), bytes) != 0) fault_ = "sent other bytes";
  model.sent = sent + n;
  return static_cast<std::int32_t>(n);
}

// ---- the next process

void OutWorld::take_over() {
  std::vector<Found> found;
  std::vector<std::vector<keeper::View>> pending(clients_.size());
  std::vector<keeper::View> all;
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    found.push_back(reader_.read(i, clients_[i].model,
                                 [&](const keeper::View& view) { pending[i].push_back(view); }));
    all.insert(all.end(), pending[i].begin(), pending[i].end());
  }
  unrecoverable_before_ = unrecoverable();
  process_.reset();
  const auto blocks = collect_blocks(state_, all);
  CHECK(blocks);
  process_ = std::make_unique<Process>(*this, *blocks);
  {
    OutRestore restore(state_, process_->recorder, process_->runs, *blocks);
    for (std::uint32_t i = 0; i < clients_.size(); ++i) {
      ModelClient& model = clients_[i].model;
      if (found[i].closes) {
        process_->recorder.discard(i);
        open(i);
        continue;
      }
      const std::size_t known = RecordReader::frames_until(model, found[i].until);
      CHECK(found[i].fault == nullptr && known != RecordReader::kNone);
      model.frames.resize(known);
      model.stream.resize(found[i].until);
      model.placed = static_cast<std::size_t>(
          std::upper_bound(model.due.begin(), model.due.end(), found[i].has_until) -
          model.due.begin());
      const keeper::Slot& slot = state_.slots()[i];
      const keeper::OutRecord& record = slot.out[slot.out_now];
      ClientSession& session = process_->sessions.add();
      CHECK(session.ref.index == i);
      clients_[i].session = &session;
      session.state.last_sequence = found[i].has_until & kSequenceMask;
      process_->sender.opened(session);
      step([&] {
        const OutResume at{model.sent, record.last_sequence, record.link_generation, record.flags};
        if (!restore.restore(session, pending[i], at)) fault_ = "not restored";
        process_->sender.resumed(session);
      });
      if (session.outbox.bytes() != model.stream.size() - model.sent) fault_ = "restored otherwise";
    }
  }
  // It may end before it has written anything.
  if (below(3) == 0) return take_over();
  step([&] { process_->recorder.sync_all(); });
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    if (found[i].closes) continue;
    join_channels(clients_[i]);
    catch_up(clients_[i], found[i].has_until);
  }
}

/// As the link's replay brings it: each message for those who lack it.
void OutWorld::catch_up(Client& client, std::uint64_t has_until) {
  const ModelClient& model = client.model;
  while (model.placed < model.due.size()) {
    const std::uint64_t due = model.due[model.placed];
    CHECK(due > has_until);
    client.session->state.last_sequence = due & kSequenceMask;
    const std::string_view payload = payload_of(client.messages[model.placed]);
    step([&] {
      const FrameRef run = FrameRun::make(Opcode::kText, {}, proto::as_bytes(payload));
      const RunView view{run.get(), 0, static_cast<std::uint32_t>(run->size()), 1};
      process_->placing.queue_due(*client.session, {&view, 1});
    });
  }
}

}  // namespace sluice::gateway::test
