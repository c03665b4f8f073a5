// What each method of the server API asks for, read from its parameters and checked. Whether a
// channel is known to the rules is not decided here. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/envelope.pb.h"
#include "proto/epoch.h"
#include "proto/frame.h"
#include "relay/api/api_error.h"
#include "relay/api/api_method.h"
#include "relay/api/params.h"

namespace sluice::relay::api {

/// What is published, on one channel or many.
struct Publication {
  std::string payload;
  std::vector<std::pair<std::string, std::string>> tags;
  bool skip_history = false;
  std::string idempotency_key;  ///< empty: none
};

struct PublishParams {
  std::vector<std::string> channels;  ///< `publish`: one
  Publication publication;
};

struct HistoryParams {
  std::string channel;
  proto::HistoryQuery query;
};

/// For the gateways of all hosts.
struct ClientCommand {
  std::string channel;  ///< empty: of no channel
  envelope::ControlCommand command;
};

struct BatchCommand {
  ApiMethod method{};
  std::string params;
};

struct BatchParams {
  bool parallel = false;
  std::vector<ApiResult<BatchCommand>> commands;
};

[[nodiscard]] ApiResult<PublishParams> read_publish(Params params);
[[nodiscard]] ApiResult<PublishParams> read_broadcast(Params params);
[[nodiscard]] ApiResult<ClientCommand> read_subscribe(Params params);
[[nodiscard]] ApiResult<ClientCommand> read_unsubscribe(Params params);
[[nodiscard]] ApiResult<ClientCommand> read_disconnect(Params params);
[[nodiscard]] ApiResult<ClientCommand> read_refresh(Params params);
/// presence, presence_stats, history_remove: the channel.
[[nodiscard]] ApiResult<std::string> read_channel(Params params);
[[nodiscard]] ApiResult<HistoryParams> read_history(Params params);
/// channels: the pattern; empty: all.
[[nodiscard]] ApiResult<std::string> read_pattern(Params params);
[[nodiscard]] ApiResult<BatchParams> read_batch(Params params);

/// An epoch as clients are told it: 16 hexadecimal digits.
using proto::epoch_text;

}  // namespace sluice::relay::api
