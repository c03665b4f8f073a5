#include "tests/process/support/centrifuge_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sluice::test {
namespace {

using centrifuge::Command;
using centrifuge::Reply;
using State = CentrifugeMember::State;
using Stream = CentrifugeStream::State;

constexpr std::size_t kReadFramesMax = 512;
constexpr std::size_t kReadFrameBytesMax = 4096;
/// How often pauses are looked at that may be over.
constexpr auto kLookEvery = 5ms;
/// Those of the JavaScript SDK.
constexpr Millis kPauseMin = 500ms;
constexpr Millis kPauseMax = 20s;
constexpr std::uint32_t kTokenExpired = 109;
constexpr std::uint32_t kResubscribeFrom = 2500;

/// What an SDK comes back from.
bool may_come_back(int code) {
  if (code == 1009) return false;
  return code < 3500 || (code >= 4000 && code < 4500) || code >= 5000;
}

bool may_ask_again(const centrifuge::Error& error) {
  return error.temporary() || error.code() < 100 || error.code() == kTokenExpired;
}

constexpr std::string_view kNumberKey = R"({"n":)";

}  // namespace

std::string numbered_data(std::uint64_t number, std::size_t fill) {
  std::string data(kNumberKey);
  data += std::to_string(number);
  if (fill > 0) data.append(R"(,"fill":")").append(fill, 'x').append(1, '"');
  return data + "}";
}

std::optional<std::uint64_t> data_number(std::string_view data) {
  if (!data.starts_with(kNumberKey)) return std::nullopt;
  std::uint64_t number = 0;
  const char* first = data.data() + kNumberKey.size();
  if (std::from_chars(first, data.data() + data.size(), number).ptr == first) return std::nullopt;
  return number;
}

std::ostream& operator<<(std::ostream& out, const CentrifugeFaults& faults) {
  return out << "missing " << faults.missing << ", repeated " << faults.repeated << ", misnumbered "
             << faults.misnumbered << ", early " << faults.early << ", foreign " << faults.foreign
             << ", unasked " << faults.unasked;
}

CentrifugeFleet::CentrifugeFleet(std::uint32_t seed) : random_(seed) {
  swarm_.observe(*this);
}

std::size_t CentrifugeFleet::add(const CentrifugeOptions& options) {
  members_.push_back(std::make_unique<Line>());
  members_.back()->options = options;
  dial(members_.size() - 1);
  return members_.size() - 1;
}

std::size_t CentrifugeFleet::connect(const CentrifugeOptions& options, std::size_t count,
                                     Millis wait) {
  constexpr std::size_t kAtOnce = 200;
  const std::size_t first = size();
  const Deadline deadline = Deadline::in(wait);
  while (size() < first + count) {
    const std::size_t from = size();
    for (std::size_t n = std::min(kAtOnce, first + count - size()); n > 0; --n) add(options);
    const auto connected = [this, from] {
      return std::all_of(members_.begin() + static_cast<std::ptrdiff_t>(from), members_.end(),
                         [](const auto& line) { return line->state == State::kConnected; });
    };
    if (!run_until(Millis(deadline.left_ms()), connected))
      throw HarnessError("not every Centrifuge client was connected; close " +
                         std::to_string(members_[from]->close_code) + ", error " +
                         std::to_string(members_[from]->error.code()));
  }
  return first;
}

void CentrifugeFleet::dial(std::size_t index) {
  Line& line = *members_[index];
  line.state = State::kConnecting;
  line.due.reset();
  UpgradeRequest request;
  request.path = line.options.path;
  request.headers = line.options.headers;
  request.headers.emplace("Sec-WebSocket-Protocol", subprotocol(line.options.encoding));
  request.before = line.options.before;
  try {
    line.socket = swarm_.dial(line.options.to, upgrade_bytes(request));
  } catch (const std::exception&) {  // nobody listens
    went(line);
    return;
  }
  by_socket_[line.socket] = index;
}

void CentrifugeFleet::opened(std::size_t socket) {
  Line& line = *members_[by_socket_.at(socket)];
  line.last_id = 0;
  line.asked.clear();
  Command command;
  auto& connect = *command.mutable_connect();
  connect.set_token(line.options.token);
  connect.set_data(line.options.data);
  connect.set_name("harness");
  for (const auto& [channel, stream] : line.streams) {
    if (!stream.server_side || !stream.recoverable) continue;
    auto& from = (*connect.mutable_subs())[channel];
    from.set_recover(true);
    from.set_epoch(stream.epoch);
    from.set_offset(stream.offset);
  }
  // As the SDK in JavaScript: subscriptions do not wait for the answer.
  std::string frame;
  ask(line, std::move(command), {.what = Asked::What::kConnect}, frame);
  for (const auto& [channel, stream] : line.streams) {
    if (!stream.server_side && stream.state != Stream::kUnsubscribed)
      ask_subscribe(line, channel, frame);
  }
  write(line, frame);
}

