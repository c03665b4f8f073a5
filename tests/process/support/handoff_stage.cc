#include "tests/process/support/handoff_stage.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>

namespace sluice::test {
namespace {

/// On a machine that does much else.
constexpr auto kStartWait = 60s;

/// Pings are rare: a test that waits for something else reads none.
const Args kRarePings{"--ping-interval", "10m"};

}  // namespace

HandoffStage::HandoffStage(Settings settings) : settings_(std::move(settings)) {
  relay_ = std::make_unique<Relay>(directory_, settings_.relay_args);
  GatewaySettings beside;
  beside.id = "2222";
  beside.relay = relay_->address();
  beside.args = kRarePings;
  beside.args.insert(beside.args.end(), settings_.beside_args.begin(), settings_.beside_args.end());
  beside_ = std::make_unique<Gateway>(std::move(beside));
  if (settings_.keeper) start_keeper();
}

Process& HandoffStage::start_keeper() {
  SpawnOptions options;
  options.args = {keeper_program(),        "--id",        "1111", "--listen",
                  "unix:" + keeper_path(), "--log-level", "debug"};
  keepers_.push_back(std::make_unique<Process>(std::move(options)));
  keeper().wait_line("listening on unix:", kStartWait);
  return keeper();
}

Process& HandoffStage::spawn(Environment environment, const Args& more) {
  SpawnOptions options;
  // Port 0 in the flags: the name under which the keeper has the socket stays the same.
  options.args = {settings_.program,
                  "--id",
                  "1111",
                  "--listen",
                  settings_.listen,
                  "--admin-listen",
                  "127.0.0.1:0",
                  "--relay",
                  settings_.relay.empty() ? relay_->address() : settings_.relay,
                  "--keeper",
                  "unix:" + keeper_path(),
                  "--client-message-rate",
                  "off",
                  "--connection-rate-per-ip",
                  "off",
                  "--max-connections-per-ip",
                  "0"};
  const Args& args = settings_.gateway_args;
  const bool pings = std::find(args.begin(), args.end(), kRarePings.front()) != args.end();
  for (const Args& part : {pings ? Args{} : kRarePings, args, more})
    options.args.insert(options.args.end(), part.begin(), part.end());
  options.env = std::move(environment);
  gateways_.push_back(std::make_unique<Process>(std::move(options)));
  return gateway();
}

Process& HandoffStage::start(Environment environment, const Args& more) {
  spawn(std::move(environment), more);
  wait_serving();
  return gateway();
}

void HandoffStage::wait_serving() {
  const std::string address = " on (unix:\\S+|[0-9.]+:[0-9]+)";
  endpoint_ = Endpoint::parse(gateway().wait_line("\\blistening" + address, kStartWait)[1]);
  admin_ = Endpoint::parse(gateway().wait_line("\\badmin" + address, kStartWait)[1]);
  const bool ready =
      eventually(kStartWait, [this] { return http_get(admin_, "/readyz").status == 200; });
  if (!ready) throw HarnessError("the gateway does not become ready");
}

Process& HandoffStage::restart() {
  gateway().signal(SIGUSR2);
  if (gateway().wait_exit().code != 0) throw HarnessError("the gateway has not parked");
  return start();
}

std::size_t HandoffStage::clients() const {
  return static_cast<std::size_t>(metrics().value("sluice_gateway_connections"));
}

std::size_t HandoffStage::keeper_sockets() const {
  return sockets_of(*keepers_.back());
}

std::size_t sockets_of(const Process& process) {
  std::size_t count = 0;
  const std::string directory = "/proc/" + std::to_string(process.pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.rfind("socket:", 0) == 0) ++count;
  }
  return count;
}

}  // namespace sluice::test
