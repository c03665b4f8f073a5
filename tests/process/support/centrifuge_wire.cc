#include "tests/process/support/centrifuge_wire.h"

#include <nlohmann/json.hpp>

#include "tests/process/support/deadline.h"

namespace sluice::test {
namespace {

using Json = nlohmann::ordered_json;
using centrifuge::Command;
using centrifuge::Reply;

// Commands to JSON.

void put(Json& to, const char* key, const std::string& text) {
  if (!text.empty()) to[key] = text;
}
void put(Json& to, const char* key, bool flag) {
  if (flag) to[key] = true;
}
template <typename Number>
requires std::is_arithmetic_v<Number>
void put(Json& to, const char* key, Number number) {
  if (number != 0) to[key] = number;
}
void put_data(Json& to, const std::string& json) {
  if (!json.empty()) to["data"] = Json::parse(json);
}

Json to_json(const centrifuge::SubscribeRequest& request) {
  Json json = Json::object();
  put(json, "channel", request.channel());
  put(json, "token", request.token());
  put(json, "recover", request.recover());
  put(json, "epoch", request.epoch());
  put(json, "offset", request.offset());
  put_data(json, request.data());
  put(json, "positioned", request.positioned());
  put(json, "recoverable", request.recoverable());
  put(json, "join_leave", request.join_leave());
  put(json, "delta", request.delta());
  if (request.has_tf()) json["tf"] = {{"op", request.tf().op()}};
  put(json, "flag", request.flag());
  put(json, "type", request.type());
  return json;
}

Json to_json(const centrifuge::ConnectRequest& request) {
  Json json = Json::object();
  put(json, "token", request.token());
  put_data(json, request.data());
  for (const auto& [channel, subscribe] : request.subs())
    json["subs"][channel] = to_json(subscribe);
  put(json, "name", request.name());
  put(json, "version", request.version());
  for (const auto& [key, value] : request.headers()) json["headers"][key] = value;
  put(json, "flag", request.flag());
  return json;
}

Json to_json(const centrifuge::PublishRequest& request) {
  Json json = {{"channel", request.channel()}};
  put_data(json, request.data());
  return json;
}

Json to_json(const centrifuge::HistoryRequest& request) {
  Json json = {{"channel", request.channel()}};
  put(json, "limit", request.limit());
  if (request.has_since())
    json["since"] = {{"offset", request.since().offset()}, {"epoch", request.since().epoch()}};
  put(json, "reverse", request.reverse());
  return json;
}

Json to_json(const centrifuge::RPCRequest& request) {
  Json json = {{"method", request.method()}};
  put_data(json, request.data());
  return json;
}

Json to_json(const centrifuge::SendRequest& request) {
  Json json = Json::object();
  put_data(json, request.data());
  return json;
}

Json to_json(const centrifuge::SubRefreshRequest& request) {
  return {{"channel", request.channel()}, {"token", request.token()}};
}

Json to_json(const Command& command) {
  Json json = Json::object();
  put(json, "id", command.id());
  if (command.has_connect()) json["connect"] = to_json(command.connect());
  if (command.has_subscribe()) json["subscribe"] = to_json(command.subscribe());
  if (command.has_unsubscribe())
    json["unsubscribe"] = {{"channel", command.unsubscribe().channel()}};
  if (command.has_publish()) json["publish"] = to_json(command.publish());
  if (command.has_presence()) json["presence"] = {{"channel", command.presence().channel()}};
  if (command.has_presence_stats())
    json["presence_stats"] = {{"channel", command.presence_stats().channel()}};
  if (command.has_history()) json["history"] = to_json(command.history());
  if (command.has_ping()) json["ping"] = Json::object();
  if (command.has_send()) json["send"] = to_json(command.send());
  if (command.has_rpc()) json["rpc"] = to_json(command.rpc());
  if (command.has_refresh()) json["refresh"] = {{"token", command.refresh().token()}};
  if (command.has_sub_refresh()) json["sub_refresh"] = to_json(command.sub_refresh());
  return json;
}

// Replies from JSON. What is there must have its type; nlohmann throws where it has not.

template <typename T>
T get(const Json& json, const char* key) {
  return json.value(key, T{});
}
std::string text(const Json& json, const char* key) {
  return get<std::string>(json, key);
}
std::string raw(const Json& json, const char* key) {
  return json.contains(key) ? json[key].dump() : std::string();
}

void read(const Json& json, centrifuge::ClientInfo& to) {
  to.set_user(json.at("user").get<std::string>());
  to.set_client(json.at("client").get<std::string>());
  to.set_conn_info(raw(json, "conn_info"));
  to.set_chan_info(raw(json, "chan_info"));
}

void read(const Json& json, centrifuge::Publication& to) {
  to.set_data(raw(json, "data"));
  if (json.contains("info")) read(json["info"], *to.mutable_info());
  to.set_offset(get<std::uint64_t>(json, "offset"));
  for (const auto& [key, value] : get<std::map<std::string, std::string>>(json, "tags"))
    (*to.mutable_tags())[key] = value;
  to.set_time(get<std::int64_t>(json, "time"));
}

void read(const Json& json, centrifuge::SubscribeResult& to) {
  to.set_expires(get<bool>(json, "expires"));
  to.set_ttl(get<std::uint32_t>(json, "ttl"));
  to.set_recoverable(get<bool>(json, "recoverable"));
  to.set_epoch(text(json, "epoch"));
  for (const Json& publication : json.value("publications", Json::array()))
    read(publication, *to.add_publications());
  to.set_recovered(get<bool>(json, "recovered"));
  to.set_offset(get<std::uint64_t>(json, "offset"));
  to.set_positioned(get<bool>(json, "positioned"));
  to.set_data(raw(json, "data"));
  to.set_was_recovering(get<bool>(json, "was_recovering"));
}

template <typename Connected>
void read_connected(const Json& json, Connected& to) {
  to.set_client(text(json, "client"));
  to.set_version(text(json, "version"));
  to.set_expires(get<bool>(json, "expires"));
  to.set_ttl(get<std::uint32_t>(json, "ttl"));
  to.set_data(raw(json, "data"));
  const Json subs = json.value("subs", Json::object());
  for (const auto& [channel, result] : subs.items()) read(result, (*to.mutable_subs())[channel]);
  to.set_ping(get<std::uint32_t>(json, "ping"));
  to.set_pong(get<bool>(json, "pong"));
  to.set_session(text(json, "session"));
  to.set_node(text(json, "node"));
  to.set_time(get<std::int64_t>(json, "time"));
}

void read(const Json& json, centrifuge::Push& to) {
  to.set_channel(text(json, "channel"));
  if (json.contains("pub")) read(json["pub"], *to.mutable_pub());
  if (json.contains("join")) read(json["join"].at("info"), *to.mutable_join()->mutable_info());
  if (json.contains("leave")) read(json["leave"].at("info"), *to.mutable_leave()->mutable_info());
  if (json.contains("unsubscribe")) {
    to.mutable_unsubscribe()->set_code(get<std::uint32_t>(json["unsubscribe"], "code"));
    to.mutable_unsubscribe()->set_reason(text(json["unsubscribe"], "reason"));
  }
  if (json.contains("message")) to.mutable_message()->set_data(raw(json["message"], "data"));
  if (json.contains("subscribe")) {
    const Json& subscribe = json["subscribe"];
    to.mutable_subscribe()->set_recoverable(get<bool>(subscribe, "recoverable"));
    to.mutable_subscribe()->set_epoch(text(subscribe, "epoch"));
    to.mutable_subscribe()->set_offset(get<std::uint64_t>(subscribe, "offset"));
    to.mutable_subscribe()->set_positioned(get<bool>(subscribe, "positioned"));
    to.mutable_subscribe()->set_data(raw(subscribe, "data"));
  }
  if (json.contains("connect")) read_connected(json["connect"], *to.mutable_connect());
  if (json.contains("disconnect")) {
    to.mutable_disconnect()->set_code(get<std::uint32_t>(json["disconnect"], "code"));
    to.mutable_disconnect()->set_reason(text(json["disconnect"], "reason"));
  }
  if (json.contains("refresh")) {
    to.mutable_refresh()->set_expires(get<bool>(json["refresh"], "expires"));
    to.mutable_refresh()->set_ttl(get<std::uint32_t>(json["refresh"], "ttl"));
  }
}

void read_queries(const Json& json, Reply& to) {
  if (json.contains("presence")) {
    to.mutable_presence();
    for (const auto& [client, info] : json["presence"].at("presence").items())
      read(info, (*to.mutable_presence()->mutable_presence())[client]);
  }
  if (json.contains("presence_stats")) {
    const Json& stats = json["presence_stats"];
    to.mutable_presence_stats()->set_num_clients(stats.at("num_clients").get<std::uint32_t>());
    to.mutable_presence_stats()->set_num_users(stats.at("num_users").get<std::uint32_t>());
  }
  if (json.contains("history")) {
    const Json& history = json["history"];
    for (const Json& publication : history.at("publications"))
      read(publication, *to.mutable_history()->add_publications());
    to.mutable_history()->set_epoch(history.at("epoch").get<std::string>());
    to.mutable_history()->set_offset(history.at("offset").get<std::uint64_t>());
  }
}

void read_refreshes(const Json& json, Reply& to) {
  if (json.contains("refresh")) {
    to.mutable_refresh()->set_client(text(json["refresh"], "client"));
    to.mutable_refresh()->set_version(text(json["refresh"], "version"));
    to.mutable_refresh()->set_expires(get<bool>(json["refresh"], "expires"));
    to.mutable_refresh()->set_ttl(get<std::uint32_t>(json["refresh"], "ttl"));
  }
  if (json.contains("sub_refresh")) {
    to.mutable_sub_refresh()->set_expires(get<bool>(json["sub_refresh"], "expires"));
    to.mutable_sub_refresh()->set_ttl(get<std::uint32_t>(json["sub_refresh"], "ttl"));
  }
}

Reply reply_of(const Json& json) {
  Reply reply;
  reply.set_id(get<std::uint32_t>(json, "id"));
  if (json.contains("error")) {
    reply.mutable_error()->set_code(get<std::uint32_t>(json["error"], "code"));
    reply.mutable_error()->set_message(json["error"].at("message").get<std::string>());
    reply.mutable_error()->set_temporary(get<bool>(json["error"], "temporary"));
  }
  if (json.contains("push")) read(json["push"], *reply.mutable_push());
  if (json.contains("connect")) read_connected(json["connect"], *reply.mutable_connect());
  if (json.contains("subscribe")) read(json["subscribe"], *reply.mutable_subscribe());
  if (json.contains("unsubscribe")) reply.mutable_unsubscribe();
  if (json.contains("publish")) reply.mutable_publish();
  read_queries(json, reply);
  if (json.contains("ping")) reply.mutable_ping();
  if (json.contains("rpc")) reply.mutable_rpc()->set_data(raw(json["rpc"], "data"));
  read_refreshes(json, reply);
  return reply;
}

std::vector<Reply> read_json(std::string_view frame) {
  std::vector<Reply> replies;
  if (frame.ends_with('\n')) frame.remove_suffix(1);
  for (;;) {
    const std::size_t end = frame.find('\n');
    try {
      replies.push_back(reply_of(Json::parse(frame.substr(0, end))));
    } catch (const Json::exception& error) {
      throw HarnessError(std::string("not a reply: ") + error.what() + ": " + std::string(frame));
    }
    if (end == std::string_view::npos) return replies;
    frame.remove_prefix(end + 1);
  }
}

std::vector<Reply> read_protobuf(std::string_view frame) {
  std::vector<Reply> replies;
  do {
    std::size_t length = 0;
    std::size_t at = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (at == frame.size() || shift > 28) throw HarnessError("not the length of a reply");
      const auto byte = static_cast<unsigned char>(frame[at++]);
      length |= std::size_t{byte & 0x7FU} << shift;
      if (byte < 0x80) break;
    }
    frame.remove_prefix(at);
    if (length > frame.size() ||
        !replies.emplace_back().ParseFromArray(frame.data(), static_cast<int>(length)))
      throw HarnessError("not a reply in Protobuf");
    frame.remove_prefix(length);
  } while (!frame.empty());
  return replies;
}

}  // namespace

std::string_view subprotocol(CentrifugeEncoding encoding) {
  return encoding == CentrifugeEncoding::kJson ? "centrifuge-json" : "centrifuge-protobuf";
}

void append_command(CentrifugeEncoding encoding, const Command& command, std::string& frame) {
  if (encoding == CentrifugeEncoding::kJson) {
    if (!frame.empty()) frame += '\n';
    frame += to_json(command).dump();
    return;
  }
  std::size_t length = command.ByteSizeLong();
  for (; length >= 0x80; length >>= 7U) frame += static_cast<char>(length | 0x80U);
  frame += static_cast<char>(length);
  command.AppendToString(&frame);
}

std::vector<Reply> read_replies(CentrifugeEncoding encoding, std::string_view frame) {
  return encoding == CentrifugeEncoding::kJson ? read_json(frame) : read_protobuf(frame);
}

}  // namespace sluice::test
