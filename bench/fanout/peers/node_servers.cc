// The peers in Node: scripts in node/, npm packages of the lock file there, one process each.
#include <unistd.h>

#include "bench/fanout/dialects/socketio.h"
#include "bench/fanout/peers/peers.h"
#include "bench/fanout/peers/program.h"
#include "tests/process/support/socket.h"

namespace sluice::fanout {
namespace {

constexpr const char* kDirectory = SLUICE_SOURCE_DIR "/bench/fanout/peers/node/";

std::string package_file(const std::string& package) {
  return std::string(kDirectory) + "node_modules/" + package + "/package.json";
}

bool installed(const std::string& package) {
  return ::access(package_file(package).c_str(), R_OK) == 0;
}

/// "redis 3.1.2": by its own name, which an alias ("redis3") is not.
std::string name_and_version(const std::string& package) {
  if (!installed(package)) return package + " unknown";
  const std::vector<std::string> show{"/bin/cat", package_file(package)};
  return version_by(show, R"re("name"\s*:\s*"([^"]+)")re") + " " +
         version_by(show, R"re("version"\s*:\s*"([^"]+)")re");
}

struct NodePeer {
  ServerIdentity identity;
  std::string script;
  std::vector<std::string> packages;  ///< the version's, the first is the one it is known by
  std::unique_ptr<Dialect> (*dialect)();
  std::function<std::string(const std::string& channel)> path;
  bool one_channel = false;
};

class NodeServer final : public ServerUnderTest {
 public:
  explicit NodeServer(NodePeer peer) : peer_(std::move(peer)) {}

  [[nodiscard]] ServerIdentity identity() const override { return peer_.identity; }

  [[nodiscard]] std::string version() const override {
    std::string text;
    for (const auto& package : peer_.packages) {
      text += name_and_version(package) + ", ";
    }
    const auto node = find_program("node");
    return text + "node " + (node ? version_by({*node, "--version"}, "v(\\S+)") : "unknown");
  }

  [[nodiscard]] std::optional<std::string> missing() const override {
    if (!find_program("node")) return "node is not installed";
    for (const auto& package : peer_.packages) {
      if (!installed(package)) {
        return "npm packages are missing: bench/fanout/peers/node/install";
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::string> refuses(const Needs& needs) const override {
    if (peer_.one_channel && needs.channels.size() > 1) return "has one channel only";
    return lacks_descriptors(needs);
  }

  [[nodiscard]] ServerPlan plan(const Site& site, const Needs& needs) const override {
    if (const auto reason = refuses(needs)) throw test::HarnessError(*reason);
    ServerPlan plan;
    plan.endpoint.port = test::free_port();
    plan.route.to = site.redis.endpoint();
    ProcessSpec node;
    node.name = peer_.script;
    node.args = {find_program("node").value_or("node"), kDirectory + peer_.script};
    node.env = {{"NODE_ENV", "production"},
                {"PORT", std::to_string(plan.endpoint.port)},
                {"REDIS_URL", site.redis.url()},
                {"PING_SECONDS", std::to_string(needs.ping_interval.count())},
                {"CHANNEL", needs.channels.empty() ? "none" : needs.channels.front()}};
    node.nofile = descriptors_max();
    node.ready_line = "^ready$";
    plan.processes.push_back(std::move(node));
    plan.path = peer_.path;
    plan.dialect = peer_.dialect();
    return plan;
  }

 private:
  NodePeer peer_;
};

}  // namespace

std::unique_ptr<ServerUnderTest> make_node_ws() {
  return std::make_unique<NodeServer>(
      NodePeer{{"node-ws", ServerKind::kPeer, "Node, ws"},
               "ws_server.mjs",
               {"ws", "redis"},
               make_plain_dialect,
               [](const std::string& channel) { return "/" + channel; }});
}

std::unique_ptr<ServerUnderTest> make_socketio() {
  return std::make_unique<NodeServer>(NodePeer{{"socketio", ServerKind::kPeer, "Socket.IO"},
                                               "socketio_server.mjs",
                                               {"socket.io", "@socket.io/redis-adapter", "redis"},
                                               make_socketio_dialect,
                                               [](const std::string& /*channel*/) {
                                                 return std::string(
                                                     "/socket.io/?EIO=4&transport=websocket");
                                               }});
}

std::unique_ptr<ServerUnderTest> make_article() {
  return std::make_unique<NodeServer>(
      NodePeer{{"article", ServerKind::kPeer, "Article's server"},
               "article_server.mjs",
               {"websocket", "redis3"},
               make_plain_dialect,
               [](const std::string& /*channel*/) { return std::string("/"); },
               true});
}

}  // namespace sluice::fanout
