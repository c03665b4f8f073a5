// A host of a cluster: a relay that answers the server API on a Unix socket, and a gateway.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/process/support/daemons.h"
#include "tests/process/support/http.h"

namespace sluice::test {

struct ApiHost {
  using Json = nlohmann::json;

  /// `access`: of both daemons, "--rules FILE" or "--open-access"; `gateway_args`: the gateway's
  /// own.
  ApiHost(const std::string& name, const std::string& broker, const Args& access,
          const Args& gateway_args = {})
      : api(Endpoint::parse("unix:" + directory.file("api.sock"))),
        relay(
            directory,
            joined({"--broker", broker, "--api-listen", api.text(), "--node-name", name}, access)),
        gateway(settings(relay.address(), joined(access, gateway_args))) {}

  static Args joined(Args args, const Args& more) {
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  static GatewaySettings settings(const std::string& relay, Args args) {
    GatewaySettings settings;
    settings.relay = relay;
    settings.args = std::move(args);
    return settings;
  }
  Json ask(const std::string& method, const Json& params = Json::object()) {
    const std::string body = params.dump();
    const HttpResponse said =
        http_exchange(api, "POST /api/" + method +
                               " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
                               std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_EQ(said.status, 200) << said.body;
    return Json::parse(said.body);
  }
  Finished tool(const Args& args) {
    SpawnOptions options;
    options.args = joined(joined({tool_program()}, args), {"--relay", relay.address()});
    return run(std::move(options));
  }

  TempDir directory;
  Endpoint api;
  Relay relay;
  Gateway gateway;
};

}  // namespace sluice::test
