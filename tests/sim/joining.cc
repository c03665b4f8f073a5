#include "tests/sim/joining.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace sluice::sim {

using gateway::ClientSession;
using gateway::ProtocolActions;

namespace {

[[nodiscard]] std::string text_of(proto::Position position) {
  return std::to_string(position.epoch) + "/" + std::to_string(position.offset);
}

[[nodiscard]] std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Takes what stands before `mark` off the front.
[[nodiscard]] std::string_view take(std::string_view& text, char mark) {
  const std::size_t at = std::min(text.find(mark), text.size());
  const std::string_view front = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return front;
}

[[nodiscard]] proto::Position position_of(std::string_view text) {
  const std::uint64_t epoch = number(take(text, '/'));
  return {epoch, number(text)};
}

void say(ClientSession& session, const std::string& text, ProtocolActions& actions) {
  actions.deliver(session, gateway::FrameRun::make(gateway::Opcode::kText, text, {}));
}

[[nodiscard]] JoinState& state_of(const ClientSession& session) {
  return static_cast<JoinState&>(*session.state.protocol);
}

void ask(ClientSession& session, ProtocolActions& actions) {
  JoinState& state = state_of(session);
  state.waiting = actions.join(
      session,
      {.channel = state.channel, .ticket = 1, .since = state.since, .recover_max = 100000});
  if (!state.waiting) say(session, "failed:", actions);
  actions.changed(session);
}

[[nodiscard]] std::string message_text(proto::Position position, proto::Bytes payload) {
  return "m:" + text_of(position) + ":" + std::string(proto::as_text(payload));
}

}  // namespace

// ---- the protocol

gateway::EncodedMessage JoiningProtocol::encode(const gateway::ChannelMessage& message,
                                                std::string& scratch) const {
  scratch = message_text(message.position, message.payload);
  return {gateway::Opcode::kText, scratch, {}};
}

void JoiningProtocol::opened(ClientSession& session, const gateway::UpgradeRequest&,
                             ProtocolActions&) const {
  session.state.protocol = std::make_unique<JoinState>();
}

/// "join LEAVES CHANNEL [EPOCH/OFFSET]", "leave CHANNEL".
void JoiningProtocol::received(ClientSession& session, proto::Bytes payload, bool,
                               ProtocolActions& actions) const {
  std::string_view text = proto::as_text(payload);
  if (take(text, ' ') == "leave") {
    actions.leave(session, text);
    return say(session, "left:", actions);
  }
  JoinState& state = state_of(session);
  state.leaves_at_gaps = take(text, ' ') == "1";
  state.channel = take(text, ' ');
  state.since = text.empty() ? std::nullopt : std::optional(position_of(text));
  ask(session, actions);
}

void JoiningProtocol::gap(ClientSession& session, const gateway::ChannelGap& gap,
                          ProtocolActions& actions) const {
  if (state_of(session).leaves_at_gaps) {
    actions.leave(session, gap.channel);
    return say(session, "left:", actions);
  }
  const bool known = gap.count != proto::kCountUnknown;
  say(session, "gap:" + text_of(gap.position) + ":" + (known ? std::to_string(gap.count) : ""),
      actions);
}

void JoiningProtocol::joined(ClientSession& session, gateway::Ticket, const gateway::Joined& joined,
                             ProtocolActions& actions) const {
  state_of(session).waiting = false;
  const std::string at = text_of(joined.position);
  if (!joined.recovered) return say(session, "began:" + at, actions);
  say(session, "joined:" + at + ":" + std::to_string(joined.publications.size()), actions);
  for (const gateway::PublicationView& one : joined.publications)
    say(session, message_text({joined.position.epoch, one.offset}, one.payload), actions);
}

void JoiningProtocol::request_failed(ClientSession& session, gateway::Ticket, proto::ErrorReason,
                                     ProtocolActions& actions) const {
  state_of(session).waiting = false;
  say(session, "failed:", actions);
  actions.changed(session);
}

void JoiningProtocol::save(const ClientSession& session, std::string& record) const {
  const JoinState& state = state_of(session);
  record = std::string(state.waiting ? "1" : "0") + (state.leaves_at_gaps ? "1" : "0") + " " +
           state.channel + " " + (state.since ? text_of(*state.since) : "");
}

bool JoiningProtocol::restore(ClientSession& session, proto::Bytes record) const {
  std::string_view text = proto::as_text(record);
  auto state = std::make_unique<JoinState>();
  const std::string_view flags = take(text, ' ');
  if (flags.size() != 2) return false;
  state->waiting = flags[0] == '1';
  state->leaves_at_gaps = flags[1] == '1';
  state->channel = take(text, ' ');
  if (!text.empty()) state->since = position_of(text);
  session.state.protocol = std::move(state);
  return true;
}

void JoiningProtocol::resumed(ClientSession& session, ProtocolActions& actions) const {
  if (state_of(session).waiting) ask(session, actions);
}

// ---- a client

