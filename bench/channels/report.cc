#include "bench/channels/report.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice::channels {
namespace {

using nlohmann::json;

constexpr double kMiB = 1024.0 * 1024.0;

json usage_json(const Usage& usage) {
  return {{"gateway", usage.gateway}, {"relay", usage.relay}, {"redis", usage.redis}};
}

json phase_json(const Phase& phase) {
  return {{"name", phase.name},
          {"seconds", phase.seconds},
          {"cpu_s", usage_json(phase.cpu_s)},
          {"clients_cpu_s", phase.load_cpu_s},
          {"resident_bytes", usage_json(phase.resident_bytes)},
          {"to_relay_bytes", phase.to_relay_bytes},
          {"to_gateway_bytes", phase.to_gateway_bytes},
          {"redis_commands", phase.redis_commands},
          {"redis_sent_bytes", phase.redis_sent_bytes},
          {"history_reads", phase.history_reads},
          {"ring_recoveries", phase.ring_recoveries},
          {"presence_changes", phase.presence_changes},
          {"publications", phase.publications}};
}

std::string print(const char* format, ...) {
  char text[400];
  va_list arguments;
  va_start(arguments, format);
  (void)std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

std::string phase_row(const Phase& phase) {
  return print("%-10s %8.2f %8.2f %7.2f %7.2f %9.1f %9.1f %9.1f %9.2f %9.2f %9.0f %9.0f\n",
               phase.name.c_str(), phase.seconds, phase.cpu_s.gateway, phase.cpu_s.relay,
               phase.cpu_s.redis, phase.resident_bytes.gateway / kMiB,
               phase.resident_bytes.relay / kMiB, phase.resident_bytes.redis / kMiB,
               phase.to_relay_bytes / kMiB, phase.to_gateway_bytes / kMiB, phase.redis_commands,
               phase.history_reads);
}

/// What a client, and what a subscription has added to a program.
std::string memory_lines(const Record& record) {
  const Phase* connected = find_phase(record, "connect");
  const Phase* subscribed = find_phase(record, "subscribe");
  if (connected == nullptr || subscribed == nullptr) return "";
  const auto clients = static_cast<double>(record.plan.clients);
  const auto subscriptions = static_cast<double>(record.plan.subscriptions());
  const Usage& with = subscribed->resident_bytes;
  const Usage& without = connected->resident_bytes;
  return print(
      "A connected client: %.0f bytes of the gateway. A subscription: %.0f of the gateway, "
      "%.0f of the relay.\n",
      (without.gateway - record.empty_bytes.gateway) / clients,
      (with.gateway - without.gateway) / subscriptions,
      (with.relay - without.relay) / subscriptions);
}

}  // namespace

std::string to_json(const Record& record, const std::vector<Promise>& promises) {
  const Plan& plan = record.plan;
  json phases = json::array();
  for (const Phase& phase : record.phases) phases.push_back(phase_json(phase));
  json kept = json::array();
  for (const Promise& promise : promises)
    kept.push_back({{"promise", promise.text}, {"kept", promise.kept}, {"detail", promise.detail}});
  const json all = {{"version", 1},
                    {"date", record.date},
                    {"kernel", record.kernel},
                    {"clients", plan.clients},
                    {"per_client", plan.per_client},
                    {"channels", plan.pool + 1},
                    {"recover", plan.recover},
                    {"encoding", plan.protobuf ? "protobuf" : "json"},
                    {"broker", plan.memory_broker ? "memory" : "redis"},
                    {"history", plan.history},
                    {"presence", plan.presence},
                    {"quick", plan.quick},
                    {"empty_bytes", usage_json(record.empty_bytes)},
                    {"presence_entries", record.presence_entries},
                    {"phases", phases},
                    {"promises", kept}};
  return all.dump(1) + "\n";
}

std::string to_table(const Record& record, const std::vector<Promise>& promises) {
  const Plan& plan = record.plan;
  std::string text = print(
      "%zu clients with %zu channels each, %zu channels in all, %s, %s%s%s; %zu come back\n\n",
      plan.clients, plan.per_client, plan.pool + 1, plan.protobuf ? "Protobuf" : "JSON",
      plan.memory_broker ? "embedded broker" : "Redis", plan.history ? ", history" : "",
      plan.presence ? ", presence" : "", plan.recover);
  text += print("%-10s %8s %8s %7s %7s %9s %9s %9s %9s %9s %9s %9s\n", "", "s", "CPU s", "CPU s",
                "CPU s", "MiB", "MiB", "MiB", "MiB to", "MiB to", "Redis", "history");
  text += print("%-10s %8s %8s %7s %7s %9s %9s %9s %9s %9s %9s %9s\n", "", "", "gateway", "relay",
                "Redis", "gateway", "relay", "Redis", "relay", "gateway", "commands", "reads");
  text += print("%-10s %8s %8s %7s %7s %9.1f %9.1f %9.1f\n", "empty", "", "", "", "",
                record.empty_bytes.gateway / kMiB, record.empty_bytes.relay / kMiB,
                record.empty_bytes.redis / kMiB);
  for (const Phase& phase : record.phases) text += phase_row(phase);
  text += "\n" + memory_lines(record) + "\n";
  for (const Promise& promise : promises)
    text += print("%s  %s: %s\n", promise.kept ? "kept  " : "BROKEN", promise.text.c_str(),
                  promise.detail.c_str());
  return text;
}

}  // namespace sluice::channels
