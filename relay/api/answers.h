// What the server API answers, as JSON texts. Pure.
#pragma once

#include <string>
#include <string_view>

#include "relay/api/api_error.h"
#include "relay/api/api_method.h"
#include "relay/api/node_registry.h"
#include "relay/api/survey.h"
#include "relay/brokers/broker.h"

namespace sluice::relay::api {

/// {"error":{…}}
[[nodiscard]] std::string error_json(const ApiError& error);
/// {"result":{…}} or {"error":{…}}; of a batch the result alone.
[[nodiscard]] std::string reply_json(ApiMethod method, const ApiReply& reply);

// Results.
[[nodiscard]] std::string published_json(const proto::Position& position);
/// Over kHistoryBytesMax the rest is left out.
[[nodiscard]] std::string history_json(const HistoryAnswer& answer);
[[nodiscard]] std::string presence_json(const PresenceAnswer& answer);
[[nodiscard]] std::string presence_stats_json(const PresenceAnswer& answer);
[[nodiscard]] std::string channels_json(const SurveyResult& result);
[[nodiscard]] std::string info_json(const NodeRegistry& nodes);

}  // namespace sluice::relay::api
