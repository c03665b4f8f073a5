// Step 2: a line of a JSON client as a command. The line's grammar is judged as a whole first
// (json_content), so that here only the fields' types are left to go wrong.
#include <simdjson.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <type_traits>

#include "gateway/protocols/centrifuge_json.h"
#include "gateway/protocols/json_content.h"

namespace sluice::gateway {
namespace {

using simdjson::ondemand::json_type;
using Value = simdjson::ondemand::value;
using JsonObject = simdjson::ondemand::object;

/// A longer line is parsed by a parser of its own, so that one such does not cost memory for good.
constexpr std::size_t kKeptParserBytesMax = 256UL * 1024;

enum class Null {
  kLeftOut,  ///< as if the field were not there
  kValue,    ///< for a field that takes any JSON value
};

template <typename Message>
struct Field {
  std::string_view key;
  bool (*read)(Value& value, Message& message);
  Null null = Null::kLeftOut;
};

bool read_text(Value& value, std::string& out) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return false;
  out.assign(text);
  return true;
}

template <typename Container>
bool read_container(simdjson::simdjson_result<Container> container, std::string_view& raw) {
  Container open;
  return std::move(container).get(open) == simdjson::SUCCESS &&
         open.raw_json().get(raw) == simdjson::SUCCESS;
}

/// Any JSON value, as it stands there.
bool read_raw(Value& value, std::string& out) {
  json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  std::string_view raw;
  if (type == json_type::object) {
    if (!read_container(value.get_object(), raw)) return false;
  } else if (type == json_type::array) {
    if (!read_container(value.get_array(), raw)) return false;
  } else {
    raw = value.raw_json_token();
  }
  // A token reaches up to the next one.
  raw = raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1);
  out.clear();
  append_without_line_breaks(out, raw);
  return true;
}

template <typename Number>
bool read_number(Value& value, Number& out) {
  using Wide = std::conditional_t<std::is_signed_v<Number>, std::int64_t, std::uint64_t>;
  Wide number = 0;
  if (value.get(number) != simdjson::SUCCESS || !std::in_range<Number>(number)) return false;
  out = static_cast<Number>(number);
  return true;
}

/// Text, number and flag fields: what the setter takes says which.
template <auto kSet, typename Message>
bool read_scalar(Value& value, Message& message) {
  // Accessors of the generated code are overloaded only where they take a string.
  const auto read = [&]<typename T>(void (Message::*set)(T)) {
    T out{};
    if constexpr (std::is_same_v<T, bool>) {
      if (value.get(out) != simdjson::SUCCESS) return false;
    } else if (!read_number(value, out)) {
      return false;
    }
    (message.*set)(out);
    return true;
  };
  return read(kSet);
}
template <auto kMutable, typename Message>
bool read_text_field(Value& value, Message& message) {
  return read_text(value, *(message.*kMutable)());
}
template <auto kMutable, typename Message>
bool read_raw_field(Value& value, Message& message) {
  return read_raw(value, *(message.*kMutable)());
}

/// Fields that are not in the table are passed over, one of it that comes twice is refused.
template <typename Message, std::size_t kCount>
bool read_fields(Value& value, const Field<Message> (&fields)[kCount], Message& message) {
  static_assert(kCount <= 32);
  JsonObject object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return false;
  std::uint32_t seen = 0;
  for (auto item : object) {
    simdjson::ondemand::field each;
    std::string_view key;
    if (std::move(item).get(each) != simdjson::SUCCESS ||
        each.unescaped_key().get(key) != simdjson::SUCCESS)
      return false;
    const auto* field =
        std::find_if(std::begin(fields), std::end(fields),
                     [key](const Field<Message>& known) { return known.key == key; });
    if (field == std::end(fields)) continue;
    const std::uint32_t bit = 1U << static_cast<std::uint32_t>(field - std::begin(fields));
    if ((seen & bit) != 0) return false;
    seen |= bit;
    json_type type{};
    if (each.value().type().get(type) != simdjson::SUCCESS) return false;
    if (type == json_type::null && field->null == Null::kLeftOut) continue;
    if (!field->read(each.value(), message)) return false;
  }
  return true;
}

