// Sluice as a server under test: relay and gateway together on the server's core.
#include <filesystem>
#include <fstream>
#include <map>

#include "bench/fanout/dialects/centrifuge.h"
#include "bench/fanout/servers.h"
#include "tests/process/support/daemons.h"

namespace sluice::fanout {
namespace {

constexpr std::size_t kSpareConnections = 100;

std::string output_of(const std::string& program, const std::string& flag) {
  test::SpawnOptions options;
  options.args = {program, flag};
  return test::run(std::move(options)).output;
}

bool knows(const std::string& flag) {
  static const std::string help = output_of(test::gateway_program(), "--help");
  return help.find(flag) != std::string::npos;
}
/// The gateway's choice of how it sends, where it has one.
bool knows_io_uring() {
  return knows("--io-uring");
}

/// What its clients speak.
enum class Speech { kPlain, kCentrifugeJson, kCentrifugeProtobuf };

std::unique_ptr<Dialect> make_dialect(Speech speech) {
  if (speech == Speech::kCentrifugeJson) return make_centrifuge_json_dialect();
  if (speech == Speech::kCentrifugeProtobuf) return make_centrifuge_protobuf_dialect();
  return make_plain_dialect();
}

/// Everybody may subscribe, and nothing that plain clients do without is on: what is compared is
/// the protocol. Without history the channels hear a raw PUBLISH.
std::string write_rules(const Site& site) {
  const std::string path = site.directory.file("rules.toml");
  std::ofstream(path) << "[connection]\nanonymous = true\n[channels]\nsubscribe = \"everyone\"\n";
  return path;
}

/// Holds what a restart would hand over: what does it cost while there is none?
ProcessSpec keeper_spec(const std::string& socket) {
  ProcessSpec keeper;
  keeper.name = "sluice-keeper";
  keeper.args = {
      std::filesystem::path(test::gateway_program()).replace_filename("sluice-keeper").string(),
      "--id", "bench", "--listen", "unix:" + socket};
  keeper.ready_line = "listening on";
  return keeper;
}

ProcessSpec relay_spec(const Site& site, const std::string& socket) {
  ProcessSpec relay;
  relay.name = "sluice-relay";
  relay.args = {test::relay_program(), "--listen", "unix:" + socket, "--broker", site.redis.url(),
                "--log-level",         "warn"};
  relay.ready_at.path = socket;
  return relay;
}

std::string sluice_version() {
  const std::string text = output_of(test::gateway_program(), "--version");
  return text.substr(0, text.find('\n'));
}

class SluiceServer : public ServerUnderTest {
 public:
  SluiceServer(std::string name, std::string title, std::string io_uring, bool keeper = false,
               Speech speech = Speech::kPlain)
      : name_(std::move(name)),
        title_(std::move(title)),
        io_uring_(std::move(io_uring)),
        keeper_(keeper),
        speech_(speech) {}

  [[nodiscard]] ServerIdentity identity() const override {
    return {name_, ServerKind::kOurs, title_, keeper_ || speech_ != Speech::kPlain};
  }
  [[nodiscard]] std::string version() const override { return sluice_version(); }
  [[nodiscard]] std::optional<std::string> missing() const override {
    // Without the flag both would be the same program.
    if (io_uring_ == "on" && !knows_io_uring()) return "this gateway has no --io-uring";
    if (keeper_ && !knows("--keeper")) return "this gateway has no --keeper";
    if (speech_ != Speech::kPlain && !knows("--rules")) return "this gateway has no --rules";
    return io_uring_ == "on" ? no_io_uring() : std::nullopt;
  }
  [[nodiscard]] std::optional<std::string> refuses(const Needs& needs) const override {
    return short_of_descriptors(needs.clients);
  }

