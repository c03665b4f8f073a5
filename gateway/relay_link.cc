#include "gateway/relay_link.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "gateway/limits.h"
#include "proto/encoder.h"

namespace sluice::gateway {

using proto::ErrorReason;
using proto::FrameType;

namespace {

constexpr std::size_t kSubscribeBytesMax =
    proto::kHeaderBytes + sizeof(std::uint64_t) + proto::kNameFieldBytesMax;
/// Publishes stop above the mark; the last one may have been the largest there is.
constexpr std::size_t kPublishOutputBytesMax =
    kLinkOutputHighBytes + proto::kHeaderBytes + proto::kBodyBytesMax;

}  // namespace

RelayLink::RelayLink(RelayLinkOptions options, RelayLinkEvents& events, const TimeSource& time)
    : options_(std::move(options)),
      events_(events),
      time_(time),
      decoder_(std::make_unique<proto::Decoder>()),
      requests_(events),
      hold_(options_.publish_queue_bytes),
      down_since_(time.now()) {
}

// ---- the Hub's side

void RelayLink::subscribe(std::string_view name, std::uint32_t channel) {
  Channel& added = add_channel(name, channel);
  if (phase_ == Phase::kReady) send_subscribe(added);
}

void RelayLink::ask_again(std::string_view name) {
  const auto found = channels_.find(std::string(name));
  CHECK(found != channels_.end());
  Channel& channel = *found->second;
  // Neither an id nor a question for one, on a link that has asked for all: it was refused.
  if (phase_ == Phase::kReady && !forgotten_ && channel.id == 0 && channel.request == 0)
    send_subscribe(channel);
}

void RelayLink::restore(std::string_view name, std::uint32_t channel, bool earlier_link) {
  CHECK(stats_.connects == 0);
  const auto found = channels_.find(std::string(name));
  Channel& restored = found == channels_.end() ? add_channel(name, channel) : *found->second;
  restored.restored = taken_over_;
  restored.unplaced = restored.unplaced || (taken_over_ && earlier_link);
}

void RelayLink::take_over(std::uint64_t relay_instance, std::uint64_t last_sequence) {
  CHECK(stats_.connects == 0);
  relay_instance_ = relay_instance;
  sequence_ = last_sequence;
  taken_over_ = forgotten_ = relay_instance != 0;
}

RelayLink::Channel& RelayLink::add_channel(std::string_view name, std::uint32_t channel) {
  auto entry = std::make_unique<Channel>();
  entry->name = name;
  entry->hub_channel = channel;
  Channel& added = *entry;
  const bool fresh = channels_.emplace(added.name, std::move(entry)).second;
  CHECK(fresh);
  return added;
}

void RelayLink::unsubscribe(std::string_view name) {
  const auto found = channels_.find(std::string(name));
  CHECK(found != channels_.end());
  Channel& channel = *found->second;
  // An unanswered SUBSCRIBE is undone when its answer finds nobody.
  if (channel.id != 0) {
    by_id_.erase(channel.id);
    leaving_.insert(channel.id);
    if (phase_ == Phase::kReady) proto::encode_unsubscribe(output_, channel.id);
  }
  channels_.erase(found);
}

Enqueue RelayLink::publish(const PublishOrigin& origin, std::string_view channel,
                           proto::Bytes payload, proto::Bytes meta) {
  if (may_write_publish() && hold_.empty()) {
    write_publish(origin, channel, payload, meta, options_.publish_wait);
    return Enqueue::kOk;
  }
  HeldPublish held{origin, std::string(channel), std::string(proto::as_text(payload)),
                   std::string(proto::as_text(meta)), time_.now() + options_.publish_wait};
  const Enqueue verdict = hold_.push(std::move(held));
  if (verdict == Enqueue::kFull) ++stats_.publish_queue_full;
  return verdict;
}

bool RelayLink::may_write_publish() const {
  return phase_ == Phase::kReady && output().size() < kLinkOutputHighBytes &&
         in_flight_.size() < kPublishesInFlightMax;
}

void RelayLink::write_publish(const PublishOrigin& origin, std::string_view channel,
                              proto::Bytes payload, proto::Bytes meta, Duration wait) {
  if (payload.size() > payload_bytes_max_) {
    fail_publish(origin, ErrorReason::kTooLarge);
    return;
  }
  proto::Publish publish;
  publish.request = next_request_++;
  publish.acknowledge = true;
  const auto found = channels_.find(std::string(channel));
  if (found != channels_.end()) publish.channel_id = found->second->id;
  publish.channel = channel;
  publish.wait_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(wait).count());
  publish.payload = payload;
  publish.meta = meta;
  proto::encode(output_, publish);
  in_flight_.emplace(publish.request, origin);
  ++stats_.publishes_out;
}

