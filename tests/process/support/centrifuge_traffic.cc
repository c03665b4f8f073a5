#include "tests/process/support/centrifuge_traffic.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <sstream>
#include <utility>

namespace sluice::test {
namespace {

using Json = SdkDriver::Json;
using State = CentrifugeMember::State;

constexpr auto kStartWait = 60s;  // on a machine that does much else
/// What SDKs say is taken at least so often: their process waits for nobody.
constexpr auto kLookAtDriverEvery = 50ms;
/// Of the SDK's own pauses before it comes back.
constexpr int kSdkPauseMaxMs = 2000;

std::string sdk_name(std::size_t index) {
  return "sdk" + std::to_string(index);
}

}  // namespace

CentrifugeTraffic::CentrifugeTraffic(Settings settings) : settings_(std::move(settings)) {
  channels_.push_back({.name = settings_.shared, .every = settings_.shared_every});
  for (const std::string& other : settings_.others)
    channels_.push_back({.name = other, .every = settings_.others_every});
  add_clients();
  if (settings_.sdks > 0) add_sdks();
  CentrifugeOptions speaks;
  speaks.to = settings_.speak_at;
  const std::size_t speaker = fleet_.connect(speaks, channels_.size());
  for (std::size_t i = 0; i < channels_.size(); ++i) channels_[i].speaker = speaker + i;
  if (!run_until(kStartWait, [this] { return all_there(); }))
    throw HarnessError("not everybody has subscribed: " + describe());
  // They do not all speak at the same moment.
  const auto now = SteadyClock::now();
  for (std::size_t i = 0; i < channels_.size(); ++i)
    channels_[i].due = now + channels_[i].every * (i + 1) / channels_.size();
  silent_ = false;
}

void CentrifugeTraffic::add_clients() {
  CentrifugeOptions options;
  options.to = settings_.to;
  for (std::size_t i = 0; i < settings_.clients; ++i) {
    options.encoding = i % 2 == 0 ? CentrifugeEncoding::kJson : CentrifugeEncoding::kProtobuf;
    if (settings_.token) options.token = settings_.token(i);
    fleet_.add(options);
    fleet_.subscribe(i, settings_.shared, settings_.subscribe);
    if (!settings_.others.empty()) fleet_.subscribe(i, other_of(i), settings_.subscribe);
    if (i % 100 == 99) fleet_.run_for(10ms);  // a listening socket's queue has an end
  }
}

void CentrifugeTraffic::add_sdks() {
  driver_ = std::make_unique<SdkDriver>();
  const std::string url = "ws://" + settings_.to.text() + "/connection/websocket";
  for (std::size_t i = 0; i < settings_.sdks; ++i) {
    Json options{{"maxReconnectDelay", kSdkPauseMaxMs}};
    if (settings_.token) options["token"] = settings_.token(settings_.clients + i);
    (void)driver_->begin(
        "new", sdk_name(i),
        {{"url", url}, {"protobuf", i % 2 == 1}, {"options", options}, {"quiet", true}});
    const Json subscribe{{"recoverable", settings_.subscribe.recoverable},
                         {"positioned", settings_.subscribe.positioned},
                         {"joinLeave", settings_.subscribe.join_leave}};
    (void)driver_->begin("subscribe", sdk_name(i),
                         {{"channel", settings_.shared}, {"options", subscribe}});
    if (!settings_.others.empty())
      (void)driver_->begin("subscribe", sdk_name(i),
                           {{"channel", other_of(i)}, {"options", subscribe}});
    (void)driver_->begin("connect", sdk_name(i));
  }
}

bool CentrifugeTraffic::all_there() {
  if (!fleet_.all_connected() || !fleet_.all_subscribed(0, fleet_.size())) return false;
  if (!driver_) return true;
  const Json* stats = sdk_stats();
  return stats != nullptr && (*stats)["connected"] == settings_.sdks &&
         (*stats)["subscriptions"] == settings_.sdks * (settings_.others.empty() ? 1 : 2) &&
         (*stats)["subscribed"] == (*stats)["subscriptions"];
}

void CentrifugeTraffic::ask_anew() {
  // What is on its way may be of a moment before.
  if (stats_asked_ != 0) (void)driver_->result(std::exchange(stats_asked_, 0));
}

const Json* CentrifugeTraffic::sdk_stats() {
  if (stats_asked_ == 0) stats_asked_ = driver_->begin("stats", "");
  if (!driver_->has_result(stats_asked_)) return nullptr;
  stats_ = std::move(driver_->result(std::exchange(stats_asked_, 0))["value"]);
  return &stats_;
}

void CentrifugeTraffic::say(Channel& channel) {
  centrifuge::Command command;
  command.mutable_publish()->set_channel(channel.name);
  command.mutable_publish()->set_data(numbered_data(++channel.sent, settings_.fill));
  (void)fleet_.send(channel.speaker, std::move(command));
}

void CentrifugeTraffic::speak() {
  const auto now = SteadyClock::now();
  for (Channel& channel : channels_) {
    if (fleet_.client(channel.speaker).state != State::kConnected)
      throw HarnessError("who publishes was closed: " + describe());
    for (; channel.due <= now; channel.due += channel.every) say(channel);
  }
}

void CentrifugeTraffic::serve() {
  if (!silent_) speak();
  fleet_.run_for(2ms);
  if (!driver_ || SteadyClock::now() - looked_ < kLookAtDriverEvery) return;
  looked_ = SteadyClock::now();
  (void)driver_->events();
}

bool CentrifugeTraffic::run_until(Millis wait, const std::function<bool()>& holds) {
  const Deadline deadline = Deadline::in(wait);
  ask_anew();
  while (!holds()) {
    if (deadline.passed()) return false;
    serve();
  }
  return true;
}

void CentrifugeTraffic::run_for(Millis span) {
  (void)run_until(span, [] { return false; });
}

void CentrifugeTraffic::meanwhile(const std::function<void()>& what) {
  // Not the other way round: what is started by a thread ends with it.
  std::atomic<bool> done = false;
  auto serving = std::async(std::launch::async, [&] {
    while (!done) serve();
  });
  try {
    what();
  } catch (...) {
    done = true;
    throw;
  }
  done = true;
  serving.get();
}

::testing::AssertionResult CentrifugeTraffic::goes_on(std::uint64_t publications) {
  const std::uint64_t goal = channels_.front().sent + publications;
  const bool reached = run_until(kStartWait, [&] {
    if (!fleet_.all_reached(settings_.shared, goal)) return false;
    if (!driver_) return true;
    const Json* stats = sdk_stats();
    return stats != nullptr && (*stats)["least"].value(settings_.shared, std::uint64_t{0}) >= goal;
  });
  if (reached) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "somebody hears nothing more; " << describe();
}

bool CentrifugeTraffic::fleet_has_all() const {
  return std::all_of(channels_.begin(), channels_.end(), [this](const Channel& channel) {
    return fleet_.all_reached(channel.name, channel.sent);
  });
}

bool CentrifugeTraffic::sdks_have_all() {
  if (!driver_) return true;
  const Json* stats = sdk_stats();
  if (stats == nullptr) return false;
  const Json& least = (*stats)["least"];
  return std::all_of(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    const bool heard = least.contains(channel.name);
    return !heard || least[channel.name] >= channel.sent;
  });
}

