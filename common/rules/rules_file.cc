// The file of rules: TOML to Rules. The first thing that is wrong is told, with its line.
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "common/flags.h"
#include "common/rules/rules.h"
#include "common/small_file.h"

namespace sluice {
namespace {

template <typename T>
using Word = std::pair<const char*, T>;

const std::vector<Word<Who>> kWhoSubscribes = {{"nobody", Who::kNobody},
                                               {"token", Who::kToken},
                                               {"users", Who::kUsers},
                                               {"everyone", Who::kEveryone}};
const std::vector<Word<Who>> kWhoUses = {{"nobody", Who::kNobody},
                                         {"subscribers", Who::kSubscribers},
                                         {"users", Who::kUsers},
                                         {"everyone", Who::kEveryone}};
const std::vector<Word<Offer>> kOffers = {
    {"off", Offer::kOff}, {"on-demand", Offer::kOnDemand}, {"forced", Offer::kForced}};

/// "FILE:LINE: ".
std::string place_of(std::string_view file, const toml::source_region& where) {
  return std::string(file) + ":" + std::to_string(where.begin.line) + ": ";
}

/// Reads the keys of one table into a struct. The first fault stays; keys that nobody asked for are
/// a fault too.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string_view file, std::string title)
      : table_(table), file_(file), title_(std::move(title)) {}

  void boolean(const char* key, bool& target) {
    if (const toml::node* node = take(key)) {
      const auto value = node->value_exact<bool>();
      if (!value) return wrong(key, "write true or false");
      target = *value;
    }
  }

  template <typename T>
  void word(const char* key, T& target, const std::vector<Word<T>>& words) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    std::string names;
    const auto text = node->value_exact<std::string_view>();
    for (const auto& [name, value] : words) {
      if (text && *text == name) {
        target = value;
        return;
      }
      names += std::string(names.empty() ? "\"" : ", \"") + name + "\"";
    }
    wrong(key, "write one of " + names);
  }

  void count(const char* key, std::uint32_t& target, std::uint32_t low, std::uint32_t high) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < low || *value > high) {
      return wrong(
          key, "write a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    target = static_cast<std::uint32_t>(*value);
  }

  /// A value with a unit, in a string; `parse` as for a flag.
  template <typename T, typename Parse>
  void text(const char* key, T& target, const char* example, Parse parse) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::string>();
    if (!value) return wrong(key, std::string("write a string such as ") + example);
    auto parsed = parse(*value);
    if (!parsed) return wrong(key, parsed.error().message);
    target = static_cast<T>(*parsed);
  }

  [[nodiscard]] bool has(const char* key) const { return table_.contains(key); }

  /// `key` itself is right, but not beside the others.
  void wrong(const char* key, const std::string& what) {
    if (fault_) return;
    const toml::node* node = table_.get(key);
    fault_ = Error{ErrorCode::kInvalid,
                   place_of(file_, node != nullptr ? node->source() : table_.source()) + title_ +
                       " " + key + ": " + what};
  }

  /// When all keys have been read.
  [[nodiscard]] Result<void> finish() {
    for (const auto& [key, node] : table_) {
      const bool is_known = std::any_of(known_.begin(), known_.end(),
                                        [&name = key](const char* k) { return name.str() == k; });
      if (is_known || fault_) continue;
      std::string names;
      for (const char* known : known_) names += std::string(names.empty() ? "" : ", ") + known;
      fault_ =
          Error{ErrorCode::kInvalid, place_of(file_, key.source()) + title_ + " unknown key '" +
                                         std::string(key.str()) + "'; there are " + names};
    }
    if (fault_) return tl::make_unexpected(*fault_);
    return {};
  }

 private:
  const toml::node* take(const char* key) {
    known_.push_back(key);
    return table_.get(key);
  }

  const toml::table& table_;
  std::string_view file_;
  std::string title_;
  std::vector<const char*> known_;
  std::optional<Error> fault_;
};