std::uint32_t CentrifugeFleet::ask(Line& line, Command command, Asked asked, std::string& frame) {
  if (!command.has_send()) {
    command.set_id(++line.last_id);
    line.asked[command.id()] = std::move(asked);
  }
  append_command(line.options.encoding, command, frame);
  return command.id();
}

void CentrifugeFleet::ask_subscribe(Line& line, const std::string& channel, std::string& frame) {
  CentrifugeStream& stream = line.streams.at(channel);
  stream.state = Stream::kSubscribing;
  Command command;
  auto& subscribe = *command.mutable_subscribe();
  subscribe.set_channel(channel);
  subscribe.set_token(stream.asked.token);
  subscribe.set_data(stream.asked.data);
  subscribe.set_positioned(stream.asked.positioned);
  subscribe.set_recoverable(stream.asked.recoverable);
  subscribe.set_join_leave(stream.asked.join_leave);
  subscribe.set_flag(1);
  if (stream.recoverable) {
    subscribe.set_recover(true);
    subscribe.set_epoch(stream.epoch);
    subscribe.set_offset(stream.offset);
  } else if (stream.asked.recover && stream.subscribed_times == 0) {
    subscribe.set_recover(true);
    subscribe.set_epoch(stream.asked.epoch);
    subscribe.set_offset(stream.asked.offset);
  }
  ask(line, std::move(command), {.what = Asked::What::kSubscribe, .channel = channel}, frame);
}

void CentrifugeFleet::subscribe(std::size_t index, const std::string& channel,
                                const CentrifugeSubscribe& subscribe) {
  Line& line = *members_[index];
  CentrifugeStream& stream = line.streams[channel];
  stream.asked = subscribe;
  stream.state = Stream::kSubscribing;
  if (line.state != State::kConnected) {
    if (line.asked.empty()) return;  // it goes out with the connect
  }
  std::string frame;
  ask_subscribe(line, channel, frame);
  write(line, frame);
}

void CentrifugeFleet::unsubscribe(std::size_t index, const std::string& channel) {
  Line& line = *members_[index];
  line.streams.at(channel).state = Stream::kUnsubscribed;
  line.resubscribe.erase(channel);
  if (line.state != State::kConnected) return;
  Command command;
  command.mutable_unsubscribe()->set_channel(channel);
  (void)call(index, command);
}

std::uint32_t CentrifugeFleet::send(std::size_t index, Command command) {
  std::string frame;
  const std::uint32_t id = ask(*members_[index], std::move(command), {}, frame);
  write(*members_[index], frame);
  return id;
}

Reply CentrifugeFleet::call(std::size_t index, const Command& command, Millis wait) {
  Line& line = *members_[index];
  const std::uint32_t id = send(index, command);
  line.asked.at(id).kept = true;
  const std::uint64_t connects = line.connects;
  const bool done = run_until(wait, [&] {
    return line.kept.contains(id) || line.state != State::kConnected || line.connects != connects;
  });
  const auto found = line.kept.find(id);
  if (found == line.kept.end())
    throw HarnessError(done ? "the connection ended before the reply: " +
                                  std::to_string(line.close_code) + " " + line.close_reason
                            : "no reply in time");
  Reply reply = std::move(found->second);
  line.kept.erase(found);
  return reply;
}

Reply CentrifugeFleet::publish(std::size_t index, const std::string& channel,
                               const std::string& data) {
  Command command;
  command.mutable_publish()->set_channel(channel);
  command.mutable_publish()->set_data(data);
  return call(index, command);
}

void CentrifugeFleet::send_frame(std::size_t index, std::string_view payload) {
  write(*members_[index], payload);
}

void CentrifugeFleet::write(const Line& line, std::string_view payload) {
  const auto opcode =
      line.options.encoding == CentrifugeEncoding::kJson ? WsOpcode::kText : WsOpcode::kBinary;
  swarm_.send_raw(line.socket, client_frame(opcode, payload));
}

void CentrifugeFleet::cut(std::size_t index) {
  Line& line = *members_[index];
  if (line.state != State::kConnected && line.state != State::kConnecting) return;
  const std::size_t socket = line.socket;
  swarm_.drop(socket);
  ended(socket);
}

void CentrifugeFleet::disconnect(std::size_t index) {
  Line& line = *members_[index];
  line.stay_away = true;
  line.due.reset();
  if (line.state == State::kWaiting) line.state = State::kEnded;
  if (line.state == State::kConnected || line.state == State::kConnecting)
    swarm_.send_close(line.socket, 1000);
}

