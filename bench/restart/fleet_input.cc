// What comes in, and what is made of it.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "bench/fanout/floors/push_parser.h"
#include "bench/fanout/ws_frame.h"
#include "bench/restart/fleet.h"
#include "bench/restart/message.h"

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReadsPerTurn = 8;
constexpr std::size_t kHeadBytesMax = 8192;
constexpr std::string_view kGreeting = "at ";
/// Pulses answered faster are no pause.
constexpr Duration kSlowPulse = 1ms;
constexpr std::size_t kSlowPulsesMax = 200'000;
constexpr double kBackAfter_s = 0.5;

}  // namespace

void Fleet::read(std::uint32_t index) {
  for (std::size_t i = 0; i < kReadsPerTurn; ++i) {
    Client& client = clients_[index];
    if (!client.connection) return;
    switch (client.connection->read()) {
      case Connection::Read::kData:
        on_bytes(index);
        break;
      case Connection::Read::kNothing:
        return;
      case Connection::Read::kEnd:
        ended(index, "end of stream");
        return;
      case Connection::Read::kError:
        ended(index, std::strerror(errno));
        return;
    }
  }
}

/// True: the 101 is complete.
bool Fleet::on_head(std::uint32_t index) {
  Client& client = clients_[index];
  const std::string_view bytes = client.connection->unread();
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (bytes.size() > kHeadBytesMax) ended(index, "endless head");
    return false;
  }
  if (bytes.rfind("HTTP/1.1 101", 0) != 0) {
    ended(index, std::string(bytes.substr(0, bytes.find('\r'))));
    return false;
  }
  client.connection->consume(end + 4);
  opened(index);
  return true;
}

void Fleet::on_bytes(std::uint32_t index) {
  Client& client = clients_[index];
  if (client.state == State::kConnecting && !on_head(index)) return;
  while (client.connection) {
    const fanout::ServerFrame frame = fanout::next_frame(client.connection->unread());
    if (frame.state == fanout::ServerFrame::State::kPartial) return;
    if (frame.state == fanout::ServerFrame::State::kBroken) {
      fault(FaultKind::kCorrupt, client, client.check.last() + 1, now());
      ended(index, "not a frame that a server may send");
      return;
    }
    client.connection->consume(frame.size);
    switch (frame.opcode) {
      case fanout::kText:
      case fanout::kBinary:
        on_message(index, frame.payload);
        break;
      case fanout::kPong:
        on_pong(client, frame.payload);
        break;
      case fanout::kPing:
        ++totals_.pinged;
        client.connection->queue(
            {{test::client_frame(test::WsOpcode::kPong, frame.payload), {}, 0}}, now());
        flush(index);
        break;
      case fanout::kClose:
        on_close(index, frame.payload);
        break;
      default:
        fault(FaultKind::kCorrupt, client, client.check.last() + 1, now());
        ended(index, "an opcode that does not exist");
        return;
    }
  }
}

void Fleet::on_message(std::uint32_t index, std::string_view text) {
  Client& client = clients_[index];
  if (client.gateway.empty() && text.starts_with(kGreeting)) {
    client.gateway = text.substr(kGreeting.size());
    return;
  }
  ++totals_.received;
  switch (client.who) {
    case Who::kSpeaker:
      on_own(client, text);
      return;
    case Who::kPulse:
      fault(FaultKind::kCorrupt, client, 0, now());  // nobody publishes there
      return;
    default:
      on_down(client, text);
  }
}

void Fleet::on_down(Client& client, std::string_view text) {
  const std::uint32_t expected = client.check.last() + 1;
  const TimePoint at = now();
  // The usual one is compared with what was published, and not looked into.
  if (expected == 1 || expected > published_ || published_ - expected >= kKept ||
      text != kept_.at(expected % kKept)) {
    const auto message = parse_message(text);
    if (!message || message->source != kDownSource || message->serial > published_ ||
        message->serial == 0 || text.size() != down_bytes(message->serial)) {
      fault(FaultKind::kCorrupt, client, expected, at);
      return;
    }
    arrived(client, message->serial);
  } else {
    arrived(client, expected);
  }
  if (client.manner == Manner::kSlow) return;
  const TimePoint published = published_at_[client.check.last() - 1];
  latency_.add(at_s(at), static_cast<std::uint64_t>((at - published).count()));
  if (client.check.last() > heard_) {
    heard_ = client.check.last();
    view_.heard_s = at_s(published);
  }
}

