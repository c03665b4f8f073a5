// Peer "mosquitto": Debian's MQTT broker. Clients come over its WebSocket listener, the publisher
// over its TCP one; there is no Redis in front. What bounds its queues is off, so that nothing is
// dropped in silence.
//
// Its WebSocket side (libwebsockets inside) sends what is left of a frame beyond some 4 KiB, or of
// one that the socket did not take at once, 4 KiB at a time, about ten times a second. No setting
// moves that.
#include "bench/fanout/dialects/mqtt.h"
#include "bench/fanout/peers/peers.h"
#include "bench/fanout/peers/program.h"
#include "tests/process/support/socket.h"

namespace sluice::fanout {
namespace {

std::string configuration(std::uint16_t clients, std::uint16_t publisher) {
  return "listener " + std::to_string(publisher) +
         " 127.0.0.1\n"
         "listener " +
         std::to_string(clients) +
         " 127.0.0.1\n"
         "protocol websockets\n"
         "user " +
         own_account() +
         "\n"
         "allow_anonymous true\n"
         "persistence false\n"
         "log_dest none\n"
         "log_type none\n"
         "websockets_log_level 0\n"
         "sys_interval 0\n"
         "set_tcp_nodelay true\n"
         "max_connections -1\n"
         "max_inflight_messages 0\n"
         "max_queued_messages 0\n"
         "max_queued_bytes 0\n";
}

class Mosquitto final : public ServerUnderTest {
 public:
  [[nodiscard]] ServerIdentity identity() const override {
    return {"mosquitto", ServerKind::kPeer, "Mosquitto"};
  }

  [[nodiscard]] std::string version() const override {
    const auto program = find_program("mosquitto");
    return program ? version_by({*program, "-h"}, R"(version (\S+))") : "unknown";
  }

  [[nodiscard]] std::optional<std::string> missing() const override {
    if (!find_program("mosquitto")) return "mosquitto is not installed";
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::string> refuses(const Needs& needs) const override {
    return lacks_descriptors(needs);
  }

  [[nodiscard]] ServerPlan plan(const Site& site, const Needs& /*needs*/) const override {
    ServerPlan plan;
    plan.endpoint.port = test::free_port();
    plan.route.kind = PublishRoute::Kind::kMqtt;
    plan.route.to.port = test::free_port();
    ProcessSpec broker;
    broker.name = "mosquitto";
    broker.args = {find_program("mosquitto").value_or("mosquitto"), "-c",
                   site.directory.write("mosquitto.conf",
                                        configuration(plan.endpoint.port, plan.route.to.port))};
    broker.nofile = descriptors_max();
    broker.ready_at = plan.endpoint;
    plan.processes.push_back(std::move(broker));
    plan.path = [](const std::string& /*channel*/) { return std::string("/mqtt"); };
    plan.dialect = make_mqtt_dialect();
    return plan;
  }
};

}  // namespace

std::unique_ptr<ServerUnderTest> make_mosquitto() {
  return std::make_unique<Mosquitto>();
}

}  // namespace sluice::fanout
