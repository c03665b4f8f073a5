#include "ctl/status_view.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "ctl/table.h"
#include "ctl/text.h"
#include "proto/names.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

/// Reads an object without ever failing: what is missing or of another kind is nothing.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {}

  [[nodiscard]] Fields part(const char* name) const { return Fields(get(name)); }
  [[nodiscard]] std::string raw_text(const char* name) const {
    const Json& value = get(name);
    return value.is_string() ? value.get<std::string>() : std::string();
  }
  [[nodiscard]] std::string text(const char* name) const { return visible(raw_text(name)); }
  [[nodiscard]] std::optional<double> known(const char* name) const {
    const Json& value = get(name);
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
  }
  [[nodiscard]] double number(const char* name) const { return known(name).value_or(0); }
  [[nodiscard]] std::uint64_t count(const char* name) const {
    const Json& value = get(name);
    return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
  }
  [[nodiscard]] bool flag(const char* name) const {
    const Json& value = get(name);
    return value.is_boolean() && value.get<bool>();
  }
  [[nodiscard]] std::vector<Fields> rows(const char* name) const {
    std::vector<Fields> out;
    const Json& value = get(name);
    if (!value.is_array()) return out;
    for (const Json& row : value) out.emplace_back(row);
    return out;
  }

 private:
  [[nodiscard]] const Json& get(const char* name) const {
    static const Json kNothing;
    if (!json_.is_object()) return kNothing;
    const auto found = json_.find(name);
    return found == json_.end() ? kNothing : *found;
  }

  const Json& json_;
};

class View {
 public:
  View(const Json& json, const ViewOptions& options) : root_(json), options_(options) {}

  std::vector<std::string> lines() {
    head();
    gateways();
    channels();
    return std::move(lines_);
  }

 private:
  [[nodiscard]] std::string paint(std::string_view text, Style style) const {
    return styled(text, style, options_.colours);
  }
  void add_table(const std::vector<TableColumn>& columns, const std::vector<TableRow>& rows) {
    for (std::string& line : table_lines(columns, rows, options_.width, options_.colours))
      lines_.push_back(std::move(line));
  }
  /// `rest` is plain and is cut where there is no room.
  void add_line(std::string_view label, std::string_view first, Style style,
                std::string_view rest) {
    const std::size_t label_width = 11;
    std::string line = paint(label, Style::kDim);
    line.append(label_width - std::min(label_width, label.size()), ' ');
    line += paint(first, style);
    const std::size_t used = label_width + columns_of(first);
    const bool bounded = options_.width > 0;
    if (!bounded) {
      line += rest;
    } else if (used < options_.width) {
      line += cut_to(rest, options_.width - used);
    }
    lines_.push_back(std::move(line));
  }

  void head();
  void upgrades(const Fields& u);
  void broker();
  void gateways();
  void channels();
  void title(std::string_view name, const std::string& rest);
  void left_out(const Fields& part, const char* hint);

  Fields root_;
  const ViewOptions& options_;
  std::vector<std::string> lines_;
};

std::string millis_text(double seconds) {
  return count_text(
             static_cast<std::uint64_t>(std::llround(std::clamp(seconds, 0.0, 1e9) * 1000))) +
         " ms";
}

std::string of_bound(std::uint64_t value, std::uint64_t bound) {
  return bytes_text(value) + " of " + bytes_text(bound);
}

void View::head() {
  const Fields relay = root_.part("relay");
  std::string rest = "  pid " + std::to_string(relay.count("pid")) + "  up " +
                     seconds_text(relay.number("uptime_seconds")) + "  " +
                     visible(options_.address);
  if (relay.flag("shutting_down")) rest = "  shutting down" + rest;
  add_line("relay", relay.text("software"), Style::kBold, rest);
  upgrades(relay.part("upgrades"));
  broker();
  const Fields ring = root_.part("ring");
  add_line("ring", "", Style::kPlain,
           count_text(ring.count("messages")) + " of " + count_text(ring.count("messages_max")) +
               " messages, " + of_bound(ring.count("bytes"), ring.count("bytes_max")));
  const Fields publishes = root_.part("publishes");
  const std::uint64_t held = publishes.count("held");
  add_line("publishes", count_text(held) + " held", held > 0 ? Style::kWarn : Style::kPlain,
           " (" + of_bound(publishes.count("held_bytes"), publishes.count("held_bytes_max")) +
               "), " + count_text(publishes.count("in_flight")) + " in flight");
  const Fields tools = root_.part("tools");
  add_line(
      "tools", "", Style::kPlain,
      count_text(tools.count("connected")) + " of " + count_text(tools.count("connected_max")));
}