Result<double> parse_rate_or_off(const std::string& text) {
  if (text == "off") return 0;
  return parse_rate(text);
}

void read_history(TableReader& in, ChannelRules& rules) {
  in.word("history", rules.history, kWhoUses);
  in.count("history_size", rules.history_size, 0, kHistorySizeMax);
  in.text("history_ttl", rules.history_ttl, "\"10m\"",
          duration_between(kHistoryTtlMin, kHistoryTtlMax));
  in.word("recovery", rules.recovery, kOffers);
  in.word("positioning", rules.positioning, kOffers);
  in.count("recover_max", rules.recover_max, 1, kRecoverMaxMax);
  if (rules.history_size > 0 && !in.has("history_ttl"))
    in.wrong("history_size", "needs history_ttl: how long a publication is kept");
  if (rules.history_size == 0 && in.has("history_ttl"))
    in.wrong("history_ttl", "needs history_size: how many publications are kept");
  if (rules.history_size == 0 && rules.history != Who::kNobody)
    in.wrong("history", "needs history_size: there is nothing to read");
}

void read_presence(TableReader& in, ChannelRules& rules) {
  in.word("presence", rules.presence, kWhoUses);
  // Who may ask says enough; by itself it keeps presence for the server API alone.
  rules.presence_on = rules.presence != Who::kNobody;
  in.boolean("presence_on", rules.presence_on);
  in.word("join_leave", rules.join_leave, kOffers);
  if (!rules.presence_on && rules.presence != Who::kNobody)
    in.wrong("presence", "needs presence_on = true: there is nothing to read");
}

void read_limits(TableReader& in, ChannelRules& rules) {
  in.text("message_bytes_max", rules.message_bytes_max, "\"4KiB\"",
          size_between(1, kRuleMessageBytesMax));
  in.text("publish_rate", rules.publish_rate.per_second, "\"10/s\"", parse_rate_or_off);
  auto burst = static_cast<std::uint32_t>(
      std::clamp(rules.publish_rate.per_second, 1.0, double{kPublishBurstMax}));
  in.count("publish_burst", burst, 1, kPublishBurstMax);
  if (!rules.publish_rate.limited() && in.has("publish_burst"))
    in.wrong("publish_burst", "needs publish_rate");
  rules.publish_rate.burst = burst;
}

Result<ChannelRules> read_channels(const toml::table& table, std::string_view file,
                                   std::string title) {
  ChannelRules rules;
  TableReader in(table, file, std::move(title));
  in.word("subscribe", rules.subscribe, kWhoSubscribes);
  in.word("publish", rules.publish, kWhoUses);
  read_history(in, rules);
  read_presence(in, rules);
  in.boolean("publisher_info", rules.publisher_info);
  in.boolean("user_limited", rules.user_limited);
  in.boolean("subscribe_hook", rules.subscribe_hook);
  in.boolean("publish_hook", rules.publish_hook);
  in.boolean("plain_clients", rules.plain_clients);
  read_limits(in, rules);
  if (rules.subscribe_hook && rules.subscribe == Who::kNobody)
    in.wrong("subscribe_hook", "is never asked where nobody may subscribe");
  if (rules.publish_hook && rules.publish == Who::kNobody)
    in.wrong("publish_hook", "is never asked where nobody may publish");
  if (auto finished = in.finish(); !finished) return tl::make_unexpected(finished.error());
  return rules;
}

Result<ConnectionRules> read_connection(const toml::table& table, std::string_view file) {
  ConnectionRules rules;
  TableReader in(table, file, "[connection]");
  in.boolean("anonymous", rules.anonymous);
  in.boolean("connect_hook", rules.connect_hook);
  in.boolean("rpc_hook", rules.rpc_hook);
  in.boolean("disconnect_hook", rules.disconnect_hook);
  in.boolean("refresh_hook", rules.refresh_hook);
  in.count("channels_max", rules.channels_max, 1, kClientChannelsMax);
  in.count("connections_per_user_max", rules.connections_per_user_max, 0, kUserConnectionsMax);
  if (rules.refresh_hook && !rules.connect_hook)
    in.wrong("refresh_hook", "needs connect_hook: it refreshes connections that a hook let in");
  if (auto finished = in.finish(); !finished) return tl::make_unexpected(finished.error());
  return rules;
}

