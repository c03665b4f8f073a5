#include "relay/api/requests.h"

#include <algorithm>
#include <charconv>

#include "common/utf8.h"
#include "proto/names.h"
#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

// Close and unsubscribe codes of the Centrifuge protocol.
constexpr std::uint32_t kForceDisconnect = 3503;
constexpr std::uint32_t kServerUnsubscribe = 2000;
constexpr std::int64_t kCloseCodeMin = 3000;
constexpr std::int64_t kCloseCodeMax = 4999;
constexpr std::int64_t kLatestTime = 253402300799;  // the year 9999

constexpr std::int32_t kAsTheRulesSay = -1;

/// What was read, unless something was wrong.
template <typename T>
ApiResult<T> finish(const Params& params, T value) {
  if (!params.good()) return tl::make_unexpected(params.fault());
  return value;
}

std::string read_channel_name(Params& params) {
  std::string channel = params.required_text("channel", proto::kPublicNameBytesMax);
  if (params.good() && !proto::is_public_name(channel)) params.fail("channel is no valid name");
  return channel;
}

/// Sessions are of transports that Sluice does not have: nobody would be meant.
void refuse_session(Params& params) {
  if (!params.text("session", proto::kPublicNameBytesMax).empty())
    params.fail("session is not supported: name the user or the client");
}

/// An empty user is an absent one, as it is to the libraries that always send the member.
void read_who(Params& params, envelope::ControlCommand::Who& who) {
  refuse_session(params);
  who.set_user(params.text("user", proto::kUserBytesMax));
  who.set_has_user(!who.user().empty());
  who.set_client(params.text("client", proto::kClientIdBytesMax));
  if (params.good() && !who.has_user() && who.client().empty()) params.fail("user is missing");
}

std::int64_t read_expiry(Params& params) {
  return params.integer("expire_at", 0, kLatestTime).value_or(0);
}

Publication read_publication(Params& params) {
  Publication publication;
  const bool has_data = params.has("data") || params.has("b64data");
  publication.payload = params.bytes("data", kBodyBytesMax).value_or("");
  if (params.good() && !has_data) params.fail("data is missing");
  publication.skip_history = params.flag("skip_history");
  publication.tags = params.text_map("tags", kTagsMax);
  publication.idempotency_key = params.text("idempotency_key", kIdempotencyKeyBytesMax);
  // A delta is an offer, so it may be left out; what a version keeps from being published twice
  // would be published twice.
  (void)params.flag("delta");
  if (params.unsigned_integer("version").value_or(0) != 0 ||
      !params.text("version_epoch", proto::kPublicNameBytesMax).empty())
    params.fail("version is not supported");
  return publication;
}

/// 0: none is named, any is meant.
std::uint64_t read_epoch(Params& params) {
  const std::string text = params.text("epoch", proto::kPublicNameBytesMax);
  if (text.empty()) return 0;
  std::uint64_t epoch = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch, 16);
  const bool ours = error == std::errc() && end == text.data() + text.size() && text.size() == 16;
  return ours && epoch != 0 ? epoch : proto::kForeignEpoch;
}

std::optional<proto::Position> read_position(Params& params, std::string_view name) {
  std::optional<Params> part = params.object(name);
  if (!part) return std::nullopt;
  proto::Position position;
  position.offset = part->unsigned_integer("offset").value_or(0);
  position.epoch = read_epoch(*part);
  params.fail_with(*part);
  return position;
}

/// {"value": true}
std::int32_t read_override(Params& overrides, std::string_view name) {
  std::optional<Params> part = overrides.object(name);
  if (!part) return kAsTheRulesSay;
  const bool value = part->flag("value");
  overrides.fail_with(*part);
  return value ? 1 : 0;
}

void read_overrides(Params& params, envelope::ControlCommand::Subscribe& subscribe) {
  subscribe.set_presence(kAsTheRulesSay);
  subscribe.set_join_leave(kAsTheRulesSay);
  subscribe.set_recovery(kAsTheRulesSay);
  subscribe.set_positioning(kAsTheRulesSay);
  std::optional<Params> overrides = params.object("override");
  if (!overrides) return;
  subscribe.set_presence(read_override(*overrides, "presence"));
  const std::int32_t join_leave = read_override(*overrides, "join_leave");
  const std::int32_t forced = read_override(*overrides, "force_push_join_leave");
  subscribe.set_join_leave(forced == kAsTheRulesSay ? join_leave : forced);
  subscribe.set_recovery(read_override(*overrides, "force_recovery"));
  subscribe.set_positioning(read_override(*overrides, "force_positioning"));
  params.fail_with(*overrides);
}