void CentrifugeFleet::ended(std::size_t socket) {
  Line& line = *members_[by_socket_.at(socket)];
  const SwarmClient& client = swarm_.client(socket);
  line.close_code = client.close_code;
  line.close_reason = client.close_reason;
  by_socket_.erase(socket);
  swarm_.give_back(socket);
  went(line);
}

void CentrifugeFleet::went(Line& line) {
  line.asked.clear();
  line.resubscribe.clear();
  for (auto& [channel, stream] : line.streams) {
    if (stream.state == Stream::kSubscribed) stream.state = Stream::kSubscribing;
  }
  const bool back = line.options.reconnect && !line.stay_away && may_come_back(line.close_code) &&
                    (line.error.code() == 0 || may_ask_again(line.error));
  line.state = back ? State::kWaiting : State::kEnded;
  if (back) line.due = SteadyClock::now() + pause(line.attempts++);
}

Millis CentrifugeFleet::pause(std::uint32_t attempts) {
  const auto span = kPauseMin.count() << std::min<std::uint32_t>(attempts, 10);
  std::uniform_int_distribution<Millis::rep> jitter(0, span);
  return std::min(kPauseMax, kPauseMin + Millis(jitter(random_)));
}

CentrifugeFleet::Frame CentrifugeFleet::read(CentrifugeEncoding encoding, const std::string& text) {
  auto& had = read_[static_cast<std::size_t>(encoding)];
  if (const auto found = had.find(text); found != had.end()) return found->second;
  auto frame = std::make_shared<const std::vector<Reply>>(read_replies(encoding, text));
  if (text.size() > kReadFrameBytesMax) return frame;
  if (had.size() >= kReadFramesMax) had.clear();
  return had.emplace(text, std::move(frame)).first->second;
}

void CentrifugeFleet::message(std::size_t socket, const std::string& text) {
  Line& line = *members_[by_socket_.at(socket)];
  const Frame frame = read(line.options.encoding, text);
  for (const Reply& reply : *frame) on_reply(line, reply);
}

void CentrifugeFleet::on_reply(Line& line, const Reply& reply) {
  if (reply.id() == 0) {
    if (reply.has_push()) {
      on_push(line, reply.push());
      return;
    }
    ++line.pings;
    std::string pong;
    append_command(line.options.encoding, Command(), pong);
    if (line.options.answer_pings && line.connected.pong()) write(line, pong);
    return;
  }
  const auto found = line.asked.find(reply.id());
  if (found == line.asked.end()) {
    ++faults_.unasked;
    return;
  }
  const Asked asked = std::move(found->second);
  line.asked.erase(found);
  if (asked.what == Asked::What::kConnect) on_connect(line, reply);
  if (asked.what == Asked::What::kSubscribe) on_subscribe(line, asked.channel, reply);
  if (asked.kept) line.kept[reply.id()] = reply;
}

void CentrifugeFleet::on_connect(Line& line, const Reply& reply) {
  line.error = reply.error();
  if (reply.has_error()) {
    // The connection is of no use any more; an SDK ends it.
    swarm_.send_close(line.socket, 1000);
    return;
  }
  line.connected = reply.connect();
  line.client = line.connected.client();
  line.state = State::kConnected;
  line.attempts = 0;
  ++line.connects;
  for (auto& [channel, stream] : line.streams) {
    if (stream.server_side && !line.connected.subs().contains(channel))
      stream.state = Stream::kUnsubscribed;
  }
  for (const auto& [channel, result] : line.connected.subs()) {
    CentrifugeStream& stream = line.streams[channel];
    stream.server_side = true;
    on_subscribed(stream, result);
  }
}

void CentrifugeFleet::on_subscribe(Line& line, const std::string& channel, const Reply& reply) {
  CentrifugeStream& stream = line.streams.at(channel);
  if (stream.state != Stream::kSubscribing) return;  // left in the meantime
  stream.error = reply.error();
  if (!reply.has_error()) {
    on_subscribed(stream, reply.subscribe());
  } else if (may_ask_again(reply.error())) {
    line.resubscribe[channel] = SteadyClock::now() + pause(0);
  } else {
    stream.state = Stream::kUnsubscribed;
  }
}

void CentrifugeFleet::on_subscribed(CentrifugeStream& stream,
                                    const centrifuge::SubscribeResult& result) {
  stream.state = Stream::kSubscribed;
  stream.recoverable = result.recoverable();
  stream.positioned = result.positioned() || result.recoverable();
  stream.epoch = result.epoch();
  stream.offset = result.offset();
  ++stream.subscribed_times;
  if (result.recovered()) ++stream.recovered_times;
  if (result.was_recovering() && !result.recovered()) ++stream.failed_recoveries;
  if (!result.recovered()) stream.last_number = 0;  // nobody says that nothing is missing
  for (const auto& publication : result.publications()) on_publication(stream, publication);
}

