#include "gateway/protocols/centrifuge_hook_bodies.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base64.h"
#include "gateway/protocols/centrifuge_codes.h"

namespace sluice::gateway {
namespace {

using Json = nlohmann::json;

/// Deeper answers are malformed: writing them out again would take as many calls in each other.
constexpr std::size_t kAnswerDepthMax = 64;

[[nodiscard]] std::string to_text(const Json& json) {
  // `replace`, so that dump() never throws.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// ---- asking

[[nodiscard]] Json subject_json(const HookSubject& subject, bool with_user) {
  Json json = {{"client", subject.client},
               {"transport", "websocket"},
               {"protocol", subject.protocol},
               {"encoding", "json"}};
  if (with_user) json["user"] = subject.user;
  return json;
}

/// Behind the object's other members; as it stands where it is JSON.
void add_raw(std::string& object, std::string_view key, std::string_view json) {
  object.pop_back();
  object.append(",\"").append(key).append("\":").append(json).append("}");
}

[[nodiscard]] std::string with_data(Json json, const HookSubject& subject, std::string_view data) {
  const bool is_json = data.empty() || Json::accept(data);
  if (!is_json) {
    json["encoding"] = "binary";
    json["b64data"] = encode_base64(data);
  }
  std::string body = to_text(json);
  if (is_json && !data.empty()) add_raw(body, "data", data);
  if (!subject.meta.empty() && Json::accept(subject.meta)) add_raw(body, "meta", subject.meta);
  return body;
}

// ---- answers

[[nodiscard]] bool shallow(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kAnswerDepthMax) return false;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return true;
}

/// Null: missing, or null itself.
[[nodiscard]] const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// Each of these is false when the member is there and of another type.

[[nodiscard]] bool read(const Json& object, const char* key, std::string& out) {
  const Json* found = member(object, key);
  if (found == nullptr) return true;
  if (!found->is_string()) return false;
  out = found->get<std::string>();
  return true;
}

[[nodiscard]] bool read(const Json& object, const char* key, bool& out) {
  const Json* found = member(object, key);
  if (found == nullptr) return true;
  if (!found->is_boolean()) return false;
  out = found->get<bool>();
  return true;
}

[[nodiscard]] bool read(const Json& object, const char* key, std::int64_t& out) {
  const Json* found = member(object, key);
  if (found == nullptr) return true;
  if (!found->is_number_integer()) return false;
  if (found->is_number_unsigned() && found->get<std::uint64_t>() > INT64_MAX) return false;
  out = found->get<std::int64_t>();
  return out >= 0;
}

[[nodiscard]] bool read_code(const Json& object, std::uint32_t& out) {
  std::int64_t code = 0;
  if (!read(object, "code", code) || code > UINT32_MAX) return false;
  out = static_cast<std::uint32_t>(code);
  return true;
}

/// `key` is JSON of any kind, "b64" + key any bytes.
[[nodiscard]] bool read_content(const Json& object, const char* key,
                                std::optional<std::string>& out) {
  std::string encoded;
  if (!read(object, (std::string("b64") + key).c_str(), encoded)) return false;
  if (!encoded.empty()) {
    out = decode_base64(encoded);
    return out.has_value();
  }
  if (const Json* found = member(object, key)) out = to_text(*found);
  return true;
}

[[nodiscard]] bool read_content(const Json& object, const char* key, std::string& out) {
  std::optional<std::string> content;
  if (!read_content(object, key, content)) return false;
  if (content) out = std::move(*content);
  return true;
}

/// {"value": true}
[[nodiscard]] bool read_forced(const Json& object, const char* key, std::optional<bool>& out) {
  const Json* found = member(object, key);
  if (found == nullptr) return true;
  bool value = false;
  if (!found->is_object() || !read(*found, "value", value)) return false;
  out = value;
  return true;
}

[[nodiscard]] bool read_override(const Json& object, TokenOverride& out) {
  const Json* found = member(object, "override");
  if (found == nullptr) return true;
  return found->is_object() && read_forced(*found, "presence", out.presence) &&
         read_forced(*found, "join_leave", out.join_leave) &&
         read_forced(*found, "force_push_join_leave", out.force_push_join_leave) &&
         read_forced(*found, "force_recovery", out.force_recovery) &&
         read_forced(*found, "force_positioning", out.force_positioning);
}

[[nodiscard]] bool read_subscriptions(const Json& result,
                                      std::map<std::string, TokenSubscription>& out) {
  if (const Json* channels = member(result, "channels")) {
    if (!channels->is_array()) return false;
    for (const Json& channel : *channels) {
      if (!channel.is_string()) return false;
      out.try_emplace(channel.get<std::string>());
    }
  }
  const Json* subscriptions = member(result, "subs");
  if (subscriptions == nullptr) return true;
  if (!subscriptions->is_object()) return false;
  for (const auto& [channel, one] : subscriptions->items()) {
    TokenSubscription& subscription = out[channel];
    if (!one.is_object() || !read_content(one, "info", subscription.info) ||
        !read_content(one, "data", subscription.data) || !read_override(one, subscription.override))
      return false;
  }
  return true;
}

[[nodiscard]] bool read_result(const Json& result, HookConnect& out) {
  return read(result, "user", out.user) && read(result, "expire_at", out.expire_at) &&
         read_content(result, "info", out.info) && read_content(result, "meta", out.meta) &&
         read_content(result, "data", out.data) && read_subscriptions(result, out.subscriptions);
}

[[nodiscard]] bool read_result(const Json& result, HookRefresh& out) {
  return read(result, "expired", out.expired) && read(result, "expire_at", out.expire_at) &&
         read_content(result, "info", out.info) && read_content(result, "meta", out.meta);
}

[[nodiscard]] bool read_result(const Json& result, HookSubscribe& out) {
  return read(result, "expire_at", out.expire_at) && read_content(result, "info", out.info) &&
         read_content(result, "data", out.data) && read_override(result, out.override);
}

[[nodiscard]] bool read_result(const Json& result, HookPublish& out) {
  return read_content(result, "data", out.data);
}

[[nodiscard]] bool read_result(const Json& result, HookRpc& out) {
  return read_content(result, "data", out.data);
}

template <typename Out>
[[nodiscard]] HookWord read_any(std::string_view body, Out& out) {
  using Kind = HookWord::Kind;
  if (!shallow(body)) return {};
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return {};
  HookWord word;
  if (const Json* end = member(json, "disconnect")) {
    const bool good =
        end->is_object() && read_code(*end, word.code) && read(*end, "reason", word.text);
    word.kind = good ? Kind::kDisconnect : Kind::kMalformed;
  } else if (const Json* error = member(json, "error")) {
    const bool good =
        error->is_object() && read_code(*error, word.code) && read(*error, "message", word.text);
    word.kind = good ? Kind::kError : Kind::kMalformed;
  } else if (const Json* result = member(json, "result")) {
    if (result->is_object() && read_result(*result, out)) word.kind = Kind::kResult;
  }
  word.text = bounded_text(std::move(word.text), kApplicationTextBytesMax);
  return word;
}

}  // namespace

std::string connect_body(const HookSubject& subject, const centrifuge::ConnectRequest& request) {
  Json json = subject_json(subject, false);
  if (!request.name().empty()) json["name"] = request.name();
  if (!request.version().empty()) json["version"] = request.version();
  if (request.subs_size() > 0) {
    Json channels = Json::array();
    for (const auto& [channel, one] : request.subs()) channels.push_back(channel);
    std::sort(channels.begin(), channels.end());
    json["channels"] = std::move(channels);
  }
  return with_data(std::move(json), subject, request.data());
}

std::string refresh_body(const HookSubject& subject) {
  return with_data(subject_json(subject, true), subject, {});
}

std::string subscribe_body(const HookSubject& subject,
                           const centrifuge::SubscribeRequest& request) {
  Json json = subject_json(subject, true);
  json["channel"] = request.channel();
  return with_data(std::move(json), subject, request.data());
}

std::string publish_body(const HookSubject& subject, const centrifuge::PublishRequest& request) {
  Json json = subject_json(subject, true);
  json["channel"] = request.channel();
  return with_data(std::move(json), subject, request.data());
}

std::string rpc_body(const HookSubject& subject, const centrifuge::RPCRequest& request) {
  Json json = subject_json(subject, true);
  json["method"] = request.method();
  return with_data(std::move(json), subject, request.data());
}

std::string disconnected_body(const HookSubject& subject) {
  return with_data(subject_json(subject, true), subject, {});
}

HookWord read_answer(std::string_view body, HookConnect& out) {
  return read_any(body, out);
}
HookWord read_answer(std::string_view body, HookRefresh& out) {
  return read_any(body, out);
}
HookWord read_answer(std::string_view body, HookSubscribe& out) {
  return read_any(body, out);
}
HookWord read_answer(std::string_view body, HookPublish& out) {
  return read_any(body, out);
}
HookWord read_answer(std::string_view body, HookRpc& out) {
  return read_any(body, out);
}

}  // namespace sluice::gateway