bool valid_namespace(std::string_view name) {
  return !name.empty() && name.size() <= kNamespaceBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

/// The whole file, key by key.
class RulesReader {
 public:
  explicit RulesReader(std::string_view file) : file_(file) {}

  [[nodiscard]] Result<Rules> read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      if (auto done = part(key, node); !done) return tl::make_unexpected(done.error());
    }
    return Rules::of(connection_, namespaces_);
  }

 private:
  [[nodiscard]] tl::unexpected<Error> wrong(const toml::source_region& where,
                                            const std::string& what) const {
    return fail(ErrorCode::kInvalid, place_of(file_, where) + what);
  }

  Result<void> part(const toml::key& key, const toml::node& node) {
    const std::string name(key.str());
    const toml::table* table = node.as_table();
    const bool known = name == "connection" || name == "channels" || name == "namespaces";
    if (!known || table == nullptr) {
      return wrong(key.source(), "'" + name +
                                     "' is no table of rules; there are [connection], [channels] "
                                     "and [namespaces.NAME]");
    }
    if (name == "namespaces") return all_namespaces(*table);
    if (name == "channels") return channels("", *table, "[channels]");
    auto rules = read_connection(*table, file_);
    if (!rules) return tl::make_unexpected(rules.error());
    connection_ = *rules;
    return {};
  }

  Result<void> all_namespaces(const toml::table& all) {
    if (all.size() > kNamespacesMax) {
      return wrong(all.source(),
                   "[namespaces]: at most " + std::to_string(kNamespacesMax) + " of them");
    }
    for (const auto& [key, node] : all) {
      const std::string name(key.str());
      if (!node.is_table()) {
        return wrong(key.source(), "[namespaces] '" + name + "': write [namespaces." + name + "]");
      }
      if (!valid_namespace(name)) {
        return wrong(key.source(), "[namespaces] '" + name +
                                       "' is no name of a namespace: 1 to 64 of A-Z a-z 0-9 . _ -");
      }
      auto done = channels(name, *node.as_table(), "[namespaces." + name + "]");
      if (!done) return done;
    }
    return {};
  }

  Result<void> channels(const std::string& name, const toml::table& table, std::string title) {
    auto rules = read_channels(table, file_, std::move(title));
    if (!rules) return tl::make_unexpected(rules.error());
    namespaces_.emplace(name, *rules);
    return {};
  }

  std::string_view file_;
  ConnectionRules connection_;
  std::map<std::string, ChannelRules> namespaces_;
};

/// One line, whatever stands in the file.
Error one_line(Error error) {
  std::replace_if(
      error.message.begin(), error.message.end(),
      [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return error;
}

Result<Rules> parse_rules(std::string_view text, std::string_view file_name) {
  try {
    const toml::table root = toml::parse(text, file_name);
    return RulesReader(file_name).read(root);
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalid,
                place_of(file_name, error.source()) + std::string(error.description()));
  }
}

}  // namespace

Result<Rules> Rules::parse(std::string_view toml, std::string_view file_name) {
  if (toml.size() > kRulesBytesMax)
    return fail(ErrorCode::kTooLarge, std::string(file_name) + ": rules have at most 1 MiB");
  return parse_rules(toml, file_name).map_error(one_line);
}

Result<Rules> Rules::read(const std::string& path) {
  const Result<std::string> text = read_small_file(path, kRulesBytesMax);
  if (!text) return fail(text.error().code, path + ": " + text.error().message);
  return parse(*text, path);
}

}  // namespace sluice
