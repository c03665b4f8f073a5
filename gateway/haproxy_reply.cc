#include "gateway/haproxy_reply.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace sluice::gateway {
namespace {

/// Of HAProxy's words in a log line.
constexpr std::size_t kWordsBytesMax = 200;
/// Columns looked at; 2.6 has 25.
constexpr std::size_t kColumnsMax = 64;

/// Takes the first line off `text`, without its end.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (fields.size() < kColumnsMax) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find(' '), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return fields;
}

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Where the columns that we need stand.
struct Columns {
  static constexpr std::array<std::string_view, 7> kNames = {
      "srv_name",        "srv_id",   "srv_addr",       "srv_op_state",
      "srv_admin_state", "srv_port", "srv_check_state"};
  std::array<std::size_t, kNames.size()> at{};

  [[nodiscard]] static std::optional<Columns> from(std::string_view header) {
    std::vector<std::string_view> names = fields_of(header);
    if (names.empty() || names.front() != "#") return std::nullopt;
    names.erase(names.begin());
    Columns columns;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const auto found = std::find(names.begin(), names.end(), kNames[i]);
      if (found == names.end()) return std::nullopt;
      columns.at[i] = static_cast<std::size_t>(found - names.begin());
    }
    return columns;
  }
  [[nodiscard]] bool fit(const std::vector<std::string_view>& fields) const {
    return *std::max_element(at.begin(), at.end()) < fields.size();
  }
};

bool parse_server(const Columns& columns, const std::vector<std::string_view>& fields,
                  HaproxyServer& server) {
  const auto field = [&](std::size_t i) { return fields[columns.at[i]]; };
  server.address = std::string(field(2));
  return parse_number(field(1), server.id) && parse_number(field(3), server.operational) &&
         parse_number(field(4), server.admin) && parse_number(field(5), server.port) &&
         parse_number(field(6), server.check);
}

std::string printable(std::string_view line) {
  std::string text(line.substr(0, kWordsBytesMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (line.size() > kWordsBytesMax) text += " ...";
  return text;
}

std::string_view trimmed(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

std::string_view pick_line(std::string_view reply, bool last) {
  std::string_view picked;
  while (!reply.empty()) {
    const std::string_view line = trimmed(take_line(reply));
    if (line.empty()) continue;
    picked = line;
    if (!last) break;
  }
  return picked;
}

}  // namespace

bool is_server_table(std::string_view reply) {
  const std::string_view version = take_line(reply);
  return is_number(version) && (reply.empty() || reply.starts_with('#'));
}

Result<std::optional<HaproxyServer>> find_server(std::string_view reply, std::string_view name) {
  if (!is_server_table(reply)) return fail(ErrorCode::kInvalid, "this is no table of servers");
  // An empty line ends it; what was cut off can't be told from what is not there.
  if (!reply.ends_with("\n\n"))
    return fail(ErrorCode::kUnavailable, "the table of servers is cut short");
  take_line(reply);
  const auto columns = Columns::from(take_line(reply));
  if (!columns) return fail(ErrorCode::kInvalid, "the table of servers lacks a column");
  while (!reply.empty()) {
    const std::vector<std::string_view> fields = fields_of(take_line(reply));
    if (fields.empty()) continue;
    if (!columns->fit(fields))
      return fail(ErrorCode::kInvalid, "the table of servers has a line that is too short");
    if (fields[columns->at[0]] != name) continue;
    HaproxyServer server;
    if (!parse_server(*columns, fields, server))
      return fail(ErrorCode::kInvalid, "the table of servers has a number that is none");
    return server;
  }
  return std::nullopt;
}

HaproxyRefusal judge_refusal(std::string_view words) {
  const auto says = [words](std::string_view part) {
    return words.find(part) != std::string_view::npos;
  };
  if (says("Permission denied")) return HaproxyRefusal::kPermission;
  if (says("No such backend") || says("Can't find backend")) return HaproxyRefusal::kNoBackend;
  if (says("dynamic load balancing")) return HaproxyRefusal::kStaticBalance;
  if (says("Already exists")) return HaproxyRefusal::kNameTaken;
  if (says("still has connections")) return HaproxyRefusal::kSessions;
  if (says("custom id")) return HaproxyRefusal::kOther;
  if (words.starts_with('\'') || words.starts_with("unknown keyword"))
    return HaproxyRefusal::kParameters;
  return HaproxyRefusal::kOther;
}

std::string said_last(std::string_view reply) {
  return printable(pick_line(reply, true));
}

std::string said_first(std::string_view reply) {
  return printable(pick_line(reply, false));
}

}  // namespace sluice::gateway
