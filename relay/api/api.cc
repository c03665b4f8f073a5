#include "relay/api/api.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>

#include "common/log.h"
#include "common/small_file.h"
#include "common/wall_clock.h"
#include "relay/api/limits.h"
#include "relay/api/requests.h"

namespace sluice::relay::api {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "relay";
  return name.data();
}

}  // namespace

envelope::NodeInfo node_info(const Router& router, const std::string& name) {
  envelope::NodeInfo info;
  info.set_uid(epoch_text(router.instance()));
  info.set_name(name);
  info.set_version(SLUICE_VERSION);
  info.set_uptime_s(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(router.now() - router.started_at())
          .count()));
  info.set_channels(static_cast<std::uint32_t>(router.public_channels()));
  for (const auto& [id, gateway] : router.gateway_table()) {
    // One that is away answers nobody.
    if (gateway->port == nullptr) continue;
    auto& told = *info.add_gateways();
    told.set_id(id);
    const proto::GatewayInfo known = gateway->info.value_or(proto::GatewayInfo{});
    told.set_clients(known.clients);
    told.set_users(known.users);
    told.set_subscriptions(known.subscriptions);
    told.set_channels(known.channels);
  }
  return info;
}

Api::Api(const ApiOptions& options, LocalRequests& requests, const Router& router,
         const RulesStore* rules, const TimeSource& time, Random& random)
    : options_(options),
      time_(time),
      cluster_(requests, time, random,
               [&router, name = options.node_name.empty() ? host_name() : options.node_name] {
                 return node_info(router, name);
               }),
      service_(requests, cluster_, rules, time, unix_ms) {
  if (options_.listen) cluster_.listen();
}

Result<void> Api::read_keys() {
  if (options_.key_file.empty()) return {};
  auto keys = KeyTable::read(options_.key_file);
  if (!keys) return fail(keys.error().code, "--api-key-file: " + keys.error().message);
  keys_ = *std::move(keys);
  if (is_world_readable(options_.key_file))
    log_warn("--api-key-file {}: everybody on this host can read the keys (chmod o-r)",
             options_.key_file);
  return {};
}

Result<void> Api::open(event_base* base, UniqueFd inherited, unsigned unix_mode) {
  if (!options_.listen) return {};
  if (auto read = read_keys(); !read) return read;
  Result<UniqueFd> socket = std::move(inherited);
  if (!socket->valid()) socket = listen_on(*options_.listen, {.unix_mode = unix_mode});
  if (!socket) return fail(socket.error().code, "--api-listen: " + socket.error().message);
  server_ = std::make_unique<ApiServer>(base, *std::move(socket), service_,
                                        options_.key_file.empty() ? nullptr : &keys_, time_);
  log_info("API on {}, {}", listening_name(*options_.listen, server_->descriptor()),
           options_.key_file.empty() ? "for who may open the socket"
                                     : "keys: " + std::to_string(keys_.size()));
  return {};
}

void Api::tick() {
  cluster_.tick();
  if (server_) server_->tick();
}

void Api::reload() {
  if (!server_ || options_.key_file.empty()) return;
  if (const auto read = read_keys(); !read) {
    log_error("{}; the keys stay as they were", read.error().message);
  } else {
    log_info("--api-key-file {} read again, keys: {}", options_.key_file, keys_.size());
  }
}

void Api::take_in(bool on) {
  if (server_) server_->take_in(on);
}

void Api::stop() {
  if (server_) server_->stop();
}

}  // namespace sluice::relay::api
