// What the server API asks of the Router, written down and answered by hand.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "proto/envelope.pb.h"
#include "relay/local_requests.h"

namespace sluice::relay::api::test {

struct FakeRequests final : LocalRequests {
  struct Publish {
    std::string channel;
    std::string payload;
    std::string meta;
    Duration wait{};
    bool skip_history = false;
    std::function<void(const LocalPublished&)> done;
  };
  struct Asked {
    std::string what;
    std::string channel;
    proto::HistoryQuery query;
    bool counts_only = false;
  };

  /// Answered at once with this; else they wait in `publishes`.
  bool at_once = true;
  LocalPublished published;
  HistoryAnswer history_answer;
  PresenceAnswer presence_answer;
  std::deque<Publish> publishes;
  std::vector<Asked> asked;
  std::map<std::string, std::function<void(proto::Bytes)>> listeners;

  void publish(const LocalPublish& publish,
               std::function<void(const LocalPublished&)> done) override {
    publishes.push_back({std::string(publish.channel), std::string(proto::as_text(publish.payload)),
                         std::string(proto::as_text(publish.meta)), publish.wait,
                         publish.skip_history, done});
    if (at_once) done(published);
  }
  void history(std::string_view channel, const proto::HistoryQuery& query,
               std::function<void(const HistoryAnswer&)> done) override {
    asked.push_back({"history", std::string(channel), query, false});
    done(history_answer);
  }
  void remove_history(std::string_view channel,
                      std::function<void(const HistoryAnswer&)> done) override {
    asked.push_back({"remove", std::string(channel), {}, false});
    done(history_answer);
  }
  void presence(std::string_view channel, bool counts_only,
                std::function<void(const PresenceAnswer&)> done) override {
    asked.push_back({"presence", std::string(channel), {}, counts_only});
    done(presence_answer);
  }
  void listen(std::string_view channel, std::function<void(proto::Bytes)> heard) override {
    listeners[std::string(channel)] = std::move(heard);
  }

  void hear(const std::string& channel, const google::protobuf::MessageLite& message) {
    const std::string payload = message.SerializeAsString();
    listeners.at(channel)(proto::as_bytes(payload));
  }
  [[nodiscard]] envelope::ControlCommand last_command() const {
    envelope::ControlCommand command;
    command.ParseFromString(publishes.back().payload);
    return command;
  }
};

}  // namespace sluice::relay::api::test