::testing::AssertionResult CentrifugeTraffic::exact(Millis wait) {
  return finish(wait, true);
}

::testing::AssertionResult CentrifugeTraffic::complete(Millis wait) {
  return finish(wait, false);
}

::testing::AssertionResult CentrifugeTraffic::finish(Millis wait, bool all_published) {
  silent_ = true;
  for (Channel& channel : channels_) say(channel);
  if (!run_until(wait, [this] { return fleet_has_all() && sdks_have_all(); }))
    return ::testing::AssertionFailure() << "something has not come; " << describe();
  CentrifugeFaults faults = fleet_.faults();
  if (!all_published) faults.misnumbered = 0;
  if (!(faults == CentrifugeFaults{}))
    return ::testing::AssertionFailure() << faults << "; " << describe();
  for (std::size_t i = 0; i < settings_.clients; ++i) {
    for (const auto& [name, stream] : fleet_.client(i).streams) {
      const auto channel = std::find_if(channels_.begin(), channels_.end(),
                                        [&](const Channel& one) { return one.name == name; });
      if (stream.first_number == 1 && (!all_published || stream.received == channel->sent))
        continue;
      return ::testing::AssertionFailure()
             << "client " << i << " has " << stream.received << " of " << channel->sent << " on "
             << name << ", the first " << stream.first_number << "; " << describe();
    }
  }
  if (!driver_) return ::testing::AssertionSuccess();
  const Json stats = driver_->stats();
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < settings_.sdks; ++i) {
    expected += channels_.front().sent;
    if (!settings_.others.empty()) expected += channels_[1 + i % settings_.others.size()].sent;
  }
  const bool right =
      stats["missing"] == 0 && stats["repeated"] == 0 &&
      (!all_published || (stats["misnumbered"] == 0 && stats["publications"] == expected));
  if (right) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "SDKs should have had " << expected << " publications: " << stats.dump();
}

