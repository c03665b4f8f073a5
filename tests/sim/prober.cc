#include "tests/sim/prober.h"

#include <algorithm>
#include <utility>

#include "tests/sim/world.h"

namespace sluice::sim {

using proto::FrameType;

Prober::Prober(World& world) : world_(world), batch_(small_batch()) {
}

std::string Prober::any_channel() {
  const auto channels = static_cast<std::uint64_t>(world_.options.channels);
  return world_.channel_name(world_.random.below(channels));
}

Prober::Channel* Prober::by_id(std::uint32_t id) {
  for (auto& [name, channel] : channels_) {
    if (channel.id == id) {
      channel.name = name;
      return &channel;
    }
  }
  return nullptr;
}

void Prober::break_pipe() {
  session_.reset();
  batch_ = relay::OutputBatch(small_batch());
  decoder_ = proto::Decoder();
  to_relay_.clear();
  asked_.clear();
  asked_presence_.clear();
  answering_ = 0;
}

void Prober::save_link() {
  saved_link_ = session_ ? saved(std::move(session_), batch_) : "";
}

void Prober::restore_link() {
  if (!saved_link_.empty()) session_ = restored(saved_link_, world_, *this, batch_);
  saved_link_.clear();
  cut_ = true;
}

void Prober::stop() {
  present_.clear();
  break_pipe();
  stopped_ = true;
}

void Prober::connect() {
  if (!world_.router || world_.random.below(10) != 0) return;
  session_ = std::make_unique<relay::GatewaySession>(*world_.router, *this);
  // Always afresh: what a resume does, the gateways show.
  proto::encode(to_relay_, proto::Hello{.gateway_id = "prober", .software = "sim"});
  for (int i = 0; i < world_.options.channels; ++i) {
    const std::string name = world_.channel_name(static_cast<std::uint64_t>(i));
    Channel& channel = channels_[name];
    channel.id = 0;
    proto::encode(to_relay_, proto::Subscribe{.request = next_request_++,
                                              .from_position = channel.position.epoch != 0,
                                              .position = channel.position,
                                              .channel = name});
  }
  for (const std::string& key : present_) {
    const std::size_t slash = key.find('/');
    proto::encode(to_relay_, proto::PresenceSet{.channel = key.substr(0, slash),
                                                .client = key.substr(slash + 1),
                                                .user = "u"});
  }
  proto::encode_presence_synced(to_relay_);
}

void Prober::ask_something() {
  const std::string name = any_channel();
  const Channel& channel = channels_[name];
  if (channel.id == 0) return;
  if (world_.random.below(8) == 0) {
    asked_presence_.insert(next_request_);
    proto::encode(to_relay_, proto::Presence{.request = next_request_++, .channel = name});
    return;
  }
  const std::uint64_t back = std::min(channel.position.offset, world_.random.below(60));
  const proto::Position since{channel.position.epoch, channel.position.offset - back};
  asked_[next_request_] = {name, since, since.offset, 0};
  proto::encode(to_relay_, proto::History{.request = next_request_++,
                                          .recover = true,
                                          .query = {.since = since, .limit = 50, .reverse = false},
                                          .channel = name});
}

void Prober::change_presence() {
  const std::string channel = any_channel();
  const std::string client = "c" + std::to_string(world_.random.below(4));
  const std::string key = channel + "/" + client;
  if (present_.erase(key) == 1) {
    proto::encode(to_relay_, proto::PresenceClear{.channel = channel, .client = client});
  } else {
    present_.insert(key);
    proto::encode(to_relay_, proto::PresenceSet{.channel = channel, .client = client, .user = "u"});
  }
}

void Prober::step(bool asks) {
  if (stopped_) return;
  if (!session_) return connect();
  if (asks && world_.random.below(20) == 0) ask_something();
  if (asks && world_.random.below(40) == 0) change_presence();
  if (asks && world_.random.below(1000) == 0) return break_pipe();
  move_up();
  move_down();
  if (session_->ending()) break_pipe();
}

void Prober::move_up() {
  std::size_t take = to_relay_.empty() ? 0 : world_.random.below(to_relay_.size()) + 1;
  while (take > 0 && !session_->ending()) {
    const auto space = session_->prepare();
    const std::size_t n = std::min(space.size(), take);
    std::copy_n(to_relay_.begin(), n, space.begin());
    to_relay_.erase(0, n);
    take -= n;
    session_->commit(n);
  }
}

void Prober::move_down() {
  if (world_.random.below(3) == 0) return;  // it reads late now and then
  if (batch_.empty() && !session_->fill(batch_)) return;
  std::array<iovec, 8> pieces;
  const std::size_t count = batch_.pieces(pieces);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < count; ++i) {
    decoder_.feed({static_cast<const std::uint8_t*>(pieces[i].iov_base), pieces[i].iov_len});
    moved += pieces[i].iov_len;
  }
  batch_.consume(moved);
  for (;;) {
    const auto frame = decoder_.next();
    if (!frame) return world_.fail("the prober's link: " + frame.error().message);
    if (!*frame) return;
    handle(**frame);
  }
}