ApiResult<BatchCommand> read_command(std::string_view json) {
  const Params command = Params::parse(json);
  if (!command.good()) return tl::make_unexpected(command.fault());
  if (command.members().size() != 1)
    return refuse(ErrorNumber::kBadRequest, "a command has one method");
  const auto& [name, params] = command.members().front();
  const auto method = method_named(name);
  if (!method) return refuse(ErrorNumber::kMethodNotFound);
  if (*method == ApiMethod::kBatch) return refuse(ErrorNumber::kBadRequest, "a batch in a batch");
  return BatchCommand{*method, std::string(params)};
}

}  // namespace

ApiResult<PublishParams> read_publish(Params params) {
  PublishParams read;
  read.channels.push_back(read_channel_name(params));
  read.publication = read_publication(params);
  return finish(params, std::move(read));
}

ApiResult<PublishParams> read_broadcast(Params params) {
  PublishParams read;
  read.channels = params.texts("channels", kBroadcastChannelsMax, kBodyBytesMax);
  if (params.good() && read.channels.empty()) params.fail("channels is missing");
  read.publication = read_publication(params);
  return finish(params, std::move(read));
}

ApiResult<ClientCommand> read_subscribe(Params params) {
  ClientCommand read;
  read.channel = read_channel_name(params);
  auto& subscribe = *read.command.mutable_subscribe();
  read_who(params, *subscribe.mutable_who());
  subscribe.set_channel(read.channel);
  subscribe.set_info(params.bytes("info", kInfoBytesMax).value_or(""));
  subscribe.set_data(params.bytes("data", kSubscriptionDataBytesMax).value_or(""));
  subscribe.set_expire_at(read_expiry(params));
  if (const auto since = read_position(params, "recover_since")) {
    subscribe.set_recover(true);
    subscribe.set_since_offset(since->offset);
    subscribe.set_since_epoch(since->epoch);
  }
  read_overrides(params, subscribe);
  return finish(params, std::move(read));
}

ApiResult<ClientCommand> read_unsubscribe(Params params) {
  ClientCommand read;
  read.channel = read_channel_name(params);
  auto& unsubscribe = *read.command.mutable_unsubscribe();
  read_who(params, *unsubscribe.mutable_who());
  unsubscribe.set_channel(read.channel);
  unsubscribe.set_code(kServerUnsubscribe);
  unsubscribe.set_reason("server unsubscribe");
  return finish(params, std::move(read));
}

ApiResult<ClientCommand> read_disconnect(Params params) {
  ClientCommand read;
  auto& disconnect = *read.command.mutable_disconnect();
  read_who(params, *disconnect.mutable_who());
  for (std::string& client : params.texts("whitelist", kWhitelistMax, proto::kClientIdBytesMax))
    disconnect.mutable_who()->add_except(std::move(client));
  disconnect.set_code(kForceDisconnect);
  disconnect.set_reason("force disconnect");
  if (std::optional<Params> part = params.object("disconnect")) {
    const auto code = part->integer("code", kCloseCodeMin, kCloseCodeMax);
    if (code) disconnect.set_code(static_cast<std::uint32_t>(*code));
    if (part->has("reason") || code) disconnect.set_reason(part->text("reason", kReasonBytesMax));
    params.fail_with(*part);
  }
  return finish(params, std::move(read));
}

ApiResult<ClientCommand> read_refresh(Params params) {
  ClientCommand read;
  auto& refresh = *read.command.mutable_refresh();
  read_who(params, *refresh.mutable_who());
  refresh.set_expired(params.flag("expired"));
  refresh.set_expire_at(read_expiry(params));
  refresh.set_info(params.bytes("info", kInfoBytesMax).value_or(""));
  return finish(params, std::move(read));
}

ApiResult<std::string> read_channel(Params params) {
  std::string channel = read_channel_name(params);
  return finish(params, std::move(channel));
}

ApiResult<HistoryParams> read_history(Params params) {
  HistoryParams read;
  read.channel = read_channel_name(params);
  const std::int64_t limit =
      params.integer("limit", -1, std::numeric_limits<std::int32_t>::max()).value_or(0);
  // -1: all there are, as far as one answer goes.
  read.query.limit = limit < 0 || limit > kHistoryPublicationsMax
                         ? kHistoryPublicationsMax
                         : static_cast<std::uint32_t>(limit);
  read.query.since = read_position(params, "since");
  read.query.reverse = params.flag("reverse");
  return finish(params, std::move(read));
}

ApiResult<std::string> read_pattern(Params params) {
  std::string pattern = params.text("pattern", kPatternBytesMax);
  return finish(params, std::move(pattern));
}

ApiResult<BatchParams> read_batch(Params params) {
  BatchParams read;
  read.parallel = params.flag("parallel");
  if (params.good() && !params.has("commands")) params.fail("commands is missing");
  for (const std::string_view command : params.elements("commands", kBatchCommandsMax))
    read.commands.push_back(read_command(command));
  return finish(params, std::move(read));
}

}  // namespace sluice::relay::api
