#include "bench/channels/stage.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/fanout/usage.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/http.h"

namespace sluice::channels {
namespace {

constexpr const char* kKey = "a-key-of-this-run-alone";
/// What the API takes in one broadcast.
constexpr std::size_t kBroadcastMax = 1000;
constexpr std::size_t kSpareConnections = 50;

std::string rules_of(const Plan& plan) {
  std::string rules = "[connection]\nanonymous = true\nchannels_max = 1000\n";
  rules += "[channels]\nsubscribe = \"everyone\"\nrecovery = \"forced\"\n";
  if (plan.history) rules += "history_size = 100\nhistory_ttl = \"10m\"\n";
  if (plan.presence) rules += "presence = \"everyone\"\n";
  return rules;
}

double seconds_of(pid_t process) {
  return static_cast<double>(fanout::cpu_ns({process})) / 1e9;
}

double bytes_of(pid_t process) {
  return static_cast<double>(fanout::resident_bytes({process}));
}

}  // namespace

Stage::Stage(const Plan& plan) {
  if (!plan.memory_broker) redis_ = std::make_unique<test::RedisServer>(directory_);
  start(plan);
}

void Stage::start(const Plan& plan) {
  const std::string rules = directory_.write("rules.toml", rules_of(plan));
  const std::string keys = directory_.write("keys", std::string("bench:") + kKey + "\n");
  const std::string socket = directory_.file("relay.sock");
  endpoint_.port = test::free_port();
  api_.port = test::free_port();
  relay_admin_.port = test::free_port();

  fanout::ServerPlan programs;
  fanout::ProcessSpec relay;
  relay.name = "sluice-relay";
  relay.args = {test::relay_program(),
                "--listen",
                "unix:" + socket,
                "--broker",
                redis_ ? redis_->url() : "memory:",
                "--rules",
                rules,
                "--api-listen",
                api_.text(),
                "--api-key-file",
                keys,
                "--admin-listen",
                relay_admin_.text(),
                "--log-level",
                "warn"};
  relay.ready_at.path = socket;
  programs.processes.push_back(std::move(relay));

  fanout::ProcessSpec gateway;
  gateway.name = "sluice-gateway";
  gateway.args = {test::gateway_program(),
                  "--id",
                  "bench",
                  "--relay",
                  "unix:" + socket,
                  "--listen",
                  endpoint_.text(),
                  "--rules",
                  rules,
                  "--max-connections",
                  std::to_string(plan.clients + kSpareConnections),
                  "--client-message-rate",
                  "off",
                  "--io-uring",
                  plan.io_uring ? "auto" : "off",
                  "--log-level",
                  "warn"};
  gateway.ready_at = endpoint_;
  programs.processes.push_back(std::move(gateway));
  programs_ = std::make_unique<fanout::Stage>(programs);
}

void Stage::publish(const std::vector<std::string>& channels, const std::string& data) {
  for (std::size_t from = 0; from < channels.size(); from += kBroadcastMax) {
    const std::size_t to = std::min(channels.size(), from + kBroadcastMax);
    nlohmann::json asked = {{"data", nlohmann::json::parse(data)}};
    asked["channels"] =
        std::vector<std::string>(channels.begin() + static_cast<std::ptrdiff_t>(from),
                                 channels.begin() + static_cast<std::ptrdiff_t>(to));
    const std::string body = asked.dump();
    const auto response = test::http_exchange(
        api_,
        "POST /api/broadcast HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nX-API-Key: " +
            std::string(kKey) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
            body,
        test::Millis(60000));
    const auto answer = nlohmann::json::parse(response.body, nullptr, false);
    const bool whole = response.status == 200 && answer.is_object() && answer.contains("result");
    if (!whole) throw test::HarnessError("publishing failed: " + response.body.substr(0, 300));
    for (const auto& one : answer["result"]["responses"]) {
      if (!one.contains("result"))
        throw test::HarnessError("a publication was refused: " + one.dump());
    }
  }
}

double Stage::redis_commands() {
  std::istringstream lines(redis_->command({"INFO", "commandstats"}));
  double calls = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(":calls=");
    if (at == std::string::npos || line.starts_with("cmdstat_info")) continue;
    calls += std::stod(line.substr(at + 7));
  }
  return calls;
}

Counters Stage::counters() {
  Counters now;
  // What asking costs is no part of a phase that ends here, and hardly one of the next.
  now.cpu_s = {seconds_of(gateway()), seconds_of(relay()), redis_ ? seconds_of(redis_->pid()) : 0};
  now.load_cpu_s = seconds_of(::getpid());
  const test::Metrics relay = test::Metrics::scrape(relay_admin_);
  now.to_relay_bytes = relay.value("sluice_relay_link_received_bytes_total");
  now.to_gateway_bytes = relay.value("sluice_relay_link_sent_bytes_total");
  now.redis_sent_bytes = relay.value("sluice_relay_broker_sent_bytes_total");
  now.history_reads = relay.value("sluice_relay_history_broker_queries_total") +
                      relay.value("sluice_relay_broker_history_fetches_total");
  now.ring_recoveries = relay.value("sluice_relay_recoveries_total", "outcome=\"ring\"");
  now.presence_changes = relay.value("sluice_relay_presence_changes_total");
  if (redis_) now.redis_commands = redis_commands();
  return now;
}

Usage Stage::resident_bytes() const {
  return {bytes_of(gateway()), bytes_of(relay()), redis_ ? bytes_of(redis_->pid()) : 0};
}

std::uint64_t Stage::presence_entries() const {
  return static_cast<std::uint64_t>(
      test::Metrics::scrape(relay_admin_).value("sluice_relay_presence_entries"));
}

}  // namespace sluice::channels
