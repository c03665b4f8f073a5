#include "relay/api/cluster.h"

#include <utility>

#include "proto/names.h"

namespace sluice::relay::api {
namespace {

template <typename Message>
bool read(proto::Bytes payload, Message& message) {
  return message.ParseFromArray(payload.data(), static_cast<int>(payload.size()));
}

}  // namespace

ApiError error_of(proto::ErrorReason reason) {
  if (reason == proto::ErrorReason{}) return {};
  const std::string text(proto::to_string(reason));
  switch (reason) {
    case proto::ErrorReason::kQueueFull:
      return {ErrorNumber::kTooManyRequests, text};
    case proto::ErrorReason::kTooLarge:
      return {ErrorNumber::kBadRequest, "larger than the relay's --max-message-size"};
    default:
      return {ErrorNumber::kInternal, text};
  }
}

Cluster::Cluster(LocalRequests& requests, const TimeSource& time, Random& random,
                 std::function<envelope::NodeInfo()> self)
    : requests_(requests),
      time_(time),
      random_(random),
      self_(std::move(self)),
      uid_(self_().uid()),
      nodes_(time),
      surveys_(time),
      announce_at_(time.now()) {
}

void Cluster::listen() {
  requests_.listen(proto::kNodesChannel, [this](proto::Bytes payload) {
    envelope::NodeInfo node;
    // What is known of this relay itself is newer than what it hears of itself.
    if (read(payload, node) && node.uid() != uid_) nodes_.heard(node);
  });
  requests_.listen(proto::reply_channel(uid_), [this](proto::Bytes payload) {
    envelope::SurveyReply reply;
    if (read(payload, reply)) surveys_.heard(reply);
  });
}

void Cluster::tick() {
  nodes_.expire();
  surveys_.expire();
  if (left_ || time_.now() < announce_at_) return;
  announce(false);
}

void Cluster::leave() {
  if (!std::exchange(left_, true)) announce(true);
}

void Cluster::refresh_self() {
  nodes_.heard(self_());
}

void Cluster::announce(bool leaving) {
  announce_at_ = time_.now() + kNodeInfoInterval;
  envelope::NodeInfo info = self_();
  info.set_leaving(leaving);
  nodes_.heard(info);
  // It says so again soon: whether this one was heard is nothing to wait for.
  send(proto::kNodesChannel, info, {}, [](const LocalPublished&) {});
}

void Cluster::send(std::string_view channel, const google::protobuf::MessageLite& message,
                   Duration wait, std::function<void(const LocalPublished&)> done) {
  const std::string payload = message.SerializeAsString();
  requests_.publish({.channel = channel, .payload = proto::as_bytes(payload), .wait = wait},
                    std::move(done));
}

void Cluster::command(envelope::ControlCommand command, std::function<void(const ApiError&)> done) {
  command.set_node(uid_);
  send(proto::kControlChannel, command, kPublishWait,
       [done = std::move(done)](const LocalPublished& published) {
         done(error_of(published.error));
       });
}

void Cluster::ask_channels(std::string_view pattern, std::function<void(const ApiError&)> failed,
                           Surveys::Done done) {
  if (surveys_.full()) return failed({ErrorNumber::kTooManyRequests, "too many such questions"});
  refresh_self();
  if (nodes_.settled() && nodes_.gateways() == 0) return done({});
  const std::uint64_t id = random_.next();
  // Begun before it is asked: the answers may come from inside the asking.
  surveys_.begin(id, nodes_.gateways(), nodes_.settled(), std::move(done));
  envelope::ControlCommand command;
  auto& survey = *command.mutable_survey();
  survey.set_id(id);
  survey.set_reply_to(proto::reply_channel(uid_));
  survey.set_what(envelope::ControlCommand::Survey::CHANNELS);
  survey.set_pattern(std::string(pattern));
  survey.set_limit(kSurveyChannelsMax);
  command.set_node(uid_);
  send(proto::kControlChannel, command, kSurveyWait / 2,
       [this, id, failed = std::move(failed)](const LocalPublished& published) {
         // One that gateways have answered, or whose time is over, has had its result.
         if (published.error == proto::ErrorReason{} || !surveys_.open(id)) return;
         surveys_.cancel(id);
         failed(error_of(published.error));
       });
}

}  // namespace sluice::relay::api
