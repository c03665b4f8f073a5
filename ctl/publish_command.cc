// `sluice publish`: one message, and what became of it.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "ctl/commands.h"
#include "ctl/relay_client.h"
#include "ctl/text.h"
#include "proto/encoder.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;
using proto::ErrorReason;
using proto::FrameType;

constexpr std::string_view kInterrupted = "interrupted; nothing was published";

/// Standard input to its end.
Outcome<std::string> read_input(Interrupts& interrupts) {
  if (::isatty(STDIN_FILENO) == 1) {
    std::fprintf(stderr, "sluice: reading the message from the terminal; Ctrl-D ends it\n");
  }
  std::string text;
  std::array<char, 65536> chunk;
  for (;;) {
    switch (interrupts.wait(STDIN_FILENO, POLLIN, kForEver)) {
      case Wake::kReady:
        break;
      case Wake::kEnded:
        return failure(ExitCode::kFailed, std::string(kInterrupted));
      default:
        continue;
    }
    const ssize_t n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (n == 0) return text;
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) {
      return failure(ExitCode::kFailed,
                     std::string("can't read standard input: ") + std::strerror(errno));
    }
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (text.size() > proto::kPayloadBytesMax + 1) {
      return failure(ExitCode::kRefused,
                     "standard input has more than 16 MiB, which no relay takes");
    }
  }
}

Outcome<std::string> message_of(const PublishOptions& options, Interrupts& interrupts) {
  if (options.text) return *options.text;
  auto text = read_input(interrupts);
  if (text && !options.exact && !text->empty() && text->back() == '\n') text->pop_back();
  return text;
}

/// What a program is told; people get the failure's line.
Json outcome_json(const PublishOptions& options, const char* outcome, std::size_t bytes) {
  return {{"outcome", outcome}, {"channel", options.channel}, {"bytes", bytes}};
}

class Publisher {
 public:
  Publisher(const PublishOptions& options, Console& console)
      : options_(options), console_(console) {}

  ExitCode run() {
    auto text = message_of(options_, console_.interrupts());
    if (!text) return end_with(text.error());
    text_ = std::move(*text);
    auto client = RelayClient::dial(options_.common.relay_path, console_.interrupts());
    if (!client) return not_sent(client.error());
    if (text_.size() > client->relay().payload_bytes_max) {
      return refused(ErrorReason::kTooLarge, bytes_text(text_.size()) +
                                                 " are over the relay's --max-message-size of " +
                                                 bytes_text(client->relay().payload_bytes_max));
    }
    if (auto sent = send(*client); !sent) return not_sent(sent.error());
    return await_answer(*client);
  }

 private:
  Outcome<void> send(RelayClient& client) {
    std::string out;
    proto::Publish publish;
    publish.request = request_ = client.new_request();
    publish.acknowledge = true;
    publish.channel = options_.channel;
    publish.wait_ms = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.wait).count());
    publish.payload = proto::as_bytes(text_);
    proto::encode(out, publish);
    return client.send(out);
  }

  ExitCode await_answer(RelayClient& client) {
    const TimePoint deadline = SteadyTime().now() + options_.wait + kAnswerWait;
    for (;;) {
      const Duration left = std::max(deadline - SteadyTime().now(), Duration::zero());
      const auto received = client.next(left);
      if (!received) {
        return unknown(received.error().code == ExitCode::kOk ? "interrupted"
                                                              : received.error().message);
      }
      if (received->wake == Wake::kResized) continue;
      if (received->wake == Wake::kTimeout) return unknown("the relay did not answer in time");
      if (received->wake != Wake::kReady) return unknown("interrupted before the answer came");
      const proto::FrameView& frame = received->frame;
      if (frame.header.sequence != request_) continue;
      if (frame.header.type == FrameType::kPublished) return published();
      if (frame.header.type != FrameType::kError) continue;
      const auto error = proto::decode_error(frame);
      if (!error) return unknown(error.error().message);
      return error->reason == ErrorReason::kUnknownFate ? unknown(std::string(error->text))
                                                        : refused(error->reason, error->text);
    }
  }

  ExitCode not_sent(const Failure& failure) const {
    if (failure.code != ExitCode::kOk) return end_with(failure);
    complain(kInterrupted);
    return ExitCode::kFailed;
  }

  ExitCode published() {
    std::string line;
    if (options_.common.json) {
      line = dump(outcome_json(options_, "published", text_.size()));
    } else {
      line = "published " + bytes_text(text_.size()) + " to " + visible(options_.channel) + "\n";
    }
    return console_.write(line) ? ExitCode::kOk : console_.exit_code();
  }

  ExitCode refused(ErrorReason reason, std::string_view text) {
    const std::string name(proto::to_string(reason));
    tell("refused", name, text);
    complain("not published: " + name + (text.empty() ? "" : ": " + std::string(text)));
    return ExitCode::kRefused;
  }

  ExitCode unknown(const std::string& text) {
    tell("unknown", "unknown fate", text);
    complain("nobody knows whether it was published: " + text);
    return ExitCode::kUnknownFate;
  }

  void tell(const char* outcome, const std::string& reason, std::string_view text) {
    if (!options_.common.json) return;
    Json json = outcome_json(options_, outcome, text_.size());
    json["reason"] = reason;
    json["text"] = text;
    (void)console_.write(dump(json));
  }

  static std::string dump(const Json& json) {
    return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
  }

  const PublishOptions& options_;
  Console& console_;
  std::string text_;
  std::uint64_t request_ = 0;
};

}  // namespace

ExitCode run_publish(const PublishOptions& options, Console& console) {
  return Publisher(options, console).run();
}

}  // namespace sluice::ctl