/// An object whose keys are the client's. A key that comes twice is refused.
template <typename Map, typename Read>
bool read_map(Value& value, Map& map, Read&& read) {
  JsonObject object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return false;
  for (auto item : object) {
    simdjson::ondemand::field each;
    std::string_view key;
    if (std::move(item).get(each) != simdjson::SUCCESS ||
        each.unescaped_key().get(key) != simdjson::SUCCESS)
      return false;
    const auto [place, fresh] = map.insert({std::string(key), {}});
    if (!fresh || !read(each.value(), place->second)) return false;
  }
  return true;
}

// The commands' fields, as they stand in centrifuge.proto.

using centrifuge::ConnectRequest;
using centrifuge::HistoryRequest;
using centrifuge::PublishRequest;
using centrifuge::RPCRequest;
using centrifuge::StreamPosition;
using centrifuge::SubRefreshRequest;
using centrifuge::SubscribeRequest;

bool read_filter(Value& value, SubscribeRequest& request) {
  static constexpr Field<centrifuge::FilterNode> kFields[] = {
      {"op", read_text_field<&centrifuge::FilterNode::mutable_op>}};
  return read_fields(value, kFields, *request.mutable_tf());
}

bool read_subscribe(Value& value, SubscribeRequest& request) {
  using R = SubscribeRequest;
  static constexpr Field<R> kFields[] = {
      {"channel", read_text_field<&R::mutable_channel>},
      {"token", read_text_field<&R::mutable_token>},
      {"recover", read_scalar<&R::set_recover>},
      {"epoch", read_text_field<&R::mutable_epoch>},
      {"offset", read_scalar<&R::set_offset>},
      {"data", read_raw_field<&R::mutable_data>},
      {"positioned", read_scalar<&R::set_positioned>},
      {"recoverable", read_scalar<&R::set_recoverable>},
      {"join_leave", read_scalar<&R::set_join_leave>},
      {"delta", read_text_field<&R::mutable_delta>},
      {"tf", read_filter},
      {"flag", read_scalar<&R::set_flag>},
      {"type", read_scalar<&R::set_type>},
  };
  return read_fields(value, kFields, request);
}

bool read_connect(Value& value, ConnectRequest& request) {
  using R = ConnectRequest;
  static constexpr Field<R> kFields[] = {
      {"token", read_text_field<&R::mutable_token>},
      {"data", read_raw_field<&R::mutable_data>},
      {"subs", [](Value& subs, R& r) { return read_map(subs, *r.mutable_subs(), read_subscribe); }},
      {"name", read_text_field<&R::mutable_name>},
      {"version", read_text_field<&R::mutable_version>},
      {"headers",
       [](Value& headers, R& r) { return read_map(headers, *r.mutable_headers(), read_text); }},
      {"flag", read_scalar<&R::set_flag>},
  };
  return read_fields(value, kFields, request);
}

bool read_publish(Value& value, PublishRequest& request) {
  static constexpr Field<PublishRequest> kFields[] = {
      {"channel", read_text_field<&PublishRequest::mutable_channel>},
      {"data", read_raw_field<&PublishRequest::mutable_data>, Null::kValue}};
  return read_fields(value, kFields, request);
}

/// Of unsubscribe, presence and presence_stats.
template <typename Request>
bool read_channel(Value& value, Request& request) {
  static constexpr Field<Request> kFields[] = {
      {"channel", read_text_field<&Request::mutable_channel>}};
  return read_fields(value, kFields, request);
}

bool read_position(Value& value, HistoryRequest& request) {
  static constexpr Field<StreamPosition> kFields[] = {
      {"offset", read_scalar<&StreamPosition::set_offset>},
      {"epoch", read_text_field<&StreamPosition::mutable_epoch>}};
  return read_fields(value, kFields, *request.mutable_since());
}

bool read_history(Value& value, HistoryRequest& request) {
  static constexpr Field<HistoryRequest> kFields[] = {
      {"channel", read_text_field<&HistoryRequest::mutable_channel>},
      {"limit", read_scalar<&HistoryRequest::set_limit>},
      {"since", read_position},
      {"reverse", read_scalar<&HistoryRequest::set_reverse>}};
  return read_fields(value, kFields, request);
}

