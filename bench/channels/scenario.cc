#include "bench/channels/scenario.h"

#include <sys/utsname.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>

#include "bench/channels/stage.h"
#include "bench/fanout/server.h"
#include "bench/fanout/usage.h"
#include "tests/process/support/centrifuge_client.h"

namespace sluice::channels {
namespace {

using test::Millis;

constexpr Millis kWait{180000};
constexpr const char* kShared = "everybody";
/// What the clients' data is padded to, as the fan-out bench's.
constexpr std::size_t kFillBytes = 100;

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string kernel() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "";
}

class Scenario {
 public:
  explicit Scenario(const Plan& plan) : plan_(plan), stage_(plan) {
    record_.plan = plan;
    record_.date = date_now();
    record_.kernel = kernel();
    record_.empty_bytes = stage_.resident_bytes();
    channels_.push_back(kShared);
    for (std::size_t i = 0; i < plan.pool; ++i) channels_.push_back("pool" + std::to_string(i));
    options_.to = stage_.clients_connect_to();
    options_.encoding =
        plan.protobuf ? test::CentrifugeEncoding::kProtobuf : test::CentrifugeEncoding::kJson;
  }

  Record run() {
    const bool done = connect() && subscribe() && publish() && quiet() && recover();
    if (!done) std::fprintf(stderr, "channels: %s\n", record_.stopped.c_str());
    const test::CentrifugeFaults& faults = fleet_.faults();
    record_.faults.missing = faults.missing;
    record_.faults.repeated = faults.repeated;
    record_.faults.other = faults.misnumbered + faults.early + faults.foreign + faults.unasked;
    return std::move(record_);
  }

 private:
  /// `act`, then the clients are served until `done`.
  bool phase(const std::string& name, const std::string& title, const std::function<void()>& act,
             const std::function<bool()>& done, Millis wait = kWait) {
    std::fprintf(stderr, "channels: %s\n", title.c_str());
    const Counters before = stage_.counters();
    const std::uint64_t received = fleet_.received();
    const auto start = test::SteadyClock::now();
    act();
    const bool came = fleet_.run_until(wait, done);
    Phase told;
    told.name = name;
    told.title = title;
    told.seconds = std::chrono::duration<double>(test::SteadyClock::now() - start).count();
    told.publications = fleet_.received() - received;
    fill(told, before, stage_.counters());
    told.resident_bytes = stage_.resident_bytes();
    record_.phases.push_back(std::move(told));
    if (!came) record_.stopped = "not everybody came through: " + title;
    return came;
  }

  static void fill(Phase& told, const Counters& before, const Counters& after) {
    told.cpu_s = {after.cpu_s.gateway - before.cpu_s.gateway,
                  after.cpu_s.relay - before.cpu_s.relay, after.cpu_s.redis - before.cpu_s.redis};
    told.to_relay_bytes = after.to_relay_bytes - before.to_relay_bytes;
    told.to_gateway_bytes = after.to_gateway_bytes - before.to_gateway_bytes;
    told.redis_commands = after.redis_commands - before.redis_commands;
    told.redis_sent_bytes = after.redis_sent_bytes - before.redis_sent_bytes;
    told.history_reads = after.history_reads - before.history_reads;
    told.ring_recoveries = after.ring_recoveries - before.ring_recoveries;
    told.presence_changes = after.presence_changes - before.presence_changes;
    told.load_cpu_s = after.load_cpu_s - before.load_cpu_s;
  }

  /// The client's channels: the shared one, the rest of the pool, spread evenly.
  [[nodiscard]] const std::string& channel_of(std::size_t client, std::size_t number) const {
    if (number == 0) return channels_[0];
    return channels_[1 + (client * (plan_.per_client - 1) + number - 1) % plan_.pool];
  }

  bool connect() {
    return phase(
        "connect", "clients connect", [this] { fleet_.connect(options_, plan_.clients, kWait); },
        [] { return true; });
  }

  bool subscribe() {
    std::size_t subscribed = 0;
    const bool came = phase(
        "subscribe", "all subscribe at once",
        [this] {
          for (std::size_t i = 0; i < plan_.clients; ++i) {
            for (std::size_t n = 0; n < plan_.per_client; ++n)
              fleet_.subscribe(i, channel_of(i, n));
            if (i % kServedEvery == 0) fleet_.run_for(Millis(0));
          }
        },
        [&] {
          while (subscribed < plan_.clients && all_streams_stand(subscribed)) ++subscribed;
          return subscribed == plan_.clients;
        });
    if (!came) return false;
    record_.presence_entries = stage_.presence_entries();
    return true;
  }

  /// A stream that was refused for good stands as little as one that is asked for.
  [[nodiscard]] bool all_streams_stand(std::size_t client) const {
    const auto& streams = fleet_.client(client).streams;
    for (const auto& [channel, stream] : streams) {
      if (stream.state != test::CentrifugeStream::State::kSubscribed) return false;
    }
    return true;
  }

  bool publish() {
    const std::uint64_t wanted = fleet_.received() + plan_.subscriptions();
    return phase(
        "publish", "one publication on every channel",
        [this] { stage_.publish(channels_, test::numbered_data(1, kFillBytes)); },
        [this, wanted] { return fleet_.received() >= wanted; });
  }

  bool quiet() {
    const auto span = Millis(static_cast<Millis::rep>(std::lround(plan_.idle_s * 1000)));
    return phase(
        "quiet", "quiet, with pings", [this, span] { fleet_.run_for(span); }, [] { return true; });
  }

  bool recover() {
    const std::uint64_t wanted = fleet_.received() + plan_.subscriptions();
    std::size_t back = 0;
    const bool came = phase(
        "recover", "clients are cut, all channels get a publication, they come back",
        [this] {
          for (std::size_t i = 0; i < plan_.recover; ++i) fleet_.cut(i);
          // Nobody dials meanwhile: the clients are this thread's.
          stage_.publish(channels_, test::numbered_data(2, kFillBytes));
        },
        [&] {
          while (back < plan_.recover && fleet_.client(back).connects > 1 &&
                 all_streams_stand(back))
            ++back;
          return back == plan_.recover && fleet_.received() >= wanted;
        });
    for (std::size_t i = 0; i < plan_.recover; ++i) {
      for (const auto& [channel, stream] : fleet_.client(i).streams)
        record_.faults.unrecovered += stream.failed_recoveries;
    }
    return came;
  }

  /// Clients that ask in one go before answers are looked at.
  static constexpr std::size_t kServedEvery = 64;

  Plan plan_;
  Stage stage_;
  Record record_;
  std::vector<std::string> channels_;
  test::CentrifugeOptions options_;
  test::CentrifugeFleet fleet_;
};

}  // namespace

Record run_scenario(const Plan& plan) {
  fanout::pin_self(fanout::kLoadCore);
  return Scenario(plan).run();
}

}  // namespace sluice::channels