/// Nothing while there were none.
void View::upgrades(const Fields& u) {
  const std::uint64_t done = u.count("done");
  const std::uint64_t refused = u.count("refused");
  const std::uint64_t failed = u.count("failed");
  if (done + refused + failed == 0) return;
  std::string rest = " in place";
  if (done > 0) rest += ", the last with a pause of " + millis_text(u.number("last_pause_seconds"));
  if (refused > 0) rest += ", " + count_text(refused) + " refused";
  if (failed > 0) rest += ", " + count_text(failed) + " failed";
  add_line("upgrades", count_text(done), refused + failed > 0 ? Style::kWarn : Style::kPlain, rest);
}

void View::broker() {
  const Fields b = root_.part("broker");
  const bool connected = b.flag("connected");
  const std::string since = seconds_text(b.number("since_seconds"));
  std::string rest = "  " + b.text("address");
  if (const std::uint64_t times = b.count("reconnects"); times > 0) {
    rest += "  " + counted(times, "reconnect", "reconnects");
  }
  if (connected) return add_line("broker", "connected", Style::kGood, " " + since + rest);
  add_line("broker", "AWAY " + since, Style::kBad, ": " + b.text("reason") + rest);
}

void View::title(std::string_view name, const std::string& rest) {
  lines_.emplace_back();
  const std::size_t room = options_.width == 0 ? SIZE_MAX : options_.width;
  lines_.push_back(paint(name, Style::kBold) + "  " +
                   cut_to(rest, room > name.size() + 2 ? room - name.size() - 2 : 0));
}

void View::left_out(const Fields& part, const char* hint) {
  if (const std::uint64_t rest = part.count("left_out"); rest > 0) {
    const std::string text = "… " + count_text(rest) + " more" + hint;
    lines_.push_back(paint(options_.width == 0 ? text : cut_to(text, options_.width), Style::kDim));
  }
}

Style style_of(const std::string& state) {
  if (state == "ready") return Style::kGood;
  if (state == "not ready") return Style::kBad;
  return Style::kWarn;
}

Cell handoff_cell(const std::string& state) {
  if (state == "on") return {state, Style::kGood};
  if (state == "off") return {state, Style::kDim};
  if (state.empty()) return {"-"};
  return {state, Style::kWarn};
}

/// "planned 12s ago, 1,203 clients, 212 ms": of the process that took over, how the one before it
/// had ended.
Cell takeover_cell(const Fields& g) {
  const Fields t = g.part("takeover");
  const std::string kind = t.text("kind");
  if (kind.empty()) return {"-"};
  std::string text = kind + " " + seconds_text(t.number("seconds_ago")) + " ago, " +
                     counted(t.count("clients"), "client", "clients");
  if (const auto pause = t.known("pause_seconds")) text += ", " + millis_text(*pause);
  const std::uint64_t closed = t.count("closed");
  if (closed > 0) text += ", " + count_text(closed) + " closed";
  return {text, closed > 0 ? Style::kWarn : Style::kPlain};
}

TableRow gateway_row(const Fields& g) {
  const bool connected = g.flag("connected");
  std::string state = connected ? g.text("state") : "lingering";
  Style style = style_of(state);
  if (state.empty()) {
    state = "connected";
    style = Style::kPlain;
  }
  const auto clients = g.known("clients");
  const std::uint64_t gaps = g.count("gaps_told");
  return {{g.text("id"), connected ? Style::kPlain : Style::kDim},
          {state, style},
          {clients ? count_text(g.count("clients")) : "-"},
          {count_text(g.count("subscriptions"))},
          {bytes_text(g.count("queue_bytes"))},
          {count_text(gaps), gaps > 0 ? Style::kWarn : Style::kPlain},
          {connected ? seconds_text(g.number("connected_seconds"))
                     : "gone " + seconds_text(g.number("gone_seconds"))},
          {std::to_string(g.count("pid"))},
          handoff_cell(g.text("handoff")),
          {g.known("held") ? count_text(g.count("held")) : "-"},
          takeover_cell(g),
          {g.text("software"), Style::kDim}};
}

