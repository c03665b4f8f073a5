// floor_send and floor_uring as servers under test.
#include <linux/io_uring.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "bench/fanout/servers.h"

namespace sluice::fanout {
namespace {

constexpr std::size_t kSpareDescriptors = 100;

class FloorServer : public ServerUnderTest {
 public:
  FloorServer(std::string name, std::string title, std::string program, bool hidden = false)
      : name_(std::move(name)),
        title_(std::move(title)),
        program_(std::move(program)),
        hidden_(hidden) {}

  [[nodiscard]] ServerIdentity identity() const override {
    return {name_, ServerKind::kFloor, title_, hidden_};
  }
  [[nodiscard]] std::string version() const override { return "1"; }
  [[nodiscard]] std::optional<std::string> missing() const override {
    return program_ == "floor_uring" ? no_io_uring() : std::nullopt;
  }
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
  bool hidden_;
};

}  // namespace

std::optional<std::string> short_of_descriptors(std::size_t clients) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (clients + kSpareDescriptors <= limit.rlim_max) return std::nullopt;
  return "a process may hold " + std::to_string(limit.rlim_max) + " descriptors here";
}

std::optional<std::string> no_io_uring() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const UniqueFd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 1, &params)));
  if (ring.valid()) return std::nullopt;
  return "no io_uring here (errno " + std::to_string(errno) + ")";
}

void add_floors(std::vector<std::unique_ptr<ServerUnderTest>>& servers) {
  servers.push_back(
      std::make_unique<FloorServer>("floor-send", "bare loop, send(2)", "floor_send"));
  servers.push_back(
      std::make_unique<FloorServer>("floor-uring", "bare loop, io_uring", "floor_uring"));
  servers.push_back(
      std::make_unique<FloorServer>("floor-broken", "loses and garbles", "floor_broken", true));
}

}  // namespace sluice::fanout
