#include "bench/deploy/sampler.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// A gateway that does not answer its admin listener by then is left out of this second.
constexpr test::Millis kAdminWait = 300ms;
/// Progress where it is not a terminal.
constexpr std::size_t kSecondsPerLine = 5;

/// User and system time of a process; nothing when it has gone.
std::optional<std::int64_t> cpu_us(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(in, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  if (!(fields >> user >> system)) return std::nullopt;
  return (user + system) * 1'000'000 / ::sysconf(_SC_CLK_TCK);
}

/// What all cores have done since the machine started, idling aside (proc(5), /proc/stat).
std::int64_t machine_busy_us() {
  std::ifstream in("/proc/stat");
  std::string name;
  in >> name;
  std::int64_t busy = 0;
  std::int64_t ticks = 0;
  constexpr int kIdle = 3;
  constexpr int kWaiting = 4;
  constexpr int kFields = 8;  // user, nice, system, idle, iowait, irq, softirq, steal
  for (int field = 0; field < kFields && in >> ticks; ++field) {
    if (field != kIdle && field != kWaiting) busy += ticks;
  }
  return busy * 1'000'000 / ::sysconf(_SC_CLK_TCK);
}

std::int64_t figure(const std::map<std::string, std::string>& row, const std::string& column) {
  const auto found = row.find(column);
  return found == row.end() || found->second.empty() ? 0 : std::stoll(found->second);
}

BalancerRow balancer_row(const std::map<std::string, std::string>& row) {
  BalancerRow made;
  const auto status = row.find("status");
  if (status != row.end()) made.status = status->second;
  made.weight = figure(row, "weight");
  made.sessions = figure(row, "scur");
  made.queued = figure(row, "qcur");
  made.queued_max = figure(row, "qmax");
  made.queue_ms_max = figure(row, "qtime_max");
  made.retries = figure(row, "wretr");
  made.redispatches = figure(row, "wredis");
  made.connect_errors = figure(row, "econ");
  made.answers_4xx = figure(row, "hrsp_4xx");
  made.answers_5xx = figure(row, "hrsp_5xx");
  return made;
}

}  // namespace

Sampler::Sampler(Stage& stage, const LoadView& load, TimePoint began, std::string title)
    : stage_(stage),
      load_(load),
      began_(began),
      title_(std::move(title)),
      in_place_(::isatty(STDERR_FILENO) != 0),
      last_look_(began),
      thread_([this] { run(); }) {
}

Sampler::~Sampler() {
  end();
}

void Sampler::end() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

std::vector<Sample> Sampler::take() {
  end();
  if (in_place_) std::fputc('\n', stderr);
  return std::move(samples_);
}

void Sampler::phase(const std::string& text) {
  const std::lock_guard lock(mutex_);
  phase_ = text;
}

void Sampler::run() {
  for (TimePoint due = began_ + 1s; !stop_; due += 1s) {
    while (!stop_ && std::chrono::steady_clock::now() < due) std::this_thread::sleep_for(10ms);
    if (stop_) return;
    Sample sample;
    look(sample);
    say(sample);
    samples_.push_back(std::move(sample));
  }
}

void Sampler::look(Sample& sample) {
  sample.at_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  look_at_cpu(sample);
  try {
    look_at_balancer(sample);
    sample.balancer_answered = true;
  } catch (const std::exception&) {
    sample.balancer_answered = false;  // between two workers
  }
  for (std::size_t g = 0; g < kGateways; ++g) {
    try {
      const auto answer = test::http_get(stage_.admin(g), "/metrics", kAdminWait);
      sample.connections.at(g) =
          answer.status == 200
              ? static_cast<std::int64_t>(
                    test::Metrics::parse(answer.body).value("sluice_gateway_connections"))
              : -1;
    } catch (const std::exception&) {
      sample.connections.at(g) = -1;
    }
  }
}

void Sampler::look_at_balancer(Sample& sample) {
  const auto rows = stage_.balancer().stats();
  for (std::size_t g = 0; g < kGateways; ++g) {
    const auto found = rows.find(gateway_name(g));
    if (found != rows.end()) sample.rows.at(g) = balancer_row(found->second);
  }
  const auto backend = rows.find("BACKEND");
  if (backend != rows.end()) sample.rows.at(kGateways) = balancer_row(backend->second);
}

void Sampler::look_at_cpu(Sample& sample) {
  const TimePoint now = std::chrono::steady_clock::now();
  const double us = std::chrono::duration<double, std::micro>(now - last_look_).count();
  last_look_ = now;
  const auto count = [&](const std::string& name, pid_t pid, std::optional<std::int64_t> used) {
    if (!used) return;
    std::int64_t& before = cpu_us_[{name, pid}];
    // A new process begins at nothing.
    sample.cpu_percent[name] += static_cast<double>(*used - before) * 100 / us;
    before = *used;
  };
  for (std::size_t g = 0; g < kGateways; ++g) {
    const pid_t pid = stage_.gateway_pid(g);
    count(gateway_name(g), pid, cpu_us(pid));
  }
  count("relay", stage_.relay_pid(), cpu_us(stage_.relay_pid()));
  count("redis", stage_.redis_pid(), cpu_us(stage_.redis_pid()));
  for (const pid_t worker : test::Haproxy::workers_of(stage_.balancer_pid())) {
    count("haproxy", worker, cpu_us(worker));
  }
  count("load", 0, load_.cpu_us);
  look_at_others(sample, us);
}

/// What is not ours takes the same cores: a run beside a compiler measures the compiler.
void Sampler::look_at_others(Sample& sample, double us) {
  const std::int64_t busy = machine_busy_us();
  if (busy_us_ != 0) {
    double others = static_cast<double>(busy - busy_us_) * 100 / us;
    for (const auto& [program, percent] : sample.cpu_percent) others -= percent;
    sample.cpu_percent["others"] = std::max(0.0, others);
  }
  busy_us_ = busy;
}

void Sampler::say(const Sample& sample) {
  std::string phase;
  {
    const std::lock_guard lock(mutex_);
    phase = phase_;
  }
  std::ostringstream line;
  line << title_ << "  " << static_cast<int>(sample.at_s) << " s  " << phase << "  clients "
       << load_.open_long << " + " << load_.open_short << "  per gateway";
  for (std::size_t g = 0; g < kGateways; ++g) {
    line << ' ';
    if (sample.connections.at(g) < 0) {
      line << '-';
    } else {
      line << sample.connections.at(g);
    }
  }
  line << "  closes/s " << load_.closes << "  back/s " << load_.reconnects << "  failed "
       << load_.failed << "  cut " << load_.cuts << "  delivery faults " << load_.faults;
  if (in_place_) {
    std::fprintf(stderr, "\r\033[K%s", line.str().c_str());
  } else if (samples_.size() % kSecondsPerLine == 0) {
    std::fprintf(stderr, "%s\n", line.str().c_str());
  }
  std::fflush(stderr);
}

}  // namespace sluice::bench