void Fleet::on_own(Client& client, std::string_view text) {
  const auto message = parse_message(text);
  if (!message || message->source != client.number || message->serial == 0 ||
      message->serial > client.sent.size()) {
    fault(FaultKind::kCorrupt, client, client.check.last() + 1, now());
    return;
  }
  ++totals_.heard_up;
  arrived(client, message->serial);
}

void Fleet::on_pong(Client& client, std::string_view payload) {
  const TimePoint at = now();
  const auto answers = [payload](const Ping& ping) { return ping.payload == payload; };
  const auto found = std::find_if(client.pings.begin(), client.pings.end(), answers);
  if (client.pings.empty() || found != client.pings.begin()) {
    fault(FaultKind::kPong, client, client.next_ping, at);
    if (client.pings.empty()) return;
    // Passed over, or answered with something else: neither is waited for any more.
    if (found == client.pings.end()) {
      client.pings.pop_front();
      return;
    }
    client.pings.erase(client.pings.begin(), found);
  }
  ++totals_.pongs;
  const Ping answered = std::move(client.pings.front());
  client.pings.pop_front();
  if (client.who != Who::kPulse) return;
  const double sent_s = at_s(answered.at);
  const Duration waited = at - answered.at;
  if (waited >= kSlowPulse) {
    const std::lock_guard lock(pulses_mutex_);
    if (slow_pulses_.size() == kSlowPulsesMax) slow_pulses_.pop_front();
    slow_pulses_.push_back(
        {client.number, sent_s, std::chrono::duration<double, std::milli>(waited).count()});
  }
  // Last: who sees this looks for the others.
  last_pulses_.at(client.number) = sent_s;
}

void Fleet::on_close(std::uint32_t index, std::string_view payload) {
  Client& client = clients_[index];
  constexpr int kNoCode = 1005;
  client.close_code = kNoCode;
  if (payload.size() >= 2) {
    client.close_code =
        static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
    client.close_reason = payload.substr(2);
  }
  if (client.state != State::kOpen) return;
  client.state = State::kTold;
  client.connection->queue(
      {{test::client_frame(test::WsOpcode::kClose, payload.substr(0, 2)), {}, 0}}, now());
  flush(index);
}

void Fleet::ended(std::uint32_t index, const std::string& how) {
  Client& client = clients_[index];
  const TimePoint at = now();
  const State state = std::exchange(client.state, State::kAway);
  client.connection.reset();
  ++client.life;
  if (state == State::kConnecting) {
    failed_upgrades_.push_back({at_s(client.began), at_s(at), how});
    ++view_.failed;
  } else {
    const bool wanted = state == State::kLeaving && client.close_code == 1000;
    if (stays(client)) --view_.open;
    close_stream(client, false);
    if (!wanted) {
      disconnects_.push_back({at_s(at), client.who, client.number, client.gateway,
                              name_of(client.manner), client.close_code,
                              client.close_code == 0 ? how : client.close_reason});
      ++view_.disconnects;
    }
  }
  client.gateway.clear();
  if (stays(client)) {
    plan_at(at + around(kBackAfter_s), index, Act::kConnect);
  } else {
    gone_newcomers_.push_back(index);
  }
}

void Fleet::hear_witness() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(witness_->fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) throw test::HarnessError("Redis has cut the witness off");
  witness_in_.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t at = 0;
  while (true) {
    const fanout::Push push = fanout::next_push(std::string_view(witness_in_).substr(at));
    if (push.state == fanout::Push::State::kPartial) break;
    if (push.state == fanout::Push::State::kBroken)
      throw test::HarnessError("the witness can't read what Redis says");
    if (push.is_message) on_carried(push.channel, push.payload);
    at += push.size;
  }
  witness_in_.erase(0, at);
}

void Fleet::on_carried(std::string_view channel, std::string_view text) {
  const auto message = parse_message(text);
  const std::string wanted = message ? "up" + std::to_string(message->source) : "";
  if (!message || channel != wanted || message->source == 0 || message->source > plan_.speakers) {
    throw test::HarnessError("Redis carried what no speaker said, on " + std::string(channel));
  }
  Client& client = clients_[first_speaker_ + message->source - 1];
  if (message->serial == 0 || message->serial > client.sent.size())
    throw test::HarnessError("Redis carried what was not said yet");
  Sent& sent = client.sent[message->serial - 1];
  if (sent.carried) {
    ++totals_.published_twice;
    return;
  }
  sent.carried = true;
  ++totals_.carried_up;
  if (client.carried.arrived(message->serial) == Arrival::kLate) ++totals_.published_misordered;
}

}  // namespace sluice::restart
