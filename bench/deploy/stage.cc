#include "bench/deploy/stage.h"

#include <cmath>

namespace sluice::bench {
namespace {

std::string milliseconds_of(double seconds) {
  return std::to_string(std::llround(seconds * 1000)) + "ms";
}

/// What the harness would set otherwise is said as the gateway's own default: the bounds per
/// address and client hold here as for users, whose clients have addresses of their own, like ours.
test::Args gateway_args(const Plan& plan) {
  test::Args args = test::behind_balancer();
  args.insert(args.end(), {"--ping-interval", "25s", "--max-connections-per-ip", "2000",
                           "--connection-rate-per-ip", "200/s", "--client-message-rate", "100/s",
                           "--greeting", "at {id}", "--greeting-delay", "0s", "--drain-rate",
                           std::to_string(std::llround(plan.drain_rate)) + "/s"});
  if (plan.connection_age_s > 0) {
    args.insert(args.end(), {"--max-connection-age", milliseconds_of(plan.connection_age_s)});
  }
  return args;
}

}  // namespace

Stage::Stage(const Plan& plan) {
  redis_ = std::make_unique<test::RedisServer>(directory_);
  test::Stack::Settings settings;
  settings.gateways = kGateways;
  settings.relay_args = {"--broker", redis_->unix_url()};
  settings.gateway_args = gateway_args(plan);
  stack_ = std::make_unique<test::Stack>(std::move(settings));
  std::vector<test::Gateway*> gateways;
  for (std::size_t g = 0; g < kGateways; ++g) {
    gateways.push_back(&stack_->gateway(g));
    pids_.at(g) = stack_->gateway(g).process().pid();
    admins_.at(g) = stack_->gateway(g).admin();
  }
  test::Args more;
  if (plan.hard_stop_s > 0) {
    // A second file adds to the shipped one, which stays as it is.
    more = {"-f", directory_.write("hard-stop.cfg", "global\n  hard-stop-after " +
                                                        milliseconds_of(plan.hard_stop_s) + "\n")};
  }
  balancer_ = std::make_unique<test::Haproxy>(directory_, gateways, "haproxy.cfg",
                                              test::Environment{}, std::move(more));
  for (const auto& server : balancer_->servers()) balancer_->wait_status(server, "UP");
  witness_ = std::make_unique<Witness>(redis_->unix_endpoint());
  relay_pid_ = stack_->relay().process().pid();
  redis_pid_ = redis_->pid();
  balancer_pid_ = balancer_->process().pid();
}

Stage::~Stage() {
  redis_->kill();  // ends the witness's reading
}

void Stage::start_gateway(std::size_t index) {
  test::Gateway& gateway = stack_->gateway(index);
  gateway.start();
  pids_.at(index) = gateway.process().pid();
}

}  // namespace sluice::bench
