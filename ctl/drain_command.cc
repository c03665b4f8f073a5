// `sluice drain` and `sluice undrain`: ask the relay to tell the gateway, then look at the status
// until it shows.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ctl/commands.h"
#include "ctl/relay_client.h"
#include "ctl/text.h"
#include "proto/encoder.h"

namespace sluice::ctl {
namespace {

using proto::ControlAction;
using proto::FrameType;

/// How often the status is looked at; a gateway tells what has changed once a second.
constexpr Duration kLookInterval = std::chrono::milliseconds(250);

/// How old what a relay knows of its gateways can be.
constexpr Duration kStatusAge = std::chrono::milliseconds(1500);

/// The gateway's row of the status, as far as it matters here.
struct GatewayView {
  bool connected = false;
  std::string state;
  std::uint64_t clients = 0;
  std::uint64_t leaving = 0;
};

std::uint64_t number(const nlohmann::json& row, const char* name) {
  return row.contains(name) && row[name].is_number_unsigned() ? row[name].get<std::uint64_t>() : 0;
}

std::optional<GatewayView> view_of(std::string_view status, const std::string& id) {
  const nlohmann::json json = nlohmann::json::parse(status, nullptr, false);
  if (!json.is_object() || !json.contains("gateways") || !json["gateways"].contains("list"))
    return std::nullopt;
  for (const nlohmann::json& row : json["gateways"]["list"]) {
    if (!row.is_object() || row.value("id", "") != id) continue;
    GatewayView view;
    view.connected = row.value("connected", false);
    if (row.contains("state") && row["state"].is_string()) view.state = row["state"];
    view.clients = number(row, "clients");
    view.leaving = number(row, "leaving");
    return view;
  }
  return GatewayView{};
}

class Drainer {
 public:
  Drainer(const DrainOptions& options, Console& console, ControlAction action)
      : options_(options), console_(console), drains_(action == ControlAction::kDrain) {}

  ExitCode run() {
    auto dialled = RelayClient::dial(options_.common.relay_path, console_.interrupts());
    if (!dialled) return end_with(dialled.error());
    client_.emplace(std::move(*dialled));
    if (const auto asked = ask(); !asked) return end_with(asked.error());
    const TimePoint deadline = SteadyTime().now() + kAnswerWait;
    for (;;) {
      const auto view = look();
      if (!view) return end_with(view.error());
      if (!view->connected) return gone();
      const bool draining = view->state == "draining";
      // What the status says may be a second old: no drain to be seen means something only when one
      // was seen before, or that second has passed.
      was_draining_ = was_draining_ || draining;
      seen_ =
          seen_ ||
          (drains_ ? draining
                   : !draining && (was_draining_ || SteadyTime().now() >= asked_at_ + kStatusAge));
      if (!seen_ && SteadyTime().now() >= deadline) return ignored(*view);
      if (seen_ && !show(*view)) return console_.exit_code();
      if (seen_ && (!drains_ || options_.no_wait || left(*view) == 0)) return ExitCode::kOk;
      if (seen_ && !draining) return taken_back();
      const Wake wake = console_.interrupts().wait(-1, 0, kLookInterval);
      if (wake == Wake::kEnded || wake == Wake::kOutputGone) return interrupted();
    }
  }

 private:
  Outcome<void> ask() {
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(options_.older_than);
    return client_->ask_control(
        {.action = drains_ ? ControlAction::kDrain : ControlAction::kUndrain,
         .older_than_ms = static_cast<std::uint64_t>(age.count()),
         .gateway_id = options_.gateway},
        interrupted_);
  }

  Outcome<GatewayView> look() {
    const auto json = client_->ask_status(0, interrupted_);
    if (!json) return tl::make_unexpected(json.error());
    const auto view = view_of(*json, options_.gateway);
    if (!view) return failure(ExitCode::kLinkRefused, "the relay's status can't be read");
    return *view;
  }

  [[nodiscard]] std::uint64_t left(const GatewayView& view) const {
    // Of a part of the clients the gateway alone knows which have still to go.
    return options_.older_than > Duration::zero() ? view.leaving : view.clients;
  }

  /// Each change once.
  bool show(const GatewayView& view) {
    std::string line;
    if (options_.common.json) {
      line = nlohmann::json{{"gateway", options_.gateway},
                            {"state", view.state},
                            {"clients", view.clients},
                            {"leaving", view.leaving}}
                 .dump() +
             "\n";
    } else {
      line = options_.gateway + " " + view.state + ": " + std::to_string(view.clients) +
             (view.clients == 1 ? " client" : " clients");
      if (drains_ && view.leaving > 0) line += ", " + std::to_string(view.leaving) + " to go";
      line += "\n";
    }
    if (line == shown_) return true;
    shown_ = line;
    return console_.write(line);
  }

  ExitCode gone() const {
    complain("gateway " + options_.gateway + " is not connected to the relay any more");
    return ExitCode::kRefused;
  }
  ExitCode ignored(const GatewayView& view) const {
    complain("gateway " + options_.gateway + " was told and is still " +
             (view.state.empty() ? "silent" : view.state) +
             ": it is too old for this, or has been told to end");
    return ExitCode::kRefused;
  }
  ExitCode taken_back() const {
    complain("somebody has taken the drain of " + options_.gateway + " back");
    return ExitCode::kRefused;
  }
  ExitCode interrupted() const {
    complain(drains_ ? "the drain goes on; sluice undrain " + options_.gateway + " takes it back"
                     : "interrupted");
    return ExitCode::kFailed;
  }

  const DrainOptions& options_;
  Console& console_;
  const bool drains_;
  const Failure interrupted_{ExitCode::kFailed, "interrupted", {}};
  std::optional<RelayClient> client_;
  TimePoint asked_at_ = SteadyTime().now();
  bool was_draining_ = false;
  bool seen_ = false;  ///< what was asked for
  std::string shown_;
};

}  // namespace

ExitCode run_drain(const DrainOptions& options, Console& console) {
  return Drainer(options, console, ControlAction::kDrain).run();
}

ExitCode run_undrain(const DrainOptions& options, Console& console) {
  return Drainer(options, console, ControlAction::kUndrain).run();
}

}  // namespace sluice::ctl
