// `sluice status`: asks once, or again and again.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/commands.h"
#include "ctl/relay_client.h"
#include "ctl/status_view.h"
#include "ctl/text.h"
#include "proto/encoder.h"

namespace sluice::ctl {
namespace {

/// The end of a look that was interrupted is no failure.
Outcome<std::string> ask_status(RelayClient& client, std::uint32_t channels) {
  return client.ask_status(channels, {ExitCode::kOk, "", {}});
}

std::string address_of(const StatusOptions& options) {
  return "unix:" + options.common.relay_path;
}

Outcome<std::vector<std::string>> lines_of(const StatusOptions& options, const std::string& json,
                                           const Console& console) {
  return status_lines(json, {.address = address_of(options),
                             .width = console.is_terminal() ? Console::size().columns : 0,
                             .colours = console.colours()});
}

Outcome<std::string> text_of(const StatusOptions& options, const std::string& json,
                             const Console& console) {
  if (options.common.json) {
    auto text = status_json(json, address_of(options), options.watch ? -1 : 2);
    if (text) *text += "\n";
    return text;
  }
  const auto lines = lines_of(options, json, console);
  if (!lines) return tl::make_unexpected(lines.error());
  std::string text;
  for (const std::string& line : *lines) text += line + "\n";
  return text;
}

/// Keeps one link and makes a new one when it is lost.
class Watcher {
 public:
  Watcher(const StatusOptions& options, Console& console) : options_(options), console_(console) {}

  ExitCode run() {
    // A relay that was never there is a mistake of the command line, not an outage.
    if (!ask()) return end_with(*trouble_);
    std::optional<FullScreen> screen;
    if (console_.is_terminal() && !options_.common.json) screen.emplace(console_);
    for (;;) {
      if (!(screen ? draw(*screen) : print())) return console_.exit_code();
      const Wake wake = console_.interrupts().wait(-1, 0, options_.interval);
      if (wake == Wake::kEnded || wake == Wake::kOutputGone) return ExitCode::kOk;
      if (wake == Wake::kTimeout) (void)ask();
      if (console_.interrupts().ended()) return ExitCode::kOk;
    }
  }

 private:
  bool ask() {
    if (!client_) {
      auto dialled = RelayClient::dial(options_.common.relay_path, console_.interrupts());
      if (dialled) {
        client_.emplace(std::move(*dialled));
      } else {
        trouble_ = dialled.error();
        return false;
      }
    }
    auto answer = ask_status(*client_, options_.channels);
    if (!answer) {
      trouble_ = answer.error();
      client_.reset();
      return false;
    }
    trouble_.reset();
    json_ = std::move(*answer);
    return true;
  }
  bool draw(FullScreen& screen) {
    std::vector<std::string> lines;
    const std::size_t width = Console::size().columns;
    if (trouble_) {
      lines.push_back(
          styled(cut_to(visible(trouble_->message), width), Style::kBad, console_.colours()));
      lines.push_back(
          styled("What follows is what was known last.", Style::kDim, console_.colours()));
      lines.emplace_back();
    }
    const auto known = lines_of(options_, json_, console_);
    if (known) lines.insert(lines.end(), known->begin(), known->end());
    if (!known) lines.push_back(cut_to(visible(known.error().message), width));
    const std::size_t rows = Console::size().rows;
    if (lines.size() > rows && rows > 1) {
      lines.resize(rows - 1);
      lines.push_back(styled("… more than this screen holds", Style::kDim, console_.colours()));
    }
    return screen.draw(lines);
  }
  bool print() {
    if (trouble_) {
      complain(trouble_->text());
      return true;
    }
    auto text = text_of(options_, json_, console_);
    if (!text) {
      complain(text.error().text());
      return true;
    }
    if (!options_.common.json) *text += "\n";
    return console_.write(*text);
  }

  const StatusOptions& options_;
  Console& console_;
  std::optional<RelayClient> client_;
  std::optional<Failure> trouble_;
  std::string json_;
};

}  // namespace

ExitCode run_status(const StatusOptions& options, Console& console) {
  if (options.watch) return Watcher(options, console).run();
  auto client = RelayClient::dial(options.common.relay_path, console.interrupts());
  if (!client) return end_with(client.error());
  const auto json = ask_status(*client, options.channels);
  if (!json) return end_with(json.error());
  const auto text = text_of(options, *json, console);
  if (!text) return end_with(text.error());
  return console.write(*text) ? ExitCode::kOk : console.exit_code();
}

}  // namespace sluice::ctl