void RelayLink::flush_hold() {
  expire_hold();
  const TimePoint now = time_.now();
  while (!hold_.empty() && may_write_publish()) {
    const HeldPublish p = hold_.pop();
    write_publish(p.origin, p.channel, proto::as_bytes(p.payload), proto::as_bytes(p.meta),
                  p.deadline - now);
  }
}

void RelayLink::expire_hold() {
  const TimePoint now = time_.now();
  while (hold_.front_expired(now)) {
    const HeldPublish p = hold_.pop();
    fail_publish(p.origin, ErrorReason::kTimedOut);
  }
}

void RelayLink::fail_publish(const PublishOrigin& origin, ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kTimedOut:
      ++stats_.publish_timeouts;
      break;
    case ErrorReason::kQueueFull:
      ++stats_.publish_queue_full;
      break;
    case ErrorReason::kUnknownFate:
      ++stats_.publish_unknown;
      break;
    default:
      ++stats_.publish_refused;
      break;
  }
  events_.publish_failed(origin, reason);
}

RequestId RelayLink::ask(LinkQuestion question) {
  if (!knows_history_) return 0;
  const bool history = question.kind == LinkQuestion::Kind::kHistory ||
                       question.kind == LinkQuestion::Kind::kRecover;
  if (!requests_.add(next_request_, std::move(question), time_.now())) return 0;
  ++(history ? stats_.histories : stats_.presences);
  const RequestId request = next_request_++;
  flush_requests();
  return request;
}

void RelayLink::flush_requests() {
  if (phase_ == Phase::kReady) requests_.ask(output_, output_sent_ + kLinkOutputLowBytes);
}

// ---- the connection's side

void RelayLink::connected() {
  CHECK(phase_ == Phase::kDown);
  decoder_ = std::make_unique<proto::Decoder>();
  output_.clear();
  output_sent_ = 0;
  phase_ = Phase::kAwaitWelcome;
  last_heard_ = last_tick_ = time_.now();
  pinged_ = given_up_ = false;
  told_info_.reset();
  ++stats_.connects;
  proto::encode(output_, proto::Hello{.resume = relay_instance_ != 0,
                                      .forgotten = relay_instance_ != 0 && forgotten_,
                                      .last_sequence = sequence_,
                                      .relay_instance = relay_instance_,
                                      .gateway_id = options_.gateway_id,
                                      .software = "sluice-gateway " SLUICE_VERSION});
}

void RelayLink::disconnected() {
  if (phase_ == Phase::kDown) return;
  const bool was_up = phase_ == Phase::kReady;
  phase_ = Phase::kDown;
  output_.clear();
  output_sent_ = 0;
  requests_.link_lost();
  cut_.clear();  // told again: the relay goes on in front of it
  if (!was_up) return;
  down_since_ = last_heard_;
  ++stats_.losses;
  // Their answers died with the connection.
  auto lost = std::exchange(in_flight_, {});
  for (const auto& [request, origin] : lost) fail_publish(origin, ErrorReason::kUnknownFate);
  events_.link_state(false);
}

void RelayLink::sent(std::size_t bytes) {
  CHECK(bytes <= output().size());
  output_sent_ += bytes;
  stats_.bytes_out += bytes;
  if (output_sent_ == output_.size()) {
    output_.clear();
    output_sent_ = 0;
  } else if (output_sent_ >= kLinkOutputHighBytes) {
    output_.erase(0, output_sent_);
    output_sent_ = 0;
  }
  flush_requests();
  flush_hold();
}

