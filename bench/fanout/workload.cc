#include "bench/fanout/workload.h"

namespace sluice::fanout {
namespace {

using Kind = TrafficPlan::Kind;

TrafficPlan paced(double per_second) {
  return {Kind::kPaced, per_second, 0, 0};
}

TrafficPlan window(std::size_t outstanding) {
  return {Kind::kWindow, 0, 0, outstanding};
}

Workload fan_out(std::string id, std::string variant, std::string title, std::size_t clients,
                 TrafficPlan traffic) {
  Workload workload;
  workload.id = std::move(id);
  workload.variant = std::move(variant);
  workload.title = std::move(title);
  workload.clients = clients;
  workload.traffic = traffic;
  return workload;
}

/// `deliveries` per second whatever the size.
Workload steady(std::size_t clients) {
  constexpr double kDeliveries = 10000;
  const double rate = kDeliveries / static_cast<double>(clients);
  return fan_out("W1", std::to_string(clients), "one channel, 10,000 deliveries/s", clients,
                 paced(rate));
}

Workload saturated(std::size_t clients) {
  return fan_out("W2", std::to_string(clients), "one channel, as fast as it goes", clients,
                 window(kWindow));
}

Workload bursts() {
  return fan_out("W3", "1000", "bursts of 100 messages each second", 1000,
                 {Kind::kBursts, 0, 100, 0});
}

Workload channels(const std::string& variant, TrafficPlan traffic) {
  Workload workload = fan_out("W4", variant, "1,000 channels of 10 clients", 10000, traffic);
  workload.channels = 1000;
  workload.kept_max = 256;
  return workload;
}

Workload links() {
  Workload workload = fan_out("W5", "links", "relay to 8 gateways, as fast as it goes", kLinks,
                              window(kLinksWindow));
  workload.mode = Mode::kLinks;
  return workload;
}

Workload upgrades() {
  Workload workload =
      fan_out("W6", "upgrades", "connect, upgrade, close; 64 at a time", kUpgradesInFlight, {});
  workload.mode = Mode::kUpgrades;
  return workload;
}

Workload churn() {
  Workload workload =
      fan_out("W6", "churn", "W1 while half of 1,000 clients is replaced in 5 s", 1000, paced(10));
  workload.mode = Mode::kChurn;
  return workload;
}

Workload latency() {
  // The rate is only known once floor_send's limit is.
  Workload workload =
      fan_out("W7", "1000", "latency at half of floor_send's saturation", 1000, paced(1));
  workload.mode = Mode::kLatency;
  return workload;
}

Workload idle(std::size_t clients, int pings_s) {
  Workload workload = fan_out("W8", std::to_string(clients),
                              "idle, a ping each " + std::to_string(pings_s) + " s", clients, {});
  workload.mode = Mode::kIdle;
  workload.ping_interval_s = pings_s;
  workload.seconds = pings_s;
  return workload;
}

Workload fairness(std::size_t clients) {
  Workload workload = fan_out("W9", std::to_string(clients),
                              "beside a channel as fast as it goes: another, and newcomers",
                              clients + kBesides, window(kWindow));
  workload.mode = Mode::kFairness;
  workload.channels = 2;
  return workload;
}

}  // namespace

std::vector<Workload> all_workloads(bool quick) {
  constexpr double kMessagesOfChannels = 1000;
  if (quick) {
    return {steady(1000),
            saturated(1000),
            bursts(),
            channels("steady", paced(kMessagesOfChannels)),
            channels("saturated", window(kChannelsWindow)),
            links(),
            upgrades(),
            churn(),
            latency(),
            idle(2000, kIdlePingsQuick_s),
            fairness(2000)};
  }
  return {steady(1000),
          steady(5000),
          steady(19000),
          saturated(1000),
          saturated(5000),
          bursts(),
          channels("steady", paced(kMessagesOfChannels)),
          channels("saturated", window(kChannelsWindow)),
          links(),
          upgrades(),
          churn(),
          latency(),
          idle(19000, kIdlePings_s),
          fairness(19000)};
}

Workload smoke_workload() {
  Workload workload = fan_out("W1", "smoke", "small", 50, paced(50));
  workload.seconds = 1;
  return workload;
}

std::vector<std::string> metrics_of(const std::string& workload, const std::string& variant) {
  if (workload == "W5") return {"cpu_us_per_delivery", "deliveries_per_second"};
  if (variant == "upgrades") return {"cpu_us_per_upgrade", "upgrades_per_second"};
  if (workload == "W7") return {"latency_p50_us", "latency_p99_us", "latency_p999_us"};
  if (workload == "W9") return {"latency_p99_us", "open_p99_us"};
  if (workload == "W8") return {"idle_cpu_percent", "bytes_per_client"};
  if (workload == "W2" || variant == "saturated")
    return {"cpu_us_per_delivery", "deliveries_per_second"};
  return {"cpu_us_per_delivery"};
}

}  // namespace sluice::fanout