  [[nodiscard]] ServerPlan plan(const Site& site, const Needs& needs) const override {
    ServerPlan plan;
    const std::string socket = site.directory.file("relay.sock");
    plan.endpoint.port = test::free_port();
    plan.processes.push_back(relay_spec(site, socket));
    const std::string keeper = site.directory.file("keeper.sock");
    if (keeper_) plan.processes.push_back(keeper_spec(keeper));
    ProcessSpec gateway;
    gateway.name = "sluice-gateway";
    gateway.args = {test::gateway_program(),
                    "--id",
                    "bench",
                    "--relay",
                    "unix:" + socket,
                    "--listen",
                    plan.endpoint.text(),
                    "--max-connections",
                    std::to_string(needs.clients + kSpareConnections),
                    "--ping-interval",
                    std::to_string(needs.ping_interval.count()) + "s",
                    "--log-level",
                    "warn"};
    if (knows_io_uring()) gateway.args.insert(gateway.args.end(), {"--io-uring", io_uring_});
    if (keeper_) gateway.args.insert(gateway.args.end(), {"--keeper", "unix:" + keeper});
    gateway.ready_at = plan.endpoint;
    plan.path = [](const std::string& channel) { return "/channel/" + channel; };
    if (speech_ != Speech::kPlain) {
      const std::string rules = write_rules(site);
      gateway.args.insert(gateway.args.end(), {"--rules", rules});
      ProcessSpec& relay = plan.processes.front();
      relay.args.insert(relay.args.end(), {"--rules", rules});
      plan.path = [](const std::string&) { return "/connection/websocket"; };
    }
    plan.processes.push_back(std::move(gateway));
    plan.dialect = make_dialect(speech_);
    plan.route = {PublishRoute::Kind::kRedis, site.redis.endpoint(), ""};
    return plan;
  }

 private:
  std::string name_;
  std::string title_;
  std::string io_uring_;
  bool keeper_;
  Speech speech_;
};

class RelayAlone : public ServerUnderTest {
 public:
  [[nodiscard]] ServerIdentity identity() const override {
    return {"sluice-relay", ServerKind::kOurs, "Sluice's relay"};
  }
  [[nodiscard]] std::string version() const override { return sluice_version(); }
  [[nodiscard]] ServerPlan plan(const Site& site, const Needs& /*needs*/) const override {
    ServerPlan plan;
    plan.endpoint.path = site.directory.file("relay.sock");
    plan.processes.push_back(relay_spec(site, plan.endpoint.path));
    plan.route = {PublishRoute::Kind::kRedis, site.redis.endpoint(), ""};
    return plan;
  }
};

/// Beside the plain protocol's servers, by both ways of sending.
void add_centrifuge(std::vector<std::unique_ptr<ServerUnderTest>>& servers, const std::string& name,
                    const std::string& title, Speech speech) {
  servers.push_back(std::make_unique<SluiceServer>("sluice-centrifuge-" + name + "-uring",
                                                   "Sluice, io_uring, Centrifuge " + title, "on",
                                                   false, speech));
  servers.push_back(std::make_unique<SluiceServer>(
      "sluice-centrifuge-" + name, "Sluice, send(2), Centrifuge " + title, "off", false, speech));
}

}  // namespace

void add_sluice(std::vector<std::unique_ptr<ServerUnderTest>>& servers) {
  servers.push_back(std::make_unique<SluiceServer>("sluice-uring", "Sluice, io_uring", "on"));
  servers.push_back(std::make_unique<SluiceServer>("sluice-send", "Sluice, send(2)", "off"));
  servers.push_back(std::make_unique<SluiceServer>("sluice-uring-keeper",
                                                   "Sluice, io_uring, keeper", "on", true));
  servers.push_back(
      std::make_unique<SluiceServer>("sluice-send-keeper", "Sluice, send(2), keeper", "off", true));
  add_centrifuge(servers, "json", "JSON", Speech::kCentrifugeJson);
  add_centrifuge(servers, "protobuf", "Protobuf", Speech::kCentrifugeProtobuf);
}

std::unique_ptr<ServerUnderTest> make_relay_alone() {
  return std::make_unique<RelayAlone>();
}

}  // namespace sluice::fanout
