// haproxy as a test's child.
#include "tests/process/support/haproxy.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace sluice::test {
namespace {

constexpr const char* kHaproxy = "/usr/sbin/haproxy";
constexpr std::size_t kGateways = 4;

std::vector<std::string> split(const std::string& line, char by) {
  std::vector<std::string> parts;
  std::istringstream in(line);
  for (std::string part; std::getline(in, part, by);) parts.push_back(part);
  return parts;
}

std::vector<GatewayAddresses> addresses_of(const std::vector<Gateway*>& gateways) {
  std::vector<GatewayAddresses> addresses;
  for (const Gateway* gateway : gateways)
    addresses.push_back({gateway->id(), gateway->endpoint(), gateway->admin(), gateway->agent()});
  return addresses;
}

}  // namespace

Args behind_balancer() {
  return {"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8"};
}

Args evenly_weighted() {
  return {"--agent-weight", "off"};
}

Haproxy::Haproxy(const TempDir& directory, const std::vector<Gateway*>& gateways,
                 const std::string& file, const Environment& environment, const Args& more)
    : Haproxy(directory, addresses_of(gateways), file, environment, more) {
}

Haproxy::Haproxy(const TempDir& directory, const std::vector<GatewayAddresses>& gateways,
                 const std::string& file, const Environment& environment, const Args& more)
    : socket_(directory.file("haproxy.sock")) {
  if (gateways.size() != kGateways && !gateways.empty())
    throw HarnessError("the shipped files have four gateways, or none");
  endpoint_.port = free_port();
  SpawnOptions options;
  options.args = {kHaproxy, "-W", "-db", "-f", std::string(SLUICE_SOURCE_DIR) + "/haproxy/" + file};
  options.args.insert(options.args.end(), more.begin(), more.end());
  options.env["SLUICE_LB_BIND"] = endpoint_.text();
  options.env["SLUICE_LB_STATS"] = socket_;
  for (const GatewayAddresses& gateway : gateways) {
    const std::string prefix = "SLUICE_LB_" + gateway.id + "_";
    if (gateway.endpoint.path.empty()) {
      options.env[prefix + "PORT"] = std::to_string(gateway.endpoint.port);
    } else {
      options.env[prefix + "SOCKET"] = gateway.endpoint.path;
    }
    options.env[prefix + "CHECK"] = std::to_string(gateway.admin.port);
    options.env[prefix + "AGENT"] = std::to_string(gateway.agent.port);
  }
  options.env.insert(environment.begin(), environment.end());
  process_ = std::make_unique<Process>(std::move(options));
  wait_up(environment.count("SLUICE_LB_CERT") == 0);
}

/// `plain`: without TLS, so that we can ask something.
void Haproxy::wait_up(bool plain) {
  const bool up = eventually(15s, [&] {
    if (!process_->running()) throw HarnessError("haproxy ended: " + process_->output());
    try {
      if (table().empty()) return false;
      if (plain) return http_get(endpoint_, "/").status != 0;
      Socket::connect(endpoint_);
      return true;
    } catch (const HarnessError&) {
      return false;
    }
  });
  if (!up) throw HarnessError("haproxy does not listen");
}

std::string Haproxy::command(const std::string& words) const {
  Endpoint to;
  to.path = socket_;
  Socket socket = Socket::connect(to);
  socket.send_all(words + "\n");
  return socket.read_all(5s);
}

std::vector<std::vector<std::string>> Haproxy::table() const {
  std::vector<std::vector<std::string>> rows;
  for (const auto& line : split(command("show stat"), '\n')) {
    if (!line.empty()) rows.push_back(split(line, ','));
  }
  return rows;
}

std::map<std::string, std::map<std::string, std::string>> Haproxy::stats() const {
  std::map<std::string, std::map<std::string, std::string>> rows;
  const auto lines = table();
  if (lines.empty()) throw HarnessError("haproxy's statistics socket says nothing");
  const auto& head = lines[0];
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto& row = rows[lines[i].at(1)];
    for (std::size_t column = 0; column < std::min(head.size(), lines[i].size()); ++column) {
      row[head[column]] = lines[i][column];
    }
  }
  return rows;
}

std::vector<pid_t> Haproxy::workers_of(pid_t master) {
  const std::string id = std::to_string(master);
  std::ifstream in("/proc/" + id + "/task/" + id + "/children");
  std::vector<pid_t> workers;
  for (pid_t pid = 0; in >> pid;) workers.push_back(pid);
  return workers;
}

std::string Haproxy::version() const {
  for (const auto& line : split(command("show info"), '\n')) {
    if (line.rfind("Version: ", 0) == 0) return line.substr(9);
  }
  return "unknown";
}

std::vector<std::string> Haproxy::servers() const {
  std::vector<std::string> names;
  for (const auto& row : table()) {
    const std::string& name = row.at(1);
    if (name != "svname" && name != "FRONTEND" && name != "BACKEND") names.push_back(name);
  }
  return names;
}

std::string Haproxy::stat(const std::string& server, const std::string& column) const {
  const auto rows = table();
  const auto& head = rows.at(0);
  const auto at = std::find(head.begin(), head.end(), column);
  for (const auto& row : rows) {
    if (row.at(1) == server && at != head.end()) {
      return row.at(static_cast<std::size_t>(at - head.begin()));
    }
  }
  throw HarnessError("no " + column + " of " + server + " in show stat");
}

void Haproxy::wait_status(const std::string& server, const std::string& status, Millis wait) const {
  if (!eventually(wait, [&] { return stat(server, "status").rfind(status, 0) == 0; })) {
    throw HarnessError(server + " is not " + status + " but " + stat(server, "status"));
  }
}

}  // namespace sluice::test