void CentrifugeFleet::on_push(Line& line, const centrifuge::Push& push) {
  if (line.options.keep_pushes) line.pushes.push_back(push);
  if (push.has_subscribe()) {
    CentrifugeStream& stream = line.streams[push.channel()];
    stream.server_side = true;
    stream.state = Stream::kSubscribed;
    stream.recoverable = push.subscribe().recoverable();
    stream.positioned = push.subscribe().positioned() || stream.recoverable;
    stream.epoch = push.subscribe().epoch();
    stream.offset = push.subscribe().offset();
    ++stream.subscribed_times;
    return;
  }
  if (push.channel().empty()) return;
  const auto found = line.streams.find(push.channel());
  if (found == line.streams.end()) {
    ++faults_.foreign;
    return;
  }
  CentrifugeStream& stream = found->second;
  if (push.has_unsubscribe()) on_unsubscribe(line, stream, push);
  if (push.has_join()) ++stream.joins;
  if (push.has_leave()) ++stream.leaves;
  if (!push.has_pub()) return;
  // What was on its way when the client left comes before the answer to that.
  if (stream.state == Stream::kSubscribing) ++faults_.early;
  if (stream.state == Stream::kSubscribed) on_publication(stream, push.pub());
}

void CentrifugeFleet::on_publication(CentrifugeStream& stream,
                                     const centrifuge::Publication& publication) {
  ++stream.received;
  ++received_;
  if (stream.positioned && publication.offset() == 0) {
    ++stream.beside;
    return;
  }
  if (stream.positioned) {
    if (publication.offset() <= stream.offset) ++faults_.repeated;
    if (publication.offset() > stream.offset + 1)
      faults_.missing += publication.offset() - stream.offset - 1;
  }
  stream.offset = std::max<std::uint64_t>(stream.offset, publication.offset());
  const auto number = data_number(publication.data());
  if (!number) return;
  if (stream.first_number == 0) stream.first_number = *number;
  const std::uint64_t last = std::exchange(stream.last_number, *number);
  if (last != 0 && *number != last + 1) ++faults_.misnumbered;
}

void CentrifugeFleet::on_unsubscribe(Line& line, CentrifugeStream& stream,
                                     const centrifuge::Push& push) {
  stream.unsubscribe_code = push.unsubscribe().code();
  if (stream.server_side || stream.unsubscribe_code < kResubscribeFrom) {
    stream.state = Stream::kUnsubscribed;
    return;
  }
  std::string frame;
  ask_subscribe(line, push.channel(), frame);
  write(line, frame);
}

void CentrifugeFleet::serve_due() {
  const auto now = SteadyClock::now();
  if (now - looked_ < kLookEvery) return;
  looked_ = now;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Line& line = *members_[i];
    if (line.due && *line.due <= now) dial(i);
    if (line.state != State::kConnected) continue;
    std::string frame;
    for (auto at = line.resubscribe.begin(); at != line.resubscribe.end();) {
      if (at->second > now) {
        ++at;
        continue;
      }
      ask_subscribe(line, at->first, frame);
      at = line.resubscribe.erase(at);
    }
    if (!frame.empty()) write(line, frame);
  }
}

bool CentrifugeFleet::run_until(Millis wait, const std::function<bool()>& done) {
  const Deadline deadline = Deadline::in(wait);
  while (!done()) {
    if (deadline.passed()) return false;
    swarm_.serve(std::min<int>(deadline.left_ms(), kLookEvery.count()));
    serve_due();
  }
  return true;
}

void CentrifugeFleet::run_for(Millis span) {
  (void)run_until(span, [] { return false; });
}

bool CentrifugeFleet::all_connected() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& line) { return line->state == State::kConnected; });
}

bool CentrifugeFleet::all_subscribed(std::size_t from, std::size_t to) const {
  for (std::size_t i = from; i < to; ++i) {
    for (const auto& [channel, stream] : members_[i]->streams) {
      if (stream.state == Stream::kSubscribing) return false;
    }
  }
  return true;
}

bool CentrifugeFleet::all_reached(const std::string& channel, std::uint64_t number) const {
  return std::all_of(members_.begin(), members_.end(), [&](const auto& line) {
    const auto found = line->streams.find(channel);
    return found == line->streams.end() || found->second.last_number >= number;
  });
}

const CentrifugeStream& CentrifugeFleet::stream(std::size_t index,
                                                const std::string& channel) const {
  return members_[index]->streams.at(channel);
}

}  // namespace sluice::test
