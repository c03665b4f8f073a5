// `sluice tail`: keeps a link, shows what TailChannel makes of it.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/backoff.h"
#include "common/random.h"
#include "ctl/commands.h"
#include "ctl/relay_client.h"
#include "ctl/tail_channel.h"
#include "proto/encoder.h"

namespace sluice::ctl {
namespace {

constexpr Duration kRetryMin = std::chrono::milliseconds(50);
constexpr Duration kRetryMax = std::chrono::seconds(1);
/// The link: asked after this silence, given up after the same again.
constexpr Duration kPingAfter = std::chrono::seconds(5);
/// Of a message shown on a terminal.
constexpr std::size_t kTerminalTextBytesMax = 4096;

Clocks clocks() {
  return {SteadyTime().now(), std::chrono::time_point_cast<std::chrono::milliseconds>(
                                  std::chrono::system_clock::now())};
}

class Tail {
 public:
  Tail(const TailOptions& options, Console& console)
      : options_(options),
        console_(console),
        channel_(options.channel),
        style_{.colours = console.colours(),
               .text_bytes_max = console.is_terminal() ? kTerminalTextBytesMax : 0} {}

  ExitCode run() {
    auto first = RelayClient::dial(options_.common.relay_path, console_.interrupts());
    // A relay that was never there is a mistake of the command line, not an outage.
    if (!first) return end_with(first.error());
    std::optional<RelayClient> client(std::move(*first));
    while (!done_) {
      if (!client) {
        client = redial();
        if (!client) continue;
      }
      if (const Failure lost = follow(*client); !done_) {
        client.reset();
        channel_.lost(lost.message, clocks(), events_);
        if (!show()) break;
      }
    }
    return code_;
  }

 private:
  void end(ExitCode code) {
    done_ = true;
    code_ = code;
  }
  void end_with_failure(const Failure& failure) { end(end_with(failure)); }

  /// None: not yet, or it is time to end.
  std::optional<RelayClient> redial() {
    const Wake wake = console_.interrupts().wait(-1, 0, backoff_.next());
    if (wake == Wake::kEnded || wake == Wake::kOutputGone) {
      end(ExitCode::kOk);
      return std::nullopt;
    }
    auto client = RelayClient::dial(options_.common.relay_path, console_.interrupts());
    if (client) {
      backoff_.reset();
      return std::move(*client);
    }
    if (client.error().code == ExitCode::kOk) {
      end(ExitCode::kOk);
      return std::nullopt;
    }
    channel_.lost(client.error().message, clocks(), events_);
    (void)show();
    return std::nullopt;
  }

  /// Until the link is lost (why is what it returns), or done_.
  Failure follow(RelayClient& client) {
    std::string out;
    channel_.connected(out, clocks(), events_);
    if (!show()) return {};
    if (auto sent = client.send(out); !sent) return lost(sent.error());
    bool pinged = false;
    for (;;) {
      const auto received = client.next(kPingAfter);
      if (!received) return lost(received.error());
      switch (received->wake) {
        case Wake::kReady:
          pinged = false;
          if (auto taken = channel_.take(received->frame, clocks(), events_); !taken) {
            end_with_failure(taken.error());
            return {};
          }
          if (!show()) return {};
          break;
        case Wake::kTimeout: {
          if (pinged) return {ExitCode::kNoRelay, "the relay does not answer"};
          pinged = true;
          std::string ping;
          proto::encode_ping(ping, 1);
          if (auto sent = client.send(ping); !sent) return lost(sent.error());
          break;
        }
        case Wake::kResized:
          break;
        default:
          end(ExitCode::kOk);
          return {};
      }
    }
  }

  Failure lost(const Failure& failure) {
    if (failure.code == ExitCode::kOk) end(ExitCode::kOk);
    return failure;
  }

  /// Writes what has happened. False: done_.
  bool show() {
    std::string text;
    for (const TailEvent& event : std::exchange(events_, {})) {
      if (done_) break;
      text += (options_.common.json ? tail_json(event) : tail_line(event, style_)) + "\n";
      if (event.kind == TailEvent::Kind::kMessage && ++shown_ == options_.count) end(ExitCode::kOk);
    }
    const bool counted_out = done_;
    if (!console_.write(text)) end(console_.exit_code());
    return !counted_out && !done_;
  }

  const TailOptions& options_;
  Console& console_;
  TailChannel channel_;
  TailStyle style_;
  SystemRandom random_;
  Backoff backoff_{kRetryMin, kRetryMax, random_};
  std::vector<TailEvent> events_;
  std::uint64_t shown_ = 0;
  bool done_ = false;
  ExitCode code_ = ExitCode::kOk;
};

}  // namespace

ExitCode run_tail(const TailOptions& options, Console& console) {
  return Tail(options, console).run();
}

}  // namespace sluice::ctl
