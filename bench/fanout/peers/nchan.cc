// Peer "nchan": nginx with Debian's nchan module; one process, which is what a single worker does
// without the master above it (that would outlive a bench that is killed, and does nothing in a
// run). Redis carries the messages and stores none (nostore): at most once, as with the others. Its
// stored mode would run a Lua script per message.
#include <unistd.h>

#include "bench/fanout/peers/peers.h"
#include "bench/fanout/peers/program.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::fanout {
namespace {

constexpr const char* kModule = "/usr/lib/nginx/modules/ngx_nchan_module.so";

struct Ports {
  std::uint16_t http = 0;
  std::uint16_t redis = 0;
};

/// Everything that nginx writes stays in the run's directory.
std::string temp_paths(const std::string& directory) {
  std::string lines;
  for (const char* what : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    lines += std::string("  ") + what + "_temp_path " + directory + "/" + what + ";\n";
  }
  return lines;
}

std::string process_part(const std::string& directory) {
  return "load_module " + std::string(kModule) + ";\n" +  //
         "user " + own_account() + ";\n" +                //
         "daemon off;\n"
         "master_process off;\n"
         "worker_rlimit_nofile " +
         std::to_string(descriptors_max()) + ";\n" +  //
         "pid " + directory + "/nginx.pid;\n" +       //
         "error_log stderr notice;\n"
         // With less than a sixteenth free nginx closes idle keep-alive connections: the
         // publisher's.
         "events { worker_connections 24000; multi_accept on; }\n";
}

std::string locations(const Needs& needs) {
  return "    location ~ ^/subscribe/(.+)$ {\n"
         "      nchan_subscriber websocket;\n"
         "      nchan_subscriber_first_message newest;\n"
         "      nchan_websocket_ping_interval " +
         std::to_string(needs.ping_interval.count()) +
         ";\n"
         "      nchan_channel_id $1;\n"
         "      nchan_redis_pass messages;\n"
         "    }\n"
         "    location ~ ^/publish/(.+)$ {\n"
         "      nchan_publisher http;\n"
         "      nchan_channel_id $1;\n"
         "      nchan_redis_pass messages;\n"
         "    }\n";
}

std::string configuration(const std::string& directory, const Ports& ports, const Needs& needs) {
  return process_part(directory) + "http {\n  access_log off;\n" + temp_paths(directory) +
         // The publisher's one connection stays for the whole run.
         "  keepalive_requests 1000000000;\n"
         "  keepalive_timeout 1d;\n"
         "  nchan_shared_memory_size 256M;\n"
         "  upstream messages {\n"
         "    nchan_redis_server redis://127.0.0.1:" +
         std::to_string(ports.redis) +
         "/;\n"
         "    nchan_redis_storage_mode nostore;\n"
         "  }\n"
         "  server {\n"
         "    listen 127.0.0.1:" +
         std::to_string(ports.http) + " backlog=65535;\n" + locations(needs) + "  }\n}\n";
}

class Nchan final : public ServerUnderTest {
 public:
  [[nodiscard]] ServerIdentity identity() const override {
    return {"nchan", ServerKind::kPeer, "nginx + nchan"};
  }

  [[nodiscard]] std::string version() const override {
    const auto nginx = find_program("nginx");
    if (!nginx) return "unknown";
    return "nginx " + version_by({*nginx, "-v"}, R"(nginx/(\S+))") + ", nchan " +
           version_by({"/usr/bin/dpkg-query", "-W", "-f", "${Version}\n", "libnginx-mod-nchan"},
                      R"((?:\d+:)?([0-9][^\s+-]*))");
  }

  [[nodiscard]] std::optional<std::string> missing() const override {
    if (!find_program("nginx")) return "nginx is not installed";
    if (::access(kModule, R_OK) != 0) return "libnginx-mod-nchan is not installed";
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::string> refuses(const Needs& needs) const override {
    return lacks_descriptors(needs);
  }

  [[nodiscard]] ServerPlan plan(const Site& site, const Needs& needs) const override {
    const Ports ports{test::free_port(), site.redis.port()};
    const std::string directory = site.directory.path();
    ServerPlan plan;
    plan.endpoint.port = ports.http;
    ProcessSpec nginx;
    nginx.name = "nginx";
    nginx.args = {find_program("nginx").value_or("nginx"),
                  "-p",
                  directory,
                  "-e",
                  "stderr",
                  "-c",
                  site.directory.write("nginx.conf", configuration(directory, ports, needs))};
    nginx.nofile = descriptors_max();
    // It listens a second or two before it has its Redis. Beyond the start nothing is logged at
    // this level.
    nginx.ready_line = "Redis upstream messages: ready";
    plan.processes.push_back(std::move(nginx));
    plan.path = [](const std::string& channel) { return "/subscribe/" + channel; };
    plan.dialect = make_plain_dialect();
    plan.route = {PublishRoute::Kind::kHttpPost, plan.endpoint, "/publish/"};
    return plan;
  }
};

}  // namespace

std::unique_ptr<ServerUnderTest> make_nchan() {
  return std::make_unique<Nchan>();
}

}  // namespace sluice::fanout