::testing::AssertionResult CentrifugeTraffic::unnoticed() {
  for (std::size_t i = 0; i < settings_.clients; ++i) {
    const CentrifugeMember& client = fleet_.client(i);
    const bool once = client.connects == 1 && client.state == State::kConnected;
    const bool streams =
        std::all_of(client.streams.begin(), client.streams.end(), [](const auto& one) {
          return one.second.subscribed_times == 1 && one.second.unsubscribe_code == 0;
        });
    if (!once || !streams)
      return ::testing::AssertionFailure()
             << "client " << i << " was closed, " << client.close_code << " " << client.close_reason
             << ", or unsubscribed; " << describe();
  }
  const auto ended = endings();
  if (ended.empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "an SDK has noticed: " << ended.front().dump();
}

std::vector<Json> CentrifugeTraffic::endings() {
  std::vector<Json> found;
  if (!driver_) return found;
  for (const Json& event : driver_->events()) {
    const std::string& what = event["event"].get_ref<const std::string&>();
    const bool begins = what == "connecting" || what == "subscribing";
    const bool ends = what == "disconnected" || what == "unsubscribed" || what == "error";
    if (ends || (begins && event["ctx"].value("code", 0) != 0)) found.push_back(event);
  }
  return found;
}

std::uint64_t CentrifugeTraffic::sent() const {
  std::uint64_t sum = 0;
  for (const Channel& channel : channels_) sum += channel.sent;
  return sum;
}

std::uint64_t CentrifugeTraffic::reconnects() {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < settings_.clients; ++i) count += fleet_.client(i).connects - 1;
  for (const Json& event : endings())
    if (event["event"] == "connecting") ++count;
  return count;
}

std::string CentrifugeTraffic::describe() {
  std::ostringstream out;
  std::size_t away = 0;
  std::size_t failed = 0;
  for (std::size_t i = 0; i < settings_.clients; ++i) {
    const CentrifugeMember& client = fleet_.client(i);
    if (client.state != State::kConnected) ++away;
    for (const auto& [name, stream] : client.streams) failed += stream.failed_recoveries;
  }
  out << settings_.clients << " clients, " << away << " away, " << failed
      << " failed recoveries; sent " << sent() << "; faults: " << fleet_.faults();
  for (std::size_t i = settings_.clients; i < fleet_.size(); ++i) {
    if (fleet_.client(i).state != State::kConnected || fleet_.client(i).connects > 1)
      out << "; who publishes was closed, " << fleet_.client(i).close_code;
  }
  if (driver_) out << "; SDKs: " << driver_->stats().dump();
  return out.str();
}

}  // namespace sluice::test
