#include "tests/process/support/sdk_driver.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sluice::test {
namespace {

/// More than a test would look at: then it has forgotten to ask for `quiet`.
constexpr std::size_t kEventsMax = 1'000'000;

}  // namespace

SdkDriver::SdkDriver() {
  int commands[2];
  int answers[2];
  if (::pipe2(commands, O_CLOEXEC) != 0) throw_errno("pipe2");
  const UniqueFd child_commands(commands[0]);
  commands_.reset(commands[1]);
  if (::fcntl(commands_.get(), F_SETFL, O_NONBLOCK) != 0) throw_errno("fcntl");
  if (::pipe2(answers, O_CLOEXEC) != 0) throw_errno("pipe2");
  answers_.reset(answers[0]);
  const UniqueFd child_answers(answers[1]);
  const std::string directory = std::string(SLUICE_SOURCE_DIR) + "/tests/process/node";
  SpawnOptions options;
  options.args = {"/usr/bin/env", "node", directory + "/centrifuge_driver.mjs"};
  options.directory = directory;
  options.fds = {{STDIN_FILENO, child_commands.get()}, {STDOUT_FILENO, child_answers.get()}};
  process_ = std::make_unique<Process>(std::move(options));
}

void SdkDriver::write(const std::string& line) {
  std::string_view left = line;
  while (!left.empty()) {
    const ssize_t sent = ::write(commands_.get(), left.data(), left.size());
    if (sent < 0 && errno == EAGAIN) {
      // It may be waiting for somebody to read what it says.
      pollfd entries[2] = {{commands_.get(), POLLOUT, 0}, {answers_.get(), POLLIN, 0}};
      (void)::poll(entries, 2, -1);
      if (entries[1].revents != 0) (void)read(Deadline::in(0ms));
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) throw_errno("write to the SDK's driver");
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool SdkDriver::read(const Deadline& deadline) {
  pollfd entry{answers_.get(), POLLIN, 0};
  const int ready = ::poll(&entry, 1, deadline.left_ms());
  if (ready < 0 && errno == EINTR) return true;
  if (ready <= 0) return false;
  char buffer[65536];
  const ssize_t got = ::read(answers_.get(), buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) throw HarnessError("the SDK's driver has ended");
  const std::size_t looked = pending_.size();
  pending_.append(buffer, static_cast<std::size_t>(got));
  std::size_t begin = 0;
  for (std::size_t end = pending_.find('\n', looked); end != std::string::npos;
       end = pending_.find('\n', begin)) {
    Json line = Json::parse(pending_.begin() + static_cast<std::ptrdiff_t>(begin),
                            pending_.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end + 1;
    if (line.contains("result")) {
      const int id = line["result"].get<int>();
      results_.emplace(id, std::move(line));
    } else {
      events_.push_back(std::move(line));
    }
  }
  pending_.erase(0, begin);
  if (events_.size() > kEventsMax) throw HarnessError("too many events that nobody takes");
  return true;
}

int SdkDriver::begin(const std::string& what, const std::string& client, Json fields) {
  fields["id"] = ++last_id_;
  fields["do"] = what;
  fields["client"] = client;
  write(fields.dump() + "\n");
  return last_id_;
}

SdkDriver::Json SdkDriver::result(int id, Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  while (!results_.contains(id)) {
    if (!read(deadline)) throw HarnessError("the SDK did not answer in time");
  }
  return std::move(results_.extract(id).mapped());
}

SdkDriver::Json SdkDriver::attempt(const std::string& what, const std::string& client, Json fields,
                                   Millis wait) {
  return result(begin(what, client, std::move(fields)), wait);
}

SdkDriver::Json SdkDriver::call(const std::string& what, const std::string& client, Json fields,
                                Millis wait) {
  Json answer = attempt(what, client, std::move(fields), wait);
  if (answer.contains("error")) throw HarnessError(what + ": " + answer["error"].dump());
  return std::move(answer["value"]);
}

SdkDriver::Json SdkDriver::wait_event(const std::function<bool(const Json&)>& matches,
                                      Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  std::size_t looked = 0;
  for (;;) {
    const auto found =
        std::find_if(events_.begin() + static_cast<std::ptrdiff_t>(looked), events_.end(), matches);
    if (found != events_.end()) {
      Json event = std::move(*found);
      events_.erase(found);
      return event;
    }
    looked = events_.size();
    if (read(deadline)) continue;
    std::string last;
    for (std::size_t i = looked - std::min<std::size_t>(looked, 10); i < looked; ++i)
      last += "\n  " + events_[i].dump();
    throw HarnessError("no such event of the SDK; the last others:" + last);
  }
}

SdkDriver::Json SdkDriver::wait_event(const std::string& client, const std::string& event,
                                      const std::string& channel, Millis wait) {
  try {
    return wait_event(
        [&](const Json& one) {
          return one["client"] == client && one["event"] == event &&
                 (channel.empty() || one.value("channel", "") == channel);
        },
        wait);
  } catch (const HarnessError& error) {
    throw HarnessError(client + " " + event + " " + channel + ": " + error.what());
  }
}

const std::deque<SdkDriver::Json>& SdkDriver::events() {
  const Deadline now = Deadline::in(0ms);
  while (read(now)) {
  }
  return events_;
}

void SdkDriver::forget_events() {
  (void)events();
  events_.clear();
}

void SdkDriver::connect(const std::string& client, const std::string& url, bool protobuf,
                        Json options) {
  call("new", client, {{"url", url}, {"protobuf", protobuf}, {"options", std::move(options)}});
  call("connect", client);
  (void)wait_event(client, "connected");
}

SdkDriver::Json SdkDriver::subscribe(const std::string& client, const std::string& channel,
                                     Json options) {
  call("subscribe", client, {{"channel", channel}, {"options", std::move(options)}});
  return std::move(wait_event(client, "subscribed", channel)["ctx"]);
}

bool SdkDriver::stats_until(Millis wait, const std::function<bool(const Json&)>& done) {
  const Deadline deadline = Deadline::in(wait);
  while (!done(stats())) {
    if (deadline.passed()) return false;
    observe_for(50ms);
  }
  return true;
}

}  // namespace sluice::test
