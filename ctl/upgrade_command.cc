// `sluice upgrade`: asks the relay, or a gateway by way of it, to go on as the program that is
// installed now, then looks at the status until it shows what came of it.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ctl/commands.h"
#include "ctl/relay_client.h"
#include "proto/encoder.h"

namespace sluice::ctl {
namespace {

using proto::FrameType;

constexpr Duration kLookInterval = std::chrono::milliseconds(50);
/// A program's check may take 10 s, answers of the broker half a second.
constexpr Duration kUpgradeWait = std::chrono::seconds(15);

double number(const nlohmann::json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_number()
             ? object[name].get<double>()
             : 0;
}

/// The relay's counters; null: it has none.
nlohmann::json upgrades_of(const nlohmann::json& status) {
  if (!status.is_object() || !status.contains("relay") || !status["relay"].is_object()) return {};
  return status["relay"].value("upgrades", nlohmann::json());
}

/// A gateway's row; null: there is none.
nlohmann::json row_of(const nlohmann::json& status, const std::string& id) {
  if (!status.is_object() || !status.contains("gateways") || !status["gateways"].contains("list"))
    return {};
  for (const nlohmann::json& row : status["gateways"]["list"]) {
    if (row.is_object() && row.value("id", "") == id) return row;
  }
  return {};
}

class Upgrader {
 public:
  Upgrader(const UpgradeOptions& options, Console& console)
      : options_(options), console_(console), relay_(options.target == "relay") {}

  ExitCode run() {
    auto dialled = RelayClient::dial(options_.common.relay_path, console_.interrupts());
    if (!dialled) return end_with(dialled.error());
    client_.emplace(std::move(*dialled));
    const auto before = look();
    if (!before) return end_with(before.error());
    if (relay_ && upgrades_of(*before).is_null()) return too_old();
    if (const auto asked = ask(); !asked) return end_with(asked.error());
    const TimePoint deadline = SteadyTime().now() + kUpgradeWait;
    for (nlohmann::json last = *before; SteadyTime().now() < deadline;) {
      const Wake wake = console_.interrupts().wait(-1, 0, kLookInterval);
      if (wake == Wake::kEnded || wake == Wake::kOutputGone) return ExitCode::kFailed;
      auto now = look();
      if (!now) return end_with(now.error());
      const auto end = relay_ ? judge_relay(*before, *now) : judge_gateway(last, *now);
      if (end) return *end;
      last = *std::move(now);
    }
    complain(options_.target +
             " was told and goes on as before: its log says why, or it is too old for this");
    return ExitCode::kRefused;
  }

 private:
  Outcome<void> ask() {
    return client_->ask_control(
        {.action = proto::ControlAction::kUpgrade, .gateway_id = relay_ ? "" : options_.target},
        interrupted_);
  }

  Outcome<nlohmann::json> look() {
    const auto json = client_->ask_status(0, interrupted_);
    if (!json) return tl::make_unexpected(json.error());
    nlohmann::json status = nlohmann::json::parse(*json, nullptr, false);
    if (!status.is_object())
      return failure(ExitCode::kLinkRefused, "the relay's status can't be read");
    return status;
  }

  std::optional<ExitCode> judge_relay(const nlohmann::json& before, const nlohmann::json& now) {
    const nlohmann::json was = upgrades_of(before);
    const nlohmann::json is = upgrades_of(now);
    for (const char* bad : {"refused", "failed"}) {
      if (number(is, bad) <= number(was, bad)) continue;
      complain(std::string("the upgrade of the relay was ") +
               (bad[0] == 'r' ? "refused" : "tried and failed") +
               ", it goes on as before: its log says why");
      return ExitCode::kRefused;
    }
    if (number(is, "done") <= number(was, "done")) return std::nullopt;
    return show(now["relay"].value("software", "?"), number(is, "last_pause_seconds"));
  }

  /// A gateway that has been upgraded has a new link.
  std::optional<ExitCode> judge_gateway(const nlohmann::json& last, const nlohmann::json& now) {
    const nlohmann::json row = row_of(now, options_.target);
    if (row.is_null() || !row.value("connected", false)) {
      was_away_ = true;
      return std::nullopt;
    }
    const nlohmann::json was = row_of(last, options_.target);
    const bool new_link = number(row, "connected_seconds") < number(was, "connected_seconds");
    if (!was_away_ && !new_link) return std::nullopt;
    return show(row.value("software", "?"), std::nullopt);
  }

  ExitCode show(const std::string& software, std::optional<double> pause_seconds) {
    std::string line;
    if (options_.common.json) {
      nlohmann::json json{{"upgraded", options_.target}, {"software", software}};
      if (pause_seconds) json["pause_seconds"] = *pause_seconds;
      line = json.dump();
    } else {
      line = options_.target + " upgraded: " + software;
    }
    return console_.write(line + "\n") ? ExitCode::kOk : console_.exit_code();
  }

  static ExitCode too_old() {
    complain("this relay is too old to be upgraded in place");
    return ExitCode::kLinkRefused;
  }

  const UpgradeOptions& options_;
  Console& console_;
  const bool relay_;
  const Failure interrupted_{ExitCode::kFailed, "interrupted", {}};
  std::optional<RelayClient> client_;
  bool was_away_ = false;
};

}  // namespace

ExitCode run_upgrade(const UpgradeOptions& options, Console& console) {
  return Upgrader(options, console).run();
}

}  // namespace sluice::ctl
