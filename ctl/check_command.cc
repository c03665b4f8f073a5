// `sluice check`: rules and keys, read as the daemons read them.
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/rules/rules.h"
#include "common/tokens/keys.h"
#include "common/units.h"
#include "ctl/commands.h"
#include "ctl/table.h"
#include "ctl/text.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string name_text(const std::string& name) {
  return name.empty() ? "(none)" : name;
}

std::string history_text(const ChannelRules& rules) {
  if (rules.history_size == 0) return "-";
  return std::to_string(rules.history_size) + " for " + format_duration(rules.history_ttl);
}

std::string hooks_text(const ChannelRules& rules) {
  if (rules.subscribe_hook && rules.publish_hook) return "subscribe, publish";
  if (rules.subscribe_hook) return "subscribe";
  return rules.publish_hook ? "publish" : "-";
}

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<std::string> rules_lines(const Rules& rules, const Console& console) {
  std::vector<TableRow> rows;
  for (const auto& [name, r] : rules.channels()) {
    rows.push_back({{name_text(name)},
                    {to_string(r.subscribe)},
                    {to_string(r.publish)},
                    {history_text(r)},
                    {to_string(r.history)},
                    {to_string(r.recovery)},
                    {r.presence_on ? to_string(r.presence) : "-"},
                    {to_string(r.join_leave)},
                    {hooks_text(r)},
                    {r.plain_clients ? "yes" : "no"}});
  }
  const std::size_t width = console.is_terminal() ? Console::size().columns : 0;
  return table_lines({{"namespace"},
                      {"subscribe"},
                      {"publish"},
                      {"kept", false, 1},
                      {"read history", false, 2},
                      {"recovery", false, 3},
                      {"presence", false, 4},
                      {"joins", false, 5},
                      {"hooks", false, 7},
                      {"plain", false, 6}},
                     rows, width, console.colours());
}

std::string connection_text(const ConnectionRules& rules) {
  std::string who = "clients with a token";
  if (rules.anonymous) who += ", anonymous ones";
  if (rules.connect_hook) who += ", whom the connect hook lets in";
  using Hook = std::pair<bool, const char*>;
  std::string hooks;
  for (const auto& [on, name] :
       {Hook{rules.connect_hook, "connect"}, Hook{rules.refresh_hook, "refresh"},
        Hook{rules.rpc_hook, "rpc"}, Hook{rules.disconnect_hook, "disconnected"}})
    if (on) hooks += (hooks.empty() ? "" : ", ") + std::string(name);
  return "connect: " + who + "; up to " +
         counted(rules.channels_max, "channel each", "channels each") + "\n" +
         (hooks.empty() ? "" : "hooks:   " + hooks + "\n");
}

std::string keys_text(const TokenKeys& keys, const Console& console) {
  std::vector<TableRow> rows;
  for (const TokenKey& key : keys.all()) {
    rows.push_back({{to_string(key.algorithm)},
                    {key.id.empty() ? "-" : visible(key.id)},
                    {is_symmetric(key.algorithm) ? "secret"
                     : key.can_sign()            ? "private"
                                                 : "public"}});
  }
  std::string text =
      "\n" + join_lines(table_lines({{"key"}, {"kid"}, {"kind"}}, rows, 0, console.colours()));
  if (keys.skipped() > 0)
    text += counted(keys.skipped(), "key", "keys") + " of the key set skipped: not for tokens\n";
  return text;
}

Json rules_json(const ChannelRules& r) {
  return {{"subscribe", to_string(r.subscribe)},
          {"publish", to_string(r.publish)},
          {"presence", to_string(r.presence)},
          {"history", to_string(r.history)},
          {"history_size", r.history_size},
          {"history_ttl_ms",
           std::chrono::duration_cast<std::chrono::milliseconds>(r.history_ttl).count()},
          {"recovery", to_string(r.recovery)},
          {"positioning", to_string(r.positioning)},
          {"recover_max", r.recover_max},
          {"presence_on", r.presence_on},
          {"join_leave", to_string(r.join_leave)},
          {"publisher_info", r.publisher_info},
          {"user_limited", r.user_limited},
          {"subscribe_hook", r.subscribe_hook},
          {"publish_hook", r.publish_hook},
          {"plain_clients", r.plain_clients},
          {"message_bytes_max", r.message_bytes_max},
          {"publish_rate", r.publish_rate.per_second},
          {"publish_burst", r.publish_rate.burst}};
}

std::string report_json(const Rules& rules, const TokenKeys& keys) {
  const ConnectionRules& c = rules.connection();
  Json json = {{"connection",
                {{"anonymous", c.anonymous},
                 {"connect_hook", c.connect_hook},
                 {"rpc_hook", c.rpc_hook},
                 {"disconnect_hook", c.disconnect_hook},
                 {"refresh_hook", c.refresh_hook},
                 {"channels_max", c.channels_max},
                 {"connections_per_user_max", c.connections_per_user_max}}},
               {"channels", nullptr},
               {"namespaces", Json::object()},
               {"keys", Json::array()},
               {"keys_skipped", keys.skipped()},
               {"warnings", keys.warnings()}};
  for (const auto& [name, channel] : rules.channels())
    (name.empty() ? json["channels"] : json["namespaces"][name]) = rules_json(channel);
  for (const TokenKey& key : keys.all()) {
    json["keys"].push_back({{"alg", to_string(key.algorithm)},
                            {"kid", key.id.empty() ? Json() : Json(key.id)},
                            {"can_sign", key.can_sign()}});
  }
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string report_text(const CheckOptions& options, const Rules& rules, const TokenKeys& keys,
                        const Console& console) {
  std::string text = connection_text(rules.connection());
  text += rules.channels().empty() ? "channels: none\n"
                                   : "\n" + join_lines(rules_lines(rules, console));
  if (!options.keys.key_file.empty() || !options.keys.jwks_file.empty())
    text += keys_text(keys, console);
  for (const std::string& warning : keys.warnings())
    text += "\nwarning: " + visible(warning) + "\n";
  return text;
}

ExitCode refuse(const Error& error) {
  complain(error.message);
  return error.code == ErrorCode::kSystem ? ExitCode::kUnreadable : ExitCode::kFindings;
}

}  // namespace

ExitCode run_check(const CheckOptions& options, Console& console) {
  const auto rules = Rules::read(options.rules_file);
  if (!rules) return refuse(rules.error());
  const auto keys = TokenKeys::read(options.keys);
  if (!keys) return refuse(keys.error());
  const std::string report =
      options.json ? report_json(*rules, *keys) : report_text(options, *rules, *keys, console);
  return console.write(report) ? ExitCode::kOk : console.exit_code();
}

}  // namespace sluice::ctl
