// Clients of the official JavaScript SDK in a Node process of their own
// (node/centrifuge_driver.mjs, whose head says which commands and events there are).
#pragma once

#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/process/support/process.h"

namespace sluice::test {

class SdkDriver {
 public:
  using Json = nlohmann::json;

  SdkDriver();

  /// A command and its result's value. Throws HarnessError when it fails or does not end in time.
  Json call(const std::string& what, const std::string& client, Json fields = Json::object(),
            Millis wait = 20s);
  /// The same, but what comes back is {"value": …} or {"error": {"code", "message"}}.
  Json attempt(const std::string& what, const std::string& client, Json fields = Json::object(),
               Millis wait = 20s);
  /// Begins a command whose result is of no interest, or comes later: result().
  int begin(const std::string& what, const std::string& client, Json fields = Json::object());
  Json result(int id, Millis wait = 20s);
  /// Whether result() would not wait.
  [[nodiscard]] bool has_result(int id) {
    (void)events();
    return results_.contains(id);
  }

  /// The first event, among those that came and were not taken yet, that `matches`; it is taken
  /// out. Throws when there is none in time.
  Json wait_event(const std::function<bool(const Json&)>& matches, Millis wait = 20s);
  /// By client, event and, unless it is empty, channel.
  Json wait_event(const std::string& client, const std::string& event,
                  const std::string& channel = "", Millis wait = 20s);
  /// Events that came and were not taken, those that are there to read included.
  [[nodiscard]] const std::deque<Json>& events();
  void forget_events();

  /// A client that is connected when this returns; `options` are the SDK's.
  void connect(const std::string& client, const std::string& url, bool protobuf = false,
               Json options = Json::object());
  /// Returns the context of its "subscribed".
  Json subscribe(const std::string& client, const std::string& channel,
                 Json options = Json::object());
  /// The counts of all clients together.
  Json stats() { return call("stats", ""); }
  /// Asks for the counts until they are as wanted; returns whether they are.
  bool stats_until(Millis wait, const std::function<bool(const Json&)>& done);

  Process& process() { return *process_; }

 private:
  void write(const std::string& line);
  /// Takes what there is to read; waits for it until the deadline. False: it has passed.
  bool read(const Deadline& deadline);

  UniqueFd commands_;
  UniqueFd answers_;
  std::unique_ptr<Process> process_;
  std::string pending_;
  std::deque<Json> events_;
  std::map<int, Json> results_;
  int last_id_ = 0;
};

}  // namespace sluice::test
