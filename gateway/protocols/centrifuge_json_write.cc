// Step 12: replies and pushes as JSON. Fields that are zero, false or empty are left out, but for
// those that SDKs expect to be there always.
#include <charconv>

#include "gateway/protocols/centrifuge_json.h"
#include "gateway/protocols/centrifuge_meta.h"
#include "gateway/protocols/json_content.h"

namespace sluice::gateway {
namespace {

void append_number(std::string& out, std::integral auto number) {
  std::array<char, 24> digits{};
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

/// One object: open while this lives.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_ += '{'; }
  ~Object() { out_ += '}'; }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  /// A name of ours: nothing in it needs an escape.
  std::string& key(std::string_view name) {
    separate();
    out_.append(1, '"').append(name).append("\":");
    return out_;
  }
  std::string& foreign_key(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
    return out_;
  }

  void number(std::string_view name, std::integral auto value) {
    if (value != 0) number_always(name, value);
  }
  void number_always(std::string_view name, std::integral auto value) {
    append_number(key(name), value);
  }
  void flag(std::string_view name, bool value) {
    if (value) key(name) += "true";
  }
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) text_always(name, value);
  }
  void text_always(std::string_view name, std::string_view value) {
    append_json_string(key(name), value);
  }
  void value(std::string_view name, std::string_view bytes) {
    if (!bytes.empty()) append_json_value(key(name), proto::as_bytes(bytes));
  }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

/// Both are the same to a client: a message's own and what travels in the envelope.
template <typename Info>
void write_info(const Info& info, std::string& out) {
  Object object(out);
  object.text_always("user", info.user());
  object.text_always("client", info.client());
  object.value("conn_info", info.conn_info());
  object.value("chan_info", info.chan_info());
}

void write_tags(const google::protobuf::Map<std::string, std::string>& tags, Object& object) {
  if (tags.empty()) return;
  Object written(object.key("tags"));
  for (const auto& [key, value] : sorted_tags(tags)) {
    append_json_string(written.foreign_key(key), value);
  }
}

void write(const centrifuge::Publication& publication, std::string& out) {
  Object object(out);
  append_json_value(object.key("data"), proto::as_bytes(publication.data()));
  if (publication.has_info()) write_info(publication.info(), object.key("info"));
  object.number("offset", publication.offset());
  write_tags(publication.tags(), object);
  object.flag("delta", publication.delta());
  object.number("time", publication.time());
  object.text("channel", publication.channel());
}

template <typename Repeated>
void write_publications(const Repeated& publications, std::string& out) {
  out += '[';
  for (int i = 0; i < publications.size(); ++i) {
    if (i > 0) out += ',';
    write(publications[i], out);
  }
  out += ']';
}

void write(const centrifuge::Error& error, std::string& out) {
  Object object(out);
  object.number("code", error.code());
  object.text_always("message", error.message());
  object.flag("temporary", error.temporary());
}

void write(const centrifuge::SubscribeResult& result, std::string& out) {
  Object object(out);
  object.flag("expires", result.expires());
  object.number("ttl", result.ttl());
  object.flag("recoverable", result.recoverable());
  object.text("epoch", result.epoch());
  if (!result.publications().empty())
    write_publications(result.publications(), object.key("publications"));
  object.flag("recovered", result.recovered());
  object.number("offset", result.offset());
  object.flag("positioned", result.positioned());
  object.value("data", result.data());
  object.flag("was_recovering", result.was_recovering());
  object.flag("delta", result.delta());
}

void write_subs(const google::protobuf::Map<std::string, centrifuge::SubscribeResult>& subs,
                Object& object) {
  if (subs.empty()) return;
  Object written(object.key("subs"));
  for (const auto& [channel, result] : subs) write(result, written.foreign_key(channel));
}

/// Connect result and connect push have the same fields.
template <typename Connected>
void write_connected(const Connected& connected, std::string& out) {
  Object object(out);
  object.text("client", connected.client());
  object.text("version", connected.version());
  object.flag("expires", connected.expires());
  object.number("ttl", connected.ttl());
  object.value("data", connected.data());
  write_subs(connected.subs(), object);
  object.number("ping", connected.ping());
  object.flag("pong", connected.pong());
  object.text("session", connected.session());
  object.text("node", connected.node());
  object.number("time", connected.time());
}

void write(const centrifuge::ConnectResult& result, std::string& out) {
  write_connected(result, out);
}

void write(const centrifuge::PresenceResult& result, std::string& out) {
  Object object(out);
  Object clients(object.key("presence"));
  for (const auto& [client, info] : result.presence())
    write_info(info, clients.foreign_key(client));
}

void write(const centrifuge::PresenceStatsResult& result, std::string& out) {
  Object object(out);
  object.number_always("num_clients", result.num_clients());
  object.number_always("num_users", result.num_users());
}

void write(const centrifuge::HistoryResult& result, std::string& out) {
  Object object(out);
  write_publications(result.publications(), object.key("publications"));
  object.text_always("epoch", result.epoch());
  object.number_always("offset", result.offset());
}

void write(const centrifuge::RPCResult& result, std::string& out) {
  Object object(out);
  object.value("data", result.data());
}

void write(const centrifuge::RefreshResult& result, std::string& out) {
  Object object(out);
  object.text("client", result.client());
  object.text("version", result.version());
  object.flag("expires", result.expires());
  object.number("ttl", result.ttl());
}

/// A subscription's refresh, and the push of a connection's.
template <typename Expiry>
void write_expiry(const Expiry& expiry, std::string& out) {
  Object object(out);
  object.flag("expires", expiry.expires());
  object.number("ttl", expiry.ttl());
}

void write(const centrifuge::Unsubscribe& push, std::string& out) {
  Object object(out);
  object.number("code", push.code());
  object.text("reason", push.reason());
}

void write(const centrifuge::Subscribe& push, std::string& out) {
  Object object(out);
  object.flag("recoverable", push.recoverable());
  object.text("epoch", push.epoch());
  object.number("offset", push.offset());
  object.flag("positioned", push.positioned());
  object.value("data", push.data());
}

void write(const centrifuge::Message& push, std::string& out) {
  Object object(out);
  append_json_value(object.key("data"), proto::as_bytes(push.data()));
}

void write(const centrifuge::Disconnect& push, std::string& out) {
  Object object(out);
  object.number("code", push.code());
  object.text("reason", push.reason());
  object.flag("reconnect", push.reconnect());
}

/// Joins and leaves.
template <typename Member>
void write_member(const Member& member, std::string& out) {
  Object object(out);
  write_info(member.info(), object.key("info"));
}

void write(const centrifuge::Push& push, std::string& out) {
  Object object(out);
  object.number("id", push.id());
  object.text("channel", push.channel());
  if (push.has_pub()) write(push.pub(), object.key("pub"));
  if (push.has_join()) write_member(push.join(), object.key("join"));
  if (push.has_leave()) write_member(push.leave(), object.key("leave"));
  if (push.has_unsubscribe()) write(push.unsubscribe(), object.key("unsubscribe"));
  if (push.has_message()) write(push.message(), object.key("message"));
  if (push.has_subscribe()) write(push.subscribe(), object.key("subscribe"));
  if (push.has_connect()) write_connected(push.connect(), object.key("connect"));
  if (push.has_disconnect()) write(push.disconnect(), object.key("disconnect"));
  if (push.has_refresh()) write_expiry(push.refresh(), object.key("refresh"));
}

void write_empty(std::string& out) {
  out += "{}";
}

}  // namespace