/// What a relay that does not read, or does not answer, makes this side keep.
Result<void> RelayLink::check_bounds() {
  const std::size_t control = kLinkControlBytesMax + leaving_.size() * proto::kHeaderBytes +
                              channels_.size() * kSubscribeBytesMax;
  if (output().size() > kPublishOutputBytesMax + control)
    return fail(ErrorCode::kUnavailable, "the relay asks without reading");
  if (given_up_)
    return fail(ErrorCode::kUnavailable, "the relay does not keep up with who is present");
  if (leaving_.size() > options_.channels_max + kLeavingChannelsMax) {
    relay_instance_ = 0;
    return fail(ErrorCode::kUnavailable, "the relay does not confirm what is given up");
  }
  return {};
}

Result<void> RelayLink::tick() {
  expire_hold();
  requests_.expire(time_.now());
  if (phase_ == Phase::kDown) return {};
  if (auto bounded = check_bounds(); !bounded) return bounded;
  const TimePoint now = time_.now();
  // A process that was stopped must read before it judges: what it has not heard may lie in the
  // socket.
  if (now - std::exchange(last_tick_, now) > kLinkPingAfter) last_heard_ = now;
  if (now - last_heard_ > kLinkSilenceMax)
    return fail(ErrorCode::kUnavailable, "the relay does not answer");
  if (phase_ == Phase::kReady && !pinged_ && now - last_heard_ > kLinkPingAfter) {
    pinged_ = true;
    proto::encode_ping(output_, next_request_++);
  }
  tell_info();
  return {};
}

void RelayLink::tell_info() {
  if (phase_ != Phase::kReady || info_ == told_info_ || output().size() >= kLinkOutputHighBytes)
    return;
  const TimePoint now = time_.now();
  if (told_info_ && now - told_info_at_ < kInfoInterval) return;
  told_info_ = info_;
  told_info_at_ = now;
  proto::encode(output_, *info_);
}

void RelayLink::tell_mark(std::string_view balancer, bool set) {
  const auto found = marks_unanswered_.find(balancer);
  if (found != marks_unanswered_.end()) {
    found->second = set;
  } else if (marks_unanswered_.size() < kMarksUnansweredMax) {
    marks_unanswered_.emplace(balancer, set);
  }
  if (phase_ == Phase::kReady)
    proto::encode(output_, proto::DrainMark{.set = set, .balancer = balancer});
}

void RelayLink::refuse_held() {
  while (!hold_.empty()) fail_publish(hold_.pop().origin, ErrorReason::kTimedOut);
}

void RelayLink::goodbye() {
  if (phase_ == Phase::kReady)
    proto::encode(output_, proto::Goodbye{proto::GoodbyeReason::kShuttingDown, "drained"});
}

Result<void> RelayLink::commit(std::size_t bytes) {
  decoder_->commit(bytes);
  stats_.bytes_in += bytes;
  last_heard_ = time_.now();
  pinged_ = false;
  for (;;) {
    auto frame = decoder_->next();
    if (frame && !*frame) return check_bounds();
    Result<void> handled = frame ? handle(**frame) : tl::make_unexpected(frame.error());
    if (!handled) {
      // Two sides that disagree about the link's state must not resume it: start afresh, from
      // positions.
      if (handled.error().code == ErrorCode::kInvalid) relay_instance_ = 0;
      return handled;
    }
  }
}

Result<void> RelayLink::handle(const proto::FrameView& frame) {
  if (phase_ == Phase::kAwaitWelcome && frame.header.type != FrameType::kWelcome &&
      frame.header.type != FrameType::kError && frame.header.type != FrameType::kGoodbye) {
    return fail(ErrorCode::kInvalid, "the relay spoke before WELCOME");
  }
  switch (frame.header.type) {
    case FrameType::kWelcome:
      return on_welcome(frame);
    case FrameType::kSubscribed:
      return on_subscribed(frame);
    case FrameType::kUnsubscribed:
      return on_unsubscribed(frame);
    case FrameType::kMessage:
      return on_message(frame);
    case FrameType::kGap:
      return on_gap(frame);
    case FrameType::kPublished:
      return on_published(frame);
    case FrameType::kError:
      return on_error(frame);
    case FrameType::kBrokerState:
      return on_broker_state(frame);
    case FrameType::kPing:
      proto::encode_pong(output_, frame.header.sequence);
      return {};
    case FrameType::kPong:
      return {};
    case FrameType::kDrainMark:
      return on_drain_mark(frame);
    case FrameType::kControl:
      return on_control(frame);
    case FrameType::kHistoryItem:
    case FrameType::kHistoryEnd:
    case FrameType::kPresenceItem:
    case FrameType::kPresenceEnd:
      return on_answer(frame);
    case FrameType::kGoodbye: {
      const auto bye = proto::decode_goodbye(frame);
      return fail(ErrorCode::kUnavailable,
                  "the relay says goodbye" + (bye ? ": " + std::string(bye->text) : std::string()));
    }
    default:
      return fail(ErrorCode::kInvalid, "a frame that only a gateway sends");
  }
}

