// `sluice channels`, `presence`, `history` and `disconnect`: ask the relay, or the gateways of all
// hosts by way of its control channel.
#include <algorithm>
#include <string>
#include <vector>

#include "common/random.h"
#include "ctl/channel_views.h"
#include "ctl/commands.h"
#include "ctl/relay_client.h"
#include "ctl/text.h"
#include "proto/encoder.h"
#include "proto/names.h"

namespace sluice::ctl {
namespace {

using proto::FrameType;

/// For the gateways of all hosts: who is slower counts as not there.
constexpr Duration kSurveyWait = std::chrono::seconds(1);
constexpr std::uint32_t kSurveyChannelsMax = 3000;
/// How long a command may wait for the broker.
constexpr std::uint32_t kCommandWaitMs = 3000;
/// Of a payload shown on a terminal.
constexpr std::size_t kTerminalTextBytesMax = 512;

const Failure& interrupted() {
  static const Failure kFailure{ExitCode::kFailed, "interrupted", {}};
  return kFailure;
}

ListStyle style_of(const Console& console) {
  return {.width = console.is_terminal() ? Console::size().columns : 0,
          .colours = console.colours(),
          .text_bytes_max = console.is_terminal() ? kTerminalTextBytesMax : 0};
}

ExitCode write_lines(Console& console, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return console.write(text) ? ExitCode::kOk : console.exit_code();
}

ExitCode write_text(Console& console, const std::string& text) {
  return console.write(text) ? ExitCode::kOk : console.exit_code();
}

Outcome<void> send_command(RelayClient& client, const envelope::ControlCommand& command) {
  const std::string payload = command.SerializeAsString();
  proto::Publish publish;
  publish.channel = proto::kControlChannel;
  publish.wait_ms = kCommandWaitMs;
  publish.payload = proto::as_bytes(payload);
  return client.publish(publish, interrupted());
}

/// Asks all gateways and gathers what they say within the time.
class ChannelSurvey {
 public:
  ChannelSurvey(RelayClient& client, std::string pattern)
      : client_(client), pattern_(std::move(pattern)) {
    SystemRandom random;
    id_ = random.next();
    reply_channel_ = proto::reply_channel("tool-" + std::to_string(random.next()));
  }

  Outcome<ChannelList> run() {
    if (auto heard = listen(); !heard) return tl::make_unexpected(heard.error());
    if (auto asked = ask(); !asked) return tl::make_unexpected(asked.error());
    const TimePoint deadline = SteadyTime().now() + kSurveyWait;
    for (;;) {
      const auto received = client_.next(std::max(deadline - SteadyTime().now(), Duration::zero()));
      if (!received) return tl::make_unexpected(received.error());
      if (received->wake == Wake::kTimeout) return std::move(list_);
      if (received->wake == Wake::kResized) continue;
      if (received->wake != Wake::kReady) return tl::make_unexpected(interrupted());
      if (received->frame.header.type == FrameType::kMessage) take(received->frame);
      // Frames that never end do not keep us.
      if (SteadyTime().now() >= deadline) return std::move(list_);
    }
  }

 private:
  Outcome<void> listen() {
    std::string request;
    const std::uint64_t id = client_.new_request();
    proto::Subscribe subscribe;
    subscribe.request = id;
    subscribe.channel = reply_channel_;
    proto::encode(request, subscribe);
    if (auto sent = client_.send(request); !sent) return sent;
    const TimePoint deadline = SteadyTime().now() + kAnswerWait;
    for (;;) {
      const auto received = client_.next(std::max(deadline - SteadyTime().now(), Duration::zero()));
      if (!received) return tl::make_unexpected(received.error());
      if (received->wake == Wake::kTimeout)
        return failure(ExitCode::kRefused, "the broker does not confirm a subscription",
                       "sluice status shows whether it is away");
      if (received->wake == Wake::kResized) continue;
      if (received->wake != Wake::kReady) return tl::make_unexpected(interrupted());
      const proto::Header& header = received->frame.header;
      if (header.type == FrameType::kSubscribed && header.sequence == id) return {};
      if (header.type == FrameType::kError && header.sequence == id) {
        const auto error = proto::decode_error(received->frame);
        return failure(ExitCode::kRefused,
                       error ? std::string(error->text) : error.error().message);
      }
    }
  }

