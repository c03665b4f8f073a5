#include "relay/gateway_session.h"

#include <algorithm>

#include "common/check.h"
#include "proto/encoder.h"
#include "proto/names.h"
#include "relay/limits.h"
#include "relay/status.h"

namespace sluice::relay {

using proto::ErrorReason;
using proto::FrameType;

namespace {

/// As WELCOME has it: what is longer than it can say is as long as it can say.
std::uint32_t millis_of(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
}

}  // namespace

GatewaySession::GatewaySession(Router& router, SessionHost& host, std::int64_t peer_pid)
    // What is over --max-message-size gets an answer of its own, so the decoder takes all that the
    // format allows.
    : router_(router), host_(host), peer_pid_(peer_pid) {
}

GatewaySession::GatewaySession(Router& router, SessionHost& host, std::int64_t peer_pid,
                               SessionState state)
    : GatewaySession(router, host, peer_pid) {
  tool_ = state.tool;
  resumed_ = state.resumed;
  ending_ = state.ending;
  said_goodbye_ = state.said_goodbye;
  gateway_id_ = std::move(state.gateway_id);
  software_ = std::move(state.software);
  end_text_ = std::move(state.end_text);
  end_reason_ = state.end_reason;
  control_ = std::move(state.control);
  greeting_bytes_ = control_.size();  // what was allowed there
  unsubscribed_.assign(state.unsubscribed.begin(), state.unsubscribed.end());
  decoder_.feed(proto::as_bytes(state.unread));
  if (state.link != 0) {
    gateway_ = router_.adopt(*this, state.link);
    CHECK(gateway_ != nullptr);
  }
}

SessionState GatewaySession::state() const {
  return {.link = gateway_ == nullptr ? 0 : gateway_->link,
          .tool = tool_,
          .resumed = resumed_,
          .ending = ending_,
          .said_goodbye = said_goodbye_,
          .gateway_id = gateway_id_,
          .software = software_,
          .end_text = end_text_.substr(0, proto::kControlBodyBytesMax),
          .end_reason = end_reason_,
          .unread = std::string(proto::as_text(decoder_.buffered())),
          .control = control_,
          .unsubscribed = {unsubscribed_.begin(), unsubscribed_.end()}};
}

GatewaySession::~GatewaySession() {
  if (gateway_ == nullptr) return;
  if (said_goodbye_) {
    router_.end(*gateway_);
  } else {
    router_.detach(*gateway_);
  }
}

// ---- input

void GatewaySession::commit(std::size_t bytes) {
  decoder_.commit(bytes);
  while (!ending_) {
    const auto frame = decoder_.next();
    if (!frame) {
      refuse_link(ErrorReason::kMalformed, frame.error().message);
      return;
    }
    if (!*frame) return;
    handle(**frame);
  }
}

void GatewaySession::handle(const proto::FrameView& frame) {
  if (gateway_ != nullptr) {
    handle_open(frame);
  } else if (frame.header.type == FrameType::kHello) {
    handle_hello(frame);
  } else {
    refuse_link(ErrorReason::kMalformed, "the first frame must be HELLO");
  }
}

template <typename T>
bool GatewaySession::well_formed(const Result<T>& body) {
  if (!body) refuse_link(ErrorReason::kMalformed, body.error().message);
  return body.has_value();
}

void GatewaySession::handle_hello(const proto::FrameView& frame) {
  const auto hello = proto::decode_hello(frame);
  if (!well_formed(hello)) return;
  tool_ = hello->tool;
  if (!admissible(*hello)) return;
  const auto attached = tool_ ? router_.attach_tool(*this, *hello, peer_pid_)
                              : router_.attach(*this, *hello, peer_pid_);
  if (attached) return greet(*hello, *attached);
  const bool in_use = attached.error().code == ErrorCode::kInUse;
  refuse_link(tool_    ? ErrorReason::kTooManyTools
              : in_use ? ErrorReason::kIdInUse
                       : ErrorReason::kNotPermitted,
              attached.error().message);
}

bool GatewaySession::admissible(const proto::Hello& hello) {
  if (tool_ && !hello.gateway_id.empty()) {
    refuse_link(ErrorReason::kBadId, "a tool has no gateway id");
    return false;
  }
  if (!tool_ && !proto::valid_gateway_id(hello.gateway_id)) {
    refuse_link(ErrorReason::kBadId, "a gateway id is 1 to 64 of A-Z a-z 0-9 . _ -");
    return false;
  }
  gateway_id_ = hello.gateway_id;
  software_ = hello.software;
  if (tool_ && hello.resume) {
    refuse_link(ErrorReason::kMalformed, "a tool has nothing to resume");
    return false;
  }
  if (hello.version_min > proto::kVersionMax || hello.version_max < proto::kVersionMin) {
    refuse_link(ErrorReason::kUnsupportedVersion, "this relay speaks versions " +
                                                      std::to_string(proto::kVersionMin) + " to " +
                                                      std::to_string(proto::kVersionMax));
    return false;
  }
  return true;
}

void GatewaySession::greet(const proto::Hello& hello, const Router::Attached& attached) {
  greeting_ = true;
  gateway_ = attached.gateway;
  resumed_ = attached.resumed;
  proto::encode(
      control_,
      proto::Welcome{
          .resumed = resumed_,
          .tells_all = resumed_ && hello.forgotten,
          .version = std::min<std::uint32_t>(hello.version_max, proto::kVersionMax),
          .last_sequence = attached.last_sequence,
          .relay_instance = router_.instance(),
          .payload_bytes_max = static_cast<std::uint32_t>(router_.options().payload_bytes_max),
          .software = "sluice-relay " SLUICE_VERSION,
          .drained = router_.drain_marks().of(gateway_id_),
          .ring_age_ms = millis_of(router_.options().ring.age_max),
          .linger_ms = millis_of(router_.options().linger),
          .features = proto::kFeatureHistory,
      });
  control_grew();
  if (resumed_ && hello.forgotten) {
    router_.greet_forgotten(*gateway_, hello.last_sequence);
  } else {
    router_.greet(*gateway_, hello.last_sequence);
  }
  greeting_ = false;
  greeting_bytes_ = control_.size();
  host_.wake();
}

bool GatewaySession::refuse_reserved(std::uint64_t request, std::string_view channel) {
  // A shared broker keeps other channels' messages under such names: who could name them would get
  // round the rules of those.
  if (!channel.starts_with(proto::kReservedPrefix)) return false;
  if (request != 0)
    refused(request, ErrorReason::kUnknownChannel, "names that begin so are reserved");
  return true;
}

void GatewaySession::handle_open(const proto::FrameView& frame) {
  if (handle_requests(frame)) return;
  switch (frame.header.type) {
    case FrameType::kSubscribe:
      if (const auto body = proto::decode_subscribe(frame); well_formed(body)) {
        if (!refuse_reserved(body->request, body->channel)) router_.subscribe(*gateway_, *body);
      }
      return;
    case FrameType::kUnsubscribe:
      if (const auto body = proto::decode_channel_only(frame); well_formed(body)) {
        router_.unsubscribe(*gateway_, *body);
      }
      return;
    case FrameType::kPublish:
      if (const auto body = proto::decode_publish(frame); well_formed(body)) {
        const std::uint64_t request = body->acknowledge ? body->request : 0;
        if (!refuse_reserved(request, body->channel)) router_.publish(*gateway_, *body);
      }
      return;
    case FrameType::kPing:
      proto::encode_pong(control_, frame.header.sequence);
      return control_grew();
    case FrameType::kPong:
      return;
    case FrameType::kGoodbye:
      if (const auto body = proto::decode_goodbye(frame); well_formed(body)) {
        said_goodbye_ = true;
        ending_ = true;
        end_text_ = (tool_ ? "the tool says goodbye: " : "the gateway says goodbye: ") +
                    std::string(body->text);
        control_.clear();
        host_.wake();
      }
      return;
    case FrameType::kHello:
      return refuse_link(ErrorReason::kMalformed, "a second HELLO");
    case FrameType::kStatus:
      return handle_status(frame);
    case FrameType::kGatewayInfo:
      if (tool_) return refuse_link(ErrorReason::kMalformed, "a frame that only a gateway sends");
      if (const auto body = proto::decode_gateway_info(frame); well_formed(body)) {
        router_.inform(*gateway_, *body);
      }
      return;
    case FrameType::kDrainMark:
      return handle_drain_mark(frame);
    case FrameType::kControl:
      return handle_control(frame);
    default:
      return refuse_link(ErrorReason::kMalformed, "a frame that only a relay sends");
  }
}

bool GatewaySession::handle_requests(const proto::FrameView& frame) {
  const FrameType type = frame.header.type;
  if (type == FrameType::kHistory) {
    const auto body = proto::decode_history(frame);
    if (well_formed(body)) router_.history(*gateway_, *body);
    return true;
  }
  if (type == FrameType::kPresence) {
    const auto body = proto::decode_presence(frame);
    if (well_formed(body)) router_.presence(*gateway_, *body);
    return true;
  }
  const bool set = type == FrameType::kPresenceSet;
  const bool clear = type == FrameType::kPresenceClear;
  if (!set && !clear && type != FrameType::kPresenceSynced) return false;
  if (tool_) {
    refuse_link(ErrorReason::kMalformed, "a frame that only a gateway sends");
  } else if (set) {
    const auto body = proto::decode_presence_set(frame);
    if (well_formed(body)) router_.set_presence(*gateway_, *body);
  } else if (clear) {
    const auto body = proto::decode_presence_clear(frame);
    if (well_formed(body)) router_.clear_presence(*gateway_, *body);
  } else {
    router_.presence_synced(*gateway_);
  }
  return true;
}

void GatewaySession::handle_drain_mark(const proto::FrameView& frame) {
  if (tool_) return refuse_link(ErrorReason::kMalformed, "a frame that only a gateway sends");
  if (const auto body = proto::decode_drain_mark(frame); well_formed(body)) {
    router_.mark_drain(*gateway_, *body);
  }
}

void GatewaySession::handle_control(const proto::FrameView& frame) {
  if (!tool_) return refuse_link(ErrorReason::kMalformed, "a frame that only a tool sends");
  if (const auto body = proto::decode_control(frame); well_formed(body)) {
    router_.control(*gateway_, *body);
  }
}

void GatewaySession::handle_status(const proto::FrameView& frame) {
  if (!tool_) return refuse_link(ErrorReason::kMalformed, "a frame that only a tool sends");
  const auto body = proto::decode_status(frame);
  if (!well_formed(body)) return;
  const std::string json = status_json(router_, body->channels_max);
  proto::encode(control_, proto::StatusReply{body->request, json});
  control_grew();
}

// ---- answers

void GatewaySession::refuse_link(ErrorReason reason, std::string_view text) {
  if (ending_) return;
  proto::encode(control_, proto::ErrorFrame{0, reason, text});
  ending_ = true;
  end_reason_ = reason;
  end_text_ = std::string(proto::to_string(reason)) + ": " + std::string(text);
  host_.wake();
}

void GatewaySession::finish(std::string_view text) {
  finishing_ = true;
  finish_text_ = text;
  host_.wake();
}

void GatewaySession::control_grew() {
  const std::size_t bytes = control_.size() + unsubscribed_.size() * proto::kHeaderBytes;
  if (bytes > kControlBytesMax + greeting_bytes_ && !greeting_ && !ending_) {
    control_.clear();
    unsubscribed_.clear();
    refuse_link(ErrorReason::kOverrun, "answers are not read");
    return;
  }
  host_.wake();
}

void GatewaySession::subscribed(const proto::Subscribed& answer) {
  if (ending_) return;
  proto::encode(control_, answer);
  control_grew();
}

void GatewaySession::unsubscribed(std::uint32_t channel_id, std::uint64_t after_sequence) {
  if (ending_) return;
  unsubscribed_.emplace_back(after_sequence, channel_id);
  control_grew();
}

void GatewaySession::published(std::uint64_t request) {
  if (ending_) return;
  proto::encode_published(control_, request);
  control_grew();
}

void GatewaySession::refused(std::uint64_t request, ErrorReason reason, std::string_view text) {
  if (ending_) return;
  proto::encode(control_, proto::ErrorFrame{request, reason, text});
  control_grew();
}

void GatewaySession::broker_state(bool connected, std::string_view reason) {
  if (ending_) return;
  proto::encode(control_,
                proto::BrokerState{
                    connected ? proto::BrokerLink::kConnected : proto::BrokerLink::kAway, reason});
  control_grew();
}

void GatewaySession::drain_marked(const proto::DrainMark& mark) {
  if (ending_) return;
  proto::encode(control_, mark);
  control_grew();
}

void GatewaySession::control(const proto::Control& control) {
  if (ending_) return;
  proto::encode(control_, control);
  control_grew();
}

void GatewaySession::controlled(std::uint64_t request) {
  if (ending_) return;
  proto::encode_controlled(control_, request);
  control_grew();
}

// ---- output

bool GatewaySession::idle() const {
  if (!control_.empty()) return false;
  if (ending_ || gateway_ == nullptr) return true;
  return unsubscribed_.empty() && !gateway_->index.pending() && !gateway_->requests.ready();
}

bool GatewaySession::fill(OutputBatch& batch) {
  CHECK(batch.empty());
  batch.add_text(control_);
  control_.clear();
  greeting_bytes_ = 0;
  if (gateway_ != nullptr && !ending_ && !greeting_) fill_open(batch);
  if (finishing_ && !ending_ && idle()) {
    proto::encode(batch.text(), proto::Goodbye{proto::GoodbyeReason::kShuttingDown, finish_text_});
    ending_ = true;
    end_text_ = finish_text_;
  }
  return !batch.empty();
}

void GatewaySession::tell_unsubscribed(std::string& out) {
  while (!unsubscribed_.empty() && unsubscribed_.front().first < gateway_->index.cursor()) {
    proto::encode_unsubscribed(out, unsubscribed_.front().second);
    unsubscribed_.pop_front();
  }
}

/// An answer is said in one piece, so that its end is not behind what the link has carried. Between
/// answers both have their half of each batch: neither keeps the other waiting.
void GatewaySession::fill_open(OutputBatch& batch) {
  fill_answers(batch, true);
  if (router_.answering(*gateway_)) return;
  fill_from_index(batch, true);
  fill_answers(batch, false);
  if (!router_.answering(*gateway_)) fill_from_index(batch, false);
}

void GatewaySession::fill_answers(OutputBatch& batch, bool only_current) {
  while (!batch.full() && (!only_current || router_.answering(*gateway_))) {
    router_.take_answer(*gateway_, piece_);
    if (piece_.kind == AnswerPiece::Kind::kNothing) return;
    say(batch, piece_);
  }
}

void GatewaySession::say(OutputBatch& batch, const AnswerPiece& piece) {
  switch (piece.kind) {
    case AnswerPiece::Kind::kNothing:
      return;
    case AnswerPiece::Kind::kPublication:
      if (piece.entry == nullptr) return proto::encode(batch.text(), piece.item);
      return batch.add_publication(proto::encode_history_item_header(piece.item), *piece.entry);
    case AnswerPiece::Kind::kHistoryEnd:
      return proto::encode(batch.text(), piece.history_end);
    case AnswerPiece::Kind::kPerson:
      return proto::encode(batch.text(), piece.person);
    case AnswerPiece::Kind::kPresenceEnd:
      return proto::encode(batch.text(), piece.presence_end);
    case AnswerPiece::Kind::kRefusal:
      return proto::encode(
          batch.text(), proto::ErrorFrame{piece.request, piece.refusal.reason, piece.refusal.text});
  }
}

void GatewaySession::fill_from_index(OutputBatch& batch, bool half) {
  tell_unsubscribed(batch.text());
  const auto enough = [&] { return half ? batch.half_full() : batch.full(); };
  while (gateway_->index.pending() && !enough()) {
    router_.take(*gateway_, outgoing_);
    if (outgoing_.kind == Outgoing::Kind::kMessage) {
      const RingEntry& entry = *outgoing_.entry;
      const proto::Message message{.channel_id = outgoing_.channel_id,
                                   .sequence = outgoing_.sequence,
                                   .offset = entry.position().offset,
                                   .received_micros = wire_micros(entry.arrived()),
                                   .payload = entry.payload(),
                                   .meta = entry.meta(),
                                   .beside = entry.beside()};
      batch.add_message(proto::encode_message_header(message), entry);
    }
    for (const proto::Gap& gap : outgoing_.gaps) proto::encode(batch.text(), gap);
    tell_unsubscribed(batch.text());
  }
}

}  // namespace sluice::relay