void View::gateways() {
  const Fields part = root_.part("gateways");
  std::string rest = count_text(part.count("connected")) + " connected";
  if (const std::uint64_t lingering = part.count("lingering"); lingering > 0) {
    rest += ", " + count_text(lingering) + " lingering";
  }
  rest += ", " + counted(part.count("clients"), "client", "clients") + ", " +
          bytes_text(part.count("queue_bytes")) + " queued";
  title("GATEWAYS", rest);
  std::vector<TableRow> rows;
  for (const Fields& gateway : part.rows("list")) rows.push_back(gateway_row(gateway));
  if (rows.empty()) return;
  add_table({{"ID"},
             {"STATE"},
             {"CLIENTS", true},
             {"CHANNELS", true},
             {"QUEUE", true},
             {"GAPS", true, 1},
             {"SINCE", true, 2},
             {"PID", true, 3},
             {"HANDOFF", false, 4},
             {"HELD", true, 5},
             {"LAST TAKEOVER", false, 6},
             {"SOFTWARE", false, 7}},
            rows);
  left_out(part, "");
}

/// Sluice's own channels as they are called in Redis: no client can name one so either.
std::string channel_text(const std::string& name) {
  if (!proto::is_internal(name)) return visible(name);
  std::string text(proto::kReservedPrefix);
  if (const std::string_view of = proto::channel_of_members(name); !of.empty())
    return visible(text.append("{").append(of).append("}:members"));
  text.append(name, 1);
  std::replace(text.begin(), text.end(), proto::kInternalMark, ':');
  return visible(text);
}

TableRow channel_row(const Fields& c) {
  const std::uint64_t gateways = c.count("gateways");
  std::string position = c.text("epoch").substr(0, 8) + ":" + std::to_string(c.count("offset"));
  if (!c.flag("confirmed")) position = "subscribing";
  return {{channel_text(c.raw_text("name")), gateways == 0 ? Style::kDim : Style::kPlain},
          {count_text(gateways)},
          {count_text(c.count("tools"))},
          {position, c.flag("confirmed") ? Style::kPlain : Style::kWarn},
          {count_text(c.count("ring_messages"))},
          {bytes_text(c.count("ring_bytes"))}};
}

void View::channels() {
  const Fields part = root_.part("channels");
  title("CHANNELS", count_text(part.count("subscribed")) + " at the broker, " +
                        counted(part.count("subscriptions"), "subscription", "subscriptions"));
  std::vector<TableRow> rows;
  for (const Fields& channel : part.rows("list")) rows.push_back(channel_row(channel));
  if (!rows.empty()) {
    add_table({{"NAME"},
               {"GATEWAYS", true},
               {"TOOLS", true, 2},
               {"POSITION", true},
               {"IN RING", true},
               {"RING BYTES", true, 1}},
              rows);
  }
  left_out(part, " (--channels N lists up to 150)");
}

Outcome<Json> parse(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return failure(ExitCode::kLinkRefused, "the relay's status is no JSON object");
  }
  const auto format = json.find("format");
  if (format == json.end() || *format != kFormat) {
    return failure(ExitCode::kLinkRefused,
                   "the relay's status has a format that this tool does not know",
                   "Use the sluice of its release, or --json");
  }
  return json;
}

}  // namespace

Outcome<std::vector<std::string>> status_lines(std::string_view json, const ViewOptions& options) {
  const Outcome<Json> parsed = parse(json);
  if (!parsed) return tl::make_unexpected(parsed.error());
  return View(*parsed, options).lines();
}

Outcome<std::string> status_json(std::string_view json, const std::string& address, int indent) {
  Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) {
    return failure(ExitCode::kLinkRefused, "the relay's status is no JSON object");
  }
  if (parsed["relay"].is_object()) parsed["relay"]["address"] = address;
  return parsed.dump(indent, ' ', true, Json::error_handler_t::replace);
}

}  // namespace sluice::ctl