Result<void> RelayLink::on_welcome(const proto::FrameView& frame) {
  const auto welcome = proto::decode_welcome(frame);
  if (!welcome) return tl::make_unexpected(welcome.error());
  if (phase_ != Phase::kAwaitWelcome) return fail(ErrorCode::kInvalid, "a second WELCOME");
  if (welcome->resumed && welcome->relay_instance != relay_instance_) {
    return fail(ErrorCode::kInvalid, "WELCOME resumes another relay's link");
  }
  if (welcome->resumed && forgotten_ && !welcome->tells_all) {
    // Ids and positions would have to be guessed; afresh, each channel tells a gap.
    relay_instance_ = 0;
    return fail(ErrorCode::kUnavailable, "the relay is too old to go on with a new process");
  }
  events_.link_begins(welcome->relay_instance, welcome->last_sequence, welcome->resumed);
  phase_ = Phase::kReady;
  payload_bytes_max_ = welcome->payload_bytes_max;
  if (welcome->resumed) {
    ++stats_.resumes;
    for (const std::uint32_t id : leaving_) proto::encode_unsubscribe(output_, id);
    if (forgotten_) recalled_until_ = welcome->last_sequence;
  } else {
    forget_link_state();
    relay_instance_ = welcome->relay_instance;
    sequence_ = welcome->last_sequence;
  }
  if (!forgotten_) subscribe_missing();
  knows_history_ = (welcome->features & proto::kFeatureHistory) != 0;
  if (!knows_history_) requests_.fail_all(ErrorReason::kRefusedByBroker);
  requests_.link_began(time_.now());
  // Before readiness: who asks next may be owed a `ready`.
  events_.drain_marks(welcome->drained);
  if (welcome->ring_age_ms != 0 || welcome->linger_ms != 0)
    events_.relay_keeps(std::chrono::milliseconds(welcome->ring_age_ms),
                        std::chrono::milliseconds(welcome->linger_ms));
  for (const auto& [balancer, set] : marks_unanswered_)
    proto::encode(output_, proto::DrainMark{.set = set, .balancer = balancer});
  events_.link_state(true);
  flush_requests();
  flush_hold();
  return {};
}

void RelayLink::subscribe_missing() {
  for (auto& [name, channel] : channels_) {
    if (channel->id == 0) send_subscribe(*channel);
  }
}

Result<void> RelayLink::on_drain_mark(const proto::FrameView& frame) {
  const auto mark = proto::decode_drain_mark(frame);
  if (!mark) return tl::make_unexpected(mark.error());
  const auto found = marks_unanswered_.find(mark->balancer);
  // Anything else is the answer to what has been taken back since.
  if (found == marks_unanswered_.end() || found->second != mark->set) return {};
  marks_unanswered_.erase(found);
  if (mark->set) events_.drain_mark_kept(mark->balancer);
  return {};
}

Result<void> RelayLink::on_control(const proto::FrameView& frame) {
  const auto control = proto::decode_control(frame);
  if (!control) return tl::make_unexpected(control.error());
  events_.control(*control);
  return {};
}

void RelayLink::forget_link_state() {
  by_id_.clear();
  leaving_.clear();
  forgotten_ = false;
  recalled_until_ = 0;
  const bool behind = sequence_ < catch_up_top_;
  for (auto& [name, channel] : channels_) {
    channel->id = 0;
    channel->request = 0;
    if (!channel->restored || (channel->position.epoch != 0 && !behind)) continue;
    channel->unplaced = true;
    channel->position = {};
  }
  catch_up_top_ = 0;
}