void Prober::handle(const proto::FrameView& frame) {
  const FrameType type = frame.header.type;
  const bool of_channel = type == FrameType::kMessage || type == FrameType::kGap;
  if (answering_ != 0 && of_channel && !cut_) world_.fail("a channel's frame amid an answer");
  switch (type) {
    case FrameType::kSubscribed:
      return on_subscribed(proto::decode_subscribed(frame).value());
    case FrameType::kMessage: {
      const auto message = proto::decode_message(frame).value();
      Channel* channel = by_id(message.channel_id);
      if (channel == nullptr) return world_.fail("a message of no channel of the prober");
      if (message.beside) {
        if (message.offset != channel->position.offset || !channel->history)
          world_.fail("a message beside the history that moves the position");
        return;
      }
      if (message.offset != channel->position.offset + 1) world_.fail("a message out of its place");
      channel->position.offset = message.offset;
      channel->seen[message.offset] = proto::as_text(message.payload);
      return;
    }
    case FrameType::kGap: {
      const auto gap = proto::decode_gap(frame).value();
      Channel* channel = by_id(gap.channel_id);
      if (channel == nullptr) return world_.fail("a gap of no channel of the prober");
      const bool same = channel->position.epoch == gap.position.epoch;
      if (gap.count != proto::kCountUnknown &&
          (!same || gap.position.offset < channel->position.offset ||
           !world_.broker->may_be_told(channel->name,
                                       gap.position.offset - channel->position.offset, gap.count)))
        world_.fail("a gap of a wrong size");
      if (!same || gap.position.offset < channel->position.offset) channel->seen.clear();
      channel->position = gap.position;
      return;
    }
    case FrameType::kHistoryItem:
      return on_item(proto::decode_history_item(frame).value());
    case FrameType::kHistoryEnd:
      return on_end(proto::decode_history_end(frame).value());
    case FrameType::kPresenceEnd:
      if (asked_presence_.erase(frame.header.sequence) != 1)
        world_.fail("presence that was not asked for");
      return;
    case FrameType::kError:
      if (frame.header.sequence == answering_) answering_ = 0;
      cut_ = false;
      asked_.erase(frame.header.sequence);
      asked_presence_.erase(frame.header.sequence);
      return;
    default:
      return;
  }
}

void Prober::on_subscribed(const proto::Subscribed& told) {
  Channel& channel = channels_[std::string(told.channel)];
  channel.id = told.channel_id;
  channel.history = told.history;
  if (told.start.epoch != channel.position.epoch || told.start.offset < channel.position.offset)
    channel.seen.clear();
  if (told.continuous && told.start != channel.position) world_.fail("continuous, and is not");
  channel.position = told.start;
}

void Prober::on_item(const proto::HistoryItem& item) {
  const auto found = asked_.find(item.request);
  if (found == asked_.end()) return world_.fail("an item that was not asked for");
  if (answering_ != 0 && answering_ != item.request) world_.fail("two answers at once");
  answering_ = item.request;
  Asked& asked = found->second;
  if (item.offset != asked.last + 1) world_.fail("an item out of its place");
  asked.last = item.offset;
  ++asked.items;
  const Channel& channel = channels_[asked.channel];
  const std::string_view payload = proto::as_text(item.payload);
  if (channel.history) {
    const std::string* was = world_.broker->at(asked.channel, {asked.since.epoch, item.offset});
    if (was == nullptr || *was != payload) world_.fail("an item that was never published there");
  } else if (asked.since.epoch == channel.position.epoch) {
    const auto seen = channel.seen.find(item.offset);
    if (seen != channel.seen.end() && seen->second != payload)
      world_.fail("an item that is not what the link has carried");
  }
}

void Prober::on_end(const proto::HistoryEnd& end) {
  const auto found = asked_.find(end.request);
  if (found == asked_.end()) return world_.fail("an answer that was not asked for");
  if (answering_ != 0 && answering_ != end.request) world_.fail("the end of another answer");
  const Asked asked = found->second;
  asked_.erase(found);
  answering_ = 0;
  cut_ = false;
  const Channel& channel = channels_[asked.channel];
  if (end.top.epoch == channel.position.epoch && end.top.offset < channel.position.offset)
    world_.fail("an answer that ends before what the link has carried");
  if (!end.complete) {
    ++unrecovered_;
    if (asked.items != 0) world_.fail("items of an answer that is not whole");
    return;
  }
  ++recovered_;
  if (end.top.epoch != asked.since.epoch || asked.last != end.top.offset || asked.items > 50)
    world_.fail("an answer that is not whole says that it is");
}

}  // namespace sluice::sim
