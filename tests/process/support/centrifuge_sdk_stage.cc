#include "tests/process/support/centrifuge_sdk_stage.h"

namespace sluice::test {
namespace {

constexpr std::size_t kGateways = 2;
/// The shipped file has four; these have nothing behind them.
constexpr const char* kVacant[] = {"3333", "4444"};

}  // namespace

CentrifugeSdkStage::CentrifugeSdkStage(Settings settings)
    : keys_(directory_.write("keys", "HS256:k1 0123456789abcdef0123456789abcdef\n")),
      foreign_keys_(directory_.write("foreign", "HS256:k1 fedcba9876543210fedcba9876543210\n")),
      api_(Endpoint::parse("unix:" + directory_.file("api.sock"))) {
  const Args access = settings.rules.empty()
                          ? Args{"--open-access"}
                          : Args{"--rules", directory_.write("rules.toml", settings.rules)};
  Stack::Settings stack;
  stack.gateways = kGateways;
  stack.relay_args = {"--api-listen", api_.text()};
  if (settings.redis) {
    redis_ = std::make_unique<RedisServer>(directory_);
    stack.relay_args.insert(stack.relay_args.end(), {"--broker", redis_->url()});
  }
  stack.gateway_args = behind_balancer();
  if (!settings.rules.empty())
    stack.gateway_args.insert(stack.gateway_args.end(), {"--token-key-file", keys_});
  for (Args* args : {&stack.relay_args, &stack.gateway_args})
    args->insert(args->end(), access.begin(), access.end());
  stack.gateway_args.insert(stack.gateway_args.end(), settings.gateway_args.begin(),
                            settings.gateway_args.end());
  stack_ = std::make_unique<Stack>(std::move(stack));

  std::vector<GatewayAddresses> addresses;
  for (std::size_t i = 0; i < kGateways; ++i) {
    Gateway& one = stack_->gateway(i);
    addresses.push_back({one.id(), one.endpoint(), one.admin(), one.agent()});
  }
  Endpoint nothing;
  nothing.port = free_port();
  for (const char* id : kVacant) addresses.push_back({id, nothing, nothing, nothing});
  haproxy_ = std::make_unique<Haproxy>(directory_, addresses, "haproxy.cfg", Environment{}, Args{});
  for (const char* id : kVacant)
    (void)haproxy_->command("set server gateways/" + std::string(id) + " state maint");
  for (std::size_t i = 0; i < kGateways; ++i) haproxy_->wait_status(Stack::id_of(i), "UP");
}

void CentrifugeSdkStage::admit_only(std::size_t index) {
  for (std::size_t i = 0; i < kGateways; ++i) {
    const std::string id = Stack::id_of(i);
    (void)haproxy_->command("set server gateways/" + id + " state " +
                            (i == index ? "ready" : "maint"));
    haproxy_->wait_status(id, i == index ? "UP" : "MAINT");
  }
}

void CentrifugeSdkStage::admit_nobody() {
  admit_only(kGateways);
}

CentrifugeSdkStage::Json CentrifugeSdkStage::api(const std::string& method,
                                                 const Json& parameters) {
  const std::string body = parameters.dump();
  const HttpResponse said =
      http_exchange(api_, "POST /api/" + method +
                              " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body);
  Json answer = Json::parse(said.body);
  if (said.status != 200 || !answer.contains("result"))
    throw HarnessError(method + ": " + said.body);
  return std::move(answer["result"]);
}

std::string CentrifugeSdkStage::token_by(const std::string& keys, const Args& args) {
  SpawnOptions options;
  options.args = {tool_program(), "token", "make", "--key-file", keys};
  options.args.insert(options.args.end(), args.begin(), args.end());
  const Finished finished = run(std::move(options));
  if (finished.status.code != 0) throw HarnessError("token make: " + finished.output);
  return finished.output.substr(0, finished.output.find('\n'));
}

}  // namespace sluice::test
