// Starting and restarting the daemons.
#include "tests/process/support/daemons.h"

#include <algorithm>

namespace sluice::test {
namespace {

/// On a machine that does much else.
constexpr auto kStartWait = 60s;

std::string build_file(const std::string& name) {
  return build_directory() + "/" + name;
}

Endpoint address_of(Process& process, const std::string& what) {
  return Endpoint::parse(
      process.wait_line("\\b" + what + " on (unix:\\S+|[0-9.]+:[0-9]+)", kStartWait)[1]);
}

void append(Args& to, const Args& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

std::string relay_program() {
  return build_file("sluice-relay");
}

std::string tool_program() {
  return build_file("sluice");
}

std::string keeper_program() {
  return build_file("sluice-keeper");
}

std::string gateway_program() {
  return build_file("sluice-gateway");
}

Relay::Relay(const TempDir& directory, Args args, Environment environment, std::string program)
    : socket_(directory.file("relay.sock")),
      args_(std::move(args)),
      environment_(std::move(environment)),
      program_(std::move(program)) {
  start();
}

void Relay::start() {
  SpawnOptions options;
  options.args = {program_, "--listen", address(), "--admin-listen", admin_.text()};
  append(options.args, args_);
  options.env = environment_;
  process_ = std::make_unique<Process>(std::move(options));
  admin_ = address_of(*process_, "admin");
  process_->wait_line("\\bready\\b", kStartWait);
}

Gateway::Gateway(GatewaySettings settings) : settings_(std::move(settings)) {
  if (settings_.listen.rfind("fd:", 0) != 0) endpoint_ = Endpoint::parse(settings_.listen);
  start();
}

void Gateway::start() {
  const bool inherited = settings_.listen.rfind("fd:", 0) == 0;
  SpawnOptions options;
  options.args = {gateway_program(),
                  "--id",
                  settings_.id,
                  "--listen",
                  inherited ? settings_.listen : endpoint_.text(),
                  "--relay",
                  settings_.relay,
                  "--admin-listen",
                  admin_.text(),
                  "--agent-listen",
                  agent_.text()};
  append(options.args, settings_.args);
  // One address and one client stand for many here; what tests a limit says it.
  for (const auto& [flag, value] :
       {std::pair{"--client-message-rate", "off"}, std::pair{"--connection-rate-per-ip", "off"},
        std::pair{"--max-connections-per-ip", "0"}}) {
    if (std::find(options.args.begin(), options.args.end(), flag) == options.args.end())
      append(options.args, {flag, value});
  }
  options.fds = settings_.fds;
  options.env = settings_.env;
  process_ = std::make_unique<Process>(std::move(options));
  endpoint_ = address_of(*process_, "listening");
  admin_ = address_of(*process_, "admin");
  agent_ = address_of(*process_, "agent check");
  if (settings_.wait_ready) wait_ready();
}

void Gateway::wait_ready(int status, Millis wait) const {
  if (!eventually(wait, [&] { return readyz().status == status; })) {
    throw HarnessError("gateway " + id() + " is not at " + std::to_string(status) + " but says " +
                       std::to_string(readyz().status) + " " + readyz().body);
  }
}

Stack::Stack(Settings settings) {
  relay_ = std::make_unique<Relay>(
      directory_, settings.relay_args, Environment{},
      settings.relay_program.empty() ? relay_program() : settings.relay_program);
  Args& args = settings.gateway_args;
  if (std::find(args.begin(), args.end(), "--ping-interval") == args.end()) {
    append(args, {"--ping-interval", "10m"});
  }
  for (std::size_t i = 0; i < settings.gateways; ++i) {
    GatewaySettings gateway;
    gateway.id = id_of(i);
    gateway.relay = relay_->address();
    gateway.args = settings.gateway_args;
    gateways_.push_back(std::make_unique<Gateway>(std::move(gateway)));
  }
}

}  // namespace sluice::test