  Outcome<void> ask() {
    envelope::ControlCommand command;
    command.set_node("sluice");
    auto& survey = *command.mutable_survey();
    survey.set_id(id_);
    survey.set_reply_to(reply_channel_);
    survey.set_what(envelope::ControlCommand::Survey::CHANNELS);
    survey.set_pattern(pattern_);
    survey.set_limit(kSurveyChannelsMax);
    const std::string payload = command.SerializeAsString();
    // Not acknowledged: the answers may come before the relay's.
    std::string request;
    proto::Publish publish;
    publish.request = client_.new_request();
    publish.channel = proto::kControlChannel;
    publish.wait_ms = kCommandWaitMs;
    publish.payload = proto::as_bytes(payload);
    proto::encode(request, publish);
    return client_.send(request);
  }

  void take(const proto::FrameView& frame) {
    const auto message = proto::decode_message(frame);
    envelope::SurveyReply reply;
    if (message &&
        reply.ParseFromArray(message->payload.data(), static_cast<int>(message->payload.size())) &&
        reply.id() == id_)
      add(list_, reply);
  }

  RelayClient& client_;
  const std::string pattern_;
  std::uint64_t id_ = 0;
  std::string reply_channel_;
  ChannelList list_;
};

Outcome<PresenceList> ask_presence(RelayClient& client, const std::string& channel) {
  PresenceList list;
  std::string request;
  const std::uint64_t id = client.new_request();
  proto::encode(request, proto::Presence{.request = id, .counts_only = false, .channel = channel});
  const auto take = [&list](const proto::FrameView& frame) {
    if (frame.header.type == FrameType::kPresenceItem) {
      if (const auto item = proto::decode_presence_item(frame))
        list.clients.push_back(present_client(*item));
    } else if (const auto end = proto::decode_presence_end(frame)) {
      list.client_count = end->clients;
      list.user_count = end->users;
    }
  };
  const auto asked = client.query(id, request, FrameType::kPresenceEnd, take, interrupted());
  if (!asked) return tl::make_unexpected(asked.error());
  return list;
}

Outcome<HistoryList> ask_history(RelayClient& client, const HistoryOptions& options) {
  HistoryList list;
  std::string request;
  const std::uint64_t id = client.new_request();
  proto::History history;
  history.request = id;
  history.query = {.since = options.since, .limit = options.limit, .reverse = options.reverse};
  history.channel = options.channel;
  proto::encode(request, history);
  const auto take = [&list](const proto::FrameView& frame) {
    if (frame.header.type == FrameType::kHistoryItem) {
      if (const auto item = proto::decode_history_item(frame))
        list.publications.push_back(publication_of(*item));
    } else if (const auto end = proto::decode_history_end(frame)) {
      list.top = end->top;
    }
  };
  const auto asked = client.query(id, request, FrameType::kHistoryEnd, take, interrupted());
  if (!asked) return tl::make_unexpected(asked.error());
  return list;
}

}  // namespace

ExitCode run_channels(const ChannelsOptions& options, Console& console) {
  auto client = RelayClient::dial(options.common.relay_path, console.interrupts());
  if (!client) return end_with(client.error());
  const auto list = ChannelSurvey(*client, options.pattern).run();
  if (!list) return end_with(list.error());
  return options.common.json ? write_text(console, channels_json(*list))
                             : write_lines(console, channel_lines(*list, style_of(console)));
}

ExitCode run_presence(const PresenceOptions& options, Console& console) {
  auto client = RelayClient::dial(options.common.relay_path, console.interrupts());
  if (!client) return end_with(client.error());
  const auto list = ask_presence(*client, options.channel);
  if (!list) return end_with(list.error());
  return options.common.json ? write_text(console, presence_json(options.channel, *list))
                             : write_lines(console, presence_lines(*list, style_of(console)));
}

ExitCode run_history(const HistoryOptions& options, Console& console) {
  auto client = RelayClient::dial(options.common.relay_path, console.interrupts());
  if (!client) return end_with(client.error());
  const auto list = ask_history(*client, options);
  if (!list) return end_with(list.error());
  return options.common.json ? write_text(console, history_json(options.channel, *list))
                             : write_lines(console, history_lines(*list, style_of(console)));
}

ExitCode run_disconnect(const DisconnectOptions& options, Console& console) {
  auto client = RelayClient::dial(options.common.relay_path, console.interrupts());
  if (!client) return end_with(client.error());
  envelope::ControlCommand command;
  command.set_node("sluice");
  auto& disconnect = *command.mutable_disconnect();
  disconnect.mutable_who()->set_has_user(!options.user.empty());
  disconnect.mutable_who()->set_user(options.user);
  disconnect.mutable_who()->set_client(options.client);
  disconnect.set_code(options.code);
  disconnect.set_reason(options.reason);
  if (const auto sent = send_command(*client, command); !sent) return end_with(sent.error());
  return write_text(console, options.common.json ? "{\"outcome\":\"sent\"}\n"
                                                 : "sent to the gateways of all hosts\n");
}

}  // namespace sluice::ctl
