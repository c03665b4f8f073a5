#include "bench/restart/stage.h"

#include <filesystem>

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;

constexpr test::Millis kStartWait = 60s;
constexpr test::Millis kUpgradeWait = 60s;

std::string keeper_program() {
  return std::filesystem::path(test::gateway_program()).replace_filename("sluice-keeper").string();
}

std::string help_of(const std::string& program) {
  test::SpawnOptions options;
  options.args = {program, "--help"};
  return test::run(std::move(options)).output;
}

test::Endpoint local(std::uint16_t port) {
  test::Endpoint endpoint;
  endpoint.port = port;
  return endpoint;
}

bool takes_connections(const std::string& path) {
  test::Endpoint to;
  to.path = path;
  try {
    (void)test::open_socket(to, true, 0);
    return true;
  } catch (const test::HarnessError&) {
    return false;
  }
}

}  // namespace

std::optional<std::string> handoff_missing() {
  if (help_of(test::gateway_program()).find("--keeper") == std::string::npos)
    return "not available: this sluice-gateway has no --keeper";
  if (!std::filesystem::exists(keeper_program())) return "not available: there is no sluice-keeper";
  return std::nullopt;
}

Stage::Stage(StageSettings settings)
    : settings_(std::move(settings)), relay_socket_(directory_.file("relay.sock")) {
  redis_ = std::make_unique<test::RedisServer>(directory_);
  start_relay();
  gateways_.resize(settings_.gateways);
  for (std::size_t g = 0; g < gateways_.size(); ++g) {
    Place& place = gateways_[g];
    place.addresses = {test::Stack::id_of(g), local(test::free_port()), local(test::free_port()),
                       local(test::free_port())};
    if (settings_.keepers) start_keeper(place);
    start_gateway(place);
  }
  std::vector<test::GatewayAddresses> all;
  for (std::size_t g = 0; g < gateways_.size(); ++g) {
    wait_ready(g);
    all.push_back(addresses(g));
  }
  if (!settings_.balancer) return;
  balancer_ = std::make_unique<test::Haproxy>(directory_, all, "haproxy.cfg", test::Environment{},
                                              test::Args{});
  for (const auto& server : balancer_->servers()) balancer_->wait_status(server, "UP");
}

void Stage::start_relay() {
  test::SpawnOptions options;
  options.args = {test::relay_program(), "--listen", relay_address(), "--broker",
                  redis_->unix_url()};
  relay_ = std::make_unique<test::Supervisor>(std::move(options));
  if (!test::eventually(kStartWait, [this] { return takes_connections(relay_socket_); }))
    throw test::HarnessError("the relay does not listen");
}

void Stage::start_keeper(Place& place) {
  const std::string socket = directory_.file("keeper-" + place.addresses.id);
  test::SpawnOptions options;
  options.args = {keeper_program(), "--id", place.addresses.id, "--listen", "unix:" + socket};
  place.keeper = std::make_unique<test::Supervisor>(std::move(options));
  place.keeper->process()->wait_line("listening on", kStartWait);
}

/// Bounds per address and client are off: one address stands for many here.
void Stage::start_gateway(Place& place) {
  const test::GatewayAddresses& at = place.addresses;
  test::SpawnOptions options;
  options.args = {test::gateway_program(),
                  "--id",
                  at.id,
                  "--listen",
                  at.endpoint.text(),
                  "--admin-listen",
                  at.admin.text(),
                  "--agent-listen",
                  at.agent.text(),
                  "--relay",
                  relay_address(),
                  "--greeting",
                  "at {id}",
                  "--greeting-delay",
                  "0s",
                  "--max-connections",
                  std::to_string(settings_.connections_max),
                  "--max-connections-per-ip",
                  "0",
                  "--connection-rate-per-ip",
                  "off",
                  "--client-message-rate",
                  "off",
                  "--io-uring",
                  settings_.io_uring};
  for (const auto& flag : test::behind_balancer()) options.args.push_back(flag);
  if (place.keeper) {
    options.args.emplace_back("--keeper");
    options.args.push_back("unix:" + directory_.file("keeper-" + at.id));
  }
  place.gateway = std::make_unique<test::Supervisor>(std::move(options));
}

pid_t Stage::keeper_pid(std::size_t index) {
  const auto& keeper = gateways_.at(index).keeper;
  return keeper ? keeper->pid() : 0;
}

double Stage::metric(const std::string& name, const std::string& label) const {
  double sum = 0;
  for (const Place& place : gateways_)
    sum += test::Metrics::scrape(place.addresses.admin).value(name, label);
  return sum;
}

Targets Stage::targets() const {
  Targets targets;
  for (const Place& place : gateways_)
    targets.direct.push_back({place.addresses.id, place.addresses.endpoint});
  if (balancer_) targets.balancer = balancer_->endpoint();
  targets.redis = redis_->unix_endpoint();
  return targets;
}

void Stage::wait_ready(std::size_t index) const {
  const test::GatewayAddresses& at = gateways_.at(index).addresses;
  const bool ready = test::eventually(kStartWait, [&] {
    try {
      return test::http_get(at.admin, "/readyz").status == 200;
    } catch (const test::HarnessError&) {
      return false;
    }
  });
  if (!ready) throw test::HarnessError("gateway " + at.id + " does not become ready");
}

void Stage::upgrade(const std::string& what) const {
  test::SpawnOptions options;
  options.args = {test::tool_program(), "upgrade", what, "--relay", relay_address()};
  const test::Finished finished = test::run(std::move(options), kUpgradeWait);
  if (finished.status.code != 0)
    throw test::HarnessError("sluice upgrade " + what + " failed: " + finished.output);
}

}  // namespace sluice::restart
