#include "tests/process/support/own_haproxy.h"

#include <signal.h>

#include <algorithm>
#include <sstream>

namespace sluice::test {
namespace {

constexpr const char* kHaproxy = "/usr/sbin/haproxy";

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, by);) parts.push_back(part);
  return parts;
}

/// The columns of a table's line under their names.
std::map<std::string, std::string> named(const std::vector<std::string>& names,
                                         const std::vector<std::string>& values) {
  std::map<std::string, std::string> row;
  for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) row[names[i]] = values[i];
  return row;
}

}  // namespace

OwnHaproxy::OwnHaproxy(const TempDir& directory, Settings settings)
    : directory_(directory), settings_(std::move(settings)) {
  endpoint_.port = free_port();
  if (settings_.stats_on_tcp) {
    stats_.port = free_port();
  } else {
    stats_.path = directory_.file(settings_.name + ".sock");
  }
}

std::string OwnHaproxy::stats_address() const {
  return stats_.text();
}

void OwnHaproxy::change(const Settings& settings) {
  const std::string name = settings_.name;
  settings_ = settings;
  settings_.name = name;
}

void OwnHaproxy::write_file() {
  const std::string stats =
      settings_.stats_on_tcp ? "ipv4@" + stats_.text() : stats_.path + " mode 600";
  file_ = directory_.write(
      settings_.name + ".cfg",
      "global\n"
      "  maxconn 4000\n"
      "  stats socket " +
          stats + " level " + settings_.level +
          " expose-fd listeners\n"
          "  hard-stop-after 30m\n"
          "  log stdout format raw local0\n"
          "defaults\n"
          "  mode http\n"
          "  log global\n"
          "  option httplog\n"
          "  timeout connect 1s\n"
          "  timeout http-request 5s\n"
          "  timeout client 30s\n"
          "  timeout server 30s\n"
          "  timeout queue 1s\n"
          "  timeout tunnel 90s\n"
          "  timeout server-fin 10s\n"
          "  timeout check 1s\n"
          "frontend ws\n"
          "  bind " +
          endpoint_.text() +
          "\n"
          "  tcp-request inspect-delay 1500ms\n"
          "  tcp-request content accept if { nbsrv(gateways) gt 0 } || { stopping }\n"
          "  tcp-request content accept if WAIT_END\n"
          "  http-request return status 503 hdr retry-after 3 if { "
          "nbsrv(gateways) eq 0 } !{ stopping }\n"
          "  default_backend gateways\n"
          "backend gateways\n"
          "  " +
          settings_.backend +
          "\n"
          "  option httpchk GET /readyz\n" +
          (settings_.send_state ? "  http-check send-state\n" : "") +
          (settings_.disable_on_404 ? "  http-check disable-on-404\n" : "") +
          "  retries 3\n"
          "  option redispatch 1\n"
          "  retry-on conn-failure empty-response 503\n"
          "  default-server inter " +
          settings_.check + " fall 3 rise 2 weight 100 send-proxy-v2\n" + settings_.servers);
}

void OwnHaproxy::start() {
  write_file();
  SpawnOptions options;
  options.args = {kHaproxy, "-W", "-db", "-f", file_};
  process_ = std::make_unique<Process>(std::move(options));
  if (!eventually(15s, [&] { return answers(0); }))
    throw HarnessError("haproxy does not answer: " + process_->output());
}

void OwnHaproxy::reload() {
  write_file();
  const int before = worker();
  process_->signal(SIGUSR2);
  if (!eventually(15s, [&] { return answers(before); }))
    throw HarnessError("haproxy has no new worker: " + process_->output());
}

bool OwnHaproxy::answers(int other_than) const {
  try {
    const int now = worker();
    return now != 0 && now != other_than;
  } catch (const HarnessError&) {
    return false;
  }
}

int OwnHaproxy::worker() const {
  for (const auto& line : split(command("show info"), '\n')) {
    if (line.rfind("Pid: ", 0) == 0) return std::stoi(line.substr(5));
  }
  return 0;
}

std::string OwnHaproxy::command(const std::string& words) const {
  Socket socket = Socket::connect(stats_);
  socket.send_all(words + "\n");
  std::string reply = socket.read_all(5s);
  while (!reply.empty() && reply.back() == '\n') reply.pop_back();
  return reply;
}

std::optional<std::map<std::string, std::string>> OwnHaproxy::server(
    const std::string& name) const {
  const auto lines = split(command("show servers state gateways"), '\n');
  if (lines.size() < 2) throw HarnessError("no table of servers: " + command("show info"));
  auto names = split(lines[1], ' ');
  names.erase(names.begin());  // "#"
  for (std::size_t i = 2; i < lines.size(); ++i) {
    auto row = named(names, split(lines[i], ' '));
    if (row["srv_name"] == name) return row;
  }
  return std::nullopt;
}

std::string OwnHaproxy::stat(const std::string& name, const std::string& column) const {
  const auto lines = split(command("show stat"), '\n');
  if (lines.empty()) throw HarnessError("no statistics");
  const auto names = split(lines[0], ',');
  for (const auto& line : lines) {
    auto row = named(names, split(line, ','));
    if (row["svname"] == name) return row[column];
  }
  return "";
}

void OwnHaproxy::wait_status(const std::string& name, const std::string& status,
                             Millis wait) const {
  if (!eventually(wait, [&] { return stat(name, "status").rfind(status, 0) == 0; }))
    throw HarnessError(name + " is not " + status + " but '" + stat(name, "status") + "'");
}

}  // namespace sluice::test