void RelayLink::send_subscribe(Channel& channel) {
  channel.request = next_request_++;
  proto::encode(output_,
                proto::Subscribe{.request = channel.request,
                                 .from_position = channel.position.epoch != 0 || channel.unplaced,
                                 .position = channel.position,
                                 .channel = channel.name});
}

Result<void> RelayLink::on_subscribed(const proto::FrameView& frame) {
  const auto answer = proto::decode_subscribed(frame);
  if (!answer) return tl::make_unexpected(answer.error());
  // By name, not by request: SUBSCRIBE is idempotent, so every answer for a name gives the same id,
  // and after a resume the relay tells again what may have been lost on the way.
  const auto found = channels_.find(std::string(answer->channel));
  if (found == channels_.end()) {  // given up before the answer came
    if (leaving_.insert(answer->channel_id).second)
      proto::encode_unsubscribe(output_, answer->channel_id);
    return {};
  }
  Channel& channel = *found->second;
  channel.request = 0;
  if (channel.id == answer->channel_id) return {};
  if (leaving_.contains(answer->channel_id))
    return {};  // of an earlier subscription; ours is still to come
  if (channel.id != 0) by_id_.erase(channel.id);
  channel.id = answer->channel_id;
  by_id_[channel.id] = &channel;
  // Unasked, the relay says that something is missing only where it is.
  const bool went_on =
      channel.position.epoch != 0 || channel.unplaced || (channel.restored && answer->request == 0);
  const std::uint32_t hub_channel = channel.hub_channel;
  const ChannelGap gap = break_of(channel, *answer);
  channel.position = answer->start;
  channel.unplaced = false;
  if (went_on && !answer->continuous) events_.channel_gap(hub_channel, gap);
  // Whoever was told may have left, and have been the last.
  if (!by_id_.contains(answer->channel_id)) return {};
  events_.channel_subscribed(hub_channel, answer->start, answer->history);
  return {};
}

ChannelGap RelayLink::break_of(const Channel& channel, const proto::Subscribed& answer) const {
  ChannelGap gap{.channel = answer.channel, .cause = "relay restarted", .position = answer.start};
  if (answer.start.epoch == channel.position.epoch &&
      answer.start.offset >= channel.position.offset) {
    gap.cause = "overrun";
    gap.count = answer.start.offset - channel.position.offset;
  }
  gap.duration_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time_.now() - down_since_).count());
  return gap;
}

Result<void> RelayLink::on_unsubscribed(const proto::FrameView& frame) {
  const auto id = proto::decode_channel_only(frame);
  if (!id) return tl::make_unexpected(id.error());
  leaving_.erase(*id);
  return {};
}

Result<void> RelayLink::on_message(const proto::FrameView& frame) {
  const auto message = proto::decode_message(frame);
  if (!message) return tl::make_unexpected(message.error());
  if (message->sequence != sequence_ + 1) {
    return fail(ErrorCode::kInvalid, "link sequence " + std::to_string(message->sequence) +
                                         " after " + std::to_string(sequence_));
  }
  tell_cut(sequence_);
  ++stats_.messages_in;
  const auto found = by_id_.find(message->channel_id);
  if (found == by_id_.end()) {
    // On its way when the channel was given up. Any other id was never given.
    if (ended_before(message->channel_id)) {
      sequence_ = message->sequence;
      return {};
    }
    return fail(ErrorCode::kInvalid, "a message for channel id " +
                                         std::to_string(message->channel_id) + ", never given");
  }
  Channel& channel = *found->second;
  channel.position.offset = message->offset;
  events_.channel_message(channel.hub_channel, *message);
  sequence_ = message->sequence;
  return {};
}

Result<void> RelayLink::on_gap(const proto::FrameView& frame) {
  const auto gap = proto::decode_gap(frame);
  if (!gap) return tl::make_unexpected(gap.error());
  if (gap->sequence < sequence_)
    return fail(ErrorCode::kInvalid, "the link sequence of a GAP runs backwards");
  if (by_id_.contains(gap->channel_id)) {
    if (cut_.size() >= options_.channels_max + kLeavingChannelsMax)
      return fail(ErrorCode::kInvalid, "a cut of more channels than there are");
    cut_.push_back(*gap);
  } else if (!ended_before(gap->channel_id)) {
    return fail(ErrorCode::kInvalid,
                "a gap for channel id " + std::to_string(gap->channel_id) + ", never given");
  }
  if (gap->sequence > sequence_) tell_cut(gap->sequence);
  return {};
}