bool read_send(Value& value, centrifuge::SendRequest& request) {
  static constexpr Field<centrifuge::SendRequest> kFields[] = {
      {"data", read_raw_field<&centrifuge::SendRequest::mutable_data>, Null::kValue}};
  return read_fields(value, kFields, request);
}

bool read_rpc(Value& value, RPCRequest& request) {
  static constexpr Field<RPCRequest> kFields[] = {
      {"data", read_raw_field<&RPCRequest::mutable_data>, Null::kValue},
      {"method", read_text_field<&RPCRequest::mutable_method>}};
  return read_fields(value, kFields, request);
}

bool read_refresh(Value& value, centrifuge::RefreshRequest& request) {
  static constexpr Field<centrifuge::RefreshRequest> kFields[] = {
      {"token", read_text_field<&centrifuge::RefreshRequest::mutable_token>}};
  return read_fields(value, kFields, request);
}

bool read_sub_refresh(Value& value, SubRefreshRequest& request) {
  static constexpr Field<SubRefreshRequest> kFields[] = {
      {"channel", read_text_field<&SubRefreshRequest::mutable_channel>},
      {"token", read_text_field<&SubRefreshRequest::mutable_token>}};
  return read_fields(value, kFields, request);
}

bool read_ping(Value& value, centrifuge::PingRequest& /*request*/) {
  JsonObject object;
  return value.get_object().get(object) == simdjson::SUCCESS;
}

template <auto kMutable, auto kRead>
bool read_method(Value& value, centrifuge::Command& command) {
  return kRead(value, *(command.*kMutable)());
}

bool read_command(Value& value, centrifuge::Command& command) {
  using C = centrifuge::Command;
  static constexpr Field<C> kFields[] = {
      {"id", read_scalar<&C::set_id>},
      {"connect", read_method<&C::mutable_connect, read_connect>},
      {"subscribe", read_method<&C::mutable_subscribe, read_subscribe>},
      {"unsubscribe",
       read_method<&C::mutable_unsubscribe, read_channel<centrifuge::UnsubscribeRequest>>},
      {"publish", read_method<&C::mutable_publish, read_publish>},
      {"presence", read_method<&C::mutable_presence, read_channel<centrifuge::PresenceRequest>>},
      {"presence_stats",
       read_method<&C::mutable_presence_stats, read_channel<centrifuge::PresenceStatsRequest>>},
      {"history", read_method<&C::mutable_history, read_history>},
      {"ping", read_method<&C::mutable_ping, read_ping>},
      {"send", read_method<&C::mutable_send, read_send>},
      {"rpc", read_method<&C::mutable_rpc, read_rpc>},
      {"refresh", read_method<&C::mutable_refresh, read_refresh>},
      {"sub_refresh", read_method<&C::mutable_sub_refresh, read_sub_refresh>},
  };
  return read_fields(value, kFields, command);
}

bool parse(simdjson::ondemand::parser& parser, std::string_view line, std::string& padded,
           centrifuge::Command& command) {
  padded.assign(line).append(simdjson::SIMDJSON_PADDING, ' ');
  simdjson::ondemand::document document;
  const simdjson::padded_string_view view(padded.data(), line.size(), padded.size());
  Value root;
  return parser.iterate(view).get(document) == simdjson::SUCCESS &&
         document.get_value().get(root) == simdjson::SUCCESS && read_command(root, command);
}

}  // namespace

bool read_json_command(std::string_view line, centrifuge::Command& command) {
  const JsonContent content = json_content(proto::as_bytes(line));
  if (content != JsonContent::kValue && content != JsonContent::kBrokenLines) return false;
  if (line.size() > kKeptParserBytesMax) {
    simdjson::ondemand::parser parser;
    std::string padded;
    return parse(parser, line, padded, command) && methods_of(command) <= 1;
  }
  thread_local simdjson::ondemand::parser kept_parser;
  thread_local std::string kept_padded;
  return parse(kept_parser, line, kept_padded, command) && methods_of(command) <= 1;
}

}  // namespace sluice::gateway