void write_json_reply(const centrifuge::Reply& reply, std::string& out) {
  Object object(out);
  object.number("id", reply.id());
  if (reply.has_error()) write(reply.error(), object.key("error"));
  if (reply.has_push()) write(reply.push(), object.key("push"));
  if (reply.has_connect()) write(reply.connect(), object.key("connect"));
  if (reply.has_subscribe()) write(reply.subscribe(), object.key("subscribe"));
  if (reply.has_unsubscribe()) write_empty(object.key("unsubscribe"));
  if (reply.has_publish()) write_empty(object.key("publish"));
  if (reply.has_presence()) write(reply.presence(), object.key("presence"));
  if (reply.has_presence_stats()) write(reply.presence_stats(), object.key("presence_stats"));
  if (reply.has_history()) write(reply.history(), object.key("history"));
  if (reply.has_ping()) write_empty(object.key("ping"));
  if (reply.has_rpc()) write(reply.rpc(), object.key("rpc"));
  if (reply.has_refresh()) write(reply.refresh(), object.key("refresh"));
  if (reply.has_sub_refresh()) write_expiry(reply.sub_refresh(), object.key("sub_refresh"));
}

void write_json_publication(const ChannelMessage& message, std::string& out) {
  Object reply(out);
  Object push(reply.key("push"));
  push.text("channel", message.channel);
  Object publication(push.key("pub"));
  append_json_value(publication.key("data"), message.payload);
  const envelope::MessageMeta* meta = read_meta(message.meta);
  if (meta != nullptr && meta->has_publisher())
    write_info(meta->publisher(), publication.key("info"));
  publication.number("offset", message.position.offset);
  if (meta == nullptr) return;
  write_tags(meta->tags(), publication);
  publication.number("time", meta->time_ms());
}

}  // namespace sluice::gateway