/// All at once: who lacks what the cut took, only its end says.
void RelayLink::tell_cut(std::uint64_t through) {
  for (const proto::Gap& gap : std::exchange(cut_, {})) {
    const auto found = by_id_.find(gap.channel_id);
    if (found == by_id_.end()) continue;
    Channel& channel = *found->second;
    channel.position = gap.position;
    events_.channel_gap(channel.hub_channel, ChannelGap{.channel = channel.name,
                                                        .cause = proto::to_string(gap.cause).data(),
                                                        .position = gap.position,
                                                        .count = gap.count,
                                                        .duration_ms = gap.duration_ms,
                                                        .after = sequence_,
                                                        .through = through});
  }
  sequence_ = through;
}

Result<void> RelayLink::on_published(const proto::FrameView& frame) {
  const auto request = proto::decode_sequence_only(frame);
  if (!request) return tl::make_unexpected(request.error());
  const auto found = in_flight_.find(*request);
  if (found == in_flight_.end())
    return fail(ErrorCode::kInvalid, "PUBLISHED for a request never made");
  const PublishOrigin origin = found->second;
  in_flight_.erase(found);
  ++stats_.published;
  events_.published(origin);
  if (!hold_.empty()) flush_hold();
  return {};
}

Result<void> RelayLink::on_error(const proto::FrameView& frame) {
  const auto error = proto::decode_error(frame);
  if (!error) return tl::make_unexpected(error.error());
  if (error->request == 0) {
    const ErrorCode code =
        error->reason == ErrorReason::kIdInUse ? ErrorCode::kInUse : ErrorCode::kPermission;
    return fail(code, "the relay refuses: " + std::string(proto::to_string(error->reason)) + ", " +
                          std::string(error->text));
  }
  if (requests_.take_error(error->request, error->reason)) return {};
  const auto found = in_flight_.find(error->request);
  if (found == in_flight_.end()) return on_subscribe_refused(*error);
  const PublishOrigin origin = found->second;
  in_flight_.erase(found);
  fail_publish(origin, error->reason);
  if (!hold_.empty()) flush_hold();
  return {};
}

Result<void> RelayLink::on_subscribe_refused(const proto::ErrorFrame& error) {
  for (auto& [name, channel] : channels_) {
    if (channel->request != error.request) continue;
    channel->request = 0;
    events_.channel_refused(channel->hub_channel, error.text);
    return {};
  }
  // A channel given up in the meantime; its request is gone with it.
  if (error.request < next_request_) return {};
  return fail(ErrorCode::kInvalid, "ERROR for a request never made");
}

template <typename Part>
Result<void> RelayLink::take_answer(const Result<Part>& part) {
  if (!part) return tl::make_unexpected(part.error());
  if (part->request >= next_request_)
    return fail(ErrorCode::kInvalid, "an answer to a request never made");
  return requests_.take(*part);
}

Result<void> RelayLink::on_answer(const proto::FrameView& frame) {
  switch (frame.header.type) {
    case FrameType::kHistoryItem:
      return take_answer(proto::decode_history_item(frame));
    case FrameType::kHistoryEnd:
      return take_answer(proto::decode_history_end(frame));
    case FrameType::kPresenceItem:
      return take_answer(proto::decode_presence_item(frame));
    default:
      return take_answer(proto::decode_presence_end(frame));
  }
}

Result<void> RelayLink::on_broker_state(const proto::FrameView& frame) {
  const auto state = proto::decode_broker_state(frame);
  if (!state) return tl::make_unexpected(state.error());
  // All subscriptions have been told in front of the first one.
  if (std::exchange(forgotten_, false)) subscribe_missing();
  events_.broker_state(state->state == proto::BrokerLink::kConnected, state->reason);
  return {};
}

}  // namespace sluice::gateway
