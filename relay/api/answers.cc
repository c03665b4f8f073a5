#include "relay/api/answers.h"

#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "proto/envelope.pb.h"
#include "relay/api/limits.h"
#include "relay/api/requests.h"

namespace sluice::relay::api {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Adds members to a JSON object's text; some are texts of JSON already.
class ObjectText {
 public:
  void add(std::string_view name, const Json& value) { add_raw(name, text_of(value)); }
  void add_raw(std::string_view name, std::string_view json) {
    text_ += text_.size() == 1 ? "\"" : ",\"";
    text_.append(name).append("\":").append(json);
  }
  /// Bytes that are JSON most of the time.
  void add_bytes(std::string_view name, std::string_view bytes) {
    if (Json::accept(bytes)) {
      add_raw(name, bytes);
    } else {
      add("b64" + std::string(name), encode_base64(bytes));
    }
  }
  [[nodiscard]] std::string finish() { return std::move(text_) + "}"; }

 private:
  std::string text_ = "{";
};

std::string client_json(const envelope::Client& client) {
  ObjectText object;
  object.add("user", client.user());
  object.add("client", client.client());
  if (!client.conn_info().empty()) object.add_bytes("conn_info", client.conn_info());
  if (!client.chan_info().empty()) object.add_bytes("chan_info", client.chan_info());
  return object.finish();
}

std::string publication_json(const HistoryPublication& publication) {
  ObjectText object;
  object.add_bytes("data", publication.payload);
  envelope::MessageMeta meta;
  if (meta.ParseFromString(publication.meta)) {
    if (meta.has_publisher()) object.add_raw("info", client_json(meta.publisher()));
    if (meta.tags_size() > 0) {
      Json tags = Json::object();
      for (const auto& [key, value] : meta.tags()) tags[key] = value;
      object.add("tags", tags);
    }
    if (meta.time_ms() != 0) object.add("time", meta.time_ms());
  }
  object.add("offset", publication.offset);
  return object.finish();
}

std::string epoch_or_empty(const proto::Position& position) {
  return position.epoch == 0 ? "" : epoch_text(position.epoch);
}

}  // namespace

std::string error_json(const ApiError& error) {
  std::string message(name_of(error.number));
  if (!error.detail.empty()) message += ": " + error.detail;
  return text_of(
      Json{{"error", {{"code", static_cast<std::uint32_t>(error.number)}, {"message", message}}}});
}

std::string reply_json(ApiMethod method, const ApiReply& reply) {
  if (reply.failed()) return error_json(reply.error);
  if (method == ApiMethod::kBatch) return reply.result;
  return "{\"result\":" + reply.result + "}";
}

std::string published_json(const proto::Position& position) {
  if (position.epoch == 0) return "{}";
  return text_of(Json{{"offset", position.offset}, {"epoch", epoch_text(position.epoch)}});
}

std::string history_json(const HistoryAnswer& answer) {
  std::string publications = "[";
  for (const HistoryPublication& publication : answer.publications) {
    // The first in any case: who pages by `since` must get on.
    if (publications.size() > 1) {
      if (publications.size() + publication.payload.size() > kHistoryBytesMax) break;
      publications += ",";
    }
    publications += publication_json(publication);
  }
  ObjectText object;
  object.add_raw("publications", publications + "]");
  object.add("epoch", epoch_or_empty(answer.top));
  object.add("offset", answer.top.offset);
  return object.finish();
}

std::string presence_json(const PresenceAnswer& answer) {
  ObjectText clients;
  for (const PresenceEntry& entry : answer.entries) {
    envelope::Client client;
    // Who is there counts, whatever is told of it.
    if (!client.ParseFromString(entry.info)) client.Clear();
    client.set_client(entry.client);
    if (client.user().empty()) client.set_user(entry.user);
    const std::string name = text_of(Json(entry.client));
    clients.add_raw(std::string_view(name).substr(1, name.size() - 2), client_json(client));
  }
  ObjectText object;
  object.add_raw("presence", clients.finish());
  return object.finish();
}

std::string presence_stats_json(const PresenceAnswer& answer) {
  return text_of(Json{{"num_clients", answer.clients}, {"num_users", answer.users}});
}

std::string channels_json(const SurveyResult& result) {
  Json channels = Json::object();
  for (const auto& [name, clients] : result.channels) channels[name] = {{"num_clients", clients}};
  Json json{{"channels", std::move(channels)}};
  if (!result.complete) json["incomplete"] = true;
  return text_of(json);
}

std::string info_json(const NodeRegistry& nodes) {
  Json list = Json::array();
  for (const auto& [uid, node] : nodes.nodes()) {
    std::uint64_t clients = 0;
    std::uint64_t users = 0;
    std::uint64_t subscriptions = 0;
    for (const auto& gateway : node.gateways()) {
      clients += gateway.clients();
      users += gateway.users();
      subscriptions += gateway.subscriptions();
    }
    list.push_back({{"uid", uid},
                    {"name", node.name()},
                    {"version", node.version()},
                    {"num_clients", clients},
                    {"num_users", users},
                    {"num_channels", node.channels()},
                    {"num_subs", subscriptions},
                    {"uptime", node.uptime_s()}});
  }
  return text_of(Json{{"nodes", std::move(list)}});
}

}  // namespace sluice::relay::api
