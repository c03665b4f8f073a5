// floor_send and floor_uring as servers under test.
#include <sys/resource.h>

#include "bench/fanout/servers.h"

namespace sluice::fanout {
namespace {

constexpr std::size_t kSpareDescriptors = 100;

class FloorServer : public ServerUnderTest {
 public:
  FloorServer(std::string name, std::string title, std::string program)
      : name_(std::move(name)), title_(std::move(title)), program_(std::move(program)) {}

  [[nodiscard]] ServerIdentity identity() const override {
    return {name_, ServerKind::kFloor, title_};
  }
  [[nodiscard]] std::string version() const override { return "1"; }
  [[nodiscard]] std::optional<std::string> refuses(const Needs& needs) const override {
    return short_of_descriptors(needs.clients);
  }
  [[nodiscard]] ServerPlan plan(const Site& site, const Needs& needs) const override {
    ServerPlan plan;
    plan.endpoint.port = test::free_port();
    ProcessSpec spec;
    spec.name = name_;
    spec.args = {std::string(SLUICE_BUILD_DIR) + "/bench/fanout/" + program_,
                 "--port",
                 std::to_string(plan.endpoint.port),
                 "--redis-port",
                 std::to_string(site.redis.port()),
                 "--ping-interval",
                 std::to_string(needs.ping_interval.count())};
    spec.ready_at = plan.endpoint;
    plan.processes.push_back(std::move(spec));
    plan.path = [](const std::string& channel) { return "/channel/" + channel; };
    plan.dialect = make_plain_dialect();
    plan.route = {PublishRoute::Kind::kRedis, site.redis.endpoint(), ""};
    return plan;
  }

 private:
  std::string name_;
  std::string title_;
  std::string program_;
};

}  // namespace

std::optional<std::string> short_of_descriptors(std::size_t clients) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (clients + kSpareDescriptors <= limit.rlim_max) return std::nullopt;
  return "a process may hold " + std::to_string(limit.rlim_max) + " descriptors here";
}

void add_floors(std::vector<std::unique_ptr<ServerUnderTest>>& servers) {
  servers.push_back(
      std::make_unique<FloorServer>("floor-send", "bare loop, send(2)", "floor_send"));
  servers.push_back(
      std::make_unique<FloorServer>("floor-uring", "bare loop, io_uring", "floor_uring"));
}

}  // namespace sluice::fanout