std::string JoiningClient::join_command() {
  asked_ = true;
  return std::string("join ") + (leaves_at_gaps_ ? "1" : "0") + " " + channel_ + " " +
         (position_ ? text_of(*position_) : "");
}

std::string JoiningClient::got(std::string_view frame, const std::string& gateway, Ledger& ledger) {
  const std::string_view what = take(frame, ':');
  if (what == "joined") return joined(frame);
  if (what == "began") return began(frame, ledger);
  if (what == "m") return message(frame, gateway, ledger);
  if (what == "gap") return told(frame);
  if (what != "left" && what != "failed") return "a frame that is none: " + std::string(what);
  asked_ = subscribed_ = false;
  return {};
}

std::string JoiningClient::joined(std::string_view rest) {
  if (!asked_) return "an answer to a join that was not asked for";
  const proto::Position top = position_of(take(rest, ':'));
  if (!position_ || position_->epoch != top.epoch || position_->offset + number(rest) != top.offset)
    return "recovered, but not what was missed";
  asked_ = false;
  subscribed_ = true;
  return {};
}

std::string JoiningClient::began(std::string_view rest, const Ledger& ledger) {
  if (!asked_) return "an answer to a join that was not asked for";
  asked_ = false;
  subscribed_ = true;
  position_ = position_of(rest);
  missing_ = 0;
  // It may begin before what it has had: at a gateway that has read less of the relay.
  heard_beside_ = settled_beside_ = 0;
  const auto base = ledger.base.find({channel_, position_->epoch});
  const std::int64_t index =
      base == ledger.base.end() ? 0 : base->second + static_cast<std::int64_t>(position_->offset);
  missing_unknown_ = index <= 0;
  last_index_ = static_cast<std::size_t>(std::max<std::int64_t>(index, 0));
  return {};
}

std::string JoiningClient::message(std::string_view rest, const std::string& gateway,
                                   Ledger& ledger) {
  const proto::Position at = position_of(take(rest, ':'));
  const std::string what = channel_ + " " + text_of(at) + " " + std::string(rest.substr(0, 20));
  if (!subscribed_) return "a message for who is not subscribed: " + what;
  if (at.offset == 0) {
    const auto number = FakeBroker::beside_number(channel_, rest);
    if (!number || at.epoch != position_->epoch) return "beside the history, and is not: " + what;
    const std::string wrong = beside(*number, gateway);
    return wrong.empty() ? wrong : wrong + what;
  }
  const auto log = ledger.log.find(channel_);
  if (log == ledger.log.end()) return "a message that the broker never had: " + what;
  const auto found = std::find(log->second.rbegin(), log->second.rend(), rest);
  if (found == log->second.rend()) return "a message that the broker never had: " + what;
  const auto index = static_cast<std::size_t>(log->second.rend() - found);
  // A gap tells where it goes on.
  if (at.epoch != position_->epoch || at.offset != position_->offset + 1)
    return "messages missing, by position, behind " + text_of(*position_) + ": " + what;
  const auto base = static_cast<std::int64_t>(index) - static_cast<std::int64_t>(at.offset);
  if (ledger.base.emplace(std::pair(channel_, at.epoch), base).first->second != base)
    return "messages missing, offsets and the broker's order do not go side by side: " + what;
  if (last_index_ != 0 && index <= last_index_) return "twice or out of order: " + what;
  if (last_index_ != 0 && !missing_unknown_ &&
      !ledger.broker.may_be_told(channel_, index - last_index_ - 1, missing_))
    return "messages missing, told " + std::to_string(missing_) + ": " + what;
  move_to(at);
  last_index_ = index;
  missing_ = 0;
  missing_unknown_ = false;
  return {};
}

std::string JoiningClient::beside(std::uint64_t number, const std::string& gateway) {
  if (number <= std::exchange(last_beside_[gateway], number)) return "twice or out of order: ";
  if (number <= settled_beside_) return "heard before the position from which it joined: ";
  heard_beside_ = std::max(heard_beside_, number);
  return {};
}

void JoiningClient::move_to(proto::Position position) {
  if (position != position_) settled_beside_ = heard_beside_;
  position_ = position;
}

std::string JoiningClient::told(std::string_view rest) {
  if (!subscribed_) return "a gap for who is not subscribed";
  const proto::Position behind = position_of(take(rest, ':'));
  // One that is told again after a takeover may lie before what it has by now.
  if (behind.epoch != position_->epoch || behind.offset > position_->offset) move_to(behind);
  if (rest.empty()) {
    missing_unknown_ = true;
  } else {
    missing_ += number(rest);
  }
  return {};
}

std::string JoiningClient::last_words(const Ledger& ledger) const {
  if (asked_) return "a join on " + channel_ + " is never answered";
  if (!subscribed_) return {};
  const auto log = ledger.log.find(channel_);
  if (log == ledger.log.end() || last_index_ == log->second.size() || missing_ > 0 ||
      missing_unknown_)
    return {};
  return "the last messages of " + channel_ + " are missing, and nothing was told";
}

}  // namespace sluice::sim
